//! x86 address translation and KVM's shadow MMU as a living machine.
//!
//! Each module uses only modules above it in this list.

#[cfg(feature = "gui")]
pub mod app;
pub mod arch; // the manual as code: modes, entries, rights, legality rules, the walk
pub mod engine; // who runs the guest: bare hardware, and each hypervisor's MMU
pub mod lab; // machine + engine + log: execute, replay, branch, snapshot, hash
pub mod machine; // what has state: processor, memory, TLB; commands and events
pub mod scenario; // files: scenarios and vectors, predicates, runs, sessions // everything egui: the window and the page
