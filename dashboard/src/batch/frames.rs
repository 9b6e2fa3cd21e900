//! What the interpreter keeps for frames, as the frames probe sees it at one moment.
//!
//! Two models: up to 3.10 frames are objects, of which each code object keeps one and the interpreter a list; from 3.11
//! they lie on chunks that each thread has. Bytes are those asked of the allocator, heads of the garbage collector included.

use super::ThreadKey;
use serde::{Deserialize, Serialize};

/// How this interpreter keeps frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FramesModel {
    /// 2.7 to 3.10.
    Zombie,
    /// 3.11 and later.
    Chunk,
}

/// One look: cheap parts each time, the census when one was taken since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FramesSample {
    pub at_ns: u64,
    pub model: FramesModel,
    /// Chunks of every thread; empty in the other model.
    pub stacks: Vec<ThreadStack>,
    /// Thread states whose chunks could not be read at this moment: they were changing too fast.
    pub unread: u32,
    pub census: Option<Box<Census>>,
}

/// One thread's data stack; the sum, if it has several thread states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadStack {
    /// 0: a thread state of no thread that is known.
    pub key: ThreadKey,
    pub chunks: u32,
    pub bytes: u64,
    /// Headers and what frames take, or took below a newer chunk.
    pub used_bytes: u64,
    /// Null where the interpreter may keep an emptied chunk at a place that is not known.
    pub cached_bytes: Option<u64>,
    /// In RAM. Null where the kernel does not tell.
    pub resident_bytes: Option<u64>,
}

/// A count of objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub count: u64,
    pub bytes: u64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count); // what a target or a file says may be anything
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// Every object in the target's memory that holds a frame, found from outside while the target went on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Census {
    /// When it was finished.
    pub at_ns: u64,
    /// What it took of gilscope's own time; the target was neither stopped nor asked for the GIL.
    pub took_ns: u64,
    /// Memory that was looked through.
    pub looked_at_bytes: u64,
    /// Memory that is swapped out and was therefore left alone: what stands there is missing.
    pub swapped_bytes: u64,
    /// Frames that code objects keep for their next call (up to 3.10).
    pub zombies: Option<Held>,
    /// Frames that the interpreter keeps for any call (up to 3.10). Null where its list was not found.
    pub free_list: Option<Tally>,
    /// Pages of the small-object allocator that zombies keep from being given back (up to 3.10).
    pub pinned: Option<Pinned>,
    /// Frames in generators and coroutines that wait to go on (3.11 and later).
    pub suspended: Option<Held>,
    /// Of those that have ended and are still referred to (3.11 and later).
    pub exhausted: Option<Held>,
    /// Frame objects that outlive their call, in tracebacks for example (3.11 and later).
    pub escaped: Option<Held>,
}

/// Frames of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub all: Tally,
    /// Of those in `all`, how many belong to code that was called once; null where the interpreter does not count calls.
    pub called_once: Option<Tally>,
    /// Most bytes first; what is not listed is the rest of `all`.
    pub modules: Vec<HeldModule>,
    /// Most bytes first; what is not listed is the rest of `all`.
    pub functions: Vec<HeldFunction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldModule {
    pub module: String,
    pub tally: Tally,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldFunction {
    pub function: String,
    pub file: String,
    pub line: u32,
    pub tally: Tally,
}

/// What of the allocator's memory cannot be given back while zombies stand in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Pools of 4 KiB with at least one zombie, and of them those with nothing else.
    pub pools: u64,
    pub pools_alone: u64,
    /// Arenas with at least one of these pools.
    pub arenas: u64,
}
