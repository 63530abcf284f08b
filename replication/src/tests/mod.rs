mod hostile;
mod laws;
mod life;
mod limits;
mod seeding;
mod vectors;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::testing::{Net, NetConfig, peer};
use stratus_core::{PeerId, Time};

use crate::{Command, Config, Event, Replication};

/// Members with a store each, all linked with all, or as a test links them.
pub(crate) struct Swarm {
    pub(crate) net: Net<Replication>,
    members: Vec<PeerId>,
    /// What each member has been given, by number.
    pub(crate) stores: BTreeMap<PeerId, BTreeMap<u64, Bytes>>,
    /// Who gives wrong bytes.
    pub(crate) liar: Option<PeerId>,
    /// Who does not answer requests.
    pub(crate) mute: Option<PeerId>,
    pub(crate) events: Vec<(PeerId, Event)>,
}

/// The bytes that object `index` must have.
pub(crate) fn object(index: u64) -> Bytes {
    Bytes::from(vec![index as u8 ^ 0x5a; 300 + (index % 50) as usize])
}

impl Swarm {
    pub(crate) fn new(count: u64, config: &Config) -> Self {
        let mut net =
            Net::new(41, NetConfig { control_bytes_limit: 70 << 10, ..NetConfig::default() }).untraced();
        let members: Vec<PeerId> = (0..count).map(peer).collect();
        for (number, member) in members.iter().enumerate() {
            net.add(&number.to_string(), *member, Replication::new(config.clone()));
        }
        let stores = members.iter().map(|member| (*member, BTreeMap::new())).collect();
        Self { net, members, stores, liar: None, mute: None, events: Vec::new() }
    }

    /// All linked with all.
    pub(crate) fn meshed(count: u64, config: &Config) -> Self {
        let mut swarm = Self::new(count, config);
        for a in 0..count {
            (a + 1..count).for_each(|b| swarm.net.connect(peer(a), peer(b)));
        }
        swarm
    }

    pub(crate) fn tell(&mut self, member: u64, command: Command) {
        self.net.command(peer(member), command);
    }

    /// Puts objects into a member's store.
    pub(crate) fn stock(&mut self, member: u64, range: std::ops::Range<u64>) {
        let store = self.stores.get_mut(&peer(member)).expect("a member");
        store.extend(range.clone().map(|index| (index, object(index))));
        self.tell(member, Command::AddHave(range));
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.net.now() + duration;
        self.run_until(end, |_| false);
    }

    /// Runs until it is done; says whether it was in time.
    pub(crate) fn run_until(&mut self, end: Time, is_done: impl Fn(&Self) -> bool) -> bool {
        while !is_done(self) {
            if self.net.now() >= end || !self.net.step() {
                return false;
            }
            self.answer();
        }
        true
    }

    /// Every application does what its member asks of it.
    fn answer(&mut self) {
        for member in self.members.clone() {
            if !self.net.is_alive(&member) {
                continue;
            }
            for (_, event) in self.net.take_events(&member) {
                self.events.push((member, event.clone()));
                let command = self.reply(member, event);
                if let Some(command) = command {
                    self.net.command(member, command);
                }
            }
        }
    }

    fn reply(&mut self, member: PeerId, event: Event) -> Option<Command> {
        let store = self.stores.get_mut(&member).expect("a member");
        match event {
            Event::Request { .. } if self.mute == Some(member) => None,
            Event::Request { request, index, .. } => Some(match store.get(&index) {
                Some(_) if self.liar == Some(member) => {
                    Command::Write { request, object: Bytes::from_static(b"no") }
                }
                Some(object) => Command::Write { request, object: object.clone() },
                None => Command::Deny(request),
            }),
            Event::Result { index, peer, object: bytes } => {
                if bytes != object(index) {
                    return Some(Command::Reject { index, peer });
                }
                assert!(store.insert(index, bytes).is_none(), "object {index} came twice");
                Some(Command::AddHave(index..index + 1))
            }
            _ => None,
        }
    }

    pub(crate) fn has(&self, member: u64, count: usize) -> bool {
        self.stores[&peer(member)].len() == count
    }

    pub(crate) fn machine(&self, member: u64) -> &Replication {
        self.net.machine(&peer(member))
    }

    pub(crate) fn count(&self, member: u64, is: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(who, event)| *who == peer(member) && is(event)).count()
    }
}
