use clap::{Args, Subcommand};

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// One live stream to all others, beside a plain star of the same connections
    ///
    /// Each round measures the group for as long as --secs says, after 5 s of warm-up, then two stars, signed and
    /// unsigned, for half as long. Three rounds of 20 s take about three minutes. Stars that send messages of several
    /// fragments do so in datagrams and then on streams, and the cheaper way counts: a minute more.
    Live(Live),
    /// One set of objects to all others, beside a plain star that sends it to each
    ///
    /// Everything is in memory, and everything that comes is checked.
    Share(Share),
    /// Posts of members in turn to all others; and one that joins when there is a history
    Post(Post),
}

/// What is shared with how many.
#[derive(Debug, Args)]
pub(crate) struct Share {
    /// Members, the one that has it among them
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..=200))]
    pub(crate) nodes: u16,
    /// Size of the set in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) mib: u32,
    /// Upload of each member, bits a second (20mbit); not limited unless told
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(crate) uplink: Option<u64>,
    /// Packets of 1,200 bytes, as for members that stream as well, instead of up to 6,500
    #[arg(long)]
    pub(crate) small_packets: bool,
    /// How often to measure group and star in turn; figures are medians over the rounds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=15))]
    pub(crate) rounds: u16,
    /// Measure the group alone, as for a profile
    #[arg(long)]
    pub(crate) no_star: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is posted among how many.
#[derive(Debug, Args)]
pub(crate) struct Post {
    /// Members
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..=500))]
    pub(crate) nodes: u16,
    /// Posts a second, of all members together
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rate: u16,
    /// Seconds to post
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) secs: u16,
    /// Bytes of each post
    #[arg(long, value_name = "BYTES", default_value_t = 60, value_parser = clap::value_parser!(u16).range(16..=8192))]
    pub(crate) size: u16,
    /// Posts to be there when one more member joins; without it none does
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=30_000))]
    pub(crate) history: Option<u32>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is streamed to how many.
#[derive(Debug, Args)]
pub(crate) struct Live {
    /// Members, the publisher among them
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..=500))]
    pub(crate) nodes: u16,
    /// Payload bytes of each message; more than 1128 are several fragments
    #[arg(long, value_name = "BYTES", default_value_t = 1_128, value_parser = clap::value_parser!(u32).range(16..=4_194_304))]
    pub(crate) size: u32,
    /// Payload bits a second (2mbit, 500kbit)
    #[arg(long, value_name = "RATE", default_value = "2mbit", value_parser = parse_rate)]
    pub(crate) rate: u64,
    /// Seconds to measure in each round
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) secs: u16,
    /// How often to measure group and stars in turn; ratios are medians over the rounds
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=15))]
    pub(crate) rounds: u16,
    /// Measure the group alone, as for a profile
    #[arg(long)]
    pub(crate) no_star: bool,
    /// Upload of each member, bits a second (20mbit); not limited unless told
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(crate) uplink: Option<u64>,
    /// Size in MiB of a set of objects that the publisher shares with all in the same group meanwhile
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) share: Option<u32>,
    /// Exit with 5 if a figure misses what the project promises
    #[arg(long, conflicts_with = "no_star")]
    pub(crate) check: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bits a second, with bit, kbit, mbit or gbit.
fn parse_rate(text: &str) -> Result<u64, String> {
    let text = text.to_ascii_lowercase();
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let factor = match text[digits.len()..].trim() {
        "bit" => 1,
        "kbit" => 1_000,
        "mbit" => 1_000_000,
        "gbit" => 1_000_000_000,
        _ => return Err("a whole number with bit, kbit, mbit or gbit is wanted".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "a whole number is wanted before the unit")?;
    let rate = number.checked_mul(factor).filter(|rate| (8_000..=1_000_000_000).contains(rate));
    rate.ok_or_else(|| "8kbit to 1gbit are possible".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_need_a_unit_and_stay_within_reason() {
        assert_eq!(parse_rate("2mbit"), Ok(2_000_000));
        assert_eq!(parse_rate("500 kbit"), Ok(500_000));
        assert_eq!(parse_rate("8000BIT"), Ok(8_000));
        for wrong in ["", "2", "mbit", "2mb", "1.5mbit", "7kbit", "2gbit", "99999999999gbit"] {
            assert!(parse_rate(wrong).is_err(), "{wrong:?}");
        }
    }
}
