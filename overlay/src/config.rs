use std::time::Duration;

use stratus_core::Rate;

use crate::best::{self, Policy};

/// How an overlay behaves. Source: spec OV-4 … OV-24.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whom to be linked with. The topology depends on nothing else. Default [`best::standard`].
    pub policy: Policy,
    /// Most members heard of at a time. More survive a larger disaster and cost 32 bytes each plus the record
    /// (about 300 bytes, shared). Default 512: 5 % of them still hold a group of 10,000 together.
    pub heard: usize,
    /// Most expired members that are remembered and now and then dialled: without them, a partition longer than
    /// `age_limit` never heals. Default 64.
    pub remembered: usize,
    /// For how long an expired member is remembered. Default 24 h, as Serf keeps failed members.
    pub remember_for: Duration,
    /// How long a record lives whose sequence does not move. Longer keeps ghosts, shorter costs more renewals.
    /// Default 300 s, as RTMFP.
    pub age_limit: Duration,
    /// How often the own record is issued again; about 250 bytes to each neighbor each time. Default 120 s:
    /// one renewal may be missed.
    pub renew_period: Duration,
    /// Time between exchanges when nothing changes. Longer is cheaper (an exchange is 12 bytes for each member
    /// offered, 2 kB at most) and spreads renewals more slowly. Default 10 s, as RTMFP.
    pub gossip_interval: Duration,
    /// Time between exchanges while the best list still changes. Default 1 s.
    pub hurried_interval: Duration,
    /// How long news is gathered before the best list is made again. Default 20 ms: below a round trip.
    pub sort_delay: Duration,
    /// Most records in one message. Default 40 (and never more than 16 KiB).
    pub records_per_message: usize,
    /// How many members on each side of a neighbor are offered to it. Fewer spoil the member estimate.
    /// Default 64: an error of 9 %.
    pub ring_width: usize,
    /// Most members that are missing and whose records are kept until they die, should they come back: half of a group
    /// may be behind a cut. 32 bytes each plus the record. Default 256.
    pub absent: usize,
    /// How long no neighbor must have been lost before members are heard of for hard times alone. Shorter costs
    /// records of members that are soon gone. Default 20 s.
    pub calm_after: Duration,
    /// How many are heard of for hard times although neighbors come and go. Default 32.
    pub curious: usize,
    /// How many members chosen by chance are offered in an exchange besides. Default 4.
    pub random_offered: usize,
    /// How long the random choice of the best list stays. Shorter finds near members sooner and costs a
    /// handshake (about 5 kB) each time. Default 60 s.
    pub random_period: Duration,
    /// Age before which a link is not asked to end, so that links made while a group forms are not broken at
    /// once. Default 10 s.
    pub leave_after: Duration,
    /// Time between two requests to end the same link. Default 90 s, as librtmfp.
    pub leave_period: Duration,
    /// For how long a neighbor that the owner added stays although the sort does not want it. Default 60 s.
    pub added_for: Duration,
    /// Time between probes; each goes to the neighbor that was silent longest. Default 1 s.
    pub probe_period: Duration,
    /// Time after which an unanswered probe is sent again; after three it is silence. Default 1 s.
    pub probe_timeout: Duration,
    /// Two deaths within this time are an alarm: everybody is probed. Default 5 s.
    pub alarm_within: Duration,
    /// How long an alarm lasts, with exchanges at `hurried_interval`. Default 15 s.
    pub alarm_for: Duration,
    /// How long a member that did not answer is left alone; doubled with each failure, up to `age_limit`.
    /// Default 30 s.
    pub dead_for: Duration,
    /// After how long an unanswered dial no longer holds a place in the best list. Default 1.5 s.
    pub slow_dial: Duration,
    /// After how long a dial is given up although the host said nothing. Default 30 s.
    pub dial_timeout: Duration,
    /// How long an introducer may take. Default 1 s.
    pub introduction_timeout: Duration,
    /// Most dials at a time. Default 32: a whole best list.
    pub dials: usize,
    /// Most links. Default 128: three times a best list of 10,000 members.
    pub links: usize,
    /// Most links that others chose and we did not: half of all stay for our own choice, so that nobody can
    /// surround us by dialling. Default 64.
    pub incoming_links: usize,
    /// Most neighbors that other layers hold. Default 64.
    pub pins: usize,
    /// Most members known by id alone. Default 32.
    pub hints: usize,
    /// Most members in trouble (dead, left, full) that are remembered, about 60 bytes each while they are. Fewer than
    /// are heard of, and the dead of a disaster are heard of again before all are found. Default 640.
    pub troubles: usize,
    /// How long a first ban lasts; each further one twice as long. Default 10 min.
    pub ban_for: Duration,
    /// The longest ban, and for how long after its end a ban is remembered. Default 24 h.
    pub longest_ban: Duration,
    /// Most bans remembered, 48 bytes each; when there are more, the one that ends first is forgotten. Default 4,096.
    pub bans: usize,
    /// Records taken from one neighbor; each that is news costs a signature check (31 µs). Default 160 at
    /// once, then 20 a second.
    pub records: Rate,
    /// Offers, requests and tidings of the silent taken from one neighbor; each costs about 20 µs and 2 kB.
    /// Default 32 at once, then 4 a second.
    pub requests: Rate,
    /// Introductions that one neighbor may ask of us, and may bring us into. Default 16 at once, then 2 a
    /// second.
    pub introductions: Rate,
    /// Messages of any kind taken from one neighbor. Default 512 at once, then 64 a second: a quiet link carries
    /// less than one a second, a busy minute a few.
    pub messages: Rate,
    /// What is over one of these rates is dropped; this much of it is borne before the neighbor is dropped and
    /// kept out. Default 1,024 at once, then 32 a second.
    pub excess: Rate,
    /// How often the same member may come: each time costs a handshake, a proof and a greeting. More is a ban.
    /// Default 60 at once, then once a second.
    pub comings: Rate,
}

impl Default for Config {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            policy: best::standard,
            heard: 512,
            remembered: 64,
            remember_for: seconds(86_400),
            age_limit: seconds(300),
            renew_period: seconds(120),
            gossip_interval: seconds(10),
            hurried_interval: seconds(1),
            sort_delay: Duration::from_millis(20),
            records_per_message: 40,
            ring_width: 32,
            absent: 256,
            calm_after: seconds(20),
            curious: 32,
            random_offered: 4,
            random_period: seconds(60),
            leave_after: seconds(10),
            leave_period: seconds(90),
            added_for: seconds(60),
            probe_period: seconds(1),
            probe_timeout: seconds(1),
            alarm_within: seconds(5),
            alarm_for: seconds(15),
            dead_for: seconds(30),
            slow_dial: Duration::from_millis(1_500),
            dial_timeout: seconds(30),
            introduction_timeout: seconds(1),
            dials: 32,
            links: 128,
            incoming_links: 64,
            pins: 64,
            hints: 32,
            troubles: 640,
            ban_for: seconds(600),
            longest_ban: seconds(86_400),
            bans: 4_096,
            records: Rate { burst: 160, per_second: 20 },
            requests: Rate { burst: 32, per_second: 4 },
            introductions: Rate { burst: 16, per_second: 2 },
            messages: Rate { burst: 512, per_second: 64 },
            excess: Rate { burst: 1_024, per_second: 32 },
            comings: Rate { burst: 60, per_second: 1 },
        }
    }
}

// A journal is replayed with the standard sort: a policy is code.
stratus_core::wire_settings!(Config {
    heard,
    remembered,
    remember_for,
    age_limit,
    renew_period,
    gossip_interval,
    hurried_interval,
    sort_delay,
    records_per_message,
    ring_width,
    absent,
    calm_after,
    curious,
    random_offered,
    random_period,
    leave_after,
    leave_period,
    added_for,
    probe_period,
    probe_timeout,
    alarm_within,
    alarm_for,
    dead_for,
    slow_dial,
    dial_timeout,
    introduction_timeout,
    dials,
    links,
    incoming_links,
    pins,
    hints,
    troubles,
    ban_for,
    longest_ban,
    bans,
    records,
    requests,
    introductions,
    messages,
    excess,
    comings,
} but { policy: best::standard });

impl Config {
    /// The same for a link that is paid for by the byte: exchanges, probes and chance neighbors three times
    /// rarer. Deaths and newcomers are noticed so much later; records live as long as others expect.
    #[must_use]
    pub fn metered(self) -> Self {
        Self {
            gossip_interval: self.gossip_interval * 3,
            hurried_interval: self.hurried_interval * 3,
            probe_period: self.probe_period * 3,
            random_period: self.random_period * 3,
            ..self
        }
    }

    /// Says what cannot work, in words that name the field.
    pub fn validate(&self) -> Result<(), &'static str> {
        let tick = Duration::from_millis(1);
        let periods = [self.gossip_interval, self.hurried_interval, self.sort_delay, self.probe_period];
        let timeouts = [self.probe_timeout, self.slow_dial, self.dial_timeout, self.introduction_timeout];
        let limits =
            [self.remembered, self.absent, self.dials, self.pins, self.hints, self.troubles, self.bans];
        let rates =
            [self.records, self.requests, self.introductions, self.messages, self.excess, self.comings];
        let rules = [
            (periods.iter().all(|period| *period >= tick), "periods must be at least 1 ms"),
            (timeouts.iter().all(|timeout| *timeout >= tick), "timeouts must be at least 1 ms"),
            (self.random_period >= tick && self.leave_period >= tick, "periods must be at least 1 ms"),
            (self.renew_period >= tick, "periods must be at least 1 ms"),
            (
                self.leave_after >= tick && self.dead_for >= tick,
                "leave_after and dead_for must be at least 1 ms",
            ),
            (
                self.hurried_interval <= self.gossip_interval,
                "hurried_interval must be at most gossip_interval",
            ),
            (self.age_limit >= 2 * self.renew_period, "age_limit must be at least twice renew_period"),
            ((16..=65_536).contains(&self.heard), "heard must lie in 16 … 65,536"),
            ((1..=40).contains(&self.records_per_message), "records_per_message must lie in 1 … 40"),
            ((3..=96).contains(&self.ring_width), "ring_width must lie in 3 … 96"),
            (self.random_offered <= 16, "random_offered must be at most 16"),
            ((8..=1_024).contains(&self.links), "links must lie in 8 … 1,024"),
            (self.incoming_links <= self.links / 2, "incoming_links must be at most half of links"),
            (limits.iter().all(|limit| *limit > 0), "limits must be at least 1"),
            (self.ban_for <= self.longest_ban, "ban_for must be at most longest_ban"),
            (rates.iter().all(|rate| rate.is_valid()), "rates must be at least 1 at once and 1 a second"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, broken)| Err(broken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_broken_rules_are_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let ghostly = Config { age_limit: Duration::from_secs(150), ..Config::default() };
        assert_eq!(ghostly.validate(), Err("age_limit must be at least twice renew_period"));
        let open = Config { incoming_links: 65, ..Config::default() };
        assert_eq!(open.validate(), Err("incoming_links must be at most half of links"));
        let still = Config { probe_period: Duration::ZERO, ..Config::default() };
        assert_eq!(still.validate(), Err("periods must be at least 1 ms"));
        let hasty = Config { leave_after: Duration::ZERO, ..Config::default() };
        assert_eq!(hasty.validate(), Err("leave_after and dead_for must be at least 1 ms"));
    }
}
