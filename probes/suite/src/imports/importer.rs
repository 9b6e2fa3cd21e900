//! Who imports: the innermost Python frame that is not the import machinery's own.
//!
//! Frames are read through `cpython`'s proven layout, fault-safely, and never made into objects; the line
//! is asked of the interpreter, since a module's code is gone soon after.

use super::api;
use crate::memory::{Own, thread_pointer};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};
use cpython::layout::Layout;
use cpython::sample::Sample;
use cpython::string::Keep;
use wire::imports::Import;

/// Frames looked at: the machinery's own are few.
const FRAMES: usize = 24;
/// Ends of the machinery's own file names.
const MACHINERY: [&[u8]; 3] = [
    b"<frozen importlib._bootstrap>",
    b"<frozen importlib._bootstrap_external>",
    b"/importlib/__init__.py",
];
const FUNCTION_BYTES: usize = 56;
const FILE_BYTES: usize = 128;

struct Eyes {
    layout: Layout,
    code_type: u64,
}
struct Shared(UnsafeCell<MaybeUninit<Eyes>>);
// SAFETY: written with the GIL in hand while `READY` is 0, read with the GIL in hand while it is 1.
unsafe impl Sync for Shared {}
static EYES: Shared = Shared(UnsafeCell::new(MaybeUninit::uninit()));
static READY: AtomicU32 = AtomicU32::new(0);

/// Learns the interpreter's layout if it proves right on this thread's own state. With the GIL.
pub(super) fn prove(layout: Result<Layout, cpython::layout::Unknown>, code_type: u64) {
    READY.store(0, Relaxed);
    let Ok(layout) = layout else { return };
    if layout.prove(&Own, api::thread_state(), thread_pointer(), code_type).is_ok() {
        // SAFETY: `READY` is 0, so nobody reads; the GIL keeps others from writing.
        unsafe { (*EYES.0.get()).write(Eyes { layout, code_type }) };
        READY.store(1, Release);
    }
}

/// Tells in `entry` who imports.
pub(super) fn tell(entry: &Import) {
    entry.line.store(0, Relaxed);
    entry.importer.set(b"");
    entry.function.set(b"");
    entry.file.set(b"");
    if READY.load(Acquire) == 0 {
        return;
    }
    // SAFETY: `READY` is 1 only after `prove` wrote the value.
    let eyes = unsafe { (*EYES.0.get()).assume_init_ref() };
    let mut n = 0;
    let _ = eyes.layout.stack(&Own, api::thread_state(), eyes.code_type, FRAMES, |frame| {
        n += 1;
        if is_machinery(eyes, frame) {
            return true;
        }
        describe(eyes, frame, entry);
        // The globals are those of the innermost frame only.
        if n == 1 {
            let name = api::globals().and_then(|globals| api::item(globals, c"__name__"));
            entry.importer.set(name.and_then(api::text).unwrap_or_default());
        }
        false
    });
}

fn is_machinery(eyes: &Eyes, frame: &Sample) -> bool {
    let mut end = [0; 40];
    let copied = eyes.layout.string(&Own, frame.code.file, Keep::End, &mut end);
    let end = copied.and_then(|copied| end.get(..copied.bytes)).unwrap_or_default();
    MACHINERY.iter().any(|name| end.ends_with(name))
}

fn describe(eyes: &Eyes, frame: &Sample, entry: &Import) {
    let string = |object, keep, into: &mut [u8]| eyes.layout.string(&Own, object, keep, into);
    let mut bytes = [0; FUNCTION_BYTES];
    if let Some(name) = string(frame.code.name, Keep::Start, &mut bytes) {
        entry.function.set(bytes.get(..name.bytes).unwrap_or_default());
        entry.function_encoding.store(name.encoding as u32, Relaxed);
    }
    let mut bytes = [0; FILE_BYTES];
    if let Some(file) = string(frame.code.file, Keep::End, &mut bytes) {
        entry.file.set(bytes.get(..file.bytes).unwrap_or_default());
        entry.file_encoding.store(file.encoding as u32, Relaxed);
    }
    entry.line.store(api::line(frame.code.code, frame.instruction), Relaxed);
}
