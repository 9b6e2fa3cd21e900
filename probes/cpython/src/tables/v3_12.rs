//! CPython 3.12: a GIL for each interpreter, frames without Python code, no `wchar_t` strings any more.

use super::{OBJECT, v3_11};
use crate::layout::{
    Bytecode, Code, DataStack, Dict, Frame, Instruction, Interpreter, Layout, Text, Thread,
};
use crate::version::Version;

pub(super) const LAYOUT: Layout = Layout {
    version: Version::new(3, 12, 0),
    free_threaded: false,
    interpreters: Some(40),
    interpreter: Interpreter { next: 0, threads: 72, modules: 944 },
    thread: Thread {
        next: 8,
        interpreter: 16,
        frame: 56,
        cframe: Some(0),
        thread_id: 136,
        native_id: Some(144),
        data_stack: Some(DataStack { chunk: 232, keeps_none: true }),
    },
    frame: Frame {
        code: 0,
        previous: 8,
        instruction: Instruction::Pointer(56),
        owner: Some(70),
        bytes: 72,
    },
    code: Code {
        first_line: 68,
        bytecode: Bytecode::Inline { start: 192, units: 16 },
        ..v3_11::LAYOUT.code
    },
    object: OBJECT,
    text: Text::Python3 { length: 16, state: 32, ascii_data: 40, compact_data: 56, wide: None },
    dict: Dict::Tagged { cached_keys: 880 },
};
