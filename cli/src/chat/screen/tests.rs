use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

const ANN: &str = "aa11000000000000000000000000000000000000000000000000000000000000";
const BOB: &str = "bb22000000000000000000000000000000000000000000000000000000000000";

/// 2026-09-21T14:13:20Z.
const MOMENT: u64 = 1_790_000_000_000_000;

fn line(minute: u64, peer: &str, name: Option<&str>, text: &str) -> Line {
    Line {
        sequence: MOMENT + minute * 60_000_000,
        id: format!("{minute:032x}"),
        peer: peer.to_owned(),
        name: name.map(str::to_owned),
        text: text.to_owned(),
    }
}

/// What stands on a screen of this size, a line each, without the blanks at their ends.
fn shown(screen: &Screen, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>();
    (0..height).map(|y| row(y).trim_end().to_owned()).collect()
}

fn type_in(screen: &mut Screen, text: &str) {
    *screen.input() = text.into();
}

#[test]
fn the_screen_shows_who_is_there_what_was_said_and_what_is_typed() {
    let mut screen = Screen::new("show", BOB.to_owned(), Some("bob".to_owned()));
    screen.count(17, 9);
    // What comes late stands where it was said.
    screen.add(line(2, BOB, Some("bob"), "hello ann"));
    screen.add(line(0, ANN, None, "anybody?"));
    type_in(&mut screen, "how are you");
    assert_eq!(
        shown(&screen, 60, 7),
        [
            " show  about 17 members  9 neighbors  times in UTC",
            "",
            "",
            "14:13 aa110000 anybody?",
            "14:15 bob bb22 hello ann",
            "",
            "bob> how are you",
        ]
    );
}

#[test]
fn long_lines_are_wrapped_and_the_newest_are_seen() {
    let mut screen = Screen::new("show", BOB.to_owned(), None);
    for minute in 0..20 {
        screen.add(line(minute, ANN, None, &format!("line {minute}")));
    }
    screen.add(line(30, ANN, None, "a text that is longer than the screen is wide"));
    let rows = shown(&screen, 30, 7);
    assert_eq!(rows[0], " show  nobody else  0 neighbor");
    assert_eq!(
        rows[1..5],
        [
            "14:31 aa110000 line 18",
            "14:32 aa110000 line 19",
            "14:43 aa110000 a text that is",
            "longer than the screen is wide"
        ]
    );
    screen.scroll(3);
    assert_eq!(shown(&screen, 30, 7)[4], "14:30 aa110000 line 17");
    screen.scroll(-99);
    assert_eq!(shown(&screen, 30, 7)[4], "longer than the screen is wide");
}

#[test]
fn what_is_typed_is_said_or_obeyed() {
    let mut screen = Screen::new("show", BOB.to_owned(), None);
    let mut enter = |text: &str| {
        type_in(&mut screen, text);
        let wish = screen.enter();
        (wish, screen.notice.clone(), screen.name.clone())
    };
    let none = || (String::new(), None);
    let with = |wish, (notice, name): (String, Option<String>)| (wish, notice, name);
    assert_eq!(enter("hello there"), with(Wish::Say("hello there".into()), none()));
    assert_eq!(enter(""), with(Wish::Nothing, none()));
    assert_eq!(enter("//etc"), with(Wish::Say("/etc".into()), none()));
    assert_eq!(
        enter("/name ann lee"),
        with(Wish::Nothing, ("you are ann_lee".into(), Some("ann_lee".into())))
    );
    let (wish, notice, _) = enter("/dance");
    assert_eq!((wish, notice.as_str()), (Wish::Nothing, "there is no /dance; /help says what there is"));
    assert_eq!(enter("/quit").0, Wish::Quit);
}

#[test]
fn a_screen_of_any_size_is_drawn() {
    let mut screen = Screen::new("show", BOB.to_owned(), Some("a rather long name for a person".into()));
    screen.add(line(0, ANN, Some("ann"), &"wide 漢字 ".repeat(200)));
    type_in(&mut screen, &"typed ".repeat(40));
    for (width, height) in [(1, 1), (2, 2), (3, 4), (10, 3), (300, 80)] {
        assert_eq!(shown(&screen, width, height).len(), usize::from(height));
    }
}

#[test]
fn as_many_lines_as_are_kept_and_one_more_costs_the_oldest() {
    let mut screen = Screen::new("show", BOB.to_owned(), None);
    (0..MOST_LINES as u64).for_each(|number| screen.add(line(number, ANN, None, "x")));
    assert_eq!(screen.lines.len(), MOST_LINES);
    screen.add(line(MOST_LINES as u64, ANN, None, "x"));
    assert_eq!(
        (screen.lines.len(), screen.lines.first().unwrap().sequence),
        (MOST_LINES, MOMENT + 60_000_000)
    );
}
