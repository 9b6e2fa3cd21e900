//! What a thread is running right now: one look, few reads, never nonsense.
//!
//! The thread may run on while it is looked at. So the code object's type is checked, the instruction must lie inside
//! its bytecode, and the frame is read again afterwards: it must still name that code object and must not turn out to
//! be one of the interpreter's own, which are made field by field on the C stack, at places where others stood.
//! A frame that returned meanwhile leaves its stale copy behind, which is then as true a sample as any: it ran at the
//! moment of the first read.

use crate::Memory;
use crate::layout::{Bytecode, Instruction, Layout, SHIM_OWNER};
use crate::memory::{Block, is_object_address};
use crate::string::{Copied, Keep};

/// The most that is read of a frame, and of a code object.
pub(crate) const FRAME_BYTES: usize = 128;
pub(crate) const CODE_BYTES: usize = 192;
/// Frames without Python code never follow each other more than this.
const SHIMS: usize = 4;
/// A frame this near its C frame is a local variable of the same call of the eval loop, as shims are in 3.12, and never
/// runs Python code: those frames lie on the data stack or in a generator. Once its call has returned, other calls
/// overwrite what marks it as a shim, but not always what it names as code.
const EVAL_LOCALS: u64 = 1024;
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
    previous: u64,
    instruction: u64,
    /// Whether it is the interpreter's own, without Python code.
    is_shim: bool,
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

    /// What the thread of `tstate` runs and who called it, innermost first, until `each` says false; at most `most`
    /// frames. For a thread that stands still meanwhile, such as the one that asks.
    pub fn stack(
        &self,
        memory: &impl Memory,
        tstate: u64,
        code_type: u64,
        most: usize,
        mut each: impl FnMut(&Sample) -> bool,
    ) -> Result<(), Miss> {
        let (_, mut seen) = self.top_frame(memory, tstate)?;
        for _ in 0..most {
            if !seen.is_shim {
                let (sample, instruction) = self.code_at(memory, &seen, code_type)?;
                if !each(&Sample { instruction, ..sample }) {
                    return Ok(());
                }
            }
            if !is_object_address(seen.previous) {
                return Ok(());
            }
            seen = self.frame_at(memory, seen.previous)?;
        }
        Ok(())
    }

    fn look(&self, memory: &impl Memory, tstate: u64, code_type: u64) -> Result<Sample, Miss> {
        let (frame, seen) = self.top_frame(memory, tstate)?;
        let (sample, instruction) = self.code_at(memory, &seen, code_type)?;
        let now = self.frame_at(memory, frame)?;
        if now.is_shim || now.code != seen.code {
            return Err(Miss::Moved);
        }
        Ok(Sample { instruction, ..sample })
    }

    /// The innermost frame that runs Python code.
    fn top_frame(&self, memory: &impl Memory, tstate: u64) -> Result<(u64, Seen), Miss> {
        let mut at = tstate.checked_add(self.thread.frame).ok_or(Miss::Unreadable)?;
        let mut cframe = None;
        if let Some(offset) = self.thread.cframe {
            let address = memory.word(at).ok_or(Miss::Unreadable)?;
            if !is_object_address(address) {
                return Err(if address == 0 { Miss::NoFrame } else { Miss::Moved });
            }
            cframe = Some(address);
            at = address + offset;
        }
        let mut frame = memory.word(at).ok_or(Miss::Unreadable)?;
        for _ in 0..SHIMS {
            if frame == 0 {
                return Err(Miss::NoFrame);
            }
            if !is_object_address(frame) {
                return Err(Miss::Moved);
            }
            let seen = self.frame_at(memory, frame)?;
            if !seen.is_shim {
                let on_c_stack = cframe.is_some_and(|cframe| frame.abs_diff(cframe) < EVAL_LOCALS);
                return if on_c_stack { Err(Miss::Moved) } else { Ok((frame, seen)) };
            }
            frame = seen.previous;
        }
        Err(Miss::Moved)
    }

    fn frame_at(&self, memory: &impl Memory, frame: u64) -> Result<Seen, Miss> {
        let block = Block::<FRAME_BYTES>::read(memory, frame, self.frame.bytes);
        block.and_then(|block| self.seen(&block)).ok_or(Miss::Unreadable)
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
            previous: block.word(self.frame.previous)?,
            instruction,
            is_shim: self
                .frame
                .owner
                .is_some_and(|at| block.byte(at).is_none_or(|owner| owner >= SHIM_OWNER)),
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
                if offset < end { u32::try_from(offset).ok() } else { None }
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
    /// `None` if it was freed meanwhile: then its strings may have become others. 9 reads for strings that are compact.
    pub fn describe(
        &self,
        memory: &impl Memory,
        key: &CodeKey,
        name: &mut [u8],
        file: &mut [u8],
    ) -> Option<(Copied, Copied)> {
        let name_place = self.string_place(memory, key.name)?;
        let file_place = self.string_place(memory, key.file)?;
        let name_copied = name_place.copy(memory, Keep::Start, name)?;
        let file_copied = file_place.copy(memory, Keep::End, file)?;
        self.still(memory, key)?;
        // The same object may have been freed and made again at the same place since the strings were copied.
        let same = name_place.holds(memory, Keep::Start, name.get(..name_copied.bytes)?)
            && file_place.holds(memory, Keep::End, file.get(..file_copied.bytes)?);
        same.then_some((name_copied, file_copied))
    }

    /// Whether `first`, an object's first word, is not that of a freed block.
    pub(crate) fn is_live(&self, first: Option<u64>) -> bool {
        !self.object.counted
            || first.is_some_and(|count| count != 0 && count <= u64::from(u32::MAX))
    }
}
