use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use stratus::Post;

/// Longest name, characters.
const MOST_NAME: usize = 32;

/// What somebody said, harmless to show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// When, by the speaker's clock: microseconds since 1970. Lines are ordered by it.
    pub(crate) sequence: u64,
    /// Which post it was.
    pub(crate) id: String,
    /// Whose, in hex.
    pub(crate) peer: String,
    /// What the speaker wants to be called.
    pub(crate) name: Option<String>,
    /// What was said.
    pub(crate) text: String,
}

impl Line {
    /// What a post says. A body that is an object with a name and a text is what `chat --name` posts; anything else is
    /// text.
    pub(crate) fn of(post: &Post) -> Self {
        let (name, text) = read(post.body());
        Self {
            sequence: post.sequence(),
            id: post.id().to_string(),
            peer: post.sender().to_string(),
            name: name.as_deref().map(tame_name).filter(|name| !name.is_empty()),
            text: tame(&text),
        }
    }

    /// The speaker's name, or the beginning of its id.
    pub(crate) fn speaker(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.peer[..8])
    }

    /// When it was said, to the second.
    pub(crate) fn time(&self) -> String {
        let since = Duration::from_micros(self.sequence.min(MOST_MICROS));
        humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since).to_string()
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        json!({
            "type": "post",
            "time": time,
            "code": "NetGroup.Posting.Notify",
            "id": self.id,
            "peer": self.peer,
            "posted_at": self.time(),
            "sequence": self.sequence,
            "name": self.name,
            "text": self.text,
        })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.time(), self.speaker(), self.text)
    }
}

/// The year 9999: later times have no short form.
const MOST_MICROS: u64 = 253_370_764_800_000_000;

/// What is posted for a text that somebody of this name says.
pub(crate) fn body(name: Option<&str>, text: &str) -> Vec<u8> {
    match name {
        None => text.as_bytes().to_vec(),
        Some(name) => json!({ "name": name, "text": text }).to_string().into_bytes(),
    }
}

fn read(body: &[u8]) -> (Option<String>, String) {
    let said = body.starts_with(b"{").then(|| serde_json::from_slice::<Value>(body).ok()).flatten();
    let part = |key: &str| Some(said.as_ref()?.get(key)?.as_str()?.to_owned());
    match (part("name"), part("text")) {
        (Some(name), Some(text)) => (Some(name), text),
        _ => (None, String::from_utf8_lossy(body).into_owned()),
    }
}

/// A name that fits into a column and cannot be taken for anything else.
pub(crate) fn tame_name(name: &str) -> String {
    tame(name).trim().replace(char::is_whitespace, "_").chars().take(MOST_NAME).collect()
}

/// Others' text without what a terminal would obey, and without what makes it read otherwise than it is: escape sequences
/// move the cursor, bidirectional overrides turn words around, other marks show nothing at all.
pub(crate) fn tame(text: &str) -> String {
    let tamed = |letter: char| match letter {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        letter if letter.is_control() || is_invisible(letter) => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    text.trim_end().chars().map(tamed).collect()
}

fn is_invisible(letter: char) -> bool {
    matches!(letter,
        // Bidirectional marks, embeddings, overrides and isolates.
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // What has no width and no use in a line of chat; joiners stay, since scripts and emoji need them.
        | '\u{00ad}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_not_shown() {
        assert_eq!(tame("a\x1b[2Jb\x07c\u{9b}1md"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}1md");
        assert_eq!(tame("two\r\nlines\tand a tab\n"), "two  lines and a tab");
        assert_eq!(tame("abc\u{202e}txt.exe\u{2066}"), "abc\u{fffd}txt.exe\u{fffd}");
        assert_eq!(tame("zero\u{200b}width\u{feff}"), "zero\u{fffd}width\u{fffd}");
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["", "grüße", "שלום", "नमस्ते", "👩‍👩‍👧", "a <b> & \\n"] {
            assert_eq!(tame(text), text);
        }
    }

    #[test]
    fn names_are_short_and_one_word() {
        assert_eq!(tame_name("  ann \u{202e}bob\n"), "ann_\u{fffd}bob");
        assert_eq!(tame_name(&"n".repeat(33)).len(), 32);
    }

    #[test]
    fn a_body_reads_back_and_anything_else_is_text() {
        assert_eq!(read(&body(Some("ann"), "he said \"hi\"")), (Some("ann".into()), "he said \"hi\"".into()));
        assert_eq!(read(&body(None, "hi")), (None, "hi".into()));
        for odd in ["{", "{}", "{\"text\":\"a\"}", "{\"name\":3,\"text\":\"a\"}"] {
            assert_eq!(read(odd.as_bytes()), (None, odd.to_owned()));
        }
        assert_eq!(read(b"\xff\xfe"), (None, "\u{fffd}\u{fffd}".into()));
    }
}
