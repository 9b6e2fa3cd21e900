//! What must exist before the dashboard can be compiled: the web pages.
//!
//! Each part lives in its own file and knows nothing of the others. A failed part ends the build with
//! one line that says what to install.

mod web;

fn main() {
    println!("cargo:rerun-if-changed=build");
    if let Err(reason) = web::build() {
        eprintln!("\ngilscope: cannot build the web pages: {reason}\n");
        std::process::exit(1);
    }
}
