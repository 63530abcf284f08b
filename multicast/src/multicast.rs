mod names;
mod seeking;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stratus_core::{Cx, Deadline, Delivery, Machine, PeerId, Roster, Time};

use crate::announcement::MAX_NAME;
use crate::api::{Command, Event, Input, Output, Publish, PublishError, Setup};
use crate::cutter::Cutter;
use crate::message::Subscriber;
use crate::swarm::{Role, StreamInfo, Swarm, Turn};
use crate::tolerance::Tolerance;
use crate::{Announcement, Config, Message, StreamAlias, StreamId};
use names::Subscription;

/// Most names that may be subscribed at a time.
const MAX_SUBSCRIPTIONS: usize = 64;

/// The multicast layer of one member of one group: every stream that it knows, plays or publishes.
///
/// Cost of a fragment: one look-up by stream and one by neighbor, one digest, and one output per child.
#[derive(Debug)]
pub struct Multicast {
    config: Config,
    setup: Setup,
    record: Bytes,
    /// Connected members.
    connected: Roster<Linked>,
    streams: BTreeMap<StreamAlias, Swarm>,
    /// Subscribed names, and what each found.
    subscriptions: BTreeMap<String, Subscription>,
    wake_at: Option<Time>,
}

/// A connected member, as all streams see it.
#[derive(Clone, Debug, Default)]
struct Linked {
    /// The round trip, if it is known.
    rtt: Option<Duration>,
    tolerance: Tolerance,
}

impl Multicast {
    /// A member that knows no stream and nobody. `config` must be valid.
    pub fn new(config: Config, setup: Setup) -> Self {
        assert_eq!(config.validate(), Ok(()), "the multicast settings are valid");
        Self {
            config,
            setup,
            record: Bytes::new(),
            connected: Roster::new(),
            streams: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            wake_at: None,
        }
    }

    /// Every known stream.
    pub fn streams(&self) -> impl Iterator<Item = (StreamId, StreamInfo)> {
        self.streams.values().map(|swarm| (swarm.announcement().stream, swarm.info()))
    }

    /// One stream.
    pub fn stream(&self, stream: &StreamId) -> Option<StreamInfo> {
        let swarm = self.streams.get(&stream.alias())?;
        (swarm.announcement().stream == *stream).then(|| swarm.info())
    }

    #[cfg(test)]
    pub(crate) fn swarm(&self, stream: &StreamId) -> &Swarm {
        &self.streams[&stream.alias()]
    }

    /// Whether anything but a subscriber's record names `peer`: law 5 asks.
    pub fn mentions(&self, peer: &PeerId) -> bool {
        self.connected.contains_key(peer)
            || self.has_sought(peer)
            || self.streams.values().any(|swarm| swarm.mentions(peer))
    }

    /// Sizes of what strangers could grow, each with its limit: law 4 asks.
    pub fn sizes(&self) -> Vec<(&'static str, usize, usize)> {
        let mut sizes: Vec<_> = self.streams.values().flat_map(|swarm| swarm.sizes(&self.config)).collect();
        sizes.push(("streams", self.streams.len(), self.config.max_streams));
        let served = self.connected.values().map(|linked| linked.tolerance.len()).max().unwrap_or(0);
        sizes.push(("streams served to one", served, self.config.max_streams));
        sizes.push(("subscriptions", self.subscriptions.len(), MAX_SUBSCRIPTIONS));
        sizes
    }

    /// Runs `act` on a stream, with everything that a turn may use.
    fn with<R>(
        &mut self,
        alias: StreamAlias,
        cx: &mut Cx<'_>,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Swarm, &mut Turn<'_, '_>) -> R,
    ) -> Option<R> {
        let swarm = self.streams.get_mut(&alias)?;
        let (config, setup, record) = (&self.config, &self.setup, &self.record);
        Some(act(swarm, &mut Turn { cx, out, config, setup, record }))
    }

    fn for_each(
        &mut self,
        cx: &mut Cx<'_>,
        out: &mut Vec<Output>,
        mut act: impl FnMut(&mut Swarm, &mut Turn<'_, '_>),
    ) {
        let (config, setup, record) = (&self.config, &self.setup, &self.record);
        for swarm in self.streams.values_mut() {
            act(swarm, &mut Turn { cx, out, config, setup, record });
        }
    }

    fn connect(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, peer: PeerId) {
        self.connected.insert(peer, Linked::default());
        self.for_each(cx, out, |swarm, turn| {
            if swarm.is_told_on() {
                let subscribers = swarm.some_subscribers(turn, &peer);
                announce(swarm, turn, peer, subscribers, Delivery::Control);
            }
            if swarm.is_active() {
                swarm.tell_interest(turn, &[peer]);
            }
        });
        self.seek(cx.now, out, peer);
    }

    fn receive(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, from: PeerId, message: Message) {
        let Some(linked) = self.connected.get_mut(&from) else { return };
        if !linked.tolerance.admits(cx.now, &self.config, &message) {
            self.bear(cx, out, from, Tolerance::EXCESS);
            return;
        }
        let Some(alias) = message.stream() else {
            if let Message::Seek { name, record } = message {
                self.on_seek(cx, out, from, &name, record);
            }
            return;
        };
        let is_useful = match message {
            Message::Announce { announcement, age, subscribers } => {
                self.on_announce(cx, out, from, announcement, age);
                self.with(alias, cx, out, |swarm, turn| swarm.hear_subscribers(turn, subscribers)).is_some()
            }
            message => self.on_stream(cx, out, from, alias, message),
        };
        if !is_useful {
            self.bear(cx, out, from, 1);
        }
        self.leave_if_condemned(cx, out, alias);
    }

    /// A message about one stream; says whether it was of any use.
    fn on_stream(
        &mut self,
        cx: &mut Cx<'_>,
        out: &mut Vec<Output>,
        from: PeerId,
        alias: StreamAlias,
        message: Message,
    ) -> bool {
        let (config, setup, record) = (&self.config, &self.setup, &self.record);
        let Some(linked) = self.connected.get_mut(&from) else { return false };
        let Some(swarm) = self.streams.get_mut(&alias) else { return false };
        dispatch(swarm, &mut Turn { cx, out, config, setup, record }, from, message, linked)
    }

    /// Something useless came: borne for a while, then told as misbehaviour (spec MC-23).
    fn bear(&mut self, cx: &Cx<'_>, out: &mut Vec<Output>, from: PeerId, weight: u32) {
        let quickest = self.streams.values().map(Swarm::fragments_a_second).max().unwrap_or(0);
        let Some(linked) = self.connected.get_mut(&from) else { return };
        if linked.tolerance.is_tried_by_useless(cx.now, &self.config, quickest, weight) {
            let what = "a flood of what nobody asked for";
            out.push(Output::Event(Event::Misbehaved { peer: from, what }));
        }
    }

    fn on_announce(
        &mut self,
        cx: &mut Cx<'_>,
        out: &mut Vec<Output>,
        from: PeerId,
        announcement: Arc<Announcement>,
        age: Duration,
    ) {
        let alias = announcement.stream.alias();
        if age >= self.config.announcement_lifetime {
            return;
        }
        if let Some(known) = self.streams.get(&alias).map(|swarm| swarm.announcement().clone()) {
            if known.stream != announcement.stream {
                return;
            }
            let is_newer = announcement.sequence > known.sequence && is_same_stream(&known, &announcement);
            if is_newer && self.admits(cx, out, from, &announcement) {
                self.with(alias, cx, out, |swarm, turn| swarm.renew(turn, announcement.clone(), age));
                self.forward(cx, out, Some(from), alias, Delivery::Background);
                self.look_again(cx, out, &announcement.name);
            }
        } else if self.admits(cx, out, from, &announcement) && self.make_room(out) {
            self.learn(cx, out, Some(from), Role::Idle, announcement, age);
            self.note_rival(out, alias);
        }
    }

    /// Whether the announcement is what it claims; who sends a false one is reported (spec MC-4).
    fn admits(&self, cx: &Cx<'_>, out: &mut Vec<Output>, from: PeerId, announcement: &Announcement) -> bool {
        let authority = self.setup.publish_authority.as_ref();
        let is_authentic = announcement.is_authentic(cx.verify, &self.setup.group, authority);
        if !is_authentic {
            let what = "an announcement without the group's authorization or a valid signature";
            out.push(Output::Event(Event::Misbehaved { peer: from, what }));
        }
        is_authentic
    }

    fn learn(
        &mut self,
        cx: &mut Cx<'_>,
        out: &mut Vec<Output>,
        from: Option<PeerId>,
        role: Role,
        announcement: Arc<Announcement>,
        age: Duration,
    ) {
        let (stream, name) = (announcement.stream, announcement.name.clone());
        let alias = stream.alias();
        let has_ended = announcement.end.is_some();
        let mut swarm = Swarm::new(cx.now, announcement, role, &self.setup, &self.config);
        swarm.announced(cx.now, age, &self.config);
        self.streams.insert(alias, swarm);
        if !has_ended {
            out.push(Output::Event(Event::PublishNotify { stream, name: name.clone() }));
        }
        self.forward(cx, out, from, alias, Delivery::Control);
        self.look_again(cx, out, &name);
    }

    /// Tells every neighbor but `except` of a stream. Its first word goes before all else that is said of it; when it
    /// is renewed or ends, media goes first.
    fn forward(
        &mut self,
        cx: &mut Cx<'_>,
        out: &mut Vec<Output>,
        except: Option<PeerId>,
        alias: StreamAlias,
        how: Delivery,
    ) {
        let to: Vec<PeerId> = self.connected.keys().filter(|peer| Some(**peer) != except).copied().collect();
        self.with(alias, cx, out, |swarm, turn| {
            for peer in to {
                // Only the publisher names itself: the flood stays small, and newcomers ask for more.
                let subscribers =
                    if swarm.is_publisher() { swarm.some_subscribers(turn, &peer) } else { Vec::new() };
                announce(swarm, turn, peer, subscribers, how);
            }
        });
    }

    fn command(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, command: Command) {
        match command {
            Command::Publish(wanted) => {
                let stream = StreamId(wanted.key.public());
                if let Err(why) = self.publish(cx, out, *wanted) {
                    out.push(Output::Event(Event::PublishFailed { stream, why }));
                }
            }
            Command::Write { stream, piece } => {
                self.with(stream.alias(), cx, out, |swarm, turn| swarm.write(turn, &piece));
            }
            Command::Unpublish(stream) => {
                let alias = stream.alias();
                let ended = self.with(alias, cx, out, |swarm, turn| swarm.end(turn)).flatten();
                if ended.is_some() {
                    self.forward(cx, out, None, alias, Delivery::Background);
                }
            }
            Command::Subscribe { name } => {
                let is_new = !self.subscriptions.contains_key(&name);
                if is_new && self.subscriptions.len() < MAX_SUBSCRIPTIONS {
                    self.subscriptions.insert(name.clone(), Subscription::default());
                    self.look_again(cx, out, &name);
                }
            }
            Command::SetOverrides { name, wishes } => self.set_overrides(&name, wishes),
            Command::Unsubscribe { name } => self.unsubscribe(cx, out, &name),
            Command::SetRecord(record) => self.record = record,
            Command::SetRtt { peer, rtt } => {
                if let Some(linked) = self.connected.get_mut(&peer) {
                    linked.rtt = Some(rtt);
                    self.streams.values_mut().for_each(|swarm| swarm.set_rtt(&peer, rtt));
                }
            }
            Command::SetUpload(upload) => self.config.upload = upload,
        }
    }

    /// Deals the upload budget out over the streams that we take part in, by what they weigh (spec MC-25).
    fn share_upload(&mut self) {
        let Some(upload) = self.config.upload else { return };
        let weights: u64 = self.streams.values().map(Swarm::upload_weight).sum();
        for swarm in self.streams.values_mut() {
            let weight = swarm.upload_weight();
            let share = (weight < weights)
                .then(|| (u128::from(upload) * u128::from(weight) / u128::from(weights)) as u64);
            swarm.set_upload_share(share);
        }
    }

    fn publish(
        &mut self,
        cx: &mut Cx<'_>,
        out: &mut Vec<Output>,
        wanted: Publish,
    ) -> Result<(), PublishError> {
        let Publish { key, name, began, authorization, parameters, wishes } = wanted;
        let stream = StreamId(key.public());
        let alias = stream.alias();
        if name.len() > MAX_NAME {
            return Err(PublishError::NameTooLong);
        }
        if self.streams.contains_key(&alias) {
            return Err(PublishError::KeyInUse);
        }
        let is_ours = |swarm: &Swarm| swarm.is_publisher() && !swarm.has_ended();
        if self.streams.values().any(|swarm| is_ours(swarm) && swarm.announcement().name == name) {
            return Err(PublishError::BadName);
        }
        parameters.validate().map_err(PublishError::Property)?;
        wishes.validate().map_err(PublishError::Property)?;
        let is_authorized = match (&self.setup.publish_authority, &authorization) {
            (None, _) => true,
            (Some(authority), Some(given)) => given.public() == *authority,
            (Some(_), None) => false,
        };
        if !is_authorized {
            return Err(PublishError::NotAuthorized);
        }
        if !self.make_room(out) {
            return Err(PublishError::TooManyStreams);
        }
        let group = &self.setup.group;
        let grant = authorization.map(|key| Announcement::grant(group, &stream, &name, &key));
        let announcement = {
            let began = self.begin_after_others(&name, began);
            Announcement::unsigned(stream, self.setup.peer, name, began, parameters, grant)
        };
        let announcement = Arc::new(announcement.signed(group, &key));
        let cutter = Box::new(Cutter::new(key, cx.now));
        self.learn(cx, out, None, Role::Publisher(cutter), announcement, Duration::ZERO);
        let connected: Vec<PeerId> = self.connected.keys().copied().collect();
        self.with(alias, cx, out, |swarm, turn| {
            swarm.set_overrides(turn.config, &wishes);
            swarm.begin_publishing(turn);
            swarm.tell_interest(turn, &connected);
        });
        Ok(())
    }

    fn unsubscribe(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>, name: &str) {
        let Some(found) = self.subscriptions.remove(name) else { return };
        let connected: Vec<PeerId> = self.connected.keys().copied().collect();
        if let Some(alias) = found.stream {
            self.with(alias, cx, out, |swarm, turn| swarm.unsubscribe(turn, &connected));
        }
    }

    fn arm(&mut self) {
        self.wake_at = self.streams.values().filter_map(|swarm| swarm.next_wake(&self.config)).min();
    }
}

/// A later announcement may end a stream; it may not change what it is.
fn is_same_stream(known: &Announcement, later: &Announcement) -> bool {
    known.publisher == later.publisher
        && known.name == later.name
        && known.parameters == later.parameters
        && known.end.is_none()
}

fn announce(
    swarm: &mut Swarm,
    turn: &mut Turn<'_, '_>,
    to: PeerId,
    subscribers: Vec<Subscriber>,
    how: Delivery,
) {
    let announcement = swarm.announcement().clone();
    let age = swarm.announcement_age(turn.cx.now, turn.config);
    let message = Message::Announce { announcement, age, subscribers };
    swarm.stats_mut().control_sent_bytes += stratus_core::Wire::wire_len(&message) as u64;
    turn.out.push(Output::Send { to, message, how });
}

fn dispatch(
    swarm: &mut Swarm,
    turn: &mut Turn<'_, '_>,
    from: PeerId,
    message: Message,
    linked: &mut Linked,
) -> bool {
    swarm.heard(turn.cx.now, &from);
    if !matches!(message, Message::Fragment { .. } | Message::Manifest { .. }) {
        swarm.stats_mut().control_received_bytes += stratus_core::Wire::wire_len(&message) as u64;
    }
    match message {
        Message::Announce { .. } | Message::Seek { .. } => unreachable!("these are the machine's"),
        Message::Interest { is_on, asks_for_others, record, .. } => {
            swarm.on_interest(turn, from, is_on, asks_for_others, record, linked.rtt);
        }
        Message::Subscribers { subscribers, .. } => swarm.hear_subscribers(turn, subscribers),
        Message::Map { map, .. } => swarm.on_map(turn, from, map),
        Message::PushRequest(request) => {
            swarm.on_push_request(turn, from, &request, &mut linked.tolerance);
        }
        Message::PushAnswer(answer) => swarm.on_push_answer(turn, from, &answer),
        Message::PushStop(stop) => swarm.on_push_stop(turn, from, &stop),
        Message::Pull { wants, .. } => swarm.on_pull(turn, from, &wants, &mut linked.tolerance),
        Message::Refuse { is_busy, runs, .. } => swarm.on_refuse(turn, from, is_busy, &runs),
        Message::Start { .. } => swarm.on_start(turn, from, &mut linked.tolerance),
        Message::StartAnswer(answer) => swarm.on_start_answer(turn, from, answer.start),
        // Nobody is asked to, and a publisher asks for nothing.
        Message::Manifest { .. } | Message::Fragment { .. } if swarm.is_publisher() => {
            swarm.misbehaved(turn, from, "a fragment or manifest of our own stream");
            return false;
        }
        Message::Manifest { manifest, hops, is_repair, .. } => {
            return swarm.on_manifest(turn, from, manifest, hops, is_repair);
        }
        Message::Fragment { is_repair, run, position, payload, .. } => {
            return swarm.on_fragment(turn, from, run, position, payload, is_repair);
        }
    }
    true
}

impl Machine for Multicast {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Connected(peer) => {
                if !self.connected.contains_key(&peer) {
                    self.connect(cx, out, peer);
                }
            }
            Input::Disconnected(peer) => {
                if self.connected.remove(&peer).is_some() {
                    self.forget_sought(&peer);
                    self.for_each(cx, out, |swarm, turn| swarm.disconnected(turn, &peer));
                }
            }
            Input::Received { from, message } => self.receive(cx, out, from, message),
            Input::Command(command) => self.command(cx, out, command),
        }
        self.arm();
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        self.share_upload();
        self.for_each(cx, out, |swarm, turn| swarm.wake(turn));
        self.look_after_lives(cx, out);
        self.leave_silent_streams(cx, out);
        self.arm();
    }

    fn deadline(&self) -> Option<Deadline> {
        self.wake_at.map(|at| Deadline { at, timer: "stream" })
    }
}
