//! Lessons: a machine to begin with, and steps in which a learner watches, predicts, changes and
//! builds, with the machine as the judge.
//!
//! A lesson is one JSON file without code: goals are predicates, answered on a copy, so that asking
//! never touches the learner's machine. [`Session`] plays one; nothing here draws anything.

pub mod check;
mod facts;
mod file;
mod focus;
mod glossary;
mod goal;
mod library;
mod live;
mod progress;
mod search;
mod session;
mod text;

pub use check::{Broken, Rule, check_all};
pub use file::{
    Choice, Hints, Lesson, LessonStep, Par, StepKind, WhenWrong, is_lesson, languages_of, read_file, schema,
};
pub use focus::Focus;
pub use glossary::{Glossary, Term, glossary};
pub use goal::{Judgement, Part, Score};
pub use library::{LANGUAGES, by_id, from_link, library, link_to, tour};
pub use live::Live;
pub use progress::{Imported, LessonRecord, PROGRESS_FORMAT, Progress, StepRecord, Tour};
pub use session::{CannotRun, Chosen, Session};
pub use text::{Block, MAX_TEXT, Span, fill, parse, plain};
