//! `gilscope list`: the Python processes of this machine that can be watched.

use super::Context;
use crate::errors::{Exit, Failure};
use crate::talk;
use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use inject::survey::{self, Process};
use serde::Serialize;
use std::io::IsTerminal;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  gilscope list
  gilscope list --json | jq '.processes[].pid'";

/// List the Python processes here
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Flags {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A process as it is listed.
#[derive(Debug, Serialize)]
struct Row {
    pid: u32,
    /// Null where the process may not be looked at.
    python_version: Option<String>,
    n_threads: u32,
    user_id: u32,
    command: Vec<String>,
    /// Pid of the gilscope that is attached; null without one.
    attached_by: Option<u32>,
}

#[derive(Serialize)]
struct Listing {
    schema: &'static str,
    processes: Vec<Row>,
}

impl From<Process> for Row {
    fn from(process: Process) -> Self {
        Self {
            pid: process.pid,
            python_version: process.interpreter.and_then(|interpreter| interpreter.version),
            n_threads: process.threads,
            user_id: process.user_id,
            command: process.command_line,
            attached_by: process.live.filter(|live| live.daemon_alive).map(|live| live.daemon_pid),
        }
    }
}

pub(crate) fn run(flags: &Flags, context: &Context) -> anyhow::Result<ExitCode> {
    let rows: Vec<Row> = survey::processes().into_iter().map(Row::from).collect();
    if flags.json {
        let listing = Listing { schema: "gilscope.list/1", processes: rows };
        talk::print(serde_json::to_string_pretty(&listing)? + "\n")?;
    } else if rows.is_empty() {
        context.talk.say("no Python process runs here");
        context.talk.next_step("gilscope run -- python app.py");
    } else {
        talk::print(table(&rows))?;
        context.talk.next_step("gilscope attach PID");
    }
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["PID", "PYTHON", "THREADS", "ATTACHED", "COMMAND"]);
    for row in rows {
        table.add_row([
            row.pid.to_string(),
            row.python_version.clone().unwrap_or_else(|| "?".to_owned()),
            row.n_threads.to_string(),
            row.attached_by.map_or_else(|| "no".to_owned(), |pid| format!("by {pid}")),
            talk::printable(&row.command.join(" ")),
        ]);
    }
    for number in [0, 2] {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let width = if std::io::stdout().is_terminal() { table.width().map(usize::from) } else { None };
    let cut = |line: String| {
        line.trim_end().chars().take(width.unwrap_or(usize::MAX)).collect::<String>() + "\n"
    };
    table.lines().map(cut).collect()
}

/// The Python processes that there are.
fn rows() -> Vec<Row> {
    survey::processes().into_iter().map(Row::from).collect()
}

/// Those with `text` in their command lines.
fn fitting<'a>(text: &'a str, rows: &'a [Row]) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.command.join(" ").contains(text))
}

/// The pid of the one process whose command line contains `text`.
pub(crate) fn named(text: &str) -> Result<u32, Failure> {
    choose(text, &rows())
}

/// A process id. What is none may be a name: then it is told which processes have it.
pub(crate) fn pid(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(pid) => Ok(pid),
        Err(_) if digits || text.starts_with('-') => Err("is no process id".to_owned()),
        Err(_) => Err(no_pid(text, &rows())),
    }
}

/// More processes of one name than this are not listed.
const NAMED_MOST: usize = 8;

fn no_pid(text: &str, rows: &[Row]) -> String {
    let wanted = "a process id is wanted";
    let of = |row: &Row| format!("{} ({})", row.pid, talk::brief(&row.command.join(" ")));
    let fits: Vec<String> = fitting(text, rows).take(NAMED_MOST).map(of).collect();
    match fits.is_empty() {
        true => format!("{wanted}; no Python process has {text:?} in its command line"),
        false => format!("{wanted}, such as {}; or `--name {text}` of `attach`", fits.join(", ")),
    }
}

fn choose(text: &str, rows: &[Row]) -> Result<u32, Failure> {
    let fits: Vec<&Row> = fitting(text, rows).collect();
    match fits.as_slice() {
        [row] => Ok(row.pid),
        [] => Err(Failure::new(
            Exit::Target,
            format!("no Python process has {text:?} in its command line"),
        )
        .remedy("`gilscope list` shows what there is")),
        many => {
            let failure = Failure::usage(format!(
                "{} Python processes have {text:?} in their command lines",
                many.len()
            ));
            let describe =
                |row: &&Row| format!("{}  {}", row.pid, talk::printable(&row.command.join(" ")));
            Err(many
                .iter()
                .map(describe)
                .fold(failure.remedy("name one by its pid"), Failure::hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pid: u32, command: &str) -> Row {
        let command = command.split(' ').map(str::to_owned).collect();
        Row {
            pid,
            python_version: Some("3.11.2".into()),
            n_threads: 7,
            user_id: 0,
            command,
            attached_by: None,
        }
    }

    #[test]
    fn a_name_means_one_process_or_none() {
        let rows =
            [row(1, "python worker.py a"), row(2, "python worker.py b"), row(3, "python web.py")];
        assert_eq!(choose("web", &rows).unwrap(), 3);
        assert!(choose("worker", &rows).unwrap_err().to_string().starts_with("2 Python processes"));
        assert!(
            choose("nginx", &rows)
                .unwrap_err()
                .to_string()
                .starts_with("no Python process has \"nginx\"")
        );
    }

    #[test]
    fn a_name_in_place_of_a_pid_is_told_the_pids_that_have_it() {
        let rows = [row(31, "python svc.py"), row(32, "python web.py"), row(33, "python svc.py b")];
        let told = no_pid("svc.py", &rows);
        assert!(told.contains("31 (python svc.py), 33 (python svc.py b)"), "{told}");
        assert!(told.contains("a process id is wanted") && !told.contains("32"), "{told}");
        assert!(no_pid("nginx", &rows).contains("no Python process has \"nginx\""));
        assert_eq!((pid("42"), pid("99999999999").is_err()), (Ok(42), true));
    }

    #[test]
    fn the_table_has_a_line_for_each_and_no_control_characters() {
        let text = table(&[row(1, "python a.py"), row(20, "python \u{1b}[2J")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with("python a.py"), "{text}");
        assert!(lines[2].ends_with("python \\u{1b}[2J"), "{text}");
    }
}
