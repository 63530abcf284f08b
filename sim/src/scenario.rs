use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::latency::{Globe, Latency};
use crate::parse::{duration_text, parse_duration};

/// What is played in one run: publishers, viewers of all their streams, and members that play nothing.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Scenario {
    /// Members in all, the publishers among them.
    pub members: u32,
    /// Members that play; `None`: all that do not publish. The rest are in the group and play nothing.
    pub viewers: Option<u32>,
    /// Members that publish.
    pub publishers: u32,
    /// Streams of each publisher.
    pub streams: u32,
    /// Whether publishers play the streams of the others.
    pub all_listen: bool,
    /// Payload rate of the stream, bits a second.
    pub rate_bits: u64,
    /// Payload of a full fragment, bytes.
    pub size: usize,
    /// How the stream is cut into messages.
    pub shape: Shape,
    /// Each viewer's uplink as a multiple of the wire rate of all that it plays; `None`: not limited.
    pub uplink: Option<f64>,
    /// A publisher's uplink as a multiple of what it publishes; what it plays counts as for a viewer. It must feed
    /// first hops of several slices, so it usually has more.
    pub source_uplink: Option<f64>,
    /// Viewers with a better uplink, if any.
    pub strong: Option<Share>,
    /// Viewers with a worse one, if any.
    pub weak: Option<Share>,
    /// Share of the viewers that only receive, 0 to 1.
    pub download_only: f64,
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
    /// Share of the viewers that go within a minute, each replaced by a newcomer; half say goodbye.
    pub churn: f64,
    /// From which every draw comes.
    pub seed: u64,
}

/// Wire bytes for a byte of payload, as budgets are stated: headers, manifests and acknowledgements.
pub const WIRE_PER_PAYLOAD: f64 = 1.13;
/// The same for sound: small frames, three under one signature.
pub const AUDIO_WIRE_PER_PAYLOAD: f64 = 1.7;

impl Default for Scenario {
    fn default() -> Self {
        Self {
            members: 100,
            viewers: None,
            publishers: 1,
            streams: 1,
            all_listen: false,
            rate_bits: 2_500_000,
            size: 1_128,
            shape: Shape::Constant,
            uplink: Some(2.0),
            source_uplink: Some(4.0),
            strong: None,
            weak: None,
            download_only: 0.0,
            latency: LatencyLaw::Uniform { low: Duration::from_millis(10), high: Duration::from_millis(50) },
            loss: 0.0,
            jitter: Duration::ZERO,
            join_over: Duration::from_secs(3),
            settle: Duration::from_secs(5),
            lead_in: Duration::from_millis(300),
            secs: Duration::from_secs(20),
            warm_up: Duration::ZERO,
            kill: None,
            churn: 0.0,
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
        let is_class = |class: &Option<Share>| {
            class.is_none_or(|class| is_share(class.share) && is_multiple(Some(class.multiple)))
        };
        let special = [self.strong, self.weak].iter().flatten().map(|class| class.share).sum::<f64>();
        let is_cast = self.publishers >= 1
            && self.viewers.is_none_or(|viewers| self.publishers.saturating_add(viewers) <= self.members)
            && (self.publishers < self.members || self.all_listen && self.publishers <= self.members);
        let checks = [
            ((2..=1_000_000).contains(&self.members), "members must be 2 to 1000000"),
            (is_cast, "publishers and viewers must be members, and somebody must play"),
            (
                self.streams >= 1 && self.publishers.saturating_mul(self.streams) <= 256,
                "streams must be 1 to 256 in all",
            ),
            (is_class(&self.strong) && is_class(&self.weak), "a class must be SHARE@MULTIPLE"),
            (
                (0.0..=1.0).contains(&(special + self.download_only)) && is_share(self.download_only),
                "shares of viewers must be 0 to 1 together",
            ),
            ((0.0..=10.0).contains(&self.churn), "churn must be 0 to 10 a minute"),
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

    /// How many play besides publishers, in the beginning.
    pub fn viewer_count(&self) -> u32 {
        self.viewers.unwrap_or(self.members.saturating_sub(self.publishers))
    }

    /// Wire bytes a second that `multiple` of one stream's wire rate is.
    pub fn wire_rate(&self, multiple: f64) -> u64 {
        let per_payload = if self.shape == Shape::Audio { AUDIO_WIRE_PER_PAYLOAD } else { WIRE_PER_PAYLOAD };
        (self.rate_bits as f64 / 8.0 * per_payload * multiple) as u64
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
    /// 50 frames of sound a second, each a message at which one may start.
    Audio,
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

/// So large a share of the viewers has such an uplink.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Share {
    /// 0 to 1.
    pub share: f64,
    /// Of the wire rate of all that they play.
    pub multiple: f64,
}

impl std::str::FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (share, multiple) = text.split_once('@').ok_or("expected SHARE@MULTIPLE, such as 0.2@10")?;
        let number = |text: &str| text.parse().map_err(|_| format!("not a number: {text}"));
        Ok(Self { share: number(share)?, multiple: number(multiple)? })
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}@{}", self.share, self.multiple))
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
