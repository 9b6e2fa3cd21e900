//! What every source file keeps to: a purpose at its top, a size, no leftovers, unsafe in its place.

use crate::rust_source::{code_lines, functions, names_a_python_version};
use crate::{Source, none, sources};

/// Lines of a file, tests not counted; beyond that it is two things.
const FILE_LINES: usize = 500;
/// Lines of a function.
const FUNCTION_LINES: usize = 70;

/// Files whose code may name versions of Python, and why.
const MAY_NAME_VERSIONS: &[(&str, &str)] = &[
    ("probes/cpython/", "every fact about the interpreter stands there"),
    ("tests/", "the matrix of interpreters"),
    ("dashboard/src/collect/generate/", "a made-up target has a made-up version"),
];

/// The one file of the daemon that maps the segment.
const MAY_BE_UNSAFE: &str = "dashboard/src/collect/mapping.rs";

fn source_files() -> impl Iterator<Item = Source> {
    let ours = |s: &Source| {
        [".rs", ".ts"].iter().any(|end| s.path.ends_with(end)) && !s.path.ends_with(".d.ts")
    };
    sources().into_iter().filter(ours)
}

fn rust_files() -> impl Iterator<Item = Source> {
    source_files().filter(|s| s.path.ends_with(".rs"))
}

#[test]
fn every_source_file_opens_with_what_it_is_for() {
    let opens = |s: &Source| match s.path.rsplit_once('.') {
        Some((_, "rs")) => s.text.starts_with("//! "),
        _ => s.text.starts_with("//") || s.text.starts_with("/*"),
    };
    let wrong: Vec<_> = source_files().filter(|s| !opens(s)).map(|s| s.path).collect();
    none("the first line says what the file is for (`//! …`):", &wrong);
}

#[test]
fn test_programs_open_with_what_they_are_for() {
    let is_program = |s: &Source| {
        s.path.starts_with("tests/") && [".py", ".c"].iter().any(|e| s.path.ends_with(e))
    };
    let opens = |s: &Source| {
        ["\"\"\"", "# -*- coding: utf-8 -*-\n\"\"\"", "/* "].iter().any(|o| s.text.starts_with(o))
    };
    let wrong: Vec<_> =
        sources().into_iter().filter(is_program).filter(|s| !opens(s)).map(|s| s.path).collect();
    none("a test program begins with its docstring or comment:", &wrong);
}

#[test]
fn files_are_small() {
    let n_lines = |s: &Source| match s.text.find("#[cfg(test)]\nmod tests {") {
        Some(at) => s.text[..at].lines().count(),
        None => s.text.lines().count(),
    };
    let large = source_files().map(|s| (n_lines(&s), s.path)).filter(|(n, _)| *n > FILE_LINES);
    let wrong: Vec<_> = large.map(|(n, path)| format!("{path}: {n} lines")).collect();
    none("a file of more than 500 lines is two things; split it by what they are:", &wrong);
}

#[test]
fn functions_are_short() {
    let mut wrong = Vec::new();
    for source in source_files() {
        let long = functions(&source.text).into_iter().filter(|f| f.n_lines > FUNCTION_LINES);
        wrong.extend(
            long.map(|f| format!("{}:{}: {} has {} lines", source.path, f.line, f.name, f.n_lines)),
        );
    }
    none("a function of more than 70 lines hides its parts; name them:", &wrong);
}

#[test]
fn nothing_is_left_for_later() {
    // Spelled apart, so that this file is not its own finding.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("todo", "!("),
        concat!("dbg", "!("),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) && !source.path.ends_with(".lock") {
                wrong.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    none("do it now or write an issue:", &wrong);
}

#[test]
fn python_versions_are_named_only_where_the_interpreter_is_known() {
    let mut wrong = Vec::new();
    for source in rust_files() {
        let allowed = MAY_NAME_VERSIONS.iter().any(|(start, _)| source.path.starts_with(start));
        let parts = ["/tests.rs", "/tests/", "/examples/"];
        let is_test = parts.iter().any(|part| source.path.contains(part));
        if allowed || is_test {
            continue;
        }
        for (n, line) in code_lines(&source.text) {
            if names_a_python_version(line) {
                wrong.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    none("facts about a version of Python belong into probes/cpython:", &wrong);
}

#[test]
fn unsafe_code_stands_only_where_it_must() {
    let text_of = |path: &str| std::fs::read_to_string(crate::root().join(path)).expect(path);
    let has = |path: &str, line: &str| text_of(path).lines().any(|l| l == line);
    assert!(has("config/src/lib.rs", "#![forbid(unsafe_code)]"), "config forbids unsafe code");
    assert!(has("dashboard/src/lib.rs", "#![deny(unsafe_code)]"), "dashboard denies unsafe code");
    let allows = |s: &Source| {
        s.text.lines().any(|l| l.contains("allow(unsafe_code)") || l.contains("expect(unsafe_code"))
    };
    let daemon =
        rust_files().filter(|s| s.path.starts_with("dashboard/src/") && s.path != MAY_BE_UNSAFE);
    let wrong: Vec<_> = daemon.filter(allows).map(|s| s.path).collect();
    none("only the file that maps the segment may be unsafe in the daemon:", &wrong);
}

#[test]
fn unsafe_blocks_say_why_they_are_safe() {
    let mut wrong = Vec::new();
    for source in rust_files().filter(|s| !s.path.starts_with("tests/tidy/")) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (n, line) in code_lines(&source.text) {
            let opens = line.contains("unsafe {") || line.trim_start().starts_with("unsafe impl");
            let above = &lines[n.saturating_sub(12)..n];
            if opens && !above.iter().any(|l| l.contains("SAFETY:")) {
                wrong.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    none("an unsafe block has a `// SAFETY:` comment above it:", &wrong);
}
