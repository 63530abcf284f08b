use std::pin::Pin;

use crate::args::Chat;
use crate::console::Console;
use crate::session::{Entrance, Presence, Session};
use crate::stop::{Code, Failure, Signal, Stop};
use crate::talk::{Heard, Hearing, Saying, body, lines_of_stdin, write};

/// Says the lines of standard input and writes what others say, a line each; ends when the input does and somebody has
/// what was said.
pub(super) async fn talk(
    options: &Chat,
    session: &Session,
    name: Option<&str>,
    entrance: Entrance,
    mut signal: Pin<&mut impl Future<Output = Signal>>,
    console: Console,
) -> Result<(), Stop> {
    let mut hearing = Hearing::begin(session.group()).await;
    let hear = async {
        while let Some(heard) = hearing.next().await {
            if let Heard::Line(line) = heard {
                write(&line, console)?;
            }
        }
        Err(Stop::from(Failure::new(Code::Failed, "the group was closed")))
    };
    let patience = options.reach.patience();
    let say = async {
        let mut saying = Saying::begin(session.group(), console);
        entrance.entered(Presence::Linked).await?;
        let mut lines = lines_of_stdin();
        while let Some(line) = lines.recv().await {
            saying.say(body(name, &line)).await?;
        }
        if !saying.taken(patience).await {
            console.note("nobody was there to take what was said last");
        }
        Ok(())
    };
    tokio::select! {
        result = hear => result,
        result = say => result,
        signal = &mut signal => Err(Stop::Signal(signal)),
    }
}
