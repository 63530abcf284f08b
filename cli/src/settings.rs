//! What the file and the environment may set for `publish` and `play`; flags go over both.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use stratus_admin::AdminListen;
use stratus_config::units::{ByteRate, Span};
use stratus_config::{Loaded, Program};

use crate::args::{Publish, Reach};
use crate::stop::Failure;

/// Whose settings, and where they are searched for.
const PROGRAM: Program = Program {
    file_name: "stratus.toml",
    sections: &["node", "multicast", "admin"],
    foreign_sections: &["server", "limits", "log"],
};

/// All that can be set; what is missing is as the packaged file says.
#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    node: NodeSection,
    multicast: MulticastSection,
    admin: AdminSection,
}

#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
struct NodeSection {
    servers: Option<Vec<String>>,
    identity: Option<PathBuf>,
    listen: Option<SocketAddr>,
    max_upload: Option<ByteRate>,
    timeout: Option<Span>,
    state_dir: Option<PathBuf>,
    member_cache: Option<bool>,
}

#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
struct MulticastSection {
    window: Option<Span>,
    relay_margin: Option<Span>,
    push_neighbors: Option<usize>,
}

#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
struct AdminSection {
    listen: Option<AdminListen>,
    allow_remote: Option<bool>,
}

/// Reads the settings that `reach` names, or the usual ones.
pub(crate) fn load(reach: &Reach) -> Result<Settings, Failure> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let environment = std::env::vars_os().filter_map(text);
    let loaded: Loaded<Settings> = PROGRAM.load(reach.config.as_deref(), environment)?;
    Ok(loaded.settings)
}

impl Settings {
    /// Fills in what no flag said.
    pub(crate) fn fill(self, reach: &mut Reach) {
        let Self { node, admin, .. } = self;
        if reach.server.is_empty() && !reach.no_server {
            reach.server = node.servers.unwrap_or_default();
        }
        reach.identity = reach.identity.take().or(node.identity);
        reach.listen = reach.listen.or(node.listen);
        reach.max_upload = reach.max_upload.or(node.max_upload.map(|rate| rate.0));
        reach.timeout = reach.timeout.or(node.timeout.map(|span| span.0));
        reach.state_dir = reach.state_dir.take().or(node.state_dir);
        reach.no_cache |= node.member_cache == Some(false);
        reach.admin = reach.admin.or(admin.listen);
        reach.admin_remote |= admin.allow_remote == Some(true);
    }

    /// Fills in what no flag said of a publication: what a viewer wants otherwise than its publisher is said by flags.
    pub(crate) fn fill_publish(self, publish: &mut Publish) {
        let MulticastSection { window, relay_margin, push_neighbors } = self.multicast.clone();
        let properties = &mut publish.properties;
        properties.window = properties.window.or(window.map(|span| span.0));
        properties.relay_margin = properties.relay_margin.or(relay_margin.map(|span| span.0));
        properties.push_neighbors = properties.push_neighbors.or(push_neighbors);
        self.fill(&mut publish.reach);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stratus::MulticastConfig;
    use stratus_config::uncommented;

    use super::*;

    const PACKAGED: &str = include_str!("../../packaging/stratus.toml");

    #[test]
    fn the_packaged_file_says_every_default_and_nothing_else() {
        assert_eq!(toml::from_str::<Settings>(PACKAGED), Ok(Settings::default()));
        let Settings { node, multicast, admin } = toml::from_str(&uncommented(PACKAGED)).unwrap();
        let usual = Reach::default();
        let NodeSection { servers, identity, listen, max_upload, timeout, state_dir, member_cache } = node;
        assert_eq!((servers, listen, member_cache), (Some(vec![]), Some(usual.listen()), Some(true)));
        assert_eq!(timeout, Some(Span(usual.patience())));
        // These have no default that could stand in a file: a fresh key, no limit, the user's own folder.
        assert_eq!((identity, max_upload, state_dir), (None, None, None));
        let default = MulticastConfig::default();
        let MulticastSection { window, relay_margin, push_neighbors } = multicast;
        assert_eq!(window, Some(Span(default.window_duration)));
        assert_eq!(relay_margin, Some(Span(default.relay_margin_duration)));
        assert_eq!(push_neighbors, Some(default.push_neighbor_limit));
        assert_eq!(admin, AdminSection { listen: Some(AdminListen(None)), allow_remote: Some(false) });
    }

    #[test]
    fn flags_go_over_settings() {
        let text =
            "[node]\nservers = [\"a\"]\ntimeout = \"7s\"\nmax_upload = \"20 Mbit/s\"\nmember_cache = false\n";
        let settings: Settings = toml::from_str(text).unwrap();
        let mut reach = Reach { timeout: Some(Duration::from_secs(3)), ..Reach::default() };
        settings.clone().fill(&mut reach);
        assert_eq!((reach.server, reach.timeout), (vec!["a".to_owned()], Some(Duration::from_secs(3))));
        assert_eq!((reach.max_upload, reach.no_cache), (Some(2_500_000), true));
        let mut alone = Reach { no_server: true, ..Reach::default() };
        settings.fill(&mut alone);
        assert_eq!(alone.server, Vec::<String>::new());
    }
}
