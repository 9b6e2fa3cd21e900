//! The rule about code that does not let go of the GIL although others ask for it.
//!
//! It goes by the place in the code, not by the thread: in a server with a thread for each request a call
//! that keeps the GIL does so in another thread every time.

use super::facts::{Facts, percent, place};
use super::{Evidence, Finding, Rule};
use crate::batch::{Event, EventKind, ThreadKey};
use crate::store::{BlameRow, Range, total};
use crate::units::{base_name, duration};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A holder that runs bytecode answers a drop request within microseconds of the interval's end, 5 ms.
/// Three intervals without an answer are not bytecode, and seldom the scheduler.
const KEPT_NS_MIN: u64 = 15_000_000;
/// Once may be a start-up's import; what comes again is the program.
const KEPT_TIMES_MIN: u64 = 2;
/// Waiting behind a call below this share of the span is not what the program suffers from.
const KEPT_COST_MIN: f64 = 0.02;
/// Share of a hold without a core from which on it is told.
const OFF_CORE_TOLD_MIN: f64 = 0.1;
/// Events looked at; all that a store keeps.
const EVENTS: usize = 65_536;

/// How often and how long a place was waited for while drop requests went unanswered.
#[derive(Default)]
struct Kept {
    times: u64,
    sum_ns: u64,
    longest_ns: u64,
    by_holder: BTreeMap<ThreadKey, u64>,
}

impl Kept {
    fn add(&mut self, holder: ThreadKey, held_ns: u64) {
        self.times += 1;
        self.sum_ns = self.sum_ns.saturating_add(held_ns);
        self.longest_ns = self.longest_ns.max(held_ns);
        let known = self.by_holder.entry(holder).or_default();
        *known = known.saturating_add(held_ns);
    }

    /// The least of it that holders had a core for, ns. One that the kernel took off its core cannot answer
    /// either, and that is another rule's matter; all that a holder ever waited for a core may have been here.
    fn on_core_ns(&self, facts: &Facts<'_>) -> u64 {
        total(self.by_holder.iter().map(|(key, held_ns)| {
            let runqueue_ns = facts.thread(*key).map_or(0, |thread| thread.cpu.runqueue_ns);
            held_ns.saturating_sub(runqueue_ns)
        }))
    }

    /// The thread that kept it longest here.
    fn foremost(&self) -> Option<ThreadKey> {
        self.by_holder.iter().max_by_key(|(_, sum_ns)| **sum_ns).map(|(key, _)| *key)
    }
}

/// Holds of [`KEPT_NS_MIN`] and more. That a wait began and ended behind one holder says nothing yet:
/// that one may have answered, and others may have had the GIL in between.
struct LongHolds(BTreeMap<ThreadKey, Vec<Range>>);

impl LongHolds {
    fn of(events: &[&Event]) -> Self {
        let mut holds: BTreeMap<ThreadKey, Vec<Range>> = BTreeMap::new();
        let long = |event: &&&Event| {
            matches!(event.kind, EventKind::ForcedRelease | EventKind::LongHold | EventKind::Hold)
                && event.duration_ns >= KEPT_NS_MIN
        };
        for event in events.iter().filter(long) {
            let span = Range::new(event.at_ns.saturating_sub(event.duration_ns), event.at_ns);
            holds.entry(event.thread).or_default().push(span);
        }
        Self(holds)
    }

    /// The longest part of a wait that one hold of its last holder lasted, ns.
    fn sat_through_ns(&self, wait: &Event) -> u64 {
        let waited = Range::new(wait.at_ns.saturating_sub(wait.duration_ns), wait.at_ns);
        let holds = self.0.get(&wait.holder_end).map_or(&[][..], Vec::as_slice);
        // In the order of their ends, as events are: what ended before the wait began is skipped.
        let first = holds.partition_point(|hold| hold.end_ns <= waited.start_ns);
        let during = holds[first..].iter().take_while(|hold| hold.start_ns < waited.end_ns);
        during.map(|hold| hold.intersection(&waited).length_ns()).max().unwrap_or(0)
    }
}

/// C code that does not let go of the GIL although others ask for it; the worst place of each thread.
pub fn keeps_gil(facts: &Facts<'_>) -> Vec<Finding> {
    let mut places: BTreeMap<(u32, Option<u32>), Kept> = BTreeMap::new();
    let events = facts.snapshot.events(facts.range, EVENTS).events;
    let holds = LongHolds::of(&events);
    for event in events {
        // Two requests of one waiter: the first was there for a whole interval.
        let asked = event.kind == EventKind::Wait && event.drop_requests >= 2 && event.code != 0;
        let held_ns = if asked { holds.sat_through_ns(event) } else { 0 };
        if held_ns >= KEPT_NS_MIN {
            places.entry((event.code, event.line)).or_default().add(event.holder_end, held_ns);
        }
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, kept)| Reverse(kept.sum_ns));
    let mut told = BTreeSet::new();
    let first = |(_, kept): &(_, Kept)| kept.foremost().is_some_and(|key| told.insert(key));
    places.retain(first);
    places.iter().filter_map(|((code, line), kept)| finding(facts, *code, *line, kept)).collect()
}

fn finding(facts: &Facts<'_>, code: u32, line: Option<u32>, kept: &Kept) -> Option<Finding> {
    let holders = || kept.by_holder.keys().filter_map(|key| facts.thread(*key));
    let on_core_ns = kept.on_core_ns(facts);
    let cost = facts.in_threads(kept.sum_ns);
    let too_few = kept.times < KEPT_TIMES_MIN || on_core_ns / kept.times < KEPT_NS_MIN;
    if too_few || facts.in_threads(on_core_ns) < KEPT_COST_MIN {
        return None;
    }
    let code = facts.snapshot.code(code)?;
    let here = |row: &&BlameRow| {
        kept.by_holder.contains_key(&row.thread)
            && row.line == line
            && row.function.as_ref() == Some(&code.function)
            && row.file.as_ref() == Some(&code.file)
    };
    let rows: Vec<&BlameRow> = facts.blame.iter().filter(here).collect();
    let row = *rows.iter().max_by_key(|row| row.wait_inflicted_ns)?;
    let only = (kept.by_holder.len() == 1).then(holders).and_then(|mut one| one.next());
    let who = only.map_or_else(
        || format!("{} threads, one after the other,", kept.by_holder.len()),
        |thread| thread.row.name.clone(),
    );
    let module = row.native_module.as_deref().map(base_name);
    let off_core = kept.sum_ns.saturating_sub(on_core_ns) as f64 / kept.sum_ns.max(1) as f64;
    let off_core = match off_core >= OFF_CORE_TOLD_MIN {
        true => format!(" (at most {} of it without a core)", percent(off_core)),
        false => String::new(),
    };
    let text = format!(
        "{who} kept the GIL in {} for up to {}{off_core} while others asked for it{}: {} of waiting in {} waits.",
        place(row),
        duration(kept.longest_ns),
        module.map_or(String::new(), |name| format!(", in C code of {name}")),
        duration(total(rows.iter().map(|row| row.wait_inflicted_ns))),
        total(rows.iter().map(|row| row.waits)),
    );
    let remedy =
        "A C call answers no drop request: give it less at a time, release the GIL inside it, \
                  or run it in another process."
            .to_owned();
    let evidence = match only {
        Some(thread) => Evidence::of("gil", thread.row.key, &thread.row.name, Some(row)),
        None => Evidence {
            page: "gil",
            thread: None,
            thread_name: None,
            function: row.function.clone(),
        },
    };
    Some(Finding { rule: Rule::KeepsGil, text, remedy, cost, evidence })
}
