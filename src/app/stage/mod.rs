//! The stage: the walk of one address through the tables.

use super::view::ViewCx;

/// Draws the stage in the room that `ui` has.
pub fn stage_ui(_cx: &ViewCx<'_>, _ui: &mut egui::Ui) {}
