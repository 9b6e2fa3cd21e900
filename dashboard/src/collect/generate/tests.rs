//! The generator keeps the contract of a batch.

use super::*;

#[test]
fn the_simulation_loses_no_nanosecond() {
    let scenario = Scenario { duration_ns: 10_000_000_000, churn_per_s: 20, ..Default::default() };
    let mut threads = std::collections::BTreeMap::new();
    for batch in scenario.batches() {
        threads.extend(batch.thread_gil.iter().map(|row| (row.key, row.clone())));
        let Some(gil) = &batch.gil else { continue };
        assert_eq!(gil.held_ns + gil.free_ns, gil.at_ns - gil.window_start_ns);
        let sum = |of: fn(&crate::batch::ThreadGil) -> u64| threads.values().map(of).sum::<u64>();
        assert_eq!(sum(|row| row.hold_ns), gil.held_ns);
        assert_eq!(sum(|row| row.wait_ns), gil.waited_ns);
        assert_eq!(sum(|row| row.acquires), gil.acquires);
        assert_eq!(sum(|row| row.wait_inflicted_ns + row.wait_free_ns), gil.waited_ns);
    }
    assert!(threads.len() > 200, "{} threads", threads.len());
}

#[test]
fn the_same_seed_gives_the_same_batches() {
    let scenario = Scenario { duration_ns: 1_000_000_000, ..Default::default() };
    assert!(scenario.batches().eq(scenario.batches()));
    let other = Scenario { seed: 2, ..scenario.clone() };
    assert!(!scenario.batches().eq(other.batches()));
}
