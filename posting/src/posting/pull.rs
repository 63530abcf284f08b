use std::sync::Arc;

use stratus_core::{Cx, PeerId};

use super::Posting;
use crate::message::{FULL, MAX_ITEMS, MAX_POSTS};
use crate::wanted::Next;
use crate::{Event, Item, Message, Output, Post};

/// Posts are asked for, and given. Spec PO-5, PO-10.
impl Posting {
    /// A neighbor has these posts.
    pub(super) fn announced(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        is_news: bool,
        items: Vec<Item>,
        out: &mut Vec<Output>,
    ) {
        let mut unkept = 0;
        for item in items {
            if self.history.has(&item) {
                // It need not be told.
                self.neighbors.get_mut(&from).expect("asked before").news.remove(&item);
            } else if self.wanted.get(&item).is_some() {
                self.wanted.also(&item, from, is_news);
            } else if !self.is_out_of_time(cx, &item) && self.refused.get(&item.tag).is_none() {
                unkept += u32::from(!self.want(item, from, is_news));
            }
        }
        if unkept > 0 {
            self.useless(cx, from, unkept, out);
        }
    }

    /// Notes that a post is wanted that `from` has; false if there is no room for it.
    fn want(&mut self, item: Item, from: PeerId, is_news: bool) -> bool {
        let neighbor = self.neighbors.get_mut(&from).expect("asked before");
        let has_room = neighbor.backlog.len() + neighbor.asked < self.config.max_wanted_per_neighbor;
        if !has_room || self.wanted.len() >= self.config.max_wanted {
            return false;
        }
        neighbor.backlog.insert(item);
        self.wanted.add(item, from, is_news);
        true
    }

    /// A post is to be asked of `peer` next.
    pub(super) fn put_off(&mut self, item: Item, peer: PeerId) {
        let neighbor = self.neighbors.get_mut(&peer).expect("spec PO-5: who is gone announces nothing");
        neighbor.backlog.insert(item);
    }

    /// Asks a neighbor for what it has announced, as far as it may be asked at once; news go first and have room of their own.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, peer: PeerId, out: &mut Vec<Output>) {
        let Some(neighbor) = self.neighbors.get_mut(&peer).filter(|known| !known.backlog.is_empty()) else {
            return;
        };
        let most = self.config.max_asked;
        // Not item by item: a request for one post costs as much as one for fifty.
        let has_room = neighbor.asked <= most / 2;
        let is_news = |item: &Item| self.wanted.get(item).is_some_and(|want| want.is_news);
        let room = |is_news: bool| {
            if is_news {
                2 * most
            } else if has_room {
                most
            } else {
                0
            }
        };
        let mut chosen = Vec::new();
        let mut asked = neighbor.asked;
        // The newest first where there are news; a history comes in its order.
        let (news, rest): (Vec<Item>, Vec<Item>) = neighbor.backlog.iter().copied().partition(is_news);
        for (item, is_news) in
            news.into_iter().map(|item| (item, true)).chain(rest.into_iter().map(|item| (item, false)))
        {
            if asked >= room(is_news) || chosen.len() == MAX_ITEMS {
                break;
            }
            neighbor.backlog.remove(&item);
            let patience = if is_news { self.config.pull_timeout } else { self.config.history_timeout };
            if self.wanted.ask(item, peer, cx.now + patience) {
                asked += 1;
                chosen.push(item);
            }
        }
        neighbor.asked = asked;
        if !chosen.is_empty() {
            chosen.sort_unstable();
            self.send(peer, Message::Pull { items: chosen }, out);
        }
    }

    /// The same of everybody.
    pub(super) fn ask_all(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let waiting = self.neighbors.iter().filter(|(_, neighbor)| !neighbor.backlog.is_empty());
        for peer in waiting.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.ask(cx, peer, out);
        }
    }

    /// Gives a neighbor the posts it asks for, as long as it has not been given enough.
    pub(super) fn give(&mut self, cx: &mut Cx<'_>, from: PeerId, items: &[Item], out: &mut Vec<Output>) {
        let (mut posts, mut bytes, mut lacking): (Vec<Arc<Post>>, usize, Vec<Item>) =
            (Vec::new(), 0, Vec::new());
        for item in items {
            let Some(post) = self.history.get(item) else {
                lacking.push(*item);
                continue;
            };
            posts.push(post.clone());
            bytes += post.len();
            if bytes >= FULL || posts.len() == MAX_POSTS {
                self.give_some(cx, from, std::mem::take(&mut posts), std::mem::take(&mut bytes), out);
            }
        }
        if !posts.is_empty() {
            self.give_some(cx, from, posts, bytes, out);
        }
        if !lacking.is_empty() {
            self.send(from, Message::Lack { items: lacking }, out);
        }
    }

    fn give_some(
        &mut self,
        cx: &mut Cx<'_>,
        to: PeerId,
        posts: Vec<Arc<Post>>,
        bytes: usize,
        out: &mut Vec<Output>,
    ) {
        let neighbor = self.neighbors.get_mut(&to).expect("asked before");
        if !neighbor.given.take_many(cx.now, self.config.given, bytes.div_ceil(1_024) as u32) {
            return self.useless(cx, to, 8, out);
        }
        for post in &posts {
            neighbor.news.remove(&post.item());
        }
        for post in &posts {
            if self.own.untaken.remove(&post.item()) {
                out.push(Output::Event(Event::Taken(post.id())));
            }
        }
        self.send(to, Message::Posts(posts), out);
    }

    /// A neighbor does not have what it was asked for.
    pub(super) fn lacked(&mut self, cx: &mut Cx<'_>, from: PeerId, items: &[Item], out: &mut Vec<Output>) {
        for item in items {
            self.failed(*item, from);
        }
        // Nothing in a list of what it lacks is of use, asked for or not.
        self.useless(cx, from, items.len() as u32, out);
        self.ask_all(cx, out);
    }

    /// `peer` did not give a post that it was asked for: another is asked, if another has it.
    fn failed(&mut self, item: Item, peer: PeerId) {
        let Some(next) = self.wanted.fail(item, peer) else { return };
        if let Some(neighbor) = self.neighbors.get_mut(&peer) {
            neighbor.asked -= 1;
        }
        if let Next::Ask(next) = next {
            self.put_off(item, next);
        }
    }

    /// Requests are overdue.
    pub(super) fn give_up(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        while let Some((item, peer)) = self.wanted.overdue(cx.now) {
            self.stats.pulls_failed += 1;
            self.failed(item, peer);
            self.useless(cx, peer, 1, out);
        }
        self.ask_all(cx, out);
    }
}
