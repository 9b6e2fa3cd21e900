//! What was measured, as a table for people, as `results.json`, and as the README's section made of it.
//!
//! The small form prints and leaves the file alone; the large one (`GILSCOPE_LARGE=1`) replaces its own
//! section of the file and writes the README's table anew. Knows nothing of how things are measured.

use crate::harness::tests_dir;
use crate::paired::Estimate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An aim, of the figure or of the ratio.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AtMost {
    Figure(f64),
    Ratio(f64),
}

/// One line of the table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) load: String,
    pub(crate) arm: String,
    /// What `figure` is: "ns a cycle more", "ms".
    pub(crate) unit: String,
    /// None if it was not measured; then `note` says why.
    pub(crate) figure: Option<Estimate>,
    /// Against the same work without the arm.
    pub(crate) ratio: Option<Estimate>,
    pub(crate) aim: Option<AtMost>,
    pub(crate) note: Option<String>,
}

impl Row {
    pub(crate) fn new(load: &str, arm: &str, unit: &str, figure: Estimate) -> Self {
        Self { figure: Some(figure), ..Self::skipped(load, arm, unit, None) }
    }

    /// A line for what could not be measured here.
    pub(crate) fn skipped(load: &str, arm: &str, unit: &str, why: Option<String>) -> Self {
        let (load, arm, unit) = (load.to_owned(), arm.to_owned(), unit.to_owned());
        Self { load, arm, unit, figure: None, ratio: None, aim: None, note: why }
    }

    pub(crate) fn ratio(self, ratio: Estimate) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    pub(crate) fn aim(self, aim: AtMost) -> Self {
        Self { aim: Some(aim), ..self }
    }

    /// The aim in words, and whether the whole interval keeps it, misses it, or spans it.
    fn verdict(&self) -> (String, &'static str) {
        let (limit, estimate, text) = match self.aim {
            None => return (String::new(), ""),
            Some(AtMost::Figure(limit)) => (limit, self.figure, number(limit)),
            Some(AtMost::Ratio(limit)) => (limit, self.ratio, format!("× {limit}")),
        };
        let met = match estimate {
            None => "not measured",
            Some(e) if e.high <= limit => "yes",
            Some(e) if e.low > limit => "no",
            Some(_) => "not resolved",
        };
        (format!("≤ {text}"), met)
    }

    fn cells(&self) -> [String; 7] {
        let figure = self.figure.map_or("–".to_owned(), |e| interval(e, number));
        let ratio = self.ratio.map_or(String::new(), |e| interval(e, |x| format!("{x:.3}")));
        let (aim, met) = self.verdict();
        let arm = match &self.note {
            Some(note) => format!("{} ({note})", self.arm),
            None => self.arm.clone(),
        };
        [self.load.clone(), arm, figure, self.unit.clone(), ratio, aim, met.to_owned()]
    }
}

/// A figure with its interval, or alone where it was counted once.
fn interval(e: Estimate, text: impl Fn(f64) -> String) -> String {
    match e.n {
        1 => text(e.value),
        _ => format!("{} [{}, {}]", text(e.value), text(e.low), text(e.high)),
    }
}

fn number(x: f64) -> String {
    match x.abs() {
        a if a >= 1000.0 => format!("{x:.0}"),
        a if a >= 10.0 || x == x.trunc() => format!("{}", (x * 10.0).round() / 10.0),
        _ => format!("{x:.2}"),
    }
}

/// One section of the results, measured at one time.
#[derive(Debug, Deserialize, Serialize)]
struct Section {
    title: String,
    date: String,
    machine: String,
    rows: Vec<Row>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Results {
    /// By the test's name.
    sections: BTreeMap<String, Section>,
}

const HEADINGS: [&str; 7] = ["load", "arm", "figure [95 %]", "unit", "ratio [95 %]", "aim", "met"];
const BEGIN: &str = "<!-- overhead: made by tests/overhead, do not edit -->\n";
const END: &str = "<!-- overhead: end -->\n";

/// True for the large form.
pub(crate) fn is_large() -> bool {
    std::env::var_os("GILSCOPE_LARGE").is_some_and(|value| value == "1")
}

/// Prints a section's rows, and keeps them if this is the large form.
pub(crate) fn publish(key: &str, title: &str, rows: Vec<Row>) {
    assert!(!rows.is_empty(), "{key} measured nothing");
    let section = Section { title: title.to_owned(), date: today(), machine: machine(), rows };
    println!("\n{}", markdown(&section));
    if is_large() {
        let mut results = read();
        results.sections.insert(key.to_owned(), section);
        let json = serde_json::to_string_pretty(&results).expect("plain data");
        std::fs::write(file(), json + "\n").expect("results.json");
        let readme = with_table(&read_readme(), &results);
        std::fs::write(readme_file(), readme).expect("README.md");
    }
}

fn markdown(section: &Section) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("**{}** ({}, {})\n\n", section.title, section.machine, section.date);
    text += &line(&HEADINGS.map(String::from));
    text += &line(&HEADINGS.map(|_| "---".to_owned()));
    section.rows.iter().for_each(|row| text += &line(&row.cells()));
    text
}

/// A README whose table is that of `results`.
fn with_table(readme: &str, results: &Results) -> String {
    let (head, rest) = readme.split_once(BEGIN).expect("README.md has the table's begin mark");
    let (_, tail) = rest.split_once(END).expect("README.md has the table's end mark");
    let tables: String = results.sections.values().map(|s| markdown(s) + "\n").collect();
    format!("{head}{BEGIN}\n{tables}{END}{tail}")
}

fn file() -> PathBuf {
    tests_dir().join("overhead/results.json")
}

fn readme_file() -> PathBuf {
    tests_dir().with_file_name("README.md")
}

fn read_readme() -> String {
    std::fs::read_to_string(readme_file()).expect("README.md")
}

fn read() -> Results {
    match std::fs::read_to_string(file()) {
        Ok(text) => serde_json::from_str(&text).expect("results.json is what we wrote"),
        Err(_) => Results::default(),
    }
}

fn today() -> String {
    let date = std::process::Command::new("date").arg("+%F").output().expect("date");
    String::from_utf8_lossy(&date.stdout).trim().to_owned()
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").expect("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("osrelease");
    let n = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{} × {}, Linux {}", n, model.map_or("unknown CPU", |m| m.1), release.trim())
}

#[test]
fn the_readme_shows_the_results() {
    let readme = read_readme();
    let made = with_table(&readme, &read());
    assert!(made == readme, "README.md's table is that of results.json: run the large form");
}
