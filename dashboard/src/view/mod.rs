//! What a page may see: the store's answers, put together per session and per page.
//!
//! Names and units are stable: pages, programs and tests rely on them. Nothing here changes anything.

pub mod experiments;
mod frame;
mod lanes;
mod parts;
mod range;
mod session;

pub use experiments::{Experiment, Figures, experiments};
pub use frame::Frame;
pub use lanes::lanes;
pub use parts::{Page, Part, Wish, parts};
pub use range::View;
pub use session::{SessionView, events, sessions};
