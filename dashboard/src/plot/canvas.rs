//! The sheet that every plot is drawn on: title, legend, footer, fonts, colours.
//!
//! plotters rounds to whole coordinates, so all is drawn [`SCALE`] times too large and shrunk by the
//! SVG's viewBox. Text stays text: searchable, small, and set in DejaVu Sans or a font as wide.

use super::patterns::Patterns;
use super::{FONT, PlotError};
use crate::store::{Range, Snapshot};
use crate::units;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::Once;

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub type Drawn = Result<(), PlotError>;

/// Size of a sheet, in CSS pixels.
pub const SIZE: (i32, i32) = (1000, 540);
/// Drawing units per CSS pixel.
pub const SCALE: i32 = 8;
pub const FAMILY: &str = "DejaVu Sans";
/// Verdana and Bitstream Vera are as wide as DejaVu Sans, which was made from the latter.
const FAMILIES: &str = "DejaVu Sans, Bitstream Vera Sans, Verdana, sans-serif";
/// plotters divides font sizes by this before it writes them.
const PLOTTERS_FONT_RATIO: f64 = 1.24;

pub const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub const FAINT_INK: RGBColor = RGBColor(0x5A, 0x5A, 0x5A);
pub const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
/// The main thread. These three are the pages' in their light theme, as are the palette's.
pub const MAIN: RGBColor = RGBColor(0x4B, 0x52, 0x5C);
/// Sums of many.
pub const REST: RGBColor = RGBColor(0xC3, 0xC8, 0xD0);
pub const EXITED: RGBColor = RGBColor(0xE2, 0xD3, 0xB8);
/// Okabe and Ito's colours (jfly.uni-koeln.de/color), which colour-blind people can tell apart, and
/// one of Paul Tol's (wine) to make eight; ordered so that neighbours differ in lightness.
pub const PALETTE: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xF0, 0xE4, 0x42),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0xCC, 0x79, 0xA7),
];

/// One line of the legend.
pub struct Entry {
    pub color: RGBColor,
    pub name: String,
    /// A figure, set to the right.
    pub figure: String,
}

/// What stands around a plot.
pub struct Sheet {
    pub title: String,
    /// The plot in one sentence of figures.
    pub summary: String,
    /// What its figures are, and its lines. Null: the plot takes the full width.
    pub legend: Option<(&'static str, Vec<Entry>)>,
    /// What the picture shows in words, for who cannot see it.
    pub description: String,
    pub patterns: Patterns,
}

/// Any failure of plotters, whose error types are many.
pub fn failed(cause: impl std::fmt::Display) -> PlotError {
    PlotError::Draw(cause.to_string())
}

/// CSS pixels as drawing units.
pub fn px(pixels: i32) -> i32 {
    pixels * SCALE
}

/// Text of so many CSS pixels.
pub fn text(size: f64, color: RGBColor) -> TextStyle<'static> {
    let size = size * PLOTTERS_FONT_RATIO * f64::from(SCALE);
    let mut style = TextStyle::from((FAMILY, size).into_font());
    style.color = color.to_backend_color();
    style
}

/// Text with its anchor.
pub fn anchored(size: f64, color: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    text(size, color).pos(Pos::new(h, v))
}

/// How wide a text is, in drawing units.
pub fn width(area: &Area<'_>, words: &str, style: &TextStyle<'_>) -> i32 {
    area.estimate_text_size(words, style).map_or(0, |size| size.0 as i32)
}

/// The text, cut with an ellipsis to fit into `room` drawing units.
pub fn fit(area: &Area<'_>, words: &str, style: &TextStyle<'_>, room: i32) -> String {
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if width(area, &words, style) <= room {
        return words;
    }
    let mut letters: Vec<char> = words.chars().collect();
    while letters.pop().is_some() {
        let cut: String = letters.iter().chain(['…'].iter()).collect();
        if width(area, &cut, style) <= room {
            return cut;
        }
    }
    String::new()
}

/// Draws a sheet and lets `body` fill its middle.
pub fn draw(
    snapshot: &Snapshot<'_>,
    range: Range,
    sheet: &Sheet,
    body: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<String, PlotError> {
    static FONT_KNOWN: Once = Once::new();
    FONT_KNOWN.call_once(|| {
        let known = register_font(FAMILY, FontStyle::Normal, FONT);
        assert!(known.is_ok(), "the embedded font is a font");
    });
    let mut svg = String::new();
    {
        let size = (px(SIZE.0) as u32, px(SIZE.1) as u32);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let (head, rest) = root.split_vertically(px(62));
        let (middle, foot) = rest.split_vertically(px(SIZE.1 - 62 - 30));
        draw_head(&head, sheet)?;
        draw_foot(&foot, snapshot, range)?;
        match &sheet.legend {
            Some((heading, entries)) => {
                let (plot, legend) = middle.split_horizontally(px(SIZE.0 - 224));
                draw_legend(&legend, heading, entries)?;
                body(&plot)?;
            }
            None => body(&middle)?,
        }
        root.present().map_err(failed)?;
    }
    Ok(finish(&svg, sheet))
}

fn draw_head(area: &Area<'_>, sheet: &Sheet) -> Drawn {
    let room = px(SIZE.0 - 40);
    for (words, size, color, y) in
        [(&sheet.title, 19.0, INK, 12), (&sheet.summary, 12.0, FAINT_INK, 40)]
    {
        let style = text(size, color);
        let words = fit(area, words, &style, room);
        area.draw_text(&words, &style, (px(20), px(y))).map_err(failed)?;
    }
    Ok(())
}

fn draw_foot(area: &Area<'_>, snapshot: &Snapshot<'_>, range: Range) -> Drawn {
    let target = snapshot.target();
    let right = anchored(10.0, FAINT_INK, HPos::Right, VPos::Top);
    let began = date(target.anchor_unix_ns.saturating_add(range.start_ns));
    let when = format!("{began} · gilscope {}", env!("CARGO_PKG_VERSION"));
    area.draw_text(&when, &right, (px(SIZE.0 - 20), px(8))).map_err(failed)?;
    let left = text(10.0, FAINT_INK);
    let python = match target.python_version.as_str() {
        "" => String::new(),
        version => format!(" · Python {version}"),
    };
    let who = format!("pid {}{python} · {}", target.pid, target.cmdline.join(" "));
    let room = px(SIZE.0 - 60) - width(area, &when, &right);
    area.draw_text(&fit(area, &who, &left, room), &left, (px(20), px(8))).map_err(failed)
}

fn draw_legend(area: &Area<'_>, heading: &str, entries: &[Entry]) -> Drawn {
    let right = px(204);
    let headings = anchored(11.0, FAINT_INK, HPos::Right, VPos::Center);
    area.draw_text(heading, &headings, (right, px(22))).map_err(failed)?;
    for (row, entry) in entries.iter().enumerate() {
        let y = px(44 + 24 * row as i32);
        let swatch = [(px(8), y - px(7)), (px(22), y + px(7))];
        area.draw(&Rectangle::new(swatch, entry.color.filled())).map_err(failed)?;
        let figures = anchored(11.0, FAINT_INK, HPos::Right, VPos::Center);
        area.draw_text(&entry.figure, &figures, (right, y)).map_err(failed)?;
        let names = anchored(12.0, INK, HPos::Left, VPos::Center);
        let room = right - px(30 + 6) - width(area, &entry.figure, &figures);
        let name = fit(area, &entry.name, &names, room);
        area.draw_text(&name, &names, (px(30), y)).map_err(failed)?;
    }
    Ok(())
}

/// The picture's size, words for screen readers, and fonts that stand in for ours.
fn finish(svg: &str, sheet: &Sheet) -> String {
    let (width, height) = (px(SIZE.0), px(SIZE.1));
    let body = svg.find('>').map_or("", |end| &svg[end + 1..]);
    let family = format!("font-family=\"{FAMILY}\"");
    let body = body.replace(&family, &format!("font-family=\"{FAMILIES}\""));
    let body = sheet.patterns.put_into(&body);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>{body}",
        SIZE.0,
        SIZE.1,
        units::escape_xml(&sheet.title),
        units::escape_xml(&sheet.description),
    )
}

/// UTC, to the second.
pub fn date(unix_ns: u64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(unix_ns);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('T', " ").replace('Z', " UTC")
}
