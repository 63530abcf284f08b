use std::ops::AddAssign;

/// Posts that went one way, and the bytes of their bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Data {
    /// How many.
    pub posts: u64,
    /// Bytes of bodies.
    pub body_bytes: u64,
    /// Bytes of the messages that brought them, everything included.
    pub bytes: u64,
}

impl AddAssign for Data {
    fn add_assign(&mut self, other: Self) {
        self.posts += other.posts;
        self.body_bytes += other.body_bytes;
        self.bytes += other.bytes;
    }
}

/// Posts that were not taken, by why.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Refused {
    /// Ahead of our clock by more than is borne. If all others' are, it is our clock.
    pub from_the_future: u64,
    /// Older than the history.
    pub too_old: u64,
    /// Of senders that posted more than is allowed.
    pub too_many: u64,
    /// Without the right, or not signed by their sender; each cost its bringer the link.
    pub forged: u64,
}

/// What a member counted about posts, since it joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PostingInfo {
    /// Posts held now.
    pub held: u64,
    /// Their bytes, as they count for the history.
    pub held_bytes: u64,
    /// Posts of ours.
    pub posted: u64,
    /// Posts of others that were given to the owner.
    pub delivered: u64,
    /// Posts given to neighbors.
    pub sent: Data,
    /// Posts that came.
    pub received: Data,
    /// Those of them that were held already.
    pub duplicates: u64,
    /// Bytes of everything else that was sent.
    pub control_sent_bytes: u64,
    /// Bytes of everything else that came.
    pub control_received_bytes: u64,
    /// Requests that were not answered in time.
    pub pulls_failed: u64,
    /// Comparisons begun.
    pub comparisons: u64,
    /// Posts that were not taken.
    pub refused: Refused,
}
