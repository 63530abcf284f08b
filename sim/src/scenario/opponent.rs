use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::parse::{duration_text, parse_duration};

/// Rules of others that play the same stream, to compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opponent {
    /// Whose.
    pub rules: Rules,
    /// What its members may send.
    pub uplinks: Uplinks,
    /// How long its stream is; `None`: as long as ours.
    pub lasts: Option<Duration>,
}

/// Whose rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rules {
    /// GossipSub v1.1 with D = 8.
    GossipSub,
    /// Plumtree over HyParView, with the settings of iroh-gossip.
    Plumtree,
}

/// What its members may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uplinks {
    /// As much as ours.
    Same,
    /// As much as they like.
    Free,
}

impl Opponent {
    /// As it is named in the results.
    pub fn name(&self) -> &'static str {
        match (self.rules, self.uplinks) {
            (Rules::GossipSub, Uplinks::Same) => "gossipsub",
            (Rules::GossipSub, Uplinks::Free) => "gossipsub_free",
            (Rules::Plumtree, Uplinks::Same) => "plumtree",
            (Rules::Plumtree, Uplinks::Free) => "plumtree_free",
        }
    }

    /// Every one that there may be.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let both = |rules| [Uplinks::Same, Uplinks::Free].map(|uplinks| Self { rules, uplinks, lasts: None });
        [Rules::GossipSub, Rules::Plumtree].into_iter().flat_map(both)
    }
}

impl FromStr for Opponent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, lasts) = match text.split_once('+') {
            Some((name, lasts)) => (name, Some(parse_duration(lasts)?)),
            None => (text, None),
        };
        let known = Self::all().find(|known| known.name() == name);
        let known = known
            .ok_or("expected gossipsub, gossipsub_free, plumtree or plumtree_free, and +LENGTH if it should be shorter")?;
        Ok(Self { lasts, ..known })
    }
}

impl fmt::Display for Opponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.lasts.map_or(Ok(()), |lasts| write!(f, "+{}", duration_text(lasts)))
    }
}

/// Several of them, as a flag has them: with commas between, or `none`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opponents(pub Vec<Opponent>);

impl FromStr for Opponents {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opponents_read_as_they_are_written() {
        for text in ["gossipsub", "gossipsub_free+2s", "plumtree_free+1500ms"] {
            assert_eq!(text.parse::<Opponent>().unwrap().to_string(), text);
        }
        assert!("bittorrent".parse::<Opponent>().unwrap_err().starts_with("expected gossipsub"));
        assert_eq!("none".parse(), Ok(Opponents(Vec::new())));
        assert_eq!("gossipsub,plumtree".parse::<Opponents>().unwrap().0.len(), 2);
    }
}
