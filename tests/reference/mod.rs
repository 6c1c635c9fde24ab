//! A second, independent implementation of x86 address translation, for the tests.
//!
//! It follows the Intel SDM volume 3A chapter 4 as plainly as it can: one function for each paging
//! mode, no shared tables of bits, memory as a map of words. It shares no code with the library.

#![allow(dead_code, unused_imports, reason = "each test that includes this module uses a part of it")]

pub mod caches;
pub mod case;
pub mod cpu;
pub mod drive;
pub mod guest;
pub mod program;
pub mod random;
pub mod registers;
pub mod rights;
pub mod slots;
pub mod walk;

pub use cpu::{Cpu, Mode};
pub use random::Random;
pub use walk::{Access, Kind, Memory, Outcome};
