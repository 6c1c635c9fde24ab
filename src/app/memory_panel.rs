//! The left panel: a map of guest memory, the paging structures in it, the engine and its caches.

use egui::{
    Align2, Color32, Mesh, Painter, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2,
};

use super::actions::Action;
use super::hover::{self, Pointed};
use super::tables::{COLUMNS, MAX_TABLES, Reach, Table};
use super::theme::{self, TEXT};
use super::view::{AppCommand, Selection, ViewCx};
use super::widgets::{ListRow, caption, chip, heading};
use super::{audit, engines, focus, menu};
use crate::arch::{Gfn, Mode};
use crate::engine::EngineName;
use crate::explain;
use crate::machine::Caches;
use crate::tr;

/// Room between two groups, in points.
const GROUP: f32 = 8.0;
/// Least width of the column of frame numbers, in points.
const LABELS: f32 = 36.0;
/// So many rows of the map are shown at most; the rest is said in a line.
const MAX_ROWS: usize = 12;
/// So many rows are shown at least, from frame 0 on, in a window of this height and in a lower one.
const TALL: f32 = 520.0;
const MIN_ROWS: [u64; 2] = [6, 2];
/// From this height on the engine stands apart from what scrolls, in points.
const APART: f32 = 380.0;

/// So many rows of the list of tables are there wherever it is scrolled to.
const ROWS_ALWAYS: usize = 24;

/// Draws the panel. The engine stands at its lower end where there is room: a list of tables that grows does
/// not move what is being pressed.
pub fn memory_panel_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let least = MIN_ROWS[usize::from(ui.available_height() < TALL)];
    let tall = least == MIN_ROWS[0];
    if ui.available_height() < APART {
        focus::scroll(ScrollArea::vertical().auto_shrink(false), ui, |ui| {
            memory_ui(cx, ui, least);
            ui.add_space(GROUP);
            machine_ui(cx, ui, tall);
        });
        return;
    }
    let frame = egui::Frame::new().inner_margin(egui::Margin { top: GROUP as i8, ..egui::Margin::ZERO });
    let foot = egui::Panel::bottom("memory: engine").resizable(false).show_separator_line(false).frame(frame);
    foot.show(ui, |ui| machine_ui(cx, ui, tall));
    focus::scroll(ScrollArea::vertical().auto_shrink(false), ui, |ui| memory_ui(cx, ui, least));
}

/// The map of memory and the tables in it.
fn memory_ui(cx: &ViewCx<'_>, ui: &mut Ui, least: u64) {
    heading(ui, cx.tokens, tr!(cx, "Guest memory · {size}", size = size_text(cx.machine.slots.end().0)));
    map_ui(cx, ui, least);
    ui.add_space(GROUP);
    heading(ui, cx.tokens, tr!(cx, "Tables"));
    ui.scope(|ui| tables_ui(cx, ui, cx.structures.tables()));
}

/// The engine and the caches.
fn machine_ui(cx: &ViewCx<'_>, ui: &mut Ui, tall: bool) {
    let broken = ui.horizontal(|ui| {
        ui.spacing_mut().interact_size.y = theme::chip(ui);
        ui.spacing_mut().button_padding.y = 2.0;
        heading(ui, cx.tokens, tr!(cx, "Engine"));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| audit::audit_ui(cx, ui)).inner
    });
    if let Some(broken) = broken.inner {
        ui.label(egui::RichText::new(broken).color(cx.tokens.fault.text));
    }
    engines_ui(cx, ui);
    // A low window has no room for the heading; the chips speak for themselves. The bar, too, leads to the
    // comparison, so there its button stands last.
    if tall {
        compare_ui(cx, ui);
        ui.add_space(GROUP);
        heading(ui, cx.tokens, tr!(cx, "Translation caches"));
    }
    caches_ui(cx, ui);
    if !tall {
        compare_ui(cx, ui);
    }
}

fn size_text(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{} KiB", bytes >> 10) }
}

fn map_ui(cx: &ViewCx<'_>, ui: &mut Ui, least: u64) {
    let found = cx.structures;
    let (shown, more) = found.rows(least, MAX_ROWS);
    let label = |row: u64| format!("{:#05x}", row * COLUMNS).trim_start_matches("0x").to_owned();
    // Of a large memory the numbers are long.
    let longest = label(shown.last().copied().unwrap_or_default());
    let longest = ui.painter().layout_no_wrap(longest, theme::mono(TEXT), cx.tokens.weak).size().x;
    let pitch = ((ui.available_width() - LABELS.max(longest + 6.0)) / COLUMNS as f32).floor().clamp(6.0, 24.0);
    let row_height = (pitch + 4.0).max(18.0);
    let labels = ui.available_width() - pitch * COLUMNS as f32 + 2.0;
    let size = Vec2::new(ui.available_width(), theme::wide(ui, row_height * shown.len() as f32));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let (tables, pages) = (found.tables().len(), found.mapped_count());
    let name = tr!(cx, "Page map: {tables} tables, {pages} pages mapped", tables = tables, pages = pages);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    let frame_at = |pos: egui::Pos2| {
        let (x, y) = ((pos.x - rect.left() - labels) / pitch, (pos.y - rect.top()) / row_height);
        let row = shown.get(y as usize)?;
        (x >= 0.0 && x < COLUMNS as f32).then(|| Gfn(row * COLUMNS + x as u64))
    };
    let in_view = ui.clip_rect().y_range().expand(row_height);
    for (i, row) in shown.iter().enumerate() {
        let middle = rect.top() + row_height * (i as f32 + 0.5);
        if !in_view.contains(middle) {
            continue;
        }
        let at = pos2(rect.left(), middle);
        ui.painter().text(at, Align2::LEFT_CENTER, label(*row), theme::mono(TEXT), cx.tokens.weak);
        for column in 0..COLUMNS {
            let left = rect.left() + labels + pitch * column as f32;
            let cell = Rect::from_min_size(pos2(left, middle - pitch / 2.0 + 1.0), Vec2::splat(pitch - 2.0));
            let gfn = Gfn(row * COLUMNS + column);
            let used = found.is_mapped(gfn) || cx.machine.memory.page(gfn).is_some();
            paint_cell(cx, ui, cell, gfn, found.table_in(gfn), used);
        }
    }
    let pointed = response.hover_pos().and_then(frame_at);
    if let Some(gfn) = pointed {
        hover::point_at(ui, Pointed { entry: None, frame: Some(gfn) });
    }
    let response = match pointed {
        Some(gfn) => response.on_hover_text_at_pointer(frame_text(cx, gfn, found.table_in(gfn), found.is_mapped(gfn))),
        None => response,
    };
    // The menu stays with the page that it was opened on, wherever the pointer goes.
    let opened = response.id.with("page of the menu");
    if let (true, Some(gfn)) = (response.secondary_clicked(), pointed) {
        ui.data_mut(|data| data.insert_temp(opened, gfn));
    }
    let selected = match cx.view.selection {
        Selection::Page(gfn) => Some(gfn),
        _ => None,
    };
    if let Some(gfn) = ui.data(|data| data.get_temp::<Gfn>(opened)).or(selected) {
        menu::page_menu(cx, &response, gfn);
    }
    if response.clicked()
        && let Some(gfn) = pointed
    {
        cx.send(AppCommand::Select(match found.table_in(gfn) {
            Some(table) => Selection::Table { level: table.level, base: table.base },
            None => Selection::Page(gfn),
        }));
    }
    if more > 0 {
        caption(ui, cx.tokens, tr!(cx, "and {count} more rows", count = more));
    }
}

fn table_color(cx: &ViewCx<'_>, table: &Table) -> Color32 {
    match table.reach {
        Reach::Walks => cx.tokens.guest.line,
        Reach::MemoryOnly | Reach::RegisterOnly => cx.tokens.stale.line,
    }
}

fn paint_cell(cx: &ViewCx<'_>, ui: &Ui, cell: Rect, gfn: Gfn, table: Option<&Table>, used: bool) {
    let t = cx.tokens;
    let painter = ui.painter();
    let part = table.is_some_and(|table| table.bytes(cx.machine.cpu.mode()) < crate::arch::address::PAGE_SIZE);
    if table.is_none() || part {
        painter.rect_filled(cell, 2, if used { t.cell_used } else { t.cell });
    }
    if let Some(table) = table {
        let color = table_color(cx, table);
        let width = if part { cell.width() / 2.0 } else { cell.width() };
        let filled = Rect::from_min_size(cell.min, Vec2::new(width.round(), cell.height()));
        painter.rect_filled(filled, 2, color);
        if locked(cx, table) {
            ring(painter, cell.shrink(2.0), t.panel);
        }
        if table.reach == Reach::RegisterOnly {
            painter.line_segment([cell.left_bottom(), cell.right_top()], Stroke::new(1.5, t.panel));
        }
    }
    let selected = match cx.view.selection {
        Selection::Table { base, .. } => base.gfn() == gfn,
        Selection::Entry { gpa, .. } => gpa.gfn() == gfn,
        Selection::Page(page) => page == gfn,
        Selection::Shadow(page) => cx.shadow_page(page).is_some_and(|page| page.gfn == gfn && !page.role.direct),
        Selection::Spte(at) => cx.shadow_page(at.page).is_some_and(|page| page.gfn == gfn && !page.role.direct),
        Selection::None | Selection::PdpteRegister(_) => false,
    };
    if selected || hover::pointed_at(ui).frame == Some(gfn) {
        painter.rect_stroke(cell, 2, Stroke::new(1.5, t.strong), StrokeKind::Outside);
    } else if changed(cx, gfn) {
        painter.rect_stroke(cell, 2, Stroke::new(1.5, t.changed.line), StrokeKind::Outside);
    }
}

/// A line of one point inside a rectangle: a guest with many tables has hundreds, and a stroke with round
/// corners takes longer to draw than all else of a cell.
fn ring(painter: &Painter, rect: Rect, color: Color32) {
    let mut lines = Mesh::default();
    let inner = rect.shrink(1.0);
    lines.add_colored_rect(Rect::from_min_max(rect.min, pos2(rect.right(), inner.top())), color);
    lines.add_colored_rect(Rect::from_min_max(pos2(rect.left(), inner.bottom()), rect.max), color);
    lines.add_colored_rect(Rect::from_min_max(pos2(rect.left(), inner.top()), inner.left_bottom()), color);
    lines.add_colored_rect(Rect::from_min_max(inner.right_top(), pos2(rect.right(), inner.bottom())), color);
    painter.add(lines);
}

fn changed(cx: &ViewCx<'_>, gfn: Gfn) -> bool {
    match (cx.before.memory.page(gfn), cx.machine.memory.page(gfn)) {
        (None, None) => false,
        (Some(old), Some(new)) => !std::ptr::eq(old, new) && old.words() != new.words(),
        _ => true,
    }
}

fn frame_text(cx: &ViewCx<'_>, gfn: Gfn, table: Option<&Table>, mapped: bool) -> String {
    let place = format!("gfn {:#x} · GPA {}", gfn.0, explain::hex(gfn.base().0));
    let what = match table {
        Some(table) => format!("{} · {}", table.name(), table_note(cx, table)),
        None if cx.machine.slots.find(gfn).is_none() => tr!(cx, "no memory here").to_owned(),
        None if mapped => tr!(cx, "a mapped page").to_owned(),
        None if cx.machine.memory.page(gfn).is_some() => tr!(cx, "written, not mapped").to_owned(),
        None => tr!(cx, "never written").to_owned(),
    };
    match changed(cx, gfn) {
        true => format!("{place}\n{what}\n{}", tr!(cx, "just changed")),
        false => format!("{place}\n{what}"),
    }
}

fn table_note(cx: &ViewCx<'_>, table: &Table) -> String {
    let entries = || match table.present {
        1 => tr!(cx, "1 entry").to_owned(),
        count => tr!(cx, "{count} entries", count = count),
    };
    let guarded = if locked(cx, table) { "⊘ " } else { "" };
    match table.reach {
        Reach::MemoryOnly => format!("{guarded}◔ {}", tr!(cx, "not in use yet")),
        Reach::RegisterOnly => format!("{guarded}◔ {}", entries()),
        Reach::Walks if table.level == 3 && cx.machine.cpu.mode() == Mode::Pae => {
            format!("{guarded}{}", tr!(cx, "{count} bytes", count = 32))
        }
        Reach::Walks => format!("{guarded}{}", entries()),
    }
}

/// Whether the hypervisor has taken W from the table's frame.
fn locked(cx: &ViewCx<'_>, table: &Table) -> bool {
    cx.vm.shadow_facts(table.base.gfn(), None).write_protected
}

fn table_hint(cx: &ViewCx<'_>, table: &Table) -> &'static str {
    match table.reach {
        Reach::Walks => tr!(cx, "In use. ⊘: the hypervisor has taken W from its frame, so that it sees every store"),
        Reach::MemoryOnly => {
            tr!(cx, "Only the PDPTEs in memory lead here: walks read it after the next load of the registers")
        }
        Reach::RegisterOnly => tr!(cx, "Only a stale PDPTE register still leads here"),
    }
}

fn tables_ui(cx: &ViewCx<'_>, ui: &mut Ui, found: &[Table]) {
    ui.spacing_mut().item_spacing.y = 0.0;
    if found.is_empty() {
        caption(ui, cx.tokens, tr!(cx, "Paging is off: no tables"));
    }
    for (index, table) in found.iter().enumerate() {
        if !near_view(ui, index) {
            ui.add_space(theme::row(ui));
            continue;
        }
        let selection = Selection::Table { level: table.level, base: table.base };
        let (left, mut right) = (table.name(), table_note(cx, table));
        let width =
            |text: &str| ui.painter().layout_no_wrap(text.to_owned(), theme::plain(TEXT), cx.tokens.text).size().x;
        // What does not fit is said in a word; the whole is said under the pointer.
        if table.reach == Reach::MemoryOnly && width(&left) + width(&right) + 24.0 > ui.available_width() {
            right = format!("◔ {}", tr!(cx, "unused"));
        }
        let color = (table.reach != Reach::Walks).then_some(cx.tokens.stale.text);
        let selected = match cx.view.selection {
            Selection::Entry { level, gpa } => level == table.level && gpa.gfn() == table.base.gfn(),
            other => other == selection,
        };
        let selected = selected || hover::pointed_at(ui).frame == Some(table.base.gfn());
        let row = ListRow { left: &left, right: &right, color, selected };
        let response = row.show(ui, cx.tokens);
        if response.hovered() {
            hover::point_at(ui, Pointed { entry: None, frame: Some(table.base.gfn()) });
        }
        menu::table_menu(cx, &response, crate::arch::Level(table.level), table.base);
        if response.on_hover_text(table_hint(cx, table)).clicked() {
            cx.send(AppCommand::Select(selection));
        }
    }
    if found.len() >= MAX_TABLES {
        caption(ui, cx.tokens, tr!(cx, "The first {count} tables", count = MAX_TABLES));
    }
}

/// Whether the next row of a list is in view, or so near that the keyboard can go on to it. The first rows
/// are there always, and a short list as a whole.
fn near_view(ui: &Ui, index: usize) -> bool {
    let next = Rect::from_min_size(ui.cursor().min, Vec2::new(1.0, theme::row(ui)));
    index < ROWS_ALWAYS || ui.clip_rect().expand(2.0 * theme::row(ui)).y_range().contains(next.center().y)
}

fn engines_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(5.0);
        ui.spacing_mut().interact_size.y = theme::chip(ui);
        ui.horizontal_wrapped(|ui| EngineName::ALL.iter().for_each(|engine| engine_ui(cx, ui, *engine)));
    });
}

/// The way to all engines at once.
fn compare_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.add_space(2.0);
    let size = Vec2::new(ui.available_width(), theme::control(ui));
    let button = egui::Button::new(tr!(cx, "Compare side by side")).min_size(size);
    let layout = egui::Layout::top_down_justified(egui::Align::Center);
    let response = ui.allocate_ui_with_layout(size, layout, |ui| ui.add(button)).inner;
    if response.on_hover_text(Action::Compare.tip(ui.ctx(), cx.language())).clicked() {
        Action::Compare.send(cx);
    }
}

fn engine_ui(cx: &ViewCx<'_>, ui: &mut Ui, engine: EngineName) {
    let on = cx.session.engine() == engine;
    let (label, meaning) = (engines::label(engine, cx.language()), engines::meaning(engine, cx.language()));
    let response = chip(ui, cx.tokens, label, on, &tr!(cx, "Engine: {meaning}", meaning = meaning));
    if response.on_hover_text(tr!(cx, "The same commands on {machine}", machine = meaning)).clicked() && !on {
        cx.send(AppCommand::SetEngine(engine));
    }
}

fn caches_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let (t, caches, machine) = (cx.tokens, cx.session.caches(), cx.machine);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let hint = tr!(cx, "Pages that the TLB holds. A click replays every command with or without it.");
        let text = format!("TLB · {}", machine.tlb.len());
        if chip(ui, t, &text, caches.tlb, "TLB").on_hover_text(hint).clicked() {
            cx.send(AppCommand::SetCaches(Caches { tlb: !caches.tlb, ..caches }));
        }
        let text = format!("{} · {}", tr!(cx, "Structures"), machine.psc.len());
        let structures = chip(ui, t, &text, caches.structures, tr!(cx, "Paging-structure caches"));
        let hint = tr!(
            cx,
            "Prefixes that the paging-structure caches hold. A click replays every command with or without them."
        );
        if structures.on_hover_text(hint).clicked() {
            cx.send(AppCommand::SetCaches(Caches { structures: !caches.structures, ..caches }));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables() {
        let table = Table { level: 2, base: crate::arch::Gpa(0x5000), present: 4, reach: Reach::Walks };
        assert_eq!(table.name(), format!("{} 0x5000", Mode::table_name(crate::arch::Level(2))));
        assert_eq!(size_text(16 << 20), "16 MiB");
    }
}
