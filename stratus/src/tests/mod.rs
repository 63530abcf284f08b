//! Whole members on real loopback sockets.

mod capabilities;
mod entering;
mod meeting;
mod names;
mod objects;
mod passwords;
mod posts;
mod roles;
mod routes;
mod serverless;
mod streams;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use stratus_server::{Server, ServerConfig};
use tokio::time::timeout;

use crate::{
    Builder, Capabilities, Connection, Event, Events, Group, GroupSpecifier, Groupspec, Kind, Outgoing, Play,
    Playback, Played, Publication, Publish,
};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn spec(tag: u8) -> Groupspec {
    GroupSpecifier::new("show").unwrap().make_unique([tag; 32]).capabilities(Capabilities::services()).build()
}

async fn server() -> Server {
    Server::start(ServerConfig::listen_on(loopback())).await.unwrap()
}

fn at(server: &Server) -> Builder {
    Connection::builder().listen(loopback()).server(server.local_addr().to_string())
}

async fn start(builder: Builder) -> Connection {
    builder.start().await.unwrap()
}

/// Members of one group that have all found somebody.
async fn members(builder: &Builder, spec: &Groupspec, count: usize) -> Vec<(Connection, Group)> {
    let mut members = Vec::new();
    for _ in 0..count {
        let connection = start(builder.clone()).await;
        let group = connection.join(spec).await.unwrap();
        members.push((connection, group));
    }
    for (_, group) in &members {
        group.joined(PATIENCE).await.unwrap();
    }
    members
}

async fn close_all(members: Vec<(Connection, Group)>) {
    let closing: Vec<_> = members
        .into_iter()
        .map(|(connection, _)| tokio::spawn(async move { connection.close().await }))
        .collect();
    for task in closing {
        task.await.unwrap();
    }
}

/// The next event that `wanted` knows.
async fn until<T>(events: &mut Events, wanted: impl Fn(&Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = events.recv().await.expect("the group is joined");
            if let Some(found) = wanted(&event) {
                return found;
            }
        }
    };
    timeout(PATIENCE, found).await.expect("an event in time")
}

/// A message at which a newcomer may start.
fn key(payload: impl Into<Bytes>) -> Outgoing {
    Outgoing { payload: payload.into(), kind: Kind::Data, is_key: true }
}

/// A message that needs the ones before it.
fn message(payload: impl Into<Bytes>) -> Outgoing {
    Outgoing { is_key: false, ..key(payload) }
}

async fn next(playback: &mut Playback) -> Option<Played> {
    timeout(PATIENCE, playback.next()).await.expect("something to play in time")
}

/// Payloads of all messages up to the end; anything but a start is shown.
async fn play_to_end(playback: &mut Playback) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    while let Some(played) = next(playback).await {
        match played {
            Played::Start { .. } => {}
            Played::Message(message) => payloads.push(message.payload()),
            other => panic!("{other:?}"),
        }
    }
    payloads
}
