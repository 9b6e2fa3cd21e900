//! The screen of `gilscope top`: figures into the cells of a terminal, in any size.
//!
//! Uses bold and reversed text alone, so nothing hangs on colour. Knows no keys and no snapshot.

use super::figures::{BlameFigures, Figures, Sort, ThreadFigures};
use crate::store::Class;
use crate::units::{UNKNOWN, duration};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Row, Table, Widget};

const HELP: &str = "q leave · space pause · m mark · sort: c CPU g GIL w waited i inflicted n name";

/// How the figures are to be shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    pub(crate) sort: Sort,
    pub(crate) paused: bool,
    /// Said in place of the keys until the next figures.
    pub(crate) said: Option<String>,
}

/// Draws a look at a target into `area`.
pub(crate) fn draw(figures: &Figures, look: &Look, area: Rect, buffer: &mut Buffer) {
    let blame_rows = (figures.blame.len().max(1) as u16).min(area.height.saturating_sub(6) / 3);
    let [head, threads, blame, keys] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Min(2),
        Constraint::Length(blame_rows + 1),
        Constraint::Length(1),
    ])
    .areas(area);
    Text::from(header(figures, look)).render(head, buffer);
    thread_table(figures, look.sort, threads.height).render(threads, buffer);
    blame_table(&figures.blame).render(blame, buffer);
    Line::from(look.said.as_deref().unwrap_or(HELP)).render(keys, buffer);
}

fn header<'a>(figures: &'a Figures, look: &Look) -> Vec<Line<'a>> {
    let version = match figures.python_version.as_str() {
        "" => "Python",
        version => &format!("Python {version}"),
    };
    let paused = if look.paused { "PAUSED · " } else { "" };
    let (watched, window) = (duration(figures.watched_ns), duration(figures.window_ns));
    let number = |value: Option<f64>, digits: usize| match value {
        Some(value) => format!("{value:.digits$}"),
        None => UNKNOWN.to_owned(),
    };
    let first = format!(
        "{paused}pid {} · {version} · watched {watched}, last {window} · {}",
        figures.pid, figures.name
    );
    let second = format!(
        "GIL {} % · waiting {} · handoffs/s {} · CPU {} cores · lost {} · marks {}",
        number(figures.utilization.map(|share| share * 100.0), 1),
        number(figures.waiting, 2),
        number(figures.handoffs_per_s, 0),
        number(figures.cpu_cores, 2),
        figures.events_lost,
        figures.marks,
    );
    vec![Line::from(first), Line::styled(second, Modifier::BOLD), Line::default()]
}

fn thread_table(figures: &Figures, sort: Sort, height: u16) -> Table<'static> {
    let title =
        |text: &str, of: Sort| if sort == of { format!("{text}▼") } else { text.to_owned() };
    let fits = usize::from(height.saturating_sub(1));
    let shown = match figures.threads.len() > fits {
        true => fits.saturating_sub(1),
        false => figures.threads.len(),
    };
    let mut rows: Vec<_> = figures.threads[..shown].iter().map(thread_row).collect();
    if shown < figures.threads.len() {
        rows.push(Row::new([format!("… {} more", figures.threads.len() - shown)]));
    }
    let head = [
        Text::from(title(&format!("THREADS {}", figures.threads.len()), Sort::Name)),
        Text::from("class"),
        right(&title("CPU %", Sort::Cpu)),
        right(&title("GIL %", Sort::Gil)),
        right(&title("waited %", Sort::Waited)),
        right(&title("inflict %", Sort::Inflicted)),
        right("vol/s"),
        right("forced/s"),
    ];
    let figures = [5, 7, 7, 9, 10, 8, 8].map(Constraint::Length);
    let widths = std::iter::once(Constraint::Fill(1)).chain(figures);
    Table::new(rows, widths).header(Row::new(head).style(Style::new().reversed()))
}

fn thread_row(thread: &ThreadFigures) -> Row<'static> {
    let class = match thread.class {
        Some(Class::Io) => "I/O",
        Some(Class::Cpu) => "CPU",
        Some(Class::Idle) => "idle",
        None => UNKNOWN,
    };
    let figures = [
        percent(thread.cpu),
        percent(thread.held),
        percent(thread.waited),
        percent(thread.inflicted),
        rate(thread.voluntary_per_s),
        rate(thread.forced_per_s),
    ];
    let start = [Text::from(thread.name.clone()), Text::from(class)];
    Row::new(start.into_iter().chain(figures))
}

fn blame_table(lines: &[BlameFigures]) -> Table<'static> {
    let head = [
        Text::from("OTHERS WAITED AT"),
        Text::from("line"),
        Text::from("module"),
        right("share %"),
        right("waits/s"),
    ];
    let mut rows: Vec<_> = lines.iter().map(blame_row).collect();
    if rows.is_empty() {
        rows.push(Row::new(["no thread waited for another"]));
    }
    let widths = [
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Fill(2),
        Constraint::Length(7),
        Constraint::Length(8),
    ];
    Table::new(rows, widths).header(Row::new(head).style(Style::new().reversed()))
}

fn blame_row(line: &BlameFigures) -> Row<'static> {
    Row::new([
        Text::from(line.function.clone().unwrap_or_else(|| "(not looked at)".to_owned())),
        Text::from(line.place.clone()),
        Text::from(line.module.clone()),
        percent(Some(line.share)),
        rate(Some(line.waits_per_s)),
    ])
}

fn percent(share: Option<f64>) -> Text<'static> {
    let text = share.map_or(UNKNOWN.to_owned(), |share| format!("{:.1}", share * 100.0));
    Text::from(text).right_aligned()
}

fn rate(per_s: Option<f64>) -> Text<'static> {
    let text = per_s.map_or(UNKNOWN.to_owned(), |per_s| format!("{per_s:.0}"));
    Text::from(text).right_aligned()
}

fn right(text: &str) -> Text<'static> {
    Text::from(text.to_owned()).right_aligned()
}
