//! Sources of batches: a live target, a recording, and the generator of the tests.

#[cfg(any(test, feature = "generator"))]
pub mod generate;
pub mod replay;
