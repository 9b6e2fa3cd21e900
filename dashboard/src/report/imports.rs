//! The `imports` section of the report: what each import cost, and who asked for it.

use super::schema::{Note, Report};
use crate::store::{ImportRow, ImportRows};
use crate::units::{UNKNOWN, bytes, count, maybe};
use serde::Serialize;

/// Imports that people are shown.
const SHOWN: usize = 20;

/// Imports that went to the interpreter's importer: what was loaded already is not among them.
#[derive(Clone, Debug, Serialize)]
pub struct Imports {
    /// Of those that did not fail.
    pub count: usize,
    pub total_bytes: Option<i64>,
    pub total_ns: u64,
    /// Not measured yet; see the notes.
    pub rss_delta_bytes: Option<i64>,
    pub modules: Vec<Module>,
    /// There is no on-demand importer yet; see the notes.
    pub lazy: Option<()>,
}

/// One import, in the order in which they began.
#[derive(Clone, Debug, Serialize)]
pub struct Module {
    pub name: String,
    pub importer: Option<String>,
    pub importer_function: Option<String>,
    pub importer_file: Option<String>,
    pub importer_line: Option<u32>,
    pub thread_id: u32,
    /// Since the window's start.
    pub at_ns: i64,
    pub depth: u32,
    /// Place in this list of the import that it happened in; null for none.
    pub parent: Option<usize>,
    /// Null if it had not ended when the session did.
    pub time_ns: Option<u64>,
    pub time_self_ns: Option<u64>,
    pub bytes: Option<i64>,
    pub bytes_self: Option<i64>,
    pub peak_bytes: Option<u64>,
    pub rss_delta_bytes: Option<i64>,
    pub exec_ns: Option<u64>,
    pub exec_count: Option<u64>,
    pub failed: bool,
    pub how: &'static str,
}

/// The section, out of a store's answer.
pub fn imports(rows: ImportRows, since: impl Fn(u64) -> i64) -> Imports {
    let numbers: Vec<u32> = rows.rows.iter().map(|row| row.fact.number).collect();
    let place = |number: u32| numbers.binary_search(&number).ok();
    let module = |row: ImportRow| Module {
        importer: known(row.fact.importer),
        importer_function: known(row.fact.function),
        importer_file: known(row.fact.file),
        importer_line: (row.fact.line != 0).then_some(row.fact.line),
        thread_id: row.fact.thread_id,
        at_ns: since(row.fact.at_ns),
        depth: row.depth,
        parent: place(row.fact.parent),
        time_ns: row.fact.time_ns,
        time_self_ns: row.time_self_ns,
        bytes: row.fact.bytes,
        bytes_self: row.bytes_self,
        peak_bytes: row.fact.peak_bytes,
        rss_delta_bytes: None,
        exec_ns: None,
        exec_count: None,
        failed: row.fact.failed,
        how: "eager",
        name: row.fact.name,
    };
    Imports {
        count: rows.count,
        total_bytes: rows.total_bytes,
        total_ns: rows.total_ns,
        rss_delta_bytes: None,
        modules: rows.rows.into_iter().map(module).collect(),
        lazy: None,
    }
}

fn known(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// What is null in the section, and why.
pub fn notes(of: Option<&Imports>) -> Vec<Note> {
    let why = |section: &str, reason: &str| Note { section: section.into(), reason: reason.into() };
    match of {
        None => vec![],
        Some(_) => vec![
            why(
                "imports.rss_delta_bytes",
                "the agent opens no files in the target, which it would take",
            ),
            why("imports.exec_ns", "telling exec and compile apart would be seen by the program"),
            why("imports.lazy", "this version of gilscope has no on-demand importer"),
        ],
    }
}

/// The section, if there is anything to tell a person.
pub fn told(report: &Report) -> Option<&Imports> {
    report.imports.as_ref().filter(|of| !of.modules.is_empty())
}

/// All of it in a sentence.
pub fn sentence(of: &Imports) -> String {
    let kept = of.total_bytes.map_or(String::new(), |kept| format!(" and kept {}", signed(kept)));
    format!("{} imports took {}{kept}.", count(of.count as u64), maybe(Some(of.total_ns)))
}

/// Headings of the table for people; the first two are of text.
pub const HEADS: [&str; 7] =
    ["module", "imported by", "memory", "its own", "at most", "time", "its own"];

/// The dearest by their own memory, or by time where that is not known.
pub fn dearest(of: &Imports) -> Vec<&Module> {
    let mut all: Vec<&Module> = of.modules.iter().collect();
    all.sort_by_key(|one| std::cmp::Reverse((one.bytes_self, one.time_self_ns)));
    all.truncate(SHOWN);
    all
}

impl Module {
    /// Who imported it, for a person.
    pub fn by(&self) -> String {
        let whence = self.importer.as_deref().or(self.importer_file.as_deref());
        match (whence, self.importer_line) {
            (Some(whence), Some(line)) => format!("{whence}:{line}"),
            (Some(whence), None) => whence.to_owned(),
            _ => UNKNOWN.into(),
        }
    }
}

/// A row of the table, without its texts.
pub fn figures(of: &Module) -> [String; 5] {
    let memory = |amount: Option<i64>| amount.map_or(UNKNOWN.into(), signed);
    [
        memory(of.bytes),
        memory(of.bytes_self),
        of.peak_bytes.map_or(UNKNOWN.into(), bytes),
        maybe(of.time_ns),
        maybe(of.time_self_ns),
    ]
}

/// An amount of memory that may be negative.
pub fn signed(amount: i64) -> String {
    let sign = if amount < 0 { "−" } else { "" };
    format!("{sign}{}", bytes(amount.unsigned_abs()))
}
