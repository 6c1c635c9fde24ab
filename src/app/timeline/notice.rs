//! What was done, or why something was refused: a whole sentence below the line of time.

use egui::{Align2, Color32, FontId, Galley, Label, RichText, Ui, UiBuilder, pos2, vec2};

use crate::app::history::unwanted_words;
use crate::app::lesson;
use crate::app::theme::{TEXT, plain};
use crate::app::view::{Tab, ViewCx};
use crate::explain;
use crate::machine::Event;

/// Size of the words, in points.
const FONT: FontId = plain(TEXT);

/// The sentence and its colour.
pub fn notice(cx: &ViewCx<'_>) -> Option<(String, Color32)> {
    let t = cx.tokens;
    if let Some(said) = &cx.view.said {
        return Some((format!("✓ {said}"), t.shadow.text));
    }
    let refused = || {
        cx.happened().iter().find_map(|event| match event {
            Event::Refused { why } => Some(explain::refused(why, cx.language())),
            _ => None,
        })
    };
    let unwanted = || unwanted_words(cx, cx.session.lab.cursor()).into_iter().next().filter(|_| !cx.is_partial());
    if let Some(text) = cx.view.notice.clone().or_else(unwanted).or_else(refused) {
        return Some((format!("✕ {text}"), t.fault.text));
    }
    // What a lesson says of the way so far: above the editor it would move the bits away from the pointer.
    let player = cx.lesson.filter(|player| cx.view.tab == Tab::Inspect && !player.session.in_sandbox())?;
    let text = lesson::words(player.judgement.feedback.as_ref()?, &player.texts, cx.language());
    Some((format!("○ {text}"), t.stale.text))
}

fn galley(ui: &Ui, text: &str, width: f32) -> std::sync::Arc<Galley> {
    ui.painter().layout(text.to_owned(), FONT, Color32::WHITE, width)
}

/// How much higher than `usual` the words must be so that the whole sentence has room, in points. `width` is that
/// of the sentence.
pub fn more_height(cx: &ViewCx<'_>, ui: &Ui, width: f32, usual: f32) -> f32 {
    let Some((text, _)) = notice(cx) else { return 0.0 };
    let galley = galley(ui, &text, width);
    (galley.size().y - raised(cx, &galley) - usual).max(0.0)
}

fn first_row(galley: &Galley) -> f32 {
    galley.rows.first().map_or(0.0, |row| row.height())
}

/// A second row takes the room of the stubs of other branches, where there are none.
fn raised(cx: &ViewCx<'_>, galley: &Galley) -> f32 {
    let free = cx.session.lab.branch_count() <= 1 && galley.rows.len() > 1;
    if free { 0.8 * first_row(galley) } else { 0.0 }
}

/// Draws the sentence, from `y` on. Programs that read the screen say it when it changes.
pub fn notice_ui(cx: &ViewCx<'_>, ui: &mut Ui, y: f32, x: egui::Rangef) {
    let Some((text, color)) = notice(cx) else { return };
    let x = egui::Rangef::new(x.min + 2.0, x.max);
    let galley = galley(ui, &text, x.span());
    let y = y - raised(cx, &galley);
    let rect = Align2::LEFT_TOP.anchor_size(pos2(x.min, y), vec2(x.span(), galley.size().y));
    let mut row = ui.new_child(UiBuilder::new().id_salt("notice").max_rect(rect));
    let label = row.add(Label::new(RichText::new(text).font(FONT).color(color)).wrap());
    ui.ctx().accesskit_node_builder(label.id, |node| node.set_live(egui::accesskit::Live::Polite));
}
