//! The six laws (ARCHITECTURE.md), on a member that posts and is told of posts, good and bad.

use std::sync::Arc;

use bytes::Bytes;
use stratus_core::testing::identity;
use stratus_core::testing::laws::{Bounds, Subject, check};
use stratus_core::{PeerId, Rng, Time};

use super::{GROUP, Group};
use crate::{Command, Config, Draft, Item, Listing, Message, Post, Posting, Setup, Stretch};

/// Posts of others, signed ahead of time, of which peers speak in any order.
struct Talk {
    posts: Vec<Arc<Post>>,
}

fn talk() -> Talk {
    let post =
        |number: u64| Group::sign(100 + number % 7, 1 + number * 300_000, &format!("post {number}"), None);
    Talk { posts: (0..120).map(post).collect() }
}

fn config() -> Config {
    Config {
        max_posts: 60,
        max_posts_per_interval: 4,
        max_wanted: 40,
        max_asked: 8,
        max_refused: 10,
        ..Config::default()
    }
}

impl Talk {
    fn some(&self, rng: &mut Rng, most: u64) -> Vec<Arc<Post>> {
        let from = rng.below(self.posts.len() as u64) as usize;
        let count = 1 + rng.below(most) as usize;
        self.posts.iter().skip(from).take(count).cloned().collect()
    }

    fn items(&self, rng: &mut Rng, most: u64) -> Vec<Item> {
        self.some(rng, most).iter().map(|post| post.item()).collect()
    }
}

impl Subject for Talk {
    type Machine = Posting;

    fn machine(&mut self, _: &mut Rng) -> Posting {
        Posting::new(config(), Setup { identity: identity(0), group: GROUP, authority: None })
    }

    fn message(&mut self, machine: &Posting, _: PeerId, _: Time, rng: &mut Rng) -> Message {
        match rng.below(10) {
            0..2 => Message::Announce { is_news: rng.chance(1, 2), items: self.items(rng, 50) },
            2 => Message::Pull { items: self.items(rng, 50) },
            3..6 => Message::Posts(self.some(rng, 5)),
            6 => Message::Lack { items: self.items(rng, 20) },
            7 => {
                let mut summary = machine.history.summary(Stretch::ALL);
                summary.count = rng.below(100);
                Message::Compare { is_answer: rng.chance(1, 2), summaries: vec![summary] }
            }
            8 => {
                let items = self.items(rng, 30);
                Message::Holds(vec![Listing { stretch: Stretch::ALL, items }])
            }
            _ => Message::Same,
        }
    }

    fn command(&mut self, _: &Posting, now: Time, rng: &mut Rng) -> Option<Command> {
        Some(match rng.below(4) {
            0 => Command::SetClock(now.as_micros() + rng.below(60_000_000)),
            _ => {
                let body = Bytes::from(vec![5; rng.below(9_000) as usize]);
                Command::Post(Box::new(Draft { token: rng.below(9), body, authorization: None }))
            }
        })
    }

    fn collections(&self, machine: &Posting) -> Vec<(&'static str, usize, usize)> {
        machine.sizes()
    }

    fn mentions(&self, machine: &Posting, peer: &PeerId) -> bool {
        machine.mentions(peer)
    }
}

#[test]
fn the_six_laws_hold() {
    check(&Bounds::new(400, 40), talk);
}
