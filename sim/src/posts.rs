use std::time::Duration;

use bytes::Bytes;
use stratus_core::Time;
use stratus_posting as posting;

use crate::cast::Role;
use crate::histogram::Histogram;
use crate::report::{PostResults, ratio};
use crate::score::Faults;

/// A post is to be everywhere after this.
const IN_TIME: Duration = Duration::from_secs(3);
/// A member that has been there for so long is owed what is posted.
const ARRIVED: Duration = Duration::from_secs(3);
/// What somebody posts that goes within this time is owed to nobody: it may be that no neighbor was told.
const PARTING: Duration = Duration::from_secs(1);

/// Holds what members are shown against what was posted.
#[derive(Debug)]
pub(crate) struct PostScore {
    posts: Vec<Posted>,
    pub(crate) delays: Histogram,
    /// Bytes of bodies shown.
    shown_bytes: u64,
    duplicates: u64,
    /// Bytes of bodies received, of all messages with posts, and of all others about posts.
    body_bytes: u64,
    data_bytes: u64,
    control_bytes: u64,
}

/// One post, and who was shown it.
#[derive(Debug)]
struct Posted {
    at: Time,
    by: u32,
    body: Bytes,
    /// By member: not yet, late, in time.
    shown: Vec<Shown>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shown {
    Not,
    Late,
    InTime,
}

impl PostScore {
    /// Nothing was posted yet.
    pub(crate) fn new() -> Self {
        Self {
            posts: Vec::new(),
            delays: Histogram::new(),
            shown_bytes: 0,
            duplicates: 0,
            body_bytes: 0,
            data_bytes: 0,
            control_bytes: 0,
        }
    }

    /// Member `by` posts now; what it says: the post's number, and letters up to `size`.
    pub(crate) fn post(&mut self, at: Time, by: u32, size: usize) -> Bytes {
        let mut body = (self.posts.len() as u64).to_be_bytes().to_vec();
        body.resize(size.max(8), b'.');
        let body = Bytes::from(body);
        self.said(at, by, body.clone());
        body
    }

    /// Member `by` says this now.
    pub(crate) fn said(&mut self, at: Time, by: u32, body: Bytes) {
        self.posts.push(Posted { at, by, body, shown: Vec::new() });
    }

    /// All that was said: when, by whom, what.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Time, u32, &Bytes)> {
        self.posts.iter().map(|posted| (posted.at, posted.by, &posted.body))
    }

    /// Something about posts reaches a member.
    pub(crate) fn arrived(&mut self, message: &posting::Message, length: u32) {
        match message {
            posting::Message::Posts(posts) => {
                self.received(posts.iter().map(|post| post.body().len() as u64).sum(), length);
            }
            _ => self.received(0, length),
        }
    }

    /// A message with so many bytes of bodies reaches a member.
    pub(crate) fn received(&mut self, body_bytes: u64, length: u32) {
        self.body_bytes += body_bytes;
        let all = if body_bytes > 0 { &mut self.data_bytes } else { &mut self.control_bytes };
        *all += u64::from(length);
    }

    /// Posting tells a member's owner something.
    pub(crate) fn heard(&mut self, now: Time, member: u32, event: &posting::Event, faults: &mut Faults) {
        match event {
            posting::Event::Post(post) => self.shown(now, member, post.body(), faults),
            posting::Event::Misbehaved { what, .. } => {
                faults.add(now, member, || format!("an honest neighbor was accused: {what}"));
            }
            posting::Event::PostFailed { why, .. } => {
                faults.add(now, member, || format!("a post was refused: {why}"));
            }
            posting::Event::Posted { .. } | posting::Event::Taken(_) => {}
        }
    }

    /// No post twice, none that was not posted.
    pub(crate) fn shown(&mut self, now: Time, member: u32, body: &Bytes, faults: &mut Faults) {
        let Some(posted) = number_of(body).and_then(|number| self.posts.get_mut(number)) else {
            return faults.add(now, member, || "a post nobody made".into());
        };
        if posted.body != *body {
            return faults.add(now, member, || "a post is not as it was made".into());
        }
        let place = member as usize;
        if posted.shown.len() <= place {
            posted.shown.resize(place + 1, Shown::Not);
        }
        if posted.shown[place] != Shown::Not {
            self.duplicates += 1;
            return faults.add(now, member, || "a post was shown twice".into());
        }
        let delay = now.since(posted.at);
        posted.shown[place] = if delay <= IN_TIME { Shown::InTime } else { Shown::Late };
        self.shown_bytes += posted.body.len() as u64;
    }

    /// Adds everything up: each post is owed to all that were there some time before it and stayed until it had to be there.
    pub(crate) fn results(&mut self, roles: &[Role]) -> PostResults {
        let mut results = PostResults { posts: self.posts.len() as u64, ..PostResults::default() };
        for posted in &self.posts {
            let stayed = |role: &Role, until: Time| role.left_at.is_none_or(|left_at| left_at >= until);
            if !stayed(&roles[posted.by as usize], posted.at + PARTING) {
                continue;
            }
            for (member, role) in roles.iter().enumerate() {
                let is_due = role.joined_at + ARRIVED <= posted.at && stayed(role, posted.at + IN_TIME);
                if is_due && member != posted.by as usize {
                    let shown = posted.shown.get(member).copied().unwrap_or(Shown::Not);
                    results.due += 1;
                    results.in_time += u64::from(shown == Shown::InTime);
                    results.late += u64::from(shown == Shown::Late);
                }
            }
        }
        let shown = self.shown_bytes as f64;
        results.arrival_share = ratio(results.in_time as f64, results.due as f64);
        results.duplicates_shown = self.duplicates;
        results.copies = ratio(self.body_bytes as f64, shown);
        results.data_ratio = ratio(self.data_bytes as f64, shown);
        results.received_ratio = ratio((self.data_bytes + self.control_bytes) as f64, shown);
        (results.p50_ms, results.p99_ms) = (self.delays.quantile_ms(500), self.delays.quantile_ms(990));
        results.max_ms = self.delays.longest_ms();
        results
    }

    /// How long a post took to a member that was owed it.
    pub(crate) fn note_delay(&mut self, now: Time, role: &Role, body: &Bytes) {
        if let Some(posted) = number_of(body).and_then(|number| self.posts.get(number))
            && role.joined_at + ARRIVED <= posted.at
        {
            self.delays.add(now.since(posted.at));
        }
    }
}

/// Which post says this.
fn number_of(body: &Bytes) -> Option<usize> {
    body.first_chunk().map(|number| u64::from_be_bytes(*number) as usize)
}
