//! A process whose threads stand still, read from outside and compared with what it says about itself.

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;

use common::{Counting, Target, pythons, text};
use cpython::check::Mismatch;
use cpython::gil::{Gil, current_thread_symbol};
use cpython::layout::Layout;
use cpython::lines::line_of;
use cpython::outside::{line_table, threads, version_at};
use cpython::sample::Sample;
use cpython::string::{Encoding, Keep};
use cpython::{Memory, Version};

/// One `thread` line.
struct Truth {
    tstate: u64,
    ident: u64,
    native_id: Option<u32>,
    is_main: bool,
    name: Option<String>,
    function: String,
    file: String,
    code: u64,
    first_line: u32,
    line: u32,
}

fn truths(target: &Target) -> Vec<Truth> {
    let parse = |words: &Vec<String>| Truth {
        tstate: words[0].parse().unwrap(),
        ident: words[1].parse().unwrap(),
        native_id: words[2].parse().ok(),
        is_main: words[3] == "1",
        name: (words[4] != "-").then(|| text(&words[4])),
        function: text(&words[5]),
        file: text(&words[6]),
        code: words[7].parse().unwrap(),
        first_line: words[8].parse().unwrap(),
        line: words[9].parse().unwrap(),
    };
    target.threads.iter().map(parse).collect()
}

fn each(check: impl Fn(&Target, &Layout, &[Truth])) {
    for python in pythons() {
        let target = Target::start(&python, "still.py");
        check(&target, &target.layout(), &truths(&target));
        println!("{}: {} threads", python.path.display(), target.threads.len());
    }
}

fn string(target: &Target, layout: &Layout, object: u64) -> Option<String> {
    let mut buffer = [0; 4096];
    let copied = layout.string(&target.memory(), object, Keep::Start, &mut buffer)?;
    let bytes = &buffer[..copied.bytes];
    Some(match copied.encoding {
        Encoding::Latin1 => bytes.iter().map(|&byte| char::from(byte)).collect(),
        Encoding::Ucs2 => {
            let units: Vec<u16> =
                bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            String::from_utf16_lossy(&units)
        }
        Encoding::Ucs4 => {
            let units = bytes.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit));
            units.map(|unit| char::from_u32(unit).unwrap()).collect()
        }
    })
}

fn assert_sample(target: &Target, layout: &Layout, truth: &Truth, sample: &Sample) {
    let python = &target.python;
    assert_eq!(sample.code.code, truth.code, "{python:?} {}", truth.function);
    assert_eq!(sample.code.first_line, truth.first_line, "{python:?}");
    assert_eq!(
        string(target, layout, sample.code.name).as_deref(),
        Some(&*truth.function),
        "{python:?}"
    );
    assert_eq!(
        string(target, layout, sample.code.file).as_deref(),
        Some(&*truth.file),
        "{python:?}"
    );
    let table =
        line_table(&target.memory(), layout, &sample.code).expect("the function is still there");
    let line = line_of(layout.code.line_format, &table, sample.code.first_line, sample.instruction);
    assert_eq!(line, Some(truth.line), "{python:?} {}", truth.function);
}

#[test]
fn samples_name_function_file_and_line() {
    each(|target, layout, truths| {
        for truth in truths {
            let process = target.memory();
            let memory = Counting(&process, Cell::new(0));
            let sample = layout.sample(&memory, truth.tstate, target.code_type());
            let sample = sample
                .unwrap_or_else(|miss| panic!("{:?} {}: {miss:?}", target.python, truth.function));
            assert!(memory.1.get() <= 5, "{} reads", memory.1.get());
            assert_sample(target, layout, truth, &sample);
        }
    });
}

#[test]
fn threads_have_their_names_and_ids() {
    each(|target, layout, truths| {
        let seen = threads(&target.memory(), layout, &target.roots()).expect("an interpreter runs");
        assert!(seen.complete, "{:?}", target.python);
        assert_eq!(seen.threads.len(), truths.len(), "{:?}", target.python);
        for truth in truths {
            let thread = seen
                .threads
                .iter()
                .find(|thread| thread.tstate == truth.tstate)
                .expect("it is in the list");
            assert_eq!(thread.thread_ident, truth.ident, "{:?}", target.python);
            assert_eq!(thread.name, truth.name, "{:?}", target.python);
            assert_eq!(thread.is_main, truth.is_main, "{:?}", target.python);
            let kept = target.python.version >= Version::new(3, 11, 0);
            assert_eq!(thread.native_id, truth.native_id.filter(|_| kept), "{:?}", target.python);
        }
    });
}

#[test]
fn names_are_found_where_a_patch_release_moved_the_modules() {
    each(|target, layout, truths| {
        let mut moved = *layout;
        moved.interpreter.modules += 48;
        let seen = threads(&target.memory(), &moved, &target.roots()).unwrap();
        for thread in &seen.threads {
            let truth = truths.iter().find(|truth| truth.tstate == thread.tstate).unwrap();
            assert_eq!(thread.name, truth.name, "{:?}", target.python);
        }
    });
}

#[test]
fn the_check_passes_and_refuses_a_wrong_thread_pointer() {
    each(|target, layout, truths| {
        for truth in truths {
            let check =
                |pointer| layout.check(&target.memory(), truth.tstate, pointer, target.code_type());
            assert_eq!(check(truth.ident), Ok(truths.len() as u32), "{:?}", target.python);
            assert_eq!(check(truth.ident + 64), Err(Mismatch::ThreadId));
        }
        let wrong_type = layout.check(
            &target.memory(),
            truths[0].tstate,
            truths[0].ident,
            target.code_type() + 8,
        );
        assert_eq!(wrong_type, Err(Mismatch::Code), "{:?}", target.python);
    });
}

#[test]
fn another_versions_layout_never_yields_nonsense() {
    let minors = [(2, 7), (3, 6), (3, 7), (3, 8), (3, 9), (3, 10), (3, 11), (3, 12)];
    let refused = Cell::new(0);
    each(|target, _, truths| {
        for (major, minor) in minors {
            let other =
                Layout::choose(&target.memory(), Version::new(major, minor, 0), None).unwrap();
            for truth in truths {
                let Ok(sample) = other.sample(&target.memory(), truth.tstate, target.code_type())
                else {
                    refused.set(refused.get() + 1);
                    continue;
                };
                assert_eq!(
                    sample.code.code, truth.code,
                    "{:?} read as {major}.{minor}",
                    target.python
                );
            }
            if let Ok(frames) =
                other.check(&target.memory(), truths[0].tstate, truths[0].ident, target.code_type())
            {
                assert_eq!(
                    frames as usize,
                    truths.len(),
                    "{:?} read as {major}.{minor}",
                    target.python
                );
            }
        }
    });
    assert!(refused.get() > 0);
}

#[test]
fn versions_and_symbols_are_those_of_the_interpreter() {
    each(|target, _, _| {
        let version = target.python.version;
        let symbol =
            target.symbols.get("Py_Version").map(|&symbol| version_at(&target.memory(), symbol));
        assert_eq!(symbol, (version >= Version::new(3, 11, 0)).then_some(Some(version)));
        let current = current_thread_symbol(version).map(|name| name.to_str().unwrap());
        assert_eq!(target.symbols.contains_key("_PyThreadState_Current"), current.is_some());
        assert_eq!(target.roots().runtime.is_some(), Gil::of(version, false).is_some());
    });
}

/// The GIL's address from the tables of `cpython.md` A1, which only hold for exactly these builds.
fn gil_address(target: &Target, interpreter: u64) -> Option<u64> {
    let runtime = target.roots().runtime?;
    match (target.python.version.minor(), target.python.version.micro()) {
        (7, 16) => Some(runtime + 1264),
        (8, 18) => Some(runtime + 1152),
        (9, 18) | (10, 13) => Some(runtime + 352),
        (11, _) => Some(runtime + 360),
        (12, 1) => target.memory().pointer(interpreter + 384),
        (13, _) => target.memory().pointer(interpreter + 16),
        _ => None,
    }
}

#[test]
fn the_gil_stands_where_its_offsets_say() {
    let tried = Cell::new(0);
    each(|target, layout, truths| {
        let seen = threads(&target.memory(), layout, &target.roots()).unwrap();
        let Some(base) = gil_address(target, seen.threads[0].interpreter) else {
            return;
        };
        let gil = Gil::of(target.python.version, false).unwrap();
        assert_eq!(gil.base(base + gil.cond), Some(base));
        let word = |offset| target.memory().word(base + offset).unwrap();
        assert_eq!(word(gil.interval), 5000, "{:?}", target.python);
        let states: BTreeSet<u64> = truths.iter().map(|truth| truth.tstate).collect();
        assert!(states.contains(&word(gil.last_holder)), "{:?}", target.python);
        assert!(word(gil.switch_number) > 1 && word(gil.switch_number) < 1 << 32);
        assert!((word(gil.locked) as u32) <= 1);
        tried.set(tried.get() + 1);
    });
    println!("{} interpreters with a GIL structure", tried.get());
}

#[test]
fn long_strings_keep_the_end_that_was_asked_for() {
    each(|target, layout, truths| {
        for truth in truths {
            let sample = layout.sample(&target.memory(), truth.tstate, target.code_type()).unwrap();
            let mut few = [0; 9];
            let end =
                layout.string(&target.memory(), sample.code.file, Keep::End, &mut few).unwrap();
            let width = end.encoding.width() as usize;
            assert!(end.cut && end.bytes == 9 / width * width);
            assert!(few[..end.bytes].ends_with(&{
                let mut last = vec![0; width];
                last[0] = b'y';
                last
            }));
            let start =
                layout.string(&target.memory(), sample.code.file, Keep::Start, &mut few).unwrap();
            assert_eq!((few[0], start.encoding), (b'/', end.encoding));
        }
    });
}
