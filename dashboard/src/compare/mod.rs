//! Before and after: two ranges, of one session or of two, side by side with their differences.
//!
//! The page, `gilscope compare` and its files all show this one [`Comparison`].

mod figures;
mod markdown;
#[cfg(test)]
mod tests;

pub use figures::{Figure, ThreadFigures, Unit, catalogue, figures, import_figure};
pub use markdown::{text, write as write_markdown};

use crate::store::{Range, Snapshot};
use serde::Serialize;

pub const SCHEMA: &str = "gilscope.compare/1";

/// One of the two: who and when, and its figures.
#[derive(Clone, Debug)]
pub struct Side {
    pub span: Span,
    figures: Vec<Figure>,
    threads: Vec<(String, ThreadFigures)>,
}

/// Who and when.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    pub pid: u32,
    pub command: String,
    pub start_unix_ns: u64,
    pub duration_ns: u64,
}

/// A figure of both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FigureChange {
    pub name: String,
    pub title: String,
    pub unit: Unit,
    pub before: Option<f64>,
    pub after: Option<f64>,
    /// After less before; null if one is not known.
    pub difference: Option<f64>,
    /// That in terms of `before`: 0.5 is half as much again. Null as well where `before` is 0.
    pub change: Option<f64>,
    /// Why either is not known, or what of it is not.
    pub before_note: Option<String>,
    pub after_note: Option<String>,
}

/// The threads of a name in both; null where there was none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThreadChange {
    pub name: String,
    pub before: Option<ThreadFigures>,
    pub after: Option<ThreadFigures>,
}

/// See the module's text.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub schema: &'static str,
    pub before: Span,
    pub after: Span,
    pub figures: Vec<FigureChange>,
    /// Most changed in CPU first.
    pub threads: Vec<ThreadChange>,
}

impl Side {
    /// The figures of a range of a session.
    pub fn of(snapshot: &Snapshot<'_>, range: Range) -> Self {
        let range = range.intersection(&snapshot.range());
        let target = snapshot.target();
        let span = Span {
            pid: target.pid,
            command: target.cmdline.join(" "),
            start_unix_ns: target.anchor_unix_ns + range.start_ns,
            duration_ns: range.length_ns(),
        };
        let (figures, threads) = (figures(snapshot, range), figures::threads(snapshot, range));
        Self { span, figures, threads }
    }
}

/// Lays the two side by side.
pub fn compare(before: Side, after: Side) -> Comparison {
    let figures = before.figures.iter().zip(&after.figures).map(|(b, a)| change(b, a)).collect();
    let threads = pair(&before.threads, &after.threads);
    Comparison { schema: SCHEMA, before: before.span, after: after.span, figures, threads }
}

fn change(before: &Figure, after: &Figure) -> FigureChange {
    let difference = before.value.zip(after.value).map(|(before, after)| after - before);
    let change = difference.zip(before.value.filter(|value| *value != 0.0)).map(|(d, b)| d / b);
    FigureChange {
        name: after.name.clone(),
        title: after.title.clone(),
        unit: after.unit,
        before: before.value,
        after: after.value,
        difference,
        change,
        before_note: before.note.clone(),
        after_note: after.note.clone(),
    }
}

fn pair(
    before: &[(String, ThreadFigures)],
    after: &[(String, ThreadFigures)],
) -> Vec<ThreadChange> {
    let find = |all: &[(String, ThreadFigures)], name: &str| {
        all.iter().find(|row| row.0 == name).map(|row| row.1)
    };
    let gone = before.iter().filter(|row| find(after, &row.0).is_none());
    let names = after.iter().chain(gone).map(|row| row.0.as_str());
    let mut threads: Vec<_> = names
        .map(|name| ThreadChange {
            name: name.to_owned(),
            before: find(before, name),
            after: find(after, name),
        })
        .collect();
    let moved = |row: &ThreadChange| {
        let cores = |side: Option<ThreadFigures>| side.and_then(|s| s.cpu_cores).unwrap_or(0.0);
        (cores(row.after) - cores(row.before)).abs()
    };
    threads.sort_by(|a, b| moved(b).total_cmp(&moved(a)).then_with(|| a.name.cmp(&b.name)));
    threads
}
