use std::time::Duration;

use stratus_core::Rate;

use crate::message::MOST_IDS;

/// Which wanted object is asked for first.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Strategy {
    /// In order of their numbers: for what is used while it comes.
    LowestFirst,
    /// What the fewest neighbors have, chance among equals: for the quickest spread through a group.
    #[default]
    RarestFirst,
}

/// Settings of the replication layer. `Default` is what the project recommends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Uploads at once: requests taken and not yet answered to the end. The next one is refused at once. More
    /// serves more neighbors slowly, less sends askers elsewhere. Default 20 (feature row IB-8).
    pub max_uploads: usize,
    /// Requests of one neighbor among them. Default 16.
    pub max_uploads_per_neighbor: usize,
    /// Our own requests at once. More fills longer paths and takes more memory, 64 KiB each. Default 64.
    pub max_requests: usize,
    /// Our own requests at one neighbor. Default 16.
    pub max_requests_per_neighbor: usize,
    /// Runs and words of what one neighbor says it has; what is over is not believed. Default 4,096: 262,144
    /// objects in disorder, 100 KB.
    pub max_pieces: usize,
    /// Objects arrive to be told to others at most this often. Less spreads news sooner and costs messages.
    /// Default 100 ms; the first after a pause is told at once.
    pub news_interval: Duration,
    /// Longest that a neighbor may take to answer a request. Default 8 s.
    pub request_timeout: Duration,
    /// How long a neighbor that is busy is left alone. Default 100 ms.
    pub busy_pause: Duration,
    /// How long an upload may wait: for the application, or for word that it came. Default 30 s.
    pub upload_timeout: Duration,
    /// Whether several objects are asked of one neighbor at a time, and told of together, where 80 and more come in a second:
    /// half the processor time where nothing but that is scarce, a twentieth more time where uplinks are. Default yes; a
    /// host with an upload budget says no.
    pub asks_together: bool,
    /// How often a neighbor may say what it has. Default 200, then 50 a second; honest ones say it 10 times.
    pub news: Rate,
    /// How often a neighbor may ask, cancel or deny. Default 2,000, then 20,000 a second.
    pub control: Rate,
}

stratus_core::wire_settings!(Config {
    max_uploads,
    max_uploads_per_neighbor,
    max_requests,
    max_requests_per_neighbor,
    max_pieces,
    news_interval,
    request_timeout,
    busy_pause,
    upload_timeout,
    asks_together,
    news,
    control,
});

impl Default for Config {
    fn default() -> Self {
        Self {
            max_uploads: 20,
            max_uploads_per_neighbor: 16,
            max_requests: 64,
            max_requests_per_neighbor: 16,
            max_pieces: 4_096,
            news_interval: Duration::from_millis(100),
            request_timeout: Duration::from_secs(8),
            busy_pause: Duration::from_millis(100),
            upload_timeout: Duration::from_secs(30),
            asks_together: true,
            news: Rate { burst: 200, per_second: 50 },
            control: Rate { burst: 2_000, per_second: 20_000 },
        }
    }
}

impl Config {
    /// Says in words what cannot work.
    pub fn validate(&self) -> Result<(), String> {
        let rules = [
            ((1..=255).contains(&self.max_uploads), "max_uploads must be 1 to 255"),
            (self.max_uploads_per_neighbor > 0, "max_uploads_per_neighbor must be at least 1"),
            (self.max_requests > 0, "max_requests must be at least 1"),
            (
                (1..=MOST_IDS).contains(&self.max_requests_per_neighbor),
                "max_requests_per_neighbor must be 1 to 64",
            ),
            (self.max_pieces > 0, "max_pieces must be at least 1"),
            (self.news_interval >= Duration::from_millis(10), "news_interval must be at least 10ms"),
            (self.request_timeout >= Duration::from_secs(1), "request_timeout must be at least 1s"),
            (self.busy_pause >= Duration::from_millis(1), "busy_pause must be at least 1ms"),
            (self.upload_timeout >= Duration::from_secs(1), "upload_timeout must be at least 1s"),
            (self.news.is_valid(), "news must be a rate that can be kept"),
            (self.control.is_valid(), "control must be a rate that can be kept"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err((*rule).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use stratus_core::Wire;

    use super::*;

    #[test]
    fn the_defaults_are_valid_and_what_cannot_work_is_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let config = Config { max_uploads: 0, ..Config::default() };
        assert_eq!(config.validate(), Err("max_uploads must be 1 to 255".to_owned()));
        let config = Config { max_requests_per_neighbor: 65, ..Config::default() };
        assert!(config.validate().is_err());
    }

    #[test]
    fn settings_read_back() {
        let config = Config { max_uploads: 7, max_requests: 50, ..Config::default() };
        assert_eq!(Config::from_bytes(config.to_bytes()), Ok(config));
    }
}
