//! The QUIC library's own cryptography, except that what it seals may be exchanged before.

use std::any::Any;
use std::sync::Arc;

use bytes::BytesMut;
use quinn::ConnectError;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::crypto::{
    ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectionId, Side, TransportError};

/// A datagram that begins so is not sent: the bytes behind it take its place in the packet, as frames.
pub(super) const MARK: [u8; 16] = *b"frames, not data";
/// Type of a datagram frame with a length, and of padding.
const DATAGRAM: u8 = 0x31;
const PADDING: u8 = 0;

/// Starts sessions whose packets are exchanged.
pub(super) struct Rude(pub(super) Arc<QuicClientConfig>);

struct RudeSession(Box<dyn Session>);

struct RudeKey(Box<dyn PacketKey>);

impl ClientConfig for Rude {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let session = self.0.clone().start_session(version, server_name, params)?;
        Ok(Box::new(RudeSession(session)))
    }
}

impl Session for RudeSession {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.0.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.0.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.0.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.0.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.0.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.0.read_handshake(buf)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.0.transport_parameters()
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let keys = self.0.write_handshake(buf)?;
        let packet = KeyPair { local: rude(keys.packet.local), remote: keys.packet.remote };
        Some(Keys { header: keys.header, packet })
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        let keys = self.0.next_1rtt_keys()?;
        Some(KeyPair { local: rude(keys.local), remote: keys.remote })
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.0.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.0.export_keying_material(output, label, context)
    }
}

fn rude(key: Box<dyn PacketKey>) -> Box<dyn PacketKey> {
    Box::new(RudeKey(key))
}

impl PacketKey for RudeKey {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        let end = buf.len() - self.0.tag_len();
        unwrap_frames(&mut buf[header_len..end]);
        self.0.encrypt(packet, buf, header_len);
    }

    fn decrypt(&self, packet: u64, header: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        self.0.decrypt(packet, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.0.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.0.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.0.integrity_limit()
    }
}

/// Makes padding of the head and the mark of each marked datagram, so that what follows is read as frames.
fn unwrap_frames(payload: &mut [u8]) {
    let mut from = 0;
    while let Some(found) = payload[from..].windows(MARK.len()).position(|window| window == MARK) {
        let at = from + found;
        from = at + MARK.len();
        // Its length takes two bytes, since it is 64 or more.
        if at >= 3 && payload[at - 3] == DATAGRAM {
            payload[at - 3..from].fill(PADDING);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_datagram_becomes_its_frames_and_others_stay() {
        let frames = [&[1][..], &[7; 63]].concat();
        let marked = [&[DATAGRAM, 0x40, 80][..], &MARK, &frames].concat();
        let plain = [DATAGRAM, 0x40, 3, 1, 2, 3];
        let mut payload = [&plain[..], &marked, &plain].concat();
        unwrap_frames(&mut payload);
        assert_eq!(payload, [&plain[..], &[0; 19], &frames, &plain].concat());
    }
}
