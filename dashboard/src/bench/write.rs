//! A bench as text, Markdown, HTML and a plot: one table a test, one row an arm, all from the [`Summary`].

use super::summary::{Cell, Spread, Summary};
use crate::plot::PALETTE;
use crate::units::{UNKNOWN, count, duration, escape_xml, percent};
use plotters::style::RGBColor;
use std::fmt::Write as _;

/// Columns of every table.
pub const COLUMNS: [&str; 9] = [
    "arm",
    "a second",
    "spread",
    "against stock",
    "CPU thread, against stock",
    "p50",
    "p99",
    "handoffs, forced, waits a second",
    "wait p50, p99",
];

/// A form that a bench can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Md,
    Html,
    Json,
    Svg,
}

/// The whole bench in one form.
pub fn write(summary: &Summary, format: Format) -> String {
    match format {
        Format::Md => markdown(summary),
        Format::Html => html(summary),
        Format::Json => serde_json::to_string_pretty(summary).expect("figures are JSON") + "\n",
        Format::Svg => plot(summary),
    }
}

/// The tests that were run, each with the cells of all arms.
fn tests(summary: &Summary) -> Vec<(&str, Vec<&Cell>)> {
    let arms = summary.arms.len().max(1);
    let rows = summary.cells.chunks(arms);
    rows.map(|cells| (cells[0].title, cells.iter().collect())).collect()
}

/// One row; the same in every form.
fn row(summary: &Summary, cell: &Cell) -> [String; 9] {
    let name = summary.arms[cell.arm].name.clone();
    if let Some(why) = &cell.skipped {
        let mut row = std::array::from_fn(|_| String::new());
        [row[0], row[1]] = [name, format!("skipped: {why}")];
        return row;
    }
    let show = |spread: Option<Spread>, of: &dyn Fn(f64) -> String| {
        spread.map_or(UNKNOWN.into(), |spread| of(spread.median))
    };
    let rate = |value: f64| count(value.round() as u64);
    let both = |spread: Option<Spread>, of: &dyn Fn(f64) -> String| match spread {
        Some(Spread { median, least, most }) => {
            format!("{} ({} to {})", of(median), of(least), of(most))
        }
        None => UNKNOWN.into(),
    };
    let times = |value: f64| format!("× {value:.2}");
    let ns = |value: f64| duration(value as u64);
    let range =
        cell.per_s.map_or(UNKNOWN.into(), |s| format!("{} to {}", rate(s.least), rate(s.most)));
    let seen = cell.probes.as_ref();
    [
        name,
        show(cell.per_s, &rate),
        range,
        both(cell.ratio, &times),
        both(cell.cpu_ratio, &times),
        show(cell.p50_ns, &ns),
        show(cell.p99_ns, &ns),
        seen.map_or(UNKNOWN.into(), |f| {
            [f.handoffs_per_s, f.releases_forced_per_s, f.waits_per_s].map(rate).join(", ")
        }),
        seen.map_or(UNKNOWN.into(), |f| {
            let one = |ns: Option<u64>| ns.map_or(UNKNOWN.into(), duration);
            format!("{}, {}", one(f.wait_p50_ns), one(f.wait_p99_ns))
        }),
    ]
}

fn facts(summary: &Summary) -> String {
    format!(
        "{} rounds of {} s, interleaved, on {} processors; medians, and the least and the most of all rounds",
        summary.rounds, summary.seconds, summary.n_cpus
    )
}

/// "e" of the post, one line an arm.
fn efficiencies(summary: &Summary) -> Vec<(String, String)> {
    let one = |arm: &super::summary::ArmSummary| {
        let Spread { median, least, most } = arm.efficiency?;
        let text = format!("{} ({} to {})", percent(median), percent(least), percent(most));
        Some((arm.name.clone(), text))
    };
    summary.arms.iter().filter_map(one).collect()
}

fn markdown(summary: &Summary) -> String {
    let mut out = format!("# gilscope bench\n\n{}.\n", facts(summary));
    let efficiencies = efficiencies(summary);
    if !efficiencies.is_empty() {
        out += "\n## Efficiency of two CPU threads against one\n\n| arm | e |\n|---|--:|\n";
        for (arm, e) in efficiencies {
            let _ = writeln!(out, "| {arm} | {e} |");
        }
    }
    for (title, cells) in tests(summary) {
        let _ =
            writeln!(out, "\n## {title}\n\n| {} |\n|---{}|", COLUMNS.join(" | "), "|--:".repeat(8));
        for cell in cells {
            let _ = writeln!(out, "| {} |", row(summary, cell).join(" | "));
        }
    }
    out
}

const STYLE: &str = "
body{font:15px/1.45 'DejaVu Sans',Verdana,sans-serif;color:#222;max-width:1200px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:1.6rem}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:.25rem .5rem;border-bottom:1px solid #ddd;text-align:right;vertical-align:top}
th{background:#f3f3f3}td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto}";

fn html(summary: &Summary) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>gilscope bench</title><style>{STYLE}</style></head><body>\n\
         <h1>gilscope bench</h1><p>{}.</p>\n<figure>{}</figure>\n",
        facts(summary),
        plot(summary)
    );
    let mut table = |title: &str, columns: &[&str], rows: Vec<Vec<String>>| {
        let cells = |tag: &str, row: &[String]| -> String {
            row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape_xml(cell))).collect()
        };
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let _ = writeln!(
            out,
            "<h2>{}</h2><table><tr>{}</tr>",
            escape_xml(title),
            cells("th", &columns)
        );
        for row in rows {
            let _ = writeln!(out, "<tr>{}</tr>", cells("td", &row));
        }
        out += "</table>\n";
    };
    let efficiencies = efficiencies(summary);
    if !efficiencies.is_empty() {
        let rows = efficiencies.into_iter().map(|(arm, e)| vec![arm, e]).collect();
        table("Efficiency of two CPU threads against one", &["arm", "e"], rows);
    }
    for (title, cells) in tests(summary) {
        table(title, &COLUMNS, cells.into_iter().map(|cell| row(summary, cell).to_vec()).collect());
    }
    out + "</body></html>\n"
}

const LEFT: f64 = 330.0;
const WIDE: f64 = 560.0;
const BAR: f64 = 15.0;

/// A bar an arm and a test, each test on a scale of its own, with its spread as a whisker.
fn plot(summary: &Summary) -> String {
    let tests = tests(summary);
    let group = BAR * summary.arms.len() as f64 + 12.0;
    let legend = 22.0 * summary.arms.len() as f64;
    let height = 50.0 + legend + group * tests.len() as f64 + 10.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1000\" height=\"{height}\" \
         viewBox=\"0 0 1000 {height}\" role=\"img\" font-family=\"DejaVu Sans, Verdana, sans-serif\">\
         <title>gilscope bench</title><rect width=\"1000\" height=\"{height}\" fill=\"#fff\"/>\
         <text x=\"20\" y=\"28\" font-size=\"17\" fill=\"#222\">Rounds a second; each test on its own scale</text>"
    );
    let color = |arm: usize| {
        let RGBColor(red, green, blue) = PALETTE[arm % PALETTE.len()];
        format!("#{red:02X}{green:02X}{blue:02X}")
    };
    for (arm, of) in summary.arms.iter().enumerate() {
        let y = 44.0 + 22.0 * arm as f64;
        let name = escape_xml(&of.name);
        let _ = write!(
            out,
            "<rect x=\"20\" y=\"{y}\" width=\"14\" height=\"14\" fill=\"{}\"/>\
             <text x=\"42\" y=\"{}\" font-size=\"12\" fill=\"#222\">{name}</text>",
            color(arm),
            y + 11.5
        );
    }
    for (place, (title, cells)) in tests.iter().enumerate() {
        let top = 50.0 + legend + group * place as f64;
        let most = cells.iter().filter_map(|cell| cell.per_s).map(|s| s.most).fold(0.0, f64::max);
        let middle = top + group / 2.0;
        let _ = write!(
            out,
            "<text x=\"{}\" y=\"{middle}\" font-size=\"12\" text-anchor=\"end\" fill=\"#222\">{}</text>",
            LEFT - 10.0,
            escape_xml(title)
        );
        for cell in cells {
            let y = top + BAR * cell.arm as f64;
            bar(&mut out, cell, y, most, &color(cell.arm));
        }
    }
    out + "</svg>\n"
}

fn bar(out: &mut String, cell: &Cell, y: f64, most: f64, color: &str) {
    let Some(Spread { median, least, most: highest }) = cell.per_s.filter(|_| most > 0.0) else {
        let _ = write!(
            out,
            "<text x=\"{LEFT}\" y=\"{}\" font-size=\"10\" fill=\"#5a5a5a\">{}</text>",
            y + 11.0,
            escape_xml(cell.skipped.as_deref().unwrap_or("not measured"))
        );
        return;
    };
    let x = |value: f64| LEFT + WIDE * value / most;
    let middle = y + BAR / 2.0;
    let _ = write!(
        out,
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{}\" height=\"{}\" fill=\"{color}\"/>\
         <line x1=\"{}\" x2=\"{}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"#222\"/>\
         <text x=\"{}\" y=\"{}\" font-size=\"10\" fill=\"#222\">{}</text>",
        WIDE * median / most,
        BAR - 3.0,
        x(least),
        x(highest),
        x(highest) + 6.0,
        y + 10.0,
        count(median.round() as u64)
    );
}
