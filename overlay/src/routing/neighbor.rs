use std::time::Duration;

use stratus_core::{Bucket, GroupAddress, Time};

use super::api::ReceiveMode;

/// A neighbor, as far as routing is concerned.
#[derive(Clone, Debug)]
pub(super) struct Neighbor {
    pub(super) address: GroupAddress,
    /// For which places it says to take parcels.
    pub(super) mode: ReceiveMode,
    /// Until when nothing should be given to it to pass on, because its link is likely to end.
    pub(super) avoided_until: Time,
    /// Parcels that it sends.
    pub(super) parcels: Bucket,
    /// Parcels that it is sent.
    pub(super) parcels_sent: Bucket,
    /// Questions that it asks.
    pub(super) questions: Bucket,
    /// Questions that it is asked.
    pub(super) questions_sent: Bucket,
    /// KiB of values that it brings, is given when it asks, and is asked to keep.
    pub(super) brought: Bucket,
    pub(super) given: Bucket,
    pub(super) handed: Bucket,
    /// What it sends over its rates.
    pub(super) excess: Bucket,
    /// How far away it is, as far as is known.
    pub(super) rtt: Option<Duration>,
}

impl Neighbor {
    pub(super) fn new(address: GroupAddress) -> Self {
        Self {
            address,
            mode: ReceiveMode::Exact,
            avoided_until: Time::ZERO,
            parcels: Bucket::default(),
            parcels_sent: Bucket::default(),
            questions: Bucket::default(),
            questions_sent: Bucket::default(),
            brought: Bucket::default(),
            given: Bucket::default(),
            handed: Bucket::default(),
            excess: Bucket::default(),
            rtt: None,
        }
    }

    /// Whether it takes parcels for `place` at all. Source: spec RO-1.
    pub(super) fn takes(&self, place: &GroupAddress) -> bool {
        self.mode == ReceiveMode::Nearest || self.address == *place
    }
}
