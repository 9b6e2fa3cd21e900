//! Line tables of the standard library, decoded here and by the interpreter that made them.

mod common;

use std::process::Command;

use cpython::layout::Layout;
use cpython::lines::line_of;

/// Functions that are compared, at least, in each interpreter.
const FUNCTIONS: usize = 4000;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn number(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }
}

#[test]
fn every_instruction_of_the_standard_library_has_the_interpreters_line() {
    for python in common::pythons() {
        let output = Command::new(&python.path)
            .arg(common::program("lines.py"))
            .arg(FUNCTIONS.to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{python:?}: {}", String::from_utf8_lossy(&output.stderr));
        let (functions, instructions) = compare(&mut Input(&output.stdout), &python);
        assert!(functions >= FUNCTIONS, "{python:?} has {functions} functions only");
        println!("{}: {functions} functions, {instructions} instructions", python.version);
    }
}

fn compare(input: &mut Input<'_>, python: &common::Python) -> (usize, usize) {
    let (mut functions, mut instructions) = (0, 0);
    let format = format_of(python);
    while !input.0.is_empty() {
        let first_line = input.number();
        let bytes = input.number() as usize;
        let table = input.take(bytes);
        let code = input.number();
        let runs: Vec<(u32, i32)> =
            (0..input.number()).map(|_| (input.number(), input.number().cast_signed())).collect();
        for offset in (0..code).step_by(2) {
            let last = runs.partition_point(|&(start, _)| start <= offset);
            let expected = u32::try_from(runs[last - 1].1).ok();
            assert_eq!(
                line_of(format, table, first_line, offset),
                expected,
                "{python:?}: function at line {first_line}, offset {offset}, table {table:?}"
            );
            instructions += 1;
        }
        functions += 1;
    }
    (functions, instructions)
}

fn format_of(python: &common::Python) -> cpython::lines::LineFormat {
    struct Nothing;
    impl cpython::Memory for Nothing {
        fn read(&self, _: u64, _: &mut [u8]) -> bool {
            false
        }
    }
    let newest = cpython::lines::LineFormat::Locations;
    Layout::choose(&Nothing, python.version, None).map_or(newest, |layout| layout.code.line_format)
}
