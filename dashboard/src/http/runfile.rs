//! Where `gilscope mark`, `try` and `detach` find a running gilscope: one small file a process.
//!
//! `$XDG_RUNTIME_DIR/gilscope/PID.json`, else `~/.local/state/gilscope/`. It holds the token, so the
//! folder is 0700, the file 0600, and neither may be a link. A file whose process is gone, or whose pid
//! another process has by now (start time differs), counts as absent. A gilscope without a dashboard is
//! asked over a socket in the same folder.

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// No honest file is larger.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// How a socket's name ends.
const SOCKET: &str = "socket";

/// Where a running gilscope is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Its dashboard's address.
    Listen(SocketAddr),
    /// Without a dashboard: a socket that only this user can open.
    Socket(PathBuf),
}

impl std::fmt::Display for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listen(address) => address.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// What a running gilscope tells other terminals of the same user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    pub pid: u32,
    /// In clock ticks since boot, from `/proc/PID/stat` field 22 (proc(5)).
    pub started_ticks: u64,
    #[serde(flatten)]
    pub door: Door,
    pub token: String,
    /// Pids of the targets.
    pub targets: Vec<u32>,
}

impl RunInfo {
    /// Of this very process.
    pub fn of_this_process(door: Door, token: &str, targets: Vec<u32>) -> Result<Self> {
        let pid = std::process::id();
        let started_ticks = started_ticks(pid).context("/proc does not show gilscope itself")?;
        Ok(Self { pid, started_ticks, door, token: token.to_owned(), targets })
    }
}

/// The file of this process; it is removed when this value goes.
pub struct RunFile {
    path: PathBuf,
}

impl RunFile {
    /// Writes the file in `folder` (see [`folder`]), replacing what an earlier process of this pid left.
    pub fn write(folder: &Path, info: &RunInfo) -> Result<Self> {
        check_folder(folder)?;
        let path = folder.join(format!("{}.json", info.pid));
        let draft = folder.join(format!(".{}.new", info.pid));
        let fresh = || -> std::io::Result<()> {
            match fs::remove_file(&draft) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .custom_flags(libc::O_NOFOLLOW)
                .open(&draft)?;
            file.write_all(&serde_json::to_vec(info)?)?;
            fs::rename(&draft, &path)
        };
        fresh().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path })
    }

    /// Tells of other targets than before.
    pub fn update(&self, info: &RunInfo) -> Result<()> {
        let folder = self.path.parent().expect("a run file lies in a folder");
        std::mem::forget(Self::write(folder, info)?); // the path is the same and stays ours
        Ok(())
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // Already gone: nothing to do.
        let _ = fs::remove_file(self.path.with_extension(SOCKET));
        let _ = fs::remove_file(&self.path);
    }
}

/// Where this process takes a socket in `folder`; none is there yet.
pub fn socket(folder: &Path) -> Result<PathBuf> {
    check_folder(folder)?;
    let path = folder.join(format!("{}.{SOCKET}", std::process::id()));
    let _ = fs::remove_file(&path); // left by an earlier process of this pid
    Ok(path)
}

/// The folder for run files of this user. Errors when neither variable names one.
pub fn folder() -> Result<PathBuf> {
    let named =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named("XDG_RUNTIME_DIR")
        .map(|folder| folder.join("gilscope"))
        .or_else(|| named("HOME").map(|home| home.join(".local/state/gilscope")))
        .context("neither XDG_RUNTIME_DIR nor HOME names a folder; set one of them")
}

/// All gilscopes of this user that run now, by pid. Stale files are removed on the way.
pub fn running(folder: &Path) -> Result<Vec<RunInfo>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    check_folder(folder)?;
    let mut found = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match read(&path) {
            Ok(info) if is_running(&info) => found.push(info),
            Ok(_) => {
                // Its process is gone.
                let _ = fs::remove_file(path.with_extension(SOCKET));
                let _ = fs::remove_file(&path);
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "not a run file of gilscope")
            }
        }
    }
    found.sort_by_key(|info| info.pid);
    Ok(found)
}

/// Whether the process that told this is still there.
pub fn is_running(info: &RunInfo) -> bool {
    started_ticks(info.pid) == Some(info.started_ticks)
}

fn read(path: &Path) -> Result<RunInfo> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() || !is_private(&facts) {
        bail!("it must be a plain file of this user with mode 0600");
    }
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Makes the folder if need be, and refuses one that others could write to or read.
fn check_folder(folder: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY)
        .open(folder);
    let facts = opened.and_then(|folder: File| folder.metadata());
    let facts = facts.with_context(|| format!("{} is no folder", folder.display()))?;
    if !is_private(&facts) {
        bail!(
            "{0} is open to other users and would hold a key; run `chmod 700 {0}`",
            folder.display()
        );
    }
    Ok(())
}

/// Ours, and closed to everybody else.
fn is_private(facts: &fs::Metadata) -> bool {
    facts.mode() & 0o077 == 0 && fs::metadata("/proc/self").is_ok_and(|me| me.uid() == facts.uid())
}

fn started_ticks(pid: u32) -> Option<u64> {
    procfs::process::Process::new(i32::try_from(pid).ok()?)
        .ok()?
        .stat()
        .ok()
        .map(|stat| stat.starttime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn private_folder() -> (tempfile::TempDir, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("gilscope");
        (outer, folder)
    }

    fn info() -> RunInfo {
        let door = Door::Listen("127.0.0.1:7676".parse().unwrap());
        RunInfo::of_this_process(door, "secret", vec![1]).unwrap()
    }

    #[test]
    fn a_running_dashboard_is_found_and_gone_afterwards() {
        let (_outer, folder) = private_folder();
        let file = RunFile::write(&folder, &info()).unwrap();
        assert_eq!(running(&folder).unwrap(), [info()]);
        assert_eq!(fs::metadata(&file.path).unwrap().mode() & 0o777, 0o600);
        file.update(&RunInfo { targets: vec![1, 2], ..info() }).unwrap();
        assert_eq!(running(&folder).unwrap()[0].targets, [1, 2]);
        drop(file);
        assert_eq!(running(&folder).unwrap(), []);
    }

    #[test]
    fn a_reused_pid_is_not_taken_for_the_dashboard() {
        let (_outer, folder) = private_folder();
        let socket = socket(&folder).unwrap();
        fs::write(&socket, "").unwrap();
        let door = Door::Socket(socket.clone());
        let file = RunFile::write(&folder, &RunInfo { started_ticks: 1, door, ..info() }).unwrap();
        assert_eq!(running(&folder).unwrap(), []);
        assert!(!file.path.exists() && !socket.exists());
    }

    #[test]
    fn links_open_folders_and_foreign_text_are_refused() {
        let (outer, folder) = private_folder();
        let file = RunFile::write(&folder, &info()).unwrap();
        symlink(&file.path, folder.join("2.json")).unwrap();
        fs::write(folder.join("3.json"), "{}").unwrap();
        assert_eq!(running(&folder).unwrap(), [info()]);
        let link = outer.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(RunFile::write(&link, &info()).is_err());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(running(&folder).is_err());
    }
}
