//! Plots of a snapshot for paper and for other programs: SVG, PNG, CSV.
//!
//! plotters draws the SVG; the PNG is that same SVG rendered, the CSV is the data that it shows.
//! Opens no files and knows no targets but through the snapshot. One file per plot; each has a
//! `draw` and a `table`, which show the same figures.

mod blame;
mod canvas;
mod classes;
mod cpu;
mod flame;
mod frames_by_module;
mod frames_resident;
mod handoffs;
mod histogram;
mod imports_icicle;
mod imports_memory;
mod lanes;
mod memory;
mod patterns;
mod png;
mod states;
mod table;
#[cfg(test)]
mod tests;
mod time_axis;
mod utilization;

pub use canvas::{PALETTE, date};

use crate::store::lanes::{Detail, Missing};
use crate::store::{Range, Snapshot};
use std::io::Write;
use table::Table;

/// The font of every picture, so that it looks the same on a machine that has none.
const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// A plot by its name on the command line and in addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plot {
    /// The ThreadWakeup graph: CPU per thread, stacked.
    Cpu,
    /// The same with each band in its parts.
    CpuParts,
    GilUtilization,
    GilWait,
    GilHold,
    /// From a drop request to the holder's release.
    GilDropToRelease,
    /// From a release to the acquire by a waiter.
    GilWake,
    /// One lane a thread.
    GilTimeline,
    /// A flame graph of the waiting inflicted.
    GilBlame,
    Handoffs,
    /// I/O threads against CPU threads.
    GilClasses,
    /// The process's memory and its threads.
    Memory,
    /// Memory held for frames over time.
    FramesResident,
    /// A treemap of whose frames it is held for.
    FramesByModule,
    /// Thread states made and deleted over time.
    TstateRate,
    /// What one cycle through a temporary thread state takes.
    TstateCost,
    /// What was imported by what, by memory or time.
    ImportsIcicle,
    /// The process's memory, and what imports keep of it.
    ImportsMemory,
}

/// A form that a plot can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Svg,
    Png,
    Csv,
}

/// Why there is no plot.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    #[error("there are no figures for the plot \"{plot}\": {reason}")]
    NoData { plot: &'static str, reason: String },
    #[error("cannot draw the plot: {0}")]
    Draw(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Plot {
    pub const ALL: [Self; 18] = [
        Self::Cpu,
        Self::CpuParts,
        Self::GilUtilization,
        Self::GilWait,
        Self::GilHold,
        Self::GilDropToRelease,
        Self::GilWake,
        Self::GilTimeline,
        Self::GilBlame,
        Self::Handoffs,
        Self::GilClasses,
        Self::Memory,
        Self::FramesResident,
        Self::FramesByModule,
        Self::TstateRate,
        Self::TstateCost,
        Self::ImportsIcicle,
        Self::ImportsMemory,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::CpuParts => "cpu-parts",
            Self::GilUtilization => "gil-utilization",
            Self::GilWait => "gil-wait",
            Self::GilHold => "gil-hold",
            Self::GilDropToRelease => "gil-drop-to-release",
            Self::GilWake => "gil-wake",
            Self::GilTimeline => "gil-timeline",
            Self::GilBlame => "gil-blame",
            Self::Handoffs => "handoffs",
            Self::GilClasses => "gil-classes",
            Self::Memory => "memory",
            Self::FramesResident => "frames-resident",
            Self::FramesByModule => "frames-by-module",
            Self::TstateRate => "tstate-rate",
            Self::TstateCost => "tstate-cost",
            Self::ImportsIcicle => "imports-icicle",
            Self::ImportsMemory => "imports-memory",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plot| plot.name() == name)
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU per thread",
            Self::CpuParts => "CPU per thread, in parts",
            Self::GilUtilization => "GIL utilization and waiters",
            Self::GilWait => "GIL wait",
            Self::GilHold => "GIL hold",
            Self::GilDropToRelease => "GIL drop request to release",
            Self::GilWake => "GIL release to acquire by a waiter",
            Self::GilTimeline => "GIL timeline",
            Self::GilBlame => "GIL blame",
            Self::Handoffs => "GIL handoffs",
            Self::GilClasses => "I/O threads against CPU threads",
            Self::Memory => "Memory and threads",
            Self::FramesResident => "Memory held for frames",
            Self::FramesByModule => "Frames by module",
            Self::TstateRate => "Thread states made",
            Self::TstateCost => "Cost of a temporary thread state",
            Self::ImportsIcicle => "Imports",
            Self::ImportsMemory => "Memory while it imports",
        }
    }

    /// What the session's recording is to be asked for first, if this plot of `range` shows single events
    /// and the snapshot has let go of them.
    pub fn missing(self, snapshot: &Snapshot<'_>, range: Range) -> Option<Missing> {
        (self == Self::GilTimeline).then(|| lanes::missing(snapshot, range)).flatten()
    }

    /// An error if the range has no moment of the session: a picture of it would be empty.
    fn has_time(self, snapshot: &Snapshot<'_>, range: Range) -> Result<(), PlotError> {
        let session = snapshot.range();
        if session.is_empty() || !session.intersection(&range).is_empty() {
            return Ok(());
        }
        let reason = "nothing of the session lies in this range".to_owned();
        Err(PlotError::NoData { plot: self.name(), reason })
    }

    fn no_data(self, snapshot: &Snapshot<'_>) -> PlotError {
        let section = match self {
            Self::Cpu | Self::CpuParts | Self::Memory => "process",
            Self::FramesResident | Self::FramesByModule => "frames",
            Self::TstateRate | Self::TstateCost => "thread_states",
            Self::ImportsIcicle | Self::ImportsMemory => "imports",
            _ => "gil",
        };
        let notes = snapshot.notes();
        // Thread states stand on the GIL probe.
        let of_gil =
            || (!matches!(section, "process" | "imports")).then(|| notes.get("gil")).flatten();
        let known = notes.get(section).or_else(of_gil).cloned();
        let reason = known.unwrap_or_else(|| "nothing was recorded in this range".into());
        PlotError::NoData { plot: self.name(), reason }
    }
}

impl Format {
    /// By the ending of a file's name, without the dot.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "svg" => Some(Self::Svg),
            "png" => Some(Self::Png),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// For an HTTP answer.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Svg => "image/svg+xml",
            Self::Png => "image/png",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }
}

/// Writes a plot of `range`; pass `snapshot.range()` for the whole session.
///
/// `detail` is what the session's recording tells of what is [`Plot::missing`], if it was asked.
pub fn write(
    snapshot: &Snapshot<'_>,
    plot: Plot,
    range: Range,
    detail: Option<&Detail>,
    format: Format,
    out: &mut impl Write,
) -> Result<(), PlotError> {
    match format {
        Format::Svg => out.write_all(svg(snapshot, plot, range, detail)?.as_bytes())?,
        Format::Png => out.write_all(&png::render(&svg(snapshot, plot, range, detail)?)?)?,
        Format::Csv => table(snapshot, plot, range, detail)?.write(out)?,
    }
    Ok(())
}

/// An SVG of [`write`] as PNG.
pub fn png(svg: &[u8]) -> Result<Vec<u8>, PlotError> {
    let text = std::str::from_utf8(svg).map_err(|cause| PlotError::Draw(cause.to_string()))?;
    png::render(text)
}

/// The picture as SVG text.
pub fn svg(
    snapshot: &Snapshot<'_>,
    plot: Plot,
    range: Range,
    detail: Option<&Detail>,
) -> Result<String, PlotError> {
    plot.has_time(snapshot, range)?;
    let drawn = match plot {
        Plot::Cpu | Plot::CpuParts => cpu::draw(snapshot, plot, range),
        Plot::GilUtilization => utilization::draw(snapshot, range),
        Plot::GilWait | Plot::GilHold | Plot::GilDropToRelease | Plot::GilWake => {
            histogram::draw(snapshot, plot, range)
        }
        Plot::GilTimeline => lanes::draw(snapshot, range, detail),
        Plot::GilBlame => blame::draw(snapshot, range),
        Plot::Handoffs => handoffs::draw(snapshot, range),
        Plot::GilClasses => classes::draw(snapshot, range),
        Plot::Memory => memory::draw(snapshot, range),
        Plot::FramesResident => frames_resident::draw(snapshot, range),
        Plot::FramesByModule => frames_by_module::draw(snapshot, range),
        Plot::TstateRate | Plot::TstateCost => states::draw(snapshot, plot, range),
        Plot::ImportsIcicle => imports_icicle::draw(snapshot, range),
        Plot::ImportsMemory => imports_memory::draw(snapshot, range),
    };
    drawn.unwrap_or_else(|| Err(plot.no_data(snapshot)))
}

fn table(
    snapshot: &Snapshot<'_>,
    plot: Plot,
    range: Range,
    detail: Option<&Detail>,
) -> Result<Table, PlotError> {
    plot.has_time(snapshot, range)?;
    let table = match plot {
        Plot::Cpu | Plot::CpuParts => cpu::table(snapshot, plot, range),
        Plot::GilUtilization => utilization::table(snapshot, range),
        Plot::GilWait | Plot::GilHold | Plot::GilDropToRelease | Plot::GilWake => {
            histogram::table(snapshot, plot, range)
        }
        Plot::GilTimeline => lanes::table(snapshot, range, detail),
        Plot::GilBlame => blame::table(snapshot, range),
        Plot::Handoffs => handoffs::table(snapshot, range),
        Plot::GilClasses => classes::table(snapshot, range),
        Plot::Memory => memory::table(snapshot, range),
        Plot::FramesResident => frames_resident::table(snapshot, range),
        Plot::FramesByModule => frames_by_module::table(snapshot, range),
        Plot::TstateRate | Plot::TstateCost => states::table(snapshot, range),
        Plot::ImportsIcicle => imports_icicle::table(snapshot, range),
        Plot::ImportsMemory => imports_memory::table(snapshot, range),
    };
    table.ok_or_else(|| plot.no_data(snapshot))
}
