//! Play or pause, and how fast: wherever time has buttons.

use egui::{Button, Color32, Rect, Shape, Stroke, Ui, vec2};

use super::time::TimeWish;
use super::view::{AppCommand, ViewCx};
use super::widgets::named_button;
use crate::tr;

/// Draws play or pause, and beside it, unless `short`, how fast.
pub fn play_ui(cx: &ViewCx<'_>, ui: &mut Ui, enabled: bool, short: bool) {
    let (name, tip) = match cx.playing {
        true => (tr!(cx, "Pause"), tr!(cx, "Time rests (K)")),
        false => (tr!(cx, "Let time run"), tr!(cx, "Time goes on by itself (K)")),
    };
    let response = named_button(ui, enabled, Button::new(""), name, tip);
    let color = if enabled { cx.tokens.strong } else { cx.tokens.weak };
    icon(ui, response.rect, cx.playing, color);
    if response.clicked() {
        cx.send(AppCommand::Time(TimeWish::Play(!cx.playing)));
    }
    if short {
        return;
    }
    let speed = cx.motion.speed();
    let words = speed.words(cx.language());
    let tip = tr!(cx, "{speed}: slow, normal, fast in turn (Shift+K)", speed = words);
    if named_button(ui, true, Button::new(speed.sign()), &words, &tip).clicked() {
        cx.send(AppCommand::Time(TimeWish::Speed(speed.next())));
    }
}

/// A triangle in a circle, or two bars: unlike the steps beside it.
fn icon(ui: &Ui, rect: Rect, playing: bool, color: Color32) {
    let (center, painter) = (rect.center(), ui.painter());
    if playing {
        for x in [-3.5, 3.5] {
            let bar = Rect::from_center_size(center + vec2(x, 0.0), vec2(3.5, 12.0));
            painter.rect_filled(bar, 1, color);
        }
        return;
    }
    painter.circle_stroke(center, 8.5, Stroke::new(1.5, color));
    let corners = [vec2(-2.6, -4.2), vec2(4.6, 0.0), vec2(-2.6, 4.2)].map(|corner| center + corner);
    painter.add(Shape::convex_polygon(corners.to_vec(), color, Stroke::NONE));
}
