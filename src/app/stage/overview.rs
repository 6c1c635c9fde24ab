//! The address space from afar: every table as a strip of cells, one an entry. Where rows would be too
//! low to be read, this stands in their place; levels keep their order from left to right.

mod strips; // a table as cells

use std::collections::BTreeSet;

use egui::{
    Align2, Color32, Rangef, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use strips::{guest_strip, nested_strip, shadow_strip};

use super::layout::Shape;
use crate::app::focus;
use crate::app::hover::{self, Pointed};
use crate::app::tables::{MAX_TABLES, Table};
use crate::app::theme::{self, bold, mono, plain};
use crate::app::view::{AppCommand, Selection, ViewCx};
use crate::arch::entry::{self, P};
use crate::arch::{Gfn, Gpa, Hpa, Level, Mode};
use crate::engine::AnyVm;
use crate::engine::shadow::{PageId, ShadowPage};
use crate::engine::twodim::{Nested, NestedTable};
use crate::machine::Event;
use crate::machine::table::ENTRIES;
use crate::{tr, word};

/// Rows that would be lower than this, in points, become cells.
pub const READABLE: f32 = 8.0;
/// Tables of a level that are shown at most.
const MOST: usize = 64;
/// Height of a table's title, and the room below a strip, in points.
const TITLE: f32 = 24.0;
const BELOW: f32 = 12.0;
const MARGIN: f32 = 18.0;
/// Room between two levels, in points.
const GAP: f32 = 22.0;

/// What an entry is, as far as its cell is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// P = 0.
    NotPresent,
    /// It leads to a table.
    Table,
    /// It maps a page.
    Page,
    /// It maps a page and has A.
    Touched,
    /// The command in focus changed it.
    Changed,
    /// Registers and memory differ about it, or about the way to it.
    Stale,
}

impl Cell {
    const ALL: [Self; 6] = [Self::NotPresent, Self::Table, Self::Page, Self::Touched, Self::Changed, Self::Stale];

    const fn word(self) -> &'static str {
        match self {
            Self::NotPresent => word!("not present"),
            Self::Table => word!("table"),
            Self::Page => word!("page"),
            Self::Touched => word!("page, accessed"),
            Self::Changed => word!("just changed"),
            Self::Stale => word!("stale"),
        }
    }

    /// What a guest entry is.
    #[must_use]
    pub const fn of_guest(value: u64, before: u64, leaf: bool, stale: bool) -> Self {
        match () {
            () if value != before => Self::Changed,
            () if value & P == 0 => Self::NotPresent,
            () if stale => Self::Stale,
            () if !leaf => Self::Table,
            () if value & entry::A != 0 => Self::Touched,
            () => Self::Page,
        }
    }
}

/// The entries that the walk in focus read.
#[derive(Default)]
struct Walked {
    guest: BTreeSet<Gpa>,
    nested: BTreeSet<Hpa>,
}

/// A strip and what it stands for.
struct Strip<'a> {
    title: String,
    beside: String,
    cells: Vec<Cell>,
    /// Whether each entry was read by the walk in focus.
    walked: Vec<bool>,
    /// What a cell says, and what a click on it selects.
    tell: Box<dyn Fn(usize) -> (String, Selection) + 'a>,
    whole: Selection,
    selected: bool,
    frame: Option<Gfn>,
    shadow: bool,
}

/// Draws all tables in the room of `ui`; `row` is how high rows would be.
pub fn overview_ui(cx: &ViewCx<'_>, ui: &mut Ui, row: f32) {
    let room = ui.available_rect_before_wrap();
    let shape = Shape::of(cx.vm);
    let levels: Vec<Level> = Level::down_from(shape.columns()).collect();
    let found = cx.structures;
    let read = walked(cx);
    let guest: Vec<(Level, Vec<&Table>)> = levels
        .iter()
        .map(|level| (*level, found.tables().iter().filter(|table| table.level == level.0).collect()))
        .collect();
    let shadow: Vec<(Level, Vec<(PageId, &ShadowPage)>)> = match cx.vm {
        AnyVm::Shadow(vm) => {
            let of = |level: Level| vm.engine.pool.iter().filter(move |(_, page)| page.role.level == level.0);
            levels.iter().map(|level| (*level, of(*level).collect())).collect()
        }
        AnyVm::Native(_) | AnyVm::TwoDim(_) => Vec::new(),
    };
    let nested = match cx.vm {
        AnyVm::TwoDim(vm) => nested_levels(&vm.engine.nested),
        AnyVm::Native(_) | AnyVm::Shadow(_) => Vec::new(),
    };
    let highest = guest.iter().map(|(_, tables)| tables.len()).max().unwrap_or(0)
        + shadow.iter().map(|(_, pages)| pages.len()).max().unwrap_or(0)
        + nested.iter().map(|(_, tables)| tables.len()).max().unwrap_or(0);
    let (of_guest, all) = (|level| shape.mode.entries(level), |_| ENTRIES);
    let width = column_width(room, levels.len());
    let side = side(row, room.height(), highest.min(2 * MOST), across(width));
    focus::scroll(ScrollArea::vertical().id_salt("stage from afar").auto_shrink(false), ui, |ui| {
        super::pan(cx, ui);
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        ui.add_space(10.0);
        legend(cx, ui);
        if levels.is_empty() || shape.mode == Mode::Off {
            line(ui, tr!(cx, "Paging is off: there are no tables of the guest"), cx.tokens.weak);
        } else {
            line(ui, tr!(cx, "Guest — what the guest wrote"), cx.tokens.guest.text);
            columns(cx, ui, room, side, &guest, of_guest, |table| guest_strip(cx, table, &read.guest));
        }
        if found.tables().len() >= MAX_TABLES {
            line(ui, &tr!(cx, "The first {count} tables", count = MAX_TABLES), cx.tokens.weak);
        }
        if !shadow.is_empty() {
            line(ui, tr!(cx, "Shadow — what the CPU really walks"), cx.tokens.shadow.text);
            columns(cx, ui, room, side, &shadow, all, |(id, page)| shadow_strip(cx, *id, page));
        }
        if let AnyVm::TwoDim(vm) = cx.vm {
            let kind = vm.engine.kind.name();
            line(ui, &tr!(cx, "{kind} — from guest-physical to host-physical", kind = kind), cx.tokens.shadow.text);
            columns(cx, ui, room, side, &nested, all, |at| nested_strip(cx, vm, *at, &read.nested));
        }
        ui.add_space(10.0);
    });
}

/// The tables of the second dimension, from the top level down.
fn nested_levels(nested: &Nested) -> Vec<(Level, Vec<NestedTable>)> {
    let tables = nested.all_tables();
    let of = |level: Level| tables.iter().filter(|at| at.level == level.0).copied().collect();
    Level::down_from(nested.levels()).map(|level| (level, of(level))).collect()
}

/// The side of a cell: as the zoom says, or larger where everything fits all the same.
fn side(row: f32, room: f32, strips: usize, across: usize) -> f32 {
    let zoomed = (5.0 * row / READABLE).clamp(2.0, 5.0);
    let rows = (512 / across) as f32;
    let fits = |side: &f32| strips as f32 * (TITLE + BELOW + rows * side) + 120.0 <= room;
    [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0].into_iter().find(fits).map_or(zoomed, |side| side.max(zoomed))
}

/// The entries that the walk in focus has read.
fn walked(cx: &ViewCx<'_>) -> Walked {
    let mut read = Walked::default();
    for event in cx.happened() {
        match event {
            Event::WalkRead { gpa, .. } => read.guest.insert(*gpa),
            Event::NestedRead { hpa, .. } => read.nested.insert(*hpa),
            _ => false,
        };
    }
    read
}

fn line(ui: &mut Ui, text: &str, color: Color32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 28.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    let at = pos2(rect.left() + MARGIN, rect.center().y);
    ui.painter().text(at, Align2::LEFT_CENTER, text, bold(14.0), color);
}

fn color(cx: &ViewCx<'_>, cell: Cell, shadow: bool) -> Color32 {
    let t = cx.tokens;
    match cell {
        Cell::NotPresent => t.cell,
        Cell::Table if shadow => t.shadow.line,
        Cell::Table => t.guest.line,
        Cell::Page => t.rail,
        Cell::Touched => t.strong,
        Cell::Changed => t.changed.line,
        Cell::Stale => t.stale.line,
    }
}

/// What the colours mean.
fn legend(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    let margin = egui::Margin::symmetric(MARGIN as i8, 0);
    egui::Frame::new().inner_margin(margin).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            for cell in Cell::ALL {
                let galley = ui.painter().layout_no_wrap(cx.tr(cell.word()).to_owned(), plain(14.0), t.weak);
                let size = vec2(galley.size().x + 34.0, 22.0);
                let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
                response.widget_info(|| WidgetInfo::labeled(Role::Label, true, cx.tr(cell.word())));
                let square = Rect::from_center_size(pos2(rect.left() + 6.0, rect.center().y), Vec2::splat(11.0));
                ui.painter().rect(square, 2, color(cx, cell, false), Stroke::new(1.0, t.border), StrokeKind::Inside);
                ui.painter().galley(pos2(rect.left() + 18.0, rect.center().y - 0.5 * galley.size().y), galley, t.weak);
            }
        })
    });
}

/// A column of strips for each level.
fn columns<'a, T>(
    cx: &ViewCx<'_>,
    ui: &mut Ui,
    room: Rect,
    side: f32,
    levels: &[(Level, Vec<T>)],
    entries: impl Fn(Level) -> usize,
    strip: impl Fn(&T) -> Strip<'a>,
) {
    let top = ui.cursor().top();
    let width = column_width(room, levels.len());
    let mut bottom = top;
    for (at, (level, tables)) in levels.iter().enumerate() {
        let left = room.left() + MARGIN + (width + GAP) * at as f32;
        let x = Rangef::new(left, left + width);
        let mut y = top;
        for table in tables.iter().take(MOST) {
            let height = TITLE + BELOW + grid_height(entries(*level), width, side);
            // What is out of view costs nothing.
            if ui.is_rect_visible(Rect::from_x_y_ranges(x, Rangef::new(y, y + height))) {
                strip_ui(cx, ui, &strip(table), x, y, side);
            }
            y += height;
        }
        let note = match tables.len() {
            0 if levels[..at].iter().all(|(_, above)| above.is_empty()) => String::new(),
            0 => tr!(cx, "no {table}", table = Mode::table_name(*level)),
            n if n > MOST => tr!(cx, "and {more} more", more = n - MOST),
            _ => String::new(),
        };
        if !note.is_empty() {
            let place = pos2(x.min, y + 0.5 * TITLE);
            ui.painter().text(place, Align2::LEFT_CENTER, note, plain(14.0), cx.tokens.weak);
            y += TITLE;
        }
        bottom = bottom.max(y);
    }
    ui.allocate_exact_size(vec2(ui.available_width(), bottom - top), Sense::hover());
}

/// How high the cells of a level's tables stand.
fn grid_height(cells: usize, width: f32, side: f32) -> f32 {
    let (across, size) = grid(cells, width, side);
    cells.div_ceil(across) as f32 * size.y
}

fn column_width(room: Rect, levels: usize) -> f32 {
    let levels = levels.max(1) as f32;
    (room.width() - 2.0 * MARGIN - GAP * (levels - 1.0)) / levels
}

/// How many cells stand in a row.
fn across(width: f32) -> usize {
    if 64.0 * 2.0 + 6.0 <= width { 64 } else { 32 }
}

/// How cells stand: how many in a row, and the size of one.
fn grid(cells: usize, width: f32, side: f32) -> (usize, Vec2) {
    if cells <= 8 {
        let wide = ((width - 6.0) / cells as f32).min(30.0);
        return (cells, vec2(wide, 2.0 * side));
    }
    let across = across(width);
    let wide = ((width - 6.0) / across as f32).floor().clamp(1.0, 1.2 * side);
    (across, vec2(wide, side))
}

fn strip_ui(cx: &ViewCx<'_>, ui: &Ui, strip: &Strip<'_>, x: Rangef, top: f32, side: f32) {
    let t = cx.tokens;
    let (across, size) = grid(strip.cells.len(), x.span(), side);
    let rows = strip.cells.len().div_ceil(across);
    let body =
        Rect::from_min_size(pos2(x.min + 3.0, top + TITLE + 1.0), vec2(across as f32 * size.x, rows as f32 * size.y));
    let whole = Rect::from_min_max(pos2(x.min, top), pos2(x.max, body.bottom()));
    let hue = if strip.shadow { t.shadow } else { t.guest };
    let id = ui.scope_id().with(("strip", strip.shadow, &strip.title));
    let response = ui.interact(theme::target(ui, whole), id, Sense::click());
    let present = strip.cells.iter().filter(|cell| **cell != Cell::NotPresent).count();
    let all = strip.cells.len();
    let name =
        tr!(cx, "{table}: {present} of {all} entries, unfold", table = strip.title, present = present, all = all);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, strip.selected, &name));
    let middle = top + 0.5 * TITLE;
    let title = ui.painter().text(pos2(x.min, middle), Align2::LEFT_CENTER, &strip.title, bold(14.0), hue.text);
    let beside = pos2(title.right() + 8.0, middle);
    if beside.x + 60.0 < x.max {
        ui.painter().text(beside, Align2::LEFT_CENTER, &strip.beside, mono(14.0), t.weak);
    }
    paint_cells(cx, ui, strip, body, (across, size));
    let lit =
        strip.selected || response.has_focus() || strip.frame.is_some() && hover::pointed_at(ui).frame == strip.frame;
    let edge = if lit { hue.line } else { hue.edge };
    ui.painter().rect_stroke(body.expand(2.0), 3, Stroke::new(if lit { 2.0 } else { 1.0 }, edge), StrokeKind::Outside);
    let cell_at = |at: egui::Pos2| {
        let (column, row) = ((at.x - body.left()) / size.x, (at.y - body.top()) / size.y);
        let index = row as usize * across + column as usize;
        (body.contains(at) && index < all).then_some(index)
    };
    let pointed = response.hover_pos().and_then(cell_at);
    if response.hovered() {
        hover::point_at(ui, Pointed { entry: None, frame: strip.frame });
    }
    if response.clicked() {
        let selection = pointed.map_or(strip.whole, |index| (strip.tell)(index).1);
        cx.send(AppCommand::Select(selection));
        cx.send(AppCommand::Zoom(1.0));
    }
    match pointed {
        Some(index) => {
            let words = format!("{}\n{}", (strip.tell)(index).0, cx.tr(strip.cells[index].word()));
            response.on_hover_text_at_pointer(words);
        }
        None => {
            response.on_hover_text(name);
        }
    }
}

/// Equal neighbours become one rectangle: most of a table is nothing.
fn paint_cells(cx: &ViewCx<'_>, ui: &Ui, strip: &Strip<'_>, body: Rect, (across, size): (usize, Vec2)) {
    let t = cx.tokens;
    ui.painter().rect_filled(body, 0, t.cell);
    let place = |index: usize| {
        let at = vec2((index % across) as f32 * size.x, (index / across) as f32 * size.y);
        Rect::from_min_size(body.min + at, size)
    };
    let mut first = 0;
    while first < strip.cells.len() {
        let (cell, row) = (strip.cells[first], first / across);
        let same = |at: &usize| *at / across == row && strip.cells[*at] == cell;
        let end = (first..strip.cells.len()).take_while(same).last().unwrap_or(first);
        if cell != Cell::NotPresent {
            let mut run = place(first).union(place(end));
            run.max.y -= 0.5;
            ui.painter().rect_filled(run, 0, color(cx, cell, strip.shadow));
        }
        first = end + 1;
    }
    for index in (0..strip.walked.len()).filter(|index| strip.walked[*index]) {
        let mark = place(index).expand(1.5);
        ui.painter().rect_stroke(mark, 1, Stroke::new(1.5, t.primary), StrokeKind::Outside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_say_what_entries_are() {
        let of = |value, before, leaf, stale| Cell::of_guest(value, before, leaf, stale);
        assert_eq!(of(0, 0, true, false), Cell::NotPresent);
        assert_eq!(of(0, 7, true, false), Cell::Changed);
        assert_eq!(of(7, 7, true, false), Cell::Page);
        assert_eq!(of(0x27, 0x27, true, false), Cell::Touched);
        assert_eq!(of(0x27, 0x27, false, false), Cell::Table);
        assert_eq!(of(7, 7, false, true), Cell::Stale);
        assert_eq!(of(6, 6, false, true), Cell::NotPresent);
    }

    #[test]
    fn every_entry_has_a_cell() {
        for (cells, width) in [(4, 100.0), (512, 100.0), (512, 170.0), (1024, 320.0)] {
            let (across, size) = grid(cells, width, 5.0);
            assert!(across as f32 * size.x <= width + 0.5, "{cells} in {width}");
            assert!(size.x >= 1.0 && cells % across == 0);
        }
    }
}
