//! What the interpreter keeps for frames, equal to what the program reads of itself with ctypes.

use crate::harness::report::cell;
use crate::harness::{Program, Python, Report, Session};
use crate::on_pythons;
use serde_json::Value;

/// A session on a program that stands still, after it has done as told and said its truth.
fn session(program: &mut Program, order: &str, options: &[&str]) -> (Report, Value) {
    let session = Session::attach(program, options);
    program.say(order);
    let truth = program.truth();
    (session.finish(), truth)
}

fn same(report: &Report, path: &str, truth: &Value, name: &str) {
    let census = report.at("frames.census");
    assert_eq!(report.n(path), cell(truth, name), "{path}, census {census}, {truth}");
}

fn zombies(python: &Python) {
    let mut program = Program::start(python, "zombies.py", &[]);
    let (report, truth) = session(&mut program, "deep", &["--probes", "frames"]);
    assert!(cell(&truth, "zombies") > 300, "too few to be a test: {truth}");
    same(&report, "frames.zombies.count", &truth, "zombies");
    same(&report, "frames.zombies.bytes", &truth, "bytes");
    if python.version >= (3, 8) {
        same(&report, "frames.zombies.called_once.count", &truth, "once");
    }
    assert_eq!(report.n("frames.free_list.count"), 200, "after a deep recursion");
    let idle = report.n("frames.zombies.bytes") + report.n("frames.free_list.bytes");
    assert_eq!(report.n("frames.idle_bytes"), idle);
    let modules = report.sum("frames.zombies.by_module", "bytes");
    assert_eq!(modules, report.n("frames.zombies.bytes"), "the modules are all there are");
    let named = |name: &str| {
        report.rows("frames.zombies.by_module").iter().any(|row| row["module"] == name)
    };
    assert!(named("__main__") && named("threading"), "modules are named");
    assert!(report.n("frames.pinned.pools") >= report.n("frames.pinned.pools_alone"));

    // The same with the agent inside: it leaves no frame, and finds the same.
    let (report, truth) = session(&mut program, "collect", &[]);
    same(&report, "frames.zombies.count", &truth, "zombies");
    same(&report, "frames.zombies.bytes", &truth, "bytes");
    assert_eq!(report.n("frames.free_list.count"), 0, "after a full collection");
    assert_eq!(report.at("frames.chunks"), &Value::Null);
    program.end();
}
on_pythons!(zombies_and_free_list_are_counted_to_the_byte, zombies, [
    python_2_7 "2.7", python_3_6 "3.6", python_3_7 "3.7", python_3_8 "3.8", python_3_9 "3.9",
    python_3_10 "3.10",
]);

fn stacks(python: &Python) {
    let mut program = Program::start(python, "stacks.py", &[]);
    let (report, truth) = session(&mut program, "say", &[]);
    same(&report, "frames.chunks.count", &truth, "chunks");
    same(&report, "frames.chunks.bytes", &truth, "bytes");
    same(&report, "frames.chunks.used_bytes", &truth, "used_bytes");
    same(&report, "frames.chunks.resident_bytes", &truth, "resident_bytes");
    assert_eq!(report.n("frames.idle_bytes"), cell(&truth, "bytes") - cell(&truth, "used_bytes"));
    assert_eq!(report.n("frames.threads_unread"), 0);
    assert_eq!(report.sum("frames.threads", "bytes"), cell(&truth, "bytes"), "of the threads");
    assert!(report.rows("frames.threads").iter().all(|row| cell(row, "thread_id") > 0));
    for kind in ["suspended", "exhausted", "escaped"] {
        let [count, bytes] = ["count", "bytes"].map(|of| report.n(&format!("frames.{kind}.{of}")));
        assert_eq!(serde_json::json!([count, bytes]), truth[kind], "{kind}");
    }
    let top = &report.rows("frames.suspended.top")[0];
    assert_eq!((top["function"].as_str(), cell(top, "count")), (Some("numbers"), 40), "{top}");
    assert_eq!(report.at("frames.zombies"), &Value::Null);
    program.end_well();
}
on_pythons!(chunks_and_embedded_frames_are_counted_to_the_byte, stacks, [
    python_3_11 "3.11", python_3_12 "3.12", python_3_13 "3.13", debian_3_11 "debian 3.11",
]);
