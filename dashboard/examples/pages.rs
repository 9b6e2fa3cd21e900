//! A dashboard of generated sessions: what `tests/pages` opens in a browser.
//!
//! Four targets that real ones seldom are at the same time: one that lives, one that ended, one whose
//! names are attacks, and one of 300 threads. The server, hub, store and pages are the program's own.
//! Prints one line of JSON with the address and the token, then serves until its standard input ends.
#![allow(dead_code, unused_imports, unreachable_pub)] // the program's modules, of which an example uses a part
#![deny(unsafe_code)]

#[path = "../src/batch.rs"]
mod batch;
#[path = "../src/compare/mod.rs"]
mod compare;
#[path = "../src/cost.rs"]
mod cost;
#[path = "../src/findings/mod.rs"]
mod findings;
#[path = "../src/collect/generate/mod.rs"]
mod generate;
#[path = "../src/http/mod.rs"]
mod http;
#[path = "../src/hub/mod.rs"]
mod hub;
#[path = "../src/plot/mod.rs"]
mod plot;
#[path = "../src/recording/mod.rs"]
mod recording;
#[path = "../src/remedy.rs"]
mod remedy;
#[path = "../src/report/mod.rs"]
mod report;
#[path = "../src/store/mod.rs"]
mod store;
#[path = "../src/units.rs"]
mod units;
#[path = "../src/view/mod.rs"]
mod view;
#[path = "../src/ws.rs"]
mod ws;

use batch::{Batch, Ended, Target};
use generate::Scenario;
use http::{Actions, AttachableProcess, Server};
use hub::{Control, HubHandle, NewSession, SessionId};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

const SECOND: u64 = 1_000_000_000;
/// What the living target has behind it when the first page is opened.
const HISTORY: u64 = 100 * SECOND;

/// Names that would do something if they were ever taken for markup.
const HOSTILE: [&str; 6] = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    "\"><svg onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "${window.pwned=1}{{7*7}}",
    "\u{202e}gnp.exe\u{0}\u{7} a name that is far too long to stand in any column of any table, ever, anywhere",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let hub = hub::spawn();
    let living = Scenario { duration_ns: 3600 * SECOND, ..Scenario::default() };
    let (controls, orders) = mpsc::channel(1);
    let id = add(&hub, now_based(living.target()), Some(controls)).await?;
    let mut batches = living.batches();
    for batch in batches.by_ref() {
        let done = batch.at_ns >= HISTORY;
        hub.batch(id, batch).await?;
        if done {
            break;
        }
    }
    tokio::spawn(live(hub.clone(), id, batches, orders));
    let convoy = Scenario { duration_ns: 45 * SECOND, ..Scenario::convoy() };
    all(
        &hub,
        Target { pid: 5151, cmdline: words("python3 -m app.convoy"), ..convoy.target() },
        convoy.batches(),
    )
    .await?;
    hostile(&hub).await?;
    let wide = Scenario {
        cpu_threads: 20,
        io_threads: 270,
        native_threads: 10,
        duration_ns: 10 * SECOND,
        ..Scenario::default()
    };
    all(
        &hub,
        Target { pid: 300, cmdline: words("python3 wide.py"), ..wide.target() },
        wide.batches(),
    )
    .await?;

    let (server, address) = Server::bind("127.0.0.1:0".parse()?, hub, actions()).await?;
    let handle = server.handle();
    println!(
        "{}",
        serde_json::json!({ "url": handle.login_url(address)?, "token": handle.token() })
    );
    let serving = tokio::spawn(server.run());
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    handle.stop();
    Ok(serving.await?)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(String::from).collect()
}

/// The target as if its history ended now.
fn now_based(target: Target) -> Target {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    Target { anchor_unix_ns: now - HISTORY, started_unix_ns: now - 10 * HISTORY, ..target }
}

async fn add(
    hub: &HubHandle,
    target: Target,
    controls: Option<mpsc::Sender<Control>>,
) -> anyhow::Result<SessionId> {
    Ok(hub.add_session(NewSession { target, controls, recorder: None }).await?)
}

async fn all(
    hub: &HubHandle,
    target: Target,
    batches: impl Iterator<Item = Batch>,
) -> anyhow::Result<()> {
    let id = add(hub, target, None).await?;
    for batch in batches {
        hub.batch(id, batch).await?;
    }
    Ok(())
}

/// Feeds batches as their time comes, until the target is detached.
async fn live(
    hub: HubHandle,
    id: SessionId,
    batches: impl Iterator<Item = Batch>,
    mut orders: mpsc::Receiver<Control>,
) {
    let begin = Instant::now();
    for batch in batches {
        let due = begin + Duration::from_nanos(batch.at_ns.saturating_sub(HISTORY));
        let at_ns = batch.at_ns;
        match timeout_at(due, orders.recv()).await {
            Ok(Some(Control::Detach(by, reply))) => {
                let ended = Some(Ended { at_ns, reason: format!("{} {by}", Ended::DETACHED) });
                let _ = hub.batch(id, Batch { at_ns, ended, ..Batch::default() }).await;
                let _ = reply.send(Ok(()));
                return;
            }
            Ok(Some(Control::Try(remedy, reply))) => {
                change(&hub, id, at_ns, remedy.name(), true).await;
                let _ = reply.send(Ok(remedy.setting()));
            }
            Ok(Some(Control::Undo(name, reply))) => {
                change(&hub, id, at_ns, name, false).await;
                let _ = reply.send(Ok(name.to_owned()));
            }
            _ => {}
        }
        sleep_until(due).await;
        if hub.batch(id, batch).await.is_err() {
            return;
        }
    }
}

/// A target whose names are attacks, whose rings overflowed and whose GIL is not watched after all.
async fn hostile(hub: &HubHandle) -> anyhow::Result<()> {
    let scenario = Scenario {
        cpu_threads: 2,
        io_threads: 3,
        duration_ns: 20 * SECOND,
        ends: false,
        ..Scenario::default()
    };
    let target = Target {
        pid: 666,
        cmdline: HOSTILE.map(String::from).to_vec(),
        executable: HOSTILE[1].into(),
        ..scenario.target()
    };
    let scenario_end = scenario.duration_ns;
    let batches = scenario.batches().map(move |mut batch| {
        batch
            .threads
            .iter_mut()
            .for_each(|fact| fact.name = HOSTILE[fact.key.0 as usize % HOSTILE.len()].into());
        batch
            .codes
            .iter_mut()
            .for_each(|code| code.function = HOSTILE[code.code as usize % HOSTILE.len()].into());
        let imports = batch.imports.iter_mut().flat_map(|sample| &mut sample.imports);
        imports.for_each(|fact| fact.name = HOSTILE[fact.number as usize % HOSTILE.len()].into());
        batch.marks.iter_mut().for_each(|mark| mark.name = HOSTILE[0].into());
        batch.lost.insert("ring_full".into(), 12_345);
        batch.notes.insert("tstate".into(), HOSTILE[1].into());
        if batch.at_ns >= scenario_end {
            batch.ended = Some(Ended { at_ns: batch.at_ns, reason: HOSTILE[2].into() });
        }
        batch
    });
    all(hub, target, batches).await
}

/// Nothing is changed in a generated target but what its pages say.
async fn change(hub: &HubHandle, id: SessionId, at_ns: u64, remedy: &str, on: bool) {
    let setting = "as set by default".to_owned();
    let changes = vec![batch::Change { at_ns, remedy: remedy.to_owned(), setting, on }];
    let _ = hub.batch(id, Batch { at_ns, changes, ..Batch::default() }).await;
}

fn actions() -> Actions {
    let process = |pid, obstacle: Option<&str>| AttachableProcess {
        pid,
        python_version: Some("3.11.2".into()),
        n_threads: 7,
        cmdline: words("python3 /srv/app/worker.py --queue high"),
        session: None,
        obstacle: obstacle.map(String::from),
    };
    let list = vec![
        process(901, None),
        process(902, Some("another user's process; run gilscope as that user")),
    ];
    Actions {
        processes: Box::new(move || Box::pin(std::future::ready(Ok(list.clone())))),
        attach: Box::new(|pid| {
            Box::pin(std::future::ready(Err(format!("process {pid} exited meanwhile"))))
        }),
        recordings: http::RecordingActions::none(|| "generated sessions have no folder".into()),
        remedy: Box::new(|text| {
            let plan = config::Plan::new(&config::Layers::default());
            remedy::Remedy::parse(text, &plan.map_err(|error| error.to_string())?)
        }),
    }
}
