//! Where time stands, in words: `step 33 of 38 · micro-step 4 of 7 · branch main · 2 bookmarks`. What
//! does not fit is left out, from the end, and nothing is cut.

use egui::{Button, Response, RichText, Role, Sense, Ui, WidgetInfo, vec2};

use super::name;
use crate::app::actions::Action;
use crate::app::elide::cut;
use crate::app::theme::{TEXT, bold, control, plain, wide};
use crate::app::time::{Named, TimeAction, TimeWish, branch_name};
use crate::app::view::{AppCommand, ViewCx};
use crate::app::widgets::named_button;
use crate::app::{focus, menu};
use crate::explain::count;
use crate::tr;

/// Between the words, in points.
const GAP: f32 = 5.0;

/// Draws the words, or the field for a name while something is being named.
pub fn status_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.spacing_mut().item_spacing.x = GAP;
    if let Some(named) = cx.view.renaming {
        name::name_ui(cx, ui, named);
        return;
    }
    let lab = &cx.session.lab;
    let (step, all) = (cx.session.step_number(lab.cursor()), cx.session.step_count());
    words(cx, ui, &tr!(cx, "step {step} of {all}", step = count(step as u64), all = count(all as u64)), false);
    if !cx.events.is_empty() {
        micro_step(cx, ui);
    }
    if !branch(cx, ui) {
        return;
    }
    let bookmarks = match cx.session.marks.bookmarks.len() {
        0 => return,
        1 => tr!(cx, "1 bookmark").to_owned(),
        n => tr!(cx, "{count} bookmarks", count = n),
    };
    words(cx, ui, &bookmarks, true);
}

fn width(ui: &Ui, text: &str) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), plain(TEXT), egui::Color32::WHITE).size().x
}

/// Words, if there is room for all of them.
fn words(cx: &ViewCx<'_>, ui: &mut Ui, text: &str, dot: bool) -> Option<Response> {
    let text = if dot { format!("· {text}") } else { text.to_owned() };
    if width(ui, &text) > ui.available_width() {
        return None;
    }
    Some(ui.label(RichText::new(text).size(TEXT).color(cx.tokens.weak)))
}

/// `◀ micro-step 4 of 7 ▶`; where there is no room for the words, the buttons.
fn micro_step(cx: &ViewCx<'_>, ui: &mut Ui) {
    let lab = &cx.session.lab;
    let long = tr!(cx, "micro-step {step} of {all}", step = cx.shown, all = cx.events.len());
    let short = format!("{}/{}", cx.shown, cx.events.len());
    let buttons = 2.0 * (control(ui) + GAP);
    // The branch is to have room, too.
    let branch = lab.branch_in_view().map_or(0.0, |start| {
        let words = format!("· {} {}", tr!(cx, "branch"), branch_name(cx.session, start, cx.language()));
        let list = if lab.branch_count() > 1 { control(ui) + GAP } else { 0.0 };
        width(ui, &words).min(width(ui, tr!(cx, "branch")) + 90.0) + list + 2.0 * GAP
    });
    let text = if width(ui, &long) + buttons + branch <= ui.available_width() { &long } else { &short };
    if width(ui, text) + buttons > ui.available_width() {
        return;
    }
    let back = tr!(cx, "One micro-step back");
    if named_button(ui, cx.shown > 0, Button::new("◀"), back, back).clicked() {
        cx.send(AppCommand::MicroBack);
    }
    ui.label(RichText::new(text).size(TEXT).color(cx.tokens.weak));
    let on = tr!(cx, "One micro-step on");
    if named_button(ui, cx.is_partial() || lab.cursor() < lab.len(), Button::new("▶"), on, on).clicked() {
        cx.send(AppCommand::MicroStep);
    }
}

/// `· branch main ▾`: a double click names it, the arrow lists the others. Returns whether there was room.
fn branch(cx: &ViewCx<'_>, ui: &mut Ui) -> bool {
    let t = cx.tokens;
    let Some(start) = cx.session.lab.branch_in_view() else { return true };
    let name = branch_name(cx.session, start, cx.language());
    let word = format!("· {}", tr!(cx, "branch"));
    let others = cx.session.lab.branch_count().saturating_sub(1);
    let arrow = if others > 0 { control(ui) } else { 0.0 };
    let galley = ui.painter().layout_no_wrap(name.clone(), bold(TEXT), t.strong);
    let most = ui.available_width() - width(ui, &word) - GAP - arrow - GAP;
    if most < galley.size().x.min(60.0) {
        // The list says which branch is in view.
        if others > 0 && ui.available_width() >= arrow {
            list(cx, ui);
        }
        return false;
    }
    let galley = cut(ui.painter(), &name, bold(TEXT), t.strong, most.min(220.0));
    ui.label(RichText::new(word).size(TEXT).color(t.weak));
    let (rect, response) = ui.allocate_exact_size(vec2(wide(ui, galley.size().x), control(ui)), Sense::click());
    let words = format!("{} {name}", tr!(cx, "branch"));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
    ui.painter().galley(rect.left_center() - vec2(0.0, 0.5 * galley.size().y), galley, t.strong);
    if response.double_clicked() || response.clicked() && response.has_focus() {
        cx.send(AppCommand::Time(TimeWish::Rename(Some(Named::Branch(start)))));
    }
    branch_menu(cx, &response, start, None);
    response.on_hover_text(tr!(cx, "{name}: double click or F2 renames it", name = name));
    if others > 0 {
        list(cx, ui);
    }
    true
}

/// What can be done with a branch. `tip`: it is not in view, and can be gone to.
pub fn branch_menu(cx: &ViewCx<'_>, response: &Response, start: u32, tip: Option<u32>) {
    menu::open(response, |ui| {
        let item = |ui: &mut Ui, text: &str, key: &str, wish: TimeWish| {
            let item = Button::new(text);
            let key = RichText::new(key).color(cx.tokens.weak);
            let item = if key.is_empty() { item } else { item.right_text(key) };
            if ui.add(item).clicked() {
                cx.send(AppCommand::Time(wish));
                ui.close();
            }
        };
        if let Some(tip) = tip {
            item(ui, tr!(cx, "Go to it"), "", TimeWish::GoTo(tip));
        }
        item(ui, tr!(cx, "Rename it"), "F2", TimeWish::Rename(Some(Named::Branch(start))));
        item(ui, tr!(cx, "Delete it"), "", TimeWish::DeleteBranch(start));
    });
}

/// Every branch, to go to.
fn list(cx: &ViewCx<'_>, ui: &mut Ui) {
    let button = Button::new("▾").min_size(vec2(control(ui), control(ui)));
    let (response, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        focus::menu_ui(ui, |ui| {
            for branch in cx.session.lab.branches() {
                let name = branch_name(cx.session, branch.start, cx.language());
                let here = cx.session.lab.branch_in_view() == Some(branch.start);
                let text = match here {
                    true => tr!(cx, "{name}, in view", name = name),
                    false if branch.len == 1 => tr!(cx, "{name}, 1 command", name = name),
                    false => tr!(cx, "{name}, {count} commands", name = name, count = count(branch.len as u64)),
                };
                if ui.add_enabled(!here, Button::new(text)).clicked() {
                    cx.send(AppCommand::Time(TimeWish::GoTo(branch.tip)));
                    ui.close();
                }
            }
            let key = Action::Time(TimeAction::NextBranch);
            ui.separator();
            let right = RichText::new(key.key_text(ui.ctx())).color(cx.tokens.weak);
            if ui.add(Button::new(key.text(cx.language())).right_text(right)).clicked() {
                key.send(cx);
                ui.close();
            }
        });
    });
    response.accessible_name(tr!(cx, "All branches")).on_hover_text(tr!(cx, "All branches"));
}
