//! Runs the real binary, and gives it a server to find.
//!
//! Each test file uses a part of it.
#![allow(dead_code, clippy::print_stderr)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use stratus_server::{Server, ServerConfig};
use tokio::runtime::Runtime;

/// The picture of the demonstration: 750 pictures in 30 s, a key picture each second.
pub(crate) const CLIP: &[u8] = include_bytes!("../../assets/testclip.ts");

/// What a finished command left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stdout_bytes: Vec<u8>,
    pub(crate) stderr: String,
}

/// The `stratus` binary with these arguments and nothing on stdin.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stratus"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Neither what this machine's user has set, nor anything left in that user's folders.
    command
        .env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"))
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// The `stratus-server` binary, built beside `stratus`. Without it the test is skipped, but not where all is tested.
pub(crate) fn server_binary() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_stratus")).with_file_name("stratus-server");
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("STRATUS_CI").is_none(), "{} is not there", path.display());
    eprintln!("skipped: {} is not there; cargo build -p stratus-server makes it", path.display());
    None
}

/// A process in the background with its stderr, line by line; killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: BufReader<ChildStderr>,
}

impl Running {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary was built for this test");
        let lines = BufReader::new(child.stderr.take().expect("piped above"));
        Self { child, lines }
    }

    /// Starts a rendezvous server, and says where it listens and where its operator's listener does.
    pub(crate) fn server(binary: &Path) -> (Self, String, String) {
        let mut command = Command::new(binary);
        command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        let mut server = Self::start(command.stdin(Stdio::null()).stdout(Stdio::null()));
        let udp = server.told("listening on udp: ");
        let http = server.told("admin listener on http: ");
        (server, udp, http)
    }

    /// Reads on until a line begins with `start`; gives the rest of it.
    pub(crate) fn told(&mut self, start: &str) -> String {
        let mut seen = Vec::new();
        for line in self.lines.by_ref().lines().map_while(Result::ok) {
            match line.strip_prefix(start) {
                Some(rest) => return rest.to_owned(),
                None => seen.push(line),
            }
        }
        panic!("it never said {start:?}, but {seen:#?}");
    }

    /// Waits until it has ended; gives its exit code and what it said that was not read before.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("text");
        (self.child.wait().expect("our own child").code(), rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs it to its end.
pub(crate) fn stratus(arguments: &[&str]) -> Finished {
    finished(command(arguments).output().expect("the binary was built for this test"))
}

/// Starts it.
pub(crate) fn spawn(arguments: &[&str]) -> Child {
    command(arguments).spawn().expect("the binary was built for this test")
}

/// What a finished child left behind.
pub(crate) fn finished(output: Output) -> Finished {
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        stdout_bytes: output.stdout,
    }
}

/// Waits for a child; one that takes longer than half a minute is killed, and the test fails.
pub(crate) fn wait(mut child: Child) -> Finished {
    let deadline = Instant::now() + Duration::from_secs(30);
    // Output is small enough for a pipe in all tests that wait before they read.
    while child.try_wait().expect("our own child").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("our own child");
            panic!("it does not end: {:?}", finished(child.wait_with_output().expect("killed")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    finished(child.wait_with_output().expect("it has ended"))
}

/// Sends a signal by its name.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(status.expect("every system has kill").success());
}

/// Waits until `condition` holds; the test fails when it does not within ten seconds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a file has at least so many bytes.
pub(crate) fn until_written(path: &Path, bytes: u64) {
    until("bytes in the file", || path.metadata().is_ok_and(|metadata| metadata.len() >= bytes));
}

impl Finished {
    /// The lines of stdout.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

/// A page of a listener: status and body.
pub(crate) fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the listener is there");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head[9..12].parse().expect("a status"), body.to_owned())
}

/// The value of a series in a page of metrics.
pub(crate) fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

/// A rendezvous server in this process, and a group that names it.
pub(crate) struct Stage {
    runtime: Runtime,
    server: Option<Server>,
    /// Where the server listens.
    pub(crate) server_addr: SocketAddr,
    /// The groupspec with the right to publish.
    pub(crate) publisher: String,
    /// The groupspec of everyone else.
    pub(crate) viewer: String,
}

impl Stage {
    /// Starts a server on a free port of this machine.
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().expect("threads");
        let config = ServerConfig::listen_on("127.0.0.1:0".parse().expect("an address"));
        let server = runtime.block_on(Server::start(config)).expect("a free port");
        let server_addr = server.local_addr();
        let made = stratus(&[
            "group",
            "new",
            "show",
            "--unique",
            "--publish-key",
            "--server",
            &server_addr.to_string(),
        ]);
        let lines = made.lines();
        let (publisher, viewer) = (lines[0].to_owned(), lines[1].to_owned());
        Self { runtime, server: Some(server), server_addr, publisher, viewer }
    }

    /// Stops the server; what was introduced stays together.
    pub(crate) fn stop_server(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.shutdown());
        }
    }

    /// Starts a viewer of `cam` that writes into `path`.
    pub(crate) fn play(&self, path: &Path) -> Child {
        self.play_with(path, &[])
    }

    /// The same with more options.
    pub(crate) fn play_with(&self, path: &Path, options: &[&str]) -> Child {
        let path = path.display().to_string();
        let arguments = ["play", &self.viewer, "cam", &path, "--listen", "127.0.0.1:0"];
        spawn(&[&arguments, options].concat())
    }

    /// Starts a publisher of `cam`.
    pub(crate) fn publish(&self, input: &str, options: &[&str]) -> Child {
        let arguments = ["publish", &self.publisher, "cam", input, "--listen", "127.0.0.1:0"];
        spawn(&[&arguments, options].concat())
    }

    /// Publishes five bytes as `cam`, and ends when `is_seen` holds: who comes late gets them as well.
    pub(crate) fn publish_a_word(&self, options: &[&str], is_seen: impl FnMut() -> bool) -> Finished {
        let arguments = ["publish", &self.publisher, "cam", "--raw", "--listen", "127.0.0.1:0"];
        let mut publisher =
            command(&[&arguments, options].concat()).stdin(Stdio::piped()).spawn().expect("built");
        let mut input = publisher.stdin.take().expect("piped");
        input.write_all(b"hello").expect("it reads");
        until("somebody having seen the word", is_seen);
        drop(input);
        wait(publisher)
    }
}
