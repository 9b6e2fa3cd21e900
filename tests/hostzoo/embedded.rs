//! A C program that makes an interpreter and finalises it, over and over, while gilscope comes and goes.

use crate::harness::interpreters::skip;
use crate::harness::{Program, Python, process::Process, scratch};
use crate::{end, results, try_cycle};
use std::process::Command;

fn undisturbed(python: &Python) {
    let folder = scratch();
    let program = match python.embedding("hostzoo/embed_loop.c", folder.path()) {
        Ok(program) => program,
        Err(reason) => return skip(&reason),
    };
    let start = || {
        let mut program = Program::from_process(Process::start(&mut Command::new(&program)));
        program.say("go");
        program
    };
    let alone = start();
    let truth = alone.truth();
    let alone = end(alone, truth);
    assert_eq!(alone.exit, Some(0));
    let program = start();
    let (mut tries, mut refused) = (0, 0);
    let truth = loop {
        // There may be no interpreter at the moment; that must be said, and do no harm.
        let ended = try_cycle(&program, &[]);
        tries += 1;
        refused += usize::from(!ended.status.success());
        assert!([Some(0), Some(1), Some(3)].contains(&ended.status.code()), "{ended:?}");
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        if let Some(truth) = program.truth_if_said() {
            break truth;
        }
    };
    assert_eq!(end(program, truth), alone);
    let subject = format!("embedded, made and finalised in a loop {:?}", python.version);
    results::note("attached and detached", &subject, tries, refused);
}

crate::on_pythons!(an_embedded_interpreter_may_come_and_go, undisturbed, [
    python_3_8 "3.8", python_3_9 "3.9", python_3_12 "3.12", python_3_13 "3.13",
]);
