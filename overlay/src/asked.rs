use std::time::Duration;

use stratus_core::Time;

use crate::message::MAX_RECORDS;
use crate::places::Place;

/// How long an answer may take before another neighbor is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose records were asked for and have not come, so that no second neighbor is asked for the same. Source: spec OV-10.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Vec<(Place, Time)>);

impl Asked {
    /// Most records waited for at a time.
    pub(crate) const LIMIT: usize = 4 * MAX_RECORDS;

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets what was asked for too long ago.
    pub(crate) fn expire(&mut self, now: Time) {
        self.0.retain(|(_, until)| *until > now);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
    }

    /// Notes that the record of the member at `place` is asked for; false if it is already, or if there is no room.
    pub(crate) fn note(&mut self, place: Place, now: Time) -> bool {
        let may_ask = self.0.len() < Self::LIMIT && !self.0.iter().any(|(other, _)| *other == place);
        if may_ask {
            self.0.push((place, now + PATIENCE));
        }
        may_ask
    }

    /// Of whom records are waited for.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.0.iter().map(|(place, _)| *place)
    }

    /// A record of the member at `place` has come.
    pub(crate) fn answered(&mut self, place: Place) {
        self.0.retain(|(other, _)| *other != place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_asked_for_what_another_was_asked_for_just_now() {
        let mut asked = Asked::default();
        assert!(asked.note(50, Time::ZERO) && !asked.note(50, Time::ZERO) && asked.note(3, Time::ZERO));
        asked.answered(50);
        assert!(asked.note(50, Time::ZERO));
        asked.expire(Time::ZERO + PATIENCE);
        assert_eq!(asked.len(), 0);
    }

    #[test]
    fn no_more_are_waited_for_than_allowed() {
        let mut asked = Asked::default();
        let limit = Asked::LIMIT as Place;
        assert!((0..limit).all(|place| asked.note(place, Time::ZERO)));
        assert!(!asked.note(limit, Time::ZERO));
        assert_eq!(asked.len(), Asked::LIMIT);
    }
}
