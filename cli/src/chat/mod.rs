//! `stratus chat`: a screen on a terminal, lines in a pipe.

mod pipe;
mod screen;
mod terminal;

use std::pin::pin;

use stratus::MulticastConfig;

use crate::args::Chat;
use crate::consent::Part;
use crate::console::{self, Console};
use crate::report::Role;
use crate::session::Session;
use crate::signals::Signals;
use crate::spec;
use crate::stop::{Code, Failure, Stop};
use crate::talk::{authorized, check_posts, tame_name};

/// Runs `stratus chat …`.
pub(crate) async fn run(options: &Chat, console: Console) -> Result<(), Stop> {
    let spec = spec::load(&options.spec)?;
    check_posts(&spec)?;
    let name = named(options.name.as_deref())?;
    let spec = authorized(spec, options.posting_password_file.as_deref(), console).await?;
    let title = spec::name(&spec);
    let is_screen = !options.json && console::stdin_is_terminal() && console::stdout_is_terminal();
    let mut signal = pin!(Signals::listen()?.first());
    let multicast = MulticastConfig::default();
    let (session, entrance) = Session::open(&spec, &options.reach, Part::Relays, multicast, console).await?;
    let admin = session.admin(&options.reach, Role::Chat, &options.spec, None, console).await?;
    let result = if is_screen {
        terminal::talk(&session, name, &title, entrance, signal.as_mut()).await
    } else {
        pipe::talk(options, &session, name.as_deref(), entrance, signal.as_mut(), console).await
    };
    drop(admin);
    session.close().await;
    result
}

/// The name as others will see it; one that looks otherwise there is refused here.
fn named(name: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(name) = name else { return Ok(None) };
    if name.is_empty() || tame_name(name) != name {
        return Err(Failure::new(Code::Usage, "this name cannot be shown as it is")
            .tried(format!("others would see \"{}\"", tame_name(name)))
            .hint("take at most 32 letters, digits and signs without spaces"));
    }
    Ok(Some(name.to_owned()))
}
