//! `stratus play`: receives a live stream from a group.

use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use stratus::{
    ConfigError, Group, Kind, MulticastConfig, Overrides, Play as Options, PlayError, Playback, Played,
    Purpose, StreamMessage,
};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::args::Play;
use crate::consent;
use crate::console::Console;
use crate::events;
use crate::progress::{self, End, Figures, Work};
use crate::report::Role;
use crate::session::{Presence, Session};
use crate::signals::Signals;
use crate::sink::{self, Sink, Unit};
use crate::spec;
use crate::stop::{Code, Failure, Stop};
use crate::ts::Joiner;

/// How long a reader that is slow may hold up an end that was asked for.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a stream may be silent before somebody is told.
const SILENCE: Duration = Duration::from_secs(5);

/// Runs `stratus play …`.
pub(crate) async fn run(options: &Play, console: Console) -> Result<(), Stop> {
    let overrides = wishes(options)?;
    let spec = spec::load(&options.spec)?;
    spec::check_streams(&spec)?;
    let part = consent::part(options, console)?;
    let sink = sink::open(&options.output, console)?;
    let mut signal = pin!(Signals::listen()?.first());
    let (session, entrance) =
        Session::open(&spec, &options.reach, part, MulticastConfig::default(), console).await?;
    let admin =
        session.admin(&options.reach, Role::Play, &options.spec, Some(&options.stream), console).await?;
    let how = Options { purpose: Purpose::Player, overrides, ..Options::default() };
    let playing = session.group().play(&options.stream, how);
    let mut playback = playing.await.map_err(|error| of_play(&options.stream, &error))?;
    console.note(format_args!("waiting for stream \"{}\"", options.stream));
    console.event("state", json!({ "state": "waiting", "stream": options.stream }));
    let mut player = Player {
        sink,
        joiner: Joiner::default(),
        is_anew: false,
        overrides,
        counts: watch::Sender::default(),
        console,
    };
    let counts = player.counts.subscribe();
    let work = || counts.borrow().work();
    let ended = tokio::select! {
        result = player.run(&mut playback) => result,
        failure = entrance.failed(Presence::Linked) => Err(failure.into()),
        signal = &mut signal => Err(Stop::Signal(signal)),
        () = progress::watch(session.group(), &options.stream, End::Viewer, work, console) => Ok(()),
    };
    let figures = figures(session.group(), &options.stream, work()).await;
    let (sink, counts) = (player.sink, *counts.borrow());
    let has_ended = ended.is_ok();
    summarize(&options.stream, counts, figures, console);
    let result = match ended {
        Ok(()) => tokio::select! {
            result = finish(sink, session.group()) => result,
            signal = &mut signal => Err(Stop::Signal(signal)),
        },
        // What came is kept, and being told to stop is how a live stream ends for a viewer.
        Err(Stop::Signal(_)) if counts.bytes > 0 => {
            timeout(WRITE_TIMEOUT, sink.finish()).await.unwrap_or(Ok(()))
        }
        Err(stop) => Err(stop),
    };
    if has_ended && result.is_ok() {
        // Those whom we feed may not have everything yet.
        tokio::select! {
            () = playback.finish() => {}
            _ = &mut signal => {}
        }
    }
    drop(admin);
    session.close().await;
    result
}

async fn figures(group: &Group, stream: &str, work: Work) -> Option<Figures> {
    let info = group.info().await.ok()?;
    Some(Figures::of(&info, stream, End::Viewer, work))
}

/// What became of it, for people and for programs.
fn summarize(stream: &str, counts: Counts, figures: Option<Figures>, console: Console) {
    if counts.bytes > 0 {
        console.note(counts.summary(stream));
    }
    let mut fields = figures.map_or_else(|| json!({}), |figures| figures.fields());
    fields["stream"] = stream.into();
    fields["messages"] = counts.messages.into();
    fields["missing_fragments"] = counts.missing_fragments.into();
    console.event("summary", fields);
}

/// The stream is over: writes what is left.
async fn finish(sink: Sink, group: &Group) -> Result<(), Stop> {
    sink.finish().await?;
    // A group that is closed looks like a stream that has ended, and is neither asked for nor expected.
    let closed = group.info().await.err();
    closed.map_or(Ok(()), |error| {
        Err(Failure::new(Code::Failed, "the stream was cut off").tried(error.to_string()).into())
    })
}

/// Writes what is played.
struct Player {
    sink: Sink,
    joiner: Joiner,
    /// Whether what comes is of another stream than what was written last.
    is_anew: bool,
    /// What is wished of each stream; a reset forgets it.
    overrides: Overrides,
    counts: watch::Sender<Counts>,
    console: Console,
}

/// What was played.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    messages: u64,
    bytes: u64,
    missing_fragments: u64,
    missing_messages: u64,
}

impl Player {
    /// Plays until the stream ends or the output does.
    async fn run(&mut self, playback: &mut Playback) -> Result<(), Stop> {
        // Told once for each silence, and not before the stream has begun.
        let mut patience = Duration::MAX;
        loop {
            let played = tokio::select! {
                played = timeout(patience, playback.next()) => played,
                stop = self.sink.failed() => return Err(stop),
            };
            match played {
                Ok(Some(Played::Message(message))) => {
                    patience = SILENCE;
                    self.write(message).await?;
                }
                Ok(Some(other)) => {
                    self.tell(&other, playback.name());
                    self.check(&other, playback).await?;
                }
                Ok(None) => {
                    let stream = playback.name();
                    events::tell(self.console, "NetStream.Play.UnpublishNotify", json!({ "stream": stream }));
                    return Ok(());
                }
                Err(_) => {
                    patience = Duration::MAX;
                    self.console.note(format_args!("nothing has come for {} s", SILENCE.as_secs()));
                }
            }
        }
    }

    async fn write(&mut self, message: StreamMessage) -> Result<(), Stop> {
        let is_data = message.kind == Kind::Data;
        let pieces = match message.kind {
            Kind::Data => message.pieces.clone(),
            Kind::Audio | Kind::Video => self.joiner.take(message.is_key, message.pieces.clone()),
        };
        if pieces.is_empty() {
            return Ok(());
        }
        self.counts.send_modify(|counts| {
            counts.messages += 1;
            counts.bytes += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        });
        let is_anew = std::mem::take(&mut self.is_anew);
        let unit = Unit { pieces, whole: message.pieces, is_key: message.is_key, is_data, is_anew };
        self.sink.write(unit).await
    }

    /// Whether it goes on. What was wished of the former stream is wished of the one that took its place.
    async fn check(&self, played: &Played, playback: &Playback) -> Result<(), Failure> {
        match played {
            Played::Start { is_reset: true, .. } => {
                // They were checked when the first stream got them; a group that is closed wants none.
                let _ = playback.set_overrides(self.overrides).await;
                Ok(())
            }
            Played::Idle => Err(gone(playback.name(), self.overrides.publisher_timeout.unwrap_or_default())),
            Played::Equivocated => Err(equivocated(playback.name())),
            _ => Ok(()),
        }
    }

    fn tell(&mut self, played: &Played, name: &str) {
        events::tell_played(self.console, played, name);
        match played {
            Played::Start { is_reset: false, .. } => {
                self.console.note(format_args!("playing \"{name}\""));
                self.console.event("state", json!({ "state": "playing", "stream": name }));
            }
            Played::Start { is_reset: true, .. } => {
                self.joiner.restart();
                self.is_anew = true;
                self.console.note(format_args!("\"{name}\" began anew"));
            }
            Played::Gap { count, .. } => {
                self.counts.send_modify(|counts| counts.missing_fragments += count);
                self.console.detail(format_args!("{count} fragments did not come in time"));
            }
            Played::Lagged { missed } => {
                self.counts.send_modify(|counts| counts.missing_messages += missed);
                self.console.note(format_args!("the output is too slow: {missed} messages dropped"));
            }
            // Asked for as a player, nothing is withheld; ends are told by `check`.
            Played::Message(_) | Played::Withheld { .. } | Played::Idle | Played::Equivocated => {}
        }
    }
}

impl Counts {
    fn work(&self) -> Work {
        Work { bytes: self.bytes, lost_packets: 0, dropped_messages: self.missing_messages }
    }

    fn summary(&self, stream: &str) -> String {
        let Self { messages, bytes, missing_fragments, missing_messages, .. } = self;
        let missing = match (missing_fragments, missing_messages) {
            (0, 0) => "nothing missing".to_owned(),
            (fragments, messages) => format!("missing: {fragments} fragments, {messages} messages"),
        };
        format!("played \"{stream}\": {messages} messages, {bytes} bytes, {missing}")
    }
}

fn wishes(options: &Play) -> Result<Overrides, Failure> {
    let refused = |error: ConfigError| Failure::new(Code::Usage, error.to_string());
    let wished = options.properties.overrides().map_err(refused)?;
    let overrides = Overrides { publisher_timeout: Some(options.publisher_timeout), ..wished };
    overrides.validate().map(|()| overrides).map_err(refused)
}

fn gone(name: &str, waited: Duration) -> Failure {
    Failure::new(Code::Failed, format!("the publisher of \"{name}\" is gone"))
        .tried(format!("no sign of life from it for {waited:?}"))
        .hint("to wait longer for it to come back: --publisher-timeout")
}

fn equivocated(name: &str) -> Failure {
    Failure::new(Code::Failed, format!("the publisher of \"{name}\" cannot be believed"))
        .tried("it signed two different streams as one")
}

fn of_play(stream: &str, error: &PlayError) -> Failure {
    match error {
        PlayError::NameTooLong | PlayError::Property(_) => Failure::new(Code::Usage, error.to_string()),
        error => Failure::new(Code::Failed, format!("cannot play \"{stream}\"")).tried(error.to_string()),
    }
}
