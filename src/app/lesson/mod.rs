//! The lessons on the screen: the list, the step in the drawer, the goal beside the machine.
//!
//! What a lesson is, and how it is judged, is [`crate::lesson`]; here it is drawn.

mod desk; // what lies open: a session to explore, and lessons
mod goal; // goal, hints, solution, score
mod list; // every lesson with its progress
mod markdown; // texts with glossary chips
mod spot; // what a step is about
mod step; // the tab Lesson
mod tour; // the first steps, for a first visit
mod wish; // what the views here ask for
mod words; // what is said, in each language

pub use desk::{Desk, Player};
pub use goal::goal_strip_ui;
pub use list::list_ui;
pub use markdown::words;
pub use spot::{spot, spot_zone};
pub use step::step_ui;
pub use tour::tour_button;
pub use wish::{LessonWish, on_wish, open_list};
