//! Writes a recording on a thread of its own, so that a slow disk never holds up the hub.
//!
//! The queue is short. When it is full, batches are merged until there is room: counters are
//! cumulative, so that costs resolution, and events beyond a bound, which are counted as lost.

use super::rows::{Rows, signed, write_target};
use super::schema::{APPLICATION_ID, FORMAT_VERSION, LAYOUT, TABLES};
use super::state::Keeper;
use super::{RecordingError, chunk};
use crate::batch::{Batch, Event, Target};
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Batches between the hub and the writer: a few seconds at the usual rate.
const QUEUE_BATCHES: usize = 64;
/// Events between the hub and the disk, about 90 MB of them; with more it counts as full, too.
const QUEUE_EVENTS: usize = 1_000_000;
/// Events of batches that are made ready for the disk together.
const CHUNK_EVENTS: usize = 250_000;
/// Events of a batch that stay together; the rest follows in batches of its own.
const BATCH_EVENTS: usize = 100_000;
/// Events held back while the queue is full; more are counted as lost.
const HELD_BACK_EVENTS: usize = 100_000;
/// A transaction covers about so much time.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Cause under which events are counted as lost for want of room in the queue.
const LOST_CAUSE: &str = "recording_queue_full";

/// Takes batches and writes them behind the caller's back.
pub struct Recorder {
    path: PathBuf,
    /// Null once the recording has ended.
    queue: Option<SyncSender<Batch>>,
    /// Given to the writer and not on the disk yet.
    events_queued: Arc<AtomicUsize>,
    held_back: Option<Batch>,
    events_lost: u64,
    writer: Option<JoinHandle<Result<(), RecordingError>>>,
}

impl Recorder {
    /// Begins a recording in a new file that only its owner may read. With `overwrite` a regular
    /// file of that name is replaced.
    pub fn create(path: &Path, target: &Target, overwrite: bool) -> Result<Self, RecordingError> {
        create_file(path, overwrite)?;
        let db = prepare(path, target).map_err(|cause| match write_error(path, cause) {
            RecordingError::DiskFull { path } | RecordingError::NoJournal { path } => {
                RecordingError::NoRoom { path }
            }
            other => other,
        })?;
        let (queue, batches) = sync_channel(QUEUE_BATCHES);
        let (own_path, target) = (path.to_owned(), target.clone());
        let events_queued = Arc::new(AtomicUsize::new(0));
        let written = events_queued.clone();
        let writer = std::thread::Builder::new()
            .name("recording".into())
            .spawn(move || {
                write_all(Writer::new(db, target), &batches, &written)
                    .map_err(|cause| write_error(&own_path, cause))
            })
            .map_err(|cause| RecordingError::uncreated(path, cause))?;
        Ok(Self {
            path: path.into(),
            queue: Some(queue),
            events_queued,
            held_back: None,
            events_lost: 0,
            writer: Some(writer),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands a batch to the writer; never waits. An error is reported once, then the recording has
    /// ended (the file is whole up to then) and further batches are passed over.
    pub fn append(&mut self, batch: &Batch) -> Result<(), RecordingError> {
        let Some(queue) = &self.queue else { return Ok(()) };
        let mut batch = match self.held_back.take() {
            Some(held) => merge(held, batch, &mut self.events_lost),
            None => batch.clone(),
        };
        if self.events_lost > 0 {
            batch.lost.insert(LOST_CAUSE.into(), self.events_lost);
        }
        let n_events = batch.events.len();
        if n_events > 0 && self.events_queued.load(Relaxed) > QUEUE_EVENTS {
            return self.hold_back(batch);
        }
        self.events_queued.fetch_add(n_events, Relaxed);
        match queue.try_send(batch) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(batch)) => {
                self.events_queued.fetch_sub(n_events, Relaxed);
                self.hold_back(batch)
            }
            Err(TrySendError::Disconnected(_)) => self.end(),
        }
    }

    /// Keeps a batch until there is room. There never is after the writer has failed.
    fn hold_back(&mut self, batch: Batch) -> Result<(), RecordingError> {
        if self.writer.as_ref().is_some_and(JoinHandle::is_finished) {
            return self.end();
        }
        self.held_back = Some(batch);
        Ok(())
    }

    /// Writes what is left and closes the file; waits for the disk.
    pub fn finish(mut self) -> Result<(), RecordingError> {
        if let (Some(queue), Some(batch)) = (&self.queue, self.held_back.take()) {
            // A writer that is gone has its own reason, which `end` gives.
            let _ = queue.send(batch);
        }
        self.end()
    }

    fn end(&mut self) -> Result<(), RecordingError> {
        self.queue = None;
        match self.writer.take() {
            Some(writer) => writer.join().expect("the writer does not panic"),
            None => Ok(()),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Whoever wants to know how it ended calls `finish`.
        let _ = self.end();
    }
}

/// `held` and then `next` as one batch. Newer cumulative figures replace older ones in the store by
/// themselves, as rows come in order.
pub(super) fn merge(mut held: Batch, next: &Batch, events_lost: &mut u64) -> Batch {
    let next = next.clone();
    held.at_ns = next.at_ns;
    held.threads.extend(next.threads);
    held.codes.extend(next.codes);
    held.native_modules.extend(next.native_modules);
    held.lost.extend(next.lost);
    held.notes.extend(next.notes);
    held.marks.extend(next.marks);
    held.marks_removed.extend(next.marks_removed);
    replace(&mut held.cpu, next.cpu, |row| row.key);
    replace(&mut held.thread_gil, next.thread_gil, |row| row.key);
    replace(&mut held.blame, next.blame, |row| (row.holder, row.code, row.line));
    replace(&mut held.handoffs, next.handoffs, |row| (row.from, row.to));
    held.callers.extend(next.callers);
    replace(&mut held.states, next.states, |row| row.caller);
    match (&mut held.imports, next.imports) {
        (Some(held), Some(next)) => held.imports.extend(next.imports),
        (held, next) => *held = held.take().or(next),
    }
    held.process = next.process.or(held.process);
    held.gil = next.gil.or(held.gil);
    held.ended = next.ended.or(held.ended);
    let room = HELD_BACK_EVENTS.saturating_sub(held.events.len());
    *events_lost += next.events.len().saturating_sub(room) as u64;
    held.events.extend(next.events.into_iter().take(room));
    held
}

fn replace<T, K: Ord>(rows: &mut Vec<T>, newer: Vec<T>, key: impl Fn(&T) -> K) {
    let keys: std::collections::BTreeSet<K> = newer.iter().map(&key).collect();
    rows.retain(|row| !keys.contains(&key(row)));
    rows.extend(newer);
}

fn create_file(path: &Path, overwrite: bool) -> Result<(), RecordingError> {
    let failed = |cause| RecordingError::uncreated(path, cause);
    if overwrite && fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        fs::remove_file(path).map_err(failed)?;
        // A journal left by a killed writer belongs to the old file and would spoil the new one.
        match fs::remove_file(journal(path)) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(failed(cause)),
            _ => {}
        }
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
            Err(RecordingError::Exists { path: path.into() })
        }
        Err(cause) => Err(failed(cause)),
    }
}

/// Where SQLite keeps its rollback journal.
pub(super) fn journal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-journal");
    name.into()
}

fn prepare(path: &Path, target: &Target) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(path, flags)?;
    // A reader may look while we write; it holds the file for moments only.
    db.busy_timeout(Duration::from_secs(30))?;
    db.pragma_update(None, "journal_mode", "DELETE")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    let tx = db.transaction()?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", FORMAT_VERSION)?;
    tx.execute_batch(TABLES)?;
    write_target(&tx, target)?;
    let meta = "INSERT INTO meta VALUES (?, ?)";
    tx.execute(meta, params!["gilscope_version", env!("CARGO_PKG_VERSION")])?;
    tx.execute(meta, params!["layout", LAYOUT])?;
    tx.commit()?;
    Ok(db)
}

/// The file, and what is known of what was written to it.
struct Writer {
    db: Connection,
    rows: Rows,
    keeper: Keeper,
}

fn write_all(
    mut writer: Writer,
    batches: &Receiver<Batch>,
    events_queued: &AtomicUsize,
) -> rusqlite::Result<()> {
    loop {
        let (second, more) = collect_second(batches);
        if !second.is_empty() {
            writer.write(&second)?;
        }
        events_queued.fetch_sub(n_events(&second), Relaxed);
        if !more {
            return writer.finish();
        }
    }
}

/// Writes a whole session, a second of its time in each chunk, as fast as the disk takes it.
#[cfg(any(test, feature = "generator"))]
pub fn write_all_of(
    path: &Path,
    target: &Target,
    batches: impl Iterator<Item = Batch>,
) -> Result<(), RecordingError> {
    create_file(path, false)?;
    let write = || {
        let mut writer = Writer::new(prepare(path, target)?, target.clone());
        let mut second = Vec::<Batch>::new();
        for batch in batches {
            let full =
                second.first().is_some_and(|first| first.at_ns + 1_000_000_000 <= batch.at_ns);
            if full || second.len() == chunk::BATCHES_MAX {
                writer.write(&std::mem::take(&mut second))?;
            }
            second.push(batch);
        }
        writer.write(&second)?;
        writer.finish()
    };
    write().map_err(|cause| write_error(path, cause))
}

fn n_events(batches: &[Batch]) -> usize {
    batches.iter().map(|batch| batch.events.len()).sum()
}

/// What arrives within a second, as far as it is not too much, and whether more may come.
fn collect_second(batches: &Receiver<Batch>) -> (Vec<Batch>, bool) {
    let until = Instant::now() + COMMIT_EVERY;
    let mut second = vec![];
    while second.len() < chunk::BATCHES_MAX && n_events(&second) < CHUNK_EVENTS {
        let left = until.saturating_duration_since(Instant::now());
        match batches.recv_timeout(left) {
            Ok(batch) => second.push(batch),
            Err(RecvTimeoutError::Timeout) => return (second, true),
            Err(RecvTimeoutError::Disconnected) => return (second, false),
        }
    }
    (second, true)
}

impl Writer {
    fn new(db: Connection, target: Target) -> Self {
        Self { db, rows: Rows::default(), keeper: Keeper::new(target) }
    }

    /// One chunk, or more where one would be too large for the reader.
    fn write(&mut self, batches: &[Batch]) -> rusqlite::Result<()> {
        let plain = chunk::plain(batches);
        if plain.len() > chunk::PLAIN_BYTES_MAX {
            if let [one] = batches
                && one.events.len() > BATCH_EVENTS
            {
                let parts = split_events(one);
                return parts.iter().try_for_each(|part| self.write(std::slice::from_ref(part)));
            }
            if batches.len() > 1 {
                let (first, second) = batches.split_at(batches.len() / 2);
                self.write(first)?;
                return self.write(second);
            }
        }
        let tx = self.db.unchecked_transaction()?;
        self.rows.write(&tx, batches)?;
        insert_chunk(&tx, batches, &plain)?;
        tx.commit()?;
        self.keeper.follow(&self.db, batches) // only now: what is written is safe first
    }

    fn finish(mut self) -> rusqlite::Result<()> {
        let tx = self.db.unchecked_transaction()?;
        self.keeper.finish(&tx)?;
        tx.execute("INSERT INTO meta VALUES ('finished', 'yes')", [])?;
        tx.commit()
    }
}

fn insert_chunk(db: &Connection, batches: &[Batch], plain: &[u8]) -> rusqlite::Result<()> {
    let ns = |batch: Option<&Batch>| batch.map_or(0, |batch| batch.at_ns as i64);
    let events = || batches.iter().flat_map(|batch| &batch.events);
    let began_ns = |event: &Event| signed(event.at_ns.saturating_sub(event.duration_ns));
    let sql = "INSERT INTO chunks VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)";
    db.prepare_cached(sql)?.execute(params![
        ns(batches.first()),
        ns(batches.last()),
        batches.len() as i64,
        events().count() as i64,
        events().map(began_ns).min(),
        events().map(|event| signed(event.at_ns)).max(),
        chunk::pack(plain)
    ])?;
    Ok(())
}

/// The batch with its first events, and its other events in batches of the same moment.
fn split_events(batch: &Batch) -> Vec<Batch> {
    let mut parts = batch.events.chunks(BATCH_EVENTS).map(<[_]>::to_vec);
    let first = Batch { events: parts.next().unwrap_or_default(), ..batch.clone() };
    let rest = parts.map(|events| Batch { at_ns: batch.at_ns, events, ..Batch::default() });
    std::iter::once(first).chain(rest).collect()
}

fn write_error(path: &Path, cause: rusqlite::Error) -> RecordingError {
    match cause.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => RecordingError::DiskFull { path: path.into() },
        // The file is open; what cannot be opened is the journal beside it.
        Some(ErrorCode::CannotOpen) => RecordingError::NoJournal { path: path.into() },
        _ => RecordingError::Write { path: path.into(), cause },
    }
}
