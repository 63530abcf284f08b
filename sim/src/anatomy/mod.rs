use std::collections::BTreeMap;
use std::fmt::Write as _;

use stratus_core::Time;
use stratus_multicast as multicast;
use stratus_node::Message;

use crate::source::Published;
use crate::world::Packet;

mod kinds;
mod state;
mod tree;

use kinds::Kinds;
pub(crate) use state::State;

/// Where delay arises: the way of each fragment to each member, hop by hop.
///
/// Costs 32 bytes for each fragment and member, so it is kept only when asked for.
#[derive(Debug)]
pub(crate) struct Anatomy {
    /// By member, then by fragment index.
    ways: Vec<Vec<Way>>,
    /// By run: index of its first fragment.
    runs: Vec<Option<u64>>,
    slices: u64,
    played: Vec<Share>,
    kinds: Kinds,
    states: Vec<String>,
}

/// How a fragment first came to a member. Times are sums over all hops, in microseconds.
#[derive(Clone, Copy, Default, Debug)]
struct Way {
    /// When it came; 0: never.
    at: u64,
    hops: u16,
    is_repair: bool,
    from: u32,
    queued: u32,
    travelled: u32,
    slice: u8,
}

/// One played message's delay, cut into its parts; microseconds.
#[derive(Clone, Copy, Default, Debug)]
struct Share {
    /// When the message was written, seconds of the run.
    second: u16,
    member: u32,
    delay: u32,
    hops: u16,
    is_repair: bool,
    slice: u8,
    /// Waiting for and passing through uplinks.
    queued: u32,
    /// On the way.
    travelled: u32,
    /// Held by the publisher for its run, and by relays for its manifest.
    held: u32,
    /// Held by the player for what comes before it in the stream.
    ordered: u32,
}

/// Messages whose anatomy is kept at most: 5 million are 140 MB.
const MOST_PLAYED: usize = 20_000_000;

impl Anatomy {
    /// For so many members and slices.
    pub(crate) fn new(members: u32, slices: u32) -> Self {
        Self {
            ways: vec![Vec::new(); members as usize],
            runs: Vec::new(),
            slices: u64::from(slices),
            played: Vec::new(),
            kinds: Kinds::default(),
            states: Vec::new(),
        }
    }

    /// Counts a packet that has left its uplink.
    pub(crate) fn sent(&mut self, packet: &Packet<Message>, message: &Message) {
        self.kinds.add(packet, message);
    }

    /// Keeps what the subscribers' trees are like.
    pub(crate) fn note_state(&mut self, now: Time, state: State) {
        if state.members > 0 {
            self.states.push(format!("at {now} {state}"));
        }
    }

    /// Follows a packet to its receiver.
    pub(crate) fn arrived(&mut self, now: Time, packet: &Packet<Message>, message: &Message) {
        match message {
            Message::Multicast(multicast::Message::Manifest { manifest, .. }) => {
                let run = manifest.run as usize;
                if self.runs.len() <= run {
                    self.runs.resize(run + 1, None);
                }
                self.runs[run] = Some(manifest.first_index);
            }
            Message::Multicast(multicast::Message::Fragment { run, position, is_repair, .. }) => {
                // A fragment may come before its manifest; then some earlier receiver's manifest tells.
                if let Some(Some(first)) = self.runs.get(*run as usize) {
                    let index = (*first + u64::from(*position)) as usize;
                    self.follow(now, packet, index, (*run % self.slices) as u8, *is_repair);
                }
            }
            _ => {}
        }
    }

    fn follow(&mut self, now: Time, packet: &Packet<Message>, index: usize, slice: u8, is_repair: bool) {
        let before = self.ways[packet.head.from as usize].get(index).copied().unwrap_or_default();
        let ways = &mut self.ways[packet.head.to as usize];
        if ways.len() <= index {
            ways.resize(index + 1, Way::default());
        }
        if ways[index].at == 0 {
            ways[index] = Way {
                at: now.as_micros(),
                hops: before.hops + 1,
                is_repair: is_repair || before.is_repair,
                from: packet.head.from,
                queued: before.queued + packet.head.sent_at.since(packet.head.queued_at).as_micros() as u32,
                travelled: before.travelled + now.since(packet.head.sent_at).as_micros() as u32,
                slice,
            };
        }
    }

    /// A member played a message: its last fragment's way is the message's.
    pub(crate) fn played(&mut self, now: Time, member: u32, written: &Published) {
        let ways = &self.ways[member as usize];
        let indexes = written.index as usize..written.index as usize + written.pieces.len();
        let last = indexes.filter_map(|index| ways.get(index)).max_by_key(|way| way.at);
        let Some(way) = last.filter(|way| way.at > 0 && self.played.len() < MOST_PLAYED) else { return };
        let came_after = way.at.saturating_sub(written.at.as_micros()) as u32;
        self.played.push(Share {
            member,
            second: (written.at.as_micros() / 1_000_000) as u16,
            delay: now.since(written.at).as_micros() as u32,
            hops: way.hops,
            is_repair: way.is_repair,
            slice: way.slice,
            queued: way.queued,
            travelled: way.travelled,
            held: came_after.saturating_sub(way.queued + way.travelled),
            ordered: now.as_micros().saturating_sub(way.at) as u32,
        });
    }

    /// The findings, as lines for a person.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.played.sort_unstable_by_key(|share| share.delay);
        let count = self.played.len();
        if count == 0 {
            return vec!["nothing was played".into()];
        }
        let mut lines = vec![
            "delay in ms, means                  delay  uplinks   travel     held  ordered    hops  repaired"
                .into(),
        ];
        let groups = [
            ("all", &self.played[..]),
            ("around the median", &self.played[count * 49 / 100..(count * 51 / 100).max(1)]),
            ("slowest 5 in 100", &self.played[count * 95 / 100..]),
            ("slowest 1 in 100", &self.played[count * 99 / 100..]),
        ];
        lines.extend(groups.iter().map(|(name, shares)| row(name, shares)));
        // The culprits: what came last itself, rather than waiting for something later.
        let slowest = self.played[count * 95 / 100..].iter().filter(|share| share.ordered == 0).copied();
        let (repaired, late): (Vec<Share>, Vec<Share>) = slowest.partition(|share| share.is_repair);
        lines.push(row(&format!("  that held up, pushed {}", late.len()), &late));
        lines.push(row(&format!("  that held up, pulled {}", repaired.len()), &repaired));
        let pushed: Vec<Share> = self.played.iter().filter(|share| !share.is_repair).copied().collect();
        lines.push(row("never repaired", &pushed));
        for slice in 0..self.slices as u8 {
            let shares: Vec<Share> = pushed.iter().filter(|share| share.slice == slice).copied().collect();
            lines.push(row(&format!("pushed in slice {slice}"), &shares));
        }
        lines.push(depths(&pushed));
        lines.push(by_member(&self.played));
        lines.extend(tree::lines(&self.ways, self.slices as u8));
        lines.extend(self.kinds.lines());
        lines.extend(timeline(&self.played));
        lines.append(&mut self.states);
        lines
    }
}

fn row(name: &str, shares: &[Share]) -> String {
    let mean =
        |part: &dyn Fn(&Share) -> f64| shares.iter().map(part).sum::<f64>() / shares.len().max(1) as f64;
    let ms = |part: &dyn Fn(&Share) -> u32| mean(&|share| f64::from(part(share)) / 1_000.0);
    format!(
        "{name:<32} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>7.2} {:>8.2}%",
        ms(&|share| share.delay),
        ms(&|share| share.queued),
        ms(&|share| share.travelled),
        ms(&|share| share.held),
        ms(&|share| share.ordered),
        mean(&|share| f64::from(share.hops)),
        mean(&|share| f64::from(u8::from(share.is_repair))) * 100.0,
    )
}

/// How many hops what was pushed took.
fn depths(pushed: &[Share]) -> String {
    let mut counts = [0u64; 24];
    for share in pushed {
        counts[usize::from(share.hops).min(23)] += 1;
    }
    let mut line = String::from("hops of what was pushed, in 100:");
    for (hops, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let share = *count as f64 * 100.0 / pushed.len() as f64;
        let _ = write!(line, " {hops}:{share:.1}");
    }
    line
}

/// How delay develops: one line for each second in which messages were written. `shares` rise by delay.
fn timeline(shares: &[Share]) -> Vec<String> {
    let mut seconds: BTreeMap<u16, Vec<&Share>> = BTreeMap::new();
    for share in shares {
        seconds.entry(share.second).or_default().push(share);
    }
    seconds.iter().map(|(second, shares)| second_line(*second, shares)).collect()
}

/// One second: delays as played and, after "came", when the last fragment of a message was there; then the means of
/// the parts.
fn second_line(second: u16, shares: &[&Share]) -> String {
    let at = |sorted: &[u32], per_mille: usize| {
        f64::from(sorted[(sorted.len() * per_mille / 1_000).min(sorted.len() - 1)]) / 1_000.0
    };
    let played: Vec<u32> = shares.iter().map(|share| share.delay).collect();
    let mut came: Vec<u32> = shares.iter().map(|share| share.delay - share.ordered).collect();
    came.sort_unstable();
    let owned: Vec<Share> = shares.iter().copied().copied().collect();
    let name = format!("written in second {second}");
    format!(
        "{} p50 {:.0} p99 {:.0} max {:.0} came p50 {:.0} p99 {:.0}",
        row(&name, &owned),
        at(&played, 500),
        at(&played, 990),
        at(&played, 1_000),
        at(&came, 500),
        at(&came, 990),
    )
}

/// Whether the same few are always late: how the members' own medians and 99th percentiles spread. `shares` rise
/// by delay.
fn by_member(shares: &[Share]) -> String {
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for share in shares {
        members.entry(share.member).or_default().push(share.delay);
    }
    let spread = |per_mille: usize| {
        let mut own: Vec<u32> =
            members.values().map(|delays| delays[delays.len() * per_mille / 1_000]).collect();
        own.sort_unstable();
        let at = |share: usize| f64::from(own[(own.len() * share / 100).min(own.len() - 1)]) / 1_000.0;
        format!("{:.0} {:.0} {:.0} {:.0} {:.0}", at(0), at(25), at(50), at(75), at(100))
    };
    format!("members' own medians, least, quarters and most: {}; own p99: {}", spread(500), spread(990))
}
