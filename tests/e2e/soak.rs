//! Soak: as many events as the target can make, for a minute (ten in the size of a release). What target and
//! gilscope take must not grow after the first third, and not one event uncounted.

use crate::harness::process::{status_kib, wait_for};
use crate::harness::recording::n_events;
use crate::harness::report::cell;
use crate::harness::{Program, Python, Session, sized};
use std::time::{Duration, Instant};

/// Cycles of each of two threads between two looks: about half a second.
const CYCLES: &str = "200000";
/// What mean resident memory may grow by from the second third to the last, KiB. gilscope's goes up and down
/// by half of this as chunks are made; a leak of two bytes an event would be more.
const TARGET_GROWTH_KIB: u64 = 512;
const DAEMON_GROWTH_KIB: u64 = 32 * 1024;

/// Descriptors, threads and mappings.
type Held = (usize, usize, usize);

fn held(program: &Program) -> Held {
    (program.n_fds(), program.n_threads(), program.maps().len())
}

/// Means of the second and of the last third of the looks.
fn settled(looks: &[u64]) -> [u64; 2] {
    let third = looks.len() / 3;
    let mean = |looks: &[u64]| looks.iter().sum::<u64>() / looks.len().max(1) as u64;
    [mean(&looks[third..2 * third]), mean(&looks[2 * third..])]
}

fn soak(python: &Python) {
    let mut program = Program::start(python, "cycles.py", &["2", CYCLES]);
    program.wait_quiet();
    let session = Session::attach(&program, &["--trace"]);
    let (began, length) = (Instant::now(), Duration::from_secs(sized(60, 600) as u64));
    let (mut of_target, mut of_daemon) = (Vec::new(), Vec::new());
    let mut truth;
    let target_held = held(&program);
    loop {
        program.say("go");
        truth = program.truth();
        of_target.push(status_kib(program.pid(), "VmRSS"));
        of_daemon.push(status_kib(session.pid(), "VmRSS"));
        if began.elapsed() > length {
            break;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    wait_for("the target as before", || held(&program), |now| *now == target_held);
    let (report, delivered) = session.finish_and(n_events);
    program.end_well();
    let acquires = report.n("gil.acquires");
    assert_eq!(acquires, cell(&truth, "acquires"), "counted to the unit");
    let (produced, lost) =
        (acquires + report.n("gil.acquires_contended"), report.n("loss.events_lost"));
    assert_eq!(delivered + lost, produced, "{delivered} delivered, {lost} lost");
    println!(
        "{produced} events in {seconds:.0} s, {lost} lost: {:.0} a second",
        produced as f64 / seconds
    );
    for (whose, looks, most_kib) in
        [("target", of_target, TARGET_GROWTH_KIB), ("gilscope", of_daemon, DAEMON_GROWTH_KIB)]
    {
        let [before, after] = settled(&looks);
        println!("{whose}: resident {before} KiB, then {after} KiB; {} looks", looks.len());
        assert!(after <= before + most_kib, "{whose}: resident memory grew: {looks:?}");
    }
    report.check_sums(true);
}

crate::on_pythons!(a_minute_at_full_rate_takes_no_more_and_more, soak, [
    python_3_12 "3.12",
]);
