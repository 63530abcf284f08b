use bytes::{BufMut as _, Bytes, BytesMut};
use quinn::Connection;

use super::assembly::{self, Assembly};
use super::manifest::{Checker, Signer};
use crate::bench::load::{FRAGMENT_SIZE, index_of};
use crate::bench::stage::{Arrival, Log, Source};

/// First byte of a datagram that is a whole message.
const WHOLE: u8 = 0;
/// First byte of a datagram with a manifest.
const MANIFEST: u8 = 1;
/// First byte of a datagram with a part of a message.
const PART: u8 = 2;

/// Sends each message to everybody as soon as it is there, one viewer after another.
pub(crate) async fn publish(connections: &[Connection], mut signer: Option<Signer>, mut source: Source) {
    while let Some((stamp, payload)) = source.next().await {
        let mut datagrams = Vec::new();
        for datagram in cut(stamp.index as u32, &payload) {
            let signer = signer.as_mut();
            let manifest = signer.and_then(|signer| signer.add(&datagram, stamp.entered_at));
            datagrams.push(datagram);
            datagrams.extend(manifest.map(|manifest| tagged(MANIFEST, &manifest)));
        }
        send(connections, &datagrams);
    }
    if let Some(manifest) = signer.as_mut().and_then(Signer::finish) {
        send(connections, &[tagged(MANIFEST, &manifest)]);
    }
}

fn send(connections: &[Connection], datagrams: &[Bytes]) {
    for connection in connections {
        for datagram in datagrams {
            // Whoever has gone misses what follows, which its log will show.
            let _ = connection.send_datagram(datagram.clone());
        }
    }
}

/// The datagrams of one message.
fn cut(message: u32, payload: &Bytes) -> Vec<Bytes> {
    if payload.len() <= FRAGMENT_SIZE {
        return vec![tagged(WHOLE, payload)];
    }
    let parts = payload.chunks(FRAGMENT_SIZE);
    let count = parts.len() as u16;
    let datagram = |(position, part): (u16, &[u8])| {
        let mut datagram = BytesMut::with_capacity(16 + part.len());
        datagram.put_u8(PART);
        assembly::put_header(&mut datagram, message, position, count);
        datagram.put_slice(part);
        datagram.freeze()
    };
    (0..).zip(parts).map(datagram).collect()
}

fn tagged(tag: u8, body: &[u8]) -> Bytes {
    let mut datagram = BytesMut::with_capacity(1 + body.len());
    datagram.put_u8(tag);
    datagram.put_slice(body);
    datagram.freeze()
}

/// One viewer, until the publisher closes.
pub(crate) async fn view(connection: &Connection, log: Log, checker: Option<Checker>) -> Vec<Arrival> {
    let mut viewer = Viewer { log, checker, assembly: Assembly::default() };
    while let Ok(datagram) = connection.read_datagram().await {
        viewer.take(&datagram);
    }
    viewer.log.finish()
}

struct Viewer {
    log: Log,
    checker: Option<Checker>,
    assembly: Assembly,
}

impl Viewer {
    fn take(&mut self, datagram: &Bytes) {
        let (Some(tag), Some(checker)) = (datagram.first(), &mut self.checker) else {
            return self.believe(datagram);
        };
        let body = datagram.slice(1..);
        let number = match *tag {
            WHOLE => index_of(&body),
            PART => assembly::number(&body),
            MANIFEST => {
                let vouched = checker.release(&body);
                vouched.iter().for_each(|datagram| self.believe(datagram));
                return;
            }
            _ => None,
        };
        if let Some(number) = number {
            checker.hold(number, datagram.clone());
        }
    }

    fn believe(&mut self, datagram: &Bytes) {
        match datagram.first() {
            Some(&WHOLE) => self.log.note(&datagram[1..]),
            Some(&PART) => {
                if let Some(message) = self.assembly.add(&datagram.slice(1..)) {
                    self.log.note(&message);
                }
            }
            _ => {}
        }
    }
}
