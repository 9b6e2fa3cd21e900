//! What was imported, as the imports probe saw it: one fact an import, told when it has ended.

use serde::{Deserialize, Serialize};

/// Imports that ended since the last batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportsSample {
    /// Whether allocations are counted. If not, `notes` says why.
    pub bytes_known: bool,
    pub imports: Vec<ImportFact>,
}

/// One import. Imports that happened in it are told before it, with its number as their parent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ImportFact {
    /// 1 and up, in the order in which they began.
    pub number: u32,
    /// The import that it happened in, of the same thread; 0 for none.
    pub parent: u32,
    /// Kernel's id.
    pub thread_id: u32,
    /// As it was asked for; of Python 2 that may be relative.
    pub name: String,
    /// The module that imports. Empty if unknown, as the three that follow.
    pub importer: String,
    pub function: String,
    pub file: String,
    /// Of the importing statement; 0 if unknown.
    pub line: u32,
    /// When it began.
    pub at_ns: u64,
    /// How long it took, imports in it included. Null if it had not ended when the session did.
    pub time_ns: Option<u64>,
    /// Allocated less freed by its thread meanwhile, imports in it included, of blocks that were allocated
    /// since the thread began to import. Null where allocations are not counted.
    pub bytes: Option<i64>,
    /// Most that `bytes` was.
    pub peak_bytes: Option<u64>,
    /// It raised an exception.
    pub failed: bool,
}
