//! The zones at the sides of the stage: how wide they are, and the edges by which they are made wider.

use egui::{CursorIcon, EventFilter, Key, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2};

use super::theme;
use super::view::{AppCommand, ViewCx};
use crate::tr;

/// From this width of the window on, in points, the zones are wide.
const ROOMY: f32 = 1500.0;
/// From this width on they are not at their narrowest.
const MIDDLE: f32 = 1160.0;
/// Least and greatest width of the memory and of the drawer, in points.
const MEMORY: (f32, f32) = (200.0, 430.0);
const DRAWER: (f32, f32) = (280.0, 720.0);
/// So much is left to the stage, in points.
const STAGE: f32 = 400.0;
/// So near to an edge, in points, it can be taken.
const NEAR: f32 = 4.0;
/// How far an arrow key moves an edge, in points.
const KEY_STEP: f32 = 16.0;

/// Which edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Between the memory and the stage.
    Memory,
    /// Between the stage and the drawer.
    Drawer,
}

/// The widths that were chosen, in points; `None` is as wide as suits the window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sides {
    memory: Option<f32>,
    drawer: Option<f32>,
}

impl Sides {
    /// The widths of memory and drawer in a window, in points.
    #[must_use]
    pub fn widths(&self, window: f32) -> (f32, f32) {
        let usual = match window {
            ROOMY.. => (264.0, 384.0),
            MIDDLE.. => (244.0, 328.0),
            _ => (236.0, 300.0),
        };
        let within = |wish: Option<f32>, usual: f32, (least, most): (f32, f32), room: f32| match wish {
            Some(wish) => wish.min(room).clamp(least, most).round(),
            None => usual,
        };
        let memory = within(self.memory, usual.0, MEMORY, window - STAGE - DRAWER.0);
        (memory, within(self.drawer, usual.1, DRAWER, window - STAGE - memory))
    }

    /// The same with another width of a zone.
    #[must_use]
    pub const fn with(self, edge: Edge, width: Option<f32>) -> Self {
        match edge {
            Edge::Memory => Self { memory: width, ..self },
            Edge::Drawer => Self { drawer: width, ..self },
        }
    }

    /// As a line of text that [`Sides::parse`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        [self.memory, self.drawer]
            .map(|width| width.map_or_else(|| "-".to_owned(), |width| width.to_string()))
            .join(" ")
    }

    /// Reads what [`Sides::text`] wrote; what is no number is a width of none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut widths = text.split(' ').map(|word| word.parse().ok().filter(|width: &f32| width.is_finite()));
        Self { memory: widths.next().flatten(), drawer: widths.next().flatten() }
    }
}

/// The edge of a zone: to drag, to move by arrow keys while it has the keyboard, and by a double click
/// or Home to put back; `room` is that of both zones and the stage. A finger gets none: it would take what
/// lies beside it.
pub fn edge_ui(cx: &ViewCx<'_>, ui: &Ui, edge: Edge, room: Rect) {
    if theme::is_touch(ui.ctx()) {
        return;
    }
    let (memory, drawer) = cx.view.sides.widths(room.width());
    // To the right the memory grows and the drawer shrinks.
    let (name, x, width, sign) = match edge {
        Edge::Memory => (tr!(cx, "Width of the memory"), room.left() + memory, memory, 1.0),
        Edge::Drawer => (tr!(cx, "Width of the drawer"), room.right() - drawer, drawer, -1.0),
    };
    let rect = Rect::from_min_max(pos2(x - NEAR, room.top()), pos2(x + NEAR, room.bottom()));
    let response = ui.interact(rect, ui.scope_id().with(("edge", edge as u8)), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, name));
    let mut wish = None;
    if response.dragged()
        && let Some(pointer) = response.interact_pointer_pos()
    {
        wish = Some(Some(match edge {
            Edge::Memory => pointer.x - room.left(),
            Edge::Drawer => room.right() - pointer.x,
        }));
    }
    if response.has_focus() {
        let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let pressed = |key| ui.input_mut(|input| input.consume_key(egui::Modifiers::NONE, key));
        let by = f32::from(i8::from(pressed(Key::ArrowRight)) - i8::from(pressed(Key::ArrowLeft))) * KEY_STEP;
        if by != 0.0 {
            wish = Some(Some(width + sign * by));
        }
        if pressed(Key::Home) {
            wish = Some(None);
        }
    }
    if response.double_clicked() {
        wish = Some(None);
    }
    if response.hovered() || response.dragged() {
        ui.painter().vline(x, room.y_range(), Stroke::new(2.0, cx.tokens.guest.line));
    }
    // Held still, it asks for nothing: idle stays idle.
    let sides = wish.map(|width| cx.view.sides.with(edge, width)).filter(|sides| *sides != cx.view.sides);
    if let Some(sides) = sides {
        cx.send(AppCommand::SetSides(sides));
    }
    let dragged = response.dragged();
    let response = response.on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal);
    if !dragged {
        response.on_hover_text_at_pointer(tr!(cx, "Drag to make wider; a double click puts it back"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_leave_room_for_the_stage() {
        let usual = Sides::default();
        assert_eq!(usual.widths(1600.0), (264.0, 384.0));
        for window in [900.0, 1024.0, 1280.0, 1600.0, 2560.0] {
            for wish in [-1e9, 0.0, 333.0, 1e9, f32::MAX] {
                let (memory, drawer) =
                    usual.with(Edge::Memory, Some(wish)).with(Edge::Drawer, Some(wish)).widths(window);
                assert!((200.0..=430.0).contains(&memory) && (280.0..=720.0).contains(&drawer));
                assert!(window - memory - drawer >= STAGE - 0.5, "{window} {memory} {drawer}");
            }
        }
    }

    #[test]
    fn text_and_back() {
        for sides in [
            Sides::default(),
            Sides::default().with(Edge::Drawer, Some(411.0)),
            Sides { memory: Some(250.5), drawer: None },
        ] {
            assert_eq!(Sides::parse(&sides.text()), sides);
        }
        assert_eq!(Sides::parse("NaN inf"), Sides::default());
        assert_eq!(Sides::parse(""), Sides::default());
    }
}
