//! The command line as a user meets it: texts, exit codes, options from everywhere.
//!
//! Runs the real binary. Every test has a home and a working folder of its own, so that no option of
//! the developer's machine gets in. Knows nothing of targets; tests of attaching are elsewhere.

use assert_cmd::Command;
use std::fs;
use std::process::Stdio;
use tempfile::TempDir;

/// A gilscope with an empty home.
struct Gilscope {
    home: TempDir,
}

impl Gilscope {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gilscope"));
        command
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    /// Runs it and expects an exit code and, on stderr, the first line.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, first_line: &str) {
        let output = self.command(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.lines().next().unwrap_or_default().starts_with(first_line), "{stderr}");
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(output.stdout.is_empty(), "an error leaves stdout to data");
        assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{stderr}");
    }

    #[track_caller]
    fn prints(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn wrong_usage_is_code_2_and_says_gilscope() {
    let gilscope = Gilscope::new();
    gilscope.fails(&[], 2, "See who holds the GIL");
    gilscope.fails(&["frobnicate"], 2, "gilscope: unrecognized subcommand 'frobnicate'");
    gilscope.fails(&["doctor", "--jsno"], 2, "gilscope: unexpected argument '--jsno' found");
    gilscope.fails(&["completions", "tcsh"], 2, "gilscope: invalid value 'tcsh'");
}

#[test]
fn options_are_refused_with_the_place_to_go_to() {
    let gilscope = Gilscope::new();
    gilscope.fails(
        &["doctor", "--set", "cpu_hz=500"],
        2,
        "gilscope: --set cpu_hz=500: 500 is out of range: from 1 to 100",
    );
    gilscope.fails(
        &["doctor", "--set", "cpu_hertz=5"],
        2,
        "gilscope: --set cpu_hertz=5: unknown key `cpu_hertz`",
    );
    gilscope.fails(
        &["doctor", "--color", "sometimes"],
        2,
        "gilscope: --color: \"sometimes\" is none of auto, always, never",
    );
    gilscope.fails(
        &["doctor", "--set", "log=gilscope=loud"],
        2,
        "gilscope: log: \"gilscope=loud\"",
    );

    let file = gilscope.home.path().join("gilscope.toml");
    fs::write(&file, "gil_long_hold = \"soon\"\n").unwrap();
    gilscope.fails(
        &["doctor"],
        2,
        "gilscope: ./gilscope.toml: `gil_long_hold`: \"soon\" is not a duration",
    );
    fs::write(&file, "colour = \"never\"\n").unwrap();
    gilscope.fails(&["doctor"], 2, "gilscope: ./gilscope.toml: unknown key `colour`");
    fs::write(&file, "listen = \n").unwrap();
    gilscope.fails(&["doctor"], 2, "gilscope: ./gilscope.toml: line 1: ");
    fs::remove_file(&file).unwrap();

    let folder = gilscope.home.path().join(".config/gilscope");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), "threads_max = 1\n").unwrap();
    let expected =
        format!("gilscope: {}/config.toml: `threads_max`: 1 is out of range", folder.display());
    gilscope.fails(&["doctor"], 2, &expected);
}

#[test]
fn a_variable_is_an_option() {
    let gilscope = Gilscope::new();
    let output = gilscope.command(&["doctor"]).env("GILSCOPE_CPU_HZ", "0").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "gilscope: GILSCOPE_CPU_HZ: 0 is out of range: from 1 to 100\n"
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn doctor_lists_checks_and_speaks_json() {
    let gilscope = Gilscope::new();
    let output = gilscope.command(&["doctor", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], "gilscope.doctor/1");
    let checks = report["checks"].as_array().unwrap();
    let failed = checks.iter().filter(|check| check["state"] == "fail").count();
    assert_eq!(output.status.code(), Some(i32::from(failed > 0)));
    assert!(checks.iter().any(|check| check["name"] == "ptrace"));
    for check in checks {
        assert_eq!(
            check["remedy"].is_null(),
            check["state"] == "ok" || check["state"] == "note",
            "{check}"
        );
    }
}

#[test]
fn colour_is_for_those_who_want_it() {
    let gilscope = Gilscope::new();
    let escapes =
        |arguments: &[&str]| gilscope.command(arguments).output().unwrap().stdout.contains(&0x1b);
    assert!(!escapes(&["doctor"]), "stdout is no terminal here");
    assert!(escapes(&["doctor", "--color", "always"]));
    assert!(!escapes(&["doctor", "--color", "never"]));
}

#[test]
fn the_manual_knows_every_verb_and_option() {
    let gilscope = Gilscope::new();
    let manual = gilscope.prints(&["man"]);
    let help = gilscope.prints(&["--help"]);
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let verbs: Vec<&str> = verbs
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.contains(&"doctor"), "{help}");
    for verb in verbs.into_iter().filter(|verb| *verb != "help") {
        assert!(manual.contains(&format!(".SH \"GILSCOPE {}\"", verb.to_uppercase())), "{verb}");
    }
    assert!(manual.contains("GILSCOPE_GIL_LONG_HOLD"), "options are listed");
}

#[test]
fn completions_are_scripts_that_their_shell_accepts() {
    let gilscope = Gilscope::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(gilscope.prints(&["completions", shell]).contains("gilscope"), "{shell}");
    }
    let script = gilscope.prints(&["completions", "bash"]);
    Command::new("bash").arg("-n").write_stdin(script).assert().success();
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let gilscope = Gilscope::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut man = std::process::Command::new(env!("CARGO_BIN_EXE_gilscope"));
    let man =
        man.arg("man").env("HOME", gilscope.home.path()).stdout(writer).stderr(Stdio::piped());
    let output = man.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn mark_says_when_nothing_is_watched() {
    let gilscope = Gilscope::new();
    let first_line =
        "gilscope: no gilscope of this user watches anything: start one with `gilscope attach PID`";
    gilscope.fails(&["mark", "now"], 3, first_line);
    gilscope.fails(
        &["mark", "--pid", "1", "now"],
        3,
        "gilscope: no running gilscope watches process 1: ",
    );
}

#[test]
fn serve_says_what_is_wrong_with_a_file() {
    let gilscope = Gilscope::new();
    let write = |name: &str, text: &[u8]| {
        fs::write(gilscope.home.path().join(name), text).unwrap();
    };
    write("empty.gilscope", b"");
    write("text.gilscope", b"not a recording, but long enough to be looked at more closely, as a text may well be, over a hundred bytes");
    write("short.gilscope", b"SQLite format 3\0 and no more");
    gilscope.fails(&["serve", "no.gilscope"], 1, "gilscope: cannot open no.gilscope: No such file");
    gilscope.fails(&["serve", "empty.gilscope"], 1, "gilscope: empty.gilscope is empty");
    gilscope.fails(
        &["serve", "text.gilscope"],
        1,
        "gilscope: text.gilscope is no gilscope recording",
    );
    gilscope.fails(&["serve", "short.gilscope"], 1, "gilscope: short.gilscope is cut short: ");
    gilscope.fails(
        &["serve", "--listen", "0.0.0.0:7676", "no.gilscope"],
        2,
        "gilscope: --listen: 0.0.0.0:7676 is not a loopback",
    );
}

#[test]
fn report_and_export_say_what_they_can_write() {
    let gilscope = Gilscope::new();
    gilscope.fails(
        &["report", "no.gilscope"],
        1,
        "gilscope: cannot open no.gilscope: No such file",
    );
    gilscope.fails(
        &["report", "no.gilscope", "-o", "r.pdf"],
        2,
        "gilscope: r.pdf does not tell what to write: ",
    );
    gilscope.fails(
        &["export", "no.gilscope", "--plot", "cpu"],
        2,
        "gilscope: - does not tell what to write: ",
    );
    gilscope.fails(
        &["export", "no.gilscope", "--plot", "gpu"],
        2,
        "gilscope: invalid value 'gpu' for '--plot <NAME>'",
    );
}

#[test]
fn what_cannot_be_attached_is_told_before_anything_is_done() {
    let gilscope = Gilscope::new();
    let no_dashboard = "--no-dashboard";
    fs::write(gilscope.home.path().join("there"), "precious").unwrap();
    gilscope.fails(&["attach"], 2, "gilscope: the following required arguments were not provided:");
    gilscope.fails(
        &["attach", "4194305", no_dashboard],
        3,
        "gilscope: no process 4194305: `gilscope list`",
    );
    gilscope.fails(
        &["attach", "--name", "no such program", no_dashboard],
        3,
        "gilscope: no Python process has",
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    gilscope.fails(&["attach", "4194305", "--listen", &listen], 3, "gilscope: no process 4194305");
    gilscope.fails(
        &["attach", "no-such.py"],
        2,
        "gilscope: invalid value 'no-such.py' for '[PID]...': a process id is wanted; no Python process",
    );
    gilscope.fails(
        &["attach", "1", "-d", "soon"],
        2,
        "gilscope: invalid value 'soon' for '--duration <TIME>'",
    );
    gilscope.fails(
        &["attach", "1", "--probes", "gpu"],
        2,
        "gilscope: --probes: \"gpu\" is none of gil, cpu, tstate, frames, imports",
    );
    gilscope.fails(
        &["attach", "1", "--light", "--trace"],
        2,
        "gilscope: the argument '--light' cannot be used with",
    );
    let preload = "gilscope: --method preload is for a program that starts: ";
    gilscope.fails(&["attach", "1", "--method", "preload"], 2, preload);
    let remote_debug = "gilscope: --method remote-debug is not there yet: ";
    gilscope.fails(&["attach", "1", "--method", "remote-debug"], 3, remote_debug);
    gilscope.fails(&["record", "1", "-o", "there"], 1, "gilscope: there exists; pass -f");
    gilscope.fails(&["record", "1", "-o", "no/f"], 1, "gilscope: cannot write no/f: No such file");
    gilscope.fails(&["record", "1", "-o", "-"], 2, "gilscope: a recording cannot go to stdout");
    gilscope.fails(&["detach", "4194305"], 3, "gilscope: no process 4194305");
    assert_eq!(fs::read_to_string(gilscope.home.path().join("there")).unwrap(), "precious");
}

#[test]
fn a_port_in_use_is_told_before_anything_is_done() {
    let gilscope = Gilscope::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let first_line =
        format!("gilscope: {address} is taken by another program: use --listen 127.0.0.1:0");
    gilscope.fails(&["run", "--listen", &address, "--", "touch", "started"], 1, &first_line);
    assert!(!gilscope.home.path().join("started").exists());
}

#[test]
fn run_leaves_a_command_as_it_is() {
    let gilscope = Gilscope::new();
    let run = |script: &str| {
        let mut command =
            gilscope.command(&["run", "--no-dashboard", "-q", "--", "sh", "-c", script]);
        command.write_stdin("from stdin").output().unwrap()
    };
    let output = run("cat; echo to stderr >&2; exit 7");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!((&*output.stdout, &*output.stderr), (&b"from stdin"[..], &b"to stderr\n"[..]));
    assert_eq!(run("kill -TERM $$").status.code(), Some(128 + 15));
    gilscope.fails(
        &["run", "--no-dashboard", "--", "/nonexistent"],
        3,
        "gilscope: cannot start /nonexistent: No such file",
    );
}
