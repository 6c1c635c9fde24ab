//! Whether the system asks for less motion, now and when that changes.

use wasm_bindgen::prelude::*;
use web_sys::MediaQueryList;

/// The system's wish, followed.
pub struct Motion {
    query: MediaQueryList,
    changed: Closure<dyn FnMut()>,
}

impl Motion {
    /// Follows it from now on: a change wakes the context. `None` where the browser does not know.
    pub fn follow(ctx: &egui::Context) -> Option<Self> {
        let query = web_sys::window()?.match_media("(prefers-reduced-motion: reduce)").ok()??;
        let ctx = ctx.clone();
        let changed = Closure::<dyn FnMut()>::new(move || ctx.request_repaint());
        query.add_event_listener_with_callback("change", changed.as_ref().unchecked_ref()).ok()?;
        Some(Self { query, changed })
    }

    /// Whether less motion is asked for.
    pub fn is_reduced(&self) -> bool {
        self.query.matches()
    }
}

impl Drop for Motion {
    fn drop(&mut self) {
        // It was added; and a page that is going away no longer cares.
        self.query.remove_event_listener_with_callback("change", self.changed.as_ref().unchecked_ref()).ok();
    }
}
