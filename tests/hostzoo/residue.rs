//! What stays behind in one host that gilscope has come to and left very often: no more than after once.

use crate::harness::process::{status_kib, wait_for};
use crate::harness::{Program, Python, sized};
use crate::{cycle, results};

/// Growth of resident memory that is the host's own to and fro, KiB; a leak of a page a cycle is more.
const RSS_KIB: u64 = 1024;

fn over_and_over(python: &Python) {
    constant(python, sized(1_000, 10_000));
}

fn for_a_while(python: &Python) {
    constant(python, sized(120, 10_000));
}

fn constant(python: &Python, cycles: usize) {
    let mut command = Program::command(python, "sleeper.py", &[]);
    let mut program = Program::from_command(command.env("TEST_LIMIT_S", "7200"));
    // The first cycles load the agent and fill the C library's caches.
    for _ in 0..10 {
        cycle(&program).expect("a first cycle");
    }
    let look = || (program.n_threads(), program.n_fds(), program.maps().len());
    let (before, rss_before) = (look(), status_kib(program.pid(), "VmRSS"));
    for n in 0..cycles {
        cycle(&program).unwrap_or_else(|said| panic!("cycle {n}: {said}"));
    }
    wait_for("threads, descriptors and mappings as before", look, |now| *now == before);
    let rss = status_kib(program.pid(), "VmRSS");
    println!("{cycles} cycles: {before:?}, resident {rss_before} KiB, then {rss} KiB");
    assert!(rss <= rss_before + RSS_KIB, "resident memory grew from {rss_before} to {rss} KiB");
    program.say("stop");
    program.truth();
    program.end_well();
    results::note(
        "attached and detached",
        &format!("one host all the time {:?}", python.path),
        cycles,
        0,
    );
}

crate::on_pythons!(what_stays_behind_after_very_many_cycles_is_constant, over_and_over, [
    python_3_12 "3.12",
]);
crate::on_pythons!(what_stays_behind_is_constant, for_a_while, [
    python_2_7 "2.7",
]);
