//! `gilscope imports`: what a command's imports cost over several runs, against modules of known size.

use crate::harness::process::Process;
use crate::harness::session::gilscope;
use crate::harness::{Python, scratch};
use crate::on_pythons;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

fn program(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/programs").join(file);
    path.to_str().expect("a plain path").to_owned()
}

fn module<'a>(weight: &'a Value, name: &str) -> &'a Value {
    let modules = weight["modules"].as_array().expect("modules");
    modules.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("{name}"))
}

/// Every module of known size is within 1 % in every run; the ranking is by memory.
fn known_sizes_come_out_of_every_run(python: &Python) {
    let folder = scratch();
    let path = folder.path().to_str().expect("a plain path");
    let known = program("imports_known.py");
    let truth = Process::start(std::process::Command::new(&python.path).args([&known, path]));
    let truth = truth.finish().stdout;
    let truth: BTreeMap<String, f64> =
        serde_json::from_str(truth.lines().last().expect("a truth")).expect("JSON");
    let mut command = gilscope();
    command.args(["imports", "--runs", "2", "--json", "--"]).arg(&python.path).args([&known, path]);
    let ended = Process::start(&mut command).finish();
    assert!(ended.status.success(), "{ended:?}");
    let weight: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!((&weight["schema"], &weight["runs"]), (&"gilscope.imports/1".into(), &2.into()));
    assert_eq!(weight["exit_codes"], serde_json::json!([0, 0]));
    for (name, truth) in &truth {
        let own = &module(&weight, name)["bytes_self"];
        for figure in ["least", "median", "most"] {
            let off = (own[figure].as_f64().expect("a figure") - truth).abs() / truth;
            assert!(off <= 0.01, "{name} kept {truth} bytes, in some run {own}");
        }
    }
    let outer = module(&weight, "known_outer");
    assert_eq!((&outer["is_border"], &outer["others"]), (&true.into(), &Value::Null));
    let sizes = weight["modules"].as_array().expect("modules").iter();
    let sizes: Vec<f64> = sizes.filter_map(|one| one["bytes"]["median"].as_f64()).collect();
    assert!(sizes.len() > truth.len() && sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
}
on_pythons!(known, known_sizes_come_out_of_every_run, [
    python_3_8 "3.8", python_3_11 "3.11", python_3_13 "3.13", debian_3_11 "debian 3.11",
]);

/// Where allocations are not counted, time ranks, and bytes are null with a reason.
fn without_memory_time_ranks(python: &Python) {
    let mut command = gilscope();
    command.args(["imports", "--runs", "2", "--json", "--"]).arg(&python.path);
    command.args(["-c", "import json, decimal, sys; sys.exit(3)"]);
    let ended = Process::start(&mut command).finish();
    assert!(ended.status.success(), "{ended:?}");
    let weight: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(weight["exit_codes"], serde_json::json!([3, 3]));
    assert_eq!(
        (&weight["bytes"], &module(&weight, "decimal")["bytes"]),
        (&Value::Null, &Value::Null)
    );
    assert!(module(&weight, "decimal")["time_ns"]["least"].as_f64() > Some(0.0));
    assert_eq!(weight["notes"].as_array().map(Vec::len), Some(2), "{}", weight["notes"]);
}
on_pythons!(by_time, without_memory_time_ranks, [python_2_7 "2.7"]);

#[test]
fn a_command_without_python_is_told_as_such() {
    for (command, words) in [("/nonexistent", "cannot start"), ("/bin/true", "no Python")] {
        let ended =
            Process::start(gilscope().args(["imports", "--runs", "1", "--", command])).finish();
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
        assert!(ended.stderr.contains(words) && ended.stdout.is_empty(), "{ended:?}");
    }
}
