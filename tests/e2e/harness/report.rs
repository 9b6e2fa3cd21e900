//! A report as the tests read it: numbers by path, threads by name, and the sums that always hold.

use super::process::Process;
use super::session::gilscope;
use serde_json::Value;
use std::path::Path;

/// A parsed `report.json`.
#[derive(Debug)]
pub(crate) struct Report(pub Value);

impl Report {
    /// Makes the report of a recording with `gilscope report`.
    pub(crate) fn of(recording: &Path) -> Self {
        let folder = super::scratch();
        let json = folder.path().join("report.json");
        let ended =
            Process::start(gilscope().arg("report").arg(recording).arg("-o").arg(&json)).finish();
        assert!(ended.status.success(), "report failed: {ended:?}");
        let text = std::fs::read_to_string(&json).expect("report.json");
        let value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("report is not JSON: {e}"));
        let report = Self(value);
        assert_eq!(report.0["schema"], "gilscope.report/1");
        report
    }

    /// The value at a dotted path, such as "gil.hold.count".
    pub(crate) fn at(&self, path: &str) -> &Value {
        path.split('.').fold(&self.0, |value, key| &value[key])
    }

    /// The number at a dotted path; a null or a missing one is a failure that shows the notes.
    pub(crate) fn n(&self, path: &str) -> u64 {
        self.at(path)
            .as_u64()
            .unwrap_or_else(|| panic!("{path} is {}; notes {}", self.at(path), self.0["notes"]))
    }

    /// The ratio at a dotted path.
    pub(crate) fn ratio(&self, path: &str) -> f64 {
        self.at(path).as_f64().unwrap_or_else(|| panic!("{path} is {}", self.at(path)))
    }

    /// The rows of a table.
    pub(crate) fn rows(&self, path: &str) -> &[Value] {
        self.at(path)
            .as_array()
            .unwrap_or_else(|| panic!("{path} is {}; notes {}", self.at(path), self.0["notes"]))
    }

    /// The sum of a column of a table; null cells are a failure, but for the GIL of exited threads (a row without a
    /// thread id): its figures may all stand in rows of their own.
    pub(crate) fn sum(&self, table: &str, column: &str) -> u64 {
        let is_elsewhere = |row: &&Value| row["thread_id"] == 0 && row["gil"].is_null();
        let rows = self.rows(table).iter();
        rows.filter(|row| !(column.starts_with("gil.") && is_elsewhere(row)))
            .map(|row| cell(row, column))
            .sum()
    }

    /// The one thread of this name.
    pub(crate) fn thread(&self, name: &str) -> &Value {
        let found: Vec<_> = self.rows("threads").iter().filter(|t| t["name"] == name).collect();
        let names = || self.rows("threads").iter().map(|t| t["name"].clone()).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "threads named {name:?} among {:?}", names());
        found[0]
    }

    /// What holds for every report with a GIL section, whatever the program did.
    ///
    /// `quiet`: no thread held or waited for the GIL at either end of the window, so that what began
    /// also ended within it and counts agree to the unit.
    pub(crate) fn check_sums(&self, quiet: bool) {
        let window_ns = self.n("window.duration_ns");
        let known_ns = self.n("gil.held_ns") + self.n("gil.free_ns");
        assert!(
            known_ns.abs_diff(window_ns) * 1000 <= window_ns,
            "held + free = {known_ns}, window {window_ns}"
        );
        let threads = "threads";
        assert_eq!(
            self.sum(threads, "gil.acquires"),
            self.n("gil.acquires"),
            "acquires of the threads"
        );
        assert_eq!(self.sum(threads, "gil.acquires_contended"), self.n("gil.acquires_contended"));
        assert_eq!(self.sum(threads, "gil.hold_ns"), self.n("gil.held_ns"), "holds of the threads");
        assert_eq!(self.sum(threads, "gil.releases_forced"), self.n("gil.releases_forced"));
        assert_eq!(self.sum("handoffs", "count"), self.n("gil.handoffs"), "handoffs of the pairs");
        let wait_ns = self.sum(threads, "gil.wait_ns");
        let inflicted_ns = self.sum(threads, "gil.wait_inflicted_ns");
        let blamed_ns = self.sum("blame", "wait_inflicted_ns");
        // Waiters of 2.7 are not serialised (probes/suite, semaphore.rs): there the two sums may differ,
        // and a waiter looks but once, so that an open wait may have been open for long.
        let old = self.at("target.python_version").as_str().is_some_and(|v| v.starts_with("2."));
        // Waits that are open when gilscope leaves are blamed up to their last look only.
        let open_ns = if quiet { 0 } else { 50_000_000 + wait_ns / 50 };
        let allowed_ns = if old { wait_ns / 10 + open_ns } else { open_ns };
        let most_ns = if old { wait_ns + wait_ns / 100 + 1_000_000 } else { wait_ns };
        assert!(inflicted_ns <= most_ns, "inflicted {inflicted_ns} of {wait_ns} waited");
        assert!(
            blamed_ns.abs_diff(inflicted_ns) <= allowed_ns,
            "blame covers {blamed_ns} of {inflicted_ns} inflicted"
        );
        if quiet {
            let releases = self.n("gil.releases_voluntary") + self.n("gil.releases_forced");
            assert_eq!(releases, self.n("gil.acquires"), "what was acquired was released");
            assert_eq!(self.n("gil.hold.count"), releases);
            assert_eq!(self.n("gil.hold.sum_ns"), self.n("gil.held_ns"));
            assert_eq!(self.n("gil.wait.count"), self.n("gil.acquires_contended"));
            assert_eq!(self.n("gil.wait.sum_ns"), wait_ns);
        }
    }
}

/// The number in a row at a dotted path.
pub(crate) fn cell(row: &Value, column: &str) -> u64 {
    let value = column.split('.').fold(row, |value, key| &value[key]);
    value.as_u64().unwrap_or_else(|| panic!("{column} is {value} in {row}"))
}
