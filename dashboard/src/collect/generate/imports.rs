//! What the simulated program imports when it begins: a tree of a few dozen modules with round figures.

use crate::batch::{ImportFact, ImportsSample};

/// Name, depth, own KiB, own time in µs.
const MODULES: [(&str, u32, i64, u64); 24] = [
    ("server.settings", 0, 12, 400),
    ("logging", 1, 310, 1_900),
    ("traceback", 2, 96, 700),
    ("linecache", 3, 24, 300),
    ("tokenize", 4, 210, 1_400),
    ("string", 2, 60, 500),
    ("json", 1, 18, 200),
    ("json.decoder", 2, 75, 600),
    ("json.encoder", 2, 44, 400),
    ("asyncio", 0, 160, 1_200),
    ("concurrent.futures", 1, 130, 900),
    ("ssl", 1, 820, 5_200),
    ("socket", 2, 240, 1_600),
    ("selectors", 3, 88, 500),
    ("asyncio.events", 1, 190, 1_100),
    ("frame_work", 0, 420, 3_000),
    ("frame_work.models", 1, 2_600, 14_000),
    ("decimal", 2, 140, 800),
    ("frame_work.views", 1, 1_150, 8_000),
    ("template_engine", 2, 1_700, 11_000),
    ("re", 3, 330, 2_100),
    ("fast_speedups", 2, 0, 150),
    ("numbers_of_all_kinds", 0, 5_400, 31_000),
    ("numbers_of_all_kinds.linear", 1, 3_100, 18_000),
];
/// The one that fails.
const MISSING: &str = "fast_speedups";

/// All of them, one after the other from the session's beginning on.
pub fn at_the_start() -> ImportsSample {
    let mut path: Vec<u32> = vec![];
    let mut at_ns = 1_000_000;
    let mut imports: Vec<ImportFact> = vec![];
    for (number, (name, depth, kib, own_us)) in (1..).zip(MODULES) {
        path.truncate(depth as usize);
        let parent = path.last().copied().unwrap_or(0);
        path.push(number);
        let importer = imports.get((parent as usize).wrapping_sub(1)).map(|fact| fact.name.clone());
        imports.push(ImportFact {
            number,
            parent,
            thread_id: 4242,
            name: name.into(),
            importer: importer.unwrap_or_else(|| "__main__".into()),
            function: "<module>".into(),
            file: "/srv/app/server.py".into(),
            line: 3 + number,
            at_ns,
            time_ns: Some(0),
            bytes: Some(0),
            peak_bytes: Some(0),
            failed: name == MISSING,
        });
        for at in &path {
            add(&mut imports, *at, own_us * 1000, kib << 10);
        }
        at_ns += own_us * 1000;
    }
    ImportsSample { bytes_known: true, imports }
}

fn add(imports: &mut [ImportFact], number: u32, ns: u64, bytes: i64) {
    let Some(fact) = imports.get_mut(number as usize - 1) else { return };
    fact.time_ns = fact.time_ns.map(|all| all + ns);
    fact.bytes = fact.bytes.map(|all| all + bytes);
    fact.peak_bytes = fact.peak_bytes.map(|all| all + bytes.unsigned_abs());
}
