//! Members that break every rule, and what they cost honest ones.
//!
//! Nouns: [`Attacker`] (a member with a valid groupspec that speaks the wire protocol and nothing of the honest
//! machines), [`Behavior`] (what it does to whom), [`Report`] (how long it was borne), [`Load`] (a stream whose
//! every byte can be checked), [`Rudeness`] (floods below our messages, in frames of QUIC), [`Witness`] (an honest member in a process of its own).
//!
//! It attacks loopback addresses only, for a stated time, with a stated number of bytes.

mod attacker;
mod behavior;
mod craft;
mod load;
mod rude;
mod stranger;
mod witness;

pub use attacker::{Attacker, Report};
pub use behavior::Behavior;
pub use load::{Judge, Load};
pub use rude::{Bombardment, Rudeness, bombard};
pub use stranger::throw_garbage;
pub use witness::{Costs, Witness, blamed, witness};
