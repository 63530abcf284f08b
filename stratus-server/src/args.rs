use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::{ArgAction, Parser};
use stratus_admin::{AdminConfig, AdminListen};
use stratus_server::{Limits, ServerConfig};
use stratus_terminal::console::Verbosity;

/// Where the operator's listener is unless told otherwise.
const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9_935);

/// Brings the members of groups together. It sees which peers are in which group, by ids that say nothing of
/// the group's name or secret, and none of what they send each other.
#[derive(Parser, Clone, Debug)]
#[command(name = "stratus-server", version, about)]
pub(crate) struct Args {
    /// UDP address to listen on; ":PORT" is that port of every IPv4 address.
    #[arg(long, env = "STRATUS_SERVER__LISTEN", default_value = ":1935", value_parser = listen_address)]
    listen: SocketAddr,
    /// TCP address for /livez, /readyz, /metrics and /status, or "off" [default: 127.0.0.1:9935]
    #[arg(long, value_name = "ADDR", env = "STRATUS_ADMIN__LISTEN")]
    admin: Option<AdminListen>,
    /// Let other machines reach the admin listener as well.
    #[arg(long)]
    admin_remote: bool,
    /// Most connections at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,
    /// Most groups at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().groups)]
    max_groups: usize,
    /// Most registered members at once, over all groups.
    #[arg(long, value_name = "N", default_value_t = Limits::default().members)]
    max_members: usize,
    /// Most registered members of one group.
    #[arg(long, value_name = "N", default_value_t = Limits::default().members_per_group)]
    max_members_per_group: usize,
    /// Most registered members from one /24 (or /56 of IPv6).
    #[arg(long, value_name = "N", default_value_t = Limits::default().members_per_network)]
    max_members_per_network: usize,
    /// Log more: once each minute's figures, twice each request.
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
}

impl Args {
    /// What they mean for the server.
    pub(crate) fn server_config(&self) -> ServerConfig {
        let limits = Limits {
            connections: self.max_connections,
            groups: self.max_groups,
            members: self.max_members,
            members_per_group: self.max_members_per_group,
            members_per_network: self.max_members_per_network,
            ..Limits::default()
        };
        ServerConfig { limits, ..ServerConfig::listen_on(self.listen) }
    }

    /// Where the operator's listener is to be, if anywhere.
    pub(crate) fn admin_config(&self) -> Option<AdminConfig> {
        let listen = self.admin.unwrap_or(AdminListen(Some(DEFAULT_ADMIN)));
        listen.0.map(|listen| AdminConfig { listen, allow_remote: self.admin_remote })
    }

    /// Whether somebody asked for that address.
    pub(crate) fn has_chosen_admin(&self) -> bool {
        self.admin.is_some()
    }

    /// How much is to be said.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        }
    }

    /// Libraries speak up only when something is wrong.
    pub(crate) fn log_filter(&self) -> &'static str {
        match (self.quiet, self.verbose) {
            (true, _) => "error",
            (false, 0) => "warn",
            (false, 1) => "warn,stratus_server=info,stratus_transport=info",
            (false, _) => "warn,stratus_server=debug,stratus_transport=debug",
        }
    }
}

/// An address with its port; the host may be left out.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let whole = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    whole.parse().map_err(|_| "expected IP:PORT, [IPV6]:PORT or :PORT".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_port_alone_means_every_ipv4_address() {
        assert_eq!(listen_address(":1935"), Ok("0.0.0.0:1935".parse().unwrap()));
        assert_eq!(listen_address("[::]:50"), Ok("[::]:50".parse().unwrap()));
        for wrong in ["1935", "example.net:1935", ":99999", ""] {
            assert_eq!(listen_address(wrong), Err("expected IP:PORT, [IPV6]:PORT or :PORT".to_owned()));
        }
    }

    #[test]
    fn limits_reach_the_configuration() {
        let args = Args::parse_from(["stratus-server", "--listen", "127.0.0.1:0", "--max-members", "700"]);
        let config = args.server_config();
        assert_eq!((config.listen, config.limits.members), ("127.0.0.1:0".parse().unwrap(), 700));
        assert_eq!(Limits { members: Limits::default().members, ..config.limits }, Limits::default());
    }
}
