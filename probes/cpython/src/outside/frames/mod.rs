//! Objects that hold frames: what to look for in a target's memory, and what it is that was found.
//!
//! Frames that code objects keep (zombies) are not tracked by the garbage collector, and some code only C refers to. So
//! they are not reached by following references: whoever looks goes through the memory, and each place that looks like an
//! object of one of [`FrameFacts::types`] is proven here. A zombie and its code object name each other, and a freed code
//! object is known by its first word, so stale memory is not taken for one.

mod free_list;

use crate::Memory;
use crate::Version;
use crate::layout::Layout;
use crate::memory::{Block, is_object_address};
use crate::sample::CodeKey;
use free_list::FreeList;

/// `sizeof` of what precedes the locals in `_PyInterpreterFrame` (3.11 to 3.13).
const SPECIALS_BYTES: u64 = 72;
/// In `PyTypeObject` of every version.
const TYPE_NAME: u64 = 24;
const TYPE_BASIC_BYTES: u64 = 32;
/// Words behind the fixed part of a frame: more no compiler makes.
const MOST_WORDS: u64 = 1 << 24;

/// Addresses of what the interpreter exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameSymbols {
    /// `PyFrame_Type`.
    pub frame_type: Option<u64>,
    /// `PyCode_Type`.
    pub code_type: Option<u64>,
    /// `PyGen_Type`, `PyCoro_Type`, `PyAsyncGen_Type`.
    pub generator_types: [Option<u64>; 3],
    /// The functions `_PyFrame_DebugMallocStats` (3.6 to 3.10) and `PyFrame_ClearFreeList` (2.7 to 3.8).
    pub free_list_users: [Option<u64>; 2],
}

/// What is known of one interpreter's frames.
#[derive(Clone, Debug)]
pub struct FrameFacts {
    layout: Layout,
    frame_type: u64,
    code_type: u64,
    frame_bytes: u64,
    /// Generator types and the bytes of their fixed parts.
    generators: [Option<(u64, u64)>; 3],
    /// Of the garbage collector, before each object.
    head_bytes: u64,
    kind: Kind,
    free_list: Option<FreeList>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Up to 3.10: in `PyCodeObject`, the frame it keeps and (3.8 and later) how often it was called, counted to 1024.
    Objects { zombie: u64, calls: Option<u64> },
    /// From 3.11: in `PyCodeObject`, words of its stack and of its variables.
    Embedded { stack_words: u64, variables: u64 },
}

/// What a place turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHolder {
    /// Which kind.
    pub kind: HolderKind,
    /// The function whose frame it is.
    pub code: CodeKey,
    /// Asked of the allocator, head of the garbage collector included.
    pub bytes: u64,
    /// How often the function was called, counted up to 1024; `None` where the interpreter does not count.
    pub calls: Option<u32>,
}

/// The kinds of objects that hold frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HolderKind {
    /// A frame that a code object keeps for its next call.
    Zombie,
    /// A generator or coroutine that has not ended.
    Suspended,
    /// One that has ended and is still referred to.
    Exhausted,
    /// A frame object that outlives its call.
    Escaped,
}

/// A pool of the small-object allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Where it starts.
    pub address: u64,
    /// Blocks in use.
    pub blocks: u32,
    /// Number of its arena.
    pub arena: u32,
}

impl FrameFacts {
    /// The facts of the interpreter that `layout` is of. The text says what does not fit.
    pub fn of(
        memory: &impl Memory,
        layout: &Layout,
        symbols: &FrameSymbols,
    ) -> Result<Self, &'static str> {
        let missing = "the interpreter does not export its types of frames";
        let frame_type = symbols.frame_type.ok_or(missing)?;
        let code_type = symbols.code_type.ok_or(missing)?;
        let kind = Kind::of(layout.version).ok_or("the layout of its frames is not known")?;
        let basic = |address, name| basic_bytes(memory, address, name);
        basic(code_type, b"code\0").ok_or("what it exports as the type of code is none")?;
        let frame_bytes =
            basic(frame_type, b"frame\0").ok_or("what it exports as the type of frames is none")?;
        let names: [&[u8]; 3] = [b"generator\0", b"coroutine\0", b"async_generator\0"];
        let mut generators = [None; 3];
        if let Kind::Embedded { .. } = kind {
            for ((found, address), name) in
                generators.iter_mut().zip(symbols.generator_types).zip(names)
            {
                *found = address.and_then(|address| Some((address, basic(address, name)?)));
            }
        }
        let head_bytes = if layout.version < Version::new(3, 8, 0) { 32 } else { 16 };
        let free_list = FreeList::find(memory, kind, &symbols.free_list_users);
        let layout = *layout;
        Ok(Self {
            layout,
            frame_type,
            code_type,
            frame_bytes,
            generators,
            head_bytes,
            kind,
            free_list,
        })
    }

    /// Whether code objects keep frames (up to 3.10); else threads have data stacks.
    #[must_use]
    pub fn has_zombies(&self) -> bool {
        matches!(self.kind, Kind::Objects { .. })
    }

    /// Whether the interpreter counts calls of code objects.
    #[must_use]
    pub fn counts_calls(&self) -> bool {
        matches!(self.kind, Kind::Objects { calls: Some(_), .. })
    }

    /// Types to look for: a word with one of these addresses may be the second one of an object to examine.
    pub fn types(&self) -> impl Iterator<Item = u64> + '_ {
        let generators = self.generators.iter().flatten().map(|(address, _)| *address);
        core::iter::once(self.frame_type).chain(generators)
    }

    /// What the object at `object` is, whose type word was found to be `type_of`. `None`: nothing that holds a frame, or
    /// no longer.
    pub fn examine(&self, memory: &impl Memory, object: u64, type_of: u64) -> Option<FrameHolder> {
        if !is_object_address(object) {
            return None;
        }
        match self.kind {
            Kind::Objects { zombie, calls } if type_of == self.frame_type => {
                self.zombie(memory, object, zombie, calls)
            }
            Kind::Embedded { stack_words, variables } => {
                let (kind, frame, fixed) = match type_of == self.frame_type {
                    true => self.escaped(memory, object)?,
                    false => self.generator(memory, object, type_of)?,
                };
                let code = memory.pointer(frame.checked_add(self.layout.frame.code)?)?;
                let block = self.code(memory, code)?;
                let words = u64::from(block.int(stack_words)?) + u64::from(block.int(variables)?);
                let bytes =
                    self.head_bytes + fixed + 8 * Some(words).filter(|&w| w < MOST_WORDS)?;
                Some(FrameHolder { kind, code: self.key(&block, code)?, bytes, calls: None })
            }
            Kind::Objects { .. } => None,
        }
    }

    fn zombie(
        &self,
        memory: &impl Memory,
        object: u64,
        zombie: u64,
        calls: Option<u64>,
    ) -> Option<FrameHolder> {
        let frame = Block::<64>::read(memory, object, 64)?;
        let words = frame.word(self.layout.object.bytes).filter(|&words| words < MOST_WORDS)?;
        if frame.word(0)? != 0 || frame.word(self.layout.object.type_of)? != self.frame_type {
            return None;
        }
        let code = frame.pointer(self.layout.frame.code)?;
        let block = self.code(memory, code)?;
        if block.word(zombie)? != object {
            return None;
        }
        let calls = calls.and_then(|at| block.int(at));
        let bytes = self.bytes_of(words);
        Some(FrameHolder { kind: HolderKind::Zombie, code: self.key(&block, code)?, bytes, calls })
    }

    /// Of a frame object with so many words behind its fixed part (up to 3.10).
    fn bytes_of(&self, words: u64) -> u64 {
        self.head_bytes + self.frame_bytes + 8 * words
    }

    /// The code object at `code`, if it is alive.
    fn code(&self, memory: &impl Memory, code: u64) -> Option<Block<192>> {
        let block =
            Block::<192>::read(memory, code, 176).or_else(|| Block::read(memory, code, 144))?;
        let is_code = block.word(self.layout.object.type_of)? == self.code_type;
        (is_code && self.layout.is_live(block.word(0))).then_some(block)
    }

    fn key(&self, block: &Block<192>, code: u64) -> Option<CodeKey> {
        Some(CodeKey {
            code,
            name: block.pointer(self.layout.code.name)?,
            file: block.pointer(self.layout.code.file)?,
            first_line: block.int(self.layout.code.first_line)?,
        })
    }

    /// A live object that the garbage collector knows: the words of its start.
    fn tracked(&self, memory: &impl Memory, object: u64) -> Option<Block<48>> {
        let next = memory.word(object.checked_sub(self.head_bytes)?)?;
        let block = Block::<48>::read(memory, object, 48)?;
        (next != 0 && self.layout.is_live(block.word(0))).then_some(block)
    }

    /// A frame object that has taken over its frame: the kind, where the frame is, bytes of the fixed part.
    fn escaped(&self, memory: &impl Memory, object: u64) -> Option<(HolderKind, u64, u64)> {
        let own = object.checked_add(self.frame_bytes.checked_sub(SPECIALS_BYTES)?)?;
        let block = self.tracked(memory, object)?;
        // PyFrameObject: f_back, then f_frame.
        let frame = block.word(self.layout.object.bytes + 8)?;
        let is_own = block.word(self.layout.object.type_of)? == self.frame_type && frame == own;
        is_own.then_some((HolderKind::Escaped, own, self.frame_bytes))
    }

    fn generator(
        &self,
        memory: &impl Memory,
        object: u64,
        type_of: u64,
    ) -> Option<(HolderKind, u64, u64)> {
        let known = self.generators.iter().flatten().find(|(address, _)| *address == type_of);
        let &(_, fixed) = known?;
        let block = self.tracked(memory, object)?;
        if block.word(self.layout.object.type_of)? != type_of {
            return None;
        }
        let frame = object.checked_add(fixed.checked_sub(SPECIALS_BYTES)?)?;
        // gi_frame_state, the last byte before the padding: below zero before the first and between two steps.
        let state = Block::<8>::read(memory, frame.checked_sub(8)?, 8)?.byte(3)?.cast_signed();
        let kind = match state {
            -3..=-1 => HolderKind::Suspended,
            1 | 4 => HolderKind::Exhausted,
            _ => return None,
        };
        Some((kind, frame, fixed))
    }

    /// The pool that a block of `bytes` bytes for the object at `object` lies in; `None` where it lies in none.
    pub fn pool_of(&self, memory: &impl Memory, object: u64, bytes: u64) -> Option<Pool> {
        // Larger ones go to malloc (SMALL_REQUEST_THRESHOLD); pools grew with 3.10 (POOL_BITS), alignment with 3.7.4.
        let pool_bytes = if self.layout.version < Version::new(3, 10, 0) { 4096 } else { 16_384 };
        if bytes > 512 {
            return None;
        }
        let address = object.checked_sub(self.head_bytes)? / pool_bytes * pool_bytes;
        // pool_header: ref, freeblock, nextpool, prevpool, arenaindex, szidx.
        let header = Block::<40>::read(memory, address, 40)?;
        let (blocks, arena, class) = (header.int(0)?, header.int(32)?, header.int(36)?);
        let fits = [3, 4].iter().any(|shift| u64::from(class) == (bytes - 1) >> shift);
        let is_pool = fits && blocks > 0 && u64::from(blocks) < pool_bytes / 8;
        is_pool.then_some(Pool { address, blocks, arena })
    }

    /// Frames that the interpreters at `interpreters` keep for any call, and their bytes. `None` where there is no such
    /// list (3.11 and later), it was not found, or it changed each time it was read.
    pub fn free_list(&self, memory: &impl Memory, interpreters: &[u64]) -> Option<(u64, u64)> {
        let list = self.free_list.filter(|_| !interpreters.is_empty())?;
        (0..4).find_map(|_| list.walk(memory, interpreters, |frame| self.free(memory, frame)))
    }

    /// A frame on the list: the next one, and its bytes.
    fn free(&self, memory: &impl Memory, frame: u64) -> Option<(u64, u64)> {
        let block = Block::<64>::read(memory, frame, 64)?;
        let words = block.word(self.layout.object.bytes).filter(|&words| words < MOST_WORDS)?;
        let is_free =
            block.word(0)? == 0 && block.word(self.layout.object.type_of)? == self.frame_type;
        is_free.then_some((block.word(self.layout.frame.previous)?, self.bytes_of(words)))
    }
}

impl Kind {
    /// Found with `ptype /o` of `PyCodeObject` in the builds that `tables` names.
    fn of(version: Version) -> Option<Self> {
        Some(match (version.major(), version.minor()) {
            (2, 7) => Self::Objects { zombie: 112, calls: None },
            (3, 6 | 7) => Self::Objects { zombie: 120, calls: None },
            (3, 8..=10) => Self::Objects { zombie: 128, calls: Some(168) },
            (3, 11) => Self::Embedded { stack_words: 68, variables: 76 },
            (3, 12 | 13) => Self::Embedded { stack_words: 64, variables: 72 },
            _ => return None,
        })
    }
}

/// `tp_basicsize` of the type at `address`, if it is called `name`.
fn basic_bytes(memory: &impl Memory, address: u64, name: &[u8]) -> Option<u64> {
    if !is_object_address(address) {
        return None;
    }
    let mut found = [0; 16];
    let found = found.get_mut(..name.len())?;
    // Names of types are C strings, of any alignment.
    let text = memory.word(address + TYPE_NAME)?;
    if !memory.copy(text, found) || found != name {
        return None;
    }
    memory.word(address + TYPE_BASIC_BYTES).filter(|bytes| (64..4096).contains(bytes))
}
