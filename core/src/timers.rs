use crate::{Deadline, Time};

/// A machine's named timers: a short table, the earliest of which is its deadline.
///
/// Cost: O(timers) for each call; layers have fewer than ten.
#[derive(Clone, Debug, Default)]
pub struct Timers(Vec<Deadline>);

impl Timers {
    /// Sets `timer` to `at`, wherever it was.
    pub fn set(&mut self, timer: &'static str, at: Time) {
        match self.0.iter_mut().find(|entry| entry.timer == timer) {
            Some(entry) => entry.at = at,
            None => self.0.push(Deadline { at, timer }),
        }
    }

    /// Sets `timer` to `at` unless it is due sooner.
    pub fn set_sooner(&mut self, timer: &'static str, at: Time) {
        if self.get(timer).is_none_or(|due| at < due) {
            self.set(timer, at);
        }
    }

    /// Forgets `timer`.
    pub fn clear(&mut self, timer: &'static str) {
        self.0.retain(|entry| entry.timer != timer);
    }

    /// When `timer` is due.
    pub fn get(&self, timer: &str) -> Option<Time> {
        self.0.iter().find(|entry| entry.timer == timer).map(|entry| entry.at)
    }

    /// Takes the earliest timer that is due at `now`; of equal ones the first by name.
    pub fn pop_due(&mut self, now: Time) -> Option<&'static str> {
        let deadline = self.next().filter(|deadline| deadline.at <= now)?;
        self.clear(deadline.timer);
        Some(deadline.timer)
    }

    /// The earliest timer.
    pub fn next(&self) -> Option<Deadline> {
        self.0.iter().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_timers_come_earliest_first_and_once() {
        let mut timers = Timers::default();
        timers.set("late", Time::from_millis(700));
        timers.set("soon", Time::from_millis(3));
        timers.set("late", Time::from_millis(50));
        assert_eq!(timers.pop_due(Time::from_millis(60)), Some("soon"));
        assert_eq!(timers.pop_due(Time::from_millis(60)), Some("late"));
        assert_eq!(timers.pop_due(Time::from_millis(60)), None);
    }

    #[test]
    fn set_sooner_never_postpones() {
        let mut timers = Timers::default();
        timers.set("map", Time::from_millis(50));
        timers.set_sooner("map", Time::from_millis(70));
        assert_eq!(timers.get("map"), Some(Time::from_millis(50)));
        timers.set_sooner("map", Time::from_millis(3));
        assert_eq!(timers.get("map"), Some(Time::from_millis(3)));
    }
}
