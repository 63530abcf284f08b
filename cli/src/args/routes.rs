use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use stratus::{GroupAddress, Key, PeerId};

use super::Reach;

/// Whom to send to, or what to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The member nearest to the target on the ring.
    Nearest,
    /// The member at the very target.
    Exact,
    /// The next neighbor clockwise.
    Next,
    /// The next neighbor counterclockwise.
    Previous,
    /// Each neighbor.
    All,
}

/// A place on the ring as it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// None is needed.
    None,
    /// This one.
    Place(GroupAddress),
    /// That of a member.
    Peer(PeerId),
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            Some(match text.strip_prefix("peer:") {
                None if text == "-" => Self::None,
                None => Self::Place(GroupAddress::from_bytes(hex(text)?)),
                Some(peer) => Self::Peer(PeerId::from_bytes(hex(peer)?)),
            })
        };
        read().ok_or("64 hex digits of a place, peer: and those of a member, or - are wanted")
    }
}

/// Lower-case digits of 32 bytes.
fn hex(text: &str) -> Option<[u8; 32]> {
    PeerId::from_hex(text).map(|id| *id.as_bytes())
}

/// Sends over the ring, or shows what comes by.
#[derive(Debug, Args)]
pub(crate) struct Route {
    /// The groupspec, @FILE, or the alias of a group in the settings
    pub(crate) spec: String,
    /// Where to: 64 hex digits of a place on the ring, peer:ID for a member's, - where none is needed
    pub(crate) target: Target,
    /// What to send; - for a message with each line of standard input. Without it: show what comes here, taking it in
    /// the way that --mode says (nearest or exact)
    pub(crate) text: Option<String>,
    /// Whom to send to
    #[arg(long, value_name = "MODE", default_value = "nearest")]
    pub(crate) mode: Mode,
    /// Events as JSON, one object on each line, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What can be done with the group's values.
#[derive(Debug, Subcommand)]
pub(crate) enum DhtCommand {
    /// Have the group keep a value; prints its key
    Put(DhtPut),
    /// Print the value that the group keeps under a key
    Get(DhtGet),
}

impl DhtCommand {
    /// How it is to be reached, and which group.
    pub(crate) fn reach(&mut self) -> (&mut String, &mut Reach) {
        match self {
            Self::Put(put) => (&mut put.spec, &mut put.reach),
            Self::Get(get) => (&mut get.spec, &mut get.reach),
        }
    }

    /// Whether events were asked for.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Put(put) => put.json,
            Self::Get(get) => get.json,
        }
    }
}

/// What to keep.
#[derive(Debug, Args)]
pub(crate) struct DhtPut {
    /// The groupspec, @FILE, or the alias of a group in the settings
    pub(crate) spec: String,
    /// The value, at most 8 KiB; - is standard input
    #[arg(default_value = "-")]
    pub(crate) text: String,
    /// Sign it with the key in FILE, so that it can be replaced; made if it is missing
    #[arg(long, value_name = "FILE")]
    pub(crate) signer: Option<PathBuf>,
    /// Which of the signer's values, up to 64 bytes
    #[arg(long, default_value = "", requires = "signer")]
    pub(crate) name: String,
    /// The signed value's sequence [default: one more than what is kept]
    #[arg(long, value_name = "N", requires = "signer")]
    pub(crate) sequence: Option<u64>,
    /// How long it is kept, 1s to 24h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub(crate) keep: Duration,
    /// Events as JSON, one object on each line, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What to print.
#[derive(Debug, Args)]
pub(crate) struct DhtGet {
    /// The groupspec, @FILE, or the alias of a group in the settings
    pub(crate) spec: String,
    /// The key, 64 hex digits
    #[arg(value_parser = parse_key)]
    pub(crate) key: Key,
    /// Events as JSON, one object on each line, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

fn parse_key(text: &str) -> Result<Key, &'static str> {
    hex(text).map(Key::from_bytes).ok_or("64 hex digits are wanted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_place_a_member_or_none() {
        let digits = "07".repeat(32);
        assert_eq!(digits.parse(), Ok(Target::Place(GroupAddress::from_bytes([7; 32]))));
        assert_eq!(format!("peer:{digits}").parse(), Ok(Target::Peer(PeerId::from_bytes([7; 32]))));
        assert_eq!("-".parse(), Ok(Target::None));
        for wrong in ["", "peer:", &digits[1..], &format!("{digits}0"), &digits.replace('7', "g")] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
