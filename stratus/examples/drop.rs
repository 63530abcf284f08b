//! A file drop: one member has objects, another fetches them, in a group of their own and without a server. Here the application
//! is the store; `stratus share` adds descriptors, hashes and folders.
//!
//! `cargo run -p stratus --example drop`

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Ipv4Addr;

use bytes::Bytes;
use stratus::{Capabilities, Connection, GroupSpecifier, Groupspec, ObjectEvent};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many there are.
const COUNT: u64 = 50;

fn object(index: u64) -> Bytes {
    vec![index as u8; 64 << 10].into()
}

#[tokio::main]
async fn main() -> Result<()> {
    let giver = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into()).start().await?;
    let spec = GroupSpecifier::new("drop")?
        .make_unique([7; 32])
        .capabilities(Capabilities { object_replication: true, ..Capabilities::default() })
        .add_bootstrap_peer(giver.peer(), &[giver.local_addr()])?
        .build();
    let group = giver.join(&spec).await?;
    let mut objects = group.objects().await?;
    objects.add_have(0..COUNT).await?;
    let fetching = tokio::spawn(fetch(spec));
    tokio::pin!(fetching);
    loop {
        tokio::select! {
            fetched = &mut fetching => {
                fetched??;
                giver.close().await;
                return Ok(());
            }
            Some(event) = objects.next() => {
                if let ObjectEvent::Request { request, index, .. } = event {
                    objects.write(request, object(index)).await?;
                }
            }
        }
    }
}

async fn fetch(spec: Groupspec) -> Result<()> {
    let connection = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into()).start().await?;
    let mut objects = connection.join(&spec).await?.objects().await?;
    objects.add_want(0..COUNT).await?;
    let mut store = BTreeMap::new();
    while store.len() < COUNT as usize {
        match objects.next().await.ok_or("the group was left")? {
            ObjectEvent::Result { index, object: bytes, .. } if bytes == object(index) => {
                store.insert(index, bytes);
                objects.add_have(index..index + 1).await?;
            }
            ObjectEvent::Result { index, peer, .. } => objects.reject(index, peer).await?,
            ObjectEvent::Request { request, index, .. } => match store.get(&index) {
                Some(bytes) => objects.write(request, bytes.clone()).await?,
                None => objects.deny(request).await?,
            },
            _ => {}
        }
    }
    writeln!(
        std::io::stdout(),
        "{} objects, {} bytes",
        store.len(),
        store.values().map(Bytes::len).sum::<usize>()
    )?;
    connection.close().await;
    Ok(())
}
