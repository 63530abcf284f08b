//! One script, played on real sockets and in the simulator: the applications see the same.
//!
//! The same [`stratus_node::Node`]s with the same keys, the same travel times, the same steps; what differs is
//! everything below the node. Each member's [`Record`](record::Record) must be equal on both stages, and what
//! the script promises.

mod record;
mod script;
mod simulator;
mod sockets;

use std::time::Duration;

use record::Chronicle;
use simulator::Simulator;
use sockets::Sockets;

/// What lies between any two members.
#[derive(Clone, Copy, Debug)]
struct Path {
    one_way: Duration,
    loss_per_mille: u32,
}

/// What the applications of the script see, wherever it is played.
///
/// A member's line: its number, whom it had a link with (`-`: and lost it again), what it was told of streams,
/// and what it played. Messages are named by their place in the script, and only if every byte is right.
const EXPECTED: &str = "
    0 linked 1 2 3 4- 5 6, told +cam, everyone has everything
    1 linked 0 2 3 4- 5 6, told +cam -cam, played start 0..=149 end
    2 linked 0 1 3 4- 5 6, told +cam -cam, played start 0..=149 end
    3 linked 0 1 2 4- 5 6, told +cam -cam, played start 0..=39 start 60..=149 end
    4 linked 0 1 2 3 5, told +cam, played start 0..=39
    5 linked 0 1 2 3 4- 6, told +cam -cam
    6 linked 0 1 2 3 5, told +cam -cam, played start 60..=149 end
";

fn compare(path: Path) {
    let simulated = script::play(&mut Simulator::new(path));
    let real = script::play(&mut Sockets::new(path));
    assert_same("the simulator differs from the script", &simulated.to_string(), EXPECTED);
    assert_same("the sockets differ from the simulator", &real.to_string(), &simulated.to_string());
    assert_eq!(Chronicle::coverages(&real), Chronicle::coverages(&simulated), "who answers for which arc");
}

fn assert_same(what: &str, found: &str, expected: &str) {
    let lines =
        |text: &str| -> Vec<String> { text.trim().lines().map(|line| line.trim().to_owned()).collect() };
    assert_eq!(lines(found), lines(expected), "{what}");
}

#[test]
fn sockets_and_simulator_show_applications_the_same() {
    compare(Path { one_way: Duration::from_millis(20), loss_per_mille: 0 });
}

#[test]
fn sockets_and_simulator_show_applications_the_same_where_packets_are_lost() {
    compare(Path { one_way: Duration::from_millis(20), loss_per_mille: 20 });
}
