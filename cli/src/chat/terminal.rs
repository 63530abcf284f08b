use std::io;
use std::pin::{Pin, pin};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event as Typed, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use stratus::{Group, PostError};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tui_input::backend::crossterm::EventHandler as _;

use super::screen::{Screen, Wish};
use crate::session::{Entrance, Presence, Session};
use crate::stop::{Code, Failure, Signal, Stop};
use crate::talk::{Heard, Hearing, body};

/// Keys that may wait.
const KEYS: usize = 64;
/// How often it is counted who is there.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// A page of lines.
const PAGE: isize = 10;

/// Talks on a screen until it is left.
pub(super) async fn talk(
    session: &Session,
    name: Option<String>,
    title: &str,
    entrance: Entrance,
    signal: Pin<&mut impl Future<Output = Signal>>,
) -> Result<(), Stop> {
    let own = session.group().info().await.map_err(|error| failed(&error))?.peer.to_string();
    let screen = Screen::new(title, own, name);
    let mut terminal = ratatui::try_init().map_err(|error| failed(&error))?;
    let result = chat(&mut terminal, screen, session.group(), entrance, signal).await;
    ratatui::restore();
    result
}

fn failed(error: &dyn std::error::Error) -> Stop {
    Failure::new(Code::Failed, "cannot draw on this terminal")
        .tried(error.to_string())
        .hint("--json talks without a screen")
        .into()
}

async fn chat(
    terminal: &mut ratatui::DefaultTerminal,
    mut screen: Screen,
    group: &Group,
    entrance: Entrance,
    mut signal: Pin<&mut impl Future<Output = Signal>>,
) -> Result<(), Stop> {
    let mut hearing = Hearing::begin(group).await;
    let mut keys = keys();
    let mut entering = pin!(entrance.quietly(Presence::Linked));
    let mut is_entered = false;
    let mut ticks = interval(COUNT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    screen.notice("joining; /help says what can be done");
    loop {
        terminal.draw(|frame| screen.draw(frame)).map_err(|error| failed(&error))?;
        tokio::select! {
            entered = &mut entering, if !is_entered => {
                entered?;
                is_entered = true;
                screen.notice("");
            }
            heard = hearing.next() => match heard {
                Some(Heard::Line(line)) => screen.add(line),
                Some(Heard::Event(_)) => {}
                None => return Err(Failure::new(Code::Failed, "the group was closed").into()),
            },
            typed = keys.recv() => {
                let Some(typed) = typed else { return Ok(()) };
                match pressed(&mut screen, &typed) {
                    Wish::Quit => return Ok(()),
                    Wish::Say(text) => say(&mut screen, &mut hearing, group, text).await?,
                    Wish::Nothing => {}
                }
            }
            _ = ticks.tick() => {
                if let Ok(info) = group.info().await {
                    screen.count(info.estimated_member_count, info.neighbor_count());
                }
            }
            signal = &mut signal => return Err(Stop::Signal(signal)),
        }
    }
}

/// What a key, or a new size, asks for.
fn pressed(screen: &mut Screen, typed: &Typed) -> Wish {
    let Typed::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = typed else {
        return Wish::Nothing;
    };
    match (code, modifiers.contains(KeyModifiers::CONTROL)) {
        (KeyCode::Char('c' | 'd'), true) | (KeyCode::Esc, _) => return Wish::Quit,
        (KeyCode::Enter, _) => return screen.enter(),
        (KeyCode::PageUp, _) => screen.scroll(PAGE),
        (KeyCode::PageDown, _) => screen.scroll(-PAGE),
        (KeyCode::Up, _) => screen.scroll(1),
        (KeyCode::Down, _) => screen.scroll(-1),
        _ => drop(screen.input().handle_event(typed)),
    }
    Wish::Nothing
}

/// Says a line, and shows it at once; or says why not, and gives it back to be sent again.
async fn say(screen: &mut Screen, hearing: &mut Hearing, group: &Group, text: String) -> Result<(), Failure> {
    match group.post(body(screen.name(), &text)).await {
        Ok(_) => hearing.look().await,
        Err(PostError::Closed(closed)) => {
            return Err(Failure::new(Code::Failed, "the group was closed").tried(closed.to_string()));
        }
        Err(error) => {
            screen.notice(error.to_string());
            *screen.input() = text.into();
        }
    }
    Ok(())
}

/// What is typed, read on a thread of its own; it ends with the process.
fn keys() -> mpsc::Receiver<Typed> {
    let (sender, receiver) = mpsc::channel(KEYS);
    std::thread::spawn(move || {
        let next = || -> io::Result<Typed> { event::read() };
        while let Ok(typed) = next() {
            if sender.blocking_send(typed).is_err() {
                return;
            }
        }
    });
    receiver
}
