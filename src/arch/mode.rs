//! Paging modes and their geometry (SDM 4.1.1, table 4-1): which bits of a linear address select
//! an entry at which level, and what size that entry has.

use serde::Serialize;

use super::address::{Gpa, Gva, bits};
use super::control::{ControlRegs, Cr0, Cr4, Efer};
use super::entry::Level;

/// One of the five ways to read a linear address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// CR0.PG = 0: the linear address is the physical address, 32 bits.
    Off,
    /// 32-bit paging: two levels of 1024 four-byte entries.
    Bits32,
    /// PAE paging: four PDPTE registers, then two levels of 512 eight-byte entries.
    Pae,
    /// 4-level paging: 48-bit linear addresses.
    Level4,
    /// 5-level paging: 57-bit linear addresses.
    Level5,
}

impl Mode {
    /// Every mode, in the order of the mode switch.
    pub const ALL: [Mode; 5] = [Self::Off, Self::Bits32, Self::Pae, Self::Level4, Self::Level5];

    /// The mode that these registers put the processor in.
    #[must_use]
    pub fn of(regs: &ControlRegs) -> Self {
        if !regs.cr0.contains(Cr0::PG) {
            Self::Off
        } else if regs.efer.contains(Efer::LMA) {
            if regs.cr4.contains(Cr4::LA57) { Self::Level5 } else { Self::Level4 }
        } else if regs.cr4.contains(Cr4::PAE) {
            Self::Pae
        } else {
            Self::Bits32
        }
    }

    /// The short name, as the mode switch shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::Bits32 => "32-bit",
            Self::Pae => "PAE",
            Self::Level4 => "4-level",
            Self::Level5 => "5-level",
        }
    }

    /// The highest level whose table is read from memory; 0 without paging.
    /// Under PAE paging that is the page directory: the level above it is the PDPTE registers.
    #[must_use]
    pub const fn top_level_in_memory(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Bits32 | Self::Pae => 2,
            Self::Level4 => 4,
            Self::Level5 => 5,
        }
    }

    /// The highest level, the PDPTE registers counted; 0 without paging.
    #[must_use]
    pub const fn top_level(self) -> u8 {
        match self {
            Self::Pae => 3,
            other => other.top_level_in_memory(),
        }
    }

    /// log2 of an entry's size in bytes: 2 or 3.
    #[must_use]
    pub const fn entry_shift(self) -> u32 {
        match self {
            Self::Bits32 => 2,
            _ => 3,
        }
    }

    /// The size of an entry in bytes: 4 or 8.
    #[must_use]
    pub const fn entry_size(self) -> u64 {
        1 << self.entry_shift()
    }

    /// How many address bits select an entry of a full table: 10 or 9.
    #[must_use]
    pub const fn index_bits(self) -> u32 {
        12 - self.entry_shift()
    }

    /// How many entries the table at a level has: 1024, 512, or 4 for the PDPT of PAE paging.
    #[must_use]
    pub const fn entries(self, level: Level) -> usize {
        match (self, level.0) {
            (Self::Pae, 3) => 4,
            _ => 1 << self.index_bits(),
        }
    }

    /// The lowest linear-address bit of a level's index.
    #[must_use]
    pub const fn index_shift(self, level: Level) -> u32 {
        12 + self.index_bits() * (level.0 as u32 - 1)
    }

    /// The index of the entry for `gva` at a level.
    #[must_use]
    pub const fn index(self, level: Level, gva: Gva) -> usize {
        (gva.0 >> self.index_shift(level)) as usize & (self.entries(level) - 1)
    }

    /// The linear-address bits of a level's index, high and low, inclusive.
    #[must_use]
    pub const fn index_range(self, level: Level) -> (u32, u32) {
        let lo = self.index_shift(level);
        (lo + self.entries(level).trailing_zeros() - 1, lo)
    }

    /// How many bits of a linear address count: 32, 48 or 57.
    #[must_use]
    pub const fn linear_width(self) -> u32 {
        match self {
            Self::Off | Self::Bits32 | Self::Pae => 32,
            Self::Level4 => 48,
            Self::Level5 => 57,
        }
    }

    /// Whether this is IA-32e paging (LMA = 1).
    #[must_use]
    pub const fn is_long(self) -> bool {
        matches!(self, Self::Level4 | Self::Level5)
    }

    /// Whether entries have a protection key and a processor may check it (SDM 4.6.2).
    #[must_use]
    pub const fn has_protection_keys(self) -> bool {
        self.is_long()
    }

    /// The linear address as this mode sees it: outside long mode, 32 bits of it.
    #[must_use]
    pub const fn linear(self, gva: Gva) -> Gva {
        if self.is_long() { gva } else { Gva(gva.0 & 0xffff_ffff) }
    }

    /// Where CR3 says the top structure lies (SDM 4.3 table 4-3, 4.4.1 table 4-7, 4.5 table 4-12).
    #[must_use]
    pub const fn root(self, cr3: u64, maxphyaddr: u8) -> Gpa {
        match self {
            Self::Off => Gpa(0),
            Self::Bits32 => Gpa(cr3 & bits(12, 31)),
            Self::Pae => Gpa(cr3 & bits(5, 31)),
            Self::Level4 | Self::Level5 => Gpa(cr3 & bits(12, maxphyaddr as u32 - 1)),
        }
    }

    /// The name of the structure at a level: `PT`, `PD`, `PDPT`, `PML4`, `PML5`.
    #[must_use]
    pub const fn table_name(level: Level) -> &'static str {
        match level.0 {
            1 => "PT",
            2 => "PD",
            3 => "PDPT",
            4 => "PML4",
            _ => "PML5",
        }
    }

    /// The name of an entry at a level: `PTE`, `PDE`, `PDPTE`, `PML4E`, `PML5E`.
    #[must_use]
    pub const fn entry_name(level: Level) -> &'static str {
        match level.0 {
            1 => "PTE",
            2 => "PDE",
            3 => "PDPTE",
            4 => "PML4E",
            _ => "PML5E",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometry_of_the_manual() {
        assert_eq!(Mode::Bits32.index_range(Level(2)), (31, 22));
        assert_eq!(Mode::Pae.index_range(Level(3)), (31, 30));
        assert_eq!(Mode::Pae.index_range(Level(2)), (29, 21));
        assert_eq!(Mode::Level4.index_range(Level(4)), (47, 39));
        assert_eq!(Mode::Level5.index_range(Level(5)), (56, 48));
        assert_eq!(Mode::Pae.index(Level(3), Gva(0x4120_1abc)), 1);
        assert_eq!(Mode::Pae.index(Level(2), Gva(0x4120_1abc)), 9);
        assert_eq!(Mode::Pae.index(Level(1), Gva(0x4120_1abc)), 1);
        assert_eq!(Mode::Bits32.index(Level(2), Gva(0xc080_1abc)), 0x302);
    }

    #[test]
    fn roots() {
        assert_eq!(Mode::Pae.root(0xffff_ffff_0000_3fff, 40), Gpa(0x3fe0));
        assert_eq!(Mode::Bits32.root(0x3fff, 40), Gpa(0x3000));
        assert_eq!(Mode::Level4.root(u64::MAX, 40), Gpa(0xff_ffff_f000));
    }
}
