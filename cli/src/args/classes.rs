use std::time::Duration;

use clap::Args;
use stratus::{ConfigError, MulticastConfig, Parameters, Reliability, SampleAccess};

/// What a publisher says of sound, pictures and data of its stream.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Classes {
    /// audioReliable: how long lost sound is worth repairing and waiting for; less holds up less and leaves gaps. A
    /// transport stream with pictures is of the video class as a whole [as long as the window]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) audio_deadline: Option<Duration>,
    /// videoReliable: the same for video [as long as the window]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) video_deadline: Option<Duration>,
    /// dataReliable: the same for data (--raw) [as long as the window]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) data_deadline: Option<Duration>,
    /// audioSampleAccess: whether programs may look at the bytes of sound, or only hand them to a player; those that
    /// keep to the rules obey, and it is no lock [true]
    #[arg(long, value_name = "BOOL")]
    pub(crate) audio_sample_access: Option<bool>,
    /// videoSampleAccess: the same for video [true]
    #[arg(long, value_name = "BOOL")]
    pub(crate) video_sample_access: Option<bool>,
}

impl Classes {
    /// What travels with a stream that is published with these settings.
    pub(crate) fn parameters(&self, config: &MulticastConfig) -> Result<Parameters, ConfigError> {
        let parameters = Parameters {
            reliability: Reliability {
                audio: self.audio_deadline,
                video: self.video_deadline,
                data: self.data_deadline,
            },
            sample_access: SampleAccess {
                audio: self.audio_sample_access.unwrap_or(true),
                video: self.video_sample_access.unwrap_or(true),
            },
            ..config.into()
        };
        parameters.validate().map(|()| parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_into_the_announcement_and_the_rest_is_as_usual() {
        let config = MulticastConfig::default();
        assert_eq!(Classes::default().parameters(&config), Ok(Parameters::from(&config)));
        let classes = Classes {
            audio_deadline: Some(Duration::from_millis(300)),
            video_sample_access: Some(false),
            ..Classes::default()
        };
        let parameters = classes.parameters(&config).unwrap();
        assert_eq!(parameters.reliability.audio, classes.audio_deadline);
        assert_eq!(parameters.sample_access, SampleAccess { audio: true, video: false });
        let late = Classes { data_deadline: Some(Duration::from_secs(31)), ..classes };
        assert_eq!(
            late.parameters(&config).unwrap_err().to_string(),
            "multicast setting dataReliable deadline must be 1ms to 30s"
        );
    }
}
