//! Which threads there are: one key for each for the whole session, from what `/proc` and the agent know.
//!
//! The kernel reuses thread ids, and a thread may live and die between two looks, known to the agent
//! alone. So a key belongs to a (thread id, start time) of `/proc`, to a serial of the agent, or to
//! both once they are seen to be the same thread. Dead threads are forgotten here when they were told.

use crate::batch::{ThreadFact, ThreadKey, ThreadKind};
use cpython::outside::PyThread;
use std::collections::{HashMap, HashSet};

/// A thread that is alive, as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsThread {
    pub thread_id: u32,
    /// The same thread in its own pid namespace, which is what it and the agent know.
    pub inner_id: u32,
    /// Clock ticks since boot when it started (proc_pid_stat(5), field 22).
    pub start_ticks: u64,
    pub comm: String,
}

struct Known {
    fact: ThreadFact,
    inner_id: u32,
    start_ticks: Option<u64>,
    serial: Option<u32>,
    thread_pointer: Option<u64>,
    changed: bool,
}

/// All threads that are not yet told to be dead.
pub struct Registry {
    pid: u32,
    next: u32,
    known: HashMap<ThreadKey, Known>,
    by_thread_id: HashMap<u32, ThreadKey>,
    by_inner_id: HashMap<u32, ThreadKey>,
    by_serial: HashMap<u32, ThreadKey>,
}

impl Registry {
    pub fn new(pid: u32) -> Self {
        let (known, by_thread_id) = (HashMap::new(), HashMap::new());
        Self {
            pid,
            next: 1,
            known,
            by_thread_id,
            by_inner_id: HashMap::new(),
            by_serial: HashMap::new(),
        }
    }

    /// Takes in the threads that are alive now; those no longer there have ended.
    pub fn see(&mut self, alive: &[OsThread], now: u64) {
        for thread in alive {
            let key =
                self.by_thread_id.get(&thread.thread_id).copied().or_else(|| self.adopt(thread));
            let same = key.filter(|key| self.is_same(*key, thread));
            match (same, key) {
                (Some(key), _) => self.rename_by_kernel(key, &thread.comm),
                (None, Some(former)) => {
                    self.end(former, now);
                    self.add(thread.inner_id, Some(thread), now);
                }
                (None, None) => drop(self.add(thread.inner_id, Some(thread), now)),
            }
        }
        let ids: HashSet<u32> = alive.iter().map(|thread| thread.thread_id).collect();
        let gone = self.by_thread_id.iter().filter(|(id, _)| !ids.contains(id));
        let mut gone: Vec<ThreadKey> = gone.map(|(_, key)| *key).collect();
        // Known to the agent alone, and not in `/proc` now either: it lived between two looks.
        let inner_ids: HashSet<u32> = alive.iter().map(|thread| thread.inner_id).collect();
        let never_seen = self.known.values().filter(|known| {
            known.fact.alive && known.start_ticks.is_none() && !inner_ids.contains(&known.inner_id)
        });
        gone.extend(never_seen.map(|known| known.fact.key));
        gone.into_iter().for_each(|key| self.end(key, now));
    }

    /// A thread that the agent knew before `/proc` was looked at: the same, now with its outer id.
    fn adopt(&mut self, thread: &OsThread) -> Option<ThreadKey> {
        let key = self.by_inner_id.get(&thread.inner_id).copied()?;
        let known = self.known.get_mut(&key).filter(|known| known.start_ticks.is_none())?;
        known.fact.thread_id = thread.thread_id;
        known.changed = true;
        self.by_thread_id.insert(thread.thread_id, key);
        Some(key)
    }

    fn is_same(&mut self, key: ThreadKey, thread: &OsThread) -> bool {
        let Some(known) = self.known.get_mut(&key) else { return false };
        let start = *known.start_ticks.get_or_insert(thread.start_ticks);
        known.fact.alive && start == thread.start_ticks
    }

    fn add(&mut self, inner_id: u32, thread: Option<&OsThread>, now: u64) -> ThreadKey {
        let key = ThreadKey(self.next);
        self.next += 1;
        let thread_id = thread.map_or(inner_id, |thread| thread.thread_id);
        let is_main = thread_id == self.pid;
        let fact = ThreadFact {
            key,
            thread_id,
            name: thread.map(|thread| thread.comm.clone()).unwrap_or_default(),
            is_main,
            kind: if is_main { ThreadKind::Python } else { ThreadKind::Native },
            alive: true,
            first_seen_ns: now,
            ended_ns: None,
        };
        let start_ticks = thread.map(|thread| thread.start_ticks);
        let known = Known {
            fact,
            inner_id,
            start_ticks,
            serial: None,
            thread_pointer: None,
            changed: true,
        };
        self.known.insert(key, known);
        self.by_inner_id.insert(inner_id, key);
        if thread.is_some() {
            self.by_thread_id.insert(thread_id, key);
        }
        key
    }

    /// The kernel's name counts until Python's is known.
    fn rename_by_kernel(&mut self, key: ThreadKey, comm: &str) {
        let Some(known) = self.known.get_mut(&key) else { return };
        if known.fact.name.is_empty() {
            known.fact.name = comm.to_owned();
            known.changed = true;
        }
    }

    /// The key of the thread behind an agent's serial.
    pub fn of_serial(
        &mut self,
        serial: u32,
        inner_id: u32,
        thread_pointer: u64,
        now: u64,
    ) -> ThreadKey {
        if let Some(key) = self.by_serial.get(&serial) {
            return *key;
        }
        let living = self.by_inner_id.get(&inner_id).copied();
        let unclaimed =
            living.filter(|key| self.known.get(key).is_some_and(|known| known.serial.is_none()));
        if let (Some(former), None) = (living, unclaimed) {
            // The kernel has given the id of a thread with a serial of its own to a new one.
            self.end(former, now);
        }
        let key = unclaimed.unwrap_or_else(|| self.add(inner_id, None, now));
        self.by_serial.insert(serial, key);
        if let Some(known) = self.known.get_mut(&key) {
            known.serial = Some(serial);
            known.thread_pointer = Some(thread_pointer);
            if known.fact.kind == ThreadKind::Native {
                known.fact.kind = ThreadKind::Foreign;
            }
            known.changed = true;
        }
        key
    }

    /// The key of a serial that was seen before; [`ThreadKey::default`] (no thread) otherwise.
    pub fn key_of(&self, serial: u32) -> ThreadKey {
        self.by_serial.get(&serial).copied().unwrap_or_default()
    }

    /// Whether a serial was seen before.
    pub fn knows(&self, serial: u32) -> bool {
        self.by_serial.contains_key(&serial)
    }

    /// The key of a thread id that is alive.
    pub fn alive(&self, thread_id: u32) -> Option<ThreadKey> {
        self.by_thread_id.get(&thread_id).copied()
    }

    /// The same for a thread id of the target's own pid namespace.
    pub fn alive_inner(&self, inner_id: u32) -> Option<ThreadKey> {
        self.by_inner_id.get(&inner_id).copied()
    }

    /// The thread id behind a key, while it lives.
    pub fn thread_id(&self, key: ThreadKey) -> Option<u32> {
        self.known.get(&key).filter(|known| known.fact.alive).map(|known| known.fact.thread_id)
    }

    /// True while the thread of a serial lives as far as `/proc` tells.
    pub fn serial_lives(&self, serial: u32) -> bool {
        let known = self.by_serial.get(&serial).and_then(|key| self.known.get(key));
        known.is_some_and(|known| known.fact.alive)
    }

    /// Threads that are alive.
    pub fn n_alive(&self) -> usize {
        self.by_thread_id.len()
    }

    /// Takes Python's own names of threads that live, and tells its threads from foreign ones. A thread
    /// pointer goes from a dead thread to a new one, so it counts only where there is no kernel's id.
    pub fn name(&mut self, threads: &[PyThread]) {
        for known in self.known.values_mut().filter(|known| known.fact.alive) {
            let fact = &mut known.fact;
            let same = |thread: &&PyThread| match thread.native_id {
                _ if thread.is_main || fact.is_main => thread.is_main && fact.is_main,
                Some(id) => id == known.inner_id,
                None => known.thread_pointer == Some(thread.thread_ident),
            };
            let Some(name) = threads.iter().find(same).and_then(|thread| thread.name.clone())
            else {
                continue;
            };
            // `threading` makes a dummy for a foreign thread that asks for its own name.
            let kind =
                if name.starts_with("Dummy-") { ThreadKind::Foreign } else { ThreadKind::Python };
            if fact.name != name || fact.kind != kind {
                (fact.name, fact.kind) = (name, kind);
                known.changed = true;
            }
        }
    }

    fn end(&mut self, key: ThreadKey, now: u64) {
        let Some(known) = self.known.get_mut(&key) else { return };
        self.by_thread_id.retain(|_, other| *other != key);
        self.by_inner_id.retain(|_, other| *other != key);
        known.fact.alive = false;
        known.fact.ended_ns = Some(now);
        known.changed = true;
    }

    /// Facts that changed since the last call. Dead threads whose slot is read out are forgotten after.
    pub fn take_changes(&mut self) -> Vec<ThreadFact> {
        let mut changes: Vec<ThreadFact> = Vec::new();
        for known in self.known.values_mut().filter(|known| known.changed) {
            known.changed = false;
            changes.push(known.fact.clone());
        }
        changes.sort_by_key(|fact| fact.key);
        self.known.retain(|_, known| known.fact.alive || known.serial.is_some());
        changes
    }

    /// The agent's slot of this serial is read out; its thread will not come again.
    ///
    /// Its key stays known for late looks at the tables, which name serials.
    pub fn retire(&mut self, serial: u32, now: u64) {
        if let Some(key) = self.by_serial.get(&serial).copied() {
            self.end(key, now);
        }
    }

    /// Forgets the oldest dead threads beyond `most`; their keys then read as no thread.
    pub fn forget_beyond(&mut self, most: usize) {
        let mut dead: Vec<ThreadKey> = self
            .known
            .values()
            .filter(|known| !known.fact.alive && !known.changed)
            .map(|k| k.fact.key)
            .collect();
        if dead.len() <= most {
            return;
        }
        dead.sort();
        for key in &dead[..dead.len() - most] {
            if let Some(serial) = self.known.remove(key).and_then(|known| known.serial) {
                self.by_serial.remove(&serial);
            }
        }
    }
}
