//! CPython 2.7: no `_PyRuntime`, `str` is bytes, a dict is one table.

use super::OBJECT;
use crate::layout::{
    Bytecode, Code, Dict, Frame, Instruction, Interpreter, Layout, Object, Text, Thread,
};
use crate::lines::LineFormat;
use crate::version::Version;

pub(super) const LAYOUT: Layout = Layout {
    version: Version::new(2, 7, 0),
    free_threaded: false,
    interpreters: None,
    interpreter: Interpreter { next: 0, threads: 8, modules: 16 },
    thread: Thread {
        next: 0,
        interpreter: 8,
        frame: 16,
        cframe: None,
        thread_id: 144,
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
    code: Code {
        name: 88,
        file: 80,
        first_line: 96,
        line_table: 104,
        line_format: LineFormat::UnsignedDeltas,
        bytecode: Bytecode::Object,
        bytes: 112,
    },
    object: Object { bytes_data: 36, ..OBJECT },
    text: Text::Python2 { unicode_length: 16, unicode_data: 24 },
    dict: Dict::Table,
};
