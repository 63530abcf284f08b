use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use stratus_sim::{
    Bootstrap, Kill, LatencyLaw, Multiple, Opponents, Posts, Scenario, Shape, Share, Spell, Victims,
    parse_duration, parse_rate,
};

/// Every field of a scenario as a flag. What is not given is as in the file, or else as in [`Scenario::default`].
#[derive(clap::Args)]
pub(super) struct ScenarioFlags {
    /// Members, the publishers included.
    #[arg(long)]
    members: Option<u32>,
    /// Members that play, or all that do not publish; the rest is in the group and plays nothing.
    #[arg(long)]
    viewers: Option<Viewers>,
    /// Members that publish; 0: nothing is played, and the run is about the group itself.
    #[arg(long)]
    publishers: Option<u32>,
    /// Streams of each publisher; every viewer plays all streams.
    #[arg(long)]
    streams: Option<u32>,
    /// Publishers play the streams of the other publishers.
    #[arg(long)]
    all_listen: bool,
    /// Payload rate of a stream.
    #[arg(long, value_parser = parse_rate)]
    rate: Option<u64>,
    /// Payload bytes of a full fragment.
    #[arg(long)]
    size: Option<usize>,
    /// How the stream is cut into messages.
    #[arg(long, value_enum)]
    shape: Option<ShapeName>,
    /// Viewers' uplinks as a multiple of the wire rate of what they play (payload × 1.13, sound × 1.7), or none
    /// for no limit.
    #[arg(long)]
    uplink: Option<Multiple>,
    /// A publisher's uplink as a multiple of what it publishes.
    #[arg(long)]
    source_uplink: Option<Multiple>,
    /// SHARE@MULTIPLE: that share of the viewers has this uplink instead, such as 0.2@10.
    #[arg(long)]
    strong: Option<Share>,
    /// The same, for the other end.
    #[arg(long)]
    weak: Option<Share>,
    /// Share of the viewers that only receive.
    #[arg(long)]
    download_only: Option<f64>,
    /// Share of the viewers that pass on other bytes than they got.
    #[arg(long)]
    polluters: Option<f64>,
    /// Share of the viewers that pass on nothing, whatever they promised.
    #[arg(long)]
    freeloaders: Option<f64>,
    /// Share of the members that tell of nobody but one another.
    #[arg(long)]
    sybils: Option<f64>,
    /// uniform:LOW..HIGH one way, each pair on its own, or coordinate: places on a globe.
    #[arg(long)]
    latency: Option<LatencyLaw>,
    /// Share of packets lost, 0 to 0.5.
    #[arg(long)]
    loss: Option<f64>,
    /// Packets lost in a row, in the mean.
    #[arg(long)]
    burst: Option<u32>,
    /// SHARE@LOSS: that share of all pairs loses that share of packets, in one direction.
    #[arg(long)]
    one_way: Option<Share>,
    /// One direction of each pair takes up to this much longer than the other.
    #[arg(long, value_parser = parse_duration)]
    asymmetry: Option<Duration>,
    /// What may come in to a viewer, as a multiple of the wire rate of what it plays, or none for no limit.
    #[arg(long)]
    downlink: Option<Multiple>,
    /// Datagrams take up to this much longer, so that they overtake one another.
    #[arg(long, value_parser = parse_duration)]
    jitter: Option<Duration>,
    /// Length of the stream.
    #[arg(long, value_parser = parse_duration)]
    secs: Option<Duration>,
    /// Members join at random moments within this time.
    #[arg(long, value_parser = parse_duration)]
    join_over: Option<Duration>,
    /// Time between the last join and the stream.
    #[arg(long, value_parser = parse_duration)]
    settle: Option<Duration>,
    /// Time between the publication and the stream's first message.
    #[arg(long, value_parser = parse_duration)]
    lead_in: Option<Duration>,
    /// Messages written this early in the stream do not count for delay.
    #[arg(long, value_parser = parse_duration)]
    warm_up: Option<Duration>,
    /// SHARE@TIME: that share of the viewers (of all, where nothing is played) vanishes that long after the stream began, such as 0.33@10s.
    #[arg(long)]
    kill: Option<Kill>,
    /// Who dies then: anybody, all on a stretch of the ring, or whole clusters of the globe.
    #[arg(long, value_enum)]
    victims: Option<VictimsName>,
    /// SHARE@TIME+LENGTH: that share stops for so long and goes on, such as 0.25@10s+5s.
    #[arg(long)]
    freeze: Option<Spell>,
    /// TIMES@TIME+LENGTH: so many times the viewers join within so long, such as 9@10s+10s.
    #[arg(long)]
    crowd: Option<Spell>,
    /// For how long a fragment is worth having.
    #[arg(long, value_parser = parse_duration)]
    window: Option<Duration>,
    /// SHARE@TIME+LENGTH: that share can reach only one another from then on, for so long, such as 0.5@10s+5min.
    #[arg(long)]
    partition: Option<Spell>,
    /// Whom newcomers are told of: by a server of 26 members, or of the first member alone.
    #[arg(long, value_enum)]
    bootstrap: Option<BootstrapName>,
    /// Share of the viewers that are replaced in a minute, half of them without a word.
    #[arg(long)]
    churn: Option<f64>,
    /// Parcels sent a second to random places.
    #[arg(long)]
    sends: Option<f64>,
    /// Look-ups of random places begun a second.
    #[arg(long)]
    look_ups: Option<f64>,
    /// Values that the group keeps.
    #[arg(long)]
    values: Option<u32>,
    /// Reads of them a second.
    #[arg(long)]
    reads: Option<f64>,
    /// Share of the members that answer nothing.
    #[arg(long)]
    droppers: Option<f64>,
    /// SHARE@RATExBYTES: that share of the members posts so often a second, so many bytes each, such as 0.1@1x60.
    #[arg(long)]
    posts: Option<Posts>,
    /// gossipsub, gossipsub_free, plumtree, plumtree_free, with commas between: who plays the same stream by other rules,
    /// with the same uplinks or free ones; +LENGTH makes its stream shorter. Or none.
    #[arg(long)]
    rivals: Option<Opponents>,
    /// From which every draw comes.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShapeName {
    Constant,
    Frames,
    Audio,
}

impl From<ShapeName> for Shape {
    fn from(name: ShapeName) -> Self {
        match name {
            ShapeName::Constant => Self::Constant,
            ShapeName::Frames => Self::Frames,
            ShapeName::Audio => Self::Audio,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum BootstrapName {
    Server,
    One,
}

impl From<BootstrapName> for Bootstrap {
    fn from(name: BootstrapName) -> Self {
        match name {
            BootstrapName::Server => Self::Server,
            BootstrapName::One => Self::One,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum VictimsName {
    Random,
    Arc,
    Region,
}

impl From<VictimsName> for Victims {
    fn from(name: VictimsName) -> Self {
        match name {
            VictimsName::Random => Self::Random,
            VictimsName::Arc => Self::Arc,
            VictimsName::Region => Self::Region,
        }
    }
}

/// A number of viewers, or `all`.
#[derive(Clone, Copy)]
struct Viewers(Option<u32>);

impl FromStr for Viewers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(None));
        }
        text.parse().map(|viewers| Self(Some(viewers))).map_err(|_| format!("not a number, nor all: {text}"))
    }
}

impl ScenarioFlags {
    /// `base`, as far as flags do not say otherwise.
    pub(super) fn apply(&self, base: &Scenario) -> Scenario {
        Scenario {
            members: self.members.unwrap_or(base.members),
            viewers: self.viewers.map_or(base.viewers, |viewers| viewers.0),
            publishers: self.publishers.unwrap_or(base.publishers),
            streams: self.streams.unwrap_or(base.streams),
            all_listen: self.all_listen || base.all_listen,
            rate_bits: self.rate.unwrap_or(base.rate_bits),
            size: self.size.unwrap_or(base.size),
            shape: self.shape.map_or(base.shape, Shape::from),
            uplink: self.uplink.map_or(base.uplink, |multiple| multiple.0),
            source_uplink: self.source_uplink.map_or(base.source_uplink, |multiple| multiple.0),
            strong: self.strong.or(base.strong),
            weak: self.weak.or(base.weak),
            download_only: self.download_only.unwrap_or(base.download_only),
            polluters: self.polluters.unwrap_or(base.polluters),
            freeloaders: self.freeloaders.unwrap_or(base.freeloaders),
            sybils: self.sybils.unwrap_or(base.sybils),
            latency: self.latency.unwrap_or(base.latency),
            loss: self.loss.unwrap_or(base.loss),
            burst: self.burst.unwrap_or(base.burst),
            one_way: self.one_way.or(base.one_way),
            asymmetry: self.asymmetry.unwrap_or(base.asymmetry),
            downlink: self.downlink.map_or(base.downlink, |multiple| multiple.0),
            jitter: self.jitter.unwrap_or(base.jitter),
            secs: self.secs.unwrap_or(base.secs),
            join_over: self.join_over.unwrap_or(base.join_over),
            settle: self.settle.unwrap_or(base.settle),
            lead_in: self.lead_in.unwrap_or(base.lead_in),
            warm_up: self.warm_up.unwrap_or(base.warm_up),
            kill: self.kill.or(base.kill),
            victims: self.victims.map_or(base.victims, Victims::from),
            freeze: self.freeze.or(base.freeze),
            crowd: self.crowd.or(base.crowd),
            window: self.window.unwrap_or(base.window),
            partition: self.partition.or(base.partition),
            bootstrap: self.bootstrap.map_or(base.bootstrap, Bootstrap::from),
            churn: self.churn.unwrap_or(base.churn),
            sends: self.sends.unwrap_or(base.sends),
            look_ups: self.look_ups.unwrap_or(base.look_ups),
            values: self.values.unwrap_or(base.values),
            reads: self.reads.unwrap_or(base.reads),
            droppers: self.droppers.unwrap_or(base.droppers),
            posts: self.posts.or(base.posts),
            rivals: self.rivals.as_ref().map_or_else(|| base.rivals.clone(), |rivals| rivals.0.clone()),
            seed: self.seed.unwrap_or(base.seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn the_flags_that_a_run_is_repeated_with_make_the_same_scenario() {
        let default = Scenario::default();
        let other = Scenario {
            members: 300,
            viewers: Some(50),
            publishers: 3,
            all_listen: true,
            rate_bits: 700_000,
            shape: Shape::Frames,
            uplink: None,
            strong: "0.2@10".parse().ok(),
            latency: LatencyLaw::Coordinate,
            jitter: Duration::from_micros(1_500),
            kill: "0.5@3s".parse().ok(),
            burst: 25,
            polluters: 0.1,
            freeloaders: 0.2,
            sybils: 0.3,
            one_way: "0.3@0.5".parse().ok(),
            asymmetry: Duration::from_millis(7),
            downlink: Some(3.0),
            victims: Victims::Arc,
            freeze: "0.25@2s+3s".parse().ok(),
            crowd: "9@1s+2s".parse().ok(),
            window: Duration::from_secs(2),
            partition: "0.25@4s+7s".parse().ok(),
            bootstrap: Bootstrap::One,
            churn: 0.495,
            sends: 20.5,
            values: 7,
            droppers: 0.3,
            posts: "0.1@2x60".parse().ok(),
            rivals: vec!["gossipsub_free+2s".parse().unwrap(), "plumtree".parse().unwrap()],
            seed: 41,
            ..default.clone()
        };
        let text = format!("run{}", other.flags(&default));
        let command = ScenarioFlags::augment_args(Command::new("run"));
        let matches = command.try_get_matches_from(text.split(' ')).expect("flags that it takes");
        let flags = ScenarioFlags::from_arg_matches(&matches).expect("flags that it takes");
        assert_eq!(flags.apply(&default), other, "{text}");
        assert_eq!(default.flags(&default), "");
    }
}
