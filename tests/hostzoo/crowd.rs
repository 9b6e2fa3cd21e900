//! Ten thousand threads on stacks of 64 KiB, all alive while gilscope comes and goes.

use crate::contract::State;
use crate::harness::{Program, Python, sized};
use crate::{command, cycle, results};
use serde_json::{Value, json};

const THREADS: usize = 10_000;

/// Starts the crowd; it is there, and the main thread waits for a line.
fn crowd(python: &Python) -> Program {
    let mut command = command(python, "many_threads.py");
    let mut program = Program::from_command(command.arg(THREADS.to_string()));
    program.say("go");
    assert_eq!(program.answer(), json!({ "alive": THREADS }));
    program
}

/// Lets the crowd go home and the program end.
fn dismiss(mut program: Program) -> (Value, State) {
    program.say("go");
    let truth = program.truth();
    let state = State::of(&program);
    program.end_well();
    (truth, state)
}

fn undisturbed(python: &Python) {
    let cycles = sized(3, 50);
    let (truth, state) = dismiss(crowd(python));
    let program = crowd(python);
    for n in 0..cycles {
        cycle(&program).unwrap_or_else(|said| panic!("cycle {n}: {said}"));
        assert_eq!(program.n_threads(), THREADS + 1);
        assert!(program.n_residue_maps() <= 4, "{} mappings of ours", program.n_residue_maps());
    }
    let (truth_attached, state_attached) = dismiss(program);
    assert_eq!(truth_attached, truth);
    assert_eq!(state_attached.differs(&state), None);
    results::note(
        "attached and detached",
        &format!("10,000 threads {:?}", python.version),
        cycles,
        0,
    );
}

crate::on_pythons!(ten_thousand_threads_are_undisturbed, undisturbed, [
    python_3_6 "3.6", python_3_12 "3.12",
]);
