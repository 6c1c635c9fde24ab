//! The lessons that the program carries, so that a page has them without a server.

use std::sync::OnceLock;

use super::file::Lesson;
use crate::names::nearest;
use crate::scenario::Scenario;

/// The languages that every lesson of ours is in.
pub const LANGUAGES: [&str; 2] = ["en", "zh"];

macro_rules! files {
    ($folder:literal: $($id:literal),+ $(,)?) => {
        [$(($id, include_str!(concat!("../../", $folder, "/", $id, ".json")))),+]
    };
}

/// In the order in which they are taught.
const LESSONS: [(&str, &str); 12] = files!("lessons":
    "one-table",
    "two-levels",
    "reading-a-fault",
    "accessed-and-dirty",
    "pae-and-nx",
    "four-registers",
    "stale-registers",
    "into-long-mode",
    "why-shadow",
    "shadow-cache",
    "partial-page",
    "stale-by-right",
);

/// Scenarios that a lesson may begin with by name.
const STARTS: [(&str, &str); 4] = files!("assets/scenarios":
    "the-register-remembers",
    "process-switch-2007",
    "demand-fault",
    "invlpg-now",
);

/// Every lesson, in the order in which they are taught.
#[must_use]
pub fn library() -> &'static [Lesson] {
    static LIBRARY: OnceLock<Vec<Lesson>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let read = |(id, text): &(&str, &str)| match Lesson::from_json(&format!("{id}.json"), text) {
            Ok(lesson) => Some(lesson),
            Err(error) => {
                log::error!("{error}");
                None
            }
        };
        LESSONS.iter().filter_map(read).collect()
    })
}

/// The lesson of that id, as a link names it.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Lesson> {
    library().iter().find(|lesson| lesson.id == id)
}

/// The scenario of that name.
pub(super) fn start_by_id(id: &str) -> Result<Scenario, String> {
    let Some((id, text)) = STARTS.iter().find(|(known, _)| *known == id) else {
        return Err(nearest("scenario", id, STARTS.iter().map(|(known, _)| *known)));
    };
    Scenario::from_json(&format!("{id}.json"), text).map_err(|error| error.to_string())
}
