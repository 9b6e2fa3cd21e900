//! The keys that exist, read from `default.toml`: name, help, limit and default.
//!
//! That text is part of the program, so whatever is wrong with it is found by this file's tests.

use crate::limit::{Limit, Value};
use std::sync::LazyLock;

const TEXT: &str = include_str!("../default.toml");

/// One option.
#[derive(Debug)]
pub struct Key {
    /// As it stands in a file: "cpu_hz".
    pub name: String,
    /// What it does, one paragraph, without its limit.
    pub help: String,
    /// What it may be, as a person reads it: "From 1 to 100".
    pub range: String,
    /// The default as TOML text: `10`, `"auto"`.
    pub default: String,
    pub(crate) limit: Limit,
    pub(crate) value: Value,
}

impl Key {
    /// Name of its environment variable: "GILSCOPE_CPU_HZ".
    pub fn variable(&self) -> String {
        format!("GILSCOPE_{}", self.name.to_uppercase())
    }
}

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| parse(TEXT));

/// All options, in the order of `default.toml`.
pub fn keys() -> &'static [Key] {
    &KEYS
}

pub(crate) fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

/// Help for the flag of a key: its text, its limit where it is a range or a list, its default.
///
/// # Panics
/// If there is no such key: flags are written in the program, as keys are.
pub fn help(name: &str) -> String {
    let key = find(name).expect("a flag's key stands in default.toml");
    let range = match key.limit {
        Limit::Bool | Limit::Address | Limit::Text => String::new(),
        _ => format!("{}; ", key.range.to_lowercase()),
    };
    let default = key.default.replace(['"', '[', ']'], "");
    format!("{} [{range}default: {default}]", key.help.trim_end_matches('.'))
}

fn parse(text: &str) -> Vec<Key> {
    let mut comment: Vec<&str> = Vec::new();
    let mut keys = Vec::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim());
        } else if let Some((name, default)) = line.split_once(" = ") {
            keys.push(key(name, default, &comment));
            comment.clear();
        } else {
            comment.clear();
        }
    }
    keys
}

fn key(name: &str, default: &str, comment: &[&str]) -> Key {
    let (range, help) = comment.split_last().expect("every key of default.toml has a comment");
    let limit = Limit::parse(range).expect("the last comment line of a key is its limit");
    let table: toml::Table = format!("v = {default}").parse().expect("default.toml is TOML");
    let value = limit.check_toml(&table["v"]).expect("a default is within its limit");
    Key {
        name: name.to_owned(),
        help: help.join(" "),
        range: (*range).to_owned(),
        default: default.to_owned(),
        limit,
        value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_text_is_a_key_with_help() {
        let table: toml::Table = TEXT.parse().unwrap();
        assert_eq!(keys().len(), table.len());
        for key in keys() {
            assert!(table.contains_key(&key.name), "{}", key.name);
            assert!(
                key.help.ends_with('.') || key.help.ends_with("\"."),
                "{}: {}",
                key.name,
                key.help
            );
        }
    }

    #[test]
    fn the_help_of_a_flag_is_the_text_of_the_file() {
        assert_eq!(
            help("cpu_hz"),
            "Samples of each thread's CPU a second [from 1 to 100; default: 10]"
        );
        assert_eq!(help("open"), "Open the dashboard in the browser [default: false]");
    }
}
