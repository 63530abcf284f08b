use stratus_core::{Rng, Time};

use crate::scenario::{Scenario, Share};

/// What a member is in a scenario.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Part {
    /// Publishes; plays the others' streams too where all listen.
    Publisher,
    /// Plays every stream, with the usual uplink.
    Usual,
    /// Plays every stream, with an uplink above it.
    Strong,
    /// Plays every stream, with an uplink below it.
    Weak,
    /// Plays every stream and gives nothing.
    DownloadOnly,
    /// Is a member of the group and plays nothing.
    Idle,
    /// Passes on other bytes than it got.
    Polluter,
    /// Takes everything and passes on nothing, whatever it promised.
    Freeloader,
    /// Tells of nobody but its own kind.
    Sybil,
}

impl Part {
    /// Every part, in the order of the report.
    pub(crate) const ALL: [Self; 9] = [
        Self::Publisher,
        Self::Usual,
        Self::Strong,
        Self::Weak,
        Self::DownloadOnly,
        Self::Idle,
        Self::Polluter,
        Self::Freeloader,
        Self::Sybil,
    ];

    /// Whether it breaks rules on purpose.
    pub(crate) fn is_hostile(self) -> bool {
        matches!(self, Self::Polluter | Self::Freeloader | Self::Sybil)
    }

    /// As it is named in the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Usual => "usual",
            Self::Strong => "strong",
            Self::Weak => "weak",
            Self::DownloadOnly => "download_only",
            Self::Idle => "idle",
            Self::Polluter => "polluter",
            Self::Freeloader => "freeloader",
            Self::Sybil => "sybil",
        }
    }
}

/// One member's role, and when it was there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role {
    pub(crate) part: Part,
    pub(crate) joined_at: Time,
    pub(crate) left_at: Option<Time>,
    /// Whether it went without a word.
    pub(crate) was_killed: bool,
}

/// Everybody that ever joined, by number: publishers first, then viewers, then those that play nothing, then
/// newcomers in place of viewers that went.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) roles: Vec<Role>,
    publishers: u32,
    streams_each: u32,
    all_listen: bool,
}

impl Cast {
    /// An empty stage.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let Scenario { publishers, streams, all_listen, .. } = *scenario;
        Self { roles: Vec::new(), publishers, streams_each: streams, all_listen }
    }

    /// The part of the next member to join.
    pub(crate) fn next_part(&self, scenario: &Scenario, chance: &mut Rng) -> Part {
        let number = self.roles.len() as u32;
        if number < self.publishers {
            return Part::Publisher;
        }
        let is_newcomer = number >= scenario.members;
        let usual = if scenario.publishers == 0 { Part::Idle } else { Part::Usual };
        if number >= self.publishers + scenario.viewer_count() && !is_newcomer && usual != Part::Idle {
            return Part::Idle;
        }
        let share = |class: &Option<Share>| class.map_or(0.0, |class| class.share);
        let shares = [
            (Part::Strong, share(&scenario.strong)),
            (Part::Weak, share(&scenario.weak)),
            (Part::DownloadOnly, scenario.download_only),
            (Part::Polluter, scenario.polluters),
            (Part::Freeloader, scenario.freeloaders),
            (Part::Sybil, scenario.sybils),
        ];
        if shares.iter().all(|(_, share)| *share == 0.0) {
            return usual;
        }
        let mut draw = chance.below(1_000_000) as f64 / 1e6;
        for (part, share) in shares {
            if draw < share {
                return part;
            }
            draw -= share;
        }
        usual
    }

    pub(crate) fn add(&mut self, part: Part, joined_at: Time) {
        self.roles.push(Role { part, joined_at, left_at: None, was_killed: false });
    }

    pub(crate) fn part(&self, member: u32) -> Part {
        self.roles[member as usize].part
    }

    /// Streams in all.
    pub(crate) fn stream_count(&self) -> usize {
        (self.publishers * self.streams_each) as usize
    }

    /// Who publishes a stream.
    pub(crate) fn publisher_of(&self, stream: usize) -> u32 {
        stream as u32 / self.streams_each
    }

    /// The streams that a member plays.
    pub(crate) fn played_by(&self, member: u32) -> impl Iterator<Item = usize> {
        let part = self.part(member);
        (0..self.stream_count()).filter(move |stream| match part {
            Part::Idle => false,
            Part::Publisher => self.all_listen && self.publisher_of(*stream) != member,
            _ => true,
        })
    }

    /// Whether a member plays anything.
    pub(crate) fn plays(&self, member: u32) -> bool {
        self.played_by(member).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_come_first_then_viewers_then_the_idle_and_newcomers_are_viewers() {
        let scenario = Scenario {
            members: 7,
            viewers: Some(3),
            publishers: 2,
            streams: 2,
            all_listen: true,
            ..Scenario::default()
        };
        let mut cast = Cast::new(&scenario);
        for _ in 0..8 {
            let part = cast.next_part(&scenario, &mut Rng::from_seed(3));
            cast.add(part, Time::ZERO);
        }
        use Part::{Idle, Publisher, Usual};
        let parts: Vec<Part> = (0..8).map(|member| cast.part(member)).collect();
        assert_eq!(parts, [Publisher, Publisher, Usual, Usual, Usual, Idle, Idle, Usual]);
        assert_eq!(cast.played_by(1).collect::<Vec<_>>(), [0, 1], "all but its own");
        assert_eq!(cast.played_by(7).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(!cast.plays(5));
    }
}
