//! Single events of an old range: over a real socket, out of the session's recording.

use super::Running;
use super::client::Request;
use crate::collect::generate::Scenario;
use crate::http::{Actions, Server};
use crate::hub::{self, NewSession};
use crate::recording::write_all_of;
use std::path::{Path, PathBuf};

/// A server with a long traced session, whose old events are in `file` alone.
async fn serve(scenario: &Scenario, file: Option<PathBuf>) -> Running {
    let hub = hub::spawn();
    let new = NewSession { target: scenario.target(), controls: None, recorder: None };
    let session = hub.add_session(new).await.unwrap();
    for batch in scenario.batches() {
        hub.batch(session, batch).await.unwrap();
    }
    let mut actions = Actions::none();
    actions.recordings.path_of = Box::new(move |_| Box::pin(std::future::ready(Ok(file.clone()))));
    let listen = "127.0.0.1:0".parse().unwrap();
    let (server, address) = Server::bind(listen, hub.clone(), actions).await.unwrap();
    let handle = server.handle();
    tokio::spawn(server.run());
    Running { address, handle, hub, session }
}

fn get(running: &Running, path: &str) -> Request {
    running.request("GET", &format!("/api/sessions/{}/{path}", running.session.0))
}

fn record(scenario: &Scenario, path: &Path) -> usize {
    let mut in_range = 0;
    let batches = scenario.batches().inspect(|batch| {
        let ended = |at_ns: u64| (5_000_000_000..5_200_000_000).contains(&at_ns);
        in_range += batch.events.iter().filter(|event| ended(event.at_ns)).count();
    });
    write_all_of(path, &scenario.target(), batches).unwrap();
    in_range
}

/// The header of the binary answer, which is JSON.
async fn lanes(running: &Running) -> serde_json::Value {
    let wanted = "lanes?from_ns=5000000000&to_ns=5200000000&px=900&threads=1,2,3,4,5";
    let answer = get(running, wanted).send().await;
    assert_eq!(answer.status, 200);
    let header = &answer.body[answer.body.find('{').unwrap()..];
    let mut values = serde_json::Deserializer::from_str(header).into_iter();
    values.next().unwrap().unwrap()
}

/// Handoffs that the exported picture draws of a part of the range, short enough for all its arrows.
async fn arrows(running: &Running) -> usize {
    let wanted = "export/gil-timeline.svg?from_ns=5000000000&to_ns=5050000000";
    let answer = get(running, wanted).send().await;
    assert_eq!(answer.status, 200);
    let is_head = |line: &&str| line.starts_with("<polygon") && line.contains("#222222");
    answer.body.lines().filter(is_head).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_range_shows_its_single_events_if_the_session_has_a_recording() {
    let scenario = Scenario::traced();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gilscope");
    let in_range = record(&scenario, &path);
    let wanted = "events?from_ns=5000000000&to_ns=5200000000";
    for file in [None, Some(path), Some(folder.path().join("gone.gilscope"))] {
        let readable = file.as_ref().is_some_and(|path| path.exists());
        let running = serve(&scenario, file).await;
        let events = get(&running, wanted).send().await.json();
        let (header, n_events) =
            (lanes(&running).await, events["events"].as_array().unwrap().len());
        let n_spans = header["n_spans"].as_u64().unwrap();
        assert_eq!(events["left_out"], 0);
        assert_eq!(arrows(&running).await > 0, readable, "the plot shows what the page does");
        if readable {
            assert_eq!(n_events, in_range);
            assert!(n_spans > 20 && header["bin_ns"].as_u64() < Some(1_200_000_000), "{header}");
            assert!(header["detail_from_ns"].as_u64() <= Some(5_000_000_000), "{header}");
        } else {
            assert_eq!((n_events, n_spans), (0, 0), "{header}");
        }
    }
    assert!(in_range > 200, "{in_range}");
}
