//! Directed routing: RTMFP's `sendToNearest`, `sendToNeighbor`, `sendToAllNeighbors`, and what the application does with
//! what comes by.

use std::fmt;

use bytes::Bytes;
use stratus_core::{GroupAddress, PeerId};
use stratus_overlay::routing::{Found, ReceiveMode, SendResult, Way};

use crate::error::{LookUpError, RouteError};
use crate::group::Group;
use crate::request::Request;

/// Something that was sent over the ring and is here, on its way or for good: `NetGroup.SendTo.Notify`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SendTo {
    /// What was sent.
    pub message: Bytes,
    /// The address of the member that it came from last; our own if `from_local`.
    pub from: GroupAddress,
    /// Whether we passed it on ourselves and are the nearest: it has arrived.
    pub from_local: bool,
    /// The place it is for; `None`: it was for us as a neighbor, and goes no further.
    pub to: Option<GroupAddress>,
    /// Who says to have sent it first. Not proven; it is where an answer goes.
    pub origin: GroupAddress,
    /// Links it came over.
    pub hops: u8,
}

impl SendTo {
    /// Whether it goes no further than here.
    pub fn has_arrived(&self) -> bool {
        self.from_local || self.to.is_none()
    }
}

/// What becomes of something that came by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hop {
    /// It goes on towards its place. What is for us stays. This is what happens where nobody decides.
    Forward,
    /// This goes on in its stead.
    Change(Bytes),
    /// This goes back to where it says to come from, and it goes no further.
    Answer(Bytes),
    /// It goes no further.
    Drop,
}

/// Which neighbor on the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendMode {
    /// The next one clockwise.
    NextIncreasing,
    /// The next one counterclockwise.
    NextDecreasing,
}

/// The application's own decision at each hop.
pub(crate) struct RouteHandler(pub(crate) Box<dyn FnMut(&SendTo) -> Hop + Send>);

impl fmt::Debug for RouteHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteHandler")
    }
}

/// Directed routing. All of it needs a group whose groupspec allows it.
impl Group {
    /// Where a member sits on the group's ring: RTMFP's `convertPeerIDToGroupAddress`.
    pub fn address_of(&self, peer: &PeerId) -> GroupAddress {
        self.inner.ring.address(peer)
    }

    /// For which places this member takes what is sent: for its own address alone, as in the beginning, or for all to
    /// which no other that takes for the nearest is nearer. Only those pass on what is for others.
    pub async fn set_receive_mode(&self, mode: ReceiveMode) -> Result<(), RouteError> {
        self.may_route()?;
        Ok(self.send(Request::SetReceiveMode(mode)).await?)
    }

    /// Sends to the member nearest to a place, this one included. It goes from neighbor to neighbor; at each the
    /// application sees it and decides ([`Group::on_send_to`]).
    ///
    /// At most [`MOST_ROUTED_BYTES`](crate::MOST_ROUTED_BYTES) bytes. `Sent` says that a neighbor has it, not that it
    /// arrives. Wait for neighbors first.
    pub async fn send_to_nearest(
        &self,
        message: impl Into<Bytes>,
        to: GroupAddress,
    ) -> Result<SendResult, RouteError> {
        self.route(Way::Nearest(to), message.into()).await
    }

    /// Sends to the next neighbor on the ring.
    pub async fn send_to_neighbor(
        &self,
        message: impl Into<Bytes>,
        mode: SendMode,
    ) -> Result<SendResult, RouteError> {
        let way = match mode {
            SendMode::NextIncreasing => Way::NextIncreasing,
            SendMode::NextDecreasing => Way::NextDecreasing,
        };
        self.route(way, message.into()).await
    }

    /// Sends to each neighbor: `Sent` if there is at least one. Neighbors are the whole group only while it is small.
    pub async fn send_to_all_neighbors(&self, message: impl Into<Bytes>) -> Result<SendResult, RouteError> {
        self.route(Way::AllNeighbors, message.into()).await
    }

    /// Sends to the member that sits at this very place and to nobody else: it is looked up, and linked with if need be.
    /// `NoRoute` if there is no such member.
    pub async fn send_to_exactly(
        &self,
        message: impl Into<Bytes>,
        to: GroupAddress,
    ) -> Result<SendResult, RouteError> {
        self.may_route()?;
        let payload = message.into();
        Ok(self.ask(|reply| Request::RouteExactly { to, payload, reply }).await?)
    }

    /// Finds the members nearest to a place: asks one after another, around those that do not answer, until it is shown
    /// that there is no nearer one. Takes a few round trips and handshakes.
    pub async fn look_up(&self, place: GroupAddress) -> Result<Found, LookUpError> {
        self.may_route()?;
        Ok(self.ask(|reply| Request::LookUp { target: place, reply }).await??)
    }

    /// Whether a member is there now: it is looked up, and has to answer. `None`: what could be found out is no proof.
    pub async fn has_member(&self, peer: &PeerId) -> Result<Option<bool>, LookUpError> {
        let found = self.look_up(self.address_of(peer)).await?;
        let is_there = found.members.contains(peer);
        Ok((is_there || found.is_proven).then_some(is_there))
    }

    /// Decides from now on what becomes of each thing that comes by; without it everything is passed on.
    ///
    /// The handler runs in the group's task: it must not block. Each thing also becomes an
    /// [`Event::SendTo`](crate::Event::SendTo), so an application that needs time drops it here and sends later.
    pub async fn on_send_to(
        &self,
        handler: impl FnMut(&SendTo) -> Hop + Send + 'static,
    ) -> Result<(), RouteError> {
        self.may_route()?;
        Ok(self.send(Request::OnSendTo(RouteHandler(Box::new(handler)))).await?)
    }

    async fn route(&self, way: Way, payload: Bytes) -> Result<SendResult, RouteError> {
        self.may_route()?;
        Ok(self.ask(|reply| Request::Route { way, payload, reply }).await?)
    }

    pub(crate) fn may_route(&self) -> Result<(), RouteError> {
        self.spec.capabilities().routing.then_some(()).ok_or(RouteError::RoutingDisabled)
    }
}
