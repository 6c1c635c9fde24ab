//! What lies over the window without taking it over: the offer after a crash, the words when nothing can
//! be kept, the place where a file is dropped.

use egui::{Align2, Area, Context, Frame, Id, LayerId, Margin, Order, RichText, Stroke, Ui, vec2};

use super::states::ago;
use super::wish::FileWish;
use crate::app::actions::Action;
use crate::app::layout::NARROW;
use crate::app::theme::{self, RADIUS};
use crate::app::view::ViewCx;
use crate::app::widgets::{button, primary_button};
use crate::tr;

/// Draws what there is to say.
pub fn notes_ui(cx: &ViewCx<'_>, ctx: &Context) {
    drop_hint(cx, ctx);
    if let Some(offer) = cx.files.offer() {
        let time = ago(cx.language(), cx.files.now(), offer.time);
        let words = tr!(
            cx,
            "The last run did not end in order. Kept: {title}, {time}.",
            title = offer.name(cx.language()),
            time = time
        );
        note(cx, ctx, "restore", &words, cx.tokens.guest.edge, |ui| {
            if primary_button(ui, cx.tokens, tr!(cx, "Restore it")).clicked() {
                cx.send(FileWish::TakeOffer.into());
            }
            if button(ui, tr!(cx, "Show all states")).clicked() {
                Action::States.send(cx);
            }
            if button(ui, tr!(cx, "Not now")).clicked() {
                cx.send(FileWish::DropOffer.into());
            }
        });
    } else if let Some(reason) = cx.files.trouble() {
        let words = tr!(
            cx,
            "What you do is not kept: {reason}. This window holds it until it is closed: save it as a file.",
            reason = reason
        );
        note(cx, ctx, "trouble", &words, cx.tokens.stale.edge, |ui| {
            if primary_button(ui, cx.tokens, tr!(cx, "Save as a scenario")).clicked() {
                Action::Save.send(cx);
            }
            if button(ui, tr!(cx, "Hide")).clicked() {
                cx.send(FileWish::HideTrouble.into());
            }
        });
    }
}

fn note(cx: &ViewCx<'_>, ctx: &Context, id: &str, words: &str, edge: egui::Color32, buttons: impl FnOnce(&mut Ui)) {
    let screen = ctx.content_rect();
    // Above the timeline, where the stage is emptiest.
    let above = if screen.width() < NARROW { 184.0 } else { 146.0 };
    let width = 720.0_f32.min(screen.width() - 24.0);
    let area = Area::new(Id::unique("note").with(id)).order(Order::Middle).default_width(width);
    area.anchor(Align2::CENTER_BOTTOM, vec2(0.0, -above)).show(ctx, |ui| {
        let frame = Frame::new().fill(cx.tokens.card).stroke(Stroke::new(1.0, edge)).corner_radius(RADIUS);
        frame.shadow(ui.visuals().popup_shadow).inner_margin(Margin::symmetric(14, 10)).show(ui, |ui| {
            ui.set_max_width(width - 28.0);
            ui.label(RichText::new(words).color(cx.tokens.text));
            ui.add_space(4.0);
            ui.horizontal_wrapped(buttons);
        });
    });
}

/// Says, while a file hangs over the window, that it can be dropped.
fn drop_hint(cx: &ViewCx<'_>, ctx: &Context) {
    if ctx.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let t = cx.tokens;
    let painter = ctx.layer_painter(LayerId::new(Order::Foreground, Id::unique("drop hint")));
    let screen = ctx.content_rect();
    painter.rect_filled(screen, 0, t.stage.gamma_multiply(0.85));
    painter.rect_stroke(screen.shrink(12.0), RADIUS, Stroke::new(2.0, t.guest.line), egui::StrokeKind::Inside);
    let words = tr!(cx, "Drop it: a scenario, a lesson, a listing of QEMU or gdb, an image of memory");
    let galley = painter.layout(words.to_owned(), theme::bold(18.0), t.strong, screen.width() - 60.0);
    painter.galley(screen.center() - 0.5 * galley.size(), galley, t.strong);
}
