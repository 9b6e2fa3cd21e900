//! A target that writes what it likes into its segment, between the daemon's looks.

use super::Input;
use super::recording::look_at_everything;
use crate::batch::{Batch, Target, ThreadKey};
use crate::collect::codes::Codes;
use crate::collect::gil::{GilReader, Surroundings};
use crate::collect::mapping::{Mapping, header_page};
use crate::collect::threads::Registry;
use crate::store::Store;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicU64;
use wire::clock::Clock;
use wire::event::WORDS;
use wire::ring::{Entry, Indices};
use wire::segment::Layout;
use wire::slot::state;

const N_SLOTS: usize = 4;
/// Looks at one segment; a longer input is cut there.
const LOOKS_MAX: usize = 16;

/// Drains rings of every size with any indices: no more events than a ring holds, and a tail that
/// follows the head or a reason why not.
pub fn ring(data: &[u8]) {
    let mut input = Input(data);
    let n_entries = 1usize << (input.u8() % 8);
    let word = |value| AtomicU64::new(value);
    let indices = Indices {
        head: word(0),
        tail_seen: word(0),
        reserved: [0; 6],
        tail: word(0),
        reserved_tail: [0; 7],
    };
    let entries: Vec<Entry> =
        (0..n_entries).map(|_| std::array::from_fn::<_, WORDS, _>(|_| word(input.u64()))).collect();
    let mut tail = input.u64();
    while !input.is_empty() {
        let head = match input.u8() % 2 {
            0 => tail.wrapping_add(u64::from(input.u8())),
            _ => input.u64(),
        };
        indices.head.store(head, std::sync::atomic::Ordering::Relaxed);
        let mut n_events = 0;
        match wire::ring::drain(&indices, &entries, tail, |_| n_events += 1) {
            Ok(next) => {
                assert_eq!(next, head);
                assert_eq!(head.wrapping_sub(tail), n_events);
                assert!(n_events <= n_entries as u64);
                tail = next;
            }
            Err(broken) => assert_eq!((broken.head, broken.tail, n_events), (head, tail, 0)),
        }
    }
}

/// A segment file that is made once and put back after each input.
struct Segment {
    file: File,
    layout: Layout,
    mapping: Mapping,
}

impl Segment {
    fn new() -> Self {
        let layout = Layout::new(N_SLOTS, 1024);
        let clock = Clock::from_monotonic(0);
        let plan = config::Plan::new(&config::Layers::default()).expect("defaults").wire();
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(layout.bytes() as u64).expect("room for a segment");
        file.write_all_at(&header_page(&layout, clock, plan, 1, 2), 0).expect("room");
        let mapping = Mapping::open(&file, 0, layout).expect("it can be mapped");
        Self { file, layout, mapping }
    }

    /// Start and length of a part that a target may write.
    fn part(&self, number: u8) -> (usize, usize) {
        let layout = &self.layout;
        let slot = usize::from(number) / 6 % N_SLOTS;
        match number % 6 {
            0 => (0, layout.totals()),
            1 => (layout.totals(), layout.handoffs() - layout.totals()),
            2 => (layout.handoffs(), 64 * size_of::<wire::totals::Handoff>()),
            3 => (layout.blames(), 64 * size_of::<wire::totals::Blame>()),
            4 => (layout.codes(), 16 * size_of::<wire::code::CodeEntry>()),
            _ => match number / 128 {
                0 => (layout.slots() + slot * layout.slot_stride(), layout.slot_stride()),
                _ => (layout.rings() + slot * layout.ring_stride(), layout.ring_stride()),
            },
        }
    }

    /// Writes a word into a part; what stood there goes to `undo`.
    fn write(&self, part: u8, at: u16, word: u64, undo: &mut Vec<(u64, [u8; 8])>) {
        let (start, length) = self.part(part);
        self.put(start + usize::from(at) * 4 % (length - 4), word, undo);
    }

    fn put(&self, at: usize, word: u64, undo: &mut Vec<(u64, [u8; 8])>) {
        let at = at as u64;
        let mut before = [0; 8];
        self.file.read_exact_at(&mut before, at).expect("within the file");
        undo.push((at, before));
        self.file.write_all_at(&word.to_le_bytes(), at).expect("within the file");
    }

    /// All slots are in use by threads with serials of their own, and the window has begun.
    fn begin(&self, undo: &mut Vec<(u64, [u8; 8])>) {
        let used = std::mem::offset_of!(wire::segment::Header, slots_used);
        self.put(used, N_SLOTS as u64, undo);
        let start = std::mem::offset_of!(wire::totals::GilTotals, window_start_ns);
        self.put(self.layout.totals() + start, 1, undo);
        for slot in 0..N_SLOTS {
            let at = self.layout.slots() + slot * self.layout.slot_stride();
            self.put(at, u64::from(state::LIVE) << 32, undo);
            self.put(at + 8, (slot as u64 + 1) << 32 | (100 + slot as u64), undo);
        }
    }
}

/// Writes to all parts of a segment and looks at it in between, as a hostile target would have it.
///
/// No more threads, blamed places or pairs of threads than the tables have room for, however often
/// they change; and whatever comes out can be stored and shown.
pub fn segment(data: &[u8]) {
    thread_local!(static SEGMENT: Segment = Segment::new());
    SEGMENT.with(|segment| {
        let mut undo = Vec::new();
        segment.begin(&mut undo);
        play(segment, Input(data), &mut undo);
        for (at, before) in undo.into_iter().rev() {
            segment.file.write_all_at(&before, at).expect("within the file");
        }
    });
}

fn play(segment: &Segment, mut input: Input<'_>, undo: &mut Vec<(u64, [u8; 8])>) {
    let plan = config::Plan::new(&config::Layers::default()).expect("defaults").wire();
    let mut reader = GilReader::new(&plan);
    let (mut registry, mut codes) = (Registry::new(100), Codes::default());
    let mut store = Store::new(Target::default());
    let mut now = 1_000;
    for look in 0.. {
        now += 1_000_000;
        let around = Surroundings {
            registry: &mut registry,
            codes: &mut codes,
            python: None,
            native: HashMap::new(),
            modules: &[],
            last: look == LOOKS_MAX,
        };
        let batch = read(&mut reader, &segment.mapping, around, now);
        assert!(batch.thread_gil.len() <= N_SLOTS);
        store.apply(&batch);
        if input.is_empty() || look == LOOKS_MAX {
            break;
        }
        for _ in 0..=input.u8() % 16 {
            let (part, at) = (input.u8(), input.u16());
            segment.write(part, at, input.u64(), undo);
        }
    }
    look_at_everything(&store);
}

fn read(
    reader: &mut GilReader,
    mapping: &Mapping,
    mut around: Surroundings<'_>,
    now: u64,
) -> Batch {
    if now % 2 == 1 {
        reader.make_room(mapping);
    }
    let look = reader.read(mapping, &mut around, || now);
    let batch = Batch {
        at_ns: now,
        gil: look.sample,
        thread_gil: look.threads,
        events: look.events,
        blame: look.blame,
        handoffs: look.handoffs,
        lost: look.lost,
        notes: look.notes,
        codes: around.codes.take_news(),
        threads: around.registry.take_changes(),
        ..Batch::default()
    };
    around.registry.forget_beyond(16);
    assert!(batch.threads.iter().all(|fact| fact.key != ThreadKey(0)));
    batch
}
