//! The rings of a segment: what threads have put into them since the last look, and in between whatever
//! would not leave room until the next. A ring whose indices make no sense is quarantined with its reason.
//!
//! Knows no meaning of an event, and not when there is a look.

use super::mapping::Mapping;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Acquire;
use wire::event::Event;
use wire::ring::{self, Entry};
use wire::slot::{Slot, state};

/// Events kept between two looks; with more, rings fill up and the target counts what it loses.
const EARLY_MOST: usize = 1 << 20;

/// Reads the rings of one segment.
#[derive(Default)]
pub struct Rings {
    /// Per slot.
    tails: Vec<u64>,
    /// Events taken out before the look that will ask for them, per slot.
    early: Vec<Vec<Event>>,
    n_early: usize,
    quarantined: BTreeMap<usize, String>,
}

impl Rings {
    /// Makes room in all rings.
    pub fn make_room(&mut self, mapping: &Mapping) {
        let n_slots = mapping.header().slots_used.load(Acquire) as usize;
        for number in 0..n_slots.min(mapping.n_slots()) {
            let Some((slot, ring)) = mapping.slot(number) else { return };
            if self.n_early >= EARLY_MOST {
                return;
            }
            if slot.state.load(Acquire) == state::LIVE {
                self.drain(number, slot, ring);
            }
        }
    }

    /// All events of a slot's ring since the last time, oldest first; none of a ring in quarantine.
    pub fn take(&mut self, number: usize, slot: &Slot, ring: &[Entry]) -> Vec<Event> {
        self.drain(number, slot, ring);
        let events = self.early.get_mut(number).map(std::mem::take).unwrap_or_default();
        self.n_early -= events.len();
        events
    }

    /// From now on the ring of this slot is not read; what stood in it before counts.
    pub fn quarantine(&mut self, number: usize, why: String) {
        self.quarantined.entry(number).or_insert_with(|| {
            tracing::warn!(slot = number, why, "ring quarantined");
            why
        });
    }

    /// Which slots are in quarantine, and why.
    pub fn quarantined(&self) -> &BTreeMap<usize, String> {
        &self.quarantined
    }

    fn drain(&mut self, number: usize, slot: &Slot, ring: &[Entry]) {
        if self.quarantined.contains_key(&number) {
            return;
        }
        if self.tails.len() <= number {
            self.tails.resize(number + 1, 0);
            self.early.resize_with(number + 1, Vec::new);
        }
        let events = &mut self.early[number];
        let before = events.len();
        match ring::drain(&slot.ring, ring, self.tails[number], |event| events.push(event)) {
            Ok(tail) => self.tails[number] = tail,
            Err(broken) => {
                let (head, tail) = (broken.head, broken.tail);
                self.quarantine(number, format!("head {head} does not follow tail {tail}"));
            }
        }
        self.n_early += self.early[number].len() - before;
    }
}
