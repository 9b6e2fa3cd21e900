//! A target that writes over its own mapping of the segment while gilscope reads it: gilscope goes on
//! answering, stays small, and says which rings it does not believe any more.

use crate::harness::daemon::Daemon;
use crate::harness::process::{Process, status_kib};
use crate::harness::session::gilscope;
use crate::harness::{Program, Python, Report, scratch, sized};
use crate::on_pythons;
use std::time::{Duration, Instant};

/// Memory of gilscope's own, without the segment, while its target lies.
const MEMORY_KIB_MAX: u64 = 256 << 10;

fn scribbling(python: &Python) {
    let seconds = sized(5, 120);
    let mut program = Program::start(python, "scribbler.py", &[&seconds.to_string()]);
    let folder = scratch();
    let recording = folder.path().join("r.gilscope");
    let mut command = gilscope();
    command.arg("attach").arg(program.pid().to_string()).args(["--listen", "127.0.0.1:0", "-o"]);
    command.arg(&recording).arg("--trace").env("XDG_RUNTIME_DIR", folder.path());
    let process = Process::start(&mut command);
    process.stderr_line(|line| line.contains("dashboard: http"));
    let daemon = Daemon::of(folder.path());
    program.say("go");
    let until = Instant::now() + Duration::from_secs(seconds as u64);
    let (mut n_asked, mut largest_kib) = (0, 0);
    while Instant::now() < until {
        for part in ["", "/threads", "/gil", "/blame", "/handoffs", "/histograms", "/report.json"] {
            let (status, body) = daemon.text(&format!("/api/sessions/1{part}"));
            assert_eq!(status, 200, "{part}: {body}");
            serde_json::from_str::<serde_json::Value>(&body).expect("JSON");
            n_asked += 1;
        }
        largest_kib = largest_kib.max(status_kib(process.pid(), "RssAnon"));
        assert!(largest_kib < MEMORY_KIB_MAX, "{largest_kib} KiB after {n_asked} answers");
        std::thread::sleep(Duration::from_millis(100));
    }
    let truth = program.answer();
    let (_, session) = daemon.text("/api/sessions/1");
    assert!(session.contains("quarantined"), "{session}");
    process.signal(libc::SIGINT);
    let ended = process.finish();
    assert!(ended.status.code().is_some(), "gilscope died: {ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    println!("{} words, {n_asked} answers, {largest_kib} KiB", truth["words"]);
    Report::of(&recording);
    program.say("end");
    program.end();
}
on_pythons!(a_target_that_scribbles_over_the_segment_harms_only_itself, scribbling, [
    python_3_8 "3.8", python_3_12 "3.12",
]);
