use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use stratus_core::{GroupId, Identity, PeerId, PublicKey, Rng};
use stratus_groupspec::Groupspec;
use stratus_node::journal::Header;
use stratus_node::{Config, Node, Services, Setup};
use stratus_replication as replication;
use stratus_transport::{self as transport, Endpoint};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::builder::Builder;
use crate::cache::Cache;
use crate::error::{JoinError, StartError};
use crate::group::{Group, Inner};
use crate::host::{Entry, Host, Journal, Parts, Start};
use crate::info::ConnectionInfo;
use crate::rendezvous::Server;
use crate::request::Request;
use crate::{addresses, entropy, event, request};

/// How long closing waits for the groups to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// One UDP socket and one identity, on which groups are joined. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Connection {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    builder: Builder,
    identity: Identity,
    endpoint: Endpoint,
    rng: Mutex<Rng>,
    servers: Mutex<Vec<Server>>,
    tasks: Mutex<Vec<Task>>,
    /// The groups that are joined, while anybody holds them.
    groups: Mutex<BTreeMap<GroupId, Weak<Inner>>>,
    /// Until the first group is joined.
    journal: Mutex<Option<File>>,
}

/// A group's task, and how to ask it to end.
#[derive(Debug)]
struct Task {
    requests: mpsc::WeakSender<Request>,
    handle: JoinHandle<()>,
}

impl Connection {
    /// How a connection is to be.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(builder: Builder, identity: Identity) -> Result<Self, StartError> {
        let rng = Rng::from_entropy(entropy().ok_or(StartError::Entropy)?);
        let endpoint = bind(&builder, &identity)?;
        let journal = Mutex::new(builder.journal.as_deref().map(create).transpose()?);
        let (rng, servers, tasks) = (Mutex::new(rng), Mutex::default(), Mutex::default());
        let groups = Mutex::default();
        let shared = Shared { builder, identity, endpoint, rng, servers, tasks, groups, journal };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Who this member is.
    pub fn peer(&self) -> PeerId {
        self.shared.identity.peer()
    }

    /// Where the socket listens; the port is the real one if port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.endpoint.local_addr()
    }

    /// Where this member may be met, as far as this machine knows: what [`Builder::bootstrap_peer`] of others wants.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        addresses::local(self.local_addr())
    }

    /// What went over the socket, whatever group it was for.
    pub fn info(&self) -> ConnectionInfo {
        let endpoint = &self.shared.endpoint;
        ConnectionInfo {
            counters: endpoint.counters(),
            handshakes: endpoint.handshakes(),
            buffers: endpoint.buffers(),
        }
    }

    /// Enters a group and begins to look for its members; [`Group::joined`] waits for the first.
    ///
    /// Joining once more gives another handle on the one membership and adds no traffic; what it may publish is what
    /// its own groupspec authorizes.
    pub async fn join(&self, spec: &Groupspec) -> Result<Group, JoinError> {
        if spec.capabilities().peer_to_peer_disabled {
            return Err(JoinError::PeerToPeerDisabled);
        }
        if let Some(inner) = self.joined(&spec.group_id()) {
            return Ok(Group::new(inner, spec.clone()));
        }
        let shared = &self.shared;
        let keys = spec.keys();
        let port = shared.endpoint.join(keys.clone()).map_err(|error| match error {
            transport::JoinError::AlreadyJoined => JoinError::AlreadyJoined,
            transport::JoinError::TooManyGroups => JoinError::TooManyGroups,
            transport::JoinError::Closed => JoinError::Closed,
        })?;
        let (requests, request_receiver) = mpsc::channel(request::CAPACITY);
        let (events, _) = broadcast::channel(event::CAPACITY);
        let (neighbors, neighbor_count) = watch::channel(0);
        let inner = Inner {
            id: spec.group_id(),
            title: spec.name().map_or_else(|| spec.group_id().to_string()[..8].to_owned(), str::to_owned),
            multicast: shared.builder.multicast.clone(),
            ring: keys.ring,
            requests: requests.clone(),
            events: events.downgrade(),
            neighbors: neighbor_count,
        };
        let local = self.addresses();
        let cache = shared.builder.member_cache.as_ref().map(|folder| Cache::open(folder, &keys));
        let start = Start {
            servers: self.servers(spec),
            bootstrap: [spec.bootstrap_peers(), &shared.builder.bootstrap].concat(),
            friends: cache.as_ref().map(Cache::members).unwrap_or_default(),
        };
        let entry = Entry::new(keys, self.peer(), local, start);
        let (config, setup) = self.birth(spec);
        let chance = lock(&shared.rng).fork("node");
        let journal = lock(&shared.journal).take();
        let journal = journal.map(|file| Journal::new(file, &Header::new(&config, &setup, &chance)));
        let host = Host::new(Parts {
            node: Node::new(config, setup),
            chance,
            journal,
            rng: lock(&shared.rng).fork("group"),
            endpoint: shared.endpoint.clone(),
            port,
            requests: request_receiver,
            events,
            neighbors,
            entry,
            cache,
            sends_trains: shared.builder.transport.max_upload.is_none(),
        });
        let task = Task { requests: requests.downgrade(), handle: tokio::spawn(host.run()) };
        let mut tasks = lock(&shared.tasks);
        tasks.retain(|task| !task.handle.is_finished());
        tasks.push(task);
        let inner = Arc::new(inner);
        let mut groups = lock(&shared.groups);
        groups.retain(|_, inner| inner.strong_count() > 0);
        groups.insert(inner.id, Arc::downgrade(&inner));
        Ok(Group::new(inner, spec.clone()))
    }

    /// The group, if somebody holds it and it was not left.
    fn joined(&self, group: &GroupId) -> Option<Arc<Inner>> {
        let inner = lock(&self.shared.groups).get(group)?.upgrade()?;
        (!inner.requests.is_closed()).then_some(inner)
    }

    /// Leaves all groups, says goodbye to neighbors and servers, and closes the socket. Takes a few seconds at
    /// most, and as good as none when everybody answers.
    pub async fn close(&self) {
        let tasks = std::mem::take(&mut *lock(&self.shared.tasks));
        for task in &tasks {
            if let Some(requests) = task.requests.upgrade() {
                let _ = timeout(GOODBYE, requests.send(Request::Leave)).await;
            }
        }
        for task in tasks {
            let _ = timeout(GOODBYE, task.handle).await;
        }
        lock(&self.shared.servers).clear();
        self.shared.endpoint.close().await;
    }

    /// What a node of this group is made of.
    fn birth(&self, spec: &Groupspec) -> (Config, Setup) {
        let Builder { overlay, multicast, posting, .. } = &self.shared.builder;
        let keys = spec.keys();
        let setup = Setup {
            identity: self.shared.identity.clone(),
            group: keys.group_id,
            ring: keys.ring,
            publish_authority: self.publish_authority(spec),
            services: services(spec),
            posting_authority: spec.posting_authority(),
        };
        let config = Config {
            overlay: overlay.clone(),
            multicast: multicast.clone(),
            posting: posting.clone(),
            replication: replication::Config {
                asks_together: self.shared.builder.transport.max_upload.is_none(),
                ..replication::Config::default()
            },
            ..Config::default()
        };
        (config, setup)
    }

    #[cfg(not(test))]
    fn publish_authority(&self, spec: &Groupspec) -> Option<PublicKey> {
        publish_authority(spec)
    }

    #[cfg(test)]
    fn publish_authority(&self, spec: &Groupspec) -> Option<PublicKey> {
        self.shared.builder.believed_authority.or(publish_authority(spec))
    }

    /// The clients of the servers that a group uses, started where there was none.
    fn servers(&self, spec: &Groupspec) -> Vec<Server> {
        let Builder { servers, ignores_spec_servers, .. } = &self.shared.builder;
        let hints = spec.servers().iter().filter(|_| !ignores_spec_servers);
        let mut known = lock(&self.shared.servers);
        known.retain(Server::is_open);
        let mut used: Vec<Server> = Vec::new();
        for name in servers.iter().chain(hints) {
            if used.iter().any(|server| server.name() == name) {
                continue;
            }
            let server = known.iter().find(|server| server.name() == name).cloned().unwrap_or_else(|| {
                let rng = lock(&self.shared.rng).fork("server");
                Server::start(self.shared.endpoint.clone(), name.clone(), rng)
            });
            if !known.iter().any(|other| other.name() == name) {
                known.push(server.clone());
            }
            used.push(server);
        }
        used
    }
}

#[cfg(not(any(test, feature = "testing")))]
fn bind(builder: &Builder, identity: &Identity) -> Result<Endpoint, StartError> {
    Ok(Endpoint::bind(builder.transport.clone(), identity)?)
}

#[cfg(any(test, feature = "testing"))]
fn bind(builder: &Builder, identity: &Identity) -> Result<Endpoint, StartError> {
    let config = builder.transport.clone();
    Ok(match builder.conditions {
        Some(conditions) => Endpoint::bind_over(config, identity, conditions)?,
        None => Endpoint::bind(config, identity)?,
    })
}

/// The layers that a member of this group needs.
fn services(spec: &Groupspec) -> Services {
    let capabilities = spec.capabilities();
    Services {
        posting: capabilities.posting,
        replication: capabilities.object_replication,
        routing: capabilities.routing,
    }
}

/// Whose grants count. Where no streams are allowed, those of a key with which nothing can be signed: whatever is
/// announced all the same is refused by every member, and not only by the one that should not have done it.
fn publish_authority(spec: &Groupspec) -> Option<PublicKey> {
    const NOBODY: PublicKey = PublicKey([0; 32]);
    if spec.capabilities().multicast { spec.publish_authority() } else { Some(NOBODY) }
}

/// A new file that only its owner may read: a journal shows all that a member sees.
fn create(path: &Path) -> Result<File, StartError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |error| StartError::Journal { path: path.to_owned(), error };
    options.open(path).map_err(failed)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
