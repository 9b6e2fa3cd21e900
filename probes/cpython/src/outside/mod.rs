//! What the daemon reads of a running interpreter: its threads and their names, what it keeps for
//! frames, a function's line table.
//!
//! The target runs on meanwhile. Every walk is bounded, and what does not fit together is left out: the answer may be
//! incomplete and then says so; it is never made up.

mod data_stack;
mod dict;
mod frames;
mod line_table;
mod modules;
mod names;
mod text;
mod threads;

pub use data_stack::{Chunk, DataStack, data_stack};
pub use frames::{FrameFacts, FrameHolder, FrameSymbols, HolderKind, Pool};
pub use line_table::{line_table, line_table_bytes};
pub use modules::{function, module_files};
pub use threads::{PyThread, Roots, Threads, threads};

use crate::{Memory, Version};

/// The version in the exported variable `Py_Version` (3.11 and later) at `symbol`.
pub fn version_at(memory: &impl Memory, symbol: u64) -> Option<Version> {
    let mut bytes = [0; 8];
    // A `const unsigned long`, of which PY_VERSION_HEX is the low half.
    memory
        .copy(symbol, &mut bytes)
        .then(|| u64::from_le_bytes(bytes))?
        .try_into()
        .ok()
        .map(Version::from_hex)
}
