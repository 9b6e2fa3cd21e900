//! Memory that says anything: every reader ends, within bounds, without a panic.

mod common;

use std::cell::Cell;

use common::{Process, Target};
use cpython::layout::{Bytecode, Layout, Unknown};
use cpython::lines::{LineFormat, line_of};
use cpython::outside::{Roots, line_table, threads};
use cpython::sample::CodeKey;
use cpython::string::Keep;
use cpython::{Memory, Version, debug_offsets};
use proptest::prelude::*;

const VERSIONS: [(u8, u8); 9] =
    [(2, 7), (3, 6), (3, 7), (3, 8), (3, 9), (3, 10), (3, 11), (3, 12), (3, 13)];
const FORMATS: [LineFormat; 4] = [
    LineFormat::UnsignedDeltas,
    LineFormat::SignedDeltas,
    LineFormat::Ranges,
    LineFormat::Locations,
];

/// Every word is a mixture of its address: often an address again, often small, sometimes anything.
struct Maze {
    seed: u64,
    reads: Cell<u64>,
}

impl Maze {
    const fn new(seed: u64) -> Self {
        Self { seed, reads: Cell::new(0) }
    }

    fn word(&self, address: u64) -> u64 {
        let mixed = (address ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = mixed ^ mixed >> 32;
        match mixed & 7 {
            0 => 0,
            1 | 2 => mixed >> 58,
            3 => mixed,
            // Few places, so that circles and matches happen.
            _ => 0x7f00_0000_0000 + (mixed >> 40) % 64 * 16,
        }
    }
}

impl Memory for Maze {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.reads.set(self.reads.get() + 1);
        for (index, byte) in into.iter_mut().enumerate() {
            let at = address + index as u64;
            *byte = self.word(at & !7).to_le_bytes()[(at & 7) as usize];
        }
        !(address ^ self.seed).is_multiple_of(61)
    }
}

/// A real process's memory in which now and then a word is wrong, so that damage is met at every depth.
struct Damaged<'a> {
    real: &'a Process,
    maze: Maze,
}

impl Memory for Damaged<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let count = self.maze.reads.get();
        self.maze.reads.set(count + 1);
        let ok = self.real.read(address, into);
        let chance = (count + self.maze.seed * 1_000_003).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24;
        let words = into.len() as u64 / 8;
        let rarity = 16 << (self.maze.seed % 4 * 3);
        if chance.is_multiple_of(rarity) && words > 0 {
            let at = (chance >> 16) % words * 8;
            let wrong = self.maze.word(at + count * 1024).to_le_bytes();
            into[at as usize..][..8].copy_from_slice(&wrong);
        }
        ok
    }
}

#[test]
fn damaged_processes_are_read_to_an_end() {
    for python in common::pythons() {
        let target = Target::start(&python, "still.py");
        let (process, layout) = (target.memory(), target.layout());
        let mut named = 0;
        for seed in 0..64 {
            let memory = Damaged { real: &process, maze: Maze::new(seed) };
            let seen = threads(&memory, &layout, &target.roots()).unwrap_or_default();
            assert!(memory.maze.reads.get() <= 1 << 19);
            named += seen.threads.iter().filter(|thread| thread.name.is_some()).count();
            for words in &target.threads {
                let tstate = words[0].parse().unwrap();
                let (mut name, mut file) = ([0; 64], [0; 64]);
                if let Ok(sample) = layout.sample(&memory, tstate, target.code_type()) {
                    let _ = layout.describe(&memory, &sample.code, &mut name, &mut file);
                    let _ = line_table(&memory, &layout, &sample.code);
                }
                let _ =
                    layout.check(&memory, tstate, words[1].parse().unwrap(), target.code_type());
            }
        }
        assert!(named > 0, "{python:?}: damage came before all depth");
        println!("{}: {named} names in spite of the damage", python.path.display());
    }
}

/// The debug offsets of 3.13.0 with a GIL, as `pycore_runtime.h` and its structures give them.
#[rustfmt::skip]
fn table_3_13() -> Vec<u64> {
    vec![
        u64::from_le_bytes(*b"xdebugpy"), 0x030d_00f0, 0,
        283_320, 608, 632, // runtime
        194_968, 7272, 7264, 7344, 7480, 7656, 7648, 7664, 16, 7752, 0, 7768, 7760, // interpreter
        304, 0, 8, 16, 72, 152, 160, 232, 32, // thread
        80, 8, 0, 56, 72, 70, // frame
        208, 112, 120, 128, 136, 68, 52, 96, 104, 200, // code
        16, 8, // object
        416, 24, 88, 168, // type
        32, 24, 16, // tuple
        40, 24, 16, // list
        48, 32, 40, // dict
        24, 16, // float
        32, 16, 24, // int
        40, 16, 32, // bytes
        64, 32, 16, 40, // str
        264, 200, // gc
    ]
}

fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn layout(index: usize) -> Layout {
    let (major, minor) = VERSIONS[index % VERSIONS.len()];
    let version = Version::new(major, minor, 0);
    match Layout::choose(&Maze::new(0), version, None) {
        Err(Unknown::NoRuntime) => debug_offsets::parse(&bytes_of(&table_3_13()), version).unwrap(),
        other => other.unwrap(),
    }
}

/// Everything that reads, on one maze.
fn read_all(layout: &Layout, seed: u64, start: u64, code_type: u64) {
    let maze = Maze::new(seed);
    let sampled = layout.sample(&maze, start, code_type);
    assert!(maze.reads.get() <= 3 * 8, "{} reads of a sample", maze.reads.get());
    maze.reads.set(0);
    assert_ne!(layout.check(&maze, start, seed, code_type), Ok(0));
    assert!(maze.reads.get() < 4096 * 30);
    let mut buffer = [0; 64];
    for keep in [Keep::Start, Keep::End] {
        if let Some(copied) = layout.string(&maze, start, keep, &mut buffer) {
            assert!(
                copied.bytes <= buffer.len()
                    && (copied.bytes as u64).is_multiple_of(copied.encoding.width())
            );
        }
    }
    let key = sampled.map_or(CodeKey { code: start, ..CodeKey::default() }, |sample| sample.code);
    let mut file = [0; 64];
    let _ = (layout.describe(&maze, &key, &mut buffer, &mut file), line_table(&maze, layout, &key));
    maze.reads.set(0);
    let _ = threads(&maze, layout, &Roots { runtime: Some(start), interpreter_head: Some(start) });
    assert!(maze.reads.get() <= 1 << 19, "{} reads of a walk", maze.reads.get());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_line_table(
        table in prop::collection::vec(any::<u8>(), 0..300), first_line: u32, offset: u32, near in 0_u32..600,
    ) {
        for format in FORMATS {
            let _ = line_of(format, &table, first_line, offset);
            let _ = line_of(format, &table, first_line, near);
        }
    }

    #[test]
    fn any_memory_is_an_interpreter(version: usize, seed: u64, start: u64, low in 0_u64..1024) {
        let layout = layout(version);
        read_all(&layout, seed, start, seed);
        let place = 0x7f00_0000_0000 + low / 16 * 16;
        read_all(&layout, seed, place, Maze::new(seed).word(place + layout.object.type_of));
    }

    #[test]
    fn any_bytes_are_debug_offsets(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        let refused = debug_offsets::parse(&bytes, Version::new(3, 13, 0));
        prop_assert_eq!(refused, Err(debug_offsets::Refusal::Cookie));
    }

    #[test]
    fn damaged_debug_offsets_are_refused_or_harmless(
        changes in prop::collection::vec((1..73_usize, prop_oneof![0_u64..300, any::<u64>()]), 1..4), seed: u64,
    ) {
        let mut words = table_3_13();
        for (index, value) in changes {
            words[index] = value;
        }
        let Ok(layout) = debug_offsets::parse(&bytes_of(&words), Version::new(3, 13, 0)) else { return Ok(()) };
        prop_assert!(layout.frame.bytes <= 128 && layout.code.bytes <= 192);
        let near = matches!(layout.code.bytecode, Bytecode::Inline { start, .. } if start < 1 << 24);
        prop_assert!(near);
        read_all(&layout, seed, 0x7f00_0000_0000, seed);
    }
}

#[test]
fn debug_offsets_of_another_version_are_refused() {
    let bytes = bytes_of(&table_3_13());
    let found = Err(debug_offsets::Refusal::Version(Version::new(3, 13, 0)));
    assert_eq!(debug_offsets::parse(&bytes, Version::new(3, 13, 5)), found);
    // A newer table with one more word in it, as 3.14 has: every later word stands elsewhere.
    let mut newer = table_3_13();
    newer[1] = 0x030e_00f0;
    newer.insert(10, 7352);
    let refused = debug_offsets::parse(&bytes_of(&newer), Version::new(3, 14, 0));
    assert!(matches!(refused, Err(debug_offsets::Refusal::Offset(_))), "{refused:?}");
    for cut in 0..bytes.len() - 16 {
        assert!(
            debug_offsets::parse(&bytes[..cut], Version::new(3, 13, 0)).is_err(),
            "{cut} bytes"
        );
    }
}
