//! `gilscope serve FILE…`: recordings on the same pages as live targets.

use super::daemon::{Daemon, EndSignals};
use super::flags::Serving;
use super::{Context, Lay};
use crate::http::Actions;
use crate::hub::{HubHandle, NewSession};
use crate::recording::{Recording, RecordingError};
use anyhow::Context as _;
use clap::Args;
use config::Layers;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::Handle;

const EXAMPLES: &str = "\
Examples:
  gilscope serve before.gilscope
  gilscope serve before.gilscope after.gilscope --open";

/// Show recordings on the dashboard
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// Recordings to show
    #[arg(required = true, value_name = "FILE")]
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
    let mut daemon = Daemon::start(context, |_| Actions::none()).await?;
    for recording in recordings {
        let name = recording.path().display().to_string();
        if !recording.is_finished() {
            context
                .talk
                .say(format!("{name} was not ended properly: what was saved until then is shown"));
        }
        if let Some(damage) = load(&daemon.hub, recording).await? {
            context.talk.say(damage.to_string());
        }
    }
    daemon.announce(context)?;
    context.talk.next_step("Ctrl-C ends it");
    signals.wait().await;
    daemon.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Feeds a recording to the hub. A damaged one gives what precedes the damage, and says so.
async fn load(hub: &HubHandle, recording: Recording) -> anyhow::Result<Option<RecordingError>> {
    let new = NewSession { target: recording.target().clone(), controls: None, recorder: None };
    let id = hub.add_session(new).await?;
    let hub = hub.clone();
    let runtime = Handle::current();
    let loading = tokio::task::spawn_blocking(move || {
        for batch in recording.batches() {
            match batch {
                Ok(batch) => runtime.block_on(hub.batch(id, batch))?,
                Err(damage) => return Ok(Some(damage)),
            }
        }
        Ok::<_, anyhow::Error>(None)
    });
    loading.await.context("reading the recording")?
}
