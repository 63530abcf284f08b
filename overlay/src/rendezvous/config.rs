use std::time::Duration;

use super::{MAX_NAMED, Rate};

/// What a [`Registry`](super::Registry) hands out and what it puts up with. Source: spec RV-5 … RV-12, RV-16.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// How often members are told to refresh. Shorter notices dead ones sooner and costs a frame a member each
    /// time. Default 60 s: two may be lost before `expires_after`.
    pub refresh_every: Duration,
    /// After how long without refresh a registration is gone. Longer names dead members to newcomers for
    /// longer. Default 150 s (MonaServer2 purges after 120 s, ArcusNode after 360 s).
    pub expires_after: Duration,
    /// How long a connection may stay without any registration. Longer lets strangers hold places. Default
    /// 10 s: a registration takes one round trip.
    pub idle_after: Duration,
    /// Ring neighbors named on each side. Default 3, as MonaServer2 and as the best list wants.
    pub ring_neighbors: usize,
    /// Members named by chance. Fewer let an attacker with a third of all members surround a newcomer; each
    /// costs up to 531 bytes a welcome. Default 20, from a model with 30 % hostile members.
    pub random_members: usize,
    /// Most connections. Each costs about 200 bytes here and far more in the transport. Default 16,384.
    pub connections: usize,
    /// Most groups. Default 10,000; a group without members takes no place.
    pub groups: usize,
    /// Most members of one group. Default 20,000: twice the group this is built for.
    pub members_per_group: usize,
    /// Most registrations in all, at up to 1 KiB each. Default 65,536, so 64 MiB.
    pub members: usize,
    /// Most groups that one connection may register in. Default 16.
    pub groups_per_connection: usize,
    /// Most registrations from one /24 (or /56 of IPv6). One office or carrier NAT shares it. Default 1,000.
    pub members_per_network: usize,
    /// Frames taken from one connection, of whatever kind. Default 64 at once, then 16 a second.
    pub frames: Rate,
    /// Registrations taken from one connection: each costs two signature checks (70 µs) and a welcome of up to
    /// 14 kB. Default 32 at once (16 groups, each registered again once the observed address is known), then
    /// 1 a second.
    pub registrations: Rate,
    /// Introductions one member may ask for. Default 48 at once (more than a welcome names), then 4 a second.
    pub introductions: Rate,
    /// Frames taken from one network, all its connections together. A network shares an address, an office or a
    /// carrier's NAT; more lets one of them take more of the server. Default 4,096 at once, then 512 a second: 1,000
    /// members that come back together, and refresh, are 17 a second.
    pub network_frames: Rate,
    /// Registrations taken from one network. Default 1,024 at once, then 64 a second.
    pub network_registrations: Rate,
    /// Introductions that one network may ask for. Default 512 at once, then 64 a second.
    pub network_introductions: Rate,
    /// Requests over a rate, or unsigned ones, after which a connection is closed. Default 32.
    pub strikes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            refresh_every: Duration::from_secs(60),
            expires_after: Duration::from_secs(150),
            idle_after: Duration::from_secs(10),
            ring_neighbors: 3,
            random_members: 20,
            connections: 16_384,
            groups: 10_000,
            members_per_group: 20_000,
            members: 65_536,
            groups_per_connection: 16,
            members_per_network: 1_000,
            frames: Rate { burst: 64, per_second: 16 },
            registrations: Rate { burst: 32, per_second: 1 },
            introductions: Rate { burst: 48, per_second: 4 },
            network_frames: Rate { burst: 4_096, per_second: 512 },
            network_registrations: Rate { burst: 1_024, per_second: 64 },
            network_introductions: Rate { burst: 512, per_second: 64 },
            strikes: 32,
        }
    }
}

impl Config {
    /// Says what cannot work, in words that name the field.
    pub fn validate(&self) -> Result<(), &'static str> {
        let day = Duration::from_secs(86_400);
        let named = self.ring_neighbors.saturating_mul(2).saturating_add(self.random_members);
        let rates = [self.frames, self.registrations, self.introductions];
        let network_rates = [self.network_frames, self.network_registrations, self.network_introductions];
        let rules = [
            (self.refresh_every >= Duration::from_secs(1), "refresh_every must be at least 1 s"),
            (self.expires_after > self.refresh_every, "expires_after must be longer than refresh_every"),
            (self.expires_after <= day, "expires_after must be at most a day"),
            (self.idle_after >= Duration::from_millis(100), "idle_after must be at least 100 ms"),
            ((1..=MAX_NAMED).contains(&named), "2 × ring_neighbors + random_members must lie in 1 … 64"),
            (self.connections > 0 && self.groups > 0 && self.members > 0, "limits must be at least 1"),
            (self.members_per_group > 0 && self.groups_per_connection > 0, "limits must be at least 1"),
            (self.members_per_network > 0 && self.strikes > 0, "limits must be at least 1"),
            (
                rates.into_iter().chain(network_rates).all(Rate::is_valid),
                "rates must be at least 1 at once and 1 a second",
            ),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, broken)| Err(broken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid_and_each_broken_rule_is_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let hasty = Config { refresh_every: Duration::ZERO, ..Config::default() };
        assert_eq!(hasty.validate(), Err("refresh_every must be at least 1 s"));
        let forgetful = Config { expires_after: Duration::from_secs(60), ..Config::default() };
        assert_eq!(forgetful.validate(), Err("expires_after must be longer than refresh_every"));
        let chatty = Config { random_members: 59, ..Config::default() };
        assert_eq!(chatty.validate(), Err("2 × ring_neighbors + random_members must lie in 1 … 64"));
        let mute = Config { frames: Rate { burst: 0, per_second: 1 }, ..Config::default() };
        assert_eq!(mute.validate(), Err("rates must be at least 1 at once and 1 a second"));
    }
}
