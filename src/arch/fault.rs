//! Faults of an access, their error codes and what ended the walk (SDM 4.7, 6.15 interrupt 14).

use bitflags::bitflags;

use super::address::Gva;
use super::entry::Level;
use super::rights::{Access, Guard, Violations};

bitflags! {
    /// The page-fault error code (SDM 4.7, figure 4-12).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct PfErr: u32 {
        /// 1: a protection or reserved-bit violation; 0: a not-present entry.
        const P = 1 << 0;
        /// The access was a write.
        const W = 1 << 1;
        /// The access was a user access.
        const U = 1 << 2;
        /// A reserved bit was set; P is then 1 too.
        const RSVD = 1 << 3;
        /// Instruction fetch, reported only with SMEP or NXE.
        const ID = 1 << 4;
        /// A protection-key violation.
        const PK = 1 << 5;
    }
}

impl PfErr {
    /// Each bit with its short name, bit 0 first.
    pub const NAMES: [(&'static str, PfErr); 6] =
        [("P", Self::P), ("W", Self::W), ("U", Self::U), ("RSVD", Self::RSVD), ("I/D", Self::ID), ("PK", Self::PK)];
}

/// What ended an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultReason {
    /// The entry used at this level has P = 0.
    NotPresent {
        /// Its level; 3 under PAE paging means a PDPTE register.
        level: Level,
    },
    /// A present entry has reserved bits set.
    Reserved {
        /// Its level.
        level: Level,
        /// Which bits.
        bits: u64,
    },
    /// The rights of the whole path do not allow the access.
    Rights {
        /// The rules it breaks.
        broken: Violations,
    },
    /// The address is not canonical at the width in force: no walk, no CR2.
    NonCanonical {
        /// 48 or 57.
        width: u32,
    },
}

/// The exception that an access raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Vector {
    /// #PF, vector 14.
    PageFault,
    /// #GP(0), vector 13.
    GeneralProtection,
    /// #SS(0), vector 12.
    StackFault,
}

impl Vector {
    /// The name in files, without the number sign.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PageFault => "PF",
            Self::GeneralProtection => "GP",
            Self::StackFault => "SS",
        }
    }
}

/// A fault, with the facts that explain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Which exception.
    pub vector: Vector,
    /// Its error code; 0 for #GP and #SS.
    pub code: PfErr,
    /// The linear address, written to CR2 by a page fault only.
    pub gva: Gva,
    /// What ended the access.
    pub reason: FaultReason,
}

impl Fault {
    /// A non-canonical reference (SDM 3.3.7.1).
    #[must_use]
    pub const fn non_canonical(access: &Access, gva: Gva, width: u32) -> Self {
        let vector = if access.stack { Vector::StackFault } else { Vector::GeneralProtection };
        Self { vector, code: PfErr::empty(), gva, reason: FaultReason::NonCanonical { width } }
    }

    /// A page fault with the error code that its reason and the control bits give.
    ///
    /// `nxe` is EFER.NXE with CR4.PAE = 1, whether or not the mode's entries have XD.
    #[must_use]
    pub fn page(access: &Access, gva: Gva, guard: Guard, reason: FaultReason) -> Self {
        let mut code = match reason {
            FaultReason::NotPresent { .. } | FaultReason::NonCanonical { .. } => PfErr::empty(),
            FaultReason::Reserved { .. } => PfErr::P | PfErr::RSVD,
            FaultReason::Rights { broken } if broken.intersects(Violations::KEY_ACCESS | Violations::KEY_WRITE) => {
                PfErr::P | PfErr::PK
            }
            FaultReason::Rights { .. } => PfErr::P,
        };
        code.set(PfErr::W, access.is_write());
        code.set(PfErr::U, access.user);
        code.set(PfErr::ID, access.is_fetch() && guard.intersects(Guard::SMEP | Guard::NXE));
        Self { vector: Vector::PageFault, code, gva, reason }
    }
}
