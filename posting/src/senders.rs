use std::sync::Arc;

use stratus_core::{Lookup, PublicKey};

use crate::Author;

/// The senders of the posts that are held: who they are and by what right, so that a right is checked once (spec PO-4).
///
/// A sender is known for as long as a post of it is held. Of those before, nothing need be remembered: see PO-8.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    /// By the first eight bytes of their keys: what can be ground within reason cannot be mistaken for another, since the
    /// whole author is compared where rights are concerned.
    known: Lookup<u64, Sender>,
}

#[derive(Debug)]
struct Sender {
    author: Arc<Author>,
    held: u32,
}

/// The short name of a sender in tables.
pub(crate) fn short(key: &PublicKey) -> u64 {
    u64::from_be_bytes(*key.0.first_chunk().expect("a key has 32 bytes"))
}

impl Senders {
    /// The author as it is known, if it is and has a post.
    pub(crate) fn known(&self, author: &Author) -> Option<&Arc<Author>> {
        let sender = self.known.get(&short(&author.key))?;
        (*sender.author == *author).then_some(&sender.author)
    }

    /// A post of this author is held.
    pub(crate) fn add(&mut self, author: &Arc<Author>) {
        let short = short(&author.key);
        match self.known.get_mut(&short) {
            Some(sender) => sender.held += 1,
            None => drop(self.known.insert(short, Sender { author: author.clone(), held: 1 })),
        }
    }

    /// One is no longer.
    pub(crate) fn remove(&mut self, author: &Author) {
        let short = short(&author.key);
        let sender = self.known.get_mut(&short).expect("spec PO-8: who has a post is known");
        sender.held -= 1;
        if sender.held == 0 {
            self.known.remove(&short);
        }
    }

    /// How many are known.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}
