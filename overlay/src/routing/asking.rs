use std::sync::Arc;
use std::time::Duration;

use stratus_core::{Cx, PeerId, Time};

use super::api::{Event, Output};
use super::config::Config;
use super::message::{Message, Reply};
use super::routing::{Routing, timer};
use super::value::{Key, Value};
use crate::record::Record;

/// Most questions under way: look-ups of three each, and values to be kept.
pub(super) const MOST_QUESTIONS: usize = 512;
/// Whoever has not answered after so many round trips is slow.
const ROUND_TRIPS: u32 = 4;
/// How soon it is looked again whether what waits may be asked.
const PACE: Duration = Duration::from_millis(50);

/// A question to one member, which may have to be linked first.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) peer: PeerId,
    /// What is asked; taken once it is sent.
    waiting: Option<Message>,
    /// When the look-up that it is of goes around this member for the time being.
    slow_at: Option<Time>,
    pub(super) ends_at: Time,
    pub(super) purpose: Purpose,
    /// Whether we asked for the link.
    is_sought: bool,
}

impl Question {
    /// Whether there will be no answer when the link with `peer` is gone.
    pub(super) fn ends_with(&self, peer: &PeerId) -> bool {
        self.peer == *peer && (self.waiting.is_none() || !self.is_sought)
    }

    fn next_at(&self) -> Time {
        self.slow_at.map_or(self.ends_at, |slow_at| slow_at.min(self.ends_at))
    }
}

/// Members with whom links are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought {
    /// For so many questions.
    count: u32,
    since: Time,
}

/// What a question is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// A look-up.
    LookUp(u64),
    /// A put of the owner's, by its number.
    Put(u64),
    /// Values that others should keep as well: those offered.
    Offer(Vec<Key>),
    /// One of those that was wished.
    Hand(Key),
}

/// How a question ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Found(Vec<Arc<Record>>),
    Fetched(Option<Value>, Vec<Arc<Record>>),
    Reply(Reply),
    Wish(Vec<Key>),
    /// It never came.
    None,
}

/// Questions to members, linked or to be linked, and their ends. Source: spec RO-9.
impl Routing {
    /// Asks `peer`, who is a neighbor or whose record is given; the number of the question, or `None`: there are too many.
    pub(super) fn ask(
        &mut self,
        cx: &mut Cx<'_>,
        peer: PeerId,
        record: Option<&Arc<Record>>,
        purpose: Purpose,
        message: impl FnOnce(u32) -> Message,
        out: &mut Vec<Output>,
    ) -> Option<u32> {
        if self.questions.len() >= MOST_QUESTIONS {
            return None;
        }
        let nonce = cx.rng.next_u64() as u32;
        if self.questions.contains_key(&nonce) {
            return None;
        }
        let message = message(nonce);
        let is_linked = self.neighbors.contains_key(&peer);
        if !is_linked {
            self.seek(cx.now, peer, record?, out);
        }
        let question = Question {
            peer,
            waiting: Some(message),
            slow_at: matches!(purpose, Purpose::LookUp(_)).then_some(cx.now + self.config.link_patience),
            ends_at: cx.now + self.config.link_timeout,
            purpose,
            is_sought: !is_linked,
        };
        self.timers.set_sooner(timer::QUESTIONS, question.next_at());
        self.questions.insert(nonce, question);
        self.stats.question_count += 1;
        if is_linked {
            self.ask_if_allowed(cx, nonce, out);
        }
        Some(nonce)
    }

    fn seek(&mut self, now: Time, peer: PeerId, record: &Arc<Record>, out: &mut Vec<Output>) {
        let sought = self.sought.entry(peer).or_insert(Sought { count: 0, since: now });
        sought.count += 1;
        if sought.count == 1 {
            out.push(Output::Event(Event::Seek(record.clone())));
        }
    }

    /// A link is up: asks what was waiting for it. It took a round trip at least, which says how far away the member is
    /// until that is measured.
    pub(super) fn ask_waiting(&mut self, cx: &Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let took = self.sought.get(&peer).map(|sought| cx.now.since(sought.since));
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.rtt = neighbor.rtt.or(took);
        }
        self.ask_again(cx, |asked| *asked == peer, out);
    }

    /// Asks what waited because its member had been asked enough.
    pub(super) fn ask_paced(&mut self, cx: &Cx<'_>, out: &mut Vec<Output>) {
        self.ask_again(cx, |_| true, out);
    }

    /// What waits for these members, first come, first served.
    fn ask_again(&mut self, cx: &Cx<'_>, is_for: impl Fn(&PeerId) -> bool, out: &mut Vec<Output>) {
        let waiting = self.questions.iter().filter(|(_, it)| it.waiting.is_some() && is_for(&it.peer));
        let mut waiting: Vec<(Time, u32)> = waiting.map(|(nonce, it)| (it.ends_at, *nonce)).collect();
        waiting.sort_unstable();
        for (_, nonce) in waiting {
            self.ask_if_allowed(cx, nonce, out);
        }
    }

    /// Sends a question if there is a link and its member was not asked too much of late. Source: spec RO-9, DH-6.
    fn ask_if_allowed(&mut self, cx: &Cx<'_>, nonce: u32, out: &mut Vec<Output>) {
        let Some(question) = self.questions.get_mut(&nonce) else { return };
        let peer = question.peer;
        let Some(neighbor) = self.neighbors.get_mut(&peer) else { return };
        let Some(message) = question.waiting.take() else { return };
        let Config { questions_sent, value_kib_sent, answer_timeout, least_patience, .. } = self.config;
        let kib = value_kib(&message);
        let mut handed = neighbor.handed;
        if !handed.take_many(cx.now, value_kib_sent, kib)
            || !neighbor.questions_sent.take(cx.now, questions_sent)
        {
            question.waiting = Some(message);
            self.timers.set_sooner(timer::PACE, cx.now + PACE);
            return;
        }
        neighbor.handed = handed;
        let patience = neighbor.rtt.map_or(answer_timeout, |rtt| rtt * ROUND_TRIPS);
        let patience = patience.max(least_patience);
        question.slow_at =
            question.slow_at.and(Some(cx.now + patience)).filter(|_| patience < answer_timeout);
        question.ends_at = cx.now + answer_timeout;
        self.timers.set_sooner(timer::QUESTIONS, question.next_at());
        self.say(peer, message, out);
    }

    /// Takes the question that an answer is to.
    pub(super) fn take_question(
        &mut self,
        from: PeerId,
        nonce: u32,
        out: &mut Vec<Output>,
    ) -> Option<Question> {
        let is_answerable =
            self.questions.get(&nonce).is_some_and(|known| known.peer == from && known.waiting.is_none());
        if is_answerable { self.end_question(nonce, out) } else { None }
    }

    fn end_question(&mut self, nonce: u32, out: &mut Vec<Output>) -> Option<Question> {
        let question = self.questions.remove(&nonce)?;
        if question.is_sought
            && let Some(sought) = self.sought.get_mut(&question.peer)
        {
            sought.count -= 1;
            if sought.count == 0 {
                self.sought.remove(&question.peer);
                out.push(Output::Event(Event::Release(question.peer)));
            }
        }
        Some(question)
    }

    /// Ends questions that `is_over` picks without an answer, and says so to whoever asked.
    pub(super) fn end_questions(
        &mut self,
        cx: &mut Cx<'_>,
        is_over: impl Fn(&Question) -> bool,
        out: &mut Vec<Output>,
    ) {
        let over: Vec<u32> = self
            .questions
            .iter()
            .filter(|(_, question)| is_over(question))
            .map(|(nonce, _)| *nonce)
            .collect();
        for nonce in over {
            self.stats.unanswered_count += 1;
            if let Some(question) = self.end_question(nonce, out) {
                self.answered(cx, question, Answer::None, out);
            }
        }
    }

    /// What waited for so long gets no answer any more; what is slow is gone around.
    pub(super) fn judge_questions(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let now = cx.now;
        self.end_questions(cx, |question| question.ends_at <= now, out);
        let mut slow = Vec::new();
        for question in self.questions.values_mut() {
            if let (Some(_), Purpose::LookUp(number)) =
                (question.slow_at.take_if(|at| *at <= now), &question.purpose)
            {
                slow.push((*number, question.peer));
            }
        }
        for (number, peer) in slow {
            self.look_up_slow(cx, number, peer, out);
        }
        if let Some(next) = self.questions.values().map(Question::next_at).min() {
            self.timers.set_sooner(timer::QUESTIONS, next);
        }
    }

    /// An answer came, or never will.
    pub(super) fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        question: Question,
        answer: Answer,
        out: &mut Vec<Output>,
    ) {
        let peer = question.peer;
        match question.purpose {
            Purpose::LookUp(number) => self.look_up_answered(cx, number, peer, answer, out),
            Purpose::Put(id) => self.put_answered(id, &answer, out),
            Purpose::Offer(keys) => self.offer_answered(cx, peer, &keys, answer, out),
            Purpose::Hand(key) => self.handed(peer, key, &answer),
        }
    }
}

/// KiB of the value that somebody is asked to keep.
pub(super) fn value_kib(message: &Message) -> u32 {
    match message {
        Message::Keep { value, .. } => value.kib(),
        _ => 0,
    }
}
