//! The `thread_states` section of the report: what temporary thread states cost, and whose they are.

use super::schema::Report;
use crate::batch::StateCounters;
use crate::store::{StateRow, StateTotals, total};
use crate::units::{UNKNOWN, count, duration, maybe};
use serde::Serialize;

/// Kept cycles of a caller that have to be timed before its own are the measure.
const OWN_KEPT_CYCLES: u64 = 16;

/// Calls of `PyGILState_Ensure`, and states that extensions made themselves.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadStates {
    /// By Ensures that found none, and by `PyThreadState_New` in extensions.
    pub created: u64,
    pub deleted: Option<u64>,
    /// Made in this session and not yet deleted at its end.
    pub live_temporary: Option<i64>,
    pub ensure_calls: u64,
    /// Of them: made a state; found one and took the GIL; found the GIL held. The rest were made by threads
    /// that gilscope had no room for, and are known to be fresh or not: `ensure_unseen` were not fresh.
    pub ensure_fresh: u64,
    pub ensure_kept: u64,
    pub ensure_nested: u64,
    pub ensure_unseen: u64,
    /// Making and deleting states, their chunks included; without waiting for the GIL.
    pub cost_ns: u64,
    /// What the same cycles would have cost had the states been kept.
    pub estimate_kept_ns: Option<u64>,
    /// What a kept cycle takes by that estimate, and where that is known from: "kept cycles" of this target,
    /// or "calibration", a run of gilscope's own in its interpreter with the GIL free.
    pub kept_cycle_ns: Option<u64>,
    pub kept_cycle_from: Option<&'static str>,
    pub by_caller: Vec<Caller>,
}

/// One object, and function in it, that makes thread states.
#[derive(Clone, Debug, Serialize)]
pub struct Caller {
    pub module: String,
    pub function: Option<String>,
    /// Of `PyGILState_Ensure`.
    pub calls: u64,
    pub fresh: u64,
    pub kept: u64,
    pub nested: u64,
    /// States made by `PyThreadState_New`.
    pub made: u64,
    /// Threads that came from there; null if there were some that gilscope had no room for.
    pub threads: Option<u64>,
    /// Chunks mapped in cycles, and unmapped at their end.
    pub maps: u64,
    pub unmaps: u64,
    pub cost: Cost,
    pub kept_cost: KeptCost,
    pub estimate_kept_ns: Option<u64>,
}

/// Cycles through fresh and made states. `total_ns` is `create_ns + chunk_ns + delete_ns`; a cycle is that and
/// `gil_wait_ns + run_ns`.
#[derive(Clone, Debug, Serialize)]
pub struct Cost {
    pub cycles: u64,
    pub total_ns: u64,
    pub create_ns: u64,
    pub gil_wait_ns: u64,
    pub run_ns: u64,
    pub chunk_ns: u64,
    pub delete_ns: u64,
}

/// Cycles through kept states that were timed, about one in eight.
#[derive(Clone, Debug, Serialize)]
pub struct KeptCost {
    pub cycles: u64,
    pub enter_ns: u64,
    pub gil_wait_ns: u64,
    pub run_ns: u64,
    pub leave_ns: u64,
}

/// The section, out of a store's answer.
pub fn thread_states(totals: StateTotals) -> ThreadStates {
    let all = totals.all;
    let unseen = all.has_unseen();
    let calibrated = totals.calibrated_kept_ns.map(|ns| ns as f64);
    let kept_ns = all.kept_pair_ns().or(calibrated);
    let from = if all.kept_cycles > 0 { "kept cycles" } else { "calibration" };
    ThreadStates {
        created: all.created(),
        deleted: (!unseen).then_some(all.deleted_in_all()),
        live_temporary: (!unseen).then_some(totals.live_temporary),
        ensure_calls: all.calls(),
        ensure_fresh: all.fresh_in_all(),
        ensure_kept: all.kept,
        ensure_nested: all.nested,
        ensure_unseen: all.unseen_other,
        cost_ns: all.cost_ns(),
        estimate_kept_ns: estimate(&all, kept_ns),
        kept_cycle_ns: kept_ns.map(|ns| ns as u64),
        kept_cycle_from: kept_ns.map(|_| from),
        by_caller: totals.callers.into_iter().map(|row| caller(row, kept_ns)).collect(),
    }
}

fn caller(row: StateRow, kept_ns: Option<f64>) -> Caller {
    let c = row.counters;
    let own = c.kept_pair_ns().filter(|_| c.kept_cycles >= OWN_KEPT_CYCLES);
    Caller {
        module: row.module,
        function: row.function,
        calls: c.calls(),
        fresh: c.fresh_in_all(),
        kept: c.kept,
        nested: c.nested,
        made: c.made,
        threads: (!c.has_unseen()).then_some(c.threads),
        maps: c.maps,
        unmaps: c.unmaps,
        estimate_kept_ns: estimate(&c, own.or(kept_ns)),
        cost: Cost {
            cycles: c.cycles,
            total_ns: c.cost_ns(),
            create_ns: c.create_ns,
            gil_wait_ns: c.gil_wait_ns,
            run_ns: c.run_ns,
            chunk_ns: c.chunk_ns,
            delete_ns: c.delete_ns,
        },
        kept_cost: KeptCost {
            cycles: c.kept_cycles,
            enter_ns: c.kept_create_ns,
            gil_wait_ns: c.kept_gil_wait_ns,
            run_ns: c.kept_run_ns,
            leave_ns: c.kept_delete_ns,
        },
    }
}

/// The cycles at the price of kept ones.
fn estimate(counters: &StateCounters, kept_ns: Option<f64>) -> Option<u64> {
    kept_ns.map(|ns| (ns * counters.cycles as f64) as u64)
}

/// Headings of the table for people; the first is of text.
pub const HEADS: [&str; 7] =
    ["caller", "calls", "made a state", "threads", "cost", "a cycle", "a cycle if kept"];

impl Caller {
    /// For a person.
    pub fn name(&self) -> String {
        match &self.function {
            Some(function) => format!("{function} in {}", self.module),
            None => self.module.clone(),
        }
    }
}

/// The section, if there is anything to tell a person.
pub fn told(report: &Report) -> Option<&ThreadStates> {
    report.thread_states.as_ref().filter(|of| of.ensure_calls != 0 || of.created != 0)
}

/// All of it in a sentence.
pub fn sentence(of: &ThreadStates) -> String {
    let cost = duration(of.cost_ns);
    let kept = match (of.estimate_kept_ns, of.kept_cycle_from) {
        (Some(kept), Some(from)) => {
            format!(
                "; with states that are kept it would have been {} (from {from})",
                duration(kept)
            )
        }
        _ => String::new(),
    };
    format!(
        "{} calls of PyGILState_Ensure, {} states made; making and deleting them took {cost}{kept}.",
        count(of.ensure_calls),
        count(of.created)
    )
}

/// A row of the table, without the caller's name.
pub fn figures(caller: &Caller) -> [String; 6] {
    let each = |ns: Option<u64>| maybe(ns.and_then(|ns| ns.checked_div(caller.cost.cycles)));
    [
        count(caller.calls),
        count(total([caller.fresh, caller.made])),
        caller.threads.map_or(UNKNOWN.into(), count),
        duration(caller.cost.total_ns),
        each(Some(caller.cost.total_ns)),
        each(caller.estimate_kept_ns),
    ]
}
