//! What gilscope itself costs: this process's CPU and memory, and what it takes in a target.
//!
//! The daemon's figures are the kernel's. What the hooks take inside a target cannot be measured from
//! outside without costing more than it: it is an estimate, cycles a second times a measured constant,
//! and is called one.

use crate::batch::Target;
use crate::store::{Range, Snapshot};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// ns that the hooks add to a GIL cycle that records all: about the mean of 50 to 74, the medians that
/// `tests/overhead` measured on four Pythons (the README's table).
const EXACT_NS_PER_CYCLE: u64 = 61;
/// The same for `--light`: 33 to 45.
const LIGHT_NS_PER_CYCLE: u64 = 38;
/// "Now" for rates of cycles.
const RECENT_NS: u64 = 5_000_000_000;
/// CPU is taken over spans of this length at least: the kernel counts in ticks of 10 ms.
const SPAN: Duration = Duration::from_secs(2);
/// Looks at a target that shows no mapping of ours; there are two a second.
const LOOKS_MAX: u32 = 10;

/// See the module's text. Null is "not known", never 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CostView {
    /// Cores that this gilscope used over the last seconds, for all of its targets and pages.
    pub daemon_cpu_cores: Option<f64>,
    /// Its memory in RAM.
    pub daemon_rss_bytes: Option<u64>,
    /// Address space of the target that gilscope's code and shared counters take up.
    pub mapped_bytes: Option<u64>,
    /// GIL cycles a second over the last 5 s: each passes the hooks once.
    pub cycles_per_s: Option<f64>,
    pub hook_ns_per_cycle: u64,
    /// An estimate: the two figures before it, multiplied.
    pub hook_cores_estimate: Option<f64>,
}

/// Takes samples of this process, and remembers what does not change.
#[derive(Debug, Default)]
pub struct Cost {
    own: Mutex<Own>,
    /// By session, which its process and beginning name.
    mapped: Mutex<HashMap<(u32, u64), Mapped>>,
}

/// Looking takes the target's memory lock for a moment, so it is done once, or a few times if the agent
/// is still on its way.
#[derive(Clone, Copy, Debug, Default)]
struct Mapped {
    bytes: Option<u64>,
    looks: u32,
}

#[derive(Debug, Default)]
struct Own {
    last: Option<(Instant, Duration)>,
    cpu_cores: Option<f64>,
    rss_bytes: Option<u64>,
}

impl Cost {
    /// What it costs now; `living` says whether the session's process is there and watched.
    pub fn view(&self, snapshot: &Snapshot<'_>, living: bool) -> CostView {
        let (daemon_cpu_cores, daemon_rss_bytes) = self.own();
        let light = snapshot.notes().contains_key("gil_light");
        let hook_ns_per_cycle = if light { LIGHT_NS_PER_CYCLE } else { EXACT_NS_PER_CYCLE };
        let cycles_per_s = if living { cycles_per_s(snapshot) } else { None };
        CostView {
            daemon_cpu_cores,
            daemon_rss_bytes,
            mapped_bytes: if living { self.mapped(snapshot.target()) } else { None },
            cycles_per_s,
            hook_ns_per_cycle,
            hook_cores_estimate: cycles_per_s.map(|rate| rate * hook_ns_per_cycle as f64 / 1e9),
        }
    }

    fn own(&self) -> (Option<f64>, Option<u64>) {
        let mut own = lock(&self.own);
        let now = Instant::now();
        let due = own.last.is_none_or(|(then, _)| now - then >= SPAN);
        if let (true, Some(cpu)) = (due, own_cpu()) {
            own.cpu_cores = own.last.map(|(then, before)| {
                cpu.saturating_sub(before).as_secs_f64() / (now - then).as_secs_f64()
            });
            own.rss_bytes = own_rss_bytes();
            own.last = Some((now, cpu));
        }
        (own.cpu_cores, own.rss_bytes)
    }

    fn mapped(&self, target: &Target) -> Option<u64> {
        let mut known = lock(&self.mapped);
        let mapped = known.entry((target.pid, target.anchor_unix_ns)).or_default();
        if mapped.bytes.is_none() && mapped.looks < LOOKS_MAX {
            *mapped = Mapped { bytes: mapped_bytes(target.pid), looks: mapped.looks + 1 };
        }
        mapped.bytes
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner) // figures to look at: old ones do no harm
}

fn own_cpu() -> Option<Duration> {
    let stat = procfs::process::Process::myself().ok()?.stat().ok()?;
    let ticks = (stat.utime + stat.stime) as f64;
    Some(Duration::from_secs_f64(ticks / procfs::ticks_per_second() as f64))
}

fn own_rss_bytes() -> Option<u64> {
    let pages = procfs::process::Process::myself().ok()?.statm().ok()?.resident;
    Some(pages * procfs::page_size())
}

fn mapped_bytes(pid: u32) -> Option<u64> {
    let maps = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?.maps().ok()?;
    let ours = maps.into_iter().filter(|map| match &map.pathname {
        procfs::process::MMapPath::Path(path) => {
            path.to_string_lossy().starts_with("/memfd:gilscope")
        }
        _ => false,
    });
    let bytes: u64 = ours.map(|map| map.address.1 - map.address.0).sum();
    (bytes > 0).then_some(bytes)
}

fn cycles_per_s(snapshot: &Snapshot<'_>) -> Option<f64> {
    let end_ns = snapshot.range().end_ns;
    let totals = snapshot.totals(Range::new(end_ns.saturating_sub(RECENT_NS), end_ns))?;
    let length_ns = totals.range.length_ns();
    (length_ns > 0).then(|| totals.acquires as f64 * 1e9 / length_ns as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::generate::Scenario;
    use crate::store::Store;

    #[test]
    fn what_is_not_watched_any_more_costs_nothing_that_is_known() {
        let scenario = Scenario { duration_ns: 10_000_000_000, ..Scenario::default() };
        let mut store = Store::new(scenario.target());
        scenario.batches().for_each(|batch| store.apply(&batch));
        let cost = Cost::default();
        let over = cost.view(&store.snapshot(), false);
        assert_eq!(
            (over.mapped_bytes, over.cycles_per_s, over.hook_cores_estimate),
            (None, None, None)
        );
        assert!(over.daemon_rss_bytes.is_some_and(|bytes| bytes > 0), "{over:?}");
        assert_eq!(over.daemon_cpu_cores, None, "one sample is no rate");
        let living = cost.view(&store.snapshot(), true);
        let (rate, cores) = (living.cycles_per_s.unwrap(), living.hook_cores_estimate.unwrap());
        assert!(rate > 0.0);
        assert!((cores - rate * EXACT_NS_PER_CYCLE as f64 / 1e9).abs() < 1e-12);
    }
}
