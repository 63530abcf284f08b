//! `stratus route`: sends over the group's ring, or shows what comes by.

use std::io::{self, BufRead as _};
use std::pin::pin;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use stratus::{
    Event, Events, Group, GroupAddress, MulticastConfig, ReceiveMode, RouteError, SendError, SendMode,
    SendResult, SendTo,
};
use stratus_groupspec::Groupspec;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::args::{Mode, Reach, Route, Target};
use crate::consent::Part;
use crate::console::Console;
use crate::session::{Presence, Session};
use crate::signals::Signals;
use crate::spec;
use crate::stop::{Code, Failure, Stop};

/// Time between tries of a send that nobody took.
const AGAIN: Duration = Duration::from_millis(200);
/// For so long no neighbor may have come or gone before next and previous mean anything.
const CALM: Duration = Duration::from_secs(1);

/// Runs `stratus route …`.
pub(crate) async fn run(options: &Route, console: Console) -> Result<(), Stop> {
    check(options)?;
    let spec = spec::load(&options.spec)?;
    check_routing(&spec)?;
    let mut signal = pin!(Signals::listen()?.first());
    let session = tokio::select! {
        session = enter(&spec, &options.reach, options.text.is_some(), console) => session?,
        signal = &mut signal => return Err(Stop::Signal(signal)),
    };
    let done = tokio::select! {
        result = work(options, session.group(), console) => result,
        signal = &mut signal => Err(Stop::Signal(signal)),
    };
    session.close().await;
    match done {
        // Being told to stop is how listening ends.
        Err(Stop::Signal(_)) if options.text.is_none() => Ok(()),
        done => done,
    }
}

/// Whether the words make sense together.
fn check(options: &Route) -> Result<(), Failure> {
    let needs_target = matches!(options.mode, Mode::Nearest | Mode::Exact);
    match (&options.text, options.target) {
        (Some(_), Target::None) if needs_target => Err(Failure::new(Code::Usage, "a target is wanted").hint(
            "name a place on the ring, or a member as peer:ID; --mode next, previous and all need none",
        )),
        (None, _) if !needs_target => Err(Failure::new(Code::Usage, "there is nothing to send")
            .hint("without a text, --mode nearest or exact shows what comes here")),
        _ => Ok(()),
    }
}

/// Refuses a group in which nothing is routed.
pub(crate) fn check_routing(spec: &Groupspec) -> Result<(), Failure> {
    if spec.capabilities().routing {
        return Ok(());
    }
    Err(Failure::new(Code::Refused, "this group has no directed routing")
        .tried("its groupspec does not have routing enabled")
        .hint("make a group without --no-routing"))
}

/// Enters the group; whoever is to say something waits until there is somebody to hear it.
pub(crate) async fn enter(
    spec: &Groupspec,
    reach: &Reach,
    needs_others: bool,
    console: Console,
) -> Result<Session, Failure> {
    let (session, entrance) =
        Session::open(spec, reach, Part::Relays, MulticastConfig::default(), console).await?;
    let entered = entrance.entered(Presence::Linked).await;
    let joined = match entered {
        Ok(_) if needs_others => session.group().joined(reach.patience()).await.map_err(|error| {
            Failure::new(Code::Unreachable, "the group has no other member")
                .tried(error.to_string())
                .hint("wait until others are there; --timeout waits longer")
        }),
        entered => entered.map(drop),
    };
    match joined {
        Ok(()) => Ok(session),
        Err(failure) => {
            session.close().await;
            Err(failure)
        }
    }
}

async fn work(options: &Route, group: &Group, console: Console) -> Result<(), Stop> {
    match options.text.as_deref() {
        None => listen(options.mode, group, console).await,
        Some("-") => {
            let mut lines = lines();
            while let Some(line) = lines.recv().await {
                let unread = |error: io::Error| {
                    Failure::new(Code::Failed, "cannot read standard input").tried(error.to_string())
                };
                send(options, group, line.map_err(unread)?, console).await?;
            }
            Ok(())
        }
        Some(text) => send(options, group, text.to_owned(), console).await,
    }
}

/// The lines of standard input, read by a thread of their own: a read there cannot be given up.
fn lines() -> mpsc::Receiver<io::Result<String>> {
    // One is sent while the next few are read.
    let (sender, lines) = mpsc::channel(16);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn listen(mode: Mode, group: &Group, console: Console) -> Result<(), Stop> {
    let mut events: Events = group.events();
    let mode = if mode == Mode::Exact { ReceiveMode::Exact } else { ReceiveMode::Nearest };
    group.set_receive_mode(mode).await.map_err(|error| of_route(&error))?;
    let info = group.info().await.map_err(|error| closed(&error.to_string()))?;
    console.note(format_args!("listening at {}", info.address));
    console.event("state", json!({ "state": "listening", "address": info.address.to_string() }));
    while let Some(event) = events.recv().await {
        match event {
            Event::SendTo(parcel) if parcel.has_arrived() && !console.has_events() => {
                console.data(format_args!("{} {}", parcel.origin, plain(&parcel.message)))?;
            }
            Event::SendTo(parcel) if !parcel.has_arrived() => {
                console.detail(format_args!("{} bytes pass by", parcel.message.len()));
            }
            Event::Lagged { missed } => console.note(format_args!("too slow: {missed} events missed")),
            _ => {}
        }
    }
    Err(closed("the group was left").into())
}

async fn send(options: &Route, group: &Group, text: String, console: Console) -> Result<(), Stop> {
    let deadline = Instant::now() + options.reach.patience();
    if matches!(options.mode, Mode::Next | Mode::Previous | Mode::All) {
        calm(group, deadline).await;
    }
    let result = loop {
        let result = send_once(options, group, &text).await.map_err(|error| of_route(&error))?;
        // Who has only just come does not know yet who takes what.
        let may_change = matches!(result, SendResult::NoRoute | SendResult::Error(SendError::TooFast));
        if !may_change || Instant::now() + AGAIN > deadline {
            break result;
        }
        sleep(AGAIN).await;
    };
    let word = match result {
        SendResult::Sent => "sent",
        SendResult::NoRoute => "no route",
        SendResult::Error(_) => "error",
    };
    console.event("sent", json!({ "result": word, "bytes": text.len() }));
    match result {
        SendResult::Sent => {
            console.note(format_args!("sent {} bytes", text.len()));
            Ok(())
        }
        SendResult::NoRoute => Err(no_route(options.mode).into()),
        SendResult::Error(error) => Err(of_send(error).into()),
    }
}

async fn send_once(options: &Route, group: &Group, text: &str) -> Result<SendResult, RouteError> {
    let message = text.as_bytes().to_vec();
    let place = place(options.target, group);
    match options.mode {
        Mode::Nearest => group.send_to_nearest(message, place).await,
        Mode::Exact => group.send_to_exactly(message, place).await,
        Mode::Next => group.send_to_neighbor(message, SendMode::NextIncreasing).await,
        Mode::Previous => group.send_to_neighbor(message, SendMode::NextDecreasing).await,
        Mode::All => group.send_to_all_neighbors(message).await,
    }
}

/// Where the target is; where none is needed, any place will do.
fn place(target: Target, group: &Group) -> GroupAddress {
    match target {
        Target::None => GroupAddress::from_bytes([0; 32]),
        Target::Place(place) => place,
        Target::Peer(peer) => group.address_of(&peer),
    }
}

/// Waits until neighbors neither come nor go.
async fn calm(group: &Group, deadline: Instant) {
    let (mut count, mut since) = (group.neighbor_count(), Instant::now());
    while since.elapsed() < CALM && Instant::now() < deadline {
        sleep(AGAIN / 4).await;
        let present = group.neighbor_count();
        if present != count {
            (count, since) = (present, Instant::now());
        }
    }
}

/// What came, on one line and without anything that a terminal would obey.
pub(crate) fn plain(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// What came, for programs.
pub(crate) fn fields(parcel: &SendTo) -> Value {
    json!({
        "message": String::from_utf8_lossy(&parcel.message),
        "from": parcel.from.to_string(),
        "from_local": parcel.from_local,
        "to": parcel.to.map(|place| place.to_string()),
        "origin": parcel.origin.to_string(),
        "hops": parcel.hops,
    })
}

fn no_route(mode: Mode) -> Failure {
    let (tried, hint) = match mode {
        Mode::Exact => {
            ("no member sits there, or it does not answer", "look at what it prints: listening at …")
        }
        Mode::Nearest => (
            "no neighbor takes what is for that place",
            "some member must take for the nearest: stratus route SPEC -",
        ),
        _ => ("there is no neighbor", "wait until others are there"),
    };
    Failure::new(Code::Failed, "no route").tried(tried).hint(hint)
}

fn of_send(error: SendError) -> Failure {
    match error {
        SendError::TooLong => Failure::new(Code::Usage, "the message is longer than 8192 bytes")
            .hint("send it in parts, or share it as a file"),
        SendError::TooFast => Failure::new(Code::Failed, "not sent")
            .tried("the neighbors were sent as much as they take")
            .hint("send less at a time"),
        SendError::TooManyHops => Failure::new(Code::Failed, "not sent").tried("it has come too far"),
    }
}

fn of_route(error: &RouteError) -> Failure {
    match error {
        RouteError::RoutingDisabled => Failure::new(Code::Refused, error.to_string()),
        RouteError::Closed(_) => closed(&error.to_string()),
    }
}

pub(crate) fn closed(why: &str) -> Failure {
    Failure::new(Code::Failed, "the group was closed").tried(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_would_obey_is_shown() {
        assert_eq!(plain(b"a\x1b[2Jb\nc\xff"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }
}
