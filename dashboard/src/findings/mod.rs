//! What stands out in a span: a few rules, each with a threshold and its reason, one sentence each.
//!
//! A finding is a claim about somebody's program, so a rule rather stays silent: it takes a span of
//! [`SPAN_NS_MIN`], and what it says is a figure of the snapshot that the evidence shows, too. Nothing
//! here measures; rules read the same tables as the pages.

mod contention;
mod facts;
mod keeps;
mod machine;
#[cfg(test)]
mod tests;

use crate::batch::ThreadKey;
use crate::store::{BlameRow, Range, Snapshot};
use facts::Facts;
use serde::Serialize;

/// Shorter spans say nothing: shares of a second of watching change with every look.
pub const SPAN_NS_MIN: u64 = 1_000_000_000;

/// Which rule a finding comes from. The names are stable: pages, programs and tests rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Convoy,
    KeepsGil,
    Saturated,
    SwitchInterval,
    BusyPoller,
    Cores,
    EventsLost,
}

/// Where what is claimed can be seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// "gil", "cpu" or "overview".
    pub page: &'static str,
    /// The thread that it is about, if it is about one.
    pub thread: Option<ThreadKey>,
    pub thread_name: Option<String>,
    /// The function that the thread ran, if that is known.
    pub function: Option<String>,
}

impl Evidence {
    fn of(page: &'static str, key: ThreadKey, name: &str, blamed: Option<&BlameRow>) -> Self {
        Self {
            page,
            thread: Some(key),
            thread_name: Some(name.to_owned()),
            function: blamed.and_then(|row| row.function.clone()),
        }
    }
}

/// One thing that stands out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub rule: Rule,
    /// One sentence with its figure.
    pub text: String,
    /// What may be done about it, one sentence.
    pub remedy: String,
    /// Threads' worth of time that it costs, for the order: 1 is one thread all the time.
    pub cost: f64,
    pub evidence: Evidence,
}

/// What stands out in `range`, the costliest first. Empty when nothing does, or when too little is known.
pub fn findings(snapshot: &Snapshot<'_>, range: Range) -> Vec<Finding> {
    let facts = Facts::of(snapshot, range);
    if facts.span_ns < SPAN_NS_MIN {
        return Vec::new();
    }
    let keeps = keeps::keeps_gil(&facts);
    let convoy = contention::convoy(&facts);
    // A long C call makes its waiters look like a convoy; then the call is what has to be said.
    let explained = |convoy: &Finding| {
        let convoy = &convoy.evidence;
        keeps.iter().map(|keeper| &keeper.evidence).any(|keeper| match keeper.thread {
            Some(thread) => convoy.thread == Some(thread),
            None => convoy.function == keeper.function,
        })
    };
    let mut found: Vec<Finding> = convoy.filter(|convoy| !explained(convoy)).into_iter().collect();
    found.extend(keeps);
    found.extend(contention::saturated(&facts));
    found.extend(machine::switch_interval(&facts));
    found.extend(machine::busy_pollers(&facts));
    found.extend(machine::cores(&facts));
    found.sort_by(|a, b| b.cost.total_cmp(&a.cost));
    found.extend(machine::events_lost(&facts));
    found
}
