use std::path::PathBuf;

use clap::Args;

use super::Reach;

/// What to post.
#[derive(Debug, Args)]
pub(crate) struct Post {
    /// The groupspec, @FILE, or the alias of a group in the settings
    pub(crate) spec: String,
    /// What to say, at most 8 KiB; - posts each line of standard input
    #[arg(default_value = "-")]
    pub(crate) text: String,
    /// The file with the posting password, if the groupspec carries no authorization; or set STRATUS_POSTING_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) posting_password_file: Option<PathBuf>,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What to listen to.
#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// The groupspec, @FILE, or the alias of a group in the settings
    pub(crate) spec: String,
    /// Posts and events as JSON, one object on each line
    #[arg(long)]
    pub(crate) json: bool,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// Where to talk.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// The groupspec, @FILE, or the alias of a group in the settings
    pub(crate) spec: String,
    /// What the others call you; anybody may take any name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// No screen: lines of standard input are said, posts and events are JSON, one object on each line
    #[arg(long)]
    pub(crate) json: bool,
    /// The file with the posting password, if the groupspec carries no authorization; or set STRATUS_POSTING_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) posting_password_file: Option<PathBuf>,
    /// How to get there.
    #[command(flatten)]
    pub(crate) reach: Reach,
}
