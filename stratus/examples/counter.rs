//! A counter that all members of a group share, kept in the group's table of values: whoever has the groupspec may count.
//! `cargo run -p stratus --example counter`

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use stratus::{
    Capabilities, Connection, GetError, Group, GroupSpecifier, Groupspec, Identity, Key, PutError,
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
    let mut members = vec![(first, group.clone())];
    for other in others {
        members.push(other.await??);
    }
    writeln!(std::io::stdout(), "three members counted to {}", read(&group).await?.1)?;
    for (connection, _) in members {
        connection.close().await;
    }
    Ok(())
}

/// Enters the group and adds one, five times.
async fn count_to_five(spec: Groupspec) -> Result<(Connection, Group)> {
    let connection = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into()).start().await?;
    let group = connection.join(&spec).await?;
    group.joined(Duration::from_secs(5)).await?;
    let me = connection.peer().to_string()[..8].to_owned();
    for _ in 0..5 {
        writeln!(std::io::stdout(), "{me} counts {}", add_one(&group, &me).await?)?;
    }
    Ok((connection, group))
}

/// Signs what is there and one more, until that is what is kept: by most, or by as many as any other.
async fn add_one(group: &Group, me: &str) -> Result<u64> {
    let mut mine = String::new();
    loop {
        let (sequence, kept) = read(group).await?;
        let count: u64 = kept.split(' ').next().unwrap_or_default().parse()?;
        if kept == mine {
            return Ok(count);
        }
        // With who says so: two who sign the very same would both be told that it is kept.
        mine = format!("{} {me}", count + 1);
        match group.dht().put_signed(&signer(group), "count", sequence + 1, mine.clone()).await {
            Ok(_) => return Ok(count + 1),
            Err(PutError::Older { .. } | PutError::NotKept) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The sequence, and the count with who said it; 0 before anybody has counted.
async fn read(group: &Group) -> Result<(u64, String)> {
    match group.dht().get(Key::of_signed(&signer(group).public(), b"count")).await {
        Ok(got) => Ok((got.value.sequence(), String::from_utf8(got.value.payload().to_vec())?)),
        Err(GetError::NotFound { .. }) => Ok((0, "0".to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// All members have the key: the group's id is known to them, and to servers, which cannot enter.
fn signer(group: &Group) -> Identity {
    Identity::from_seed(*group.id().as_bytes())
}
