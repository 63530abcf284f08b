//! The client of one rendezvous server, shared by all groups of a connection.

mod backoff;
mod session;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{GroupAddress, GroupId, Identity, PeerId, Rng};
use stratus_overlay::rendezvous::{Named, Registration};
use stratus_transport::{Consultation, DialError, Endpoint};
use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use self::backoff::Backoff;
use self::session::{Ended, Session};
use crate::ways::ServerState;

/// The port of a server that is named without one: RTMFP's own.
const DEFAULT_PORT: u16 = 1_935;
/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 4;
/// Things that may wait to be asked; groups ask at most a few a second.
const ASKS: usize = 256;
/// Own records are issued several times in a row while a member finds its place; the last one counts.
const SETTLE: Duration = Duration::from_millis(300);

/// What a group asks of a server.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Register this member, now and whenever the server comes back.
    Enter(Box<Member>),
    /// Its record has changed.
    Record { group: GroupId, record: Bytes },
    /// Name members once more.
    Again { group: GroupId },
    /// Tell `target` and us of each other.
    Introduce { group: GroupId, target: PeerId, candidates: Vec<SocketAddr> },
    /// It leaves.
    Leave { group: GroupId },
}

/// A member as a server is told of it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) group: GroupId,
    pub(crate) rendezvous: Identity,
    pub(crate) peer: PeerId,
    pub(crate) address: GroupAddress,
    pub(crate) record: Bytes,
    pub(crate) told: mpsc::Sender<Told>,
}

/// What a server tells a group.
#[derive(Debug)]
pub(crate) enum Told {
    /// How we stand with it.
    State { server: String, state: ServerState },
    /// It has registered us, and names others.
    Welcome { server: String, observed: SocketAddr, members: Vec<Named> },
    /// Dial this member now; it is told the same.
    Introduced { peer: PeerId, record: Bytes, candidates: Vec<SocketAddr> },
}

/// A handle on the client of one server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    name: String,
    asks: mpsc::Sender<Ask>,
}

impl Server {
    /// Starts a client. It ends when the last handle is dropped.
    pub(crate) fn start(endpoint: Endpoint, name: String, rng: Rng) -> Self {
        let (asks, receiver) = mpsc::channel(ASKS);
        let client = Client {
            endpoint,
            name: name.clone(),
            asks: receiver,
            members: BTreeMap::new(),
            rng,
            is_closed: false,
        };
        tokio::spawn(client.run());
        Self { name, asks }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether its task is still there.
    pub(crate) fn is_open(&self) -> bool {
        !self.asks.is_closed()
    }

    /// Never waits: a client that is so busy would not get to it in time either.
    pub(crate) fn ask(&self, ask: Ask) {
        if let Err(error) = self.asks.try_send(ask) {
            tracing::debug!(server = self.name, %error, "not asked");
        }
    }
}

struct Client {
    endpoint: Endpoint,
    name: String,
    asks: mpsc::Receiver<Ask>,
    members: BTreeMap<GroupId, Entered>,
    rng: Rng,
    is_closed: bool,
}

/// A member that is to be registered.
struct Entered {
    member: Member,
    /// When to register it (again); `None`: it is registered.
    register_at: Option<Instant>,
    last_at: Option<Instant>,
}

impl Client {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while self.has_work().await {
            let began = Instant::now();
            let state = match self.reach().await {
                Ok((at, consultation)) => match Session::new(&mut self, at, consultation).run().await {
                    Ended::Finished => continue,
                    Ended::Lost => ServerState::Lost,
                    Ended::Refused(refusal) => ServerState::Refused(refusal),
                },
                Err(state) => state,
            };
            tracing::debug!(server = self.name, %state, "server");
            let is_fight = matches!(state, ServerState::Refused(_));
            self.tell_all(&state).await;
            let pause = backoff.pause(began.elapsed(), is_fight, &mut self.rng);
            self.listen_until(Instant::now() + pause).await;
        }
    }

    /// Waits for a member to register; false when nobody can ask any more.
    async fn has_work(&mut self) -> bool {
        while self.members.is_empty() && !self.is_closed {
            let ask = self.asks.recv().await;
            self.note(ask);
        }
        !self.members.is_empty()
    }

    /// Connects, and takes note of what is asked meanwhile.
    async fn reach(&mut self) -> Result<(SocketAddr, Consultation), ServerState> {
        let (endpoint, name) = (self.endpoint.clone(), self.name.clone());
        let mut reaching = std::pin::pin!(async move { reach(&endpoint, &name).await });
        loop {
            tokio::select! {
                reached = &mut reaching => return reached,
                ask = self.asks.recv(), if !self.is_closed => self.note(ask),
            }
        }
    }

    async fn listen_until(&mut self, end: Instant) {
        loop {
            tokio::select! {
                () = sleep_until(end) => return,
                ask = self.asks.recv(), if !self.is_closed => self.note(ask),
            }
            if self.members.is_empty() {
                return;
            }
        }
    }

    /// Takes note of what is asked. What only makes sense on a live session is dropped.
    fn note(&mut self, ask: Option<Ask>) {
        match ask {
            None => {
                self.is_closed = true;
                self.members.clear();
            }
            Some(Ask::Enter(member)) => {
                let register_at = Some(Instant::now());
                self.members.insert(member.group, Entered { member: *member, register_at, last_at: None });
            }
            Some(Ask::Record { group, record }) => self.change(&group, |member| member.record = record),
            Some(Ask::Again { group }) => self.change(&group, |_| {}),
            Some(Ask::Leave { group }) => drop(self.members.remove(&group)),
            Some(Ask::Introduce { .. }) => {}
        }
    }

    /// Changes a member, and has it registered anew a little later.
    fn change(&mut self, group: &GroupId, change: impl FnOnce(&mut Member)) {
        if let Some(entered) = self.members.get_mut(group) {
            change(&mut entered.member);
            entered.register_in(SETTLE);
        }
    }

    async fn tell_all(&self, state: &ServerState) {
        for entered in self.members.values() {
            let told = Told::State { server: self.name.clone(), state: state.clone() };
            // A group that is gone says `Leave`.
            let _ = entered.member.told.send(told).await;
        }
    }
}

impl Entered {
    /// Has the member registered after `pause`, but not within a second of the last time: servers count.
    fn register_in(&mut self, pause: Duration) {
        let soonest = self.last_at.map(|at| at + Duration::from_millis(1_100));
        let at = Instant::now() + pause;
        self.register_at = Some(soonest.map_or(at, |soonest| soonest.max(at)));
    }

    fn registration(&self, exporter: &[u8; 32]) -> Registration {
        let Member { rendezvous, peer, address, record, .. } = &self.member;
        Registration::sign(rendezvous, exporter, peer, *address, record.clone())
    }
}

/// Tries the addresses of a server one after the other.
async fn reach(endpoint: &Endpoint, name: &str) -> Result<(SocketAddr, Consultation), ServerState> {
    let found = lookup_host(with_port(name)).await.map_err(|_| ServerState::Unresolvable)?;
    let speaks = |address: &SocketAddr| address.is_ipv4() || endpoint.local_addr().is_ipv6();
    let mut failure = ServerState::Unreachable(DialError::NoAddress);
    for address in found.filter(speaks).take(MOST_ADDRESSES) {
        match endpoint.consult(address).await {
            Ok(consultation) => return Ok((address, consultation)),
            Err(error) => failure = ServerState::Unreachable(error),
        }
    }
    Err(failure)
}

/// `HOST:PORT`, with the default port if there is none.
fn with_port(name: &str) -> String {
    let is_bare_ipv6 = name.parse::<std::net::Ipv6Addr>().is_ok();
    let has_port =
        !is_bare_ipv6 && name.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (is_bare_ipv6, has_port) {
        (true, _) => format!("[{name}]:{DEFAULT_PORT}"),
        (_, true) => name.to_owned(),
        (_, false) => format!("{name}:{DEFAULT_PORT}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_port_has_the_usual_one() {
        assert_eq!(with_port("stratus.example"), "stratus.example:1935");
        assert_eq!(with_port("stratus.example:50"), "stratus.example:50");
        assert_eq!(with_port("127.0.0.1:50"), "127.0.0.1:50");
        assert_eq!(with_port("[2001:db8::7]:50"), "[2001:db8::7]:50");
        assert_eq!(with_port("2001:db8::7"), "[2001:db8::7]:1935");
    }
}
