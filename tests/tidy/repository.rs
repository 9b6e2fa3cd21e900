//! What may stand in the repository at all: top-level entries, lock files, addresses, README's paths.

use crate::{none, output_of, root, sources};
use std::collections::BTreeSet;

/// Entries of the top folder.
const TOP: &[&str] = &[
    ".ci",
    ".config",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "agent",
    "config",
    "dashboard",
    "docs",
    "probes",
    "rust-toolchain.toml",
    "tests",
];

/// Addresses that a package manager downloads from: they belong into its own configuration.
const DOWNLOADS: &[&str] = &[
    concat!("registry.npm", "js.org"),
    concat!("static.crates", ".io"),
    concat!("files.python", "hosted.org"),
    concat!("pypi.org", "/simple"),
    concat!("deb.deb", "ian.org"),
    concat!("get.nexte", ".st"),
    concat!("sh.rust", "up.rs"),
];

/// No file of ours is larger; a larger one is somebody's output.
const FILE_BYTES: u64 = 1 << 20;

#[test]
fn the_top_folder_holds_only_what_the_code_map_names() {
    let listed = output_of("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    let top: BTreeSet<&str> = listed.lines().filter_map(|path| path.split('/').next()).collect();
    let wrong: Vec<_> =
        top.iter().filter(|entry| !TOP.contains(entry)).map(|e| (*e).to_owned()).collect();
    none("a new top-level entry needs a place in the code map:", &wrong);
}

#[test]
fn no_file_tells_where_to_download_from() {
    let mut wrong = Vec::new();
    for source in sources() {
        let is_lock = source.path.ends_with("package-lock.json");
        for (index, line) in source.text.lines().enumerate() {
            let address = DOWNLOADS.iter().find(|address| line.contains(**address));
            if address.is_some() || (is_lock && line.contains("\"resolved\"")) {
                wrong.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    none("addresses of registries belong to the machine, not to the repository:", &wrong);
}

#[test]
fn files_of_the_repository_are_small() {
    let listed = output_of("git", &["ls-files", "--cached", "--others", "--exclude-standard"]);
    let size = |path: &str| std::fs::metadata(root().join(path)).map_or(0, |m| m.len());
    let wrong: Vec<_> =
        listed.lines().filter(|path| size(path) > FILE_BYTES).map(String::from).collect();
    none("a file of more than 1 MiB is no source:", &wrong);
}

#[test]
fn paths_named_in_the_readme_exist() {
    let Ok(readme) = std::fs::read_to_string(root().join("README.md")) else { return };
    let quoted = readme.split('`').skip(1).step_by(2);
    let mut wrong = Vec::new();
    for path in
        quoted.filter(|text| text.contains('/') && !text.contains([' ', '*', '{', '$', '…', '<']))
    {
        let ours = path.split('/').next().is_some_and(|top| TOP.contains(&top));
        if ours && !root().join(path).exists() {
            wrong.push(path.to_owned());
        }
    }
    let pictures = readme.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
    let local = pictures.filter(|path| !path.is_empty() && !path.contains("://"));
    wrong.extend(local.filter(|path| !root().join(path).exists()).map(String::from));
    none("README names what is not there:", &wrong);
}
