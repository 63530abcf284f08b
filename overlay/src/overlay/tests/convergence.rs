use super::*;

#[test]
fn a_small_group_forms_in_less_than_a_second() {
    // spec OV-10
    for count in [2, 5, 16, 50] {
        let mut net = group(1, count, NetConfig::with_latency(Duration::from_millis(5)));
        let took = time_until(&mut net, seconds(1), is_exact);
        assert!(took.is_some(), "{count} members: {} are in place", exact_count(&net));
    }
}

#[test]
fn a_group_of_sixteen_is_a_full_mesh() {
    let mut net = group(1, 16, NetConfig::default());
    net.run_for(seconds(2));
    assert_eq!(mean_links(&net), 15.0);
}

#[test]
fn fifty_whom_a_server_names_to_each_other_form_with_few_dials() {
    // Each newcomer is told of up to 26 of those before it, one every 20 ms.
    let mut net = strangers(1, 50, NetConfig::default(), overlay);
    for number in 2..=50u64 {
        bootstrap(&mut net, number, number.saturating_sub(26).max(1)..number);
        net.run_for(Duration::from_millis(20));
    }
    let took = time_until(&mut net, seconds(1), is_exact);
    assert!(took.is_some(), "{} are in place", exact_count(&net));
    net.run_for(seconds(20));
    let dials: u64 = net.peers().iter().map(|peer| net.machine(peer).stats().dial_count).sum();
    assert!(dials <= 50 * 20, "{} dials a member", dials / 50);
}

#[test]
fn a_crowd_that_comes_to_one_member_spreads() {
    // spec OV-11
    // More than one member may have; those turned away are told of others.
    let mut net = group(1, 300, NetConfig::default());
    let took = time_until(&mut net, seconds(20), is_exact);
    assert!(took.is_some(), "{} are in place", exact_count(&net));
    assert!(net.links(&peer(1)).len() <= 128);
}

#[test]
fn nobody_stays_alone_because_all_that_it_heard_of_are_full() {
    // spec OV-11: a crowd that is turned away by several at once, each while links to the others are still up
    let small = |number| {
        let config = Config { links: 40, incoming_links: 6, ..Config::default() };
        Overlay::new(config, setup(number))
    };
    let mut net = strangers(1, 200, NetConfig::with_latency(Duration::from_millis(30)), small);
    for number in 2..=200 {
        bootstrap(&mut net, number, [1]);
    }
    net.run_for(seconds(20));
    let alone = net.peers().iter().filter(|peer| net.machine(peer).neighbor_count() == 0).count();
    assert_eq!(alone, 0, "so many are alone");
}

#[test]
fn a_line_of_a_thousand_becomes_a_ring_that_knows_its_size() {
    // spec OV-10, RG-4; a round is an exchange of everybody at most, so at least `hurried_interval` of 1 s
    let mut net = strangers(1, 1_000, NetConfig::default(), overlay);
    for number in 2..=1_000 {
        bootstrap(&mut net, number, [number - 1]);
    }
    let took = time_until(&mut net, seconds(29), is_exact);
    assert!(took.is_some(), "{} are in place", exact_count(&net));
    // RG-19, spec OV-16: each neighbor is asked once in half a minute
    net.run_for(seconds(35));
    let estimate = |peer: &PeerId| net.machine(peer).estimated_member_count();
    let good = net.peers().iter().filter(|peer| (800..=1_200).contains(&estimate(peer))).count();
    assert!(good >= 950, "{good} of 1,000 estimates are within a fifth");
}

fn sent(net: &Net<Overlay>) -> (u64, u64) {
    let traffic = net.peers().iter().map(|peer| net.traffic(peer)).collect::<Vec<_>>();
    (
        traffic.iter().map(|traffic| traffic.sent_bytes).sum(),
        traffic.iter().map(|traffic| traffic.sent_count).sum(),
    )
}

#[test]
fn a_quiet_group_of_fifty_is_cheap() {
    // spec OV-24: 70 bytes are what QUIC, UDP and IP add to a small message
    let mut net = group(1, 50, NetConfig::default());
    net.run_for(seconds(130));
    let (bytes, count) = sent(&net);
    net.run_for(seconds(120));
    let (later_bytes, later_count) = sent(&net);
    let (bytes, count) = ((later_bytes - bytes) / 6_000, (later_count - count) * 10 / 6_000);
    assert!(bytes <= 300 && count <= 40, "{bytes} bytes and {count} tenths of a message a second each");
    assert!(bytes + count * 7 <= 600);
}
