//! The bar: what the window shows, its title, theme and text size.

use egui::{Align, Button, Color32, Layout, RichText, Stroke, Ui, Vec2};

use super::Theme;
use super::theme::{self, CONTROL, TEXT};
use super::view::{AppCommand, ViewCx};
use super::widgets::button;

/// Text sizes that A− and A+ step through.
const SCALES: std::ops::RangeInclusive<f32> = 0.8..=2.0;
/// How much a press changes the size.
const SCALE_STEP: f32 = 0.1;

/// Draws the bar. `narrow` leaves out what a telephone has no room for.
pub fn bar_ui(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let t = cx.tokens;
    ui.horizontal_centered(|ui| {
        ui.label(RichText::new("mmuscope").font(theme::bold(16.0)).color(t.strong));
        ui.add_space(8.0);
        if !narrow {
            ui.spacing_mut().item_spacing.x = 4.0;
            let text = RichText::new("Explore").color(t.strong);
            ui.add(Button::new(text).fill(t.selected).stroke(Stroke::NONE).min_size(Vec2::new(0.0, CONTROL)));
            for name in ["Lessons", "Present"] {
                let text = RichText::new(name).color(t.weak);
                let tab = Button::new(text).fill(Color32::TRANSPARENT).stroke(Stroke::NONE);
                ui.add_enabled(false, tab).on_disabled_hover_text("In a later version");
            }
            ui.add_space(12.0);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            theme_and_size(cx, ui);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let title = cx.session.scenario.title.get("en");
                let title = if title.is_empty() { &cx.session.scenario.id } else { title };
                ui.add(egui::Label::new(RichText::new(title).font(theme::plain(TEXT)).color(t.text)).truncate());
            });
        });
    });
}

fn theme_and_size(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.spacing_mut().item_spacing.x = 6.0;
    let (sign, other, name) = match cx.tokens.theme {
        Theme::Dark => ("☀", Theme::Light, "Light theme"),
        Theme::Light => ("☾", Theme::Dark, "Dark theme"),
    };
    if button(ui, sign).on_hover_text(name).accessible_name(name).clicked() {
        cx.send(AppCommand::SetTheme(other));
    }
    let scale = cx.view.text_scale;
    for (text, name, step) in [("A+", "Larger text", SCALE_STEP), ("A−", "Smaller text", -SCALE_STEP)] {
        let wanted = ((scale + step) * 10.0).round() / 10.0;
        let response = ui.add_enabled_ui(SCALES.contains(&wanted), |ui| button(ui, text)).inner;
        if response.on_hover_text(name).accessible_name(name).clicked() {
            cx.send(AppCommand::SetTextScale(wanted));
        }
    }
}
