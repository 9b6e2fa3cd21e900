//! Layouts of interpreters that do not publish their own: one file a family.
//!
//! Found with `ptype /o` in the DWARF of 2.7.18, 3.6.15, 3.7.16, 3.8.18, 3.9.18, 3.10.13, 3.11.7 and 3.12.1 and
//! proven against the running interpreters by this crate's tests. Offsets of public structures (thread state, frame,
//! code, str, dict) are fixed within a minor version; those inside `PyInterpreterState` are not promised to be.

mod v2_7;
mod v3_10;
mod v3_11;
mod v3_12;
mod v3_6;
mod v3_7;

use crate::layout::{Layout, Object, Text, Wide};
use crate::version::Version;

/// The table for `version`, if it is one of those without debug offsets.
pub(crate) fn find(version: Version) -> Option<Layout> {
    let mut layout = match (version.major(), version.minor()) {
        (2, 7) => v2_7::LAYOUT,
        (3, 6) => v3_6::LAYOUT,
        (3, 7) => v3_7::LAYOUT,
        (3, 8) => v3_7::LAYOUT_3_8,
        (3, 9) => v3_7::LAYOUT_3_9,
        (3, 10) => v3_10::LAYOUT,
        (3, 11) => v3_11::LAYOUT,
        (3, 12) => v3_12::LAYOUT,
        _ => return None,
    };
    layout.version = version;
    Some(layout)
}

/// `PyObject` and `PyTypeObject` of every build with a GIL and without reference tracing.
const OBJECT: Object =
    Object { bytes: 16, counted: true, type_of: 8, type_flags: 168, bytes_data: 32 };

/// `str` of 3.6 to 3.11.
const TEXT_WITH_WIDE: Text = Text::Python3 {
    length: 16,
    state: 32,
    ascii_data: 48,
    compact_data: 72,
    wide: Some(Wide { data: 40, length: 64 }),
};
