//! Loads that cannot count themselves, against a witness that counts inside the same process.

use crate::harness::Python;
use crate::harness::witness::{Counts, Witnessed};
use crate::harness::{Session, report::cell};
use crate::{on_every_python, on_every_python3, on_typical_pythons};

/// The witness agrees with a program that knows its own count: without gilscope, so that both can be trusted.
fn the_two_truths(python: &Python) {
    let mut witnessed = Witnessed::start(python, "cycles.py", &["4", "2000"]);
    witnessed.program.wait_quiet();
    let before = witnessed.table();
    witnessed.program.say("go");
    let truth = witnessed.program.truth();
    assert_eq!(witnessed.table().since(&before).acquires, cell(&truth, "acquires"));
    witnessed.program.end_well();
}
on_every_python!(the_witness_and_the_programs_own_count_agree_without_gilscope, the_two_truths);

fn agree(python: &Python, file: &str, args: &[&str], for_seconds: Option<u64>) {
    let mut witnessed = Witnessed::start(python, file, args);
    witnessed.program.wait_quiet();
    let session = Session::attach(&witnessed.program, &[]);
    let before = witnessed.table();
    witnessed.program.say("go");
    if let Some(seconds) = for_seconds {
        std::thread::sleep(std::time::Duration::from_secs(seconds));
        witnessed.program.say("stop");
    }
    witnessed.program.truth();
    let seen = witnessed.table().since(&before);
    let report = session.finish();
    witnessed.program.end_well();
    let contended = seen.contended.map(|_| report.n("gil.acquires_contended"));
    assert_eq!(Counts { acquires: report.n("gil.acquires"), contended }, seen);
    report.check_sums(true);
}

fn convoy(python: &Python) {
    agree(python, "convoy.py", &[], Some(1));
}
on_every_python!(a_convoy_counts_as_the_witness_counts, convoy);

fn pingpong(python: &Python) {
    agree(python, "pingpong.py", &["3000"], None);
}
on_every_python!(lock_ping_pong_counts_as_the_witness_counts, pingpong);

fn forced(python: &Python) {
    agree(python, "switchinterval.py", &["1"], Some(1));
}
on_every_python3!(forced_switches_count_as_the_witness_counts, forced);

fn churn(python: &Python) {
    agree(python, "churn.py", &["100"], None);
}
on_typical_pythons!(threads_that_come_and_go_count_as_the_witness_counts, churn);
