use std::time::Duration;

use stratus_core::Rate;

use crate::properties::{first_fault, range};

/// Settings of the multicast layer. `Default` is what the project recommends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Largest payload of one fragment, bytes. More costs a datagram that some path cannot carry; less costs
    /// headers. Default 1,128: six TS packets in the 1,162-byte datagram that every path carries.
    pub fragment_size: usize,
    /// Longest that the publisher holds a fragment back for company in its run. More saves signatures and
    /// system calls and adds delay. Default 23 ms; with a limited upload at most [`Config::LIMITED_RUN_HOLD`]
    /// counts. Both were measured (ARCHITECTURE.md).
    pub run_hold: Duration,
    /// The same for streams below [`Config::SLOW_RATE`], whose fragments are small: a signature for each would be
    /// as many bytes again. Default 50 ms: three frames of sound to a run.
    pub slow_run_hold: Duration,
    /// Most fragments in a run, 1 to 32. Default 32: the hold ends it long before at common rates.
    pub run_length: usize,
    /// `multicastWindowDuration`: how long a fragment is worth having. Longer repairs more loss and adds
    /// delay after loss, and memory: about rate × window per stream. Default 8 s, the Flash default.
    pub window_duration: Duration,
    /// `multicastRelayMarginDuration`: how much longer fragments stay to serve others. Default 2 s, as Flash.
    pub relay_margin_duration: Duration,
    /// `multicastFetchPeriod`: wait between learning of a run and pulling it when push should bring it.
    /// Shorter repairs sooner and brings duplicates. Default 150 ms; Flash's 2.5 s is a preset.
    pub fetch_period: Duration,
    /// `multicastAvailabilityUpdatePeriod`: interval between availability maps. Default 100 ms, as librtmfp.
    pub availability_update_period: Duration,
    /// `multicastAvailabilitySendToAll`: each map to all neighbors rather than to one in turn. Default false.
    pub availability_send_to_all: bool,
    /// `multicastPushNeighborLimit`: most children in one slice; half of it away from home when the upload is
    /// limited. More shortens trees and loads uplinks. Default 4, as Adobe's server documents.
    pub push_neighbor_limit: usize,
    /// Most children in one slice of a member that states an upload with room for more than
    /// `push_neighbor_limit` in every slice: so strong members carry more, and trees are shorter. Not above
    /// `push_neighbor_limit`: everybody is held to that. Default 16.
    pub strong_push_neighbor_limit: usize,
    /// Slices that runs are dealt into, 1 to 64; a publisher's choice that travels with its stream.
    /// Default 8, as RTMFP; 1 suffices below about 32 runs a second.
    pub slices: u32,
    /// Longest time the newest key frame is kept for newcomers beyond the window. Default 15 s, since
    /// encoders' default key intervals exceed 8 s.
    pub key_retention: Duration,
    /// Upload budget in wire bytes a second over all streams; `None`: not limited. At most nine tenths are
    /// promised to push.
    pub upload: Option<u64>,
    /// Whether this member only receives: of streams that are not its own it sends no payload to anybody. Its
    /// maps say so, and nobody asks it. Costs the others what it does not carry. Default false.
    pub download_only: bool,
    /// How long a stream may show no sign of life before those who play it are told that its publisher is gone
    /// (`NetStream.Publish.Idle`, spec MC-22). A living publisher gives one each second. More waits longer for a
    /// publisher that comes back; less ends sooner where all ways to it are cut for a while. Default 30 s.
    pub publisher_timeout: Duration,
    /// How long an announcement holds that its publisher does not renew; it does so three times in that time. More
    /// keeps dead streams listed, less floods more. Default 300 s, as RTMFP.
    pub announcement_lifetime: Duration,
    /// Links to other subscribers that a subscriber keeps. Default 8 (protocol.md).
    pub subscriber_links: usize,
    /// Most streams known in a group. Default 64: four publishers of four streams, each restarted thrice.
    pub max_streams: usize,
    /// Most runs kept of one stream. Default 8,192: 15 s at 500 runs a second.
    pub max_runs: usize,
    /// Most payload bytes kept of one stream. Default 64 MiB.
    pub max_window_bytes: usize,
    /// Longest message, bytes. Default 4 MiB.
    pub max_message: usize,
    /// Fragments that may wait for their manifest, from one neighbor. Default 64.
    pub max_waiting: usize,
    /// Runs asked of one neighbor and not answered. Default 256.
    pub max_requests: usize,
    /// Neighbors of one stream. Default 128.
    pub max_neighbors: usize,
    /// Most fast starts served in one second; the rest are sent elsewhere. Default 8.
    pub max_starts_per_second: u32,
    /// Announcements taken from one neighbor; each that is news costs a signature check or two (80 µs each).
    /// Default 64 at once, four times what it may know, then 8 a second.
    pub announcements: Rate,
    /// Interest, push requests, answers and stops taken from one neighbor, over all streams. Default 512 at
    /// once, then 128 a second: 16 streams of 8 slices that all change parents in one second.
    pub control: Rate,
    /// Maps taken from one neighbor. Default 512 at once, then 2,048 a second (3 µs each): 16 streams at a
    /// period of 10 ms in a group of two.
    pub maps: Rate,
    /// Runs that one neighbor may ask for, and that it may refuse. Default 8,192 at once, as many as one
    /// stream keeps, then 1,024 a second. How much is sent in answer has a limit of its own (spec MC-23).
    pub pulls: Rate,
    /// Fast starts that one neighbor may ask for. Default 32 at once, then 2 a second.
    pub starts: Rate,
    /// What one neighbor may send that is of no use (duplicates, fragments nobody asked for; what is over the
    /// rates above counts eight times) before it is dropped and kept out. Less bears less, and a fast start that comes twice
    /// may look like an attack. Default 8,192 at once, or what the quickest stream has in the time that a key
    /// run is kept if that is more; then 512 a second.
    pub useless: Rate,
}

const RATE: &str = "at least 1 at once and 1 to 1,000,000 a second";

/// Why a [`Config`] cannot work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "multicast setting {} must be {}", self.field, self.must)
    }
}

impl std::error::Error for ConfigError {}

impl Default for Config {
    fn default() -> Self {
        Self {
            fragment_size: 1_128,
            run_hold: Duration::from_millis(23),
            slow_run_hold: Duration::from_millis(50),
            run_length: 32,
            window_duration: Duration::from_secs(8),
            relay_margin_duration: Duration::from_secs(2),
            fetch_period: Duration::from_millis(150),
            availability_update_period: Duration::from_millis(100),
            availability_send_to_all: false,
            push_neighbor_limit: 4,
            strong_push_neighbor_limit: 16,
            slices: 8,
            key_retention: Duration::from_secs(15),
            upload: None,
            download_only: false,
            publisher_timeout: Duration::from_secs(30),
            announcement_lifetime: Duration::from_secs(300),
            subscriber_links: 8,
            max_streams: 64,
            max_runs: 8_192,
            max_window_bytes: 64 << 20,
            max_message: 4 << 20,
            max_waiting: 64,
            max_requests: 256,
            max_neighbors: 128,
            max_starts_per_second: 8,
            announcements: Rate { burst: 64, per_second: 8 },
            control: Rate { burst: 512, per_second: 128 },
            maps: Rate { burst: 512, per_second: 2_048 },
            pulls: Rate { burst: 8_192, per_second: 1_024 },
            starts: Rate { burst: 32, per_second: 2 },
            useless: Rate { burst: 8_192, per_second: 512 },
        }
    }
}

stratus_core::wire_settings!(Config {
    fragment_size,
    run_hold,
    slow_run_hold,
    run_length,
    window_duration,
    relay_margin_duration,
    fetch_period,
    availability_update_period,
    availability_send_to_all,
    push_neighbor_limit,
    strong_push_neighbor_limit,
    slices,
    key_retention,
    upload,
    download_only,
    publisher_timeout,
    announcement_lifetime,
    subscriber_links,
    max_streams,
    max_runs,
    max_window_bytes,
    max_message,
    max_waiting,
    max_requests,
    max_neighbors,
    max_starts_per_second,
    announcements,
    control,
    maps,
    pulls,
    starts,
    useless,
});

impl Config {
    /// The longest hold of a publisher whose upload is limited: long runs queue in scarce uplinks.
    pub const LIMITED_RUN_HOLD: Duration = Duration::from_millis(8);

    /// Payload bytes a second below which a stream is slow: 128 kbit/s, as sound is.
    pub const SLOW_RATE: u64 = 16_000;

    /// How long a fragment is held, given the upload and the stream's payload rate, 0 while unknown.
    pub(crate) fn hold(&self, rate: u64) -> Duration {
        if (1..Self::SLOW_RATE).contains(&rate) {
            return self.slow_run_hold.max(self.run_hold);
        }
        if self.upload.is_some() { self.run_hold.min(Self::LIMITED_RUN_HOLD) } else { self.run_hold }
    }

    /// Refuses what cannot work, naming the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let check = |holds, field, must| (holds, ConfigError { field, must });
        first_fault([
            check((1..=1_128).contains(&self.fragment_size), "fragment_size", "1 to 1128 bytes"),
            check((1..=32).contains(&self.run_length), "run_length", "1 to 32"),
            range::slices(self.slices),
            check(self.run_hold <= Duration::from_millis(100), "run_hold", "at most 100ms"),
            check(self.slow_run_hold <= Duration::from_millis(100), "slow_run_hold", "at most 100ms"),
            check(
                (1..=64).contains(&self.strong_push_neighbor_limit),
                "strong_push_neighbor_limit",
                "1 to 64",
            ),
            range::window(self.window_duration),
            range::relay_margin(self.relay_margin_duration),
            range::fetch(self.fetch_period),
            range::fetch_in_window(self.fetch_period < self.window_duration),
            range::availability(self.availability_update_period),
            range::push_neighbors(self.push_neighbor_limit),
            range::publisher_timeout(self.publisher_timeout),
            check(
                self.announcement_lifetime >= Duration::from_secs(3),
                "announcement_lifetime",
                "at least 3s",
            ),
            check(self.max_runs >= 64, "max_runs", "at least 64"),
            check(self.max_streams >= 1, "max_streams", "at least 1"),
            check(self.announcements.is_valid(), "announcements", RATE),
            check(self.control.is_valid(), "control", RATE),
            check(self.maps.is_valid(), "maps", RATE),
            check(self.pulls.is_valid(), "pulls", RATE),
            check(self.starts.is_valid(), "starts", RATE),
            check(self.useless.is_valid(), "useless", RATE),
        ])
    }
}
