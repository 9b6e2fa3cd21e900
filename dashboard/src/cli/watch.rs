//! One target being watched and perhaps recorded: what attach, record, run and demo have in common.
//!
//! Whatever can be known beforehand to fail (the file exists, its folder takes no files) fails before the
//! target is touched.

use super::Context;
use super::daemon::Daemon;
use super::flags::Output;
use crate::batch::{Batch, Ended, Target};
use crate::errors::{Exit, Failure};
use crate::hub::{HubError, HubHandle, SessionId};
use crate::output::folder_of;
use crate::recording::{Recorder, RecordingError};
use crate::talk::{self, Talk};
use crate::target::{Running, Watched, enter};
use anyhow::Context as _;
use config::Method;
use inject::Identity;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Batches between the hub and the recorder, which never waits for the disk.
const RECORDER_QUEUE: usize = 256;

/// Where a recording goes.
#[derive(Clone, Debug)]
pub(crate) struct RecordTo {
    path: PathBuf,
    overwrite: bool,
}

impl RecordTo {
    /// The folder that it goes to.
    pub(crate) fn folder(&self) -> PathBuf {
        folder_of(&self.path).to_owned()
    }

    /// What `-o` and `-f` ask for, [checked](Self::check); none without `-o`.
    pub(crate) fn of(output: &Output) -> anyhow::Result<Option<Self>> {
        output.output.as_deref().map(|path| Self::check(path, output.force)).transpose()
    }

    /// Checks that a recording can begin at `path`, without leaving a trace.
    pub(crate) fn check(path: &Path, overwrite: bool) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            let failure = Failure::usage("a recording cannot go to stdout");
            return Err(failure
                .remedy("name a file with -o, and use `gilscope export` on it")
                .into());
        }
        let path = path.to_owned();
        if !overwrite && path.symlink_metadata().is_ok() {
            return Err(RecordingError::Exists { path }.into());
        }
        match tempfile::tempfile_in(folder_of(&path)) {
            Ok(_) => Ok(Self { path, overwrite }),
            Err(cause) => Err(RecordingError::uncreated(&path, cause).into()),
        }
    }
}

/// Where a page's recordings go: next to the one that is being made, else here.
pub(crate) fn folder(to: Option<&RecordTo>) -> PathBuf {
    to.map_or_else(|| PathBuf::from("."), RecordTo::folder)
}

/// A target in the hub.
pub(crate) struct Watch {
    pub(crate) id: SessionId,
    pub(crate) facts: Target,
    hub: HubHandle,
    ended: oneshot::Receiver<String>,
    reason: Option<String>,
    recording: Option<(PathBuf, JoinHandle<Result<(), RecordingError>>)>,
}

impl Watch {
    /// Gets into a running process and starts to record.
    pub(crate) async fn attach(
        pid: u32,
        to: Option<RecordTo>,
        daemon: &Daemon,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let plan = context.plan.clone();
        let watched = tokio::task::spawn_blocking(move || enter::attach(pid, &plan))
            .await
            .context("entering")??;
        Self::begin(watched, to, daemon, context).await
    }

    /// Watches a process that has been entered.
    pub(crate) async fn begin(
        watched: Watched,
        to: Option<RecordTo>,
        daemon: &Daemon,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let hub = &daemon.hub;
        let facts = watched.facts().clone();
        let recorder = to.map(|to| Recorder::create(&to.path, &facts, to.overwrite)).transpose();
        let (recorder, refused) = match recorder {
            Ok(recorder) => (recorder, None),
            Err(error) => (None, Some(error)), // told once the target has been left
        };
        let path = recorder.as_ref().map(|recorder| recorder.path().to_owned());
        let (sender, task) = recorder.map(|recorder| keep(recorder, context.talk)).unzip();
        let Running { id, ended } = watched.start(hub, sender).await?;
        if let Some(path) = &path {
            daemon.recordings.add_path(id, path.clone()).await;
        }
        let watch =
            Self { id, facts, hub: hub.clone(), ended, reason: None, recording: path.zip(task) };
        match refused {
            None => Ok(watch),
            Some(error) => {
                watch.leave("as it could not be recorded", context).await?;
                Err(error.into())
            }
        }
    }

    /// For a person: "4242 (python app.py), CPython 3.11.2".
    pub(crate) fn name(&self) -> String {
        let version = match self.facts.python_version.as_str() {
            "" => "Python",
            version => &format!("CPython {version}"),
        };
        format!("{} ({}), {version}", self.facts.pid, talk::brief(&self.facts.cmdline.join(" ")))
    }

    /// Returns why, once the session is over by itself.
    pub(crate) async fn ended(&mut self) -> String {
        if let Some(reason) = &self.reason {
            return reason.clone();
        }
        let reason = match (&mut self.ended).await {
            Ok(reason) => reason,
            Err(_) => self.rescue().await,
        };
        self.reason = Some(reason.clone());
        reason
    }

    /// The watcher is gone without a word, which is a fault of ours: the target must not be left with an
    /// agent in it for that, nor the recording without an end.
    async fn rescue(&self) -> String {
        let pid = self.facts.pid;
        let out = move || inject::detach(&Identity::of(pid)?, inject::Options::default());
        let left = tokio::task::spawn_blocking(out).await.is_ok_and(|left| left.is_ok());
        let reason =
            if left { "detached, as its watcher failed" } else { "lost, as its watcher failed" };
        let end_ns = self.hub.with(self.id, |snapshot| snapshot.range().end_ns).await.unwrap_or(0);
        let ended = Some(Ended { at_ns: end_ns, reason: reason.to_owned() });
        // If the hub is gone too there is nobody left to tell.
        let _ = self.hub.batch(self.id, Batch { at_ns: end_ns, ended, ..Batch::default() }).await;
        reason.to_owned()
    }

    /// Takes the agent out, if it is still in, and completes the recording; `by` is why, as "by Ctrl-C".
    pub(crate) async fn leave(mut self, by: &str, context: &Context) -> anyhow::Result<()> {
        if self.reason.is_none() {
            match self.hub.detach(self.id, by).await {
                Ok(()) | Err(HubError::Ended) => {}
                Err(error) => {
                    return Err(Failure::from(error)
                        .hint(format!("`gilscope detach {}` tries again", self.facts.pid))
                        .into());
                }
            }
            let reason = talk::printable(&self.ended().await);
            context.talk.say(format!("{} {reason}", self.facts.pid));
        }
        let Some((path, recording)) = self.recording.take() else { return Ok(()) };
        recording.await.context("the recorder")??;
        let path = path.display();
        context.talk.say(format!("recorded to {path}"));
        context.talk.next_step(format!("gilscope serve {path}"));
        context.talk.next_step(format!("gilscope report {path} -o report.json"));
        Ok(())
    }
}

impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        Self::new(Exit::Failure, error.to_string())
    }
}

pub(super) type Kept = (mpsc::Sender<Arc<Batch>>, JoinHandle<Result<(), RecordingError>>);

/// Gives the recorder what the hub sends. Trouble is told at once and ends the recording, not the session.
pub(super) fn keep(mut recorder: Recorder, talk: Talk) -> Kept {
    let (sender, mut batches) = mpsc::channel::<Arc<Batch>>(RECORDER_QUEUE);
    let task = tokio::spawn(async move {
        while let Some(batch) = batches.recv().await {
            if let Err(error) = recorder.append(&batch) {
                talk.say(error.to_string());
                return Err(error);
            }
        }
        tokio::task::spawn_blocking(move || recorder.finish())
            .await
            .expect("the recorder does not panic")
    });
    (sender, task)
}

/// Refuses a way in that cannot work, before anything is started. `starting` is for a command of ours.
pub(crate) fn check_method(method: Method, starting: bool) -> Result<(), Failure> {
    match method {
        Method::Preload if !starting => {
            Err(Failure::usage("--method preload is for a program that starts")
                .remedy("start it with `gilscope run`, or leave the method to auto"))
        }
        Method::RemoteDebug => {
            Err(Failure::new(Exit::Target, "--method remote-debug is not there yet")
                .remedy("leave the method to auto"))
        }
        Method::Auto | Method::Preload | Method::Ptrace => Ok(()),
    }
}

/// Sleeps for `duration`, or for ever without one; then says so as the reason for leaving.
pub(crate) async fn over(duration: Option<Duration>) -> &'static str {
    match duration {
        Some(duration) => {
            tokio::time::sleep(duration).await;
            "at the end of its time (-d)"
        }
        None => std::future::pending().await,
    }
}
