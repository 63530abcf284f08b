use bytes::Bytes;
use stratus_core::{Cx, Deadline, Input, Machine, Output, PeerId};
use stratus_replication::{Command, Config, Event, Message, Replication};

/// A member with an application that has what it says and keeps what comes.
pub(crate) struct Peer {
    pub(crate) machine: Replication,
    /// Every object's bytes; nobody looks at them.
    object: Bytes,
}

/// What the world tells a member.
pub(crate) enum Order {
    Dial(PeerId),
    Tell(Command),
    Nothing,
}

type Outputs = Vec<Output<Message, Event>>;

impl Peer {
    pub(crate) fn new(object_bytes: usize) -> Self {
        Self {
            machine: Replication::new(Config { asks_together: false, ..Config::default() }),
            object: vec![0; object_bytes].into(),
        }
    }

    /// The application answers at once; its answers may lead to more.
    fn answer(&mut self, cx: &mut Cx<'_>, mut asked: Outputs, out: &mut Outputs) {
        while !asked.is_empty() {
            let mut next = Vec::new();
            for output in asked {
                let command = match &output {
                    Output::Event(Event::Request { request, .. }) => {
                        Some(Command::Write { request: *request, object: self.object.clone() })
                    }
                    Output::Event(Event::Result { index, .. }) => Some(Command::AddHave(*index..*index + 1)),
                    _ => None,
                };
                out.push(output);
                if let Some(command) = command {
                    self.machine.handle(cx, Input::Command(command), &mut next);
                }
            }
            asked = next;
        }
    }
}

impl Machine for Peer {
    type Input = Input<Message, Order>;
    type Output = Output<Message, Event>;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Self::Input, out: &mut Outputs) {
        let input = match input {
            Input::Connected(peer) => Input::Connected(peer),
            Input::Disconnected(peer) => Input::Disconnected(peer),
            Input::Received { from, message } => Input::Received { from, message },
            Input::Command(Order::Tell(command)) => Input::Command(command),
            Input::Command(Order::Dial(peer)) => return out.push(Output::Connect(peer)),
            Input::Command(Order::Nothing) => return,
        };
        let mut asked = Vec::new();
        self.machine.handle(cx, input, &mut asked);
        self.answer(cx, asked, out);
    }

    fn wake(&mut self, cx: &mut Cx<'_>, out: &mut Outputs) {
        let mut asked = Vec::new();
        self.machine.wake(cx, &mut asked);
        self.answer(cx, asked, out);
    }

    fn deadline(&self) -> Option<Deadline> {
        self.machine.deadline()
    }
}
