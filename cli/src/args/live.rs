use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Classes, Reach};
use crate::args::properties::Properties;
use crate::place::Place;

/// What to publish.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The groupspec, @FILE, or the alias of a group in the settings
    pub(crate) spec: String,
    /// The stream's name
    pub(crate) stream: String,
    /// What to send: -, a file, udp://[@]HOST:PORT, tcp://HOST:PORT[?listen], unix:PATH[?listen], "exec:COMMAND"
    #[arg(default_value = "-")]
    pub(crate) input: Place,
    /// Pace a recording by its own clock
    #[arg(long, conflicts_with = "raw")]
    pub(crate) realtime: bool,
    /// Bytes of any kind instead of MPEG-TS
    #[arg(long)]
    pub(crate) raw: bool,
    /// The file with the publish password (- is standard input), if the groupspec carries no authorization; or set
    /// STRATUS_PUBLISH_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) publish_password_file: Option<PathBuf>,
    /// How it travels: these go with the stream, but for the relay margin and the push neighbors.
    #[command(flatten)]
    pub(crate) properties: Properties,
    /// How each class of it is treated.
    #[command(flatten)]
    pub(crate) classes: Classes,
    /// Events as JSON, one object on each line, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Whether a viewer passes on what it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Relay {
    /// It does.
    Yes,
    /// It only receives.
    No,
    /// As its owner says, now.
    Ask,
}

/// What to play.
#[derive(Debug, Args)]
pub(crate) struct Play {
    /// The groupspec, @FILE, or the alias of a group in the settings
    pub(crate) spec: String,
    /// The stream's name
    pub(crate) stream: String,
    /// Where to: -, a file, udp://HOST:PORT, tcp://HOST:PORT[?listen], unix:PATH[?listen], "exec:COMMAND"
    #[arg(default_value = "-")]
    pub(crate) output: Place,
    /// End when the publisher shows no sign of life for this long; one that comes back sooner is played on
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) publisher_timeout: Duration,
    /// Where we want it otherwise than the publisher.
    #[command(flatten)]
    pub(crate) properties: Properties,
    /// Whether to pass the stream on to other viewers. Without it: on a terminal you are asked once, and the answer is
    /// remembered; in a pipe the stream is passed on
    #[arg(long, value_name = "ANSWER", env = "STRATUS_RELAY")]
    pub(crate) relay: Option<Relay>,
    /// Only receive; the same as --relay no
    #[arg(long, conflicts_with = "relay")]
    pub(crate) download_only: bool,
    /// The link is paid for by the byte: only receive, and talk less about who is there
    #[arg(long, conflicts_with = "relay")]
    pub(crate) metered: bool,
    /// Events as JSON, one object on each line, on stdout; on stderr, in place of all text, if the stream goes to stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// A number of bytes, with k, M or G for thousands.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(['k', 'M', 'G']);
    let factor = match &text[digits.len()..] {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err("one of k, M, G may follow the number".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "a whole number with k, M or G is wanted")?;
    number.checked_mul(factor).ok_or_else(|| "too large".into())
}
