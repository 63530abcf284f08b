//! `stratus group qr`: a groupspec as a picture for cameras.

use fast_qr::{ECL, QRBuilder, QRCode};
use stratus_groupspec::Groupspec;

use crate::console::{Console, stdout_is_terminal};
use crate::stop::{Code, Failure, Stop};

/// Light modules around the code, without which cameras do not find it; the standard asks for four.
const MARGIN: usize = 4;
/// White on black whatever the screen's colors are, or the code is inside out on a light screen.
const WHITE_ON_BLACK: &str = "\x1b[38;5;231;48;5;16m";
const AS_BEFORE: &str = "\x1b[0m";

/// Runs `stratus group qr …`: the picture, then the groupspec.
pub(crate) fn run(spec: &Groupspec, console: Console) -> Result<(), Stop> {
    if spec.has_authorizations() {
        return Err(Failure::new(
            Code::Refused,
            "this groupspec carries authorizations, and a picture is seen by everyone",
        )
        .hint("use the second of the two lines that \"stratus group new\" printed")
        .into());
    }
    let text = spec.to_string_without_authorizations();
    // A screen has no dirt on it: the least correction, and so the fewest modules.
    let code = QRBuilder::new(text.as_str()).ecl(ECL::L).build().map_err(|_| too_long(text.len()))?;
    let (before, after) = if stdout_is_terminal() { (WHITE_ON_BLACK, AS_BEFORE) } else { ("", "") };
    for line in picture(&code) {
        console.data(format_args!("{before}{line}{after}"))?;
    }
    console.data(text)
}

fn too_long(length: usize) -> Failure {
    Failure::new(Code::Usage, format!("the groupspec is too long for a qr code: {length} bytes"))
        .tried("2953 bytes fit into the largest")
        .hint("make one with fewer hints")
}

/// Two rows of modules in each line of text: what is light is drawn, since most screens are dark.
fn picture(code: &QRCode) -> impl Iterator<Item = String> {
    let side = code.size + 2 * MARGIN;
    let is_dark = |row: usize, column: usize| {
        let inside = |at: usize| at.checked_sub(MARGIN).filter(|at| *at < code.size);
        inside(row).zip(inside(column)).is_some_and(|(row, column)| code[row][column].value())
    };
    (0..side).step_by(2).map(move |row| {
        let module = |column| match (is_dark(row, column), row + 1 == side || is_dark(row + 1, column)) {
            (true, true) => ' ',
            (true, false) => '▄',
            (false, true) => '▀',
            (false, false) => '█',
        };
        (0..side).map(module).collect()
    })
}
