//! Time: the commands of the path as a line, with the transport buttons.
//!
//! The line shows a window of the path, so that a million commands cost no more than thirty; a thin
//! track below stands for the whole path when it does not fit.

mod branches; // the other branches, below the commands that they leave
mod line; // the line of commands
mod marks; // what a command looks like
mod name; // a field for a name
mod notice; // what was done, or why it was refused
mod overview; // the whole path as a track
mod status; // where time stands, in words
mod transport; // the buttons

use egui::{Align, Layout, Ui, vec2};

use super::theme::{PAD, control};
use super::view::ViewCx;

/// Below this width, in points, the position has a row of its own.
const NARROW: f32 = 560.0;
/// Between two rows, in points.
const ROW_GAP: f32 = 8.0;

/// How high what [`timeline_ui`] draws is in a room of this width, in points: the same at every step, unless a
/// sentence needs more.
pub fn height(cx: &ViewCx<'_>, ui: &Ui, width: f32) -> f32 {
    let rows = if width < NARROW { 2.0 } else { 1.0 };
    rows * (control(ui) + ROW_GAP) + line::height(cx, ui, width)
}

/// Draws the line of time in the room that `ui` has.
pub fn timeline_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.spacing_mut().item_spacing = vec2(6.0, ROW_GAP);
    ui.spacing_mut().button_padding.x = 8.0;
    let narrow = ui.available_width() < NARROW;
    let row = |ui: &mut Ui, add: &mut dyn FnMut(&mut Ui)| {
        let layout = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(vec2(ui.available_width(), control(ui)), layout, |ui| add(ui));
    };
    row(ui, &mut |ui| {
        transport::transport_ui(cx, ui, narrow);
        if !narrow {
            ui.add_space(0.5 * PAD);
            status::status_ui(cx, ui);
        }
    });
    if narrow {
        row(ui, &mut |ui| status::status_ui(cx, ui));
    }
    line::line_ui(cx, ui);
}
