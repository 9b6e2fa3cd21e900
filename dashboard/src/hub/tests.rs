//! The hub as its users see it.

use super::*;
use crate::batch::{Ended, ProcessSample, StateCounters, StateTotal};
use crate::recording::tests::full::full_batch;
use std::time::Duration;

async fn session(hub: &HubHandle, controls: Option<mpsc::Sender<Control>>) -> SessionId {
    hub.add_session(NewSession { target: Target::default(), controls, recorder: None })
        .await
        .unwrap()
}

fn sample(at_ns: u64) -> Batch {
    let process = ProcessSample { at_ns, cpu_ns: at_ns / 2, ..Default::default() };
    Batch { at_ns, process: Some(process), ..Batch::default() }
}

fn end(at_ns: u64) -> Batch {
    Batch {
        at_ns,
        ended: Some(Ended { at_ns, reason: "exited with status 0".into() }),
        ..Batch::default()
    }
}

#[tokio::test]
async fn a_session_that_ended_stays_with_its_reason() {
    let hub = spawn();
    let id = session(&hub, None).await;
    hub.batch(id, sample(1_000)).await.unwrap();
    hub.batch(id, end(2_000)).await.unwrap();
    let reason = hub.with(id, |snapshot| snapshot.ended().unwrap().reason.clone()).await.unwrap();
    assert_eq!(reason, "exited with status 0");
    assert_eq!(hub.sessions().await.unwrap(), [id]);
    assert_eq!(hub.detach(id, "by a test").await, Err(HubError::Ended));
}

#[tokio::test]
async fn marks_are_numbered_and_can_be_taken_away() {
    let hub = spawn();
    let id = session(&hub, None).await;
    hub.batch(id, sample(9_000)).await.unwrap();
    let first = hub.mark(id, "before".into(), Some(5)).await.unwrap();
    let second = hub.mark(id, "after".into(), None).await.unwrap();
    assert_eq!((first.id, first.at_ns, second.id, second.at_ns), (1, 5, 2, 9_000));
    hub.unmark(id, 1).await.unwrap();
    assert_eq!(hub.unmark(id, 1).await, Err(HubError::NoSuchMark(1)));
    let names = hub.with(id, |snapshot| snapshot.marks().to_vec()).await.unwrap();
    assert_eq!(names, [second]);
}

#[tokio::test]
async fn the_recorder_gets_every_batch_and_every_mark_until_the_end() {
    let hub = spawn();
    let (recorder, mut tape) = mpsc::channel(8);
    let new = NewSession { target: Target::default(), controls: None, recorder: Some(recorder) };
    let id = hub.add_session(new).await.unwrap();
    hub.batch(id, sample(1_000)).await.unwrap();
    hub.mark(id, "here".into(), None).await.unwrap();
    hub.batch(id, end(2_000)).await.unwrap();
    let mut taped = Vec::new();
    while let Some(batch) = tape.recv().await {
        taped.push((batch.at_ns, batch.marks.len(), batch.ended.is_some()));
    }
    assert_eq!(taped, [(1_000, 0, false), (1_000, 1, false), (2_000, 0, true)]);
}

#[tokio::test]
async fn a_recorder_that_cannot_keep_up_is_named_in_a_note() {
    let hub = spawn();
    let (recorder, _tape) = mpsc::channel(1);
    let new = NewSession { target: Target::default(), controls: None, recorder: Some(recorder) };
    let id = hub.add_session(new).await.unwrap();
    for at_ns in 1..4 {
        hub.batch(id, sample(at_ns)).await.unwrap();
    }
    let noted = hub.with(id, |snapshot| snapshot.notes().contains_key("recording")).await.unwrap();
    assert!(noted);
}

#[tokio::test]
async fn detaching_is_the_keepers_work() {
    let hub = spawn();
    let (controls, mut orders) = mpsc::channel(1);
    let id = session(&hub, Some(controls)).await;
    let keeper = tokio::spawn(async move {
        let Some(Control::Detach(by, reply)) = orders.recv().await else { panic!("no order came") };
        assert_eq!(by, "by a test");
        reply.send(Err("the target is stopped; continue it with `kill -CONT`".into())).unwrap();
    });
    let outcome = hub.detach(id, "by a test").await;
    assert!(matches!(outcome, Err(HubError::Refused(why)) if why.contains("kill -CONT")));
    keeper.await.unwrap();
    let recording = session(&hub, None).await;
    assert_eq!(hub.detach(recording, "by a test").await, Err(HubError::NoTarget));
}

#[tokio::test(start_paused = true)]
async fn watchers_hear_of_changes_and_questions_are_none() {
    let hub = spawn();
    let mut revisions = hub.revisions();
    let id = session(&hub, None).await;
    revisions.changed().await.unwrap();
    assert_eq!(revisions.borrow_and_update().get(&id), Some(&1));
    hub.with(id, |snapshot| snapshot.range()).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_secs(60), revisions.changed()).await;
    assert!(quiet.is_err(), "a question counted as a change");
    hub.batch(id, sample(1)).await.unwrap();
    revisions.changed().await.unwrap();
}

#[tokio::test]
async fn a_fault_in_one_answer_costs_that_answer_alone() {
    let hub = spawn();
    let id = session(&hub, None).await;
    let fault: Result<(), _> = hub.with(id, |_| panic!("a fault, made on purpose")).await;
    assert_eq!(fault, Err(HubError::Fault));
    hub.batch(id, sample(1)).await.unwrap();
    assert!(hub.with(id, |snapshot| snapshot.range()).await.is_ok());
}

#[tokio::test]
async fn unknown_sessions_are_errors() {
    let hub = spawn();
    let none = SessionId(7);
    assert_eq!(hub.with(none, |_| ()).await, Err(HubError::NoSuchSession(none)));
    assert_eq!(hub.mark(none, "x".into(), None).await, Err(HubError::NoSuchSession(none)));
    assert_eq!(hub.detach(none, "by a test").await, Err(HubError::NoSuchSession(none)));
}

#[tokio::test]
async fn a_recording_that_begins_in_the_middle_knows_what_came_before() {
    let hub = spawn();
    let (controls, _orders) = mpsc::channel(1);
    let id = session(&hub, Some(controls)).await;
    let whole = Batch { at_ns: 5_000, ended: None, ..full_batch() };
    let process = StateTotal { caller: StateTotal::PROCESS, counters: StateCounters::default() };
    let states = [vec![process], whole.states.clone()].concat();
    let batch = Batch { states, ..whole.clone() };
    hub.batch(id, sample(1_000)).await.unwrap();
    hub.batch(id, batch.clone()).await.unwrap();
    let (recorder, mut tape) = mpsc::channel(8);
    hub.record(id, recorder).await.unwrap();
    hub.stop_recording(id).await.unwrap();
    let mut store = Store::new(Target::default());
    while let Some(batch) = tape.recv().await {
        store.apply(&batch);
    }
    let retold = store.snapshot();
    let range = retold.range();
    assert_eq!(retold.states(range).unwrap().callers[0].counters, whole.states[0].counters);
    assert_eq!(retold.states(range).unwrap().callers[0].module, whole.callers[0].module);
    assert_eq!(retold.imports(range).unwrap().rows[0].fact, whole.imports.unwrap().imports[0]);
    assert!(retold.frames(range).unwrap().census.is_some());
    assert_eq!(retold.blame(range)[0].wait_inflicted_ns, whole.blame[0].wait_inflicted_ns);
    assert_eq!(retold.notes(), &whole.notes);
    assert_eq!(retold.changes(), whole.changes);
    assert_eq!(retold.ended().unwrap().how(), "recording stopped");
}

#[tokio::test]
async fn a_recording_that_is_shown_takes_no_marks() {
    let hub = spawn();
    let mut store = Store::new(Target::default());
    store.apply(&Batch { marks: vec![Mark { id: 1, name: "old".into(), at_ns: 5 }], ..sample(9) });
    let id = hub.show(store).await.unwrap();
    assert_eq!(hub.mark(id, "new".into(), None).await, Err(HubError::Shown));
    assert_eq!(hub.rename_mark(id, 1, "new".into()).await, Err(HubError::Shown));
    assert_eq!(hub.unmark(id, 1).await, Err(HubError::Shown));
    assert!(HubError::Shown.to_string().contains("its file stays as it is"));
    let names = hub.with(id, |snapshot| snapshot.marks()[0].name.clone()).await.unwrap();
    assert_eq!(names, "old");
}
