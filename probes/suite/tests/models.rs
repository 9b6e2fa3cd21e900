//! The protocols between threads, in small, in every order that memory allows (loom).
//!
//! These are models: the steps of the code that they name, with loom's atomics in place of the real ones.
//! That the code takes these steps is told by reading both; what loom tells is that the steps are enough.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
    fence,
};
use loom::thread;

/// What `inside::detach` has to do with: a mutex of the GIL, the word that hooks compare with, and the
/// segment, which is there as long as this cell may be read.
struct Target {
    lock: AtomicU64,
    cond: AtomicU64,
    segment: UnsafeCell<u64>,
}

const OURS: u64 = 7;

impl Target {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            lock: AtomicU64::new(0),
            cond: AtomicU64::new(OURS),
            segment: UnsafeCell::new(0),
        })
    }

    /// A thread of the target: locks the mutex, and in there the hook compares and records. An
    /// instruction with `lock` is a full barrier on x86-64, which loom's atomics alone are not.
    fn hook(&self) {
        while self.lock.compare_exchange(0, 1, AcqRel, Relaxed).is_err() {
            thread::yield_now();
        }
        fence(SeqCst);
        if self.cond.load(Relaxed) == OURS {
            self.segment.with_mut(|segment| {
                // SAFETY: that nobody else is at the cell is what the model proves.
                unsafe { *segment += 1 }
            });
        }
        self.lock.store(0, Release);
    }

    /// `take_out`: shut, wait until the mutex was seen free, unmap.
    fn leave(&self) {
        self.cond.store(0, SeqCst);
        fence(SeqCst);
        while self.lock.load(Acquire) != 0 {
            thread::yield_now();
        }
        self.segment.with_mut(|segment| {
            // SAFETY: as above.
            unsafe { *segment = u64::MAX }
        });
    }
}

#[test]
fn who_leaves_waits_for_a_hook_that_runs_without_taking_its_lock() {
    loom::model(|| {
        let target = Target::new();
        let hook = {
            let target = target.clone();
            thread::spawn(move || {
                target.hook();
                target.hook();
            })
        };
        target.leave();
        hook.join().unwrap();
    });
}

#[test]
#[should_panic(expected = "Concurrent")]
fn the_model_would_notice_a_leaver_that_does_not_wait() {
    loom::model(|| {
        let target = Target::new();
        let hook = {
            let target = target.clone();
            thread::spawn(move || target.hook())
        };
        target.cond.store(0, SeqCst);
        target.segment.with_mut(|segment| {
            // SAFETY: it is not; loom is to say so.
            unsafe { *segment = u64::MAX }
        });
        hook.join().unwrap();
    });
}

/// `wire::ring`, with entries of one word.
struct Ring {
    head: AtomicU64,
    tail: AtomicU64,
    entries: [UnsafeCell<u64>; 2],
}

impl Ring {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            head: AtomicU64::new(0),
            tail: AtomicU64::new(0),
            entries: [UnsafeCell::new(0), UnsafeCell::new(0)],
        })
    }

    fn push(&self, event: u64) -> bool {
        let head = self.head.load(Relaxed);
        if head - self.tail.load(Acquire) >= 2 {
            return false;
        }
        self.entries[head as usize % 2].with_mut(|entry| {
            // SAFETY: the reader has passed this entry by, which the model proves.
            unsafe { *entry = event }
        });
        self.head.store(head + 1, Release);
        true
    }

    fn drain(&self, tail: u64, seen: &mut Vec<u64>) -> u64 {
        let head = self.head.load(Acquire);
        for at in tail..head {
            // SAFETY: the writer is done with what lies before its head, which the model proves.
            seen.push(self.entries[at as usize % 2].with(|entry| unsafe { *entry }));
        }
        self.tail.store(head, Release);
        head
    }
}

#[test]
fn what_a_ring_delivers_and_what_it_loses_is_all_there_was() {
    loom::model(|| {
        let ring = Ring::new();
        let writer = {
            let ring = ring.clone();
            thread::spawn(move || (1..=4).filter(|event| ring.push(*event)).collect::<Vec<u64>>())
        };
        let mut seen = Vec::new();
        let tail = ring.drain(0, &mut seen);
        let kept = writer.join().unwrap();
        ring.drain(tail, &mut seen);
        assert_eq!(seen, kept, "in their order, each once; the others were told to be lost");
    });
}

/// The words that a forked child finds wiped (`MADV_WIPEONFORK`), and the segment that it has not
/// (`MADV_DONTFORK`): `inside::activate` and `suite::hot`.
struct Forking {
    cond: AtomicU64,
    /// Whether this process has the segment mapped: the child of a fork never has.
    segment: AtomicU64,
}

impl Forking {
    fn attach(&self) {
        self.segment.store(1, Relaxed);
        self.cond.store(OURS, Release);
    }

    /// What a fork at this moment leaves: the kernel copies every word but those that it wipes.
    fn fork(&self, wipe: bool) -> Self {
        let cond = if wipe { 0 } else { self.cond.load(Acquire) };
        Self { cond: AtomicU64::new(cond), segment: AtomicU64::new(0) }
    }

    fn hook(&self) {
        if self.cond.load(Acquire) == OURS {
            assert_eq!(self.segment.load(Relaxed), 1, "a hook touches a segment that is not there");
        }
    }
}

/// A thread of the target records, forks while gilscope attaches, and its child goes on.
fn fork_at_any_moment(wipe: bool) {
    loom::model(move || {
        let parent = Arc::new(Forking { cond: AtomicU64::new(0), segment: AtomicU64::new(0) });
        let forker = {
            let parent = parent.clone();
            thread::spawn(move || {
                parent.hook();
                parent.fork(wipe).hook();
                parent.hook();
            })
        };
        parent.attach();
        forker.join().unwrap();
    });
}

#[test]
fn a_child_records_nothing_whenever_it_was_forked() {
    fork_at_any_moment(true);
}

#[test]
#[should_panic(expected = "a segment that is not there")]
fn the_model_would_notice_a_child_that_believes_it_is_watched() {
    fork_at_any_moment(false);
}
