//! The testing kit: a made-up network for any machine, and the laws that every layer keeps.
//!
//! Compiled into the crate, since other crates' tests use it; nothing outside tests may.

use std::fmt::Debug;

use bytes::Bytes;

use crate::{Identity, Input, Machine, Output, PeerId, Wire};

pub mod laws;
mod net;

pub use net::{Fate, Net, NetConfig, Passing, Traffic};

/// Any machine with the usual inputs and outputs; every such machine is one.
pub trait Layer:
    Machine<
        Input = Input<<Self as Layer>::Message, <Self as Layer>::Command>,
        Output = Output<<Self as Layer>::Message, <Self as Layer>::Event>,
    >
{
    /// What it says to neighbors.
    type Message: Wire + Clone + Debug;
    /// What its owner tells it.
    type Command;
    /// What it tells its owner.
    type Event: Debug;
}

impl<M, Msg, Cmd, Ev> Layer for M
where
    M: Machine<Input = Input<Msg, Cmd>, Output = Output<Msg, Ev>>,
    Msg: Wire + Clone + Debug,
    Ev: Debug,
{
    type Message = Msg;
    type Command = Cmd;
    type Event = Ev;
}

/// The key pair of test peer `number`: the same in every run.
pub fn identity(number: u64) -> Identity {
    Identity::from_seed(blake3::derive_key("stratus 1 test identity", &number.to_be_bytes()))
}

/// The id of test peer `number`.
pub fn peer(number: u64) -> PeerId {
    identity(number).peer()
}

/// `text` without the blank first and last line and without indentation, to write expected traces in place.
pub fn lines(text: &str) -> String {
    text.trim().lines().map(|line| format!("{}\n", line.trim())).collect()
}

/// Decodes what was sent, and checks that it has one form only.
fn read_back<Msg: Wire + Debug>(bytes: &Bytes) -> Result<Msg, String> {
    let message = Msg::from_bytes(bytes.clone())
        .map_err(|error| format!("a message does not read back: {error}: {bytes:02x?}"))?;
    let again = message.to_bytes();
    if again == bytes { Ok(message) } else { Err(format!("encoding again gives other bytes: {message:?}")) }
}

#[cfg(test)]
mod toy;
