//! What gilscope says on stderr while it works, and stdout as the place for data only.
//!
//! Bars appear on a terminal only; `-q` leaves nothing but errors. Text that came from another
//! process passes through [`printable`] first: a command line may hold escape sequences.

use crate::errors::StdoutClosed;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};

/// How much is said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Talk {
    quiet: bool,
    terminal: bool,
}

impl Talk {
    /// `quiet` leaves nothing but errors.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, terminal: io::stderr().is_terminal() }
    }

    /// One line of what is going on.
    pub(crate) fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            anstream::eprintln!("{}", line.as_ref());
        }
    }

    /// What a person may want to do next.
    pub(crate) fn next_step(&self, line: impl AsRef<str>) {
        let dim = anstyle::Style::new().dimmed();
        self.say(format!("{dim}  {}{dim:#}", line.as_ref()));
    }

    /// A bar of `length` steps; hidden unless stderr is a terminal.
    pub(crate) fn bar(&self, length: u64, what: &'static str) -> ProgressBar {
        let shown = self.terminal && !self.quiet;
        let target =
            if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{msg} {wide_bar} {elapsed_precise}")
            .expect("the template is right");
        ProgressBar::with_draw_target(Some(length), target).with_style(style).with_message(what)
    }
}

/// Sets colour for the whole program; `auto` honours a terminal, `NO_COLOR` and `CLICOLOR_FORCE`.
pub(crate) fn set_color(color: config::Color) {
    match color {
        config::Color::Auto => anstream::ColorChoice::Auto.write_global(),
        config::Color::Always => anstream::ColorChoice::Always.write_global(),
        config::Color::Never => anstream::ColorChoice::Never.write_global(),
    }
}

/// Text with control characters spelled out.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The beginning of a command line, fit for a sentence.
pub(crate) fn brief(command: &str) -> String {
    const MOST: usize = 60;
    match command.char_indices().nth(MOST) {
        Some((end, _)) => printable(&command[..end]) + "…",
        None => printable(command),
    }
}

/// Writes text with styles to stdout, without the styles where colour is off.
pub(crate) fn print_styled(text: &str) -> io::Result<()> {
    match anstream::AutoStream::choice(&io::stdout()) {
        anstream::ColorChoice::Never => print(anstream::adapter::strip_str(text).to_string()),
        _ => print(text),
    }
}

/// Writes data to stdout. A reader that has gone is told apart from a disk that is full.
pub(crate) fn print(data: impl AsRef<[u8]>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(data.as_ref()).and_then(|()| stdout.flush()).map_err(|error| {
        match error.kind() {
            io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, StdoutClosed),
            _ => error,
        }
    })
}
