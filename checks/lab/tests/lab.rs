//! The lab for real: the network is what was asked for, and members hold what they promise on it, in short.
//!
//! Needs root, iproute2, nftables and `/dev/net/tun`, and three minutes in which the machine does little else. So it
//! plays where `STRATUS_CI` or `STRATUS_LAB` is set, and must be able to; elsewhere it says that it skips.

use std::io::Write as _;
use std::path::Path as FilePath;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stratus_lab::{HostPlan, Namespace, Network, Outcome, Path, Probe, probe};

/// Scenarios would disturb each other on two cores.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for its turn; `None` where no lab was asked for.
fn turn() -> Option<MutexGuard<'static, ()>> {
    if ["STRATUS_CI", "STRATUS_LAB"].iter().all(|name| std::env::var_os(name).is_none()) {
        let why = "skipped: a lab takes root and three minutes; STRATUS_LAB=1 plays it";
        writeln!(std::io::stderr(), "{why}").unwrap_or_default();
        return None;
    }
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(trouble) = Namespace::new("trial").and_then(|namespace| namespace.ip("link set lo up\n")) {
        panic!("the lab must run here: {trouble}");
    }
    // As the lab itself does, for this thread and its own: a probe that is held up looks like a bad path.
    let _ = rustix::process::nice(-10);
    Some(turn)
}

/// What came of packets on such a path, and how many milliseconds late the forwarder was at worst: a busy machine
/// delays what the path does not.
fn measure(path: Path, loss_per_mille: u64, packets: u64, pace: Duration) -> (Probe, u64) {
    let plain = HostPlan::default();
    let network = Network::new(&[HostPlan { path, ..plain }, HostPlan { loss_per_mille, ..plain }]).unwrap();
    let probe = probe(network.host(0), network.host(1), packets, pace).unwrap();
    let counted = network.host(1).counted().unwrap();
    // The rule's own count is what the receiver missed.
    assert_eq!(probe.sent - network.tally(0).lost - counted.lost, probe.arrived + probe.altered);
    (probe, network.tally(0).most_late.as_millis() as u64)
}

const PACE: Duration = Duration::from_micros(200);

#[test]
fn packets_are_lost_by_the_share_that_was_asked_for() {
    let Some(_turn) = turn() else { return };
    let (clean, _) = measure(Path::default(), 0, 3_000, PACE);
    assert_eq!((clean.arrived, clean.doubled, clean.overtaken, clean.altered), (3_000, 0, 0, 0));
    let (lossy, _) = measure(Path::default(), 100, 6_000, PACE);
    assert!((80..=120).contains(&lossy.lost_per_mille()), "{} per mille", lossy.lost_per_mille());
    let single = lossy.losses.iter().filter(|lost| **lost == 1).count();
    assert!(single * 10 > lossy.losses.len() * 8, "each by itself: {:?}", lossy.losses);
}

#[test]
fn bursts_are_lost_in_a_row() {
    let Some(_turn) = turn() else { return };
    let path = Path { burst_loss_per_mille: 120, burst_length: 25, ..Path::default() };
    let (probe, _) = measure(path, 0, 10_000, PACE);
    assert!((70..=170).contains(&probe.lost_per_mille()), "{} per mille", probe.lost_per_mille());
    assert!(probe.losses.iter().all(|lost| lost % 25 == 0), "{:?}", probe.losses);
}

#[test]
fn packets_take_as_long_as_was_asked_for() {
    let Some(_turn) = turn() else { return };
    let delay = Duration::from_millis(30);
    let (steady, late) = measure(Path::of(delay), 0, 1_000, Duration::from_millis(1));
    assert_eq!((steady.arrived, steady.overtaken), (1_000, 0));
    let half = steady.delay_ms(500);
    assert!((30..=33 + late).contains(&half), "half within {half} ms, the lab {late} ms late");
    assert!(steady.delays_ms.iter().all(|ms| *ms >= 30));
    let (jittery, _) = measure(Path { jitter: delay, ..Path::of(delay) }, 0, 1_000, Duration::from_millis(1));
    assert_eq!((jittery.arrived, jittery.overtaken), (1_000, 0), "jitter keeps the order");
    assert!(jittery.delay_ms(500) >= 45, "half within {} ms", jittery.delay_ms(500));
}

#[test]
fn packets_are_overtaken_doubled_and_altered_as_was_asked_for() {
    let Some(_turn) = turn() else { return };
    let path = Path {
        reorder: Duration::from_millis(100),
        duplicate_per_mille: 50,
        corrupt_per_mille: 10,
        ..Path::of(Duration::from_millis(30))
    };
    let network = Network::new(&[HostPlan { path, ..HostPlan::default() }, HostPlan::default()]).unwrap();
    let probe = probe(network.host(0), network.host(1), 5_000, PACE).unwrap();
    let tally = network.tally(0);
    assert_eq!((tally.packets, tally.refused), (5_000, 0));
    assert_eq!(probe.arrived + probe.doubled + probe.altered, tally.packets + tally.doubled);
    assert!((190..=310).contains(&tally.doubled), "{} doubled", tally.doubled);
    assert!((25..=80).contains(&probe.altered), "{} altered", probe.altered);
    assert!(probe.overtaken > 2_500, "{} overtaken", probe.overtaken);
    let (half, late) = (probe.delay_ms(500), tally.most_late.as_millis() as u64);
    assert!((70..=95 + late).contains(&half), "half within {half} ms, the lab {late} ms late");
}

#[test]
fn an_upload_is_what_was_asked_for() {
    let Some(_turn) = turn() else { return };
    let limited = HostPlan { upload: Some(2_000_000), ..HostPlan::default() };
    let network = Network::new(&[limited, HostPlan::default()]).unwrap();
    // Twice what fits, for two seconds: what waits for more than 200 ms is dropped.
    let probe = probe(network.host(0), network.host(1), 1_000, Duration::from_millis(2)).unwrap();
    let kbit = probe.arrived * 1_028 * 8 / probe.took.as_millis() as u64;
    assert!((1_700..=2_100).contains(&kbit), "{kbit} kbit/s");
}

#[test]
fn long_packets_vanish_where_the_path_shrinks() {
    let Some(_turn) = turn() else { return };
    let network = Network::new(&[HostPlan::default(); 2]).unwrap();
    network.host(1).swallow_longer_than(1_027).unwrap();
    let probe = probe(network.host(0), network.host(1), 50, PACE).unwrap();
    assert_eq!((probe.arrived, network.host(1).counted().unwrap().too_long), (0, 50));
}

#[test]
fn nothing_is_left_behind_not_even_by_a_lab_that_was_killed() {
    let Some(_turn) = turn() else { return };
    let mut lab =
        lab(&["run", "clean", "--viewers", "2", "--for", "30"]).stdout(Stdio::null()).spawn().unwrap();
    let pid = lab.id();
    let ours = || {
        let names = std::fs::read_dir("/run/netns").unwrap().flatten();
        names
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("stratus-lab-{pid}-")))
            .count()
    };
    let deadline = stratus_lab::since_boot() + Duration::from_secs(20);
    while ours() < 5 && stratus_lab::since_boot() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    lab.kill().unwrap();
    lab.wait().unwrap();
    assert!(ours() >= 5, "the hub and four hosts were there");
    drop(Network::new(&[HostPlan::default()]).unwrap());
    assert_eq!(ours(), 0, "the next one sweeps");
}

fn lab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stratus-lab"));
    command.args(arguments);
    command
}

/// A forwarder that was later than this was starved of the processor, and what came of it says nothing.
const MOST_LATE_MS: u64 = 300;
/// How often a scenario is tried on a machine that has no time for it.
const TRIES: usize = 3;

/// How much wider bars on shares and times are here than in the documentation. The first second of a stream, in which
/// paths and parents are still learned, is an eighth of these runs and a thirtieth of the full ones; an unoptimised
/// build on two cores that others use delays every answer; and what is delayed is asked for twice. With the lab less
/// than 150 ms late twice the full bar was seen, at a second late five times. A member that asked for everything from
/// two others would bring a hundred times the bar.
const ROOM: &str = "4";

/// Runs a scenario in short: 20 viewers, 8 s, and so slow a stream that a busy machine keeps up. What must hold anywhere
/// must hold here: nothing missing beyond the scenario's share, nothing altered, everybody at the end, the network as
/// asked. Bars that measure how well it goes have room; `stratus-lab run` holds to them in full.
fn holds(name: &str) {
    let Some(_turn) = turn() else { return };
    for tries_left in (0..TRIES).rev() {
        let arguments = ["run", name, "--json", "--for", "8", "--rate", "1500", "--room", ROOM];
        let output = lab(&arguments).output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let outcome: Outcome = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{name}: {stderr}"));
        writeln!(std::io::stderr(), "{outcome}").unwrap_or_default();
        if outcome.lab_late_ms > MOST_LATE_MS && !output.status.success() && tries_left > 0 {
            continue;
        }
        assert!(output.status.success(), "{name}: {stderr}");
        assert_eq!((outcome.viewers, outcome.failures.len()), (20, 0));
        assert!(outcome.messages >= 600, "{outcome}");
        return;
    }
}

macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            holds($name);
        })*

        #[test]
        fn every_scenario_is_tested() {
            let tested = [$($name),*];
            let untested: Vec<&str> = stratus_lab::SCENARIOS
                .iter()
                .map(|scenario| scenario.name)
                .filter(|name| !tested.contains(name) && !IN_OTHERS.contains(name))
                .collect();
            assert_eq!(untested, Vec::<&str>::new());
            assert!(FilePath::new(env!("CARGO_BIN_EXE_stratus-lab")).is_file());
        }
    };
}

/// What is part of a scenario that is tested; and the one that is not passed every time yet (docs/lab.md).
const IN_OTHERS: [&str; 5] = ["clean", "loss-1", "reorder", "duplicate", "uplinks"];

scenarios! {
    five_in_a_hundred_lost: "loss-5",
    ten_in_a_hundred_lost: "loss-10",
    twenty_in_a_hundred_lost: "loss-20",
    reordered_doubled_and_damaged: "rough",
    twelve_in_a_hundred_lost_in_bursts: "bursts",
    one_in_a_hundred_damaged: "corrupt",
    a_path_that_shrinks: "mtu",
    a_viewer_with_a_cap: "capped",
    a_publisher_that_is_killed_and_comes_back: "restart",
}
