//! What the host could notice, looked at from inside it: registers, errno, signals, its own death rate
//! when gilscope dies.
//!
//! `INJECT_KILLS=300` kills that many injectors; the default is small.

mod common;

use common::skipped::skip;
use common::{Host, footprint, pythons, try_attach, wait_status};
use inject::{Identity, Options, detach};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wire::segment::status;

fn compiled(source: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(source.replace(".c", ""));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(source);
    let done =
        Command::new("cc").args(["-O1", "-rdynamic"]).arg(source).arg("-o").arg(&program).status();
    assert!(done.expect("a C compiler is needed: install gcc").success());
    program
}

#[test]
fn registers_red_zone_and_errno_are_as_before() {
    if !std::arch::is_x86_feature_detected!("avx") {
        skip("this processor has no AVX");
        return;
    }
    let host = Host::start(&mut Command::new(compiled("registers.c")));
    let target = host.identity();
    for _ in 0..30 {
        let attached = try_attach(&target, Options::default()).unwrap();
        wait_status(&attached, status::RECORDING);
        detach(&target, Options::default()).unwrap();
    }
    let (last, code) = host.finish();
    assert!(last.starts_with("ok ") && code == Some(0), "changed: {last}");
}

/// Waits until a host stands in select, pselect6, epoll_wait or epoll_pwait (proc_pid_syscall(5)). A signal
/// that comes on the way there is handled late by CPython itself.
fn wait_until_it_waits(pid: i32) {
    let started = Instant::now();
    let waits = || {
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap();
        ["23 ", "270 ", "232 ", "281 "].iter().any(|number| call.starts_with(number))
    };
    while !waits() {
        assert!(started.elapsed() < Duration::from_secs(10), "the host does not wait");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Says "got" whenever the signal's handler runs, while a long wait is under way.
const WAITER: &str = r#"
import os, select, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: os.write(2, b"got\n"))
poll = select.epoll() if sys.argv[1] == "epoll" else None
sys.stdout.write("ready\n")
sys.stdout.flush()
while True:
    try:
        if poll: poll.poll(30)
        elif select.select([sys.stdin], [], [], 30)[0]: break
    except (IOError, select.error): pass
"#;

#[test]
fn a_signal_in_the_middle_is_handled_once_and_at_once() {
    use std::io::Read;
    let agent = common::agent();
    assert!(!agent.is_empty());
    for python in pythons() {
        for shape in ["select", "epoll"] {
            let mut command = Command::new(&python);
            command.args(["-c", WAITER, shape]).stderr(Stdio::piped());
            let mut host = Host::start(&mut command);
            let mut heard = host.child.stderr.take().unwrap();
            let target = host.identity();
            let pid = host.pid() as i32;
            for round in 0..6u64 {
                wait_until_it_waits(pid);
                let sender = std::thread::spawn(move || {
                    // Spread over the whole attach; the moment does not decide the outcome.
                    std::thread::sleep(Duration::from_micros(300 * round));
                    // SAFETY: kill(2) with a child of ours.
                    unsafe { libc::kill(pid, libc::SIGUSR1) };
                    Instant::now()
                });
                let attached = try_attach(&target, Options::default()).unwrap();
                wait_status(&attached, status::RECORDING);
                detach(&target, Options::default()).unwrap();
                let sent = sender.join().unwrap();
                let mut word = [0; 4];
                heard.read_exact(&mut word).unwrap();
                assert_eq!(&word, b"got\n");
                assert!(
                    sent.elapsed() < Duration::from_secs(20),
                    "{python:?} {shape} round {round}: only after the wait's own time-out"
                );
            }
            drop(host);
            let mut rest = String::new();
            heard.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "", "handled twice");
        }
    }
}

/// What the victim says before its first attach.
const GO: &str = "the victim begins";

/// Attaches and detaches for ever; to be killed. Alone it has nothing to do.
#[test]
fn as_a_victim() {
    let Some(pid) = std::env::var("INJECT_TEST_PID").ok().and_then(|text| text.parse().ok()) else {
        return;
    };
    let target = Identity::of(pid).unwrap();
    common::agent();
    println!("{GO}");
    loop {
        if let Ok(attached) = try_attach(&target, Options::default()) {
            wait_status(&attached, status::RECORDING);
        }
        let _ = detach(&target, Options::default());
    }
}

#[test]
fn a_killed_injector_harms_nobody_and_leaves_nothing_for_long() {
    if std::env::var("INJECT_TEST_PID").is_ok() {
        return;
    }
    let kills: u64 =
        std::env::var("INJECT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    for python in pythons().into_iter().rev().take(2) {
        for shape in ["select", "cpu", "storm"] {
            let host = Host::python(&python, shape);
            let target = host.identity();
            let before = footprint(&target);
            for round in 0..kills {
                kill_one(&host, round);
                assert!(target.alive(), "{python:?} {shape} died after kill {round}");
            }
            // Whatever was left is taken over or cleared away.
            let attached = try_attach(&target, Options::default()).unwrap();
            wait_status(&attached, status::RECORDING);
            detach(&target, Options::default()).unwrap();
            let started = Instant::now();
            loop {
                let now = footprint(&target);
                if (&now.fds, now.threads) == (&before.fds, before.threads) {
                    break;
                }
                assert!(started.elapsed() < Duration::from_secs(10), "{before:?}\n{now:?}");
                std::thread::sleep(Duration::from_millis(5));
            }
            let (last, code) = host.finish();
            assert!(last.starts_with("ok ") && code == Some(0), "{python:?} {shape}: {last}");
        }
    }
}

fn kill_one(host: &Host, round: u64) {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_a_victim", "--nocapture"])
        .env("INJECT_TEST_PID", host.pid().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = BufReader::new(victim.stdout.take().unwrap());
    assert!(said.lines().any(|line| line.unwrap().contains(GO)), "the victim did not begin");
    // Every moment of its cycles is as good as another.
    std::thread::sleep(Duration::from_micros(round * 7_919 % 100_000));
    victim.kill().unwrap();
    victim.wait().unwrap();
}
