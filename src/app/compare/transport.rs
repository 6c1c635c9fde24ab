//! Time of all engines at once: the way along the path, to the next difference, and the path itself
//! with a tick wherever the engines part.

use egui::{
    Align, Button, CornerRadius, Layout, Rect, Response, RichText, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::app::actions::Action;
use crate::app::play_button;
use crate::app::theme::{TEXT, control};
use crate::app::view::{AppCommand, ViewCx};
use crate::explain::count;
use crate::tr;

/// Its height, in points. `narrow`: position and track have rows of their own.
pub fn height(ui: &Ui, narrow: bool) -> f32 {
    if narrow { 3.0 * control(ui) + 48.0 } else { control(ui) + 34.0 }
}
/// Marks that stand closer, in points, become one.
const CLOSE: f32 = 4.0;
/// With less room, in points, words are left out.
const ROOMY: f32 = 1100.0;

/// Draws it in the room that `ui` has.
pub fn transport_ui(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    ui.spacing_mut().item_spacing = vec2(6.0, 8.0);
    let roomy = ui.available_width() >= ROOMY;
    row(ui, |ui| {
        buttons(cx, ui, narrow);
        if !narrow {
            ui.add_space(8.0);
            position(cx, ui, roomy);
            ui.add_space(12.0);
            track(cx, ui);
        }
    });
    if narrow {
        row(ui, |ui| position(cx, ui, false));
        row(ui, |ui| track(cx, ui));
    }
}

fn row(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(vec2(ui.available_width(), control(ui)), layout, add);
}

fn press(cx: &ViewCx<'_>, ui: &mut Ui, (text, action): (RichText, Action), enabled: bool, fill: Option<egui::Color32>) {
    let mut button = Button::new(text).min_size(Vec2::splat(control(ui)));
    if let Some(fill) = fill {
        button = button.fill(fill);
    }
    let (name, tip) = (action.text(cx.language()), action.tip(ui.ctx(), cx.language()));
    if ui.add_enabled(enabled, button).on_hover_text(tip).accessible_name(name).clicked() {
        action.send(cx);
    }
}

fn buttons(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    if narrow {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = 8.0;
    }
    let (t, lab) = (cx.tokens, &cx.session.lab);
    let past = lab.cursor() > 0;
    let future = lab.cursor() < lab.len() || cx.is_partial();
    let step = RichText::new(tr!(cx, "Step ▶")).color(if future { t.on_primary } else { t.text });
    let back = RichText::new(if narrow { "◀" } else { tr!(cx, "◀ Back") });
    press(cx, ui, (RichText::new("|◀"), Action::ToStart), past, None);
    press(cx, ui, (back, Action::StepBack), past, None);
    press(cx, ui, (step, Action::Step), future, future.then_some(t.primary));
    press(cx, ui, (RichText::new("▶|"), Action::ToEnd), future, None);
    play_button::play_ui(cx, ui, past || future, narrow);
    ui.add_space(6.0);
    // Further differences may still be found beyond where the engines have come.
    let known = cx.runs.done() == cx.runs.len();
    let before = cx.runs.previous_difference(lab.cursor()).is_some();
    let after = cx.runs.next_difference(lab.cursor()).is_some() || !known;
    let (left, right) =
        if narrow { ("◀ ≠", "≠ ▶") } else { (tr!(cx, "◀ Difference"), tr!(cx, "Difference ▶")) };
    press(cx, ui, (RichText::new(left), Action::PreviousDifference), before, None);
    press(cx, ui, (RichText::new(right), Action::NextDifference), after, None);
}

/// `step 33 of 38 · event 4 of 7 · all engines on one clock`.
fn position(cx: &ViewCx<'_>, ui: &mut Ui, roomy: bool) {
    let lab = &cx.session.lab;
    let (step, all) = (cx.session.step_number(lab.cursor()), cx.session.step_count());
    let mut text = tr!(cx, "step {step} of {all}", step = count(step as u64), all = count(all as u64));
    if cx.is_partial() {
        text += " · ";
        text += &tr!(cx, "event {shown} of {all}", shown = cx.shown, all = cx.events.len());
    }
    let (done, len) = (cx.runs.done(), cx.runs.len());
    if done < len {
        text += " · ";
        text += &tr!(cx, "{percent} % compared", percent = 100 * done / len.max(1));
    } else if roomy {
        text += " · ";
        text += tr!(cx, "all engines on one clock");
    }
    ui.label(RichText::new(text).size(TEXT).color(cx.tokens.weak));
}

/// The whole path: a tick where engines part, filled up to the cursor. Click and drag scrub.
fn track(cx: &ViewCx<'_>, ui: &mut Ui) {
    let (t, lab) = (cx.tokens, &cx.session.lab);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), control(ui)), Sense::click_and_drag());
    let line = Rect::from_center_size(rect.center(), vec2((rect.width() - 14.0).max(1.0), 6.0));
    let len = lab.len().max(1) as f32;
    let x = |step: usize| line.left() + line.width() * step as f32 / len;
    let painter = ui.painter();
    painter.rect_filled(line, CornerRadius::same(3), t.button_hover);
    let past = Rect::from_min_max(line.min, pos2(x(lab.cursor()), line.bottom()));
    painter.rect_filled(past, CornerRadius::same(3), t.cell_used);
    for (from, to) in marks(cx.runs.differing(), line.width() / len) {
        let (from, to) = ((line.left() + from).round(), (line.left() + to).round());
        let (width, height) = if to - from < 3.0 { (2.0, 14.0) } else { (to - from, 8.0) };
        let mark = Rect::from_center_size(pos2(0.5 * (from + to), line.center().y), vec2(width, height));
        painter.rect_filled(mark, 1, t.weak);
    }
    painter.circle_filled(pos2(x(lab.cursor()), line.center().y), 7.0, t.primary);
    scrub(cx, &response, line);
    let differences = cx.runs.differing().len();
    let name = tr!(
        cx,
        "Time: step {step} of {all}, engines part at {differences}",
        step = count(cx.session.step_number(lab.cursor()) as u64),
        all = count(cx.session.step_count() as u64),
        differences = differences
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, &name));
    keys(cx, ui, &response);
    response.on_hover_text_at_pointer(name);
}

/// Where marks stand, from and to, in points: a mark for each differing step, and one for many that
/// stand too close to be told apart.
fn marks(differing: &[u32], pitch: f32) -> Vec<(f32, f32)> {
    let mut marks: Vec<(f32, f32)> = Vec::new();
    let mut at = 0;
    while let Some(step) = differing.get(at) {
        let x = *step as f32 * pitch;
        match marks.last_mut() {
            Some((_, to)) if x - *to < CLOSE => *to = x,
            _ => marks.push((x, x)),
        }
        // Of a million steps those that share a point are passed over at once.
        let next = *step + (1.0 / pitch).max(1.0) as u32;
        at += differing[at..].partition_point(|step| *step < next);
    }
    marks
}

fn scrub(cx: &ViewCx<'_>, response: &Response, line: Rect) {
    if !(response.clicked() || response.dragged()) {
        return;
    }
    let Some(pointer) = response.interact_pointer_pos() else { return };
    let share = ((pointer.x - line.left()) / line.width()).clamp(0.0, 1.0);
    let step = (share * cx.session.lab.len() as f32).round() as usize;
    if step != cx.session.lab.cursor() {
        cx.send(AppCommand::Seek(step));
    }
}

/// While it has the keyboard, arrows step.
fn keys(cx: &ViewCx<'_>, ui: &Ui, response: &Response) {
    if !response.has_focus() {
        return;
    }
    let filter = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    for action in [Action::MicroStep, Action::MicroBack, Action::Step, Action::StepBack, Action::ToStart, Action::ToEnd]
    {
        if action.shortcut().is_some_and(|key| ui.input_mut(|input| input.consume_shortcut(&key))) {
            action.send(cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_few() {
        assert_eq!(marks(&[2, 5], 10.0), [(20.0, 20.0), (50.0, 50.0)]);
        assert_eq!(marks(&[2, 3, 4, 90], 1.0), [(2.0, 4.0), (90.0, 90.0)]);
        let every: Vec<u32> = (1..=1_000_000).collect();
        let all = marks(&every, 0.0007);
        assert_eq!(all.len(), 1);
        assert!(all[0].0 < 1.0 && all[0].1 > 697.0, "{all:?}");
        assert!(marks(&[], 1.0).is_empty());
    }
}
