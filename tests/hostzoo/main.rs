//! The host contract: whatever a process does, with gilscope it does the same, and afterwards it is as it was.
//!
//! Each host of `hosts/` does a fixed, seeded piece of work. It runs alone, then with gilscope being
//! attached and detached as fast as that goes, then under `gilscope run`. What it says, on stdout and
//! stderr, and how it exits must be equal; what /proc tells of it must be what it was before.

#[path = "../e2e/harness/mod.rs"]
mod harness;

mod compiled;
mod contract;
mod crowd;
mod daemon_threads;
mod eintr;
mod embedded;
mod foreign;
mod hindered;
mod killed;
mod naive;
mod race;
mod residue;
mod results;

use contract::State;
use harness::process::{Ended, Process};
use harness::session::gilscope;
use harness::{Program, Python, interpreters, scratch, sized, tests_dir};
use serde_json::Value;
use std::process::Command;

/// Attach and detach this often at least, the last times with the host quiet again; in the size of a
/// release that makes 30,000 times over all hosts, which `tests/run` adds up.
fn cycles_least() -> usize {
    sized(4, 150)
}

/// What a host let the world see.
#[derive(Debug, PartialEq)]
struct Seen {
    truth: Value,
    exit: Option<i32>,
    stderr: String,
}

/// May an attach be refused?
#[derive(Clone, Copy, PartialEq)]
enum Attach {
    Succeeds,
    /// A host that closes every descriptor closes the agent's, too.
    MayBeRefused,
    /// A host that runs another program in the middle of it; what its earlier programs had mapped is gone.
    MayBeReplaced,
}

fn command(python: &Python, host: &str) -> Command {
    let mut command = Command::new(&python.path);
    let folder =
        if host.starts_with("programs/") { tests_dir() } else { tests_dir().join("hostzoo/hosts") };
    let mut path = vec![tests_dir().join("programs")];
    path.extend(python.packages("packages").filter(|_| host.starts_with("gevent")));
    if let Some(folder) = foreign::folder(python).filter(|_| host.starts_with("foreign")) {
        command.env("FOREIGN", folder);
    }
    command.arg(folder.join(host)).env("PYTHONPATH", std::env::join_paths(path).expect("no colon"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn end(program: Program, truth: Value) -> Seen {
    let ended = program.end();
    Seen { truth, exit: ended.status.code(), stderr: ended.stderr }
}

fn alone(python: &Python, host: &str) -> (Seen, State) {
    let mut program = Program::from_command(&mut command(python, host));
    program.wait_quiet();
    program.say("go");
    let truth = program.truth();
    let state = State::of(&program);
    (end(program, truth), state)
}

/// One attach and detach with more options, however it ends.
fn try_cycle(program: &Program, options: &[&str]) -> Ended {
    let (folder, pid) = (scratch(), program.pid().to_string());
    let mut command = gilscope();
    command.args(["attach", &pid, "-d", "20ms", "--no-dashboard", "-q", "-o"]);
    Process::start(command.arg(folder.path().join("r.gilscope")).args(options)).finish()
}

/// One attach and detach; what went wrong, if anything did.
fn cycle(program: &Program) -> Result<(), String> {
    judged(&try_cycle(program, &[]))
}

/// [`cycle`] with remedies in between; where one is refused nothing is lost.
fn cycle_with_remedy(program: &Program) -> Result<(), String> {
    judged(&try_cycle(program, &["--try", "io-priority", "--try", "keep-chunks"]))
}

fn judged(ended: &Ended) -> Result<(), String> {
    if ended.status.success() { Ok(()) } else { Err(format!("{ended:?}")) }
}

fn attached(python: &Python, host: &str, attach: Attach) -> (Seen, State) {
    let mut program = Program::from_command(&mut command(python, host));
    program.wait_quiet();
    program.say("go");
    let (mut residue, mut n, mut refused, mut truth) = (Vec::new(), 0, 0, None);
    while truth.is_none() || residue.len() < cycles_least() {
        n += 1;
        // Every other time, so that waiters are left on short deadlines, too.
        match if n % 2 == 0 { cycle_with_remedy(&program) } else { cycle(&program) } {
            Ok(()) if attach == Attach::MayBeReplaced && truth.is_none() => {}
            Ok(()) => residue.push(program.n_residue_maps()),
            Err(_) if attach != Attach::Succeeds && truth.is_none() => refused += 1,
            Err(said) => panic!("cycle {n} on {host}: {said}"),
        }
        truth = truth.or_else(|| program.truth_if_said());
    }
    program.wait_quiet();
    let second = residue[1];
    assert!(residue[1..].iter().all(|n| *n == second), "mappings of ours grow: {residue:?}");
    println!("{second} mappings of ours left");
    results::note("attached and detached", &format!("{host} {:?}", python.path), n, refused);
    let state = State::of(&program);
    (end(program, truth.expect("said")), state)
}

fn preloaded(python: &Python, host: &str) -> Seen {
    let folder = scratch();
    let inner = command(python, host);
    let mut outer = gilscope();
    outer
        .args(["run", "--no-dashboard", "-q", "-o"])
        .arg(folder.path().join("r.gilscope"))
        .arg("--");
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.expect("no host removes a variable"));
    }
    let mut program = Program::from_process(Process::start(&mut outer));
    program.say("go");
    let truth = program.truth();
    end(program, truth)
}

fn undisturbed(python: &Python, host: &str, attach: Attach) {
    if host.starts_with("gevent") && python.packages("packages").is_none() {
        return interpreters::skip(
            "gevent is not installed for this interpreter (tests/run does it)",
        );
    }
    if host.starts_with("foreign") && foreign::folder(python).is_none() {
        return interpreters::skip("no headers of this interpreter to build an extension with");
    }
    let (seen, state) = alone(python, host);
    let (seen_attached, state_attached) = attached(python, host, attach);
    assert_eq!(seen_attached, seen, "attached and detached");
    assert_eq!(state_attached.differs(&state), None, "attached and detached, and alone");
    assert_eq!(preloaded(python, host), seen, "under gilscope run");
}

/// One host on all interpreters that it runs on.
macro_rules! host {
    ($name:ident, $file:literal, $attach:ident, [$($test:ident $python:literal),+ $(,)?]) => {
        mod $name {
            $(#[test]
            fn $test() {
                super::interpreters::run_on($python, |python| super::undisturbed(python, $file, super::Attach::$attach));
            })+
        }
    };
    ($name:ident, $file:literal, $attach:ident) => {
        host!($name, $file, $attach, [
            python_2_7 "2.7", python_3_6 "3.6", python_3_9 "3.9", debian_3_11 "debian 3.11",
            python_3_12 "3.12", python_3_13 "3.13",
        ]);
    };
}

host!(a_pool_of_foreign_threads_is_undisturbed, "foreign_pool.py", Succeeds);
host!(an_idle_event_loop_is_undisturbed, "idle_epoll.py", Succeeds);
host!(a_malloc_storm_is_undisturbed, "malloc_storm.py", Succeeds);
host!(an_import_storm_is_undisturbed, "import_storm.py", Succeeds);
host!(a_forking_host_is_undisturbed, "forks.py", Succeeds);
host!(a_fork_pool_is_undisturbed, "programs/fork_pool.py", Succeeds);
host!(a_subprocess_storm_is_undisturbed, "programs/subprocs.py", Succeeds);
host!(thread_churn_is_undisturbed, "thread_churn.py", Succeeds);
host!(c_callbacks_are_undisturbed, "callbacks.py", Succeeds);
host!(a_host_that_closes_all_descriptors_is_undisturbed, "closerange.py", MayBeRefused);
host!(
    a_signal_storm_is_undisturbed,
    "signals.py",
    Succeeds,
    [python_3_6 "3.6", debian_3_11 "debian 3.11", python_3_12 "3.12", python_3_13 "3.13"]
);
host!(
    asyncio_is_undisturbed,
    "asyncio_tasks.py",
    Succeeds,
    [python_3_6 "3.6", debian_3_11 "debian 3.11", python_3_12 "3.12", python_3_13 "3.13"]
);
host!(raw_clones_are_undisturbed, "raw_clone.py", Succeeds, [python_2_7 "2.7", python_3_12 "3.12"]);
host!(
    a_vfork_storm_is_undisturbed,
    "vforks.py",
    Succeeds,
    [python_3_6 "3.6", debian_3_11 "debian 3.11", python_3_13 "3.13"]
);
host!(a_gc_storm_is_undisturbed, "gc_storm.py", Succeeds, [python_2_7 "2.7", python_3_13 "3.13"]);
host!(
    pipes_at_full_rate_are_undisturbed,
    "pipe_rate.py",
    Succeeds,
    [python_2_7 "2.7", python_3_9 "3.9", python_3_12 "3.12"]
);
host!(gevent_is_undisturbed, "gevent_hub.py", Succeeds, [python_3_9 "3.9", python_3_12 "3.12"]);
host!(
    robust_mutexes_are_undisturbed,
    "robust.py",
    Succeeds,
    [python_2_7 "2.7", debian_3_11 "debian 3.11", python_3_13 "3.13"]
);
host!(
    small_stacks_are_undisturbed,
    "small_stacks.py",
    Succeeds,
    [python_2_7 "2.7", debian_3_11 "debian 3.11", python_3_12 "3.12"]
);
host!(
    a_host_that_drops_its_rights_is_undisturbed,
    "setuid_drop.py",
    Succeeds,
    [python_2_7 "2.7", python_3_12 "3.12"]
);
host!(
    a_host_that_replaces_itself_is_undisturbed,
    "exec_loop.py",
    MayBeReplaced,
    [python_2_7 "2.7", debian_3_11 "debian 3.11", python_3_12 "3.12"]
);
host!(
    queued_signals_are_undisturbed,
    "realtime.py",
    Succeeds,
    [python_2_7 "2.7", python_3_6 "3.6", python_3_12 "3.12"]
);
