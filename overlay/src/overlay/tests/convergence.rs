use super::*;

#[test]
fn a_small_group_forms_in_less_than_a_second() {
    for count in [2, 5, 16, 50] {
        let config = NetConfig::with_latency(Duration::from_millis(5));
        let mut net = group(1, count, config);
        let took = time_until(&mut net, seconds(30), is_exact);
        eprintln!("{count} members: {took:?} {}", mean_links(&net));
    }
}

#[test]
fn a_line_of_a_thousand_becomes_a_ring() {
    let mut net = strangers(1, 1_000, NetConfig::default(), overlay);
    for number in 2..=1_000 {
        bootstrap(&mut net, number, [number - 1]);
    }
    for _ in 0..40 {
        net.run_for(seconds(1));
        let events: u64 = net.peers().iter().map(|p| net.traffic(p).sent_count).sum();
        let bytes: u64 = net.peers().iter().map(|p| net.traffic(p).sent_bytes).sum();
        eprintln!("{:?} {} links {} messages {events} bytes {bytes}", net.now(), exact_count(&net), mean_links(&net));
        if is_exact(&net) {
            break;
        }
    }
    assert!(is_exact(&net));
}

#[test]
fn idle() {
    let mut net = group(1, 50, NetConfig::default());
    net.run_for(seconds(120));
    let before: u64 = net.peers().iter().map(|p| net.traffic(p).sent_bytes).sum();
    let count: u64 = net.peers().iter().map(|p| net.traffic(p).sent_count).sum();
    net.run_for(seconds(100));
    let after: u64 = net.peers().iter().map(|p| net.traffic(p).sent_bytes).sum();
    let count2: u64 = net.peers().iter().map(|p| net.traffic(p).sent_count).sum();
    eprintln!("{} B/s {} messages/s a node; links {}", (after - before) / 5_000, (count2-count) as f64 / 5_000.0,  mean_links(&net));
    eprintln!("{}", net.machine(&peer(1)).neighbors_table());
    eprintln!("{:?}", net.machine(&peer(1)).stats());
}
