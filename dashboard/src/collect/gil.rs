//! The GIL's part of a batch: totals, per-thread counters, tables and events, out of the segment.
//!
//! Everything but the events is cumulative, so it is read as it stands; a thread's share is kept for
//! the session when its slot is given back. Events come ring by ring.

use super::blame::BlameReader;
use super::codes::Codes;
use super::mapping::Mapping;
use super::memory::TargetMemory;
use super::native::{PcSample, main_module};
use super::rings::Rings;
use super::slots::SlotCopy;
use super::sums::{Sums, estimate, sample};
use super::threads::Registry;
use crate::batch::{BlameTotal, Event, EventKind, GilSample, HandoffTotal, ThreadGil, ThreadKey};
use cpython::Layout;
use std::collections::BTreeMap;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use wire::event::Kind;
use wire::slot::state;
use wire::totals::GilTotals;

/// What a reader needs besides the segment.
pub struct Surroundings<'a> {
    pub registry: &'a mut Registry,
    pub codes: &'a mut Codes,
    pub python: Option<(&'a TargetMemory, &'a Layout)>,
    /// Program counters since the last look, by thread.
    pub native: HashMap<ThreadKey, Vec<PcSample>>,
    pub modules: &'a [String],
    /// True once the target is dead: every slot is read for the last time.
    pub last: bool,
}

/// Reads one segment.
#[derive(Default)]
pub struct GilReader {
    /// `--light`: one cycle in this many is timed; 0 if all are.
    light_every: u32,
    rings: Rings,
    /// Serial of the thread that has each slot; a slot changes hands only after it was given back.
    owners: Vec<Option<u32>>,
    /// Sums of threads whose slots were given back.
    retired: Sums,
    /// Acquires at the last look, to tell which threads changed.
    seen: HashMap<u32, (u64, u64)>,
    unknown_events: u64,
    /// Copies whose writer never paused: their figures are of slightly different moments.
    torn: u64,
    /// Serials whose thread was gone at the last look: gone twice, it is dead.
    gone: HashSet<u32>,
    blame: BlameReader,
    /// What each entry of the handoff table counts, and its count at the last look.
    handoffs_seen: Vec<Option<((u32, u32), u64)>>,
}

/// What one reading gave.
#[derive(Default)]
pub struct GilLook {
    pub sample: Option<GilSample>,
    pub threads: Vec<ThreadGil>,
    pub events: Vec<Event>,
    pub blame: Vec<BlameTotal>,
    pub handoffs: Vec<HandoffTotal>,
    pub lost: BTreeMap<String, u64>,
    pub notes: BTreeMap<String, String>,
}

impl GilReader {
    /// A reader of a segment whose agent has this plan.
    pub fn new(plan: &wire::plan::Plan) -> Self {
        let light = plan.mode == wire::plan::Mode::Light as u32;
        let light_every = if light { plan.light_every.max(1).next_power_of_two() } else { 0 };
        Self { light_every, ..Self::default() }
    }

    /// The thread that holds the GIL now, if one does.
    pub fn holder(mapping: &Mapping, registry: &Registry) -> Option<ThreadKey> {
        let totals = mapping.totals();
        (totals.held.load(Relaxed) != 0).then(|| registry.key_of(totals.holder.load(Relaxed)))
    }

    /// Threads that made others wait since the last look, the worst first.
    pub fn blamed(&self) -> &[ThreadKey] {
        self.blame.grown()
    }

    /// Takes events out of all rings, so that there is room until the next [`GilReader::read`].
    pub fn make_room(&mut self, mapping: &Mapping) {
        self.rings.make_room(mapping);
    }

    /// Reads everything. `now` is the session's clock.
    pub fn read(
        &mut self,
        mapping: &Mapping,
        around: &mut Surroundings<'_>,
        now: impl Fn() -> u64,
    ) -> GilLook {
        let totals = mapping.totals();
        if totals.window_start_ns.load(Acquire) == 0 {
            return GilLook::default();
        }
        // One moment for everything that is still going on, so that parts and totals agree.
        let moment = now();
        let now = || moment;
        let mut look = GilLook::default();
        let mut sums = self.retired.clone();
        let n_slots = (mapping.header().slots_used.load(Acquire) as usize).min(mapping.n_slots());
        for number in 0..n_slots {
            self.read_slot(number, mapping, around, &now, &mut sums, &mut look);
        }
        let mut sample = sample(totals, &sums, &now);
        // 2.7 times every cycle whatever the plan: its GIL has no second condition.
        let is_light = self.light_every > 1 && mapping.header().switch_cond.load(Relaxed) != 0;
        if !is_light {
            sample.acquires_timed = sample.acquires;
        }
        if is_light {
            look.notes.insert("gil_light".to_owned(), estimate(&mut sample, self.light_every));
        }
        look.sample = Some(sample);
        look.blame = self.blame.read(mapping, around);
        self.read_handoffs(mapping, around, &mut look);
        self.count_lost(totals, &sums, &mut look);
        look.events.sort_by_key(|event| event.at_ns);
        look
    }

    fn read_slot(
        &mut self,
        number: usize,
        mapping: &Mapping,
        around: &mut Surroundings<'_>,
        now: &impl Fn() -> u64,
        sums: &mut Sums,
        look: &mut GilLook,
    ) {
        let Some((slot, ring)) = mapping.slot(number) else { return };
        if slot.state.load(Acquire) != state::LIVE {
            return;
        }
        // Whether it lives is asked first: a thread that is dead now writes no more.
        let dead = around.last || !around.registry.serial_lives(slot.serial.load(Relaxed));
        let (copy, whole) = SlotCopy::of(slot);
        if !self.keeps_its_owner(number, copy.serial) {
            return;
        }
        self.torn = self.torn.saturating_add(u64::from(!whole));
        let at = now();
        let known = self.seen.contains_key(&copy.serial);
        let key = around.registry.of_serial(copy.serial, copy.thread_id, copy.thread_pointer, at);
        self.drain(number, key, mapping, (slot, ring), around, look);
        sums.add(&copy, at);
        let version = (
            copy.acquires,
            (copy.phase as u64).wrapping_add(copy.hold.sum_ns).wrapping_add(copy.wait.sum_ns),
        );
        if self.seen.insert(copy.serial, version) != Some(version) || copy.phase != 0 {
            look.threads.push(thread(key, &copy, at));
        }
        if around.last || !dead {
            self.gone.remove(&copy.serial);
        } else if known && !self.gone.insert(copy.serial) {
            self.gone.remove(&copy.serial);
            self.retired.add(&copy, at);
            self.seen.remove(&copy.serial);
            self.owners[number] = None;
            around.registry.retire(copy.serial, at);
            slot.state.store(state::RETIRED, Release);
            mapping.header().retirements.fetch_add(1, Relaxed);
        }
    }

    /// False for a slot that claims to be another thread's than it was: its target lies, and believing
    /// it would cost a new thread at every look.
    fn keeps_its_owner(&mut self, number: usize, serial: u32) -> bool {
        if self.owners.len() <= number {
            self.owners.resize(number + 1, None);
        }
        let owner = *self.owners[number].get_or_insert(serial);
        if owner != serial {
            self.rings.quarantine(number, format!("its thread changed from {owner} to {serial}"));
        }
        owner == serial
    }

    fn drain(
        &mut self,
        number: usize,
        key: ThreadKey,
        mapping: &Mapping,
        (slot, ring): (&wire::slot::Slot, &[wire::ring::Entry]),
        around: &mut Surroundings<'_>,
        look: &mut GilLook,
    ) {
        for event in self.rings.take(number, slot, ring) {
            match self.event(key, &event, mapping, around) {
                Some(event) => look.events.push(event),
                None => self.unknown_events += 1,
            }
        }
    }

    fn event(
        &self,
        thread: ThreadKey,
        event: &wire::event::Event,
        mapping: &Mapping,
        around: &mut Surroundings<'_>,
    ) -> Option<Event> {
        let kind = match Kind::from_u8(event.kind)? {
            Kind::Wait => EventKind::Wait,
            Kind::ForcedRelease => EventKind::ForcedRelease,
            Kind::LongHold => EventKind::LongHold,
            Kind::Hold => EventKind::Hold,
            Kind::ForcedSwitchWait => EventKind::ForcedSwitchWait,
        };
        if event.code != 0 {
            around.codes.see(event.code, mapping, around.python);
        }
        let layout = around.python.map(|(_, layout)| layout);
        Some(Event {
            kind,
            thread,
            at_ns: event.at_ns,
            duration_ns: event.duration_ns.min(event.at_ns),
            free_ns: event.free_ns.min(event.duration_ns),
            drop_requests: event.drop_requests,
            holder_start: around.registry.key_of(event.holder_start),
            holder_end: around.registry.key_of(event.holder_end),
            code: event.code,
            line: around.codes.line(event.code, event.instruction, layout),
            native_module: native(around, event.holder_end, event.at_ns, event.duration_ns),
            drop_to_release_ns: event.drop_to_release_ns,
        })
    }

    fn read_handoffs(&mut self, mapping: &Mapping, around: &Surroundings<'_>, look: &mut GilLook) {
        self.handoffs_seen.resize(mapping.handoffs().len(), None);
        for (entry, seen) in mapping.handoffs().iter().zip(&mut self.handoffs_seen) {
            let from = entry.from.load(Acquire);
            if from == 0 {
                continue;
            }
            let (to, count) = (entry.to.load(Relaxed), entry.count.load(Relaxed));
            if !around.registry.knows(from) || !around.registry.knows(to) {
                continue; // its slot is read at the next look, and then it has a name
            }
            // An honest entry counts one pair for ever.
            let new = seen.is_none();
            let (pair, before) = seen.get_or_insert(((from, to), count));
            if *pair != (from, to) || (!new && *before == count) {
                continue;
            }
            *before = count;
            look.handoffs.push(HandoffTotal {
                from: around.registry.key_of(from),
                to: around.registry.key_of(to),
                count,
                wait_ns: entry.wait_ns.load(Relaxed),
            });
        }
    }

    fn count_lost(&self, totals: &GilTotals, sums: &Sums, look: &mut GilLook) {
        let mut lost = |cause: &str, n: u64| {
            look.lost.insert(cause.to_owned(), n);
        };
        lost("ring_full", sums.lost_full);
        lost("nested", sums.lost_nested);
        lost("no_slot", totals.lost_no_slot.load(Relaxed));
        lost("unknown_kind", self.unknown_events);
        lost("handoff_table_full", totals.handoffs_overflow.load(Relaxed));
        let unblamed_ns = totals.blame_overflow_ns.load(Relaxed);
        if unblamed_ns != 0 {
            let why =
                format!("the blame table is full: {unblamed_ns} ns of wait are charged to nobody");
            look.notes.insert("blame_table".to_owned(), why);
        }
        if self.torn != 0 {
            let why =
                format!("{} copies of counters were torn: their threads never paused", self.torn);
            look.notes.insert("counters".to_owned(), why);
        }
        if let Some((number, why)) = self.rings.quarantined().first_key_value() {
            let n = self.rings.quarantined().len();
            look.notes.insert(
                "rings".to_owned(),
                format!("{n} quarantined; the first is {number}: {why}"),
            );
        }
    }
}

/// The object whose code the holder ran during a wait that ended at `at_ns`.
fn native(around: &Surroundings<'_>, holder: u32, at_ns: u64, duration_ns: u64) -> Option<u32> {
    let samples = around.native.get(&around.registry.key_of(holder))?;
    let wait = at_ns.saturating_sub(duration_ns)..=at_ns;
    let mut looks = HashMap::new();
    for sample in samples.iter().filter(|sample| wait.contains(&sample.at_ns)) {
        *looks.entry(sample.module).or_default() += 1.0;
    }
    main_module(&looks, around.modules)
}

fn thread(key: ThreadKey, slot: &SlotCopy, at: u64) -> ThreadGil {
    ThreadGil {
        key,
        acquires: slot.acquires,
        acquires_contended: slot.acquires_contended,
        releases_voluntary: slot.releases_voluntary,
        releases_forced: slot.releases_forced,
        drop_requests_received: slot.drop_requests_received,
        hold_ns: slot.hold_ns(at),
        wait_ns: slot.wait_ns(at),
        wait_free_ns: slot.wait_free_ns,
        wait_inflicted_ns: slot.wait_inflicted_ns,
        hold: slot.hold.clone(),
        wait: slot.wait.clone(),
    }
}
