//! Areas that are hatched or dotted, of which plotters knows nothing.
//!
//! Each is drawn in a colour of its own that no plot uses otherwise; in the finished SVG that colour's
//! fills are made to point at the pattern.

use super::canvas::SCALE;
use plotters::style::RGBColor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    Lines,
    Dots,
}

/// The patterns of one sheet.
#[derive(Debug, Default)]
pub struct Patterns(Vec<(Pattern, RGBColor)>);

impl Patterns {
    /// What to draw with for a pattern in the colour `base`; a sheet has room for 256.
    pub fn paint(&mut self, pattern: Pattern, base: RGBColor) -> RGBColor {
        let known = self.0.iter().position(|known| *known == (pattern, base));
        let index = known.unwrap_or_else(|| {
            self.0.push((pattern, base));
            self.0.len() - 1
        });
        stand_in(index)
    }

    /// The SVG with patterns in place of the colours that stood for them.
    pub fn put_into(&self, svg: &str) -> String {
        let mut svg = svg.to_owned();
        let mut defs = String::new();
        for (index, (pattern, base)) in self.0.iter().enumerate() {
            let fill = format!("fill=\"{}\"", hex(stand_in(index)));
            svg = svg.replace(&fill, &format!("fill=\"url(#pattern-{index})\""));
            defs += &define(index, *pattern, *base);
        }
        if defs.is_empty() { svg } else { format!("<defs>{defs}</defs>{svg}") }
    }
}

fn stand_in(index: usize) -> RGBColor {
    RGBColor(1, 2, index as u8)
}

fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// A colour with white mixed in: `share` percent of it are left. As on the pages.
pub fn tint(RGBColor(red, green, blue): RGBColor, share: u32) -> RGBColor {
    let mix = |part: u8| ((u32::from(part) * share + 255 * (100 - share)) / 100) as u8;
    RGBColor(mix(red), mix(green), mix(blue))
}

fn define(index: usize, pattern: Pattern, base: RGBColor) -> String {
    let size = 6 * SCALE;
    let (ground, ink) = (hex(tint(base, 18)), hex(tint(base, 80)));
    let marks = match pattern {
        Pattern::Lines => format!(
            "<path d=\"M{0},{1} L{1},{0} M0,{size} L{size},0 M{2},{3} L{3},{2}\" stroke=\"{ink}\" stroke-width=\"{4}\"/>",
            -size / 4,
            size / 4,
            size * 3 / 4,
            size * 5 / 4,
            size / 4
        ),
        Pattern::Dots => {
            let (dot, half) = (size / 3, size / 2);
            format!(
                "<rect width=\"{dot}\" height=\"{dot}\" fill=\"{ink}\"/>\
                 <rect x=\"{half}\" y=\"{half}\" width=\"{dot}\" height=\"{dot}\" fill=\"{ink}\"/>"
            )
        }
    };
    format!(
        "<pattern id=\"pattern-{index}\" patternUnits=\"userSpaceOnUse\" width=\"{size}\" height=\"{size}\">\
         <rect width=\"{size}\" height=\"{size}\" fill=\"{ground}\"/>{marks}</pattern>"
    )
}
