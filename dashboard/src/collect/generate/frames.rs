//! The data stacks of the simulated threads, and a census now and then.

use super::random::Random;
use crate::batch::*;

/// Between two looks, and between two censuses.
const LOOK_NS: u64 = 1_000_000_000;
const CENSUS_NS: u64 = 10_000_000_000;
const CHUNK_BYTES: u64 = 16_384;

/// See the module's text.
pub struct Frames {
    random: Random,
    looked_ns: Option<u64>,
    counted_ns: Option<u64>,
}

impl Frames {
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed ^ 0xF4A3), looked_ns: None, counted_ns: None }
    }

    /// What a look at `at_ns` shows of the living threads; none between two looks.
    pub fn look(
        &mut self,
        at_ns: u64,
        living: impl Iterator<Item = ThreadKey>,
    ) -> Option<FramesSample> {
        let due = |then: Option<u64>, every| then.is_none_or(|then| at_ns - then >= every);
        if !due(self.looked_ns, LOOK_NS) {
            return None;
        }
        self.looked_ns = Some(at_ns);
        let census = due(self.counted_ns, CENSUS_NS).then(|| Box::new(census(at_ns)));
        self.counted_ns = if census.is_some() { Some(at_ns) } else { self.counted_ns };
        let stacks = living.map(|key| stack(key, &mut self.random)).collect();
        Some(FramesSample { at_ns, model: FramesModel::Chunk, stacks, unread: 0, census })
    }
}

fn stack(key: ThreadKey, random: &mut Random) -> ThreadStack {
    let chunks = 1 + u64::from(key.0) % 3;
    let bytes = chunks * CHUNK_BYTES;
    let used_bytes = (chunks - 1) * (CHUNK_BYTES - 96) + 8 * random.between(40, 900);
    ThreadStack {
        key,
        chunks: chunks as u32,
        bytes,
        used_bytes,
        cached_bytes: Some(0),
        resident_bytes: Some(used_bytes.next_multiple_of(4096)),
    }
}

fn census(at_ns: u64) -> Census {
    let rows = [
        ("app.views", "stream", "/srv/app/views.py", 120, 40),
        ("asyncio.tasks", "wait_for", "/usr/lib/python3.12/asyncio/tasks.py", 485, 12),
        ("contextlib", "nullcontext", "/usr/lib/python3.12/contextlib.py", 30, 5),
    ];
    let tally = |count: u64| Tally { count, bytes: count * 312 };
    let mut suspended = Held::default();
    for (module, function, file, line, count) in rows {
        let tally = tally(count);
        suspended.all.add(tally);
        suspended.modules.push(HeldModule { module: module.into(), tally });
        let (function, file) = (function.into(), file.into());
        suspended.functions.push(HeldFunction { function, file, line, tally });
    }
    let took_ns = 31_000_000;
    Census {
        at_ns,
        took_ns,
        looked_at_bytes: 96 << 20,
        suspended: Some(suspended),
        exhausted: Some(Held::default()),
        escaped: Some(Held::default()),
        ..Census::default()
    }
}
