//! `gilscope demo`: the whole of gilscope in one go, on a workload that comes with it.

use super::daemon::{Daemon, EndSignals};
use super::flags::{self, Serving};
use super::watch::{RecordTo, Watch};
use super::{Context, Lay, python};
use crate::errors::{Exit, Failure};
use crate::hub::{HubHandle, SessionId};
use crate::output::write_atomically;
use crate::plot::{self, Plot, PlotError};
use crate::remedy::Remedy;
use crate::report;
use anyhow::Context as _;
use clap::Args;
use config::Layers;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write as _};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

/// What is watched. It is put into the folder too, so that the files and lines that are shown can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// A small service with the usual troubles of one GIL
    Service,
    /// A service at 40 % of a core, until the threads of a C library call into Python
    Wakeup,
}

impl What {
    fn source(self) -> &'static str {
        match self {
            Self::Service => include_str!("../../assets/demo.py"),
            Self::Wakeup => include_str!("../../assets/wakeup.py"),
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Service => "a workload of 14 threads",
            Self::Wakeup => "a service at 40 % of a core",
        }
    }
}

/// Folders `gilscope-demo`, `gilscope-demo-2`, … that are tried.
const FOLDERS_MOST: u32 = 1000;
/// Steps of the progress bar a second.
const STEPS_A_SECOND: u32 = 10;

const EXAMPLES: &str = "\
Examples:
  gilscope demo --open
  gilscope demo wakeup --open
  gilscope demo --headless -d 5s -o /tmp/demo
  gilscope demo --python python2.7";

/// Watch a workload that comes with gilscope: dashboard, recording, report and plots
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// The workload
    #[arg(value_enum, default_value = "service")]
    what: What,
    /// Folder for what it makes; the next free name is taken if it exists
    #[arg(short, long, value_name = "FOLDER", default_value = "gilscope-demo")]
    output: PathBuf,
    /// Write into the folder even if it exists
    #[arg(short, long)]
    force: bool,
    /// Record this long before the report is written
    #[arg(short, long, value_name = "TIME", default_value = "12s", value_parser = flags::duration)]
    duration: Duration,
    /// Python to run the workload with; by default the first CPython found
    #[arg(long, value_name = "PYTHON")]
    python: Option<OsString>,
    /// End by itself when the files are written
    #[arg(long)]
    headless: bool,
    #[command(flatten)]
    serving: Serving,
}

impl Lay for Flags {
    fn lay(&self, layers: &mut Layers) -> Result<(), config::Error> {
        self.serving.lay(layers)
    }
}

pub(crate) async fn run(flags: Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let python = python::find(flags.python.as_deref())?;
    let mut signals = EndSignals::catch()?;
    let folder = make_folder(&flags.output, flags.force)?;
    context.talk.say(format!("recording, report and plots go to {}", folder.display()));
    let mut daemon = Daemon::start(context, folder.clone()).await.inspect_err(|_| {
        let _ = fs::remove_dir(&folder); // it is new and empty, or it stays
    })?;
    let mut workload = Workload::start(flags.what, &python, &folder)?;
    let about = flags.what.about();
    context.talk.say(format!("{about} runs under CPython {}", python.version));
    let to = RecordTo::check(&folder.join("demo.gilscope"), flags.force)?;
    let watch = Watch::attach(workload.child.id(), Some(to), &daemon, context).await?;
    daemon.tell_targets(vec![watch.facts.pid])?;
    daemon.announce(context)?;
    let interrupted = tokio::select! {
        _ = signals.wait() => true,
        recorded = record(&daemon, &watch, &mut workload, flags.duration, context) => { recorded?; false }
    };
    if !interrupted {
        for line in write_files(&folder, flags.force, &daemon.hub, watch.id).await? {
            context.talk.say(line);
        }
        context.talk.say(format!("all of it is in {}", folder.display()));
        if !flags.headless {
            context.talk.next_step("Ctrl-C ends it");
            signals.wait().await;
        }
    }
    watch.leave("as the demo ended", context).await?;
    workload.end();
    daemon.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Lets time go by, and does on the way what a person would do.
async fn record(
    daemon: &Daemon,
    watch: &Watch,
    workload: &mut Workload,
    duration: Duration,
    context: &Context,
) -> anyhow::Result<()> {
    let steps = (duration.as_secs_f64() * f64::from(STEPS_A_SECOND)).ceil().max(1.0) as u32;
    let bar = context.talk.bar(steps.into(), "recording");
    let mut tick = tokio::time::interval(duration / steps);
    tick.tick().await; // the first one comes at once
    for step in 1..=steps {
        tick.tick().await;
        bar.inc(1);
        match workload.what {
            What::Service if step == steps.div_ceil(2) => {
                daemon.hub.mark(watch.id, "half-way".to_owned(), None).await?;
            }
            What::Wakeup if step == steps.div_ceil(3) => {
                daemon.hub.mark(watch.id, "C threads call in".to_owned(), None).await?;
                workload.go()?;
            }
            What::Wakeup if step == (2 * steps).div_ceil(3) => {
                let tried = daemon.hub.try_remedy(watch.id, Remedy::KeepChunks).await;
                bar.suspend(|| match tried {
                    Ok(setting) => context.talk.say(format!("keep-chunks is on: {setting}")),
                    Err(why) => context.talk.say(format!("keep-chunks is not tried: {why}")),
                });
            }
            _ => {}
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The workload, which ends when its standard input does.
struct Workload {
    what: What,
    child: Child,
}

impl Workload {
    /// Returns when it says that it is ready.
    fn start(what: What, python: &python::Python, folder: &Path) -> anyhow::Result<Self> {
        let script = folder.join("demo.py");
        fs::write(&script, what.source())
            .with_context(|| format!("cannot write {}", script.display()))?;
        let mut command = Command::new(&python.executable);
        command.arg(&script).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.process_group(0); // Ctrl-C is for gilscope, which leaves the workload before it ends
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", python.executable.display()))?;
        let stdout = child.stdout.take().context("the workload has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() != "ready" {
            let _ = child.wait();
            return Err(Failure::new(Exit::Failure, "the workload did not start")
                .remedy(format!(
                    "see what `{} {}` says",
                    python.executable.display(),
                    script.display()
                ))
                .into());
        }
        Ok(Self { what, child })
    }

    /// Its second part begins.
    fn go(&mut self) -> anyhow::Result<()> {
        let stdin = self.child.stdin.as_mut().context("the workload has no stdin")?;
        stdin.write_all(b"go\n").context("the workload does not listen")
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait(); // it is gone in any case
    }
}

/// Makes the folder, or the next free one of its name.
fn make_folder(wanted: &Path, force: bool) -> anyhow::Result<PathBuf> {
    for number in 1..=FOLDERS_MOST {
        let mut name = wanted.as_os_str().to_owned();
        if number > 1 {
            name.push(format!("-{number}"));
        }
        let folder = PathBuf::from(name);
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists && force && folder.is_dir() => {
                return Ok(folder);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                let cause = format!("cannot make the folder {}", folder.display());
                return Err(anyhow::Error::new(error).context(Failure::new(Exit::Failure, cause)));
            }
        }
    }
    Err(Failure::new(
        Exit::Failure,
        format!("{} and all names after it are taken", wanted.display()),
    )
    .remedy("choose another folder with -o")
    .into())
}

/// Writes the report and all plots of the session so far; what there are no figures for, it tells.
/// Each is drawn by itself, so that the dashboard goes on in between.
async fn write_files(
    folder: &Path,
    force: bool,
    hub: &HubHandle,
    id: SessionId,
) -> anyhow::Result<Vec<String>> {
    for (name, format) in
        [("report.json", report::Format::Json), ("report.html", report::Format::Html)]
    {
        let written = hub.with(id, move |snapshot| {
            let mut data = Vec::new();
            report::write(snapshot, snapshot.range(), format, &mut data).map(|()| data)
        });
        save(&folder.join(name), force, &written.await??)?;
    }
    let mut missing = Vec::new();
    for plot in Plot::ALL {
        for (ending, format) in
            [("svg", plot::Format::Svg), ("png", plot::Format::Png), ("csv", plot::Format::Csv)]
        {
            let drawn = hub.with(id, move |snapshot| {
                let mut data = Vec::new();
                plot::write(snapshot, plot, snapshot.range(), None, format, &mut data)
                    .map(|()| data)
            });
            match drawn.await? {
                Ok(data) => save(&folder.join(format!("{}.{ending}", plot.name())), force, &data)?,
                Err(error @ PlotError::NoData { .. }) => missing.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
    }
    missing.dedup();
    Ok(missing)
}

fn save(path: &Path, force: bool, data: &[u8]) -> anyhow::Result<()> {
    write_atomically(path, force, |out| Ok(out.write_all(data)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_exists_is_left_alone_unless_forced() {
        let home = tempfile::tempdir().unwrap();
        let wanted = home.path().join("demo");
        assert_eq!(make_folder(&wanted, false).unwrap(), wanted);
        assert_eq!(make_folder(&wanted, false).unwrap(), home.path().join("demo-2"));
        assert_eq!(make_folder(&wanted, true).unwrap(), wanted);
        assert!(make_folder(&home.path().join("no/demo"), false).is_err());
    }
}
