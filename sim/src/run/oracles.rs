use stratus_multicast::MulticastInfo;

use super::Run;

/// Members whose limits are looked at in one check: all of a small group, the others in turn.
const LIMITS_AT_ONCE: u32 = 2_000;

/// What is checked once a second, and not at every event.
impl Run<'_> {
    /// Counters may rise or stay; a machine must move on when woken; no datagram may be too long.
    pub(super) fn check(&mut self) {
        let now = self.world.now();
        let count = self.streams.len();
        self.infos.resize(self.world.member_count() as usize * count, MulticastInfo::default());
        for (place, known) in self.infos.iter_mut().enumerate() {
            let (member, stream) = ((place / count) as u32, self.streams[place % count]);
            let Some(info) = self.world.machine(member).multicast().stream(&stream) else { continue };
            let before = std::mem::replace(known, info.counters);
            if let Some(what) = fallen(&before, &info.counters) {
                self.world.watch.faults.add(now, member, || format!("a counter fell: {what}"));
            }
        }
        let (before, totals) = (self.totals, self.world.totals());
        let faults = &mut self.world.watch.faults;
        let oversized = totals.oversized - before.oversized;
        faults.add_counted(now, oversized, "a datagram was longer than any path carries");
        faults.add_counted(
            now,
            totals.stuck - before.stuck,
            "a machine was due again at the moment it was woken",
        );
        self.totals = totals;
        self.check_limits();
        self.note_state();
        if self.world.watch.keeper.is_some() {
            let living = (0..self.world.member_count()).filter(|member| self.world.is_alive(*member)).count();
            let point = (now.as_micros() as f64 / 1e6, living as f64);
            self.world.watch.keeper.iter_mut().for_each(|keeper| keeper.members.push(point));
        }
    }

    /// Nothing that strangers can grow is over its limit. Looks at some members each time.
    fn check_limits(&mut self) {
        let count = self.world.member_count();
        for step in 0..count.min(LIMITS_AT_ONCE) {
            let member = (self.next_limits + step) % count;
            if !self.world.is_alive(member) {
                continue;
            }
            let node = self.world.machine(member);
            let sizes = node.overlay().sizes().into_iter().chain(node.multicast().sizes());
            if let Some((name, size, limit)) = sizes.into_iter().find(|(_, size, limit)| size > limit) {
                let now = self.world.now();
                self.world.watch.faults.add(now, member, || format!("{name} holds {size}, over its {limit}"));
            }
        }
        self.next_limits = (self.next_limits + LIMITS_AT_ONCE) % count.max(1);
    }
}

/// Which counter is smaller than it was.
fn fallen(before: &MulticastInfo, after: &MulticastInfo) -> Option<&'static str> {
    let pairs = counters(before).into_iter().zip(counters(after));
    pairs.into_iter().find(|((_, before), (_, after))| after < before).map(|((name, _), _)| name)
}

fn counters(info: &MulticastInfo) -> [(&'static str, u64); 20] {
    [
        ("pushed_to_peers.bytes", info.pushed_to_peers.bytes),
        ("pushed_to_peers.fragments", info.pushed_to_peers.fragments),
        ("pushed_from_peers.bytes", info.pushed_from_peers.bytes),
        ("pushed_from_peers.fragments", info.pushed_from_peers.fragments),
        ("requested_by_peers.bytes", info.requested_by_peers.bytes),
        ("requested_by_peers.fragments", info.requested_by_peers.fragments),
        ("requested_from_peers.bytes", info.requested_from_peers.bytes),
        ("requested_from_peers.fragments", info.requested_from_peers.fragments),
        ("duplicates.bytes", info.duplicates.bytes),
        ("duplicates.fragments", info.duplicates.fragments),
        ("manifests_sent_bytes", info.manifests_sent_bytes),
        ("manifests_received_bytes", info.manifests_received_bytes),
        ("control_sent_bytes", info.control_sent_bytes),
        ("control_received_bytes", info.control_received_bytes),
        ("pulls_sent", info.pulls_sent),
        ("refusals_sent", info.refusals_sent),
        ("reparented", info.reparented),
        ("quickened", info.quickened),
        ("messages_delivered", info.messages_delivered),
        ("fragments_given_up", info.fragments_given_up),
    ]
}
