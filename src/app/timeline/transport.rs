//! The buttons: to the ends, a step each way, play, jumps, a bookmark.

use egui::{Align2, Button, Rect, RichText, Stroke, Ui, Vec2, pos2, vec2};

use crate::app::actions::Action;
use crate::app::focus;
use crate::app::play_button;
use crate::app::theme::{control, is_touch, wide};
use crate::app::time::{TimeAction, bookmark_name, position};
use crate::app::view::{AppCommand, ViewCx};
use crate::app::widgets::named_button;
use crate::tr;

/// Below this width of the zone, in points, a step back is a sign alone.
const WORDS: f32 = 1000.0;
/// From this width on jumps to faults and exits have buttons of their own.
const JUMPS: f32 = 1160.0;

/// Draws the buttons.
pub fn transport_ui(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let lab = &cx.session.lab;
    let t = cx.tokens;
    let room = ui.available_width();
    let past = lab.cursor() > 0;
    let future = lab.cursor() < lab.len() || cx.is_partial();
    if narrow {
        ui.spacing_mut().item_spacing.x = 4.0;
    }
    // What a telephone has no room for is in the menu of jumps.
    let short = narrow && is_touch(ui.ctx());
    if !short
        && named_button(ui, past, Button::new("|◀"), tr!(cx, "To the start"), tr!(cx, "To the start of time")).clicked()
    {
        cx.send(AppCommand::ToStart);
    }
    let back = if room < WORDS { "◀".to_owned() } else { format!("◀ {}", tr!(cx, "Back")) };
    if named_button(ui, past, Button::new(back), tr!(cx, "Back one step"), tr!(cx, "One step back")).clicked() {
        cx.send(AppCommand::StepBack);
    }
    let label = RichText::new(format!("{} ▶", tr!(cx, "Step"))).color(if future { t.on_primary } else { t.text });
    let fill = if future { t.primary } else { t.button };
    if named_button(ui, future, Button::new(label).fill(fill), tr!(cx, "Step"), tr!(cx, "One step on")).clicked() {
        cx.send(AppCommand::Step);
    }
    if !short
        && named_button(ui, future, Button::new("▶|"), tr!(cx, "To the end"), tr!(cx, "To the end of the path"))
            .clicked()
    {
        cx.send(AppCommand::ToEnd);
    }
    play_button::play_ui(cx, ui, past || future, short);
    if room >= JUMPS {
        pair(cx, ui, tr!(cx, "fault"), TimeAction::PreviousFault, Action::NextFault);
        pair(cx, ui, tr!(cx, "exit"), TimeAction::PreviousExit, Action::NextExit);
    }
    jumps(cx, ui, short);
    let here = lab.node(lab.cursor());
    let marked = cx.session.marks.bookmark(here).is_some();
    let star = RichText::new("★").color(if marked { t.changed.text } else { t.weak });
    let tip = match marked {
        true => tr!(cx, "Remove the bookmark here (B)"),
        false => tr!(cx, "Set a bookmark here (B)"),
    };
    if named_button(ui, true, Button::new(star), tip, tip).clicked() {
        cx.send(AppCommand::ToggleBookmark);
    }
}

/// `◀ fault ▶`: to the last and to the next of a kind.
fn pair(cx: &ViewCx<'_>, ui: &mut Ui, word: &str, back: TimeAction, on: Action) {
    let font = crate::app::theme::plain(crate::app::theme::TEXT);
    let galley = ui.painter().layout_no_wrap(word.to_owned(), font, cx.tokens.weak);
    let side = vec2(wide(ui, 26.0), control(ui));
    let size = vec2(galley.size().x + 2.0 * side.x + 4.0, control(ui));
    let (frame, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    let t = cx.tokens;
    ui.painter().rect(frame, 6, t.button, Stroke::new(1.0, t.border), egui::StrokeKind::Inside);
    let at = frame.center() - 0.5 * galley.size();
    ui.painter().galley(at, galley, t.weak);
    let ends = [(frame.min, "◀", Action::Time(back)), (pos2(frame.right() - side.x, frame.top()), "▶", on)];
    for (min, sign, action) in ends {
        let rect = Rect::from_min_size(min, side);
        let response = ui.interact(rect, ui.scope_id().with((word, sign)), egui::Sense::click());
        let text = action.text(cx.language());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &text));
        let color = if response.hovered() || response.has_focus() { t.strong } else { t.text };
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, sign, crate::app::theme::plain(12.0), color);
        if response.clicked() {
            action.send(cx);
        }
        response.on_hover_text(format!("{text} ({})", action.key_text(ui.ctx())));
    }
}

/// Everywhere that time can jump to, and for those who have no keys every edit of time.
fn jumps(cx: &ViewCx<'_>, ui: &mut Ui, short: bool) {
    let menu = Button::new(format!("{} ▾", tr!(cx, "Time"))).min_size(Vec2::splat(control(ui)));
    let (response, _) = egui::containers::menu::MenuButton::from_button(menu).ui(ui, |ui| {
        focus::menu_ui(ui, |ui| {
            let time = Action::Time;
            items(cx, ui, &[(time(TimeAction::Undo), cx.can_undo), (time(TimeAction::Redo), cx.can_redo)]);
            ui.separator();
            if short {
                let ends = [Action::ToStart, Action::ToEnd, time(TimeAction::Speed)];
                items(cx, ui, &ends.map(|action| (action, true)));
            }
            let jumps = [
                Action::NextFault,
                time(TimeAction::PreviousFault),
                Action::NextExit,
                time(TimeAction::PreviousExit),
                time(TimeAction::NextChange),
                time(TimeAction::PreviousChange),
                Action::NextBookmark,
                time(TimeAction::PreviousBookmark),
                time(TimeAction::NextBranch),
            ];
            items(cx, ui, &jumps.map(|action| (action, true)));
            bookmarks(cx, ui);
            ui.separator();
            let lab = &cx.session.lab;
            let others = [
                (time(TimeAction::NameBookmark), true),
                (time(TimeAction::NameBranch), lab.branch_in_view().is_some()),
                (time(TimeAction::DeleteBranch), lab.branch_count() > 1),
                (time(TimeAction::ReduceMotion), true),
            ];
            items(cx, ui, &others);
        });
    });
    response.on_hover_text(tr!(cx, "Jumps, bookmarks, undo and redo, names"));
}

/// Actions as items of a menu, and whether each is of use now.
fn items(cx: &ViewCx<'_>, ui: &mut Ui, actions: &[(Action, bool)]) {
    for (action, enabled) in actions {
        let key = RichText::new(action.key_text(ui.ctx())).color(cx.tokens.weak);
        if ui.add_enabled(*enabled, Button::new(action.text(cx.language())).right_text(key)).clicked() {
            action.send(cx);
            ui.close();
        }
    }
}

/// Every bookmark as an item of a menu.
fn bookmarks(cx: &ViewCx<'_>, ui: &mut Ui) {
    let (lab, marks) = (&cx.session.lab, &cx.session.marks);
    let places = marks.bookmarks.iter().filter_map(|bookmark| Some((bookmark.at, position(lab, bookmark.at)?)));
    let mut places: Vec<_> = places.collect();
    places.sort_by_key(|(_, step)| *step);
    if !places.is_empty() {
        ui.separator();
    }
    for (at, step) in places {
        let number = cx.session.step_number(step);
        let text = match bookmark_name(marks, at) {
            Some(name) => tr!(cx, "★ {name}, step {step}", name = name, step = number),
            None => tr!(cx, "★ step {step}", step = number),
        };
        if ui.button(text).clicked() {
            cx.send(AppCommand::Seek(step));
            ui.close();
        }
    }
}
