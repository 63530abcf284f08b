//! A counter that all members of a group share, kept in the group's table of values: whoever has the groupspec may count.
//!
//! `cargo run -p stratus --example counter`

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use stratus::{
    Capabilities, Connection, GetError, Group, GroupSpecifier, Groupspec, Identity, PutError, Value,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let first = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into()).start().await?;
    let spec = GroupSpecifier::new("counter")?
        .make_unique([7; 32])
        .capabilities(Capabilities::services())
        .add_bootstrap_peer(first.peer(), &[first.local_addr()])?
        .build();
    let group = first.join(&spec).await?;
    let others: Vec<_> = (0..3).map(|_| tokio::spawn(count_to_five(spec.clone()))).collect();
    group.joined(Duration::from_secs(5)).await?;
    for other in others {
        other.await??;
    }
    writeln!(std::io::stdout(), "three members counted to {}", read(&group).await?.1)?;
    first.close().await;
    Ok(())
}

/// Enters the group and adds one, five times.
async fn count_to_five(spec: Groupspec) -> Result<()> {
    let connection = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into()).start().await?;
    let group = connection.join(&spec).await?;
    group.joined(Duration::from_secs(5)).await?;
    for _ in 0..5 {
        writeln!(
            std::io::stdout(),
            "{} counts {}",
            &connection.peer().to_string()[..8],
            add_one(&group).await?
        )?;
    }
    // The others may still need what is kept here: a member that leaves hands nothing on.
    tokio::time::sleep(Duration::from_secs(3)).await;
    connection.close().await;
    Ok(())
}

/// Signs what is there and one more, until nobody else was quicker.
async fn add_one(group: &Group) -> Result<u64> {
    loop {
        let (sequence, count) = read(group).await?;
        let (signer, next) = (signer(group), (count + 1).to_string());
        match group.dht().put_signed(&signer, "count", sequence + 1, next).await {
            Ok(_) => return Ok(count + 1),
            Err(PutError::Older { .. } | PutError::NotKept) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The sequence and the count; 0 before anybody has counted.
async fn read(group: &Group) -> Result<(u64, u64)> {
    let zero = Value::signed(&signer(group), &group.id(), "count", 0, "0");
    match group.dht().get(zero.key()).await {
        Ok(got) => Ok((got.value.sequence(), std::str::from_utf8(got.value.payload())?.parse()?)),
        Err(GetError::NotFound { .. }) => Ok((0, 0)),
        Err(error) => Err(error.into()),
    }
}

/// All members have the key: the group's id is known to them, and to servers, which cannot enter.
fn signer(group: &Group) -> Identity {
    Identity::from_seed(*group.id().as_bytes())
}
