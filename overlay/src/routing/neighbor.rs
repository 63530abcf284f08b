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
    /// What it sends over its rates.
    pub(super) excess: Bucket,
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
            excess: Bucket::default(),
        }
    }

    /// Whether it takes parcels for `place` at all. Source: spec RO-1.
    pub(super) fn takes(&self, place: &GroupAddress) -> bool {
        self.mode == ReceiveMode::Nearest || self.address == *place
    }
}
