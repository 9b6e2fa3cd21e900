//! The report: what a session showed, for programs (JSON) and for people (Markdown, HTML).
//!
//! All three are made from one [`Report`], so they agree; the two for people say first what stands out.
//! Opens no files; writers take `impl Write`.

mod build;
pub mod experiments;
pub mod frames;
mod html;
pub mod imports;
mod markdown;
mod schema;
mod states;
#[cfg(test)]
mod tests;

pub use build::build_range;

use crate::findings::findings;
use crate::plot::PlotError;
use crate::store::{Range, Snapshot};
use std::io::Write;

/// A form that a report can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Markdown,
    /// One file with the plots inside; needs no scripts.
    Html,
}

impl Format {
    /// By the ending of a file's name, without the dot.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }
}

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("cannot draw a plot of the report: {0}")]
    Plot(#[from] PlotError),
}

/// Writes the report of `range`; pass `snapshot.range()` for the whole session.
pub fn write(
    snapshot: &Snapshot<'_>,
    range: Range,
    format: Format,
    out: &mut impl Write,
) -> Result<(), ReportError> {
    let report = build_range(snapshot, range);
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &report).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        Format::Markdown => markdown::write(&report, &findings(snapshot, range), out)?,
        Format::Html => html::write(snapshot, range, &report, out)?,
    }
    Ok(())
}
