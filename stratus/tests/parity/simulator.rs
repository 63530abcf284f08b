//! The script in the simulator's world.

use std::time::Duration;

use stratus::Identity;
use stratus_core::Time;
use stratus_multicast as multicast;
use stratus_node::{Command, Config, Event, Node, Services, Setup};
use stratus_overlay as overlay;
use stratus_sim::{Latency, Watch, World};

use crate::Path;
use crate::record::Chronicle;
use crate::script::{Act, PUBLISHER, STREAM, Stage, group, identity, member};

pub(crate) struct Simulator {
    world: World<Node, Score>,
    stream_key: Identity,
}

/// Writes down what the nodes tell their owners.
struct Score(Chronicle);

impl Simulator {
    pub(crate) fn new(path: Path) -> Self {
        let latency = Latency::Uniform { low: path.one_way, high: path.one_way, seed: 0 };
        let loss_ppm = path.loss_per_mille * 1_000;
        let config = stratus_sim::Config { loss_ppm, ..stratus_sim::Config::new(latency) };
        let world = World::new(config, 7, 0, Score(Chronicle::new()));
        Self { world, stream_key: Identity::from_seed([7; 32]) }
    }

    fn join(&mut self, member: usize) {
        let (spec, identity) = (group().build(), identity(member));
        let (keys, peer) = (spec.keys(), identity.peer());
        let setup = Setup {
            identity,
            group: keys.group_id,
            ring: keys.ring,
            publish_authority: spec.publish_authority(),
            services: Services::default(),
            posting_authority: None,
        };
        let number = self.world.join(peer, Node::new(Config::default(), setup), None);
        assert_eq!(number as usize, member, "members join in the order of their numbers");
        let address = ([10, 0, 0, member as u8], 1_935).into();
        self.world.command(number, Command::Overlay(overlay::Command::SetAddresses(vec![address])));
        if member != PUBLISHER {
            self.world.dial(number, crate::script::identity(PUBLISHER).peer());
        }
    }

    fn multicast(&mut self, member: usize, command: multicast::Command) {
        self.world.command(member as u32, Command::Multicast(command));
    }

    fn publish(&mut self) {
        let publish = multicast::Publish {
            key: self.stream_key.clone(),
            name: STREAM.into(),
            began: 1,
            authorization: group().build().publish_authorization(),
            parameters: (&multicast::Config::default()).into(),
            wishes: multicast::Overrides::default(),
        };
        self.multicast(PUBLISHER, multicast::Command::Publish(Box::new(publish)));
    }
}

impl Stage for Simulator {
    fn act(&mut self, act: Act) {
        let stream = multicast::StreamId(self.stream_key.public());
        match act {
            Act::Join(member) => self.join(member),
            Act::Publish => self.publish(),
            Act::Write(number) => {
                for piece in self.world.watch.0.message(number).pieces.clone() {
                    self.multicast(PUBLISHER, multicast::Command::Write { stream, piece });
                }
            }
            Act::Unpublish => self.multicast(PUBLISHER, multicast::Command::Unpublish(stream)),
            Act::Play(member) => {
                self.multicast(member, multicast::Command::Subscribe { name: STREAM.into() });
            }
            Act::Stop(member) => {
                self.multicast(member, multicast::Command::Unsubscribe { name: STREAM.into() });
            }
            Act::Kill(member) => self.world.kill(member as u32),
        }
    }

    fn wait(&mut self, time: Duration) {
        let until: Time = self.world.now() + time;
        self.world.run_until(until);
    }

    fn look<T>(&self, at: impl FnOnce(&Chronicle) -> T) -> T {
        at(&self.world.watch.0)
    }
}

impl Watch<Node> for Score {
    fn event(&mut self, _now: Time, number: u32, event: Event) -> (u64, u64) {
        let me = number as usize;
        match event {
            Event::Overlay(event) => self.overlay(me, event),
            Event::Multicast(event) => self.multicast(me, event),
            Event::Routing(event) => panic!("nothing is routed here: {event:?}"),
            Event::Posting(_) => {}
            Event::Replication(event) => panic!("nothing is replicated here: {event:?}"),
        }
        (0, 0)
    }
}

impl Score {
    fn overlay(&mut self, me: usize, event: overlay::Event) {
        match event {
            overlay::Event::NeighborConnect { peer, .. } => self.0.linked(me, member(&peer), true),
            overlay::Event::NeighborDisconnect { peer, .. } => self.0.linked(me, member(&peer), false),
            overlay::Event::LocalCoverage(arc) => self.0.covers(me, arc),
            overlay::Event::Misbehaved { peer, what } => {
                self.0.told(me, format!("{} misbehaved: {what}", member(&peer)));
            }
            // Meant for the host, not for the application.
            overlay::Event::Introduced { .. } | overlay::Event::OwnRecord(_) | overlay::Event::Rtt { .. } => {
            }
        }
    }

    fn multicast(&mut self, me: usize, event: multicast::Event) {
        use multicast::Event as Said;
        match event {
            Said::PublishNotify { name, .. } => self.0.published(me, &name),
            Said::UnpublishNotify { name, .. } => self.0.unpublished(me, &name),
            Said::PlayStart { .. } => self.0.started(me),
            Said::Message { message, .. } => self.0.heard(me, &message),
            Said::PlayEnd { .. } => self.0.ended(me),
            // A player that has everything is not told when others have it; it may go when it likes.
            Said::Drained { .. } if me != PUBLISHER => {}
            Said::Drained { .. } => self.0.drained(me),
            Said::Gap { .. }
            | Said::PlayReset { .. }
            | Said::PublishBadName { .. }
            | Said::PublishIdle { .. }
            | Said::Equivocated { .. } => self.0.surprised(me, format!("{event:?}")),
            Said::Misbehaved { .. } | Said::PublishFailed { .. } => self.0.told(me, format!("{event:?}")),
            Said::SubscriberHeard { .. } | Said::Want(_) | Said::Release(_) => {
                unreachable!("the node keeps it between its layers")
            }
        }
    }
}
