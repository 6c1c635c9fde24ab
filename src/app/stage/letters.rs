//! The flag letters at the right end of a row, of the guest's entries and the hypervisor's alike.

use egui::text::{LayoutJob, TextFormat};
use egui::{Align2, Pos2, Stroke, Ui};

use super::Look;
use super::rows::Letter;
use crate::app::theme::plain;

/// Draws the letters so that they end at `right`; those that just changed in pink and underlined.
/// With less room they move together, then those go that the rest of the row implies or that decide
/// least; the tooltip has them all.
pub fn letters_ui(look: &Look<'_>, ui: &Ui, letters: &[Letter], changed: u64, right: Pos2, room: f32) {
    let (t, m) = (look.t(), look.m());
    let lay_out = |gap: f32, left_out: &[&str]| {
        let mut job = LayoutJob::default();
        for letter in letters.iter().filter(|letter| !left_out.contains(&letter.text)) {
            let changed = changed & letter.bit != 0;
            let color = if changed { t.changed.text } else { t.text };
            let underline = if changed { Stroke::new(1.5, t.changed.line) } else { Stroke::NONE };
            let format = TextFormat { font_id: plain(m.small), color, underline, ..TextFormat::default() };
            let space = if job.is_empty() { 0.0 } else { gap * m.small };
            job.append(letter.text, space, format);
        }
        ui.painter().layout_job(job)
    };
    let ways: [(f32, &[&str]); 6] = [
        (0.3, &[]),
        (0.16, &[]),
        (0.16, &["P"]),
        (0.06, &["P"]),
        (0.06, &["P", "G", "A"]),
        (0.06, &["P", "G", "A", "D", "PS"]),
    ];
    let first = if m.spaced_flags { 0 } else { 1 };
    let galleys = ways[first..].iter().map(|(gap, left_out)| lay_out(*gap, left_out));
    let mut galley = lay_out(ways[5].0, ways[5].1);
    for candidate in galleys {
        if candidate.size().x <= room {
            galley = candidate;
            break;
        }
    }
    let at = Align2::RIGHT_CENTER.anchor_size(right, galley.size()).min;
    ui.painter().galley(at, galley, t.text);
}
