//! The walk: from a linear address to a page, entry by entry (SDM 4.2 to 4.5, 4.8).
//!
//! [`Paging`] holds what the registers fix (geometry, reserved bits, guards), so that the walk
//! itself only reads entries. The walk never writes: accessed and dirty bits are set afterwards
//! with [`Walk::updates`], because a walk that faults sets none.

use super::address::{Gpa, Gva, PAGE_SHIFT, bits};
use super::control::{ControlRegs, Cr4};
use super::entry::{self, Level};
use super::fault::{Fault, FaultReason};
use super::feature::CpuModel;
use super::mode::Mode;
use super::pdpte::{self, Pdptes};
use super::rights::{Access, Guard, Rights, violations};

/// Physical memory as a walker reads it.
pub trait TableMemory {
    /// The aligned 8-byte little-endian word at `gpa` (a multiple of 8).
    fn read_u64(&self, gpa: Gpa) -> u64;

    /// The entry of 4 or 8 bytes (`shift` 2 or 3) at `gpa`, a multiple of its size.
    #[inline]
    fn read_entry(&self, gpa: Gpa, shift: u32) -> u64 {
        let word = self.read_u64(Gpa(gpa.0 & !7));
        if shift == 3 { word } else { word >> (8 * (gpa.0 & 4)) & 0xffff_ffff }
    }
}

/// Watches a walk. With [`Silent`] the compiler leaves nothing of it.
pub trait WalkObserver {
    /// An entry was read.
    fn read(&mut self, read: EntryRead);
}

/// The observer that sees nothing.
pub struct Silent;

impl WalkObserver for Silent {
    #[inline(always)]
    fn read(&mut self, _: EntryRead) {}
}

impl WalkObserver for Vec<EntryRead> {
    fn read(&mut self, read: EntryRead) {
        self.push(read);
    }
}

/// Keeps what is read, by level, and passes it on.
struct Recorder<'a, O> {
    reads: [(Gpa, u64); MAX_LEVELS + 1],
    observer: &'a mut O,
}

impl<O: WalkObserver> WalkObserver for Recorder<'_, O> {
    #[inline]
    fn read(&mut self, read: EntryRead) {
        self.reads[usize::from(read.level)] = (read.gpa, read.value);
        self.observer.read(read);
    }
}

/// One entry that a walk read from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EntryRead {
    /// Level of the table, 1 to 5.
    pub level: u8,
    /// Where the entry lies.
    pub gpa: Gpa,
    /// What was read, zero-extended for 4-byte entries.
    pub value: u64,
}

/// The deepest path there is: PML5E, PML4E, PDPTE, PDE, PTE.
pub const MAX_LEVELS: usize = 5;

/// What the control registers fix about every walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The mode in force.
    pub mode: Mode,
    /// The processor model.
    pub model: CpuModel,
    /// The base of the top structure, from CR3.
    pub root: Gpa,
    /// The control bits that decide about rights and error codes.
    pub guard: Guard,
    /// CR4.PGE: the G bit counts.
    pub globals: bool,
    geometry: [LevelGeometry; MAX_LEVELS + 1],
    address_mask: u64,
    top_level: u8,
    /// 48 or 57; 64, which every address is, outside long mode.
    canonical_width: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LevelGeometry {
    reserved_table: u64,
    reserved_leaf: u64,
    /// PS where it makes the entry a leaf, else 0; bit 0 (always set by then) at level 1.
    leaf_bit: u64,
    index_shift: u32,
    /// Shifts an address so that its index stands as a byte offset.
    offset_shift: u32,
}

/// Where a walk begins: the registers' root, or below a cached prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The level of the first table to read.
    pub level: u8,
    /// Where that table lies.
    pub table: Gpa,
    /// AND of the entries above (all ones for none).
    pub and: u64,
    /// OR of the entries above.
    pub or: u64,
}

impl Start {
    /// A start that no entry above restricts.
    #[must_use]
    pub const fn unrestricted(level: u8, table: Gpa) -> Self {
        Self { level, table, and: !0, or: 0 }
    }
}

/// The page that an allowed access reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first byte of the page.
    pub page: Gpa,
    /// log2 of the page's size: 12, 21, 22 or 30.
    pub page_shift: u32,
    /// What the path grants.
    pub rights: Rights,
    /// AND of all entries of the path, those of a cached prefix included.
    pub and: u64,
    /// The level of the leaf.
    pub level: u8,
}

impl Found {
    /// The guest-physical address that `gva` translates to.
    #[must_use]
    #[inline]
    pub const fn gpa(&self, gva: Gva) -> Gpa {
        Gpa(self.page.0 | gva.0 & ((1 << self.page_shift) - 1))
    }
}

/// A finished walk whose access is allowed, with the entries that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The first byte of the page.
    pub page: Gpa,
    /// log2 of the page's size: 12, 21, 22 or 30.
    pub page_shift: u32,
    /// What the path grants.
    pub rights: Rights,
    /// AND of all entries of the path, those of a cached prefix included.
    pub and: u64,
    /// The level of the first entry that was read.
    top: u8,
    /// The level of the leaf.
    leaf: u8,
    /// Address and value of the entries that were read, by level: `leaf` to `top`.
    reads: [(Gpa, u64); MAX_LEVELS + 1],
}

impl Walk {
    /// The guest-physical address that `gva` translates to.
    #[must_use]
    #[inline]
    pub const fn gpa(&self, gva: Gva) -> Gpa {
        Gpa(self.page.0 | gva.0 & ((1 << self.page_shift) - 1))
    }

    #[inline]
    fn read(&self, level: u8) -> EntryRead {
        let (gpa, value) = self.reads[usize::from(level)];
        EntryRead { level, gpa, value }
    }

    /// The entries that were read, from the top.
    pub fn path(&self) -> impl Iterator<Item = EntryRead> + '_ {
        (self.leaf..=self.top).rev().map(|level| self.read(level))
    }

    /// How many entries were read.
    #[must_use]
    pub const fn depth(&self) -> u8 {
        self.top + 1 - self.leaf
    }

    /// The leaf entry.
    #[must_use]
    #[inline]
    pub fn leaf(&self) -> EntryRead {
        self.read(self.leaf)
    }

    /// Whether A (or D, for a write) is still to be set anywhere on the path that was read.
    #[must_use]
    #[inline]
    pub fn needs_update(&self, write: bool) -> bool {
        self.and & entry::A == 0 || write && self.leaf().value & entry::D == 0
    }

    /// The entries that get A or D, with the value they get, from the top (SDM 4.8).
    pub fn updates(&self, write: bool) -> impl Iterator<Item = (EntryRead, u64)> + '_ {
        self.path().filter_map(move |read| {
            let dirty = if write && read.level == self.leaf { entry::D } else { 0 };
            let new = read.value | entry::A | dirty;
            (new != read.value).then_some((read, new))
        })
    }
}

impl Paging {
    /// What these registers fix.
    #[must_use]
    pub fn new(model: &CpuModel, regs: &ControlRegs) -> Self {
        let mode = regs.mode();
        let guard = Guard::of(regs);
        let nxe = guard.contains(Guard::NXE);
        let mut geometry = [LevelGeometry::default(); MAX_LEVELS + 1];
        for level in Level::down_from(mode.top_level_in_memory()) {
            let leaf_bit = if level.0 == 1 {
                entry::P
            } else if entry::page_size_bit_counts(mode, level, regs.cr4) {
                entry::PS
            } else {
                0
            };
            geometry[usize::from(level.0)] = LevelGeometry {
                reserved_table: entry::reserved(mode, level, false, model, nxe),
                reserved_leaf: entry::reserved(mode, level, true, model, nxe),
                leaf_bit,
                index_shift: mode.index_shift(level),
                offset_shift: mode.index_shift(level) - mode.entry_shift(),
            };
        }
        Self {
            mode,
            model: *model,
            root: mode.root(regs.cr3, model.maxphyaddr),
            guard,
            globals: regs.cr4.contains(Cr4::PGE),
            geometry,
            address_mask: entry::frame_4k(!0, model).0,
            top_level: mode.top_level_in_memory(),
            canonical_width: if mode.is_long() { mode.linear_width() } else { 64 },
        }
    }

    /// Where the walk for `gva` begins, after the checks that come before any entry is read.
    ///
    /// `gva` must already be [`Mode::linear`]. Under PAE paging it begins below the register that
    /// the address selects, which gives no rights and gets no A bit.
    ///
    /// # Errors
    /// #GP or #SS for a non-canonical address; #PF when the PDPTE register is not present.
    #[inline]
    pub fn start(&self, pdptes: &Pdptes, gva: Gva, access: &Access) -> Result<Start, Fault> {
        if self.mode == Mode::Pae {
            let register = pdptes[pdpte::index(gva)];
            if register & entry::P == 0 {
                return Err(self.fault(access, gva, FaultReason::NotPresent { level: pdpte::LEVEL }));
            }
            return Ok(Start::unrestricted(2, Gpa(register & self.address_mask)));
        }
        if !gva.is_canonical(self.canonical_width) {
            return Err(Fault::non_canonical(access, gva, self.canonical_width));
        }
        Ok(Start::unrestricted(self.top_level, self.root))
    }

    /// Walks from `start` to the leaf, checks the rights of the whole path and keeps what was read.
    ///
    /// # Errors
    /// As [`Paging::find`].
    #[inline]
    pub fn walk<M: TableMemory, O: WalkObserver>(
        &self,
        memory: &M,
        start: Start,
        gva: Gva,
        access: &Access,
        pkru: u32,
        observer: &mut O,
    ) -> Result<Walk, Fault> {
        let mut recorder = Recorder { reads: [(Gpa(0), 0); MAX_LEVELS + 1], observer };
        let Found { page, page_shift, rights, and, level } =
            self.find(memory, start, gva, access, pkru, &mut recorder)?;
        Ok(Walk { page, page_shift, rights, and, top: start.level, leaf: level, reads: recorder.reads })
    }

    /// Walks from `start` to the leaf and checks the rights of the whole path.
    ///
    /// # Errors
    /// #PF: the first entry that is not present or has a reserved bit set ends the walk; rights
    /// are judged at the leaf (SDM 4.6, 4.7).
    #[inline]
    pub fn find<M: TableMemory, O: WalkObserver>(
        &self,
        memory: &M,
        start: Start,
        gva: Gva,
        access: &Access,
        pkru: u32,
        observer: &mut O,
    ) -> Result<Found, Fault> {
        match self.mode {
            Mode::Bits32 => self.find_by_entries::<2, M, O>(memory, start, gva, access, pkru, observer),
            _ => self.find_by_entries::<3, M, O>(memory, start, gva, access, pkru, observer),
        }
    }

    /// [`Paging::find`] over entries of 4 or 8 bytes: `SHIFT` is 2 or 3.
    #[inline]
    fn find_by_entries<const SHIFT: u32, M: TableMemory, O: WalkObserver>(
        &self,
        memory: &M,
        start: Start,
        gva: Gva,
        access: &Access,
        pkru: u32,
        observer: &mut O,
    ) -> Result<Found, Fault> {
        let Start { mut level, mut table, mut and, mut or } = start;
        loop {
            let geometry = &self.geometry[usize::from(level)];
            let gpa = Gpa(table.0 + (gva.0 >> geometry.offset_shift & bits(SHIFT, PAGE_SHIFT - 1)));
            let value = memory.read_entry(gpa, SHIFT);
            observer.read(EntryRead { level, gpa, value });
            if value & entry::P == 0 {
                return Err(self.fault(access, gva, FaultReason::NotPresent { level: Level(level) }));
            }
            let is_leaf = value & geometry.leaf_bit != 0;
            let reserved = value & if is_leaf { geometry.reserved_leaf } else { geometry.reserved_table };
            if reserved != 0 {
                let reason = FaultReason::Reserved { level: Level(level), bits: reserved };
                return Err(self.fault(access, gva, reason));
            }
            and &= value;
            or |= value;
            if !is_leaf {
                table = Gpa(value & self.address_mask);
                level -= 1;
                continue;
            }
            let rights = Rights::of_path(and, or, value);
            let broken = violations(access, &rights, self.guard, pkru);
            if !broken.is_empty() {
                return Err(self.fault(access, gva, FaultReason::Rights { broken }));
            }
            let page = if level == 1 {
                Gpa(value & self.address_mask)
            } else {
                entry::page_base(self.mode, Level(level), value, &self.model)
            };
            return Ok(Found { page, page_shift: geometry.index_shift, rights, and, level });
        }
    }

    #[cold]
    fn fault(&self, access: &Access, gva: Gva, reason: FaultReason) -> Fault {
        Fault::page(access, gva, self.guard, reason)
    }
}
