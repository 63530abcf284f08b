use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time that this process has used, in its own code and in the kernel for it.
pub(crate) fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).expect("below 10^9"))
}

/// The most memory that this process ever held, in bytes; `None` where the system does not say.
pub(crate) fn peak_resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

/// How many tasks of the whole machine wanted a processor over the last minute; `None` where it does not say.
pub(crate) fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_work() {
        let before = cpu_time();
        let mut sum = 0_u64;
        while cpu_time() - before < Duration::from_millis(5) {
            sum = (0..10_000).fold(sum, u64::wrapping_add);
        }
        assert!(cpu_time() > before, "{sum}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_says_what_it_knows() {
        assert!(peak_resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(load_average().is_some_and(|load| load >= 0.0));
    }
}
