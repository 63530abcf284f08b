//! The operator's listener of running programs, and a real Prometheus that reads it.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod common;

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{CLIP, Running, command, get, server_binary, stratus, until_written, value};

/// A server, a publisher and a viewer, each with its listener.
struct Scene {
    programs: Vec<Running>,
    /// Where the listeners of server, publisher and viewer are.
    listeners: [String; 3],
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(binary: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, udp, at_server) = Running::server(binary);
        let made = stratus(&["group", "new", "a secret name", "--unique", "--server", &udp]);
        let spec = folder.path().join("show.spec");
        std::fs::write(&spec, made.lines()[0]).expect("writable");
        let source = folder.path().join("source.ts");
        std::fs::write(&source, CLIP).expect("writable");
        let [spec, source, output] = [
            format!("@{}", spec.display()),
            source.display().to_string(),
            folder.path().join("out.ts").display().to_string(),
        ];
        let usual = ["--listen", "127.0.0.1:0", "--no-cache", "--admin", "127.0.0.1:0"];
        let mut viewer =
            Running::start(&mut command(&[&["play", &spec, "cam", &output][..], &usual].concat()));
        let mut publisher = Running::start(&mut command(
            &[&["publish", &spec, "cam", &source, "--realtime"][..], &usual].concat(),
        ));
        let at_viewer = viewer.told("admin listener on http: ");
        let at_publisher = publisher.told("admin listener on http: ");
        until_written(&folder.path().join("out.ts"), 100_000);
        Self {
            programs: vec![server, publisher, viewer],
            listeners: [at_server, at_publisher, at_viewer],
            folder,
        }
    }
}

#[test]
fn each_program_says_how_it_is_and_what_it_counted() {
    let Some(binary) = server_binary() else { return };
    let scene = Scene::new(&binary);
    let pages: Vec<String> = scene.listeners.iter().map(|at| get(at, "/metrics").1).collect();
    let [server, publisher, viewer] = &pages[..] else { unreachable!("three listeners") };
    assert_eq!(value(server, "stratus_server_peers "), Some(2.0), "{server}");
    assert!(value(server, "stratus_server_introduction_seconds_count ").is_some(), "{server}");
    assert_eq!(value(server, "stratus_server_refused_total{reason=\"group_full\"} "), Some(0.0), "{server}");
    // A viewer that came later pulls its first runs.
    let sent = ["push", "pull"].map(|via| {
        let labels = format!("group=\"show\",stream=\"cam\",direction=\"tx\",via=\"{via}\"");
        value(publisher, &format!("stratus_multicast_bytes_total{{{labels}}} "))
            .expect("counted from the start")
    });
    assert!(sent.iter().sum::<f64>() > 100_000.0, "{publisher}");
    let delivered = "stratus_multicast_messages_total{group=\"show\",stream=\"cam\",result=\"delivered\"} ";
    assert!(value(viewer, delivered).is_some_and(|messages| messages > 10.0), "{viewer}");
    let fill = "stratus_multicast_window_fill_ratio{group=\"show\",stream=\"cam\"} ";
    assert!(value(viewer, fill).is_some_and(|fill| fill > 0.5 && fill <= 1.0), "{viewer}");
    assert_eq!(value(viewer, "stratus_group_members_estimate{group=\"show\"} "), Some(2.0), "{viewer}");
    for at in &scene.listeners {
        assert_eq!(get(at, "/livez"), (200, "ok\n".to_owned()));
        assert_eq!(get(at, "/readyz").0, 200);
        let (status, text) = get(at, "/status");
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert!(status == 200 && report["uptime_seconds"].is_u64(), "{text}");
    }
    let status: serde_json::Value =
        serde_json::from_str(&get(&scene.listeners[2], "/status").1).expect("JSON");
    assert_eq!(status["groups"][0]["alias"], "show");
    assert_eq!(status["groups"][0]["streams"][0]["name"], "cam");
    // What metrics show may be read by many: no name of the group, no peer, no address.
    for page in &pages {
        for secret in ["secret", "127.0.0.1", status["peer"].as_str().expect("an id")] {
            assert!(!page.contains(secret), "{secret} in {page}");
        }
    }
    drop(scene);
}

#[test]
fn who_listens_counts_posts_and_says_so() {
    let Some(binary) = server_binary() else { return };
    let (_server, udp, _) = Running::server(&binary);
    let made = stratus(&["group", "new", "talk", "--unique", "--server", &udp]);
    let spec = made.lines()[0].to_owned();
    let here = ["--listen", "127.0.0.1:0", "--no-cache"];
    let listen = ["listen", &spec, "--admin", "127.0.0.1:0", "--alias", "talk"];
    let mut listener = Running::start(&mut command(&[&listen[..], &here].concat()));
    let at = listener.told("admin listener on http: ");
    for text in ["one", "two"] {
        let posted = stratus(&[&["post", spec.as_str(), text], &here[..]].concat());
        assert_eq!(posted.code, Some(0), "{}", posted.stderr);
    }
    let delivered = "stratus_posts_total{group=\"talk\",result=\"delivered\"} ";
    common::until("both posts being counted", || value(&get(&at, "/metrics").1, delivered) == Some(2.0));
    let page = get(&at, "/metrics").1;
    assert_eq!(value(&page, "stratus_posts_held{group=\"talk\"} "), Some(2.0), "{page}");
    let brought = "stratus_posting_bytes_total{group=\"talk\",direction=\"rx\",kind=\"data\"} ";
    assert!(value(&page, brought).is_some_and(|bytes| bytes > 200.0), "{page}");
    let status: serde_json::Value = serde_json::from_str(&get(&at, "/status").1).expect("JSON");
    let group = &status["groups"][0];
    assert_eq!((&status["kind"], &group["posts"]["delivered"]), (&"listen".into(), &2.into()));
    assert_eq!(group["posts"]["refused"]["forged"], 0);
}

/// A program of the Debian package `prometheus`. Without it the test is skipped, but not where all is tested.
fn tool(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.exists());
    if found.is_none() {
        assert!(std::env::var_os("STRATUS_CI").is_none(), "{name} is not there");
        eprintln!("skipped: {name} is not there; apt-get install prometheus brings it");
    }
    found
}

#[test]
fn a_real_prometheus_finds_the_series_and_its_own_check_finds_no_fault() {
    let (Some(binary), Some(promtool), Some(prometheus)) =
        (server_binary(), tool("promtool"), tool("prometheus"))
    else {
        return;
    };
    let mut scene = Scene::new(&binary);
    for at in &scene.listeners {
        check(&promtool, &get(at, "/metrics").1);
    }
    let targets: Vec<String> = scene.listeners.iter().map(|at| format!("'{at}'")).collect();
    let config = scene.folder.path().join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: stratus\n    static_configs: [ {{ targets: [{}] }} ]\n",
        targets.join(", ")
    );
    std::fs::write(&config, text).expect("writable");
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let mut command = Command::new(prometheus);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", scene.folder.path().join("data").display()))
        .arg(format!("--web.listen-address={port}"))
        .arg("--log.level=error");
    scene.programs.push(Running::start(command.stdin(Stdio::null()).stdout(Stdio::null())));
    for query in [
        "up==1",
        "stratus_server_peers",
        "stratus_multicast_bytes_total{stream=\"cam\",via=\"push\"}",
        "stratus_multicast_delay_seconds_bucket{group=\"show\"}",
        "stratus_multicast_messages_total{result=\"delivered\"} > 0",
        "stratus_multicast_messages_total{result=\"expired\"} == 0",
        "stratus_gossip_exchanges_total{side=\"started\",result=\"ok\"} > 0",
        "sum without(cause) (stratus_neighbor_changes_total{change=\"connect\"}) == 1",
        "stratus_neighbor_changes_total{change=\"disconnect\",cause=\"silent\"} == 0",
        "stratus_ring_agreement_ratio == 1",
        "stratus_server_introduction_seconds_bucket{le=\"+Inf\"}",
        "process_resident_memory_bytes",
    ] {
        let found = until_found(&port.to_string(), query);
        println!("{query}: {found} series");
        assert!(query != "up==1" || found == 3, "all three targets are up");
    }
}

/// What promtool says of a page of metrics: nothing.
fn check(promtool: &Path, metrics: &str) {
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    child.stdin.take().expect("piped").write_all(metrics.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(output.status.success() && told.trim().is_empty(), "{told}\n{metrics}");
}

/// Asks Prometheus until a query finds something (of three targets: all three); gives how many series.
fn until_found(prometheus: &str, query: &str) -> usize {
    let escaped: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = TcpStream::connect(prometheus)
            .is_ok()
            .then(|| get(prometheus, &format!("/api/v1/query?query={escaped}")));
        let found = answer.and_then(|(_, body)| {
            // A body in chunks has their lengths between its lines.
            let json = &body[body.find('{')?..=body.rfind('}')?];
            let parsed: serde_json::Value = serde_json::from_str(json).ok()?;
            Some(parsed["data"]["result"].as_array()?.len())
        });
        let wanted = if query == "up==1" { 3 } else { 1 };
        match found {
            Some(count) if count >= wanted => return count,
            _ if Instant::now() > deadline => panic!("{query} finds nothing: {found:?}"),
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
