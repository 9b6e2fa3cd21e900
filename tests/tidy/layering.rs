//! Which crate may use which, as `cargo metadata` tells.

use crate::{none, output_of};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Crate, and the crates of this workspace that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("cpython", &[]),
    ("suite", &["wire", "cpython"]),
    ("inside", &["suite", "wire", "cpython"]),
    ("inject", &["cpython", "wire"]),
    ("config", &["wire"]),
    ("dashboard", &["wire", "config", "inject", "cpython"]),
];

/// Crates in the agent's closure: all are `no_std` without an allocator, so nothing else may get in.
const IN_THE_AGENT: &[&str] = &["inside", "suite", "wire", "cpython"];

fn packages() -> Vec<Value> {
    let text = output_of(
        "cargo",
        &["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"],
    );
    let metadata: Value = serde_json::from_str(&text).expect("metadata is JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// Name of a package, and of each thing it needs when it runs.
fn needs(package: &Value) -> (String, BTreeSet<String>) {
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let dependencies = package["dependencies"].as_array().expect("dependencies");
    let normal = dependencies.iter().filter(|d| d["kind"].is_null());
    (name(package), normal.map(name).collect())
}

#[test]
fn crates_use_only_what_the_code_map_allows() {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, needs) in packages().iter().map(needs) {
        let Some(may) = allowed.get(name.as_str()) else {
            wrong.push(format!(
                "{name} is new: give it a line in tests/tidy/layering.rs and in the code map"
            ));
            continue;
        };
        let ours = needs.iter().filter(|need| allowed.contains_key(need.as_str()));
        let over = ours.filter(|need| !may.contains(&need.as_str()));
        wrong.extend(over.map(|need| format!("{name} must not use {need}")));
    }
    none("the layering is broken:", &wrong);
}

#[test]
fn the_agent_depends_on_nothing_but_its_own_crates() {
    let mut wrong = Vec::new();
    for (name, needs) in packages().iter().map(needs) {
        if IN_THE_AGENT.contains(&name.as_str()) {
            let foreign = needs.iter().filter(|need| !IN_THE_AGENT.contains(&need.as_str()));
            wrong.extend(foreign.map(|need| format!("{name} uses {need}")));
        }
    }
    none("code that runs inside a target has no dependencies:", &wrong);
}

#[test]
fn a_crate_is_named_after_its_folder() {
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().expect("a name");
        let manifest = package["manifest_path"].as_str().expect("a path");
        if !manifest.ends_with(&format!("/{name}/Cargo.toml")) {
            wrong.push(format!("{name} is {manifest}"));
        }
    }
    none("crate name = folder name:", &wrong);
}
