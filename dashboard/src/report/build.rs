//! Builds a [`Report`] out of a snapshot. No figure is made here but differences of times.

use super::schema::*;
use super::states::thread_states;
use crate::batch::{ThreadKey, ThreadKind};
use crate::store::{self, CpuTotals, GilTotals, Histograms, Range, Snapshot, total};

/// Samples of the process in a report at most: more than any page is wide.
const PROCESS_POINTS: usize = 2_000;

/// The report of a part of it; the window says what it truly covers.
pub fn build_range(snapshot: &Snapshot<'_>, range: Range) -> Report {
    let totals = snapshot.totals(range);
    let window = totals.map_or(snapshot.range().intersection(&range), |totals| totals.range);
    let since = |at_ns: u64| (at_ns as i64).wrapping_sub(window.start_ns as i64);
    let threads = snapshot.thread_rows(range).into_iter().map(thread).collect();
    let frames = super::frames::build(snapshot, range, since);
    let frame_notes = super::frames::notes(frames.as_ref());
    let imports = snapshot.imports(range).map(|rows| super::imports::imports(rows, since));
    let more = [frame_notes, super::imports::notes(imports.as_ref())].concat();
    let gil = totals.zip(snapshot.histograms(range));
    Report {
        schema: SCHEMA,
        target: target(snapshot.target()),
        window: Window {
            start_unix_ns: snapshot.target().anchor_unix_ns.saturating_add(window.start_ns),
            duration_ns: window.length_ns(),
        },
        ended: snapshot.ended().map(|ended| Ended {
            how: ended.how(),
            reason: ended.reason.clone(),
            at_ns: since(ended.at_ns),
        }),
        marks: marks(snapshot, range, since),
        loss: Loss {
            events_lost: total(snapshot.lost().values().copied()),
            by_cause: snapshot.lost().clone(),
        },
        experiments: crate::view::experiments(snapshot),
        gil: gil.map(|(totals, histograms)| build_gil(snapshot, &totals, &histograms)),
        threads,
        handoffs: snapshot.has_gil().then(|| handoffs(snapshot, range)),
        blame: snapshot.has_gil().then(|| snapshot.blame(range).into_iter().map(blame).collect()),
        thread_states: snapshot.states(range).map(thread_states),
        frames,
        imports,
        process: snapshot.has_cpu().then(|| process(snapshot, range, since)),
        notes: notes(snapshot, more),
    }
}

fn target(target: &crate::batch::Target) -> Target {
    let version = &target.python_version;
    Target {
        pid: target.pid,
        python_version: (!version.is_empty()).then(|| version.clone()),
        executable: target.executable.clone(),
        cmdline: target.cmdline.clone(),
        free_threaded: target.free_threaded,
        method: target.method.clone(),
        started_unix_ns: target.started_unix_ns,
    }
}

/// A whole session's report has all marks, also one set just before or after the window.
fn marks(snapshot: &Snapshot<'_>, range: Range, since: impl Fn(u64) -> i64) -> Vec<Mark> {
    let whole = range.contains(&snapshot.range());
    let inside = |at_ns: u64| range.start_ns <= at_ns && at_ns <= range.end_ns;
    let marks = snapshot.marks().iter().filter(|mark| whole || inside(mark.at_ns));
    marks.map(|mark| Mark { name: mark.name.clone(), at_ns: since(mark.at_ns) }).collect()
}

fn build_gil(snapshot: &Snapshot<'_>, totals: &GilTotals, histograms: &Histograms) -> Gil {
    Gil {
        enabled: snapshot.target().free_threaded != Some(true),
        acquires: totals.acquires,
        acquires_contended: totals.acquires_contended,
        drop_requests: totals.drop_requests,
        releases_voluntary: totals.releases_voluntary,
        releases_forced: totals.releases_forced,
        handoffs: totals.handoffs,
        held_ns: totals.held_ns,
        free_ns: totals.free_ns,
        utilization: totals.utilization(),
        waiters_mean: totals.waiters_mean(),
        hold: distribution(&histograms.hold),
        wait: distribution(&histograms.wait),
        drop_to_release: distribution(&histograms.drop_to_release),
        wake: distribution(&histograms.wake),
    }
}

fn distribution(from: &store::Distribution) -> Distribution {
    Distribution {
        count: from.count,
        sum_ns: from.sum_ns,
        p50_ns: from.p50_ns,
        p95_ns: from.p95_ns,
        p99_ns: from.p99_ns,
        max_ns: from.max_ns,
    }
}

fn thread(row: store::ThreadRow) -> Thread {
    let cpu = |of: fn(&CpuTotals) -> u64| row.cpu.as_ref().map(of);
    // Only the sum is known of threads that ended between two samples.
    let split = |of: fn(&CpuTotals) -> u64| cpu(of).filter(|_| row.key != store::EXITED);
    Thread {
        thread_id: row.thread_id,
        is_main: row.is_main,
        kind: Some(row.kind).filter(|kind| *kind != ThreadKind::Native || row.gil.is_some()),
        alive: row.alive,
        cpu_ns: cpu(|cpu| cpu.cpu_ns),
        cpu_user_ns: split(|cpu| cpu.cpu_user_ns),
        cpu_system_ns: split(|cpu| cpu.cpu_system_ns),
        runqueue_ns: split(|cpu| cpu.runqueue_ns),
        switches_voluntary: split(|cpu| cpu.switches_voluntary),
        switches_forced: split(|cpu| cpu.switches_forced),
        class: row.class,
        gil: row.gil.map(|gil| ThreadGil {
            acquires: gil.acquires,
            acquires_contended: gil.acquires_contended,
            hold_ns: gil.hold_ns,
            wait_ns: gil.wait_ns,
            wait_inflicted_ns: gil.wait_inflicted_ns,
            drop_requests_received: gil.drop_requests_received,
            releases_forced: gil.releases_forced,
        }),
        name: row.name,
    }
}

fn handoffs(snapshot: &Snapshot<'_>, range: Range) -> Vec<Handoff> {
    let id = |key: ThreadKey| snapshot.thread(key).map_or(0, |fact| fact.thread_id);
    let row = |row: store::HandoffRow| Handoff {
        from_thread: id(row.from),
        to_thread: id(row.to),
        count: row.count,
        wait_ns: row.wait_ns,
    };
    snapshot.handoffs(range).into_iter().map(row).collect()
}

fn blame(row: store::BlameRow) -> Blame {
    Blame {
        thread_id: row.thread_id,
        function: row.function,
        file: row.file,
        line: row.line,
        waits: row.waits,
        wait_inflicted_ns: row.wait_inflicted_ns,
        native_module: row.native_module,
    }
}

fn process(snapshot: &Snapshot<'_>, range: Range, since: impl Fn(u64) -> i64) -> Vec<ProcessPoint> {
    let point = |point: store::ProcessPoint| ProcessPoint {
        at_ns: since(point.at_ns),
        rss_bytes: point.rss_bytes,
        uss_bytes: point.uss_bytes,
        threads: point.threads,
        cpu_ns: point.cpu_ns,
    };
    snapshot.process_points(range, PROCESS_POINTS).into_iter().map(point).collect()
}

fn notes(snapshot: &Snapshot<'_>, more: Vec<Note>) -> Vec<Note> {
    let note =
        |section: &str, reason: &str| Note { section: section.into(), reason: reason.into() };
    let known = snapshot.notes();
    let mut notes: Vec<_> = known.iter().map(|(section, reason)| note(section, reason)).collect();
    let mut explain = |section: &str, reason: &str| {
        if !known.contains_key(section) {
            notes.push(note(section, reason));
        }
    };
    if !snapshot.has_gil() {
        explain("gil", "no figures arrived: the probe was off or the session ended at once");
    }
    if !snapshot.has_cpu() {
        explain("process", "no sample arrived: the probe was off or the session ended at once");
    }
    if !snapshot.has_frames() {
        explain("frames", "no figures arrived: the probe was off or the session ended at once");
    }
    if !snapshot.has_states() {
        explain(
            "thread_states",
            "no figures arrived: the probe or the gil probe, on which it stands, was off",
        );
    }
    if !snapshot.has_imports() {
        explain(
            "imports",
            "no figures arrived: the probe was off (--probes gil,cpu,imports) or the session ended at once",
        );
    }
    notes.extend(more);
    let unsampled = snapshot.has_exited();
    let of_exited = "exited threads: of threads that lived between two samples only the sum of their CPU is known";
    notes.extend(unsampled.then(|| note("threads", of_exited)));
    notes
}
