//! `stratus publish`: sends a live stream into a group.

use std::path::Path;
use std::pin::{Pin, pin};
use std::time::Duration;

use serde_json::json;
use stratus::{ConfigError, Group, Publication, PublishError, stretch};
use stratus_groupspec::{AuthorizeError, Groupspec};
use tokio::time::{sleep, timeout};

use crate::args::Publish;
use crate::consent::Part;
use crate::console::Console;
use crate::events;
use crate::feed::{Feeder, Totals};
use crate::password::{self, Given};
use crate::place::{Place, Program};
use crate::progress::{self, End, Figures, Work};
use crate::report::Role;
use crate::session::{Company, Entrance, Presence, Session};
use crate::signals::Signals;
use crate::source::{self, Format, Source};
use crate::spec;
use crate::stop::{Code, Failure, Signal, Stop};

/// How long a publisher waits for its first link when others are in the group.
const LINK_TIME: Duration = Duration::from_secs(1);
/// How long a stream is announced before its first byte: the news goes from neighbor to neighbor, and those who waited
/// for it ask each other for their parts.
const ANNOUNCE_TIME: Duration = Duration::from_millis(300);
/// How long a program whose output has ended may take to end as well.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Runs `stratus publish …`.
pub(crate) async fn run(options: &Publish, console: Console) -> Result<(), Stop> {
    let multicast = options.properties.config().map_err(|error| of_property(&error))?;
    let parameters = options.classes.parameters(&multicast).map_err(|error| of_property(&error))?;
    let spec = spec::load(&options.spec)?;
    spec::check_streams(&spec)?;
    let spec = authorized(spec, options, console).await?;
    check_rights(&spec)?;
    let Source { input, program, socket_file } = source::open(&options.input, format(options), console)?;
    let mut signal = pin!(Signals::listen()?.first());
    if is_recording(&options.input) && !options.realtime && !options.raw {
        console.note("the recording goes out as fast as it is read; --realtime paces it");
    }
    let mut feeder = Feeder::new(source::read(input, format(options)), None, console);
    let (session, entrance) = Session::open(&spec, &options.reach, Part::Relays, multicast, console).await?;
    let admin =
        session.admin(&options.reach, Role::Publish, &options.spec, Some(&options.stream), console).await?;
    let how = stratus::Publish { parameters: Some(parameters), ..stratus::Publish::default() };
    let result = stream(options, how, &session, entrance, &mut feeder, signal.as_mut(), console).await;
    drop((socket_file, admin));
    let result = put_away(program, result).await;
    session.close().await;
    match result {
        // A live input has no end of its own: being told to stop is how it ends.
        Err(Stop::Signal(_)) if !is_recording(&options.input) && feeder.totals().messages > 0 => Ok(()),
        result => result,
    }
}

/// The program that made the input has ended by itself, or is asked to. If it failed, that is why the input ended.
async fn put_away(program: Option<Program>, result: Result<(), Stop>) -> Result<(), Stop> {
    let Some(mut program) = program else { return result };
    match timeout(LAST_WORD, program.ended()).await {
        Ok(Err(failure)) if !matches!(result, Err(Stop::Signal(_))) => Err(failure.into()),
        Ok(_) => result,
        Err(_) => {
            program.stop().await;
            result
        }
    }
}

async fn stream(
    options: &Publish,
    how: stratus::Publish,
    session: &Session,
    entrance: Entrance,
    feeder: &mut Feeder,
    mut signal: Pin<&mut impl Future<Output = Signal>>,
    console: Console,
) -> Result<(), Stop> {
    let company = tokio::select! {
        begun = both(feeder.begin(), entrance.entered(Presence::Known)) => begun?,
        signal = &mut signal => return Err(Stop::Signal(signal)),
    };
    let publish = session.group().publish(&options.stream, how);
    let mut publication = publish.await.map_err(|error| {
        events::tell(console, "NetStream.Publish.BadName", json!({ "stream": options.stream }));
        of_publish(&options.stream, &error)
    })?;
    console.note(format_args!("publishing \"{}\"", options.stream));
    console.event("state", json!({ "state": "publishing", "stream": options.stream }));
    events::tell(console, "NetStream.Publish.Start", json!({ "stream": options.stream }));
    let totals = feeder.watch();
    let work = || work(*totals.borrow());
    let ended = tokio::select! {
        result = feed(session.group(), company, feeder, &mut publication) => result.map_err(Stop::Failed),
        signal = &mut signal => Err(Stop::Signal(signal)),
        () = progress::watch(session.group(), &options.stream, End::Publisher, work, console) => Ok(()),
    };
    // Whatever ended it, viewers are told, and those who lack something get it.
    let is_drained = publication.end().await.unwrap_or(false);
    if let Ok(info) = session.group().info().await {
        let figures = Figures::of(&info, &options.stream, End::Publisher, work());
        summarize(&options.stream, feeder.totals(), figures, is_drained, console);
    }
    ended
}

fn work(totals: Totals) -> Work {
    Work { bytes: totals.bytes, lost_packets: totals.lost_packets, dropped_messages: 0 }
}

/// Feeds all there is, once those who are there can have heard of the stream.
async fn feed(
    group: &Group,
    company: Company,
    feeder: &mut Feeder,
    publication: &mut Publication,
) -> Result<(), Failure> {
    // Some may have come since, to one that knew nobody.
    if company == Company::Others || group.neighbor_count() > 0 {
        announced(group).await;
    }
    feeder.run(publication).await
}

/// Gives members who wait for a stream a moment to hear of it, so that they get it from its first byte.
pub(crate) async fn announced(group: &Group) {
    // A publisher that has just come has its first links to make; without any, nobody is kept waiting.
    if group.joined(LINK_TIME).await.is_ok() {
        sleep(ANNOUNCE_TIME).await;
    }
}

/// Waits for both, or for the first failure; gives what the second gave.
async fn both<T>(
    first: impl Future<Output = Result<(), Failure>>,
    second: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::try_join!(first, second).map(|((), second)| second)
}

/// The groupspec with the authorization that the password gives, where one is given.
async fn authorized(spec: Groupspec, options: &Publish, console: Console) -> Result<Groupspec, Failure> {
    let path = options.publish_password_file.as_deref();
    if path == Some(Path::new("-")) && options.input == Place::Standard {
        return Err(Failure::new(Code::Usage, "standard input cannot be both the password and the stream")
            .hint("put the password into a file"));
    }
    // A variable may be set for other groups; only an option means this one.
    if path.is_none() && (!spec.has_publish_password() || spec.publish_authorization().is_some()) {
        return Ok(spec);
    }
    let Some(given) = password::PUBLISH.read(path, console)? else { return Ok(spec) };
    let Given { password, place, .. } = given;
    stretch(move || spec.with_publish_password(&password)).await.map_err(|error| of_password(error, &place))
}

fn of_password(error: AuthorizeError, place: &str) -> Failure {
    match error {
        AuthorizeError::WrongPassword => {
            Failure::new(Code::Refused, "the publish password is wrong").tried(place).hint(
                "ask for it again; each letter counts, and so do spaces, but not one line ending at the end",
            )
        }
        AuthorizeError::NothingToAuthorize => {
            Failure::new(Code::Usage, "this group needs no publish password: any member may publish")
                .hint("leave --publish-password-file out")
        }
        AuthorizeError::NoPassword => Failure::new(Code::Refused, "this group has no publish password")
            .tried("its publish key is random")
            .hint("use the first of the two lines that \"stratus group new\" printed"),
        AuthorizeError::TooLong => {
            Failure::new(Code::Refused, "the groupspec has no room for an authorization")
                .hint("leave some of its hints out")
        }
    }
}

fn check_rights(spec: &Groupspec) -> Result<(), Failure> {
    if spec.publish_authority().is_some() && spec.publish_authorization().is_none() {
        return Err(if spec.has_publish_password() { password_wanted() } else { not_authorized() });
    }
    Ok(())
}

fn password_wanted() -> Failure {
    Failure::new(Code::Refused, "publishing in this group needs its password")
        .hint("give it by --publish-password-file FILE, or in the variable STRATUS_PUBLISH_PASSWORD")
}

fn not_authorized() -> Failure {
    Failure::new(Code::Refused, "this groupspec does not authorize publishing")
        .hint("use the first of the two lines that \"stratus group new\" printed")
}

fn of_publish(stream: &str, error: &PublishError) -> Failure {
    match error {
        PublishError::NotAuthorized => not_authorized(),
        PublishError::Property(error) => of_property(error),
        PublishError::NameTooLong => Failure::new(Code::Usage, error.to_string()),
        error => Failure::new(Code::Failed, format!("cannot publish \"{stream}\"")).tried(error.to_string()),
    }
}

fn format(options: &Publish) -> Format {
    match (options.raw, options.realtime) {
        (true, _) => Format::Raw,
        (false, true) => Format::PacedTransport { limit: Duration::MAX },
        (false, false) => Format::Transport,
    }
}

fn of_property(error: &ConfigError) -> Failure {
    Failure::new(Code::Usage, error.to_string())
}

/// Whether the input is a file with an end, and not a pipe or a device.
fn is_recording(input: &Place) -> bool {
    let Place::File(path) = input else { return false };
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// What became of it, for people and for programs.
fn summarize(stream: &str, totals: Totals, figures: Figures, is_drained: bool, console: Console) {
    let Totals { messages, bytes, lost_packets, .. } = totals;
    let copies = figures.copies();
    let loss = match lost_packets {
        0 => String::new(),
        count => format!(", {count} packets missing in the input"),
    };
    let ending = if is_drained { "" } else { "; some viewers may lack the end" };
    console.note(format_args!(
        "published \"{stream}\": {messages} messages, {bytes} bytes, sent {copies:.2} times{loss}{ending}"
    ));
    let mut fields = figures.fields();
    fields["stream"] = stream.into();
    fields["messages"] = messages.into();
    fields["is_drained"] = is_drained.into();
    console.event("summary", fields);
}
