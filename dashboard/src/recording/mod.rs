//! The recording: one SQLite file, `.gilscope`, from which a session can be replayed batch by batch.
//!
//! Anyone can read it with `sqlite3`; [`schema`] says what stands where. `application_id` is "GILS",
//! `user_version` the format's version. The plain tables are for people and other programs; replay
//! reads only `chunks`, each the zstd-compressed postcard form of about a second of batches, and of those
//! only what follows the saved `state`.
//!
//! The writer commits about once a second with SQLite's rollback journal, so the main file alone is
//! whole after a `kill -9` at any moment: what was committed is there, the rest is rolled back by
//! whoever opens it next. (A write-ahead log would leave the newest data in a second file, which a
//! person who copies the recording would not take along.)

mod chunk;
mod detail;
mod older;
mod read;
mod rows;
mod schema;
mod state;
mod write;

#[cfg(test)]
pub(crate) mod tests;

#[cfg(any(test, feature = "fuzz"))]
pub use chunk::{decode as decode_chunk, unpack as unpack_chunk};
pub use read::Recording;
#[cfg(any(test, feature = "fuzz"))]
pub use schema::FORMAT_VERSION;
pub use write::Recorder;
#[cfg(any(test, feature = "generator"))]
pub use write::write_all_of;

use std::path::{Path, PathBuf};

/// Why a recording cannot be written or read. One line each: cause, then remedy.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("{path} exists; pass -f to overwrite it or choose another name")]
    Exists { path: PathBuf },
    #[error("cannot write {path}: {cause}; choose a folder that you may write to")]
    Create { path: PathBuf, cause: std::io::Error },
    #[error("cannot write {path}: the disk is full; free some space or choose another folder")]
    NoRoom { path: PathBuf },
    #[error("recording to {path} stopped: the disk is full; all up to then is saved in the file")]
    DiskFull { path: PathBuf },
    #[error(
        "recording to {path} stopped: no journal can be made beside it, as when the disk is full or the folder \
         is gone; all up to then is saved in the file"
    )]
    NoJournal { path: PathBuf },
    #[error("recording to {path} stopped: {cause}; what was committed before is saved in the file")]
    Write { path: PathBuf, cause: rusqlite::Error },
    #[error("cannot open {path}: {cause}")]
    Open { path: PathBuf, cause: std::io::Error },
    #[error("{path} is no gilscope recording")]
    NotARecording { path: PathBuf },
    #[error("{path} is empty: the recording ended before its first second was written")]
    Empty { path: PathBuf },
    #[error("{path} is cut short: {have} of {want} bytes are there; copy it again from its source")]
    Truncated { path: PathBuf, have: u64, want: u64 },
    #[error("{path} is damaged ({what}); what precedes the damage can still be replayed")]
    Corrupt { path: PathBuf, what: String },
    #[error(
        "{path} was made by a newer gilscope: it has format {found}, this one reads up to {known}; open it with the \
         gilscope that made it, or a newer one"
    )]
    Future { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{path} was made by another build of gilscope: it is of format {found}, but not as this build, which reads \
         format {known}, knows it; open it with the gilscope that made it"
    )]
    OtherBuild { path: PathBuf, found: i64, known: i64 },
    #[error("cannot read {path}: {cause}")]
    Read { path: PathBuf, cause: rusqlite::Error },
}

impl RecordingError {
    /// Why there is no file to begin with.
    pub(crate) fn uncreated(path: &Path, cause: std::io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            std::io::ErrorKind::StorageFull => Self::NoRoom { path },
            _ => Self::Create { path, cause },
        }
    }
}
