//! Several gilscopes at once: one gets in, the others are told who it is, and the target never notices.

use crate::harness::process::{Ended, Process};
use crate::harness::session::{Session, gilscope};
use crate::harness::{Program, Python, scratch, sized};
use crate::{cycle, results};
use std::process::Command;

const RACERS: usize = 3;

fn attaching(pid: u32, folder: &tempfile::TempDir, racer: usize) -> Command {
    let mut command = gilscope();
    command.args(["attach", &pid.to_string(), "-d", "1s", "--no-dashboard", "-q", "-o"]);
    command.arg(folder.path().join(format!("{racer}.gilscope")));
    command
}

/// Starts them together; gives the pids and how each ended.
fn race(program: &Program) -> Vec<(u32, Ended)> {
    let folder = scratch();
    let start = |racer| Process::start(&mut attaching(program.pid(), &folder, racer));
    let racers: Vec<_> = (0..RACERS).map(start).collect();
    racers.into_iter().map(|racer| (racer.pid(), racer.finish())).collect()
}

fn one_wins(python: &Python) {
    let mut program = Program::start(python, "busy3.py", &[]);
    let (n_threads, n_fds) = (program.n_threads(), program.n_fds());
    cycle(&program).expect("alone");
    let residue = program.n_residue_maps();
    let rounds = sized(6, 500);
    let mut refused = 0;
    for round in 0..rounds {
        let ended = race(&program);
        let winners: Vec<u32> =
            ended.iter().filter(|(_, e)| e.status.success()).map(|(pid, _)| *pid).collect();
        assert!(!winners.is_empty(), "round {round}: nobody got in: {ended:?}");
        // One that started late may find the first gone already; whoever was refused was told by whom.
        for (_, loser) in ended.iter().filter(|(_, e)| !e.status.success()) {
            refused += 1;
            let by = |pid: &u32| loser.stderr.contains(&format!("attached, by process {pid}"));
            assert!(winners.iter().any(by), "round {round}: {loser:?}, winners {winners:?}");
            assert_eq!(loser.status.code(), Some(1));
        }
        assert_eq!(program.n_residue_maps(), residue, "round {round}: a second agent was loaded");
        assert_eq!((program.n_threads(), program.n_fds()), (n_threads, n_fds));
    }
    assert!(refused > 0, "they never met");
    results::note(
        "attached by three gilscopes at once",
        &format!("{:?}", python.path),
        rounds * RACERS,
        refused,
    );
    program.say("stop");
    program.end();
}

crate::on_pythons!(of_several_gilscopes_one_gets_in, one_wins, [
    python_2_7 "2.7", python_3_12 "3.12",
]);

fn second_is_told(python: &Python) {
    let mut program = Program::start(python, "sleeper.py", &[]);
    let session = Session::attach(&program, &[]);
    let folder = scratch();
    let ended = Process::start(&mut attaching(program.pid(), &folder, 0)).finish();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let by = format!("attached, by process {}", session.pid());
    assert!(ended.stderr.contains(&by), "{ended:?}");
    session.finish();
    program.say("stop");
    program.end();
}

crate::on_pythons!(a_second_gilscope_is_told_by_whom, second_is_told, [python_3_12 "3.12"]);
