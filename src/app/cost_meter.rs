//! The cost meter: exits of this engine beside the others on the same commands, and what walks cost.

use egui::{Align2, Color32, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2};

use super::engines;
use super::theme::{self, TEXT, Tokens};
use super::view::ViewCx;
use crate::engine::EngineName;
use crate::explain::count;
use crate::tr;

/// Height of a line, in points.
const LINE: f32 = 22.0;
/// Width of the names and of the numbers, in points.
const NAMES: f32 = 154.0;
const NUMBERS: f32 = 54.0;
/// Engines beside which this one is shown, the first that are not this one.
const OTHERS: [EngineName; 4] = [EngineName::KvmPdpt, EngineName::Kvm2007, EngineName::KvmNow, EngineName::Ept];
/// How many of them there is room for.
const OTHERS_SHOWN: usize = 3;

struct Counter {
    name: String,
    hint: String,
    value: u64,
    color: Color32,
    strong: bool,
}

/// Draws the meter in the room that `ui` has.
pub fn cost_meter_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let exits = exit_counters(cx);
    let longest = exits.iter().map(|counter| counter.value).max().unwrap_or(0).max(1);
    for counter in &exits {
        counter_ui(cx.tokens, ui, counter, longest);
    }
    let reads = reads_counter(cx);
    // The longest nested walk of two-dimensional paging is the scale of reads.
    counter_ui(cx.tokens, ui, &reads, reads.value.max(24));
}

fn exit_counters(cx: &ViewCx<'_>) -> Vec<Counter> {
    let (t, this) = (cx.tokens, cx.session.engine());
    let exits = &cx.machine.cost.exits;
    let hint = tr!(
        cx,
        "Exits to the hypervisor: {faults} page faults, {writes} emulated writes, {registers} register accesses, \
         {invlpg} INVLPG, {mmio} MMIO",
        faults = count(exits.page_fault),
        writes = count(exits.emulated_write),
        registers = count(exits.cr_access),
        invlpg = count(exits.invlpg),
        mmio = count(exits.mmio)
    );
    let name = tr!(cx, "Exits, {engine}", engine = engines::label(this, cx.language()));
    let mut counters = vec![Counter { name, hint, value: exits.total(), color: t.shadow.line, strong: true }];
    let others = OTHERS.into_iter().filter(|engine| *engine != this).take(OTHERS_SHOWN);
    counters.extend(others.filter_map(|engine| {
        let value = cx.comparison.exits(engine, cx.session.lab.cursor())?;
        let color = match engine {
            EngineName::KvmPdpt => t.stale.line,
            EngineName::Ept => t.guest.line,
            _ => t.hit.line,
        };
        let hint =
            tr!(cx, "Exits of the same commands on {machine}", machine = engines::meaning(engine, cx.language()));
        Some(Counter { name: engines::label(engine, cx.language()).to_owned(), hint, value, color, strong: false })
    }));
    counters
}

fn reads_counter(cx: &ViewCx<'_>) -> Counter {
    let cost = &cx.machine.cost;
    let hint = tr!(
        cx,
        "Table entries that the last access read from memory; {all} in all. TLB: {hits} hits, {misses} misses, \
         {flushes} flushes",
        all = count(cost.memory_reads),
        hits = count(cost.tlb_hits),
        misses = count(cost.tlb_misses),
        flushes = count(cost.tlb_flushes)
    );
    let (name, value) = (tr!(cx, "Memory reads / walk").to_owned(), cost.memory_reads_last);
    Counter { name, hint, value, color: cx.tokens.weak, strong: false }
}

fn counter_ui(t: &Tokens, ui: &mut Ui, counter: &Counter, longest: u64) {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), LINE), Sense::hover());
    response
        .widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{}: {}", counter.name, count(counter.value))));
    let (middle, painter) = (rect.center().y, ui.painter());
    let color = if counter.strong { t.strong } else { t.text };
    painter.text(pos2(rect.left(), middle), Align2::LEFT_CENTER, &counter.name, theme::plain(TEXT), color);
    let number = count(counter.value);
    painter.text(pos2(rect.right(), middle), Align2::RIGHT_CENTER, number, theme::bold(TEXT), t.strong);
    let track = Rect::from_min_max(
        pos2(rect.left() + NAMES, middle - 4.0),
        pos2((rect.right() - NUMBERS).max(rect.left() + NAMES), middle + 4.0),
    );
    painter.rect_filled(track, 4, t.border);
    if counter.value > 0 {
        let share = counter.value as f32 / longest as f32;
        let width = (track.width() * share).max(track.height());
        painter.rect_filled(Rect::from_min_size(track.min, Vec2::new(width, track.height())), 4, counter.color);
    }
    response.on_hover_text(&counter.hint);
}
