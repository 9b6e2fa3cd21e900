//! Rules about who makes whom wait for the GIL: a convoy, and too many that want it.

use super::facts::{Facts, Thread, in_place, names, percent, place};
use super::{Evidence, Finding, Rule};
use crate::store::{Class, total};
use crate::units::duration;

/// A thread that waits less of its life for the GIL is not held up in a way that a person would notice.
const WAIT_SHARE_MIN: f64 = 0.10;
/// A wait behind another I/O thread lasts as long as that one's hold, some 10 µs. A fifth of CPython's
/// switch interval of 5 ms means that it was the interval, or a long hold, that was waited out.
const CONVOY_WAIT_NS_MIN: u64 = 1_000_000;
/// A CPU thread that less of the waiting was for is not what leads the convoy: then others, perhaps off
/// their cores, are.
const CONVOY_HOLDER_MIN: f64 = 0.25;
/// Above this the GIL is what bounds the program: another CPU thread gets nothing but the others' share.
const SATURATED_MIN: f64 = 0.90;
/// On average half a thread more than can run; a single busy thread with idle company is below it.
const SATURATED_WAITERS_MIN: f64 = 0.5;
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
