use std::collections::BTreeMap;

use bytes::Bytes;
use stratus_core::GroupAddress;
use stratus_node::{Command, Input};
use stratus_overlay::routing::{
    self, Arrived, Found, GetError, Got, Key, LookUpError, Put, PutError, ReceiveMode, SendResult, Way,
};
use tokio::sync::oneshot;

use super::Host;
use crate::event::Event;
use crate::routes::{Hop, RouteHandler, SendTo};

/// What is being sent over the ring, and what the application does with what comes by.
#[derive(Default)]
pub(super) struct Routes {
    handler: Option<RouteHandler>,
    /// Who waits for what: machines allow only so much at a time, and each ends.
    waiting: BTreeMap<u64, oneshot::Sender<SendResult>>,
    look_ups: BTreeMap<u64, oneshot::Sender<Result<Found, LookUpError>>>,
    puts: BTreeMap<u64, oneshot::Sender<Result<u32, PutError>>>,
    gets: BTreeMap<u64, oneshot::Sender<Result<Box<Got>, GetError>>>,
    next: u64,
    /// What is to be sent once the present outputs are applied.
    hops: Vec<routing::Send>,
}

impl Routes {
    pub(super) fn handle_with(&mut self, handler: RouteHandler) {
        self.handler = Some(handler);
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Lets the application decide what becomes of `parcel`. Nobody answers what it said itself: that would never end.
    fn decide(&mut self, parcel: &SendTo, own: GroupAddress) {
        let hop = self.handler.as_mut().map_or(Hop::Forward, |handler| handler.0(parcel));
        let on = |payload: Bytes| {
            let to = parcel.to.filter(|_| !parcel.has_arrived())?;
            Some((Way::Nearest(to), payload, Some((parcel.origin, parcel.hops))))
        };
        let next = match hop {
            Hop::Forward => on(parcel.message.clone()),
            Hop::Change(payload) => on(payload),
            Hop::Answer(_) if parcel.origin == own => None,
            Hop::Answer(payload) => Some((Way::Nearest(parcel.origin), payload, None)),
            Hop::Drop => None,
        };
        if let Some((way, payload, passing)) = next {
            let id = self.id();
            self.hops.push(routing::Send { id, way, payload, passing });
        }
    }
}

impl Host {
    pub(super) fn set_receive_mode(&mut self, mode: ReceiveMode) {
        self.routing(routing::Command::SetReceiveMode(mode));
    }

    pub(super) fn route(&mut self, way: Way, payload: Bytes, reply: oneshot::Sender<SendResult>) {
        let id = self.routes.id();
        self.routes.waiting.insert(id, reply);
        self.routing(routing::Command::Send(Box::new(routing::Send { id, way, payload, passing: None })));
    }

    pub(super) fn route_exactly(
        &mut self,
        to: GroupAddress,
        payload: Bytes,
        reply: oneshot::Sender<SendResult>,
    ) {
        let id = self.routes.id();
        self.routes.waiting.insert(id, reply);
        self.routing(routing::Command::SendExactly { id, to, payload });
    }

    pub(super) fn look_up(
        &mut self,
        target: GroupAddress,
        reply: oneshot::Sender<Result<Found, LookUpError>>,
    ) {
        let id = self.routes.id();
        self.routes.look_ups.insert(id, reply);
        self.routing(routing::Command::LookUp { id, target });
    }

    pub(super) fn put(&mut self, put: Put, reply: oneshot::Sender<Result<u32, PutError>>) {
        let id = self.routes.id();
        self.routes.puts.insert(id, reply);
        self.routing(routing::Command::Put(Box::new(Put { id, ..put })));
    }

    pub(super) fn get(&mut self, key: Key, reply: oneshot::Sender<Result<Box<Got>, GetError>>) {
        let id = self.routes.id();
        self.routes.gets.insert(id, reply);
        self.routing(routing::Command::Get { id, key });
    }

    pub(super) fn routing(&mut self, command: routing::Command) {
        self.drive(Input::Command(Command::Routing(command)));
    }

    pub(super) fn routing_event(&mut self, event: routing::Event) {
        match event {
            routing::Event::Arrived(arrived) => self.arrived(*arrived),
            routing::Event::Sent { id, result } => answer(self.routes.waiting.remove(&id), result),
            routing::Event::LookedUp { id, result } => answer(self.routes.look_ups.remove(&id), result),
            routing::Event::Stored { id, result } => answer(self.routes.puts.remove(&id), result),
            routing::Event::Got { id, result } => answer(self.routes.gets.remove(&id), result),
            // The node keeps them between its layers.
            routing::Event::Closest { .. } | routing::Event::Seek(_) | routing::Event::Release(_) => {}
            routing::Event::Misbehaved { peer, what } => self.tell(Event::Misbehaved { peer, what }),
        }
    }

    fn arrived(&mut self, arrived: Arrived) {
        let Arrived { to, from, is_local, origin, hops, payload } = arrived;
        let parcel = SendTo { message: payload, from, from_local: is_local, to, origin, hops };
        self.routes.decide(&parcel, self.node.overlay().address());
        self.tell(Event::SendTo(parcel));
    }

    /// Sends what the application passes on, changes or answers; false if there is nothing.
    ///
    /// Ends: what is passed on goes to a neighbor or has arrived for good, and answers to oneself are not answered.
    pub(super) fn drive_hops(&mut self) -> bool {
        let hops = std::mem::take(&mut self.routes.hops);
        let is_any = !hops.is_empty();
        for hop in hops {
            self.routing(routing::Command::Send(Box::new(hop)));
        }
        is_any
    }
}

fn answer<T>(reply: Option<oneshot::Sender<T>>, result: T) {
    if let Some(reply) = reply {
        // Whoever asked may be gone.
        let _ = reply.send(result);
    }
}
