use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{DirectVerify, Verify};

use crate::senders::{Senders, short};
use crate::{Author, Config, Item, Post, Stretch, Summary};

/// The posts that are held, in their order, and the moment before which none are any more (spec PO-8).
///
/// What is held *is* what was seen: a post is shown when it comes in here, and nothing older than `oldest` ever comes in
/// again. So no post is shown twice, and no memory of what was seen is needed besides.
#[derive(Debug)]
pub(crate) struct History {
    posts: BTreeMap<Item, Arc<Post>>,
    /// The same by sender, to count what one posts.
    by_sender: BTreeSet<(u64, Item)>,
    senders: Senders,
    oldest: Item,
    bytes: usize,
}

/// What came of a post that was to be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// It is, in place of this later one of its sender, if there were too many.
    Yes {
        /// The one that went.
        instead_of: Option<Item>,
    },
    /// Its sender has posted as much in that time already.
    TooMany,
    /// It is older than all that there is room for.
    TooOld,
}

/// Posts of one sender in one interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Posted {
    all: Share,
    /// Those of them with long bodies.
    long: Share,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Share {
    count: usize,
    last: Option<Item>,
}

impl Share {
    /// Items come in their order.
    fn add(&mut self, item: Item) {
        self.count += 1;
        self.last = Some(item);
    }
}

impl Posted {
    /// Whether the sender may not post this as well.
    pub(crate) fn is_full(&self, config: &Config, body: &Bytes) -> bool {
        self.full(config, body).is_some()
    }

    /// Of what there are too many for one more with this body, if of anything.
    fn full(&self, config: &Config, body: &Bytes) -> Option<Share> {
        if is_long(config, body) && self.long.count >= config.max_long_posts_per_interval {
            return Some(self.long);
        }
        (self.all.count >= config.max_posts_per_interval).then_some(self.all)
    }
}

fn is_long(config: &Config, body: &Bytes) -> bool {
    body.len() > config.long_body_bytes
}

impl Default for History {
    fn default() -> Self {
        Self {
            posts: BTreeMap::new(),
            by_sender: BTreeSet::new(),
            senders: Senders::default(),
            oldest: Item::FIRST,
            bytes: 0,
        }
    }
}

impl History {
    /// Whether this post is held.
    pub(crate) fn has(&self, item: &Item) -> bool {
        self.posts.contains_key(item)
    }

    /// The post, if it is held.
    pub(crate) fn get(&self, item: &Item) -> Option<&Arc<Post>> {
        self.posts.get(item)
    }

    /// All that is held, in order.
    pub(crate) fn posts(&self) -> impl Iterator<Item = &Arc<Post>> {
        self.posts.values()
    }

    /// Nothing before this is held, or ever will be.
    pub(crate) fn oldest(&self) -> Item {
        self.oldest
    }

    /// How many posts are held.
    pub(crate) fn len(&self) -> usize {
        self.posts.len()
    }

    /// Their bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many senders they have.
    pub(crate) fn sender_count(&self) -> usize {
        self.senders.len()
    }

    /// The author as it is known, if a post of it is held.
    pub(crate) fn author(&self, author: &Author) -> Option<&Arc<Author>> {
        self.senders.known(author)
    }

    /// What of the sender of `author` is held of the interval of `sequence`.
    pub(crate) fn posted(&self, config: &Config, author: &Author, sequence: u64) -> Posted {
        let (from, to) = interval(config, sequence);
        let sender = short(&author.key);
        let mut posted = Posted::default();
        for (_, item) in self.by_sender.range((sender, Item::at(from))..(sender, Item::at(to))) {
            posted.all.add(*item);
            if is_long(config, self.posts[item].body()) {
                posted.long.add(*item);
            }
        }
        posted
    }

    /// Keeps a post that is new, not too old, and verified.
    ///
    /// Of what one sender posts in one interval the earliest are kept, and of the long ones among them (spec PO-7): whatever
    /// the order in which posts come, all members end with the same.
    pub(crate) fn keep(&mut self, config: &Config, post: Arc<Post>) -> Kept {
        let item = post.item();
        assert!(item >= self.oldest && !self.has(&item), "spec PO-8: kept twice or too late");
        let posted = self.posted(config, post.author(), post.sequence());
        let mut instead_of = None;
        // A long one makes room for a long one, so that there is room for it among all.
        if let Some(share) = posted.full(config, post.body()) {
            match share.last.filter(|last| item < *last) {
                None => return Kept::TooMany,
                Some(last) => {
                    self.remove(&last);
                    instead_of = Some(last);
                }
            }
        }
        self.bytes += post.len();
        self.senders.add(post.author());
        self.by_sender.insert((short(&post.author().key), item));
        self.posts.insert(item, post);
        self.make_room(config);
        if item < self.oldest { Kept::TooOld } else { Kept::Yes { instead_of } }
    }

    /// Lets go of what there is no room for: the oldest, and a thirty-second more, so that members whose histories are
    /// full have the same end of it most of the time.
    fn make_room(&mut self, config: &Config) {
        if self.bytes <= config.max_history_bytes && self.posts.len() <= config.max_posts {
            return;
        }
        let (bytes, posts) = (config.max_history_bytes, config.max_posts);
        while self.bytes > bytes - bytes / 32 || self.posts.len() > posts - posts / 32 {
            let (first, _) = self.posts.first_key_value().expect("what is over a limit is something");
            let first = *first;
            self.remove(&first);
            self.oldest = first.next();
        }
    }

    /// Lets go of what is older than the history goes back, by this clock.
    pub(crate) fn expire(&mut self, config: &Config, clock: u64) {
        let duration = micros(config.history_duration);
        // In steps: clocks differ by a little, and members that let go of the same are easily compared.
        let step = (duration / 256).max(1);
        let oldest = Item::at(clock.saturating_sub(duration) / step * step);
        if oldest <= self.oldest {
            return;
        }
        self.oldest = oldest;
        while let Some((first, _)) = self.posts.first_key_value().filter(|(first, _)| **first < oldest) {
            let first = *first;
            self.remove(&first);
        }
    }

    fn remove(&mut self, item: &Item) {
        let post = self.posts.remove(item).expect("only what is held is let go of");
        self.bytes -= post.len();
        self.by_sender.remove(&(short(&post.author().key), *item));
        self.senders.remove(post.author());
    }

    /// The items held in a stretch, in their order. Cost: one step each.
    pub(crate) fn items(&self, stretch: Stretch) -> impl Iterator<Item = Item> + '_ {
        // A range that ends before it begins is no range.
        let to = stretch.to.max(stretch.from);
        self.posts.range(stretch.from..to).map(|(item, _)| *item)
    }

    /// What is held in a stretch, in short (spec PO-9).
    pub(crate) fn summary(&self, stretch: Stretch) -> Summary {
        let mut bytes = Vec::new();
        for item in self.items(stretch) {
            bytes.extend_from_slice(&item.sequence.to_be_bytes());
            bytes.extend_from_slice(&item.tag.to_be_bytes());
        }
        let count = (bytes.len() / 16) as u64;
        Summary { stretch, count, fingerprint: DirectVerify.digest(&Bytes::from(bytes)) }
    }
}

/// From when to when the interval lasts that `sequence` falls into.
pub(crate) fn interval(config: &Config, sequence: u64) -> (u64, u64) {
    let length = micros(config.rate_interval).max(1);
    let from = sequence / length * length;
    (from, from.saturating_add(length))
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
