//! Data stacks of threads that stand still, read from outside and compared with what the process reads of itself.

mod common;

use common::{Target, pythons};
use cpython::outside::{Chunk, data_stack, threads};
use cpython::{Layout, Memory, Version};

const FIRST: Version = Version::new(3, 11, 0);

/// One `thread` line: the thread state, then its chunks, their bytes, and what is used of them.
fn truths(target: &Target) -> Vec<[u64; 4]> {
    let numbers = |words: &Vec<String>| std::array::from_fn(|at| words[at].parse().unwrap());
    target.threads.iter().map(numbers).collect()
}

fn each(check: impl Fn(&Target, &Layout)) {
    for python in pythons().into_iter().filter(|python| python.version >= FIRST) {
        let target = Target::start(&python, "data_stack.py");
        check(&target, &target.layout());
    }
}

fn sum(chunks: &[Chunk], of: impl Fn(&Chunk) -> u64) -> u64 {
    chunks.iter().map(of).sum()
}

#[test]
fn chunks_are_those_that_the_process_knows_of() {
    each(|target, layout| {
        let truths = truths(target);
        assert!(truths.iter().any(|truth| truth[1] > 20), "{:?}: no deep stack", target.python);
        for [tstate, count, bytes, used_bytes] in truths {
            let seen = data_stack(&target.memory(), layout, tstate).expect("it stands still");
            assert_eq!(seen.chunks.len() as u64, count, "{:?}", target.python);
            assert_eq!(sum(&seen.chunks, |chunk| chunk.bytes), bytes, "{:?}", target.python);
            assert_eq!(
                sum(&seen.chunks, |chunk| chunk.used_bytes),
                used_bytes,
                "{:?}",
                target.python
            );
        }
    });
}

#[test]
fn a_place_that_is_no_data_stack_gives_nothing() {
    each(|target, layout| {
        let mut moved = *layout;
        let right = layout.thread.data_stack.unwrap();
        for offset in (0..right.chunk).step_by(8) {
            moved.thread.data_stack = Some(cpython::layout::DataStack { chunk: offset, ..right });
            for truth in truths(target) {
                let seen = data_stack(&target.memory(), &moved, truth[0]);
                assert!(
                    seen.is_none_or(|seen| seen.chunks.is_empty()),
                    "{:?} {offset}",
                    target.python
                );
            }
        }
        assert_eq!(data_stack(&target.memory(), layout, 0x10_0000), None);
    });
}

#[test]
fn interpreters_before_it_have_none() {
    for python in pythons().into_iter().filter(|python| python.version < FIRST) {
        let target = Target::start(&python, "still.py");
        let layout = target.layout();
        let seen = threads(&target.memory(), &layout, &target.roots()).unwrap();
        assert!(
            seen.threads.iter().all(|t| data_stack(&target.memory(), &layout, t.tstate).is_none())
        );
    }
}

/// Memory that says one word everywhere.
struct Everywhere(u64);

impl Memory for Everywhere {
    fn read(&self, _: u64, into: &mut [u8]) -> bool {
        into.chunks_mut(8)
            .for_each(|word| word.copy_from_slice(&self.0.to_le_bytes()[..word.len()]));
        true
    }
}

#[test]
fn chunks_in_a_circle_end() {
    for word in [0, 16, 16 * 1024, 0x7f00_0000_4000, u64::MAX] {
        let layout = Layout::choose(&Everywhere(word), FIRST, None).unwrap();
        let seen = data_stack(&Everywhere(word), &layout, 0x10_0000);
        assert!(seen.is_none_or(|seen| seen.chunks.is_empty()));
    }
}
