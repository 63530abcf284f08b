use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Opponent;
use crate::latency::{Globe, Latency};
use crate::parse::{duration_text, parse_duration};

/// How the stream is cut into messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// A message of one fragment at a time, evenly spaced; each second begins with a key.
    Constant,
    /// 25 access units a second, each written at once; every fiftieth is a key.
    Frames,
    /// 50 frames of sound a second, each a message at which one may start.
    Audio,
}

/// Whom newcomers are told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bootstrap {
    /// A server names three ring neighbors on each side and twenty others.
    Server,
    /// Everybody knows the first member, and nobody else.
    One,
}

/// Who dies when many do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Victims {
    /// Drawn one by one.
    Random,
    /// All on one stretch of the ring.
    Arc,
    /// All of one cluster of the globe after another, until there are enough.
    Region,
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

impl FromStr for LatencyLaw {
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

/// So large a share of the viewers has such an uplink.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Share {
    /// 0 to 1.
    pub share: f64,
    /// Of the wire rate of all that they play.
    pub multiple: f64,
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (share, multiple) = text.split_once('@').ok_or("expected SHARE@MULTIPLE, such as 0.2@10")?;
        let number = |text: &str| text.parse().map_err(|_| format!("not a number: {text}"));
        Ok(Self { share: number(share)?, multiple: number(multiple)? })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.share, self.multiple)
    }
}

/// A share of the members vanishes at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Kill {
    /// 0 to 1.
    pub share: f64,
    /// After the stream began.
    pub at: Duration,
}

impl FromStr for Kill {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (share, at) = text.split_once('@').ok_or("expected SHARE@TIME, such as 0.33@10s")?;
        Ok(Self { share: share_of(share)?, at: parse_duration(at)? })
    }
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.share, duration_text(self.at))
    }
}

/// Something happens to a share of the members for a while.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spell {
    /// Of all.
    pub share: f64,
    /// After the stream began.
    pub at: Duration,
    /// For so long.
    pub lasts: Duration,
}

impl FromStr for Spell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('@').and_then(|(share, time)| Some((share, time.split_once('+')?)));
        let (share, (at, lasts)) = parts.ok_or("expected SHARE@TIME+LENGTH, such as 0.5@10s+5min")?;
        Ok(Self { share: share_of(share)?, at: parse_duration(at)?, lasts: parse_duration(lasts)? })
    }
}

impl fmt::Display for Spell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}+{}", self.share, duration_text(self.at), duration_text(self.lasts))
    }
}

/// A share of the members posts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Posts {
    /// 0 to 1.
    pub share: f64,
    /// Posts a second of each of them, in the mean.
    pub rate: f64,
    /// Bytes of a post, 8 to 8,192.
    pub size: usize,
}

impl FromStr for Posts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('@').and_then(|(share, rest)| Some((share, rest.split_once('x')?)));
        let (share, (rate, size)) = parts.ok_or("expected SHARE@RATExBYTES, such as 0.1@1x60")?;
        let number = |text: &str| text.parse().map_err(|_| format!("not a number: {text}"));
        let size = size.parse().map_err(|_| format!("not a number: {size}"))?;
        Ok(Self { share: share_of(share)?, rate: number(rate)?, size })
    }
}

impl fmt::Display for Posts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}x{}", self.share, self.rate, self.size)
    }
}

fn share_of(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("not a share: {text}"))
}

/// Travels as its text.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(LatencyLaw, Share, Kill, Spell, Posts, Opponent);
