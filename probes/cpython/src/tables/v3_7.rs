//! CPython 3.7 to 3.9: `_PyRuntime` knows the interpreters; frames are still objects with a byte index.

use super::{OBJECT, TEXT_WITH_WIDE, v3_6};
use crate::layout::{Code, Dict, Frame, Instruction, Interpreter, Layout, Thread};
use crate::version::Version;

pub(super) const LAYOUT: Layout = Layout {
    version: Version::new(3, 7, 0),
    free_threaded: false,
    interpreters: Some(24),
    interpreter: Interpreter { next: 0, threads: 8, modules: 40 },
    thread: THREAD,
    frame: Frame {
        code: 32,
        previous: 24,
        instruction: Instruction::ByteIndex(104),
        owner: None,
        bytes: 108,
    },
    code: v3_6::CODE,
    object: OBJECT,
    text: TEXT_WITH_WIDE,
    dict: Dict::Sized,
};

pub(super) const LAYOUT_3_8: Layout = Layout {
    version: Version::new(3, 8, 0),
    interpreters: Some(32),
    interpreter: Interpreter { next: 0, threads: 8, modules: 56 },
    // Positional-only parameters (PEP 570) moved the rest.
    code: Code { name: 112, file: 104, first_line: 40, line_table: 120, bytes: 128, ..v3_6::CODE },
    ..LAYOUT
};

pub(super) const LAYOUT_3_9: Layout = Layout {
    version: Version::new(3, 9, 0),
    interpreter: Interpreter { next: 0, threads: 8, modules: 856 },
    ..LAYOUT_3_8
};

/// Also that of 3.10.
pub(super) const THREAD: Thread = Thread {
    next: 8,
    interpreter: 16,
    frame: 24,
    cframe: None,
    thread_id: 176,
    native_id: None,
    data_stack: None,
};
