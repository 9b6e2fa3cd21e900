//! Opens a recording and gives its batches back. Says what is wrong with a file that is none.

use super::rows::unsigned;
use super::schema::{APPLICATION_ID, FORMAT_VERSION};
use super::{RecordingError, chunk, older};
use crate::batch::{Batch, Target};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// First bytes of every SQLite file (sqlite.org/fileformat.html section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// A recording that was found fit to replay.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    pub(super) db: Connection,
    /// Of the format.
    pub(super) version: i64,
    target: Target,
    finished: bool,
}

impl Recording {
    /// Opens a finished recording, one that a killed writer left, or one that is still written.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        check_header(path)?;
        let db = connect(path).map_err(|cause| read_error(path, cause))?;
        let read = |cause| read_error(path, cause);
        let pragma = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        if pragma("application_id").map_err(read)? != APPLICATION_ID {
            return Err(RecordingError::NotARecording { path: path.into() });
        }
        let found = pragma("user_version").map_err(read)?;
        if found > FORMAT_VERSION {
            let known = FORMAT_VERSION;
            return Err(RecordingError::Future { path: path.into(), found, known });
        }
        if !older::is_known(&db, found).map_err(read)? {
            let known = FORMAT_VERSION;
            return Err(RecordingError::OtherBuild { path: path.into(), found, known });
        }
        let target = read_target(&db).map_err(read)?;
        // Not how many: counting them would read the whole file.
        let some = "SELECT EXISTS (SELECT 1 FROM chunks)";
        if !db.query_row(some, [], |row| row.get::<_, bool>(0)).map_err(read)? {
            return Err(RecordingError::Empty { path: path.into() });
        }
        let finished = "SELECT value FROM meta WHERE key = 'finished'";
        let finished = db.query_row(finished, [], |_| Ok(())).optional().map_err(read)?.is_some();
        Ok(Self { path: path.into(), db, version: found, target, finished })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether its writer ended it; else it was killed, or is still at it.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// The batches as they were recorded. After an error there are no more.
    #[cfg(any(test, feature = "fuzz"))]
    pub fn batches(&self) -> impl Iterator<Item = Result<Batch, RecordingError>> + '_ {
        self.batches_after(0)
    }

    /// The batches that follow a chunk. After an error there are no more.
    pub fn batches_after(
        &self,
        chunk: i64,
    ) -> impl Iterator<Item = Result<Batch, RecordingError>> + '_ {
        let mut ended = false;
        let mut after = chunk;
        std::iter::from_fn(move || {
            let chunk = if ended { None } else { self.next_chunk(&mut after).transpose() };
            ended |= !matches!(chunk, Some(Ok(_)));
            chunk
        })
        .flat_map(|chunk| match chunk {
            Ok(batches) => batches.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    fn next_chunk(&self, after: &mut i64) -> Result<Option<Vec<Batch>>, RecordingError> {
        let sql = "SELECT id, data FROM chunks WHERE id > ? ORDER BY id LIMIT 1";
        let row = self.db.prepare_cached(sql).and_then(|mut query| {
            query.query_row([*after], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))).optional()
        });
        let Some((id, data)) = self.failing(row)? else {
            return Ok(None);
        };
        *after = id;
        chunk::decode(&data, self.version).map(Some).map_err(|cause| self.corrupt(id, &cause))
    }

    pub(super) fn corrupt(&self, chunk: i64, cause: &str) -> RecordingError {
        RecordingError::Corrupt { path: self.path.clone(), what: format!("chunk {chunk}: {cause}") }
    }

    pub(super) fn failing<T>(&self, result: rusqlite::Result<T>) -> Result<T, RecordingError> {
        result.map_err(|cause| read_error(&self.path, cause))
    }
}

/// What the first 100 bytes and the length of the file tell.
fn check_header(path: &Path) -> Result<(), RecordingError> {
    let failed = |cause| RecordingError::Open { path: path.into(), cause };
    let mut file = File::open(path).map_err(failed)?;
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() {
        return Err(RecordingError::NotARecording { path: path.into() });
    }
    let have = facts.len();
    if have == 0 {
        return Err(RecordingError::Empty { path: path.into() });
    }
    let mut header = Vec::new();
    file.by_ref().take(100).read_to_end(&mut header).map_err(failed)?;
    if !header.starts_with(&MAGIC[..header.len().min(16)]) {
        return Err(RecordingError::NotARecording { path: path.into() });
    }
    if header.len() < 100 {
        return Err(RecordingError::Truncated { path: path.into(), have, want: 100 });
    }
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    let want = u64::from(pages) * page_bytes;
    // With a hot journal the header may be ahead of the file; SQLite will roll that back.
    if have < want && !super::write::journal(path).exists() {
        return Err(RecordingError::Truncated { path: path.into(), have, want });
    }
    Ok(())
}

/// Writable where that is allowed, since a killed writer's last transaction must be rolled back.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let open = |mode| {
        let db = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        db.busy_timeout(Duration::from_secs(10))?;
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok(db)
    };
    open(OpenFlags::SQLITE_OPEN_READ_WRITE).or_else(|cause: rusqlite::Error| {
        match cause.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                open(OpenFlags::SQLITE_OPEN_READ_ONLY)
            }
            _ => Err(cause),
        }
    })
}

fn read_target(db: &Connection) -> rusqlite::Result<Target> {
    db.query_row("SELECT * FROM target", [], |row| {
        let cmdline: String = row.get("cmdline")?;
        let ns = |name| row.get(name).map(unsigned);
        Ok(Target {
            pid: row.get("pid")?,
            python_version: row.get("python_version")?,
            executable: row.get("executable")?,
            cmdline: serde_json::from_str(&cmdline).unwrap_or_default(),
            free_threaded: row.get("free_threaded")?,
            method: row.get("method")?,
            started_unix_ns: ns("started_unix_ns")?,
            anchor_unix_ns: ns("anchor_unix_ns")?,
            host: row.get("host")?,
            n_cpus: row.get("n_cpus")?,
        })
    })
}

fn read_error(path: &Path, cause: rusqlite::Error) -> RecordingError {
    let path = path.to_owned();
    match (cause.sqlite_error_code(), &cause) {
        (Some(ErrorCode::NotADatabase), _) => RecordingError::NotARecording { path },
        (Some(ErrorCode::DatabaseCorrupt), _)
        | (_, rusqlite::Error::QueryReturnedNoRows | rusqlite::Error::InvalidColumnType(..)) => {
            RecordingError::Corrupt { path, what: cause.to_string() }
        }
        _ => RecordingError::Read { path, cause },
    }
}
