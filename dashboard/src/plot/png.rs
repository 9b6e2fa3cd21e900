//! An SVG of ours as PNG, at twice its size so that it prints well.

use super::{FONT, PlotError, canvas};
use resvg::{tiny_skia, usvg};
use std::sync::Arc;

/// Pixels per SVG unit.
const ZOOM: f32 = 2.0;

pub fn render(svg: &str) -> Result<Vec<u8>, PlotError> {
    let failed = |cause: String| PlotError::Draw(cause);
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    let options = usvg::Options {
        fontdb: Arc::new(fonts),
        font_family: canvas::FAMILY.into(),
        ..Default::default()
    };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|cause| failed(cause.to_string()))?;
    let size = tree.size().to_int_size().scale_by(ZOOM);
    let mut pixels = size
        .and_then(|size| tiny_skia::Pixmap::new(size.width(), size.height()))
        .ok_or_else(|| failed("the picture has no size".into()))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(ZOOM, ZOOM), &mut pixels.as_mut());
    pixels.encode_png().map_err(|cause| failed(cause.to_string()))
}
