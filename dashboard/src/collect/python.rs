//! The target's interpreter while it is watched: the names of its threads and its native modules.
//!
//! Found where the agent says, or from outside. Does not know when it is looked at.

use super::clock::SessionClock;
use super::frames::Interpreter;
use super::native::NativeSampler;
use crate::batch::Batch;
use cpython::Memory;
use cpython::outside::{self, PyThread};
use inject::Identity;

/// Where glibc keeps a thread's kernel id in its control block on x86-64, as the agent finds it. What stands there in
/// another libc is the id of no thread that is known, and names none.
const GLIBC_TID_OFFSET: u64 = 720;

/// See the module's text.
pub struct Python {
    pub interpreter: Interpreter,
    pub native: NativeSampler,
    native_modules_told: usize,
    /// Where libc keeps a thread's kernel id in its control block, 0 if that was not found.
    tid_offset: u64,
}

impl Python {
    pub fn new(pid: u32, interpreter: Interpreter, tid_offset: u64, clock: &SessionClock) -> Self {
        let head = interpreter.roots.interpreter_head.unwrap_or_default();
        let native = NativeSampler::new(pid, head, clock.clock.monotonic_ns);
        Self { interpreter, native, native_modules_told: 0, tid_offset }
    }

    /// The one that is found without an agent's help.
    pub fn from_outside(target: &Identity, clock: &SessionClock) -> Option<Self> {
        let (interpreter, _) = Interpreter::find(target).ok()?;
        Some(Self::new(target.pid(), interpreter, GLIBC_TID_OFFSET, clock))
    }

    /// Its threads now; none if they could not be read.
    pub fn threads(&self) -> Option<Vec<PyThread>> {
        let Interpreter { memory, layout, roots } = &self.interpreter;
        let mut found = outside::threads(memory, layout, roots)?.threads;
        for thread in &mut found {
            thread.native_id = thread.native_id.or_else(|| self.native_id(thread.thread_ident));
        }
        Some(found)
    }

    /// The kernel's id of a thread whose interpreter does not keep it: where libc does, in the thread's
    /// control block, whose address is Python's own id of it (glibc).
    fn native_id(&self, thread_ident: u64) -> Option<u32> {
        let mut id = [0; 4];
        let memory = &self.interpreter.memory;
        let known = self.tid_offset != 0 && memory.read(thread_ident + self.tid_offset, &mut id);
        known.then(|| u32::from_le_bytes(id))
    }

    /// Puts what is new about native modules into a batch.
    pub fn tell_native(&mut self, batch: &mut Batch) {
        let modules = self.native.modules().iter().enumerate().skip(self.native_modules_told);
        batch.native_modules = modules.map(|(i, name)| (i as u32, name.clone())).collect();
        self.native_modules_told = self.native.modules().len();
        if let Some(why) = self.native.refused() {
            batch.notes.insert("native_module".to_owned(), why.to_owned());
        }
    }
}
