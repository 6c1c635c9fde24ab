//! The stage: the walk of one address through the tables, and what the processor has cached.
//!
//! [`model`] says what is shown, [`layout`] where; the other files paint it. The guest's tables
//! stand above, what the processor has cached of them below, a level in the same column in both.

mod arrows; // from row to table, and the ghost
mod cache_row; // paging-structure caches and TLB
pub mod cached; // what they hold, as values
mod guest_row; // rows of a guest table
pub mod history; // since when registers are as they are
pub mod layout; // columns, rows, densities
mod letters; // flags of a row
pub mod lower; // the hypervisor's half, as values
mod lower_row; // the hypervisor's half, painted
pub mod model; // what is shown, as values
pub mod overview; // every table from afar
mod page_card; // where the path ends
mod paint; // strokes shared by the files here
pub mod path; // the walk of the address in view
mod pdpte_card; // the PDPTE registers
mod rails; // from a guest table to its shadows
mod reloads; // the table "what reloads these registers"
mod ribbon; // the address and its fields
mod root_register; // CR3, where a column is free for it
pub mod rows; // 512 entries in a dozen lines
mod table_card; // one table
mod trail; // arrows in motion
pub mod words; // short words

use std::sync::Arc;

use egui::{Align2, Id, Pos2, Rect, ScrollArea, Sense, Ui, pos2, vec2};

use super::focus;
use super::theme::{Tokens, bold};
use super::view::{AppCommand, Composer, Selection, StateId, ViewCx};
use crate::arch::{Access, Level, Mode, pdpte};
use crate::engine::AnyVm;
use crate::machine::Event;
use crate::tr;
use guest_row::Style;
use history::{History, HistoryCache};
use layout::{Layout, Metrics, Shape};
use model::{Inputs, Stage};
pub use paint::hatch;
use path::Composed;
use table_card::Heads;

/// How far the stage can be zoomed out and in.
pub const ZOOMS: std::ops::RangeInclusive<f32> = 0.1..=3.0;
/// How far a key moves the stage, in points.
const PAN: f32 = 120.0;

/// What every painting file of the stage needs.
#[derive(Clone, Copy)]
struct Look<'a> {
    cx: &'a ViewCx<'a>,
    inputs: &'a Inputs<'a>,
    stage: &'a Stage,
    layout: &'a Layout,
    history: &'a History,
    heads: Heads,
    style: Style,
}

impl Look<'_> {
    const fn t(&self) -> &'static Tokens {
        self.cx.tokens
    }

    const fn m(&self) -> &Metrics {
        &self.layout.metrics
    }

    /// The exception that the access raised, once it did: `#PF 0x4`.
    fn exception(&self) -> Option<String> {
        if !self.stage.path.arrived {
            return None;
        }
        self.inputs.events.iter().rev().find_map(|event| match event {
            Event::Fault { vector, err, .. } => Some(format!("#{} 0x{:x}", vector.name(), err.0)),
            _ => None,
        })
    }
}

/// Where the path crosses a card: the ends that arrows join.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    left: Pos2,
    right: Pos2,
    /// The upper end of the card.
    top: f32,
    /// The lower end of the card.
    bottom: f32,
}

impl Anchor {
    fn of(row: Rect, card: Rect) -> Self {
        Self { left: row.left_center(), right: row.right_center(), top: card.top(), bottom: card.bottom() }
    }
}

/// Draws the stage in the room that `ui` has.
pub fn stage_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let room = ui.available_rect_before_wrap();
    ui.painter().rect_filled(room, 0, cx.tokens.stage);
    zoom(cx, ui, room);
    let shape = Shape::of(cx.vm);
    let touch = super::theme::is_touch(ui.ctx());
    let fitted = Layout::new(shape, Pos2::ZERO, room.size(), cx.view.zoom, touch);
    if fitted.metrics.row < overview::READABLE {
        overview::overview_ui(cx, ui, fitted.metrics.row);
        return;
    }
    let scrolls = fitted.size.x > room.width() + 0.5 || fitted.size.y > room.height() + 0.5;
    let area = ScrollArea::both().id_salt("stage").auto_shrink(false);
    let area = if scrolls { area.scroll_source(egui::containers::scroll_area::ScrollSource::ALL) } else { area };
    let area = if scrolls { hold_still(cx, ui, room, area) } else { area };
    let shown = focus::scroll(area, ui, |ui| {
        pan(cx, ui);
        let size = if scrolls { fitted.size } else { room.size() };
        let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
        let layout = Layout::new(shape, rect.min, room.size(), cx.view.zoom, touch);
        draw(cx, ui, &layout);
    });
    ui.data_mut(|data| data.insert_temp(scrolled_id(), (cx.view.zoom, shown.state.clamped_offset())));
}

fn scrolled_id() -> Id {
    Id::unique("stage: how far it was scrolled at which zoom")
}

/// While the stage is zoomed, what is under the pointer, or in the middle, stays where it is.
fn hold_still(cx: &ViewCx<'_>, ui: &Ui, room: Rect, area: ScrollArea) -> ScrollArea {
    let Some((zoom, offset)) = ui.data(|data| data.get_temp::<(f32, egui::Vec2)>(scrolled_id())) else { return area };
    if zoom == cx.view.zoom {
        return area;
    }
    let pointer = ui.input(|input| input.pointer.hover_pos()).filter(|at| room.contains(*at));
    let still = pointer.unwrap_or(room.center()) - room.min;
    area.scroll_offset(((offset + still) * (cx.view.zoom / zoom) - still).max(egui::Vec2::ZERO))
}

/// Moves what is scrolled as a key asks; once for each press.
fn pan(cx: &ViewCx<'_>, ui: &Ui) {
    let id = Id::unique("stage: keys that moved it");
    let pan = cx.view.pan;
    let seen = ui.data_mut(|data| *data.get_temp_mut_or_insert_with(id, || pan.count));
    if seen == pan.count {
        return;
    }
    ui.data_mut(|data| data.insert_temp(id, pan.count));
    let by = vec2(f32::from(pan.across), f32::from(pan.down)) * -PAN;
    ui.scroll_with_delta_animation(by, egui::style::ScrollAnimation::none());
}

/// Ctrl and the wheel, or two fingers: how large the cards are. The keys are among the actions.
fn zoom(cx: &ViewCx<'_>, ui: &Ui, room: Rect) {
    if !ui.rect_contains_pointer(room) {
        return;
    }
    let delta = ui.input(egui::InputState::zoom_delta);
    if (delta - 1.0).abs() > 1e-3 {
        cx.send(AppCommand::Zoom((cx.view.zoom * delta).clamp(*ZOOMS.start(), *ZOOMS.end())));
    }
}

fn draw(cx: &ViewCx<'_>, ui: &mut Ui, layout: &Layout) {
    let (selected_entry, selected_register) = match cx.view.selection {
        Selection::Entry { gpa, .. } => (Some(gpa), None),
        Selection::PdpteRegister(index) => (None, Some(index)),
        Selection::Spte(at) => (mirrored(cx, at), None),
        _ => (None, None),
    };
    let selected_table = match cx.view.selection {
        Selection::Table { level, base } => Some((Level(level), base)),
        Selection::Entry { level, gpa } => Some((Level(level), gpa.gfn().base())),
        _ => None,
    };
    let command = if composing(cx, ui) { None } else { cx.command() };
    let preview = preview(cx, ui);
    let inputs = Inputs {
        vm: cx.vm,
        before_vm: cx.before_vm,
        machine: cx.machine,
        before: cx.before,
        engine: cx.session.engine(),
        command,
        events: cx.happened(),
        coming: &cx.events[cx.shown..],
        composed: composed(cx, &preview),
        untold: cx.lesson.is_some_and(|player| player.session.awaits_a_prediction()),
        selected_entry,
        selected_register,
        selected_table,
        selection: cx.view.selection,
        language: cx.language(),
        row_budget: layout.guest_rows(),
        lower_budget: layout.lower_rows(),
    };
    let stage = Stage::new(&inputs);
    let history = history(cx, ui, stage.mode);
    let heads = Heads::of(ui.painter(), &stage, layout);
    let look = Look { cx, inputs: &inputs, stage: &stage, layout, history: &history, heads, style: Style::default() };
    let look = Look { style: guest_row::style_of_all(&look, ui), ..look };
    ribbon::ribbon_ui(&look, ui);
    let mut arrows = arrows::Arrows::default();
    if let Some(card) = &stage.pdptes {
        let (anchor, bottom) = pdpte_card::pdpte_card_ui(&look, ui, card);
        arrows.put(pdpte::LEVEL, anchor);
        arrows.put_end(&look, pdpte::LEVEL, bottom);
    }
    let spare = Level::down_from(layout.shape.columns()).filter(|level| level.0 > stage.mode.top_level());
    if stage.mode == Mode::Off && layout.shape.has_lower() {
        root_register::no_tables_ui(&look, ui);
    } else if let Some(level) = spare.min().filter(|_| !layout.stacked) {
        arrows.cr3 = root_register::root_register_ui(&look, ui, level);
    }
    for card in &stage.tables {
        let (anchor, bottom) = table_card::table_card_ui(&look, ui, card);
        arrows.put(card.level, anchor);
        arrows.put_end(&look, card.level, bottom);
        if let Some(aside) = stage.aside.as_ref().filter(|aside| aside.level == card.level) {
            arrows.aside = table_card::aside_ui(&look, ui, aside, bottom);
        }
    }
    arrows.page = page_card::page_card_ui(&look, ui);
    match &stage.lower {
        Some(lower) => lower_row::lower_row_ui(&look, ui, lower, &mut arrows),
        None => cache_row::cache_row_ui(&look, ui, &mut arrows),
    }
    arrows.draw(&look, ui);
    // After the rails and arrows, which they interrupt.
    labels(&look, ui);
}

/// The guest entry that a shadow entry mirrors.
fn mirrored(cx: &ViewCx<'_>, at: crate::engine::shadow::SpteRef) -> Option<crate::arch::Gpa> {
    match cx.vm {
        AnyVm::Shadow(vm) => vm.mirrored_entry(at),
        AnyVm::Native(_) | AnyVm::TwoDim(_) => None,
    }
}

/// The path that the stage shows.
#[must_use]
pub fn path_in_view(cx: &ViewCx<'_>, ui: &Ui) -> path::Path {
    let command = if composing(cx, ui) { None } else { cx.command() };
    let preview = preview(cx, ui);
    let pdptes = path::pdptes_in_force(cx.machine, cx.session.engine());
    let course = path::Course { shown: cx.happened(), coming: &cx.events[cx.shown..] };
    path::Path::new(cx.machine, &pdptes, command, course, &composed(cx, &preview))
}

const fn composed<'a>(cx: &ViewCx<'_>, preview: &'a [Event]) -> Composed<'a> {
    let composer = cx.view.composer;
    Composed { gva: composer.va, access: access_of(&composer), events: preview }
}

/// What the access in the composer would do in the state shown, tried on a copy when either is another one.
fn preview(cx: &ViewCx<'_>, ui: &Ui) -> Arc<Vec<Event>> {
    type Key = (StateId, Composer);
    let (key, id): (Key, Id) = ((cx.state, cx.view.composer), Id::unique("stage: what an access would do"));
    if let Some((known, events)) = ui.data(|data| data.get_temp::<(Key, Arc<Vec<Event>>)>(id))
        && known == key
    {
        return events;
    }
    let mut events = Vec::new();
    cx.vm.clone().execute(&cx.view.composer.command(), &mut events);
    let events = Arc::new(events);
    ui.data_mut(|data| data.insert_temp(id, (key, Arc::clone(&events))));
    events
}

const fn access_of(composer: &Composer) -> Access {
    Access { kind: composer.kind, user: composer.user, implicit: false, ac: composer.ac, stack: false }
}

/// Whether the address in the composer was changed after the command in focus came into view: then
/// the stage shows where that address leads now, in place of what the command did.
fn composing(cx: &ViewCx<'_>, ui: &Ui) -> bool {
    let lab = &cx.session.lab;
    let here = (lab.node(lab.cursor()), cx.shown);
    let composer = cx.view.composer;
    let id = Id::unique("stage: composer when the focus came into view");
    let seen = ui.data_mut(|data| *data.get_temp_mut_or_insert_with(id, || (here, composer)));
    if seen.0 != here {
        ui.data_mut(|data| data.insert_temp(id, (here, composer)));
        return false;
    }
    seen.1 != composer
}

/// Since when the PDPTE registers are as they are.
fn history(cx: &ViewCx<'_>, ui: &Ui, mode: Mode) -> History {
    if mode != Mode::Pae {
        return History::default();
    }
    let cursor = cx.session.lab.cursor();
    let steps = cursor.saturating_sub(1);
    let id = Id::unique("stage: history of the PDPTE registers");
    let mut cache = ui.data_mut(|data| data.get_temp::<HistoryCache>(id).unwrap_or_default());
    let before = cache.get(cx.session, steps);
    ui.data_mut(|data| data.insert_temp(id, cache));
    if cursor == 0 { before } else { before.within(cursor, cx.machine, cx.happened()) }
}

/// The labels of the two halves.
fn labels(look: &Look<'_>, ui: &Ui) {
    let (t, m) = (look.t(), look.m());
    let painter = ui.painter();
    let layout = look.layout;
    let label_at = |at: Pos2, align, text: &str, color, width: f32| {
        let width = if layout.stacked { layout.host().width() } else { width };
        paint::text_over(painter, at, align, text, bold(m.small), (color, t.stage), width)
    };
    let label = |at, text: &str, color, width| label_at(at, Align2::LEFT_CENTER, text, color, width);
    let guest = match (look.stage.mode, layout.stacked) {
        (Mode::Off, _) => tr!(look.cx, "Paging is off — the linear address is the physical address"),
        (_, true) => tr!(look.cx, "Guest"),
        (_, false) => tr!(look.cx, "Guest — what the guest wrote"),
    };
    let covered = label(layout.guest_label, guest, t.guest.text, layout.size.x);
    let (lower, color) = match &look.stage.lower {
        Some(lower) if layout.stacked => (lower.name, t.shadow.text),
        Some(lower) => (lower.title.as_str(), t.shadow.text),
        None if layout.stacked => (tr!(look.cx, "Cached"), t.hit.text),
        None => (tr!(look.cx, "Cached — what the processor remembers of it"), t.hit.text),
    };
    let rails = matches!(look.cx.vm, AnyVm::Shadow(_));
    if rails && !layout.stacked {
        // At the end, whether rails are there or not: rails go down at the left of their columns, and the last column has none.
        let at = pos2(layout.page().right(), layout.lower_label.y);
        label_at(at, Align2::RIGHT_CENTER, lower, color, layout.size.x - 2.0 * m.pad);
    } else {
        label(layout.lower_label, lower, color, layout.size.x - 2.0 * m.pad);
    }
    let kept = look.stage.pdptes.is_none() && look.cx.machine.cpu.pdptes != [0; 4];
    if kept && !layout.stacked && look.stage.mode != Mode::Off {
        let mode = crate::explain::mode(look.stage.mode, look.cx.language());
        let words = tr!(look.cx, "PDPTE registers: not used in {mode} mode, content kept", mode = mode);
        let at = covered.right_center() + vec2(2.0 * m.pad, 0.0);
        paint::text(painter, at, Align2::LEFT_CENTER, words, super::theme::plain(m.small), t.weak);
    }
}
