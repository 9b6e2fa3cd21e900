//! The store's state in a recording: what all chunks up to one of them come to.
//!
//! A day of batches takes minutes to replay, the store that comes of it fits into some megabytes. So
//! the writer keeps a store of its own and saves it now and then, in place of the one before, and a
//! reader replays only what follows. A state that cannot be used is passed over: the chunks are the
//! truth.

#[cfg(test)]
mod tests;

use super::{Recording, chunk};
use crate::batch::{Batch, Target};
use crate::store::{STATE_VERSION, Store};
use rusqlite::{Connection, OptionalExtension as _, params};

/// Chunks between two states, about as many seconds.
const CHUNKS_BETWEEN: u32 = 300;
/// A finished recording with fewer chunks has none: it is replayed in no time.
const CHUNKS_LEAST: u32 = 30;
/// A store of more bytes is not read.
const BYTES_MAX: usize = 256 << 20;

/// The writer's store.
pub struct Keeper {
    store: Store,
    /// Chunks that came after the last state.
    chunks: u32,
}

impl Keeper {
    pub fn new(target: Target) -> Self {
        Self { store: Store::new(target), chunks: 0 }
    }

    /// Takes in what was written as one chunk, and saves the state if it is time.
    pub fn follow(&mut self, db: &Connection, batches: &[Batch]) -> rusqlite::Result<()> {
        batches.iter().for_each(|batch| self.store.apply(batch));
        self.chunks += 1;
        if self.chunks >= CHUNKS_BETWEEN { self.save(db) } else { Ok(()) }
    }

    /// Saves the last state.
    pub fn finish(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let chunks: i64 =
            db.query_row("SELECT ifnull(max(id), 0) FROM chunks", [], |row| row.get(0))?;
        if chunks >= i64::from(CHUNKS_LEAST) { self.save(db) } else { Ok(()) }
    }

    fn save(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT OR REPLACE INTO state VALUES (1, ?, (SELECT max(id) FROM chunks), ?)";
        let data = chunk::pack(&self.store.to_bytes());
        db.prepare_cached(sql)?.execute(params![STATE_VERSION, data])?;
        self.chunks = 0;
        Ok(())
    }
}

impl Recording {
    /// The store after the chunk of the number that comes along; empty and 0 without a state.
    pub fn state(&self) -> (Store, i64) {
        match self.read_state() {
            Ok(Some(found)) => return found,
            Ok(None) => {}
            Err(why) => {
                let path = self.path().display();
                tracing::warn!(%path, why, "the recording's state cannot be used; it is replayed");
            }
        }
        (Store::new(self.target().clone()), 0)
    }

    fn read_state(&self) -> Result<Option<(Store, i64)>, String> {
        let sql = "SELECT chunk, data FROM state WHERE version = ?";
        let found = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?));
        let state = match self.db.query_row(sql, [STATE_VERSION], found).optional() {
            Ok(state) => state,
            Err(_) if self.version < super::schema::FORMAT_WITH_EVENT_TIMES => None,
            Err(cause) => return Err(cause.to_string()),
        };
        let Some((chunk, data)) = state else { return Ok(None) };
        let store = Store::from_bytes(&chunk::plain_of(&data, BYTES_MAX)?)?;
        Ok(Some((store, chunk)))
    }
}
