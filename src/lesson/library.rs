//! The lessons that the program carries, so that a page has them without a server.

use std::sync::OnceLock;

use super::file::Lesson;
use crate::names::nearest;
use crate::scenario::{Scenario, preset, presets};

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

/// The lesson whose first steps are the tour that a first visitor is offered.
#[must_use]
pub fn tour() -> Option<&'static Lesson> {
    library().iter().find(|lesson| lesson.tour > 0)
}

/// A link to a step of a lesson: what stands behind the page's address.
#[must_use]
pub fn link_to(id: &str, step: usize) -> String {
    format!("#lesson={id}&step={}", step + 1)
}

/// The lesson and the step, from 0, that a link leads to: `#lesson=ID&step=N`, alone or behind an
/// address. `None` where the text is no such link.
/// An error is a sentence that names what is wrong with it.
#[must_use]
pub fn from_link(text: &str) -> Option<Result<(&'static Lesson, usize), String>> {
    let (_, fields) = text.split_once('#')?;
    let field = |name: &str| {
        fields.split('&').find_map(|field| field.split_once('=').filter(|(known, _)| *known == name)).map(|(_, v)| v)
    };
    Some(step_of_link(field("lesson")?, field("step")))
}

fn step_of_link(id: &str, step: Option<&str>) -> Result<(&'static Lesson, usize), String> {
    let lesson = by_id(id).ok_or_else(|| nearest("lesson", id, library().iter().map(|lesson| lesson.id.as_str())))?;
    let all = lesson.steps.len();
    let number = step.map_or(Some(1), |step| step.parse().ok()).filter(|number| (1..=all).contains(number));
    let number = number.ok_or_else(|| format!("the lesson `{id}` has the steps 1 to {all}"))?;
    Ok((lesson, number - 1))
}

/// The preset of that name, for lessons that begin with one.
pub(super) fn start_by_id(id: &str) -> Result<Scenario, String> {
    let known = presets().iter().flat_map(|group| &group.presets).map(|preset| preset.id.as_str());
    let preset = preset(id).ok_or_else(|| nearest("scenario", id, known))?;
    preset.scenario().map_err(|error| error.to_string())
}
