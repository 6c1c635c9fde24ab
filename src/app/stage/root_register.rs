//! CR3 as a card, in the column that only the hypervisor's tables need.

use egui::{Align2, Role, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{Anchor, Look, paint, words};
use crate::app::theme::{bold, mono, plain};
use crate::arch::{Level, Mode};
use crate::tr;

/// In place of the guest's tables while paging is off.
pub fn no_tables_ui(look: &Look<'_>, ui: &Ui) {
    let (t, m) = (look.t(), look.m());
    let levels = Level::down_from(look.layout.shape.columns()).map(|level| look.layout.guest(level));
    let room = levels.reduce(egui::Rect::union).unwrap_or(look.layout.guest(Level(1)));
    let rect = paint::top_of(room, m.head + m.row);
    paint::dashed_box(ui.painter(), rect, t.border);
    let words = tr!(look.cx, "No guest tables: the hypervisor maps guest-physical addresses by itself.");
    let width = rect.width() - 2.0 * m.pad;
    let galley = ui.painter().layout(words.to_owned(), plain(m.small), t.weak, width);
    ui.painter().galley(rect.left_center() + vec2(m.pad, -0.5 * galley.size().y), galley, t.weak);
}

/// Draws it; where its arrow begins, if it leads to a table.
pub fn root_register_ui(look: &Look<'_>, ui: &Ui, level: Level) -> Option<Anchor> {
    let (t, m, mode) = (look.t(), look.m(), look.stage.mode);
    let rect = paint::top_of(look.layout.guest(level), m.head + m.row + 1.0);
    let root = look.inputs.machine.cpu.paging.root;
    let (value, note) = match mode {
        Mode::Pae => (words::gpa(root), tr!(look.cx, "only at a load")),
        _ => (words::gpa(root), tr!(look.cx, "where walks begin")),
    };
    let response = ui.interact(rect, ui.scope_id().with("CR3 card"), Sense::hover());
    let name = format!("CR3 {value}, {note}");
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &name));
    let painter = ui.painter();
    paint::card_body(painter, t, rect);
    let head = egui::Rect::from_min_size(rect.min, vec2(rect.width(), m.head));
    paint::card_head(painter, head, &t.guest);
    let at = head.left_center() + vec2(m.pad, 0.0);
    let title = paint::text(painter, at, Align2::LEFT_CENTER, "CR3", bold(m.font), t.guest.text);
    let at = title.right_center() + vec2(0.7 * m.pad, 0.0);
    let width = head.right() - at.x - 0.4 * m.pad;
    let ways = [value.clone(), crate::explain::hex(root.0)];
    let shown = paint::first_that_fits(painter, &ways, &mono(m.small), width);
    paint::text_within(painter, at, Align2::LEFT_CENTER, shown, mono(m.small), t.guest.text, width);
    let at = pos2(rect.left() + m.pad, head.bottom() + 0.5 * m.row);
    let width = rect.width() - 2.0 * m.pad;
    paint::text_within(painter, at, Align2::LEFT_CENTER, note, plain(m.small), t.weak, width);
    paint::card_edge(painter, rect, t.guest.edge);
    response.on_hover_text(name);
    let y = head.center().y;
    let (left, right) = (pos2(rect.left(), y), pos2(rect.right(), y));
    (mode != Mode::Pae).then_some(Anchor { left, right, top: rect.top(), bottom: rect.bottom() })
}
