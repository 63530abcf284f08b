use std::net::SocketAddr;
use std::path::PathBuf;

use stratus_core::{Identity, PeerId};
use stratus_groupspec::BootstrapPeer;
use stratus_multicast as multicast;
use stratus_overlay as overlay;
use stratus_posting as posting;
use stratus_transport as transport;

use crate::connection::Connection;
use crate::entropy;
use crate::error::StartError;

/// How a connection is to be. Everything has a default.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    pub(crate) servers: Vec<String>,
    pub(crate) ignores_spec_servers: bool,
    pub(crate) bootstrap: Vec<BootstrapPeer>,
    pub(crate) member_cache: Option<PathBuf>,
    pub(crate) identity: Option<Identity>,
    pub(crate) transport: transport::Config,
    pub(crate) overlay: overlay::Config,
    pub(crate) multicast: multicast::Config,
    pub(crate) posting: posting::Config,
    pub(crate) is_metered: bool,
    pub(crate) journal: Option<PathBuf>,
    #[cfg(any(test, feature = "testing"))]
    pub(crate) conditions: Option<transport::testing::Conditions>,
    /// A patched member: it takes this key for the group's publish key, whatever the groupspec says.
    #[cfg(test)]
    pub(crate) believed_authority: Option<stratus_core::PublicKey>,
}

impl Builder {
    /// Adds a rendezvous server, `HOST:PORT`; port 1935 if none is given. The servers that a groupspec names are
    /// used as well.
    #[must_use]
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.servers.push(server.into());
        self
    }

    /// Uses no rendezvous server, whatever a groupspec names.
    #[must_use]
    pub fn without_servers(mut self) -> Self {
        self.servers.clear();
        self.ignores_spec_servers = true;
        self
    }

    /// Adds a member through which groups can be entered without any server; one member may be named several times,
    /// with different addresses. Those that a groupspec names are used as well.
    #[must_use]
    pub fn bootstrap_peer(mut self, peer: PeerId, address: SocketAddr) -> Self {
        match self.bootstrap.iter_mut().find(|known| known.peer == peer) {
            Some(known) => known.addresses.push(address),
            None => self.bootstrap.push(BootstrapPeer { peer, addresses: vec![address] }),
        }
        self
    }

    /// Keeps the members met in each group in a file in this folder, and begins with them the next time: a group can
    /// then be entered with every server dead. The files name peers and addresses, no group and no secret; they have at
    /// most 48 members of the last seven days. Default: nothing is kept.
    #[must_use]
    pub fn member_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.member_cache = Some(folder.into());
        self
    }

    /// Where the UDP socket listens. Default: every IPv4 address, a port that the system chooses.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.transport.listen = address;
        self
    }

    /// The upload budget in wire bytes a second. Default: none.
    #[must_use]
    pub fn max_upload(mut self, bytes_per_second: u64) -> Self {
        self.transport.max_upload = Some(bytes_per_second);
        self.multicast.upload = Some(bytes_per_second);
        self
    }

    /// Only receives: of streams that others publish it sends no payload to anybody. What it publishes itself it
    /// sends all the same. Others must carry what it does not. Default: it passes on what it plays.
    #[must_use]
    pub fn download_only(mut self) -> Self {
        self.multicast.download_only = true;
        self
    }

    /// Spares a link that is paid for by the byte: [`Builder::download_only`], and less talk about who is there.
    /// Changes in the group are noticed about three times later.
    #[must_use]
    pub fn metered(mut self) -> Self {
        self.is_metered = true;
        self.download_only()
    }

    /// Writes a journal of the first group that is joined to this file, which is made anew and only for its owner to
    /// read: everything that the member hears and is told, at most 256 MiB, so that `stratus-sim replay` can run it
    /// again. The private key and authorizations are not in it; see [`stratus_node::journal`] for what is. About
    /// doubles the work. Default: none.
    #[must_use]
    pub fn journal(mut self, file: impl Into<PathBuf>) -> Self {
        self.journal = Some(file.into());
        self
    }

    /// Uses packets as large as each path carries, up to 6,500 bytes: for who shares objects and streams nothing. Less
    /// processor time a byte on a machine's own loopback, in local networks and, a little, everywhere. Both ends must say so.
    /// Default: 1,200 bytes.
    #[must_use]
    pub fn large_packets(mut self) -> Self {
        self.transport.largest_packet = 6_500;
        // What has come is told of eight times a window.
        self.transport.stream_window = 1 << 20;
        self.transport.receive_window = 2 << 20;
        self
    }

    /// Who this member is. Default: a fresh random key.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Settings of the sockets; where they listen and the upload budget are set by their own methods.
    #[must_use]
    pub fn transport(mut self, config: transport::Config) -> Self {
        self.transport = transport::Config {
            listen: self.transport.listen,
            max_upload: self.transport.max_upload,
            largest_packet: self.transport.largest_packet.max(config.largest_packet),
            ..config
        };
        self
    }

    /// Settings of the overlay.
    #[must_use]
    pub fn overlay(mut self, config: overlay::Config) -> Self {
        self.overlay = config;
        self
    }

    /// Settings of the multicast; the upload budget and download-only are set by their own methods.
    #[must_use]
    pub fn multicast(mut self, config: multicast::Config) -> Self {
        let (upload, download_only) = (self.multicast.upload, self.multicast.download_only);
        self.multicast = multicast::Config { upload, download_only, ..config };
        self
    }

    /// Settings of posting. What bounds a sender (`rate_interval`, `max_posts_per_interval`, `long_body_bytes`,
    /// `max_long_posts_per_interval`) has to be the same at all members.
    #[must_use]
    pub fn posting(mut self, config: posting::Config) -> Self {
        self.posting = config;
        self
    }

    /// Puts a path of this quality in front of what the socket receives.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn conditions(mut self, conditions: transport::testing::Conditions) -> Self {
        self.conditions = Some(conditions);
        self
    }

    /// Opens the socket. Must be called inside a tokio runtime.
    pub async fn start(mut self) -> Result<Connection, StartError> {
        if self.is_metered {
            self.overlay = self.overlay.metered();
        }
        self.overlay.validate().map_err(|what| StartError::Settings(what.to_owned()))?;
        self.multicast.validate().map_err(|error| StartError::Settings(error.to_string()))?;
        self.posting.validate().map_err(|error| StartError::Settings(error.to_string()))?;
        let identity = match &self.identity {
            Some(identity) => identity.clone(),
            None => Identity::from_seed(entropy().ok_or(StartError::Entropy)?),
        };
        Connection::start(self, identity)
    }
}
