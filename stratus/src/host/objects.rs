use stratus_node::{Command, Input};
use stratus_replication::{self as replication, RequestId};
use tokio::sync::mpsc;

use super::Host;
use crate::event::Event;
use crate::objects::{ObjectEvent, ObjectsInfo, RESERVED};

/// Who is the store of this group.
#[derive(Default)]
pub(super) struct Outlet {
    sender: Option<mpsc::Sender<ObjectEvent>>,
    /// Requests that nobody can answer.
    unanswered: Vec<RequestId>,
}

impl Outlet {
    /// Gives way to whoever opens it last.
    pub(super) fn open(&mut self, sender: mpsc::Sender<ObjectEvent>) {
        self.sender = Some(sender);
    }

    fn put(&mut self, event: ObjectEvent) {
        let request = match &event {
            ObjectEvent::Request { request, .. } => Some(*request),
            _ => None,
        };
        let is_notice = matches!(event, ObjectEvent::SendNotify { .. } | ObjectEvent::Failed { .. });
        let is_put = match &self.sender {
            Some(sender) if is_notice && sender.capacity() < RESERVED => return,
            Some(sender) => sender.try_send(event).is_ok(),
            None => false,
        };
        self.unanswered.extend(request.filter(|_| !is_put));
    }
}

impl Host {
    pub(super) fn replication(&mut self, command: replication::Command) {
        self.drive(Input::Command(Command::Replication(command)));
    }

    pub(super) fn replication_event(&mut self, event: replication::Event) {
        use replication::Event as E;
        self.objects.put(match event {
            E::SendNotify { index } => ObjectEvent::SendNotify { index },
            E::Failed { index } => ObjectEvent::Failed { index },
            E::Result { index, peer, object } => ObjectEvent::Result { index, peer, object },
            E::Request { request, index, peer } => ObjectEvent::Request { request, index, peer },
            E::Spread => ObjectEvent::Spread,
            E::Misbehaved { peer, what } => return self.tell(Event::Misbehaved { peer, what }),
        });
    }

    /// Denies what nobody can answer; false if there is nothing.
    pub(super) fn deny_unanswered(&mut self) -> bool {
        let unanswered = std::mem::take(&mut self.objects.unanswered);
        let is_any = !unanswered.is_empty();
        unanswered.into_iter().for_each(|request| self.replication(replication::Command::Deny(request)));
        is_any
    }

    pub(super) fn objects_info(&self) -> Option<ObjectsInfo> {
        let machine = self.node.replication()?;
        Some(ObjectsInfo {
            stats: machine.stats(),
            exchanges: machine.exchanges(),
            have: machine.have().clone(),
            want: machine.want().clone(),
        })
    }
}
