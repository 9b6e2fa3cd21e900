//! The ring: one writer inside the target, one reader in the daemon, events of fixed size.
//!
//! The writer never waits: a full ring loses the newest event and the slot counts it. Indices count
//! events since the session began and never wrap in practice (2^64). The reader trusts nothing: it
//! keeps its own tail, bounds every step by the ring's length, and copies before it looks.

use crate::event::{Event, WORDS};
use core::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// One entry of a ring.
pub type Entry = [AtomicU64; WORDS];

/// Indices of a ring, in events. Head and tail live on lines of their own.
#[repr(C, align(64))]
pub struct Indices {
    /// Events ever written; written by the target.
    pub head: AtomicU64,
    /// What the writer last saw of `tail`, to leave the reader's line alone.
    pub tail_seen: AtomicU64,
    /// Keeps `tail` on another line.
    pub reserved: [u64; 6],
    /// Events ever read; written by the daemon.
    pub tail: AtomicU64,
    /// Keeps the next structure off this line.
    pub reserved_tail: [u64; 7],
}

/// Writes one event. False if the ring is full: the caller counts it as lost.
///
/// `entries.len()` must be a power of two; only the ring's owner may call it.
#[inline]
pub fn push(indices: &Indices, entries: &[Entry], event: Event) -> bool {
    let head = indices.head.load(Relaxed);
    if head.wrapping_sub(indices.tail_seen.load(Relaxed)) >= entries.len() as u64 {
        let tail = indices.tail.load(Acquire);
        indices.tail_seen.store(tail, Relaxed);
        if head.wrapping_sub(tail) >= entries.len() as u64 {
            return false;
        }
    }
    let Some(entry) = entries.get(head as usize & entries.len().wrapping_sub(1)) else {
        return false;
    };
    for (word, value) in entry.iter().zip(event.to_words()) {
        word.store(value, Relaxed);
    }
    indices.head.store(head.wrapping_add(1), Release);
    true
}

/// Why a ring cannot be read any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The head that the target shows, in events.
    pub head: u64,
    /// The reader's own tail, in events.
    pub tail: u64,
}

/// Reads all events there are, at most one ring's worth, oldest first; returns the new tail.
///
/// `tail` is the reader's own: what the segment says about it is ignored, then overwritten.
/// A head behind the tail, or more than a ring ahead of it, is a broken ring.
pub fn drain(
    indices: &Indices,
    entries: &[Entry],
    tail: u64,
    mut each: impl FnMut(Event),
) -> Result<u64, Broken> {
    let head = indices.head.load(Acquire);
    if head.wrapping_sub(tail) > entries.len() as u64 {
        return Err(Broken { head, tail });
    }
    let mut next = tail;
    while next != head {
        let entry = &entries[next as usize & (entries.len() - 1)];
        each(Event::from_words(core::array::from_fn(|i| entry[i].load(Relaxed))));
        next = next.wrapping_add(1);
    }
    indices.tail.store(next, Release);
    Ok(next)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::sync::atomic::AtomicU64;
    use std::vec::Vec;

    fn ring(n_entries: usize) -> (Indices, Vec<Entry>) {
        let zero = || AtomicU64::new(0);
        let indices = Indices {
            head: zero(),
            tail_seen: zero(),
            reserved: [0; 6],
            tail: zero(),
            reserved_tail: [0; 7],
        };
        (indices, (0..n_entries).map(|_| core::array::from_fn(|_| zero())).collect())
    }

    fn event(at_ns: u64) -> Event {
        Event { at_ns, ..Event::default() }
    }

    #[test]
    fn a_full_ring_loses_the_newest() {
        let (indices, entries) = ring(4);
        let kept = (0..6).filter(|i| push(&indices, &entries, event(*i))).count();
        let mut seen = Vec::new();
        let tail = drain(&indices, &entries, 0, |e| seen.push(e.at_ns)).unwrap();
        assert_eq!((kept, tail), (4, 4));
        assert_eq!(seen, [0, 1, 2, 3]);
        assert!(push(&indices, &entries, event(9)));
    }

    #[test]
    fn a_head_that_jumps_is_broken() {
        let (indices, entries) = ring(4);
        indices.head.store(5, Relaxed);
        assert_eq!(drain(&indices, &entries, 0, |_| ()), Err(Broken { head: 5, tail: 0 }));
        indices.head.store(0, Relaxed);
        assert_eq!(drain(&indices, &entries, 1, |_| ()), Err(Broken { head: 0, tail: 1 }));
    }

    #[test]
    fn two_threads_agree_to_the_unit() {
        const N: u64 = 200_000;
        let (indices, entries) = ring(64);
        let lost = std::thread::scope(|scope| {
            let writer = scope
                .spawn(|| (0..N).filter(|i| !push(&indices, &entries, event(*i))).count() as u64);
            let (mut tail, mut seen, mut last) = (0, 0, None);
            loop {
                let done = writer.is_finished();
                tail = drain(&indices, &entries, tail, |e| {
                    assert!(last.is_none_or(|l| l < e.at_ns));
                    last = Some(e.at_ns);
                    seen += 1;
                })
                .unwrap();
                if done {
                    break;
                }
            }
            assert_eq!(seen, tail);
            let lost = writer.join().unwrap();
            assert_eq!(seen + lost, N);
            lost
        });
        assert!(lost <= N);
    }
}
