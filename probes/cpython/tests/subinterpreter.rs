//! A process with two interpreters, read from outside.

mod common;

use common::{Target, pythons};
use cpython::Version;
use cpython::outside::threads;

#[test]
fn each_interpreters_threads_are_listed_with_the_names_they_have_there() {
    for python in pythons() {
        if python.version < Version::new(3, 8, 0) {
            println!("skipped: {} has no module for subinterpreters", python.version);
            continue;
        }
        let target = Target::start(&python, "subinterpreter.py");
        let seen = threads(&target.memory(), &target.layout(), &target.roots()).unwrap();
        assert!(seen.complete, "{python:?}");
        let main = seen.threads.last().unwrap().interpreter;
        for words in &target.threads {
            let ident = words[0].parse().unwrap();
            for (in_main, expected) in [(true, &words[1]), (false, &words[2])] {
                let named = seen.threads.iter().find(|thread| {
                    thread.thread_ident == ident && (thread.interpreter == main) == in_main
                });
                let name = named.and_then(|thread| thread.name.clone());
                let expected = (expected != "-").then(|| expected.clone());
                assert_eq!(name, expected, "{python:?} {seen:?}");
            }
        }
        let mains: Vec<u64> = seen
            .threads
            .iter()
            .filter(|thread| thread.is_main)
            .map(|thread| thread.thread_ident)
            .collect();
        assert_eq!(mains, [target.threads[0][0].parse::<u64>().unwrap()], "{python:?}");
        println!("{}: {} thread states", python.path.display(), seen.threads.len());
    }
}
