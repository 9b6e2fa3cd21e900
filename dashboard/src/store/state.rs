//! A store as bytes, and back: what a recording carries along so that it opens at once.
//!
//! The bytes hold what the store knows, not how much it keeps: that is this gilscope's to say. They
//! may come from anyone's file, so a store made of them is checked before it is used.

use super::{Limits, Store};

/// Goes up when the encoding or the meaning of a store's fields changes; there is a test on that.
pub const STATE_VERSION: u32 = 3;

impl Store {
    /// See the module's text.
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a store holds nothing that cannot be encoded")
    }

    /// The store that [`Store::to_bytes`] was called on. The text says what is wrong with the bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let mut store: Self = postcard::from_bytes(bytes).map_err(|cause| cause.to_string())?;
        store.limits = Limits::default();
        store.cpu.keep(store.limits.keep());
        store.gil.keep(store.limits.keep());
        match store.is_sound() {
            true => Ok(store),
            false => Err("it contradicts itself".to_owned()),
        }
    }

    /// Whether it is one that batches could have made, as far as answers rely on it.
    fn is_sound(&self) -> bool {
        let Limits { events, marks, table, .. } = self.limits;
        let tables = [self.blame.len(), self.handoffs.len(), self.codes.len()];
        let more = [self.native_modules.len(), self.lost.len(), self.notes.len()];
        let states = [self.callers.len(), self.states.len()];
        self.threads.is_sound()
            && self.cpu.is_sound(super::bins::CpuBin::is_sound)
            && self.gil.is_sound(super::bins::GilBin::is_sound)
            && self.gil_pending.is_sound()
            && tables.into_iter().chain(more).chain(states).all(|rows| rows <= table)
            && self.events.len() <= events
            && self.marks.len() <= marks
            && self.marks.is_sorted_by_key(|mark| mark.at_ns)
            && self.changes.len() <= marks
            && self.frames.is_sound()
            && self.imports.is_sound(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::generate::Scenario;
    use sha2::{Digest, Sha256};

    fn store() -> Store {
        let scenario = Scenario { duration_ns: 30_000_000_000, ..Scenario::default() };
        let mut store = Store::new(scenario.target());
        scenario.batches().for_each(|batch| store.apply(&batch));
        store
    }

    #[test]
    fn a_store_comes_back_from_its_bytes_and_goes_on_as_if_nothing_had_been() {
        let scenario = Scenario { duration_ns: 20_000_000_000, ..Scenario::default() };
        let mut whole = Store::new(scenario.target());
        let mut parted = Store::new(scenario.target());
        for (at, batch) in scenario.batches().enumerate() {
            if at % 97 == 0 {
                parted = Store::from_bytes(&parted.to_bytes()).unwrap();
            }
            whole.apply(&batch);
            parted.apply(&batch);
        }
        assert!(whole.to_bytes() == parted.to_bytes());
        let (whole, parted) = (whole.snapshot(), parted.snapshot());
        let range = whole.range();
        assert_eq!(whole.totals(range), parted.totals(range));
        assert_eq!(whole.thread_rows(range), parted.thread_rows(range));
    }

    #[test]
    fn bytes_that_are_no_store_are_refused() {
        let whole = store().to_bytes();
        assert!(Store::from_bytes(&[]).is_err());
        assert!(Store::from_bytes(&whole[..whole.len() / 2]).is_err());
        let mut unsorted = store();
        unsorted.gil.for_each_mut(|bin| bin.threads.reverse());
        assert!(Store::from_bytes(&unsorted.to_bytes()).unwrap_err().contains("contradicts"));
    }

    /// If this fails, states in old recordings can no longer be read as they were written: raise
    /// `STATE_VERSION`, then put the new digest here. They are then passed over.
    #[test]
    fn the_encoding_of_a_store_belongs_to_its_version() {
        let digest = hex::encode(Sha256::digest(store().to_bytes()));
        assert_eq!((STATE_VERSION, &digest[..16]), (3, "af42ecde2cbd9378"));
    }
}
