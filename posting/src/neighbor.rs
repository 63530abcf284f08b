use std::collections::BTreeSet;

use stratus_core::{Bucket, Time};

use crate::Item;

/// A neighbor, and what is going on with it.
#[derive(Debug, Default)]
pub(crate) struct Neighbor {
    /// What it is to be told of.
    pub(crate) news: BTreeSet<Item>,
    /// Not before this.
    pub(crate) next_news_at: Time,
    /// What it announced and was not asked for yet.
    pub(crate) backlog: BTreeSet<Item>,
    /// How many posts it was asked for and has not given.
    pub(crate) asked: usize,
    /// Messages it may still send.
    pub(crate) messages: Bucket,
    /// Comparisons.
    pub(crate) comparisons: Bucket,
    /// KiB it may still be given.
    pub(crate) given: Bucket,
    /// Useless things it may still send.
    pub(crate) useless: Bucket,
}

impl Neighbor {
    /// Whether nothing is expected of it.
    pub(crate) fn is_idle(&self) -> bool {
        self.backlog.is_empty() && self.asked == 0
    }
}
