//! Values as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration: `"8s"`, `"200ms"`, `"1m 30s"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span(pub Duration);

/// Bytes a second: `"20 Mbit/s"`, `"2.5 MB/s"`, `"20M"` (bytes).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteRate(pub u64);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = humantime::parse_duration(text);
        parsed.map(Self).map_err(|_| format!("a time such as \"8s\" or \"200ms\" is wanted, not \"{text}\""))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// Units and how many bytes a second one of them is, in eighths.
const UNITS: [(&str, u64); 12] = [
    ("Gbit/s", 1_000_000_000),
    ("Mbit/s", 1_000_000),
    ("kbit/s", 1_000),
    ("bit/s", 1),
    ("GB/s", 8_000_000_000),
    ("MB/s", 8_000_000),
    ("kB/s", 8_000),
    ("B/s", 8),
    ("G", 8_000_000_000),
    ("M", 8_000_000),
    ("k", 8_000),
    ("", 8),
];

impl FromStr for ByteRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("a rate such as \"20 Mbit/s\", \"2.5 MB/s\" or \"500k\" is wanted, not \"{text}\"");
        let (unit, eighths) = UNITS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or_else(wrong)?;
        let number = text[..text.len() - unit.len()].trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_plain(whole) || !is_plain(part) || part.len() > 6 {
            return Err(wrong());
        }
        let thousandths = 10_u128.pow(part.len() as u32);
        let digits: u128 = format!("{whole}{part}").parse().map_err(|_| wrong())?;
        let bytes = digits.checked_mul(u128::from(*eighths)).ok_or_else(wrong)? / thousandths / 8;
        u64::try_from(bytes).map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes % 125_000 == 0 => write!(f, "{} Mbit/s", bytes / 125_000),
            bytes if bytes % 125 == 0 => write!(f, "{} kbit/s", bytes / 125),
            bytes => write!(f, "{bytes} B/s"),
        }
    }
}

macro_rules! written_as_text {
    ($($unit:ident),*) => { $(
        impl<'de> Deserialize<'de> for $unit {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $unit {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )* };
}

written_as_text!(Span, ByteRate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_bits_and_bytes() {
        let rate = |text: &str| text.parse::<ByteRate>().map(|rate| rate.0);
        assert_eq!(rate("20 Mbit/s"), Ok(2_500_000));
        assert_eq!(rate("2.5 MB/s"), Ok(2_500_000));
        assert_eq!([rate("500k"), rate("7"), rate("1Gbit/s")], [Ok(500_000), Ok(7), Ok(125_000_000)]);
        for wrong in ["", "Mbit/s", "-3 kB/s", "3 parsecs", "1.2.3M", "99999999999999999999G", "0.0000001M"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        for shown in ["20 Mbit/s", "3 kbit/s", "7 B/s"] {
            assert_eq!(shown.parse::<ByteRate>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn times_are_read_with_their_unit_and_not_without() {
        assert_eq!("8s".parse(), Ok(Span(Duration::from_secs(8))));
        assert_eq!("1m 30s".parse::<Span>().unwrap().to_string(), "1m 30s");
        assert!("8".parse::<Span>().is_err());
    }
}
