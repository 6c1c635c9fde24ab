//! The cost meter: what the run has cost so far, counter by counter.

use egui::{Align2, Color32, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2};

use super::theme::{self, TEXT, Tokens};
use super::view::ViewCx;

/// Height of a line, in points.
const LINE: f32 = 22.0;
/// Width of the names and of the numbers, in points.
const NAMES: f32 = 154.0;
const NUMBERS: f32 = 44.0;

struct Counter {
    name: &'static str,
    meaning: &'static str,
    value: u64,
    color: fn(&Tokens) -> Color32,
}

fn counters(cx: &ViewCx<'_>) -> [Counter; 5] {
    let cost = &cx.machine.cost;
    [
        Counter {
            name: "Exits to hypervisor",
            meaning: "Bare hardware has none",
            value: cost.exits.total(),
            color: |t| t.shadow.line,
        },
        Counter {
            name: "Memory reads",
            meaning: "Table entries that walks read from memory",
            value: cost.memory_reads,
            color: |t| t.guest.line,
        },
        Counter {
            name: "Reads, last access",
            meaning: "Table entries that the last access read from memory",
            value: cost.memory_reads_last,
            color: |t| t.guest.edge,
        },
        Counter {
            name: "TLB hits",
            meaning: "Accesses that the TLB answered without a walk",
            value: cost.tlb_hits,
            color: |t| t.hit.line,
        },
        Counter {
            name: "TLB misses",
            meaning: "Accesses that needed a walk",
            value: cost.tlb_misses,
            color: |t| t.weak,
        },
    ]
}

/// Draws the meter in the room that `ui` has.
pub fn cost_meter_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let counters = counters(cx);
    let longest = counters.iter().map(|counter| counter.value).max().unwrap_or(0).max(1);
    for counter in &counters {
        counter_ui(cx.tokens, ui, counter, longest);
    }
}

fn counter_ui(t: &Tokens, ui: &mut Ui, counter: &Counter, longest: u64) {
    let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), LINE), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{}: {}", counter.name, counter.value)));
    let (middle, painter) = (rect.center().y, ui.painter());
    painter.text(pos2(rect.left(), middle), Align2::LEFT_CENTER, counter.name, theme::plain(TEXT), t.text);
    let number = counter.value.to_string();
    painter.text(pos2(rect.right(), middle), Align2::RIGHT_CENTER, number, theme::bold(TEXT), t.strong);
    let track = Rect::from_min_max(
        pos2(rect.left() + NAMES, middle - 4.0),
        pos2((rect.right() - NUMBERS).max(rect.left() + NAMES), middle + 4.0),
    );
    painter.rect_filled(track, 4, t.border);
    if counter.value > 0 {
        let share = counter.value as f32 / longest as f32;
        let width = (track.width() * share).max(track.height());
        let bar = Rect::from_min_size(track.min, Vec2::new(width, track.height()));
        painter.rect_filled(bar, 4, (counter.color)(t));
    }
    response.on_hover_text(counter.meaning);
}
