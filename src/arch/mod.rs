//! The manual as code: x86 paging as plain values in, plain values out.
//!
//! Nothing here has state, history or sentences for people. Every file names the section of the
//! Intel SDM (volume 3A, chapter 4 unless said otherwise) that it follows.

pub mod address;
pub mod control;
pub mod entry;
pub mod fault;
pub mod feature;
pub mod invalidate;
pub mod mode;
pub mod pdpte;
pub mod rights;
pub mod walk;

pub use address::{Gfn, Gpa, Gva, Hfn, Hpa};
pub use control::{ControlRegs, Cr0, Cr4, Efer, Execution, Refusal, Rule};
pub use entry::Level;
pub use fault::{Fault, FaultReason, PfErr};
pub use feature::{CpuModel, Features, Vendor};
pub use mode::Mode;
pub use rights::{Access, AccessKind, Rights};
pub use walk::{Paging, TableMemory, Walk};
