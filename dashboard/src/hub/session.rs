//! One session as the hub keeps it: its store, its marks' numbers, and who else gets its batches.

use super::{Control, HubError, NewSession};
use crate::batch::{Batch, Ended, Mark};
use crate::store::{Snapshot, Store};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// More would make every picture unreadable and every batch large.
pub const MARKS_MAX: usize = 1000;

pub struct Session {
    store: Store,
    anchor_unix_ns: u64,
    /// At which the newest batch was.
    at_ns: u64,
    marks: Vec<u32>,
    mark_last: u32,
    ended: bool,
    /// A recording is shown.
    is_shown: bool,
    controls: Option<mpsc::Sender<Control>>,
    recorder: Option<mpsc::Sender<Arc<Batch>>>,
    /// Grows with each change.
    pub revision: u64,
}

impl Session {
    pub fn new(new: NewSession) -> Self {
        let NewSession { target, controls, recorder } = new;
        Self { controls, recorder, is_shown: false, ..Self::of_store(Store::new(target)) }
    }

    /// A recording's session, which has what its store has.
    pub fn of_store(store: Store) -> Self {
        let snapshot = store.snapshot();
        let marks: Vec<u32> = snapshot.marks().iter().map(|mark| mark.id).collect();
        Self {
            anchor_unix_ns: snapshot.target().anchor_unix_ns,
            at_ns: snapshot.range().end_ns,
            mark_last: marks.iter().copied().max().unwrap_or(0),
            marks,
            ended: snapshot.ended().is_some(),
            is_shown: true,
            controls: None,
            recorder: None,
            revision: 1,
            store,
        }
    }

    /// Takes in a batch from outside: a live one, or one of a recording with marks of its own.
    pub fn batch(&mut self, batch: Batch) {
        for mark in &batch.marks {
            self.mark_last = self.mark_last.max(mark.id);
            if !self.marks.contains(&mark.id) {
                self.marks.push(mark.id); // else it has got another name
            }
        }
        self.marks.retain(|id| !batch.marks_removed.contains(id));
        self.take(batch);
    }

    pub fn snapshot(&self) -> Snapshot<'_> {
        self.store.snapshot()
    }

    /// A file's marks are what was recorded: one more would be gone when the file is closed.
    fn may_be_marked(&self) -> Result<(), HubError> {
        if self.is_shown { Err(HubError::Shown) } else { Ok(()) }
    }

    pub fn mark(&mut self, name: String, at_ns: Option<u64>) -> Result<Mark, HubError> {
        self.may_be_marked()?;
        if self.marks.len() >= MARKS_MAX {
            return Err(HubError::TooManyMarks(MARKS_MAX));
        }
        self.mark_last += 1;
        let mark = Mark { id: self.mark_last, name, at_ns: at_ns.unwrap_or_else(|| self.now_ns()) };
        self.marks.push(mark.id);
        self.take(Batch { at_ns: self.at_ns, marks: vec![mark.clone()], ..Batch::default() });
        Ok(mark)
    }

    pub fn rename(&mut self, id: u32, name: String) -> Result<Mark, HubError> {
        self.may_be_marked()?;
        let known = self.store.snapshot().marks().iter().find(|mark| mark.id == id).cloned();
        let mark = Mark { name, ..known.ok_or(HubError::NoSuchMark(id))? };
        self.take(Batch { at_ns: self.at_ns, marks: vec![mark.clone()], ..Batch::default() });
        Ok(mark)
    }

    pub fn unmark(&mut self, id: u32) -> Result<(), HubError> {
        self.may_be_marked()?;
        let place =
            self.marks.iter().position(|&mark| mark == id).ok_or(HubError::NoSuchMark(id))?;
        self.marks.swap_remove(place);
        self.take(Batch { at_ns: self.at_ns, marks_removed: vec![id], ..Batch::default() });
        Ok(())
    }

    pub fn controls(&self) -> Result<mpsc::Sender<Control>, HubError> {
        match (&self.controls, self.ended) {
            (_, true) => Err(HubError::Ended),
            (None, false) => Err(HubError::NoTarget),
            (Some(controls), false) => Ok(controls.clone()),
        }
    }

    /// From here on `recorder` gets every batch; first what brings it up to now.
    pub fn record(&mut self, recorder: mpsc::Sender<Arc<Batch>>) -> Result<(), HubError> {
        self.controls()?;
        if self.is_recorded() {
            return Err(HubError::Recorded);
        }
        for batch in self.store.catch_up() {
            let sent = recorder.try_send(Arc::new(batch));
            sent.map_err(|_| HubError::Refused("the recorder takes nothing".to_owned()))?;
        }
        self.recorder = Some(recorder);
        self.revision += 1;
        Ok(())
    }

    /// Ends the recording with a batch of its own; the session goes on.
    pub fn stop_recording(&mut self) -> Result<(), HubError> {
        let recorder = self.recorder.take().ok_or(HubError::NotRecorded)?;
        let reason = format!("{} on the page of targets", Ended::STOPPED);
        let ended = Some(Ended { at_ns: self.at_ns, reason });
        let last = Batch { at_ns: self.at_ns, ended, ..Batch::default() };
        let _ = recorder.try_send(Arc::new(last)); // a full queue costs the reason, not the figures
        self.revision += 1;
        Ok(())
    }

    pub fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }

    /// The one way into the store, so that the recorder gets exactly what the store got.
    fn take(&mut self, batch: Batch) {
        self.at_ns = self.at_ns.max(batch.at_ns);
        self.ended |= batch.ended.is_some();
        self.store.apply(&batch);
        self.revision += 1;
        let Some(recorder) = self.recorder.take() else {
            return;
        };
        if recorder.try_send(Arc::new(batch)).is_err() {
            let why =
                "stopped: the disk could not keep up, or the file could not be written".to_owned();
            let note = [("recording".to_owned(), why)].into();
            self.store.apply(&Batch { at_ns: self.at_ns, notes: note, ..Batch::default() });
        } else if !self.ended {
            self.recorder = Some(recorder); // else its file is complete: later marks are only shown
        }
    }

    fn now_ns(&self) -> u64 {
        if self.ended || self.controls.is_none() {
            return self.at_ns;
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        (unix.as_nanos() as u64).saturating_sub(self.anchor_unix_ns)
    }
}
