//! A group of posting machines on the made-up network.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Net, NetConfig, identity, peer};
use stratus_core::{Delivery, GroupId, Identity, PeerId, Rng};

use crate::{Author, Command, Config, Draft, Event, Message, Post, Posting, Setup};

pub(crate) const GROUP: GroupId = GroupId::from_bytes([9; 32]);
/// What wall clocks show when a test begins: some day in 2026.
pub(crate) const BEGAN: u64 = 1_790_000_000_000_000;

pub(crate) struct Group {
    pub(crate) net: Net<Posting>,
    pub(crate) config: Config,
    pub(crate) authority: Option<Identity>,
    tokens: u64,
}

impl Group {
    pub(crate) fn new(seed: u64, net: NetConfig) -> Self {
        Self { net: Net::new(seed, net).untraced(), config: Config::default(), authority: None, tokens: 0 }
    }

    /// Members 1 … `count`, each linked with each, with a network as between homes.
    pub(crate) fn mesh(count: u64) -> Self {
        let mut group = Self::new(7, NetConfig::default());
        group.fill(count);
        group
    }

    /// Adds members 1 … `count` and links each with each.
    pub(crate) fn fill(&mut self, count: u64) {
        for number in 1..=count {
            self.add(number);
            (1..number).for_each(|other| self.link(number, other));
        }
        self.run(1_000);
    }

    /// Members 1 … `count` in a ring, each with `more` links by chance besides.
    pub(crate) fn scatter(&mut self, count: u64, more: u64, seed: u64) {
        let mut rng = Rng::from_seed(seed);
        for number in 1..=count {
            self.add(number);
        }
        for number in 1..=count {
            self.link(number, number % count + 1);
            for _ in 0..more {
                let other = 1 + rng.below(count);
                if other != number {
                    self.link(number, other);
                }
            }
        }
        self.run(2_000);
    }

    pub(crate) fn add(&mut self, number: u64) {
        let setup = Setup {
            identity: identity(number),
            group: GROUP,
            authority: self.authority.as_ref().map(Identity::public),
        };
        self.net.add(&format!("m{number}"), peer(number), Posting::new(self.config.clone(), setup));
        self.net.command(peer(number), Command::SetClock(self.clock()));
    }

    /// What wall clocks show.
    pub(crate) fn clock(&self) -> u64 {
        BEGAN + self.net.now().as_micros()
    }

    pub(crate) fn link(&mut self, a: u64, b: u64) {
        self.net.connect(peer(a), peer(b));
    }

    pub(crate) fn run(&mut self, millis: u64) {
        self.net.run_for(Duration::from_millis(millis));
    }

    /// Member `number` posts with the right to, if the group asks for one.
    pub(crate) fn post(&mut self, number: u64, text: &str) {
        self.post_with(number, text.as_bytes().to_vec().into(), self.authority.clone());
    }

    pub(crate) fn post_with(&mut self, number: u64, body: Bytes, authorization: Option<Identity>) {
        self.tokens += 1;
        let draft = Draft { token: self.tokens, body, authorization };
        self.net.command(peer(number), Command::Post(Box::new(draft)));
    }

    /// The posts that a member was shown, in the order in which it was.
    pub(crate) fn shown(&self, number: u64) -> Vec<Arc<Post>> {
        let post = |event: &Event| match event {
            Event::Post(post) => Some(post.clone()),
            _ => None,
        };
        self.net.events(&peer(number)).iter().filter_map(|(_, event)| post(event)).collect()
    }

    /// Their texts.
    pub(crate) fn texts(&self, number: u64) -> Vec<String> {
        self.shown(number).iter().map(|post| String::from_utf8_lossy(post.body()).into_owned()).collect()
    }

    /// Whom a member blames, and for what.
    pub(crate) fn blamed(&self, number: u64) -> Vec<(PeerId, &'static str)> {
        let blame = |event: &Event| match event {
            Event::Misbehaved { peer, what } => Some((*peer, *what)),
            _ => None,
        };
        self.net.events(&peer(number)).iter().filter_map(|(_, event)| blame(event)).collect()
    }

    /// A post as member `number` would sign it at some moment, in a group whose posting key is `authorization`.
    pub(crate) fn sign(
        number: u64,
        sequence: u64,
        text: &str,
        authorization: Option<&Identity>,
    ) -> Arc<Post> {
        let author = Arc::new(Author::new(&GROUP, &identity(number), authorization));
        let body = text.as_bytes().to_vec().into();
        Arc::new(Post::signed(&GROUP, &identity(number), author, sequence, body))
    }

    /// `from` sends `message` to `to`, whatever its machine thinks.
    pub(crate) fn say(&mut self, from: u64, to: u64, message: &Message) {
        self.net.forge(peer(from), peer(to), message, Delivery::Control);
        self.run(100);
    }

    /// How large something of a member is.
    pub(crate) fn size(&self, number: u64, what: &str) -> usize {
        let sizes = self.net.machine(&peer(number)).sizes();
        sizes.into_iter().find(|(name, ..)| *name == what).expect("such a size").1
    }
}
