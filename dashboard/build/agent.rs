//! The agent: built by a nested cargo as a library of its own, to be embedded in this program.
//!
//! Cargo has no stable way to depend on a cdylib's file, and a build of the workspace would unify
//! features. The nested build has a target folder of its own, so the two never wait for each other's
//! lock, and none of the outer build's flags, so the agent is the same whatever profile we are in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// No default libraries and no start files: nothing is needed but libc, which is there already. The
/// precompiled `core` refers to a personality routine for unwinding, which never happens here.
const LINK: [&str; 5] = [
    "-nostdlib",
    "-nostartfiles",
    "-Wl,--defsym=rust_eh_personality=0",
    "-Wl,-z,nodelete",
    "-Wl,-z,noseparate-code",
];

/// Builds the agent into `OUT_DIR/agent.so`.
pub(crate) fn build() -> Result<(), String> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let root = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("..");
    for part in ["agent/inside", "probes/suite", "probes/wire", "probes/cpython/src", "Cargo.lock"]
    {
        println!("cargo:rerun-if-changed={}", root.join(part).display());
    }
    let target_dir = out.join("agent");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo.args(["rustc", "--release", "--locked", "--crate-type", "cdylib", "--features", "agent"]);
    cargo.arg("--manifest-path").arg(root.join("agent/inside/Cargo.toml"));
    cargo.arg("--target-dir").arg(&target_dir).arg("--").args(["-C", "strip=debuginfo"]);
    cargo.args(LINK.iter().flat_map(|flag| ["-C".to_owned(), format!("link-arg={flag}")]));
    for inherited in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WORKSPACE_WRAPPER"]
    {
        cargo.env_remove(inherited);
    }
    cargo.env("CARGO_PROFILE_RELEASE_PANIC", "abort");
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "true").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1");
    let status = cargo.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if !status.success() {
        return Err(format!("the nested cargo ended with {status}; its messages stand above"));
    }
    let library = target_dir.join("release/libinside.so");
    fs::copy(&library, out.join("agent.so"))
        .map_err(|error| format!("{}: {error}", library.display()))?;
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}
