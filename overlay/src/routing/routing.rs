use std::collections::BTreeMap;

use stratus_core::{Cx, Deadline, Delivery, GroupAddress, Machine, PeerId, Time};

use super::api::{Command, Event, Input, Output, ReceiveMode, Setup, Stats};
use super::config::Config;
use super::message::Message;
use super::neighbor::Neighbor;

/// One member's part in directed routing. Source: spec RO-1 … RO-7.
pub struct Routing {
    pub(super) config: Config,
    pub(super) setup: Setup,
    pub(super) address: GroupAddress,
    pub(super) mode: ReceiveMode,
    pub(super) neighbors: BTreeMap<PeerId, Neighbor>,
    pub(super) stats: Stats,
}

impl Routing {
    /// Routing for a member without neighbors. `config` must be valid.
    pub fn new(config: Config, setup: Setup) -> Self {
        if let Err(what) = config.validate() {
            panic!("the config of routing is not valid: {what}");
        }
        let address = setup.ring.address(&setup.peer);
        Self {
            config,
            setup,
            address,
            mode: ReceiveMode::default(),
            neighbors: BTreeMap::new(),
            stats: Stats::default(),
        }
    }

    /// For which places we take parcels.
    pub fn receive_mode(&self) -> ReceiveMode {
        self.mode
    }

    /// Counts.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Sizes of what strangers could grow, each with its limit: law 4 asks.
    pub fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        vec![("neighbors", self.neighbors.len(), self.config.neighbors)]
    }

    /// Whether anything names `peer`: law 5 asks.
    pub fn mentions(&self, peer: &PeerId) -> bool {
        self.neighbors.contains_key(peer)
    }

    /// A link is up. Source: spec RO-1.
    fn connected(&mut self, peer: PeerId, out: &mut Vec<Output>) {
        if self.neighbors.len() >= self.config.neighbors && !self.neighbors.contains_key(&peer) {
            return;
        }
        self.neighbors.insert(peer, Neighbor::new(self.setup.ring.address(&peer)));
        if self.mode != ReceiveMode::default() {
            out.push(control(peer, Message::Mode(self.mode)));
        }
    }

    fn disconnected(&mut self, peer: &PeerId) {
        self.neighbors.remove(peer);
    }

    fn set_mode(&mut self, mode: ReceiveMode, out: &mut Vec<Output>) {
        if std::mem::replace(&mut self.mode, mode) != mode {
            out.extend(self.neighbors.keys().map(|peer| control(*peer, Message::Mode(mode))));
        }
    }

    fn received(&mut self, cx: &mut Cx<'_>, from: PeerId, message: Message, out: &mut Vec<Output>) {
        if !self.neighbors.contains_key(&from) {
            return;
        }
        match message {
            Message::Mode(mode) => self.neighbors.get_mut(&from).expect("seen above").mode = mode,
            Message::Parcel(parcel) => self.parcel(cx, from, parcel, out),
        }
    }

    /// A neighbor said more than it may: borne for a while. Source: spec RO-5.
    pub(super) fn bear(&mut self, now: Time, from: PeerId, out: &mut Vec<Output>) {
        self.stats.throttled_count += 1;
        let rate = self.config.excess;
        if self.neighbors.get_mut(&from).is_some_and(|neighbor| !neighbor.excess.take(now, rate)) {
            let what = "a flood of parcels or questions";
            out.push(Output::Event(Event::Misbehaved { peer: from, what }));
        }
    }
}

pub(super) fn control(to: PeerId, message: Message) -> Output {
    Output::Send { to, message, how: Delivery::Control }
}

impl Machine for Routing {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Connected(peer) => self.connected(peer, out),
            Input::Disconnected(peer) => self.disconnected(&peer),
            Input::Received { from, message } => self.received(cx, from, message, out),
            Input::Command(Command::SetReceiveMode(mode)) => self.set_mode(mode, out),
            Input::Command(Command::Send(send)) => self.send(cx, *send, out),
        }
    }

    fn wake(&mut self, _cx: &mut Cx<'_>, _out: &mut Vec<Output>) {}

    fn deadline(&self) -> Option<Deadline> {
        None
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
