use std::time::Duration;

use stratus_core::{DecodeError, Reader, Wire, Writer};

use crate::{Config, ConfigError, Kind, Parameters};

/// The multicast properties of RTMFP's `NetStream` as they hold for one stream at one member (spec MC-18).
///
/// | property | from | price of more |
/// |---|---|---|
/// | `multicastWindowDuration` | announcement, or here | repairs more loss; longer stalls after loss, more memory |
/// | `multicastRelayMarginDuration` | here | fewer late requests refused; memory |
/// | `multicastAvailabilityUpdatePeriod` | announcement, or here | fewer bytes; repairs and newcomers start later |
/// | `multicastAvailabilitySendToAll` | announcement, or here | on: holders are known sooner; bytes grow with neighbors |
/// | `multicastFetchPeriod` | announcement, or here | fewer duplicates; repairs start later |
/// | `multicastPushNeighborLimit` | here | shorter trees; more upload |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Properties {
    /// See [`Config::window_duration`].
    pub window_duration: Duration,
    /// See [`Config::relay_margin_duration`].
    pub relay_margin_duration: Duration,
    /// See [`Config::availability_update_period`].
    pub availability_update_period: Duration,
    /// See [`Config::availability_send_to_all`].
    pub availability_send_to_all: bool,
    /// See [`Config::fetch_period`].
    pub fetch_period: Duration,
    /// See [`Config::push_neighbor_limit`].
    pub push_neighbor_limit: usize,
    /// See [`Config::publisher_timeout`].
    pub publisher_timeout: Duration,
}

/// A member's own wishes for one stream; `None`: as announced, or as the member's settings say.
///
/// They hold for the stream that is played: after `NetStream.MulticastStream.Reset` they are gone, as in Flash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Overrides {
    /// See [`Config::window_duration`].
    pub window_duration: Option<Duration>,
    /// See [`Config::relay_margin_duration`].
    pub relay_margin_duration: Option<Duration>,
    /// See [`Config::availability_update_period`].
    pub availability_update_period: Option<Duration>,
    /// See [`Config::availability_send_to_all`].
    pub availability_send_to_all: Option<bool>,
    /// See [`Config::fetch_period`].
    pub fetch_period: Option<Duration>,
    /// See [`Config::push_neighbor_limit`].
    pub push_neighbor_limit: Option<usize>,
    /// See [`Config::publisher_timeout`].
    pub publisher_timeout: Option<Duration>,
}

stratus_core::wire_settings!(Overrides {
    window_duration,
    relay_margin_duration,
    availability_update_period,
    availability_send_to_all,
    fetch_period,
    push_neighbor_limit,
    publisher_timeout,
});

impl Properties {
    /// What holds: the member's wish, else the publisher's, else the member's settings.
    ///
    /// A fetch period that is no shorter than the window could never fetch; half the window counts then.
    pub fn of(parameters: &Parameters, config: &Config, wishes: &Overrides) -> Self {
        let window_duration = wishes.window_duration.unwrap_or(parameters.window_duration);
        let fetch_period = wishes.fetch_period.unwrap_or(parameters.fetch_period);
        Self {
            window_duration,
            relay_margin_duration: wishes.relay_margin_duration.unwrap_or(config.relay_margin_duration),
            availability_update_period: wishes
                .availability_update_period
                .unwrap_or(parameters.availability_update_period),
            availability_send_to_all: wishes
                .availability_send_to_all
                .unwrap_or(parameters.availability_send_to_all),
            fetch_period: if fetch_period < window_duration { fetch_period } else { window_duration / 2 },
            push_neighbor_limit: wishes.push_neighbor_limit.unwrap_or(config.push_neighbor_limit),
            publisher_timeout: wishes.publisher_timeout.unwrap_or(config.publisher_timeout),
        }
    }
}

impl Overrides {
    /// Refuses what cannot work, naming the property.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let fetch_fits = match (self.fetch_period, self.window_duration) {
            (Some(fetch), Some(window)) => fetch < window,
            _ => true,
        };
        let checks = [
            self.window_duration.map(range::window),
            self.relay_margin_duration.map(range::relay_margin),
            self.availability_update_period.map(range::availability),
            self.fetch_period.map(range::fetch),
            self.push_neighbor_limit.map(range::push_neighbors),
            self.publisher_timeout.map(range::publisher_timeout),
            Some(range::fetch_in_window(fetch_fits)),
        ];
        first_fault(checks.into_iter().flatten())
    }
}

impl Parameters {
    /// Refuses what cannot work, naming the property.
    pub fn validate(&self) -> Result<(), ConfigError> {
        first_fault([
            range::slices(self.slices),
            range::window(self.window_duration),
            range::availability(self.availability_update_period),
            range::fetch(self.fetch_period),
            range::fetch_in_window(self.fetch_period < self.window_duration),
            range::deadline("audioReliable deadline", self.reliability.audio),
            range::deadline("videoReliable deadline", self.reliability.video),
            range::deadline("dataReliable deadline", self.reliability.data),
        ])
    }
}

/// What may be set to what; the same for settings, announcements and overrides.
pub(crate) mod range {
    use std::time::Duration;

    use crate::ConfigError;

    /// Whether it holds, and what is to be said if not.
    pub(crate) type Check = (bool, ConfigError);

    const fn check(holds: bool, field: &'static str, must: &'static str) -> Check {
        (holds, ConfigError { field, must })
    }

    fn is_within(duration: Duration, least: u64, most: u64) -> bool {
        (Duration::from_millis(least)..=Duration::from_millis(most)).contains(&duration)
    }

    pub(crate) fn slices(slices: u32) -> Check {
        check((1..=64).contains(&slices), "slices", "1 to 64")
    }

    pub(crate) fn window(window: Duration) -> Check {
        check(is_within(window, 250, 30_000), "multicastWindowDuration", "250ms to 30s")
    }

    pub(crate) fn relay_margin(margin: Duration) -> Check {
        check(is_within(margin, 0, 30_000), "multicastRelayMarginDuration", "at most 30s")
    }

    pub(crate) fn availability(period: Duration) -> Check {
        check(is_within(period, 10, 5_000), "multicastAvailabilityUpdatePeriod", "10ms to 5s")
    }

    pub(crate) fn fetch(period: Duration) -> Check {
        check(is_within(period, 10, 30_000), "multicastFetchPeriod", "10ms to 30s")
    }

    pub(crate) fn fetch_in_window(holds: bool) -> Check {
        check(holds, "multicastFetchPeriod", "below multicastWindowDuration")
    }

    pub(crate) fn push_neighbors(limit: usize) -> Check {
        check((1..=64).contains(&limit), "multicastPushNeighborLimit", "1 to 64")
    }

    pub(crate) fn publisher_timeout(timeout: Duration) -> Check {
        check(is_within(timeout, 3_000, 86_400_000), "publisher timeout", "3s to 1 day")
    }

    pub(crate) fn deadline(field: &'static str, deadline: Option<Duration>) -> Check {
        check(deadline.is_none_or(|deadline| is_within(deadline, 1, 30_000)), field, "1ms to 30s")
    }
}

pub(crate) fn first_fault(checks: impl IntoIterator<Item = range::Check>) -> Result<(), ConfigError> {
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// `audioReliable`, `videoReliable`, `dataReliable`: for how long a missing fragment of each class is worth
/// repairing (spec MC-19). `None`: reliable, for as long as the window.
///
/// A deadline keeps one class from holding up the others, since messages are delivered in order; its price is a gap
/// wherever a repair takes longer. Only losses that a round trip or two repair survive a deadline below 200 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reliability {
    /// Of [`Kind::Audio`].
    pub audio: Option<Duration>,
    /// Of [`Kind::Video`].
    pub video: Option<Duration>,
    /// Of [`Kind::Data`].
    pub data: Option<Duration>,
}

impl Reliability {
    /// How long a fragment of `kind` is worth repairing; one of unknown kind, as long as the window.
    pub(crate) fn patience(&self, kind: Option<Kind>, window: Duration) -> Duration {
        let deadline = match kind {
            None => None,
            Some(Kind::Audio) => self.audio,
            Some(Kind::Video) => self.video,
            Some(Kind::Data) => self.data,
        };
        deadline.map_or(window, |deadline| deadline.min(window))
    }
}

/// `audioSampleAccess`, `videoSampleAccess`: whether an application may see the bytes of a class, or only hand them
/// on to a player (spec MC-20). Both by default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SampleAccess {
    /// Of [`Kind::Audio`].
    pub audio: bool,
    /// Of [`Kind::Video`].
    pub video: bool,
}

impl Default for SampleAccess {
    fn default() -> Self {
        Self { audio: true, video: true }
    }
}

impl SampleAccess {
    /// Whether applications may see messages of `kind`; data always.
    pub fn allows(&self, kind: Kind) -> bool {
        match kind {
            Kind::Audio => self.audio,
            Kind::Video => self.video,
            Kind::Data => true,
        }
    }
}

const SEND_TO_ALL: u8 = 1;
const NO_AUDIO_SAMPLES: u8 = 1 << 1;
const NO_VIDEO_SAMPLES: u8 = 1 << 2;

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn read_millis(reader: &mut Reader, least: u64, most: u64) -> Result<Duration, DecodeError> {
    let value = reader.varint_up_to(most)?;
    if value < least { Err(DecodeError::Invalid) } else { Ok(Duration::from_millis(value)) }
}

/// A deadline of 0 stands for none.
fn read_deadline(reader: &mut Reader) -> Result<Option<Duration>, DecodeError> {
    let value = reader.varint_up_to(30_000)?;
    Ok((value > 0).then(|| Duration::from_millis(value)))
}

impl Wire for Parameters {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(u64::from(self.slices));
        writer.varint(millis(self.window_duration));
        writer.varint(millis(self.fetch_period));
        writer.varint(millis(self.availability_update_period));
        writer.varint(self.expected_rate);
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        writer.u8(bit(self.availability_send_to_all, SEND_TO_ALL)
            | bit(!self.sample_access.audio, NO_AUDIO_SAMPLES)
            | bit(!self.sample_access.video, NO_VIDEO_SAMPLES));
        let Reliability { audio, video, data } = self.reliability;
        for deadline in [audio, video, data] {
            writer.varint(deadline.map_or(0, millis));
        }
    }

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let slices = reader.varint_up_to(64)? as u32;
        if slices == 0 {
            return Err(DecodeError::Invalid);
        }
        let window_duration = read_millis(reader, 250, 30_000)?;
        let fetch_period = read_millis(reader, 10, 30_000)?;
        let availability_update_period = read_millis(reader, 10, 5_000)?;
        let expected_rate = reader.varint_up_to(1 << 32)?;
        let bits = reader.u8()?;
        if bits & !(SEND_TO_ALL | NO_AUDIO_SAMPLES | NO_VIDEO_SAMPLES) != 0 {
            return Err(DecodeError::Unknown);
        }
        let sample_access =
            SampleAccess { audio: bits & NO_AUDIO_SAMPLES == 0, video: bits & NO_VIDEO_SAMPLES == 0 };
        let (audio, video, data) = (read_deadline(reader)?, read_deadline(reader)?, read_deadline(reader)?);
        Ok(Self {
            slices,
            window_duration,
            fetch_period,
            availability_update_period,
            availability_send_to_all: bits & SEND_TO_ALL != 0,
            expected_rate,
            reliability: Reliability { audio, video, data },
            sample_access,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_members_wish_goes_before_the_publishers_and_that_before_the_settings() {
        let config = Config { push_neighbor_limit: 7, ..Config::default() };
        let parameters = Parameters { window_duration: SECOND * 3, ..Parameters::from(&config) };
        let plain = Properties::of(&parameters, &config, &Overrides::default());
        assert_eq!((plain.window_duration, plain.push_neighbor_limit), (SECOND * 3, 7));
        let wishes = Overrides {
            window_duration: Some(SECOND),
            push_neighbor_limit: Some(2),
            fetch_period: Some(SECOND * 2),
            ..Overrides::default()
        };
        let wished = Properties::of(&parameters, &config, &wishes);
        assert_eq!((wished.window_duration, wished.push_neighbor_limit), (SECOND, 2));
        assert_eq!(wished.fetch_period, SECOND / 2, "a fetch after the window would fetch nothing");
    }

    #[test]
    fn what_cannot_work_is_refused_by_the_name_that_flash_gave_it() {
        let fault = |wishes: Overrides| wishes.validate().unwrap_err().to_string();
        let window = Overrides { window_duration: Some(SECOND * 31), ..Overrides::default() };
        assert_eq!(fault(window), "multicast setting multicastWindowDuration must be 250ms to 30s");
        let push = Overrides { push_neighbor_limit: Some(0), ..Overrides::default() };
        assert_eq!(fault(push), "multicast setting multicastPushNeighborLimit must be 1 to 64");
        let fetch =
            Overrides { fetch_period: Some(SECOND), window_duration: Some(SECOND), ..Overrides::default() };
        assert_eq!(
            fault(fetch),
            "multicast setting multicastFetchPeriod must be below multicastWindowDuration"
        );
        assert_eq!(Overrides::default().validate(), Ok(()));
        let audio = Some(Duration::from_secs(40));
        let late = Parameters {
            reliability: Reliability { audio, ..Reliability::default() },
            ..Parameters::from(&Config::default())
        };
        assert_eq!(
            late.validate().unwrap_err().to_string(),
            "multicast setting audioReliable deadline must be 1ms to 30s"
        );
    }
}
