//! Progress and language from one run to the next: the window's storage, the page's local storage.

use crate::app::App;
use crate::app::time::motion::Preference;
use crate::language::Language;
use crate::lesson::Progress;

/// The key of the progress, as exported.
const PROGRESS: &str = "lessons";
/// The key of whether things move.
const MOTION: &str = "motion";
/// The key of the language.
const LANGUAGE: &str = "language";

impl App {
    /// Takes over what an earlier run kept. What cannot be read is left out.
    pub fn recall(&mut self, storage: Option<&dyn eframe::Storage>) {
        let Some(storage) = storage else { return };
        if let Some(text) = storage.get_string(PROGRESS) {
            let mut progress = Progress::default();
            match progress.import("progress", &text) {
                Ok(_) => self.progress = progress,
                Err(error) => log::warn!("{error}"),
            }
        }
        if let Some(motion) = storage.get_string(MOTION).as_deref().and_then(Preference::by_id) {
            self.motion.prefer(motion);
        }
        if let Some(language) = storage.get_string(LANGUAGE).as_deref().and_then(Language::by_id) {
            self.view.language = language;
        }
    }

    /// Keeps what the next run is to know.
    pub(in crate::app) fn keep(&self, storage: &mut dyn eframe::Storage) {
        storage.set_string(PROGRESS, self.progress.export());
        storage.set_string(MOTION, self.motion.preference().id().to_owned());
        storage.set_string(LANGUAGE, self.view.language.id().to_owned());
    }
}
