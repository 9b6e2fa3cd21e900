//! A batch in which nothing is missing.

use crate::batch::*;

/// One of everything, so that every field's encoding counts.
pub fn full_batch() -> Batch {
    let (key, other) = (ThreadKey(1), ThreadKey(300));
    let hist = Hist { buckets: vec![(4, 1), (99, 2_000)], sum_ns: 1 << 40, max_ns: 1 << 33 };
    let gil =
        GilSample { acquires: 5, hold: hist.clone(), wake: hist.clone(), ..Default::default() };
    let event = Event {
        kind: EventKind::ForcedSwitchWait,
        thread: key,
        at_ns: 1,
        duration_ns: 2,
        free_ns: 3,
        drop_requests: 4,
        holder_start: other,
        holder_end: key,
        code: 5,
        line: Some(6),
        native_module: Some(7),
        drop_to_release_ns: 8,
    };
    let fact = ThreadFact {
        key,
        thread_id: 77,
        name: "MainThread".into(),
        is_main: true,
        kind: ThreadKind::Foreign,
        alive: false,
        first_seen_ns: 9,
        ended_ns: Some(10),
    };
    let blame = BlameTotal {
        holder: key,
        code: 5,
        line: Some(6),
        samples: 11,
        waits: 12,
        wait_inflicted_ns: 13,
        native_module: Some("libz.so".into()),
    };
    let code = CodeFact { code: 5, function: "f".into(), file: "/srv/a.py".into(), first_line: 1 };
    Batch {
        at_ns: 1 << 50,
        threads: vec![fact],
        cpu: vec![ThreadCpu { key, cpu_ns: 1, switches_forced: 2, ..Default::default() }],
        process: Some(ProcessSample {
            uss_bytes: Some(1),
            host_cpu_ratio: 0.5,
            ..Default::default()
        }),
        gil: Some(gil),
        thread_gil: vec![ThreadGil { key, wait: hist, ..Default::default() }],
        codes: vec![code],
        blame: vec![blame],
        handoffs: vec![HandoffTotal { from: key, to: other, count: 1, wait_ns: 2 }],
        events: vec![event],
        native_modules: vec![(7, "libz.so".into())],
        lost: [("ring_full".into(), 3)].into(),
        marks: vec![Mark { id: 1, name: "warm".into(), at_ns: 5 }],
        marks_removed: vec![2],
        notes: [("frames".into(), "off".into())].into(),
        ended: Some(Ended { at_ns: 6, reason: "detached".into() }),
        changes: vec![Change {
            at_ns: 4,
            remedy: "io-priority".into(),
            setting: "on".into(),
            on: true,
        }],
        frames: Some(full_frames(key)),
        ..full_states()
    }
}

fn full_frames(key: ThreadKey) -> FramesSample {
    let tally = Tally { count: 1, bytes: 2 };
    let held = |name: &str| Held {
        all: tally,
        called_once: Some(tally),
        modules: vec![HeldModule { module: name.into(), tally }],
        functions: vec![HeldFunction {
            function: name.into(),
            file: "/srv/a.py".into(),
            line: 3,
            tally,
        }],
    };
    let census = Census {
        at_ns: 7,
        took_ns: 8,
        looked_at_bytes: 9,
        swapped_bytes: 10,
        zombies: Some(held("zombies")),
        free_list: Some(tally),
        pinned: Some(Pinned { pools: 1, pools_alone: 2, arenas: 3 }),
        suspended: Some(held("suspended")),
        exhausted: Some(held("exhausted")),
        escaped: Some(held("escaped")),
    };
    let stack = ThreadStack {
        key,
        chunks: 1,
        bytes: 2,
        used_bytes: 3,
        cached_bytes: Some(4),
        resident_bytes: Some(5),
    };
    FramesSample {
        at_ns: 11,
        model: FramesModel::Chunk,
        stacks: vec![stack],
        unread: 12,
        census: Some(Box::new(census)),
    }
}

fn full_import() -> ImportFact {
    ImportFact {
        number: 2,
        parent: 1,
        thread_id: 3,
        name: "name".into(),
        importer: "importer".into(),
        function: "function".into(),
        file: "file".into(),
        line: 4,
        at_ns: 5,
        time_ns: Some(6),
        bytes: Some(-7),
        peak_bytes: Some(8),
        failed: true,
    }
}

fn full_states() -> Batch {
    let counters = StateCounters { fresh: 3, kept_delete_ns: 1 << 40, ..Default::default() };
    Batch {
        callers: vec![CallerFact { caller: 1, module: "a.so".into(), function: Some("f".into()) }],
        states: vec![StateTotal { caller: 1, counters }],
        imports: Some(ImportsSample { bytes_known: true, imports: vec![full_import()] }),
        ..Batch::default()
    }
}
