//! The interpreter matrix: pyenv's builds by version, Debian's static one, C programs that embed one.
//!
//! A missing interpreter skips its tests: the reason is printed and, for the count that `tests/run`
//! prints, appended to the file that `GILSCOPE_SKIPPED` names.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub(crate) use super::skipped::skip;

/// One interpreter of the matrix.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    pub(crate) path: PathBuf,
    /// Major and minor.
    pub(crate) version: (u32, u32),
}

impl Python {
    /// The interpreter that the matrix knows as `name`, or the reason why there is none.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let (version, path) = match name.strip_prefix("debian ") {
            Some(version) => (version, Some(PathBuf::from(format!("/usr/bin/python{version}")))),
            None => (name, pyenv_python(name)),
        };
        let path =
            path.filter(|p| p.exists()).ok_or(format!("no Python {name} on this machine"))?;
        let (major, minor) =
            version.split_once('.').expect("a version in the matrix has two parts");
        let number = |text: &str| text.parse().expect("a version in the matrix is two numbers");
        Ok(Self { path, version: (number(major), number(minor)) })
    }

    /// Where `tests/run` has installed `requirements.txt` of `what` for this interpreter, if it has.
    pub(crate) fn packages(&self, what: &str) -> Option<PathBuf> {
        let (major, minor) = self.version;
        let folder = format!("{what}-{major}.{minor}");
        Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder)).filter(|folder| folder.exists())
    }

    /// Has the 3.2+ GIL: drop requests and a switch interval.
    pub(crate) fn has_switch_interval(&self) -> bool {
        self.version.0 >= 3
    }

    /// Builds a C extension of `tests` for this one as `name`, or says why not.
    pub(crate) fn extension(&self, source: &str, into: &Path, name: &str) -> Result<(), String> {
        let ask = "import sysconfig; print(sysconfig.get_paths()['include'])";
        let include = Command::new(&self.path)
            .args(["-c", ask])
            .output()
            .map_err(|e| format!("{}: {e}", self.path.display()))?;
        let include = String::from_utf8_lossy(&include.stdout).trim().to_owned();
        if !Path::new(&include).join("Python.h").exists() {
            return Err(format!("no Python.h in {include}"));
        }
        compile(source, &into.join(name), ["-shared", "-fPIC", "-pthread", "-I", &include])
    }

    /// Builds a C program of `tests` that embeds an interpreter against this one, or says why not.
    pub(crate) fn embedding(&self, source: &str, into: &Path) -> Result<PathBuf, String> {
        let bin = self.path.parent().ok_or("no folder")?;
        let config = bin.join("python3-config");
        let flags = Command::new(&config)
            .args(["--includes", "--ldflags", "--embed"])
            .output()
            .map_err(|e| format!("{}: {e}", config.display()))?;
        let flags = String::from_utf8_lossy(&flags.stdout).into_owned();
        let program = into.join("embed");
        let rpath = format!("-Wl,-rpath,{}", bin.with_file_name("lib").display());
        compile(source, &program, flags.split_whitespace().chain([&*rpath]))?;
        Ok(program)
    }
}

/// Compiles a C file of `tests`, with `flags` after it as linkers want libraries, or says why not.
fn compile<'a>(
    source: &str,
    into: &Path,
    flags: impl IntoIterator<Item = &'a str>,
) -> Result<(), String> {
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-o"]).arg(into).arg(super::tests_dir().join(source)).args(flags);
    let compiled = cc.output().map_err(|e| format!("cc: {e}"))?;
    let said = String::from_utf8_lossy(&compiled.stderr);
    compiled
        .status
        .success()
        .then_some(())
        .ok_or_else(|| format!("{source} does not build: {said}"))
}

/// The newest patch release of `version` under `pyenv root`.
fn pyenv_python(version: &str) -> Option<PathBuf> {
    static ROOT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let said = Command::new("pyenv").arg("root").output().ok().filter(|o| o.status.success());
        let said = said.map(|o| PathBuf::from(String::from_utf8_lossy(&o.stdout).trim()));
        said.or_else(|| std::env::var_os("PYENV_ROOT").map(PathBuf::from))
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv")))
    });
    let versions = std::fs::read_dir(root.as_ref()?.join("versions")).ok()?;
    let patch = |path: &PathBuf| -> Option<u32> {
        path.file_name()?.to_str()?.strip_prefix(version)?.strip_prefix('.')?.parse().ok()
    };
    let found = versions.flatten().map(|e| e.path()).filter(|p| patch(p).is_some());
    found.max_by_key(patch).map(|p| p.join("bin/python"))
}

/// Runs a scenario on an interpreter of the matrix, or skips it.
pub(crate) fn run_on(name: &str, scenario: fn(&Python)) {
    match Python::find(name) {
        Ok(python) => scenario(&python),
        Err(reason) => skip(&reason),
    }
}

/// One test per interpreter: `on_pythons!(sentence, scenario, [test_name "matrix name", …])`.
#[macro_export]
macro_rules! on_pythons {
    ($sentence:ident, $scenario:ident, [$($test:ident $name:literal),+ $(,)?]) => {
        mod $sentence {
            $(#[test]
            fn $test() {
                $crate::harness::interpreters::run_on($name, super::$scenario);
            })+
        }
    };
}

/// The whole matrix.
#[macro_export]
macro_rules! on_every_python {
    ($sentence:ident, $scenario:ident) => {
        $crate::on_pythons!($sentence, $scenario, [
            python_2_7 "2.7", python_3_6 "3.6", python_3_7 "3.7", python_3_8 "3.8", python_3_9 "3.9",
            python_3_10 "3.10", python_3_11 "3.11", python_3_12 "3.12", python_3_13 "3.13",
            debian_3_11 "debian 3.11",
        ]);
    };
}

/// All that have the GIL of 3.2 and later.
#[macro_export]
macro_rules! on_every_python3 {
    ($sentence:ident, $scenario:ident) => {
        $crate::on_pythons!($sentence, $scenario, [
            python_3_6 "3.6", python_3_7 "3.7", python_3_8 "3.8", python_3_9 "3.9", python_3_10 "3.10",
            python_3_11 "3.11", python_3_12 "3.12", python_3_13 "3.13", debian_3_11 "debian 3.11",
        ]);
    };
}

/// One of each kind: semaphore GIL, GIL made late, frames old and new, static and stripped, newest.
#[macro_export]
macro_rules! on_typical_pythons {
    ($sentence:ident, $scenario:ident) => {
        $crate::on_pythons!($sentence, $scenario, [
            python_2_7 "2.7", python_3_6 "3.6", python_3_9 "3.9", debian_3_11 "debian 3.11",
            python_3_12 "3.12", python_3_13 "3.13",
        ]);
    };
}
