//! Two results of `gilscope bench`, before and after: one table in the form of the post's, a row an arm
//! and a column a test. Reads what `bench --json` wrote; measures nothing.

use super::summary::Spread;
use crate::units::{UNKNOWN, count, duration, escape_markdown, percent};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

pub const SCHEMA: &str = "gilscope.bench-compare/1";
/// What this reads.
const BENCH: &str = "gilscope.bench/1";

/// As much of a bench's result as is compared.
#[derive(Debug, Deserialize)]
pub struct Bench {
    schema: String,
    seconds: f64,
    rounds: usize,
    n_cpus: usize,
    arms: Vec<Arm>,
    cells: Vec<Cell>,
}

#[derive(Debug, Deserialize)]
struct Arm {
    name: String,
    efficiency: Option<Spread>,
}

#[derive(Debug, Deserialize)]
struct Cell {
    arm: usize,
    test: String,
    title: String,
    per_s: Option<Spread>,
    p99_ns: Option<Spread>,
}

/// A figure of both. Null where one has none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub arm: String,
    /// "e", or the name of a test.
    pub test: String,
    pub title: String,
    pub before: Option<Spread>,
    pub after: Option<Spread>,
    /// Median after to median before.
    pub ratio: Option<f64>,
    /// Whether every round after lies beyond every round before.
    pub apart: Option<bool>,
    pub p99_before_ns: Option<f64>,
    pub p99_after_ns: Option<f64>,
}

/// How one of the two was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    pub rounds: usize,
    pub seconds: f64,
    pub n_cpus: usize,
}

/// See the module's text.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub schema: &'static str,
    pub before: Measured,
    pub after: Measured,
    /// Arm by arm, the tests in the order of the bench.
    pub changes: Vec<Change>,
}

/// A figure of one side, under the names that it is looked up by.
struct Figure<'a> {
    arm: &'a str,
    test: &'a str,
    title: &'a str,
    spread: Option<Spread>,
    p99_ns: Option<f64>,
}

impl Bench {
    /// Reads what `gilscope bench --json` wrote. The error is for a person.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let bench: Self = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        if bench.schema != BENCH {
            return Err(format!("its schema is {:?}, wanted {BENCH:?}", bench.schema));
        }
        match bench.cells.iter().find(|cell| cell.arm >= bench.arms.len()) {
            Some(cell) => Err(format!("{:?} is measured on an arm that is not there", cell.test)),
            None => Ok(bench),
        }
    }

    fn measured(&self) -> Measured {
        Measured { rounds: self.rounds, seconds: self.seconds, n_cpus: self.n_cpus }
    }

    fn figures_of<'a>(&'a self, (at, arm): (usize, &'a Arm)) -> impl Iterator<Item = Figure<'a>> {
        let efficiency =
            Figure { arm: &arm.name, test: "e", title: "e", spread: arm.efficiency, p99_ns: None };
        let cells = self.cells.iter().filter(move |cell| cell.arm == at);
        let tests = cells.map(|cell| Figure {
            arm: &arm.name,
            test: &cell.test,
            title: &cell.title,
            spread: cell.per_s,
            p99_ns: cell.p99_ns.map(|p99| p99.median),
        });
        std::iter::once(efficiency).chain(tests)
    }

    fn figures(&self) -> Vec<Figure<'_>> {
        self.arms.iter().enumerate().flat_map(|arm| self.figures_of(arm)).collect()
    }
}

/// Lays the two side by side. What only one of them measured stands there, too.
pub fn compare(before: &Bench, after: &Bench) -> Comparison {
    let (old, new) = (before.figures(), after.figures());
    let same = |a: &Figure<'_>, b: &Figure<'_>| (a.arm, a.test) == (b.arm, b.test);
    let find = |all: &'_ [Figure<'_>], wanted: &Figure<'_>| {
        all.iter().find(|one| same(one, wanted)).map(|one| (one.spread, one.p99_ns))
    };
    let gone = old.iter().filter(|one| !new.iter().any(|other| same(one, other)));
    let changes = new.iter().chain(gone).map(|figure| {
        let (before, p99_before_ns) = find(&old, figure).unwrap_or_default();
        let (after, p99_after_ns) = find(&new, figure).unwrap_or_default();
        let both = before.zip(after);
        Change {
            arm: figure.arm.to_owned(),
            test: figure.test.to_owned(),
            title: figure.title.to_owned(),
            before,
            after,
            ratio: both.filter(|(b, _)| b.median > 0.0).map(|(b, a)| a.median / b.median),
            apart: both.map(|(b, a)| a.least > b.most || a.most < b.least),
            p99_before_ns,
            p99_after_ns,
        }
    });
    Comparison {
        schema: SCHEMA,
        before: before.measured(),
        after: after.measured(),
        changes: changes.filter(|change| change.before.or(change.after).is_some()).collect(),
    }
}

/// For reading: a table an arm, a row a test.
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = "# gilscope compare: bench\n".to_owned();
    for (which, how) in [("before", &comparison.before), ("after", &comparison.after)] {
        let Measured { rounds, seconds, n_cpus } = how;
        let _ = write!(out, "\n- {which}: {rounds} rounds of {seconds} s on {n_cpus} processors");
    }
    out += "\n\nRounds a second, medians; e is what two CPU threads do together against one. A change is bold \
            where every round after lies beyond every round before.\n";
    for rows in comparison.changes.chunk_by(|a, b| a.arm == b.arm) {
        let _ = write!(
            out,
            "\n## {}\n\n| test | before | after | change | p99 before | p99 after |\n|---{}|\n",
            escape_markdown(&rows[0].arm),
            "|--:".repeat(5)
        );
        for row in rows {
            let _ =
                writeln!(out, "| {} | {} |", escape_markdown(&row.title), cells(row).join(" | "));
        }
    }
    out
}

fn cells(row: &Change) -> [String; 5] {
    let figure = |spread: Option<Spread>| match spread {
        None => UNKNOWN.to_owned(),
        Some(spread) if row.test == "e" => percent(spread.median),
        Some(spread) => count(spread.median.round() as u64),
    };
    let change = match (row.ratio, row.apart) {
        (Some(ratio), Some(true)) => format!("**× {ratio:.2}**"),
        (Some(ratio), _) => format!("× {ratio:.2}"),
        (None, _) => UNKNOWN.to_owned(),
    };
    let p99 = |ns: Option<f64>| ns.map_or(UNKNOWN.to_owned(), |ns| duration(ns as u64));
    [figure(row.before), figure(row.after), change, p99(row.p99_before_ns), p99(row.p99_after_ns)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(arm: &str, per_s: [f64; 3]) -> Bench {
        let text = serde_json::json!({
            "schema": BENCH, "seconds": 1.0, "rounds": 3, "n_cpus": 2,
            "arms": [{ "name": arm, "efficiency": null }],
            "cells": [{
                "arm": 0, "test": "lock", "title": "Lock", "p99_ns": null,
                "per_s": { "median": per_s[1], "least": per_s[0], "most": per_s[2] },
            }],
        });
        Bench::read(text.to_string().as_bytes()).expect("a bench")
    }

    #[test]
    fn a_change_is_apart_only_if_no_round_overlaps() {
        let before = bench("3.11", [90.0, 100.0, 110.0]);
        let change = |after: [f64; 3]| compare(&before, &bench("3.11", after)).changes[0].clone();
        let better = change([700.0, 800.0, 900.0]);
        assert_eq!((better.ratio, better.apart), (Some(8.0), Some(true)));
        let alike = change([100.0, 110.0, 120.0]);
        assert_eq!((alike.ratio, alike.apart), (Some(1.1), Some(false)));
        let text = markdown(&compare(&before, &bench("3.11", [700.0, 800.0, 900.0])));
        assert!(text.contains("| Lock | 100 | 800 | **× 8.00** | – | – |"), "{text}");
    }

    #[test]
    fn an_arm_that_only_one_has_is_there_without_a_ratio() {
        let comparison = compare(&bench("3.8", [1.0; 3]), &bench("3.13", [2.0; 3]));
        let rows: Vec<_> =
            comparison.changes.iter().map(|row| (row.arm.as_str(), row.ratio)).collect();
        assert_eq!(rows, [("3.13", None), ("3.8", None)]);
    }

    #[test]
    fn what_is_no_bench_is_refused_with_the_reason() {
        let why = |text: &str| Bench::read(text.as_bytes()).expect_err("no bench");
        assert!(why("{}").contains("schema"), "{}", why("{}"));
        let other = r#"{"schema":"x/1","seconds":1,"rounds":1,"n_cpus":1,"arms":[],"cells":[]}"#;
        assert!(why(other).contains("x/1"));
        let nowhere = r#"{"schema":"gilscope.bench/1","seconds":1,"rounds":1,"n_cpus":1,"arms":[],
            "cells":[{"arm":3,"test":"lock","title":"Lock","per_s":null,"p99_ns":null}]}"#;
        assert!(why(nowhere).contains("arm"));
    }
}
