//! Whether this person's upload may be used for others: asked once, on a terminal, and remembered.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use crate::args::{Play, Relay};
use crate::console::{self, Console};
use crate::stop::{Code, Failure, lower_first};

/// Questions that are not answered with yes or no before we stop asking.
const ATTEMPT_LIMIT: usize = 3;
const QUESTION: &str = "Viewers pass a stream on to each other; that is how it reaches many.
May stratus use this computer's upload for that while you watch? [Y/n] ";

/// What a viewer gives to others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Part {
    /// It passes on what it plays.
    #[default]
    Relays,
    /// It only receives.
    DownloadOnly,
    /// It only receives, and says little.
    Metered,
}

/// Finds out what this viewer is to give. On a terminal that may mean to ask; in a pipe it never does.
pub(crate) fn part(options: &Play, console: Console) -> Result<Part, Failure> {
    let is_interactive = console::stdin_is_terminal() && console::stderr_is_terminal();
    if options.metered {
        return Ok(Part::Metered);
    }
    let relays = match options.relay {
        _ if options.download_only => false,
        Some(Relay::Yes) => true,
        Some(Relay::No) => false,
        Some(Relay::Ask) if !is_interactive => return Err(nobody_to_ask()),
        Some(Relay::Ask) => asked(options, console),
        None if !is_interactive => true,
        None => remembered(options).unwrap_or_else(|| asked(options, console)),
    };
    Ok(if relays { Part::Relays } else { Part::DownloadOnly })
}

fn nobody_to_ask() -> Failure {
    Failure::new(Code::Usage, "there is nobody to ask: standard input or error is no terminal")
        .hint("say --relay yes or --relay no")
}

/// Asks, and remembers what was said.
fn asked(options: &Play, console: Console) -> bool {
    let answer = ask(&mut io::stdin().lock(), &mut io::stderr().lock());
    let Some(answer) = answer else {
        console.note("no answer: nothing is passed on this time");
        return false;
    };
    match remember(options, answer) {
        Ok(path) => console.note(format_args!("remembered in {}; --relay changes it", path.display())),
        Err(why) => console.note(format_args!("this could not be remembered: {why}")),
    }
    answer
}

/// Asks until there is an answer; an empty line is a yes, the end of input is none.
fn ask(input: &mut dyn BufRead, output: &mut dyn io::Write) -> Option<bool> {
    for _ in 0..ATTEMPT_LIMIT {
        // If the question cannot be shown, whatever is typed answers something else.
        output.write_all(QUESTION.as_bytes()).and_then(|()| output.flush()).ok()?;
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().to_lowercase().as_str() {
            "" | "y" | "yes" => return Some(true),
            "n" | "no" => return Some(false),
            _ => {}
        }
    }
    None
}

fn remembered(options: &Play) -> Option<bool> {
    read(&file(options)?)
}

fn remember(options: &Play, relays: bool) -> Result<PathBuf, String> {
    let path = file(options).ok_or("there is no home folder")?;
    write(&path, relays).map_err(|error| lower_first(&error.to_string()))?;
    Ok(path)
}

/// Anything but the two answers is as good as none.
fn read(path: &Path) -> Option<bool> {
    match std::fs::read_to_string(path).ok()?.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn write(path: &Path, relays: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, if relays { "yes\n" } else { "no\n" })
}

/// Where the answer is: with all else that is remembered.
fn file(options: &Play) -> Option<PathBuf> {
    Some(options.reach.state_dir()?.join("relay"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(typed: &str) -> (Option<bool>, usize) {
        let mut shown = Vec::new();
        let answer = ask(&mut typed.as_bytes(), &mut shown);
        (answer, String::from_utf8(shown).expect("text").matches("[Y/n]").count())
    }

    #[test]
    fn yes_no_and_an_empty_line_are_answers() {
        for (typed, means) in
            [("y\n", true), ("YES\n", true), ("\n", true), ("n\n", false), (" No \n", false), ("n", false)]
        {
            assert_eq!(answer(typed), (Some(means), 1), "{typed:?}");
        }
    }

    #[test]
    fn anything_else_is_asked_again_but_not_for_ever() {
        assert_eq!(answer("perhaps\nno\n"), (Some(false), 2));
        assert_eq!(answer("1\n2\n3\nyes\n"), (None, 3));
        assert_eq!(answer(""), (None, 1));
    }

    #[test]
    fn an_answer_is_remembered_and_nonsense_is_no_answer() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state/stratus/relay");
        assert_eq!(read(&path), None);
        for relays in [false, true] {
            write(&path, relays).expect("a folder of ours");
            assert_eq!(read(&path), Some(relays));
        }
        std::fs::write(&path, "perhaps").expect("ours");
        assert_eq!(read(&path), None);
    }
}
