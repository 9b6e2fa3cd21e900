//! The imports probe: what each import costs in time and in memory, and who asked for it.
//!
//! A function of ours stands where the interpreter looks up its importer ([`hooks`]); it notes when an
//! import begins and ends, in an entry of the segment's table. What is allocated meanwhile is counted by
//! functions in front of CPython's allocators ([`allocators`]), from the start of the program only.
//! Everything here runs with the GIL in hand but for the allocators, which touch no part of the segment.
//! It neither opens files nor makes threads; the C API that it calls runs no Python code.

mod allocators;
mod api;
mod blocks;
pub mod hooks;
mod importer;
mod seats;

pub use api::resolve;

use crate::hot::{HOT, Hot};
use crate::memory::thread_pointer;
use crate::slots;
use api::{API, Object};
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release, SeqCst},
};
use cpython::Version;
use cpython::layout::{Layout, Unknown};
use seats::Seat;
use wire::imports::{Import, ImportTotals, bytes, state, status};

/// Imports that one thread may have left behind by a jump, or have open, looked at in one go.
const MOST_OPEN: usize = 4096;
/// Sessions so far; survives a fork, unlike `HOT`.
static SESSIONS: AtomicU32 = AtomicU32::new(0);

/// Begins to record. With the GIL; the segment is adopted. `early` if the program has not begun yet: then
/// allocators are watched too, as nobody is on the way through them.
pub fn begin(
    hot: &'static Hot,
    layout: Result<Layout, Unknown>,
    code_type: u64,
    version: Version,
    early: bool,
) {
    let totals = hot.import_totals();
    seats::clear();
    importer::prove(layout, code_type);
    hot.importing.store(0, Relaxed);
    hot.imports_session.store(SESSIONS.fetch_add(1, Relaxed) + 1, Relaxed);
    totals.bytes_status.store(watch_bytes(version, early), Relaxed);
    let done = API.is_complete() && hooks::put_in();
    totals.status.store(if done { status::RECORDING } else { status::NO_IMPORTER }, Release);
    hot.imports.store(u32::from(done), SeqCst);
}

fn watch_bytes(version: Version, early: bool) -> u32 {
    if API.is_python2() {
        return bytes::NO_HOOKS;
    }
    if !early {
        blocks::forget();
        return bytes::LATE;
    }
    if !blocks::make(version.block_spacing()) {
        return bytes::NO_MEMORY;
    }
    if allocators::begin() { bytes::WATCHED } else { bytes::NO_HOOKS }
}

/// True if [`begin`] may be called on this thread now: it holds the GIL, and the interpreter has its importer.
pub fn can_begin() -> bool {
    API.is_complete() && api::holds_gil() && hooks::has_importer()
}

/// After [`Hot::shut`], once nobody is inside: lets go of what is left.
pub fn end(hot: &Hot) {
    hot.importing.store(0, SeqCst);
    blocks::empty();
}

/// Runs `record` if the probe is on; what is in the segment may be touched meanwhile.
fn recording(hot: &'static Hot, record: impl FnOnce(&'static Hot) -> u64) -> u64 {
    if hot.imports.load(Relaxed) == 0 {
        return 0;
    }
    hot.inside.fetch_add(1, SeqCst);
    // Looked at again: leaving waits for `inside` to be 0 after it cleared the word.
    let token = match hot.imports.load(SeqCst) != 0 && hot.header().cancel.load(Relaxed) == 0 {
        true => record(hot),
        false => 0,
    };
    hot.inside.fetch_sub(1, SeqCst);
    token
}

/// An import begins; gives what [`ended`] has to be told, 0 for nothing.
extern "C" fn begun(arguments: Object, stack: u64) -> u64 {
    let hot = &HOT;
    let token = recording(hot, |hot| enter(hot, arguments, stack));
    if token == 0 && hot.imports.load(Relaxed) == 0 {
        hooks::take_out();
        allocators::end();
    }
    token
}

/// The import ended. `result` is what it gave, null if it raised an exception: no API that touches errors.
extern "C" fn ended(token: u64, result: Object) {
    recording(&HOT, |hot| {
        if (token >> 32) as u32 == hot.imports_session.load(Relaxed) {
            leave(hot, token as u32, result.is_null());
        }
        0
    });
}

fn enter(hot: &'static Hot, arguments: Object, stack: u64) -> u64 {
    let totals = hot.import_totals();
    let Some(seat) = seats::take() else {
        lost(&totals.lost_no_seat);
        return 0;
    };
    drop_left_behind(hot, seat, stack);
    let Some((number, entry)) = claim(hot, totals) else {
        lost(&totals.lost_full);
        return 0;
    };
    entry.name.set(api::first(arguments).and_then(api::text).unwrap_or_default());
    importer::tell(entry);
    let outermost = seat.top.load(Relaxed) == 0;
    entry.parent.store(seat.top.load(Relaxed), Relaxed);
    entry.thread_id.store(slots::thread_id(hot, thread_pointer()), Relaxed);
    entry.stack.store(stack, Relaxed);
    entry.window.store(modules_loaded(), Relaxed);
    let sum = seat.sum.load(Relaxed);
    entry.sum_before.store(sum, Relaxed);
    entry.high_before.store(seat.high.load(Relaxed), Relaxed);
    seat.high.store(sum, Relaxed);
    if outermost && blocks::are_watched() && hot.importing.fetch_add(1, Relaxed) == 0 {
        blocks::next_window();
    }
    seat.top.store(number, Relaxed);
    entry.begin_ns.store(hot.now(), Relaxed);
    entry.state.store(state::OPEN, Release);
    u64::from(hot.imports_session.load(Relaxed)) << 32 | u64::from(number)
}

/// 2.7 calls its importer for what is loaded already, too: then `sys.modules` does not grow.
fn modules_loaded() -> u32 {
    if API.is_python2() { api::modules().map_or(0, |modules| api::size(modules) as u32) } else { 0 }
}

fn lost(count: &AtomicU64) {
    count.fetch_add(1, Relaxed);
}

/// A new entry and its number, from 1 on.
fn claim(hot: &'static Hot, totals: &ImportTotals) -> Option<(u32, &'static Import)> {
    let table = hot.imports();
    let take = |used| ((used as usize) < table.len()).then_some(used + 1);
    let at = totals.used.fetch_update(Relaxed, Relaxed, take).ok()?;
    Some((at + 1, table.get(at as usize)?))
}

fn entry(hot: &'static Hot, number: u32) -> Option<&'static Import> {
    hot.imports().get((number as usize).checked_sub(1)?)
}

/// Imports of this thread whose frames are gone, since something jumped over them: the stack has shrunk
/// below them.
fn drop_left_behind(hot: &'static Hot, seat: &Seat, stack: u64) {
    for _ in 0..MOST_OPEN {
        let Some(newest) = entry(hot, seat.top.load(Relaxed)) else { return };
        if newest.stack.load(Relaxed) > stack {
            return;
        }
        finish(hot, seat, newest, true);
    }
}

fn leave(hot: &'static Hot, number: u32, failed: bool) {
    let totals = hot.import_totals();
    let Some(seat) = seats::own() else { return lost(&totals.lost_no_seat) };
    if !is_open(hot, seat, number) {
        return lost(&totals.lost_no_seat);
    }
    for _ in 0..MOST_OPEN {
        let newest = seat.top.load(Relaxed);
        let Some(import) = entry(hot, newest) else { return };
        finish(hot, seat, import, failed || newest != number);
        if newest == number {
            return;
        }
    }
}

fn is_open(hot: &'static Hot, seat: &Seat, number: u32) -> bool {
    let mut at = seat.top.load(Relaxed);
    for _ in 0..MOST_OPEN {
        match entry(hot, at) {
            Some(_) if at == number => return true,
            Some(import) => at = import.parent.load(Relaxed),
            None => return false,
        }
    }
    false
}

/// The thread's newest import is over.
fn finish(hot: &'static Hot, seat: &Seat, import: &Import, failed: bool) {
    import.end_ns.store(hot.now(), Relaxed);
    let (sum, high) = (seat.sum.load(Relaxed), seat.high.load(Relaxed));
    let before = import.sum_before.load(Relaxed);
    import.bytes.store(sum.wrapping_sub(before), Relaxed);
    import.peak_bytes.store(high.wrapping_sub(before), Relaxed);
    let outer = import.high_before.load(Relaxed);
    seat.high.store(if outer.wrapping_sub(high) as i64 > 0 { outer } else { high }, Relaxed);
    let parent = import.parent.load(Relaxed);
    seat.top.store(parent, Relaxed);
    if parent == 0 && blocks::are_watched() {
        hot.importing.fetch_sub(1, Relaxed);
    }
    import.failed.store(u32::from(failed), Relaxed);
    let cached = API.is_python2() && !failed && modules_loaded() == import.window.load(Relaxed);
    if !cached || !give_back(hot, import) {
        import.state.store(if cached { state::CACHED } else { state::DONE }, Release);
    }
    hot.import_totals().blocks_lost.store(blocks::LOST.load(Relaxed), Relaxed);
}

/// An entry that says nothing is free again if no other was claimed since.
fn give_back(hot: &'static Hot, import: &Import) -> bool {
    let table = hot.imports();
    let at = (core::ptr::from_ref(import) as usize - table.as_ptr() as usize) / size_of::<Import>();
    import.state.store(state::FREE, Relaxed);
    let used = &hot.import_totals().used;
    used.compare_exchange(at as u32 + 1, at as u32, Release, Relaxed).is_ok()
}
