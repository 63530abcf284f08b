use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod forms;
mod values;

pub use values::{Bootstrap, Kill, LatencyLaw, Partition, Shape, Share};

/// What is played in one run: publishers, viewers of all their streams, and members that play nothing.
///
/// Without publishers nothing is played, and the run is about the group itself: who is linked with whom.
/// Each field is a flag of the same name, and a key in a scenario file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Members in all, the publishers among them.
    pub members: u32,
    /// Members that play; `None`: all that do not publish. The rest are in the group and play nothing.
    pub viewers: Option<u32>,
    /// Members that publish; 0: no stream at all.
    pub publishers: u32,
    /// Streams of each publisher.
    pub streams: u32,
    /// Whether publishers play the streams of the others.
    pub all_listen: bool,
    /// Payload rate of the stream, bits a second.
    #[serde(rename = "rate", deserialize_with = "forms::rate")]
    pub rate_bits: u64,
    /// Payload of a full fragment, bytes.
    pub size: usize,
    /// How the stream is cut into messages.
    pub shape: Shape,
    /// Each viewer's uplink as a multiple of the wire rate of all that it plays; `None`: not limited.
    #[serde(deserialize_with = "forms::multiple")]
    pub uplink: Option<f64>,
    /// A publisher's uplink as a multiple of what it publishes; what it plays counts as for a viewer. It must feed
    /// first hops of several slices, so it usually has more.
    #[serde(deserialize_with = "forms::multiple")]
    pub source_uplink: Option<f64>,
    /// Viewers with a better uplink, if any.
    pub strong: Option<Share>,
    /// Viewers with a worse one, if any.
    pub weak: Option<Share>,
    /// Share of the viewers that only receive, 0 to 1.
    pub download_only: f64,
    /// Travel times.
    pub latency: LatencyLaw,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// Most that a datagram is delayed beyond its travel time.
    #[serde(with = "forms::duration")]
    pub jitter: Duration,
    /// Members join at random moments within this time; the publisher at its beginning.
    #[serde(with = "forms::duration")]
    pub join_over: Duration,
    /// Time between the last join and the publication.
    #[serde(with = "forms::duration")]
    pub settle: Duration,
    /// Time between the publication and the first message; the `stratus` command announces 300 ms ahead.
    #[serde(with = "forms::duration")]
    pub lead_in: Duration,
    /// How long the stream is.
    #[serde(with = "forms::duration")]
    pub secs: Duration,
    /// Messages written this early in the stream do not count for delay; they must arrive all the same.
    #[serde(with = "forms::duration")]
    pub warm_up: Duration,
    /// Whom newcomers are told of.
    pub bootstrap: Bootstrap,
    /// Whether many die at once.
    pub kill: Option<Kill>,
    /// Whether some are cut off from the others for a while.
    pub partition: Option<Partition>,
    /// Share of the viewers (of all members, where nothing is played) that go within a minute, each replaced by a
    /// newcomer; half say goodbye. Sessions are exponential: a median of 1.4 min is a churn of 0.495.
    pub churn: f64,
    /// From which every draw comes.
    #[serde(skip_deserializing)]
    pub seed: u64,
}

/// Why a scenario cannot be played.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invalid {
    /// The field that is wrong, or one of them.
    pub field: &'static str,
    /// What must hold.
    pub must: &'static str,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.must)
    }
}

/// Wire bytes for a byte of payload, as budgets are stated: headers, manifests and acknowledgements.
pub const WIRE_PER_PAYLOAD: f64 = 1.13;
/// The same for sound: small frames, three under one signature.
pub const AUDIO_WIRE_PER_PAYLOAD: f64 = 1.7;

impl Default for Scenario {
    fn default() -> Self {
        Self {
            members: 100,
            viewers: None,
            publishers: 1,
            streams: 1,
            all_listen: false,
            rate_bits: 2_500_000,
            size: 1_128,
            shape: Shape::Constant,
            uplink: Some(2.0),
            source_uplink: Some(4.0),
            strong: None,
            weak: None,
            download_only: 0.0,
            latency: LatencyLaw::Uniform { low: Duration::from_millis(10), high: Duration::from_millis(50) },
            loss: 0.0,
            jitter: Duration::ZERO,
            join_over: Duration::from_secs(3),
            settle: Duration::from_secs(5),
            lead_in: Duration::from_millis(300),
            secs: Duration::from_secs(20),
            warm_up: Duration::ZERO,
            bootstrap: Bootstrap::Server,
            kill: None,
            partition: None,
            churn: 0.0,
            seed: 1,
        }
    }
}

impl Scenario {
    /// Refuses what cannot be played, in words.
    pub fn validate(&self) -> Result<(), Invalid> {
        let checks = self.cast_checks().into_iter().chain(self.number_checks()).chain(self.fault_checks());
        match checks.into_iter().find(|(_, holds, _)| !holds) {
            Some((field, _, must)) => Err(Invalid { field, must }),
            None => Ok(()),
        }
    }

    /// Field, whether it holds, what must.
    fn cast_checks(&self) -> [(&'static str, bool, &'static str); 5] {
        let special = [self.strong, self.weak].iter().flatten().map(|class| class.share).sum::<f64>();
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
                is_share(special + self.download_only) && is_share(self.download_only),
                "shares of viewers must be 0 to 1 together",
            ),
        ]
    }

    fn number_checks(&self) -> [(&'static str, bool, &'static str); 6] {
        [
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

    fn fault_checks(&self) -> [(&'static str, bool, &'static str); 4] {
        let within = |until: Duration| until <= self.secs;
        [
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

    /// When the last fault is over, after the stream began; `None`: there is none, or they never end.
    pub fn faults_end(&self) -> Option<Duration> {
        let kill = self.kill.map(|kill| kill.at);
        let partition = self.partition.map(|cut| cut.at + cut.lasts);
        if self.churn > 0.0 { None } else { kill.max(partition) }
    }

    /// How many play besides publishers, in the beginning.
    pub fn viewer_count(&self) -> u32 {
        if self.publishers == 0 {
            return 0;
        }
        self.viewers.unwrap_or(self.members.saturating_sub(self.publishers))
    }

    /// How many may die or be replaced, in the beginning.
    pub fn mortal_count(&self) -> u32 {
        if self.publishers == 0 { self.members } else { self.viewer_count() }
    }

    /// The flags that make this of `base`, as one types them.
    pub fn flags(&self, base: &Self) -> String {
        let fields = |scenario| match serde_json::to_value(scenario) {
            Ok(Value::Object(fields)) => fields,
            _ => unreachable!("a scenario is a struct of plain data"),
        };
        let (own, base) = (fields(self), fields(base));
        let flag = |(name, value): (&String, &Value)| {
            let name = name.replace('_', "-");
            match value {
                Value::Bool(_) => format!(" --{name}"),
                Value::Null if name == "viewers" => format!(" --{name} all"),
                Value::Null => format!(" --{name} none"),
                Value::String(text) => format!(" --{name} {text}"),
                other => format!(" --{name} {other}"),
            }
        };
        own.iter().filter(|(name, value)| base[*name] != **value).map(flag).collect()
    }

    /// A hash of everything but the seed.
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(&Self { seed: 0, ..self.clone() }).expect("plain data");
        blake3::hash(text.as_bytes()).to_hex()[..16].to_string()
    }

    /// Wire bytes a second that `multiple` of one stream's wire rate is.
    pub fn wire_rate(&self, multiple: f64) -> u64 {
        let per_payload = if self.shape == Shape::Audio { AUDIO_WIRE_PER_PAYLOAD } else { WIRE_PER_PAYLOAD };
        (self.rate_bits as f64 / 8.0 * per_payload * multiple) as u64
    }
}

fn is_share(share: f64) -> bool {
    (0.0..=1.0).contains(&share)
}

fn is_multiple(uplink: Option<f64>) -> bool {
    uplink.is_none_or(|multiple| (0.01..=1e6).contains(&multiple))
}
