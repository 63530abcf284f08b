use std::collections::BTreeMap;

use stratus_core::{Bucket, Rate, Time};

use crate::{Config, Message, StreamAlias};

/// What is served to one neighbor in the long run, as a multiple of what the stream has: repairs, starts and
/// everything else that it asked for. Who gets every fragment twice has what it needs.
const SERVED_TIMES: u64 = 2;
/// Slow and young streams are served at least this fast, bytes a second.
const LEAST_SERVED: u64 = 64 << 10;
/// And at least this much at once.
const LEAST_SERVED_AT_ONCE: u64 = 1 << 20;

/// How much one neighbor may ask, claim and waste before it is taken for hostile (spec MC-23).
///
/// Every kind of message has a bucket of its own, so that no good deed pays for a bad one. What is over is
/// ignored, and counts as useless, like fragments that were here already or that nobody wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tolerance {
    announcements: Bucket,
    control: Bucket,
    maps: Bucket,
    wants: Bucket,
    refusals: Bucket,
    starts: Bucket,
    useless: Bucket,
    /// What was served lately, stream by stream; only of streams that are known.
    served: BTreeMap<StreamAlias, Served>,
    is_exhausted: bool,
}

/// How much of one stream one neighbor may be given for the asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Serving {
    rate: u64,
    at_once: u64,
}

impl Serving {
    /// For a stream that takes `wire` bytes a second and of which `held` bytes are here.
    pub(crate) fn of(wire: u64, held: usize) -> Self {
        Self {
            rate: wire.max(LEAST_SERVED).saturating_mul(SERVED_TIMES),
            at_once: (held as u64).saturating_mul(SERVED_TIMES) + LEAST_SERVED_AT_ONCE,
        }
    }
}

/// A leaky bucket of bytes.
#[derive(Clone, Copy, Debug)]
struct Served {
    bytes: u64,
    at: Time,
}

impl Tolerance {
    /// What is over a rate weighs as much as so many useless fragments: it comes of no accident on the way.
    pub(crate) const EXCESS: u32 = 8;

    /// Whether the message is within what one neighbor may say. Fragments and manifests are judged by their use.
    pub(crate) fn admits(&mut self, now: Time, config: &Config, message: &Message) -> bool {
        let count = |items: usize| items.max(1) as u32;
        match message {
            Message::Announce { .. } => self.announcements.take(now, config.announcements),
            Message::Map { .. } => self.maps.take(now, config.maps),
            Message::Pull { wants, .. } => self.wants.take_many(now, config.pulls, count(wants.len())),
            Message::Refuse { runs, .. } => self.refusals.take_many(now, config.pulls, count(runs.len())),
            Message::Start { .. } | Message::Seek { .. } => self.starts.take(now, config.starts),
            Message::Interest { .. }
            | Message::Subscribers { .. }
            | Message::PushRequest(_)
            | Message::PushAnswer(_)
            | Message::PushStop(_)
            | Message::StartAnswer(_) => self.control.take(now, config.control),
            Message::Manifest { .. } | Message::Fragment { .. } => true,
        }
    }

    /// Something useless came; true if it was too much, and only the first time.
    ///
    /// A fast start that was asked of two neighbors brings everything twice, so `fragments_a_second` of the
    /// quickest stream raise what is borne.
    pub(crate) fn is_tried_by_useless(
        &mut self,
        now: Time,
        config: &Config,
        fragments_a_second: u64,
        weight: u32,
    ) -> bool {
        let retained = fragments_a_second.saturating_mul(config.key_retention.as_secs() + 1);
        let burst = config.useless.burst.max(u32::try_from(retained).unwrap_or(u32::MAX));
        let rate = Rate { burst, ..config.useless };
        if self.is_exhausted || self.useless.take_many(now, rate, weight) {
            return false;
        }
        self.is_exhausted = true;
        true
    }

    /// Whether more of the stream may be given to this neighbor for the asking.
    pub(crate) fn may_be_served(&mut self, now: Time, alias: StreamAlias, serving: Serving) -> bool {
        let served = self.served.entry(alias).or_insert(Served { bytes: 0, at: now });
        let micros = u64::try_from(now.since(served.at).as_micros()).unwrap_or(u64::MAX);
        let leaked = serving.rate.saturating_mul(micros) / 1_000_000;
        // The moment moves only when something leaked, or rounding would keep it full.
        if leaked > 0 {
            served.bytes = served.bytes.saturating_sub(leaked);
            served.at = now;
        }
        served.bytes < serving.at_once
    }

    /// This much of the stream was given.
    pub(crate) fn note_served(&mut self, alias: StreamAlias, bytes: usize) {
        if let Some(served) = self.served.get_mut(&alias) {
            served.bytes = served.bytes.saturating_add(bytes as u64);
        }
    }

    /// The stream is not known any more.
    pub(crate) fn forget_stream(&mut self, alias: StreamAlias) {
        self.served.remove(&alias);
    }

    /// For how many streams something is kept: never more than are known.
    pub(crate) fn len(&self) -> usize {
        self.served.len()
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::testing::identity;

    use super::*;
    use crate::StreamId;
    use crate::message::Want;

    fn alias() -> StreamAlias {
        StreamId(identity(1_000).public()).alias()
    }

    fn admitted(config: &Config, at: Time, message: &Message, count: usize) -> usize {
        let mut tolerance = Tolerance::default();
        (0..count).filter(|_| tolerance.admits(at, config, message)).count()
    }

    #[test]
    fn each_kind_passes_up_to_its_burst_and_not_once_more() {
        let rate = |burst| Rate { burst, per_second: 1 };
        let config =
            Config { control: rate(3), maps: rate(7), pulls: rate(50), starts: rate(2), ..Config::default() };
        let stream = alias();
        let now = Time::from_millis(700);
        let map = Message::Map { stream, map: crate::Availability::of_held(0, std::iter::once(true)) };
        assert_eq!(admitted(&config, now, &map, 8), 7);
        let want = Want { run: 3, manifest: true, positions: stratus_core::BitSet::first(2) };
        let pull = Message::Pull { stream, wants: vec![want; 25] };
        assert_eq!(admitted(&config, now, &pull, 3), 2, "what counts is how many runs are asked for");
        let nothing = Message::Pull { stream, wants: Vec::new() };
        assert_eq!(admitted(&config, now, &nothing, 51), 50, "asking for nothing is not free");
        assert_eq!(
            admitted(&config, now, &Message::Refuse { stream, is_busy: false, runs: vec![7; 50] }, 2),
            1
        );
        assert_eq!(admitted(&config, now, &Message::Start { stream }, 3), 2);
        let others = Message::Subscribers { stream, subscribers: Vec::new() };
        assert_eq!(admitted(&config, now, &others, 4), 3);
    }

    #[test]
    fn one_kind_does_not_pay_for_another() {
        let config = Config { starts: Rate { burst: 1, per_second: 1 }, ..Config::default() };
        let (stream, now) = (alias(), Time::from_millis(700));
        let mut tolerance = Tolerance::default();
        assert!(tolerance.admits(now, &config, &Message::Start { stream }));
        assert!(!tolerance.admits(now, &config, &Message::Start { stream }));
        let nothing = Message::Pull { stream, wants: Vec::new() };
        assert!(tolerance.admits(now, &config, &nothing));
    }

    #[test]
    fn the_useless_is_borne_up_to_the_burst_and_told_once() {
        let config = Config { useless: Rate { burst: 50, per_second: 7 }, ..Config::default() };
        let now = Time::from_millis(700);
        let mut tolerance = Tolerance::default();
        let told: Vec<usize> =
            (0..200).filter(|_| tolerance.is_tried_by_useless(now, &config, 0, 1)).collect();
        assert_eq!(told, [50]);
        let mut tolerance = Tolerance::default();
        let patient = (0..200).filter(|_| tolerance.is_tried_by_useless(now, &config, 100, 1)).count();
        assert_eq!(patient, 0, "a quick stream's start may come twice");
    }

    #[test]
    fn a_neighbor_is_served_twice_what_there_is_and_then_at_twice_the_rate() {
        let serving = Serving::of(1_000_000, 3 << 20);
        let mut tolerance = Tolerance::default();
        let mut now = Time::from_millis(700);
        let mut served = 0;
        let mut serve = |now, served: &mut u64| {
            while tolerance.may_be_served(now, alias(), serving) {
                tolerance.note_served(alias(), 1_128);
                *served += 1_128;
            }
        };
        serve(now, &mut served);
        assert!((7 << 20..(7 << 20) + 1_128).contains(&served), "{served} at once");
        served = 0;
        for _ in 0..1_000 {
            now += std::time::Duration::from_millis(1);
            serve(now, &mut served);
        }
        assert!((1_990_000..2_010_000).contains(&served), "{served} in a second");
    }
}
