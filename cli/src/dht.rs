//! `stratus dht`: has the group keep values, and finds them.

use std::io::{self, Read as _, Write as _};
use std::pin::pin;

use serde_json::json;
use stratus::{GetError, Group, Identity, Key, PutError, Value};

use crate::args::{DhtCommand, DhtGet, DhtPut};
use crate::console::{self, Console};
use crate::identity;
use crate::route::{check_routing, closed, enter, plain};
use crate::signals::Signals;
use crate::spec;
use crate::stop::{Code, Failure, Stop};

/// Longest value.
const MOST_BYTES: u64 = 8 * 1_024;

/// Runs `stratus dht …`.
pub(crate) async fn run(command: &DhtCommand, console: Console) -> Result<(), Stop> {
    let (spec, reach) = match command {
        DhtCommand::Put(put) => (&put.spec, &put.reach),
        DhtCommand::Get(get) => (&get.spec, &get.reach),
    };
    let spec = spec::load(spec)?;
    check_routing(&spec)?;
    let payload = match command {
        DhtCommand::Put(put) => read(&put.text)?,
        DhtCommand::Get(_) => Vec::new(),
    };
    let mut signal = pin!(Signals::listen()?.first());
    let session = tokio::select! {
        session = enter(&spec, reach, true, console) => session?,
        signal = &mut signal => return Err(Stop::Signal(signal)),
    };
    let group = session.group();
    let work = async {
        match command {
            DhtCommand::Put(options) => put(options, payload, group, console).await,
            DhtCommand::Get(options) => get(options, group, console).await,
        }
    };
    let done = tokio::select! {
        result = work => result,
        signal = &mut signal => Err(Stop::Signal(signal)),
    };
    session.close().await;
    done
}

/// The value, from the words or from standard input; one byte over the limit is enough to refuse it.
fn read(text: &str) -> Result<Vec<u8>, Failure> {
    let mut payload = Vec::new();
    if text == "-" {
        io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut payload).map_err(|error| {
            Failure::new(Code::Failed, "cannot read standard input").tried(error.to_string())
        })?;
    } else {
        payload.extend_from_slice(text.as_bytes());
    }
    if payload.len() as u64 > MOST_BYTES {
        return Err(Failure::new(Code::Usage, "the value is longer than 8192 bytes")
            .hint("share it as a file and put its groupspec"));
    }
    Ok(payload)
}

async fn put(options: &DhtPut, payload: Vec<u8>, group: &Group, console: Console) -> Result<(), Stop> {
    let value = match &options.signer {
        None => Value::Content(payload.into()),
        Some(file) => {
            let signer = identity::load(file)?;
            let name = options.name.clone();
            let sequence = match options.sequence {
                Some(sequence) => sequence,
                None => next_sequence(&signer, &name, group).await?,
            };
            Value::signed(&signer, &group.id(), name, sequence, payload)
        }
    };
    let (key, sequence) = (value.key(), value.sequence());
    let copies = group.dht().kept_for(options.keep).put_value(value).await;
    let copies = copies.map_err(|error| of_put(&error, sequence))?;
    console.note(format_args!("kept by {copies} members for {}", humantime::format_duration(options.keep)));
    if console.has_events() {
        console.event("put", json!({ "key": key.to_string(), "copies": copies, "sequence": sequence }));
        return Ok(());
    }
    console.data(key)
}

/// One more than what is kept; 1 where nothing is.
async fn next_sequence(signer: &Identity, name: &str, group: &Group) -> Result<u64, Failure> {
    let key = Key::of_signed(&signer.public(), name.as_bytes());
    match group.dht().get(key).await {
        Ok(got) => Ok(got.value.sequence().saturating_add(1)),
        Err(GetError::NotFound { .. }) => Ok(1),
        Err(error) => Err(of_get(&error)),
    }
}

async fn get(options: &DhtGet, group: &Group, console: Console) -> Result<(), Stop> {
    let got = group.dht().get(options.key).await.map_err(|error| of_get(&error))?;
    let payload = got.value.payload();
    console.note(format_args!(
        "{} bytes, sequence {}, {} copies",
        payload.len(),
        got.value.sequence(),
        got.copies
    ));
    if console.has_events() {
        console.event(
            "value",
            json!({
                "key": options.key.to_string(),
                "value": String::from_utf8_lossy(payload),
                "bytes": payload.len(),
                "sequence": got.value.sequence(),
                "copies": got.copies,
            }),
        );
        return Ok(());
    }
    if console::stdout_is_terminal() {
        return console.data(plain(payload));
    }
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(payload)
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::of_write("standard output", &error))
}

fn of_put(error: &PutError, sequence: u64) -> Failure {
    match error {
        PutError::Older { .. } => {
            Failure::new(Code::Refused, format!("the value was not taken: sequence {sequence}"))
                .tried(error.to_string())
                .hint("leave --sequence out to sign one more than what is kept")
        }
        PutError::Invalid => Failure::new(Code::Usage, error.to_string()),
        PutError::Alone => Failure::new(Code::Unreachable, error.to_string())
            .hint("wait until others are there; a member alone keeps nothing for a group"),
        PutError::Route(error) => closed(&error.to_string()),
        PutError::TooMany | PutError::NotKept => Failure::new(Code::Failed, "the value was not kept")
            .tried(error.to_string())
            .hint("try again later"),
    }
}

fn of_get(error: &GetError) -> Failure {
    match error {
        GetError::NotFound { .. } => Failure::new(Code::Failed, "there is no such value")
            .tried(error.to_string())
            .hint("it may have expired: put it again"),
        GetError::Alone => Failure::new(Code::Unreachable, error.to_string())
            .hint("wait until others are there; --timeout waits longer"),
        GetError::Route(error) => closed(&error.to_string()),
        GetError::TooMany => Failure::new(Code::Failed, error.to_string()),
    }
}
