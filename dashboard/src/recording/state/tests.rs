//! A recording that opens from its state knows what one that is replayed from its first batch knows.

use super::*;
use crate::collect::generate::Scenario;
use crate::collect::replay::replay;
use crate::recording::schema::FORMAT_VERSION;
use crate::recording::write_all_of;
use std::path::{Path, PathBuf};

/// Some 33 chunks of a session in which threads come and go.
fn scenario() -> Scenario {
    Scenario { duration_ns: 33_000_000_000, churn_per_s: 1, ..Scenario::default() }
}

fn recorded(folder: &Path) -> PathBuf {
    let path = folder.join("a.gilscope");
    write_all_of(&path, &scenario().target(), scenario().batches()).unwrap();
    path
}

fn replayed_from_the_start() -> Vec<u8> {
    let mut store = Store::new(scenario().target());
    scenario().batches().for_each(|batch| store.apply(&batch));
    store.to_bytes()
}

fn chunks(path: &Path) -> i64 {
    let db = Connection::open(path).unwrap();
    db.query_row("SELECT max(id) FROM chunks", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_finished_recording_opens_from_its_state_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let (store, chunk) = Recording::open(&path).unwrap().state();
    assert_eq!(chunk, chunks(&path));
    let whole = replayed_from_the_start();
    assert!(store.to_bytes() == whole && replay(&path).unwrap().store.to_bytes() == whole);
}

#[test]
fn the_state_of_any_chunk_and_the_chunks_after_it_give_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = recorded(folder.path());
    let (last, whole) = (chunks(&path), replayed_from_the_start());
    for saved in [1, last / 2, last - 1] {
        let db = Connection::open(&path).unwrap();
        let mut keeper = Keeper::new(scenario().target());
        for id in 1..=saved {
            let sql = "SELECT data FROM chunks WHERE id = ?";
            let data: Vec<u8> = db.query_row(sql, [id], |row| row.get(0)).unwrap();
            keeper.follow(&db, &chunk::decode(&data, FORMAT_VERSION).unwrap()).unwrap();
        }
        keeper.save(&db).unwrap();
        db.execute("UPDATE state SET chunk = ?", [saved]).unwrap();
        assert_eq!(Recording::open(&path).unwrap().state().1, saved);
        assert!(replay(&path).unwrap().store.to_bytes() == whole);
    }
}

#[test]
fn a_state_that_cannot_be_used_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole) = (recorded(folder.path()), replayed_from_the_start());
    let spoil = |sql: &str| {
        Connection::open(&path).unwrap().execute(sql, []).unwrap();
        let replayed = replay(&path).unwrap();
        assert!(replayed.damage.is_none() && replayed.store.to_bytes() == whole);
        assert_eq!(Recording::open(&path).unwrap().state().1, 0, "{sql}");
    };
    spoil("UPDATE state SET data = substr(data, 1, length(data) / 2)");
    spoil("UPDATE state SET data = zeroblob(100)");
    spoil("UPDATE state SET version = version + 1");
    spoil("DELETE FROM state");
}

#[test]
fn a_short_recording_has_no_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gilscope");
    let scenario = Scenario { duration_ns: 5_000_000_000, ..Scenario::default() };
    write_all_of(&path, &scenario.target(), scenario.batches()).unwrap();
    assert_eq!(Recording::open(&path).unwrap().state().1, 0);
}
