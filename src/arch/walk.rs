//! The walk: from a linear address to a page, entry by entry (SDM 4.2 to 4.5, 4.8).
//!
//! [`Paging`] holds what the registers fix (geometry, reserved bits, guards), so that the walk
//! itself only reads entries. The walk never writes: accessed and dirty bits are set afterwards
//! with [`Walk::updates`], because a walk that faults sets none.

use super::address::{Gpa, Gva, MAX_PHYSICAL_WIDTH, PAGE_SHIFT, bits};
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

/// Address bits of a table that is read from memory: all such tables fill a page.
const TABLE: u64 = bits(PAGE_SHIFT, MAX_PHYSICAL_WIDTH - 1);

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
    checks: [LevelChecks; MAX_LEVELS + 1],
    address_mask: u64,
    top_level: u8,
    /// 48 or 57; 64, which every address is, outside long mode.
    canonical_width: u32,
}

/// What is asked of an entry. P and the reserved bits stand in one mask: under it a good entry
/// reads exactly P.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LevelChecks {
    /// For an entry that names a table; at level 1, a page of 4 KiB.
    here: u64,
    /// For an entry that maps a large page.
    large: u64,
    /// PS where it makes the entry a leaf, else 0.
    page_size: u64,
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
    /// The path to it.
    pub path: Path,
}

/// The entries that led to a page, folded into what rights and A bits need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// AND of all entries, those of a cached prefix included.
    pub and: u64,
    /// OR of all entries.
    pub or: u64,
    /// The leaf entry.
    pub leaf: u64,
    /// The level of the leaf.
    pub level: u8,
}

impl Path {
    /// What the path grants.
    #[must_use]
    #[inline]
    pub const fn rights(&self) -> Rights {
        Rights::of_path(self.and, self.or, self.leaf)
    }
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
        let mut checks = [LevelChecks::default(); MAX_LEVELS + 1];
        for level in Level::down_from(mode.top_level_in_memory()) {
            let check = |leaf| entry::P | entry::reserved(mode, level, leaf, model, nxe);
            checks[usize::from(level.0)] = LevelChecks {
                here: check(level.0 == 1),
                large: check(true),
                page_size: if entry::page_size_bit_counts(mode, level, regs.cr4) { entry::PS } else { 0 },
            };
        }
        Self {
            mode,
            model: *model,
            root: mode.root(regs.cr3, model.maxphyaddr),
            guard,
            globals: regs.cr4.contains(Cr4::PGE),
            checks,
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
        let Found { page, page_shift, path } = self.find(memory, start, gva, access, pkru, &mut recorder)?;
        let (rights, and) = (path.rights(), path.and);
        Ok(Walk { page, page_shift, rights, and, top: start.level, leaf: path.level, reads: recorder.reads })
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
        macro_rules! find_from {
            ($shift:literal, $top:literal) => {
                self.find_from::<$shift, $top, M, O>(memory, &start, gva, access, pkru, observer)
            };
        }
        match (self.mode, start.level) {
            (Mode::Bits32, 1) => find_from!(2, 1),
            (Mode::Bits32, _) => find_from!(2, 2),
            (_, 1) => find_from!(3, 1),
            (_, 2) => find_from!(3, 2),
            (_, 3) => find_from!(3, 3),
            (_, 4) => find_from!(3, 4),
            _ => find_from!(3, 5),
        }
    }

    /// [`Paging::find`] over entries of 4 or 8 bytes (`SHIFT` 2 or 3) from level `TOP` on: with both
    /// known the compiler unrolls the loop, and every shift is a constant.
    #[inline]
    fn find_from<const SHIFT: u32, const TOP: u8, M: TableMemory, O: WalkObserver>(
        &self,
        memory: &M,
        start: &Start,
        gva: Gva,
        access: &Access,
        pkru: u32,
        observer: &mut O,
    ) -> Result<Found, Fault> {
        let Start { mut table, mut and, mut or, .. } = *start;
        for level in (1..=TOP).rev() {
            let index_shift = PAGE_SHIFT + (PAGE_SHIFT - SHIFT) * (u32::from(level) - 1);
            let offset = gva.0 >> (index_shift - SHIFT) & bits(SHIFT, PAGE_SHIFT - 1);
            let gpa = Gpa(table.0 & TABLE | offset);
            let value = memory.read_entry(gpa, SHIFT);
            observer.read(EntryRead { level, gpa, value });
            let checks = &self.checks[usize::from(level)];
            and &= value;
            or |= value;
            let path = || Path { and, or, leaf: value, level };
            // Most walks end at level 1; what large pages need stays out of the loop.
            if level > 1 && value & checks.page_size != 0 {
                return self.judge_large(gva, access, pkru, path());
            }
            if value & checks.here != entry::P {
                return Err(self.broken_entry(access, gva, Level(level), value, checks.here));
            }
            if level == 1 {
                self.judge(gva, access, pkru, Rights::of_path(and, or, value))?;
                return Ok(Found { page: Gpa(value & self.address_mask), page_shift: PAGE_SHIFT, path: path() });
            }
            table = Gpa(value & self.address_mask);
        }
        unreachable!("an entry of level 1 is a leaf")
    }

    /// Whether rights allow the access.
    #[inline(always)]
    fn judge(&self, gva: Gva, access: &Access, pkru: u32, rights: Rights) -> Result<(), Fault> {
        let broken = violations(access, &rights, self.guard, pkru);
        if broken.is_empty() { Ok(()) } else { Err(self.fault(access, gva, FaultReason::Rights { broken })) }
    }

    #[inline(never)]
    fn judge_large(&self, gva: Gva, access: &Access, pkru: u32, path: Path) -> Result<Found, Fault> {
        let level = Level(path.level);
        let check = self.checks[usize::from(path.level)].large;
        if path.leaf & check != entry::P {
            return Err(self.broken_entry(access, gva, level, path.leaf, check));
        }
        self.judge(gva, access, pkru, path.rights())?;
        let page = entry::page_base(self.mode, level, path.leaf, &self.model);
        Ok(Found { page, page_shift: entry::page_shift(self.mode, level), path })
    }

    /// The fault of an entry that is not present or has one of the reserved bits of `check` set.
    #[cold]
    fn broken_entry(&self, access: &Access, gva: Gva, level: Level, value: u64, check: u64) -> Fault {
        let reason = if value & entry::P == 0 {
            FaultReason::NotPresent { level }
        } else {
            FaultReason::Reserved { level, bits: value & check & !entry::P }
        };
        self.fault(access, gva, reason)
    }

    #[cold]
    fn fault(&self, access: &Access, gva: Gva, reason: FaultReason) -> Fault {
        Fault::page(access, gva, self.guard, reason)
    }
}
