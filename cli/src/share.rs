//! `stratus share`: gives files and folders to a group.

use std::pin::pin;
use std::time::Instant;

use serde_json::json;
use stratus::{Capabilities, GroupSpecifier, MulticastConfig};
use stratus_groupspec::Groupspec;
use stratus_sharing::{Ended, Exchange, Set, SetId, Source, scan};
use tokio::task::spawn_blocking;

use crate::args::{Reach, Share};
use crate::consent::Part;
use crate::console::{Console, stdout_is_terminal};
use crate::group::{qr, with_ways};
use crate::session::Session;
use crate::signals::Signals;
use crate::spec;
use crate::stop::{Code, Failure, Stop, lower_first};
use crate::transfer::{self, Side};

/// Runs `stratus share …`.
pub(crate) async fn run(options: &Share, console: Console) -> Result<(), Stop> {
    let mut signal = pin!(Signals::listen()?.first());
    let began = Instant::now();
    console.note("reading what is to be shared");
    let (set, source) = tokio::select! {
        scanned = read(options, console) => scanned?,
        signal = &mut signal => return Err(Stop::Signal(signal)),
    };
    let spec = match &options.group {
        Some(group) => spec::load(group)?,
        None => group_of(set.id(), &options.reach)?,
    };
    check(&spec)?;
    tell(&set, &spec, options.group.is_none(), began, console)?;
    let reach = Reach { only_objects: true, ..options.reach.clone() };
    let (session, _entrance) =
        Session::open(&spec, &reach, Part::Relays, MulticastConfig::default(), console).await?;
    let objects = session.group().objects().await.map_err(|error| transfer::of_objects(&error))?;
    let exchange = Exchange::seed(set, Box::new(source), !options.again);
    let progress = exchange.progress();
    let running = spawn_blocking(move || exchange.run_blocking(objects));
    let ended = tokio::select! {
        ended = running => Err(transfer::of_end(ended.unwrap_or(Ended::Closed)).into()),
        () = transfer::watch(session.group(), progress.clone(), Side::Giving, console) => Ok(()),
        _ = &mut signal => Ok(()),
    };
    let given = progress.borrow().given_bytes;
    console.note(format_args!("gave {} in all", transfer::size(given)));
    console.event("summary", json!({ "given_bytes": given }));
    session.close().await;
    ended
}

async fn read(options: &Share, console: Console) -> Result<(Set, Source), Failure> {
    let paths = options.paths.clone();
    let scanned = spawn_blocking(move || scan(&paths)).await;
    let (set, source, links) = match scanned {
        Ok(Ok(scanned)) => scanned,
        Ok(Err(error)) => {
            return Err(Failure::new(Code::Usage, "cannot read what is to be shared")
                .tried(lower_first(&error.to_string()))
                .hint("name files and folders that can be read, with names that every system allows"));
        }
        Err(error) => return Err(Failure::new(Code::Failed, "cannot read").tried(error.to_string())),
    };
    if links > 0 {
        console.note(format_args!("links are not shared: {links} left out"));
    }
    Ok((set, source))
}

/// The group that a set makes: its name is the set's, which nobody guesses. Whoever gets its groupspec enters it the way
/// that we do. Spec RE-20.
fn group_of(id: SetId, reach: &Reach) -> Result<Groupspec, Failure> {
    let capabilities = Capabilities { object_replication: true, ..Capabilities::default() };
    let specifier = GroupSpecifier::new(&id.to_string())
        .map_err(|error| Failure::new(Code::Failed, "cannot make a group").tried(error.to_string()))?;
    Ok(with_ways(specifier.capabilities(capabilities), &reach.server, &reach.bootstrap)?.build())
}

fn check(spec: &Groupspec) -> Result<(), Failure> {
    if spec.capabilities().object_replication && !spec.capabilities().peer_to_peer_disabled {
        return Ok(());
    }
    Err(Failure::new(Code::Refused, "this group replicates no objects")
        .tried("its groupspec does not have object replication enabled")
        .hint("share without --group, or make a group without --no-replication"))
}

/// What others need in order to fetch it.
fn tell(set: &Set, spec: &Groupspec, is_own: bool, began: Instant, console: Console) -> Result<(), Stop> {
    let descriptor = set.descriptor();
    console.note(format_args!(
        "{}: {} files, {} ({} objects), read in {:.1} s",
        descriptor.name,
        descriptor.files.len(),
        transfer::size(set.content_bytes()),
        set.object_count(),
        began.elapsed().as_secs_f64()
    ));
    let text = spec.to_string_without_authorizations();
    console.event(
        "shared",
        json!({ "set": set.id().to_string(), "groupspec": text, "name": descriptor.name,
            "files": descriptor.files.len(), "bytes": set.content_bytes(), "objects": set.object_count() }),
    );
    if console.has_events() {
        return Ok(());
    }
    if !is_own && spec.name() != Some(&set.id().to_string()) {
        console.note(format_args!("the group is not named by the set: others add --set {}", set.id()));
    }
    if stdout_is_terminal() && !spec.has_authorizations() {
        qr::run(spec, console)
    } else {
        console.data(text)
    }
}
