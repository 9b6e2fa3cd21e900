//! Which pages of the target are in RAM: `/proc/PID/pagemap` (proc_pid_pagemap(5)).

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

pub const PAGE: u64 = 4096;
/// Pages asked for in one read.
const MOST: u64 = 1 << 15;
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// See the module's text.
pub struct Pages(File);

/// What of a range is where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Where {
    pub resident_bytes: u64,
    pub swapped_bytes: u64,
}

impl Pages {
    pub fn open(pid: u32) -> io::Result<Self> {
        File::open(format!("/proc/{pid}/pagemap")).map(Self)
    }

    /// Calls `with` for each run of pages in RAM that `range` touches, cut to `range`; gives the sums.
    pub fn runs(&self, range: Range<u64>, mut with: impl FnMut(Range<u64>)) -> io::Result<Where> {
        let mut sums = Where::default();
        let mut run = range.start..range.start;
        let end = range.end.div_ceil(PAGE);
        let mut page = range.start / PAGE;
        while page < end {
            let mut words = vec![0; ((end - page).min(MOST) * 8) as usize];
            self.0.read_exact_at(&mut words, page * 8)?;
            for word in words.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)) {
                let part = (page * PAGE).max(range.start)..((page + 1) * PAGE).min(range.end);
                page += 1;
                if word & PRESENT == 0 {
                    sums.swapped_bytes +=
                        if word & SWAPPED == 0 { 0 } else { part.end - part.start };
                    continue;
                }
                sums.resident_bytes += part.end - part.start;
                if run.end != part.start {
                    tell(&run, &mut with);
                    run.start = part.start;
                }
                run.end = part.end;
            }
        }
        tell(&run, &mut with);
        Ok(sums)
    }

    /// Bytes of `range` that are in RAM. An error where the kernel does not tell.
    pub fn resident_bytes(&self, range: Range<u64>) -> io::Result<u64> {
        self.runs(range, |_| ()).map(|sums| sums.resident_bytes)
    }
}

fn tell(run: &Range<u64>, with: &mut impl FnMut(Range<u64>)) {
    if !run.is_empty() {
        with(run.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memmap2::MmapMut;

    #[test]
    fn only_touched_pages_are_in_ram() {
        let mut map = MmapMut::map_anon(8 * PAGE as usize).unwrap();
        let start = map.as_ptr() as u64;
        for page in [1, 2, 5] {
            map[page * PAGE as usize] = 1;
        }
        let pages = Pages::open(std::process::id()).unwrap();
        let mut runs = vec![];
        let whole = start..start + 8 * PAGE;
        let sums =
            pages.runs(whole, |run| runs.push((run.start - start, run.end - start))).unwrap();
        // Transparent huge pages would bring more; eight pages are too few for one.
        assert_eq!(runs, [(PAGE, 3 * PAGE), (5 * PAGE, 6 * PAGE)]);
        assert_eq!(sums.resident_bytes, 3 * PAGE);
        let inner = start + PAGE + 100..start + 2 * PAGE + 50;
        assert_eq!(pages.resident_bytes(inner).unwrap(), PAGE - 50);
    }
}
