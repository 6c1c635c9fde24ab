//! The native window.

use super::platform::{self, Native};
use super::{App, Options, files};
use crate::lesson::Lesson;
use crate::scenario::Session;

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// No display can be reached.
    #[error("no display answers")]
    NoDisplay,
    /// The display cannot show it.
    #[error("the display cannot show it: {0}")]
    Display(String),
}

impl From<eframe::Error> for WindowError {
    fn from(error: eframe::Error) -> Self {
        match error {
            eframe::Error::WinitEventLoop(_) => Self::NoDisplay,
            other => Self::Display(other.to_string()),
        }
    }
}

/// Opens a window on a session, or on a step of a lesson before it, and returns when it is closed.
///
/// # Errors
/// [`WindowError`].
pub fn run_window(
    session: Session,
    lesson: Option<(Lesson, Option<usize>)>,
    options: Options,
) -> Result<(), WindowError> {
    let title = lesson.as_ref().map_or(&session.scenario.title, |(lesson, _)| &lesson.title);
    let title = match title.get("en") {
        "" => "mmuscope".to_owned(),
        title => format!("{title} · mmuscope"),
    };
    let viewport = egui::ViewportBuilder::default()
        .with_title(&title)
        .with_app_id("mmuscope")
        .with_inner_size(files::FIRST_SIZE)
        .with_min_inner_size([360.0, 480.0])
        .with_clamp_size_to_monitor_size(true);
    if options.reset_layout {
        // What eframe keeps there is where the window was and how egui's panels were.
        if let Some(kept) = eframe::storage_dir(platform::APP_ID).map(|folder| folder.join("app.ron")) {
            std::fs::remove_file(kept).ok();
        }
    }
    let native = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    let create: eframe::AppCreator<'static> = Box::new(move |cc| {
        let (ctx, platform) = (&cc.egui_ctx, Box::new(Native::new(&cc.egui_ctx)));
        let mut app = App::new(ctx, session, options.clone()).on_platform(ctx, platform, &options);
        if let Some((lesson, step)) = lesson {
            app.open_lesson(&lesson, step)?;
        }
        Ok(Box::new(app))
    });
    Ok(eframe::run_native("mmuscope", native, create)?)
}
