use bytes::Bytes;
use stratus_core::testing::identity;
use stratus_core::{GroupId, RingKey, Rng};
use stratus_node::journal::{Header, Recorder, Replay};
use stratus_node::{Config, Setup};

/// A journal of any bytes, any steps behind a good beginning, and any one step.
pub(crate) fn journal(data: &[u8]) {
    let (group, ring) = (GroupId::from_bytes([9; 32]), RingKey::new([3; 32]));
    let setup = Setup { identity: identity(1), group, ring, publish_authority: None };
    let header = Header::new(&Config::default(), &setup, &Rng::from_seed(50));
    let begun = Recorder::new(&header, 1 << 20).take();
    let length = u32::try_from(data.len()).expect("short").to_be_bytes();
    for bytes in [data.to_vec(), [&begun, data].concat(), [&begun, &length[..], data].concat()] {
        if let Ok(mut replay) = Replay::new(Bytes::from(bytes)) {
            while matches!(replay.step(), Ok(Some(_))) {}
        }
    }
}
