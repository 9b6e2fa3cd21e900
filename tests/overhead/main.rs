//! What gilscope costs, side by side with the same work without it and with other tools.
//!
//! Each section runs its arms in turn within one run, pairs them, and prints medians of differences and
//! ratios with 95 % confidence intervals. Nothing fails because something was slow: the sections fail
//! if they cannot run, or if what was recorded is not what was done. `GILSCOPE_LARGE=1` runs the large
//! form, whose results become `results.json` and the README's table.

#[path = "../e2e/harness/mod.rs"]
mod harness;

mod abuse;
mod contended;
mod cycle;
mod foreign;
mod opening;
mod paired;
mod presence;
mod results;
mod rivals;
mod web;
mod workload;
