use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use etcetera::{BaseStrategy as _, choose_base_strategy};
use serde::Deserialize;
use stratus::PeerId;
use stratus_admin::{AdminConfig, AdminListen};

use super::live::parse_bytes;
use super::parse_bootstrap;

/// How long joining may take unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// How to get into a group, and what is kept of it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reach {
    /// The file with settings [default: stratus.toml in ~/.config/stratus or /etc/stratus]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A rendezvous server, besides those in the groupspec; repeatable
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) server: Vec<String>,
    /// Use no rendezvous server, whatever the groupspec names
    #[arg(long, conflicts_with = "server")]
    pub(crate) no_server: bool,
    /// The file with this member's key; made if it is missing, and nobody else may read it. Without it each run is a
    /// new member
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// A member through which the group can be entered without a server; repeatable
    #[arg(long, value_name = "PEER@ADDR", value_parser = parse_bootstrap)]
    pub(crate) bootstrap: Vec<(PeerId, SocketAddr)>,
    /// The UDP address to use [default: 0.0.0.0:0]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Most bytes a second to upload, all streams together (20M, 500k)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) max_upload: Option<u64>,
    /// Write everything that this member hears to FILE, for "stratus-sim replay" (media included, no private keys)
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// How long joining may take [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Where the members met and the answer about relaying are kept for the next run [default: ~/.local/state/stratus]
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Keep nothing of the members met
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// What metrics and logs call the group [default: the groupspec's file, or "group"]
    #[arg(long, value_name = "NAME")]
    pub(crate) alias: Option<Alias>,
    /// TCP address for /livez, /readyz, /metrics and /status [default: off]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<AdminListen>,
    /// Let other machines reach the admin listener as well
    #[arg(long)]
    pub(crate) admin_remote: bool,
    /// It streams nothing.
    #[arg(skip)]
    pub(crate) only_objects: bool,
}

impl Reach {
    /// The UDP address to use.
    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into())
    }

    /// How long joining may take.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.unwrap_or(PATIENCE)
    }

    /// The folder in which the members met are kept, if they are.
    pub(crate) fn member_cache(&self) -> Option<PathBuf> {
        let folder = self.state_dir().filter(|_| !self.no_cache)?;
        Some(folder.join("groups"))
    }

    /// The folder for what is remembered from one run to the next.
    pub(crate) fn state_dir(&self) -> Option<PathBuf> {
        let usual = || Some(choose_base_strategy().ok()?.state_dir()?.join("stratus"));
        self.state_dir.clone().or_else(usual)
    }

    /// Where the operator's listener is to be, if anywhere.
    pub(crate) fn admin(&self) -> Option<AdminConfig> {
        let listen = self.admin?.0?;
        Some(AdminConfig { listen, allow_remote: self.admin_remote })
    }

    /// What metrics call the group that `spec`, as it was given, leads to.
    pub(crate) fn alias(&self, spec: &str) -> String {
        let file = || std::path::Path::new(spec.strip_prefix('@')?).file_stem()?.to_str().map(str::to_owned);
        let short = |name: String| name.parse().ok();
        let alias = self.alias.clone().or_else(|| file().and_then(short));
        alias.map_or_else(|| "group".to_owned(), |alias| alias.0)
    }
}

/// What a group is called here: a name that is good in a metric.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Alias(pub(crate) String);

impl FromStr for Alias {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let is_good = (1..=64).contains(&text.len()) && text.chars().all(is_plain);
        is_good.then(|| Self(text.to_owned())).ok_or("1 to 64 letters, digits, -, _ or . are wanted")
    }
}

impl TryFrom<String> for Alias {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
