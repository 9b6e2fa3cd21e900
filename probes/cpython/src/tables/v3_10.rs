//! CPython 3.10: line tables of PEP 626, instructions counted in units of two bytes.

use super::v3_7;
use crate::layout::{Code, Frame, Instruction, Layout};
use crate::lines::LineFormat;
use crate::version::Version;

pub(super) const LAYOUT: Layout = Layout {
    version: Version::new(3, 10, 0),
    thread: v3_7::THREAD,
    frame: Frame {
        code: 32,
        previous: 24,
        instruction: Instruction::UnitIndex(96),
        owner: None,
        bytes: 100,
    },
    code: Code { line_format: LineFormat::Ranges, ..v3_7::LAYOUT_3_8.code },
    ..v3_7::LAYOUT_3_9
};
