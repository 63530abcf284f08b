use std::pin::{Pin, pin};

use stratus::MulticastConfig;
use tokio::sync::mpsc;

use super::{Saying, authorized, body, check_posts};
use crate::args::Post;
use crate::consent::Part;
use crate::console::Console;
use crate::session::{Entrance, Presence, Session};
use crate::signals::Signals;
use crate::spec;
use crate::stop::{Code, Failure, Signal, Stop};

/// Lines that may wait to be posted.
const LINES: usize = 16;

/// Runs `stratus post …`: posts a text, or each line of standard input, and leaves when somebody has it.
pub(crate) async fn run(options: &Post, console: Console) -> Result<(), Stop> {
    let spec = spec::load(&options.spec)?;
    check_posts(&spec)?;
    let spec = authorized(spec, options.posting_password_file.as_deref(), console).await?;
    let mut signal = pin!(Signals::listen()?.first());
    let (session, entrance) =
        Session::open(&spec, &options.reach, Part::Relays, MulticastConfig::default(), console).await?;
    let result = post(options, &session, entrance, signal.as_mut(), console).await;
    session.close().await;
    result
}

async fn post(
    options: &Post,
    session: &Session,
    entrance: Entrance,
    mut signal: Pin<&mut impl Future<Output = Signal>>,
    console: Console,
) -> Result<(), Stop> {
    let mut saying = Saying::begin(session.group(), console);
    let patience = options.reach.patience();
    let all = async {
        entrance.entered(Presence::Linked).await?;
        if options.text == "-" {
            let mut lines = lines_of_stdin();
            while let Some(line) = lines.recv().await {
                console.data(saying.say(body(None, &line)).await?)?;
            }
        } else {
            console.data(saying.say(body(None, &options.text)).await?)?;
        }
        if saying.taken(patience).await { Ok(()) } else { Err(Stop::from(nobody())) }
    };
    tokio::select! {
        result = all => result,
        signal = &mut signal => Err(Stop::Signal(signal)),
    }
}

fn nobody() -> Failure {
    Failure::new(Code::Unreachable, "nobody was there to take the post")
        .tried("waited for a member as long as --timeout says")
        .hint("posts live with the members: start \"stratus listen\" first, or wait longer with --timeout")
}

/// The lines of standard input, read on a thread of its own: a terminal or a pipe may wait for ever.
pub(crate) fn lines_of_stdin() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            // An empty line says nothing; whoever waits for lines may be gone.
            if !line.is_empty() && sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
