//! What an operator sees of a member: links that come and go, exchanges, agreement on the ring.

use super::*;
use crate::changes::{Arrival, Departure};

fn stats(net: &Net<Overlay>, number: u64) -> crate::api::Stats {
    net.machine(&peer(number)).stats()
}

/// Why the links of `number` went, without those that none did.
fn departures(net: &Net<Overlay>, number: u64) -> Vec<(Departure, u64)> {
    let count = |why| (why, stats(net, number).changes.departed(why));
    Departure::ALL.map(count).into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn every_link_that_comes_and_goes_is_counted_by_why() {
    let config = NetConfig { idle_timeout: seconds(60), ..NetConfig::default() };
    let mut net = group(1, 5, config);
    net.run_for(seconds(5));
    let changes = stats(&net, 1).changes;
    assert_eq!(Arrival::ALL.map(|why| changes.arrived(why)).iter().sum::<u64>(), 4);
    assert!(changes.arrived(Arrival::Incoming) > 0, "the first member was dialled: {changes:?}");
    assert!(stats(&net, 2).changes.arrived(Arrival::Wanted) > 0);
    net.command(peer(2), Command::Leave);
    net.command(peer(1), Command::Ban(peer(3)));
    net.run_for(seconds(1));
    net.kill(peer(4));
    net.run_for(seconds(20));
    let expected = [(Departure::Left, 1), (Departure::Silent, 1), (Departure::Banned, 1)];
    assert_eq!(departures(&net, 1), expected);
    // It tries again and again, and is turned away each time.
    assert!(stats(&net, 3).changes.departed(Departure::Lost) > 0, "{:?}", departures(&net, 3));
    assert_eq!(departures(&net, 2), [(Departure::Leaving, 4)]);
}

#[test]
fn exchanges_are_counted_by_who_began_them() {
    let mut net = group(1, 2, NetConfig::default());
    net.run_for(seconds(60));
    let (one, two) = (stats(&net, 1), stats(&net, 2));
    assert!(one.exchange_count > 0 && two.exchange_count > 0, "{one:?}");
    assert_eq!(
        (one.exchange_answered_count, two.exchange_answered_count),
        (two.exchange_count, one.exchange_count)
    );
    assert_eq!((one.exchange_refused_count, two.exchange_refused_count), (0, 0));
}

#[test]
fn the_ring_agrees_when_all_near_links_are_there_and_kept_by_both() {
    let mut net = group(1, 20, NetConfig::default());
    net.run_for(seconds(30));
    let agreement = |net: &Net<Overlay>, number| net.machine(&peer(number)).ring_agreement(net.now());
    assert_eq!((1..=20).map(|number| agreement(&net, number)).collect::<Vec<_>>(), [(6, 6); 20]);
    let mut alone = strangers(1, 1, NetConfig::default(), overlay);
    assert_eq!(agreement(&alone, 1), (0, 0));
    alone.run_for(seconds(1));
    // A near one that has just gone is still heard of, and no link leads to it.
    let near =
        net.machine(&peer(1)).neighbors().into_iter().min_by_key(|neighbor| {
            crate::places::distance(neighbor.address.prefix(), place_of(&RING, &peer(1)))
        });
    net.kill(near.expect("there are neighbors").peer);
    net.run_for(seconds(12));
    let (agreed, nearest) = agreement(&net, 1);
    assert!(agreed <= nearest && nearest == 6, "{agreed} of {nearest}");
}

#[test]
fn a_near_one_that_wants_to_be_rid_of_us_does_not_agree() {
    let nobody: fn(&crate::best::View<'_>) -> crate::best::BestList = |_| crate::best::BestList::default();
    let policy = |number| if number == 2 { nobody } else { Config::default().policy };
    let member = |number| Overlay::new(Config { policy: policy(number), ..Config::default() }, setup(number));
    let mut net = strangers(1, 3, NetConfig::default(), member);
    bootstrap(&mut net, 1, [2, 3]);
    net.connect(peer(1), peer(3));
    net.connect(peer(2), peer(3));
    net.run_for(seconds(5));
    assert_eq!(net.machine(&peer(1)).ring_agreement(net.now()), (2, 2));
    net.run_for(seconds(60));
    assert_eq!(net.machine(&peer(1)).ring_agreement(net.now()), (1, 2), "the second member asked to leave");
}
