use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Row, Span};
use ratatui::widgets::{Paragraph, Wrap};
use tui_input::Input;

use crate::talk::{Line, tame_name};

/// Lines kept to be scrolled through; the oldest go first.
const MOST_LINES: usize = 10_000;
/// Colours of names, by who speaks: enough that neighbors in a talk differ mostly.
const COLORS: [Color; 6] =
    [Color::Cyan, Color::Green, Color::Yellow, Color::Magenta, Color::Blue, Color::Red];

/// What the screen of a chat shows, and what was typed. It knows no terminal and no group.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The group's name.
    title: String,
    /// Ourselves, in hex.
    own: String,
    /// What we are called.
    name: Option<String>,
    /// What was said, in the order in which it was said.
    lines: BTreeSet<Line>,
    members: u64,
    neighbors: usize,
    /// Something to be told, until the next key.
    notice: String,
    input: Input,
    /// How many lines the view is above the newest.
    scrolled: usize,
}

/// What is to be done about what was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Say this.
    Say(String),
    /// End.
    Quit,
    /// Nothing but to be shown.
    Nothing,
}

impl Screen {
    pub(super) fn new(title: &str, own: String, name: Option<String>) -> Self {
        Self { title: title.to_owned(), own, name, ..Self::default() }
    }

    /// What we are called.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Somebody said something, perhaps long ago.
    pub(super) fn add(&mut self, line: Line) {
        self.lines.insert(line);
        if self.lines.len() > MOST_LINES {
            self.lines.pop_first();
        }
    }

    /// How many members there seem to be, and how many neighbors there are.
    pub(super) fn count(&mut self, members: u64, neighbors: usize) {
        (self.members, self.neighbors) = (members, neighbors);
    }

    /// Tells something that is not part of the talk.
    pub(super) fn notice(&mut self, what: impl Into<String>) {
        self.notice = what.into();
    }

    /// The line that is typed.
    pub(super) fn input(&mut self) -> &mut Input {
        &mut self.input
    }

    /// Moves the view towards older lines, or newer ones.
    pub(super) fn scroll(&mut self, by: isize) {
        self.scrolled = self.scrolled.saturating_add_signed(by).min(self.lines.len().saturating_sub(1));
    }

    /// The typed line is ended.
    pub(super) fn enter(&mut self) -> Wish {
        let typed = self.input.value_and_reset();
        self.notice.clear();
        self.scrolled = 0;
        let (word, rest) = typed.split_once(' ').unwrap_or((&typed, ""));
        match word {
            "" => Wish::Nothing,
            "/quit" | "/q" => Wish::Quit,
            "/name" => {
                let name = tame_name(rest);
                self.notice =
                    if name.is_empty() { "you have no name".into() } else { format!("you are {name}") };
                self.name = Some(name).filter(|name| !name.is_empty());
                Wish::Nothing
            }
            "/help" => {
                self.notice("/name NAME, /quit; page up and down scroll, Ctrl-C ends");
                Wish::Nothing
            }
            word if word.starts_with('/') && !word.starts_with("//") => {
                self.notice = format!("there is no {word}; /help says what there is");
                Wish::Nothing
            }
            // Two strokes say a line that begins with one.
            _ => Wish::Say(typed.strip_prefix('/').unwrap_or(&typed).to_owned()),
        }
    }

    /// Draws everything.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let [head, talk, notice, typed] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        let bar = Style::new().add_modifier(Modifier::REVERSED);
        frame.render_widget(Paragraph::new(self.head()).style(bar), head);
        self.draw_talk(frame, talk);
        let dim = Style::new().add_modifier(Modifier::DIM);
        frame.render_widget(Paragraph::new(self.notice.as_str()).style(dim), notice);
        self.draw_input(frame, typed);
    }

    fn head(&self) -> String {
        let members = match self.members {
            0 | 1 => "nobody else".to_owned(),
            members => format!("about {members} members"),
        };
        let neighbors = self.neighbors;
        format!(" {}  {members}  {neighbors} neighbors  times in UTC", self.title)
    }

    /// The newest lines at the bottom, as many as there is room for once the long ones are wrapped.
    fn draw_talk(&self, frame: &mut Frame<'_>, area: Rect) {
        let newest = self.lines.iter().rev().skip(self.scrolled);
        let mut rows: Vec<Row<'_>> =
            newest.take(usize::from(area.height)).map(|line| self.row(line)).collect();
        rows.reverse();
        let talk = Paragraph::new(rows).wrap(Wrap { trim: false });
        let height = talk.line_count(area.width);
        let hidden = height.saturating_sub(usize::from(area.height));
        let talk = talk.scroll((u16::try_from(hidden).unwrap_or(u16::MAX), 0));
        // Few lines stand at the bottom as well, next to what is typed.
        let shown = u16::try_from(height).unwrap_or(u16::MAX).min(area.height);
        let bottom = Rect { y: area.y + area.height - shown, height: shown, ..area };
        frame.render_widget(talk, bottom);
    }

    fn row<'a>(&self, line: &'a Line) -> Row<'a> {
        let time = line.time();
        // Of 2026-11-20T16:05:11Z the hours and minutes.
        let minute = time.get(11..16).unwrap_or_default().to_owned();
        let is_own = line.peer == self.own;
        let place = line.peer.bytes().map(usize::from).sum::<usize>() % COLORS.len();
        let name = Style::new().fg(COLORS[place]).add_modifier(Modifier::BOLD);
        let name = if is_own { name.add_modifier(Modifier::UNDERLINED) } else { name };
        let dim = Style::new().add_modifier(Modifier::DIM);
        Row::from(vec![
            Span::styled(format!("{minute} "), dim),
            Span::styled(line.speaker(), name),
            // Anybody may take any name; who it is shows by its key.
            Span::styled(
                if line.name.is_some() { format!(" {}", &line.peer[..4]) } else { String::new() },
                dim,
            ),
            Span::raw(format!(" {}", line.text)),
        ])
    }

    fn draw_input(&self, frame: &mut Frame<'_>, area: Rect) {
        let prompt = format!("{}> ", self.name.as_deref().unwrap_or(""));
        let before = u16::try_from(prompt.chars().count()).unwrap_or(u16::MAX).min(area.width);
        let width = usize::from(area.width.saturating_sub(before + 1));
        let hidden = self.input.visual_scroll(width);
        let shown = skipped(self.input.value(), hidden);
        let line = Row::from(vec![Span::raw(prompt), Span::raw(shown)]);
        frame.render_widget(Paragraph::new(line), area);
        let cursor = self.input.visual_cursor().saturating_sub(hidden).min(width);
        frame.set_cursor_position((area.x + before + u16::try_from(cursor).unwrap_or(0), area.y));
    }
}

/// `text` without its first `columns` columns, as far as letters are one wide.
fn skipped(text: &str, columns: usize) -> String {
    text.chars().skip(columns).collect()
}

#[cfg(test)]
mod tests;
