//! I/O threads first: the policy that `gilscope try` puts on the interpreter's own waiting.
//!
//! `take_gil` hands `pthread_cond_timedwait` a deadline of one switch interval, and asks for the GIL
//! when that has passed. An I/O thread that waits for a CPU thread gets a nearer deadline, so CPython
//! itself asks earlier; nothing else changes. The deadline is moved *in the caller's own timespec*, a
//! local of `take_gil` that lives exactly as long as the thread sleeps, so a slot may be recycled, the
//! segment unmapped or the agent leave meanwhile. It is moved relative to what the interpreter computed,
//! so its clock (realtime on 3.6 and 3.7, monotonic later) does not matter.
//!
//! CPU threads are paid back turn by turn, with no account that could run over: after I/O threads got
//! in before them they keep the GIL for at least what the switching budget and their share demand of
//! what that cost. All of it happens under the GIL's mutex. Off: one load a wait. 2.7 never comes here.

use super::add;
use super::wait::{Timespec, interval_ns};
use crate::hot::Hot;
use core::sync::atomic::Ordering::Relaxed;
use wire::policy::{IO_WAIT_LEAST_NS, Policy, class, word};
use wire::slot::Slot;

/// Smoothed shares are parts of this.
const WHOLE: u64 = 1024;
/// A CPU thread becomes an I/O thread above this share of voluntary releases, …
const IO_FROM: u64 = WHOLE * 3 / 4;
/// … and an I/O thread a CPU thread below this one.
const IO_UNTIL: u64 = WHOLE / 2;
/// What "soon" means is measured in switch intervals, but never in longer ones than CPython's own, ns.
const USUAL_INTERVAL_NS: u64 = 5_000_000;
/// An I/O thread's holds are on average shorter than the interval by this factor, once it is one …
const HOLD_UNTIL: u64 = 2;
/// … and by this one before it becomes one.
const HOLD_FROM: u64 = 4;

fn class_of(slot: &Slot) -> u64 {
    slot.priority[word::CLASS].load(Relaxed)
}

/// Length of the turn that this thread is in, if it was made shorter, else 0; ns.
pub(super) fn early_ns(slot: &Slot) -> u64 {
    slot.priority[word::TURN_NS].load(Relaxed)
}

/// A turn of a wait begins. Does nothing unless a policy has been asked for.
///
/// # Safety
/// `deadline` is null or the caller's own timespec, which it does not read again.
#[inline(always)]
pub(super) unsafe fn turn(hot: &'static Hot, slot: &Slot, now: u64, deadline: *mut Timespec) {
    slot.priority[word::TURN_NS].store(0, Relaxed);
    if hot.header().policy.until_ns.load(Relaxed) != 0 {
        // SAFETY: the same contract.
        unsafe { turn_as_asked(hot, slot, now, deadline) };
    }
}

/// See [`turn`].
///
/// # Safety
/// As for [`turn`].
#[cold]
#[inline(never)]
unsafe fn turn_as_asked(hot: &'static Hot, slot: &Slot, now: u64, deadline: *mut Timespec) {
    let policy = &hot.header().policy;
    let leased = now < policy.until_ns.load(Relaxed);
    let interval = interval_ns(hot);
    let mut early = None;
    if leased && policy.io_priority.load(Relaxed) != 0 && !deadline.is_null() {
        learn(slot, interval);
        if class_of(slot) == class::CPU {
            count_waiter(policy, slot);
        }
        early = wanted_ns(hot, policy, slot, now, interval);
    }
    if let Some(early) = early {
        slot.priority[word::TURN_NS].store(early, Relaxed);
        // SAFETY: by contract; GIL waits pass the address of a local of theirs (CPython
        // `Python/condvar.h`, PyCOND_TIMEDWAIT), whose only reader is the call that follows.
        unsafe { pull(&mut *deadline, interval - early) };
    }
    mind_interval(hot, policy, leased);
}

/// What the thread did since it was classed last, and what that makes it.
fn learn(slot: &Slot, interval: u64) {
    let interval = interval.min(USUAL_INTERVAL_NS);
    let words = &slot.priority;
    let since = |seen: usize, total: u64| total.wrapping_sub(words[seen].swap(total, Relaxed));
    let voluntary = since(word::SEEN_VOLUNTARY, slot.releases_voluntary.load(Relaxed));
    let forced = since(word::SEEN_FORCED, slot.releases_forced.load(Relaxed));
    let held_ns = since(word::SEEN_HOLD_NS, slot.hold.sum_ns.load(Relaxed));
    let Some(mean_ns) = held_ns.checked_div(voluntary + forced) else { return };
    let share = WHOLE * voluntary / (voluntary + forced);
    let before = class_of(slot);
    let smooth = |word: usize, new: u64| {
        let old = words[word].load(Relaxed);
        let value = if before == class::NEW { new } else { (3 * old + new) / 4 };
        words[word].store(value, Relaxed);
        value
    };
    let (share, mean_ns) = (smooth(word::VOLUNTARY, share), smooth(word::MEAN_HOLD_NS, mean_ns));
    let is_io = match before {
        class::CPU => share >= IO_FROM && mean_ns < interval / HOLD_FROM,
        _ => share >= IO_UNTIL && mean_ns < interval / HOLD_UNTIL,
    };
    words[word::CLASS].store(if is_io { class::IO } else { class::CPU }, Relaxed);
}

/// How long this turn is to last, or none for the interpreter's own time.
fn wanted_ns(
    hot: &'static Hot,
    policy: &Policy,
    slot: &Slot,
    now: u64,
    interval: u64,
) -> Option<u64> {
    if class_of(slot) == class::CPU {
        return None;
    }
    let short = policy.io_wait_ns.load(Relaxed).max(IO_WAIT_LEAST_NS);
    // A holder that does not answer (C code) is asked less and less often.
    let asked = slot.wait_drop_requests.load(Relaxed).min(10);
    let patience = short.saturating_mul(1 << asked);
    let holder = hot.holder()?;
    let wanted = match class_of(holder) {
        // Among I/O threads the GIL goes round by itself; look again if a CPU thread may have got it.
        class::IO if policy.cpu_waiters.load(Relaxed) == 0 => return None,
        class::IO => patience + 2 * holder.priority[word::MEAN_HOLD_NS].load(Relaxed),
        _ => patience.max(policy.owed_until_ns.load(Relaxed).saturating_sub(now)),
    };
    (wanted < interval).then_some(wanted)
}

fn count_waiter(policy: &Policy, slot: &Slot) {
    if slot.priority[word::COUNTED].swap(1, Relaxed) == 0 {
        add(&policy.cpu_waiters, 1);
    }
}

/// Moves a deadline nearer by `by_ns`.
fn pull(deadline: &mut Timespec, by_ns: u64) {
    let whole = deadline.seconds as i128 * 1_000_000_000 + deadline.nanoseconds as i128;
    let at = (whole - by_ns as i128).max(0);
    deadline.seconds = (at / 1_000_000_000) as i64;
    deadline.nanoseconds = (at % 1_000_000_000) as i64;
}

/// A wait is over: this thread has acquired, `gap` after the last holder let go; `free` is the free
/// time so far. Books what getting in first cost the CPU threads.
pub(super) fn ended(hot: &'static Hot, slot: &Slot, now: u64, gap: u64, free: u64) {
    let policy = &hot.header().policy;
    if slot.priority[word::COUNTED].load(Relaxed) != 0 {
        slot.priority[word::COUNTED].store(0, Relaxed);
        policy.cpu_waiters.store(policy.cpu_waiters.load(Relaxed).saturating_sub(1), Relaxed);
    }
    slot.priority[word::TURN_NS].store(0, Relaxed);
    if policy.until_ns.load(Relaxed) == 0 {
        return;
    }
    if class_of(slot) == class::CPU {
        repay(policy, slot, now, free);
    } else if policy.displaced_ns.load(Relaxed) == 0
        && hot.holder().is_some_and(|holder| class_of(holder) != class::IO)
    {
        policy.displaced_ns.store(now.saturating_sub(gap), Relaxed);
        policy.displaced_free_ns.store(free.saturating_sub(gap), Relaxed);
    }
}

/// A CPU thread has the GIL again: from now on it keeps it for what it is owed.
fn repay(policy: &Policy, slot: &Slot, now: u64, free: u64) {
    let displaced = policy.displaced_ns.swap(0, Relaxed);
    if displaced == 0 {
        return;
    }
    // It is owed for the time that it waited, not for time in which it wanted nothing.
    let taken = now.saturating_sub(displaced.max(slot.wait_start_ns.load(Relaxed)));
    let lost = free.saturating_sub(policy.displaced_free_ns.load(Relaxed)).min(taken);
    let for_switching = owed(lost, 1000, policy.switching_permille.load(Relaxed));
    let share = policy.cpu_share_permille.load(Relaxed);
    let for_share = owed(taken, 1000, 1000 - share.min(999));
    let hold = for_switching.max(for_share).min(USUAL_INTERVAL_NS);
    policy.owed_until_ns.store(now.saturating_add(hold), Relaxed);
}

/// The hold next to which `cost` is `part` of `whole`: cost / (hold + cost) = part / whole.
fn owed(cost: u64, whole: u64, part: u32) -> u64 {
    let part = u64::from(part).clamp(1, whole);
    (u128::from(cost) * u128::from(whole - part) / u128::from(part)).try_into().unwrap_or(u64::MAX)
}

/// Gives the interpreter the switch interval that is asked for, or its own back if nothing is.
fn mind_interval(hot: &Hot, policy: &Policy, leased: bool) {
    let wanted = if leased { policy.switch_interval_us.load(Relaxed) } else { 0 };
    let set = policy.interval_set_us.load(Relaxed);
    if wanted == set {
        return;
    }
    let now = interval_ns(hot) / 1000;
    let stands = set == 0 || now == set; // else the program has changed it since: its own affair
    if set == 0 {
        policy.interval_before_us.store(now, Relaxed);
    }
    let next = if wanted == 0 { policy.interval_before_us.load(Relaxed) } else { wanted };
    if stands && set_interval(hot, next) {
        policy.interval_set_us.store(wanted, Relaxed);
    } else if !stands {
        policy.interval_set_us.store(0, Relaxed);
        policy.switch_interval_us.store(0, Relaxed);
    }
}

/// Stores the interval where `sys.setswitchinterval` does. False if that place is not known.
fn set_interval(hot: &Hot, microseconds: u64) -> bool {
    let gil = hot.gil.load(Relaxed);
    let function = hot.set_switch_interval.load(Relaxed);
    if gil != 0 {
        // SAFETY: as for reading it in `interval_ns`; CPython stores it without a lock, and reads it
        // at each turn of a wait under the mutex that the caller is under.
        unsafe { (gil as *mut u64).write_volatile(microseconds) };
    } else if function != 0 {
        // SAFETY: `_PyEval_SetSwitchInterval` of 3.6 only stores a static variable.
        unsafe { core::mem::transmute::<usize, extern "C" fn(u64)>(function)(microseconds) };
    }
    gil != 0 || function != 0
}

/// The agent leaves: the interpreter gets its own interval back. Under the GIL's mutex.
pub fn leave(hot: &'static Hot) {
    if hot.segment.load(Relaxed) != 0 {
        mind_interval(hot, &hot.header().policy, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn slot() -> &'static Slot {
        // SAFETY: zero is a valid value of every field of a slot: atomics.
        static SLOT: Slot = unsafe { core::mem::zeroed() };
        &SLOT
    }

    /// `n` waits, each after one release of this kind and a hold of so many ns.
    fn live(slot: &Slot, n: usize, forced: bool, hold_ns: u64) {
        for _ in 0..n {
            add(if forced { &slot.releases_forced } else { &slot.releases_voluntary }, 1);
            slot.hold.record(hold_ns);
            learn(slot, 5 * MS);
        }
    }

    #[test]
    fn a_thread_is_classed_by_what_it_does_and_not_at_its_first_slip() {
        let slot = slot();
        assert_eq!(class_of(slot), class::NEW);
        live(slot, 1, true, 5 * MS);
        assert_eq!(class_of(slot), class::CPU, "forced out at once");
        live(slot, 3, false, 20_000);
        assert_eq!(class_of(slot), class::CPU, "three short rounds do not make an I/O thread");
        live(slot, 30, false, 20_000);
        assert_eq!(class_of(slot), class::IO);
        live(slot, 1, true, 2 * MS);
        assert_eq!(class_of(slot), class::IO, "one forced release does not unmake it");
        live(slot, 4, true, 2 * MS);
        assert_eq!(class_of(slot), class::CPU);
        live(slot, 30, false, 4 * MS);
        assert_eq!(class_of(slot), class::CPU, "it lets go by itself, but not soon");
    }

    #[test]
    fn what_is_owed_keeps_the_share_that_was_promised() {
        assert_eq!(owed(100, 1000, 100), 900, "100 lost of 1,000 is 10 %");
        assert_eq!(owed(300, 1000, 750), 100, "300 taken, 100 kept: a share of 25 %");
        assert_eq!(owed(300, 1000, 1000), 0);
        assert_eq!(owed(u64::MAX, 1000, 0), u64::MAX, "nonsense from outside overflows nothing");
    }

    #[test]
    fn a_deadline_is_pulled_across_a_second() {
        let mut deadline = Timespec { seconds: 10, nanoseconds: 1_000 };
        pull(&mut deadline, 4_950_000);
        assert_eq!((deadline.seconds, deadline.nanoseconds), (9, 995_051_000));
        pull(&mut deadline, u64::MAX);
        assert_eq!((deadline.seconds, deadline.nanoseconds), (0, 0), "never before the epoch");
    }
}
