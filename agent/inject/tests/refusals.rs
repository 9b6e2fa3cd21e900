//! What stops an attach must be said clearly, at once, and leave the process as it was.

mod common;

use common::skipped::skip;
use common::{Host, footprint, pythons, try_attach, wait_status};
use inject::{Error, Identity, Kind, Level, Options, detach, diagnose, survey};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use wire::segment::status;

fn newest() -> Option<PathBuf> {
    let found = pythons().into_iter().next_back();
    if found.is_none() {
        skip("no interpreter on this machine");
    }
    found
}

fn signal(pid: u32, number: i32) {
    // SAFETY: kill(2) with a child of ours.
    assert_eq!(unsafe { libc::kill(pid as i32, number) }, 0);
}

fn state(pid: u32) -> char {
    Identity::of(pid).unwrap().status().unwrap().state
}

fn wait_state(pid: u32, wanted: char) {
    let started = Instant::now();
    while state(pid) != wanted {
        assert!(started.elapsed() < Duration::from_secs(10), "never in state {wanted}");
        std::thread::yield_now();
    }
}

fn failures(pid: u32) -> Vec<&'static str> {
    let checks = diagnose(pid);
    checks.into_iter().filter(|c| c.level == Level::Fail).map(|c| c.name).collect()
}

#[test]
fn a_stopped_process_stays_stopped() {
    let Some(python) = newest() else { return };
    let host = Host::python(&python, "storm");
    let target = host.identity();
    signal(host.pid(), libc::SIGSTOP);
    wait_state(host.pid(), 'T');
    let error = try_attach(&target, Options::default()).unwrap_err();
    assert!(matches!(error, Error::Stopped(_)), "{error}");
    assert_eq!(failures(host.pid()), ["state"]);
    assert_eq!(state(host.pid()), 'T');
    signal(host.pid(), libc::SIGCONT);
    let attached = try_attach(&target, Options::default()).unwrap();
    wait_status(&attached, status::RECORDING);
    detach(&target, Options::default()).unwrap();
    assert_eq!(host.finish().1, Some(0));
}

/// Another process of ours that traces `pid` until it is killed.
fn tracer(pid: u32) -> Child {
    let attach = move || {
        // SAFETY: ptrace(2) between fork and exec: one system call. The trace survives the exec.
        match unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid as i32, 0, 0) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    let mut command = Command::new("sleep");
    command.arg("60");
    // SAFETY: `attach` makes one async-signal-safe call.
    unsafe { command.pre_exec(attach) }.spawn().unwrap()
}

#[test]
fn a_traced_process_names_its_tracer() {
    let Some(python) = newest() else { return };
    let host = Host::python(&python, "select");
    let mut other = tracer(host.pid());
    let error = try_attach(&host.identity(), Options::default()).unwrap_err();
    assert!(matches!(error, Error::Traced { by, .. } if by == other.id()), "{error}");
    assert_eq!(failures(host.pid()), ["tracer"]);
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(host.finish().1, Some(0));
}

#[test]
fn programs_that_are_not_cpython_are_left_alone() {
    let mut sleep = Command::new("sleep").arg("60").spawn().unwrap();
    let target = Identity::of(sleep.id()).unwrap();
    let before = footprint(&target);
    let error = try_attach(&target, Options::default()).unwrap_err();
    assert!(matches!(error, Error::NotPython { .. }), "{error}");
    assert_eq!(error.kind(), Kind::Target);
    assert!(failures(sleep.id()).contains(&"interpreter"));
    assert_eq!(footprint(&target), before);
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    let error = try_attach(&target, Options::default()).unwrap_err();
    assert!(matches!(error, Error::Exited(_)), "{error}");
    assert_eq!(failures(sleep.id()), ["process"]);
}

/// A program of this C text, made by `compiler`, or why there is none.
fn built(compiler: &[&str], text: &str, folder: &Path) -> Result<Command, String> {
    let (source, program) = (folder.join("host.c"), folder.join("host"));
    std::fs::write(&source, text).unwrap();
    let made = Command::new(compiler[0])
        .arg(&source)
        .args(&compiler[1..])
        .args(["-w", "-o"])
        .arg(&program)
        .output();
    match made {
        Ok(made) if made.status.success() => Ok(Command::new(program)),
        Ok(made) => Err(format!("{compiler:?}: {}", String::from_utf8_lossy(&made.stderr))),
        Err(error) => Err(format!("{compiler:?}: {error}")),
    }
}

/// What an attach to `host` says, once it runs; it ends afterwards.
fn refused(mut host: Command) -> Error {
    let mut host = host.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 5];
    host.stdout.take().unwrap().read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"ready");
    let target = Identity::of(host.id()).unwrap();
    let before = footprint(&target);
    let error = try_attach(&target, Options::default()).unwrap_err();
    assert_eq!(footprint(&target), before);
    assert!(failures(host.id()).contains(&"interpreter"));
    drop(host.stdin.take());
    assert!(host.wait().unwrap().success());
    error
}

const PLAIN_C: &str = r#"
#include <unistd.h>
int main(void) { char byte; write(1, "ready", 5); return read(0, &byte, 1) != 0; }
"#;
const EMBEDDING_C: &str = r#"
#include <Python.h>
int main(void)
{
    Py_Initialize();
    return PyRun_SimpleString("import os\nos.write(1, b'ready')\nos.read(0, 1)\n");
}
"#;

/// Where an interpreter keeps what a program that embeds it is linked from.
const PLACES: &str = "import sys, sysconfig as s; \
    print(s.get_config_var('LIBPL'), s.get_config_var('LIBRARY'), s.get_path('include'), sys.prefix)";

#[test]
fn a_32_bit_program_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let error = match built(&["cc", "-m32"], PLAIN_C, folder.path()) {
        Ok(host) => refused(host),
        Err(why) => return skip(&why),
    };
    assert!(error.to_string().contains("is a 32-bit program"), "{error}");
}

#[test]
fn a_program_on_musl_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let error = match built(&["musl-gcc"], PLAIN_C, folder.path()) {
        Ok(host) => refused(host),
        Err(why) => return skip(&why),
    };
    assert!(matches!(error, Error::NotPython { .. }), "{error}");
}

#[test]
fn pypy_is_told_as_such() {
    if Command::new("pypy3").arg("--version").output().is_err() {
        return skip("no pypy3 on this machine");
    }
    let mut host = Command::new("pypy3");
    host.args(["-c", "import os; os.write(1, b'ready'); os.read(0, 1)"]);
    let error = refused(host);
    assert!(error.to_string().contains("it is PyPy"), "{error}");
}

/// A program with all of `python` in it, and what it needs to start; `None` if it cannot be linked so.
fn static_build(python: &Path, folder: &Path) -> Option<Command> {
    let places = Command::new(python).args(["-c", PLACES]).output().ok()?;
    let text = String::from_utf8(places.stdout).ok()?;
    let [library, name, include, prefix] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    let (archive, include) = (format!("{library}/{name}"), format!("-I{include}"));
    let linked = ["cc", "-static", &include, &archive, "-lm", "-lutil", "-ldl"];
    let mut host = built(&linked, EMBEDDING_C, folder).ok()?;
    host.env("PYTHONHOME", prefix);
    Some(host)
}

#[test]
fn a_cpython_without_a_loader_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let Some(host) = pythons().iter().find_map(|python| static_build(python, folder.path())) else {
        return skip("no interpreter here can be linked statically");
    };
    let error = refused(host);
    assert!(error.to_string().contains("is statically linked"), "{error}");
}

#[test]
fn a_zombie_has_exited() {
    let child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    let started = Instant::now();
    let error = loop {
        match Identity::of(pid) {
            Err(error) => break error,
            Ok(_) => assert!(started.elapsed() < Duration::from_secs(10)),
        }
    };
    assert!(matches!(error, Error::Exited(_)), "{error}");
    drop(child.wait_with_output());
}

/// Installs a filter that kills the process on one call, then becomes an ordinary host.
const FILTERED: &str = r#"
import ctypes, struct, sys
def op(code, jt, jf, k): return struct.pack("HBBI", code, jt, jf, k)
number = int(sys.argv[1])
program = op(0x20, 0, 0, 0) + op(0x15, 0, 1, number) + op(6, 0, 0, 0x80000000) + op(6, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(program)
fprog = struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.create_string_buffer(fprog), 0, 0) == 0
print("ready", flush=True)
sys.stdin.read()
print("ok 1")
"#;

#[test]
fn seccomp_filters_are_tried_before_the_process_is() {
    let Some(python) = newest() else { return };
    for (number, fits) in
        [(libc::SYS_memfd_create, false), (libc::SYS_mmap, false), (libc::SYS_reboot, true)]
    {
        let host = Host::start(Command::new(&python).args(["-c", FILTERED, &number.to_string()]));
        let result = try_attach(&host.identity(), Options::default());
        match result {
            Ok(attached) if fits => {
                wait_status(&attached, status::RECORDING);
                detach(&host.identity(), Options::default()).unwrap();
            }
            Err(Error::Unsupported { .. }) if !fits => {
                assert_eq!(failures(host.pid()), ["seccomp"]);
            }
            other => panic!("filter on {number}: {other:?}"),
        }
        // A host that forbids mmap may die of its own exit; the others end well.
        if number != libc::SYS_mmap {
            assert_eq!(host.finish(), ("ok 1".into(), Some(0)));
        }
    }
}

#[test]
fn another_users_process_is_refused_with_the_reason() {
    if std::env::var("INJECT_TEST_PID").is_ok() {
        return;
    }
    let Some(python) = newest() else { return };
    let host = Host::python(&python, "select");
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        skip("needs root, to become another user");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_another_user", "--nocapture"])
        .env("INJECT_TEST_PID", host.pid().to_string())
        .uid(65534)
        .gid(65534)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("refused: ") && text.contains("belongs to user 0"), "{output:?}");
        }
        Err(error) => skip(&format!("another user cannot run the test program: {error}")),
    }
    assert_eq!(host.finish().1, Some(0));
}

/// The other half of the test above; alone it has nothing to do.
#[test]
fn as_another_user() {
    let Some(pid) = std::env::var("INJECT_TEST_PID").ok().and_then(|text| text.parse().ok()) else {
        return;
    };
    let error = Identity::of(pid).unwrap_err();
    assert_eq!(error.kind(), Kind::Permission);
    println!("refused: {error}");
    assert!(survey::processes().iter().all(|process| process.live.is_none()));
}

#[test]
fn the_survey_knows_every_interpreter_by_its_full_version() {
    for python in pythons() {
        let output = Command::new(&python)
            .args(["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"])
            .output()
            .unwrap();
        let version = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let host = Host::python(&python, "select");
        let listed = survey::processes().into_iter().find(|process| process.pid == host.pid());
        let listed = listed.unwrap_or_else(|| panic!("{python:?} is not in the survey"));
        let seen = listed.interpreter.unwrap().version.unwrap();
        assert!(seen == version || seen == format!("{version}+"), "{seen} is {version}");
        assert_eq!((listed.threads, listed.live), (1, None));
        assert_eq!(failures(host.pid()), [""; 0]);
        assert_eq!(host.finish().1, Some(0));
    }
}
