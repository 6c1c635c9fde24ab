//! The left panel: a map of guest memory, the paging structures in it, the engine and its caches.

use egui::{Rect, ScrollArea, Ui, Vec2};

use super::actions::Action;
use super::hover::{self, Pointed};
use super::tables::{MAX_TABLES, Reach, Table};
use super::theme::{self, TEXT};
use super::view::{AppCommand, Selection, ViewCx};
use super::widgets::{ListRow, caption, chip, heading};
use super::{audit, engines, focus, menu};
use crate::arch::Mode;
use crate::engine::EngineName;
use crate::machine::Caches;
use crate::tr;

mod map; // the page map

/// Room between two groups, in points.
const GROUP: f32 = 8.0;
/// From this height on every group has its heading, in points.
const TALL: f32 = 520.0;
/// So many rows the map fills where everything scrolls.
const LOW_ROWS: u64 = 2;
/// How much of the room above the engine the map has.
const MAP_PART: f32 = 0.45;
/// From this height on the engine stands apart from what scrolls, in points.
const APART: f32 = 380.0;

/// So many rows of the list of tables are there wherever it is scrolled to.
const ROWS_ALWAYS: usize = 24;

/// Draws the panel. The engine stands at its lower end where there is room, and the map has its height whatever
/// the guest uses: neither a page nor a table that comes moves what is being pressed.
pub fn memory_panel_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let tall = ui.available_height() >= TALL;
    let area = |salt: &str| ScrollArea::vertical().id_salt(salt).auto_shrink(false);
    if ui.available_height() < APART {
        focus::scroll_in_place(area("memory"), ui, |ui| {
            map_heading(cx, ui);
            map::map_ui(cx, ui, LOW_ROWS);
            tables_ui(cx, ui);
            ui.add_space(GROUP);
            machine_ui(cx, ui, tall);
        });
        return;
    }
    let frame = egui::Frame::new().inner_margin(egui::Margin { top: GROUP as i8, ..egui::Margin::ZERO });
    let foot = egui::Panel::bottom("memory: engine").resizable(false).show_separator_line(false).frame(frame);
    foot.show(ui, |ui| machine_ui(cx, ui, tall));
    let room = ui.available_height();
    map_heading(cx, ui);
    let (rows, height) = map::rows_within(cx, ui, MAP_PART * room);
    focus::scroll_in_place(area("map").max_height(height), ui, |ui| map::map_ui(cx, ui, rows));
    focus::scroll_in_place(area("tables"), ui, |ui| tables_ui(cx, ui));
}

fn map_heading(cx: &ViewCx<'_>, ui: &mut Ui) {
    heading(ui, cx.tokens, tr!(cx, "Guest memory · {size}", size = size_text(cx.machine.slots.end().0)));
}

/// The tables, below their heading.
fn tables_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.add_space(GROUP);
    heading(ui, cx.tokens, tr!(cx, "Tables"));
    ui.scope(|ui| list_ui(cx, ui, cx.structures.tables()));
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

fn list_ui(cx: &ViewCx<'_>, ui: &mut Ui, found: &[Table]) {
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
        let hint =
            tr!(cx, "Pages that the TLB holds; VM exits leave them. A click replays every command with or without it.");
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
