//! The presets as a card: every machine in its group, a click opens it.

use egui::{RichText, ScrollArea, Ui};

use super::view::{AppCommand, ViewCx};
use super::widgets::{ListRow, heading};
use super::{focus, theme};
use crate::scenario;
use crate::tr;

/// Least width of a column, in points.
const COLUMN: f32 = 345.0;

/// Draws the list; the one that was chosen, if one was.
pub fn presets_ui(cx: &ViewCx<'_>, ui: &mut Ui) -> Option<AppCommand> {
    let (t, language) = (cx.tokens, cx.language().id());
    ui.label(RichText::new(tr!(cx, "Presets")).font(theme::bold(18.0)).color(t.strong));
    ui.add_space(4.0);
    let count = ((ui.available_width() / COLUMN) as usize).clamp(1, 4);
    let groups = scenario::presets();
    // Columns of about equal length, groups kept whole and in order.
    let total: usize = groups.iter().map(|group| group.presets.len() + 2).sum();
    let mut chosen = None;
    let room = ui.ctx().content_rect().height() - 150.0;
    focus::scroll(ScrollArea::vertical().max_height(room).auto_shrink([false, true]), ui, |ui| {
        ui.columns(count, |uis| {
            let mut before = 0;
            for group in groups {
                let middle = before + (group.presets.len() + 2) / 2;
                let ui = &mut uis[(middle * count / total.max(1)).min(count - 1)];
                before += group.presets.len() + 2;
                heading(ui, t, group.title.get(language));
                ui.scope(|ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    for preset in &group.presets {
                        let selected = cx.session.scenario.id == preset.id;
                        let row = ListRow { left: preset.title.get(language), right: "", color: None, selected };
                        if row.show(ui, t).on_hover_text(preset.about.get(language)).clicked() {
                            chosen = Some(AppCommand::OpenPreset(preset.id.clone()));
                        }
                    }
                });
                ui.add_space(8.0);
            }
        });
    });
    chosen
}
