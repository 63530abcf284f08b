//! `stratus fetch`: gets files and folders from a group.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::{Duration, Instant};

use serde_json::json;
use stratus::{Group, MulticastConfig};
use stratus_groupspec::Groupspec;
use stratus_sharing::{Ended, Exchange, FolderStore, Progress, SetId, Store};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::args::{Fetch, Reach};
use crate::consent::Part;
use crate::console::Console;
use crate::session::{Presence, Session};
use crate::signals::Signals;
use crate::spec;
use crate::stop::{Code, Failure, Stop};
use crate::transfer::{self, Side};

/// Nobody has asked for anything for so long: whoever is done may go.
const QUIET: Duration = Duration::from_secs(2);
/// Longest that whoever is done stays for others.
const MOST_STAY: Duration = Duration::from_secs(30);

/// Runs `stratus fetch …`.
pub(crate) async fn run(options: &Fetch, console: Console) -> Result<(), Stop> {
    let spec = spec::load(&options.spec)?;
    let id = options.set.map_or_else(|| set_of(&spec), Ok)?;
    let mut signal = pin!(Signals::listen()?.first());
    let began = Instant::now();
    let reach = Reach { only_objects: true, ..options.reach.clone() };
    let (session, entrance) =
        Session::open(&spec, &reach, Part::Relays, MulticastConfig::default(), console).await?;
    let objects = session.group().objects().await.map_err(|error| transfer::of_objects(&error))?;
    let exchange = exchange(options, id);
    let mut progress = exchange.progress();
    let shown = progress.clone();
    let running = spawn_blocking(move || exchange.run_blocking(objects));
    let mut running = pin!(running);
    let ended = tokio::select! {
        ended = &mut running => Err(of_end(ended.unwrap_or(Ended::Closed), options)),
        failure = entrance.failed(Presence::Linked) => Err(failure.into()),
        () = transfer::watch(session.group(), shown, Side::Taking, console) => Ok(()),
        signal = &mut signal => Err(Stop::Signal(signal)),
        // An exchange that failed is gone without having been complete.
        Ok(_) = progress.wait_for(|progress| progress.is_complete) => Ok(()),
    };
    console.end_status();
    let now = progress.borrow().clone();
    summarize(&now, began.elapsed(), ended.is_ok(), console);
    if ended.is_ok() {
        tokio::select! {
            _ = &mut running => {}
            () = stay(options.seed, session.group(), &progress, console) => {}
            _ = &mut signal => {}
        }
    }
    session.close().await;
    ended
}

/// The set that the group is named by.
fn set_of(spec: &Groupspec) -> Result<SetId, Failure> {
    spec.name().and_then(SetId::from_hex).ok_or_else(|| {
        Failure::new(Code::Usage, "the group is not named by a set")
            .tried("its name is not the hash of a set")
            .hint("whoever shares sees the name of the set: add --set HASH")
    })
}

/// Goes on where an earlier fetch ended, or begins.
fn exchange(options: &Fetch, id: SetId) -> Exchange {
    let folder = options.folder.clone();
    let known = FolderStore::known(&folder, id);
    let open = move |set: &stratus_sharing::Set| {
        FolderStore::open(&folder, set).map(|store| -> Box<dyn Store> { Box::new(store) })
    };
    match known {
        Some(set) => Exchange::resume(set, open),
        None => Exchange::fetch(id, open),
    }
}

/// Others may be in the middle of what this member has.
async fn stay(seeds: bool, group: &Group, progress: &watch::Receiver<Progress>, console: Console) {
    if seeds {
        console.note("complete; giving it to others until interrupted");
        return transfer::watch(group, progress.clone(), Side::Giving, console).await;
    }
    let began = Instant::now();
    let (mut given, mut since) = (progress.borrow().given_bytes, Instant::now());
    while since.elapsed() < QUIET && began.elapsed() < MOST_STAY {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = progress.borrow().given_bytes;
        if now != given {
            (given, since) = (now, Instant::now());
        }
    }
}

fn summarize(progress: &Progress, elapsed: Duration, is_complete: bool, console: Console) {
    let seconds = elapsed.as_secs_f64();
    if is_complete {
        let name = progress.name.clone().unwrap_or_default();
        let resumed = progress.held_bytes.saturating_sub(progress.fetched_bytes);
        let again =
            if resumed > 0 { format!(", {} were there", transfer::size(resumed)) } else { String::new() };
        console.note(format_args!(
            "fetched {name}: {} in {seconds:.1} s{again}",
            transfer::size(progress.fetched_bytes)
        ));
    }
    console.event(
        "summary",
        json!({ "complete": is_complete, "name": progress.name, "total_bytes": progress.total_bytes,
            "held_bytes": progress.held_bytes, "fetched_bytes": progress.fetched_bytes,
            "given_bytes": progress.given_bytes, "rejected_objects": progress.rejected, "seconds": seconds }),
    );
}

fn of_end(ended: Ended, options: &Fetch) -> Stop {
    let folder = options.folder.display();
    match ended {
        Ended::Store(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            Failure::new(Code::Failed, format!("the disk is full: {folder}"))
                .tried("what came so far is kept, and everything kept is right")
                .hint("make room and run the same command again: it goes on where it ended")
                .into()
        }
        Ended::Store(error) => Failure::new(Code::Failed, format!("cannot write into the folder: {folder}"))
            .tried(error.to_string())
            .hint("choose another folder, or move what is in the way")
            .into(),
        ended => transfer::of_end(ended).into(),
    }
}
