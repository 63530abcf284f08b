use std::io;

use bytes::Bytes;
use stratus::{ObjectCommand, ObjectEvent, Objects, PeerId, RequestId};
use stratus_replication::MOST_OBJECTS;
use stratus_replication::set::{Assembly, Set, SetError, SetId, Taken, Wrong};
use tokio::sync::watch;

use crate::store::Store;

/// Events handled together.
const BATCH: usize = 64;

/// How far an exchange is.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    /// What the set is called, once that is known.
    pub name: Option<String>,
    /// Bytes of the whole set, equal contents once; 0 until it is known.
    pub total_bytes: u64,
    /// Bytes that are here.
    pub held_bytes: u64,
    /// Bytes that came over the network.
    pub fetched_bytes: u64,
    /// Bytes that went out.
    pub given_bytes: u64,
    /// Objects that were wrong; each cost its sender the link.
    pub rejected: u64,
    /// Whether everything is here and in its place.
    pub is_complete: bool,
    /// Whether each object left this first seed once and came.
    pub is_spread: bool,
}

/// Why an exchange ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The group was left.
    #[error("the group was left")]
    Closed,
    /// Whoever made the set put something into it that must not be.
    #[error("the set cannot be trusted: {0}")]
    Lies(#[from] SetError),
    /// The store failed, for example because the disk is full.
    #[error("cannot keep what came: {0}")]
    Store(#[from] io::Error),
}

type Open = Box<dyn FnOnce(&Set) -> io::Result<Box<dyn Store>> + Send>;

/// A store in a group: gives what it has, checks and keeps what comes.
pub struct Exchange {
    assembly: Assembly,
    store: Option<Box<dyn Store>>,
    open: Option<Open>,
    progress: watch::Sender<Progress>,
    /// Whether nobody else has it yet, and the pages have not left.
    is_first: bool,
    pub(crate) commands: Vec<ObjectCommand>,
}

impl Exchange {
    /// Gives a set that is all there; `is_first` says that nobody else has it yet.
    pub fn seed(set: Set, store: Box<dyn Store>, is_first: bool) -> Self {
        let mut exchange = Self::new(Assembly::of(set), None);
        exchange.store = Some(store);
        exchange.is_first = is_first;
        exchange
    }

    /// Fetches the set of this name. `open` makes the store once it is known what the set is.
    pub fn fetch(id: SetId, open: impl FnOnce(&Set) -> io::Result<Box<dyn Store>> + Send + 'static) -> Self {
        Self::new(Assembly::new(id), Some(Box::new(open)))
    }

    /// Goes on with a set whose descriptor is known.
    pub fn resume(set: Set, open: impl FnOnce(&Set) -> io::Result<Box<dyn Store>> + Send + 'static) -> Self {
        Self::new(Assembly::of(set), Some(Box::new(open)))
    }

    fn new(assembly: Assembly, open: Option<Open>) -> Self {
        let progress = watch::Sender::default();
        Self { assembly, store: None, open, progress, is_first: false, commands: Vec::new() }
    }

    /// How far it is, from now on.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Runs until the group is left or something fails. For stores that never wait.
    pub async fn run(mut self, objects: &mut Objects) -> Ended {
        if let Err(ended) = self.begin() {
            return ended;
        }
        loop {
            if objects.tell(std::mem::take(&mut self.commands)).await.is_err() {
                return Ended::Closed;
            }
            let Some(event) = objects.next().await else { return Ended::Closed };
            if let Err(ended) = self.batch(event, objects) {
                let _ = objects.tell(nothing_more()).await;
                return ended;
            }
        }
    }

    /// The same on a thread of its own, for stores that wait for a disk. Ends with the group.
    pub fn run_blocking(mut self, mut objects: Objects) -> Ended {
        if let Err(ended) = self.begin() {
            return ended;
        }
        loop {
            if objects.blocking_tell(std::mem::take(&mut self.commands)).is_err() {
                return Ended::Closed;
            }
            let Some(event) = objects.blocking_next() else { return Ended::Closed };
            if let Err(ended) = self.batch(event, &mut objects) {
                let _ = objects.blocking_tell(nothing_more());
                return ended;
            }
        }
    }

    fn batch(&mut self, first: ObjectEvent, objects: &mut Objects) -> Result<(), Ended> {
        self.on(first)?;
        for _ in 0..BATCH {
            let Some(event) = objects.try_next() else { break };
            self.on(event)?;
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Ended> {
        if self.assembly.set().is_some() {
            return self.known();
        }
        self.commands.push(ObjectCommand::AddWant(self.assembly.wanted()));
        Ok(())
    }

    /// It is known what the set is: says what of it is here and what is wanted.
    fn known(&mut self) -> Result<(), Ended> {
        let Some(set) = self.assembly.set() else { return Ok(()) };
        if let Some(open) = self.open.take() {
            self.store = Some(open(set)?);
        }
        let Some(store) = &self.store else { return Ok(()) };
        let start = set.data_start();
        let held = store.held().ranges();
        if self.is_first {
            // Everybody needs the root first, and at once; the pages leave once, and the rest behind them.
            self.commands.push(ObjectCommand::AddHave(0..1));
            self.commands.push(ObjectCommand::SetFirstSeed(true));
            self.commands.push(ObjectCommand::AddHave(1..start));
        } else {
            self.commands.push(ObjectCommand::AddHave(0..start));
            self.commands.extend(held.iter().map(|r| ObjectCommand::AddHave(start + r.start..start + r.end)));
        }
        self.commands.push(ObjectCommand::AddWant(start..set.object_count()));
        let bytes = |data: u64| set.data_length(data).unwrap_or(0);
        let held_bytes = held.into_iter().flatten().map(bytes).sum();
        let (name, total_bytes) = (Some(set.descriptor().name.clone()), set.content_bytes());
        self.progress.send_modify(|progress| {
            (progress.name, progress.total_bytes, progress.held_bytes) = (name, total_bytes, held_bytes);
        });
        self.finish_if_whole()
    }

    fn finish_if_whole(&mut self) -> Result<(), Ended> {
        let (Some(set), Some(store)) = (self.assembly.set(), &mut self.store) else { return Ok(()) };
        let is_whole = store.held().len() == set.descriptor().hashes.len() as u64;
        if is_whole && !self.progress.borrow().is_complete {
            store.finish(set)?;
            self.progress.send_modify(|progress| progress.is_complete = true);
        }
        Ok(())
    }

    fn on(&mut self, event: ObjectEvent) -> Result<(), Ended> {
        match event {
            ObjectEvent::Request { request, index, .. } => self.request(request, index),
            ObjectEvent::Result { index, peer, object } => return self.result(index, peer, object),
            ObjectEvent::Spread => self.spread(),
            ObjectEvent::SendNotify { .. } | ObjectEvent::Failed { .. } => {}
        }
        Ok(())
    }

    /// Everything that was offered so far has left: the pages, then the data. Spec RE-25.
    fn spread(&mut self) {
        let (Some(set), Some(store)) = (self.assembly.set(), &self.store) else { return };
        if std::mem::take(&mut self.is_first) {
            let start = set.data_start();
            let held = store.held().ranges();
            self.commands.extend(held.iter().map(|r| ObjectCommand::AddHave(start + r.start..start + r.end)));
        } else {
            self.progress.send_modify(|progress| progress.is_spread = true);
        }
    }

    fn request(&mut self, request: RequestId, index: u64) {
        let Some(object) = self.object(index) else {
            // What cannot be read is no longer offered.
            self.commands.push(ObjectCommand::Deny(request));
            return self.commands.push(ObjectCommand::RemoveHave(index..index + 1));
        };
        self.progress.send_modify(|progress| progress.given_bytes += object.len() as u64);
        self.commands.push(ObjectCommand::Write { request, object });
    }

    /// An object that is exactly what it must be. Spec RE-23.
    fn object(&mut self, index: u64) -> Option<Bytes> {
        if let Some(head) = self.assembly.head_object(index) {
            return Some(head);
        }
        let (set, store) = (self.assembly.set()?, self.store.as_mut()?);
        let data = index.checked_sub(set.data_start())?;
        let object = store.read(set, data).inspect_err(|error| tracing::warn!(%error, index, "cannot read"));
        object.ok().filter(|object| store.is_trusted() || set.is_data(data, object))
    }

    pub(crate) fn result(&mut self, index: u64, peer: PeerId, object: Bytes) -> Result<(), Ended> {
        let length = object.len() as u64;
        if self.assembly.set().is_none() {
            match self.assembly.take(index, object) {
                Err(Wrong::Bytes) => self.reject(index, peer),
                Err(Wrong::Lies(error)) => return Err(error.into()),
                Ok(Taken::Complete) => return self.known(),
                Ok(Taken::More) => {
                    self.commands.push(ObjectCommand::AddHave(index..index + 1));
                    // The pages are wanted once, when the root tells of them: those that wait here are not to come again.
                    if index == 0 {
                        self.commands.push(ObjectCommand::AddWant(self.assembly.wanted()));
                    }
                }
            }
            return Ok(());
        }
        if self.assembly.head_object(index).is_some_and(|head| head == object) {
            self.commands.push(ObjectCommand::AddHave(index..index + 1));
            return Ok(());
        }
        let (Some(set), Some(store)) = (self.assembly.set(), &mut self.store) else { return Ok(()) };
        let Some(data) = index.checked_sub(set.data_start()).filter(|data| set.is_data(*data, &object))
        else {
            self.reject(index, peer);
            return Ok(());
        };
        store.write(set, data, &object)?;
        self.commands.push(ObjectCommand::AddHave(index..index + 1));
        self.progress.send_modify(|progress| {
            progress.held_bytes += length;
            progress.fetched_bytes += length;
        });
        self.finish_if_whole()
    }

    fn reject(&mut self, index: u64, peer: PeerId) {
        self.progress.send_modify(|progress| progress.rejected += 1);
        self.commands.push(ObjectCommand::Reject { index, peer });
    }
}

fn nothing_more() -> Vec<ObjectCommand> {
    vec![ObjectCommand::RemoveWant(0..MOST_OBJECTS), ObjectCommand::RemoveHave(0..MOST_OBJECTS)]
}
