//! Time: the commands of the path as a line, with the transport buttons.
//!
//! The line shows a window of the path around the cursor, so that a million commands cost no more
//! than thirty; a thin track below stands for the whole path when it does not fit.

mod line; // the line of commands
mod marks; // what a command looks like

use egui::{Align, Button, Layout, Response, RichText, Ui, vec2};

use super::theme::{CONTROL, PAD, TEXT};
use super::view::{AppCommand, ViewCx};
use crate::engine::EngineName;

/// Below this width, in points, the position has a row of its own.
const NARROW: f32 = 560.0;

/// Draws the line of time in the room that `ui` has.
pub fn timeline_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.spacing_mut().item_spacing = vec2(6.0, 8.0);
    let narrow = ui.available_width() < NARROW;
    let row = |ui: &mut Ui, add: &mut dyn FnMut(&mut Ui)| {
        let layout = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(vec2(ui.available_width(), CONTROL), layout, |ui| add(ui));
    };
    row(ui, &mut |ui| {
        transport(cx, ui, narrow);
        if !narrow {
            ui.add_space(0.5 * PAD);
            position(cx, ui, narrow);
        }
    });
    if narrow {
        row(ui, &mut |ui| position(cx, ui, narrow));
    }
    line::line_ui(cx, ui);
}

fn button(ui: &mut Ui, enabled: bool, button: Button<'_>, name: &str, tip: &str) -> Response {
    let response = ui.add_enabled(enabled, button.min_size(vec2(CONTROL, CONTROL)));
    response.on_hover_text(tip).accessible_name(name)
}

fn transport(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let lab = &cx.session.lab;
    let t = cx.tokens;
    let past = lab.cursor() > 0;
    let future = lab.cursor() < lab.len() || cx.is_partial();
    if button(ui, past, Button::new("|◀"), "To the start", "To the start of time").clicked() {
        cx.send(AppCommand::ToStart);
    }
    if button(ui, past, Button::new("◀ Back"), "Back one step", "One step back").clicked() {
        cx.send(AppCommand::StepBack);
    }
    let label = RichText::new("Step ▶").color(if future { t.on_primary } else { t.weak });
    let fill = if future { t.primary } else { t.button };
    if button(ui, future, Button::new(label).fill(fill), "Step", "One step on").clicked() {
        cx.send(AppCommand::Step);
    }
    if button(ui, future, Button::new("▶|"), "To the end", "To the end of the path").clicked() {
        cx.send(AppCommand::ToEnd);
    }
    let tip = "To the next step that faults or is refused (F)";
    if button(ui, future, Button::new("Next fault"), "Next fault", tip).clicked() {
        cx.send(AppCommand::NextFault);
    }
    if narrow {
        return;
    }
    if cx.session.engine() != EngineName::Native {
        let tip = "To the next step that leads to the hypervisor (E)";
        if button(ui, future, Button::new("Next exit"), "Next exit", tip).clicked() {
            cx.send(AppCommand::NextExit);
        }
    }
    let here = cx.view.bookmarks.contains(&lab.node(lab.cursor()));
    let star = RichText::new("★").color(if here { t.changed.text } else { t.weak });
    let tip = if here { "Remove the bookmark here (B)" } else { "Set a bookmark here (B)" };
    if button(ui, true, Button::new(star), tip, tip).clicked() {
        cx.send(AppCommand::ToggleBookmark);
    }
}

/// `step 33 of 38 · ◀ micro-step 4 of 7 ▶ · branch main`.
fn position(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let lab = &cx.session.lab;
    let weak = |text: String| RichText::new(text).size(TEXT).color(cx.tokens.weak);
    ui.label(weak(format!("step {} of {}", cx.session.step_number(lab.cursor()), cx.session.step_count())));
    if !cx.events.is_empty() {
        ui.label(weak("·".to_owned()));
        let back = button(ui, cx.shown > 0, Button::new("◀"), "One micro-step back", "One micro-step back");
        if back.clicked() {
            cx.send(AppCommand::MicroBack);
        }
        ui.label(weak(format!("micro-step {} of {}", cx.shown, cx.events.len())));
        let on = cx.is_partial() || lab.cursor() < lab.len();
        if button(ui, on, Button::new("▶"), "One micro-step on", "One micro-step on").clicked() {
            cx.send(AppCommand::MicroStep);
        }
    }
    let branches = line::branches(cx, ui);
    if narrow && branches.others() == 0 {
        return;
    }
    match cx.view.bookmarks.len() {
        0 => {}
        1 => {
            ui.label(weak("· 1 bookmark".to_owned()));
        }
        n => {
            ui.label(weak(format!("· {n} bookmarks")));
        }
    }
    ui.label(weak("· branch".to_owned()));
    ui.label(RichText::new(branches.name()).size(TEXT).strong().color(cx.tokens.strong));
    if branches.others() > 0 {
        let others =
            if branches.others() == 1 { "1 other".to_owned() } else { format!("{} others", branches.others()) };
        ui.label(weak(format!("· {others}")));
    }
}
