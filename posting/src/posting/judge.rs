use std::sync::Arc;
use std::time::Duration;

use stratus_core::{Cx, PeerId};

use super::Posting;
use crate::history::micros;
use crate::wanted::Want;
use crate::{Event, Item, Output, Post};

/// A post of which nobody said that it is news is passed on all the same if it is not older than this: others may have
/// missed it as well.
const RECENT: Duration = Duration::from_secs(30);

/// What is checked of a post before it is kept, shown and passed on. Spec PO-4.
impl Posting {
    /// Takes a post that `from` brought, or refuses it.
    pub(super) fn judge(&mut self, cx: &mut Cx<'_>, from: PeerId, post: Arc<Post>, out: &mut Vec<Output>) {
        let item = post.item();
        let want = self.no_longer_wanted(&item);
        if self.history.has(&item) {
            self.stats.duplicates += 1;
            return self.useless(cx, from, 1, out);
        }
        if want.is_none() {
            self.useless(cx, from, 1, out);
        }
        if self.is_out_of_time(cx, &item) || self.refused.get(&item.tag).is_some() {
            return;
        }
        if let Some(what) = self.forgery(cx, &post) {
            self.stats.refused.forged += 1;
            // Whoever passes on what it has not checked is no better than who forged it.
            return out.push(Output::Event(Event::Misbehaved { peer: from, what }));
        }
        self.accept(cx, from, post, want, out);
    }

    /// A post has come, whoever brought it: nobody is asked for it any more.
    fn no_longer_wanted(&mut self, item: &Item) -> Option<Want> {
        let want = self.wanted.take(item)?;
        if let Some((asked, _)) = want.asked {
            let neighbor =
                self.neighbors.get_mut(&asked).expect("spec PO-5: who is gone is asked for nothing");
            neighbor.asked -= 1;
        } else if let Some(neighbor) = want.others.first().and_then(|peer| self.neighbors.get_mut(peer)) {
            neighbor.backlog.remove(item);
        }
        Some(want)
    }

    /// Whether a post of this moment is from the future or too old. Neither is anybody's guilt: clocks differ, and so do
    /// the ends of histories.
    pub(super) fn is_out_of_time(&mut self, cx: &Cx<'_>, item: &Item) -> bool {
        let latest = self.clock(cx.now).saturating_add(micros(self.config.future_tolerance));
        if item.sequence > latest {
            self.stats.refused.from_the_future += 1;
            return true;
        }
        let is_old = *item < self.history.oldest();
        self.stats.refused.too_old += u64::from(is_old);
        is_old
    }

    /// What is wrong with a post whoever looks at it. The right of a sender that has a post here was checked with it.
    fn forgery(&self, cx: &Cx<'_>, post: &Post) -> Option<&'static str> {
        let setup = &self.setup;
        let is_known = self.history.author(post.author()).is_some();
        if !is_known && !post.author().may_post(cx.verify, &setup.group, setup.authority.as_ref()) {
            return Some("brought a post without the right to post");
        }
        (!post.is_authentic(cx.verify, &setup.group)).then_some("brought a forged post")
    }

    fn accept(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        mut post: Arc<Post>,
        want: Option<Want>,
        out: &mut Vec<Output>,
    ) {
        if let Some(author) = self.history.author(post.author())
            && let Some(own) = Arc::get_mut(&mut post)
        {
            own.share(author);
        }
        let (item, sender) = (post.item(), post.sender());
        let is_recent = post.sequence().saturating_add(micros(RECENT)) >= self.clock(cx.now);
        let is_news = is_recent || want.as_ref().is_some_and(|want| want.is_news);
        let mut who_have_it = vec![from, sender];
        who_have_it.extend(want.into_iter().flat_map(|want| want.others));
        if self.take_up(cx, post.clone(), &who_have_it, is_news) {
            // What one has posted itself comes back when it begins anew: shown as well, as its past.
            self.stats.delivered += 1;
            out.push(Output::Event(Event::Post(post)));
        } else if sender == from && self.refused.get(&item.tag).is_some() {
            let what = "posted more than a member may";
            out.push(Output::Event(Event::Misbehaved { peer: from, what }));
        } else {
            self.useless(cx, from, 1, out);
        }
    }
}
