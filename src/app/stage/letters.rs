//! The flag letters at the right end of a row, of the guest's entries and the hypervisor's alike.

use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::{Align2, Galley, Pos2, Stroke, Ui};

use super::Look;
use super::rows::Letter;
use crate::app::theme::plain;

/// The smallest size of letters that still all stand, over that of other small text.
const LEAST: f32 = 0.75;
/// A size of letters that is read well, over that of other small text.
const READABLE: f32 = 0.82;
/// The least room between two letters, and between a letter and a word of letters, over their size.
const GAP: f32 = 0.03;
const WORD_GAP: f32 = 0.22;

/// Draws the letters so that they end at `right`; those that just changed in pink and underlined.
/// With less room they move together and become smaller. A letter that is not there says that the bit is 0:
/// where even that is not enough, dots say that some were left out; the tooltip has them all.
pub fn letters_ui(look: &Look<'_>, ui: &Ui, letters: &[Letter], changed: u64, right: Pos2, room: f32) {
    let m = look.m();
    let all = letters.len();
    let spaced = if m.spaced_flags { Some(0.3) } else { None };
    let gaps = spaced.into_iter().chain([0.16, 0.06]).map(|gap| (gap, m.small, all));
    let smaller = [0.9, 0.82, LEAST].map(|size| (GAP, size * m.small, all));
    let fewer = (0..all).rev().map(|shown| (GAP, LEAST * m.small, shown));
    let ways = gaps.chain(smaller).chain(fewer);
    let mut galleys = ways.map(|(gap, size, shown)| lay_out(look, ui, letters, changed, (gap, size, shown)));
    let Some(galley) = galleys.find(|galley| galley.size().x <= room) else { return };
    let at = Align2::RIGHT_CENTER.anchor_size(right, galley.size()).min;
    ui.painter().galley(at, galley, look.t().text);
}

/// The room in which all letters stand and can be read well, in points.
pub fn readable_width(look: &Look<'_>, ui: &Ui, letters: &[Letter]) -> f32 {
    lay_out(look, ui, letters, 0, (GAP, READABLE * look.m().small, letters.len())).size().x
}

/// The first `shown` letters with so much room between them, over their size.
fn lay_out(
    look: &Look<'_>,
    ui: &Ui,
    letters: &[Letter],
    changed: u64,
    (gap, size, shown): (f32, f32, usize),
) -> Arc<Galley> {
    let t = look.t();
    let (mut job, mut after_word) = (LayoutJob::default(), false);
    for letter in letters.iter().take(shown) {
        let changed = changed & letter.bit != 0;
        let color = if changed { t.changed.text } else { t.text };
        let underline = if changed { Stroke::new(1.5, t.changed.line) } else { Stroke::NONE };
        let format = TextFormat { font_id: plain(size), color, underline, ..TextFormat::default() };
        // PS and XD would else read as two flags each.
        let word = letter.text.is_ascii() && letter.text.len() > 1;
        let gap = if word || after_word { gap.max(WORD_GAP) } else { gap };
        after_word = word;
        let space = if job.is_empty() { 0.0 } else { gap * size };
        job.append(letter.text, space, format);
    }
    if shown < letters.len() {
        job.append("…", 0.0, TextFormat { font_id: plain(size), color: t.weak, ..TextFormat::default() });
    }
    ui.painter().layout_job(job)
}
