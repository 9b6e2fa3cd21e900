//! The thread states of a target, found from outside.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use super::names::names;
use crate::Memory;
use crate::layout::Layout;
use crate::memory::{Block, is_object_address};

/// Interpreters, and threads of each, that are walked at most.
const INTERPRETERS: usize = 256;
const THREADS: usize = 1 << 16;
/// Reads and bytes of one call of [`threads`] at most, whatever the target's memory says: about half a second.
const READS: u32 = 1 << 19;
const BYTES: u64 = 1 << 28;
/// Walks until an inconsistent list is given out as incomplete.
const TRIES: usize = 3;

/// Addresses of exported symbols from which everything is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// `_PyRuntime` (3.7 and later).
    pub runtime: Option<u64>,
    /// The function `PyInterpreterState_Head`: in 2.7 and 3.6 its code tells where the list starts.
    pub interpreter_head: Option<u64>,
}

/// One thread state. A thread that works in several interpreters has one in each; one that was made together with a
/// subinterpreter keeps its maker's ident, whoever uses it (seen up to 3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PyThread {
    /// `threading.get_ident()`: with glibc the thread pointer.
    pub thread_ident: u64,
    /// The kernel's thread id; `None` up to 3.10, which do not keep it.
    pub native_id: Option<u32>,
    /// Address of the `PyThreadState`.
    pub tstate: u64,
    /// Address of its interpreter.
    pub interpreter: u64,
    /// `threading.Thread.name`; `None` for a thread that `threading` does not know.
    pub name: Option<String>,
    /// Whether it is the main interpreter's first thread.
    pub is_main: bool,
}

/// What one walk saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// The threads, the newest first.
    pub threads: Vec<PyThread>,
    /// Whether the lists held together to their ends. If not, threads may be missing and nobody is called main.
    pub complete: bool,
}

/// The threads of the interpreter behind `roots`. `None` if its first interpreter is not found (yet).
pub fn threads(memory: &impl Memory, layout: &Layout, roots: &Roots) -> Option<Threads> {
    let memory = &Rationed { memory, reads: Cell::new(READS), bytes: Cell::new(BYTES) };
    let first = first_interpreter(memory, layout, roots)?;
    let mut seen = Threads::default();
    for _ in 0..TRIES {
        seen = walk(memory, layout, first);
        if seen.complete {
            break;
        }
    }
    Some(seen)
}

/// Memory that ends after so many reads, so that lists which lead in circles do.
struct Rationed<'a, M> {
    memory: &'a M,
    reads: Cell<u32>,
    bytes: Cell<u64>,
}

impl<M: Memory> Memory for Rationed<'_, M> {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let reads = self.reads.get().checked_sub(1);
        let bytes = self.bytes.get().checked_sub(into.len() as u64);
        let (Some(reads), Some(bytes)) = (reads, bytes) else { return false };
        self.reads.set(reads);
        self.bytes.set(bytes);
        self.memory.read(address, into)
    }
}

/// The newest interpreter, at which the list starts.
fn first_interpreter(memory: &impl Memory, layout: &Layout, roots: &Roots) -> Option<u64> {
    match layout.interpreters {
        Some(offset) => memory.pointer(roots.runtime?.checked_add(offset)?),
        None => memory.pointer(variable_of_getter(memory, roots.interpreter_head?)?),
    }
}

/// The variable that a function of one load and a return gives out: `mov rax, [rip + d32]; ret`, maybe after `endbr64`.
fn variable_of_getter(memory: &impl Memory, function: u64) -> Option<u64> {
    const ENDBR64: u32 = 0xfa1e_0ff3;
    let starts_with_endbr = Block::<4>::read(memory, function, 4)?.int(0)? == ENDBR64;
    let function = if starts_with_endbr { function + 4 } else { function };
    let code = Block::<8>::read(memory, function, 8)?;
    if code.int(0)? & 0x00ff_ffff != 0x0005_8b48 || code.byte(7)? != 0xc3 {
        return None;
    }
    (function + 7).checked_add_signed(code.int(3)?.cast_signed().into())
}

fn walk(memory: &impl Memory, layout: &Layout, first: u64) -> Threads {
    let mut seen = Threads { threads: Vec::new(), complete: false };
    let mut at = first;
    for _ in 0..INTERPRETERS {
        let whole = walk_interpreter(memory, layout, at, &mut seen.threads);
        let Some(next) = memory.word(at + layout.interpreter.next) else {
            return seen;
        };
        if next == 0 {
            // The oldest interpreter is the main one, its oldest thread the main thread.
            seen.complete = whole;
            if let Some(main) = seen.threads.last_mut() {
                main.is_main = whole && main.interpreter == at;
            }
            return seen;
        }
        if !whole || !is_object_address(next) {
            return seen;
        }
        at = next;
    }
    seen
}

/// Appends the threads of one interpreter; whether its list held together.
fn walk_interpreter(
    memory: &impl Memory,
    layout: &Layout,
    interpreter: u64,
    into: &mut Vec<PyThread>,
) -> bool {
    let names = names(memory, layout, interpreter);
    let Some(mut at) = memory.word(interpreter + layout.interpreter.threads) else {
        return false;
    };
    for _ in 0..THREADS {
        if at == 0 {
            return true;
        }
        let Some((mut thread, next)) = read_thread(memory, layout, at) else {
            return false;
        };
        if thread.interpreter != interpreter {
            return false;
        }
        thread.name = names.get(&thread.thread_ident).cloned();
        into.push(thread);
        at = next;
    }
    false
}

/// A thread state and the address of the next one.
fn read_thread(memory: &impl Memory, layout: &Layout, tstate: u64) -> Option<(PyThread, u64)> {
    let at = &layout.thread;
    let bytes = [at.next, at.interpreter, at.thread_id, at.native_id.unwrap_or(0)]
        .into_iter()
        .fold(0, u64::max)
        + 8;
    if !is_object_address(tstate) {
        return None;
    }
    let block = Block::<512>::read(memory, tstate, bytes)?;
    let thread = PyThread {
        thread_ident: block.word(at.thread_id)?,
        native_id: at
            .native_id
            .and_then(|offset| block.word(offset))
            .and_then(|id| u32::try_from(id).ok()),
        tstate,
        interpreter: block.word(at.interpreter)?,
        name: None,
        is_main: false,
    };
    Some((thread, block.word(at.next)?))
}
