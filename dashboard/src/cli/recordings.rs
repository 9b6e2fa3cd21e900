//! The folder of recordings that the dashboard's page of targets shows, and what it does with them.
//!
//! One folder, not its subfolders; a file is known by its plain name, so no request names a path. A
//! recording begun from a page is complete before gilscope ends.

use super::serve;
use super::watch::keep;
use crate::batch::Target;
use crate::http::{Folder, RecordingActions, RecordingFile};
use crate::hub::{HubHandle, SessionId};
use crate::recording::{Recorder, Recording, RecordingError};
use crate::talk::Talk;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

/// Ending of a recording's name.
const ENDING: &str = ".gilscope";
/// Files in a listing; more are no help to look at.
const FILES_MAX: usize = 200;

/// See the module's text. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recordings(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    hub: HubHandle,
    talk: Talk,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Begun here and not ended.
    running: HashMap<SessionId, (String, JoinHandle<Result<(), RecordingError>>)>,
    /// Shown, by name, with the file's time when it was opened.
    shown: HashMap<String, (SessionId, u64)>,
    /// Where the events of a session are, recorded or shown, whoever began it.
    paths: HashMap<SessionId, PathBuf>,
}

impl Recordings {
    pub(crate) fn new(folder: PathBuf, hub: HubHandle, talk: Talk) -> Self {
        Self(Arc::new(Inner { folder, hub, talk, state: Mutex::default() }))
    }

    /// As the server wants them.
    pub(crate) fn actions(&self) -> RecordingActions {
        let [list, open, file, path_of, begin, end] = std::array::from_fn(|_| self.clone());
        RecordingActions {
            list: Box::new(move || Box::pin(list.clone().list())),
            open: Box::new(move |name| Box::pin(open.clone().open(name))),
            file: Box::new(move |name| Box::pin(file.clone().file(name))),
            path_of: Box::new(move |id| Box::pin(path_of.clone().path_of(id))),
            begin: Box::new(move |id| Box::pin(begin.clone().begin(id))),
            end: Box::new(move |id| Box::pin(end.clone().end(id))),
        }
    }

    /// From now on the session's old events are looked for in this file.
    pub(crate) async fn add_path(&self, id: SessionId, path: PathBuf) {
        self.0.state.lock().await.paths.insert(id, path);
    }

    async fn path_of(self, id: SessionId) -> Result<Option<PathBuf>, String> {
        Ok(self.0.state.lock().await.paths.get(&id).cloned())
    }

    /// Completes what was begun, when the sessions are over.
    pub(crate) async fn finish(&self) {
        let ids: Vec<SessionId> = self.0.state.lock().await.running.keys().copied().collect();
        for id in ids {
            if let Err(error) = self.clone().end(id).await {
                self.0.talk.say(error);
            }
        }
    }

    async fn list(self) -> Result<Folder, String> {
        let folder = self.0.folder.clone();
        let looked = spawn_blocking(move || files(&folder)).await;
        let (mut files, left_out) = looked.map_err(|error| error.to_string())??;
        let recorded = self.0.hub.recorded().await.map_err(|error| error.to_string())?;
        let state = self.0.state.lock().await;
        for file in &mut files {
            let running = state.running.iter().find(|(_, (name, _))| *name == file.name);
            file.recording = running.map(|(id, _)| *id).filter(|id| recorded.contains(id));
            let shown = state.shown.get(&file.name);
            file.session =
                shown.filter(|(_, time)| *time == file.modified_unix_ns).map(|(id, _)| *id);
        }
        let folder = fs::canonicalize(&self.0.folder).unwrap_or_else(|_| self.0.folder.clone());
        Ok(Folder { folder: folder.display().to_string(), files, left_out, recorded })
    }

    async fn open(self, name: String) -> Result<SessionId, String> {
        let path = self.clone().file(name.clone()).await?;
        let time = fs::metadata(&path).map_or(0, |facts| modified_unix_ns(&facts));
        let mut state = self.0.state.lock().await;
        if let Some((id, _)) = state.shown.get(&name).filter(|(_, known)| *known == time) {
            return Ok(*id);
        }
        let again = path.clone();
        let opened = spawn_blocking(move || Recording::open(&path)).await;
        let recording = opened.map_err(|error| error.to_string())?.map_err(|e| e.to_string())?;
        let (id, loading) =
            serve::begin(&self.0.hub, recording).await.map_err(|error| error.to_string())?;
        state.shown.insert(name, (id, time));
        state.paths.insert(id, again);
        drop(loading); // it goes on by itself; trouble stands in the session
        Ok(id)
    }

    /// The path of a file of the folder that is complete.
    async fn file(self, name: String) -> Result<PathBuf, String> {
        if !is_plain(&name) {
            return Err(format!("there is no recording {name:?} in the folder"));
        }
        let path = self.0.folder.join(&name);
        if !path.symlink_metadata().is_ok_and(|facts| facts.is_file()) {
            return Err(format!("there is no recording {name} in the folder; look again"));
        }
        let state = self.0.state.lock().await;
        match state.running.iter().find(|(_, (known, task))| *known == name && !task.is_finished())
        {
            Some(_) => Err(format!("{name} is still being written; stop the recording first")),
            None => Ok(path),
        }
    }

    async fn begin(self, id: SessionId) -> Result<String, String> {
        let mut state = self.0.state.lock().await;
        let target = self.0.hub.with(id, |snapshot| snapshot.target().clone()).await;
        let target = target.map_err(|error| error.to_string())?;
        if self.0.hub.recorded().await.is_ok_and(|recorded| recorded.contains(&id)) {
            return Err("this session is being recorded already".to_owned());
        }
        let (name, recorder) = create(&self.0.folder, &target)?;
        let path = recorder.path().to_owned();
        let (sender, task) = keep(recorder, self.0.talk);
        if let Err(error) = self.0.hub.record(id, sender).await {
            let _ = task.await; // its queue is closed: it ends at once
            let _ = fs::remove_file(path); // nothing was recorded to it
            return Err(error.to_string());
        }
        state.paths.insert(id, path);
        state.running.insert(id, (name.clone(), task));
        Ok(name)
    }

    async fn end(self, id: SessionId) -> Result<Option<String>, String> {
        let mut state = self.0.state.lock().await;
        let running = state.running.remove(&id);
        match (self.0.hub.stop_recording(id).await, &running) {
            (Ok(()), _) | (Err(_), Some(_)) => {} // the session may have ended its recording itself
            (Err(error), None) => return Err(error.to_string()),
        }
        let Some((name, task)) = running else { return Ok(None) };
        let kept = task.await.map_err(|error| error.to_string())?;
        kept.map(|()| Some(name)).map_err(|error| error.to_string())
    }
}

/// Makes a new file; two in one second get different names.
fn create(folder: &Path, target: &Target) -> Result<(String, Recorder), String> {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let time: String = now.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect();
    for number in 1..=9 {
        let more = if number == 1 { String::new() } else { format!("-{number}") };
        let name = format!("{}-{time}{more}{ENDING}", target.pid);
        match Recorder::create(&folder.join(&name), target, false) {
            Ok(recorder) => return Ok((name, recorder)),
            Err(RecordingError::Exists { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("there are too many recordings of this second already; try again".to_owned())
}

/// The newest recordings of the folder, and how many more there are.
fn files(folder: &Path) -> Result<(Vec<RecordingFile>, usize), String> {
    let entries = fs::read_dir(folder)
        .map_err(|error| format!("cannot look into {}: {error}", folder.display()))?;
    let mut files: Vec<RecordingFile> =
        entries.flatten().filter_map(|entry| file(&entry)).collect();
    files.sort_by_key(|file| std::cmp::Reverse(file.modified_unix_ns));
    let left_out = files.len().saturating_sub(FILES_MAX);
    files.truncate(FILES_MAX);
    for file in &mut files {
        // One that is damaged or just begun is listed without what it is of; opening it says why.
        if let Ok(recording) = Recording::open(&folder.join(&file.name)) {
            file.pid = Some(recording.target().pid);
            file.cmdline = Some(recording.target().cmdline.clone());
        }
    }
    Ok((files, left_out))
}

fn file(entry: &fs::DirEntry) -> Option<RecordingFile> {
    let name = entry.file_name().into_string().ok().filter(|name| is_plain(name))?;
    let facts = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some(RecordingFile {
        name,
        bytes: facts.len(),
        modified_unix_ns: modified_unix_ns(&facts),
        pid: None,
        cmdline: None,
        recording: None,
        session: None,
    })
}

fn modified_unix_ns(facts: &fs::Metadata) -> u64 {
    let since = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// A name that stays within the folder and within a header of an answer.
fn is_plain(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_graphic() && !"/\\\"".contains(letter);
    name.ends_with(ENDING) && name.len() > ENDING.len() && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, Change, Ended};
    use crate::collect::generate::Scenario;
    use crate::hub::{self, NewSession};
    use crate::store::Store;

    #[test]
    fn only_plain_names_are_names() {
        assert!(is_plain("4242-20260101T000000Z.gilscope") && is_plain("a..gilscope"));
        for bad in [
            "",
            ".gilscope",
            "../a.gilscope",
            "a/b.gilscope",
            "a\\b.gilscope",
            "a.sqlite",
            "a\".gilscope",
            "a\n.gilscope",
        ] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }

    /// A session of a scenario's first half in a hub, with the batches that are left.
    async fn half_way(hub: &HubHandle) -> (SessionId, Vec<Batch>) {
        let scenario = Scenario { duration_ns: 8_000_000_000, ends: false, ..Scenario::default() };
        let (controls, orders) = tokio::sync::mpsc::channel(1);
        std::mem::forget(orders); // the keeper lives as long as the test
        let new =
            NewSession { target: scenario.target(), controls: Some(controls), recorder: None };
        let id = hub.add_session(new).await.unwrap();
        let mut batches: Vec<_> = scenario.batches().collect();
        let rest = batches.split_off(batches.len() / 2);
        for batch in batches {
            hub.batch(id, batch).await.unwrap();
        }
        (id, rest)
    }

    #[tokio::test]
    async fn a_recording_that_begins_in_the_middle_has_the_same_totals() {
        let home = tempfile::tempdir().unwrap();
        let hub = hub::spawn();
        let recordings = Recordings::new(home.path().into(), hub.clone(), Talk::new(true));
        let (id, rest) = half_way(&hub).await;
        let (remedy, setting) = ("switch-interval".to_owned(), "1ms".to_owned());
        let change = Change { at_ns: 2_000_000_000, remedy, setting, on: true };
        let tried = Batch { changes: vec![change], ..Batch::default() };
        hub.batch(id, tried).await.unwrap();
        let name = recordings.clone().begin(id).await.unwrap();
        assert!(recordings.clone().begin(id).await.unwrap_err().contains("already"));
        assert!(recordings.clone().file(name.clone()).await.unwrap_err().contains("still being"));
        for batch in rest {
            hub.batch(id, batch).await.unwrap();
        }
        let listed = recordings.clone().list().await.unwrap();
        assert_eq!((listed.recorded, listed.files[0].recording), (vec![id], Some(id)));
        assert_eq!(recordings.clone().end(id).await, Ok(Some(name.clone())));

        let recording = Recording::open(&home.path().join(&name)).unwrap();
        assert!(recording.is_finished());
        let mut store = Store::new(recording.target().clone());
        recording.batches().for_each(|batch| store.apply(&batch.unwrap()));
        let again = store.snapshot();
        assert!(again.ended().unwrap().reason.starts_with(Ended::STOPPED));
        let figures = |snapshot: &crate::store::Snapshot<'_>| {
            let range = snapshot.range();
            let totals = (snapshot.totals(range), snapshot.histograms(range));
            let mut rows = snapshot.thread_rows(range);
            // What CPU was spent with the GIL before the recording began is not told: it is unknown.
            rows.iter_mut().for_each(|row| row.cpu_parts = None);
            let changes = snapshot.changes().to_vec();
            (totals, rows, snapshot.blame(range), snapshot.handoffs(range), changes)
        };
        let recorded = figures(&again);
        let live = hub.with(id, move |snapshot| figures(snapshot)).await.unwrap();
        assert_eq!(recorded, live);
        assert_eq!(recorded.4.len(), 1);
    }

    #[tokio::test]
    async fn a_recording_of_the_folder_opens_once() {
        let home = tempfile::tempdir().unwrap();
        let hub = hub::spawn();
        let recordings = Recordings::new(home.path().into(), hub.clone(), Talk::new(true));
        let (id, _) = half_way(&hub).await;
        let name = recordings.clone().begin(id).await.unwrap();
        recordings.finish().await;
        let shown = recordings.clone().open(name.clone()).await.unwrap();
        assert_ne!(shown, id);
        assert_eq!(recordings.clone().open(name.clone()).await, Ok(shown));
        assert_eq!(recordings.clone().list().await.unwrap().files[0].session, Some(shown));
        assert!(recordings.open("../x.gilscope".into()).await.is_err());
    }
}
