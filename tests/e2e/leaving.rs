//! Getting out again: detach, the target's end, attaching many times, and what stays behind.

use crate::harness::process::Process;
use crate::harness::session::gilscope;
use crate::harness::{Program, Python, Session, scratch};
use crate::{on_every_python, on_typical_pythons};

fn twenty_times(python: &Python) {
    let mut program = Program::start(python, "cycles.py", &["2", "100"]);
    program.wait_quiet();
    let (threads, fds) = (program.n_threads(), program.n_fds());
    let mut residue = None;
    for cycle in 0..20 {
        let session = Session::attach(&program, &[]);
        program.say("go");
        program.truth();
        session.finish();
        assert_eq!((program.n_threads(), program.n_fds()), (threads, fds), "after cycle {cycle}");
        let maps = program.n_residue_maps();
        assert_eq!(*residue.get_or_insert(maps), maps, "mappings of ours after cycle {cycle}");
    }
    program.end_well();
}
on_typical_pythons!(attaching_twenty_times_leaves_no_more_than_once, twenty_times);

fn target_exits(python: &Python) {
    let mut program = Program::start(python, "exits.py", &["7"]);
    let session = Session::attach(&program, &[]);
    program.say("stop");
    let (ended, report) = session.wait();
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.stderr.contains("exited") || ended.stderr.contains("ended"),
        "the reason: {}",
        ended.stderr
    );
    assert!(report.n("gil.acquires") > 0, "drained to its last event");
    assert_eq!(program.end().status.code(), Some(7));
}
on_every_python!(a_target_that_exits_is_drained_and_keeps_its_exit_code, target_exits);

fn target_is_killed(python: &Python) {
    let program = Program::start(python, "busy3.py", &[]);
    let session = Session::attach(&program, &[]);
    program.signal(libc::SIGKILL);
    let (ended, _) = session.wait();
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.stderr.contains("SIGKILL") || ended.stderr.contains("killed"),
        "the reason: {}",
        ended.stderr
    );
}
on_typical_pythons!(a_target_that_is_killed_is_told_with_its_signal, target_is_killed);

fn duration(python: &Python) {
    let mut program = Program::start(python, "busy3.py", &[]);
    let folder = scratch();
    let file = folder.path().join("r.gilscope");
    let mut command = gilscope();
    command
        .args(["attach", &program.pid().to_string(), "-d", "1s", "--no-dashboard", "-o"])
        .arg(&file);
    let ended = Process::start(&mut command).finish();
    assert!(ended.status.success() && ended.stdout.is_empty(), "{ended:?}");
    let report = crate::harness::Report::of(&file);
    let window_ns = report.n("window.duration_ns");
    assert!((900_000_000..5_000_000_000).contains(&window_ns), "{window_ns} ns");
    assert_eq!(report.n("target.pid"), u64::from(program.pid()));
    let version = report.at("target.python_version").as_str().expect("a version").to_owned();
    assert!(
        version.starts_with(&format!("{}.{}.", python.version.0, python.version.1)),
        "{version}"
    );
    program.say("stop");
    program.truth();
    program.end_well();
}
on_every_python!(attach_for_a_duration_ends_by_itself, duration);

#[test]
fn detach_reaches_a_headless_gilscope_or_tells_which_one_watches() {
    crate::harness::interpreters::run_on("3.11", |python| {
        let mut program = Program::start(python, "cycles.py", &["1", "100"]);
        program.wait_quiet();
        let (home, elsewhere) = (scratch(), scratch());
        let path = |folder: &tempfile::TempDir| folder.path().to_str().expect("UTF-8").to_owned();
        let at = path(&elsewhere);
        let session = Session::attach_with(&program, &[], &[("XDG_RUNTIME_DIR", at.as_str())]);
        program.say("go");
        program.truth();
        let pid = program.pid().to_string();
        let detach = |folder: &str| {
            let mut command = gilscope();
            Process::start(command.args(["detach", &pid]).env("XDG_RUNTIME_DIR", folder)).finish()
        };
        let refused = detach(&path(&home));
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let remedy = format!("kill -INT {}", session.pid());
        assert!(refused.stderr.contains(&remedy), "{refused:?}");
        let left = detach(&at);
        assert!(left.status.success(), "{left:?}");
        let (ended, report) = session.wait();
        assert!(ended.stderr.contains("detached by `gilscope detach`"), "{ended:?}");
        assert!(report.n("gil.acquires") >= 100);
        program.end_well();
    });
}
