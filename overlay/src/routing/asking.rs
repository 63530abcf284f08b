use std::sync::Arc;

use stratus_core::{Cx, PeerId, Time};

use super::api::{Event, Output};
use super::message::{Message, Reply};
use super::routing::{Routing, control, timer};
use super::value::{Key, Value};
use crate::record::Record;

/// Most questions under way: look-ups of three each, and values to be kept.
pub(super) const MOST_QUESTIONS: usize = 512;

/// A question to one member, which may have to be linked first.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) peer: PeerId,
    /// What is asked; taken once it is sent.
    waiting: Option<Message>,
    pub(super) ends_at: Time,
    pub(super) purpose: Purpose,
    /// Whether we asked for the link.
    is_sought: bool,
}

impl Question {
    /// Whether it is with the member that is asked.
    pub(super) fn is_sent(&self) -> bool {
        self.waiting.is_none()
    }
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
        let patience = if is_linked { self.config.answer_timeout } else { self.config.link_timeout };
        let ends_at = cx.now + patience;
        let waiting = if is_linked {
            out.push(control(peer, message));
            None
        } else {
            self.seek(peer, record?, out);
            Some(message)
        };
        let is_sought = waiting.is_some();
        self.questions.insert(nonce, Question { peer, waiting, ends_at, purpose, is_sought });
        self.timers.set_sooner(timer::QUESTIONS, ends_at);
        self.stats.question_count += 1;
        Some(nonce)
    }

    fn seek(&mut self, peer: PeerId, record: &Arc<Record>, out: &mut Vec<Output>) {
        let count = self.sought.entry(peer).or_default();
        *count += 1;
        if *count == 1 {
            out.push(Output::Event(Event::Seek(record.clone())));
        }
    }

    /// A link is up: asks what was waiting for it.
    pub(super) fn ask_waiting(&mut self, cx: &Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let ends_at = cx.now + self.config.answer_timeout;
        for question in self.questions.values_mut().filter(|question| question.peer == peer) {
            if let Some(message) = question.waiting.take() {
                question.ends_at = ends_at;
                out.push(control(peer, message));
            }
        }
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
            && let Some(count) = self.sought.get_mut(&question.peer)
        {
            *count -= 1;
            if *count == 0 {
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

    /// What waited for so long gets no answer any more.
    pub(super) fn judge_questions(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let now = cx.now;
        self.end_questions(cx, |question| question.ends_at <= now, out);
        if let Some(next) = self.questions.values().map(|question| question.ends_at).min() {
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
