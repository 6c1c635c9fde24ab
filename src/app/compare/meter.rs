//! What a run has cost so far, on one scale for all columns.

use egui::{Align2, Color32, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use super::engines;
use crate::app::theme::{self, TEXT, Tokens};
use crate::app::view::ViewCx;
use crate::engine::EngineConfig;
use crate::explain;
use crate::machine::Cost;
use crate::{tr, word};

/// Height of a counter and of the meter, in points.
const LINE: f32 = 25.0;
/// See [`LINE`].
pub const HEIGHT: f32 = 5.0 * LINE + 22.0;
/// Width of the numbers, in points.
const NUMBERS: f32 = 58.0;

/// The counters: how often something happened; the last one, reads of tables, are of another size.
const fn counters(cost: &Cost) -> [(&'static str, u64); 5] {
    [
        (word!("exits"), cost.exits.total()),
        (word!("emulated writes"), cost.exits.emulated_write),
        (word!("zaps"), cost.shadow_zapped),
        (word!("TLB flushes"), cost.tlb_flushes),
        (word!("memory reads"), cost.memory_reads),
    ]
}

/// What full bars stand for: the largest count of any engine shown, and the most reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    events: u64,
    reads: u64,
}

impl Scale {
    /// The scale of the columns shown.
    #[must_use]
    pub fn of(cx: &ViewCx<'_>) -> Self {
        let all = cx.runs.columns().iter().map(|column| counters(column.cost(shown(cx))));
        let mut scale = Self { events: 1, reads: 1 };
        for [times @ .., (_, reads)] in all {
            scale.events = times.into_iter().map(|(_, value)| value).fold(scale.events, u64::max);
            scale.reads = scale.reads.max(reads);
        }
        scale
    }
}

/// How many events of the command each engine shows.
const fn shown(cx: &ViewCx<'_>) -> usize {
    if cx.is_partial() { cx.shown } else { usize::MAX }
}

/// Draws the meter of an engine.
pub fn meter_ui(cx: &ViewCx<'_>, ui: &mut Ui, engine: EngineConfig, scale: &Scale) {
    let Some(column) = cx.runs.column(engine) else { return };
    ui.spacing_mut().item_spacing = Vec2::ZERO;
    ui.add_space(0.5 * (HEIGHT - 5.0 * LINE));
    let counters = counters(column.cost(shown(cx)));
    let width = |name| ui.painter().layout_no_wrap(cx.tr(name).to_owned(), theme::plain(TEXT), cx.tokens.text).size().x;
    let names = counters.iter().map(|(name, _)| width(name)).fold(0.0, f32::max) + 14.0;
    let title = engines::title(cx.language(), engine);
    let color = engines::hue(cx.tokens, engine.name).line;
    let last = counters.len() - 1;
    for (at, (name, value)) in counters.into_iter().enumerate() {
        let full = if at == last { scale.reads } else { scale.events };
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), LINE), Sense::hover());
        let (name, number) = (cx.tr(name), explain::count(value));
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{title}: {name} {number}")));
        let (middle, t) = (rect.center().y, cx.tokens);
        ui.painter().text(pos2(rect.left(), middle), Align2::LEFT_CENTER, name, theme::plain(TEXT), t.text);
        ui.painter().text(pos2(rect.right(), middle), Align2::RIGHT_CENTER, number, theme::bold(TEXT), t.strong);
        let right = (rect.right() - NUMBERS).max(rect.left() + names);
        let track = Rect::from_min_max(pos2(rect.left() + names, middle - 4.0), pos2(right, middle + 4.0));
        bar(t, ui, track, value as f32 / full as f32, color);
        let hint = match at {
            _ if at == last => tr!(
                cx,
                "Entries of tables that the hardware read; a full bar stands for {full}",
                full = explain::count(full)
            ),
            _ => tr!(cx, "Since the start; a full bar stands for {full} in every column", full = explain::count(full)),
        };
        response.on_hover_text(hint);
    }
}

/// A bar that is filled to a share of its width.
pub fn bar(t: &Tokens, ui: &Ui, track: Rect, share: f32, color: Color32) {
    ui.painter().rect_filled(track, 4, t.button_hover);
    if share > 0.0 {
        let width = (track.width() * share.min(1.0)).max(2.0);
        let filled = Rect::from_min_size(track.min, vec2(width, track.height()));
        // A sliver has no room for round corners.
        ui.painter().rect_filled(filled, if width < 8.0 { 1 } else { 4 }, color);
    }
}
