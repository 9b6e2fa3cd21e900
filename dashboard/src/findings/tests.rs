//! Each rule at its threshold: it speaks above, is silent below, and says the figures of the tables.

use super::*;
use crate::batch::*;
use crate::collect::generate::Scenario;
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
const SPAN: u64 = 10 * SECOND;
const MAIN: ThreadKey = ThreadKey(1);
const IO: ThreadKey = ThreadKey(2);

/// Ten seconds of two threads; what a test cares about is added by its `change`.
fn rules_of(change: impl FnOnce(&mut Batch)) -> Vec<Rule> {
    found(change).into_iter().map(|finding| finding.rule).collect()
}

fn found(change: impl FnOnce(&mut Batch)) -> Vec<Finding> {
    let target = Target { n_cpus: 4, ..Target::default() };
    let mut store = Store::new(target);
    store.apply(&Batch {
        at_ns: 0,
        threads: vec![],
        process: Some(process(0)),
        ..Batch::default()
    });
    let mut batch = quiet();
    change(&mut batch);
    store.apply(&batch);
    let snapshot = store.snapshot();
    findings(&snapshot, snapshot.range())
}

fn process(at_ns: u64) -> ProcessSample {
    ProcessSample { at_ns, rss_bytes: 1 << 20, threads: 2, ..ProcessSample::default() }
}

fn thread(key: ThreadKey, name: &str) -> ThreadFact {
    ThreadFact {
        key,
        thread_id: 100 + key.0,
        name: name.to_owned(),
        is_main: key == MAIN,
        kind: ThreadKind::Python,
        alive: true,
        first_seen_ns: 0,
        ended_ns: None,
    }
}

/// A main thread that computes for half of the time, and a thread that does little I/O.
fn quiet() -> Batch {
    let main = ThreadGil {
        key: MAIN,
        acquires: 100,
        releases_forced: 90,
        releases_voluntary: 10,
        hold_ns: 5 * SECOND,
        ..ThreadGil::default()
    };
    let io = ThreadGil {
        key: IO,
        acquires: 2_000,
        acquires_contended: 100,
        releases_voluntary: 2_000,
        hold_ns: SECOND / 10,
        ..ThreadGil::default()
    };
    let gil = GilSample {
        at_ns: SPAN,
        held_ns: main.hold_ns + io.hold_ns,
        free_ns: SPAN - main.hold_ns - io.hold_ns,
        acquires: 2_100,
        ..GilSample::default()
    };
    Batch {
        at_ns: SPAN,
        threads: vec![thread(MAIN, "main"), thread(IO, "io-0")],
        cpu: vec![cpu(MAIN, 5 * SECOND, 100), cpu(IO, SECOND / 5, 2_000)],
        process: Some(process(SPAN)),
        gil: Some(gil),
        thread_gil: vec![main, io],
        codes: vec![CodeFact {
            code: 1,
            function: "dumps".into(),
            file: "/srv/app.py".into(),
            first_line: 80,
        }],
        ..Batch::default()
    }
}

fn cpu(key: ThreadKey, cpu_ns: u64, switches_voluntary: u64) -> ThreadCpu {
    ThreadCpu { key, cpu_ns, switches_voluntary, ..ThreadCpu::default() }
}

/// `io-0` waits `wait_ns` for `main`, which runs `dumps`.
fn wait_for_main(batch: &mut Batch, wait_ns: u64) {
    batch.thread_gil[1].wait_ns = wait_ns;
    batch.gil.as_mut().unwrap().waited_ns = wait_ns;
    batch.handoffs = vec![HandoffTotal { from: MAIN, to: IO, count: 100, wait_ns }];
    batch.blame = vec![BlameTotal {
        holder: MAIN,
        code: 1,
        line: Some(88),
        samples: 100,
        waits: 100,
        wait_inflicted_ns: wait_ns,
        native_module: None,
    }];
}

/// `n` waits of `io-0` of `held_ns` each in which main answered no request: one hold each.
fn unanswered(batch: &mut Batch, n: u64, held_ns: u64) {
    wait_for_main(batch, n * held_ns);
    batch.events = (1..=n)
        .flat_map(|at| {
            let wait = asked(at * SPAN / (n + 1), held_ns);
            [hold(wait.at_ns, held_ns), wait]
        })
        .collect();
}

/// A wait of `io-0` for main with a drop request every 5 ms.
fn asked(at_ns: u64, duration_ns: u64) -> Event {
    Event {
        kind: EventKind::Wait,
        thread: IO,
        at_ns,
        duration_ns,
        free_ns: 0,
        drop_requests: (duration_ns / 5_000_000) as u16,
        holder_start: MAIN,
        holder_end: MAIN,
        code: 1,
        line: Some(88),
        native_module: None,
        drop_to_release_ns: 0,
    }
}

/// A hold of main.
fn hold(at_ns: u64, duration_ns: u64) -> Event {
    let kind = EventKind::ForcedRelease;
    Event { kind, thread: MAIN, drop_requests: 0, code: 0, ..asked(at_ns, duration_ns) }
}

#[test]
fn a_healthy_program_has_no_finding() {
    assert_eq!(rules_of(|_| ()), []);
    let balanced =
        Scenario { cpu_threads: 0, native_threads: 0, marks: false, ..Scenario::default() };
    let mut store = Store::new(balanced.target());
    balanced.batches().for_each(|batch| store.apply(&batch));
    let snapshot = store.snapshot();
    assert_eq!(findings(&snapshot, snapshot.range()), []);
}

#[test]
fn nothing_is_said_of_nothing() {
    let store = Store::new(Target::default());
    assert_eq!(findings(&store.snapshot(), Range::new(0, u64::MAX)), []);
}

#[test]
fn a_convoy_is_named_with_its_holder_and_line() {
    let findings = found(|batch| wait_for_main(batch, 4_100_000_000));
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(
        findings[0].text,
        "io-0 waited for the GIL 41 % of the time, 100 % of that on main in dumps, app.py:88, \
         41.0 ms each time."
    );
    assert_eq!(findings[0].evidence.thread, Some(MAIN));
    assert_eq!(findings[0].evidence.function.as_deref(), Some("dumps"));
    assert_eq!(rules_of(|batch| wait_for_main(batch, SECOND * 9 / 10)), [], "9 % of the time");
    let many_short = |batch: &mut Batch| {
        wait_for_main(batch, 2 * SECOND);
        batch.thread_gil[1].acquires_contended = 2_001; // under a millisecond each
    };
    assert_eq!(rules_of(many_short), []);
}

#[test]
fn the_generated_convoy_is_one() {
    let scenario = Scenario { duration_ns: 20 * SECOND, ..Scenario::convoy() };
    let mut store = Store::new(scenario.target());
    scenario.batches().for_each(|batch| store.apply(&batch));
    let snapshot = store.snapshot();
    let findings = findings(&snapshot, snapshot.range());
    assert!(findings.iter().any(|finding| finding.rule == Rule::Convoy), "{findings:?}");
}

#[test]
fn a_call_that_keeps_the_gil_takes_the_place_of_the_convoy_that_it_makes() {
    let findings = found(|batch| unanswered(batch, 20, 60_000_000));
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].rule, Rule::KeepsGil);
    assert_eq!(
        findings[0].text,
        "main kept the GIL in dumps, app.py:88 for up to 60.0 ms while others asked for it: \
         1.20 s of waiting in 100 waits."
    );
    assert_eq!(rules_of(|batch| unanswered(batch, 1, 900_000_000)), [], "once is no habit");
    assert_eq!(rules_of(|batch| unanswered(batch, 60, 14_000_000)), [], "a late answer");
    let answered = |batch: &mut Batch| {
        unanswered(batch, 20, 60_000_000);
        let waits = std::mem::take(&mut batch.events);
        // The same waits, but main let go every 6 ms; others had the GIL in between.
        batch.events = waits
            .into_iter()
            .filter(|event| event.kind == EventKind::Wait)
            .flat_map(|wait| {
                let parts = (0..10).rev().map(move |n| hold(wait.at_ns - n * 6_000_000, 6_000_000));
                parts.chain([wait])
            })
            .collect();
    };
    assert_eq!(rules_of(answered), [Rule::Convoy], "many holds are not one");
    let off_core = |runqueue_ns: u64| {
        move |batch: &mut Batch| {
            unanswered(batch, 20, 40_000_000);
            batch.cpu[0].runqueue_ns = runqueue_ns;
        }
    };
    assert_eq!(rules_of(off_core(501_000_000)), [], "what is left is an interval or three");
    let busy = found(off_core(400_000_000));
    assert_eq!(busy[0].rule, Rule::KeepsGil, "a busy machine makes it no better");
    assert!(busy[0].text.contains("40.0 ms (at most 50 % of it without a core)"), "{busy:?}");
}

/// A server with a thread for each request: the call keeps the GIL in another thread every time.
#[test]
fn a_call_that_keeps_the_gil_is_found_in_whichever_thread_it_is() {
    let by_request = |batch: &mut Batch| {
        unanswered(batch, 20, 60_000_000);
        let holders: Vec<ThreadKey> = (10..30).map(ThreadKey).collect();
        for (pair, holder) in batch.events.chunks_mut(2).zip(&holders) {
            pair[0].thread = *holder;
            pair[1].holder_end = *holder;
        }
        batch.threads.extend(holders.iter().map(|key| thread(*key, "request")));
        let row = batch.blame.remove(0);
        batch.blame = holders
            .iter()
            .map(|key| BlameTotal {
                holder: *key,
                waits: 1,
                wait_inflicted_ns: 60_000_000,
                ..row.clone()
            })
            .collect();
    };
    let findings = found(by_request);
    let said = findings.iter().find(|finding| finding.rule == Rule::KeepsGil);
    assert_eq!(
        said.map(|finding| finding.text.as_str()),
        Some(
            "20 threads, one after the other, kept the GIL in dumps, app.py:88 for up to 60.0 ms while \
             others asked for it: 1.20 s of waiting in 20 waits."
        ),
        "{findings:?}"
    );
}

#[test]
fn cpu_threads_that_share_one_gil_are_said_to() {
    let crowd = |held_ns: u64| {
        move |batch: &mut Batch| {
            wait_for_main(batch, 9 * SECOND);
            let io = &mut batch.thread_gil[1];
            (io.releases_voluntary, io.releases_forced, io.hold_ns) =
                (0, 2_000, held_ns - 5 * SECOND);
            batch.thread_gil[0].wait_ns = 2 * SECOND;
            let gil = batch.gil.as_mut().unwrap();
            (gil.held_ns, gil.free_ns, gil.waited_ns) = (held_ns, SPAN - held_ns, 11 * SECOND);
        }
    };
    let findings = found(crowd(SPAN * 95 / 100));
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].text.starts_with(
            "The GIL was held 95 % of the time and 1.1 threads waited for it on average: main and io-0"
        ),
        "{}",
        findings[0].text
    );
    assert_eq!(rules_of(crowd(SPAN * 85 / 100)), [], "the GIL is not the bound");
}

#[test]
fn forced_handoffs_count_from_a_quarter_more_than_the_default_interval_allows() {
    let forced = |n: u64, drop_requests: u64| {
        move |batch: &mut Batch| {
            let gil = batch.gil.as_mut().unwrap();
            (gil.releases_forced, gil.drop_requests) = (n, drop_requests);
        }
    };
    assert_eq!(rules_of(forced(2_000, 2_000)), [], "what 5 ms allow");
    assert_eq!(rules_of(forced(3_000, 3_000)), [Rule::SwitchInterval]);
    assert_eq!(rules_of(forced(40_000, 0)), [], "nobody asked: 2.7 lets go by itself");
}

#[test]
fn a_poller_burns_and_does_not_sleep() {
    let polls = |acquires: u64, sleeps: u64, cpu_ns: u64| {
        move |batch: &mut Batch| {
            batch.thread_gil[1].acquires = acquires;
            batch.thread_gil[1].releases_voluntary = acquires;
            batch.cpu[1] = cpu(IO, cpu_ns, sleeps);
        }
    };
    assert_eq!(rules_of(polls(900_000, 10, 9 * SECOND)), [Rule::BusyPoller]);
    assert_eq!(rules_of(polls(49_000, 10, 9 * SECOND)), [], "few");
    assert_eq!(rules_of(polls(900_000, 100_000, 9 * SECOND)), [], "it sleeps: that is I/O");
    assert_eq!(rules_of(polls(900_000, 10, SECOND)), [], "cheap");
}

#[test]
fn threads_without_a_core_are_many_and_a_large_part() {
    let queue = |runqueue_ns: u64| move |batch: &mut Batch| batch.cpu[0].runqueue_ns = runqueue_ns;
    assert_eq!(rules_of(queue(6 * SECOND)), [Rule::Cores]);
    assert_eq!(rules_of(queue(4 * SECOND)), [], "under half a thread");
}

#[test]
fn any_loss_is_said_and_comes_last() {
    let lost = |batch: &mut Batch| {
        batch.lost.insert("ring_full".into(), 12);
        batch.cpu[0].runqueue_ns = 9 * SECOND;
    };
    assert_eq!(rules_of(lost), [Rule::Cores, Rule::EventsLost]);
}

#[test]
fn counters_of_a_target_that_lies_do_not_overflow() {
    let most = |batch: &mut Batch| {
        let causes = ["ring_full", "nested"];
        batch.lost.extend(causes.map(|cause| (cause.to_owned(), u64::MAX)));
        batch.cpu.iter_mut().for_each(|cpu| cpu.runqueue_ns = u64::MAX);
        batch.thread_gil.iter_mut().for_each(|gil| gil.wait_ns = u64::MAX);
        let pair = |from| HandoffTotal { from, to: IO, count: 9, wait_ns: u64::MAX };
        batch.handoffs.extend([MAIN, IO].map(pair));
    };
    assert!(rules_of(most).contains(&Rule::EventsLost));
}

#[test]
fn a_short_span_says_nothing() {
    let half = SPAN_NS_MIN / 2;
    let short = |batch: &mut Batch| {
        wait_for_main(batch, half);
        let gil = batch.gil.as_mut().unwrap();
        (gil.at_ns, gil.held_ns, gil.free_ns) = (half, half, 0);
        (batch.at_ns, batch.process) = (half, Some(process(half)));
    };
    assert_eq!(rules_of(short), []);
}
