//! The one rule by which a thread is called I/O, CPU or idle: what it does with the GIL.
//!
//! - *idle*: it used less than [`IDLE_CPU`] of a core and took the GIL less than
//!   [`IDLE_ACQUIRES_PER_S`] times a second.
//! - *cpu*: it lets go of the GIL mostly because another asks ([`FORCED_SHARE`] of its releases),
//!   or holds it for [`LONG_HOLD_NS`] on average, or never lets go at all, or it burns CPU without
//!   ever taking the GIL.
//! - *io*: the rest; it lets go by itself, soon, to wait for something.

use super::answers::{Class, CpuTotals, ThreadGilTotals};

/// Cores below which a thread can be idle.
pub const IDLE_CPU: f64 = 0.01;
/// Acquires a second below which a thread can be idle.
pub const IDLE_ACQUIRES_PER_S: f64 = 2.0;
/// Share of forced releases from which a thread counts as CPU.
pub const FORCED_SHARE: f64 = 0.5;
/// Mean hold from which a thread counts as CPU: half of CPython's default switch interval.
pub const LONG_HOLD_NS: u64 = 2_500_000;

/// The class of a thread by its figures over `length_ns`; null when the GIL is not watched: without it nobody
/// knows whether a thread burns CPU with the GIL or beside it, or how it lets go.
pub fn class(
    cpu: Option<&CpuTotals>,
    gil: Option<&ThreadGilTotals>,
    length_ns: u64,
) -> Option<Class> {
    let gil = gil.filter(|_| length_ns > 0)?;
    // Without /proc's figure the time with the GIL is the CPU that is known.
    let cpu_ns = cpu.map_or(gil.hold_ns, |cpu| cpu.cpu_ns);
    let cores = cpu_ns as f64 / length_ns as f64;
    let acquires_per_s = gil.acquires as f64 * 1e9 / length_ns as f64;
    let releases = gil.releases_voluntary.saturating_add(gil.releases_forced);
    if cores < IDLE_CPU && acquires_per_s < IDLE_ACQUIRES_PER_S && gil.hold_ns < length_ns / 2 {
        return Some(Class::Idle);
    }
    let forced = releases > 0 && gil.releases_forced as f64 >= FORCED_SHARE * releases as f64;
    let long = gil.hold_ns >= LONG_HOLD_NS.saturating_mul(gil.acquires.max(1));
    let without_gil = gil.acquires == 0 && gil.hold_ns == 0;
    Some(if forced || long || without_gil { Class::Cpu } else { Class::Io })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn gil(acquires: u64, voluntary: u64, forced: u64, hold_ns: u64) -> ThreadGilTotals {
        ThreadGilTotals {
            acquires,
            releases_voluntary: voluntary,
            releases_forced: forced,
            hold_ns,
            ..Default::default()
        }
    }

    fn cpu(cpu_ns: u64) -> CpuTotals {
        CpuTotals { cpu_ns, ..Default::default() }
    }

    #[test]
    fn behaviour_decides() {
        let cases = [
            (cpu(0), gil(1, 1, 0, 1_000), Class::Idle),
            (cpu(SECOND / 3), gil(70, 2, 68, SECOND / 3), Class::Cpu),
            (cpu(SECOND / 50), gil(200, 195, 5, SECOND / 50), Class::Io),
            // A busy loop that is alone and never asked to let go.
            (cpu(SECOND), gil(1, 0, 0, SECOND), Class::Cpu),
            // C code without the GIL.
            (cpu(SECOND), gil(0, 0, 0, 0), Class::Cpu),
            // Sleeps while it holds the GIL: that is no idle thread.
            (cpu(0), gil(1, 1, 0, SECOND), Class::Cpu),
        ];
        for (cpu, gil, expected) in cases {
            assert_eq!(class(Some(&cpu), Some(&gil), SECOND), Some(expected), "{gil:?}");
        }
        assert_eq!(class(None, None, SECOND), None);
        assert_eq!(class(Some(&cpu(SECOND)), None, SECOND), None, "the GIL was not watched");
    }
}
