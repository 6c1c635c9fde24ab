//! Time: the commands of the path as a line, with the transport buttons.

use super::view::ViewCx;

/// Draws the line of time in the room that `ui` has.
pub fn timeline_ui(_cx: &ViewCx<'_>, _ui: &mut egui::Ui) {}
