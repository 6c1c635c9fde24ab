//! The address space from afar: every table as a strip of cells, one an entry. Where rows would be too
//! low to be read, this stands in their place; levels keep their order from left to right.

use std::collections::BTreeSet;

use egui::{
    Align2, Color32, Rangef, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::layout::Shape;
use super::words;
use crate::app::focus;
use crate::app::hover::{self, Pointed};
use crate::app::tables::{MAX_TABLES, Reach, Table};
use crate::app::theme::{self, bold, mono, plain};
use crate::app::view::{AppCommand, Selection, ViewCx};
use crate::arch::entry::{self, P};
use crate::arch::{Gfn, Gpa, Level, Mode, TableMemory as _, pdpte};
use crate::engine::AnyVm;
use crate::engine::shadow::{PageId, ShadowPage, SpteRef};
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
    let highest = guest.iter().map(|(_, tables)| tables.len()).max().unwrap_or(0)
        + shadow.iter().map(|(_, pages)| pages.len()).max().unwrap_or(0);
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
            columns(cx, ui, room, side, &guest, |table| guest_strip(cx, table, &read));
        }
        if found.tables().len() >= MAX_TABLES {
            line(ui, &tr!(cx, "The first {count} tables", count = MAX_TABLES), cx.tokens.weak);
        }
        if !shadow.is_empty() {
            line(ui, tr!(cx, "Shadow — what the CPU really walks"), cx.tokens.shadow.text);
            columns(cx, ui, room, side, &shadow, |(id, page)| shadow_strip(cx, *id, page));
        }
        ui.add_space(10.0);
    });
}

/// The side of a cell: as the zoom says, or larger where everything fits all the same.
fn side(row: f32, room: f32, strips: usize, across: usize) -> f32 {
    let zoomed = (5.0 * row / READABLE).clamp(2.0, 5.0);
    let rows = (512 / across) as f32;
    let fits = |side: &f32| strips as f32 * (TITLE + BELOW + rows * side) + 120.0 <= room;
    [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0].into_iter().find(fits).map_or(zoomed, |side| side.max(zoomed))
}

/// The entries that the walk in focus has read.
fn walked(cx: &ViewCx<'_>) -> BTreeSet<Gpa> {
    let read = |event: &Event| match event {
        Event::WalkRead { gpa, .. } => Some(*gpa),
        _ => None,
    };
    cx.happened().iter().filter_map(read).collect()
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
            let height = TITLE + BELOW + grid_height(cx, *level, width, side);
            // What is out of view costs nothing.
            if ui.is_rect_visible(Rect::from_x_y_ranges(x, Rangef::new(y, y + height))) {
                strip_ui(cx, ui, &strip(table), x, y, side);
            }
            y += height;
        }
        let note = match tables.len() {
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
fn grid_height(cx: &ViewCx<'_>, level: Level, width: f32, side: f32) -> f32 {
    let cells = cx.machine.cpu.mode().entries(level);
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

fn guest_strip<'a>(cx: &ViewCx<'a>, table: &Table, read: &BTreeSet<Gpa>) -> Strip<'a> {
    let mode = cx.machine.cpu.mode();
    let (level, base) = (Level(table.level), table.base);
    let count = mode.entries(level);
    let place = move |index: usize| Gpa(base.0 + ((index as u64) << mode.entry_shift()));
    let is_pdpt = mode == Mode::Pae && level == pdpte::LEVEL;
    let sized = entry::page_size_bit_counts(mode, level, cx.machine.cpu.regs.cr4);
    let is_leaf = move |value: u64| !is_pdpt && (level.0 == 1 || sized && value & entry::PS != 0);
    let cell = |index: usize| {
        let value = cx.machine.memory.read_entry(place(index), mode.entry_shift());
        let before = cx.before.memory.read_entry(place(index), mode.entry_shift());
        let stale = table.reach != Reach::Walks || is_pdpt && cx.machine.pdpte_is_stale(index);
        Cell::of_guest(value, before, is_leaf(value), stale)
    };
    let cells: Vec<Cell> = (0..count).map(cell).collect();
    let (machine, language) = (cx.machine, cx.language());
    let tell = move |index: usize| {
        let value = machine.memory.read_entry(place(index), mode.entry_shift());
        let leaf = is_leaf(value);
        let bits = words::entry_bits(value, leaf, leaf && level.0 > 1, language);
        let text = format!(
            "{} {index}: 0x{}\n{bits}",
            Mode::entry_name(level),
            words::grouped(value, 2 * mode.entry_size() as usize)
        );
        (text, Selection::Entry { level: level.0, gpa: place(index) })
    };
    let selected = match cx.view.selection {
        Selection::Table { base: other, .. } => other == base,
        Selection::Entry { gpa, level: of } => of == level.0 && gpa.gfn() == base.gfn(),
        _ => false,
    };
    Strip {
        title: format!("{} {}", Mode::table_name(level), words::gfn(base)),
        beside: table.present.to_string(),
        walked: (0..count).map(|index| read.contains(&place(index))).collect(),
        cells,
        tell: Box::new(tell),
        whole: Selection::Table { level: level.0, base },
        selected,
        frame: Some(base.gfn()),
        shadow: false,
    }
}

fn shadow_strip<'a>(cx: &ViewCx<'a>, id: PageId, page: &'a ShadowPage) -> Strip<'a> {
    let before = match cx.before_vm {
        AnyVm::Shadow(vm) => vm.engine.pool.get(id).filter(|old| old.gfn == page.gfn && old.role == page.role),
        AnyVm::Native(_) | AnyVm::TwoDim(_) => None,
    };
    let leaf = page.role.level == 1;
    let cell = |(index, value): (usize, u64)| {
        let old = before.map_or(0, |old| old.spt[index]);
        let stale = page.unsync && value & P != 0;
        Cell::of_guest(value, old, leaf, stale)
    };
    let level = page.role.level;
    let tell = move |index: usize| {
        let text = format!("spte L{level}[{index}]: 0x{}", words::grouped(page.spt[index], 8));
        (text, Selection::Spte(SpteRef { page: id, index: index as u16 }))
    };
    let selected = match cx.view.selection {
        Selection::Shadow(other) => other == id,
        Selection::Spte(at) => at.page == id,
        _ => false,
    };
    let walked = vec![false; ENTRIES];
    Strip {
        title: format!("{} {:x}", Mode::table_name(Level(level)), id.frame().0),
        beside: format!("gfn {:#x}", page.gfn.0),
        cells: page.spt.iter().enumerate().map(cell).collect(),
        walked,
        tell: Box::new(tell),
        whole: Selection::Shadow(id),
        selected,
        frame: (!page.role.direct).then_some(page.gfn),
        shadow: true,
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
