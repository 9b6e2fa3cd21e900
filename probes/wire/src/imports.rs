//! What was imported: one entry an import, in the order in which they began.
//!
//! An entry is claimed by the thread that imports, filled when the import begins and finished when it
//! ends; then nobody writes to it any more. Entries of one thread form trees by [`Import::parent`].
//! Bytes are those asked of CPython's allocators; a sum of what is allocated and freed may be negative
//! and stands as two's complement.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Imports that one session can keep.
pub const N_IMPORTS: usize = 16_384;

/// Life of an entry.
pub mod state {
    /// Never used.
    pub const FREE: u32 = 0;
    /// The import goes on.
    pub const OPEN: u32 = 1;
    /// It has ended: everything is there.
    pub const DONE: u32 = 2;
    /// It loaded nothing, since all was loaded before (2.7).
    pub const CACHED: u32 = 3;
}

/// Values of [`ImportTotals::status`].
pub mod status {
    /// Not begun: the interpreter has no importer yet.
    pub const OFF: u32 = 0;
    /// Imports are recorded.
    pub const RECORDING: u32 = 1;
    /// The interpreter's importer was not found where it should be.
    pub const NO_IMPORTER: u32 = 2;
}

/// Values of [`ImportTotals::bytes_status`].
pub mod bytes {
    /// Allocators are watched.
    pub const WATCHED: u32 = 0;
    /// The program ran before gilscope came.
    pub const LATE: u32 = 1;
    /// The interpreter has no way to watch its allocators (2.7).
    pub const NO_HOOKS: u32 = 2;
    /// No memory for the map of blocks.
    pub const NO_MEMORY: u32 = 3;
}

/// Raw bytes of a text, up to `8 * N` of them.
#[repr(C)]
pub struct Text<const N: usize> {
    len: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Text<N> {
    /// Keeps the beginning of `text`.
    pub fn set(&self, text: &[u8]) {
        let text = text.get(..8 * N).unwrap_or(text);
        for (word, bytes) in self.words.iter().zip(text.chunks(8)) {
            let mut whole = [0; 8];
            for (to, from) in whole.iter_mut().zip(bytes) {
                *to = *from;
            }
            word.store(u64::from_le_bytes(whole), Relaxed);
        }
        self.len.store(text.len() as u64, Relaxed);
    }

    /// Keeps the end of `text`.
    pub fn set_end(&self, text: &[u8]) {
        self.set(text.get(text.len().saturating_sub(8 * N)..).unwrap_or(text));
    }

    /// Copies it; returns how many bytes of `into` are filled.
    pub fn get(&self, into: &mut [u8]) -> usize {
        for (bytes, word) in into.chunks_mut(8).zip(&self.words) {
            for (to, from) in bytes.iter_mut().zip(word.load(Relaxed).to_le_bytes()) {
                *to = from;
            }
        }
        (self.len.load(Relaxed) as usize).min(8 * N).min(into.len())
    }
}

/// One import. Times are stamps in ns.
#[repr(C, align(64))]
pub struct Import {
    /// A [`state`], stored last.
    pub state: AtomicU32,
    /// Entry + 1 of the import that this one happened in, 0 for none.
    pub parent: AtomicU32,
    /// Kernel's id of the thread.
    pub thread_id: AtomicU32,
    /// 1 if it raised an exception.
    pub failed: AtomicU32,
    /// When it began.
    pub begin_ns: AtomicU64,
    /// When it ended.
    pub end_ns: AtomicU64,
    /// Allocated less freed by its thread meanwhile, imports in it included.
    pub bytes: AtomicU64,
    /// Most that `bytes` was.
    pub peak_bytes: AtomicU64,
    /// Line of the importer, 0 if unknown.
    pub line: AtomicU32,
    /// How `function` is to be read, a `code::encoding`.
    pub function_encoding: AtomicU32,
    /// How `file` is to be read.
    pub file_encoding: AtomicU32,
    /// Private to the writer: which outermost import of its thread it belongs to.
    pub window: AtomicU32,
    /// Private to the writer: the thread's sum, and its maximum, when it began.
    pub sum_before: AtomicU64,
    /// See `sum_before`.
    pub high_before: AtomicU64,
    /// Private to the writer: where the stack stood.
    pub stack: AtomicU64,
    /// The module's name, UTF-8.
    pub name: Text<15>,
    /// `__name__` of the module that imports, UTF-8; empty if unknown.
    pub importer: Text<9>,
    /// The importing function.
    pub function: Text<7>,
    /// Its file's end.
    pub file: Text<16>,
}

/// What is counted once for the process.
#[repr(C, align(64))]
pub struct ImportTotals {
    /// A [`status`].
    pub status: AtomicU32,
    /// Why bytes are not known, a value of [`bytes`].
    pub bytes_status: AtomicU32,
    /// Entries used so far.
    pub used: AtomicU32,
    /// Keeps the layout explicit.
    pub reserved: AtomicU32,
    /// Imports that found no entry.
    pub lost_full: AtomicU64,
    /// Imports of threads that found no place, or that ended out of turn.
    pub lost_no_seat: AtomicU64,
    /// Blocks that found no room in the map: their frees are not counted.
    pub blocks_lost: AtomicU64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_beginning_or_its_end() {
        let text = Text::<1> { len: AtomicU64::new(0), words: [AtomicU64::new(0)] };
        let read = |text: &Text<1>| {
            let mut bytes = [0; 8];
            let n = text.get(&mut bytes);
            (bytes, n)
        };
        text.set(b"collections");
        assert_eq!(read(&text), (*b"collecti", 8));
        text.set_end(b"collections");
        assert_eq!(read(&text), (*b"lections", 8));
        text.set(b"os");
        assert_eq!((read(&text).0.get(..2), read(&text).1), (Some(&b"os"[..]), 2));
    }
}
