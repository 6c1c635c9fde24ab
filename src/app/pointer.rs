//! Text of another size under a pointer that rests: its place in points is then another one, but egui and
//! its window learn of it only when the pointer moves, and would take the next click for one elsewhere.

use egui::{Context, Event, RawInput};

/// Follows the zoom.
pub struct RestingPointer {
    /// The zoom of the pass before.
    zoom: f32,
    /// What places that the window remembers are to be multiplied with, until the pointer moves.
    stale: f32,
}

impl Default for RestingPointer {
    fn default() -> Self {
        Self { zoom: 1.0, stale: 1.0 }
    }
}

impl RestingPointer {
    /// Puts the events of a pass right, before egui reads them.
    pub fn follow(&mut self, ctx: &Context, input: &mut RawInput) {
        let zoom = ctx.zoom_factor();
        let ratio = std::mem::replace(&mut self.zoom, zoom) / zoom;
        self.stale *= ratio;
        for event in &mut input.events {
            match event {
                Event::PointerMoved(_) | Event::PointerGone => self.stale = 1.0,
                // In a browser a click tells its place anew; the desktop's window remembers that of the last move.
                Event::PointerButton { pos, .. } if cfg!(not(target_arch = "wasm32")) => *pos *= self.stale,
                _ => {}
            }
        }
        if let Some(at) = ctx.pointer_latest_pos().filter(|_| ratio != 1.0) {
            input.events.insert(0, Event::PointerMoved(at * ratio));
        }
    }
}

#[cfg(test)]
mod tests {
    use egui::{Modifiers, PointerButton, Pos2, pos2};

    use super::*;

    fn pass(ctx: &Context, pointer: &mut RestingPointer, events: Vec<Event>) -> Vec<Event> {
        let mut input = RawInput { events, ..RawInput::default() };
        pointer.follow(ctx, &mut input);
        let events = input.events.clone();
        ctx.run_ui(input, |_| {}).textures_delta.clear();
        events
    }

    fn click(pos: Pos2) -> Event {
        Event::PointerButton { pos, button: PointerButton::Primary, pressed: true, modifiers: Modifiers::NONE }
    }

    #[test]
    fn a_click_lands_where_the_pointer_rests() {
        let (ctx, mut pointer) = (Context::default(), RestingPointer::default());
        pass(&ctx, &mut pointer, vec![Event::PointerMoved(pos2(300.0, 60.0))]);
        ctx.set_zoom_factor(1.5);
        pass(&ctx, &mut pointer, Vec::new());
        // The window moves nothing; egui is told where the pointer is now.
        assert_eq!(pass(&ctx, &mut pointer, Vec::new()), [Event::PointerMoved(pos2(200.0, 40.0))]);
        // The window still remembers the old place, until the pointer moves.
        assert_eq!(pass(&ctx, &mut pointer, vec![click(pos2(300.0, 60.0))]), [click(pos2(200.0, 40.0))]);
        let moved = vec![Event::PointerMoved(pos2(201.0, 40.0)), click(pos2(201.0, 40.0))];
        assert_eq!(pass(&ctx, &mut pointer, moved.clone()), moved);
    }
}
