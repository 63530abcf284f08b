use stratus_core::{Deadline, Delivery, Identity, Priority};

use super::*;
use crate::size::Size;

/// Sends what it is told to, tells what it hears, and chatters at random if it has a period.
struct Toy {
    links: Vec<PeerId>,
    period: Option<Duration>,
    next: Option<Time>,
    said: u64,
}

#[derive(Debug)]
struct Note {
    number: u64,
    length: usize,
}

enum Order {
    Dial(PeerId),
    HangUp(PeerId),
    Say { to: PeerId, note: Note, how: Delivery },
    Failed,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Heard {
    Up,
    Down,
    Failed,
    Note(u64),
}

impl Machine for Toy {
    type Input = Input<Note, Order>;
    type Output = Output<Note, Heard>;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Self::Input, out: &mut Vec<Self::Output>) {
        match input {
            Input::Connected(peer) => {
                self.links.push(peer);
                self.next = self.period.map(|period| cx.now + cx.rng.jitter(period));
                out.push(Output::Event(Heard::Up));
            }
            Input::Disconnected(peer) => {
                self.links.retain(|link| *link != peer);
                out.push(Output::Event(Heard::Down));
            }
            Input::Received { message, .. } => out.push(Output::Event(Heard::Note(message.number))),
            Input::Command(Order::Dial(peer)) => out.push(Output::Connect(peer)),
            Input::Command(Order::HangUp(peer)) => out.push(Output::Disconnect(peer)),
            Input::Command(Order::Say { to, note, how }) => out.push(Output::Send { to, message: note, how }),
            Input::Command(Order::Failed) => out.push(Output::Event(Heard::Failed)),
        }
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Self::Output>) {
        let (Some(period), Some(_)) = (self.period, self.next.filter(|next| *next <= cx.now)) else { return };
        self.next = Some(cx.now + cx.rng.jitter(period));
        if let Some(&to) = cx.rng.pick(&self.links) {
            self.said += 1;
            let message = Note { number: self.said, length: cx.rng.below(900) as usize };
            out.push(Output::Send { to, message, how: Delivery::Control });
        }
    }

    fn deadline(&self) -> Option<Deadline> {
        self.next.map(|at| Deadline { at, timer: "chatter" })
    }
}

impl Member for Toy {
    type Message = Note;
    type Command = Order;
    type Event = Heard;

    fn connect_failed(_: PeerId) -> Order {
        Order::Failed
    }

    fn length_of(note: &Note) -> usize {
        note.length
    }
}

/// Notes everything down.
#[derive(Default)]
struct Diary {
    events: Vec<(Time, u32, Heard)>,
    sent: Vec<(Time, u32)>,
    arrived: Vec<(Time, u64)>,
}

impl Watch<Toy> for Diary {
    fn sent(&mut self, now: Time, packet: &Packet<Note>) {
        self.sent.push((now, packet.head.from));
    }
    fn arrived(&mut self, now: Time, packet: &Packet<Note>) {
        self.arrived.push((now, packet.head.size.bytes));
    }
    fn event(&mut self, now: Time, member: u32, event: Heard) -> (u64, u64) {
        let number = if let Heard::Note(number) = event { number } else { 0 };
        self.events.push((now, member, event));
        (number, 0)
    }
}

type ToyWorld = World<Toy, Diary>;

const ONE_WAY: Duration = Duration::from_millis(10);

fn still() -> Config {
    Config::new(Latency::Uniform { low: ONE_WAY, high: ONE_WAY, seed: 0 })
}

fn peer(number: u32) -> PeerId {
    Identity::from_seed([number as u8; 32]).peer()
}

fn world(config: Config, members: u32, rate: u64) -> ToyWorld {
    let mut world = World::new(config, 41, 0, Diary::default());
    for number in 0..members {
        let toy = Toy { links: Vec::new(), period: None, next: None, said: 0 };
        world.join(peer(number), toy, NonZeroU64::new(rate));
    }
    world
}

/// Two members with a link, at 1 s.
fn pair(config: Config, rate: u64) -> ToyWorld {
    let mut world = world(config, 2, rate);
    world.command(0, Order::Dial(peer(1)));
    world.run_until(Time::from_millis(1_000));
    assert_eq!(world.watch.events.len(), 2, "both ends are up");
    world
}

fn say(world: &mut ToyWorld, number: u64, length: usize, how: Delivery) {
    world.command(0, Order::Say { to: peer(1), note: Note { number, length }, how });
}

fn push(lifetime_ms: u64) -> Delivery {
    Delivery::Live { expires: Time::from_millis(1_000 + lifetime_ms), priority: Priority::Push }
}

fn notes(world: &ToyWorld) -> Vec<u64> {
    let numbers = world.watch.events.iter().filter_map(|(_, _, event)| match event {
        Heard::Note(number) => Some(*number),
        _ => None,
    });
    numbers.collect()
}

/// Ten members in a circle that chatter for three seconds.
fn chatter(seed: u64, config: Config) -> World<Toy, Diary> {
    let mut world = World::new(config, seed, 0, Diary::default());
    for number in 0..10 {
        let period = Some(Duration::from_millis(3));
        let toy = Toy { links: Vec::new(), period, next: None, said: 0 };
        world.join(peer(number), toy, NonZeroU64::new(700_000));
    }
    for number in 0..10 {
        world.command(number, Order::Dial(peer((number + 1) % 10)));
    }
    world.run_until(Time::from_millis(3_000));
    world
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let hash = |seed| chatter(seed, Config { loss_ppm: 50_000, ..still() }).trace().hash();
    assert_eq!(hash(3), hash(3));
    assert_ne!(hash(3), hash(4));
}

#[test]
fn a_dial_takes_three_journeys_and_both_ends_come_up() {
    let world = pair(still(), 0);
    let at = Time::from_millis(30);
    assert_eq!(world.watch.events, [(at, 1, Heard::Up), (at, 0, Heard::Up)]);
}

#[test]
fn two_that_dial_each_other_get_one_link() {
    let mut world = world(still(), 2, 0);
    world.command(0, Order::Dial(peer(1)));
    world.command(1, Order::Dial(peer(0)));
    world.run_until(Time::from_millis(1_000));
    assert_eq!((world.watch.events.len(), world.link_count(0), world.link_count(1)), (2, 1, 1));
}

#[test]
fn a_dial_to_the_dead_or_to_nobody_fails_at_the_timeout() {
    let mut world = world(still(), 2, 0);
    world.kill(1);
    world.command(0, Order::Dial(peer(1)));
    world.command(0, Order::Dial(peer(50)));
    world.run_until(Time::from_millis(9_000));
    let at = Time::from_millis(5_000);
    assert_eq!(world.watch.events, [(at, 0, Heard::Failed), (at, 0, Heard::Failed)]);
}

#[test]
fn a_crowd_that_dials_a_slow_member_is_let_in_as_fast_as_that_can_answer() {
    let mut world = World::new(Config { most_links: 500, ..still() }, 41, 0, Diary::default());
    for number in 0..250 {
        let period = (number == 0).then_some(Duration::from_millis(10));
        let toy = Toy { links: Vec::new(), period, next: None, said: 0 };
        // A hundred handshakes a second.
        world.join(peer(number), toy, NonZeroU64::new(100 * crate::size::HANDSHAKE_BYTES));
    }
    (1..250).for_each(|number| world.command(number, Order::Dial(peer(0))));
    let let_in = |world: &ToyWorld| {
        world.watch.events.iter().filter(|(_, member, event)| *member == 0 && *event == Heard::Up).count()
    };
    world.run_until(Time::from_millis(100));
    assert_eq!(let_in(&world), 128);
    world.run_until(Time::from_millis(6_000));
    assert_eq!(let_in(&world), 249);
    assert!(world.watch.events.iter().all(|(_, _, event)| *event != Heard::Failed));
}

#[test]
fn a_member_with_as_many_links_as_it_may_have_refuses() {
    let mut world = world(Config { most_links: 1, ..still() }, 3, 0);
    world.command(0, Order::Dial(peer(1)));
    world.run_until(Time::from_millis(100));
    world.command(2, Order::Dial(peer(1)));
    world.run_until(Time::from_millis(200));
    assert_eq!(world.watch.events[2..], [(Time::from_millis(130), 2, Heard::Failed)]);
}

#[test]
fn the_other_end_of_a_closed_link_hears_one_journey_later() {
    let mut world = pair(still(), 0);
    world.command(0, Order::HangUp(peer(1)));
    say(&mut world, 7, 50, Delivery::Control);
    world.run_until(Time::from_millis(2_000));
    let ends = [(Time::from_millis(1_000), 0, Heard::Down), (Time::from_millis(1_010), 1, Heard::Down)];
    assert_eq!(world.watch.events[2..], ends);
    assert_eq!(world.totals().unlinked, 1, "what was said after hanging up went nowhere");
}

#[test]
fn the_dead_send_nothing_and_are_missed_at_the_idle_timeout() {
    let mut world = chatter(8, still());
    world.kill(3);
    let killed_at = world.now();
    world.run_until(Time::from_millis(30_000));
    assert!(world.watch.sent.iter().any(|&(at, from)| from == 3 && at < killed_at));
    assert!(!world.watch.sent.iter().any(|&(at, from)| from == 3 && at >= killed_at));
    let down: Vec<_> = world.watch.events.iter().filter(|(_, _, event)| *event == Heard::Down).collect();
    let at = Time::from_millis(23_000);
    assert_eq!(down, [&(at, 2, Heard::Down), &(at, 4, Heard::Down)]);
}

#[test]
fn what_a_leaver_said_last_arrives_before_the_end_of_the_link() {
    let mut world = pair(still(), 0);
    let note = Note { number: 7, length: 50 };
    world.leave(0, Order::Say { to: peer(1), note, how: Delivery::Control });
    world.run_until(Time::from_millis(2_000));
    let at = Time::from_millis(1_010);
    assert_eq!(world.watch.events[2..], [(at, 1, Heard::Note(7)), (at, 1, Heard::Down)]);
}

#[test]
fn an_uplink_never_sends_more_than_its_rate() {
    let rate = 700_000;
    let mut world = pair(still(), rate);
    for number in 0..300 {
        say(&mut world, number, 3 + (number as usize * 37) % 1_100, push(60_000));
    }
    world.run_until(Time::from_millis(3_000));
    assert_eq!(notes(&world).len(), 300);
    let mut sent_bytes = 0;
    for &(at, bytes) in &world.watch.arrived {
        sent_bytes += bytes;
        // The handshake is owed and goes first.
        let spent = at.since(Time::from_millis(1_010)).as_micros() as u64;
        assert!(sent_bytes * 1_000_000 <= (spent + 1) * rate, "{sent_bytes} bytes within {spent} µs");
    }
    let spent = world.watch.arrived.last().unwrap().0.since(Time::from_millis(1_010));
    let used = (sent_bytes + crate::size::HANDSHAKE_BYTES) as f64 / (rate as f64 * spent.as_secs_f64());
    assert!(used > 0.999, "only {used} of the uplink was used");
}

#[test]
fn a_datagram_that_expires_in_the_queue_is_never_sent() {
    let bytes = Size::of(1_000, push(0)).bytes;
    let mut world = pair(still(), bytes * 100);
    // The handshake's debt goes with the first.
    say(&mut world, 0, 0, Delivery::Control);
    world.run_until(Time::from_millis(1_100));
    for number in 1..=10 {
        say(&mut world, number, 1_000, push(100 + 45));
    }
    world.run_until(Time::from_millis(3_000));
    assert_eq!(notes(&world), [0, 1, 2, 3, 4, 5]);
    assert_eq!(world.totals().expired, 5);
}

#[test]
fn datagrams_are_lost_in_the_share_asked_for_and_control_is_late_and_in_order() {
    let mut world = pair(Config { loss_ppm: 100_000, ..still() }, 0);
    for number in 0..5_000 {
        say(&mut world, number, 50, push(60_000));
    }
    world.run_until(Time::from_millis(2_000));
    let arrived = notes(&world).len();
    assert!((4_400..4_600).contains(&arrived), "{arrived} of 5,000 at 10 % loss");

    world.watch.events.clear();
    for number in 0..500 {
        say(&mut world, number, 50, Delivery::Control);
    }
    world.run_until(Time::from_millis(3_000));
    assert_eq!(notes(&world), (0..500).collect::<Vec<_>>());
    let late = world.watch.events.iter().filter(|(at, ..)| *at > Time::from_millis(2_010)).count();
    assert!(late > 400, "one lost early holds up those behind it");
}

#[test]
fn jitter_lets_datagrams_overtake_one_another() {
    let mut world = pair(Config { jitter: Duration::from_millis(5), ..still() }, 0);
    for number in 0..50 {
        say(&mut world, number, 50, push(60_000));
    }
    world.run_until(Time::from_millis(2_000));
    let mut arrived = notes(&world);
    assert!(!arrived.is_sorted(), "nothing was overtaken");
    arrived.sort_unstable();
    assert_eq!(arrived, (0..50).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_under_way_in_the_end() {
    let mut world = chatter(9, Config { loss_ppm: 10_000, ..still() });
    for number in 0..10 {
        world.kill(number);
    }
    world.run_until(Time::from_millis(60_000));
    assert_eq!((world.packet_count(), world.queue.len()), (0, 0));
}

#[test]
fn a_frozen_member_hears_afterwards_what_came_and_says_nothing_until_then() {
    let mut world = pair(still(), 0);
    world.freeze(1, Time::from_millis(3_000));
    say(&mut world, 7, 50, push(9_000));
    say(&mut world, 8, 50, Delivery::Control);
    world.command(1, Order::Dial(peer(0)));
    world.run_until(Time::from_millis(2_999));
    assert_eq!(notes(&world), Vec::<u64>::new());
    world.run_until(Time::from_millis(3_001));
    assert_eq!(notes(&world), [7, 8]);
    assert_eq!((world.link_count(0), world.link_count(1)), (1, 1), "three seconds end no link");
}

#[test]
fn a_member_that_is_frozen_for_long_is_given_up_by_both_ends() {
    let config = still();
    let idle = config.idle_timeout;
    let mut world = pair(config, 0);
    world.freeze(1, Time::from_millis(1_000) + idle * 2);
    world.run_until(Time::from_millis(1_001) + idle);
    assert_eq!((world.link_count(0), world.link_count(1)), (0, 1), "it does not know yet");
    world.command(0, Order::Dial(peer(1)));
    world.run_until(Time::from_millis(1_001) + idle * 2);
    assert_eq!((world.link_count(0), world.link_count(1)), (0, 0));
    assert_eq!(world.totals().dials_failed, 1, "nobody answers at a frozen member");
}

#[test]
fn what_a_rule_says_of_one_direction_does_not_concern_the_other() {
    let salt = (0..).find(|salt| {
        let rule = Rule { pairs_ppm: 500_000, salt: *salt, trouble: Trouble::Lose(900_000) };
        let loses = |from, to| weather::judge(&[rule], from, to).loss_ppm > 0;
        loses(0, 1) && !loses(1, 0)
    });
    let rule = Rule { pairs_ppm: 500_000, salt: salt.unwrap(), trouble: Trouble::Lose(900_000) };
    let mut world = pair(Config { rules: vec![rule], ..still() }, 0);
    for number in 0..200 {
        say(&mut world, number, 50, push(9_000));
        let back =
            Order::Say { to: peer(0), note: Note { number: 500 + number, length: 50 }, how: push(9_000) };
        world.command(1, back);
    }
    world.run_until(Time::from_millis(5_000));
    let heard = notes(&world);
    let there = heard.iter().filter(|number| **number < 500).count();
    assert!((5..50).contains(&there), "{there} of 200 came through");
    assert_eq!(heard.len() - there, 200);
}

#[test]
fn a_downlink_lets_in_no_more_than_its_rate() {
    let mut world = pair(still(), 0);
    world.limit_downlink(1, NonZeroU64::new(100_000).unwrap());
    for number in 0..50 {
        say(&mut world, number, 1_000, push(9_000));
    }
    world.run_until(Time::from_millis(9_000));
    // A datagram of 1,062 bytes takes 10.6 ms; what would wait more than a quarter of a second is dropped.
    let (first, last) = (world.watch.arrived[0].0, world.watch.arrived.last().unwrap().0);
    assert_eq!(world.watch.arrived.len(), 24);
    assert_eq!(last.since(first), Duration::from_micros(10_620) * 23);
}
