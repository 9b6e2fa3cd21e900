//! Who makes thread states, and what they cost: the callers' table of a segment.
//!
//! A caller in the table is a return address; here it becomes the object that holds it. Rows of one object
//! are added up; which function of it calls is not looked up. The table is a target's word: an entry keeps the address that it had first, and sums stay at their largest value.

use super::mapping::Mapping;
use crate::batch::{Batch, CallerFact, StateCounters, StateTotal};
use crate::store::Counters;
use inject::{Identity, Maps};
use std::collections::BTreeMap;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed},
};
use wire::tstate::{Caller, OTHER_CALLERS, status};

/// Reads the table; remembers what it told.
#[derive(Default)]
pub struct StatesReader {
    /// Address of each entry, as it was first seen, and the number of its caller.
    entries: Vec<Option<(u64, u32)>>,
    /// Callers by object; numbers begin at 1.
    numbers: BTreeMap<String, u32>,
    told: BTreeMap<u32, StateCounters>,
    maps: Option<Maps>,
}

/// What one reading gave.
#[derive(Default)]
pub struct StatesLook {
    pub callers: Vec<CallerFact>,
    /// Rows that changed, cumulative.
    pub totals: Vec<StateTotal>,
    /// Calls that were not counted.
    pub lost: u64,
    /// Why the figures are not what they should be.
    pub note: Option<String>,
}

impl StatesLook {
    /// Puts it into a batch.
    pub fn tell(self, batch: &mut Batch) {
        batch.callers = self.callers;
        batch.states = self.totals;
        batch.lost.insert("no_seat".to_owned(), self.lost);
        if let Some(note) = self.note {
            batch.notes.insert("thread_states".to_owned(), note);
        }
    }
}

impl StatesReader {
    /// Reads everything; none while the probe does not record.
    pub fn read(&mut self, mapping: &Mapping, pid: u32) -> Option<StatesLook> {
        let process = mapping.state_totals();
        let stands = process.status.load(Acquire);
        if stands == 0 {
            return None;
        }
        let mut look = StatesLook {
            lost: process.lost_no_seat.load(Relaxed),
            note: note(stands, process.imports_left.load(Relaxed)),
            ..StatesLook::default()
        };
        let deleted = process.deleted.load(Relaxed);
        let mut sums: BTreeMap<u32, StateCounters> = BTreeMap::new();
        let own = StateCounters {
            deleted,
            kept_cycles: u64::from(process.kept_pair_ns.load(Relaxed) != 0),
            kept_create_ns: process.kept_pair_ns.load(Relaxed),
            ..StateCounters::default()
        };
        sums.insert(StateTotal::PROCESS, own);
        self.entries.resize(mapping.callers().len(), None);
        for (at, entry) in mapping.callers().iter().enumerate() {
            let site = entry.site.load(Acquire);
            if site == 0 {
                continue;
            }
            let number = match self.entries[at] {
                Some((_, number)) => number,
                None => self.name(at, site, pid, &mut look),
            };
            sums.entry(number).or_default().add(&counters(entry));
        }
        for (caller, counters) in sums {
            if self.told.insert(caller, counters) != Some(counters) {
                look.totals.push(StateTotal { caller, counters });
            }
        }
        Some(look)
    }

    fn name(&mut self, at: usize, site: u64, pid: u32, look: &mut StatesLook) -> u32 {
        let module = self.resolve(site, pid);
        let next = self.numbers.len() as u32 + 1;
        let number = *self.numbers.entry(module.clone()).or_insert(next);
        if number == next {
            look.callers.push(CallerFact { caller: number, module, function: None });
        }
        self.entries[at] = Some((site, number));
        number
    }

    /// The object at an address; the maps are read again when they do not have it.
    fn resolve(&mut self, site: u64, pid: u32) -> String {
        if site == OTHER_CALLERS {
            return "other callers".to_owned();
        }
        if self.maps.as_ref().is_none_or(|maps| maps.at(site).is_none()) {
            self.maps = Identity::of(pid).and_then(|target| target.maps()).ok();
        }
        let Some(object) = self.maps.as_ref().and_then(|maps| maps.at(site)) else {
            return "unloaded code".to_owned();
        };
        if object.is_file() { object.file_name() } else { "generated code" }.to_owned()
    }
}

fn note(stands: u32, left: u32) -> Option<String> {
    if stands == status::NO_FRESH {
        let why = "this interpreter does not call PyThreadState_New through its GOT: fresh states \
                   cannot be told from kept ones";
        return Some(why.to_owned());
    }
    (left != 0).then(|| {
        format!("{left} imports of PyGILState functions lead elsewhere or found no room: calls through them are not counted")
    })
}

fn counters(entry: &Caller) -> StateCounters {
    let word = |word: &AtomicU64| word.load(Relaxed);
    let (fresh, kept) = (&entry.fresh_times, &entry.kept_times);
    StateCounters {
        fresh: word(&entry.fresh),
        kept: word(&entry.kept),
        nested: word(&entry.nested),
        made: word(&entry.made),
        fresh_deleted: word(&entry.fresh_deleted),
        deleted: 0,
        threads: word(&entry.threads),
        unseen_fresh: word(&entry.unseen_fresh),
        unseen_other: word(&entry.unseen_other),
        maps: word(&entry.maps),
        unmaps: word(&entry.unmaps),
        cycles: word(&fresh.cycles),
        create_ns: word(&fresh.create_ns),
        gil_wait_ns: word(&fresh.gil_wait_ns),
        run_ns: word(&fresh.run_ns),
        chunk_ns: word(&fresh.chunk_ns),
        delete_ns: word(&fresh.delete_ns),
        kept_cycles: word(&kept.cycles),
        kept_create_ns: word(&kept.create_ns),
        kept_gil_wait_ns: word(&kept.gil_wait_ns),
        kept_run_ns: word(&kept.run_ns),
        kept_delete_ns: word(&kept.delete_ns).saturating_add(word(&kept.chunk_ns)),
    }
}
