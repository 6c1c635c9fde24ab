//! The native window.

use super::{App, Options};
use crate::scenario::Session;

/// Opens a window on a session and returns when it is closed.
///
/// # Errors
/// There is no display, or it cannot draw.
pub fn run_window(session: Session, options: Options) -> Result<(), eframe::Error> {
    let title = match session.scenario.title.get("en") {
        "" => "mmuscope".to_owned(),
        title => format!("{title} · mmuscope"),
    };
    let viewport = egui::ViewportBuilder::default()
        .with_title(&title)
        .with_app_id("mmuscope")
        .with_inner_size([1600.0, 900.0])
        .with_min_inner_size([360.0, 480.0]);
    let native = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    eframe::run_native("mmuscope", native, Box::new(|cc| Ok(Box::new(App::new(&cc.egui_ctx, session, options)))))
}
