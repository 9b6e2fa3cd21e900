//! Boxes of a flame graph: one below the other, each as wide as its weight.

use super::canvas::*;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// Narrower boxes are left out: they would be lines.
pub const NARROWEST_PX: f64 = 1.5;
/// Narrower ones have no name: nothing that can be read fits in.
const NAMED_PX: i32 = 28;
/// Lower ones neither.
const READABLE_PX: i32 = 13;
/// Height of a row where there is room for all.
pub const ROW_PX: i32 = 34;
/// From the upper edge to the first row.
pub const TOP_PX: i32 = 16;
/// One a level, from the top; dark text can be read on each.
const COLORS: [RGBColor; 5] = [
    RGBColor(0xDF, 0xE3, 0xE8),
    RGBColor(0xEE, 0xB7, 0x9D),
    RGBColor(0xF3, 0xC9, 0xB5),
    RGBColor(0xF0, 0xBF, 0xA8),
    RGBColor(0xF8, 0xDD, 0xD0),
];

/// Draws one; `place` is its left and its width in drawing units, `row` the height of a level.
pub fn draw_box(
    area: &Area<'_>,
    name: &str,
    depth: usize,
    (left, width): (f64, f64),
    row: i32,
) -> Drawn {
    let (top, gap) = (px(TOP_PX) + row * depth as i32, px(1));
    let corners = [(left as i32, top), ((left + width) as i32 - gap, top + row - gap)];
    area.draw(&Rectangle::new(corners, COLORS[depth.min(4)].filled())).map_err(failed)?;
    if width > f64::from(px(NAMED_PX)) && row >= px(READABLE_PX) {
        let style = anchored(12.0, INK, HPos::Left, VPos::Center);
        let words = fit(area, name, &style, width as i32 - px(12));
        area.draw_text(&words, &style, (left as i32 + px(6), top + row / 2)).map_err(failed)?;
    }
    Ok(())
}
