//! Sources of batches: a live target, a recording, and the generator of the tests.

mod blame;
pub mod clock;
pub mod codes;
mod cpu;
pub mod frames;
#[cfg(any(test, feature = "fuzz", feature = "generator"))]
pub mod generate;
pub mod gil;
mod imports;
pub mod live;
pub mod mapping;
mod memory;
mod native;
pub mod policy;
mod python;
pub mod replay;
mod rings;
mod slots;
mod states;
mod sums;
pub mod threads;
