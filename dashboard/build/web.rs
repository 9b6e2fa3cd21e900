//! Builds `dashboard/web` with npm and Vite into `$OUT_DIR/web/dist`, from where it is embedded.
//!
//! Sources are copied to `OUT_DIR` first, so that the source tree stays as it was checked out. With
//! `GILSCOPE_WEB_DIST=DIR` the finished assets of `DIR` are taken and no Node is needed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// What `dashboard/web` consists of; `node_modules` and editors' files are not among it.
const SOURCES: [&str; 7] = [
    "package.json",
    "package-lock.json",
    ".npmrc",
    "tsconfig.json",
    "vite.config.ts",
    "index.html",
    "src",
];

const NEED_NODE: &str = "install Node 20.19 or newer with npm (Debian: `apt install nodejs npm`, or nodejs.org), \
     or set GILSCOPE_WEB_DIST to a folder with pages built elsewhere by `npm ci && npm run build`";

/// Makes `$OUT_DIR/web/dist`, or says why not.
pub(crate) fn build() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=GILSCOPE_WEB_DIST");
    let sources =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("web");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("web");
    for name in SOURCES {
        println!("cargo:rerun-if-changed={}", sources.join(name).display());
    }
    if let Some(prebuilt) = env::var_os("GILSCOPE_WEB_DIST") {
        return take_prebuilt(Path::new(&prebuilt), &out.join("dist"));
    }
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    for name in SOURCES {
        copy_fresh(&sources.join(name), &out.join(name))
            .map_err(|error| format!("copying {}: {error}", sources.join(name).display()))?;
    }
    install_packages(&out)?;
    npm(&out, &["run", "build", "--silent"])
}

fn take_prebuilt(from: &Path, to: &Path) -> Result<(), String> {
    println!("cargo:rerun-if-changed={}", from.display());
    if !from.join("index.html").is_file() {
        return Err(format!("GILSCOPE_WEB_DIST={} has no index.html", from.display()));
    }
    copy_fresh(from, to).map_err(|error| format!("copying {}: {error}", from.display()))
}

/// `npm ci`, unless these very packages are there already.
fn install_packages(out: &Path) -> Result<(), String> {
    let lock = fs::read(out.join("package-lock.json"))
        .map_err(|error| format!("package-lock.json: {error}"))?;
    let installed = out.join("node_modules/.gilscope-lock");
    if fs::read(&installed).is_ok_and(|old| old == lock) {
        return Ok(());
    }
    npm(out, &["ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"])?;
    fs::write(&installed, lock).map_err(|error| format!("{}: {error}", installed.display()))
}

fn npm(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let shown = format!("npm {}", arguments.join(" "));
    let output = match Command::new("npm").args(arguments).current_dir(folder).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(format!("npm not found; {NEED_NODE}"));
        }
        other => other.map_err(|error| format!("{shown}: {error}"))?,
    };
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(format!(
        "`{shown}` failed ({}).\n{}\nIf Node is too old: {NEED_NODE}",
        output.status,
        String::from_utf8_lossy(&text)
    ))
}

/// Replaces `to` by a copy of `from`, so that files deleted in the sources vanish too.
fn copy_fresh(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(to)?,
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_fresh(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
