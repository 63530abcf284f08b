//! The words of the command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use stratus_config::{Level, LogSection};
use stratus_core::PeerId;

use crate::bench::BenchCommand;
use crate::console::{Console, Verbosity};
use crate::log;
use crate::place::Place;
use crate::record::{Record, Stream};

mod classes;
mod live;
mod properties;
mod reach;
mod routes;
mod sharing;
mod talk;
mod words;

pub(crate) use classes::Classes;
pub(crate) use live::{Play, Publish, Relay};
pub(crate) use properties::Properties;
pub(crate) use reach::{Alias, Reach};
pub(crate) use routes::{DhtCommand, DhtGet, DhtPut, Mode, Route, Target};
pub(crate) use sharing::{Fetch, Share};
pub(crate) use talk::{Chat, Listen, Post};
pub(crate) use words::{Color, LogFormat};

/// Live streams that viewers pass on to each other.
#[derive(Debug, Parser)]
#[command(name = "stratus", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Say more on stderr
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say nothing but errors on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// How logs are written [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// When to use colours; NO_COLOR is obeyed as well
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// The console that was asked for. Events go to stdout where no data goes there, and else to stderr.
    pub(crate) fn console(&self) -> Console {
        self.color.choose();
        let console = Console::new(self.verbosity());
        match self.events() {
            Some(stream) => console.with_record(Record::start(stream)),
            None => console,
        }
    }

    fn events(&self) -> Option<Stream> {
        match &self.command {
            Command::Dht { action } if action.json() => Some(Stream::Stdout),
            Command::Publish(Publish { json: true, .. })
            | Command::Route(Route { json: true, .. })
            | Command::Share(Share { json: true, .. })
            | Command::Fetch(Fetch { json: true, .. }) => Some(Stream::Stdout),
            Command::Play(Play { json: true, output: Place::Standard, .. }) => Some(Stream::Stderr),
            Command::Play(Play { json: true, .. })
            | Command::Listen(Listen { json: true, .. })
            | Command::Chat(Chat { json: true, .. }) => Some(Stream::Stdout),
            _ => None,
        }
    }

    /// What the logs look like; between events on stderr nothing else stands.
    pub(crate) fn log_format(&self, settings: LogSection) -> log::Format {
        let wanted = self.log_format.or(settings.format.map(LogFormat::from));
        match (wanted, self.events()) {
            (Some(LogFormat::Json), _) | (_, Some(Stream::Stderr)) => log::Format::Json,
            (Some(LogFormat::Text) | None, _) => log::Format::Text,
        }
    }

    /// How much is to be said.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        }
    }

    /// What the layers below may say; libraries speak up only when something is wrong.
    pub(crate) fn log_filter(&self, settings: LogSection) -> &'static str {
        let level = match (self.quiet, self.verbose) {
            (true, _) => return "off",
            (false, 0) => settings.level.unwrap_or(Level::Error),
            (false, 1) => Level::Warn,
            (false, 2) => Level::Info,
            (false, _) => Level::Debug,
        };
        match level {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "warn,stratus=info,stratus_transport=info",
            Level::Debug => "warn,stratus=debug,stratus_transport=debug",
        }
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make or explain a groupspec
    Group {
        /// Which of both.
        #[command(subcommand)]
        action: GroupCommand,
    },
    /// Send a live stream into a group
    Publish(Publish),
    /// Receive a live stream from a group
    Play(Play),
    /// Say something to everybody in a group, those who come later included
    Post(Post),
    /// Show what is said in a group
    Listen(Listen),
    /// Talk in a group: a screen on a terminal, lines in a pipe
    Chat(Chat),
    /// Send over the group's ring to a member, or show what comes here
    Route(Route),
    /// Have the group keep small values, and find them again
    Dht {
        /// Which of both.
        #[command(subcommand)]
        action: DhtCommand,
    },
    /// Give files and folders to a group; prints the groupspec to fetch them with
    Share(Share),
    /// Get files and folders from a group
    Fetch(Fetch),
    /// Server, publisher and viewers in this process, with a test picture; ends with a summary
    Demo(Demo),
    /// Measure many members in this process
    Bench {
        /// What.
        #[command(subcommand)]
        what: BenchCommand,
    },
    /// Ask a running publish, play or stratus-server how it stands
    Status(Status),
    /// Read the settings, say what holds and where it comes from; ends with 2 if they are not sound
    CheckConfig {
        /// The file with settings [default: stratus.toml in ~/.config/stratus or /etc/stratus]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print what a shell needs to complete these words
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Write the manual pages
    Man {
        /// The folder for them; made if it is missing
        folder: PathBuf,
    },
}

/// Whom to ask, and how to show it.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The admin listener that it was started with; a stratus-server has 127.0.0.1:9935
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9936")]
    pub(crate) admin: String,
    /// Ask again every 2 s
    #[arg(long)]
    pub(crate) watch: bool,
    /// The answer as it comes: one JSON object on a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be done with groupspecs.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Print a new groupspec: one line with the authorizations, one without
    New(GroupNew),
    /// Explain a groupspec; its secrets are not shown
    Show {
        /// The groupspec, or @FILE
        spec: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show a groupspec as a QR code; one that carries authorizations is refused
    Qr {
        /// The groupspec, or @FILE
        spec: String,
    },
}

/// What a new group is to be.
#[derive(Debug, Args)]
pub(crate) struct GroupNew {
    /// Its name
    pub(crate) name: String,
    /// Add a random tag: only who has the groupspec can enter, and no other group of this name is the same
    #[arg(long)]
    pub(crate) unique: bool,
    /// Only holders of the first line may publish (a random key)
    #[arg(long, conflicts_with = "publish_password_file")]
    pub(crate) publish_key: bool,
    /// Only holders of the first line may post (a random key)
    #[arg(long, conflicts_with = "posting_password_file")]
    pub(crate) posting_key: bool,
    /// Who knows the password in FILE may publish (- is standard input); or set STRATUS_PUBLISH_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) publish_password_file: Option<PathBuf>,
    /// Who knows the password in FILE may post (- is standard input); or set STRATUS_POSTING_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) posting_password_file: Option<PathBuf>,
    /// Allow no streams
    #[arg(long)]
    pub(crate) no_multicast: bool,
    /// Allow no posts
    #[arg(long)]
    pub(crate) no_posting: bool,
    /// Allow no object replication
    #[arg(long)]
    pub(crate) no_replication: bool,
    /// Allow no directed routing
    #[arg(long)]
    pub(crate) no_routing: bool,
    /// A rendezvous server that members find in the groupspec; repeatable
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) server: Vec<String>,
    /// A member through which the group can be entered; repeatable
    #[arg(long, value_name = "PEER@ADDR", value_parser = parse_bootstrap)]
    pub(crate) bootstrap: Vec<(PeerId, SocketAddr)>,
    /// An IP multicast address for the group's traffic, and the only sender to listen to; repeatable
    #[arg(long, value_name = "ADDR[@SOURCE]", value_parser = parse_ip_multicast)]
    pub(crate) ip_multicast: Vec<(SocketAddr, Option<IpAddr>)>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many viewers
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) viewers: u16,
    /// How long; the test picture lasts 30 s
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = humantime::parse_duration)]
    pub(crate) duration: Duration,
    /// One JSON object on stdout
    #[arg(long)]
    pub(crate) json: bool,
}

/// A peer id in hex, and where it is.
fn parse_bootstrap(text: &str) -> Result<(PeerId, SocketAddr), String> {
    let parse = || {
        let (peer, address) = text.split_once('@')?;
        Some((PeerId::from_hex(peer)?, address.parse().ok()?))
    };
    parse().ok_or_else(|| "64 hex digits of a peer id, @, address:port are wanted".into())
}

/// A multicast address with its port, and perhaps @ and a source.
fn parse_ip_multicast(text: &str) -> Result<(SocketAddr, Option<IpAddr>), String> {
    let (group, source) = match text.split_once('@') {
        Some((group, source)) => (group.parse().ok(), source.parse().ok().map(Some)),
        None => (text.parse().ok(), Some(None)),
    };
    group.zip(source).ok_or_else(|| "address:port is wanted, or address:port@source".into())
}

#[cfg(test)]
mod tests;
