//! What is tried: paths, budgets, what happens midway, and what must come of it.

use std::time::Duration;

use crate::path::Path;

/// One way from any host to any other.
const ONE_WAY: Duration = Duration::from_millis(30);
/// Wire bytes, headers of all layers included, for 1,000 bytes of payload sent once.
pub const WIRE_PER_MILLE: u64 = 1_130;
/// An IPv4 packet with the 1,200 bytes of UDP payload that every path must carry for QUIC.
pub(crate) const LEAST_PACKET: u64 = 1_228;

/// Something to be tried.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// So many of 1,000 packets are lost on each receiver's side.
    pub loss_per_mille: u64,
    /// What happens to what each host sends.
    pub path: Path,
    /// Uploads, in hundredths of the stream's wire rate.
    pub uploads: Uploads,
    /// What happens midway.
    pub midway: Option<Midway>,
    /// What must come of it.
    pub bars: Bars,
}

/// Upload limits, told to the members and kept by the network, in hundredths of the stream's wire rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Uploads {
    /// The publisher's.
    pub publisher: Option<u64>,
    /// All viewers'.
    pub viewers: Option<u64>,
    /// The last viewer's; the network lets it send more, so that its own restraint shows.
    pub capped: Option<u64>,
}

/// What happens in the middle of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Midway {
    /// Packets of more than 1,228 bytes vanish without a word, to every host.
    PathShrinks,
    /// The publisher is killed, and two seconds later another process publishes the same name.
    PublisherDies,
}

/// What must come of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bars {
    /// Most messages in a million that may be missing, over all viewers.
    pub missing_ppm: u64,
    /// Most payload bytes in 1,000 that may come twice.
    pub duplicates_per_mille: u64,
    /// Longest time between two messages at any viewer.
    pub pause: Duration,
    /// Longest delay of 99 in 100 messages over all viewers.
    pub p99: Duration,
}

const PLAIN: Scenario = Scenario {
    name: "clean",
    about: "nothing but distance",
    loss_per_mille: 0,
    path: Path {
        delay: ONE_WAY,
        jitter: Duration::ZERO,
        reorder: Duration::ZERO,
        burst_loss_per_mille: 0,
        burst_length: 0,
        duplicate_per_mille: 0,
        corrupt_per_mille: 0,
    },
    uploads: Uploads { publisher: None, viewers: None, capped: None },
    midway: None,
    bars: Bars {
        missing_ppm: 0,
        duplicates_per_mille: 5,
        pause: Duration::from_secs(8),
        p99: Duration::from_secs(8),
    },
};

const fn loss(
    name: &'static str,
    about: &'static str,
    per_mille: u64,
    missing_ppm: u64,
    duplicates: u64,
) -> Scenario {
    Scenario {
        name,
        about,
        loss_per_mille: per_mille,
        bars: Bars { missing_ppm, duplicates_per_mille: duplicates, ..PLAIN.bars },
        ..PLAIN
    }
}

/// All scenarios, in the order of the documentation.
pub const SCENARIOS: &[Scenario] = &[
    PLAIN,
    loss("loss-1", "1 % lost", 10, 0, 5),
    loss("loss-5", "5 % lost", 50, 0, 10),
    loss("loss-10", "10 % lost", 100, 0, 20),
    loss("loss-20", "20 % lost", 200, 1_000, 30),
    Scenario {
        name: "bursts",
        about: "12 % lost, 25 in a row",
        path: Path { burst_loss_per_mille: 120, burst_length: 25, ..PLAIN.path },
        bars: Bars { missing_ppm: 1_000, duplicates_per_mille: 30, ..PLAIN.bars },
        ..PLAIN
    },
    Scenario {
        name: "reorder",
        about: "some 100 ms later than others",
        // How much paths reorder has to be learned first.
        bars: Bars { duplicates_per_mille: 20, ..PLAIN.bars },
        path: Path { reorder: Duration::from_millis(100), ..PLAIN.path },
        ..PLAIN
    },
    Scenario {
        name: "duplicate",
        about: "5 % twice",
        path: Path { duplicate_per_mille: 50, ..PLAIN.path },
        ..PLAIN
    },
    Scenario {
        name: "corrupt",
        about: "1 % with a changed bit",
        path: Path { corrupt_per_mille: 10, ..PLAIN.path },
        ..PLAIN
    },
    Scenario {
        name: "rough",
        about: "reordered by 100 ms, 5 % twice, 1 % changed",
        bars: Bars { duplicates_per_mille: 20, ..PLAIN.bars },
        path: Path {
            reorder: Duration::from_millis(100),
            duplicate_per_mille: 50,
            corrupt_per_mille: 10,
            ..PLAIN.path
        },
        ..PLAIN
    },
    Scenario {
        name: "mtu",
        about: "midway nothing above 1,200 bytes of UDP passes",
        midway: Some(Midway::PathShrinks),
        bars: Bars { pause: Duration::from_secs(3), ..PLAIN.bars },
        ..PLAIN
    },
    Scenario {
        name: "uplinks",
        about: "publisher 1.3 and viewers 2 times the wire rate",
        uploads: Uploads { publisher: Some(130), viewers: Some(200), capped: None },
        bars: Bars { duplicates_per_mille: 20, ..PLAIN.bars },
        ..PLAIN
    },
    Scenario {
        name: "capped",
        about: "one viewer at 0.3 times the wire rate",
        uploads: Uploads { publisher: None, viewers: None, capped: Some(30) },
        bars: Bars { duplicates_per_mille: 20, ..PLAIN.bars },
        ..PLAIN
    },
    Scenario {
        name: "restart",
        about: "the publisher is killed and comes back",
        midway: Some(Midway::PublisherDies),
        ..PLAIN
    },
];

/// The scenario of this name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for scenario in SCENARIOS {
            assert_eq!(find(scenario.name).map(|found| found.about), Some(scenario.about));
        }
    }
}
