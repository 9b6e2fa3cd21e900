//! What a thread is running right now: one look, few reads, never nonsense.
//!
//! The thread may run on while it is looked at. So the code object's type is checked, the instruction must lie inside
//! its bytecode, and the frame must still name that code object after it was read. A frame that returned meanwhile
//! leaves its stale copy behind, which is then as true a sample as any: it ran at the moment of the first read.

use crate::Memory;
use crate::layout::{Bytecode, Instruction, Layout, SHIM_OWNER};
use crate::memory::{Block, is_object_address};
use crate::string::{Copied, Keep};

/// The most that is read of a frame, and of a code object.
pub(crate) const FRAME_BYTES: usize = 128;
pub(crate) const CODE_BYTES: usize = 192;
/// Frames without Python code never follow each other more than this.
const SHIMS: usize = 4;
/// Looks until the thread is said to move too fast.
const TRIES: usize = 3;

/// Identity of a code object, so that a reused address is told apart. The same fields as the wire's `CodeKey`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CodeKey {
    /// Address of the code object.
    pub code: u64,
    /// Address of `co_name`.
    pub name: u64,
    /// Address of `co_filename`.
    pub file: u64,
    /// `co_firstlineno`.
    pub first_line: u32,
}

/// What a thread was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The function.
    pub code: CodeKey,
    /// Address of its line table object.
    pub line_table: u64,
    /// The instruction's offset in the bytecode, in bytes; 0 also before the first instruction.
    pub instruction: u32,
}

/// Why there is no sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The thread runs no Python code.
    NoFrame,
    /// An address on the way could not be read.
    Unreadable,
    /// What the frame names is no code object.
    NotCode,
    /// The frame changed while it was read, each time it was tried.
    Moved,
}

/// A frame's own words.
struct Seen {
    code: u64,
    instruction: u64,
}

impl Layout {
    /// What the thread of `tstate` runs. `code_type` is the address of `PyCode_Type`.
    ///
    /// 4 reads on most versions, 5 on 3.11 and 3.12; at most 3 times that, plus those over shim frames.
    pub fn sample(
        &self,
        memory: &impl Memory,
        tstate: u64,
        code_type: u64,
    ) -> Result<Sample, Miss> {
        let mut last = Miss::Moved;
        for _ in 0..TRIES {
            match self.look(memory, tstate, code_type) {
                Ok(sample) => return Ok(sample),
                Err(Miss::NoFrame) => return Err(Miss::NoFrame),
                Err(miss) => last = miss,
            }
        }
        Err(last)
    }

    fn look(&self, memory: &impl Memory, tstate: u64, code_type: u64) -> Result<Sample, Miss> {
        let (frame, seen) = self.top_frame(memory, tstate)?;
        let (sample, instruction) = self.code_at(memory, &seen, code_type)?;
        let now =
            Block::<8>::read(memory, frame + self.frame.code, 8).and_then(|block| block.word(0));
        if now.ok_or(Miss::Unreadable)? != seen.code {
            return Err(Miss::Moved);
        }
        Ok(Sample {
            instruction,
            ..sample
        })
    }

    /// The innermost frame that runs Python code.
    fn top_frame(&self, memory: &impl Memory, tstate: u64) -> Result<(u64, Seen), Miss> {
        let mut at = tstate
            .checked_add(self.thread.frame)
            .ok_or(Miss::Unreadable)?;
        if let Some(offset) = self.thread.cframe {
            let cframe = memory.word(at).ok_or(Miss::Unreadable)?;
            if !is_object_address(cframe) {
                return Err(if cframe == 0 {
                    Miss::NoFrame
                } else {
                    Miss::Moved
                });
            }
            at = cframe + offset;
        }
        let mut frame = memory.word(at).ok_or(Miss::Unreadable)?;
        for _ in 0..SHIMS {
            if frame == 0 {
                return Err(Miss::NoFrame);
            }
            if !is_object_address(frame) {
                return Err(Miss::Moved);
            }
            let block = Block::<FRAME_BYTES>::read(memory, frame, self.frame.bytes)
                .ok_or(Miss::Unreadable)?;
            let owner = self
                .frame
                .owner
                .and_then(|offset| block.byte(offset))
                .unwrap_or(0);
            if owner < SHIM_OWNER {
                return self
                    .seen(&block)
                    .map(|seen| (frame, seen))
                    .ok_or(Miss::Unreadable);
            }
            frame = block.word(self.frame.previous).ok_or(Miss::Unreadable)?;
        }
        Err(Miss::Moved)
    }

    fn seen(&self, block: &Block<FRAME_BYTES>) -> Option<Seen> {
        let instruction = match self.frame.instruction {
            Instruction::ByteIndex(offset) | Instruction::UnitIndex(offset) => {
                u64::from(block.int(offset)?)
            }
            Instruction::Pointer(offset) => block.word(offset)?,
        };
        Some(Seen {
            code: block.word(self.frame.code)?,
            instruction,
        })
    }

    /// Reads the code object that the frame names; gives the sample and the instruction's offset.
    fn code_at(
        &self,
        memory: &impl Memory,
        seen: &Seen,
        code_type: u64,
    ) -> Result<(Sample, u32), Miss> {
        if !is_object_address(seen.code) {
            return Err(Miss::NotCode);
        }
        let block = Block::<CODE_BYTES>::read(memory, seen.code, self.code.bytes)
            .ok_or(Miss::Unreadable)?;
        if block.word(self.object.type_of) != Some(code_type) || !self.is_live(block.word(0)) {
            return Err(Miss::NotCode);
        }
        let sample = self.take(&block, seen.code).ok_or(Miss::NotCode)?;
        let instruction = self.instruction(&block, seen).ok_or(Miss::Moved)?;
        Ok((sample, instruction))
    }

    fn take(&self, block: &Block<CODE_BYTES>, code: u64) -> Option<Sample> {
        Some(Sample {
            code: CodeKey {
                code,
                name: block.pointer(self.code.name)?,
                file: block.pointer(self.code.file)?,
                first_line: block.int(self.code.first_line)?,
            },
            line_table: block.pointer(self.code.line_table)?,
            instruction: 0,
        })
    }

    fn instruction(&self, block: &Block<CODE_BYTES>, seen: &Seen) -> Option<u32> {
        let index =
            u32::try_from(seen.instruction).map(|index| if index == u32::MAX { 0 } else { index });
        match (self.frame.instruction, self.code.bytecode) {
            (Instruction::ByteIndex(_), _) => index.ok(),
            (Instruction::UnitIndex(_), _) => index.ok()?.checked_mul(2),
            (Instruction::Pointer(_), Bytecode::Inline { start, units }) => {
                let start = seen.code.checked_add(start)?;
                if start.checked_sub(2) == Some(seen.instruction) {
                    return Some(0);
                }
                let offset = seen.instruction.checked_sub(start)?;
                let end = block.word(units)?.checked_mul(2)?;
                if offset < end {
                    u32::try_from(offset).ok()
                } else {
                    None
                }
            }
            (Instruction::Pointer(_), Bytecode::Object) => None,
        }
    }

    /// Whether the object at `key.code` is still the code object that `key` describes; gives its line table's address.
    ///
    /// For who comes later than the sample: code objects are freed and their addresses reused. 1 read.
    pub fn still(&self, memory: &impl Memory, key: &CodeKey) -> Option<u64> {
        if !is_object_address(key.code) {
            return None;
        }
        let block = Block::<CODE_BYTES>::read(memory, key.code, self.code.bytes)?;
        let now = self.take(&block, key.code).filter(|now| now.code == *key)?;
        self.is_live(block.word(0)).then_some(now.line_table)
    }

    /// Copies the name (its beginning) and the file (its end) of a code object that was just sampled.
    ///
    /// `None` if it was freed meanwhile: then its strings may have become others. 13 reads for strings that are compact.
    pub fn describe(
        &self,
        memory: &impl Memory,
        key: &CodeKey,
        name: &mut [u8],
        file: &mut [u8],
    ) -> Option<(Copied, Copied)> {
        let name_copied = self.string(memory, key.name, Keep::Start, name)?;
        let file_copied = self.string(memory, key.file, Keep::End, file)?;
        self.still(memory, key)?;
        // The same object may have been freed and made again at the same place since the strings were copied.
        let name = name.get(..name_copied.bytes)?;
        let file = file.get(..file_copied.bytes)?;
        let same = self.is_copied(memory, key.name, Keep::Start, name)
            && self.is_copied(memory, key.file, Keep::End, file);
        same.then_some((name_copied, file_copied))
    }

    /// Whether the string at `object` still starts (or ends) as `copied` does.
    fn is_copied(&self, memory: &impl Memory, object: u64, keep: Keep, copied: &[u8]) -> bool {
        let mut few = [0; 16];
        let now = self
            .string(memory, object, keep, &mut few)
            .and_then(|now| few.get(..now.bytes));
        now.is_some_and(|now| match keep {
            Keep::Start => copied.starts_with(now),
            Keep::End => copied.ends_with(now),
        })
    }

    /// Whether `first`, an object's first word, is not that of a freed block.
    pub(crate) fn is_live(&self, first: Option<u64>) -> bool {
        !self.object.counted
            || first.is_some_and(|count| count != 0 && count <= u64::from(u32::MAX))
    }
}
