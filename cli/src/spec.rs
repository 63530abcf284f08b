//! Groupspecs as they are given on the command line: the string itself, or a file that holds it.

use stratus_groupspec::{Groupspec, ParseError};

use crate::stop::{Code, Failure, lower_first};

/// Reads the groupspec that `argument` is, or that stands in the file it names as `@FILE`.
///
/// Of a file the first line counts that is not empty, so that what `group new` prints can be kept as it is.
pub(crate) fn load(argument: &str) -> Result<Groupspec, Failure> {
    match argument.strip_prefix('@') {
        None => Groupspec::parse(argument).map_err(refused),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(Code::Usage, format!("cannot read the groupspec file: {path}"))
                    .tried(lower_first(&error.to_string()))
                    .hint("make one with: stratus group new NAME --unique >FILE")
            })?;
            let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
            Groupspec::parse(line).map_err(|error| refused(error).tried(format!("the file {path}")))
        }
    }
}

/// The parser says what is wrong, then what to do; the position belongs to the first.
fn refused(error: ParseError) -> Failure {
    let reason = error.reason.to_string();
    let (what, hint) = reason.split_once("; ").unwrap_or((&reason, "copy it again"));
    Failure::new(Code::Refused, format!("{what}: position {}", error.position)).hint(hint)
}

/// Refuses a group in which nothing can be published or played.
pub(crate) fn check_streams(spec: &Groupspec) -> Result<(), Failure> {
    let refused =
        |what: &str, why: &str, hint: &str| Err(Failure::new(Code::Refused, what).tried(why).hint(hint));
    let capabilities = spec.capabilities();
    if !capabilities.multicast {
        let why = "its groupspec does not have multicast enabled";
        return refused("this group carries no streams", why, "make a group without --no-multicast");
    }
    if capabilities.peer_to_peer_disabled {
        let why = "its groupspec disables links between members, and nothing else carries a stream yet";
        return refused("the members of this group may not connect to each other", why, "make another group");
    }
    Ok(())
}

/// What a group is called in messages: its name, or the beginning of its id.
pub(crate) fn title(spec: &Groupspec) -> String {
    spec.name().map_or_else(|| name(spec), |name| format!("\"{name}\""))
}

/// The same without quotes, for programs.
pub(crate) fn name(spec: &Groupspec) -> String {
    spec.name().map_or_else(|| spec.group_id().to_string()[..8].to_owned(), str::to_owned)
}
