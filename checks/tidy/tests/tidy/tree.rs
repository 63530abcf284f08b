//! The tree as the tests see it: files with their text, crates with their manifests.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates, by folder, that are pure machines or stand below them.
pub(crate) const PURE: [&str; 7] =
    ["core", "groupspec", "overlay", "multicast", "posting", "replication", "node"];

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("two folders below the root").to_owned()
}

/// A file's path from the root, with `/`, and its text.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// The folder of the crate it belongs to, or its first folder.
    pub(crate) fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(&format!("{folder}/"))
    }

    /// Whether it holds nothing but tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/testing/")
    }
}

/// The text of a file that must be there.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

/// Every file whose name ends in `ending`, outside hidden and build folders, in order of path.
pub(crate) fn files(ending: &str) -> Vec<File> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root, ending, &mut paths);
    paths.sort();
    let relative =
        |path: &Path| path.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
    paths.iter().map(|path| File { path: relative(path), text: read(&relative(path)) }).collect()
}

fn collect(folder: &Path, ending: &str, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the tree").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && name != "target" && !name.starts_with('.') {
            collect(&path, ending, paths);
        } else if !is_folder && name.ends_with(ending) {
            paths.push(path);
        }
    }
}

/// One crate of the workspace.
pub(crate) struct Crate {
    /// Its folder from the root.
    pub(crate) folder: String,
    /// Its package name.
    pub(crate) name: String,
    manifest: toml::Table,
}

impl Crate {
    /// The names under `[dependencies]` (and those of targets), or another table of that kind.
    pub(crate) fn dependencies(&self, table: &str) -> Vec<String> {
        let mut names = keys(self.manifest.get(table));
        for target in self.manifest.get("target").and_then(|targets| targets.as_table()).into_iter().flatten()
        {
            names.extend(keys(target.1.get(table)));
        }
        names.sort();
        names
    }

    /// Whether it takes the workspace's lints.
    pub(crate) fn has_workspace_lints(&self) -> bool {
        self.manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true)
    }
}

fn keys(table: Option<&toml::Value>) -> Vec<String> {
    table.and_then(toml::Value::as_table).map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// The members of the workspace.
pub(crate) fn crates() -> Vec<Crate> {
    let workspace = parse("Cargo.toml");
    let members = workspace["workspace"]["members"].as_array().expect("a list of members").clone();
    let folders = members.iter().map(|member| member.as_str().expect("a folder").to_owned());
    folders
        .map(|folder| {
            let manifest = parse(&format!("{folder}/Cargo.toml"));
            let name = manifest["package"]["name"].as_str().expect("a package has a name").to_owned();
            Crate { folder, name, manifest }
        })
        .collect()
}

/// A file of the tree as TOML.
pub(crate) fn parse(path: &str) -> toml::Table {
    read(path).parse().unwrap_or_else(|error| panic!("{path} is no TOML: {error}"))
}
