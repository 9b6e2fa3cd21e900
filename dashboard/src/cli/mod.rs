//! The command line: which verbs there are, and the one way from arguments to an exit code.
//!
//! Each verb has a file of its own with its flags and what it does. Texts of flags that are options
//! too come from `config`, never from here.

mod attach;
mod bench;
mod check;
mod child;
mod compare;
mod completions;
mod daemon;
mod demo;
mod detach;
mod doctor;
mod flags;
mod from_page;
mod imports;
mod list;
mod man;
mod mark;
mod python;
mod recordings;
mod report;
mod run;
mod serve;
mod span;
mod top;
mod tries;
mod watch;

use crate::errors::{self, Failure};
use crate::talk::{self, Talk};
use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use flags::Common;
use std::ffi::OsString;
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failure
  2  wrong usage: flags, options
  3  the target is missing, not CPython, or not supported
  4  permission denied
  5  a check failed: a figure is out of bounds
  `gilscope run` passes on the code of its command (128 + n for signal n)

Options may also stand in ./gilscope.toml, ~/.config/gilscope/config.toml, /etc/gilscope/config.toml
and GILSCOPE_* variables; `gilscope man` lists them all.";

/// See who holds the GIL of a live CPython, who waits for it, and where the CPU goes
#[derive(Debug, Parser)]
#[command(name = "gilscope", version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Flags),
    Attach(attach::Flags),
    Record(attach::RecordFlags),
    Top(top::Flags),
    Detach(detach::Flags),
    List(list::Flags),
    Serve(serve::Flags),
    Report(report::Flags),
    Export(report::ExportFlags),
    Compare(compare::Flags),
    Check(check::Flags),
    Imports(imports::Flags),
    Mark(mark::Flags),
    Try(tries::Flags),
    Bench(bench::Flags),
    Demo(demo::Flags),
    Doctor(doctor::Flags),
    Completions(completions::Flags),
    Man(man::Flags),
}

/// Flags that are options lay them over the layers below.
pub(crate) trait Lay {
    fn lay(&self, layers: &mut config::Layers) -> Result<(), config::Error>;
}

/// For verbs whose flags are no options.
struct NoOptions;

impl Lay for NoOptions {
    fn lay(&self, _: &mut config::Layers) -> Result<(), config::Error> {
        Ok(())
    }
}

/// What every command is given.
pub(crate) struct Context {
    /// The options, checked.
    pub(crate) plan: config::Plan,
    /// Stderr.
    pub(crate) talk: Talk,
}

/// Runs gilscope on these arguments, the first being its own name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parsed = Arguments::command()
        .try_get_matches_from(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    match parsed {
        Ok(arguments) => errors::exit(run(arguments)),
        Err(error) => usage(&error),
    }
}

/// Help and version go to stdout as they are; a usage error speaks like all our errors.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print(); // only fails when nobody reads it
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        anstream::eprint!("{text}");
        return ExitCode::from(errors::Exit::Usage as u8);
    }
    anstream::eprint!("gilscope: {}", text.strip_prefix("error: ").unwrap_or(&text));
    ExitCode::from(errors::Exit::Usage as u8)
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { common, command } = arguments;
    match command {
        // These print what is built in and must work whatever the options say.
        Command::Completions(flags) => completions::run(&flags),
        Command::Man(flags) => man::run(&flags),
        Command::Run(flags) => {
            let context = context(&common, &flags)?;
            block_on(run::run(flags, &context))
        }
        Command::Attach(flags) => {
            let context = context(&common, &flags)?;
            block_on(attach::run(flags, &context))
        }
        Command::Record(flags) => {
            let context = context(&common, &flags)?;
            block_on(attach::record(flags, &context))
        }
        Command::Top(flags) => {
            let context = context(&common, &flags)?;
            block_on(top::run(flags, &context))
        }
        Command::Detach(flags) => {
            let context = context(&common, &NoOptions)?;
            block_on(detach::run(flags, &context))
        }
        Command::List(flags) => list::run(&flags, &context(&common, &NoOptions)?),
        Command::Report(flags) => report::run(&flags, &context(&common, &NoOptions)?),
        Command::Export(flags) => report::export(&flags, &context(&common, &NoOptions)?),
        Command::Compare(flags) => compare::run(&flags, &context(&common, &NoOptions)?),
        Command::Check(flags) => check::run(&flags, &context(&common, &NoOptions)?),
        Command::Imports(flags) => imports::run(&flags, &context(&common, &NoOptions)?),
        Command::Serve(flags) => {
            let context = context(&common, &flags)?;
            block_on(serve::run(flags, &context))
        }
        Command::Mark(flags) => {
            let context = context(&common, &NoOptions)?;
            block_on(mark::run(flags, &context))
        }
        Command::Bench(flags) => {
            let context = context(&common, &NoOptions)?;
            block_on(bench::run(flags, &context))
        }
        Command::Try(flags) => {
            let context = context(&common, &flags)?;
            block_on(tries::run(flags, &context))
        }
        Command::Demo(flags) => {
            let context = context(&common, &flags)?;
            block_on(demo::run(flags, &context))
        }
        Command::Doctor(flags) => doctor::run(&flags, &context(&common, &NoOptions)?),
    }
}

/// Lays all layers of the options, `flags` laying a verb's own on top; sets up colour and the log.
fn context(common: &Common, flags: &impl Lay) -> anyhow::Result<Context> {
    let files = config::source::files(|name| std::env::var_os(name));
    let mut layers = config::source::read(&files, std::env::vars_os())?;
    common.lay(&mut layers)?;
    flags.lay(&mut layers)?;
    let plan = config::Plan::new(&layers)?;
    talk::set_color(plan.color);
    start_log(common, &plan.log)?;
    Ok(Context { plan, talk: Talk::new(common.quiet) })
}

/// Runs a verb that waits for more than one thing at a time.
fn block_on(verb: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.context("starting threads")?.block_on(verb)
}

fn start_log(common: &Common, directives: &str) -> anyhow::Result<()> {
    let directives = match common.verbose {
        0 => directives,
        1 => "warn,gilscope=info",
        2 => "info,gilscope=debug",
        _ => "debug,gilscope=trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_new(directives)
        .map_err(|error| Failure::usage(format!("log: {directives:?}: {error}")))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(())
}
