use std::time::Duration;

/// When the last member had each message: as deliveries come in order of time, the latest is the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lasts(Vec<Duration>);

impl Lasts {
    /// One more delivery of a message.
    pub(crate) fn add(&mut self, number: u32, delay: Duration) {
        let place = number as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, Duration::ZERO);
        }
        self.0[place] = self.0[place].max(delay);
    }

    /// Over the messages that anybody had, in milliseconds, to a microsecond; 0 of none.
    pub(crate) fn mean_ms(&self) -> f64 {
        let had: Vec<u128> = self.0.iter().filter(|last| !last.is_zero()).map(Duration::as_micros).collect();
        if had.is_empty() { 0.0 } else { (had.iter().sum::<u128>() / had.len() as u128) as f64 / 1e3 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_messages_and_of_their_last_deliveries() {
        let mut lasts = Lasts::default();
        assert_eq!(lasts.mean_ms(), 0.0);
        for (number, ms) in [(0, 20), (2, 30), (0, 50), (2, 110)] {
            lasts.add(number, Duration::from_millis(ms));
        }
        assert_eq!(lasts.mean_ms(), 80.0);
    }
}
