//! `_Py_DebugOffsets`: the offsets that CPython 3.13 and later publish at the start of `_PyRuntime`
//! (`Include/internal/pycore_runtime.h`, from 3.14 `pycore_debug_offsets.h`).
//!
//! It is an array of 64-bit words after an 8-byte cookie. Minor versions insert fields in the middle, so each has its
//! own [`Positions`]. Every offset that is dereferenced later is checked here, once, against the size that the same
//! table gives for its structure; nothing later trusts the table itself.

use crate::layout::{
    Bytecode, Code, DataStack, Dict, Frame, Instruction, Interpreter, Layout, Object, Text, Thread,
};
use crate::lines::LineFormat;
use crate::version::Version;

/// Bytes to read at `_PyRuntime`: the largest table known, 3.15's, has 888.
pub const BYTES: usize = 888;
const COOKIE: &[u8; 8] = b"xdebugpy";
/// No structure of the interpreter is that large; it bounds all arithmetic below.
const LARGEST_STRUCTURE: u64 = 1 << 24;
/// From the end of `PyTypeObject` to `ht_cached_keys` in `PyHeapTypeObject` (3.12 and 3.13).
const CACHED_KEYS_AFTER_TYPE: u64 = 464;

/// `sizeof(PyThreadState)` of 3.13.0.
const THREAD_BYTES_3_13_0: u64 = 304;

/// Why a table is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not start with the cookie.
    Cookie,
    /// It is another version's.
    Version(Version),
    /// An offset points outside its structure or is misaligned; the number of its word.
    Offset(u8),
}

/// A structure in the table: the word that holds its size.
#[derive(Clone, Copy)]
struct Structure(u8);

/// Which word holds what, in one minor version's table.
struct Positions {
    runtime: Structure,
    interpreters: u8,
    interpreter: Structure,
    interpreter_next: u8,
    interpreter_threads: u8,
    interpreter_modules: u8,
    thread: Structure,
    thread_next: u8,
    thread_interpreter: u8,
    thread_frame: u8,
    thread_id: u8,
    thread_native_id: u8,
    thread_data_stack: u8,
    frame: Structure,
    frame_previous: u8,
    frame_code: u8,
    frame_instruction: u8,
    frame_owner: u8,
    code: Structure,
    code_file: u8,
    code_name: u8,
    code_line_table: u8,
    code_first_line: u8,
    code_bytecode: u8,
    object: Structure,
    object_type: u8,
    type_: Structure,
    type_flags: u8,
    bytes: Structure,
    bytes_data: u8,
    unicode: Structure,
    unicode_state: u8,
    unicode_length: u8,
    unicode_ascii_bytes: u8,
}

const V3_13: Positions = Positions {
    runtime: Structure(3),
    interpreters: 5,
    interpreter: Structure(6),
    interpreter_next: 8,
    interpreter_threads: 9,
    interpreter_modules: 11,
    thread: Structure(19),
    thread_next: 21,
    thread_interpreter: 22,
    thread_frame: 23,
    thread_id: 24,
    thread_native_id: 25,
    thread_data_stack: 26,
    frame: Structure(28),
    frame_previous: 29,
    frame_code: 30,
    frame_instruction: 31,
    frame_owner: 33,
    code: Structure(34),
    code_file: 35,
    code_name: 36,
    code_line_table: 38,
    code_first_line: 39,
    code_bytecode: 43,
    object: Structure(44),
    object_type: 45,
    type_: Structure(46),
    type_flags: 49,
    bytes: Structure(64),
    bytes_data: 66,
    unicode: Structure(67),
    unicode_state: 68,
    unicode_length: 69,
    unicode_ascii_bytes: 70,
};

/// The table's words, taken apart with checks.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn word(&self, index: u8) -> Result<u64, Refusal> {
        let start = usize::from(index) * 8;
        let bytes = self.0.get(start..start + 8).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u64::from_le_bytes).ok_or(Refusal::Offset(index))
    }

    fn size(&self, of: Structure) -> Result<u64, Refusal> {
        self.word(of.0).and_then(|size| {
            if size <= LARGEST_STRUCTURE { Ok(size) } else { Err(Refusal::Offset(of.0)) }
        })
    }

    /// The offset in word `index` of a field of `width` bytes, aligned to its width, inside structure `of`.
    fn field(&self, of: Structure, index: u8, width: u64) -> Result<u64, Refusal> {
        let (size, offset) = (self.size(of)?, self.word(index)?);
        let inside = offset.checked_add(width).is_some_and(|end| end <= size);
        if inside && offset.is_multiple_of(width) {
            Ok(offset)
        } else {
            Err(Refusal::Offset(index))
        }
    }

    fn pointer(&self, of: Structure, index: u8) -> Result<u64, Refusal> {
        self.field(of, index, 8)
    }
}

/// The layout that the table `bytes` gives for an interpreter which calls itself `version`.
///
/// A minor version newer than those known is read by the newest table; the checks decide whether it fits.
pub fn parse(bytes: &[u8], version: Version) -> Result<Layout, Refusal> {
    let words = Words(bytes);
    if bytes.get(..8) != Some(COOKIE) {
        return Err(Refusal::Cookie);
    }
    let found = u32::try_from(words.word(1)?).map_or(Version::new(0, 0, 0), Version::from_hex);
    if found != version || !version.has_debug_offsets() {
        return Err(Refusal::Version(found));
    }
    let free_threaded = match words.word(2)? {
        0 => false,
        1 => true,
        _ => return Err(Refusal::Offset(2)),
    };
    let at = &V3_13;
    Ok(Layout {
        version,
        free_threaded,
        interpreters: Some(words.pointer(at.runtime, at.interpreters)?),
        interpreter: Interpreter {
            next: words.pointer(at.interpreter, at.interpreter_next)?,
            threads: words.pointer(at.interpreter, at.interpreter_threads)?,
            modules: words.pointer(at.interpreter, at.interpreter_modules)?,
        },
        thread: Thread {
            next: words.pointer(at.thread, at.thread_next)?,
            interpreter: words.pointer(at.thread, at.thread_interpreter)?,
            frame: words.pointer(at.thread, at.thread_frame)?,
            cframe: None,
            thread_id: words.pointer(at.thread, at.thread_id)?,
            native_id: Some(words.pointer(at.thread, at.thread_native_id)?),
            data_stack: Some(data_stack(&words, at)?),
        },
        frame: frame(&words, at)?,
        code: code(&words, at)?,
        object: object(&words, at, version, free_threaded)?,
        text: text(&words, at)?,
        dict: Dict::Inline {
            cached_keys: words.size(at.type_)? + CACHED_KEYS_AFTER_TYPE,
            dict_before: if free_threaded { 8 } else { 24 },
        },
    })
}

/// `PyObject` is the one structure whose offsets are known beforehand: a table that is laid out otherwise than `at`
/// says, as that of a newer version may be, does not get past this.
fn object(
    words: &Words<'_>,
    at: &Positions,
    version: Version,
    free_threaded: bool,
) -> Result<Object, Refusal> {
    let bytes = words.size(at.object)?;
    let type_of = words.pointer(at.object, at.object_type)?;
    if bytes != if free_threaded { 32 } else { 16 } || type_of != bytes - 8 {
        return Err(Refusal::Offset(at.object.0));
    }
    Ok(Object {
        bytes,
        counted: !free_threaded && version < Version::new(3, 14, 0),
        type_of,
        type_flags: words.pointer(at.type_, at.type_flags)?,
        bytes_data: words.field(at.bytes, at.bytes_data, 1)?,
    })
}

fn data_stack(words: &Words<'_>, at: &Positions) -> Result<DataStack, Refusal> {
    let chunk = words.pointer(at.thread, at.thread_data_stack)?;
    // datastack_top and datastack_limit stand behind it.
    if chunk + 24 > words.size(at.thread)? {
        return Err(Refusal::Offset(at.thread_data_stack));
    }
    // The field that keeps an emptied chunk came with a patch release and made the structure larger.
    Ok(DataStack { chunk, keeps_none: words.size(at.thread)? == THREAD_BYTES_3_13_0 })
}

fn frame(words: &Words<'_>, at: &Positions) -> Result<Frame, Refusal> {
    let code = words.pointer(at.frame, at.frame_code)?;
    let previous = words.pointer(at.frame, at.frame_previous)?;
    let instruction = words.pointer(at.frame, at.frame_instruction)?;
    let owner = words.field(at.frame, at.frame_owner, 1)?;
    let bytes = (code.max(previous).max(instruction) + 8).max(owner + 1);
    if bytes > crate::sample::FRAME_BYTES as u64 {
        return Err(Refusal::Offset(at.frame.0));
    }
    Ok(Frame {
        code,
        previous,
        instruction: Instruction::Pointer(instruction),
        owner: Some(owner),
        bytes,
    })
}

fn code(words: &Words<'_>, at: &Positions) -> Result<Code, Refusal> {
    let name = words.pointer(at.code, at.code_name)?;
    let file = words.pointer(at.code, at.code_file)?;
    let first_line = words.field(at.code, at.code_first_line, 4)?;
    let line_table = words.pointer(at.code, at.code_line_table)?;
    let units = words.size(at.object)?;
    let bytes = [name + 8, file + 8, line_table + 8, first_line + 4, units + 8]
        .into_iter()
        .fold(0, u64::max);
    if bytes > crate::sample::CODE_BYTES as u64 {
        return Err(Refusal::Offset(at.code.0));
    }
    let bytecode = Bytecode::Inline { start: words.field(at.code, at.code_bytecode, 2)?, units };
    Ok(Code {
        name,
        file,
        first_line,
        line_table,
        line_format: LineFormat::Locations,
        bytecode,
        bytes,
    })
}

fn text(words: &Words<'_>, at: &Positions) -> Result<Text, Refusal> {
    let ascii_data = words.size(at.unicode).and_then(|size| {
        let bytes = words.word(at.unicode_ascii_bytes)?;
        if bytes < size { Ok(bytes) } else { Err(Refusal::Offset(at.unicode_ascii_bytes)) }
    })?;
    let length = words.pointer(at.unicode, at.unicode_length)?;
    let state = words.field(at.unicode, at.unicode_state, 4)?;
    // The header up to `state` is read in one go, and both must be part of what every string has.
    if length + 8 > ascii_data
        || state + 4 > ascii_data
        || ascii_data > crate::string::HEADER_BYTES as u64
    {
        return Err(Refusal::Offset(at.unicode_length));
    }
    // PyCompactUnicodeObject adds utf8_length and utf8.
    Ok(Text::Python3 { length, state, ascii_data, compact_data: ascii_data + 16, wide: None })
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Cookie => f.write_str("the cookie is missing"),
            Self::Version(found) => write!(f, "they are those of {found}"),
            Self::Offset(word) => write!(f, "word {word} does not fit its structure"),
        }
    }
}
