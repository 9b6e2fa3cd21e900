//! Fills the plain tables: what other programs read of a recording.
//!
//! Counters are kept per living thread so that a row holds what came on top; nothing here is needed
//! for replay.

use crate::batch::*;
use rusqlite::{Connection, Result, params};
use std::collections::BTreeMap;

/// The last figures written, to difference against.
#[derive(Debug, Default)]
pub struct Rows {
    cpu: BTreeMap<ThreadKey, u64>,
    cpu_begun: bool,
    gil: BTreeMap<ThreadKey, ThreadGil>,
    totals: Option<GilSample>,
}

/// One second of one thread.
#[derive(Default)]
struct Rollup {
    cpu_ns: u64,
    gil: ThreadGil,
}

impl Rows {
    /// Writes the rows of about a second of batches.
    pub fn write(&mut self, db: &Connection, batches: &[Batch]) -> Result<()> {
        let Some(at_ns) = batches.last().map(|batch| batch.at_ns) else { return Ok(()) };
        for batch in batches {
            write_facts(db, batch)?;
        }
        if let Some(process) = batches.iter().rev().find_map(|batch| batch.process) {
            write_process(db, &process)?;
        }
        if let Some(gil) = batches.iter().rev().find_map(|batch| batch.gil.as_ref()) {
            self.write_gil(db, gil)?;
        }
        for sample in batches.iter().filter_map(|batch| batch.frames.as_ref()) {
            write_frames(db, sample)?;
        }
        for sample in batches.iter().filter_map(|batch| batch.imports.as_ref()) {
            write_imports(db, sample)?;
        }
        self.write_rollups(db, batches, at_ns)
    }

    fn write_gil(&mut self, db: &Connection, now: &GilSample) -> Result<()> {
        let last = self.totals.replace(now.clone()).unwrap_or_default();
        let more = |now: u64, last: u64| signed(now.saturating_sub(last));
        db.prepare_cached("INSERT OR REPLACE INTO gil VALUES (?,?,?,?,?,?,?,?,?,?)")?.execute(
            params![
                signed(now.at_ns),
                more(now.held_ns, last.held_ns),
                more(now.free_ns, last.free_ns),
                more(now.waited_ns, last.waited_ns),
                more(now.handoffs, last.handoffs),
                more(now.drop_requests, last.drop_requests),
                more(now.acquires, last.acquires),
                more(now.acquires_contended, last.acquires_contended),
                more(now.releases_voluntary, last.releases_voluntary),
                more(now.releases_forced, last.releases_forced),
            ],
        )?;
        Ok(())
    }

    fn write_rollups(&mut self, db: &Connection, batches: &[Batch], at_ns: u64) -> Result<()> {
        let mut rollups: BTreeMap<ThreadKey, Rollup> = BTreeMap::new();
        for batch in batches {
            for row in &batch.cpu {
                let base = if self.cpu_begun { 0 } else { row.cpu_ns };
                let last = self.cpu.insert(row.key, row.cpu_ns).unwrap_or(base);
                rollups.entry(row.key).or_default().cpu_ns += row.cpu_ns.saturating_sub(last);
            }
            self.cpu_begun |= !batch.cpu.is_empty();
            for row in &batch.thread_gil {
                rollups.entry(row.key).or_default().gil = row.clone();
            }
        }
        let mut insert =
            db.prepare_cached("INSERT OR REPLACE INTO rollups VALUES (?,?,?,?,?,?,?,?,?)")?;
        for (key, Rollup { cpu_ns, gil: now }) in rollups {
            let changed = now.key == key;
            let last = self.gil.get(&key).cloned().unwrap_or_default();
            let more = |now: u64, last: u64| signed(now.saturating_sub(last));
            if changed || cpu_ns > 0 {
                insert.execute(params![
                    signed(at_ns),
                    key.0,
                    signed(cpu_ns),
                    more(now.acquires, last.acquires),
                    more(now.acquires_contended, last.acquires_contended),
                    more(now.hold_ns, last.hold_ns),
                    more(now.wait_ns, last.wait_ns),
                    more(now.wait_inflicted_ns, last.wait_inflicted_ns),
                    more(now.releases_forced, last.releases_forced),
                ])?;
            }
            if changed {
                self.gil.insert(key, now);
            }
        }
        self.forget_dead(batches);
        Ok(())
    }

    fn forget_dead(&mut self, batches: &[Batch]) {
        let facts = batches.iter().flat_map(|batch| &batch.threads);
        for fact in facts.filter(|fact| !fact.alive) {
            self.cpu.remove(&fact.key);
            self.gil.remove(&fact.key);
        }
    }
}

/// A time or a count as SQLite has it; less than none is none.
pub fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// SQLite's integers are signed; nothing that is measured comes near the limit.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The one row of `target`.
pub fn write_target(db: &Connection, target: &Target) -> Result<()> {
    let cmdline = serde_json::to_string(&target.cmdline).expect("strings are always JSON");
    let sql = "INSERT INTO target VALUES (?,?,?,?,?,?,?,?,?,?,NULL,NULL)";
    db.execute(
        sql,
        params![
            target.pid,
            target.python_version,
            target.executable,
            cmdline,
            target.free_threaded,
            target.method,
            signed(target.started_unix_ns),
            signed(target.anchor_unix_ns),
            target.host,
            target.n_cpus,
        ],
    )?;
    Ok(())
}

fn write_process(db: &Connection, sample: &ProcessSample) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO process VALUES (?,?,?,?,?,?,?)")?.execute(
        params![
            signed(sample.at_ns),
            signed(sample.cpu_ns),
            signed(sample.exited_cpu_ns),
            signed(sample.rss_bytes),
            sample.uss_bytes.map(signed),
            sample.threads,
            sample.host_cpu_ratio,
        ],
    )?;
    Ok(())
}

fn write_frames(db: &Connection, sample: &FramesSample) -> Result<()> {
    let (stacks, census) = (&sample.stacks, sample.census.as_ref());
    let is_chunk = sample.model == FramesModel::Chunk;
    let sum = |of: fn(&ThreadStack) -> Option<u64>| {
        let sum = stacks.iter().map(of).sum::<Option<u64>>();
        sum.filter(|_| is_chunk).map(signed)
    };
    let zombies = census.and_then(|census| census.zombies.as_ref()).map(|held| held.all);
    let free_list = census.and_then(|census| census.free_list);
    let count = |tally: Option<Tally>| tally.map(|tally| signed(tally.count));
    let bytes = |tally: Option<Tally>| tally.map(|tally| signed(tally.bytes));
    db.prepare_cached("INSERT OR REPLACE INTO frames VALUES (?,?,?,?,?,?,?,?,?,?,?)")?.execute(
        params![
            signed(sample.at_ns),
            if is_chunk { "chunk" } else { "zombie" },
            sum(|stack| Some(stack.chunks.into())),
            sum(|stack| Some(stack.bytes)),
            sum(|stack| Some(stack.used_bytes)),
            sum(|stack| stack.cached_bytes),
            sum(|stack| stack.resident_bytes),
            count(zombies),
            bytes(zombies),
            count(free_list),
            bytes(free_list),
        ],
    )?;
    Ok(())
}

fn write_imports(db: &Connection, sample: &ImportsSample) -> Result<()> {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    for fact in &sample.imports {
        db.prepare_cached("INSERT OR REPLACE INTO imports VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)")?
            .execute(params![
                fact.number,
                (fact.parent != 0).then_some(fact.parent),
                fact.name,
                known(&fact.importer),
                known(&fact.function),
                known(&fact.file),
                (fact.line != 0).then_some(fact.line),
                fact.thread_id,
                signed(fact.at_ns),
                fact.time_ns.map(signed),
                fact.bytes,
                fact.peak_bytes.map(signed),
                fact.failed,
            ])?;
    }
    Ok(())
}

fn write_facts(db: &Connection, batch: &Batch) -> Result<()> {
    for fact in &batch.threads {
        write_thread(db, fact)?;
    }
    for code in &batch.codes {
        db.prepare_cached("INSERT OR REPLACE INTO codes VALUES (?,?,?,?)")?.execute(params![
            code.code,
            code.function,
            code.file,
            code.first_line
        ])?;
    }
    for mark in &batch.marks {
        db.prepare_cached("INSERT OR REPLACE INTO marks VALUES (?,?,?)")?.execute(params![
            mark.id,
            mark.name,
            signed(mark.at_ns)
        ])?;
    }
    for change in &batch.changes {
        db.prepare_cached("INSERT OR REPLACE INTO changes VALUES (?,?,?,?)")?.execute(params![
            signed(change.at_ns),
            change.remedy,
            change.setting,
            change.on
        ])?;
    }
    for id in &batch.marks_removed {
        db.prepare_cached("DELETE FROM marks WHERE id = ?")?.execute([id])?;
    }
    for (section, reason) in &batch.notes {
        db.prepare_cached("INSERT OR REPLACE INTO notes VALUES (?,?)")?
            .execute(params![section, reason])?;
    }
    for (cause, events) in &batch.lost {
        db.prepare_cached("INSERT OR REPLACE INTO lost VALUES (?,?)")?
            .execute(params![cause, signed(*events)])?;
    }
    if let Some(ended) = &batch.ended {
        db.prepare_cached("UPDATE target SET ended_ns = ?, ended_reason = ?")?
            .execute(params![signed(ended.at_ns), ended.reason])?;
    }
    Ok(())
}

fn write_thread(db: &Connection, fact: &ThreadFact) -> Result<()> {
    let kind = match fact.kind {
        ThreadKind::Python => "python",
        ThreadKind::Foreign => "foreign",
        ThreadKind::Native => "native",
    };
    db.prepare_cached("INSERT OR REPLACE INTO threads VALUES (?,?,?,?,?,?,?,?)")?.execute(
        params![
            fact.key.0,
            fact.thread_id,
            fact.name,
            fact.is_main,
            kind,
            fact.alive,
            signed(fact.first_seen_ns),
            fact.ended_ns.map(signed),
        ],
    )?;
    Ok(())
}
