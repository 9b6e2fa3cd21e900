//! Thread states as a collector would see them: a pool that makes one a call, and one that keeps them.

use crate::batch::{CallerFact, StateCounters, StateTotal};

/// Calls a second of the pool that keeps nothing, and of the one that does.
const FRESH_PER_S: u64 = 2_000;
const KEPT_PER_S: u64 = 9_000;

/// The two callers.
pub fn callers() -> Vec<CallerFact> {
    let fact = |caller, module: &str, function: Option<&str>| CallerFact {
        caller,
        module: module.to_owned(),
        function: function.map(str::to_owned),
    };
    vec![fact(1, "polars.abi3.so", None), fact(2, "_decoder.so", Some("decoder_on_frame"))]
}

/// What they did by `at_ns`; the first row is of what no caller accounts for.
pub fn totals(at_ns: u64) -> Vec<StateTotal> {
    let n = |per_s: u64| (u128::from(at_ns) * u128::from(per_s) / 1_000_000_000) as u64;
    let fresh = n(FRESH_PER_S);
    let pool = StateCounters {
        fresh,
        nested: fresh / 4,
        fresh_deleted: fresh,
        threads: 8.min(fresh),
        maps: fresh,
        unmaps: fresh,
        cycles: fresh,
        create_ns: fresh * 310,
        gil_wait_ns: fresh * 900,
        run_ns: fresh * 2_400,
        chunk_ns: fresh * 3_900,
        delete_ns: fresh * 240,
        ..StateCounters::default()
    };
    let kept = n(KEPT_PER_S);
    let timed = kept / 8;
    let keeper = StateCounters {
        fresh: 2.min(kept),
        kept,
        threads: 2.min(kept),
        kept_cycles: timed,
        kept_create_ns: timed * 45,
        kept_gil_wait_ns: timed * 700,
        kept_run_ns: timed * 2_100,
        kept_delete_ns: timed * 35,
        ..StateCounters::default()
    };
    let row = |(caller, counters)| StateTotal { caller, counters };
    [(0, StateCounters::default()), (1, pool), (2, keeper)].map(row).to_vec()
}
