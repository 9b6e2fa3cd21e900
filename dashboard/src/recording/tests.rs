//! Recordings on a real disk: what was written comes back, also after a real `kill -9`.

pub(crate) mod full;
#[path = "../../../tests/skipped.rs"]
mod skipped;

use super::schema::{FORMAT_VERSION, LAYOUT, TABLES};
use super::*;
use crate::batch::*;
use crate::collect::generate::Scenario;
use crate::collect::replay::replay;
use crate::store::Store;
use full::full_batch;
use sha2::{Digest, Sha256};
use skipped::skip;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;

fn scenario(seconds: u64) -> Scenario {
    Scenario { duration_ns: seconds * SECOND, ..Default::default() }
}

fn record(path: &Path, scenario: &Scenario) -> Vec<Batch> {
    let mut recorder = Recorder::create(path, &scenario.target(), false).unwrap();
    let batches: Vec<_> = scenario.batches().collect();
    batches.iter().for_each(|batch| recorder.append(batch).unwrap());
    recorder.finish().unwrap();
    batches
}

fn open_error(path: &Path) -> String {
    Recording::open(path).unwrap_err().to_string()
}

#[test]
fn the_very_same_batches_come_back_from_one_private_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gilscope");
    let batches = record(&path, &scenario(5));
    let recording = Recording::open(&path).unwrap();
    assert_eq!(recording.target(), &scenario(5).target());
    assert!(recording.is_finished());
    let replayed: Vec<_> = recording.batches().map(Result::unwrap).collect();
    assert_eq!(replayed, batches);
    drop(recording);
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn plain_tables_sum_to_the_session() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gilscope");
    let batches = record(&path, &scenario(6));
    let db = rusqlite::Connection::open(&path).unwrap();
    let sum = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap() as u64;
    let gil = batches.last().unwrap().gil.as_ref().unwrap();
    assert_eq!(sum("SELECT sum(acquires) FROM gil"), gil.acquires);
    assert_eq!(sum("SELECT sum(held_ns + free_ns) FROM gil"), gil.at_ns - gil.window_start_ns);
    assert_eq!(sum("SELECT sum(acquires) FROM rollups"), gil.acquires);
    assert_eq!(sum("SELECT sum(hold_ns) FROM rollups"), gil.held_ns);
    let process = |batch: &Batch| batch.process.unwrap();
    let (first, last) = (process(&batches[0]), process(batches.last().unwrap()));
    let threads_ns = last.cpu_ns - first.cpu_ns - (last.exited_cpu_ns - first.exited_cpu_ns);
    assert_eq!(sum("SELECT sum(cpu_ns) FROM rollups"), threads_ns);
    assert_eq!(sum("SELECT count(*) FROM marks"), 3);
    assert_eq!(sum("SELECT count(*) FROM codes"), 5);
    assert_eq!(sum("SELECT count(*) FROM target WHERE ended_reason LIKE 'exited%'"), 1);
}

#[test]
fn a_recording_is_never_overwritten_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gilscope");
    std::fs::write(&path, "precious").unwrap();
    let create = |overwrite| Recorder::create(&path, &Target::default(), overwrite);
    assert!(matches!(create(false).err(), Some(RecordingError::Exists { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    create(true).unwrap().finish().unwrap();
    assert!(matches!(Recording::open(&path), Err(RecordingError::Empty { .. })));
    let nowhere = dir.path().join("no/such/dir/a.gilscope");
    let error = Recorder::create(&nowhere, &Target::default(), true).err().unwrap().to_string();
    assert!(error.contains("no/such/dir") && error.contains("choose a folder"), "{error}");
}

#[test]
fn files_that_are_no_recordings_say_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gilscope");
    record(&path, &scenario(5));
    let whole = std::fs::read(&path).unwrap();
    let with = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        open_error(&path)
    };
    assert!(with(b"").contains("is empty"));
    assert!(with(b"{\"not\": \"sqlite\"}").contains("no gilscope recording"));
    assert!(with(&whole[..50]).contains("cut short"));
    assert!(with(&whole[..whole.len() / 2]).contains("cut short"));
    let mut future = whole.clone();
    future[60..64].copy_from_slice(&99u32.to_be_bytes()); // user_version, fileformat.html 1.3
    assert!(with(&future).contains("format 99") && with(&future).contains("a newer gilscope"));
    let mut other = whole.clone();
    other[68..72].fill(0); // application_id
    assert!(with(&other).contains("no gilscope recording"));
    assert!(open_error(dir.path()).contains("no gilscope recording"));
    assert!(open_error(&dir.path().join("missing")).contains("No such file"));
}

/// Whatever is damaged, there is an error or the right data: never wrong data, never a panic.
#[test]
fn damage_anywhere_is_noticed_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gilscope");
    let batches = record(&path, &scenario(5));
    let whole = std::fs::read(&path).unwrap();
    let mut noticed = 0;
    for at in (0..whole.len()).step_by(whole.len() / 61) {
        let mut bytes = whole.clone();
        bytes[at..].iter_mut().take(16).for_each(|byte| *byte ^= 0xA5);
        std::fs::write(&path, &bytes).unwrap();
        let Ok(recording) = Recording::open(&path) else {
            noticed += 1;
            continue;
        };
        let read: Result<Vec<_>, _> = recording.batches().collect();
        match read {
            Ok(read) => assert!(read == batches[..read.len()], "wrong data after damage at {at}"),
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed > 20, "{noticed}");
}

#[test]
fn a_full_disk_ends_the_recording_once_and_keeps_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=3m", "none"];
    if !Command::new("mount").args(mount).arg(dir.path()).status().is_ok_and(|s| s.success()) {
        skip("mounting a small tmpfs takes root");
        return;
    }
    let path = dir.path().join("a.gilscope");
    let mut recorder = Recorder::create(&path, &scenario(1).target(), false).unwrap();
    let mut errors = vec![];
    let until = Instant::now() + Duration::from_secs(30);
    let endless = Scenario { churn_per_s: 50, ..scenario(10_000) };
    for batch in endless.batches().take_while(|_| Instant::now() < until) {
        errors.extend(recorder.append(&batch).err());
        if !errors.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1)); // paces the producer, proves nothing
    }
    assert!(recorder.append(&Batch::default()).is_ok(), "the error comes once");
    assert!(recorder.finish().is_ok());
    let kept = Recording::open(&path).map(|r| r.batches().map(Result::unwrap).count());
    let unmounted = Command::new("umount").arg(dir.path()).status().unwrap();
    assert!(unmounted.success());
    assert!(matches!(errors[..], [RecordingError::DiskFull { .. }]), "{errors:?}");
    assert!(kept.unwrap() > 0);
}

/// Not a test by itself: the writer that the next test kills.
#[test]
#[ignore = "a child of the next test"]
fn child_that_records_until_killed() {
    let path = std::env::var_os("GILSCOPE_TEST_RECORDING").expect("set by the parent");
    let scenario = scenario(100_000);
    let mut recorder = Recorder::create(Path::new(&path), &scenario.target(), false).unwrap();
    for batch in scenario.batches() {
        recorder.append(&batch).unwrap();
        std::thread::sleep(Duration::from_micros(300)); // paces the producer, proves nothing
    }
}

#[test]
fn a_killed_writer_leaves_all_that_it_committed() {
    let expected: BTreeMap<u64, Option<GilSample>> =
        scenario(100_000).batches().take(1_500).map(|batch| (batch.at_ns, batch.gil)).collect();
    let dir = tempfile::tempdir().unwrap();
    let mut with_data = 0;
    for round in 0..25u32 {
        let path = dir.path().join(format!("{round}.gilscope"));
        kill_a_writer(&path, Duration::from_millis(u64::from(round) * 30));
        let recording = match Recording::open(&path) {
            Ok(recording) => recording,
            Err(RecordingError::Empty { .. } | RecordingError::NotARecording { .. }) => continue,
            Err(other) => panic!("round {round}: {other}"),
        };
        assert!(!recording.is_finished());
        let mut last_ns = None;
        for batch in recording.batches().map(Result::unwrap) {
            assert!(last_ns < Some(batch.at_ns));
            last_ns = Some(batch.at_ns);
            if let Some(gil) = expected.get(&batch.at_ns) {
                assert_eq!(&batch.gil, gil);
            }
        }
        let db = rusqlite::Connection::open(&path).unwrap();
        let check: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        with_data += 1;
    }
    assert!(with_data > 10, "only {with_data} of 25 had data");
}

fn kill_a_writer(path: &Path, after: Duration) {
    let test = "recording::tests::child_that_records_until_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--ignored"])
        .env("GILSCOPE_TEST_RECORDING", path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while std::fs::metadata(path).map_or(0, |facts| facts.len()) == 0 {
        assert!(Instant::now() < until, "the writer did not begin");
        std::thread::yield_now();
    }
    std::thread::sleep(after); // where in its work it is hit
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_slow_disk_costs_resolution_but_no_totals() {
    let batches: Vec<_> = scenario(5).batches().collect();
    let mut lost = 0;
    let mut merged = batches[0].clone();
    for batch in &batches[1..] {
        merged = write::merge(merged, batch, &mut lost);
    }
    assert_eq!(lost, 0);
    let store = |batches: &[Batch]| {
        let mut store = Store::new(Target::default());
        batches.iter().for_each(|batch| store.apply(batch));
        store
    };
    let (all, one) = (store(&batches), store(&[merged]));
    let (all, one) = (all.snapshot(), one.snapshot());
    assert_eq!(all.totals(all.range()), one.totals(one.range()));
    assert_eq!(all.handoffs(all.range()), one.handoffs(one.range()));
    assert_eq!(all.marks(), one.marks());
}

#[test]
fn replay_fills_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gilscope");
    let batches = record(&path, &scenario(5));
    let replayed = replay(&path).unwrap();
    assert!(replayed.finished && replayed.damage.is_none());
    let snapshot = replayed.store.snapshot();
    let acquires = batches.last().unwrap().gil.as_ref().unwrap().acquires;
    assert_eq!(snapshot.totals(snapshot.range()).unwrap().acquires, acquires);
}

#[test]
fn batches_of_the_format_before_frames_are_read() {
    let batch =
        Batch { frames: None, callers: vec![], states: vec![], imports: None, ..full_batch() };
    let mut bytes = postcard::to_allocvec(&batch).unwrap();
    let end = bytes.len() - 4;
    assert_eq!(bytes.split_off(end), [0; 4], "what is not there is one byte each at the end");
    let two: Vec<u8> = [&[2][..], &bytes, &bytes].concat();
    assert_eq!(chunk::unpack(&two, 3).unwrap(), [batch.clone(), batch]);
    assert!(chunk::unpack(&two, FORMAT_VERSION).is_err());
}

/// If this fails, old recordings can no longer be read as they were written: raise
/// `FORMAT_VERSION`, then put the new digest here and into `LAYOUT`.
#[test]
fn tables_and_the_encoding_of_a_batch_belong_to_the_format_version() {
    let bytes = postcard::to_allocvec(&full_batch()).unwrap();
    assert_eq!(postcard::from_bytes::<Batch>(&bytes).unwrap(), full_batch());
    let digest = hex::encode(Sha256::new().chain_update(TABLES).chain_update(bytes).finalize());
    assert_eq!(&digest[..16], LAYOUT);
    assert_eq!((FORMAT_VERSION, LAYOUT), (5, "f601b7fd1727747b"));
}

#[test]
fn recordings_of_other_builds_are_told_apart_from_damaged_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.gilscope");
    let change = |sql: &str| {
        let _ = std::fs::remove_file(&path);
        record(&path, &scenario(5));
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        Recording::open(&path)
    };
    let is_told = |opened: Result<Recording, RecordingError>, format: &str| {
        let told = opened.unwrap_err().to_string();
        assert!(told.contains("made by another build") && told.contains(format), "{told}");
        assert!(told.contains("reads format 5") && told.contains("that made it"), "{told}");
    };
    is_told(change("UPDATE meta SET value = 'other' WHERE key = 'layout'"), "of format 5");
    is_told(change("DELETE FROM meta WHERE key = 'layout'"), "of format 5");
    // Version 4 as it was before imports were in it, and as it was last.
    is_told(change("DROP TABLE imports; PRAGMA user_version = 4"), "of format 4");
    let last = change("DELETE FROM meta WHERE key = 'layout'; PRAGMA user_version = 4").unwrap();
    assert!(last.batches().all(|batch| batch.is_ok()));
}
