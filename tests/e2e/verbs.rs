//! The verbs on a live target, as a user strings them together: the demo's workload under the machine's
//! own Python, watched, listed, marked, left.
//!
//! What the figures must be is tested elsewhere; here it is what each verb says, makes and leaves behind.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// Longest wait for a line; reached only when something is wrong.
const LIMIT: Duration = Duration::from_secs(60);

/// A home of its own, so that no option and no running gilscope of the developer's gets in.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn gilscope(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gilscope"));
        command.args(arguments).current_dir(self.path()).env_clear().env("HOME", self.path());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.gilscope(arguments).output().unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.succeeds(arguments)).unwrap()
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, says: &str) {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with("gilscope: ") && stderr.contains(says), "{stderr}");
        assert_eq!(output.status.code(), Some(code), "{stderr}");
    }
}

/// The lines that a child writes to one of its streams.
fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let read = BufReader::new(stream).lines().map_while(Result::ok);
        read.for_each(|line| drop(sender.send(line)));
    });
    receiver
}

#[track_caller]
fn line_with(lines: &Receiver<String>, text: &str) -> String {
    loop {
        let line = lines.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("no line with {text:?}"));
        if line.contains(text) {
            return line;
        }
    }
}

/// The demo's workload; ends with the test.
struct Workload {
    child: Child,
    _stdin: ChildStdin,
}

impl Workload {
    /// None, with the reason printed, on a machine without Python.
    fn start() -> Option<Self> {
        let real =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let Some(real) = real.ok().filter(|output| output.status.success()) else {
            println!("skipped: no python3 on this machine");
            return None;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.py");
        let mut command = Command::new(String::from_utf8(real.stdout).unwrap().trim());
        let mut child =
            command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        line_with(&lines(child.stdout.take().unwrap()), "ready");
        let stdin = child.stdin.take().unwrap();
        Some(Self { child, _stdin: stdin })
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Whatever of gilscope's is still open or at work in it.
    fn residue(&self) -> Vec<String> {
        let folder = format!("/proc/{}/fd", self.child.id());
        let links = fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        links
            .map(|link| link.display().to_string())
            .filter(|link| link.contains("gilscope"))
            .collect()
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gilscope that goes on until it is told to end.
struct Attached {
    child: Child,
    stderr: Receiver<String>,
}

impl Attached {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut child = home.gilscope(arguments).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stderr }
    }

    fn interrupt(mut self) -> Option<i32> {
        let status =
            Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_remedy_is_tried_through_the_gilscope_that_watches_and_taken_back() {
    let Some(mut workload) = Workload::start() else { return };
    let (home, pid) = (Home::new(), workload.pid());
    let nobody = ["try", &pid, "io-priority", "--undo"];
    home.fails(&nobody, 3, "nothing is left to undo");
    let attached =
        Attached::start(&home, &["attach", &pid, "--listen", "127.0.0.1:0", "-o", "r.gilscope"]);
    line_with(&attached.stderr, "dashboard: http://127.0.0.1:");

    home.fails(&["try", &pid, "magic"], 2, "there are io-priority, switch-interval, keep-chunks");
    home.fails(&["try", &pid, "switch-interval"], 2, "wants a time");
    home.succeeds(&["try", &pid, "io-priority=20us"]);
    home.succeeds(&["try", &pid, "switch-interval", "2ms"]);
    home.succeeds(&["try", &pid, "io-priority", "--undo"]);
    home.fails(&["try", &pid, "io-priority", "--undo"], 1, "io-priority is not being tried");

    assert_eq!(attached.interrupt(), Some(0));
    assert!(workload.runs());
    let report = home.json(&["report", "r.gilscope", "--json"]);
    let tried = report["experiments"].as_array().unwrap();
    assert_eq!(
        tried.iter().map(|one| &one["remedy"]).collect::<Vec<_>>(),
        ["io-priority", "switch-interval"]
    );
    assert!(tried[0]["setting"].as_str().unwrap().contains("20us"), "{}", tried[0]);
    assert!(tried[0]["undone_ns"].as_u64() > tried[0]["at_ns"].as_u64());
    assert!(tried[1]["undone_ns"].is_null());
    let marks: Vec<_> =
        report["marks"].as_array().unwrap().iter().map(|mark| &mark["name"]).collect();
    assert_eq!(marks, ["try io-priority", "try switch-interval", "undo io-priority"]);
}

#[test]
fn a_bench_measures_remedies_side_by_side() {
    let home = Home::new();
    let arguments = ["bench", "--tests", "lock+cpu,http1+cpu", "--rounds", "1", "-d", "300ms"];
    let bench = home.json(&[&arguments[..], &["--try", "io-priority", "--json"]].concat());
    assert_eq!(bench["schema"], "gilscope.bench/1");
    assert_eq!(bench["arms"].as_array().unwrap().len(), 2, "as it is, and with the remedy");
    let cells = bench["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    for cell in cells {
        assert!(cell["per_s"]["median"].as_f64().unwrap() > 0.0, "{cell}");
        assert!(cell["probes"]["handoffs_per_s"].as_f64().unwrap() > 0.0, "{cell}");
        assert_eq!(cell["ratio"].is_null(), cell["arm"] == 0, "{cell}");
    }
    assert!(cells[2]["p99_ns"]["median"].as_f64() >= cells[2]["p50_ns"]["median"].as_f64());
    home.fails(&["bench", "--tests", "bogus"], 2, "is no test");
    std::fs::write(home.path().join("bench.json"), bench.to_string()).unwrap();
    let same = home.json(&["compare", "bench.json", "bench.json", "--json"]);
    let ratios = same["changes"].as_array().unwrap().iter().map(|change| &change["ratio"]);
    assert!(ratios.clone().all(|ratio| *ratio == 1.0) && ratios.count() == 4, "{same}");
}

#[test]
fn a_session_from_list_to_report() {
    let Some(mut workload) = Workload::start() else { return };
    let (home, pid) = (Home::new(), workload.pid());
    let attached =
        Attached::start(&home, &["attach", &pid, "--listen", "127.0.0.1:0", "-o", "r.gilscope"]);
    line_with(&attached.stderr, "attached to");
    line_with(&attached.stderr, "dashboard: http://127.0.0.1:");

    let listing = home.json(&["list", "--json"]);
    let row = listing["processes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["pid"] == workload.child.id())
        .unwrap();
    assert_eq!(row["attached_by"], attached.child.id());
    assert_eq!(row["n_threads"], 14);
    home.fails(
        &["attach", &pid, "--no-dashboard"],
        1,
        &format!("by process {}", attached.child.id()),
    );
    home.fails(&["mark", "no", "--pid", "1"], 3, "watches process 1");
    home.succeeds(&["mark", "cache warm"]);
    home.fails(&["mark", &"x".repeat(81)], 1, "1 to 80 characters");

    assert_eq!(attached.interrupt(), Some(0));
    assert!(workload.runs());
    assert_eq!(workload.residue(), Vec::<String>::new());
    let report = home.json(&["report", "r.gilscope", "--json"]);
    assert_eq!(report["schema"], "gilscope.report/1");
    assert_eq!(report["marks"][0]["name"], "cache warm");
    assert!(report["gil"]["acquires"].as_u64().unwrap() > 0);
    home.fails(&["record", &pid, "-o", "r.gilscope"], 1, "r.gilscope exists");
}

#[test]
fn plots_come_in_every_format_and_are_not_overwritten() {
    let Some(workload) = Workload::start() else { return };
    let home = Home::new();
    home.succeeds(&["record", &workload.pid(), "-d", "1s", "-o", "r.gilscope"]);
    for (name, start) in
        [("cpu.svg", &b"<svg"[..]), ("gil-wait.png", b"\x89PNG"), ("handoffs.csv", b"")]
    {
        let (plot, _) = name.split_once('.').unwrap();
        let export = ["export", "r.gilscope", "--plot", plot, "-o", name];
        home.succeeds(&export);
        let data = fs::read(home.path().join(name)).unwrap();
        assert!(data.starts_with(start) && data.len() > 20, "{name}");
        home.fails(&export, 1, &format!("{name} exists"));
        home.succeeds(&[&export[..], &["-f"]].concat());
    }
    assert!(home.succeeds(&["report", "r.gilscope"]).starts_with("# gilscope report"));

    // Ranges, and two of them side by side.
    let rows = |file: &str| -> Vec<u64> {
        let csv = home.succeeds(&["export", file, "--plot", "cpu-parts", "--format", "csv"]);
        let ms = |line: &str| line.split(',').next()?.parse::<f64>().ok().map(|s| (s * 1e3) as u64);
        csv.lines().skip(1).map(|line| ms(line).expect("a time")).collect()
    };
    let whole = rows("r.gilscope");
    let middle = whole[whole.len() / 2];
    let (early, late) = (format!("r.gilscope@..{middle}ms"), format!("r.gilscope@{middle}ms.."));
    let (early_rows, late_rows) = (rows(&early), rows(&late));
    assert!(early_rows.iter().all(|at_ms| *at_ms <= middle), "{early_rows:?} up to {middle}");
    assert!(late_rows.iter().all(|at_ms| *at_ms >= middle), "{late_rows:?} from {middle}");
    assert!(early_rows.len() < whole.len() && late_rows.len() < whole.len());
    let csv = ["--plot", "cpu", "--format", "csv"];
    let from = [&["export", "r.gilscope", "--from", "cold"], &csv[..]].concat();
    home.fails(&from, 2, "has no marks");
    let late_csv = [&["export", "r.gilscope@9h.."], &csv[..]].concat();
    home.fails(&late_csv, 2, "nothing lies between");
    let compared = home.json(&["compare", &early, &late, "--json"]);
    assert_eq!(compared["schema"], "gilscope.compare/1");
    let figures = compared["figures"].as_array().unwrap();
    let acquires = figures.iter().find(|row| row["name"] == "gil.acquires").unwrap();
    assert!(acquires["after"].as_f64().unwrap() > 0.0 && acquires["difference"].is_f64());
    assert!(home.succeeds(&["compare", "r.gilscope", "r.gilscope"]).contains("| GIL held |"));
    let check = |condition| ["check", "r.gilscope", "--fail-if", condition];
    assert!(home.succeeds(&check("gil.wait.p99 > 1h")).contains("is not > 3600 s"));
    home.fails(&check("gil.acquires > 0"), 5, "the check failed: gil.acquires");
    home.fails(&check("moon > 1"), 2, "there is no figure \"moon\"");
}

#[test]
fn detach_goes_through_the_gilscope_that_watches() {
    let Some(mut workload) = Workload::start() else { return };
    let (home, pid) = (Home::new(), workload.pid());
    home.fails(&["detach", &pid], 1, "is not attached");
    let attached = Attached::start(&home, &["attach", &pid, "--listen", "127.0.0.1:0"]);
    line_with(&attached.stderr, "dashboard: ");
    home.succeeds(&["detach", &pid]);
    line_with(&attached.stderr, &format!("{pid} detached"));
    home.fails(&["detach", &pid], 1, "is not attached");
    assert!(workload.runs());
    // It can be watched again while the first gilscope still shows what it saw.
    home.succeeds(&["attach", &pid, "-d", "100ms", "--no-dashboard"]);
    assert_eq!(attached.interrupt(), Some(0));
}

#[test]
fn a_gilscope_without_a_dashboard_hears_marks_tries_and_detach() {
    let Some(mut workload) = Workload::start() else { return };
    let (home, pid) = (Home::new(), workload.pid());
    let mut recorder = Attached::start(&home, &["record", &pid, "-o", "r.gilscope"]);
    line_with(&recorder.stderr, "attached to");
    let folder = home.path().join(".local/state/gilscope");
    for entry in fs::read_dir(&folder).unwrap() {
        let (path, facts) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        assert_eq!(facts.mode() & 0o777, 0o600, "{}", path.display());
    }
    home.succeeds(&["mark", "cache warm"]);
    home.succeeds(&["mark", "--pid", &pid, "again"]);
    home.succeeds(&["try", &pid, "io-priority"]);
    home.succeeds(&["detach", &pid]);
    line_with(&recorder.stderr, &format!("{pid} detached by `gilscope detach`"));
    assert_eq!(recorder.child.wait().unwrap().code(), Some(0));
    assert!(workload.runs());
    let report = home.json(&["report", "r.gilscope", "--json"]);
    assert_eq!(report["ended"]["how"], "detached");
    let alive = report["threads"].as_array().unwrap().iter().filter(|row| row["alive"] == true);
    assert_eq!(alive.count(), 14, "it went on with all of its threads");
    assert_eq!(report["ended"]["reason"], "detached by `gilscope detach`");
    let marks = report["marks"].as_array().unwrap().iter().map(|mark| &mark["name"]);
    assert_eq!(marks.collect::<Vec<_>>(), ["cache warm", "again", "try io-priority"]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left of it");
    home.fails(&["mark", "no"], 3, "no gilscope of this user watches anything");
}

#[test]
fn without_the_gil_probe_threads_have_names_and_nothing_is_said_of_the_gil() {
    let Some(workload) = Workload::start() else { return };
    let (home, pid) = (Home::new(), workload.pid());
    home.succeeds(&["record", &pid, "-d", "2s", "-o", "r.gilscope", "--probes", "cpu"]);
    let report = home.json(&["report", "r.gilscope", "--json"]);
    for section in ["gil", "handoffs", "blame", "thread_states", "frames", "imports"] {
        assert!(report[section].is_null(), "{section}");
    }
    let notes = report["notes"].as_array().unwrap();
    let note = |section: &str| notes.iter().find(|note| note["section"] == section).unwrap();
    assert!(note("gil")["reason"].as_str().unwrap().contains("the gil probe was off"));
    let threads = report["threads"].as_array().unwrap();
    let kept = threads.iter().filter(|thread| thread["thread_id"] != 0);
    assert!(kept.clone().all(|thread| thread["class"].is_null() && thread["gil"].is_null()));
    let names: Vec<&str> = kept.filter_map(|thread| thread["name"].as_str()).collect();
    for name in ["MainThread", "scorer", "client-1"] {
        assert!(names.contains(&name), "{name} is none of {names:?}");
    }
}

#[test]
fn detach_takes_over_from_a_gilscope_that_was_killed() {
    let Some(mut workload) = Workload::start() else { return };
    let (home, pid) = (Home::new(), workload.pid());
    let mut attached = Attached::start(&home, &["attach", &pid, "--no-dashboard"]);
    line_with(&attached.stderr, "attached to");
    attached.child.kill().unwrap();
    attached.child.wait().unwrap();
    home.succeeds(&["detach", &pid]);
    assert!(workload.runs());
    assert_eq!(workload.residue(), Vec::<String>::new());
}

#[test]
fn a_target_that_ends_is_told_with_its_reason() {
    let Some(mut workload) = Workload::start() else { return };
    let (home, pid) = (Home::new(), workload.pid());
    let mut attached =
        Attached::start(&home, &["attach", &pid, "--no-dashboard", "-o", "r.gilscope"]);
    line_with(&attached.stderr, "attached to");
    workload.child.kill().unwrap();
    line_with(&attached.stderr, &format!("{pid} killed by signal 9"));
    assert_eq!(attached.child.wait().unwrap().code(), Some(0));
    assert_eq!(home.json(&["report", "r.gilscope", "--json"])["schema"], "gilscope.report/1");
}

#[test]
fn doctor_finds_nothing_in_the_way_of_a_plain_python() {
    let Some(workload) = Workload::start() else { return };
    let (home, pid) = (Home::new(), workload.pid());
    let report = home.json(&["doctor", &pid, "--json"]);
    assert_eq!(report["pid"].to_string(), pid);
    let checks = report["checks"].as_array().unwrap();
    assert!(
        checks.iter().any(|check| check["name"] == "interpreter" && check["state"] == "ok"),
        "{report}"
    );
    let other = std::process::id().to_string();
    assert_eq!(home.run(&["doctor", &other]).status.code(), Some(3), "this test is not Python");
    assert_eq!(home.run(&["doctor", "4194305"]).status.code(), Some(3));
}

#[test]
fn serve_shows_a_recording_until_it_is_told_to_end() {
    let Some(workload) = Workload::start() else { return };
    let home = Home::new();
    home.succeeds(&["record", &workload.pid(), "-d", "1s", "-o", "r.gilscope"]);
    let serving = Attached::start(&home, &["serve", "r.gilscope", "--listen", "127.0.0.1:0"]);
    line_with(&serving.stderr, "dashboard: http://127.0.0.1:");
    home.fails(&["mark", "now"], 3, "no gilscope of this user watches anything");
    assert_eq!(serving.interrupt(), Some(0));
}

#[test]
fn the_demo_leaves_a_folder_and_nothing_else() {
    if Workload::start().is_none() {
        return;
    }
    let home = Home::new();
    let demo = ["demo", "--headless", "-d", "1s", "--listen", "127.0.0.1:0"];
    home.succeeds(&demo);
    home.succeeds(&demo);
    for folder in ["gilscope-demo", "gilscope-demo-2"] {
        let folder = home.path().join(folder);
        for name in
            ["demo.gilscope", "demo.py", "report.html", "cpu.svg", "gil-hold.png", "handoffs.csv"]
        {
            assert!(folder.join(name).metadata().unwrap().len() > 0, "{name}");
        }
        let report: Value =
            serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
        let names: Vec<&str> = report["threads"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|t| t["name"].as_str())
            .collect();
        assert!(
            ["MainThread", "scorer", "client-1"].iter().all(|name| names.contains(name)),
            "{names:?}"
        );
    }
    let run_files = home.path().join(".local/state/gilscope");
    assert_eq!(fs::read_dir(run_files).unwrap().count(), 0);
}
