//! Choosing and reading the session's clock on the daemon's side.
//!
//! The time stamp counter is used only where the kernel itself does (its clocksource is `tsc`) and
//! the CPU says that it is constant and never stops; its rate is measured against CLOCK_MONOTONIC.

use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wire::clock::{Clock, ClockKind, tsc};

/// How long the rate of the counter is measured: an error of 100 ns in it is 2e-6.
const MEASURED: Duration = Duration::from_millis(50);
/// Readings of both clocks at each end; the tightest pair counts.
const READINGS: usize = 16;

/// The session's clock, and the wall clock at its anchor.
#[derive(Clone, Copy, Debug)]
pub struct SessionClock {
    pub clock: Clock,
    pub anchor_unix_ns: u64,
}

impl SessionClock {
    /// Starts a clock now.
    pub fn start() -> Self {
        let clock =
            if tsc_is_trusted() { measured_tsc() } else { Clock::from_monotonic(monotonic_ns()) };
        let mut this = Self { clock, anchor_unix_ns: 0 };
        let since_anchor = this.now();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        this.anchor_unix_ns = (unix.as_nanos() as u64).saturating_sub(since_anchor);
        this
    }

    /// The stamp of this moment, ns since the anchor.
    pub fn now(&self) -> u64 {
        let counter = if self.clock.kind == ClockKind::Tsc as u32 { tsc() } else { monotonic_ns() };
        self.clock.stamp_of(counter)
    }
}

fn monotonic_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

/// The kernel's own verdict: it would not use the counter if it drifted, stopped or differed by core.
fn tsc_is_trusted() -> bool {
    let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let by_kernel = std::fs::read_to_string(source).is_ok_and(|name| name.trim() == "tsc");
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    by_kernel && flags.contains(" constant_tsc") && flags.contains(" nonstop_tsc")
}

fn measured_tsc() -> Clock {
    let (tsc_before, ns_before) = reading();
    std::thread::sleep(MEASURED);
    let (tsc_after, ns_after) = reading();
    Clock::from_tsc(tsc_after, ns_after, tsc_after - tsc_before, ns_after - ns_before)
}

/// Both clocks at the same moment, as nearly as a few tries give it.
fn reading() -> (u64, u64) {
    let one = || {
        let before = tsc();
        let ns = monotonic_ns();
        let after = tsc();
        (after.saturating_sub(before), before + after.saturating_sub(before) / 2, ns)
    };
    let (_, counter, ns) =
        (0..READINGS).map(|_| one()).min_by_key(|reading| reading.0).unwrap_or((0, 0, 0));
    (counter, ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_agree_with_the_kernels_clock() {
        let session = SessionClock::start();
        let (stamp, kernel) = (session.now(), monotonic_ns());
        std::thread::sleep(Duration::from_millis(20));
        let (stamp, kernel) = (session.now() - stamp, monotonic_ns() - kernel);
        let error = stamp.abs_diff(kernel) as f64 / kernel as f64;
        assert!(error < 0.01, "stamps say {stamp} ns, the kernel {kernel} ns");
    }
}
