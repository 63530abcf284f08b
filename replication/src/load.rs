use std::time::Duration;

use stratus_core::{DecodeError, Reader, Time, Wire, Writer};

/// What one step of a [`Load`]'s pace stands for.
pub(crate) const STEP: Duration = Duration::from_millis(4);
/// Over how long a pace is measured.
const WINDOW: Duration = Duration::from_millis(250);

/// How busy a member is. Source: spec RE-6.
///
/// | bytes | field |
/// |---|---|
/// | 1 | uploads, at most 255 |
/// | 1 | how long one takes while others wait, in steps of 4 ms; 0: less than one, or not known |
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Load {
    /// Requests taken and not yet answered to the end.
    pub uploads: u8,
    /// Steps of 4 ms that one takes.
    pub pace: u8,
}

impl Load {
    /// So many uploads, each of which takes so long.
    pub(crate) fn new(uploads: usize, pace: Duration) -> Self {
        let pace = u8::try_from(pace.as_micros() / STEP.as_micros()).unwrap_or(u8::MAX);
        Self { uploads: u8::try_from(uploads).unwrap_or(u8::MAX), pace }
    }

    /// How long `uploads` would take at this pace, in steps; where it is not known, as many as there are.
    pub(crate) fn steps(self, uploads: usize) -> u64 {
        uploads as u64 * u64::from(self.pace.max(1))
    }
}

impl Wire for Load {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.uploads);
        writer.u8(self.pace);
    }
    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self { uploads: reader.u8()?, pace: reader.u8()? })
    }
}

/// How long an upload takes here while others wait: what the way out takes, not what askers ask for.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Pace {
    /// When the first upload ended since which others always waited.
    since: Option<Time>,
    count: u32,
    mean: Option<Duration>,
}

impl Pace {
    /// An upload has ended; others wait, or nobody does.
    pub(crate) fn note(&mut self, now: Time, is_waited_for: bool) {
        self.count += 1;
        match self.since {
            _ if !is_waited_for => self.since = None,
            Some(since) if now.since(since) >= WINDOW => {
                let each = now.since(since) / self.count;
                self.mean = Some(self.mean.map_or(each, |mean| (mean + each) / 2));
                (self.since, self.count) = (Some(now), 0);
            }
            Some(_) => {}
            None => (self.since, self.count) = (Some(now), 0),
        }
    }

    /// `None` until it is known.
    pub(crate) fn get(&self) -> Option<Duration> {
        self.mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_measured_only_while_somebody_waits() {
        let mut pace = Pace::default();
        for tenth in 0..20 {
            pace.note(Time::from_millis(tenth * 100), false);
        }
        assert_eq!(pace.get(), None);
        for tenth in 20..40 {
            pace.note(Time::from_millis(tenth * 100), true);
        }
        assert_eq!(pace.get(), Some(Duration::from_millis(100)));
    }

    #[test]
    fn a_load_says_at_most_what_fits_a_byte() {
        assert_eq!(Load::new(300, Duration::from_secs(9)), Load { uploads: 255, pace: 255 });
        let load = Load::new(7, Duration::from_millis(103));
        assert_eq!((load.pace, load.steps(3), Load::default().steps(3)), (25, 75, 3));
        assert_eq!(Load::from_bytes(load.to_bytes()), Ok(load));
    }
}
