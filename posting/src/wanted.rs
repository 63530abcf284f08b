use std::collections::{BTreeMap, BTreeSet};

use stratus_core::{PeerId, Time};

use crate::Item;

/// Others that may be asked if the first does not give a post.
const MAX_OTHERS: usize = 3;

/// Posts that neighbors announced and that are not held.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    wants: BTreeMap<Item, Want>,
    /// Of those that were asked for.
    deadlines: BTreeSet<(Time, Item)>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    /// Whom it was asked of, and until when it may answer.
    pub(crate) asked: Option<(PeerId, Time)>,
    /// Who else announced it, the first in whose backlog it is while nobody is asked.
    pub(crate) others: Vec<PeerId>,
    /// Whether it was news to anybody who announced it.
    pub(crate) is_news: bool,
}

/// Who gives what next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// It goes into the backlog of this one.
    Ask(PeerId),
    /// Nobody has it.
    Nobody,
}

impl Wanted {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.wants.len()
    }

    /// What is known of a post that is wanted.
    pub(crate) fn get(&self, item: &Item) -> Option<&Want> {
        self.wants.get(item)
    }

    /// `peer` announced a post that is wanted already; it may be asked later.
    pub(crate) fn also(&mut self, item: &Item, peer: PeerId, is_news: bool) {
        let want = self.wants.get_mut(item).expect("it is wanted");
        want.is_news |= is_news;
        let is_asked = want.asked.is_some_and(|(asked, _)| asked == peer);
        if want.others.len() < MAX_OTHERS && !is_asked && !want.others.contains(&peer) {
            want.others.push(peer);
        }
    }

    /// A post that was not wanted yet is, and `peer` has it.
    pub(crate) fn add(&mut self, item: Item, peer: PeerId, is_news: bool) {
        self.wants.insert(item, Want { asked: None, others: vec![peer], is_news });
    }

    /// `peer` is asked for it; false if it is no longer wanted, or of another.
    pub(crate) fn ask(&mut self, item: Item, peer: PeerId, until: Time) -> bool {
        let Some(want) = self.wants.get_mut(&item).filter(|want| want.asked.is_none()) else { return false };
        want.asked = Some((peer, until));
        want.others.retain(|other| *other != peer);
        self.deadlines.insert((until, item));
        true
    }

    /// Who was asked for it in vain may be forgotten; says who is next. `None`: it was not asked of `peer`.
    pub(crate) fn fail(&mut self, item: Item, peer: PeerId) -> Option<Next> {
        let want = self.wants.get_mut(&item)?;
        let (_, until) = want.asked.filter(|(asked, _)| *asked == peer)?;
        want.asked = None;
        self.deadlines.remove(&(until, item));
        match want.others.first() {
            Some(next) => Some(Next::Ask(*next)),
            None => {
                self.wants.remove(&item);
                Some(Next::Nobody)
            }
        }
    }

    /// It is no longer wanted; says what was known of it.
    pub(crate) fn take(&mut self, item: &Item) -> Option<Want> {
        let want = self.wants.remove(item)?;
        if let Some((_, until)) = want.asked {
            self.deadlines.remove(&(until, *item));
        }
        Some(want)
    }

    /// When the first answer is overdue.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The first that is overdue, and of whom it was asked.
    pub(crate) fn overdue(&self, now: Time) -> Option<(Item, PeerId)> {
        let (_, item) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        let (peer, _) = self.wants[item].asked.expect("what has a deadline was asked for");
        Some((*item, peer))
    }

    /// `peer` is gone. What is left to be asked for goes into the backlogs of those that come back.
    pub(crate) fn forget(&mut self, peer: &PeerId) -> Vec<(Item, PeerId)> {
        let mut moved = Vec::new();
        let mut orphans = Vec::new();
        for (item, want) in &mut self.wants {
            let was_first = want.asked.is_none() && want.others.first() == Some(peer);
            want.others.retain(|other| other != peer);
            if let Some((_, until)) = want.asked.filter(|(asked, _)| asked == peer) {
                want.asked = None;
                self.deadlines.remove(&(until, *item));
            } else if !was_first {
                continue;
            }
            match want.others.first() {
                Some(next) => moved.push((*item, *next)),
                None => orphans.push(*item),
            }
        }
        orphans.iter().for_each(|item| drop(self.wants.remove(item)));
        moved
    }

    /// Whether anything is expected of `peer`, or known of it.
    pub(crate) fn mentions(&self, peer: &PeerId) -> bool {
        let of =
            |want: &Want| want.asked.is_some_and(|(asked, _)| asked == *peer) || want.others.contains(peer);
        self.wants.values().any(of)
    }
}
