//! Where the keyboard is. What has it shows a ring and is scrolled into view; what lies over the window
//! keeps it while keys are in use, and gives it back when it closes.

use std::ops::Range;

use egui::containers::scroll_area::ScrollAreaOutput;
use egui::style::ScrollAnimation;
use egui::{Context, Event, Id, LayerId, Popup, Rect, ScrollArea, Stroke, StrokeKind, Ui};

use super::theme::{RADIUS_SMALL, Tokens};

/// Room that a long menu leaves above and below itself, in points.
const AROUND_A_MENU: f32 = 16.0;
/// How far the ring reaches beyond what has it, in points: little, so that it lies on no neighbour.
const OUTSIDE: f32 = 1.0;
/// Rounding of places to whole pixels, in points.
const ROUNDING: f32 = 0.5;

/// What is known of the pass before.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// What had the keyboard, and in which pass it was first seen to have it.
    focused: Option<Id>,
    since: u64,
    /// What had it before something was opened over the window.
    opener: Option<Id>,
    /// Something lies over the window.
    open: bool,
    /// A key was pressed later than the pointer was moved.
    keys: bool,
}

fn id() -> Id {
    Id::unique("focus: what is known of the pass before")
}

fn seen(ctx: &Context) -> Seen {
    ctx.data(|data| data.get_temp::<Seen>(id())).unwrap_or_default()
}

/// At the start of a pass: notices where the keyboard went, and gives it back to where it was before
/// something that has just closed was opened. `overlay`: one of the app's own is open.
pub fn follow(ctx: &Context, overlay: bool) {
    let mut seen = seen(ctx);
    ctx.input(|input| {
        for event in &input.events {
            match event {
                Event::Key { pressed: true, .. } => seen.keys = true,
                Event::PointerMoved(_) | Event::PointerButton { .. } | Event::Touch { .. } => seen.keys = false,
                _ => {}
            }
        }
    });
    let open = overlay || Popup::is_any_open(ctx);
    if seen.open && !open && seen.opener.is_some() {
        let focused = ctx.memory(|memory| memory.focused());
        let gone = focused.is_none_or(|id| layer_of(ctx, id) != Some(LayerId::background()));
        if let Some(opener) = seen.opener.filter(|_| gone) {
            ctx.memory_mut(|memory| memory.request_focus(opener));
        }
    }
    let focused = ctx.memory(|memory| memory.focused());
    if focused != seen.focused {
        (seen.focused, seen.since) = (focused, ctx.cumulative_pass_nr());
    }
    if !open {
        seen.opener = focused;
    }
    seen.open = open;
    ctx.data_mut(|data| data.insert_temp(id(), seen));
}

fn layer_of(ctx: &Context, id: Id) -> Option<LayerId> {
    ctx.viewport(|viewport| viewport.prev_pass.widgets.get(id).map(|widget| widget.layer_id))
}

/// Keeps the keyboard in something that lies over the window, for as long as keys are in use: a pointer
/// may press what is beside it.
pub fn keep_in(ctx: &Context, layer: LayerId) {
    if !seen(ctx).keys || Popup::is_any_open(ctx) {
        return;
    }
    ctx.memory_mut(|memory| memory.set_modal_layer(layer));
    let focused = ctx.memory(|memory| memory.focused());
    let first = ctx.viewport(|viewport| {
        let widgets = &viewport.this_pass.widgets;
        let inside = focused.is_some_and(|id| widgets.get(id).is_some_and(|widget| widget.layer_id == layer));
        let mut all = widgets.get_layer(layer).filter(|widget| widget.enabled && widget.sense.is_focusable());
        all.next().filter(|_| !inside).map(|widget| widget.id)
    });
    if let Some(first) = first {
        ctx.memory_mut(|memory| memory.request_focus(first));
    }
}

/// Draws something that scrolls: what gets the keyboard in it comes into view.
pub fn scroll<R>(area: ScrollArea, ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> ScrollAreaOutput<R> {
    area.show(ui, |ui| in_view(ui, add))
}

/// The same of rows of one height, of which those are drawn that are in view.
pub fn scroll_rows(area: ScrollArea, ui: &mut Ui, height: f32, count: usize, add: impl FnOnce(&mut Ui, Range<usize>)) {
    area.show_rows(ui, height, count, |ui, rows| in_view(ui, |ui| add(ui, rows)));
}

fn in_view<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let Seen { focused: Some(id), since, .. } = seen(ui.ctx()) else { return add(ui) };
    // An area in an area moves first, then the outer one.
    if ui.ctx().cumulative_pass_nr() > since + 1 {
        return add(ui);
    }
    let drawn = |ui: &Ui| ui.ctx().viewport(|viewport| viewport.this_pass.widgets.get(id).copied());
    let elsewhere = drawn(ui).is_some();
    let inner = add(ui);
    if let Some(widget) = drawn(ui).filter(|widget| !elsewhere && widget.layer_id == ui.layer_id())
        && !widget.interact_rect.expand(ROUNDING).contains_rect(widget.rect)
    {
        ui.scroll_to_rect_animation(widget.rect, None, ScrollAnimation::none());
    }
    inner
}

/// Draws what a menu holds: one that is higher than the window scrolls.
pub fn menu_ui<R>(ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let room = ui.ctx().content_rect().height() - 2.0 * (AROUND_A_MENU + f32::from(ui.spacing().menu_margin.top));
    // A menu has less room by itself than the window gives it.
    ui.set_max_height(room);
    scroll(ScrollArea::vertical().max_height(room), ui, add).inner
}

/// At the end of a pass: the ring around what has the keyboard.
pub fn ring(ctx: &Context, t: &Tokens) {
    let Some(focused) = ctx.memory(|memory| memory.focused()).filter(|_| ctx.input(|input| input.focused)) else {
        return;
    };
    let widget = ctx.viewport(|viewport| viewport.this_pass.widgets.get(focused).copied());
    let Some(widget) = widget.filter(|widget| widget.sense.is_focusable()) else { return };
    let (rect, shown): (Rect, Rect) = (widget.rect.expand(OUTSIDE), widget.interact_rect.expand(OUTSIDE));
    if widget.interact_rect.is_positive() {
        let painter = ctx.layer_painter(widget.layer_id).with_clip_rect(shown);
        painter.rect_stroke(rect, RADIUS_SMALL, Stroke::new(2.0, t.guest.line), StrokeKind::Inside);
    }
}
