//! Where the keyboard is. What has it shows a ring and is scrolled into view; what lies over the window
//! keeps it while keys are in use, and gives it back when it closes.

use std::ops::Range;

use egui::containers::scroll_area::ScrollAreaOutput;
use egui::style::ScrollAnimation;
use egui::{Context, Event, Id, Key, LayerId, Popup, Rect, ScrollArea, Stroke, StrokeKind, Ui, UiBuilder};

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
    /// What is to have it again.
    back: Option<Id>,
    /// A key was pressed later than the pointer was moved.
    keys: bool,
    /// What had the keyboard in the pass before has lost it.
    left: bool,
}

/// Another zone of the window, seen from where the keyboard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// The next one, around the last.
    Next,
    /// The one before, around the first.
    Before,
}

/// Where the keyboard is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To the bits in the entry editor.
    Bits,
    /// To another zone.
    Zone(Zone),
}

/// The zones that were drawn, in order, and in which pass.
#[derive(Clone, Debug, Default)]
struct Zones {
    pass: u64,
    rects: Vec<Rect>,
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
    if seen.open && !open {
        seen.back = seen.opener;
    }
    // For one pass more the layer that has closed keeps others from it.
    if let Some(back) = seen.back
        && ctx.memory(|memory| memory.top_modal_layer().is_none())
    {
        let focused = ctx.memory(|memory| memory.focused());
        if focused.is_none_or(|id| layer_of(ctx, id) != Some(LayerId::background())) {
            ctx.memory_mut(|memory| memory.request_focus(back));
        }
        seen.back = None;
    }
    if seen.back.is_some() {
        ctx.request_repaint();
    }
    let focused = ctx.memory(|memory| memory.focused());
    seen.left = focused.is_none() && seen.focused.is_some();
    if focused != seen.focused {
        (seen.focused, seen.since) = (focused, ctx.cumulative_pass_nr());
    }
    if !open && seen.back.is_none() {
        seen.opener = focused;
    }
    seen.open = open;
    ctx.data_mut(|data| data.insert_temp(id(), seen));
}

/// Whether something has just lost the keyboard: Escape then has done its work.
pub fn was_left(ctx: &Context) -> bool {
    seen(ctx).left
}

fn layer_of(ctx: &Context, id: Id) -> Option<LayerId> {
    ctx.viewport(|viewport| viewport.prev_pass.widgets.get(id).map(|widget| widget.layer_id))
}

fn wanted_id() -> Id {
    Id::unique("focus: where the keyboard is to go")
}

fn zones_id() -> Id {
    Id::unique("focus: zones")
}

/// Asks for the keyboard to go somewhere: what is drawn there takes it.
pub fn ask(ctx: &Context, wanted: Wanted) {
    ctx.data_mut(|data| data.insert_temp(wanted_id(), wanted));
}

/// Whether the keyboard is to come here. It is asked once a pass; who is told so gives it to something.
pub fn comes(ctx: &Context, here: Wanted) -> bool {
    let wanted = ctx.data(|data| data.get_temp::<Wanted>(wanted_id())) == Some(here);
    // What has just closed keeps it for one pass more.
    if !wanted || ctx.memory(|memory| memory.top_modal_layer().is_some()) {
        return false;
    }
    ctx.data_mut(|data| data.remove::<Wanted>(wanted_id()));
    true
}

/// Tells of a zone of the window, in the order of the Tab key.
pub fn zone(ctx: &Context, rect: Rect) {
    let pass = ctx.cumulative_pass_nr();
    ctx.data_mut(|data| {
        let zones = data.get_temp_mut_or_default::<Zones>(zones_id());
        if zones.pass != pass {
            *zones = Zones { pass, rects: Vec::new() };
        }
        zones.rects.push(rect);
    });
}

/// At the end of a pass: goes to another zone where that is wanted, to the first thing there that can have the
/// keyboard.
pub fn change_zone(ctx: &Context) {
    let Some(zone) = [Zone::Next, Zone::Before].into_iter().find(|zone| comes(ctx, Wanted::Zone(*zone))) else {
        // What nothing took in a whole pass is not there.
        if ctx.memory(|memory| memory.top_modal_layer().is_none()) {
            ctx.data_mut(|data| data.remove::<Wanted>(wanted_id()));
        } else if ctx.data(|data| data.get_temp::<Wanted>(wanted_id())).is_some() {
            ctx.request_repaint();
        }
        return;
    };
    let zones = ctx.data(|data| data.get_temp::<Zones>(zones_id())).unwrap_or_default().rects;
    let focused = ctx.memory(|memory| memory.focused());
    let (here, firsts) = ctx.viewport(|viewport| {
        let all = &viewport.this_pass.widgets;
        let within = |rect: Rect| zones.iter().position(|zone| zone.contains(rect.center()));
        let mut firsts: Vec<Option<Id>> = vec![None; zones.len()];
        for widget in all.get_layer(LayerId::background()) {
            if widget.enabled
                && widget.sense.is_focusable()
                && widget.interact_rect.is_positive()
                && let Some(at) = within(widget.interact_rect)
            {
                firsts[at].get_or_insert(widget.id);
            }
        }
        let here = focused.and_then(|id| all.get(id)).and_then(|widget| within(widget.interact_rect));
        (here, firsts)
    });
    let count = zones.len();
    let ahead = (1..=count).map(|by| match (here, zone) {
        (Some(here), Zone::Next) => (here + by) % count,
        (Some(here), Zone::Before) => (here + count - by) % count,
        (None, Zone::Next) => by - 1,
        (None, Zone::Before) => count - by,
    });
    if let Some(first) = ahead.filter_map(|at| firsts[at]).next() {
        ctx.memory_mut(|memory| memory.request_focus(first));
    }
    ctx.request_repaint();
}

/// Keeps the keyboard in something that lies over the window, for as long as keys are in use: a pointer
/// may press what is beside it.
pub fn keep_in(ctx: &Context, layer: LayerId) {
    if !seen(ctx).keys || Popup::is_any_open(ctx) {
        return;
    }
    ctx.memory_mut(|memory| memory.set_modal_layer(layer));
    let focused = ctx.memory(|memory| memory.focused());
    let inside = focused.is_some_and(|id| {
        ctx.viewport(|viewport| viewport.this_pass.widgets.get(id).is_some_and(|widget| widget.layer_id == layer))
    });
    // Tab on the last one comes round by itself.
    if !inside && !ctx.input(|input| input.key_pressed(Key::Tab)) {
        give_to_first(ctx, layer);
    }
}

/// Gives the keyboard to the first that can have it in what has been drawn of a layer, if there is one.
pub fn give_to_first(ctx: &Context, layer: LayerId) -> bool {
    let first = ctx.viewport(|viewport| {
        let mut all = viewport.this_pass.widgets.get_layer(layer);
        all.find(|widget| widget.enabled && widget.sense.is_focusable()).map(|widget| widget.id)
    });
    if let Some(first) = first {
        ctx.memory_mut(|memory| memory.request_focus(first));
    }
    first.is_some()
}

/// Draws something that scrolls: what gets the keyboard in it comes into view.
pub fn scroll<R>(area: ScrollArea, ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> ScrollAreaOutput<R> {
    area.show(ui, |ui| in_view(ui, add))
}

/// The same, as wide without a scroll bar as with one: what it holds stays in place when a bar comes.
pub fn scroll_in_place<R>(area: ScrollArea, ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> ScrollAreaOutput<R> {
    let width = ui.available_width() - ui.spacing().scroll.allocated_width();
    scroll(area, ui, |ui| {
        ui.set_max_width(width);
        add(ui)
    })
}

/// The same of rows of one height, of which those are drawn that are in view, and one more above and below:
/// so the keyboard goes on to it.
pub fn scroll_rows(area: ScrollArea, ui: &mut Ui, height: f32, count: usize, add: impl FnOnce(&mut Ui, Range<usize>)) {
    let pitch = height + ui.spacing().item_spacing.y;
    area.show_viewport(ui, |ui, viewport| {
        ui.set_height((pitch * count as f32 - ui.spacing().item_spacing.y).max(0.0));
        let first = ((viewport.top() / pitch).floor().max(0.0) as usize).saturating_sub(1);
        let end = ((viewport.bottom() / pitch).ceil().max(0.0) as usize + 1).min(count);
        let first = first.min(end);
        let (top, x) = (ui.max_rect().top(), ui.max_rect().x_range());
        let rows = Rect::from_x_y_ranges(x, top + first as f32 * pitch..=top + end as f32 * pitch);
        ui.scope_builder(UiBuilder::new().max_rect(rows), |ui| {
            ui.skip_ahead_auto_ids(first);
            in_view(ui, |ui| add(ui, first..end));
        });
    });
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
