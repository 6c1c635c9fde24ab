//! Bare hardware: TLB, paging-structure caches, PDPTE registers, accessed and dirty bits set by the
//! walker (SDM 4.5 to 4.10).
//!
//! Where the manual lets a processor use a stale translation, this one does: what it answers is a
//! function of the commands alone.

use super::{AnyVm, Engine, EngineConfig, EngineName, Sink, Translation, Vm};
use crate::arch::address::Num;
use crate::arch::entry;
use crate::arch::fault::Vector;
use crate::arch::pdpte;
use crate::arch::rights::violations;
use crate::arch::walk::{EntryRead, MAX_LEVELS, Start, Walk, WalkObserver};
use crate::arch::{Access, Fault, Gpa, Gva, Hpa, Level, Mode};
use crate::machine::event::{EntrySource, Event, FlushCause, FlushScope};

/// Bare hardware has no state beyond the machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Native;

impl Engine for Native {
    fn config(&self) -> EngineConfig {
        EngineName::Native.into()
    }

    fn wrap(vm: Vm<Self>) -> AnyVm {
        AnyVm::Native(vm)
    }

    #[inline]
    fn translate<S: Sink>(vm: &mut Vm<Self>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault> {
        if let Some(hit) = tlb_answer(vm, gva, access, sink) {
            return Ok(physical(Gpa(hit.physical), hit.page_shift));
        }
        if vm.machine.cpu.mode() == Mode::Off {
            return Ok(physical(Gpa(gva.0), 0));
        }
        vm.machine.cost.tlb_misses += 1;
        walk_and_fill(vm, gva, access, sink).inspect_err(|fault| drop_for_fault(vm, fault, sink))
    }
}

/// A page fault drops what is cached for its address (SDM 4.10.4.1).
#[cold]
pub fn drop_for_fault<E: Engine, S: Sink>(vm: &mut Vm<E>, fault: &Fault, sink: &mut S) {
    if fault.vector == Vector::PageFault {
        let removed = vm.machine.drop_for_fault(fault.gva);
        if removed > 0 {
            vm.machine.cost.tlb_flushes += 1;
            let (scope, cause) = (FlushScope::Page, FlushCause::PageFault);
            vm.emit(sink, |_| Event::TlbFlush { scope, cause, removed });
        }
    }
}

const fn physical(gpa: Gpa, page_shift: u32) -> Translation {
    Translation { gpa, hpa: Hpa(gpa.0), page_shift, emulated: false }
}

/// What the TLB answered: an address in the physical space of the hardware that runs.
#[derive(Clone, Copy, Debug)]
pub struct TlbAnswer {
    /// The physical address.
    pub physical: u64,
    /// log2 of the page.
    pub page_shift: u32,
}

/// The TLB answers if the cached rights allow the access and, for a write, D was already set
/// (SDM 4.10.2.3). Rights are judged with the control bits in force now.
#[inline]
pub fn tlb_answer<E: Engine, S: Sink>(vm: &mut Vm<E>, gva: Gva, access: &Access, sink: &mut S) -> Option<TlbAnswer> {
    let machine = &mut vm.machine;
    let entry = machine.tlb_lookup(gva)?;
    let allowed = violations(access, &entry.rights, machine.cpu.paging.guard, machine.cpu.pkru).is_empty();
    if !allowed || access.is_write() && !entry.dirty {
        return None;
    }
    let page_shift = u32::from(entry.shift);
    let physical = entry.physical(gva);
    let (page, frame) = (entry.page, entry.frame);
    machine.cost.tlb_hits += 1;
    vm.emit(sink, |_| Event::TlbHit { va: gva, page, frame: Num(frame), page_size: 1 << page_shift });
    Some(TlbAnswer { physical, page_shift })
}

fn walk_and_fill<S: Sink>(vm: &mut Vm<Native>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault> {
    let start = begin(vm, gva, access, sink)?;
    let walk = descend(vm, start, gva, access, sink)?;
    let write = access.is_write();
    if walk.needs_update(write) {
        set_accessed_and_dirty(vm, &walk, write, sink);
    }
    let dirty = write || walk.leaf().value & entry::D != 0;
    fill_from_walk(vm, gva, &start, &walk, dirty, None, sink);
    Ok(physical(walk.gpa(gva), walk.page_shift))
}

/// Caches what a walk found; `dirty` says whether it may serve writes. Under two-dimensional paging
/// `host` is where the access ended, and the entry covers 4 KiB.
pub fn fill_from_walk<E: Engine, S: Sink>(
    vm: &mut Vm<E>,
    gva: Gva,
    start: &Start,
    walk: &Walk,
    dirty: bool,
    host: Option<Hpa>,
    sink: &mut S,
) {
    vm.machine.psc_fill(gva, start, walk);
    if let Some(entry) = vm.machine.tlb_fill(gva, walk, dirty, host) {
        vm.emit(sink, |_| Event::TlbFill {
            page: entry.page,
            frame: Num(entry.frame),
            page_size: 1 << entry.shift,
            global: entry.global,
        });
    }
}

/// Where the walk begins: below the deepest cached prefix, a PDPTE register, or at CR3.
fn begin<S: Sink>(vm: &mut Vm<Native>, gva: Gva, access: &Access, sink: &mut S) -> Result<Start, Fault> {
    let machine = &vm.machine;
    if let Some(entry) = machine.psc_lookup(gva) {
        vm.emit(sink, |_| Event::PscHit { level: entry.level, table: entry.table });
        return Ok(entry.start());
    }
    let cpu = &machine.cpu;
    if cpu.mode() == Mode::Pae {
        let index = pdpte::index(gva);
        vm.emit(sink, |vm| {
            let cpu = &vm.machine.cpu;
            Event::WalkRead {
                level: pdpte::LEVEL.0,
                from: EntrySource::PdpteRegister,
                index,
                gpa: pdpte::address(cpu.paging.root, index),
                value: Num(cpu.pdptes[index]),
            }
        });
    }
    cpu.paging.start(&cpu.pdptes, gva, access)
}

fn descend<S: Sink>(vm: &mut Vm<Native>, start: Start, gva: Gva, access: &Access, sink: &mut S) -> Result<Walk, Fault> {
    let machine = &vm.machine;
    let (cpu, memory) = (&machine.cpu, &machine.memory);
    let mut reads = Reads::default();
    let result = cpu.paging.walk(memory, start, gva, access, cpu.pkru, &mut reads);
    if S::ON {
        for read in reads.all() {
            let index = cpu.mode().index(Level(read.level), gva);
            let (level, gpa, value) = (read.level, read.gpa, Num(read.value));
            vm.emit(sink, |_| Event::WalkRead { level, from: EntrySource::Memory, index, gpa, value });
        }
    }
    let reads = reads.len as u64;
    let cost = &mut vm.machine.cost;
    cost.memory_reads += reads;
    cost.memory_reads_last += reads;
    result
}

/// Every entry that a walk read, also one that ended it.
#[derive(Default)]
struct Reads {
    entries: [EntryRead; MAX_LEVELS],
    len: usize,
}

impl Reads {
    fn all(&self) -> &[EntryRead] {
        &self.entries[..self.len]
    }
}

impl WalkObserver for Reads {
    #[inline]
    fn read(&mut self, read: EntryRead) {
        self.entries[self.len] = read;
        self.len += 1;
    }
}

/// Sets A in the entries of a path, and D in the leaf of a write.
pub fn set_accessed_and_dirty<E: Engine, S: Sink>(vm: &mut Vm<E>, walk: &Walk, write: bool, sink: &mut S) {
    let size = vm.machine.cpu.mode().entry_size() as u32;
    for (read, new) in walk.updates(write) {
        vm.machine.memory.write(read.gpa, size, new);
        vm.machine.slots.mark_dirty(read.gpa.gfn());
        let (level, gpa) = (read.level, read.gpa);
        let accessed = read.value | entry::A;
        if accessed != read.value {
            let (old, new) = (Num(read.value), Num(accessed));
            vm.emit(sink, |_| Event::SetAccessed { level, gpa, old, new });
        }
        if new != accessed {
            vm.emit(sink, |_| Event::SetDirty { level, gpa, old: Num(accessed), new: Num(new) });
        }
    }
}
