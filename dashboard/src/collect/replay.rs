//! A recording as a source of batches: loads all of it into a store.

use crate::recording::{Recording, RecordingError};
use crate::store::Store;
use std::path::Path;

/// The store of a recorded session, and whether it is all there: the error of a damaged recording
/// comes along with what could be read before the damage.
pub struct Replayed {
    pub store: Store,
    pub finished: bool,
    pub damage: Option<RecordingError>,
}

/// Replays a recording. An error if nothing of it can be read.
pub fn replay(path: &Path) -> Result<Replayed, RecordingError> {
    let recording = Recording::open(path)?;
    let (mut store, chunk) = recording.state();
    let mut damage = None;
    for (replayed, batch) in recording.batches_after(chunk).enumerate() {
        match batch {
            Ok(batch) => store.apply(&batch),
            Err(error) if replayed == 0 && chunk == 0 => return Err(error),
            Err(error) => damage = Some(error),
        }
    }
    Ok(Replayed { store, finished: recording.is_finished(), damage })
}
