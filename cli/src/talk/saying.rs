use std::collections::BTreeSet;
use std::time::Duration;

use stratus::{Event, Events, Group, PostError, PostId};
use tokio::time::{sleep, timeout};

use crate::console::Console;
use crate::stop::{Code, Failure};

/// How long a post that somebody has is given to go on from there: the neighbor has it, and its answer has to leave us.
const ON_ITS_WAY: Duration = Duration::from_millis(200);

/// What is said, until somebody has it.
pub(crate) struct Saying {
    group: Group,
    events: Events,
    /// What nobody has taken yet, as far as we have heard.
    waiting: BTreeSet<PostId>,
    console: Console,
}

impl Saying {
    pub(crate) fn begin(group: &Group, console: Console) -> Self {
        Self { group: group.clone(), events: group.events(), waiting: BTreeSet::new(), console }
    }

    /// Posts; waits as long as the group lets nobody post faster.
    pub(crate) async fn say(&mut self, body: Vec<u8>) -> Result<PostId, Failure> {
        let mut is_told = false;
        loop {
            match self.group.post(body.clone()).await {
                Ok(id) => {
                    self.waiting.insert(id);
                    return Ok(id);
                }
                Err(PostError::TooFast { wait }) => {
                    if !std::mem::replace(&mut is_told, true) {
                        let wait = humantime::format_duration(Duration::from_secs(wait.as_secs() + 1));
                        self.console.note(format_args!("faster than the group allows: waiting {wait}"));
                    }
                    // At least a moment, or a clock that is set meanwhile would make this spin.
                    sleep(wait.max(Duration::from_millis(50))).await;
                }
                Err(error) => return Err(failure(error)),
            }
        }
    }

    /// Waits until all that was said is taken; false if that takes longer than `patience`.
    pub(crate) async fn taken(&mut self, patience: Duration) -> bool {
        let all = async {
            while !self.waiting.is_empty() {
                match self.events.recv().await {
                    Some(Event::PostTaken(id)) => drop(self.waiting.remove(&id)),
                    Some(Event::Lagged { .. }) | None => return,
                    Some(_) => {}
                }
            }
        };
        let is_taken = timeout(patience, all).await.is_ok();
        if is_taken {
            sleep(ON_ITS_WAY).await;
        }
        is_taken
    }
}

/// Why nothing was posted, and what to do.
pub(super) fn failure(error: PostError) -> Failure {
    match error {
        PostError::NotAuthorized => super::rights::not_authorized(),
        PostError::TooLong => Failure::new(Code::Usage, error.to_string())
            .hint("say it in several posts; files go by other ways"),
        PostError::PostingDisabled => super::rights::no_posts(),
        error => Failure::new(Code::Failed, "cannot post").tried(error.to_string()),
    }
}
