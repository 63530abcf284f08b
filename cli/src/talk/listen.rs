use std::pin::pin;

use serde_json::json;
use stratus::MulticastConfig;

use super::hearing::{Heard, Hearing};
use super::{Line, check_posts};
use crate::args::Listen;
use crate::consent::Part;
use crate::console::Console;
use crate::events;
use crate::report::Role;
use crate::session::{Presence, Session};
use crate::signals::Signals;
use crate::spec;
use crate::stop::Stop;

/// Runs `stratus listen …`: everything that is posted, a line each, until it is told to stop.
pub(crate) async fn run(options: &Listen, console: Console) -> Result<(), Stop> {
    let spec = spec::load(&options.spec)?;
    check_posts(&spec)?;
    let mut signal = pin!(Signals::listen()?.first());
    let part = Part::Relays;
    let (session, entrance) =
        Session::open(&spec, &options.reach, part, MulticastConfig::default(), console).await?;
    let admin = session.admin(&options.reach, Role::Listen, &options.spec, None, console).await?;
    let mut hearing = Hearing::begin(session.group()).await;
    let mut has_said = false;
    let ended = tokio::select! {
        result = show(&mut hearing, &mut has_said, console) => result,
        failure = entrance.failed(Presence::Linked) => Err(failure.into()),
        signal = &mut signal => Err(Stop::Signal(signal)),
    };
    drop(admin);
    session.close().await;
    match ended {
        // Being told to stop is how listening ends.
        Err(Stop::Signal(_)) if has_said => Ok(()),
        ended => ended,
    }
}

async fn show(hearing: &mut Hearing, has_said: &mut bool, console: Console) -> Result<(), Stop> {
    while let Some(heard) = hearing.next().await {
        match heard {
            Heard::Line(line) => {
                write(&line, console)?;
                *has_said = true;
            }
            Heard::Event(event) => console.detail(event.code()),
        }
    }
    events::tell(console, "NetGroup.Connect.Closed", json!({}));
    Ok(())
}

/// One post on a line of its own: posts are data, and a slow reader is waited for.
pub(crate) fn write(line: &Line, console: Console) -> Result<(), Stop> {
    if console.has_events() { console.data(line.json()) } else { console.data(line) }
}
