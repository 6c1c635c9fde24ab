//! The map of guest memory: a cell for each frame, sixteen in a row.

use std::sync::Arc;

use egui::{
    Align2, Color32, Id, Mesh, Painter, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::{locked, table_note};
use crate::app::hover::{self, Pointed};
use crate::app::menu;
use crate::app::tables::{COLUMNS, Reach, Table};
use crate::app::theme::{self, TEXT};
use crate::app::view::{AppCommand, Selection, StateId, ViewCx};
use crate::app::widgets::caption;
use crate::arch::Gfn;
use crate::arch::address::PAGE_SIZE;
use crate::{explain, tr};

/// Least width of the column of frame numbers, in points.
const LABELS: f32 = 36.0;
/// So many rows are shown at most; the rest is said in a line.
const MAX_ROWS: usize = 12;

/// A frame, as the map shows it.
struct Cell {
    gfn: Gfn,
    /// The table that it holds, and whether the hypervisor has taken W from it.
    table: Option<(Table, bool)>,
    /// It is mapped, or something was written there.
    used: bool,
    /// The command in focus changed it.
    changed: bool,
}

/// The rows of the map.
struct Map {
    /// The rows shown, by the number of the first frame over [`COLUMNS`].
    rows: Vec<u64>,
    /// So many more rows are in use.
    more: usize,
    /// [`COLUMNS`] for each row.
    cells: Vec<Cell>,
}

impl Map {
    /// The map of the state shown. Pages are compared and shadow pages looked up when the state is another one,
    /// not on every pass.
    fn of(cx: &ViewCx<'_>, ui: &Ui, room: u64) -> Arc<Self> {
        type Key = (StateId, u64);
        let (key, id): (Key, Id) = ((cx.state, room), Id::unique("page map"));
        if let Some((known, map)) = ui.data(|data| data.get_temp::<(Key, Arc<Self>)>(id))
            && known == key
        {
            return map;
        }
        let map = Arc::new(Self::read(cx, room));
        ui.data_mut(|data| data.insert_temp(id, (key, Arc::clone(&map))));
        map
    }

    fn read(cx: &ViewCx<'_>, room: u64) -> Self {
        let found = cx.structures;
        let (rows, more) = found.rows_filling(room, MAX_ROWS);
        let cell = |gfn| Cell {
            gfn,
            table: found.table_in(gfn).map(|table| (*table, locked(cx, table))),
            used: found.is_mapped(gfn) || cx.machine.memory.page(gfn).is_some(),
            changed: changed(cx, gfn),
        };
        let cells = rows.iter().flat_map(|row| (0..COLUMNS).map(move |column| cell(Gfn(row * COLUMNS + column))));
        let cells = cells.collect();
        Self { rows, more, cells }
    }
}

/// The number of a row's first frame.
fn label(row: u64) -> String {
    format!("{:#05x}", row * COLUMNS).trim_start_matches("0x").to_owned()
}

/// How far apart cells and rows stand in a room of this width, in points.
fn pitches(cx: &ViewCx<'_>, ui: &Ui, width: f32) -> (f32, f32) {
    // Of a large memory the numbers are long.
    let longest = label(cx.machine.slots.end().0.saturating_sub(1) / PAGE_SIZE / COLUMNS);
    let longest = ui.painter().layout_no_wrap(longest, theme::mono(TEXT), cx.tokens.weak).size().x;
    let pitch = ((width - LABELS.max(longest + 6.0)) / COLUMNS as f32).floor().clamp(6.0, 24.0);
    (pitch, (pitch + 4.0).max(18.0))
}

/// How many whole rows fit, and how high they are together, in points.
pub(super) fn rows_within(cx: &ViewCx<'_>, ui: &Ui, room: f32) -> (u64, f32) {
    let width = ui.available_width() - ui.spacing().scroll.allocated_width();
    let (_, row_height) = pitches(cx, ui, width);
    let rows = (room / row_height).floor().max(1.0);
    (rows as u64, theme::wide(ui, rows * row_height))
}

/// Draws the map. It fills `room` rows, and has more where more are in use.
pub(super) fn map_ui(cx: &ViewCx<'_>, ui: &mut Ui, room: u64) {
    let found = cx.structures;
    let map = Map::of(cx, ui, room);
    let (pitch, row_height) = pitches(cx, ui, ui.available_width());
    let labels = ui.available_width() - pitch * COLUMNS as f32 + 2.0;
    let size = Vec2::new(ui.available_width(), theme::wide(ui, row_height * map.rows.len() as f32));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let (tables, pages) = (found.tables().len(), found.mapped_count());
    let name = tr!(cx, "Page map: {tables} tables, {pages} pages mapped", tables = tables, pages = pages);
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &name));
    let frame_at = |pos: egui::Pos2| {
        let (x, y) = ((pos.x - rect.left() - labels) / pitch, (pos.y - rect.top()) / row_height);
        let row = map.rows.get(y as usize)?;
        (x >= 0.0 && x < COLUMNS as f32).then(|| Gfn(row * COLUMNS + x as u64))
    };
    let in_view = ui.clip_rect().y_range().expand(row_height);
    let (selected, pointed) = (selected_frame(cx), hover::pointed_at(ui).frame);
    let mut rings = Mesh::default();
    for (i, (row, cells)) in map.rows.iter().zip(map.cells.chunks(COLUMNS as usize)).enumerate() {
        let middle = rect.top() + row_height * (i as f32 + 0.5);
        if !in_view.contains(middle) {
            continue;
        }
        let at = pos2(rect.left(), middle);
        ui.painter().text(at, Align2::LEFT_CENTER, label(*row), theme::mono(TEXT), cx.tokens.weak);
        for (column, cell) in cells.iter().enumerate() {
            let left = rect.left() + labels + pitch * column as f32;
            let square = Rect::from_min_size(pos2(left, middle - pitch / 2.0 + 1.0), Vec2::splat(pitch - 2.0));
            let marked = [selected, pointed].contains(&Some(cell.gfn));
            paint_cell(cx, ui.painter(), square, cell, marked, &mut rings);
        }
    }
    ui.painter().add(rings);
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
    if map.more > 0 {
        caption(ui, cx.tokens, tr!(cx, "and {count} more rows", count = map.more));
    }
}

fn table_color(cx: &ViewCx<'_>, table: &Table) -> Color32 {
    match table.reach {
        Reach::Walks => cx.tokens.guest.line,
        Reach::MemoryOnly | Reach::RegisterOnly => cx.tokens.stale.line,
    }
}

/// The frame of what is selected, whether guest's or hypervisor's.
fn selected_frame(cx: &ViewCx<'_>) -> Option<Gfn> {
    let shadowed = |page| cx.shadow_page(page).filter(|page| !page.role.direct).map(|page| page.gfn);
    match cx.view.selection {
        Selection::Table { base, .. } => Some(base.gfn()),
        Selection::Entry { gpa, .. } => Some(gpa.gfn()),
        Selection::Page(page) => Some(page),
        Selection::Shadow(page) => shadowed(page),
        Selection::Spte(at) => shadowed(at.page),
        Selection::None | Selection::PdpteRegister(_) => None,
    }
}

/// Paints a cell into its square; the ring of a table that the hypervisor guards comes into `rings`.
fn paint_cell(cx: &ViewCx<'_>, painter: &Painter, square: Rect, cell: &Cell, marked: bool, rings: &mut Mesh) {
    let t = cx.tokens;
    let part = cell.table.is_some_and(|(table, _)| table.bytes(cx.machine.cpu.mode()) < PAGE_SIZE);
    if cell.table.is_none() || part {
        painter.rect_filled(square, 2, if cell.used { t.cell_used } else { t.cell });
    }
    if let Some((table, locked)) = &cell.table {
        let width = if part { square.width() / 2.0 } else { square.width() };
        let filled = Rect::from_min_size(square.min, vec2(width.round(), square.height()));
        painter.rect_filled(filled, 2, table_color(cx, table));
        if *locked {
            ring(rings, square.shrink(2.0), t.panel);
        }
        if table.reach == Reach::RegisterOnly {
            painter.line_segment([square.left_bottom(), square.right_top()], Stroke::new(1.5, t.panel));
        }
    }
    if marked {
        painter.rect_stroke(square, 2, Stroke::new(1.5, t.strong), StrokeKind::Outside);
    } else if cell.changed {
        painter.rect_stroke(square, 2, Stroke::new(1.5, t.changed.line), StrokeKind::Outside);
    }
}

/// A line of one point inside a rectangle: a guest with many tables has hundreds, and a stroke with round
/// corners takes longer to draw than all else of a cell.
fn ring(lines: &mut Mesh, rect: Rect, color: Color32) {
    let inner = rect.shrink(1.0);
    lines.add_colored_rect(Rect::from_min_max(rect.min, pos2(rect.right(), inner.top())), color);
    lines.add_colored_rect(Rect::from_min_max(pos2(rect.left(), inner.bottom()), rect.max), color);
    lines.add_colored_rect(Rect::from_min_max(pos2(rect.left(), inner.top()), inner.left_bottom()), color);
    lines.add_colored_rect(Rect::from_min_max(inner.right_top(), pos2(rect.right(), inner.bottom())), color);
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
