//! Small values as people write them: `10ms`, `2.5Mbit/s`, `2` or `none`.

use std::time::Duration;

/// Reads a duration: a number and `us`, `ms`, `s` or `min`; without a unit, seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "min" => 60.0,
        _ => return Err(format!("not a duration: {text}")),
    };
    let number: f64 = number.parse().map_err(|_| format!("not a duration: {text}"))?;
    // To the microsecond, which is as fine as simulated time is.
    Ok(Duration::from_micros((number * seconds * 1e6).round() as u64))
}

/// Reads a rate in bits a second: a number and `bit/s`, `kbit/s`, `Mbit/s` or `Gbit/s`, where `/s` may be left out.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let factor = match unit.strip_suffix("/s").unwrap_or(unit) {
        "bit" | "" => 1.0,
        "kbit" | "k" => 1e3,
        "Mbit" | "M" => 1e6,
        "Gbit" | "G" => 1e9,
        _ => return Err(format!("not a rate: {text}")),
    };
    let number: f64 = number.parse().map_err(|_| format!("not a rate: {text}"))?;
    Ok((number * factor).round() as u64)
}

/// A multiple, or `none`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Multiple(pub Option<f64>);

impl std::str::FromStr for Multiple {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse()
            .map(|multiple| Self(Some(multiple)))
            .map_err(|_| format!("not a multiple, nor none: {text}"))
    }
}

/// A duration in the largest unit in which it is whole.
pub fn duration_text(duration: Duration) -> String {
    match duration.as_micros() {
        micros if micros % 1_000_000 == 0 => format!("{}s", micros / 1_000_000),
        micros if micros % 1_000 == 0 => format!("{}ms", micros / 1_000),
        micros => format!("{micros}us"),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Kill, LatencyLaw};

    #[test]
    fn durations_read_as_they_are_written() {
        let read =
            [("10ms", 10_000), ("5s", 5_000_000), ("1.5", 1_500_000), ("7us", 7), ("2min", 120_000_000)];
        for (text, micros) in read {
            assert_eq!(parse_duration(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        assert_eq!(parse_duration("3 apples"), Err("not a duration: 3 apples".into()));
        assert_eq!(duration_text(Duration::from_millis(1_500)), "1500ms");
    }

    #[test]
    fn rates_read_as_they_are_written() {
        for text in ["2.5Mbit/s", "2500kbit", "2500000", "2500000 bit/s", "2.5M"] {
            assert_eq!(parse_rate(text), Ok(2_500_000), "{text}");
        }
        assert_eq!(parse_rate("5 MB/s"), Err("not a rate: 5 MB/s".into()));
    }

    #[test]
    fn laws_of_latency_and_kills_read_as_they_are_written() {
        let law = LatencyLaw::Uniform { low: Duration::from_millis(10), high: Duration::from_millis(50) };
        assert_eq!("uniform:10ms..50ms".parse(), Ok(law));
        assert_eq!(law.to_string(), "uniform:10ms..50ms");
        assert_eq!("coordinate".parse(), Ok(LatencyLaw::Coordinate));
        assert!("uniform:50ms..10ms".parse::<LatencyLaw>().is_err());
        assert_eq!("0.33@10s".parse(), Ok(Kill { share: 0.33, at: Duration::from_secs(10) }));
        assert!("0.33".parse::<Kill>().is_err());
    }
}
