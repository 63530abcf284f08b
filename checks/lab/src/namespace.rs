//! Network namespaces: made, entered, filled by `ip`, `nft` and `tc`, and taken away again whatever happens.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::Trouble;

/// What all our namespaces' names begin with; the process id of their maker follows.
const PREFIX: &str = "stratus-lab-";
/// Where `ip netns` keeps them.
const FOLDER: &str = "/run/netns";

/// One network namespace. It is deleted on drop, with the interfaces in it.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// A fresh one; `label` tells it apart from the others of this process.
    pub fn new(label: &str) -> Result<Self, Trouble> {
        let name = format!("{PREFIX}{}-{label}", std::process::id());
        run("ip", &["netns", "add", &name], "")?;
        Ok(Self { name })
    }

    /// As `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `act` on a thread inside: sockets it opens and processes it starts belong here.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T, Trouble> {
        let enter = || {
            let file = File::open(Path::new(FOLDER).join(&self.name))?;
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(())
        };
        let entered = thread::scope(|scope| {
            let thread = scope.spawn(|| enter().map(|()| act()));
            thread.join().expect("the closure passed in panicked")
        });
        entered.map_err(|error: std::io::Error| {
            Trouble::new("cannot enter a network namespace").tried(error).hint("the lab runs as root")
        })
    }

    /// Runs lines of `ip` commands inside.
    pub fn ip(&self, lines: &str) -> Result<(), Trouble> {
        run("ip", &["-n", &self.name, "-batch", "-"], lines)
    }

    /// Runs lines of `tc` commands inside.
    pub fn tc(&self, lines: &str) -> Result<(), Trouble> {
        run("tc", &["-n", &self.name, "-batch", "-"], lines)
    }

    /// Loads rules of `nft` inside.
    pub fn nft(&self, rules: &str) -> Result<(), Trouble> {
        self.inside(|| run("nft", &["-f", "-"], rules))?
    }

    /// Sets one of the kernel's network settings inside.
    pub fn set(&self, setting: &str, value: &str) -> Result<(), Trouble> {
        let path = Path::new("/proc/sys/net").join(setting);
        let written = self.inside(|| std::fs::write(&path, value))?;
        written.map_err(Trouble::of(format!("cannot set {}", path.display())))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The next start sweeps what stays.
        let _ = run("ip", &["netns", "delete", &self.name], "");
    }
}

/// Takes away what labs that were killed have left. Returns how many namespaces there were.
pub fn sweep() -> Result<usize, Trouble> {
    let Ok(folder) = std::fs::read_dir(FOLDER) else { return Ok(0) };
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let stale: Vec<String> = names.filter(|name| maker(name).is_some_and(|maker| !is_alive(maker))).collect();
    for name in &stale {
        run("ip", &["netns", "delete", name], "")?;
    }
    Ok(stale.len())
}

/// The process that made the namespace of this name, if a lab did.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

fn is_alive(process: u32) -> bool {
    PathBuf::from(format!("/proc/{process}")).exists()
}

/// Runs a program of iproute2 or nftables with `input`, and says what it complained of.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Result<(), Trouble> {
    let hint = "apt-get install iproute2 nftables; the lab runs as root";
    let failed = |error: std::io::Error| {
        Trouble::new(format!("cannot run {program} {}", arguments.join(" "))).tried(error).hint(hint)
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    // A program that ends before it has read everything says why below.
    let _ = child.stdin.take().expect("it was piped").write_all(input.as_bytes());
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(Trouble::new(format!("{program} {} failed", arguments.join(" "))).tried(said).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_namespaces_of_labs_have_a_maker() {
        assert_eq!(maker("stratus-lab-4711-hub"), Some(4711));
        assert_eq!(maker("stratus-lab-x-hub"), None);
        assert_eq!(maker("somebody-elses"), None);
    }
}
