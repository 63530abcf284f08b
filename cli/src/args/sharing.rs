use std::path::PathBuf;

use clap::Args;
use stratus_sharing::SetId;

use super::Reach;

/// What to share.
#[derive(Debug, Args)]
pub(crate) struct Share {
    /// Files and folders; links in folders are left out
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The groupspec, or @FILE, of a group to share in, which can hold one set; without it the set makes one of its own
    #[arg(long, value_name = "SPEC")]
    pub(crate) group: Option<String>,
    /// Others have it as well: do not go to lengths to send each part once
    #[arg(long)]
    pub(crate) again: bool,
    /// Events as JSON, one object on each line, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What to fetch.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// The groupspec, or @FILE, that `stratus share` printed
    pub(crate) spec: String,
    /// The folder to put it into; made if it is missing
    pub(crate) folder: PathBuf,
    /// The name of the set, where the group is not named by it
    #[arg(long, value_name = "HASH", value_parser = parse_set)]
    pub(crate) set: Option<SetId>,
    /// Go on giving it to others until interrupted
    #[arg(long)]
    pub(crate) seed: bool,
    /// Events as JSON, one object on each line, on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

fn parse_set(text: &str) -> Result<SetId, String> {
    SetId::from_hex(text).ok_or_else(|| "it has 64 hexadecimal digits".to_owned())
}
