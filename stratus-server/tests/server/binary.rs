//! The program: what it says, how it ends, with which code.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::member::{Keys, Member, peers};
use stratus_overlay::rendezvous::ServerMessage;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stratus-server"));
    command
        .args(arguments)
        .env_remove("STRATUS_SERVER__LISTEN")
        .env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::null());
    // Many run at once, and the usual port is one.
    command.env("STRATUS_ADMIN__LISTEN", "off");
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(arguments).output().expect("the program runs");
    (status.code(), String::from_utf8_lossy(&stdout).into(), String::from_utf8_lossy(&stderr).into())
}

/// The program running in the background; killed when dropped.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    listen: SocketAddr,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped above"));
        let listen = stderr
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on udp: ")?.parse().ok())
            .expect("the program says where it listens");
        Self { child, stderr, listen }
    }

    /// Sends `signal` and gives back exit code, duration and the rest of what it said.
    fn end(mut self, signal: &str) -> (Option<i32>, Duration, String) {
        let began = Instant::now();
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh runs").success());
        let status = self.child.wait().expect("the child is ours");
        let took = began.elapsed();
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).expect("text");
        (status.code(), took, rest)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_port_in_use_ends_it_with_1_and_says_which_and_what_to_do() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = format!(
        "error: cannot bind udp port: {address}\n  \
         tried: the port is in use by another program\n  \
         hint: choose another with --listen\n"
    );
    assert_eq!(run(&["--listen", &address]), (Some(1), String::new(), told));
}

#[test]
fn an_address_of_another_machine_ends_it_with_1() {
    let (code, _, stderr) = run(&["--listen", "192.0.2.1:1935"]);
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: cannot bind udp port: 192.0.2.1:1935\n"), "{stderr}");
}

#[test]
fn wrong_use_ends_it_with_2() {
    for arguments in [&["--listen", "nonsense"][..], &["--no-such-option"], &["-q", "-v"]] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
    let (code, _, stderr) = run(&["--listen", "127.0.0.1:0", "--max-members", "0"]);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: these limits make no sense: limits must be at least 1\n"), "{stderr}");
}

#[test]
fn help_and_version_end_it_with_0() {
    let (code, stdout, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("--listen <ADDR>"), "{stdout}");
    assert_eq!(run(&["--version"]).0, Some(0));
}

#[test]
fn an_idle_server_ends_with_0_on_either_signal_and_says_nothing_more() {
    for signal in ["TERM", "INT"] {
        let server = Running::start(&["--listen", "127.0.0.1:0"]);
        let (code, took, rest) = server.end(signal);
        assert_eq!((code, rest.as_str()), (Some(0), ""), "on SIG{signal}");
        assert!(took < Duration::from_secs(2), "SIG{signal} took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_server_says_goodbye_to_its_clients() {
    let server = Running::start(&["--listen", "127.0.0.1:0"]);
    let keys = Keys::of(3);
    let mut member = Member::consult(server.listen, 1).await;
    assert_eq!(member.register(&keys).await, []);
    let ended = tokio::task::spawn_blocking(move || server.end("TERM"));
    assert_eq!(member.hear().await, Some(ServerMessage::Goodbye));
    assert_eq!(member.hear().await, None);
    let (code, took, _) = ended.await.unwrap();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_replaced_by_a_new_one_on_its_port() {
    let server = Running::start(&["--listen", "127.0.0.1:0"]);
    let (listen, keys) = (server.listen, Keys::of(3));
    let mut first = Member::consult(listen, 1).await;
    let mut second = Member::consult(listen, 2).await;
    first.register(&keys).await;
    second.register(&keys).await;
    tokio::task::spawn_blocking(move || server.end("KILL")).await.unwrap();

    let server = Running::start(&["--listen", &listen.to_string()]);
    first.consult_again(server.listen).await;
    second.consult_again(server.listen).await;
    assert_eq!(first.register(&keys).await, []);
    assert_eq!(peers(&second.register(&keys).await), [first.peer()]);
}

#[test]
fn the_log_names_no_secret_and_each_request_when_asked() {
    let server = Running::start(&["--listen", "127.0.0.1:0", "-vv"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let keys = Keys::of(3);
    runtime.block_on(async {
        let mut member = Member::consult(server.listen, 1).await;
        member.register(&keys).await;
    });
    let (code, _, log) = server.end("TERM");
    assert_eq!(code, Some(0));
    for word in ["registered", "holding", "stopped"] {
        assert!(log.contains(word), "no {word:?} in:\n{log}");
    }
    let hex: String = keys.rendezvous.seed().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!log.contains(&hex[..16]), "a secret in:\n{log}");
}

/// The packaged file, here and changed.
fn config(changes: &[(&str, &str)]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    let mut text = include_str!("../../../packaging/server.toml").to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    std::fs::write(&path, text).unwrap();
    (folder, path.display().to_string())
}

#[test]
fn check_config_says_what_holds_and_where_it_comes_from() {
    let (_folder, path) = config(&[("#members = 65536", "members = 700")]);
    let arguments = ["check-config", "--config", &path, "--max-groups", "3"];
    let output = command(&arguments).env("STRATUS_LIMITS__STRIKES", "7").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    for line in [
        format!("limits.members = 700  # {path}"),
        "limits.strikes = 7  # STRATUS_LIMITS__STRIKES".to_owned(),
        "limits.expires_after = \"150s\"  # default".to_owned(),
        "admin.listen = \"off\"  # STRATUS_ADMIN__LISTEN".to_owned(),
    ] {
        assert!(told.lines().any(|found| found == line), "{line} in\n{told}");
    }
}

#[test]
fn settings_that_are_wrong_are_told_with_their_place_and_nothing_starts() {
    let (_folder, path) = config(&[("#members = 65536", "membres = 700")]);
    for arguments in [&["check-config", "--config", &path][..], &["--config", &path]] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.starts_with("error: unknown field `membres`, expected one of "), "{stderr}");
        assert!(
            stderr.contains(&format!("tried: {path}, line ")) && stderr.contains("\n  hint: "),
            "{stderr}"
        );
    }
    let (_folder, path) = config(&[("#random_members = 20", "random_members = 700")]);
    let (code, _, stderr) = run(&["check-config", "--config", &path]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("2 × ring_neighbors + random_members must lie in 1 … 64"), "{stderr}");
    let (_folder, path) = config(&[("#listen = \"127.0.0.1:9935\"", "listen = \"0.0.0.0:9935\"")]);
    let output = command(&["check-config", "--config", &path]).env_remove("STRATUS_ADMIN__LISTEN").output();
    let output = output.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("other machines could reach the admin listener: 0.0.0.0:9935"), "{stderr}");
}

#[test]
fn the_healthcheck_finds_a_server_that_is_ready_and_misses_one_that_is_gone() {
    let mut server = Running::start(&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let mut line = String::new();
    server.stderr.read_line(&mut line).unwrap();
    let admin = line.trim().strip_prefix("admin listener on http: ").expect("said after the port").to_owned();
    let (code, _, stderr) = run(&["healthcheck", "--admin", &admin]);
    assert_eq!((code, stderr.as_str()), (Some(0), "ready\n"));
    server.end("KILL");
    let (code, _, stderr) = run(&["healthcheck", "--admin", &admin]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(
        stderr.starts_with(&format!("error: nobody answers at the admin listener: {admin}\n")),
        "{stderr}"
    );
    assert_eq!(run(&["healthcheck"]).0, Some(2), "it is off here");
}
