//! CPython 3.11: frames on a stack of their own, reached through a C frame; locations of PEP 657.

use super::{OBJECT, TEXT_WITH_WIDE};
use crate::layout::{
    Bytecode, Code, DataStack, Dict, Frame, Instruction, Interpreter, Layout, Thread,
};
use crate::lines::LineFormat;
use crate::version::Version;

pub(super) const LAYOUT: Layout = Layout {
    version: Version::new(3, 11, 0),
    free_threaded: false,
    interpreters: Some(40),
    interpreter: Interpreter { next: 0, threads: 16, modules: 888 },
    thread: Thread {
        next: 8,
        interpreter: 16,
        frame: 56,
        cframe: Some(8),
        thread_id: 152,
        native_id: Some(160),
        data_stack: Some(DataStack { chunk: 296, keeps_none: true }),
    },
    frame: Frame {
        code: 32,
        previous: 48,
        instruction: Instruction::Pointer(56),
        owner: None,
        bytes: 64,
    },
    code: Code {
        name: 120,
        file: 112,
        first_line: 72,
        line_table: 136,
        line_format: LineFormat::Locations,
        bytecode: Bytecode::Inline { start: 184, units: 16 },
        bytes: 144,
    },
    object: OBJECT,
    text: TEXT_WITH_WIDE,
    dict: Dict::Values { cached_keys: 872 },
};
