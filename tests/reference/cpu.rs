//! The registers that decide about a translation, as raw numbers, and the four PDPTE registers.

use super::walk::Words;

pub const CR0_PE: u64 = 1 << 0;
pub const CR0_ET: u64 = 1 << 4;
pub const CR0_WP: u64 = 1 << 16;
pub const CR0_NW: u64 = 1 << 29;
pub const CR0_CD: u64 = 1 << 30;
pub const CR0_PG: u64 = 1 << 31;
pub const CR4_PSE: u64 = 1 << 4;
pub const CR4_PAE: u64 = 1 << 5;
pub const CR4_PGE: u64 = 1 << 7;
pub const CR4_LA57: u64 = 1 << 12;
pub const CR4_PCIDE: u64 = 1 << 17;
pub const CR4_SMEP: u64 = 1 << 20;
pub const CR4_SMAP: u64 = 1 << 21;
pub const CR4_PKE: u64 = 1 << 22;
pub const EFER_SCE: u64 = 1 << 0;
pub const EFER_LME: u64 = 1 << 8;
pub const EFER_LMA: u64 = 1 << 10;
pub const EFER_NXE: u64 = 1 << 11;

/// How linear addresses are translated (SDM 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Unpaged,
    Bits32,
    Pae,
    FourLevel,
    FiveLevel,
}

/// A processor: its model and its registers.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// MAXPHYADDR, 32 to 52.
    pub maxphyaddr: u32,
    /// AMD's rules: bit 8 of a PML4E or PML5E is reserved.
    pub amd: bool,
    /// CPUID: 1 GiB pages.
    pub gb_pages: bool,
    /// CPUID: PSE-36.
    pub pse36: bool,
    pub cr0: u64,
    pub cr3: u64,
    pub cr4: u64,
    pub efer: u64,
    pub pkru: u64,
    /// The PDPTE registers (SDM 4.4.1).
    pub pdptes: [u64; 4],
}

impl Cpu {
    pub fn mode(&self) -> Mode {
        if self.cr0 & CR0_PG == 0 {
            Mode::Unpaged
        } else if self.cr4 & CR4_PAE == 0 {
            Mode::Bits32
        } else if self.efer & EFER_LME == 0 {
            Mode::Pae
        } else if self.cr4 & CR4_LA57 == 0 {
            Mode::FourLevel
        } else {
            Mode::FiveLevel
        }
    }

    pub fn wp(&self) -> bool {
        self.cr0 & CR0_WP != 0
    }

    pub fn smep(&self) -> bool {
        self.cr4 & CR4_SMEP != 0
    }

    pub fn smap(&self) -> bool {
        self.cr4 & CR4_SMAP != 0
    }

    pub fn nxe(&self) -> bool {
        self.efer & EFER_NXE != 0
    }

    pub fn pcid(&self) -> u64 {
        if self.cr4 & CR4_PCIDE != 0 { self.cr3 & 0xfff } else { 0 }
    }

    /// The bits that a present PDPTE must have clear (SDM table 4-8).
    pub fn pdpte_reserved(&self) -> u64 {
        0b110 | 0b1_1110_0000 | !((1 << self.maxphyaddr) - 1)
    }

    /// The four PDPTEs in memory at `cr3`, if all that are present have their reserved bits clear.
    pub fn pdptes_in_memory(&self, memory: &impl Words, cr3: u64) -> Option<[u64; 4]> {
        let table = cr3 & 0xffff_ffe0;
        let mut loaded = [0; 4];
        for (i, register) in loaded.iter_mut().enumerate() {
            let value = memory.word(table + 8 * i as u64);
            if value & 1 != 0 && value & self.pdpte_reserved() != 0 {
                return None;
            }
            *register = value;
        }
        Some(loaded)
    }

    /// Loads the PDPTE registers at `cr3`. A bad table leaves them alone and says so.
    pub fn load_pdptes(&mut self, memory: &impl Words, cr3: u64) -> bool {
        match self.pdptes_in_memory(memory, cr3) {
            Some(loaded) => {
                self.pdptes = loaded;
                true
            }
            None => false,
        }
    }
}
