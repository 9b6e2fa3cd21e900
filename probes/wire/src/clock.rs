//! The session's clock: nanoseconds since an anchor that the daemon chose, read in a few instructions.
//!
//! Both processes use the same parameters, so stamps of either side compare directly. Stamps are
//! converted *before* they are subtracted: sums of durations telescope, and held plus free equals the
//! window to the nanosecond. The rate is fixed for a session; an error of 1e-6 in it is invisible.

/// Where stamps come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ClockKind {
    /// `rdtsc`; only where the kernel itself trusts it (clocksource `tsc`, constant and nonstop).
    Tsc = 1,
    /// `clock_gettime(CLOCK_MONOTONIC)` through the vDSO.
    Monotonic = 2,
}

/// Parameters of the clock, as they stand in the segment's header.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Clock {
    /// A [`ClockKind`]; any other value reads as [`ClockKind::Monotonic`].
    pub kind: u32,
    /// Keeps the layout explicit.
    pub reserved: u32,
    /// Counter value at the anchor: TSC ticks, or `CLOCK_MONOTONIC` nanoseconds.
    pub anchor: u64,
    /// `CLOCK_MONOTONIC` nanoseconds at the anchor; a stamp of 0 is this moment.
    pub monotonic_ns: u64,
    /// Nanoseconds per tick as 32.32 fixed point. Unused for [`ClockKind::Monotonic`].
    pub rate: u64,
}

impl Clock {
    /// The stamp (ns since the anchor) of a raw counter value. Values before the anchor give 0.
    #[inline(always)]
    pub fn stamp_of(&self, counter: u64) -> u64 {
        let ticks = counter.saturating_sub(self.anchor);
        if self.kind == ClockKind::Tsc as u32 {
            ((ticks as u128 * self.rate as u128) >> 32) as u64
        } else {
            ticks
        }
    }

    /// A clock that counts TSC ticks from `anchor`, given two readings of both clocks.
    ///
    /// `ticks` and `elapsed_ns` are the differences between the readings; a zero gives rate 1.
    pub fn from_tsc(anchor: u64, monotonic_ns: u64, ticks: u64, elapsed_ns: u64) -> Self {
        let rate = ((elapsed_ns as u128) << 32).checked_div(ticks as u128).unwrap_or(1 << 32);
        Self { kind: ClockKind::Tsc as u32, reserved: 0, anchor, monotonic_ns, rate: rate as u64 }
    }

    /// A clock that is `CLOCK_MONOTONIC` itself, from `monotonic_ns` on.
    pub fn from_monotonic(monotonic_ns: u64) -> Self {
        let kind = ClockKind::Monotonic as u32;
        Self { kind, reserved: 0, anchor: monotonic_ns, monotonic_ns, rate: 1 << 32 }
    }
}

/// The time stamp counter, unserialised (Intel SDM vol. 2B, RDTSC).
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn tsc() -> u64 {
    // SAFETY: RDTSC has no preconditions in user mode; the kernel that forbids it (PR_TSC_SIGSEGV)
    // is detected by the daemon, which then chooses `ClockKind::Monotonic`.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_telescope_to_the_nanosecond() {
        let clock = Clock::from_tsc(1_000, 5, 2_600_123_457, 1_000_000_000);
        let counters = [1_000u64, 1_001, 77_777, 9_999_999_999, 5_000_000_000_000];
        let sum: u64 =
            counters.windows(2).map(|w| clock.stamp_of(w[1]) - clock.stamp_of(w[0])).sum();
        assert_eq!(sum, clock.stamp_of(5_000_000_000_000) - clock.stamp_of(1_000));
    }

    #[test]
    fn before_the_anchor_is_zero() {
        assert_eq!(Clock::from_monotonic(100).stamp_of(99), 0);
    }
}
