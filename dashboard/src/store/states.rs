//! Thread states: taking them in, and answering who made them over a range.

use super::Store;
use super::answers::{Pixels, Range};
use super::bins::{GilBin, Rows, add_rows};
use super::counters::Counters;
use super::series::{Share, means};
use super::snapshot::Snapshot;
use super::states_answers::{StateRow, StateSeries, StateTotals};
use super::{extend, has_room};
use crate::batch::{Batch, StateCounters, StateTotal};

impl Store {
    /// Before the GIL's totals, with which the bin closes.
    pub(super) fn take_states(&mut self, batch: &Batch) {
        let most = self.limits.table;
        let facts = batch.callers.iter().map(|fact| (fact.caller, fact.clone()));
        extend(&mut self.callers, facts, most);
        for row in &batch.states {
            if !has_room(&self.states, &row.caller, most) {
                continue;
            }
            let before = self.states.insert(row.caller, row.counters).unwrap_or_default();
            let more = row.counters.since(&before);
            if more != StateCounters::default() {
                let bin: &mut GilBin = &mut self.gil_pending;
                add_rows(&mut bin.states, vec![(row.caller, more)], Counters::add);
            }
        }
    }
}

impl Snapshot<'_> {
    /// Whether thread states are watched.
    pub fn has_states(&self) -> bool {
        self.store.states.contains_key(&StateTotal::PROCESS)
    }

    /// Who made thread states in a range, the dearest first, and all together; none if they are not
    /// watched.
    pub fn states(&self, range: Range) -> Option<StateTotals> {
        if !self.has_states() {
            return None;
        }
        let (bounds, sums) = self.state_sums(range);
        let mut all = StateCounters::default();
        for (caller, row) in &sums {
            let mut row = *row;
            if *caller == StateTotal::PROCESS {
                // Not a cycle of the program's.
                (row.kept_cycles, row.kept_create_ns) = (0, 0);
            }
            all.add(&row);
        }
        let mut rows: Vec<StateRow> = sums
            .into_iter()
            .filter(|(caller, _)| *caller != StateTotal::PROCESS)
            .map(|(caller, counters)| self.state_row(caller, counters))
            .collect();
        rows.sort_by_key(|row| {
            (std::cmp::Reverse((row.counters.cost_ns(), row.counters.calls())), row.caller)
        });
        let live = self.store.states.values().fold(0i64, |sum, row| {
            let made = row.fresh.saturating_add(row.made);
            let gone = row.fresh_deleted.saturating_add(row.deleted);
            sum.saturating_add_unsigned(made).saturating_sub_unsigned(gone)
        });
        let own = self.store.states.get(&StateTotal::PROCESS).and_then(StateCounters::kept_pair_ns);
        let calibrated_kept_ns = own.map(|ns| ns as u64);
        let callers = rows;
        Some(StateTotals { range: bounds, all, live_temporary: live, calibrated_kept_ns, callers })
    }

    fn state_sums(&self, range: Range) -> (Range, Rows<u32, StateCounters>) {
        if self.is_whole(range) {
            let whole = self.store.states.iter().map(|(key, row)| (*key, *row)).collect();
            return (self.totals(range).map_or(range, |totals| totals.range), whole);
        }
        let (bounds, bins) = self.store.gil.within(range);
        let mut sums = vec![];
        bins.for_each(|bin| add_rows(&mut sums, bin.states.clone(), Counters::add));
        (bounds, sums)
    }

    fn state_row(&self, caller: u32, counters: StateCounters) -> StateRow {
        let fact = self.store.callers.get(&caller);
        StateRow {
            caller,
            module: fact.map_or_else(|| "unknown".to_owned(), |fact| fact.module.clone()),
            function: fact.and_then(|fact| fact.function.clone()),
            counters,
        }
    }
}

impl Snapshot<'_> {
    /// Thread states in at most about `px` pixels; none if they are not watched.
    pub fn state_series(&self, range: Range, px: usize) -> Option<StateSeries> {
        if !self.has_states() {
            return None;
        }
        let clip = self.store.gil.range().intersection(&range);
        let pixels = Pixels::over(clip, px);
        let mut covered = vec![0.0; pixels.count];
        let mut sums: [Vec<f64>; FIGURES.len()] = std::array::from_fn(|_| vec![0.0; pixels.count]);
        for bin in self.store.gil.bins() {
            let share = Share::new(pixels, clip, bin.range);
            let mut all = StateCounters::default();
            bin.states.iter().for_each(|(_, row)| all.add(row));
            share.each(|pixel, part| {
                covered[pixel] += part * share.bin_ns;
                for (sum, figure) in sums.iter_mut().zip(FIGURES) {
                    sum[pixel] += figure(&all) as f64 * part;
                }
            });
        }
        let rate = |at: usize| -> Vec<f32> {
            means(&sums[at], &covered).into_iter().map(|per_ns| per_ns * 1e9).collect()
        };
        // No cycle ended: there is no mean, not one of 0.
        let each = |at: usize| -> Vec<Option<f32>> {
            let cycles = sums[CYCLES].iter();
            let mean = |(sum, n): (&f64, &f64)| (*n > 0.0).then(|| (sum / n) as f32);
            sums[at].iter().zip(cycles).map(mean).collect()
        };
        Some(StateSeries {
            range: clip,
            pixels,
            created_per_s: rate(0),
            deleted_per_s: rate(1),
            kept_per_s: rate(2),
            create_ns: each(4),
            gil_wait_ns: each(5),
            run_ns: each(6),
            chunk_ns: each(7),
            delete_ns: each(8),
        })
    }
}

/// Where the cycles stand in [`FIGURES`].
const CYCLES: usize = 3;

type Figure = fn(&StateCounters) -> u64;

/// What a series is summed of.
const FIGURES: [Figure; 9] = [
    StateCounters::created,
    StateCounters::deleted_in_all,
    |row| row.kept,
    |row| row.cycles,
    |row| row.create_ns,
    |row| row.gil_wait_ns,
    |row| row.run_ns,
    |row| row.chunk_ns,
    |row| row.delete_ns,
];
