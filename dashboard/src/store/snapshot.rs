//! The read-only view of a store: who and when. Series stand in `series`, tables in `tables`.

use super::answers::*;
use super::{EXITED, Store};
use crate::batch::*;
use std::collections::BTreeMap;

/// Everything that may be known of a target now. Cheap to copy; borrows the store.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    pub(super) store: &'a Store,
}

impl<'a> Snapshot<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store }
    }

    pub fn target(&self) -> &'a Target {
        &self.store.target
    }

    /// From the oldest figure still kept to the newest: "the whole session" for every question
    /// below, which then counts what was let go of, too. Empty before the second sample.
    pub fn range(&self) -> Range {
        self.store.cpu.range().union(&self.store.gil.range())
    }

    /// By time.
    pub fn marks(&self) -> &'a [Mark] {
        &self.store.marks
    }

    /// What was tried on the target and taken back, by time.
    pub fn changes(&self) -> &'a [Change] {
        &self.store.changes
    }

    pub fn ended(&self) -> Option<&'a Ended> {
        self.store.ended.as_ref()
    }

    /// Probe name to the reason why it has no figures.
    pub fn notes(&self) -> &'a BTreeMap<String, String> {
        &self.store.notes
    }

    /// Events lost, by cause.
    pub fn lost(&self) -> &'a BTreeMap<String, u64> {
        &self.store.lost
    }

    /// Living threads and the lately dead, in the order of first sight.
    pub fn threads(&self) -> impl Iterator<Item = &'a ThreadFact> + use<'a> {
        self.store.threads.iter().map(|thread| &thread.fact)
    }

    pub fn thread(&self, key: ThreadKey) -> Option<&'a ThreadFact> {
        self.store.threads.get(key).map(|thread| &thread.fact)
    }

    /// A thread's name for a person.
    pub fn thread_name(&self, key: ThreadKey) -> String {
        match self.thread(key) {
            Some(fact) if !fact.name.is_empty() => fact.name.clone(),
            Some(fact) => format!("thread {}", fact.thread_id),
            None if key == EXITED => "exited threads".into(),
            None => "unknown".into(),
        }
    }

    /// What a code number of an event or a blame row stands for.
    pub fn code(&self, code: u32) -> Option<&'a CodeFact> {
        self.store.codes.get(&code)
    }

    /// The shared object behind `Event::native_module`.
    pub fn native_module(&self, index: u32) -> Option<&'a str> {
        self.store.native_modules.get(&index).map(String::as_str)
    }

    /// Whether the GIL is watched.
    pub fn has_gil(&self) -> bool {
        self.store.gil_last.is_some()
    }

    /// Whether the process or its threads were ever sampled.
    pub fn has_cpu(&self) -> bool {
        self.store.cpu_at_ns.is_some()
    }

    /// Whether the answer for `range` is the session's own totals.
    pub(super) fn is_whole(&self, range: Range) -> bool {
        range.contains(&self.range())
    }
}
