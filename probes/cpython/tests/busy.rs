//! A process that never stands still: whatever is read of it must be true or be left out.

mod common;

use common::{Target, pythons};
use cpython::outside::{line_table, threads};

const LOOKS: usize = 20_000;
const WALKS: usize = 300;
/// All that the busy thread ever runs.
const FUNCTIONS: [&[u8]; 15] = [
    // On its way into `worker`.
    b"__bootstrap",
    b"__bootstrap_inner",
    b"_bootstrap",
    b"_bootstrap_inner",
    b"run",
    b"short",
    b"generator",
    b"deep",
    b"method",
    b"thrown_away",
    b"worker",
    b"made",
    b"<module>",
    b"<listcomp>",
    b"<genexpr>",
];

#[test]
fn a_running_thread_is_sampled_truly() {
    for python in pythons() {
        let target = Target::start(&python, "busy.py");
        let (memory, layout) = (target.memory(), target.layout());
        let tstate = target.threads[0][0].parse().unwrap();
        let (mut samples, mut gone, mut missed) = (0, 0, 0);
        for _ in 0..LOOKS {
            let Ok(sample) = layout.sample(&memory, tstate, target.code_type()) else {
                missed += 1;
                continue;
            };
            let (mut name, mut file) = ([0; 64], [0; 64]);
            let Some((copied, in_file)) =
                layout.describe(&memory, &sample.code, &mut name, &mut file)
            else {
                gone += 1;
                continue;
            };
            let (name, file) = (&name[..copied.bytes], &file[..in_file.bytes]);
            let shown = (String::from_utf8_lossy(name), String::from_utf8_lossy(file));
            assert!(FUNCTIONS.contains(&name), "{python:?}: {shown:?}");
            samples += 1;
        }
        println!("{}: {samples} samples, {gone} gone, {missed} missed", python.path.display());
        assert!(samples > LOOKS / 2, "{python:?}: {samples} of {LOOKS}");
    }
}

#[test]
fn threads_that_come_and_go_are_listed_truly() {
    for python in pythons() {
        let target = Target::start(&python, "busy.py");
        let (memory, layout) = (target.memory(), target.layout());
        let mut complete = 0;
        for _ in 0..WALKS {
            let seen = threads(&memory, &layout, &target.roots()).expect("an interpreter runs");
            for thread in &seen.threads {
                let name = thread.name.as_deref();
                assert!(
                    matches!(name, None | Some("MainThread" | "busy" | "churn" | "churner")),
                    "{python:?}: {name:?}"
                );
            }
            if seen.complete {
                complete += 1;
                assert!((3..=7).contains(&seen.threads.len()), "{python:?}: {seen:?}");
                assert_eq!(seen.threads.iter().filter(|thread| thread.is_main).count(), 1);
            }
        }
        println!("{}: {complete} of {WALKS} walks complete", python.path.display());
        assert!(complete > 0, "{python:?}");
    }
}

#[test]
fn a_line_table_is_refused_once_the_function_is_another() {
    for python in pythons() {
        let target = Target::start(&python, "busy.py");
        let (memory, layout) = (target.memory(), target.layout());
        let tstate = target.threads[0][0].parse().unwrap();
        let sample =
            (0..LOOKS).find_map(|_| layout.sample(&memory, tstate, target.code_type()).ok());
        let mut key = sample.expect("one of many looks hits").code;
        key.first_line += 1;
        assert_eq!(line_table(&memory, &layout, &key), None);
    }
}
