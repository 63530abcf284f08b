use std::collections::BTreeMap;

use serde::Serialize;

use crate::file::Verdict;
use crate::scenario::{Opponent, Scenario};
use crate::series::Series;

/// One run: what was played and what came of it. Serialises to one line of JSON.
///
/// Everything but `timing` is the same for the same scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Rises when a field changes its meaning or goes.
    pub schema: u32,
    /// BLAKE3 over all of the scenario but its seed: runs with the same hash differ by chance alone.
    pub scenario_hash: String,
    /// From which every draw came.
    pub seed: u64,
    /// What was played.
    pub scenario: Scenario,
    /// What came of it.
    pub results: Results,
    /// What its file says must hold, and whether it did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub must: Vec<Verdict>,
    /// What plots are made of, if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// How long it took here.
    pub timing: Timing,
}

/// What came of a run. Ratios are over the time from the stream's begin to the end of the run; *survivors* are
/// the subscribers that were not killed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Results {
    /// Members that ever joined, newcomers in place of others counted.
    pub members: u32,
    /// Members alive in the end that played something.
    pub survivors: u32,
    /// Mean links of a living member when the stream ended.
    pub neighbors_mean: f64,
    /// Messages published, over all streams.
    pub messages: u64,
    /// Share of survivors that played every message from their first one on.
    pub complete_share: f64,
    /// Share of survivors whose first message was the stream's first.
    pub from_first_share: f64,
    /// Share of survivors that heard the stream's end.
    pub ended_share: f64,
    /// Messages played by survivors, of those published.
    pub delivered_ratio: f64,
    /// Messages played, of those that were due to anyone while it was there: from its first message on, or three
    /// seconds after it joined, to the end, or to one second before it went.
    pub continuity: f64,
    /// Payload bytes received by survivors, of those they needed.
    pub copies: f64,
    /// Bytes of membership, announcements, maps and requests sent, for a byte of payload sent.
    pub control_ratio: f64,
    /// The same, from `warm_up` to the stream's end: neither what it takes to begin nor to end counts.
    pub control_ratio_steady: f64,
    /// Bytes of manifests sent, for a byte of payload sent.
    pub auth_ratio: f64,
    /// From writing a message to playing it: half are quicker.
    pub p50_ms: f64,
    /// 95 in 100 are quicker.
    pub p95_ms: f64,
    /// 99 in 100 are quicker.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// From writing a message to the last survivor that plays it, in the mean.
    pub last_ms: f64,
    /// Members that joined while it streamed.
    pub joined: u32,
    /// From joining, the server's answer included, to the first message: half of them are quicker.
    pub join_p50_ms: f64,
    /// 99 in 100 are quicker.
    pub join_p99_ms: f64,
    /// From the sending of a fragment that was lost to its coming after all: half are quicker.
    pub repair_p50_ms: f64,
    /// 99 in 100 are quicker.
    pub repair_p99_ms: f64,
    /// Bytes on the wire, headers, handshakes and acknowledgements included, for a byte of payload played.
    pub wire_per_payload: f64,
    /// Payload and manifests received, for a byte of payload played.
    pub media_ratio: f64,
    /// Bytes of all messages received by survivors, membership included, for a byte of payload that they needed.
    pub received_ratio: f64,
    /// Payload bytes the publishers sent, for a byte published.
    pub publisher_copies: f64,
    /// Payload bytes sent by others than the publishers, of all.
    pub peer_share: f64,
    /// Bytes of payload and manifests that members which play nothing sent or received.
    pub idle_media_bytes: u64,
    /// What came of each part: publishers, strong, usual, weak, those that only receive, those that play nothing.
    pub parts: BTreeMap<&'static str, PartResults>,
    /// What became of members that break rules on purpose; only where there are some.
    pub hostile: Option<HostileResults>,
    /// How well the group was put together; only where nothing is played.
    pub group: Option<GroupResults>,
    /// What came of what was sent, looked up, kept and read over the ring; only where that was done.
    pub ring: Option<RingResults>,
    /// What came of posts, where there are any.
    pub posts: Option<PostResults>,
    /// What others made of the same stream: see [`Scenario::rivals`].
    pub rivals: BTreeMap<&'static str, RivalResults>,
    /// Fragments received by push, of all.
    pub pushed_share: f64,
    /// The same, from `warm_up` to the stream's end.
    pub pushed_share_steady: f64,
    /// Fragments received because they were pulled.
    pub pulled_fragments: u64,
    /// Fragments received although they were held.
    pub duplicate_fragments: u64,
    /// Fragments given up by survivors because the window closed on them.
    pub given_up_fragments: u64,
    /// Requests sent.
    pub pulls: u64,
    /// Slices moved because a parent fell silent or left.
    pub reparented: u64,
    /// Slices moved to a quicker parent.
    pub quickened: u64,
    /// Packets lost on the way.
    pub lost_packets: u64,
    /// Datagrams that expired before they were sent.
    pub expired_datagrams: u64,
    /// Messages for which there was no room in a sending queue.
    pub overflowed: u64,
    /// Broken promises: a message twice, in part, out of order or never published; a counter that fell; an
    /// honest member accused; a datagram too long; a machine that did not move on. Any is a failure.
    pub faults: u64,
    /// When the run ended, simulated seconds.
    pub ended_at_s: f64,
    /// Events in the trace.
    pub events: u64,
    /// BLAKE3 over (time, member, kind, sizes) of each event in order.
    pub trace_hash: String,
}

/// How well a group was put together, by one that sees all links. *Right* is a member that is linked, at both ends,
/// with the three nearest living members on each side. Times are to a quarter of a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GroupResults {
    /// Members there at the end.
    pub members: u32,
    /// Those of them without a link.
    pub lonely: u32,
    /// From the last join to 99.9 % right successors, seconds. A round of gossip is one second.
    pub ring_s: Option<f64>,
    /// From the last join until everybody was right, seconds.
    pub exact_s: Option<f64>,
    /// Exchanges that a member had begun by then.
    pub exact_exchanges: f64,
    /// From the end of the last fault until everybody was right, seconds.
    pub recovered_s: Option<f64>,
    /// Share of members that were right, over all counts after the group had settled.
    pub exact_share: f64,
    /// Share of members that were right in the end.
    pub exact_at_end: f64,
    /// Parts without a link between them in the end.
    pub components: u32,
    /// Mean links of a member.
    pub links_mean: f64,
    /// Most links of a member.
    pub links_most: u32,
    /// `links_mean` for a link of min(n − 1, 2·log₂ n + 13).
    pub links_expected_ratio: f64,
    /// Hops from a random member to the one nearest to a random place, always to the neighbor nearest to it.
    pub hops_mean: f64,
    /// 99 of 100 take no more.
    pub hops_p99: u32,
    /// The most.
    pub hops_most: u32,
    /// Look-ups tried after the group had settled.
    pub look_ups: u64,
    /// Share of them that ended at the nearest living member; a dead neighbor is noticed and passed by.
    pub look_ups_reached: f64,
    /// Share that did without meeting a dead one.
    pub look_ups_straight: f64,
    /// Share of members whose estimate of the group's size is right within a fifth.
    pub estimate_within_20: f64,
    /// Within a tenth.
    pub estimate_within_10: f64,
    /// Half are wrong by less than this.
    pub estimate_median_error: f64,
    /// Bytes of membership that a member sends a second, after the group had settled.
    pub membership_bytes_per_s: f64,
    /// The same with all headers, handshakes and acknowledgements.
    pub wire_bytes_per_s: f64,
    /// What the bytes of membership were, by kind of message, with those of nothing else left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub talk: BTreeMap<&'static str, TalkResults>,
}

/// How much a member says of one kind, after the group had settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TalkResults {
    /// Messages a second.
    pub messages_per_s: f64,
    /// Bytes of them a second, without headers.
    pub bytes_per_s: f64,
}

/// What came of directed routing and of kept values. *Right* is the living member nearest to the place, those that do
/// not answer aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RingResults {
    /// Parcels sent to random places.
    pub sends: u64,
    /// Share of them that came to the right member.
    pub sends_right: f64,
    /// Links that those which arrived went over.
    pub hops_mean: f64,
    /// 99 of 100 took no more.
    pub hops_p99: u32,
    /// Look-ups of random places, but those whose askers went before the answer.
    pub look_ups: u64,
    /// Share of them that found the right member first.
    pub look_ups_right: f64,
    /// Members asked in one.
    pub asked_mean: f64,
    /// Half took less.
    pub look_up_p50_ms: f64,
    /// 99 of 100 took less.
    pub look_up_p99_ms: f64,
    /// Values put.
    pub values: u64,
    /// Share of them that was said to be kept.
    pub values_kept: f64,
    /// Reads of values that were kept, but those whose readers went before the answer.
    pub reads: u64,
    /// Share of them that found the value.
    pub reads_right: f64,
    /// Half took less.
    pub read_p50_ms: f64,
    /// 99 of 100 took less.
    pub read_p99_ms: f64,
}

/// What hostile members achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct HostileResults {
    /// How many there were.
    pub members: u32,
    /// Fragments with wrong bytes that came to honest members.
    pub bad_fragments: u64,
    /// Times that a member reported one for breaking rules.
    pub accusations: u64,
    /// The longest from a neighbor's first wrong fragment to the report of it, milliseconds.
    pub cut_off_ms: f64,
    /// Honest members and hostile neighbors from which they had wrong fragments and which they never reported.
    pub unpunished: u64,
    /// 99 of 100 honest members have no larger share of hostile neighbors in the end.
    pub neighbors_p99: f64,
    /// The mean share of them among an honest member's neighbors, for their share of all members: 1 is chance.
    pub neighbors_over_chance: f64,
    /// Honest members that have neighbors, and none but hostile ones, in the end.
    pub eclipsed: u32,
}

/// What came of posts. A post is owed to every member that joined three seconds before it and was there three seconds
/// after it; those of a member that went within a second are owed to nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PostResults {
    /// Posts made.
    pub posts: u64,
    /// Members to which each was owed, added up.
    pub due: u64,
    /// Those that were shown it within three seconds.
    pub in_time: u64,
    /// Those that were shown it later.
    pub late: u64,
    /// `in_time` of `due`.
    pub arrival_share: f64,
    /// Posts shown to a member for the second time.
    pub duplicates_shown: u64,
    /// Bytes of bodies received, for a byte of a body shown.
    pub copies: f64,
    /// Bytes of all messages with posts received, for a byte shown.
    pub data_ratio: f64,
    /// The same with all other messages about posts.
    pub received_ratio: f64,
    /// From posting to being shown: half are quicker.
    pub p50_ms: f64,
    /// 99 in 100 are quicker.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// What came of the members of one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PartResults {
    /// How many there were.
    pub members: u32,
    /// Payload bytes that one of them sent, for a byte of all that was published: copies carried.
    pub carried: f64,
    /// 99 in 100 of their messages were played this soon.
    pub p99_ms: f64,
    /// Messages played, of those that were due.
    pub continuity: f64,
}

/// What came of the same stream, or the same posts, by the rules of others. Of posts `delivered_ratio` is what
/// `arrival_share` is, and ratios are to bodies shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RivalResults {
    /// Messages published; each is one fragment.
    pub messages: u64,
    /// Messages that members had within the window, of those due.
    pub delivered_ratio: f64,
    /// Payload bytes received, of those needed.
    pub copies: f64,
    /// Bytes of all messages received, for a byte of payload needed.
    pub received_ratio: f64,
    /// Bytes on the wire, headers and acknowledgements included, for a byte of payload needed.
    pub wire_per_payload: f64,
    /// From publishing to receiving: half are quicker.
    pub p50_ms: f64,
    /// 99 in 100 are quicker.
    pub p99_ms: f64,
    /// From publishing to the last member, in the mean.
    pub last_ms: f64,
    /// Messages for which there was no room in a sending queue.
    pub overflowed: u64,
    /// Our `p99_ms` for one of theirs.
    pub p99_of_theirs: f64,
    /// Our `last_ms` for one of theirs.
    pub last_of_theirs: f64,
    /// Our `received_ratio` for one of theirs.
    pub bytes_of_theirs: f64,
    /// Our `copies` for one of theirs.
    pub payload_of_theirs: f64,
}

/// How long a run took here; no part of what is reproducible.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timing {
    /// Seconds.
    pub wall_s: f64,
    /// Events a second.
    pub events_per_s: f64,
    /// Messages played a second.
    pub deliveries_per_s: f64,
    /// Most memory that the program had, bytes for a member; `None` where the system does not tell.
    pub peak_bytes_per_member: Option<u64>,
}

impl RivalResults {
    /// With ours held against it: the stream, or where there is none the posts.
    pub(crate) fn beside(self, ours: &Results) -> Self {
        let (p99_ms, received_ratio, copies) = match &ours.posts {
            Some(posts) => (posts.p99_ms, posts.received_ratio, posts.copies),
            None => (ours.p99_ms, ours.received_ratio, ours.copies),
        };
        Self {
            p99_of_theirs: ratio(p99_ms, self.p99_ms),
            last_of_theirs: ratio(ours.last_ms, self.last_ms),
            bytes_of_theirs: ratio(received_ratio, self.received_ratio),
            payload_of_theirs: ratio(copies, self.copies),
            ..self
        }
    }
}

impl Results {
    /// One with every figure in it that there may be, to look up names.
    pub(crate) fn every_figure() -> Self {
        let parts = crate::cast::Part::ALL.map(|part| (part.name(), PartResults::default()));
        let rivals = Opponent::all().map(|rival| (rival.name(), RivalResults::default()));
        let (group, ring) = (Some(GroupResults::default()), Some(RingResults::default()));
        let (parts, rivals, hostile) = (parts.into(), rivals.collect(), Some(HostileResults::default()));
        let posts = Some(PostResults::default());
        Self { parts, rivals, group, ring, hostile, posts, ..Self::default() }
    }
}

/// The report's form.
pub const SCHEMA: u32 = 4;

/// `part` of `whole`, to six places; 0 of nothing.
pub(crate) fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 1e6).round() / 1e6 } else { 0.0 }
}
