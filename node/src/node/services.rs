//! The layers that a group may have or not: a member of one that has them not pays an empty `Option` for each.

use stratus_core::{Cx, Deadline, Machine, PeerId};
use stratus_posting::{self as posting, Posting};

use super::{Command, Event, Node, Output, overlay};
use crate::message::Message;

/// Posting, and what it asked for and nobody has looked at yet.
pub(super) struct Posts {
    pub(super) machine: Posting,
    asked: Vec<posting::Output>,
}

impl Posts {
    pub(super) fn new(config: posting::Config, setup: posting::Setup) -> Box<Self> {
        Box::new(Self { machine: Posting::new(config, setup), asked: Vec::new() })
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.machine.deadline()
    }

    pub(super) fn wake(&mut self, cx: &mut Cx<'_>) {
        self.machine.wake(cx, &mut self.asked);
    }

    /// Whether it asks for nothing more.
    pub(super) fn is_settled(&self) -> bool {
        self.asked.is_empty()
    }
}

impl Node {
    /// Posting, if the group has it.
    pub fn posting(&self) -> Option<&Posting> {
        self.posts.as_ref().map(|posts| &posts.machine)
    }

    pub(super) fn tell_posting(&mut self, cx: &mut Cx<'_>, input: posting::Input) {
        if let Some(posts) = &mut self.posts {
            posts.machine.handle(cx, input, &mut posts.asked);
        }
    }

    /// A neighbor speaks of posts. Where there are none to be, it does not keep to the groupspec.
    pub(super) fn hear_posting(
        &mut self,
        cx: &mut Cx<'_>,
        from: PeerId,
        message: posting::Message,
        out: &mut Vec<Output>,
    ) {
        if self.posts.is_some() {
            return self.tell_posting(cx, posting::Input::Received { from, message });
        }
        self.ban(cx, from);
        let what = "spoke of posts in a group without posting";
        out.push(Output::Event(Event::Overlay(overlay::Event::Misbehaved { peer: from, what })));
    }

    /// The owner asks for something that the group may not have.
    pub(super) fn command_posting(
        &mut self,
        cx: &mut Cx<'_>,
        command: posting::Command,
        out: &mut Vec<Output>,
    ) {
        match command {
            posting::Command::Post(draft) if self.posts.is_none() => {
                let (token, why) = (draft.token, posting::PostError::NotAuthorized);
                out.push(Output::Event(Event::Posting(posting::Event::PostFailed { token, why })));
            }
            command => self.tell_posting(cx, posting::Input::Command(command)),
        }
    }

    /// Carries what posting asked for to where it belongs.
    pub(super) fn settle_posting(&mut self, cx: &mut Cx<'_>, out: &mut Vec<Output>) {
        let Some(posts) = &mut self.posts else { return };
        let mut asked = std::mem::take(&mut posts.asked);
        for output in asked.drain(..) {
            self.route_posting(cx, output, out);
        }
        if let Some(posts) = self.posts.as_mut().filter(|posts| posts.asked.is_empty()) {
            posts.asked = asked;
        }
    }

    fn route_posting(&mut self, cx: &mut Cx<'_>, output: posting::Output, out: &mut Vec<Output>) {
        match output {
            posting::Output::Send { to, message, how } => {
                out.push(Output::Send { to, message: Message::Posting(message), how });
            }
            posting::Output::Event(event) => {
                if let posting::Event::Misbehaved { peer, .. } = &event {
                    self.ban(cx, *peer);
                }
                out.push(Output::Event(Event::Posting(event)));
            }
            posting::Output::Connect(_) | posting::Output::Disconnect(_) => {
                unreachable!("posting uses the links that there are")
            }
        }
    }
}

impl From<posting::Command> for Command {
    fn from(command: posting::Command) -> Self {
        Self::Posting(command)
    }
}
