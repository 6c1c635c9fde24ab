//! Sections of the manuals: Intel's in the edition of 2016, in which paging is chapter 4 of volume 3A (chapter 5
//! since 2024), and AMD's volume 2, whose numbers have stayed.

use super::Question;
use crate::arch::Mode;
use crate::tr;

/// Where a conclusion is to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manual {
    /// A section of the Software Developer's Manual.
    Sdm(&'static str),
    /// A section of it that CR4.CET has changed since.
    SdmBeforeCet(&'static str),
    /// A section of the AMD64 Architecture Programmer's Manual, volume 2.
    Apm(&'static str),
    /// The documentation of KVM's ioctls.
    KvmApi(&'static str),
}

/// A citation, with a word where the edition does not know the mode yet.
pub fn cite(question: &Question<'_>, manual: Manual) -> String {
    let l = question.language;
    match manual {
        Manual::KvmApi(section) => format!("KVM API {section}"),
        Manual::Apm(section) => format!("AMD APM 2 {section}"),
        Manual::SdmBeforeCet(section) => {
            tr!(l, "SDM {section} (2016; CR4.CET is not in that edition)", section = section)
        }
        Manual::Sdm(section) if question.before.machine().cpu.mode() == Mode::Level5 => {
            tr!(l, "SDM {section} (2016; 5-level paging is not in that edition)", section = section)
        }
        Manual::Sdm(section) => tr!(l, "SDM {section} (2016)", section = section),
    }
}
