use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stratus_core::Cx;

use super::{MAX_UNTOLD, Posting};
use crate::history::{Kept, interval};
use crate::post::MAX_BODY;
use crate::{Author, Draft, Event, Item, Output, Post, PostError};

/// What this member posts itself.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Its key and its right, once it has used it.
    author: Option<Arc<Author>>,
    last_sequence: u64,
    /// What no neighbor was told of yet: there was none.
    pub(super) untold: BTreeSet<Item>,
    /// What no neighbor has taken yet.
    pub(super) untaken: BTreeSet<Item>,
}

impl Posting {
    /// The owner's clock shows `clock`. A clock that is set back lets nothing come again: what is too old stays so.
    pub(super) fn set_clock(&mut self, cx: &mut Cx<'_>, clock: u64) {
        self.clock_ahead = clock.saturating_sub(cx.now.as_micros());
        self.age(cx);
    }

    /// Signs a post, keeps it and tells of it, or says why not.
    pub(super) fn post(&mut self, cx: &mut Cx<'_>, draft: Draft, out: &mut Vec<Output>) {
        let token = draft.token;
        match self.make(cx, draft) {
            Ok(post) => {
                out.push(Output::Event(Event::Posted { token, id: post.id(), sequence: post.sequence() }));
                self.own.last_sequence = post.sequence();
                self.stats.posted += 1;
                if self.own.untaken.len() < MAX_UNTOLD {
                    self.own.untaken.insert(post.item());
                }
                self.take_up(cx, post, &[], true);
            }
            Err(why) => out.push(Output::Event(Event::PostFailed { token, why })),
        }
    }

    fn make(&mut self, cx: &mut Cx<'_>, draft: Draft) -> Result<Arc<Post>, PostError> {
        if draft.body.len() > MAX_BODY {
            return Err(PostError::TooLong);
        }
        let author = self.own_author(&draft)?;
        // No two of ours have one sequence, even if the clock stands still or was set back (spec PO-2).
        let sequence = self.clock(cx.now).max(self.own.last_sequence + 1);
        let posted = self.history.posted(&self.config, &author, sequence);
        if posted.is_full(&self.config, &draft.body) {
            let (_, next) = interval(&self.config, sequence);
            let wait = next.saturating_sub(self.clock(cx.now));
            return Err(PostError::TooFast { wait: Duration::from_micros(wait) });
        }
        let post = Post::signed(&self.setup.group, &self.setup.identity, author, sequence, draft.body);
        Ok(Arc::new(post))
    }

    /// Who we are as a sender. What an authorization is worth is seen by its key: it is the group's or another's.
    fn own_author(&mut self, draft: &Draft) -> Result<Arc<Author>, PostError> {
        let authorization = match &self.setup.authority {
            None => None,
            Some(authority) => Some(
                draft
                    .authorization
                    .as_ref()
                    .filter(|right| right.public() == *authority)
                    .ok_or(PostError::NotAuthorized)?,
            ),
        };
        if self.own.author.is_none() {
            let author = Author::new(&self.setup.group, &self.setup.identity, authorization);
            self.own.author = Some(Arc::new(author));
        }
        Ok(self.own.author.clone().expect("just made"))
    }

    /// Keeps a verified post and, if it is news, plans to tell all but those who have it. False if it was not kept.
    pub(super) fn take_up(
        &mut self,
        cx: &mut Cx<'_>,
        post: Arc<Post>,
        who_have_it: &[stratus_core::PeerId],
        is_news: bool,
    ) -> bool {
        let item = post.item();
        let was_empty = self.history.len() == 0;
        match self.history.keep(&self.config, post) {
            Kept::Yes { instead_of } => {
                if let Some(gone) = instead_of {
                    self.refuse(&gone);
                }
            }
            Kept::TooMany => {
                self.stats.refused.too_many += 1;
                self.refuse(&item);
                return false;
            }
            Kept::TooOld => {
                self.stats.refused.too_old += 1;
                return false;
            }
        }
        if was_empty {
            self.age(cx);
        }
        if is_news {
            self.spread(cx, item, who_have_it);
        }
        self.quicken(cx);
        true
    }
}
