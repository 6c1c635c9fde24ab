//! The guest's walk, done by the hypervisor (2.6.20 paging_tmpl.h `walk_addr`).
//!
//! The rules are the architecture's. What KVM needs besides the result: the frame of each table,
//! and what the entries above it grant, for the roles of the shadow pages.

use super::Shadow;
use crate::arch::address::Num;
use crate::arch::entry::{self, P};
use crate::arch::pdpte;
use crate::arch::rights::{Guard, Rights, violations};
use crate::arch::walk::{EntryRead, MAX_LEVELS, Start, TableMemory, Walk, WalkObserver};
use crate::arch::{Access, Cr0, Cr4, Efer, Fault, FaultReason, Gfn, Gpa, Gva, Level, Mode};
use crate::engine::{Sink, Switches, Vm};
use crate::machine::event::{EntrySource, Event};
use crate::machine::role::{AccessBits, Role};

/// A guest translation with everything that shadows of its path need.
#[derive(Clone, Copy, Debug)]
pub struct GuestWalk {
    /// Where the access leads.
    pub gpa: Gpa,
    /// log2 of the guest's page; 30 without paging, where one direct map holds all.
    pub page_shift: u32,
    /// What the path grants.
    pub rights: Rights,
    /// The leaf entry; without paging one that grants everything.
    pub leaf: u64,
    /// Where the leaf entry lies.
    pub leaf_gpa: Option<Gpa>,
    /// Level of the leaf; without paging above every table.
    pub leaf_level: u8,
    tables: [Table; MAX_LEVELS + 1],
}

/// A guest table on the path.
#[derive(Clone, Copy, Debug)]
struct Table {
    gfn: Gfn,
    access: AccessBits,
}

impl GuestWalk {
    /// The frame of the table at a level, and what the entries above it grant.
    pub fn table(&self, level: u8) -> (Gfn, AccessBits) {
        let table = &self.tables[usize::from(level)];
        (table.gfn, table.access)
    }

    /// Whether a guest table at this level is part of the path.
    pub const fn has_table(&self, level: u8) -> bool {
        level <= self.top() && level >= self.leaf_level
    }

    const fn top(&self) -> u8 {
        let mut level = MAX_LEVELS as u8;
        while level > 0 && self.tables[level as usize].gfn.0 == u64::MAX {
            level -= 1;
        }
        level
    }

    /// The frame that the access itself touches, inside a large page too (patch 11).
    pub const fn target(&self) -> Gfn {
        self.gpa.gfn()
    }

    /// The first frame of the guest's page.
    pub const fn page_base(&self) -> Gfn {
        Gpa(self.gpa.0 >> self.page_shift << self.page_shift).gfn()
    }

    /// Whether a table of that frame is one of the path's own.
    pub fn uses_table(&self, gfn: Gfn) -> bool {
        self.tables.iter().any(|table| table.gfn == gfn)
    }

    /// Whether the leaf has D set; without paging there is nothing to set.
    pub const fn is_dirty(&self) -> bool {
        self.leaf & entry::D != 0
    }
}

const NO_TABLE: Table = Table { gfn: Gfn(u64::MAX), access: AccessBits::ALL };

/// The guest's mode as a number of levels: 0 unpaged, 2, 3, 4, 5.
pub fn glevels(mode: Mode) -> u8 {
    mode.top_level()
}

/// The role of a page of this guest state, before level, quadrant and access are filled in.
pub fn base_role(vm: &Vm<Shadow>) -> Role {
    let regs = &vm.machine.cpu.regs;
    let mode = vm.machine.cpu.mode();
    // Before 3dbe141595f the role knew neither; what they decide was the same for all pages.
    let in_role = !vm.engine.has(Switches::ROLE_WITHOUT_WP_NXE);
    let paging = mode != Mode::Off && in_role;
    let wp = regs.cr0.contains(Cr0::WP);
    Role {
        glevels: glevels(mode),
        level: 0,
        quadrant: 0,
        direct: false,
        access: AccessBits::ALL,
        nxe: regs.efer.contains(Efer::NXE) && in_role,
        cr0_wp: paging && wp,
        smep_andnot_wp: paging && regs.cr4.contains(Cr4::SMEP) && !wp,
        smap_andnot_wp: paging && regs.cr4.contains(Cr4::SMAP) && !wp,
        cr4_pse: mode == Mode::Bits32 && regs.cr4.contains(Cr4::PSE),
        key: 0,
    }
}

struct Recorder<'a, O> {
    path: [EntryRead; MAX_LEVELS],
    len: usize,
    seen: &'a mut O,
}

impl<O: FnMut(EntryRead)> WalkObserver for Recorder<'_, O> {
    fn read(&mut self, read: EntryRead) {
        self.path[self.len] = read;
        self.len += 1;
        (self.seen)(read);
    }
}

/// Walks the guest's tables for an access and sets A in the entries used. D is left to the caller.
///
/// # Errors
/// The fault that the guest must see.
pub fn walk_addr<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, access: &Access, sink: &mut S) -> Result<GuestWalk, Fault> {
    if vm.machine.cpu.mode() == Mode::Off {
        return Ok(unpaged(gva));
    }
    let start = start(vm, gva, access, sink)?;
    let cpu = &vm.machine.cpu;
    let mut reads = Vec::new();
    let mut seen = |read| {
        if S::ON {
            reads.push(read);
        }
    };
    let mut recorder = Recorder { path: [EntryRead::default(); MAX_LEVELS], len: 0, seen: &mut seen };
    let result = cpu.paging.walk(&vm.machine.memory, start, gva, access, cpu.pkru, &mut recorder);
    let (path, len) = (recorder.path, recorder.len);
    for read in reads {
        let index = cpu.mode().index(Level(read.level), gva);
        let (level, gpa, value) = (read.level, read.gpa, Num(read.value));
        vm.emit(sink, |_| Event::WalkRead { level, from: EntrySource::Memory, index, gpa, value });
    }
    if vm.engine.has(Switches::RIGHTS_AT_EACH_LEVEL) {
        judge_each_level(vm, gva, access, &path[..len], sink)?;
    }
    let walk = result?;
    set_accessed(vm, &walk, sink);
    Ok(of_walk(vm, gva, &walk))
}

/// 2.6.20 `walk_addr`: rights are judged at each entry on the way down, A is set on the way.
fn judge_each_level<S: Sink>(
    vm: &mut Vm<Shadow>,
    gva: Gva,
    access: &Access,
    path: &[EntryRead],
    sink: &mut S,
) -> Result<(), Fault> {
    let cpu = &vm.machine.cpu;
    let (guard, pkru) = (cpu.paging.guard, cpu.pkru);
    for read in path.iter().take_while(|read| read.value & P != 0) {
        let own = Rights::of_path(read.value, read.value, read.value);
        let broken = violations(access, &own, guard, pkru);
        if !broken.is_empty() {
            return Err(Fault::page(access, gva, guard, FaultReason::Rights { broken }));
        }
        accessed(vm, read, sink);
    }
    Ok(())
}

fn unpaged(gva: Gva) -> GuestWalk {
    GuestWalk {
        gpa: Gpa(gva.0),
        page_shift: 30,
        rights: Rights { rw: true, us: true, xd: false, key: 0 },
        leaf: P | entry::RW | entry::US | entry::A | entry::D,
        leaf_gpa: None,
        leaf_level: MAX_LEVELS as u8 + 1,
        tables: [NO_TABLE; MAX_LEVELS + 1],
    }
}

/// Where the walk begins; engines before the seed patch read the PDPTE from memory.
fn start<S: Sink>(vm: &Vm<Shadow>, gva: Gva, access: &Access, sink: &mut S) -> Result<Start, Fault> {
    let cpu = &vm.machine.cpu;
    if cpu.mode() != Mode::Pae {
        return cpu.paging.start(&cpu.pdptes, gva, access);
    }
    let index = pdpte::index(gva);
    let gpa = pdpte::address(cpu.paging.root, index);
    let registers = vm.engine.policy.uses_pdpte_registers();
    let value = if registers { cpu.pdptes[index] } else { vm.machine.memory.read_u64(gpa) };
    let from = if registers { EntrySource::PdpteRegister } else { EntrySource::Memory };
    vm.emit(sink, |_| Event::WalkRead { level: pdpte::LEVEL.0, from, index, gpa, value: Num(value) });
    if value & P == 0 {
        return Err(Fault::page(access, gva, cpu.paging.guard, FaultReason::NotPresent { level: pdpte::LEVEL }));
    }
    Ok(Start::unrestricted(2, entry::frame_4k(value, &cpu.model)))
}

fn of_walk(vm: &Vm<Shadow>, gva: Gva, walk: &Walk) -> GuestWalk {
    let cpu = &vm.machine.cpu;
    let nxe = cpu.paging.guard.contains(Guard::NXE);
    let mut tables = [NO_TABLE; MAX_LEVELS + 1];
    let (mut and, mut or) = (!0u64, 0u64);
    for read in walk.path() {
        let rights = Rights { xd: nxe && or & entry::XD != 0, ..Rights::of_path(and, or, 0) };
        tables[usize::from(read.level)] = Table { gfn: read.gpa.gfn(), access: AccessBits::of(&rights) };
        and &= read.value;
        or |= read.value;
    }
    let rights = Rights { xd: nxe && walk.rights.xd, ..walk.rights };
    GuestWalk {
        gpa: walk.gpa(gva),
        page_shift: walk.page_shift,
        rights,
        leaf: walk.leaf().value,
        leaf_gpa: Some(walk.leaf().gpa),
        leaf_level: walk.leaf().level,
        tables,
    }
}

fn set_accessed<S: Sink>(vm: &mut Vm<Shadow>, walk: &Walk, sink: &mut S) {
    for (read, _) in walk.updates(false) {
        accessed(vm, &read, sink);
    }
}

/// Sets A in an entry that lacks it.
fn accessed<S: Sink>(vm: &mut Vm<Shadow>, read: &EntryRead, sink: &mut S) {
    let size = vm.machine.cpu.mode().entry_size() as u32;
    let old = vm.machine.memory.read(read.gpa, size);
    let new = old | entry::A;
    if new == old {
        return;
    }
    update_entry(vm, read, new, sink);
    let (level, gpa) = (read.level, read.gpa);
    vm.emit(sink, |_| Event::SetAccessed { level, gpa, old: Num(old), new: Num(new) });
}

/// Sets D in the leaf entry, and in the walk's copy of it.
pub fn set_dirty<S: Sink>(vm: &mut Vm<Shadow>, walk: &mut GuestWalk, sink: &mut S) {
    let Some(gpa) = walk.leaf_gpa.filter(|_| !walk.is_dirty()) else { return };
    let size = vm.machine.cpu.mode().entry_size() as u32;
    let old = vm.machine.memory.read(gpa, size);
    let new = old | entry::A | entry::D;
    let level = walk.leaf_level;
    update_entry(vm, &EntryRead { level, gpa, value: old }, new, sink);
    walk.leaf |= entry::D;
    vm.emit(sink, |_| Event::SetDirty { level, gpa, old: Num(old), new: Num(new) });
}

/// The hypervisor's own change of a guest entry: it is no guest store, but it dirties the page.
fn update_entry<S: Sink>(vm: &mut Vm<Shadow>, read: &EntryRead, new: u64, _: &mut S) {
    let size = vm.machine.cpu.mode().entry_size() as u32;
    vm.machine.memory.write(read.gpa, size, new);
    if !vm.engine.has(Switches::WALKER_UNLOGGED) {
        vm.machine.slots.mark_dirty(read.gpa.gfn());
    }
}
