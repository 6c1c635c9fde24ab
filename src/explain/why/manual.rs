//! Sections of Intel's manual, in the edition of 2016 whose numbers the project cites.

use super::Question;
use crate::arch::Mode;
use crate::tr;

/// Where a conclusion is to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manual {
    /// A section of the Software Developer's Manual.
    Sdm(&'static str),
    /// The documentation of KVM's ioctls.
    KvmApi(&'static str),
}

/// A citation, with a word where the edition does not know the mode yet.
pub fn cite(question: &Question<'_>, manual: Manual) -> String {
    let l = question.language;
    match manual {
        Manual::KvmApi(section) => format!("KVM API {section}"),
        Manual::Sdm(section) if question.before.machine().cpu.mode() == Mode::Level5 => {
            tr!(l, "SDM {section} (2016; 5-level paging is not in that edition)", section = section)
        }
        Manual::Sdm(section) => tr!(l, "SDM {section} (2016)", section = section),
    }
}
