//! The transcript: what was just shown, in words. One text for the pane above the log, for the live region
//! that screen readers follow, and for the page's hidden one.

use egui::accesskit::Live;
use egui::{CornerRadius, Frame, Id, Margin, Rect, RichText, Role, Sense, Stroke, Ui, WidgetInfo, vec2};

use super::theme::{self, RADIUS};
use super::view::ViewCx;
use super::why;
use super::widgets::{button, heading};
use crate::explain;
use crate::tr;

/// So many lines are told in the pane, the last one at the bottom; in a low window fewer.
const LINES: usize = 5;
const FEW_LINES: usize = 2;
/// Below this height, in points, a window is low.
const LOW: f32 = 480.0;

/// What led to the state shown: the event of a micro-step, or the command and how it ended.
#[must_use]
pub fn line(cx: &ViewCx<'_>) -> String {
    let l = cx.language();
    let Some(command) = cx.command() else { return tr!(l, "At the start.").to_owned() };
    let number = cx.session.step_number(cx.session.lab.cursor());
    let words = explain::command(command, l);
    if cx.is_partial() {
        let told = cx.shown.checked_sub(1).map_or_else(String::new, |at| event(cx, at));
        let (step, all) = (cx.shown, cx.events.len());
        return tr!(
            l,
            "#{number}, micro-step {step} of {all}: {event}",
            number = number,
            step = step,
            all = all,
            event = told
        );
    }
    tr!(l, "#{number} {command}. {ending}", number = number, command = words, ending = why::title(cx))
}

/// An event of the command in focus in one sentence.
fn event(cx: &ViewCx<'_>, at: usize) -> String {
    why::sentence(cx, at).unwrap_or_else(|| {
        let Some(event) = cx.events.get(at) else { return String::new() };
        let line = explain::event(event, cx.session.engine(), cx.language());
        let words: Vec<&str> = line.text.split_whitespace().collect();
        format!("{} {}", line.label, words.join(" "))
    })
}

/// A node that nobody sees and screen readers speak whenever its text changes.
pub fn live_ui(cx: &ViewCx<'_>, ui: &Ui) {
    let text = line(cx);
    let corner = Rect::from_min_size(ui.max_rect().left_bottom() - vec2(0.0, 1.0), vec2(1.0, 1.0));
    let response = ui.interact(corner, Id::unique("transcript: live"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(Live::Polite));
}

/// The pane above the log: the last events in words, and the whole log for the clipboard.
pub fn pane_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    let lines = if ui.available_height() < LOW { FEW_LINES } else { LINES };
    heading(ui, t, tr!(cx, "Transcript"));
    let frame = Frame::new().fill(t.stage).stroke(Stroke::new(1.0, t.border)).corner_radius(CornerRadius::same(RADIUS));
    frame.inner_margin(Margin::same(10)).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 3.0;
        let last = cx.shown.saturating_sub(1);
        for at in cx.shown.saturating_sub(lines)..last {
            ui.label(RichText::new(event(cx, at)).color(t.weak));
        }
        ui.label(RichText::new(line(cx)).font(theme::plain(theme::TEXT)).color(t.strong));
    });
    ui.horizontal_wrapped(|ui| {
        let named = |response: egui::Response, name: &str| response.accessible_name(name).clicked();
        if named(button(ui, tr!(cx, "Copy text")), tr!(cx, "Copy log as text")) {
            ui.ctx().copy_text(cx.session.log_text(cx.language()));
        }
        if named(button(ui, tr!(cx, "Copy JSON Lines")), tr!(cx, "Copy log as JSON Lines")) {
            ui.ctx().copy_text(cx.session.log_json());
        }
    });
    ui.add_space(4.0);
}
