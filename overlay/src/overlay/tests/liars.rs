//! Members that say of others that they are gone.

use stratus_core::Delivery;

use super::*;
use crate::message::{Digest, Message, Role};

/// Those who lie.
const LIARS: [u64; 2] = [2, 3];
const COUNT: u64 = 40;

/// Each liar tells each of its neighbors that all of `victims` are missing, the latest records of whom it has seen.
fn lie(net: &mut Net<Overlay>, victims: &[PeerId]) {
    let digest = |victim: &PeerId| Digest::of(place_of(&RING, victim), net.machine(victim).own_record());
    let missing: Vec<Digest> = victims.iter().map(digest).collect();
    for liar in LIARS.map(peer) {
        for to in net.links(&liar) {
            let missing = missing.clone();
            let (digests, old) = (Vec::new(), Vec::new());
            let offer = Message::Offer { role: Role::Start, members: 0, digests, old, missing };
            net.forge(liar, to, &offer, Delivery::Control);
        }
    }
}

/// All but the liars.
fn honest(net: &Net<Overlay>) -> Vec<PeerId> {
    net.peers().into_iter().filter(|who| !LIARS.map(peer).contains(who)).collect()
}

#[test]
fn two_who_say_that_all_others_are_gone_part_nobody_from_its_neighbors() {
    // spec OV-28
    let mut net = group(7, COUNT, NetConfig::default());
    // Until the links that newcomers made and nobody wants are gone.
    net.run_for(seconds(150));
    let links: Vec<(PeerId, Vec<PeerId>)> =
        honest(&net).into_iter().map(|who| (who, net.links(&who))).collect();
    let victims = honest(&net);
    for second in 0..30 {
        lie(&mut net, &victims);
        net.run_for(seconds(1));
        assert!(is_exact(&net), "in second {second}");
    }
    let kept = |(who, before): &(PeerId, Vec<PeerId>)| {
        let now = net.links(who);
        before.iter().filter(|other| now.contains(other)).count()
    };
    let (kept, all) =
        (links.iter().map(kept).sum::<usize>(), links.iter().map(|(_, before)| before.len()).sum::<usize>());
    assert!(kept * 10 >= all * 9, "{kept} of {all} links are left");
}

#[test]
fn two_who_say_that_newcomers_are_gone_keep_them_from_nobody() {
    // spec OV-28: whoever should be a neighbor on the ring is dialled in spite of what is said
    let mut net = group(7, COUNT, NetConfig::default());
    assert!(time_until(&mut net, seconds(30), is_exact).is_some());
    for newcomer in COUNT + 1..=COUNT + 5 {
        net.add(&format!("n{newcomer}"), peer(newcomer), overlay(newcomer));
        net.run_for(Duration::from_millis(1));
        bootstrap(&mut net, newcomer, [4]);
        let mut waited = 0;
        while waited == 0 || !is_exact(&net) {
            let victims = honest(&net);
            lie(&mut net, &victims);
            net.run_for(seconds(1));
            waited += 1;
            assert!(waited < 20, "{newcomer} is still kept from its neighbors after {waited} s");
        }
    }
}
