use bytes::Bytes;
use stratus_core::Rng;
use stratus_node::Config;
use stratus_node::journal::{Header, Recorder, Replay};

use crate::life::{OWN, setup};

/// Of the chance of the member that is replayed.
pub(crate) const SEED: u64 = 50;

pub(crate) fn header() -> Header {
    Header::new(&Config::default(), &setup(OWN), &Rng::from_seed(SEED))
}

/// A journal of any bytes, any steps behind a good beginning, and any one step.
pub(crate) fn journal(data: &[u8]) {
    let begun = Recorder::new(&header(), 1 << 20).take();
    let length = u32::try_from(data.len()).expect("short").to_be_bytes();
    for bytes in [data.to_vec(), [&begun, data].concat(), [&begun, &length[..], data].concat()] {
        if let Ok(mut replay) = Replay::new(Bytes::from(bytes)) {
            while matches!(replay.step(), Ok(Some(_))) {}
        }
    }
}
