//! What a learner has done: kept, exported, imported, reset.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::file::Lesson;
use super::goal::Score;
use crate::names::shown;
use crate::scenario::{InputError, from_json};

/// The format of exported progress.
pub const PROGRESS_FORMAT: &str = "mmuscope-progress/1";

/// The most lessons, and steps of a lesson, that an import may name.
const MOST: usize = 1_000;

/// One step of a lesson.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepRecord {
    /// Whether it is done.
    pub done: bool,
    /// The first answer that was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_choice: Option<usize>,
    /// The answer that was chosen last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<usize>,
    /// How many hints were taken.
    pub hints: usize,
    /// Whether the solution was shown before the goal was reached.
    pub solution_shown: bool,
    /// The best way to the goal that the learner found alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<Score>,
}

impl StepRecord {
    fn merge(&mut self, other: &Self) {
        self.done |= other.done;
        self.first_choice = self.first_choice.or(other.first_choice);
        self.choice = self.choice.or(other.choice);
        self.hints = self.hints.max(other.hints);
        self.solution_shown |= other.solution_shown;
        self.best = match (self.best, other.best) {
            (Some(mine), Some(theirs)) => Some(mine.better(theirs)),
            (mine, theirs) => mine.or(theirs),
        };
    }
}

/// One lesson.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LessonRecord {
    /// The step that was open last, from 0.
    pub at: usize,
    /// Its steps.
    pub steps: Vec<StepRecord>,
}

impl LessonRecord {
    /// How many steps are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.steps.iter().filter(|step| step.done).count()
    }

    /// Adds another record: what is done in either is done, the better score stays.
    pub(super) fn merge(&mut self, other: &Self) {
        let length = self.steps.len().max(other.steps.len());
        self.steps.resize_with(length, StepRecord::default);
        self.steps.iter_mut().zip(&other.steps).for_each(|(mine, theirs)| mine.merge(theirs));
    }

    /// The record cut or filled up to a lesson that has changed since.
    #[must_use]
    pub fn fitted(mut self, lesson: &Lesson) -> Self {
        self.steps.resize_with(lesson.steps.len(), StepRecord::default);
        self.at = self.at.min(lesson.steps.len() - 1);
        self
    }
}

/// What an import brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Lessons in the import.
    pub lessons: usize,
    /// Steps that were not done before and are now.
    pub newly_done: usize,
}

/// How far the tour of the first visit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tour {
    /// Nobody has begun it.
    #[default]
    Offered,
    /// It goes on where it was left.
    Begun,
    /// The visitor wanted something else.
    Skipped,
    /// It is over.
    Done,
}

impl Tour {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_offered(&self) -> bool {
        *self == Self::Offered
    }
}

/// Everything a learner has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    format: String,
    #[serde(default, skip_serializing_if = "Tour::is_offered")]
    tour: Tour,
    lessons: BTreeMap<String, LessonRecord>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { format: PROGRESS_FORMAT.to_owned(), tour: Tour::default(), lessons: BTreeMap::new() }
    }
}

impl Progress {
    /// The record of a lesson.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&LessonRecord> {
        self.lessons.get(id)
    }

    /// Keeps the record of a lesson.
    pub fn set(&mut self, id: &str, record: LessonRecord) {
        self.lessons.insert(id.to_owned(), record);
    }

    /// How far the tour has come.
    #[must_use]
    pub const fn tour(&self) -> Tour {
        self.tour
    }

    /// Keeps how far the tour has come.
    pub const fn set_tour(&mut self, tour: Tour) {
        self.tour = tour;
    }

    /// The number of a step within the tour, from 1, and how many there are: while the tour goes on
    /// and for its lesson's first steps.
    #[must_use]
    pub fn tour_step(&self, lesson: &Lesson, at: usize) -> Option<(usize, usize)> {
        (self.tour == Tour::Begun && at < lesson.tour).then_some((at + 1, lesson.tour))
    }

    /// The step, from 0, where the tour begins or goes on.
    #[must_use]
    pub fn tour_start(&self, lesson: &Lesson) -> usize {
        let Some(record) = self.get(&lesson.id) else { return 0 };
        if self.tour == Tour::Begun && record.at < lesson.tour {
            return record.at;
        }
        (0..lesson.tour).find(|at| !record.steps.get(*at).is_some_and(|step| step.done)).unwrap_or(0)
    }

    /// Forgets one lesson.
    pub fn reset(&mut self, id: &str) {
        self.lessons.remove(id);
    }

    /// Forgets everything.
    pub fn reset_all(&mut self) {
        self.lessons.clear();
        self.tour = Tour::default();
    }

    /// Whether every step of a lesson is done.
    #[must_use]
    pub fn finished(&self, lesson: &Lesson) -> bool {
        self.get(&lesson.id).is_some_and(|record| record.done() >= lesson.steps.len())
    }

    /// The lessons that should be done before this one and are not.
    #[must_use]
    pub fn missing_before<'a>(&self, lesson: &Lesson, lessons: &'a [Lesson]) -> Vec<&'a Lesson> {
        lessons.iter().filter(|other| lesson.after.contains(&other.id) && !self.finished(other)).collect()
    }

    /// The first lesson that is not finished and whose prerequisites are.
    #[must_use]
    pub fn next<'a>(&self, lessons: &'a [Lesson]) -> Option<&'a Lesson> {
        lessons.iter().find(|lesson| !self.finished(lesson) && self.missing_before(lesson, lessons).is_empty())
    }

    /// All of it as text that [`Progress::import`] reads.
    #[must_use]
    pub fn export(&self) -> String {
        match serde_json::to_string_pretty(self) {
            Ok(text) => text + "\n",
            Err(error) => unreachable!("numbers, flags and names are JSON: {error}"),
        }
    }

    /// Adds exported progress. What is done stays done, the better score stays.
    ///
    /// # Errors
    /// [`InputError`]; nothing has changed then.
    pub fn import(&mut self, name: &str, json: &str) -> Result<Imported, InputError> {
        let other: Self = from_json(name, json)?;
        let wrong =
            |path: &str, what: String| Err(InputError::Content { name: name.to_owned(), path: path.to_owned(), what });
        if other.format != PROGRESS_FORMAT {
            let format = shown(&other.format, 40);
            return wrong("format", format!("format `{format}` is not known: this version reads `{PROGRESS_FORMAT}`"));
        }
        if other.lessons.len() > MOST || other.lessons.values().any(|lesson| lesson.steps.len() > MOST) {
            return wrong("lessons", format!("more than {MOST} lessons, or steps of a lesson"));
        }
        let before: usize = self.lessons.values().map(LessonRecord::done).sum();
        let lessons = other.lessons.len();
        self.tour = self.tour.max(other.tour);
        for (id, theirs) in other.lessons {
            let mine = self.lessons.entry(id).or_default();
            mine.at = mine.at.max(theirs.at);
            mine.merge(&theirs);
        }
        let after: usize = self.lessons.values().map(LessonRecord::done).sum();
        Ok(Imported { lessons, newly_done: after - before })
    }
}
