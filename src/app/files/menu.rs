//! The menu of everything that leads in and out, and the link that is shared.

use egui::containers::menu::MenuButton;
use egui::{Button, RichText, TextEdit, Ui};

use super::export::ExportKind;
use crate::app::actions::Action;
use crate::app::focus;
use crate::app::theme::{self, TEXT};
use crate::app::view::{AppCommand, ViewCx};
use crate::app::widgets::primary_button;
use crate::tr;

/// Draws the button with its menu.
pub fn file_menu(cx: &ViewCx<'_>, ui: &mut Ui) {
    let text = RichText::new(format!("{} ▾", tr!(cx, "File"))).color(cx.tokens.text);
    let menu = MenuButton::from_button(Button::new(text).min_size(theme::button_size(ui)));
    let (response, _) = menu.ui(ui, |ui| {
        focus::menu_ui(ui, |ui| {
            items(cx, ui, &[Action::Open, Action::Paste, Action::Save]);
            ui.separator();
            items(cx, ui, &ExportKind::ALL.map(Action::Export));
            ui.separator();
            items(cx, ui, &[Action::States, Action::Welcome, Action::ResetLayout]);
        });
    });
    response.on_hover_text(tr!(cx, "Open, save, import and export"));
}

fn items(cx: &ViewCx<'_>, ui: &mut Ui, actions: &[Action]) {
    for action in actions {
        let key = RichText::new(action.key_text(ui.ctx())).color(cx.tokens.weak);
        let text = action.text(cx.language());
        if ui.add(Button::new(text.clone()).right_text(key)).accessible_name(text).clicked() {
            action.send(cx);
            ui.close();
        }
    }
}

/// Draws the link of what is shown.
pub fn share_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    ui.label(RichText::new(tr!(cx, "Share what is shown")).font(theme::bold(18.0)).color(t.strong));
    let words = match cx.desk.link_to_step() {
        Some(_) => tr!(cx, "The link opens this step of the lesson."),
        None => tr!(
            cx,
            "The link holds the machine, everything that was done to it with its branches, and what the window shows. \
             Nothing is sent anywhere."
        ),
    };
    ui.label(RichText::new(words).color(t.weak));
    ui.add_space(6.0);
    let mut link = match cx.files.link() {
        Some(Ok(link)) => link.as_str(),
        Some(Err(reason)) => {
            ui.label(RichText::new(format!("✕ {reason}")).color(t.fault.text));
            return;
        }
        None => return,
    };
    let length = link.len();
    // A text that cannot be changed, yet selected and copied.
    let edit = TextEdit::singleline(&mut link).font(theme::mono(TEXT)).desired_width(f32::INFINITY);
    ui.add(edit.margin(egui::Margin::symmetric(8, 6))).accessible_name(tr!(cx, "The link"));
    ui.add_space(6.0);
    ui.horizontal(|ui| {
        if primary_button(ui, t, tr!(cx, "Copy the link")).clicked() {
            cx.send(AppCommand::CopyLink);
            cx.send(AppCommand::Overlay(None));
        }
        ui.label(RichText::new(tr!(cx, "{length} characters", length = length)).color(t.weak));
    });
}
