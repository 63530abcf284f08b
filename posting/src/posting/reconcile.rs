use std::time::Duration;

use stratus_core::{Cx, PeerId, Time};

use super::{EXCHANGE, Posting, SESSION};
use crate::history::micros;
use crate::message::{MAX_ITEMS, MAX_SUMMARIES};
use crate::{Item, Listing, Message, Output, Stretch, Summary};

/// Where so few posts are, they are named one by one rather than summed up.
const LEAF: u64 = 32;
/// Into how many parts a stretch is cut that two members do not have the same in.
const PARTS: usize = 16;
/// A comparison in which nothing has happened for so long is over.
const SESSION_LASTS: Duration = Duration::from_millis(1_500);
/// Nobody keeps us from comparing with others for longer than this.
const SESSION_AT_MOST: Duration = Duration::from_secs(20);
/// What is younger than this is still on its way to everybody and not compared while time passes.
const ON_ITS_WAY: Duration = Duration::from_millis(700);
/// Where stretches end that are compared: what is old is the same at most, what is young may differ.
const AGES: [Duration; 5] = [
    Duration::from_secs(60),
    Duration::from_secs(10),
    Duration::from_secs(4),
    Duration::from_secs(2),
    Duration::from_millis(1_200),
];

/// A comparison with one neighbor, until both are known to hold the same or it has given what it has. One at a time: a
/// newcomer would be told of the whole history by everybody.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: PeerId,
    /// By then it is over, whatever comes.
    until: Time,
}

/// Two members find out in which posts they differ. Spec PO-9.
///
/// ```text
///   Compare(sums of some stretches) ──► nothing differs: Same
///                                   ──► a stretch differs and is long: Compare(sums of its parts)
///                                   ──► it differs and is short: Holds(item by item) ──► Announce, Pull
/// ```
impl Posting {
    /// Begins a comparison with the next neighbor that has not been compared with, unless there is one going on.
    pub(super) fn begin_session(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        if self.session.is_some() {
            return;
        }
        let Some(peer) = self.uncompared.pop_front() else { return };
        self.session = Some(Session { peer, until: cx.now + SESSION_AT_MOST });
        self.timers.set(SESSION, cx.now + SESSION_LASTS);
        let summaries = self.overview(cx, true);
        self.stats.comparisons += 1;
        self.send(peer, Message::Compare { is_answer: false, summaries }, out);
    }

    pub(super) fn end_session(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.session = None;
        self.timers.clear(SESSION);
        self.begin_session(cx, out);
    }

    /// Something came of the neighbor that is being compared with: it has more time, or is done.
    pub(super) fn note_progress(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        may_end: bool,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.session.as_ref().filter(|session| session.peer == from) else { return };
        let until = session.until;
        let is_idle = self.neighbors.get(&from).is_none_or(|neighbor| neighbor.is_idle());
        if (may_end && is_idle) || until <= cx.now {
            self.end_session(cx, out);
        } else {
            self.timers.set(SESSION, until.min(cx.now + SESSION_LASTS));
        }
    }

    /// It holds the same.
    pub(super) fn is_same(&mut self, cx: &mut Cx<'_>, from: PeerId, out: &mut Vec<Output>) {
        if self.session.as_ref().is_some_and(|session| session.peer == from) {
            self.end_session(cx, out);
        }
    }

    /// Time passes: compares with one neighbor by chance, again soon while posts come and rarer and rarer when none do.
    pub(super) fn exchange(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let peers: Vec<PeerId> = self.neighbors.keys().copied().collect();
        // While one neighbor gives all that it has, another would only name the same.
        let is_free = self.session.is_none();
        if let Some(peer) = cx.rng.pick(&peers).copied().filter(|_| is_free) {
            let summaries = self.overview(cx, false);
            self.stats.comparisons += 1;
            self.send(peer, Message::Compare { is_answer: false, summaries }, out);
        }
        self.exchange_pause = (self.exchange_pause * 2).min(self.config.idle_exchange_interval);
        self.plan_exchange(cx);
    }

    pub(super) fn plan_exchange(&mut self, cx: &mut Cx<'_>) {
        if !self.neighbors.is_empty() {
            self.timers.set_sooner(EXCHANGE, cx.now + cx.rng.jitter(self.exchange_pause));
        }
    }

    /// A post came: others may be missed.
    pub(super) fn quicken(&mut self, cx: &mut Cx<'_>) {
        if self.exchange_pause > self.config.exchange_interval || self.timers.get(EXCHANGE).is_none() {
            self.exchange_pause = self.config.exchange_interval;
            self.plan_exchange(cx);
        }
    }

    /// The whole history in short, in stretches that end at certain ages; without what is on its way unless asked for.
    fn overview(&self, cx: &Cx<'_>, with_newest: bool) -> Vec<Summary> {
        let clock = self.clock(cx.now);
        let ago = |age: Duration| Item::at(clock.saturating_sub(micros(age)));
        let last = if with_newest { Item::END } else { ago(ON_ITS_WAY) };
        let mut from = self.history.oldest();
        let mut summaries = Vec::with_capacity(AGES.len() + 1);
        for to in AGES.into_iter().map(ago).chain([last]) {
            let stretch = Stretch { from, to };
            if !stretch.is_empty() {
                summaries.push(self.history.summary(stretch));
                from = to;
            }
        }
        summaries
    }

    /// Says where we hold something else than a neighbor that holds this.
    pub(super) fn compared(
        &mut self,
        from: PeerId,
        is_answer: bool,
        theirs: Vec<Summary>,
        out: &mut Vec<Output>,
    ) {
        if !is_answer && self.is_busy_learning(&theirs) {
            return;
        }
        let mut answers = Answers::default();
        for their in theirs {
            self.compare(their, &mut answers);
        }
        if answers.is_empty() {
            return self.send(from, Message::Same, out);
        }
        let Answers { summaries, listings, missing } = answers;
        for chunk in summaries.chunks(MAX_SUMMARIES) {
            self.send(from, Message::Compare { is_answer: true, summaries: chunk.to_vec() }, out);
        }
        for listings in packed(listings) {
            self.send(from, Message::Holds(listings), out);
        }
        self.announce_missing(from, &missing, out);
    }

    /// Whether a neighbor that holds more wants to compare while we learn all that from another.
    fn is_busy_learning(&self, theirs: &[Summary]) -> bool {
        let of_theirs: u64 = theirs.iter().fold(0, |sum, their| sum.saturating_add(their.count));
        self.session.is_some() && of_theirs > self.history.len() as u64
    }

    /// One stretch of theirs against what we hold in it.
    fn compare(&self, their: Summary, answers: &mut Answers) {
        let narrowed = Stretch { from: their.stretch.from.max(self.history.oldest()), ..their.stretch };
        if narrowed.is_empty() {
            return;
        }
        let ours = self.history.summary(narrowed);
        if (ours.count, ours.fingerprint) == (their.count, their.fingerprint) {
            return;
        }
        if their.count == 0 {
            answers.missing.extend(self.history.items(narrowed));
        } else if ours.count <= LEAF {
            let items = self.history.items(narrowed).collect();
            answers.listings.push(Listing { stretch: narrowed, items });
        } else if their.count <= LEAF || narrowed != their.stretch {
            // They can name theirs one by one; or they go back further than we do, and have to look again.
            answers.summaries.push(ours);
        } else {
            let items: Vec<Item> = self.history.items(narrowed).collect();
            answers.summaries.extend(self.parts(narrowed, &items));
        }
    }

    /// A stretch cut into parts with equally many of our posts.
    fn parts(&self, stretch: Stretch, items: &[Item]) -> Vec<Summary> {
        let mut from = stretch.from;
        let mut parts = Vec::with_capacity(PARTS);
        for number in 1..=PARTS {
            let to = items.get(items.len() * number / PARTS).copied().unwrap_or(stretch.to);
            let part = Stretch { from, to };
            if !part.is_empty() {
                parts.push(self.history.summary(part));
                from = to;
            }
        }
        parts
    }

    /// What a neighbor holds, item by item: what it lacks is announced, what is news here is asked for.
    pub(super) fn listed(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        listings: Vec<Listing>,
        out: &mut Vec<Output>,
    ) {
        let mut missing = Vec::new();
        for Listing { stretch, items } in listings {
            let theirs = |item: &Item| items.binary_search(item).is_ok();
            missing.extend(self.history.items(stretch).filter(|item| !theirs(item)));
            self.announced(cx, from, false, items, out);
        }
        self.announce_missing(from, &missing, out);
    }

    fn announce_missing(&mut self, to: PeerId, missing: &[Item], out: &mut Vec<Output>) {
        for items in missing.chunks(MAX_ITEMS) {
            self.send(to, Message::Announce { is_news: false, items: items.to_vec() }, out);
        }
    }
}

/// What is answered to a comparison.
#[derive(Default)]
struct Answers {
    summaries: Vec<Summary>,
    listings: Vec<Listing>,
    missing: Vec<Item>,
}

impl Answers {
    fn is_empty(&self) -> bool {
        self.summaries.is_empty() && self.listings.is_empty() && self.missing.is_empty()
    }
}

/// Lists in messages that are not too long.
fn packed(listings: Vec<Listing>) -> Vec<Vec<Listing>> {
    let mut messages: Vec<Vec<Listing>> = Vec::new();
    let mut room = 0;
    for listing in listings {
        let fits =
            messages.last().is_some_and(|last| last.len() < MAX_SUMMARIES) && listing.items.len() <= room;
        if !fits {
            messages.push(Vec::new());
            room = MAX_ITEMS;
        }
        room -= listing.items.len();
        messages.last_mut().expect("just pushed, if there was none").push(listing);
    }
    messages
}
