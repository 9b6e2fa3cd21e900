//! Sources of batches: a live target, a recording, and the generator of the tests.

mod blame;
pub mod clock;
mod codes;
mod cpu;
#[cfg(any(test, feature = "generator"))]
pub mod generate;
mod gil;
pub mod live;
pub mod mapping;
mod memory;
mod native;
pub mod replay;
mod slots;
mod threads;
