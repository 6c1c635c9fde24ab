//! The card of the first run: three ways to begin. It comes once, and again only when asked for.

use egui::{Align2, Color32, RichText, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2};

use super::wish::FileWish;
use crate::app::theme::{self, RADIUS, TEXT};
use crate::app::view::ViewCx;
use crate::app::widgets::button;
use crate::tr;

/// How somebody begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// The tour: the first lesson.
    Tour,
    /// The list of lessons.
    Lessons,
    /// A machine with nothing in it.
    Empty,
    /// As it is.
    AsItIs,
}

const CHOICE: f32 = 66.0;

/// Draws it.
pub fn welcome_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    ui.label(RichText::new(tr!(cx, "Where do you want to begin?")).font(theme::bold(18.0)).color(t.strong));
    let words = tr!(cx, "This is an x86 processor with its page tables. Everything can be touched, and undone.");
    ui.label(RichText::new(words).color(t.weak));
    ui.add_space(8.0);
    let choices = [
        (Beginning::Tour, tr!(cx, "Tour of 2 minutes"), tr!(cx, "One table, one address, one page fault: hands on")),
        (Beginning::Lessons, tr!(cx, "Lessons"), tr!(cx, "Twelve, from one table to out-of-sync shadow pages")),
        (Beginning::Empty, tr!(cx, "Empty machine"), tr!(cx, "16 MiB of memory, paging off, the rest is yours")),
    ];
    for (beginning, name, about) in choices {
        if choice_ui(cx, ui, name, about) {
            cx.send(FileWish::Begin(beginning).into());
        }
        ui.add_space(6.0);
    }
    if button(ui, tr!(cx, "Look around by myself")).clicked() {
        cx.send(FileWish::Begin(Beginning::AsItIs).into());
    }
}

/// A card: a name and below it, on as many lines as it takes, what it is.
fn choice_ui(cx: &ViewCx<'_>, ui: &mut Ui, name: &str, about: &str) -> bool {
    let t = cx.tokens;
    let room = ui.available_width() - 32.0;
    let galley = ui.painter().layout(about.to_owned(), theme::plain(TEXT), t.text, room);
    let height = CHOICE.max(galley.size().y + 36.0 + 12.0);
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), height), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let (fill, edge): (Color32, Color32) =
        if response.hovered() { (t.button_hover, t.guest.edge) } else { (t.button, t.border) };
    let painter = ui.painter().with_clip_rect(rect);
    painter.rect(rect, RADIUS, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    let left = rect.left_top() + vec2(16.0, 12.0);
    painter.text(left, Align2::LEFT_TOP, name, theme::bold(16.0), t.guest.text);
    painter.galley(left + vec2(0.0, 24.0), galley, t.text);
    response.clicked()
}
