//! `gilscope serve [FILE…]`: the dashboard by itself, with recordings on the same pages as live targets.

use super::daemon::{Daemon, EndSignals};
use super::flags::Serving;
use super::{Context, Lay};
use crate::batch::{Batch, Ended};
use crate::hub::{HubHandle, SessionId};
use crate::output::folder_of;
use crate::recording::{Recording, RecordingError};
use crate::store::Snapshot;
use anyhow::Context as _;
use clap::Args;
use config::Layers;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

const EXAMPLES: &str = "\
Examples:
  gilscope serve                             attach and open recordings from its page of targets
  gilscope serve before.gilscope
  gilscope serve before.gilscope after.gilscope --open";

/// Show recordings on the dashboard
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// Recordings to show; without one the dashboard begins with its page of targets
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    serving: Serving,
}

impl Lay for Flags {
    fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        layers.set("serve", "dashboard", "true")?;
        self.serving.lay(layers)
    }
}

pub(crate) async fn run(flags: Flags, context: &Context) -> anyhow::Result<ExitCode> {
    // All files are opened before the port is taken: a wrong name is told at once.
    let recordings: Vec<Recording> =
        flags.files.iter().map(|path| Recording::open(path)).collect::<Result<_, _>>()?;
    let mut signals = EndSignals::catch()?;
    let folder = flags.files.first().map_or(Path::new("."), |file| folder_of(file));
    let mut daemon = Daemon::start(context, folder.to_owned()).await?;
    for recording in recordings {
        let name = recording.path().display().to_string();
        if !recording.is_finished() {
            context
                .talk
                .say(format!("{name} was not ended properly: what was saved until then is shown"));
        }
        let path = recording.path().to_owned();
        let (id, loading) = begin(&daemon.hub, recording).await?;
        daemon.recordings.add_path(id, path).await;
        if let Some(damage) = loading.await.context("reading the recording")?? {
            context.talk.say(damage.to_string());
        }
    }
    daemon.announce(context)?;
    context.talk.next_step("Ctrl-C ends it");
    signals.wait().await;
    daemon.stop().await;
    Ok(ExitCode::SUCCESS)
}

type Loading = JoinHandle<anyhow::Result<Option<RecordingError>>>;

/// Adds a session that shows a recording, and feeds it in the background. A damaged one gives what
/// precedes the damage; that, or that it was cut off, is the session's end.
pub(super) async fn begin(
    hub: &HubHandle,
    recording: Recording,
) -> anyhow::Result<(SessionId, Loading)> {
    let opened = tokio::task::spawn_blocking(move || {
        let (store, chunk) = recording.state();
        (recording, store, chunk)
    });
    let (recording, store, chunk) = opened.await.context("reading the recording")?;
    let id = hub.show(store).await?;
    let hub = hub.clone();
    let runtime = Handle::current();
    let loading = tokio::task::spawn_blocking(move || {
        let mut damage = None;
        for batch in recording.batches_after(chunk) {
            match batch {
                Ok(batch) => runtime.block_on(hub.batch(id, batch))?,
                Err(found) => {
                    damage = Some(found);
                    break;
                }
            }
        }
        let cut = damage.as_ref().map(ToString::to_string).or_else(|| {
            let why =
                "the recording was not ended properly, and what was saved until then is shown";
            (!recording.is_finished()).then(|| why.to_owned())
        });
        if let Some(why) = cut {
            runtime.block_on(end(&hub, id, format!("{}: {why}", Ended::CUT)))?;
        }
        Ok(damage)
    });
    Ok((id, loading))
}

/// Ends a session that its own batches did not end.
async fn end(hub: &HubHandle, id: SessionId, reason: String) -> anyhow::Result<()> {
    let look = |snapshot: &Snapshot<'_>| (snapshot.range().end_ns, snapshot.ended().is_some());
    if let (at_ns, false) = hub.with(id, look).await? {
        let ended = Some(Ended { at_ns, reason });
        hub.batch(id, Batch { at_ns, ended, ..Batch::default() }).await?;
    }
    Ok(())
}
