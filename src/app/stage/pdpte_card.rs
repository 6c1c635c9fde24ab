//! The PDPTE card: four registers beside the memory that they were loaded from.
//!
//! The registers live apart from memory between two loads (SDM 4.4.1); this card shows where they
//! disagree, since when, and what the next load would make of it.

use egui::{
    Align2, Color32, CornerRadius, Rangef, Rect, Response, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::model::{PdpteCard, PdpteRow, PdpteStatus};
use super::path::Reach;
use super::{Anchor, Look, paint, reloads, words};
use crate::app::menu;
use crate::app::theme::{bold, mono, plain};
use crate::app::view::{AppCommand, Selection};
use crate::arch::pdpte;
use crate::{explain, tr};

/// The columns of the card.
struct Grid {
    index: f32,
    register: Rangef,
    memory: Rangef,
    status: Rangef,
    digits: usize,
}

impl Grid {
    fn new(look: &Look<'_>, card: &PdpteCard, rect: Rect) -> Self {
        let m = look.m();
        let widest = card.rows.iter().flat_map(|row| [row.register, row.memory]).max().unwrap_or(0);
        let digits = format!("{widest:x}").len().max(8);
        let digit = 0.6 * m.font;
        let width = digits as f32 * digit;
        let index = rect.left() + m.pad + digit;
        let register = Rangef::new(index + 1.2 * digit, index + 1.2 * digit + width);
        let memory = Rangef::new(register.max + 2.4 * digit, register.max + 2.4 * digit + width);
        Self { index, register, memory, status: Rangef::new(memory.max + digit, rect.right() - m.pad), digits }
    }
}

/// Draws the card; where the path leaves it, if it does, and its lower end.
pub fn pdpte_card_ui(look: &Look<'_>, ui: &Ui, card: &PdpteCard) -> (Option<Anchor>, f32) {
    let m = look.m();
    let rect = paint::top_of(look.layout.guest(pdpte::LEVEL), m.head + 5.9 * m.row);
    let t = look.t();
    paint::card_body(ui.painter(), t, rect);
    head(look, ui, card, Rect::from_min_size(rect.min, vec2(rect.width(), m.head)));
    let grid = Grid::new(look, card, rect);
    let mut y = rect.top() + m.head + 0.45 * m.row;
    let register = if card.registers { tr!(look.cx, "register") } else { tr!(look.cx, "not used") };
    for (x, name) in [(grid.register.min, register), (grid.memory.min, tr!(look.cx, "memory"))] {
        paint::text(ui.painter(), pos2(x, y), Align2::LEFT_CENTER, name, plain(m.small), t.weak);
    }
    y += 0.45 * m.row;
    let mut anchor = None;
    for row in &card.rows {
        let line = paint::at(rect.x_range(), y, m.row);
        row_ui(look, ui, &grid, row, line, card.registers);
        if row.walked.is_some() {
            anchor = Some(Anchor::of(line, rect));
        }
        y += m.row;
    }
    ui.painter().hline(rect.x_range().shrink(1.0), y, Stroke::new(1.0, t.border.gamma_multiply(0.6)));
    let ways: &[&str] = match card.registers {
        true => &[tr!(look.cx, "32 of 4096 bytes in its page"), tr!(look.cx, "32 of 4096 bytes")],
        false => &[tr!(look.cx, "read at each walk")],
    };
    let ways: Vec<String> = ways.iter().map(|what| format!("PDPT {} · {what}", explain::hex(card.root.0))).collect();
    let foot = paint::first_that_fits(ui.painter(), &ways, &plain(m.small), rect.width() - 2.4 * m.pad);
    let at = pos2(rect.left() + 1.6 * m.pad, y + 0.5 * m.row);
    paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, foot, plain(m.small), t.weak, rect.width() - 2.0 * m.pad);
    paint::card_edge(ui.painter(), rect, t.guest.edge);
    (anchor, rect.bottom())
}

fn head(look: &Look<'_>, ui: &Ui, card: &PdpteCard, rect: Rect) {
    let (t, m) = (look.t(), look.m());
    paint::card_head(ui.painter(), rect, &t.guest);
    let left = rect.left_center() + vec2(m.pad, 0.0);
    let title = if card.registers { tr!(look.cx, "PDPTE registers") } else { tr!(look.cx, "PDPT in memory") };
    let title = paint::text(ui.painter(), left, Align2::LEFT_CENTER, title, bold(m.font), t.guest.text);
    let loaded = match look.history.loaded_at {
        _ if !card.registers => tr!(look.cx, "no registers in use").to_owned(),
        Some(0) => tr!(look.cx, "loaded at the start").to_owned(),
        Some(step) => tr!(look.cx, "loaded at #{step}", step = look.cx.session.step_number(step)),
        None => tr!(look.cx, "loaded long ago").to_owned(),
    };
    let at = title.right_center() + vec2(0.8 * m.pad, 0.0);
    let color = if card.just_loaded { t.changed.text } else { t.guest.text };
    let room = rect.right() - at.x - 2.4 * m.small;
    paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, loaded, plain(m.small), color, room);
    reloads::toggle_ui(look, ui, rect);
}

fn row_ui(look: &Look<'_>, ui: &Ui, grid: &Grid, row: &PdpteRow, rect: Rect, registers: bool) {
    paint_back(look, ui, row, rect);
    let part = |x: Rangef| Rect::from_x_y_ranges(x.expand(4.0), rect.y_range());
    let register = number_ui(look, ui, grid, row, part(grid.register), (true, registers));
    let memory = number_ui(look, ui, grid, row, part(grid.memory), (false, !registers));
    let (t, m) = (look.t(), look.m());
    let color = if row.walked.is_some() { t.strong } else { t.weak };
    let at = pos2(grid.index, rect.center().y);
    paint::text(ui.painter(), at, Align2::RIGHT_CENTER, row.index, mono(m.font), color);
    status_ui(look, ui, grid, row, rect);
    for response in [&register, &memory] {
        menu::register_menu(look.cx, response, row.index, row.gpa);
    }
    if register.clicked() {
        look.cx.send(AppCommand::Select(Selection::PdpteRegister(row.index)));
    }
    if memory.clicked() {
        look.cx.send(AppCommand::Select(Selection::Entry { level: pdpte::LEVEL.0, gpa: row.gpa }));
    }
}

fn paint_back(look: &Look<'_>, ui: &Ui, row: &PdpteRow, rect: Rect) {
    let t = look.t();
    let painter = ui.painter();
    painter.hline(rect.x_range().shrink(1.0), rect.top(), Stroke::new(1.0, t.border.gamma_multiply(0.6)));
    let inner = rect.shrink2(vec2(1.0, 0.0));
    let walked = row.walked.is_some_and(|reach| reach != Reach::Cached);
    if row.fault.is_some() {
        painter.rect_filled(inner, 0, t.fault.tint);
    }
    if row.status == PdpteStatus::Stale {
        // Of a stale register that ends the walk the ground is the fault's, and the hatching stays.
        if row.fault.is_none() {
            painter.rect_filled(inner, 0, t.stale.tint.gamma_multiply(0.6));
        }
        paint::hatch(painter, inner, t.stale.line.gamma_multiply(0.22), 14.0, 5.0);
    } else if walked && row.fault.is_none() {
        let soft = if row.walked == Some(Reach::Read) { 1.0 } else { 0.5 };
        painter.rect_filled(inner, 0, t.selected.gamma_multiply(soft));
    }
    if walked {
        let bar = Rect::from_min_size(inner.min, vec2(3.0, inner.height()));
        painter.rect_filled(bar, 0, if row.fault.is_some() { t.fault.line } else { t.guest.line });
    }
    if row.selected {
        painter.rect_stroke(inner, CornerRadius::same(2), Stroke::new(1.5, t.guest.line), StrokeKind::Inside);
    }
}

/// The register, or its memory: what is clicked is selected.
fn number_ui(
    look: &Look<'_>,
    ui: &Ui,
    grid: &Grid,
    row: &PdpteRow,
    rect: Rect,
    (register, in_force): (bool, bool),
) -> Response {
    let (t, m) = (look.t(), look.m());
    let (what, value, changed) = if register {
        (tr!(look.cx, "register"), row.register, row.changed_register)
    } else {
        (tr!(look.cx, "memory"), row.memory, row.changed_memory)
    };
    let response = ui.interact(rect, ui.scope_id().with(("PDPTE", what, row.index)), Sense::click());
    let digits = grid.digits;
    let name = format!("PDPTE {} {what}: 0x{}", row.index, explain::hex_digits(value, digits));
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, row.selected, &name));
    if response.hovered() {
        ui.painter().rect_filled(
            rect.shrink2(vec2(0.0, 2.0)),
            CornerRadius::same(4),
            t.button_hover.gamma_multiply(0.6),
        );
    }
    let color = match (changed != 0, in_force) {
        (true, _) => t.changed.text,
        (false, true) => t.strong,
        (false, false) => t.weak,
    };
    let at = pos2(rect.left() + 4.0, rect.center().y);
    let text = format!("{value:0digits$x}");
    let old = look.cx.motion.from().map(|vm| {
        let machine = vm.machine();
        let value = if register { machine.cpu.pdptes[row.index] } else { machine.memory.read(row.gpa, 8) };
        format!("{value:0digits$x}")
    });
    let place = (at, Align2::LEFT_CENTER);
    let shown = paint::text_fading(look.cx.motion, ui.painter(), place, (old, text), mono(m.font), color);
    if changed != 0 {
        ui.painter().hline(shown.x_range(), shown.bottom() - 1.0, Stroke::new(1.5, t.changed.line));
    }
    let place = if register {
        String::new()
    } else {
        format!("\n{}", tr!(look.cx, "at GPA {place}", place = words::gpa(row.gpa)))
    };
    let present = if value & crate::arch::entry::P != 0 {
        let table = crate::arch::entry::frame_4k(value, &look.cx.machine.cpu.model);
        tr!(look.cx, "leads to the PD in gfn {gfn}", gfn = words::gfn(table))
    } else {
        tr!(look.cx, "not present").to_owned()
    };
    response.on_hover_text(format!("{name}{place}\n{present}"))
}

/// The status in words; of a stale row also a button to the step that made it stale.
fn status_ui(look: &Look<'_>, ui: &Ui, grid: &Grid, row: &PdpteRow, rect: Rect) {
    let (t, m) = (look.t(), look.m());
    let right = pos2(grid.status.max, rect.center().y);
    let word = words::pdpte_status(row.status, look.cx.language());
    let (font, color) = match row.status {
        PdpteStatus::Fresh | PdpteStatus::Present => (plain(m.small), t.shadow.text),
        PdpteStatus::Stale => (bold(m.small), t.stale.text),
        PdpteStatus::NotPresent if row.fault.is_some() => (bold(m.small), t.fault.text),
        PdpteStatus::NotPresent => (plain(m.small), t.weak),
        PdpteStatus::Refused { .. } => (plain(m.small), t.fault.text),
    };
    let room = grid.status.span();
    let shown = paint::text_within(ui.painter(), right, Align2::RIGHT_CENTER, word.clone(), font, color, room);
    if row.status == PdpteStatus::Stale {
        let center = shown.left_center() - vec2(0.75 * m.small, 0.0);
        paint::clock(ui.painter(), center, 0.38 * m.small, color);
    }
    describe_status(look, ui, row, Rect::from_x_y_ranges(grid.status, rect.y_range()), &word, color);
}

fn describe_status(look: &Look<'_>, ui: &Ui, row: &PdpteRow, rect: Rect, word: &str, color: Color32) {
    let id = ui.scope_id().with(("PDPTE status", row.index));
    let since = look.history.stale_since[row.index].filter(|_| row.status == PdpteStatus::Stale);
    let sense = if since.is_some() { Sense::click() } else { Sense::hover() };
    let response = ui.interact(rect, id, sense);
    let index = row.index;
    let more = match (row.status, since) {
        (PdpteStatus::Refused { bits }, _) => {
            let bits = explain::bit_list(bits, look.cx.language());
            tr!(look.cx, "Memory has {bits} set: the next load of the registers raises #GP and loads none", bits = bits)
        }
        (_, Some(0)) => tr!(look.cx, "The register differs from memory since the start").to_owned(),
        (_, Some(step)) => {
            let step = look.cx.session.step_number(step);
            tr!(look.cx, "The register differs from memory since step {step}: click to go there", step = step)
        }
        (PdpteStatus::Fresh, _) => tr!(look.cx, "Register and memory agree").to_owned(),
        (PdpteStatus::Present, _) => {
            tr!(look.cx, "This engine reads memory at each walk: no register stands between").to_owned()
        }
        (PdpteStatus::NotPresent, _) => tr!(look.cx, "P = 0: a walk ends here").to_owned(),
        _ => tr!(look.cx, "The register differs from memory").to_owned(),
    };
    let role = if since.is_some() { Role::Button } else { Role::Label };
    let name = tr!(look.cx, "PDPTE {index} {word}. {more}", index = index, word = word, more = more);
    response.widget_info(|| WidgetInfo::labeled(role, true, &name));
    if response.hovered() && since.is_some() {
        ui.painter().hline(rect.x_range(), rect.bottom() - 3.0, Stroke::new(1.0, color));
    }
    if let (true, Some(step)) = (response.clicked(), since) {
        look.cx.send(AppCommand::Seek(step));
    }
    if row.status != PdpteStatus::NotPresent {
        response.on_hover_text(more);
    }
}
