//! Entry formats: the bits of every paging-structure entry and which of them are reserved when
//! (SDM 4.3 to 4.5, tables 4-4 to 4-19).

use serde::{Deserialize, Serialize};

use super::address::{Gpa, bits};
use super::control::Cr4;
use super::feature::{CpuModel, Features, Vendor};
use super::mode::Mode;

/// A level of the walk, counted from the leaf: 1 = PT, 2 = PD, 3 = PDPT, 4 = PML4, 5 = PML5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Level(pub u8);

impl Level {
    /// The levels from `top` down to 1.
    pub fn down_from(top: u8) -> impl Iterator<Item = Level> {
        (1..=top).rev().map(Level)
    }
}

/// Present.
pub const P: u64 = 1 << 0;
/// Read/write: writes allowed.
pub const RW: u64 = 1 << 1;
/// User/supervisor: user accesses allowed.
pub const US: u64 = 1 << 2;
/// Page-level write-through.
pub const PWT: u64 = 1 << 3;
/// Page-level cache disable.
pub const PCD: u64 = 1 << 4;
/// Accessed.
pub const A: u64 = 1 << 5;
/// Dirty (leaf entries).
pub const D: u64 = 1 << 6;
/// Page size (PDE, PDPTE of 4-level and 5-level paging).
pub const PS: u64 = 1 << 7;
/// Page-attribute table, in the entry of a 4 KiB page.
pub const PAT: u64 = 1 << 7;
/// Global (leaf entries, with CR4.PGE).
pub const G: u64 = 1 << 8;
/// Page-attribute table, in the entry of a large page.
pub const PAT_LARGE: u64 = 1 << 12;
/// Execute disable (8-byte entries, with EFER.NXE).
pub const XD: u64 = 1 << 63;
/// The lowest bit of the protection key, bits 62:59.
pub const KEY_SHIFT: u32 = 59;

/// The protection key of a leaf entry, 0 to 15.
#[must_use]
pub const fn protection_key(entry: u64) -> u8 {
    (entry >> KEY_SHIFT & 0xf) as u8
}

/// log2 of the page that a leaf at this level maps.
#[must_use]
pub const fn page_shift(mode: Mode, level: Level) -> u32 {
    mode.index_shift(level)
}

/// Whether an entry at this level may map a page if its PS bit is set; level 1 always does.
///
/// 32-bit paging needs CR4.PSE; PAE, 4-level and 5-level paging ignore it. A 1 GiB page needs the
/// processor's support, without which PS is a reserved bit.
#[must_use]
pub const fn page_size_bit_counts(mode: Mode, level: Level, cr4: Cr4) -> bool {
    match (mode, level.0) {
        (Mode::Bits32, 2) => cr4.contains(Cr4::PSE),
        (Mode::Pae | Mode::Level4 | Mode::Level5, 2) | (Mode::Level4 | Mode::Level5, 3) => true,
        _ => false,
    }
}

/// The reserved bits of a present entry.
///
/// `leaf` says whether the entry maps a page. For the PDPTEs of PAE paging ask
/// [`super::pdpte::reserved`]: they are checked when the registers are loaded.
#[must_use]
pub fn reserved(mode: Mode, level: Level, leaf: bool, model: &CpuModel, nxe: bool) -> u64 {
    let width = u32::from(model.maxphyaddr);
    let no_xd = if nxe { 0 } else { XD };
    match mode {
        Mode::Off => 0,
        Mode::Bits32 => match (level.0, leaf) {
            (2, true) if model.has(Features::PSE36) => bits((width.min(40) - 19).max(13), 21),
            (2, true) => bits(13, 21),
            _ => 0,
        },
        Mode::Pae => {
            let large = if level.0 == 2 && leaf { bits(13, 20) } else { 0 };
            large | bits(width, 62) | no_xd
        }
        Mode::Level4 | Mode::Level5 => {
            let common = bits(width, 51) | no_xd;
            match (level.0, leaf) {
                (4 | 5, _) if model.vendor == Vendor::Amd => common | PS | G,
                (4 | 5, _) => common | PS,
                (3, true) if model.has(Features::GB_PAGES) => common | bits(13, 29),
                (3, true) => common | bits(13, 29) | PS,
                (2, true) => common | bits(13, 20),
                _ => common,
            }
        }
    }
}

/// Where a non-leaf entry says the next table lies, or a 4 KiB leaf its page.
#[must_use]
pub const fn frame_4k(entry: u64, model: &CpuModel) -> Gpa {
    Gpa(entry & bits(12, model.maxphyaddr as u32 - 1))
}

/// Where a leaf entry of `level` says its page lies.
#[must_use]
pub const fn page_base(mode: Mode, level: Level, entry: u64, model: &CpuModel) -> Gpa {
    match (mode, level.0) {
        // PSE-36: bits 20:13 hold address bits 39:32 (SDM table 4-4).
        (Mode::Bits32, 2) => {
            let high = if model.has(Features::PSE36) { (entry & bits(13, 20)) << 19 } else { 0 };
            let kept = if model.maxphyaddr >= 40 { u64::MAX } else { bits(0, model.maxphyaddr as u32 - 1) };
            Gpa((entry & bits(22, 31) | high) & kept)
        }
        (Mode::Bits32, _) => Gpa(entry & bits(12, 31)),
        _ => Gpa(entry & bits(page_shift(mode, level), model.maxphyaddr as u32 - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(width: u8) -> CpuModel {
        CpuModel { maxphyaddr: width, ..CpuModel::default() }
    }

    #[test]
    fn pse36_reserves_what_the_width_leaves() {
        let at = |width| reserved(Mode::Bits32, Level(2), true, &model(width), false);
        assert_eq!(at(36), bits(17, 21));
        assert_eq!(at(40), bits(21, 21));
        assert_eq!(at(52), bits(21, 21));
        assert_eq!(at(32), bits(13, 21));
    }

    #[test]
    fn pae_reserves_the_bits_that_4_level_ignores() {
        let m = model(40);
        assert_eq!(reserved(Mode::Pae, Level(1), true, &m, true), bits(40, 62));
        assert_eq!(reserved(Mode::Level4, Level(1), true, &m, true), bits(40, 51));
        assert_eq!(reserved(Mode::Level4, Level(1), true, &m, false), bits(40, 51) | XD);
        assert_eq!(reserved(Mode::Level4, Level(1), true, &model(52), true), 0);
    }

    #[test]
    fn amd_reserves_bit_8_high_up() {
        let amd = CpuModel { vendor: Vendor::Amd, ..model(48) };
        assert_ne!(reserved(Mode::Level4, Level(4), false, &amd, true) & G, 0);
        assert_eq!(reserved(Mode::Level4, Level(4), false, &model(48), true) & G, 0);
        assert_eq!(reserved(Mode::Level4, Level(3), false, &amd, true) & G, 0);
    }

    #[test]
    fn a_4_mib_page_above_4_gib() {
        let entry = 0x00c0_0000 | 1 << 13 | PS | P;
        assert_eq!(page_base(Mode::Bits32, Level(2), entry, &model(40)), Gpa(0x1_00c0_0000));
    }
}
