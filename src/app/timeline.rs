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
use crate::tr;

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
    if button(ui, past, Button::new("|◀"), tr!(cx, "To the start"), tr!(cx, "To the start of time")).clicked() {
        cx.send(AppCommand::ToStart);
    }
    let back = Button::new(format!("◀ {}", tr!(cx, "Back")));
    if button(ui, past, back, tr!(cx, "Back one step"), tr!(cx, "One step back")).clicked() {
        cx.send(AppCommand::StepBack);
    }
    let label = RichText::new(format!("{} ▶", tr!(cx, "Step"))).color(if future { t.on_primary } else { t.weak });
    let fill = if future { t.primary } else { t.button };
    if button(ui, future, Button::new(label).fill(fill), tr!(cx, "Step"), tr!(cx, "One step on")).clicked() {
        cx.send(AppCommand::Step);
    }
    if button(ui, future, Button::new("▶|"), tr!(cx, "To the end"), tr!(cx, "To the end of the path")).clicked() {
        cx.send(AppCommand::ToEnd);
    }
    let (name, tip) = (tr!(cx, "Next fault"), tr!(cx, "To the next step that faults or is refused (F)"));
    if button(ui, future, Button::new(name), name, tip).clicked() {
        cx.send(AppCommand::NextFault);
    }
    if narrow {
        return;
    }
    if cx.session.engine() != EngineName::Native {
        let (name, tip) = (tr!(cx, "Next exit"), tr!(cx, "To the next step that leads to the hypervisor (E)"));
        if button(ui, future, Button::new(name), name, tip).clicked() {
            cx.send(AppCommand::NextExit);
        }
    }
    let here = cx.session.marks.bookmark(lab.node(lab.cursor())).is_some();
    let star = RichText::new("★").color(if here { t.changed.text } else { t.weak });
    let tip = match here {
        true => tr!(cx, "Remove the bookmark here (B)"),
        false => tr!(cx, "Set a bookmark here (B)"),
    };
    if button(ui, true, Button::new(star), tip, tip).clicked() {
        cx.send(AppCommand::ToggleBookmark);
    }
}

/// `step 33 of 38 · ◀ micro-step 4 of 7 ▶ · branch main`.
fn position(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let lab = &cx.session.lab;
    let weak = |text: String| RichText::new(text).size(TEXT).color(cx.tokens.weak);
    let (step, all) = (cx.session.step_number(lab.cursor()), cx.session.step_count());
    ui.label(weak(tr!(cx, "step {step} of {all}", step = step, all = all)));
    if !cx.events.is_empty() {
        ui.label(weak("·".to_owned()));
        let name = tr!(cx, "One micro-step back");
        let back = button(ui, cx.shown > 0, Button::new("◀"), name, name);
        if back.clicked() {
            cx.send(AppCommand::MicroBack);
        }
        ui.label(weak(tr!(cx, "micro-step {step} of {all}", step = cx.shown, all = cx.events.len())));
        let on = cx.is_partial() || lab.cursor() < lab.len();
        let name = tr!(cx, "One micro-step on");
        if button(ui, on, Button::new("▶"), name, name).clicked() {
            cx.send(AppCommand::MicroStep);
        }
    }
    let branches = line::branches(cx, ui);
    if branches.others() == 0 && (narrow || ui.available_width() < 150.0) {
        return;
    }
    match cx.session.marks.bookmarks.len() {
        0 => {}
        1 => {
            ui.label(weak(format!("· {}", tr!(cx, "1 bookmark"))));
        }
        n => {
            ui.label(weak(format!("· {}", tr!(cx, "{count} bookmarks", count = n))));
        }
    }
    ui.label(weak(format!("· {}", tr!(cx, "branch"))));
    ui.label(RichText::new(branches.name(cx.language())).size(TEXT).strong().color(cx.tokens.strong));
    if branches.others() > 0 {
        let others = match branches.others() {
            1 => tr!(cx, "1 other").to_owned(),
            count => tr!(cx, "{count} others", count = count),
        };
        ui.label(weak(format!("· {others}")));
    }
}
