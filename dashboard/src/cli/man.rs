//! `gilscope man`: the manual page, made from the command line and the options themselves.

use super::Arguments;
use crate::talk;
use clap::{Args, CommandFactory};
use clap_mangen::roff::{Roff, bold, roman};
use std::io;
use std::process::ExitCode;

/// Print the manual page
#[derive(Debug, Args)]
#[command(after_help = "Example: gilscope man | man -l -")]
pub(crate) struct Flags {}

pub(crate) fn run(_: &Flags) -> anyhow::Result<ExitCode> {
    let mut page = Vec::new();
    write(&mut page)?;
    talk::print(page)?;
    Ok(ExitCode::SUCCESS)
}

fn write(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Arguments::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(page)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let man = clap_mangen::Man::new(verb.clone());
        Roff::new()
            .control("SH", [format!("gilscope {}", verb.get_name()).to_uppercase().as_str()])
            .to_writer(page)?;
        man.render_synopsis_section(page)?;
        man.render_description_section(page)?;
        man.render_options_section(page)?;
    }
    options(page)
}

fn options(page: &mut Vec<u8>) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["CONFIGURATION"]);
    roff.text([roman(
        "Each option may stand as a TOML key in /etc/gilscope/config.toml, ~/.config/gilscope/config.toml \
         or ./gilscope.toml, as an environment variable, or on the command line as --set key=value; \
         the later wins.",
    )]);
    for key in config::keys() {
        roff.control("TP", []);
        roff.text([
            bold(format!("{} = {}", key.name, key.default)),
            roman(format!("  ({})", key.variable())),
        ]);
        roff.text([roman(format!("{} {}.", key.help, key.range))]);
    }
    roff.to_writer(page)
}
