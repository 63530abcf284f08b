use std::time::Duration;

use stratus_core::Time;
use stratus_posting as posting;

use super::{Act, Run};
use crate::rivals::Talked;

/// Before the end nothing more is posted: what is has to be everywhere.
const LAST_WORD: Duration = Duration::from_secs(5);
/// Who came so lately does not post yet.
const SETTLED: Duration = Duration::from_secs(3);

/// Members that post.
impl Run<'_> {
    /// Plans the moments, evenly by chance over the run.
    pub(super) fn plan_posts(&mut self, start: Time) {
        let Some(posts) = self.scenario.posts else { return };
        let span = self.scenario.secs.saturating_sub(LAST_WORD);
        let count = posts.share * f64::from(self.scenario.members) * posts.rate * span.as_secs_f64();
        for _ in 0..count.round() as u64 {
            let at = start + self.chance.between(Duration::ZERO, span);
            self.plan(at, Act::Post);
        }
    }

    /// What others need to say the same, if anything was said.
    pub(super) fn talked(&self) -> Option<Talked> {
        let watch = &self.world.watch;
        let posts = watch.posts.as_ref()?.all().map(|(at, by, body)| (at, by, body.clone())).collect();
        let counts_from = Time::ZERO + self.scenario.join_over + self.scenario.settle;
        Some(Talked { roles: watch.cast.roles.clone(), posts, counts_from })
    }

    /// One of those that post, or of those that came in their place, says something.
    pub(super) fn post(&mut self) {
        let Some(posts) = self.scenario.posts else { return };
        let now = self.world.now();
        let may = |member: &u32| {
            let joined_at = self.world.watch.cast.roles[*member as usize].joined_at;
            self.world.is_alive(*member) && joined_at + SETTLED <= now
        };
        let living: Vec<u32> = (0..self.world.member_count()).filter(may).collect();
        let speakers = (f64::from(self.scenario.members) * posts.share).ceil().max(1.0) as usize;
        let speakers = &living[..living.len().min(speakers)];
        let Some(speaker) = self.chance.pick(speakers).copied() else { return };
        let Some(score) = &mut self.world.watch.posts else { return };
        let body = score.post(now, speaker, posts.size);
        let draft = posting::Draft { token: 0, body, authorization: None };
        self.world.command(speaker, posting::Command::Post(Box::new(draft)).into());
    }
}
