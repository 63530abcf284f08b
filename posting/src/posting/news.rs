use stratus_core::{Cx, PeerId, Time};

use super::{MAX_UNTOLD, NEWS, Posting};
use crate::message::MAX_ITEMS;
use crate::{Item, Message, Output};

/// Who is told of a post that is news, and when.
impl Posting {
    /// Chooses neighbors that are to hear of a post, by chance among those that do not have it. Spec PO-5.
    pub(super) fn spread(&mut self, cx: &mut Cx<'_>, item: Item, who_have_it: &[PeerId]) {
        if self.neighbors.is_empty() {
            if self.own.untold.len() < MAX_UNTOLD {
                self.own.untold.insert(item);
            }
            return;
        }
        let others = self.neighbors.keys().filter(|peer| !who_have_it.contains(peer));
        let mut others: Vec<PeerId> = others.copied().collect();
        cx.rng.shuffle(&mut others);
        others.truncate(self.config.announce_neighbors);
        for peer in others {
            let neighbor = self.neighbors.get_mut(&peer).expect("chosen among them");
            // One that is told so much already learns the rest when it is compared with.
            if neighbor.news.len() < MAX_ITEMS {
                neighbor.news.insert(item);
            }
        }
    }

    /// Tells each neighbor its news, unless it was told something a moment ago.
    pub(super) fn tell(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let mut next: Option<Time> = None;
        let mut due = Vec::new();
        for (peer, neighbor) in self.neighbors.iter_mut().filter(|(_, neighbor)| !neighbor.news.is_empty()) {
            if neighbor.next_news_at > cx.now {
                next = Some(next.map_or(neighbor.next_news_at, |at| at.min(neighbor.next_news_at)));
                continue;
            }
            neighbor.next_news_at = cx.now + self.config.announce_interval;
            due.push((*peer, std::mem::take(&mut neighbor.news).into_iter().collect()));
        }
        for (peer, items) in due {
            self.send(peer, Message::Announce { is_news: true, items }, out);
        }
        match next {
            Some(at) => self.timers.set(NEWS, at),
            None => self.timers.clear(NEWS),
        }
    }
}
