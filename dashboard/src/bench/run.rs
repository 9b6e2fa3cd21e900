//! One measurement: a process that runs one test, watched, with a remedy or as it is.

use super::load;
use super::{Arm, Test};
use crate::errors::{Exit, Failure};
use crate::hub::{self, HubHandle, SessionId};
use crate::store::Range;
use crate::target::{Running, enter};
use crate::view::{Figures, experiments};
use anyhow::{Context as _, Result};
use config::Plan;
use serde::Serialize;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The program of all tests.
const PROGRAM: &str = include_str!("../../assets/bench.py");
/// As in the program.
const WARM_UP: Duration = Duration::from_millis(200);
/// What a test may take longer than it should before it is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What one measurement gave.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Rounds, transactions, requests or calls a second.
    pub per_s: f64,
    /// Rounds of the CPU thread beside it; null where there is none.
    pub cpu_per_s: Option<f64>,
    /// Latency of requests; null for other tests.
    pub p50_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    /// What the probes saw meanwhile; null where they could not look.
    pub probes: Option<Figures>,
}

/// A measurement, or the reason why there is none.
pub type Outcome = Result<Measured, String>;

/// Writes the program into a folder; every measurement runs it from there.
pub fn write_program(folder: &Path) -> std::io::Result<std::path::PathBuf> {
    let path = folder.join("bench.py");
    std::fs::File::create(&path)?.write_all(PROGRAM.as_bytes())?;
    Ok(path)
}

/// A test's process; killed if it is dropped early.
struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(arm: &Arm, test: Test, lasts: Duration, program: &Path) -> Result<Self> {
        let mut command = Command::new(&arm.executable);
        command.arg(program).arg(test.name).arg(lasts.as_secs_f64().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let cannot = || format!("cannot start {}", arm.executable.display());
        let mut child = command.spawn().with_context(cannot)?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the test has no stdout")?;
        Ok(Self { child, input, lines: BufReader::new(output).lines() })
    }

    async fn says(&mut self) -> Result<Value> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.context("the test did not answer in time")??;
        serde_json::from_str(&line.context("the test ended early")?).context("the test's answer")
    }

    async fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("the test has no stdin")?;
        tokio::io::AsyncWriteExt::write_all(input, line.as_bytes()).await?;
        Ok(())
    }

    async fn end(mut self) -> Result<()> {
        drop(self.input.take());
        self.child.wait().await?;
        Ok(())
    }
}

/// Measures once. The outer error is a fault; an inner one is a reason to leave the cell empty.
pub async fn measure(
    arm: &Arm,
    test: Test,
    lasts: Duration,
    program: &Path,
    plan: &Plan,
) -> Result<Outcome> {
    let mut running = Program::start(arm, test, lasts, program)?;
    let ready = running.says().await?;
    if let Some(why) = ready["skipped"].as_str() {
        return Ok(Err(why.to_owned()));
    }
    let pid = running.child.id().context("the test has no pid")?;
    let hub = hub::spawn();
    let watch = watch(pid, &hub, plan).await?;
    if let Some(remedy) = arm.remedy
        && let Err(why) = hub.try_remedy(watch.id, remedy).await
    {
        return Ok(Err(why.to_string()));
    }
    let outcome = work(&mut running, &ready, test, lasts, &hub, watch.id).await;
    hub.detach(watch.id, "by the bench").await.map_err(Failure::from)?;
    running.end().await?;
    outcome.map(Ok)
}

async fn watch(pid: u32, hub: &HubHandle, plan: &Plan) -> Result<Running> {
    let plan = plan.clone();
    let watched = tokio::task::spawn_blocking(move || enter::attach(pid, &plan)).await??;
    watched.start(hub, None).await.map_err(|error| Failure::from(error).into())
}

/// From "go" to the figures.
async fn work(
    running: &mut Program,
    ready: &Value,
    test: Test,
    lasts: Duration,
    hub: &HubHandle,
    id: SessionId,
) -> Result<Measured> {
    running.tell("go\n").await?;
    let latencies = match ready["port"].as_u64() {
        Some(port) => load::run(port as u16, test.in_flight, WARM_UP, lasts).await?,
        None => Vec::new(),
    };
    let said = running.says().await?;
    // The warm-up is over by the end of the first quarter of what was recorded.
    let probes = hub.with(id, |snapshot| {
        let whole = snapshot.range();
        let from = whole.start_ns + whole.length_ns() / 4;
        experiments::figures(snapshot, Range::new(from, whole.end_ns), &Default::default())
    });
    let per_s = said["per_s"].as_f64().ok_or_else(|| odd(&said))?;
    Ok(Measured {
        per_s,
        cpu_per_s: said["cpu_per_s"].as_f64(),
        p50_ns: quantile(&latencies, 0.50),
        p99_ns: quantile(&latencies, 0.99),
        probes: probes.await?,
    })
}

fn odd(said: &Value) -> Failure {
    Failure::new(Exit::Failure, format!("the test answered {said}"))
}

/// Of an ascending list; none if it is empty.
fn quantile(sorted: &[u64], share: f64) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}
