//! `gilscope top` on real targets: in a terminal that `script` makes, and as text.

use crate::harness::interpreters::Python;
use crate::harness::process::{Ended, Process};
use crate::harness::program::Program;
use crate::harness::session::{plain, run};
use std::ffi::OsStr;

/// Runs `command` in a terminal of 24 lines and 80 columns, with `keys` typed ahead; then how it ended and
/// what the terminal is like.
fn in_a_terminal(command: &str, keys: Option<&str>) -> Ended {
    let line = format!("stty rows 24 cols 80; {command}; echo \"exit $?\"; stty -a");
    let mut terminal = plain(OsStr::new("script"));
    terminal.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env("SHELL", "/bin/sh");
    let mut process = Process::start(&mut terminal);
    if let Some(keys) = keys {
        process.say(keys);
    }
    process.finish()
}

/// It left well, with the terminal as it was before.
fn check_left(ended: &Ended) {
    let seen = &ended.stdout;
    assert!(ended.status.success() && seen.contains("exit 0"), "{ended:?}");
    let (taken, left) = (seen.rfind("\u{1b}[?1049h"), seen.rfind("\u{1b}[?1049l"));
    assert!(taken.is_some() && taken < left, "the screen is given back: {seen:?}");
    let settings = &seen[seen.rfind("exit 0").expect("it is there")..];
    assert!(settings.contains(" icanon") && settings.contains(" echo "), "{settings}");
}

fn terminal(python: &Python) {
    let mut program = Program::start(python, "busy3.py", &[]);
    let top = format!("{} top {} --interval 500ms", env!("CARGO_BIN_EXE_gilscope"), program.pid());

    let timed = in_a_terminal(&format!("{top} -d 2s"), None);
    check_left(&timed);
    for part in ["OTHERS", "THREADS", "inflict", "leave"] {
        assert!(timed.stdout.contains(part), "{part}: {:?}", timed.stdout);
    }
    let key = in_a_terminal(&top, Some("q"));
    check_left(&key);
    assert!(key.stdout.contains("by its key"), "{key:?}");
    let term = format!("timeout --foreground --preserve-status 2 {top}");
    let signal = in_a_terminal(&term, None);
    check_left(&signal);
    assert!(signal.stdout.contains("by SIGTERM"), "{signal:?}");

    let once = run(&["top", &program.pid().to_string(), "--once", "--interval", "1s"]);
    assert!(once.status.success() && !once.stdout.contains('\u{1b}'), "{once:?}");
    let version = format!("Python {}.{}.", python.version.0, python.version.1);
    for part in [&version, "MainThread", "OTHERS WAITED AT", "spin.py:"] {
        assert!(once.stdout.contains(part), "{part}: {}", once.stdout);
    }
    program.say("stop");
    program.truth();
    program.end_well();
}
crate::on_pythons!(top_shows_a_target_and_gives_the_terminal_back, terminal, [
    python_2_7 "2.7", python_3_12 "3.12",
]);

#[test]
fn without_a_terminal_top_says_so_and_touches_nothing() {
    let ended = run(&["top", "1"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("stdout is none: use --once"), "{ended:?}");
    let ended = run(&["top", "4194305", "--once"]);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
}
