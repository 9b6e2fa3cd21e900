//! What a command's imports cost over several runs: medians with spread, and which to make lazy first.
//!
//! An import is dear by itself or by what it imports in turn: what ranks is the whole of it. Only imports of one
//! package by another are ranked, since those inside a package are that package's own affair. That something
//! else imports the same modules too cannot be seen: what is loaded does not reach the importer again.
//! Starts nothing and reads no files.

use crate::bench::summary::{self, Spread};
use crate::store::{ImportRow, ImportRows};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Why `others` is null in every row.
const OTHERS: &str = "what is loaded already does not reach the interpreter's importer again, so who else imports a module is not known";

/// All runs together.
#[derive(Debug, Serialize)]
pub struct Weight {
    pub schema: &'static str,
    pub command: Vec<String>,
    pub runs: usize,
    /// As the command ended, run by run; 128 + n for signal n.
    pub exit_codes: Vec<i32>,
    /// The command without gilscope, in turn with the runs.
    pub plain_ns: Option<Spread>,
    pub count: Option<Spread>,
    /// Null where allocations are not counted.
    pub bytes: Option<Spread>,
    pub time_ns: Option<Spread>,
    /// Largest first.
    pub modules: Vec<Module>,
    /// What is null, and why.
    pub notes: Vec<String>,
}

/// One module; imports of the same name are summed.
#[derive(Debug, Serialize)]
pub struct Module {
    pub name: String,
    /// Runs that imported it.
    pub runs: usize,
    /// With all that it imported in turn: its own would be saved if nothing else imports that.
    pub bytes: Option<Spread>,
    pub bytes_self: Option<Spread>,
    pub time_ns: Option<Spread>,
    pub time_self_ns: Option<Spread>,
    /// Who imported it first, in the first run that did.
    pub importer: Option<String>,
    pub function: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub failed: bool,
    /// Whether one package imports another here: the import that can be made lazy.
    pub is_border: bool,
    /// Modules that import it, too. See `notes`.
    pub others: Option<usize>,
}

/// What one run took of a module.
#[derive(Clone, Copy, Default)]
struct Once {
    bytes: Option<i64>,
    bytes_self: Option<i64>,
    time_ns: u64,
    time_self_ns: u64,
}

/// Puts runs together; `plain_ns` is how long the command took without gilscope.
pub fn weigh(
    command: Vec<String>,
    runs: &[ImportRows],
    exit_codes: Vec<i32>,
    plain_ns: &[u64],
) -> Weight {
    let mut firsts: BTreeMap<&str, (&ImportRow, &str)> = BTreeMap::new();
    let mut all: BTreeMap<&str, Vec<Once>> = BTreeMap::new();
    for run in runs {
        for (name, once) in sums(run) {
            all.entry(name).or_default().push(once);
        }
        let names: BTreeMap<u32, &str> =
            run.rows.iter().map(|row| (row.fact.number, row.fact.name.as_str())).collect();
        for row in &run.rows {
            firsts.entry(&row.fact.name).or_insert((row, importer(row, &names)));
        }
    }
    let mut modules: Vec<Module> =
        all.iter().filter_map(|(name, onces)| Some(module(*firsts.get(name)?, onces))).collect();
    let weight = |one: &Module| {
        let median = |of: &Option<Spread>| of.map_or(f64::MIN, |spread| spread.median) as i64;
        (median(&one.bytes), median(&one.time_ns))
    };
    modules.sort_by_key(|one| Reverse(weight(one)));
    let of = |value: &dyn Fn(&ImportRows) -> Option<f64>| spread(runs.iter().map(value));
    let bytes = of(&|run| run.total_bytes.map(|bytes| bytes as f64));
    let mut notes = vec![OTHERS.to_owned()];
    if bytes.is_none() {
        notes.push("this interpreter's allocations are not counted; what ranks is time".into());
    }
    Weight {
        schema: "gilscope.imports/1",
        command,
        runs: runs.len(),
        exit_codes,
        plain_ns: spread(plain_ns.iter().map(|ns| Some(*ns as f64))),
        count: of(&|run| Some(run.count as f64)),
        bytes,
        time_ns: of(&|run| Some(run.total_ns as f64)),
        modules,
        notes,
    }
}

impl Weight {
    /// What is worth a look: imports of one package by another, largest first.
    pub fn borders(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().filter(|one| one.is_border && !one.failed)
    }
}

/// A module's figures in one run. What happened in an import of the same name is in that one's figures already.
fn sums(run: &ImportRows) -> BTreeMap<&str, Once> {
    let mut sums: BTreeMap<&str, Once> = BTreeMap::new();
    let parents: BTreeMap<u32, &ImportRow> =
        run.rows.iter().map(|row| (row.fact.number, row)).collect();
    let add = |to: &mut Option<i64>, more: Option<i64>| {
        *to = more.map(|more| to.unwrap_or(0).saturating_add(more)).or(*to)
    };
    for row in &run.rows {
        let sum = sums.entry(&row.fact.name).or_default();
        add(&mut sum.bytes_self, row.bytes_self);
        sum.time_self_ns = sum.time_self_ns.saturating_add(row.time_self_ns.unwrap_or(0));
        let mut above = parents.get(&row.fact.parent);
        while above.is_some_and(|above| above.fact.name != row.fact.name) {
            above = above.and_then(|above| parents.get(&above.fact.parent));
        }
        if above.is_none() {
            add(&mut sum.bytes, row.fact.bytes);
            sum.time_ns = sum.time_ns.saturating_add(row.fact.time_ns.unwrap_or(0));
        }
    }
    sums
}

/// Who imports it; where the importer's own parts did, for a package of it say, the import that it happened in.
fn importer<'a>(row: &'a ImportRow, names: &BTreeMap<u32, &'a str>) -> &'a str {
    match row.fact.importer.as_str() {
        "" => names.get(&row.fact.parent).copied().unwrap_or(""),
        known => known,
    }
}

fn module((first, importer): (&ImportRow, &str), onces: &[Once]) -> Module {
    let fact = &first.fact;
    let known = |text: &String| (!text.is_empty()).then(|| text.clone());
    let of = |value: &dyn Fn(&Once) -> Option<f64>| spread(onces.iter().map(value));
    Module {
        name: fact.name.clone(),
        runs: onces.len(),
        bytes: of(&|once| once.bytes.map(|bytes| bytes as f64)),
        bytes_self: of(&|once| once.bytes_self.map(|bytes| bytes as f64)),
        time_ns: of(&|once| Some(once.time_ns as f64)),
        time_self_ns: of(&|once| Some(once.time_self_ns as f64)),
        importer: known(&fact.importer),
        function: known(&fact.function),
        file: known(&fact.file),
        line: (fact.line != 0).then_some(fact.line),
        failed: fact.failed,
        is_border: !fact.file.is_empty() && package(&fact.name) != package(importer),
        others: None,
    }
}

fn package(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// None where a single figure is not known.
fn spread(figures: impl Iterator<Item = Option<f64>>) -> Option<Spread> {
    summary::spread(figures.collect::<Option<Vec<f64>>>()?)
}

/// Exit codes that were seen, once each.
pub fn distinct(codes: &[i32]) -> Vec<i32> {
    codes.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::ImportFact;

    fn row(number: u32, parent: u32, name: &str, importer: &str, own: i64, all: i64) -> ImportRow {
        let fact = ImportFact {
            number,
            parent,
            name: name.into(),
            importer: importer.into(),
            file: "app.py".into(),
            line: number,
            time_ns: Some(all as u64),
            bytes: Some(all),
            ..Default::default()
        };
        ImportRow { fact, depth: 0, time_self_ns: Some(own as u64), bytes_self: Some(own) }
    }

    fn run(of: i64) -> ImportRows {
        let rows = vec![
            row(1, 0, "big", "__main__", 10 * of, 100 * of),
            row(2, 1, "big.part", "big", 40 * of, 90 * of),
            row(3, 2, "other", "big.part", 50 * of, 50 * of),
            row(4, 3, "other.inner", "", 0, 0),
        ];
        ImportRows { count: 3, total_bytes: Some(100 * of), total_ns: 100, rows }
    }

    #[test]
    fn runs_give_medians_with_spread_and_own_parts_add_up() {
        let runs = [run(1), run(3), run(2)];
        let weight = weigh(vec!["app".into()], &runs, vec![0, 0, 0], &[7, 9]);
        assert_eq!(weight.bytes, Some(Spread { median: 200.0, least: 100.0, most: 300.0 }));
        assert_eq!(weight.plain_ns, Some(Spread { median: 8.0, least: 7.0, most: 9.0 }));
        let own: f64 = weight.modules.iter().map(|one| one.bytes_self.unwrap().median).sum();
        assert_eq!(own, 200.0);
        // A package's own parts are its own affair.
        let borders: Vec<&str> = weight.borders().map(|one| one.name.as_str()).collect();
        assert_eq!(borders, ["big", "other"]);
        assert_eq!(weight.modules[0].bytes.unwrap().median, 200.0);
    }

    #[test]
    fn a_module_that_imports_its_own_name_is_counted_once() {
        let rows = vec![row(1, 0, "twice", "a", 10, 30), row(2, 1, "twice", "b", 20, 20)];
        let runs = [ImportRows { count: 2, total_bytes: None, total_ns: 30, rows }];
        let weight = weigh(vec![], &runs, vec![1], &[]);
        assert_eq!(weight.modules[0].bytes.unwrap().median, 30.0);
        assert_eq!((weight.bytes, weight.plain_ns), (None, None), "unknown is not 0");
        assert_eq!(weight.notes.len(), 2);
    }
}
