//! MPEG transport streams: found in bytes, cut into messages, and put together again for a viewer.
//!
//! Packets pass through as they are; nothing is decoded or multiplexed anew.

mod chunker;
mod continuity;
mod joiner;
mod pace;
mod packet;
mod reader;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use chunker::{Chunker, Content, FRAGMENT_PACKETS, Piece};
pub(crate) use continuity::Continuity;
pub(crate) use joiner::Joiner;
pub(crate) use pace::Pacer;
pub(crate) use packet::{PACKET_SIZE, Packet, SYNC_BYTE};
pub(crate) use reader::{NotTransportStream, PacketReader};
