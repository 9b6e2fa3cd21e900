//! Rules about what it costs to hand the GIL around, about cores, and about what was not seen.

use super::facts::{Facts, Thread, in_place, percent};
use super::{Evidence, Finding, Rule};
use crate::store::total;
use crate::units::{count, duration};

/// CPython's default switch interval of 5 ms allows 200 forced releases a second, however busy the
/// machine is. A quarter more needs an interval that somebody set shorter.
const FORCED_PER_S_MIN: f64 = 250.0;
/// Voluntary releases a second of a poller. A thread that serves requests makes a few a request; 5,000 that never
/// wait for anything are a loop that asks again and again.
const POLLS_PER_S_MIN: f64 = 5_000.0;
/// A thread that waits for its I/O goes to sleep for it; one that polls goes on without.
const POLLER_SLEEPS_MAX: f64 = 0.10;
/// Below a quarter of a core polling costs little.
const POLLER_CPU_MIN: f64 = 0.25;
/// Runnable threads without a core, on average: half a core's worth of work is held up all the time...
const RUNQUEUE_MIN: f64 = 0.5;
/// ...and it is a large part of what the program wanted, not noise beside much work.
const RUNQUEUE_SHARE_MIN: f64 = 0.25;

/// Forced handoffs far more often than the default interval allows: their cost is time without progress.
pub fn switch_interval(facts: &Facts<'_>) -> Option<Finding> {
    let totals = facts.totals?;
    // Without drop requests there is no switch interval: such an interpreter lets go by itself, often.
    let forced_per_s = facts.per_s(totals.releases_forced.min(totals.drop_requests));
    if forced_per_s < FORCED_PER_S_MIN {
        return None;
    }
    let held = |thread: &&Thread| thread.gil.releases_forced;
    let most = facts.threads.iter().max_by_key(held)?;
    let each_us = 1e6 / forced_per_s;
    let free = totals.free_ns as f64 / facts.span_ns as f64;
    let text = format!(
        "The GIL was taken away by force {} times a second, one every {each_us:.0} µs, and nobody held \
         it {} of the time: the default switch interval of 5 ms allows 200 a second.",
        count(forced_per_s as u64),
        percent(free),
    );
    let remedy =
        "Look for sys.setswitchinterval: a longer interval gives throughput back, and I/O \
                  threads wait longer."
            .to_owned();
    let evidence = facts.evidence("gil", most);
    Some(Finding { rule: Rule::SwitchInterval, text, remedy, cost: free, evidence })
}

/// Threads that give the GIL away and take it back without ever waiting for anything.
pub fn busy_pollers(facts: &Facts<'_>) -> Vec<Finding> {
    let polls = |thread: &&Thread| {
        thread.row.cpu.is_some()
            && thread.polls_per_s() >= POLLS_PER_S_MIN
            && thread.sleeps_per_poll() <= POLLER_SLEEPS_MAX
            && thread.share(thread.cpu.cpu_ns) >= POLLER_CPU_MIN
    };
    facts.threads.iter().filter(polls).map(|thread| poller(facts, thread)).collect()
}

fn poller(facts: &Facts<'_>, thread: &Thread) -> Finding {
    let text = format!(
        "{} gave the GIL away and took it back {} times a second, slept in {:.1} % of them, and used {} \
         of a core{}.",
        thread.row.name,
        count(thread.polls_per_s() as u64),
        thread.sleeps_per_poll() * 100.0,
        percent(thread.share(thread.cpu.cpu_ns)),
        in_place(facts.blamed(thread.row.key)),
    );
    let remedy =
        "It polls, or makes very many tiny calls: block with a timeout instead, or do more in \
                  each call."
            .to_owned();
    let cost = facts.in_threads(thread.cpu.cpu_ns);
    Finding { rule: Rule::BusyPoller, text, remedy, cost, evidence: facts.evidence("gil", thread) }
}

/// Threads that could run but have no core.
pub fn cores(facts: &Facts<'_>) -> Option<Finding> {
    let runqueue_ns = total(facts.threads.iter().map(|thread| thread.cpu.runqueue_ns));
    let cpu_ns = total(facts.threads.iter().map(|thread| thread.cpu.cpu_ns));
    let waiting = facts.in_threads(runqueue_ns);
    let share = runqueue_ns as f64 / total([runqueue_ns, cpu_ns]).max(1) as f64;
    if waiting < RUNQUEUE_MIN || share < RUNQUEUE_SHARE_MIN {
        return None;
    }
    let most = facts.threads.iter().max_by_key(|thread| thread.cpu.runqueue_ns)?;
    let n_cpus = match facts.snapshot.target().n_cpus {
        0 => String::new(),
        1 => " of the 1 there is".to_owned(),
        n => format!(" of the {n} there are"),
    };
    let text = format!(
        "{waiting:.1} threads at a time could run but waited for a core{n_cpus}, {} of the time that they \
         wanted to run; {} waited longest, {}.",
        percent(share),
        most.row.name,
        duration(most.cpu.runqueue_ns),
    );
    let remedy = "More wants to run here than there are cores: other processes, a quota, or more \
                  threads in C code than cores; while a holder waits for a core, so does the GIL."
        .to_owned();
    let evidence = facts.evidence("cpu", most);
    Some(Finding { rule: Rule::Cores, text, remedy, cost: waiting, evidence })
}

/// Any loss at all: a timeline with gaps must say so.
pub fn events_lost(facts: &Facts<'_>) -> Option<Finding> {
    let lost = total(facts.snapshot.lost().values().copied());
    let (cause, most) = facts.snapshot.lost().iter().max_by_key(|(_, lost)| **lost)?;
    if lost == 0 {
        return None;
    }
    let text = format!(
        "{} single events were lost in this session ({}: {}): totals are exact, timelines have gaps.",
        count(lost),
        cause.replace('_', " "),
        count(*most),
    );
    let remedy = "Larger rings (`ring_bytes` in the configuration) lose fewer.".to_owned();
    let evidence = Evidence { page: "overview", thread: None, thread_name: None, function: None };
    Some(Finding { rule: Rule::EventsLost, text, remedy, cost: 0.0, evidence })
}
