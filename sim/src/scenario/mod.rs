use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::world::{Rule, Trouble};

mod checks;
mod forms;
mod opponent;
mod values;

pub use opponent::{Opponent, Opponents, Rules, Uplinks};
pub use values::{Bootstrap, Kill, LatencyLaw, Posts, Shape, Share, Spell, Victims};

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
    /// Share of the viewers (of all members, where nothing is played) that pass on other bytes than they got.
    pub polluters: f64,
    /// Share that pass on nothing, whatever they promised.
    pub freeloaders: f64,
    /// Share that tell of nobody but one another.
    pub sybils: f64,
    /// Travel times.
    pub latency: LatencyLaw,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// Packets lost in a row, in the mean.
    pub burst: u32,
    /// Links that lose more in one direction: so large a share of the directed pairs loses so large a share of packets.
    pub one_way: Option<Share>,
    /// One direction of each pair takes up to this much longer than the other.
    #[serde(with = "forms::duration")]
    pub asymmetry: Duration,
    /// What may come in to a viewer, as a multiple of the wire rate of all that it plays; `None`: not limited.
    #[serde(deserialize_with = "forms::multiple")]
    pub downlink: Option<f64>,
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
    /// For how long a fragment is worth having.
    #[serde(with = "forms::duration")]
    pub window: Duration,
    /// Whom newcomers are told of.
    pub bootstrap: Bootstrap,
    /// Whether many die at once.
    pub kill: Option<Kill>,
    /// Who dies then.
    pub victims: Victims,
    /// Whether some stop for a while, as processes that are not run.
    pub freeze: Option<Spell>,
    /// Whether a crowd comes at once: so many times the viewers, within so long.
    pub crowd: Option<Spell>,
    /// Whether some are cut off from the others for a while.
    pub partition: Option<Spell>,
    /// Share of the viewers (of all members, where nothing is played) that go within a minute, each replaced by a
    /// newcomer; half say goodbye. Sessions are exponential: a median of 1.4 min is a churn of 0.495.
    pub churn: f64,
    /// Parcels sent a second, by random members to random places; all members take for the nearest.
    pub sends: f64,
    /// Look-ups of random places begun a second.
    pub look_ups: f64,
    /// Values put in the beginning, each kept by three members.
    pub values: u32,
    /// Reads of random ones of them a second, once five seconds are over.
    pub reads: f64,
    /// Share of the members that hear what is routed or asked and answer nothing, 0 to 1.
    pub droppers: f64,
    /// Who posts, how often and how much, if anybody.
    pub posts: Option<Posts>,
    /// Who plays the same stream by other rules, to compare.
    pub rivals: Vec<Opponent>,
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
            polluters: 0.0,
            freeloaders: 0.0,
            sybils: 0.0,
            latency: LatencyLaw::Uniform { low: Duration::from_millis(10), high: Duration::from_millis(50) },
            loss: 0.0,
            burst: 1,
            one_way: None,
            asymmetry: Duration::ZERO,
            downlink: None,
            jitter: Duration::ZERO,
            join_over: Duration::from_secs(3),
            settle: Duration::from_secs(5),
            lead_in: Duration::from_millis(300),
            secs: Duration::from_secs(20),
            warm_up: Duration::ZERO,
            window: Duration::from_secs(8),
            bootstrap: Bootstrap::Server,
            kill: None,
            victims: Victims::Random,
            freeze: None,
            crowd: None,
            partition: None,
            churn: 0.0,
            sends: 0.0,
            look_ups: 0.0,
            values: 0,
            reads: 0.0,
            droppers: 0.0,
            posts: None,
            rivals: Vec::new(),
            seed: 1,
        }
    }
}

impl Scenario {
    /// Whether anything is sent, looked up or kept over the ring.
    pub fn has_ring_load(&self) -> bool {
        self.sends > 0.0 || self.look_ups > 0.0 || self.values > 0
    }

    /// When the last fault is over, after the stream began; `None`: there is none, or they never end.
    pub fn faults_end(&self) -> Option<Duration> {
        let kill = self.kill.map(|kill| kill.at);
        let spells = [self.partition, self.freeze, self.crowd].into_iter().flatten();
        let last = spells.map(|spell| spell.at + spell.lasts).max();
        if self.churn > 0.0 { None } else { kill.max(last) }
    }

    /// What troubles some links.
    pub fn rules(&self) -> Vec<Rule> {
        let ppm = |share: f64| (share * 1e6).round() as u32;
        let lossy = self.one_way.map(|one_way| Rule {
            pairs_ppm: ppm(one_way.share),
            salt: self.seed ^ 0x1055,
            trouble: Trouble::Lose(ppm(one_way.multiple)),
        });
        let longer = (!self.asymmetry.is_zero()).then_some(Rule {
            pairs_ppm: 1_000_000,
            salt: self.seed ^ 0xa5,
            trouble: Trouble::Delay(self.asymmetry),
        });
        lossy.into_iter().chain(longer).collect()
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
                Value::Array(list) if list.is_empty() => format!(" --{name} none"),
                Value::Array(list) => {
                    let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                    format!(" --{name} {}", texts.join(","))
                }
                Value::String(text) => format!(" --{name} {text}"),
                other => format!(" --{name} {other}"),
            }
        };
        own.iter().filter(|(name, value)| base[*name] != **value).map(flag).collect()
    }

    /// This, but for one key of a scenario file.
    pub fn with(&self, key: &str, value: &str) -> Result<Self, String> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else {
            unreachable!("a scenario is a struct of plain data")
        };
        fields.remove("seed");
        if !fields.contains_key(key) {
            return Err(format!("no such key of a scenario: {key}"));
        }
        let list = value.split(',').map(Value::from).collect();
        let plain = serde_json::from_str(value).ok().filter(|value: &Value| !value.is_object());
        let none = (value == "none").then_some(Value::Null);
        let mut refused = format!("{key} cannot be {value}");
        for form in plain.into_iter().chain([Value::from(value)]).chain(none).chain([Value::Array(list)]) {
            let is_text = form.is_string();
            fields.insert(key.into(), form);
            match serde_json::from_value::<Self>(Value::Object(fields.clone())) {
                Ok(scenario) => return Ok(Self { seed: self.seed, ..scenario }),
                Err(error) if is_text => refused = format!("{key} cannot be {value}: {error}"),
                Err(_) => {}
            }
        }
        Err(refused)
    }

    /// A hash of what is not as in [`Scenario::default`], but for the seed: a key that a later version adds changes
    /// nothing, so that its runs can be held against those of an earlier one.
    pub fn hash(&self) -> String {
        let text = self.flags(&Self { seed: self.seed, ..Self::default() });
        blake3::hash(text.as_bytes()).to_hex()[..16].to_string()
    }

    /// Wire bytes a second that `multiple` of one stream's wire rate is.
    pub fn wire_rate(&self, multiple: f64) -> u64 {
        let per_payload = if self.shape == Shape::Audio { AUDIO_WIRE_PER_PAYLOAD } else { WIRE_PER_PAYLOAD };
        (self.rate_bits as f64 / 8.0 * per_payload * multiple) as u64
    }
}
