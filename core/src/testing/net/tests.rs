use super::*;
use crate::testing::toy::{Toy, ToyCommand, ToyEvent, ToyMessage};
use crate::testing::{lines, peer};
use crate::{Priority, Time};

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;

/// Toys a, b, c, 25 ms apart, no links.
fn net(config: NetConfig) -> Net<Toy> {
    let mut net = Net::new(41, config).telling_failed_dials(ToyCommand::NoAnswer);
    for (name, number) in [("a", A), ("b", B), ("c", C)] {
        net.add(name, peer(number), Toy::default());
    }
    net
}

fn even() -> NetConfig {
    NetConfig::with_latency(Duration::from_millis(25))
}

/// As `net`, with a linked to b.
fn linked(config: NetConfig) -> Net<Toy> {
    let mut net = net(config);
    net.command(peer(A), ToyCommand::Dial(peer(B)));
    net.run_until(Time::from_millis(200));
    net
}

fn heard(net: &Net<Toy>, number: u64) -> Vec<u64> {
    let events = net.events(&peer(number)).iter();
    events
        .filter_map(|(_, event)| if let ToyEvent::Heard(_, said) = event { Some(*said) } else { None })
        .collect()
}

#[test]
fn a_link_takes_a_round_trip_and_words_take_half() {
    let mut net = net(even());
    net.command(peer(A), ToyCommand::Dial(peer(B)));
    net.command_at(Time::from_millis(60), peer(A), ToyCommand::Say(7));
    net.command_at(Time::from_millis(100), peer(B), ToyCommand::Drop(peer(A)));
    net.run_until(Time::from_millis(300));
    assert_eq!(
        net.trace(),
        lines(
            "0.000 a  connect b
             0.050 a  connected b
             0.050 b  connected a
             0.085 b  Heard(a, 7)
             0.100 b  disconnect a
             0.100 b  disconnected a
             0.125 a  disconnected b"
        )
    );
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let run = |seed| {
        let config =
            NetConfig { jitter: Duration::from_millis(30), lost_per_mille: 300, ..NetConfig::default() };
        let mut net = Net::new(seed, config);
        for number in 1..=6 {
            net.add(&format!("n{number}"), peer(number), Toy::default());
        }
        for number in 2..=6 {
            net.command(peer(1), ToyCommand::Dial(peer(number)));
        }
        net.trace_messages();
        net.run_until(Time::from_millis(5_000));
        net.trace().to_owned()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(50));
}

#[test]
fn control_arrives_in_order_and_complete_whatever_the_jitter_and_loss() {
    let config = NetConfig { jitter: Duration::from_millis(400), lost_per_mille: 900, ..even() };
    let mut net = linked(config);
    let said: Vec<u64> = (0..50).collect();
    for number in &said {
        net.command(peer(A), ToyCommand::Say(*number));
    }
    net.run_for(Duration::from_secs(30));
    assert_eq!(heard(&net, B), said);
}

/// What b hears of 200 datagrams from a.
fn datagrams_heard(config: NetConfig) -> Vec<u64> {
    let mut net = linked(config);
    for number in 0..200 {
        let how = Delivery::live(net.now(), Duration::from_secs(1), Priority::Push);
        net.forge(peer(A), peer(B), &ToyMessage::Say(number), how);
    }
    net.run_for(Duration::from_secs(3));
    heard(&net, B)
}

#[test]
fn datagrams_are_lost_doubled_and_overtaken_as_told() {
    let all: Vec<u64> = (0..200).collect();
    assert_eq!(datagrams_heard(even()), all);
    let lossy = datagrams_heard(NetConfig { lost_per_mille: 300, ..even() });
    assert!((110..170).contains(&lossy.len()), "{} of 200 came", lossy.len());
    let doubled = datagrams_heard(NetConfig { doubled_per_mille: 300, ..even() });
    assert!((230..290).contains(&doubled.len()), "{} of 200 came", doubled.len());
    let mut mixed = datagrams_heard(NetConfig { jitter: Duration::from_millis(80), ..even() });
    assert_ne!(mixed, all);
    mixed.sort_unstable();
    assert_eq!(mixed, all);
}

#[test]
fn an_expired_datagram_is_not_sent() {
    let mut net = linked(even());
    let how = Delivery::Live { expires: Time::from_millis(199), priority: Priority::Push };
    net.forge(peer(A), peer(B), &ToyMessage::Say(7), how);
    net.run_for(Duration::from_secs(1));
    assert_eq!(heard(&net, B), []);
}

#[test]
fn a_killed_node_is_missed_after_the_idle_timeout_and_a_stopped_one_at_once() {
    let mut net = linked(even());
    net.command(peer(C), ToyCommand::Dial(peer(B)));
    net.run_until(Time::from_millis(400));
    net.kill(peer(A));
    net.stop(peer(C));
    net.run_until(Time::from_millis(12_000));
    let trace = net.trace();
    assert!(trace.contains("0.425 b  disconnected c\n"), "{trace}");
    assert!(trace.contains("10.400 b  disconnected a\n"), "{trace}");
    assert_eq!(net.links(&peer(B)), []);
}

#[test]
fn a_node_that_comes_back_replaces_its_old_link() {
    let mut net = linked(even());
    let machine = net.kill(peer(A));
    assert_eq!(machine.neighbors.len(), 1);
    net.add("a", peer(A), Toy::default());
    net.command(peer(A), ToyCommand::Dial(peer(B)));
    net.run_until(Time::from_millis(12_000));
    let expected = "0.250 b  disconnected a\n0.250 a  connected b\n0.250 b  connected a\n";
    assert!(net.trace().ends_with(expected), "{}", net.trace());
}

#[test]
fn a_dial_fails_when_blocked_or_when_nobody_is_there() {
    let mut net = net(even());
    net.block_dials(peer(A), peer(C));
    net.command(peer(A), ToyCommand::Dial(peer(C)));
    net.command(peer(B), ToyCommand::Dial(peer(700)));
    net.run_until(Time::from_millis(9_000));
    net.allow_dials(peer(A), peer(C));
    net.command(peer(A), ToyCommand::Dial(peer(C)));
    net.run_until(Time::from_millis(9_100));
    assert_eq!(net.events(&peer(A)), [(Time::from_millis(50), ToyEvent::NoAnswer(peer(C)))]);
    assert_eq!(net.events(&peer(B)), [(Time::from_millis(5_050), ToyEvent::NoAnswer(peer(700)))]);
    assert_eq!(net.links(&peer(A)), [peer(C)]);
}

#[test]
fn both_may_dial_and_get_one_link() {
    let mut net = net(even());
    net.command(peer(A), ToyCommand::Dial(peer(B)));
    net.command(peer(B), ToyCommand::Dial(peer(A)));
    net.run_until(Time::from_millis(300));
    assert_eq!(net.trace().matches("connected").count(), 2);
}

#[test]
fn a_short_partition_delays_control_and_a_long_one_ends_links() {
    let mut net = linked(even());
    net.partition(&[&[peer(A)], &[peer(B), peer(C)]]);
    net.command(peer(A), ToyCommand::Say(3));
    net.run_for(Duration::from_secs(2));
    assert_eq!(heard(&net, B), []);
    net.heal();
    net.run_for(Duration::from_millis(1));
    assert_eq!((heard(&net, B), net.links(&peer(B))), (vec![3], vec![peer(A)]));
    net.partition(&[&[peer(A)]]);
    net.run_for(Duration::from_secs(11));
    assert_eq!((net.links(&peer(A)), net.links(&peer(B))), (vec![], vec![]));
}

#[test]
fn a_tap_sees_drops_and_replaces_messages() {
    let mut net = linked(even());
    net.tap(|passing| match passing.message {
        ToyMessage::Say(3) => Fate::Drop,
        ToyMessage::Say(50) => Fate::Replace(ToyMessage::Say(700)),
        _ => Fate::Pass,
    });
    for number in [3, 50, 7] {
        net.command(peer(A), ToyCommand::Say(number));
    }
    net.run_for(Duration::from_millis(100));
    assert_eq!(heard(&net, B), [700, 7]);
}

#[test]
fn bytes_are_counted_as_encoded() {
    let mut net = linked(even());
    net.command(peer(A), ToyCommand::Say(7));
    net.run_for(Duration::from_millis(100));
    let sent = Traffic { sent_bytes: 9, sent_count: 1, ..Traffic::default() };
    let received = Traffic { received_bytes: 9, received_count: 1, ..Traffic::default() };
    assert_eq!((net.traffic(&peer(A)), net.traffic(&peer(B))), (sent, received));
}

#[test]
fn waiting_for_something_stops_when_it_is_so_or_at_the_end() {
    let mut net = net(even());
    net.command(peer(A), ToyCommand::Dial(peer(B)));
    let linked = |net: &Net<Toy>| !net.machine(&peer(A)).neighbors.is_empty();
    assert!(net.run_until_done(Time::from_millis(700), linked));
    assert_eq!(net.now(), Time::from_millis(50));
    assert!(!net.run_until_done(Time::from_millis(700), |net| net.events(&peer(C)).len() == 1));
    assert_eq!(net.now(), Time::from_millis(700));
}

#[test]
#[should_panic(expected = "law 3: a has no link to b")]
fn sending_without_a_link_fails_the_test() {
    let mut net = net(even());
    net.forge(peer(A), peer(B), &ToyMessage::Say(1), Delivery::Control);
}

#[test]
#[should_panic(expected = "does not read back")]
fn a_message_that_does_not_read_back_fails_the_test() {
    let mut net = linked(even());
    net.forge(peer(A), peer(B), &ToyMessage::Broken, Delivery::Control);
    net.run_for(Duration::from_secs(1));
}
