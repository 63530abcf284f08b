//! The script on real sockets: each member with a runtime of its own, which is as near to a process as one gets.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use stratus::{Conditions, Connection, Event, Events, Group, Play, Playback, Played, Publication, Publish};
use tokio::runtime::{self, Runtime};
use tokio::task::JoinHandle;

use crate::Path;
use crate::record::Chronicle;
use crate::script::{Act, PUBLISHER, STREAM, Stage, group, identity, member};

pub(crate) struct Sockets {
    path: Path,
    members: Vec<Option<Member>>,
    chronicle: Shared,
}

type Shared = Arc<Mutex<Chronicle>>;

struct Member {
    connection: Connection,
    group: Group,
    publication: Option<Publication>,
    player: Option<JoinHandle<Playback>>,
    runtime: Runtime,
}

impl Sockets {
    pub(crate) fn new(path: Path) -> Self {
        Self { path, members: Vec::new(), chronicle: Arc::new(Mutex::new(Chronicle::new())) }
    }

    fn member(&mut self, number: usize) -> &mut Member {
        self.members[number].as_mut().expect("the script lets only the living act")
    }

    fn join(&mut self, number: usize) {
        assert_eq!(self.members.len(), number, "members join in the order of their numbers");
        let mut spec = group();
        if let Some(Some(first)) = self.members.first() {
            let address = first.connection.local_addr();
            spec = spec.add_bootstrap_peer(first.connection.peer(), &[address]).unwrap();
        }
        let builder = Connection::builder()
            .listen((Ipv4Addr::LOCALHOST, 0).into())
            .identity(identity(number))
            .conditions(Conditions {
                loss_per_mille: self.path.loss_per_mille,
                delay: self.path.one_way,
                jitter: Duration::ZERO,
                seed: 7 + number as u64,
                ..Conditions::default()
            });
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let chronicle = self.chronicle.clone();
        let (connection, group) = runtime.block_on(async move {
            let connection = builder.start().await.unwrap();
            let group = connection.join(&spec.build()).await.unwrap();
            tokio::spawn(listen(number, group.events(), chronicle));
            (connection, group)
        });
        self.members.push(Some(Member { connection, group, publication: None, player: None, runtime }));
    }

    fn publish(&mut self) {
        let Member { group, publication, runtime, .. } = self.member(PUBLISHER);
        *publication = Some(runtime.block_on(group.publish(STREAM, Publish::default())).unwrap());
    }

    fn write(&mut self, number: u32) {
        let pieces = lock(&self.chronicle).message(number).pieces.clone();
        let Member { publication, runtime, .. } = self.member(PUBLISHER);
        let publication = publication.as_mut().expect("the script publishes before it writes");
        for piece in pieces {
            runtime.block_on(publication.write(piece)).unwrap();
        }
    }

    fn unpublish(&mut self) {
        let chronicle = self.chronicle.clone();
        let Member { publication, runtime, .. } = self.member(PUBLISHER);
        let publication = publication.take().expect("the script publishes before it ends that");
        runtime.spawn(async move {
            if publication.end().await.unwrap() {
                lock(&chronicle).drained(PUBLISHER);
            }
        });
    }

    fn play(&mut self, number: usize) {
        let chronicle = self.chronicle.clone();
        let Member { group, runtime, player, .. } = self.member(number);
        let playback = runtime.block_on(group.play(STREAM, Play::default())).unwrap();
        *player = Some(runtime.spawn(watch(number, playback, chronicle)));
    }

    fn stop(&mut self, number: usize) {
        let Member { player, runtime, .. } = self.member(number);
        let player = player.take().expect("only who plays stops");
        player.abort();
        let stopped = runtime.block_on(player);
        assert!(stopped.is_err(), "the stream goes on");
    }

    fn kill(&mut self, number: usize) {
        let member = self.members[number].take().expect("one dies once");
        // First the runtime, so that nothing that is dropped can say a word.
        member.runtime.shutdown_background();
    }
}

impl Stage for Sockets {
    fn act(&mut self, act: Act) {
        match act {
            Act::Join(member) => self.join(member),
            Act::Publish => self.publish(),
            Act::Write(number) => self.write(number),
            Act::Unpublish => self.unpublish(),
            Act::Play(member) => self.play(member),
            Act::Stop(member) => self.stop(member),
            Act::Kill(member) => self.kill(member),
        }
    }

    fn wait(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn look<T>(&self, at: impl FnOnce(&Chronicle) -> T) -> T {
        at(&lock(&self.chronicle))
    }
}

fn lock(chronicle: &Shared) -> MutexGuard<'_, Chronicle> {
    chronicle.lock().expect("whoever writes down does not panic")
}

/// Writes down what a member is told of the group.
async fn listen(me: usize, mut events: Events, chronicle: Shared) {
    while let Some(event) = events.recv().await {
        let mut chronicle = lock(&chronicle);
        match event {
            Event::NeighborConnect { peer, .. } => chronicle.linked(me, member(&peer), true),
            Event::NeighborDisconnect { peer, .. } => chronicle.linked(me, member(&peer), false),
            Event::LocalCoverage(arc) => chronicle.covers(me, arc),
            Event::PublishNotify { name, .. } => chronicle.published(me, &name),
            Event::UnpublishNotify { name, .. } => chronicle.unpublished(me, &name),
            // What a stream's own handle says as well; the simulator has no such second way.
            Event::PublishStart { .. } | Event::PlayStart { .. } => {}
            other => chronicle.told(me, format!("{other:?}")),
        }
    }
}

/// Writes down what a member plays; gives back the playback, so that the subscription goes on.
async fn watch(me: usize, mut playback: Playback, chronicle: Shared) -> Playback {
    while let Some(played) = playback.next().await {
        let mut chronicle = lock(&chronicle);
        match played {
            Played::Start { is_reset: false, .. } => chronicle.started(me),
            Played::Message(message) => chronicle.heard(me, &message),
            other => chronicle.surprised(me, format!("{other:?}")),
        }
    }
    lock(&chronicle).ended(me);
    playback
}
