//! `gilscope completions SHELL`: what the shell needs to complete our verbs and flags.

use super::Arguments;
use crate::talk;
use clap::{Args, CommandFactory};
use std::process::ExitCode;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Example: gilscope completions bash > ~/.local/share/bash-completion/completions/gilscope"
)]
pub(crate) struct Flags {
    /// Which shell
    shell: clap_complete::Shell,
}

pub(crate) fn run(flags: &Flags) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(flags.shell, &mut Arguments::command(), "gilscope", &mut text);
    talk::print(text)?;
    Ok(ExitCode::SUCCESS)
}
