//! Series over time, answered in pixels: means that stay additive, and maxima.
//!
//! A bin's figures are taken as spread evenly over its span. Pixels at the ends that data covers
//! only in part are averaged over the covered part.

use super::answers::*;
use super::bins::{CpuBin, CpuRow, GilBin};
use super::counters::total;
use super::snapshot::Snapshot;
use crate::batch::ThreadKey;
use std::collections::BTreeMap;

/// A band while it is summed: ns of CPU per pixel.
#[derive(Default)]
struct Band {
    cpu_ns: f64,
    sum: Vec<f64>,
    max: Vec<f32>,
    /// holding, unknown, runnable; empty unless they are asked for.
    parts: [Vec<f64>; 3],
}

impl Band {
    fn add(&mut self, share: &Share, row: &CpuRow) {
        self.sum.resize(share.pixels.count, 0.0);
        self.max.resize(share.pixels.count, 0.0);
        share.each(|pixel, part| {
            let cpu_ns = row.totals.cpu_ns as f64 * part;
            self.cpu_ns += cpu_ns;
            self.sum[pixel] += cpu_ns;
            self.max[pixel] = self.max[pixel].max(row.cores_max);
        });
    }

    fn add_parts(&mut self, share: &Share, row: &CpuRow) {
        let CpuParts { holding_ns, unknown_ns } = row.parts;
        let values = [holding_ns, unknown_ns, row.totals.runqueue_ns];
        for (sum, value) in self.parts.iter_mut().zip(values) {
            sum.resize(share.pixels.count, 0.0);
            share.each(|pixel, part| sum[pixel] += value as f64 * part);
        }
    }

    /// The parts of a finished band.
    fn finish_parts(&self, band: &CpuBand, covered: &[f64]) -> BandParts {
        let [holding_ns, unknown_ns, runnable_ns] =
            self.parts.each_ref().map(|sum| sum.iter().sum::<f64>().round() as u64);
        let [holding, unknown, runnable] = self.parts.each_ref().map(|sum| means(sum, covered));
        let rest = |at: usize| (band.mean[at] - holding[at] - unknown[at]).max(0.0);
        let running = (0..holding.len()).map(rest).collect();
        // Rounded apart, three parts could be one ns more than the whole.
        let holding_ns = holding_ns.min(band.cpu_ns);
        let unknown_ns = unknown_ns.min(band.cpu_ns - holding_ns);
        let running_ns = band.cpu_ns - holding_ns - unknown_ns;
        let runnable_ns = (band.of != BandOf::Exited).then_some(runnable_ns);
        BandParts {
            holding_ns,
            running_ns,
            unknown_ns,
            runnable_ns,
            holding,
            running,
            unknown,
            runnable,
        }
    }

    fn finish(mut self, of: BandOf, name: String, covered: &[f64]) -> CpuBand {
        self.sum.resize(covered.len(), 0.0);
        self.max.resize(covered.len(), 0.0);
        let mean = means(&self.sum, covered);
        let max = std::mem::take(&mut self.max);
        let cpu_ns = self.cpu_ns.round() as u64;
        let mut band = CpuBand { of, name, cpu_ns, mean, max, parts: None };
        if !self.parts[0].is_empty() {
            band.parts = Some(self.finish_parts(&band, covered));
        }
        band
    }
}

/// The part of a bin that lies in each pixel.
pub(super) struct Share {
    pixels: Pixels,
    inside: Range,
    pub(super) bin_ns: f64,
}

impl Share {
    pub(super) fn new(pixels: Pixels, clip: Range, bin: Range) -> Self {
        Self { pixels, inside: bin.intersection(&clip), bin_ns: bin.length_ns() as f64 }
    }

    /// Calls `with(pixel, part of the bin, 0 to 1)`.
    pub(super) fn each(&self, mut with: impl FnMut(usize, f64)) {
        self.pixels.spread(self.inside, |pixel, ns| with(pixel, ns as f64 / self.bin_ns));
    }
}

pub(super) fn means(sum: &[f64], weight: &[f64]) -> Vec<f32> {
    let mean =
        |(sum, weight): (&f64, &f64)| if *weight > 0.0 { (sum / weight) as f32 } else { 0.0 };
    sum.iter().zip(weight).map(mean).collect()
}

impl Snapshot<'_> {
    /// CPU per thread in at most about `px` pixels. Threads without CPU in the range have no band.
    pub fn cpu(&self, range: Range, px: usize) -> CpuSeries {
        self.cpu_series(range, px, Band::add)
    }

    /// The same with each band's parts.
    pub fn cpu_in_parts(&self, range: Range, px: usize) -> CpuSeries {
        self.cpu_series(range, px, |band, share, row| {
            band.add(share, row);
            band.add_parts(share, row);
        })
    }

    fn cpu_series(
        &self,
        range: Range,
        px: usize,
        add: impl Fn(&mut Band, &Share, &CpuRow),
    ) -> CpuSeries {
        let clip = self.store.cpu.range().intersection(&range);
        let pixels = Pixels::over(clip, px);
        let mut covered = vec![0.0; pixels.count];
        let mut total = Band::default();
        let mut exited = Band::default();
        let mut threads: BTreeMap<ThreadKey, Band> = BTreeMap::new();
        for bin in self.store.cpu.bins() {
            let share = Share::new(pixels, clip, bin.range);
            if share.inside.is_empty() {
                continue;
            }
            pixels.spread(share.inside, |pixel, ns| covered[pixel] += ns as f64);
            total.add(&share, &process_row(bin));
            add(&mut exited, &share, &bin.exited);
            for (key, row) in &bin.threads {
                add(threads.entry(*key).or_default(), &share, row);
            }
        }
        let mut bands: Vec<_> = threads
            .into_iter()
            .map(|(key, band)| band.finish(self.band_of(key), self.thread_name(key), &covered))
            .collect();
        bands.sort_by_key(|band| !matches!(band.of, BandOf::Main(_)));
        if exited.cpu_ns > 0.0 {
            bands.push(exited.finish(BandOf::Exited, "exited threads".into(), &covered));
        }
        let total = total.finish(BandOf::Exited, String::new(), &covered);
        let (total_mean, total_max) = (total.mean, total.max);
        CpuSeries { range: clip, pixels, bands, total_mean, total_max }
    }

    fn band_of(&self, key: ThreadKey) -> BandOf {
        match self.thread(key) {
            Some(fact) if fact.is_main => BandOf::Main(key),
            _ => BandOf::Thread(key),
        }
    }

    /// The GIL in at most about `px` pixels; null when it is not watched.
    pub fn gil(&self, range: Range, px: usize) -> Option<GilSeries> {
        self.store.gil_last.as_ref()?;
        let clip = self.store.gil.range().intersection(&range);
        let pixels = Pixels::over(clip, px);
        let mut sums = GilSums::new(pixels);
        for bin in self.store.gil.bins() {
            sums.add(&Share::new(pixels, clip, bin.range), bin);
        }
        let [held, waited, handoffs, drops, acquires] = &sums.sums;
        let rate = |counts: &[f64]| -> Vec<f32> {
            means(counts, &sums.covered).into_iter().map(|per_ns| per_ns * 1e9).collect()
        };
        Some(GilSeries {
            range: clip,
            pixels,
            utilization_mean: means(held, &sums.covered),
            waiters_mean: means(waited, &sums.covered),
            handoffs_per_s: rate(handoffs),
            drop_requests_per_s: rate(drops),
            acquires_per_s: rate(acquires),
            utilization_max: sums.utilization_max,
            waiters_max: sums.waiters_max,
        })
    }

    /// The process in at most about `px` pixels.
    pub fn process(&self, range: Range, px: usize) -> ProcessSeries {
        let clip = self.store.cpu.range().intersection(&range);
        let pixels = Pixels::over(clip, px);
        let mut busy = vec![(0.0, 0.0); pixels.count];
        let none = || vec![None; pixels.count];
        let mut series = ProcessSeries { range: clip, pixels, ..Default::default() };
        (series.rss_bytes, series.uss_bytes) = (none(), none());
        series.threads = vec![None; pixels.count];
        for bin in self.store.cpu.bins().filter(|bin| bin.process.is_some()) {
            let share = Share::new(pixels, clip, bin.range);
            share.each(|pixel, part| {
                let rss = &mut series.rss_bytes[pixel];
                *rss = (*rss).max(Some(bin.rss_bytes_max));
                let uss = &mut series.uss_bytes[pixel];
                *uss = (*uss).max(bin.uss_bytes_max);
                let threads = &mut series.threads[pixel];
                *threads = (*threads).max(Some(bin.threads_max));
                busy[pixel].0 += bin.host_busy_ns * part;
                busy[pixel].1 += share.bin_ns * part;
            });
        }
        let ratio = |(busy, ns): (f64, f64)| (ns > 0.0).then_some((busy / ns) as f32);
        series.host_cpu_ratio = busy.into_iter().map(ratio).collect();
        series
    }

    /// Samples of the process in the range, at most `limit`, evenly thinned.
    pub fn process_points(&self, range: Range, limit: usize) -> Vec<ProcessPoint> {
        let inside = |at_ns: u64| range.start_ns <= at_ns && at_ns <= range.end_ns;
        let first = self.store.process.map(|(first, _)| first);
        let later = self.store.cpu.bins().filter_map(|bin| bin.process);
        let all: Vec<_> = first.into_iter().chain(later).filter(|p| inside(p.at_ns)).collect();
        let step = all.len().div_ceil(limit.max(1)).max(1);
        let last = all.len().saturating_sub(1);
        let kept = all.iter().enumerate().filter(|(at, _)| (last - at) % step == 0);
        kept.map(|(_, sample)| point(sample)).collect()
    }
}

fn point(sample: &crate::batch::ProcessSample) -> ProcessPoint {
    ProcessPoint {
        at_ns: sample.at_ns,
        rss_bytes: sample.rss_bytes,
        uss_bytes: sample.uss_bytes,
        threads: sample.threads,
        cpu_ns: sample.cpu_ns,
    }
}

fn process_row(bin: &CpuBin) -> CpuRow {
    let totals = CpuTotals { cpu_ns: bin.process_cpu_ns, ..Default::default() };
    CpuRow { totals, cores_max: bin.cores_max, ..Default::default() }
}

/// The GIL per pixel while it is summed.
struct GilSums {
    covered: Vec<f64>,
    /// held_ns, waited_ns, handoffs, drop requests, acquires.
    sums: [Vec<f64>; 5],
    utilization_max: Vec<f32>,
    waiters_max: Vec<f32>,
}

impl GilSums {
    fn new(pixels: Pixels) -> Self {
        let zeros = || vec![0.0; pixels.count];
        Self {
            covered: zeros(),
            sums: std::array::from_fn(|_| zeros()),
            utilization_max: vec![0.0; pixels.count],
            waiters_max: vec![0.0; pixels.count],
        }
    }

    fn add(&mut self, share: &Share, bin: &GilBin) {
        let t = &bin.totals;
        let values = [t.held_ns, t.waited_ns, t.handoffs, t.drop_requests, t.acquires];
        share.each(|pixel, part| {
            self.covered[pixel] += part * share.bin_ns;
            for (sum, value) in self.sums.iter_mut().zip(values) {
                sum[pixel] += value as f64 * part;
            }
            self.utilization_max[pixel] = self.utilization_max[pixel].max(bin.utilization_max);
            self.waiters_max[pixel] = self.waiters_max[pixel].max(bin.waiters_max);
        });
    }
}

impl CpuSeries {
    /// The same stack with only the `n` busiest threads besides the main one; the rest are summed
    /// into "N more threads". Still additive; that band's `max` is a lower bound.
    pub fn busiest(mut self, n: usize) -> Self {
        let mut busy: Vec<u64> = self.threads().map(|band| band.cpu_ns).collect();
        busy.sort_unstable_by(|a, b| b.cmp(a));
        if busy.len() <= n + 1 {
            return self; // One more band takes no more room than "1 more thread".
        }
        let (mut room, least) = (n, busy[n]);
        let stays = |band: &mut CpuBand| {
            let kept = band.cpu_ns > least && room > 0;
            room -= usize::from(kept && matches!(band.of, BandOf::Thread(_)));
            kept || !matches!(band.of, BandOf::Thread(_))
        };
        let rest: Vec<CpuBand> = extract_rest(&mut self.bands, stays);
        let before_exited = self.bands.iter().filter(|band| band.of != BandOf::Exited).count();
        self.bands.insert(before_exited, sum_bands(&rest, self.pixels.count));
        self
    }

    /// The same stack with these threads summed into one band of that name, if there are any.
    pub fn together(mut self, name: &str, these: impl Fn(ThreadKey) -> bool) -> Self {
        let stays = |band: &mut CpuBand| !matches!(band.of, BandOf::Thread(key) if these(key));
        let rest: Vec<CpuBand> = extract_rest(&mut self.bands, stays);
        if !rest.is_empty() {
            let before_exited = self.bands.iter().filter(|b| b.of != BandOf::Exited).count();
            let name = name.to_owned();
            let sum = CpuBand { name, ..sum_bands(&rest, self.pixels.count) };
            self.bands.insert(before_exited, sum);
        }
        self
    }

    fn threads(&self) -> impl Iterator<Item = &CpuBand> {
        self.bands.iter().filter(|band| matches!(band.of, BandOf::Thread(_)))
    }
}

fn extract_rest(
    bands: &mut Vec<CpuBand>,
    mut stays: impl FnMut(&mut CpuBand) -> bool,
) -> Vec<CpuBand> {
    bands.extract_if(.., |band| !stays(band)).collect()
}

fn sum_bands(bands: &[CpuBand], pixels: usize) -> CpuBand {
    let mut sum = CpuBand {
        of: BandOf::More(bands.len()),
        name: format!("{} more threads", bands.len()),
        cpu_ns: total(bands.iter().map(|band| band.cpu_ns)),
        mean: vec![0.0; pixels],
        max: vec![0.0; pixels],
        parts: sum_parts(bands, pixels),
    };
    for band in bands {
        for pixel in 0..pixels {
            sum.mean[pixel] += band.mean[pixel];
            sum.max[pixel] = sum.max[pixel].max(band.max[pixel]);
        }
    }
    sum
}

fn sum_parts(bands: &[CpuBand], pixels: usize) -> Option<BandParts> {
    let zeros = || vec![0.0; pixels];
    let mut sum = BandParts {
        holding: zeros(),
        running: zeros(),
        unknown: zeros(),
        runnable: zeros(),
        ..Default::default()
    };
    let add = |sum: &mut [f32], more: &[f32]| {
        sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    };
    for band in bands {
        let parts = band.parts.as_ref()?;
        sum.holding_ns = sum.holding_ns.saturating_add(parts.holding_ns);
        sum.running_ns = sum.running_ns.saturating_add(parts.running_ns);
        sum.unknown_ns = sum.unknown_ns.saturating_add(parts.unknown_ns);
        let runnable_ns = sum.runnable_ns.unwrap_or(0);
        let runnable = parts.runnable_ns.map(|more| runnable_ns.saturating_add(more));
        sum.runnable_ns = runnable.or(sum.runnable_ns);
        add(&mut sum.holding, &parts.holding);
        add(&mut sum.running, &parts.running);
        add(&mut sum.unknown, &parts.unknown);
        add(&mut sum.runnable, &parts.runnable);
    }
    Some(sum)
}
