//! The drawer: Inspect, Why, Log.

use egui::{Button, Color32, Frame, Panel, Role, ScrollArea, Stroke, Ui, WidgetInfo};

use super::view::{AppCommand, Tab, ViewCx};
use super::{entry_editor, lesson, log, store_row, why};
use super::{focus, theme};
use crate::word;

const TABS: [(Tab, &str); 4] = [
    (Tab::Lesson, word!("Lesson")),
    (Tab::Inspect, word!("Inspect")),
    (Tab::Why, word!("Why")),
    (Tab::Log, word!("Log")),
];

/// Between the editor and Why, in points.
const GAP: f32 = 8.0;

/// Draws the drawer.
pub fn drawer_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (tab, english) in TABS.into_iter().filter(|(tab, _)| *tab != Tab::Lesson || cx.lesson.is_some()) {
            let (name, on) = (cx.tr(english), cx.view.tab == tab);
            let (fill, color) = if on { (t.selected, t.strong) } else { (Color32::TRANSPARENT, t.weak) };
            let text = egui::RichText::new(name).color(color);
            let button = Button::new(text).fill(fill).stroke(Stroke::NONE).min_size(theme::button_size(ui));
            let place = if tab == Tab::Inspect { "entry" } else { &english.to_lowercase() };
            let response = lesson::spot(cx, ui, place, |ui| ui.add(button));
            response.widget_info(|| WidgetInfo::selected(Role::Tab, true, on, name));
            if response.clicked() {
                cx.send(AppCommand::OpenTab(tab));
            }
        }
    });
    ui.add_space(6.0);
    if cx.view.tab != Tab::Lesson {
        lesson::goal_strip_ui(cx, ui);
    }
    match cx.view.tab {
        Tab::Lesson => lesson::step_ui(cx, ui),
        Tab::Inspect => inspect_ui(cx, ui),
        Tab::Why => scrolled(ui, "why", |ui| why::why_tab_ui(cx, ui)),
        Tab::Log => log::log_ui(cx, ui),
    }
}

/// The editor, and below it why the last command ended as it did. Each has its place whatever happens: while
/// stepping no switch moves away from the pointer, and the sentence is always in sight. Where the whole card has no
/// room its sentence stands alone, and the rest has a tab.
fn inspect_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let room = ui.available_height() - GAP;
    let below = room - entry_editor::height(ui);
    let whole = below >= why::LEAST;
    let below = if whole { below } else { why::strip_height(ui) };
    let editor = Panel::top("inspect: the editor").exact_size((room - below).max(0.0)).frame(Frame::NONE);
    editor.resizable(false).show_separator_line(false).show(ui, |ui| {
        scrolled(ui, "inspect", |ui| {
            entry_editor::entry_editor_ui(cx, ui);
            store_row::store_row_ui(cx, ui);
        });
    });
    ui.add_space(GAP);
    match whole {
        true => why::why_below_ui(cx, ui),
        false => why::why_strip_ui(cx, ui),
    }
}

fn scrolled(ui: &mut Ui, salt: &str, add: impl FnOnce(&mut Ui)) {
    focus::scroll_in_place(ScrollArea::vertical().id_salt(salt).auto_shrink(false), ui, add);
}
