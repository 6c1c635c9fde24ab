//! Files: scenarios and vectors in, sessions out; predicates and the runs that judge them.
//!
//! A vector is a scenario on one line, so one reader serves both. All input is untrusted: a wrong
//! file gives one sentence with line, column and JSON path, and nothing else happens.

pub mod autosave;
mod export;
mod file;
pub mod import;
mod link;
mod marks;
mod predicate;
mod presets;
mod run;
mod session;
mod snapshot;
mod step;

pub use export::ExportError;
pub(crate) use file::from_json;
pub use file::{
    FORMAT, InputError, MAX_FILE_BYTES, Scenario, StartError, State, Text, read_bytes, read_file, read_steps, schema,
};
pub use link::{LinkError, MAX_BYTES as MAX_LINK_BYTES, Shared, View, is_link, link};
pub use marks::{Bookmark, MAX_NAME, Marks};
pub use predicate::{Predicate, RegName};
pub use presets::{Preset, PresetGroup, preset, presets};
pub(crate) use run::judge_step;
pub use run::{Events, Failure, Happened, MemoryFailure, Run, StepReport, Verdict, outcome_matches, run};
pub use session::{Caption, Session};
pub use snapshot::state_json;
pub(crate) use step::command_ops;
pub use step::{Step, StepKind, Want, WantedException};
