//! A line of text in the room that there is: smaller where that is enough, cut with dots where not.

use std::sync::Arc;

use egui::text::{LayoutJob, TextWrapping};
use egui::{Color32, FontId, Galley, Painter};

/// The text on one line, cut with dots where it is wider than `width` points.
pub fn cut(painter: &Painter, text: &str, font: FontId, color: Color32, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    painter.layout_job(job)
}

/// The text on one line in the large font where it is no wider than `width` points, else in the small one.
pub fn fit(painter: &Painter, text: &str, [large, small]: [FontId; 2], color: Color32, width: f32) -> Arc<Galley> {
    let whole = painter.layout_no_wrap(text.to_owned(), large, color);
    if whole.size().x <= width { whole } else { cut(painter, text, small, color, width) }
}
