//! Rules about who makes whom wait for the GIL: a convoy, a call that keeps it, too many that want it.

use super::facts::{Facts, Thread, in_place, names, percent, place};
use super::{Evidence, Finding, Rule};
use crate::batch::{Event, EventKind, ThreadKey};
use crate::store::{BlameRow, Class, Range, total};
use crate::units::{base_name, duration};
use std::collections::BTreeMap;

/// A thread that waits less of its life for the GIL is not held up in a way that a person would notice.
const WAIT_SHARE_MIN: f64 = 0.10;
/// A wait behind another I/O thread lasts as long as that one's hold, some 10 µs. A fifth of CPython's
/// switch interval of 5 ms means that it was the interval, or a long hold, that was waited out.
const CONVOY_WAIT_NS_MIN: u64 = 1_000_000;
/// A CPU thread that less of the waiting was for is not what leads the convoy: then others, perhaps off
/// their cores, are.
const CONVOY_HOLDER_MIN: f64 = 0.25;
/// A holder that runs bytecode answers a drop request within microseconds of the interval's end, 5 ms.
/// Three intervals without an answer are not bytecode, and seldom the scheduler.
const KEPT_NS_MIN: u64 = 15_000_000;
/// Once may be a start-up's import; what comes again is the program.
const KEPT_TIMES_MIN: u64 = 2;
/// Waiting behind a call below this share of the span is not what the program suffers from.
const KEPT_COST_MIN: f64 = 0.02;
/// Above this the GIL is what bounds the program: another CPU thread gets nothing but the others' share.
const SATURATED_MIN: f64 = 0.90;
/// On average half a thread more than can run; a single busy thread with idle company is below it.
const SATURATED_WAITERS_MIN: f64 = 0.5;
/// Events looked at; all that a store keeps.
const EVENTS: usize = 65_536;

/// I/O threads that wait out the switch interval behind a CPU thread, each time they come back.
pub fn convoy(facts: &Facts<'_>) -> Option<Finding> {
    let held_up = |thread: &&Thread| {
        let gil = &thread.gil;
        thread.is(Class::Io)
            && thread.wait_share() >= WAIT_SHARE_MIN
            && gil.wait_ns >= CONVOY_WAIT_NS_MIN.saturating_mul(gil.acquires_contended.max(1))
    };
    let mut waiters: Vec<&Thread> = facts.threads.iter().filter(held_up).collect();
    waiters.sort_by_key(|thread| std::cmp::Reverse(thread.gil.wait_ns));
    let worst = *waiters.first()?;
    let (holder, share) = facts.waited_for_cpu(worst.row.key)?;
    if share < CONVOY_HOLDER_MIN {
        return None;
    }
    let blamed = facts.blamed(holder.row.key);
    let each_ns = worst.gil.wait_ns / worst.gil.acquires_contended.max(1);
    let others = match waiters.len() {
        1 => String::new(),
        n => format!("; {} I/O threads wait like that", n),
    };
    let text = format!(
        "{} waited for the GIL {} of the time, {} of that on {}{}, {} each time{others}.",
        worst.row.name,
        percent(worst.wait_share()),
        percent(share),
        holder.row.name,
        in_place(blamed),
        duration(each_ns),
    );
    let remedy = format!(
        "A thread that does I/O gives the GIL away and has to win it back from {}; move that work to \
         another process, or into code that releases the GIL.",
        holder.row.name
    );
    let cost = facts.in_threads(total(waiters.iter().map(|thread| thread.gil.wait_ns)));
    let evidence = facts.evidence("gil", holder);
    Some(Finding { rule: Rule::Convoy, text, remedy, cost, evidence })
}

/// How often and how long a place was waited for while drop requests went unanswered.
#[derive(Default)]
struct Kept {
    times: u64,
    sum_ns: u64,
    longest_ns: u64,
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
    let mut places: BTreeMap<(ThreadKey, u32, Option<u32>), Kept> = BTreeMap::new();
    let events = facts.snapshot.events(facts.range, EVENTS).events;
    let holds = LongHolds::of(&events);
    for event in events {
        // Two requests of one waiter: the first was there for a whole interval.
        let asked = event.kind == EventKind::Wait && event.drop_requests >= 2 && event.code != 0;
        let held_ns = if asked { holds.sat_through_ns(event) } else { 0 };
        if held_ns >= KEPT_NS_MIN {
            let kept = places.entry((event.holder_end, event.code, event.line)).or_default();
            kept.times += 1;
            kept.sum_ns = kept.sum_ns.saturating_add(held_ns);
            kept.longest_ns = kept.longest_ns.max(held_ns);
        }
    }
    let mut worst: BTreeMap<ThreadKey, (u32, Option<u32>, Kept)> = BTreeMap::new();
    for ((holder, code, line), kept) in places {
        let known = worst.get(&holder).map_or(0, |(_, _, known)| known.sum_ns);
        if kept.sum_ns > known {
            worst.insert(holder, (code, line, kept));
        }
    }
    worst
        .into_iter()
        .filter_map(|(holder, (code, line, kept))| kept_finding(facts, holder, code, line, &kept))
        .collect()
}

fn kept_finding(
    facts: &Facts<'_>,
    holder: ThreadKey,
    code: u32,
    line: Option<u32>,
    kept: &Kept,
) -> Option<Finding> {
    let thread = facts.thread(holder)?;
    // A holder that the kernel took off its core cannot answer either: that is another rule's matter.
    let off_core = thread.cpu.runqueue_ns >= kept.sum_ns / 2;
    let cost = facts.in_threads(kept.sum_ns);
    if kept.times < KEPT_TIMES_MIN || cost < KEPT_COST_MIN || off_core {
        return None;
    }
    let code = facts.snapshot.code(code)?;
    let same = |row: &&BlameRow| {
        row.thread == holder
            && row.line == line
            && row.function.as_ref() == Some(&code.function)
            && row.file.as_ref() == Some(&code.file)
    };
    let row = facts.blame.iter().find(same)?;
    let module = row.native_module.as_deref().map(base_name);
    let text = format!(
        "{} kept the GIL in {} for up to {} while others asked for it{}: {} of waiting in {} waits.",
        thread.row.name,
        place(row),
        duration(kept.longest_ns),
        module.map_or(String::new(), |name| format!(", in C code of {name}")),
        duration(row.wait_inflicted_ns),
        row.waits,
    );
    let remedy =
        "A C call answers no drop request: give it less at a time, release the GIL inside it, \
                  or run it in another process."
            .to_owned();
    let evidence = Evidence::of("gil", holder, &thread.row.name, Some(row));
    Some(Finding { rule: Rule::KeepsGil, text, remedy, cost, evidence })
}

/// More CPU threads than one GIL can run.
pub fn saturated(facts: &Facts<'_>) -> Option<Finding> {
    let totals = facts.totals?;
    let (held, waiters) = (totals.utilization()?, totals.waiters_mean()?);
    let hungry = |thread: &&Thread| {
        thread.is(Class::Cpu) && thread.wait_share() >= WAIT_SHARE_MIN && thread.gil.acquires > 0
    };
    let mut threads: Vec<&Thread> = facts.threads.iter().filter(hungry).collect();
    if held < SATURATED_MIN || waiters < SATURATED_WAITERS_MIN || threads.len() < 2 {
        return None;
    }
    threads.sort_by_key(|thread| std::cmp::Reverse(thread.gil.hold_ns));
    let worst = facts.blame.iter().find(|row| row.function.is_some());
    let most = worst.map_or(String::new(), |row| {
        let share = row.wait_inflicted_ns as f64 / totals.waited_ns.max(1) as f64;
        format!("; {} of the waiting was for {} in {}", percent(share), row.thread_name, place(row))
    });
    let text = format!(
        "The GIL was held {} of the time and {waiters:.1} threads waited for it on average: {} compute \
         at once{most}.",
        percent(held),
        names(&threads, "CPU threads"),
    );
    let remedy =
        "One GIL runs one of them at a time; processes, or code that releases the GIL, use \
                  more cores."
            .to_owned();
    let evidence = match worst {
        Some(row) => Evidence::of("gil", row.thread, &row.thread_name, Some(row)),
        None => facts.evidence("gil", threads[0]),
    };
    let cost = facts.in_threads(total(threads.iter().map(|thread| thread.gil.wait_ns)));
    Some(Finding { rule: Rule::Saturated, text, remedy, cost, evidence })
}
