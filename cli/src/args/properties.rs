use std::time::Duration;

use clap::Args;
use stratus::{ConfigError, MulticastConfig, Overrides};

/// RTMFP's multicast properties, and how long a publisher may be gone.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Properties {
    /// multicastWindowDuration: how long a piece is worth repairing; more survives more loss and stalls longer [8s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) window: Option<Duration>,
    /// multicastRelayMarginDuration: how much longer a piece stays to be passed on; more takes memory [2s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) relay_margin: Option<Duration>,
    /// multicastPushNeighborLimit: most neighbors to push one slice to; more shortens the way and loads the uplink [4]
    #[arg(long, value_name = "N")]
    pub(crate) push_neighbors: Option<usize>,
    /// multicastAvailabilityUpdatePeriod: between two maps; less repairs sooner and costs bytes [100ms]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) availability_period: Option<Duration>,
    /// multicastAvailabilitySendToAll: each map to all neighbors, not to one in turn; costs bytes [false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) availability_to_all: Option<bool>,
    /// multicastFetchPeriod: how long push has before a piece is asked for; less brings duplicates [150ms]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) fetch_period: Option<Duration>,
}

impl Properties {
    /// What differs from what the publisher announced, or from our settings.
    pub(crate) fn overrides(&self) -> Result<Overrides, ConfigError> {
        let overrides = Overrides {
            window_duration: self.window,
            relay_margin_duration: self.relay_margin,
            availability_update_period: self.availability_period,
            availability_send_to_all: self.availability_to_all,
            fetch_period: self.fetch_period,
            push_neighbor_limit: self.push_neighbors,
            publisher_timeout: None,
        };
        overrides.validate().map(|()| overrides)
    }

    /// The settings of a publisher, which travel with its stream.
    pub(crate) fn config(&self) -> Result<MulticastConfig, ConfigError> {
        let wished = self.overrides()?;
        let default = MulticastConfig::default();
        let config = MulticastConfig {
            window_duration: wished.window_duration.unwrap_or(default.window_duration),
            relay_margin_duration: wished.relay_margin_duration.unwrap_or(default.relay_margin_duration),
            availability_update_period: wished
                .availability_update_period
                .unwrap_or(default.availability_update_period),
            availability_send_to_all: self.availability_to_all.unwrap_or(default.availability_send_to_all),
            fetch_period: wished.fetch_period.unwrap_or(default.fetch_period),
            push_neighbor_limit: wished.push_neighbor_limit.unwrap_or(default.push_neighbor_limit),
            strong_push_neighbor_limit: wished
                .push_neighbor_limit
                .unwrap_or(default.strong_push_neighbor_limit),
            ..default
        };
        config.validate().map(|()| config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_told_by_the_name_of_the_property() {
        let wide = Properties { window: Some(Duration::from_secs(31)), ..Properties::default() };
        let error = wide.overrides().unwrap_err().to_string();
        assert_eq!(error, "multicast setting multicastWindowDuration must be 250ms to 30s");
        let late = Properties { fetch_period: Some(Duration::from_secs(9)), ..Properties::default() };
        let error = late.config().unwrap_err().to_string();
        assert_eq!(error, "multicast setting multicastFetchPeriod must be below multicastWindowDuration");
        let some =
            Properties { push_neighbors: Some(3), availability_to_all: Some(true), ..Properties::default() };
        assert_eq!(some.overrides().unwrap().push_neighbor_limit, Some(3));
        assert!(some.config().unwrap().availability_send_to_all);
    }
}
