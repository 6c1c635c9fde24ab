//! The hardware below a shadow MMU: it walks shadow tables and caches what they say.
//!
//! Its CR0.WP is always 1 and its entries have 8 bytes (2.6.20 vmx.c `KVM_VM_CR0_ALWAYS_ON`);
//! SMEP, SMAP, protection keys and NX it checks by itself.

use super::root::Root;
use super::{Policy, Shadow, spte};
use crate::arch::address::Num;
use crate::arch::entry;
use crate::arch::invalidate::Scope;
use crate::arch::rights::violations;
use crate::arch::walk::{EntryRead, MAX_LEVELS, Paging, Walk, WalkObserver};
use crate::arch::{Access, ControlRegs, CpuModel, Cr0, Cr4, Efer, Fault, Gpa, Gva, Hpa, Level, Mode};
use crate::engine::{Sink, Vm};
use crate::machine::event::Event;
use crate::machine::{Cpu, TlbEntry};

/// Paging as the hardware does it for a guest in this state.
pub fn paging(policy: &Policy, cpu: &Cpu) -> Paging {
    let guest = &cpu.regs;
    let long = cpu.mode().is_long();
    let kept = if long { Cr4::SMEP | Cr4::SMAP | Cr4::PKE | Cr4::LA57 } else { Cr4::SMEP | Cr4::SMAP };
    // Without guest paging there are no user pages, so SMEP and SMAP must not judge the shadows.
    let kept = if cpu.mode() == Mode::Off { Cr4::empty() } else { kept };
    let mode_bits = if long { Efer::LME | Efer::LMA } else { Efer::empty() };
    let regs = ControlRegs {
        cr0: Cr0::PE | Cr0::PG | Cr0::WP | Cr0::ET,
        cr3: 0,
        cr4: guest.cr4 & kept | Cr4::PAE,
        efer: Efer::NXE | mode_bits,
    };
    let maxphyaddr = if policy.mmio_generations { spte::HOST_WIDTH } else { CpuModel::MAX_WIDTH };
    Paging::new(&CpuModel { maxphyaddr, ..cpu.model }, &regs)
}

/// What the hardware found.
pub struct Found {
    /// Host-physical address.
    pub hpa: Hpa,
    /// log2 of the page.
    pub page_shift: u32,
}

/// The TLB tag: later kernels run the guest with its PCID, 2.6.20 knows none.
pub fn tag(vm: &Vm<Shadow>) -> u16 {
    if vm.engine.policy.prev_roots > 0 { vm.machine.cpu.pcid() } else { 0 }
}

/// The hardware's answer to an access: a translation from TLB or shadow tables, or its fault.
pub fn access<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, access: &Access, sink: &mut S) -> Result<Found, Fault> {
    if let Some(found) = tlb_lookup(vm, gva, access, sink) {
        return Ok(found);
    }
    vm.machine.cost.tlb_misses += 1;
    let walk = shadow_walk(vm, gva, access, sink)?;
    let cached = TlbEntry {
        pcid: tag(vm),
        page: Gva(gva.0 >> walk.page_shift << walk.page_shift),
        shift: walk.page_shift as u8,
        span: walk.page_shift as u8,
        frame: walk.page.0,
        rights: walk.rights,
        dirty: walk.leaf().value & entry::D != 0,
        global: false,
    };
    vm.machine.tlb_insert(cached);
    vm.emit(sink, |_| Event::TlbFill {
        page: cached.page,
        frame: Num(cached.frame),
        page_size: 1 << cached.shift,
        global: false,
    });
    Ok(Found { hpa: Hpa(walk.gpa(gva).0), page_shift: walk.page_shift })
}

/// Drops what the TLB holds for an address.
pub fn drop_address(vm: &mut Vm<Shadow>, gva: Gva) {
    let pcid = tag(vm);
    vm.machine.invalidate(Scope::Page { gva, pcid });
}

fn tlb_lookup<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, access: &Access, sink: &mut S) -> Option<Found> {
    if !vm.machine.caches.tlb {
        return None;
    }
    let entry = *vm.machine.tlb.lookup(gva, tag(vm))?;
    if !violations(access, &entry.rights, vm.engine.hw.guard, vm.machine.cpu.pkru).is_empty() {
        return None;
    }
    vm.machine.cost.tlb_hits += 1;
    let page_shift = u32::from(entry.shift);
    vm.emit(sink, |_| Event::TlbHit { va: gva, page: entry.page, frame: Num(entry.frame), page_size: 1 << page_shift });
    Some(Found { hpa: Hpa(entry.physical(gva)), page_shift })
}

#[derive(Default)]
struct Reads {
    entries: [EntryRead; MAX_LEVELS],
    len: usize,
}

impl WalkObserver for Reads {
    #[inline]
    fn read(&mut self, read: EntryRead) {
        self.entries[self.len] = read;
        self.len += 1;
    }
}

fn shadow_walk<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, access: &Access, sink: &mut S) -> Result<Walk, Fault> {
    let engine = &vm.engine;
    let mut hw = engine.hw.clone();
    let mut pdptes = [0; 4];
    match engine.root {
        Root::None | Root::Dummy => {}
        Root::Long(page) => hw.root = Gpa(page.frame().base().0),
        Root::Pdpt { page, first } => {
            let spt = &engine.pool.page(page).spt;
            pdptes = std::array::from_fn(|i| spt[usize::from(first) + i]);
        }
        Root::Pae(slots) => pdptes = slots,
    }
    let start = hw.start(&pdptes, gva, access)?;
    let mut reads = Reads::default();
    let result = hw.walk(&engine.pool, start, gva, access, vm.machine.cpu.pkru, &mut reads);
    let cost = &mut vm.machine.cost;
    cost.memory_reads += reads.len as u64;
    cost.memory_reads_last += reads.len as u64;
    if S::ON {
        for read in &reads.entries[..reads.len] {
            let index = vm.engine.hw.mode.index(Level(read.level), gva);
            let (level, hpa, value) = (read.level, Hpa(read.gpa.0), Num(read.value));
            vm.emit(sink, |_| Event::ShadowRead { level, index, hpa, value });
        }
    }
    result
}
