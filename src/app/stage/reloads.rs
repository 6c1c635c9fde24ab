//! "What reloads these registers?": every operation that does and those that people think do.
//!
//! Each row can be clicked, which performs it (SDM 4.4.1; the last "yes" is KVM's own rule).

use egui::{Align2, Id, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{Look, paint};
use crate::app::theme::{self, bold, plain};
use crate::app::view::AppCommand;
use crate::arch::address::Num;
use crate::arch::{Cr0, Cr4, pdpte};
use crate::machine::Command;
use crate::machine::command::Size;
use crate::tr;

struct Operation {
    name: &'static str,
    loads: bool,
    command: Command,
}

/// The operations, as they would be performed now.
fn operations(look: &Look<'_>) -> [Operation; 8] {
    let machine = look.cx.machine;
    let regs = &machine.cpu.regs;
    let va = look.stage.path.gva;
    let pa = pdpte::address(machine.cpu.paging.root, pdpte::index(va));
    let val = Num(machine.pdptes_in_memory()[pdpte::index(va)]);
    let compat = false;
    let operation = |name, loads, command| Operation { name, loads, command };
    let (cr0, cr3, cr4, efer) = (Num(regs.cr0.bits()), Num(regs.cr3), Num(regs.cr4.bits()), Num(regs.efer.bits()));
    [
        operation(tr!(look.cx, "MOV CR3, also of an equal value"), true, Command::MovCr3 { val: cr3, compat }),
        operation(
            tr!(look.cx, "MOV CR0 changing PG, CD, NW"),
            true,
            Command::MovCr0 { val: Num((regs.cr0 ^ Cr0::CD).bits()), compat },
        ),
        operation(
            tr!(look.cx, "MOV CR4 changing PAE, PGE, PSE, SMEP"),
            true,
            Command::MovCr4 { val: Num((regs.cr4 ^ Cr4::PGE).bits()), compat },
        ),
        operation(tr!(look.cx, "KVM_SET_SREGS by userspace"), true, Command::SetSregs { cr0, cr3, cr4, efer }),
        operation(tr!(look.cx, "a store to the table"), false, Command::Poke { pa, val, size: Size::WORD }),
        operation("INVLPG", false, Command::Invlpg { va }),
        operation(
            tr!(look.cx, "INVPCID, all contexts"),
            false,
            Command::Invpcid { kind: Num(2), pcid: Num(0), va: crate::arch::Gva(0) },
        ),
        operation(tr!(look.cx, "an access"), false, look.cx.view.composer.command()),
    ]
}

fn open_id() -> Id {
    Id::unique("stage: what reloads these registers")
}

/// Open from the start where its place is free: under a hypervisor the root is there.
pub fn is_open(look: &Look<'_>, ui: &Ui) -> bool {
    let m = look.m();
    let fits = look.layout.lower(pdpte::LEVEL).height() >= m.head + 8.0 * 0.85 * m.row;
    let place_is_free = !look.layout.shape.has_lower() && !look.layout.stacked && fits;
    ui.data(|data| data.get_temp(open_id()).unwrap_or(place_is_free))
}

/// The question mark in the head of the card.
pub fn toggle_ui(look: &Look<'_>, ui: &Ui, head: Rect) {
    let (t, m) = (look.t(), look.m());
    let center = pos2(head.right() - m.pad - 0.6 * m.small, head.center().y);
    let rect = Rect::from_center_size(center, vec2(1.6 * m.small, 0.8 * head.height()));
    let response = ui.interact(theme::target_in(ui, rect, head), ui.scope_id().with("what reloads"), Sense::click());
    let open = is_open(look, ui);
    response
        .widget_info(|| WidgetInfo::selected(Role::Button, true, open, tr!(look.cx, "What reloads these registers")));
    let fill = if open || response.hovered() { t.selected } else { t.guest.tint };
    ui.painter().circle(center, 0.68 * m.small, fill, Stroke::new(1.0, t.guest.edge));
    paint::text(ui.painter(), center, Align2::CENTER_CENTER, "?", bold(m.small), t.guest.text);
    if response.clicked() {
        ui.data_mut(|data| data.insert_temp(open_id(), !open));
    }
    response.on_hover_text(tr!(look.cx, "What reloads these registers"));
}

/// Below the card: the table if it is open, else the one sentence that it proves.
pub fn reloads_ui(look: &Look<'_>, ui: &Ui) {
    let (t, m) = (look.t(), look.m());
    let room = look.layout.lower(pdpte::LEVEL);
    if !is_open(look, ui) {
        let sentence = tr!(
            look.cx,
            "The registers are no cache: INVLPG and TLB flushes leave them as they are. Only a load replaces them, all \
             four at once."
        );
        let galley = ui.painter().layout(sentence.to_owned(), plain(m.small), t.weak, room.width() - 2.0 * m.pad);
        ui.painter().galley(room.min + vec2(0.0, 0.3 * m.row), galley, t.weak);
        return;
    }
    let operations = operations(look);
    let row = m.row.min((room.height() - m.head - 2.0) / operations.len() as f32);
    let rect = Rect::from_min_size(room.min, vec2(room.width(), m.head + row * operations.len() as f32 + 1.0));
    paint::card_body(ui.painter(), t, rect);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), m.head));
    paint::card_head(ui.painter(), head, &t.guest);
    let at = head.left_center() + vec2(m.pad, 0.0);
    paint::text(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        tr!(look.cx, "What reloads them? Click to try"),
        bold(m.small),
        t.guest.text,
    );
    for (i, operation) in operations.into_iter().enumerate() {
        let line = Rect::from_min_size(pos2(rect.left(), head.bottom() + i as f32 * row), vec2(rect.width(), row));
        operation_ui(look, ui, operation, line);
    }
    paint::card_edge(ui.painter(), rect, t.guest.edge);
}

fn operation_ui(look: &Look<'_>, ui: &Ui, operation: Operation, rect: Rect) {
    let (t, m) = (look.t(), look.m());
    let Operation { name, loads, command } = operation;
    let response = ui.interact(rect, ui.scope_id().with(("reload by", name)), Sense::click());
    let answer = if loads { tr!(look.cx, "yes") } else { tr!(look.cx, "no") };
    let action = tr!(look.cx, "{what}: {answer}. Perform it", what = name, answer = answer);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &action));
    let painter = ui.painter();
    painter.hline(rect.x_range().shrink(1.0), rect.top(), Stroke::new(1.0, t.border.gamma_multiply(0.6)));
    if response.hovered() {
        painter.rect_filled(rect.shrink2(vec2(1.0, 0.0)), 0, t.button_hover);
    }
    let right = rect.right_center() - vec2(m.pad, 0.0);
    let (font, color) = if loads { (bold(m.small), t.shadow.text) } else { (plain(m.small), t.weak) };
    let shown = paint::text(painter, right, Align2::RIGHT_CENTER, answer, font, color);
    let left = rect.left_center() + vec2(m.pad, 0.0);
    let width = shown.left() - left.x - m.pad;
    paint::text_within(painter, left, Align2::LEFT_CENTER, name, plain(m.small), t.text, width);
    if response.clicked() {
        look.cx.send(AppCommand::Run(command));
    }
}
