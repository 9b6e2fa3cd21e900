//! Sources of batches: a live target, a recording, and the generator of the tests.

#[cfg(any(test, feature = "generator"))]
pub mod generate;
pub mod replay;
mod blame;
pub mod clock;
mod codes;
mod cpu;
mod gil;
pub mod live;
pub mod mapping;
mod memory;
mod native;
mod slots;
mod threads;
