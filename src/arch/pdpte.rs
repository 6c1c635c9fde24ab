//! The four PDPTE registers of PAE paging (SDM 4.4.1).
//!
//! They are loaded from 32 bytes of memory, checked all or none, and then live apart from that
//! memory: an edit of the table has no effect until one of the load events. Unlike a TLB entry
//! they are not touched by INVLPG. The processor never sets an accessed bit in them.

use serde::{Deserialize, Serialize};

use super::address::{Gpa, Gva, bits};
use super::control::{Refusal, Rule};
use super::entry::{Level, P};
use super::feature::CpuModel;
use super::mode::Mode;

/// How many registers there are.
pub const COUNT: usize = 4;
/// The size of the structure in memory, in bytes; also its alignment.
pub const TABLE_BYTES: u64 = 32;

/// The registers, index 0 to 3.
pub type Pdptes = [u64; COUNT];

/// The level of a PDPTE.
pub const LEVEL: Level = Level(3);

/// The reserved bits of a present PDPTE: 2:1, 8:5, and those at or above MAXPHYADDR
/// (SDM table 4-8).
#[must_use]
pub const fn reserved(model: &CpuModel) -> u64 {
    bits(1, 2) | bits(5, 8) | bits(model.maxphyaddr as u32, 63)
}

/// Where entry `index` lies in memory, `root` being the base that CR3 gives.
#[must_use]
pub const fn address(root: Gpa, index: usize) -> Gpa {
    root.offset(8 * index as u64)
}

/// The register that a linear address selects.
#[must_use]
pub const fn index(gva: Gva) -> usize {
    Mode::Pae.index(LEVEL, gva)
}

/// A PDPTE that must not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reject {
    /// Which of the four.
    pub index: usize,
    /// Its reserved bits that are set.
    pub bits: u64,
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Self { rule: Rule::G19, bits: reject.bits }
    }
}

/// Checks the four entries before any register is replaced. An entry with P = 0 is never examined.
///
/// # Errors
/// The first entry, in index order, with a reserved bit set.
pub fn check(model: &CpuModel, table: &Pdptes) -> Result<(), Reject> {
    let mask = reserved(model);
    for (index, entry) in table.iter().enumerate() {
        let bits = entry & mask;
        if entry & P != 0 && bits != 0 {
            return Err(Reject { index, bits });
        }
    }
    Ok(())
}

/// What loads the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadCause {
    /// The state that a scenario begins in.
    Init,
    /// MOV to CR0 that changed CD, NW or PG.
    MovCr0,
    /// MOV to CR3, also of an equal value.
    MovCr3,
    /// MOV to CR4 that changed PAE, PGE, PSE or SMEP.
    MovCr4,
    /// Userspace set all registers at once.
    SetSregs,
}

impl LoadCause {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::MovCr0 => "mov_cr0",
            Self::MovCr3 => "mov_cr3",
            Self::MovCr4 => "mov_cr4",
            Self::SetSregs => "set_sregs",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_none_and_only_if_present() {
        let model = CpuModel::default();
        assert_eq!(check(&model, &[0x5001, 0x1e6, !1, 0x6e19]), Ok(()));
        assert_eq!(check(&model, &[0x5001, 0x1003, 0, 0]), Err(Reject { index: 1, bits: 2 }));
        assert_eq!(check(&model, &[0x5001, 0, 1 << 40 | 1, 0]), Err(Reject { index: 2, bits: 1 << 40 }));
    }
}
