//! The spotlight: a frame around the parts of the screen that a step is about.

use egui::{Rect, Stroke, StrokeKind, Ui, Vec2, vec2};

use crate::app::theme::RADIUS;
use crate::app::view::ViewCx;
use crate::lesson::Focus;

/// Distance of the frame from what it is around, in points: beside it, and above and below.
const AROUND: Vec2 = vec2(5.0, 3.0);

/// Whether the step in view is about one of these parts of the screen.
fn is_about(cx: &ViewCx<'_>, places: &[&str]) -> bool {
    cx.lesson.is_some_and(|player| {
        let focus = &player.session.step().focus;
        let named = |focus: &Focus| matches!(focus, Focus::Place(place) if places.contains(place));
        !player.session.in_sandbox() && focus.iter().any(named)
    })
}

/// Draws a part of the screen, in a frame if the step in view is about it.
pub fn spot<R>(cx: &ViewCx<'_>, ui: &mut Ui, place: &str, add: impl FnOnce(&mut Ui) -> R) -> R {
    if !is_about(cx, &[place]) {
        return add(ui);
    }
    let shown = ui.scope(add);
    frame(cx, ui, shown.response.rect.expand2(AROUND));
    shown.inner
}

/// A frame just inside a zone that the step in view is about.
pub fn spot_zone(cx: &ViewCx<'_>, ui: &Ui, places: &[&str], zone: Rect) {
    if is_about(cx, places) {
        frame(cx, ui, zone.shrink(AROUND.y));
    }
}

fn frame(cx: &ViewCx<'_>, ui: &Ui, rect: Rect) {
    ui.painter().rect_stroke(rect, RADIUS, Stroke::new(2.0, cx.tokens.guest.line), StrokeKind::Middle);
}
