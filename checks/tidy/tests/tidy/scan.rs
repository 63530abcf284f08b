//! Just enough of Rust's grammar: what is code, and where functions begin and end.

/// `text` with the contents of comments, strings and characters as spaces; lines stay where they are.
pub(crate) fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let blank = blank_length(rest);
        let take = if blank > 0 { blank } else { rest.chars().next().map_or(1, char::len_utf8) };
        let (head, tail) = rest.split_at(take);
        out.extend(head.chars().map(|c| if blank > 0 && c != '\n' { ' ' } else { c }));
        // A word is taken whole, so that the r of `for"` is no raw string.
        let word = if blank == 0 && is_name(head) {
            tail.len() - tail.trim_start_matches(is_name_char).len()
        } else {
            0
        };
        out.push_str(&tail[..word]);
        rest = &tail[word..];
    }
    out
}

fn is_name_char(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn is_name(text: &str) -> bool {
    text.chars().all(is_name_char)
}

/// How many bytes at the start of `rest` are a comment, a string or a character; 0: it begins with code.
fn blank_length(rest: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return rest.find("*/").map_or(rest.len(), |end| end + 2);
    }
    let unprefixed = rest.strip_prefix('b').or_else(|| rest.strip_prefix('c')).unwrap_or(rest);
    let prefix = rest.len() - unprefixed.len();
    if let Some(raw) = unprefixed.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = &raw[hashes + 1..];
            return prefix + 1 + hashes + 1 + body.find(&close).map_or(body.len(), |end| end + close.len());
        }
        return 0;
    }
    if unprefixed.starts_with('"') {
        return prefix + quoted_length(unprefixed, '"');
    }
    if is_character(unprefixed) { prefix + quoted_length(unprefixed, '\'') } else { 0 }
}

/// The length of what begins with `quote`, up to its unescaped twin.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether a quote begins a character; otherwise it begins a lifetime.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next() == Some('\'')
        && match characters.next() {
            Some('\\') => true,
            Some(_) => characters.next() == Some('\''),
            None => false,
        }
}

/// A function: the line it begins on (from 1), its name, and how many lines it has.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Function {
    pub(crate) line: usize,
    pub(crate) name: String,
    pub(crate) line_count: usize,
}

/// Every function with a body in `text`, nested ones too.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    let code = blanked(text);
    let starts = code.match_indices("fn ").filter(|(at, _)| !code[..*at].ends_with(is_name_char));
    starts.filter_map(|(at, _)| function(&code, at)).collect()
}

fn function(code: &str, at: usize) -> Option<Function> {
    let name: String = code[at + 3..].chars().take_while(|c| is_name_char(*c)).collect();
    let (mut depth, mut round) = (0, 0);
    for (offset, character) in code[at..].char_indices() {
        match character {
            '(' | '[' => round += 1,
            ')' | ']' => round -= 1,
            ';' if depth == 0 && round == 0 => return None,
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => continue,
        }
        if character == '}' && depth == 0 {
            let line_count = code[at..at + offset].matches('\n').count() + 1;
            let line = code[..at].matches('\n').count() + 1;
            return (!name.is_empty()).then_some(Function { line, name, line_count });
        }
    }
    None
}

#[test]
fn blanking_leaves_code_and_lines() {
    let text =
        "let a = \"{ // \\\" {\"; // {\nlet b = '{'; let c: &'a str = r#\"\"{\"#; /* {\n */ for\"x\" b'\\''";
    let expected =
        "let a =             ;     \nlet b =    ; let c: &'a str =        ;     \n    for         ";
    assert_eq!(blanked(text).replace(' ', ""), expected.replace(' ', ""));
    assert_eq!(blanked(text).len(), text.len());
}

#[test]
fn functions_are_measured_from_name_to_brace() {
    let text = "trait T {\n    fn none(&self) -> [u8; 3];\n}\nfn one() { \"}\" }\npub fn three(\n) {\n}\ntype F = fn (u8);\n";
    let found: Vec<(usize, String, usize)> =
        functions(text).into_iter().map(|f| (f.line, f.name, f.line_count)).collect();
    assert_eq!(found, [(4, "one".to_owned(), 1), (5, "three".to_owned(), 3)]);
}
