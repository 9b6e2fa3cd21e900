//! Trying a layout on live objects before anything is believed that it yields.
//!
//! To be called by a thread that holds the GIL: then the list of thread states stands still, and so do the frames of
//! all other threads.

use crate::Memory;
use crate::layout::Layout;
use crate::sample::{Miss, Sample};
use crate::string::Keep;

/// Thread states that are walked at most.
const THREADS: usize = 4096;
/// Frames that are looked at, at most.
const FRAMES: u32 = 16;

/// Why a layout is not believed. The numbers cross to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mismatch {
    /// The thread state cannot be read.
    Unreadable = 1,
    /// `thread_id` is not the thread pointer.
    ThreadId = 2,
    /// The interpreter's list of thread states does not hold the thread state.
    ThreadList = 3,
    /// A frame names something that is no code object.
    Code = 4,
    /// A code object's name or file is no string.
    Name = 5,
    /// No thread runs Python code, so nothing could be tried.
    NoFrame = 6,
}

impl Mismatch {
    /// The reason with this number.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Unreadable,
            2 => Self::ThreadId,
            3 => Self::ThreadList,
            4 => Self::Code,
            5 => Self::Name,
            6 => Self::NoFrame,
            _ => return None,
        })
    }
}

impl core::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "the thread state cannot be read",
            Self::ThreadId => "the thread state's thread id is not the thread's",
            Self::ThreadList => "the interpreter's list does not hold the thread state",
            Self::Code => "a frame names something that is no code object",
            Self::Name => "a function's name or file is no string",
            Self::NoFrame => "no thread runs Python code",
        })
    }
}

impl Layout {
    /// As [`Layout::check`], for a program in which no Python code may run yet: that is no fault, since each look
    /// proves what it finds to be a code object.
    pub fn prove(
        &self,
        memory: &impl Memory,
        tstate: u64,
        thread_pointer: u64,
        code_type: u64,
    ) -> Result<(), Mismatch> {
        match self.check(memory, tstate, thread_pointer, code_type) {
            Ok(_) | Err(Mismatch::NoFrame) => Ok(()),
            Err(mismatch) => Err(mismatch),
        }
    }

    /// Tries the layout on the calling thread's state `tstate`, whose thread pointer is `thread_pointer`, and on the
    /// frames of all threads of its interpreter. Gives the number of frames that were tried, at least 1.
    pub fn check(
        &self,
        memory: &impl Memory,
        tstate: u64,
        thread_pointer: u64,
        code_type: u64,
    ) -> Result<u32, Mismatch> {
        let word = |address: u64, offset: u64| {
            memory.word(address.wrapping_add(offset)).ok_or(Mismatch::Unreadable)
        };
        if word(tstate, self.thread.thread_id)? != thread_pointer {
            return Err(Mismatch::ThreadId);
        }
        let interpreter = word(tstate, self.thread.interpreter)?;
        let mut at = word(interpreter, self.interpreter.threads)?;
        let (mut found, mut frames) = (false, 0);
        for _ in 0..THREADS {
            if at == 0 || (found && frames >= FRAMES) {
                break;
            }
            if word(at, self.thread.interpreter)? != interpreter {
                return Err(Mismatch::ThreadList);
            }
            found |= at == tstate;
            if frames < FRAMES {
                frames += self.check_frame(memory, at, code_type)?;
            }
            at = word(at, self.thread.next)?;
        }
        match (found, frames) {
            (false, _) => Err(Mismatch::ThreadList),
            (true, 0) => Err(Mismatch::NoFrame),
            (true, frames) => Ok(frames),
        }
    }

    /// 1 if the thread has a frame and all in it is as it should be, 0 if it has none.
    fn check_frame(
        &self,
        memory: &impl Memory,
        tstate: u64,
        code_type: u64,
    ) -> Result<u32, Mismatch> {
        match self.sample(memory, tstate, code_type) {
            Ok(sample) => self.has_strings(memory, &sample).then_some(1).ok_or(Mismatch::Name),
            Err(Miss::NoFrame) => Ok(0),
            Err(_) => Err(Mismatch::Code),
        }
    }

    fn has_strings(&self, memory: &impl Memory, sample: &Sample) -> bool {
        let mut few = [0; 8];
        let name = self.string(memory, sample.code.name, Keep::Start, &mut few);
        let file = self.string(memory, sample.code.file, Keep::End, &mut few);
        name.is_some_and(|name| name.bytes > 0) && file.is_some()
    }
}
