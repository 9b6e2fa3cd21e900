//! Who is to blame for a wait: the waiter looks at what the holder runs.
//!
//! Capturing at the holder's release would name the wrong function when C work runs under an
//! operator or is followed by I/O; so the waiter reads the holder's thread state when a wait begins
//! and at each further turn, rationed: a look takes microseconds under the GIL's mutex. The time
//! between two looks goes to the earlier one; time before the first look goes to the first one;
//! a wait without any look goes to its holder with no code. Free time is nobody's fault.

use super::scratch;
use crate::hot::{HOT, Hot};
use crate::memory::{Own, scattered};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{
    AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};
use cpython::Memory;
use cpython::gil::Gil;
use cpython::layout::Layout;
use cpython::sample::Sample;
use wire::code::{CodeEntry, CodeKey, FILE_BYTES, NAME_BYTES};
use wire::event::{NO_CODE, NO_INSTRUCTION};
use wire::slot::Slot;

/// What looking takes: the layout, and the address of `PyCode_Type`.
struct Eyes {
    layout: Layout,
    code_type: u64,
    last_holder: Option<u64>,
}

struct Shared(UnsafeCell<MaybeUninit<Eyes>>);
// SAFETY: written once by the boot thread before `HOT.blame` is set, read only while it is.
unsafe impl Sync for Shared {}
static EYES: Shared = Shared(UnsafeCell::new(MaybeUninit::uninit()));

/// [`scratch::LOOK_CODE`] while nothing was seen.
pub(super) const NO_LOOK: u64 = (NO_INSTRUCTION as u64) << 32 | NO_CODE as u64;

/// Gives the interpreter's layout, proven by the boot thread; waiters look from now on.
pub fn set_layout(layout: Layout, code_type: u64) {
    let last_holder = Gil::of(layout.version, layout.free_threaded).map(|gil| gil.last_holder);
    // SAFETY: only the boot thread calls it, and no waiter reads before `blame` is stored below.
    unsafe { (*EYES.0.get()).write(Eyes { layout, code_type, last_holder }) };
    HOT.blame.store(1, Release);
}

fn eyes(hot: &Hot) -> Option<&'static Eyes> {
    // SAFETY: `blame` is 1 only after `set_layout` wrote the value.
    (hot.blame.load(Acquire) != 0).then(|| unsafe { (*EYES.0.get()).assume_init_ref() })
}

/// Looks at what the holder runs now and remembers it in the waiter's slot.
pub(super) fn look(hot: &'static Hot, slot: &Slot, now: u64, free: u64) {
    let Some(eyes) = eyes(hot) else { return };
    if hot.header().blame_off.load(Relaxed) != 0 {
        return;
    }
    // On 2.7 waiters are concurrent; the second one goes without.
    if hot.looking.swap(1, Acquire) != 0 {
        return;
    }
    let header = hot.header();
    header.samples.fetch_add(1, Relaxed);
    let state = (0..TRIES).find_map(|_| holder_state(hot, eyes));
    match state.and_then(|state| eyes.layout.sample(&Own, state, eyes.code_type).ok()) {
        Some(sample) => {
            let code = intern(hot, &eyes.layout, &sample);
            let first = slot.scratch[scratch::LOOKS].load(Relaxed) == 0;
            remember(hot, slot, code, sample.instruction);
            if !first {
                slot.scratch[scratch::LOOK_NS].store(now, Relaxed);
                slot.scratch[scratch::LOOK_FREE].store(free, Relaxed);
            }
        }
        None => {
            header.samples_failed.fetch_add(1, Relaxed);
        }
    }
    hot.looking.store(0, Release);
}

/// Whether the present holder was seen in this wait.
pub(super) fn has_seen(slot: &Slot) -> bool {
    slot.scratch[scratch::LOOK_CODE].load(Relaxed) != NO_LOOK
}

fn remember(hot: &'static Hot, slot: &Slot, code: u32, instruction: u32) {
    slot.scratch[scratch::LOOK_CODE].store(code as u64 | (instruction as u64) << 32, Relaxed);
    slot.scratch[scratch::LOOK_HOLDER].store(hot.totals().holder.load(Relaxed) as u64, Relaxed);
    super::add(&slot.scratch[scratch::LOOKS], 1);
    if code != NO_CODE {
        let holder = slot.scratch[scratch::LOOK_HOLDER].load(Relaxed) as u32;
        book(hot, Key { holder, code, instruction }, 1, 0, 0);
    }
}

/// Tries to find a thread state: on 2.7 and 3.6 a new holder says who it is only after it has the GIL.
const TRIES: u32 = 12;

/// The thread state of the GIL's holder.
fn holder_state(hot: &Hot, eyes: &Eyes) -> Option<u64> {
    let gil = hot.gil.load(Relaxed);
    word(if gil != 0 { gil + eyes.last_holder? } else { hot.current_thread_state.load(Relaxed) })
}

/// The word at an address, if it can be read and is not zero.
fn word(address: u64) -> Option<u64> {
    let mut state = [0; 8];
    (address != 0 && Own.read(address, &mut state))
        .then(|| u64::from_le_bytes(state))
        .filter(|state| *state != 0)
}

/// Charges the time since the last look (or the wait's begin) to what was seen, if anything was.
///
/// Without a look so far the time stays open: it goes to the first one.
pub(super) fn settle(hot: &'static Hot, slot: &Slot, now: u64, free: u64) {
    if slot.scratch[scratch::LOOKS].load(Relaxed) != 0 {
        charge(hot, slot, now, free, 0);
    }
}

/// The wait goes on. What was seen of one holder says nothing of the next: from here on the time is the next one's,
/// with no code until somebody looks.
pub(super) fn goes_on(hot: &'static Hot, slot: &Slot, now: u64, free: u64) {
    let holder = hot.totals().holder.load(Relaxed) as u64;
    if slot.scratch[scratch::LOOK_HOLDER].load(Relaxed) == holder {
        settle(hot, slot, now, free);
    } else {
        charge(hot, slot, now, free, 0);
        slot.scratch[scratch::LOOK_CODE].store(NO_LOOK, Relaxed);
        slot.scratch[scratch::LOOK_HOLDER].store(holder, Relaxed);
    }
}

/// The wait is over: counts it for what was seen last; charges what no look has explained.
pub(super) fn finish(hot: &'static Hot, slot: &Slot) {
    let totals = hot.totals();
    charge(hot, slot, totals.changed_ns.load(Relaxed), totals.free_ns.load(Relaxed), 1);
}

/// Moves the open time of a slot's wait into the blame table.
fn charge(hot: &'static Hot, slot: &Slot, now: u64, free: u64, waits: u64) {
    let since = slot.scratch[scratch::LOOK_NS].load(Relaxed);
    let since_free = slot.scratch[scratch::LOOK_FREE].load(Relaxed);
    let held_ns = now.saturating_sub(since).saturating_sub(free.saturating_sub(since_free));
    let look = slot.scratch[scratch::LOOK_CODE].load(Relaxed);
    let key = Key {
        holder: slot.scratch[scratch::LOOK_HOLDER].load(Relaxed) as u32,
        code: look as u32,
        instruction: (look >> 32) as u32,
    };
    book(hot, key, 0, waits, held_ns);
    slot.scratch[scratch::LOOK_NS].store(now, Relaxed);
    slot.scratch[scratch::LOOK_FREE].store(free, Relaxed);
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    holder: u32,
    code: u32,
    instruction: u32,
}

/// Entries looked at before a charge is counted as overflow.
const PROBES: usize = 32;

fn book(hot: &'static Hot, key: Key, samples: u32, waits: u64, wait_ns: u64) {
    let table = hot.blames();
    let hash = (key.holder.wrapping_mul(0x9e37_79b9))
        ^ (key.code.wrapping_mul(0x85eb_ca6b))
        ^ key.instruction.wrapping_mul(0xc2b2_ae35);
    for step in 0..PROBES {
        let Some(entry) = table.get((hash as usize).wrapping_add(step) & (table.len() - 1)) else {
            break;
        };
        let holder = entry.holder.load(Relaxed);
        let found = Key {
            holder,
            code: entry.code.load(Relaxed),
            instruction: entry.instruction.load(Relaxed),
        };
        if holder == 0 && key.holder != 0 {
            entry.code.store(key.code, Relaxed);
            entry.instruction.store(key.instruction, Relaxed);
            entry.holder.store(key.holder, Release);
        } else if found != key {
            continue;
        }
        entry.samples.store(entry.samples.load(Relaxed).wrapping_add(samples), Relaxed);
        super::add(&entry.waits, waits);
        super::add(&entry.wait_ns, wait_ns);
        return;
    }
    super::add(&hot.totals().blame_overflow_ns, wait_ns);
}

/// Entries of the code table looked at for one code.
const CODE_PROBES: usize = 16;

/// The index of a code in the table, copying its names when it is new; [`NO_CODE`] if none is left.
fn intern(hot: &Hot, layout: &Layout, sample: &Sample) -> u32 {
    let start = (scattered(sample.code.code) >> 40) as usize;
    for step in 0..CODE_PROBES {
        let i = (start + step) % Hot::N_CODES;
        if i == NO_CODE as usize {
            continue;
        }
        // SAFETY: `i` is below N_CODES, and the table stands in the mapped segment; entries are
        // written only here, under `looking`, and read by the daemon after `ready`.
        let entry = unsafe { hot.codes().add(i) };
        // SAFETY: as above; `ready` is an atomic.
        let ready: &AtomicU32 = unsafe { &(*entry).ready };
        if ready.load(Acquire) == 0 {
            // SAFETY: not ready, so nobody but this thread looks at it.
            if !fill(unsafe { &mut *entry }, layout, sample) {
                return NO_CODE;
            }
            ready.store(1, Release);
            hot.header().codes_used.fetch_add(1, Relaxed);
            return i as u32;
        }
        // SAFETY: ready: the key does not change any more.
        if unsafe { (*entry).key } == key_of(sample) {
            return i as u32;
        }
    }
    NO_CODE
}

fn key_of(sample: &Sample) -> CodeKey {
    let cpython::sample::CodeKey { code, name, file, first_line, .. } = sample.code;
    CodeKey { code, name, file, first_line, reserved: 0 }
}

/// Copies the names of a code that was just sampled. False if it was freed meanwhile.
fn fill(entry: &mut CodeEntry, layout: &Layout, sample: &Sample) -> bool {
    const { assert!(NAME_BYTES < 256 && FILE_BYTES < 256) };
    let described = layout.describe(&Own, &sample.code, &mut entry.name, &mut entry.file);
    let Some((name, file)) = described else { return false };
    (entry.name_len, entry.name_encoding) = (name.bytes as u8, name.encoding as u8);
    (entry.file_len, entry.file_encoding) = (file.bytes as u8, file.encoding as u8);
    entry.line_table.store(sample.line_table, Relaxed);
    entry.key = key_of(sample);
    true
}
