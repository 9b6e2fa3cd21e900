//! What must exist before the dashboard can be compiled: the agent, and the web pages.
//!
//! Each part lives in its own file and knows nothing of the others. A failed part ends the build with
//! one line that says what to install.

mod agent;
mod web;

fn main() {
    println!("cargo:rerun-if-changed=build");
    part("the agent", agent::build());
    part("the web pages", web::build());
}

fn part(what: &str, built: Result<(), String>) {
    if let Err(reason) = built {
        eprintln!("\ngilscope: cannot build {what}: {reason}\n");
        std::process::exit(1);
    }
}
