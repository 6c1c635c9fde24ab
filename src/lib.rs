//! x86 address translation and KVM's shadow MMU as a living machine.
//!
//! Each module uses only modules above it in this list; `tests/layering.rs` holds the rule.

#![forbid(unsafe_code)]

/// Names that people type, and the nearest known one.
pub mod names;
/// The languages of everything that people read.
pub mod language;
/// The manual as code: modes, entries, rights, legality rules, the walk.
pub mod arch;
/// What has state: processor, memory, slots, cached translations; commands and events.
pub mod machine;
/// Who runs the guest: bare hardware, and each hypervisor's MMU.
pub mod engine;
/// Machine, engine and log: execute, replay, branch, snapshot, hash.
pub mod lab;
/// Files: scenarios and vectors, predicates, runs, sessions.
pub mod scenario;
/// Events, commands and refusals into sentences.
pub mod explain;
/// Lessons: files, goals, sessions, progress, and the check of what an author wrote.
pub mod lesson;
/// Everything egui: the window and the page.
#[cfg(feature = "gui")]
pub mod app;
/// Everything clap: one file a subcommand.
#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
/// The browser entry: what the page's script exports.
#[cfg(all(target_arch = "wasm32", feature = "gui"))]
pub mod web;
