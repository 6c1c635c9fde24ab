//! The entry editor: the tab Inspect of the drawer.

use super::view::ViewCx;

/// Draws the editor of what is selected in the room that `ui` has.
pub fn entry_editor_ui(_cx: &ViewCx<'_>, _ui: &mut egui::Ui) {}
