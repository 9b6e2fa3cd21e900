//! Where things stand in the interpreter's structures: one plain value, chosen once per interpreter.
//!
//! Every number is an offset in bytes unless its name says otherwise. Nothing here is read yet; a layout is only
//! believed after [`Layout::check`](crate::check) has tried it on live objects.

use crate::lines::LineFormat;
use crate::{Memory, Version, debug_offsets, tables};

/// All offsets of one interpreter build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Whose layout it is.
    pub version: Version,
    /// Built without the GIL (3.13t and later).
    pub free_threaded: bool,
    /// In `_PyRuntime`: the first interpreter. `None` where there is no `_PyRuntime` (2.7, 3.6).
    pub interpreters: Option<u64>,
    /// `PyInterpreterState`.
    pub interpreter: Interpreter,
    /// `PyThreadState`.
    pub thread: Thread,
    /// `PyFrameObject` up to 3.10, `_PyInterpreterFrame` from 3.11.
    pub frame: Frame,
    /// `PyCodeObject`.
    pub code: Code,
    /// `PyObject` and `PyTypeObject`.
    pub object: Object,
    /// `str`, and of 2.7 also `unicode`.
    pub text: Text,
    /// `dict` and where an instance keeps its attributes.
    pub dict: Dict,
}

/// Offsets in `PyInterpreterState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The next older interpreter.
    pub next: u64,
    /// The newest thread state.
    pub threads: u64,
    /// `sys.modules`.
    pub modules: u64,
}

/// Offsets in `PyThreadState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The next older thread state.
    pub next: u64,
    /// Its interpreter.
    pub interpreter: u64,
    /// The current frame or, where `cframe` is set, the C frame that knows it.
    pub frame: u64,
    /// In the C frame: the current frame (3.11 and 3.12).
    pub cframe: Option<u64>,
    /// `pthread_t`, which is the thread pointer (`fs:0`) with glibc.
    pub thread_id: u64,
    /// The kernel's thread id (3.11 and later).
    pub native_id: Option<u64>,
    /// The stack that Python frames lie on (3.11 and later).
    pub data_stack: Option<DataStack>,
}

/// A thread's data stack: chunks of memory, the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataStack {
    /// In `PyThreadState`: the newest chunk; behind it the end of what is used of it, and its own end.
    pub chunk: u64,
    /// Whether it is known that an emptied chunk is given back at once: up to 3.13.0. Later patch releases of 3.13 keep
    /// one, at a place that no table tells (gh-142183).
    pub keeps_none: bool,
}

/// Offsets in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The code object.
    pub code: u64,
    /// The caller's frame.
    pub previous: u64,
    /// The instruction being executed.
    pub instruction: Instruction,
    /// Who owns the frame, where frames without Python code exist (3.12 and later): values of
    /// [`SHIM_OWNER`] and more are the interpreter's own.
    pub owner: Option<u64>,
    /// Bytes that hold all of the above, from the frame's start.
    pub bytes: u64,
}

/// The first value of a frame's `owner` that stands for a frame without Python code: `FRAME_OWNED_BY_CSTACK` of 3.12
/// and 3.13, `FRAME_OWNED_BY_INTERPRETER` later (`Include/internal/pycore_frame.h`).
pub const SHIM_OWNER: u8 = 3;

/// How a frame tells its instruction, and at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `f_lasti` in bytes (up to 3.9), -1 before the first one.
    ByteIndex(u64),
    /// `f_lasti` in units of two bytes (3.10), -1 before the first one.
    UnitIndex(u64),
    /// A pointer into the bytecode (3.11 and later), up to 3.12 one unit before its start at first.
    Pointer(u64),
}

/// Offsets in `PyCodeObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `co_name`.
    pub name: u64,
    /// `co_filename`.
    pub file: u64,
    /// `co_firstlineno`, an `int`.
    pub first_line: u64,
    /// `co_lnotab` or `co_linetable`.
    pub line_table: u64,
    /// How to read it.
    pub line_format: LineFormat,
    /// Where the bytecode stands.
    pub bytecode: Bytecode,
    /// Bytes that hold the pointers and numbers above, from the object's start.
    pub bytes: u64,
}

/// Where a code object keeps its bytecode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytecode {
    /// In a `bytes` object, which nobody needs to read.
    Object,
    /// In the code object itself.
    Inline {
        /// Where it starts.
        start: u64,
        /// Where the number of its two-byte units stands (`ob_size`).
        units: u64,
    },
}

/// Offsets in `PyObject`, `PyVarObject`, `PyTypeObject`, `bytes` and `int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// `sizeof(PyObject)`; `ob_size` of a variable-sized object stands behind it.
    pub bytes: u64,
    /// Whether the first word is the reference count and nothing else (with a GIL, up to 3.13). `pymalloc` writes the
    /// address of the next free block, or null, over it: that is how a freed object is known.
    pub counted: bool,
    /// `ob_type`.
    pub type_of: u64,
    /// In a type: `tp_flags`.
    pub type_flags: u64,
    /// The bytes of a `bytes` object (2.7: `str`).
    pub bytes_data: u64,
}

/// Offsets in strings. See [`crate::string`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// 2.7: `str` is bytes, `unicode` has a length and a pointer.
    Python2 {
        /// `PyUnicodeObject.length`.
        unicode_length: u64,
        /// `PyUnicodeObject.str`.
        unicode_data: u64,
    },
    /// PEP 393.
    Python3 {
        /// Characters.
        length: u64,
        /// The bit field that tells kind, compact and ascii.
        state: u64,
        /// `sizeof(PyASCIIObject)`: the characters of a compact ASCII string.
        ascii_data: u64,
        /// `sizeof(PyCompactUnicodeObject)`: those of another compact string; of one that is not compact the pointer.
        compact_data: u64,
        /// Up to 3.11 a string may exist as `wchar_t` only.
        wide: Option<Wide>,
    },
}

/// A string of 3.6 to 3.11 that only has its `wchar_t` form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide {
    /// `wstr`.
    pub data: u64,
    /// `wstr_length`.
    pub length: u64,
}

/// How dicts and instance attributes are kept. See `outside::dict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dict {
    /// 2.7: one table of hash, key, value.
    Table,
    /// 3.6 to 3.10: keys apart from values where shared; sizes as words.
    Sized,
    /// 3.11: sizes as logarithms from here on; an instance keeps a word for its values and one for its dict before itself.
    Values {
        /// In a heap type: `ht_cached_keys`, the names of its instances' values.
        cached_keys: u64,
    },
    /// 3.12: one word before the instance is either, its lowest bit tells.
    Tagged {
        /// As above.
        cached_keys: u64,
    },
    /// 3.13 and later: the values stand in the instance, the word of its dict before it.
    Inline {
        /// As above.
        cached_keys: u64,
        /// How far before the instance the word of its dict stands.
        dict_before: u64,
    },
}

/// Why no layout can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No CPython that gilscope knows.
    Version(Version),
    /// 3.13 or later, and the address of `_PyRuntime` was not given.
    NoRuntime,
    /// `_PyRuntime` could not be read.
    Unreadable,
    /// The debug offsets are not what they should be.
    DebugOffsets(debug_offsets::Refusal),
}

impl Layout {
    /// The layout of the interpreter `version`, whose `_PyRuntime` is at `runtime` (0 or `None`: it has none).
    pub fn choose(
        memory: &impl Memory,
        version: Version,
        runtime: Option<u64>,
    ) -> Result<Self, Unknown> {
        if !version.has_debug_offsets() {
            return tables::find(version).ok_or(Unknown::Version(version));
        }
        let runtime = runtime.filter(|&address| address != 0).ok_or(Unknown::NoRuntime)?;
        let mut bytes = [0; debug_offsets::BYTES];
        if !memory.copy(runtime, &mut bytes) {
            return Err(Unknown::Unreadable);
        }
        debug_offsets::parse(&bytes, version).map_err(Unknown::DebugOffsets)
    }
}

impl core::fmt::Display for Unknown {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "CPython {version} is not supported (2.7 and 3.6 or later are)")
            }
            Self::NoRuntime => f.write_str("the interpreter exports no _PyRuntime"),
            Self::Unreadable => f.write_str("_PyRuntime cannot be read"),
            Self::DebugOffsets(refusal) => {
                write!(f, "the interpreter's debug offsets are refused: {refusal}")
            }
        }
    }
}
