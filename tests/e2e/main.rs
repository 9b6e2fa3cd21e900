//! gilscope on real interpreters, from the command line to the report, against independent truth.
//!
//! Each program of `tests/programs` counts what it does; a test attaches, lets it run, and compares.
//! Counts are compared to the unit, times only as sums and shares: the machine may be busy.

mod harness;

mod blame;
mod cpu;
mod exact;
mod findings;
mod frames;
mod full_disk;
mod imports;
mod imports_cost;
mod leaving;
mod loss;
mod names;
mod run_form;
mod scribbler;
mod shares;
mod soak;
mod states;
mod top;
mod tries;
mod witnessed;
