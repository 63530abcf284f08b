use std::time::Duration;

use super::{
    Bootstrap, Invalid, LatencyLaw, Opponent, Rules, Scenario, Shape, Share, Spell, Uplinks, Victims,
};

/// Field, whether it holds, what must.
type Check = (&'static str, bool, &'static str);

/// What can be played at all.
impl Scenario {
    /// Refuses what cannot be played, in words.
    pub fn validate(&self) -> Result<(), Invalid> {
        let checks = self
            .cast_checks()
            .into_iter()
            .chain(self.number_checks())
            .chain(self.path_checks())
            .chain(self.fault_checks())
            .chain(self.spell_checks())
            .chain(self.rival_checks());
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, must)) => Err(Invalid { field, must }),
            None => Ok(()),
        }
    }

    fn cast_checks(&self) -> [Check; 5] {
        let special = [self.strong, self.weak].iter().flatten().map(|class| class.share).sum::<f64>();
        let shares = [self.download_only, self.polluters, self.freeloaders, self.sybils];
        let is_class = |class: &Option<Share>| {
            class.is_none_or(|class| is_share(class.share) && is_multiple(Some(class.multiple)))
        };
        let is_played =
            self.viewers.is_none_or(|viewers| self.publishers.saturating_add(viewers) <= self.members)
                && (self.publishers < self.members || self.all_listen && self.publishers <= self.members);
        let is_silent = self.viewers.is_none() && !self.all_listen;
        let is_cast = if self.publishers == 0 { is_silent } else { is_played };
        [
            ("members", (2..=1_000_000).contains(&self.members), "members must be 2 to 1000000"),
            ("publishers", is_cast, "publishers and viewers must be members, and somebody must play"),
            (
                "streams",
                self.streams >= 1 && self.publishers.saturating_mul(self.streams) <= 256,
                "streams must be 1 to 256 in all",
            ),
            ("strong", is_class(&self.strong) && is_class(&self.weak), "a class must be SHARE@MULTIPLE"),
            (
                "download_only",
                is_share(special + shares.iter().sum::<f64>()) && shares.iter().all(|share| is_share(*share)),
                "shares of viewers must be 0 to 1 together",
            ),
        ]
    }

    fn number_checks(&self) -> [Check; 7] {
        [
            (
                "posts",
                self.posts.is_none_or(|posts| {
                    is_share(posts.share)
                        && (0.0..=4.0).contains(&posts.rate)
                        && (8..=8_192).contains(&posts.size)
                        && (posts.size <= 1_024 || posts.rate <= 0.4)
                }),
                "a share of 0 to 1 may post up to 4 times a second, 8 to 8192 bytes each, over 1024 up to 0.4 times",
            ),
            ("size", (1..=1_128).contains(&self.size), "size must be 1 to 1128 bytes"),
            ("rate", (8..=1_000_000_000).contains(&self.rate_bits), "rate must be 8 bit/s to 1 Gbit/s"),
            ("loss", self.loss <= 0.5 && is_share(self.loss), "loss must be 0 to 0.5"),
            ("uplink", is_multiple(self.uplink), "uplink must be a positive multiple or none"),
            (
                "source_uplink",
                is_multiple(self.source_uplink),
                "source uplink must be a positive multiple or none",
            ),
            ("secs", self.secs <= Duration::from_secs(86_400), "the stream must end within a day"),
        ]
    }

    fn path_checks(&self) -> [Check; 4] {
        let is_lossy = self
            .one_way
            .is_none_or(|one_way| is_share(one_way.share) && (0.0..=0.9).contains(&one_way.multiple));
        let second = Duration::from_secs(1);
        [
            ("burst", (1..=1_000).contains(&self.burst), "bursts must be of 1 to 1000 packets"),
            ("one_way", is_lossy, "one-way loss must be SHARE@LOSS, the loss at most 0.9"),
            ("downlink", is_multiple(self.downlink), "downlink must be a positive multiple or none"),
            ("window", (second..=second * 60).contains(&self.window), "the window must be 1s to 60s"),
        ]
    }

    fn spell_checks(&self) -> [Check; 3] {
        let is_within = |spell: &Option<Spell>, most: f64| {
            spell.is_none_or(|spell| {
                (0.0..=most).contains(&spell.share) && spell.at + spell.lasts <= self.secs
            })
        };
        let has_regions = self.latency == LatencyLaw::Coordinate;
        [
            (
                "freeze",
                is_within(&self.freeze, 1.0),
                "a share of 0 to 1 may freeze and must thaw before the end",
            ),
            (
                "crowd",
                is_within(&self.crowd, 100.0),
                "a crowd must be at most 100 times the viewers and come before the end",
            ),
            (
                "victims",
                self.victims != Victims::Region || has_regions,
                "only a globe has regions: latency coordinate",
            ),
        ]
    }

    fn fault_checks(&self) -> [Check; 6] {
        let within = |until: Duration| until <= self.secs;
        [
            ("droppers", (0.0..0.9).contains(&self.droppers), "droppers must be 0 to 0.9"),
            (
                "sends",
                [self.sends, self.look_ups, self.reads].iter().all(|rate| (0.0..=100_000.0).contains(rate)),
                "sends, look-ups and reads must be 0 to 100000 a second",
            ),
            ("churn", (0.0..=10.0).contains(&self.churn), "churn must be 0 to 10 a minute"),
            ("kill", self.kill.is_none_or(|kill| is_share(kill.share)), "the share to kill must be 0 to 1"),
            (
                "kill",
                self.kill.is_none_or(|kill| within(kill.at)),
                "the kill must come before the stream's end",
            ),
            (
                "partition",
                self.partition.is_none_or(|cut| is_share(cut.share) && within(cut.at + cut.lasts)),
                "a partition must cut off a share of 0 to 1 and heal before the end",
            ),
        ]
    }

    /// Share of members that break rules on purpose.
    pub(crate) fn hostile_share(&self) -> f64 {
        self.polluters + self.freeloaders + self.sybils
    }

    /// What others can play as well.
    fn rival_checks(&self) -> [Check; 2] {
        let is_plain_cast = self.publishers == 1 && self.streams == 1 && self.viewers.is_none();
        let has_classes = self.strong.is_some()
            || self.weak.is_some()
            || self.download_only > 0.0
            || self.hostile_share() > 0.0;
        let spells = [self.partition, self.freeze, self.crowd];
        let has_spells = self.kill.is_some() || spells.iter().any(Option::is_some);
        let is_stream = is_plain_cast && self.posts.is_none() && !has_classes && self.churn == 0.0;
        let is_free = |rival: &Opponent| (rival.rules, rival.uplinks) == (Rules::GossipSub, Uplinks::Free);
        let is_talk = self.publishers == 0 && self.posts.is_some() && self.rivals.iter().all(is_free);
        let is_plain = (is_stream || is_talk) && !has_spells && self.downlink.is_none();
        let is_constant = self.shape == Shape::Constant && self.bootstrap == Bootstrap::Server;
        let names: Vec<&str> = self.rivals.iter().map(|rival| rival.name()).collect();
        let is_twice = (1..names.len()).any(|place| names[..place].contains(&names[place]));
        [
            (
                "rivals",
                names.is_empty() || is_plain && is_constant,
                "rivals play one constant stream to all, without faults; or, gossipsub_free alone, what is posted",
            ),
            ("rivals", !is_twice, "a rival may be named once"),
        ]
    }
}

fn is_share(share: f64) -> bool {
    (0.0..=1.0).contains(&share)
}

fn is_multiple(uplink: Option<f64>) -> bool {
    uplink.is_none_or(|multiple| (0.01..=1e6).contains(&multiple))
}
