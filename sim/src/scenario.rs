use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::latency::{Globe, Latency};
use crate::parse::{duration_text, parse_duration};

/// What is played in one run: one publisher, many subscribers of its one stream.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Scenario {
    /// Members in all, the publisher among them.
    pub members: u32,
    /// Payload rate of the stream, bits a second.
    pub rate_bits: u64,
    /// Payload of a full fragment, bytes.
    pub size: usize,
    /// How the stream is cut into messages.
    pub shape: Shape,
    /// Each subscriber's uplink as a multiple of the stream's wire rate; `None`: not limited.
    pub uplink: Option<f64>,
    /// The publisher's uplink, likewise. It must feed first hops of several slices, so it usually has more.
    pub source_uplink: Option<f64>,
    /// Travel times.
    pub latency: LatencyLaw,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// Most that a datagram is delayed beyond its travel time.
    #[serde(serialize_with = "as_text")]
    pub jitter: Duration,
    /// Members join at random moments within this time; the publisher at its beginning.
    #[serde(serialize_with = "as_text")]
    pub join_over: Duration,
    /// Time between the last join and the publication.
    #[serde(serialize_with = "as_text")]
    pub settle: Duration,
    /// Time between the publication and the first message; the `stratus` command announces 300 ms ahead.
    #[serde(serialize_with = "as_text")]
    pub lead_in: Duration,
    /// How long the stream is.
    #[serde(serialize_with = "as_text")]
    pub secs: Duration,
    /// Messages written this early in the stream do not count for delay; they must arrive all the same.
    #[serde(serialize_with = "as_text")]
    pub warm_up: Duration,
    /// Whether many die at once.
    pub kill: Option<Kill>,
    /// From which every draw comes.
    pub seed: u64,
}

/// Wire bytes for a byte of payload, as budgets are stated: headers, manifests and acknowledgements.
pub const WIRE_PER_PAYLOAD: f64 = 1.13;

impl Default for Scenario {
    fn default() -> Self {
        Self {
            members: 100,
            rate_bits: 2_500_000,
            size: 1_128,
            shape: Shape::Constant,
            uplink: Some(2.0),
            source_uplink: Some(4.0),
            latency: LatencyLaw::Uniform { low: Duration::from_millis(10), high: Duration::from_millis(50) },
            loss: 0.0,
            jitter: Duration::ZERO,
            join_over: Duration::from_secs(3),
            settle: Duration::from_secs(5),
            lead_in: Duration::from_millis(300),
            secs: Duration::from_secs(20),
            warm_up: Duration::ZERO,
            kill: None,
            seed: 1,
        }
    }
}

impl Scenario {
    /// Refuses what cannot be played, in words.
    pub fn validate(&self) -> Result<(), String> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let is_multiple =
            |uplink: Option<f64>| uplink.is_none_or(|multiple| (0.01..=1e6).contains(&multiple));
        let checks = [
            ((2..=1_000_000).contains(&self.members), "members must be 2 to 1000000"),
            ((1..=1_128).contains(&self.size), "size must be 1 to 1128 bytes"),
            ((8..=1_000_000_000).contains(&self.rate_bits), "rate must be 8 bit/s to 1 Gbit/s"),
            (self.loss <= 0.5 && is_share(self.loss), "loss must be 0 to 0.5"),
            (is_multiple(self.uplink), "uplink must be a positive multiple or none"),
            (is_multiple(self.source_uplink), "source uplink must be a positive multiple or none"),
            (self.kill.is_none_or(|kill| is_share(kill.share)), "the share to kill must be 0 to 1"),
            (self.kill.is_none_or(|kill| kill.at <= self.secs), "the kill must come before the stream's end"),
            (self.secs <= Duration::from_secs(86_400), "the stream must end within a day"),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, must)) => Err(must.into()),
            None => Ok(()),
        }
    }

    /// Wire bytes a second that `multiple` of the stream's wire rate is.
    pub fn wire_rate(&self, multiple: f64) -> u64 {
        (self.rate_bits as f64 / 8.0 * WIRE_PER_PAYLOAD * multiple) as u64
    }
}

/// How the stream is cut into messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// A message of one fragment at a time, evenly spaced; each second begins with a key.
    Constant,
    /// 25 access units a second, each written at once; every fiftieth is a key.
    Frames,
}

/// How travel times are drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LatencyLaw {
    /// One way, evenly in a range, each pair on its own.
    Uniform {
        /// Shortest.
        low: Duration,
        /// Longest.
        high: Duration,
    },
    /// From places on a globe.
    Coordinate,
}

impl LatencyLaw {
    /// The travel times of `seed`.
    pub fn draw(&self, seed: u64) -> Latency {
        match *self {
            Self::Uniform { low, high } => Latency::Uniform { low, high, seed },
            Self::Coordinate => Latency::Coordinate(Globe::new(seed)),
        }
    }
}

impl std::str::FromStr for LatencyLaw {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "coordinate" {
            return Ok(Self::Coordinate);
        }
        let range = text.strip_prefix("uniform:").and_then(|range| range.split_once(".."));
        let (low, high) =
            range.ok_or("expected uniform:LOW..HIGH, such as uniform:10ms..50ms, or coordinate")?;
        let (low, high) = (parse_duration(low)?, parse_duration(high)?);
        if low > high || high > Duration::from_secs(10) {
            return Err("the range must rise and end by 10s".into());
        }
        Ok(Self::Uniform { low, high })
    }
}

impl fmt::Display for LatencyLaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform { low, high } => {
                write!(f, "uniform:{}..{}", duration_text(*low), duration_text(*high))
            }
            Self::Coordinate => f.write_str("coordinate"),
        }
    }
}

impl Serialize for LatencyLaw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A share of the subscribers vanishes at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Kill {
    /// 0 to 1.
    pub share: f64,
    /// After the stream began.
    pub at: Duration,
}

impl std::str::FromStr for Kill {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (share, at) = text.split_once('@').ok_or("expected SHARE@TIME, such as 0.33@10s")?;
        let share = share.parse().map_err(|_| format!("not a share: {share}"))?;
        Ok(Self { share, at: parse_duration(at)? })
    }
}

impl Serialize for Kill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}@{}", self.share, duration_text(self.at)))
    }
}

fn as_text<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&duration_text(*duration))
}
