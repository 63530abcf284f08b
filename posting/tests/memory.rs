//! What a sender costs, as the system sees it. A process of its own, so that nothing else is counted.

#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{identity, peer};
use stratus_core::{CachingVerify, Cx, GroupId, Machine, Rng, Time};
use stratus_posting::{Command, Config, Draft, Event, Input, Message, Output, Posting, Setup};

const GROUP: GroupId = GroupId::from_bytes([9; 32]);
const SENDERS: u64 = 10_000;

fn machine(number: u64) -> Posting {
    let config = Config { max_posts_per_interval: 1 << 20, ..Config::default() };
    Posting::new(config, Setup { identity: identity(number), group: GROUP, authority: None })
}

/// The wire form of posts of `senders` senders, `posts` in all, as they would come from a neighbor.
fn said(senders: u64, posts: u64) -> Vec<Bytes> {
    let mut rng = Rng::from_seed(3);
    let mut all = Vec::new();
    for number in 0..posts {
        let mut sender = machine(1_000 + number % senders);
        let now = Time::ZERO + Duration::from_micros(1_000 + number);
        let mut cx = Cx { now, rng: &mut rng, verify: &CachingVerify::default() };
        let draft = Draft { token: 0, body: Bytes::from_static(b"a line of chat"), authorization: None };
        sender.handle(&mut cx, Input::Command(Command::Post(Box::new(draft))), &mut Vec::new());
        let post = sender.posts().next().expect("it was posted").clone();
        all.push(stratus_core::Wire::to_bytes(&Message::Posts(vec![post])));
    }
    all
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: usize = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}

/// How many bytes a member grows by that hears all this, and the member.
fn heard(said: &[Bytes]) -> (usize, Posting) {
    let mut member = machine(0);
    let (mut rng, mut out) = (Rng::from_seed(5), Vec::new());
    let before = resident_bytes();
    let verify = CachingVerify::default();
    let mut cx = Cx { now: Time::from_millis(60_000), rng: &mut rng, verify: &verify };
    member.handle(&mut cx, Input::Connected(peer(1)), &mut out);
    for bytes in said {
        let message = stratus_core::Wire::from_bytes(bytes.clone()).expect("a message");
        member.handle(&mut cx, Input::Received { from: peer(1), message }, &mut out);
        let is_shown = |output: &Output| matches!(output, Output::Event(Event::Post(_)));
        assert!(out.iter().any(is_shown));
        out.clear();
    }
    (resident_bytes().saturating_sub(before), member)
}

#[test]
fn ten_thousand_senders_take_at_most_200_bytes_each() {
    let (of_one, of_many) = (said(1, SENDERS), said(SENDERS, SENDERS));
    // The first fills the holes that the making left; all live on, so that the others need memory of their own.
    let _first = heard(&of_many);
    let (one, member) = heard(&of_one);
    let (many, other) = heard(&of_many);
    assert_eq!([member.info().held, other.info().held], [SENDERS; 2]);
    let each = many.saturating_sub(one) / SENDERS as usize;
    writeln!(std::io::stdout(), "{SENDERS} posts of one sender: {one} bytes, of as many: {many}")
        .expect("stdout");
    assert!(one > 1_000_000, "something was measured");
    assert!(each <= 200, "{each} bytes for each sender");
}
