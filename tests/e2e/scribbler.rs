//! A target that writes over its own mapping of the segment while gilscope reads it: gilscope goes on
//! answering, stays small, and says which rings it does not believe any more.

use crate::harness::process::Process;
use crate::harness::session::gilscope;
use crate::harness::{Program, Python, Report, scratch, sized};
use crate::on_pythons;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Memory of gilscope's own, without the segment, while its target lies.
const MEMORY_KIB_MAX: u64 = 256 << 10;

/// How to ask a running gilscope.
struct Daemon {
    listen: String,
    token: String,
}

impl Daemon {
    /// From the one run file in `folder`.
    fn of(folder: &std::path::Path) -> Self {
        let file = std::fs::read_dir(folder.join("gilscope")).expect("a run folder").next();
        let text =
            std::fs::read(file.expect("a run file").expect("readable").path()).expect("read");
        let info: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let field = |name: &str| info[name].as_str().expect("text").to_owned();
        Self { listen: field("listen"), token: field("token") }
    }

    /// Status and body of a GET.
    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.listen).expect("gilscope listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time");
        let head = format!("Host: {}\r\nAuthorization: Bearer {}", self.listen, self.token);
        write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n")
            .expect("gilscope reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer within 20 s");
        let answer = String::from_utf8(bytes).expect("an answer is text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        (status.expect("a status"), body.to_owned())
    }
}

fn own_memory_kib(pid: u32) -> u64 {
    let path = format!("/proc/{pid}/status");
    let text = std::fs::read_to_string(path).expect("gilscope lives");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

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
            let (status, body) = daemon.get(&format!("/api/sessions/1{part}"));
            assert_eq!(status, 200, "{part}: {body}");
            serde_json::from_str::<serde_json::Value>(&body).expect("JSON");
            n_asked += 1;
        }
        largest_kib = largest_kib.max(own_memory_kib(process.pid()));
        assert!(largest_kib < MEMORY_KIB_MAX, "{largest_kib} KiB after {n_asked} answers");
        std::thread::sleep(Duration::from_millis(100));
    }
    let truth = program.answer();
    let (_, session) = daemon.get("/api/sessions/1");
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
