//! One publisher and one viewer in a group of their own, without a server: the groupspec names the publisher.
//!
//! `cargo run -p stratus --example cam`

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use stratus::{Capabilities, Connection, GroupSpecifier, Groupspec, Kind, Outgoing, Play, Played, Publish};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let publisher = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into()).start().await?;
    let spec = GroupSpecifier::new("example")?
        .make_unique([7; 32])
        .capabilities(Capabilities::services())
        .add_bootstrap_peer(publisher.peer(), &[publisher.local_addr()])?
        .build();
    let viewer = tokio::spawn(view(spec.clone()));

    let group = publisher.join(&spec).await?;
    group.joined(Duration::from_secs(5)).await?;
    let mut publication = group.publish("cam", Publish::default()).await?;
    for number in 0..50 {
        let payload = format!("picture {number}").into();
        publication.send(Outgoing { payload, kind: Kind::Video, is_key: number % 10 == 0 }).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    publication.end().await?;
    viewer.await??;
    publisher.close().await;
    Ok(())
}

async fn view(spec: Groupspec) -> Result<()> {
    let connection = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into()).start().await?;
    let group = connection.join(&spec).await?;
    let mut playback = group.play("cam", Play::default()).await?;
    let mut stdout = std::io::stdout();
    while let Some(played) = playback.next().await {
        match played {
            Played::Message(message) => {
                writeln!(stdout, "{}", String::from_utf8_lossy(&message.payload()))?;
            }
            other => writeln!(stdout, "{other:?}")?,
        }
    }
    playback.finish().await;
    connection.close().await;
    Ok(())
}
