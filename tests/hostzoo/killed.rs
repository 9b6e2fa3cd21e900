//! gilscope dies at every step of coming and going; the target lives, and the next one clears up.

use crate::compiled::compiled;
use crate::harness::process::{Ended, Process, wait_for};
use crate::harness::report::cell;
use crate::harness::session::{gilscope, plain};
use crate::harness::{Program, Python, Session, scratch, sized};
use crate::{cycle, results};
use std::path::Path;

/// Runs an attach and detach that is killed at `step` (cutter.c); 0 lets it be.
fn cut(cutter: &Path, step: usize, program: &Program) -> Ended {
    let folder = scratch();
    let whole = gilscope();
    let mut command = plain(cutter.as_os_str());
    command.arg(step.to_string()).arg(whole.get_program());
    command.args(["attach", &program.pid().to_string(), "-d", "1ms", "--no-dashboard", "-q", "-o"]);
    Process::start(command.arg(folder.path().join("r.gilscope"))).finish()
}

/// What has to be as before once the next gilscope has come and gone.
fn footprint(program: &Program) -> (usize, usize, usize) {
    (program.n_threads(), program.n_fds(), program.n_residue_maps())
}

fn at_every_step(python: &Python) {
    let cutter = compiled("cutter", &[]);
    let mut program = Program::start(python, "busy3.py", &["2"]);
    cycle(&program).expect("before anything dies");
    let before = footprint(&program);
    let counted = cut(&cutter, 0, &program);
    assert_eq!(counted.status.code(), Some(1), "{counted:?}");
    let steps: usize = counted.stdout.trim().parse().expect("a number of steps");
    assert!(steps > 30, "the steps are not seen: {steps}");
    let mut killed = 0;
    for _ in 0..sized(1, 20) {
        for step in 1..=steps {
            let ended = cut(&cutter, step, &program);
            // What the one before has left behind makes the way in longer or shorter.
            killed += usize::from(ended.status.success());
            assert!(program.lives(), "dead after a kill at step {step} of {steps}: {ended:?}");
        }
    }
    assert!(killed > steps / 2, "{killed} kills at {steps} steps");
    cycle(&program).expect("after the kills");
    wait_for("what was left behind to go", || footprint(&program), |now| *now == before);
    program.say("stop");
    assert_eq!(program.truth()["loops"].as_array().map(Vec::len), Some(2));
    program.end_well();
    std::fs::remove_file(cutter).expect("ours");
    results::note("gilscope killed at every step", &format!("{:?}", python.path), killed, 0);
}

crate::on_pythons!(a_gilscope_that_dies_at_any_step_harms_nobody, at_every_step, [
    python_2_7 "2.7", python_3_12 "3.12",
]);

fn while_recording(python: &Python) {
    let mut program = Program::start(python, "busy3.py", &["2"]);
    cycle(&program).expect("before anything dies");
    let before = footprint(&program);
    let times = sized(5, 100);
    for n in 0..times {
        let session = Session::attach(&program, &[]);
        drop(session); // SIGKILL
        assert!(program.lives(), "dead after kill {n}");
    }
    cycle(&program).expect("after the kills");
    wait_for("what was left behind to go", || footprint(&program), |now| *now == before);
    program.say("stop");
    program.truth();
    program.end_well();
    results::note("gilscope killed while it records", &format!("{:?}", python.path), times, 0);
}

crate::on_pythons!(a_gilscope_that_is_killed_while_it_records_harms_nobody, while_recording, [
    python_2_7 "2.7", python_3_12 "3.12", python_3_13 "3.13",
]);

fn while_stopped(python: &Python) {
    let mut program = Program::start(python, "cycles.py", &["2", "20000"]);
    program.wait_quiet();
    let session = Session::attach(&program, &[]);
    let send = |signal| {
        let pid = i32::try_from(session.pid()).expect("a pid fits");
        // SAFETY: kill takes plain numbers; the session holds the child, so the pid is its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    };
    send(libc::SIGSTOP);
    program.say("go");
    // The whole work is done while nobody reads: the target does not wait for anybody.
    let truth = program.truth();
    std::thread::sleep(std::time::Duration::from_secs(sized(2, 60) as u64));
    send(libc::SIGCONT);
    let report = session.finish();
    assert_eq!(report.n("gil.acquires"), cell(&truth, "acquires"), "counted to the unit");
    report.check_sums(true);
    program.end_well();
    results::note("gilscope stopped while it records", &format!("{:?}", python.path), 1, 0);
}

crate::on_pythons!(a_gilscope_that_is_stopped_is_not_waited_for, while_stopped, [
    python_2_7 "2.7", python_3_12 "3.12",
]);
