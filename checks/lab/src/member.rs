//! The programs that run on the lab's hosts: a server, a publisher, viewers.
//!
//! A member reads its orders, one JSON line, from stdin (a groupspec is a secret and no argument), says how it goes in
//! JSON lines on stdout, and leaves when stdin ends: so no member outlives a lab that was killed.

mod publisher;
mod viewer;

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stratus::{Connection, Group, Groupspec};
use stratus_server::{Server, ServerConfig};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin, stdin};
use tokio::time::timeout;

use crate::trouble::Trouble;

/// The stream that everybody is about.
const STREAM: &str = "cam";
/// Payload of each message: one full fragment.
pub const MESSAGE_BYTES: usize = 1_128;
/// How long a member looks for the group.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long leaving may take.
const GOODBYE: Duration = Duration::from_secs(4);

/// What a member is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Orders {
    /// Its part.
    pub role: Role,
    /// The group, with every right in it.
    pub spec: String,
    /// Where the server is, or shall be.
    pub server: SocketAddr,
    /// The upload budget, bytes a second.
    pub upload: Option<u64>,
    /// Payload bytes a second of the stream.
    pub rate: u64,
    /// Messages in the stream.
    pub messages: u64,
}

/// A member's part.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Role {
    /// The rendezvous server.
    Serve,
    /// Sends the stream when it is told to go.
    Publish,
    /// Plays the stream from before its start to its end.
    View,
}

/// What members say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Said {
    /// In the group, or serving.
    Ready {
        /// When, since boot.
        at: Duration,
    },
    /// The stream's first message was written.
    Publishing {
        /// When, since boot.
        at: Duration,
    },
    /// The stream was sent.
    Published(Published),
    /// The stream was played.
    Viewed(Box<Viewed>),
}

/// How publishing went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Published {
    /// Messages written.
    pub messages: u64,
    /// Whether everybody had everything before the publisher left.
    pub is_drained: bool,
    /// Payload bytes sent, all copies together.
    pub sent_bytes: u64,
    /// UDP payload bytes sent.
    pub wire_bytes: u64,
    /// Messages that were written late because the group was busy.
    pub late: u64,
}

/// What a viewer got.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Viewed {
    /// Whether the stream came to its end.
    pub has_ended: bool,
    /// Messages that came.
    pub messages: u64,
    /// Messages whose number was passed over, and those after the last one that came.
    pub missing: u64,
    /// Messages that were altered on the way.
    pub altered: u64,
    /// Messages that came twice or after a later one.
    pub disordered: u64,
    /// Gaps that the player told of.
    pub gaps: u64,
    /// Times that it was told that the publisher is gone.
    pub idles: u64,
    /// Times that another stream of the name took over, and when its first message came, since boot.
    pub resets: Vec<Duration>,
    /// How many messages took how many milliseconds.
    pub delays_ms: Vec<(u64, u64)>,
    /// The longest time between two messages.
    pub longest_pause: Duration,
    /// Neighbors at the end.
    pub neighbors: usize,
    /// Payload bytes that came, all copies together.
    pub received_bytes: u64,
    /// Payload bytes that came although they were held.
    pub duplicate_bytes: u64,
    /// Payload bytes that came because they were asked for.
    pub pulled_bytes: u64,
    /// Payload bytes sent to others.
    pub sent_bytes: u64,
    /// Slices that moved because a parent fell silent or left.
    pub reparented: u64,
    /// Slices that moved to a quicker parent.
    pub quickened: u64,
    /// UDP payload bytes sent.
    pub wire_sent_bytes: u64,
    /// UDP payload bytes received.
    pub wire_received_bytes: u64,
    /// Requests that it sent.
    pub requests: u64,
    /// Requests that it refused.
    pub refusals: u64,
    /// Datagrams that its own queues dropped.
    pub dropped: u64,
}

/// Reads orders from stdin and carries them out.
pub async fn run() -> Result<(), Trouble> {
    let mut lines = BufReader::new(stdin()).lines();
    let first = lines.next_line().await.map_err(Trouble::of("cannot read the orders"))?;
    let orders = serde_json::from_str(&first.unwrap_or_default()).map_err(Trouble::of("no orders"))?;
    match orders {
        Orders { role: Role::Serve, server, .. } => serve(server, &mut lines).await,
        Orders { role: Role::Publish, .. } => publisher::run(&orders, &mut lines).await,
        Orders { role: Role::View, .. } => viewer::run(&orders, &mut lines).await,
    }
}

async fn serve(listen: SocketAddr, lines: &mut Lines<BufReader<Stdin>>) -> Result<(), Trouble> {
    let server = Server::start(ServerConfig::listen_on(listen)).await;
    let server = server.map_err(Trouble::of("cannot serve"))?;
    say(&Said::Ready { at: crate::since_boot() })?;
    dismissed(lines).await;
    server.shutdown().await;
    Ok(())
}

/// Waits until the lab closes stdin.
async fn dismissed(lines: &mut Lines<BufReader<Stdin>>) {
    while let Ok(Some(_)) = lines.next_line().await {}
}

async fn enter(orders: &Orders) -> Result<(Connection, Group), Trouble> {
    let spec = Groupspec::parse(&orders.spec).map_err(Trouble::of("no groupspec"))?;
    let mut builder = Connection::builder().server(orders.server.to_string());
    if let Some(upload) = orders.upload {
        builder = builder.max_upload(upload);
    }
    let connection = builder.start().await.map_err(Trouble::of("cannot open a socket"))?;
    let group = connection.join(&spec).await.map_err(Trouble::of("cannot join"))?;
    Ok((connection, group))
}

async fn leave(connection: Connection) {
    // What has not arrived by then never will.
    let _ = timeout(GOODBYE, connection.close()).await;
}

fn say(said: &Said) -> Result<(), Trouble> {
    let mut line = serde_json::to_string(said).map_err(Trouble::of("cannot say it"))?;
    line.push('\n');
    std::io::stdout().write_all(line.as_bytes()).map_err(Trouble::of("nobody listens"))
}
