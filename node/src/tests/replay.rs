//! What a member heard, and says again much later.

use std::cell::RefCell;
use std::rc::Rc;

use stratus_core::Time;
use stratus_core::testing::Fate;

use super::*;

/// For so long the replayer hears what any member hears.
const HOUR: Duration = Duration::from_secs(3_600);
/// A message of the stream; all of an hour are 14,400.
const EVERY: Duration = Duration::from_millis(250);
/// 100 Mbit/s.
const BYTES_A_MILLISECOND: usize = 12_500;
/// What UDP, IP and QUIC add to a message.
const OVERHEAD: usize = 68;
/// Who says everything again.
const REPLAYER: u64 = 3;

/// A message, and whether it came as control.
type Frame = (Message, bool);

/// A group that has been there for an hour.
struct Hour {
    net: Net<Node>,
    stream: StreamId,
    written: Vec<Bytes>,
    /// All that the replayer heard.
    heard: Vec<Frame>,
}

fn an_hour() -> Hour {
    let mut net = group(9, 4).untraced();
    let heard: Rc<RefCell<Vec<Frame>>> = Rc::default();
    let writing = heard.clone();
    net.tap(move |passing| {
        if passing.to == peer(REPLAYER) {
            let is_control = matches!(passing.how, Delivery::Control);
            writing.borrow_mut().push((passing.message.clone(), is_control));
        }
        Fate::Pass
    });
    net.run_for(Duration::from_secs(2));
    (1..4).for_each(|number| subscribe(&mut net, &peer(number)));
    let stream = publish(&mut net, &peer(0));
    net.run_for(Duration::from_secs(1));
    let mut written = Vec::new();
    let end = net.now() + HOUR;
    while net.now() < end {
        written.push(say(&mut net, stream, written.len()));
    }
    net.tap(|_| Fate::Pass);
    let heard = heard.borrow().clone();
    Hour { net, stream, written, heard }
}

/// The next message of the stream.
fn say(net: &mut Net<Node>, stream: StreamId, number: usize) -> Bytes {
    let mut payload = vec![7; 700];
    payload[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let payload = Bytes::from(payload);
    let flags =
        PieceFlags { is_start: true, is_end: true, is_key: number.is_multiple_of(8), kind: Kind::Data };
    let piece = Piece { payload: payload.clone(), flags, flush: true };
    net.command(peer(0), Command::Multicast(multicast::Command::Write { stream, piece }));
    net.run_for(EVERY);
    payload
}

/// Says `again` to `to` at 100 Mbit/s, from the beginning and as often as it gets a link; when was it first cut off?
fn replay(net: &mut Net<Node>, to: PeerId, again: &[&Frame], duration: Duration) -> Option<Time> {
    let (end, mut at, mut cut_off) = (net.now() + duration, 0, None);
    while net.now() < end {
        let mut left = BYTES_A_MILLISECOND;
        while net.links(&peer(REPLAYER)).contains(&to) {
            let (message, is_control) = &again[at % again.len()];
            let Some(rest) = left.checked_sub(message.wire_len() + OVERHEAD) else { break };
            left = rest;
            at += 1;
            let live = Delivery::live(net.now(), Duration::from_secs(1), Priority::Push);
            let how = if *is_control { Delivery::Control } else { live };
            net.forge(peer(REPLAYER), to, message, how);
        }
        net.run_for(Duration::from_millis(1));
        if !net.links(&peer(REPLAYER)).contains(&to) {
            cut_off = cut_off.or(Some(net.now()));
            net.connect(peer(REPLAYER), to);
            net.run_for(Duration::from_millis(199));
        }
    }
    cut_off
}

#[test]
fn an_hour_of_frames_said_again_changes_nothing_and_costs_its_sender_every_link() {
    let Hour { mut net, stream, mut written, heard } = an_hour();
    assert!(heard.len() > 40_000, "only {} frames in an hour", heard.len());
    // Everything, in which another's greeting is proof; the stream alone, most of which was true once.
    let all: Vec<_> = heard.iter().collect();
    let of_stream: Vec<_> =
        heard.iter().filter(|(message, _)| matches!(message, Message::Multicast(_))).collect();
    for (victim, again) in [(1, all), (2, of_stream)] {
        let began = net.now();
        let cut_off = replay(&mut net, peer(victim), &again, Duration::from_secs(6)).expect("it is cut off");
        let borne = cut_off.since(began);
        assert!(borne <= Duration::from_secs(5), "member {victim} bore it for {borne:?}");
        let blamed = |(_, event): &(Time, Event)| match event {
            Event::Multicast(multicast::Event::Misbehaved { peer, .. })
            | Event::Overlay(overlay::Event::Misbehaved { peer, .. }) => Some(*peer),
            _ => None,
        };
        let blamed: Vec<PeerId> = net.events(&peer(victim)).iter().filter_map(blamed).collect();
        assert!(blamed.contains(&peer(REPLAYER)) && blamed.iter().all(|who| *who == peer(REPLAYER)));
        assert!(!net.links(&peer(REPLAYER)).contains(&peer(victim)), "it came back");
    }
    // The stream goes on for everybody else as if nothing had been.
    for _ in 0..40 {
        written.push(say(&mut net, stream, written.len()));
    }
    net.run_for(Duration::from_secs(1));
    for number in 1..3 {
        assert!(payloads(&net, &peer(number)) == written, "member {number} was given something else");
    }
}
