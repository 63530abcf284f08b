//! A chat in the terminal: lines you type go to everybody, lines of others come, those said before you came as well.
//!
//! `cargo run -p stratus --example chat` prints a groupspec; give it to others:
//! `cargo run -p stratus --example chat -- G:…`

use std::io::{BufRead, Write};
use std::net::Ipv4Addr;

use stratus::{Capabilities, Connection, Event, Group, GroupSpecifier, Groupspec, Post};
use tokio::sync::mpsc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let connection = Connection::builder().listen((Ipv4Addr::LOCALHOST, 0).into()).start().await?;
    let spec = match std::env::args().nth(1) {
        Some(text) => Groupspec::parse(&text)?,
        None => founded(&connection)?,
    };
    let group = connection.join(&spec).await?;
    talk(&group).await?;
    connection.close().await;
    Ok(())
}

/// A group of our own, through which others find us.
fn founded(connection: &Connection) -> Result<Groupspec> {
    let tag = *connection.peer().as_bytes();
    let spec = GroupSpecifier::new("chat")?
        .make_unique(tag)
        .capabilities(Capabilities::services())
        .add_bootstrap_peer(connection.peer(), &[connection.local_addr()])?
        .build();
    writeln!(std::io::stdout(), "{}", spec.to_string_without_authorizations())?;
    Ok(spec)
}

async fn talk(group: &Group) -> Result<()> {
    let (mut events, mut typed) = (group.events(), lines());
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Event::Post(post)) => show(&post)?,
                Some(Event::Lagged { .. }) => group.posts().await?.iter().try_for_each(|post| show(post))?,
                Some(_) => {}
                None => return Ok(()),
            },
            line = typed.recv() => match line {
                Some(line) => drop(group.post(line).await?),
                None => return Ok(()),
            },
        }
    }
}

fn show(post: &Post) -> std::io::Result<()> {
    // Others' text must not command the terminal.
    let text = String::from_utf8_lossy(post.body()).replace(char::is_control, " ");
    writeln!(std::io::stdout(), "{}: {text}", &post.sender().to_string()[..8])
}

/// What is typed, read on a thread of its own.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        std::io::stdin()
            .lock()
            .lines()
            .map_while(std::result::Result::ok)
            .try_for_each(|line| sender.blocking_send(line))
    });
    receiver
}
