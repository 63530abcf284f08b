use std::collections::BTreeSet;

use stratus::{Event, Events, Group, PostId};

use super::Line;

/// Posts of whom it is remembered that they were shown, at most: some more than a history has.
const MOST_SEEN: usize = 65_536;

/// What is said in a group, each post once, those that came before us included.
pub(crate) struct Hearing {
    group: Group,
    events: Events,
    /// What was given out; it is told apart from what comes twice when a slow reader has to look at the whole history.
    seen: BTreeSet<PostId>,
    /// What is to be given out before anything else.
    ready: std::collections::VecDeque<Line>,
}

/// What happened.
pub(crate) enum Heard {
    /// Somebody said something.
    Line(Line),
    /// Something else.
    Event(Event),
}

impl Hearing {
    /// From now on, and what is there already.
    pub(crate) async fn begin(group: &Group) -> Self {
        let mut hearing = Self {
            events: group.events(),
            group: group.clone(),
            seen: BTreeSet::new(),
            ready: std::collections::VecDeque::new(),
        };
        hearing.catch_up().await;
        hearing
    }

    /// The next thing that happens; `None` once the group is left. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Heard::Line(line));
            }
            match self.events.recv().await? {
                Event::Post(post) if self.note(post.id()) => return Some(Heard::Line(Line::of(&post))),
                Event::Post(_) => {}
                // Too slow for a history that comes at once: it is all there, in its order.
                Event::Lagged { .. } => self.catch_up().await,
                event => return Some(Heard::Event(event)),
            }
        }
    }

    /// Looks at what is held: of what we said ourselves nobody else tells us.
    pub(crate) async fn look(&mut self) {
        self.catch_up().await;
    }

    async fn catch_up(&mut self) {
        let posts = self.group.posts().await.unwrap_or_default();
        if self.seen.len() > MOST_SEEN {
            let held: BTreeSet<PostId> = posts.iter().map(|post| post.id()).collect();
            self.seen.retain(|id| held.contains(id));
        }
        for post in posts {
            if self.note(post.id()) {
                self.ready.push_back(Line::of(&post));
            }
        }
    }

    /// Whether a post was not given out before.
    pub(crate) fn note(&mut self, id: PostId) -> bool {
        self.seen.insert(id)
    }
}
