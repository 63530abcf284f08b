use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};
use stratus_admin::AdminListen;
use stratus_config::{Form, Level};
use stratus_server::ServerConfig;
use stratus_terminal::console::Verbosity;
use stratus_terminal::log::Format;

use crate::settings::{Listen, Settings, listen_address};

/// Where the operator's listener is unless told otherwise.
pub(crate) const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_935);

/// Brings the members of groups together. It sees which peers are in which group, by ids that say nothing of
/// the group's name or secret, and none of what they send each other.
#[derive(Parser, Clone, Debug)]
#[command(name = "stratus-server", version, about)]
pub(crate) struct Args {
    /// The file with its settings [default: server.toml in ~/.config/stratus or /etc/stratus]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub(crate) action: Option<Action>,
    /// UDP address to listen on; ":PORT" is that port of every IPv4 address [default: :1935]
    #[arg(long, value_name = "ADDR", global = true, value_parser = listen_address)]
    listen: Option<SocketAddr>,
    /// TCP address for /livez, /readyz, /metrics and /status, or "off" [default: 127.0.0.1:9935]
    #[arg(long, value_name = "ADDR", global = true)]
    admin: Option<AdminListen>,
    /// Let other machines reach the admin listener as well.
    #[arg(long, global = true)]
    admin_remote: bool,
    /// Most connections at once [default: 16384]
    #[arg(long, value_name = "N", global = true)]
    max_connections: Option<usize>,
    /// Most groups at once [default: 10000]
    #[arg(long, value_name = "N", global = true)]
    max_groups: Option<usize>,
    /// Most registered members at once, over all groups [default: 65536]
    #[arg(long, value_name = "N", global = true)]
    max_members: Option<usize>,
    /// Most registered members of one group [default: 20000]
    #[arg(long, value_name = "N", global = true)]
    max_members_per_group: Option<usize>,
    /// Most registered members from one /24, or /56 of IPv6 [default: 1000]
    #[arg(long, value_name = "N", global = true)]
    max_members_per_network: Option<usize>,
    /// Log more: once each minute's figures, twice each request.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

/// What can be done instead of serving.
#[derive(Subcommand, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Read the settings, say what holds and where it comes from, and end: 0 if they are sound, 2 if not
    CheckConfig,
    /// Ask the running server's admin listener whether it is ready: 0 if so, 5 if not, 3 if nobody answers
    Healthcheck,
}

impl Args {
    /// Puts the flags over the settings.
    pub(crate) fn over(&self, mut settings: Settings) -> Settings {
        let Settings { server, admin, limits, log } = &mut settings;
        server.listen = self.listen.map(Listen).or(server.listen);
        admin.listen = self.admin.or(admin.listen);
        admin.allow_remote = self.admin_remote.then_some(true).or(admin.allow_remote);
        limits.connections = self.max_connections.or(limits.connections);
        limits.groups = self.max_groups.or(limits.groups);
        limits.members = self.max_members.or(limits.members);
        limits.members_per_group = self.max_members_per_group.or(limits.members_per_group);
        limits.members_per_network = self.max_members_per_network.or(limits.members_per_network);
        let level = match (self.quiet, self.verbose) {
            (true, _) => Some(Level::Error),
            (false, 0) => None,
            (false, 1) => Some(Level::Info),
            (false, _) => Some(Level::Debug),
        };
        log.level = level.or(log.level);
        settings
    }

    /// How much is to be said.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        }
    }
}

impl Settings {
    /// What they mean for the server.
    pub(crate) fn server_config(&self) -> ServerConfig {
        let default = ServerConfig::default();
        let listen = self.server.listen.map_or(default.listen, |listen| listen.0);
        ServerConfig { limits: self.limits.limits(), ..ServerConfig::listen_on(listen) }
    }

    /// How a line of the log looks.
    pub(crate) fn log_format(&self) -> Format {
        match self.log.format.unwrap_or(Form::Text) {
            Form::Text => Format::Text,
            Form::Json => Format::Json,
        }
    }

    /// Libraries speak up only when something is wrong.
    pub(crate) fn log_filter(&self) -> &'static str {
        match self.log.level.unwrap_or(Level::Warn) {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "warn,stratus_server=info,stratus_transport=info",
            Level::Debug => "warn,stratus_server=debug,stratus_transport=debug",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use stratus_server::Limits;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_go_over_settings() {
        let set: Settings =
            toml::from_str("[server]\nlisten = \":50\"\n[limits]\nmembers = 3\ngroups = 7\n").unwrap();
        let args = Args::parse_from(["stratus-server", "--listen", "127.0.0.1:0", "--max-members", "700"]);
        let config = args.over(set).server_config();
        assert_eq!(config.listen, "127.0.0.1:0".parse().unwrap());
        assert_eq!(config.limits, Limits { members: 700, groups: 7, ..Limits::default() });
    }
}
