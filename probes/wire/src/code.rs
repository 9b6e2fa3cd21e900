//! The code table: what a function is called, copied once when a waiter first sees it.
//!
//! Strings are raw bytes as CPython keeps them, of bounded length; the daemon makes text of them.
//! The line of an instruction is the daemon's work: it reads the code's line table from outside.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// Bytes kept of a function's name.
pub const NAME_BYTES: usize = 96;
/// Bytes kept of a file name: its end, which tells files apart.
pub const FILE_BYTES: usize = 192;

/// How the bytes of a string are to be read.
pub mod encoding {
    /// Not readable.
    pub const NONE: u8 = 0;
    /// One byte a character: ASCII or Latin-1 (CPython kind 1), or a Python 2 `str`.
    pub const LATIN1: u8 = 1;
    /// Two bytes a character, little endian (kind 2).
    pub const UCS2: u8 = 2;
    /// Four bytes a character, little endian (kind 4).
    pub const UCS4: u8 = 4;
}

/// Identity of a code object as seen in the target, so that a reused address is told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct CodeKey {
    /// Address of the code object.
    pub code: u64,
    /// Address of its name.
    pub name: u64,
    /// Address of its file name.
    pub file: u64,
    /// `co_firstlineno`.
    pub first_line: u32,
    /// Zero.
    pub reserved: u32,
}

/// One code object. Written once; `ready` is stored last.
#[repr(C)]
pub struct CodeEntry {
    /// 1 when all fields are valid.
    pub ready: AtomicU32,
    /// Bytes used in `name`.
    pub name_len: u8,
    /// Bytes used in `file`.
    pub file_len: u8,
    /// An [`encoding`].
    pub name_encoding: u8,
    /// An [`encoding`].
    pub file_encoding: u8,
    /// Address of the code's line table object (`co_lnotab`, `co_linetable`).
    pub line_table: AtomicU64,
    /// Who it is.
    pub key: CodeKey,
    /// The name's bytes.
    pub name: [u8; NAME_BYTES],
    /// The file name's last bytes.
    pub file: [u8; FILE_BYTES],
}
