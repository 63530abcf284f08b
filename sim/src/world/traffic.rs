use std::time::Duration;

use stratus_core::{Delivery, Input, PeerId, Time};

use super::weather::is_next_lost;
use super::{Happening, Life, Member, Watch, World};
use crate::size::{ACK_BYTES, MOST_LIVE_BYTES, Size};
use crate::trace::Kind;
use crate::uplink::Class;

/// A message under way.
#[derive(Debug)]
pub struct Packet<T> {
    /// Whose, whose next, and how.
    pub head: Head,
    /// What it carries.
    pub content: Content<T>,
}

/// All of a packet but its content.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// The sender's number.
    pub from: u32,
    /// The receiver's number.
    pub to: u32,
    /// Encoded bytes of the message itself.
    pub length: u32,
    /// What it weighs.
    pub size: Size,
    /// How it is carried.
    pub how: Delivery,
    /// When the sender's machine sent it.
    pub queued_at: Time,
    /// When its last byte left the uplink; meaningless until then.
    pub sent_at: Time,
    pub(super) link: u32,
}

/// What a packet carries.
#[derive(Debug)]
pub enum Content<T> {
    /// A message, typed as the machine made it.
    Message(T),
    /// The end of the connection.
    Close,
}

/// Retransmissions after which a reliable message gets through whatever the loss.
const MOST_REPEATS: u32 = 8;

impl<M: Member, W: Watch<M>> World<M, W> {
    pub(super) fn send(&mut self, from: u32, to: PeerId, message: M::Message, how: Delivery) {
        let link = self.numbers.get(&to).and_then(|&to| self.seats[from as usize].links.open(to));
        let Some(link) = link else {
            self.totals.unlinked += 1;
            return;
        };
        let length = M::length_of(&message);
        if matches!(how, Delivery::Live { .. }) && length > MOST_LIVE_BYTES {
            self.totals.oversized += 1;
        }
        let (to, link) = (link.peer, link.number);
        let (now, size) = (self.now, Size::of(length, how));
        let content = Content::Message(message);
        let length = length as u32;
        let head = Head { from, to, length, size, how, queued_at: now, sent_at: now, link };
        self.post(Packet { head, content });
    }

    pub(super) fn send_close(&mut self, from: u32, to: u32, link: u32) {
        let (now, how) = (self.now, Delivery::Control);
        let (content, size) = (Content::Close, Size::of_close());
        let head = Head { from, to, length: 0, size, how, queued_at: now, sent_at: now, link };
        self.post(Packet { head, content });
    }

    fn post(&mut self, packet: Packet<M::Message>) {
        let Head { from, how, size, .. } = packet.head;
        let number = self.packets.insert(packet);
        if let Err(number) = self.seats[from as usize].uplink.push(Class::from(how), number, size.bytes) {
            self.totals.overflowed += 1;
            self.drop_unsent(number);
        }
        self.serve(from);
    }

    pub(super) fn uplink_free(&mut self, member: u32) {
        self.seats[member as usize].uplink.called();
        self.serve(member);
    }

    /// Sends from a member's queues while its uplink is free, and arranges to go on when it is again.
    fn serve(&mut self, member: u32) {
        while let Some(number) = self.seats[member as usize].uplink.pop(self.now) {
            self.transmit(number);
        }
        if let Some(at) = self.seats[member as usize].uplink.arrange_call() {
            self.queue.schedule(at, Happening::UplinkFree(member));
        }
    }

    fn transmit(&mut self, number: u32) {
        let head = self.packets.get(number).head;
        let seat = &mut self.seats[head.from as usize];
        if let Delivery::Live { expires, .. } = head.how {
            let is_linked = seat.links.open(head.to).is_some_and(|link| link.number == head.link);
            if expires < self.now || !is_linked {
                self.totals.expired += u64::from(is_linked);
                return self.drop_unsent(number);
            }
        }
        let sent_at = seat.uplink.occupy(self.now, head.size.bytes);
        seat.sent_bytes += head.size.bytes;
        let packet = self.packets.get_mut(number);
        packet.head.sent_at = sent_at;
        self.watch.sent(self.now, packet);
        match self.arrival(Head { sent_at, ..head }) {
            Some(at) => self.queue.schedule(at, Happening::Knock(number)),
            None => {
                let packet = self.packets.take(number);
                self.watch.lost(sent_at, &packet);
                self.trace.add(self.now, head.from, Kind::Lost, u64::from(head.to), head.size.bytes);
            }
        }
    }

    /// When a packet arrives, if it does.
    fn arrival(&mut self, head: Head) -> Option<Time> {
        let link = self.seats[head.from as usize].links.get(head.to);
        let one_way = link.map_or_else(|| self.one_way(head.from, head.to), |link| link.one_way);
        let lane = match head.how {
            Delivery::Live { .. }
                if self.cut_until(head.from, head.to).is_some() || self.is_lost(head, 1) =>
            {
                return None;
            }
            Delivery::Live { .. } => return Some(head.sent_at + one_way + self.jitter()),
            Delivery::Control => 0,
            Delivery::Background => 1,
            Delivery::Bulk => 2,
        };
        let repeats = self.repeats(head);
        let mut at = head.sent_at + one_way + one_way * 2 * repeats;
        if let Some(until) = self.cut_until(head.from, head.to) {
            at = self.first_probe_after(until, head.sent_at, one_way) + one_way;
        }
        let link = self.seats[head.from as usize].links.get_mut(head.to);
        if let Some(link) = link.filter(|link| link.number == head.link) {
            at = at.max(link.in_order_until[lane]);
            link.in_order_until[lane] = at;
        }
        Some(at)
    }

    /// When a sender that heard nothing since `sent_at` first tries again after `until`: it waits a round trip and a
    /// half at first, and twice as long each time.
    fn first_probe_after(&self, until: Time, sent_at: Time, one_way: Duration) -> Time {
        let (mut at, mut wait) = (sent_at, (one_way * 3).max(Duration::from_millis(1)));
        while at < until {
            at += wait;
            wait *= 2;
        }
        at
    }

    /// How often in a row something of a reliable message is lost. Each time is noticed and made good one round
    /// trip later, at the price of another packet.
    fn repeats(&mut self, head: Head) -> u32 {
        let mut repeats = 0;
        while repeats < MOST_REPEATS && self.is_lost(head, head.size.packets) {
            repeats += 1;
        }
        self.seats[head.from as usize].sent_bytes += u64::from(repeats) * head.size.bytes / head.size.packets;
        repeats
    }

    /// Whether any of so many packets is lost on the way.
    fn is_lost(&mut self, head: Head, packets: u64) -> bool {
        let (chance, burst) = (&mut self.chance, self.config.burst);
        let link = self.seats[head.from as usize].links.get_mut(head.to);
        let share = self.config.loss_ppm.max(link.as_ref().map_or(0, |link| link.verdict.loss_ppm));
        let is_lost = match link {
            _ if share == 0 => false,
            Some(link) if burst > 1 => {
                (0..packets).any(|_| is_next_lost(&mut link.is_bad, share, burst, chance))
            }
            _ => (0..packets).any(|_| chance.chance(u64::from(share), 1_000_000)),
        };
        self.totals.lost_packets += u64::from(is_lost);
        is_lost
    }

    fn jitter(&mut self) -> Duration {
        if self.config.jitter.is_zero() {
            return Duration::ZERO;
        }
        self.chance.between(Duration::ZERO, self.config.jitter)
    }

    fn drop_unsent(&mut self, number: u32) {
        let Head { from, to, size, .. } = self.packets.take(number).head;
        self.trace.add(self.now, from, Kind::Dropped, u64::from(to), size.bytes);
    }

    /// A packet has come to its receiver's way in.
    pub(super) fn knock(&mut self, number: u32) {
        let Head { from, to, size, how, .. } = self.packets.get(number).head;
        let may_be_dropped = matches!(how, Delivery::Live { .. });
        let in_at = self.seats[to as usize].downlink.admit(self.now, size.bytes, may_be_dropped);
        match in_at {
            Some(at) if at > self.now => self.queue.schedule(at, Happening::Arrive(number)),
            Some(_) => self.arrive(number),
            None => {
                let packet = self.packets.take(number);
                self.totals.lost_packets += 1;
                self.watch.lost(self.now, &packet);
                self.trace.add(self.now, from, Kind::Lost, u64::from(to), size.bytes);
            }
        }
    }

    pub(super) fn arrive(&mut self, number: u32) {
        let head = self.packets.get(number).head;
        if let Some(thaws_at) = self.frozen_until(head.to) {
            return self.queue.schedule(thaws_at, Happening::Arrive(number));
        }
        let packet = self.packets.take(number);
        let Head { from: peer, to: member, size, link: number, .. } = packet.head;
        let seat = &mut self.seats[member as usize];
        if seat.life == Life::Gone {
            return;
        }
        seat.uplink.owe(ACK_BYTES * size.packets);
        seat.sent_bytes += ACK_BYTES * size.packets;
        if seat.links.open(peer).is_none_or(|link| link.number != number) {
            return;
        }
        self.trace.add(self.now, member, Kind::Arrive, u64::from(peer), size.bytes);
        self.watch.arrived(self.now, &packet);
        match packet.content {
            Content::Close => self.link_gone(member, peer, number),
            Content::Message(message) => {
                if self.seats[member as usize].is_deaf && M::may_be_ignored(&message) {
                    return;
                }
                let from = self.seats[peer as usize].peer;
                self.turn(member, Some(Input::Received { from, message }));
            }
        }
    }
}
