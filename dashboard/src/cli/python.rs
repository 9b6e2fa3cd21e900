//! Finds a Python to run the demo with: the real interpreter behind shims and wrappers.

use crate::errors::{Exit, Failure};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What is tried when none is named.
const NAMES: [&str; 3] = ["python3", "python", "python2"];

/// Told by the interpreter itself: a pyenv shim is a shell script, but what it runs is not.
const ASK: &str = "import platform, sys; sys.stdout.write('%s\\n%s\\n%s' % \
    (platform.python_implementation(), platform.python_version(), sys.executable))";

/// A CPython on this machine.
#[derive(Debug, PartialEq)]
pub(crate) struct Python {
    pub(crate) executable: PathBuf,
    pub(crate) version: String,
}

/// The interpreter behind `named`, or the first CPython found.
pub(crate) fn find(named: Option<&OsStr>) -> Result<Python, Failure> {
    if let Some(name) = named {
        return ask(name).map_err(|why| {
            Failure::new(Exit::Target, format!("{} {why}", name.display()))
                .remedy("name a CPython with --python")
        });
    }
    let mut reasons = Vec::new();
    for name in NAMES {
        match ask(OsStr::new(name)) {
            Ok(python) => return Ok(python),
            Err(why) => reasons.push(format!("{name} {why}")),
        }
    }
    let failure = Failure::new(Exit::Target, "found no CPython")
        .remedy("install python3, or name one with --python");
    Err(reasons.into_iter().fold(failure, Failure::hint))
}

fn ask(name: &OsStr) -> Result<Python, String> {
    let output = Command::new(name).args(["-c", ASK]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("ends with {}", output.status));
    }
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn parse(answer: &str) -> Result<Python, String> {
    let mut lines = answer.lines();
    match (lines.next(), lines.next(), lines.next()) {
        (Some("CPython"), Some(version), Some(executable)) if executable.starts_with('/') => {
            Ok(Python { executable: executable.into(), version: version.to_owned() })
        }
        (Some(name), Some(version), Some(_)) => Err(format!("is {name} {version}, not CPython")),
        _ => Err("is not Python".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cpython_will_do() {
        let python = Python { executable: "/usr/bin/python3".into(), version: "3.11.2".into() };
        assert_eq!(parse("CPython\n3.11.2\n/usr/bin/python3"), Ok(python));
        assert_eq!(
            parse("PyPy\n3.10.14\n/usr/bin/pypy3"),
            Err("is PyPy 3.10.14, not CPython".into())
        );
        assert_eq!(parse("hello"), Err("is not Python".into()));
    }

    #[test]
    fn what_is_no_python_is_named_with_the_reason() {
        let failure = find(Some(OsStr::new("/bin/false"))).unwrap_err().to_string();
        assert_eq!(failure, "/bin/false ends with exit status: 1: name a CPython with --python");
        assert!(
            find(Some(OsStr::new("/nonexistent")))
                .unwrap_err()
                .to_string()
                .contains("does not start")
        );
    }
}
