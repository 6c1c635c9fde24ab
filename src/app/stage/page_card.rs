//! The page at the end of the path, or the fault in its place.

use egui::{Align2, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{Anchor, Look, model, paint, words};
use crate::app::hover::{self, Pointed};
use crate::app::theme::{bold, mono, plain};
use crate::app::view::{AppCommand, Selection};
use crate::arch::Gpa;
use crate::tr;

/// Draws the page, or the fault in its place; returns where arrows end.
pub fn page_card_ui(look: &Look<'_>, ui: &Ui) -> Option<Anchor> {
    let (t, m, card) = (look.t(), look.m(), &look.stage.page);
    let room = look.layout.page();
    let shown = card.arrived || !look.stage.path.recorded;
    match (card.page, card.fault) {
        (Some(page), _) if shown => Some(reached_page(look, ui, &page)),
        (_, Some(reason)) if shown => {
            let (words, width) = (words::fault(reason, look.cx.language()), room.width() - 2.0 * m.pad);
            let words = ui.painter().layout(words, plain(m.small), t.fault.text, width);
            let line = m.row.max(words.size().y + 0.4 * m.small);
            let rect = paint::top_of(room, m.head + line);
            let response = ui.interact(rect, ui.scope_id().with("fault"), Sense::hover());
            response.widget_info(|| {
                WidgetInfo::labeled(
                    Role::Label,
                    true,
                    tr!(look.cx, "Fault: {why}", why = words::fault(reason, look.cx.language())),
                )
            });
            let title = look
                .exception()
                .map_or_else(|| format!("✕ {}", tr!(look.cx, "would fault")), |name| format!("✕ {name}"));
            paint::card_body(ui.painter(), t, rect);
            paint::card_head(ui.painter(), Rect::from_min_size(rect.min, vec2(rect.width(), m.head)), &t.fault);
            let at = rect.left_top() + vec2(m.pad, 0.5 * m.head);
            paint::text(ui.painter(), at, Align2::LEFT_CENTER, title, bold(m.font), t.fault.text);
            let at = rect.left_top() + vec2(m.pad, m.head + 0.5 * (line - words.size().y));
            ui.painter().galley(at, words, t.fault.text);
            paint::card_edge(ui.painter(), rect, t.fault.edge);
            None
        }
        _ => {
            let rect = paint::top_of(room, m.head + m.row);
            paint::dashed_box(ui.painter(), rect, t.border);
            let at = rect.left_top() + vec2(m.pad, 0.5 * m.head);
            paint::text(ui.painter(), at, Align2::LEFT_CENTER, tr!(look.cx, "Page"), bold(m.font), t.weak);
            let at = rect.left_top() + vec2(m.pad, m.head + 0.4 * m.row);
            paint::text(ui.painter(), at, Align2::LEFT_CENTER, tr!(look.cx, "not yet"), plain(m.small), t.weak);
            None
        }
    }
}

fn reached_page(look: &Look<'_>, ui: &Ui, page: &model::ReachedPage) -> Anchor {
    let (t, m) = (look.t(), look.m());
    let lines = if page.in_slot { 2.0 } else { 3.0 };
    let rect = paint::top_of(look.layout.page(), m.head + lines * m.row + 1.0);
    let selection = Selection::Page(page.gpa.gfn());
    let response = ui.interact(rect, ui.scope_id().with("page"), Sense::click());
    let size = words::page_size(page.shift.max(12));
    let name = tr!(look.cx, "Page at GPA {place}, {size}", place = words::gpa(page.base), size = size);
    let selected = look.cx.view.selection == selection;
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
    let painter = ui.painter();
    paint::card_body(painter, t, rect);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), m.head));
    paint::card_head(painter, head, &t.guest);
    let left = |row: f32| pos2(rect.left() + m.pad, head.bottom() + (row + 0.5) * m.row);
    let at = head.left_center() + vec2(m.pad, 0.0);
    let title = paint::text(painter, at, Align2::LEFT_CENTER, tr!(look.cx, "Page"), bold(m.font), t.guest.text);
    let at = title.right_center() + vec2(0.8 * m.pad, 0.0);
    let room = head.right() - at.x - 0.5 * m.pad;
    let ways = [words::gpa(page.base), words::gfn(page.base)];
    let number = paint::first_that_fits(painter, &ways, &mono(m.small), room);
    paint::text_within(painter, at, Align2::LEFT_CENTER, number, mono(m.small), t.guest.text, room);
    let width = rect.width() - 2.0 * m.pad;
    let within = page.gpa.0 - page.base.0;
    let size = if page.shift == 0 { String::new() } else { format!(" · {}", words::page_size(page.shift)) };
    let offset = format!("+{within:03x}");
    // Where there is no room for the size, the card before says it.
    let ways = [format!("{offset}{size}"), offset];
    let offset = paint::first_that_fits(painter, &ways, &plain(m.small), width);
    paint::text_within(painter, left(0.0), Align2::LEFT_CENTER, offset, plain(m.small), t.weak, width);
    painter.hline(rect.x_range().shrink(1.0), head.bottom() + m.row, Stroke::new(1.0, t.border.gamma_multiply(0.6)));
    let color = if page.changed != 0 { t.changed.text } else { t.strong };
    let at = pos2(rect.center().x, left(1.0).y);
    let place = Gpa(page.gpa.0 & !3);
    let old = look.cx.motion.from().map(|vm| format!("{:08x}", vm.machine().memory.read(place, 4)));
    let words = (old, format!("{:08x}", page.word));
    paint::text_fading(look.cx.motion, painter, (at, Align2::CENTER_CENTER), words, mono(m.font), color);
    if !page.in_slot {
        paint::text_within(
            painter,
            left(2.0),
            Align2::LEFT_CENTER,
            tr!(look.cx, "no memory slot"),
            plain(m.small),
            t.fault.text,
            width,
        );
    }
    let frame = Some(page.gpa.gfn());
    let pointed = hover::pointed_at(ui).frame == frame;
    if response.hovered() {
        hover::point_at(ui, Pointed { entry: None, frame });
    }
    let edge = if selected || pointed { t.guest.line } else { t.guest.edge };
    paint::card_edge(painter, rect, edge);
    if response.clicked() {
        look.cx.send(AppCommand::Select(selection));
    }
    let bytes = tr!(
        look.cx,
        "four bytes at {place}: {value}",
        place = words::gpa(Gpa(page.gpa.0 & !3)),
        value = format!("0x{:08x}", page.word)
    );
    response.on_hover_text(format!("{name}\n{bytes}"));
    let entry_y = rect.top() + m.head + 0.5 * m.row;
    Anchor {
        left: pos2(rect.left(), entry_y),
        right: pos2(rect.right(), entry_y),
        top: rect.top(),
        bottom: rect.bottom(),
    }
}
