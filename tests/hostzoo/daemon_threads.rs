//! Finalisation with daemon threads at work, while gilscope is attached, or just attaches.

use crate::cycle_with_remedy;
use crate::harness::process::{Ended, Process};
use crate::harness::session::gilscope;
use crate::harness::{Program, Python, Session, scratch};
use crate::on_typical_pythons;

/// Exit code and silence. On 2.7 a daemon thread may complain about the names that are gone, by itself.
fn as_ever(python: &Python, ended: &Ended) {
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    let by_itself = python.version.0 == 2
        && ended.stderr.contains("most likely raised during interpreter shutdown");
    assert!(by_itself || ended.stderr.is_empty(), "{ended:?}");
}

fn while_attached(python: &Python) {
    for _ in 0..3 {
        let mut program = Program::start(python, "exits.py", &["7"]);
        let session = Session::attach(&program, &[]);
        program.say("stop");
        let ended = program.end();
        as_ever(python, &ended);
        assert!(session.wait().0.status.success());
    }
}
on_typical_pythons!(daemon_threads_at_exit_while_attached_end_as_ever, while_attached);

fn while_attaching(python: &Python) {
    for _ in 0..8 {
        let mut program = Program::start(python, "exits.py", &["7"]);
        let folder = scratch();
        let mut command = gilscope();
        command.args([
            "attach",
            &program.pid().to_string(),
            "-d",
            "1s",
            "--no-dashboard",
            "-q",
            "-o",
        ]);
        let attaching = Process::start(command.arg(folder.path().join("r.gilscope")));
        program.say("stop");
        let ended = program.end();
        as_ever(python, &ended);
        // Whether it got in is a race; that it ends, and says so without a panic, is not.
        let ended = attaching.finish();
        assert!([Some(0), Some(1), Some(3)].contains(&ended.status.code()), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    }
}
on_typical_pythons!(daemon_threads_at_exit_while_attaching_end_as_ever, while_attaching);

fn after_detach(python: &Python) {
    let mut program = Program::start(python, "exits.py", &["7"]);
    for _ in 0..3 {
        cycle_with_remedy(&program).unwrap();
    }
    program.say("stop");
    let ended = program.end();
    as_ever(python, &ended);
}
on_typical_pythons!(daemon_threads_at_exit_after_detach_end_as_ever, after_detach);
