//! gilscope: the command line, the daemon and the dashboard in one program.
//!
//! `main` only hands over to `cli`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    gilscope::main(std::env::args_os())
}
