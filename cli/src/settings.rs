//! What the file and the environment may set for commands that enter a group; flags go over both.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stratus_admin::AdminListen;
use stratus_config::units::{ByteRate, Span};
use stratus_config::{Loaded, LogSection, Program};

use crate::args::{Alias, Classes, Play, Properties, Publish, Reach};
use crate::stop::{Code, Failure};

/// The file that is installed, with every default in it, commented out.
pub(crate) const PACKAGED: &str = include_str!("../../packaging/stratus.toml");

/// Whose settings, and where they are searched for.
const PROGRAM: Program = Program {
    file_name: "stratus.toml",
    sections: &["node", "multicast", "admin", "log"],
    foreign_sections: &["server", "limits"],
};

/// All that can be set; what is missing is as the packaged file says.
#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    node: NodeSection,
    group: Vec<GroupSection>,
    multicast: MulticastSection,
    admin: AdminSection,
    log: LogSection,
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

/// A group that is known here by another name than its own.
#[derive(Clone, Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct GroupSection {
    alias: Alias,
    spec_file: PathBuf,
}

#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
struct MulticastSection {
    window: Option<Span>,
    relay_margin: Option<Span>,
    push_neighbors: Option<usize>,
    availability_period: Option<Span>,
    availability_to_all: Option<bool>,
    fetch_period: Option<Span>,
    audio_deadline: Option<Span>,
    video_deadline: Option<Span>,
    data_deadline: Option<Span>,
    audio_sample_access: Option<bool>,
    video_sample_access: Option<bool>,
}

#[derive(Clone, Deserialize, Default, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
struct AdminSection {
    listen: Option<AdminListen>,
    allow_remote: Option<bool>,
}

/// Reads the settings that `config` names, or the usual ones.
pub(crate) fn load(config: Option<&Path>) -> Result<Loaded<Settings>, Failure> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    PROGRAM.load(config, std::env::vars_os().filter_map(text))
}

/// Fills in what no flag said of a publication.
pub(crate) fn settle_publish(publish: &mut Publish) -> Result<LogSection, Failure> {
    let loaded = load(publish.reach.config.as_deref())?;
    resolve(&loaded, &mut publish.spec, &mut publish.reach)?;
    loaded.settings.clone().fill_stream(&mut publish.properties, &mut publish.classes);
    Ok(loaded.settings.fill(&mut publish.reach))
}

/// Fills in what no flag said of a playback. What a viewer wants otherwise than its publisher is said by flags.
pub(crate) fn settle_play(play: &mut Play) -> Result<LogSection, Failure> {
    let loaded = load(play.reach.config.as_deref())?;
    resolve(&loaded, &mut play.spec, &mut play.reach)?;
    loaded.settings.fill_member(&mut play.properties);
    Ok(loaded.settings.fill(&mut play.reach))
}

/// Fills in what no flag said of how to get into a group in which nothing is streamed.
pub(crate) fn settle_member(spec: &mut String, reach: &mut Reach) -> Result<LogSection, Failure> {
    let loaded = load(reach.config.as_deref())?;
    resolve(&loaded, spec, reach)?;
    Ok(loaded.settings.fill(reach))
}

/// The groups that have an alias, each with its groupspec's file. A file is named as seen from the one with the settings.
pub(crate) fn groups(loaded: &Loaded<Settings>) -> Result<Vec<(String, PathBuf)>, Failure> {
    let folder = loaded.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut seen = BTreeSet::new();
    for GroupSection { alias, .. } in &loaded.settings.group {
        if !seen.insert(&alias.0) {
            return Err(Failure::new(Code::Usage, format!("two groups have one alias: {}", alias.0))
                .hint("an alias stands for one group"));
        }
    }
    let group = |group: &GroupSection| (group.alias.0.clone(), folder.join(&group.spec_file));
    Ok(loaded.settings.group.iter().map(group).collect())
}

/// Finds the file of a group that is named by its alias, and the alias of one that is named by its file.
fn resolve(loaded: &Loaded<Settings>, spec: &mut String, reach: &mut Reach) -> Result<(), Failure> {
    let is_same = |given: &Path, file: &Path| match (fs::canonicalize(given), fs::canonicalize(file)) {
        (Ok(given), Ok(file)) => given == file,
        _ => false,
    };
    let groups = groups(loaded)?;
    let found = groups.into_iter().find(|(alias, file)| match spec.strip_prefix('@') {
        Some(given) => is_same(Path::new(given), file),
        None => spec == alias,
    });
    if let Some((alias, file)) = found {
        *spec = format!("@{}", file.display());
        reach.alias = reach.alias.take().or(Some(Alias(alias)));
    }
    Ok(())
}

impl Settings {
    /// Fills in what no flag said of how to get into a group; gives what is said of logs.
    pub(crate) fn fill(self, reach: &mut Reach) -> LogSection {
        let Self { node, admin, log, .. } = self;
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
        log
    }

    /// Fills in what no flag said of a stream that is published.
    pub(crate) fn fill_stream(&self, properties: &mut Properties, classes: &mut Classes) {
        self.fill_member(properties);
        let set = &self.multicast;
        let time = |span: Option<Span>| span.map(|span| span.0);
        properties.window = properties.window.or(time(set.window));
        properties.availability_period = properties.availability_period.or(time(set.availability_period));
        properties.availability_to_all = properties.availability_to_all.or(set.availability_to_all);
        properties.fetch_period = properties.fetch_period.or(time(set.fetch_period));
        classes.audio_deadline = classes.audio_deadline.or(time(set.audio_deadline));
        classes.video_deadline = classes.video_deadline.or(time(set.video_deadline));
        classes.data_deadline = classes.data_deadline.or(time(set.data_deadline));
        classes.audio_sample_access = classes.audio_sample_access.or(set.audio_sample_access);
        classes.video_sample_access = classes.video_sample_access.or(set.video_sample_access);
    }

    /// Fills in what each member decides for itself, whoever publishes.
    pub(crate) fn fill_member(&self, properties: &mut Properties) {
        let MulticastSection { relay_margin, push_neighbors, .. } = self.multicast;
        properties.relay_margin = properties.relay_margin.or(relay_margin.map(|span| span.0));
        properties.push_neighbors = properties.push_neighbors.or(push_neighbors);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stratus::MulticastConfig;
    use stratus_config::{Form, Level, uncommented};

    use super::*;

    #[test]
    fn the_packaged_file_says_every_default_and_nothing_else() {
        assert_eq!(toml::from_str::<Settings>(PACKAGED), Ok(Settings::default()));
        let Settings { node, group, multicast, admin, log } = toml::from_str(&uncommented(PACKAGED)).unwrap();
        let usual = Reach::default();
        let NodeSection { servers, identity, listen, max_upload, timeout, state_dir, member_cache } = node;
        assert_eq!((servers, listen, member_cache), (Some(vec![]), Some(usual.listen()), Some(true)));
        assert_eq!(timeout, Some(Span(usual.patience())));
        // These have no default that could stand in a file: a fresh key, no limit, the user's own folder.
        assert_eq!((identity, max_upload, state_dir), (None, None, None));
        let default = MulticastConfig::default();
        let expected = MulticastSection {
            window: Some(Span(default.window_duration)),
            relay_margin: Some(Span(default.relay_margin_duration)),
            push_neighbors: Some(default.push_neighbor_limit),
            availability_period: Some(Span(default.availability_update_period)),
            availability_to_all: Some(default.availability_send_to_all),
            fetch_period: Some(Span(default.fetch_period)),
            audio_sample_access: Some(true),
            video_sample_access: Some(true),
            // These have no default that could stand in a file: as long as the window.
            audio_deadline: None,
            video_deadline: None,
            data_deadline: None,
        };
        assert_eq!((multicast, group), (expected, Vec::new()));
        assert_eq!(log, LogSection { level: Some(Level::Error), format: Some(Form::Text) });
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
    #[test]
    fn a_publisher_has_all_settings_of_its_stream_and_a_viewer_what_is_its_own() {
        let text = "[multicast]\nwindow = \"3s\"\npush_neighbors = 7\nvideo_deadline = \"700ms\"\naudio_sample_access = false\navailability_to_all = true\n";
        let settings: Settings = toml::from_str(text).unwrap();
        let mut properties = Properties { availability_to_all: Some(false), ..Properties::default() };
        let mut classes = Classes::default();
        settings.fill_stream(&mut properties, &mut classes);
        assert_eq!((properties.window, properties.push_neighbors), (Some(Duration::from_secs(3)), Some(7)));
        assert_eq!(properties.availability_to_all, Some(false), "a flag goes over the file");
        assert_eq!(classes.video_deadline, Some(Duration::from_millis(700)));
        assert_eq!((classes.audio_sample_access, classes.video_sample_access), (Some(false), None));
        let mut viewer = Properties::default();
        settings.fill_member(&mut viewer);
        assert_eq!((viewer.window, viewer.push_neighbors), (None, Some(7)));
    }

    #[test]
    fn a_group_is_found_by_its_alias_and_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let (config, spec) = (folder.path().join("stratus.toml"), folder.path().join("a.spec"));
        fs::write(&spec, "G:").unwrap();
        fs::write(&config, "[[group]]\nalias = \"show\"\nspec_file = \"a.spec\"\n").unwrap();
        let loaded = load(Some(&config)).unwrap();
        let at = format!("@{}", spec.display());
        for given in ["show", &at] {
            let (mut named, mut reach) = (given.to_owned(), Reach::default());
            resolve(&loaded, &mut named, &mut reach).unwrap();
            assert_eq!((&named, reach.alias), (&at, Some(Alias("show".to_owned()))), "{given}");
        }
        let (mut other, mut reach) = ("G:7".to_owned(), Reach::default());
        resolve(&loaded, &mut other, &mut reach).unwrap();
        assert_eq!((other.as_str(), reach.alias), ("G:7", None));
        fs::write(&config, "[[group]]\nalias = \"a\"\nspec_file = \"x\"\n".repeat(2)).unwrap();
        let error = groups(&load(Some(&config)).unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("error: two groups have one alias: a\n"), "{error}");
        fs::write(&config, "[[group]]\nalias = \"a secret name\"\nspec_file = \"x\"\n").unwrap();
        let error = load(Some(&config)).unwrap_err().to_string();
        assert!(error.contains("1 to 64 letters, digits, -, _ or . are wanted"), "{error}");
    }
}
