//! What the file and the environment may set.

use std::net::SocketAddr;

use serde::Deserialize;
use stratus_admin::{AdminConfig, AdminListen};
use stratus_config::units::Span;
use stratus_config::{LogSection, Program};
use stratus_server::{Limits, Rate};

/// The file that is installed, with every default in it, commented out.
pub(crate) const PACKAGED: &str = include_str!("../../packaging/server.toml");

/// Whose settings, and where they are searched for.
pub(crate) const PROGRAM: Program = Program {
    file_name: "server.toml",
    sections: &["server", "admin", "limits", "log"],
    foreign_sections: &["node", "multicast"],
};

/// All that can be set; what is missing is as the packaged file says.
#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) server: ServerSection,
    pub(crate) admin: AdminSection,
    pub(crate) limits: LimitsSection,
    pub(crate) log: LogSection,
}

#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ServerSection {
    pub(crate) listen: Option<Listen>,
}

#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AdminSection {
    pub(crate) listen: Option<AdminListen>,
    pub(crate) allow_remote: Option<bool>,
}

/// A UDP address, of which the host may be left out.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Debug)]
#[serde(try_from = "String")]
pub(crate) struct Listen(pub(crate) SocketAddr);

/// A [`Rate`] in a file.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pace {
    burst: u32,
    per_second: u32,
}

macro_rules! limits {
    ($($field:ident: $kind:ty = $read:expr;)*) => {
        #[derive(Clone, Deserialize, Default, PartialEq, Debug)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct LimitsSection {
            $(pub(crate) $field: Option<$kind>,)*
        }

        impl LimitsSection {
            /// The limits, those that nobody set as they are by default.
            pub(crate) fn limits(&self) -> Limits {
                let default = Limits::default();
                // Every limit stands in this list, so a new one cannot be forgotten.
                Limits { $($field: self.$field.map_or(default.$field, $read),)* }
            }

            /// Names of what is not set.
            #[cfg(test)]
            fn unset(&self) -> Vec<&'static str> {
                let all = [$((stringify!($field), self.$field.is_none()),)*];
                all.into_iter().filter(|(_, is_unset)| *is_unset).map(|(name, _)| name).collect()
            }
        }
    };
}

limits! {
    refresh_every: Span = |span| span.0;
    expires_after: Span = |span| span.0;
    idle_after: Span = |span| span.0;
    ring_neighbors: usize = |count| count;
    random_members: usize = |count| count;
    connections: usize = |count| count;
    groups: usize = |count| count;
    members_per_group: usize = |count| count;
    members: usize = |count| count;
    groups_per_connection: usize = |count| count;
    members_per_network: usize = |count| count;
    frames: Pace = Pace::rate;
    registrations: Pace = Pace::rate;
    introductions: Pace = Pace::rate;
    network_frames: Pace = Pace::rate;
    network_registrations: Pace = Pace::rate;
    network_introductions: Pace = Pace::rate;
    strikes: u32 = |count| count;
}

impl Pace {
    fn rate(self) -> Rate {
        Rate { burst: self.burst, per_second: self.per_second }
    }
}

impl AdminSection {
    /// Where the operator's listener is to be, if anywhere.
    pub(crate) fn config(&self, usual: SocketAddr) -> Option<AdminConfig> {
        let listen = self.listen.map_or(Some(usual), |at| at.0)?;
        Some(AdminConfig { listen, allow_remote: self.allow_remote.unwrap_or(false) })
    }
}

/// An address with its port; the host may be left out.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let whole = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    whole.parse().map_err(|_| "expected IP:PORT, [IPV6]:PORT or :PORT".to_owned())
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        listen_address(&text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use stratus_config::{Form, Level, uncommented};
    use stratus_server::ServerConfig;

    use super::*;
    use crate::args::DEFAULT_ADMIN;

    #[test]
    fn the_packaged_file_says_every_default_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            PROGRAM.load::<Settings>(Some(&path), []).unwrap().settings
        };
        assert_eq!(read(PACKAGED), Settings::default(), "as it is installed it changes nothing");
        let Settings { server, admin, limits, log } = read(&uncommented(PACKAGED));
        let default = ServerConfig::default();
        assert_eq!(server, ServerSection { listen: Some(Listen(default.listen)) });
        let at = AdminListen(Some(DEFAULT_ADMIN));
        assert_eq!(admin, AdminSection { listen: Some(at), allow_remote: Some(false) });
        assert_eq!(log, LogSection { level: Some(Level::Warn), format: Some(Form::Text) });
        assert_eq!(limits.unset(), Vec::<&str>::new());
        assert_eq!(limits.limits(), default.limits);
    }

    #[test]
    fn a_port_alone_means_every_ipv4_address() {
        assert_eq!(listen_address(":1935"), Ok("0.0.0.0:1935".parse().unwrap()));
        assert_eq!(listen_address("[::]:50"), Ok("[::]:50".parse().unwrap()));
        for wrong in ["1935", "example.net:1935", ":99999", ""] {
            assert_eq!(listen_address(wrong), Err("expected IP:PORT, [IPV6]:PORT or :PORT".to_owned()));
        }
    }
}
