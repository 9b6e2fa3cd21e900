//! CPython 3.6: the last one without `_PyRuntime`.

use super::{OBJECT, TEXT_WITH_WIDE};
use crate::layout::{Bytecode, Code, Dict, Frame, Instruction, Interpreter, Layout, Thread};
use crate::lines::LineFormat;
use crate::version::Version;

pub(super) const LAYOUT: Layout = Layout {
    version: Version::new(3, 6, 0),
    free_threaded: false,
    interpreters: None,
    interpreter: Interpreter { next: 0, threads: 8, modules: 16 },
    thread: Thread {
        next: 8,
        interpreter: 16,
        frame: 24,
        cframe: None,
        thread_id: 152,
        native_id: None,
        data_stack: None,
    },
    frame: Frame {
        code: 32,
        previous: 24,
        instruction: Instruction::ByteIndex(120),
        owner: None,
        bytes: 124,
    },
    code: CODE,
    object: OBJECT,
    text: TEXT_WITH_WIDE,
    dict: Dict::Sized,
};

/// Also that of 3.7.
pub(super) const CODE: Code = Code {
    name: 104,
    file: 96,
    first_line: 36,
    line_table: 112,
    line_format: LineFormat::SignedDeltas,
    bytecode: Bytecode::Object,
    bytes: 120,
};
