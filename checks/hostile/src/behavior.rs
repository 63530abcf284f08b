use std::time::Duration;

/// What an attacker does once it is a neighbor like any other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Behavior {
    /// Sends fragments of runs that exist with other bytes.
    ForgeFragments,
    /// Sends manifests with a signature that fails.
    ForgeManifests,
    /// Sends announcements with a signature that fails.
    ForgeAnnouncements,
    /// Sends maps of runs that do not exist, and maps that are no maps.
    ForgeMaps,
    /// Says that it has everything first, takes every child, and sends nothing.
    Starve,
    /// The same, with old fragments now and then so as to look alive.
    StarveAlive,
    /// Sends members' records and offers of the overlay without end.
    FloodGossip,
    /// Asks for everything without end.
    FloodPulls,
    /// Sends maps without end.
    FloodMaps,
    /// Sends interests, push requests and stops (slice masks) without end.
    FloodMasks,
    /// Announces streams of its own, each rightly signed, without end.
    FloodStreams,
    /// Sends the smallest control messages there are.
    FloodPings,
    /// Leaves and comes back as fast as it can.
    FloodResets,
    /// Sends everything again that it heard, as fast as it can.
    Replay,
}

impl Behavior {
    /// Those that are proof by themselves: one such message is enough.
    pub const FORGERIES: [Self; 4] =
        [Self::ForgeFragments, Self::ForgeManifests, Self::ForgeAnnouncements, Self::ForgeMaps];
    /// Those that only take.
    pub const FLOODS: [Self; 8] = [
        Self::FloodGossip,
        Self::FloodPulls,
        Self::FloodMaps,
        Self::FloodMasks,
        Self::FloodStreams,
        Self::FloodPings,
        Self::FloodResets,
        Self::Replay,
    ];

    /// Whether it says that it has everything and takes children.
    pub(crate) fn claims_all(self) -> bool {
        matches!(self, Self::Starve | Self::StarveAlive)
    }

    /// Bytes a second to each victim.
    pub(crate) fn rate(self) -> u64 {
        match self {
            Self::ForgeFragments | Self::ForgeManifests | Self::ForgeAnnouncements | Self::ForgeMaps => {
                100_000
            }
            Self::Starve | Self::FloodResets => 0,
            Self::StarveAlive => 10_000,
            // 100 Mbit/s.
            _ => 12_500_000,
        }
    }

    /// How often it comes back once it was thrown out.
    pub(crate) fn redials_every(self) -> Duration {
        if self == Self::FloodResets { Duration::from_millis(5) } else { Duration::from_millis(500) }
    }
}
