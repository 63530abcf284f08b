//! The one clock of all processes of a lab.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since the machine started: the same in every process and namespace, and never set back.
pub fn since_boot() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}
