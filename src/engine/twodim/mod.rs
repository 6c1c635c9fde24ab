//! Two-dimensional paging: the guest's own tables, and a second set from guest-physical to
//! host-physical addresses, both walked by the hardware (Intel EPT, SDM 3C 28.2; AMD nested paging).
//!
//! Every reference to a guest table is itself translated, which is why a 4-level walk under 4 nested
//! levels reads 24 entries. The guest edits tables, loads CR3 and invalidates without an exit.

mod nested;

use super::native::{drop_for_fault, fill_from_walk, set_accessed_and_dirty, tlb_answer};
use super::{AnyVm, ControlAttempt, ControlWrite, Engine, EngineConfig, EngineName, Sink, Switches, Translation, Vm};
use crate::arch::address::Num;
use crate::arch::entry::{self, P};
use crate::arch::fault::FaultReason;
use crate::arch::invalidate::Scope;
use crate::arch::pdpte;
use crate::arch::walk::{EntryRead, Silent, Start, TableMemory, Walk};
use crate::arch::{Access, ControlRegs, CpuModel, Cr0, Cr4, Efer, Fault, Gpa, Gva, Hpa, Level, Mode};
use crate::machine::command::SlotAction;
use crate::machine::event::{EntrySource, Event, ExitReason, FlushCause, RegisterName, StoreBy};

pub use nested::{Kind, Nested, NestedEntry, NestedTable, table_bytes_beside};

/// The state of a two-dimensional MMU.
#[derive(Clone, Debug)]
pub struct TwoDim {
    /// Intel's or AMD's.
    pub kind: Kind,
    /// Historical behaviour that is switched on.
    pub switches: Switches,
    /// The second dimension.
    pub nested: Nested,
}

impl TwoDim {
    /// Two-dimensional paging with nothing mapped in the second dimension.
    #[must_use]
    pub fn new(kind: Kind, switches: Switches, model: &CpuModel) -> Self {
        Self { kind, switches, nested: Nested::new(kind, model.maxphyaddr) }
    }

    /// Intel loads PDPTE registers (from VMCS fields at entry, so they survive exits); AMD reads the
    /// table at each walk.
    const fn uses_pdpte_registers(&self) -> bool {
        matches!(self.kind, Kind::Ept) || self.switches.contains(Switches::PDPTE_REGISTERS)
    }
}

/// CR0 bits that a guest under EPT owns: writing only these does not exit (6.8 `KVM_POSSIBLE_CR0_GUEST_BITS`).
const CR0_GUEST: Cr0 = Cr0::WP.union(Cr0::TS);
/// CR0 bits whose change the selective intercept of SVM leaves alone: MP and TS (APM 2 15.9). KVM keeps only that
/// intercept while the guest's CR0 is the one in force (6.8 svm.c `svm_set_cr0`).
const CR0_UNSEEN: Cr0 = Cr0::TS.union(Cr0::MP);
/// CR4 bits that a guest under EPT owns (6.8 `KVM_POSSIBLE_CR4_GUEST_BITS`): PVI, TSD, DE, PGE, PCE, OSFXSR,
/// OSXMMEXCPT, FSGSBASE.
const CR4_GUEST: u64 = Cr4::PGE.bits() | 0b1110 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 16;
/// CR4 bits that are part of a role (6.8 `KVM_MMU_CR4_ROLE_BITS`).
const CR4_ROLE: Cr4 = Cr4::PSE.union(Cr4::PAE).union(Cr4::LA57).union(Cr4::SMEP).union(Cr4::SMAP).union(Cr4::PKE);
/// EFER bits that are (6.8 `KVM_MMU_EFER_ROLE_BITS`).
const EFER_ROLE: Efer = Efer::LME.union(Efer::NXE);

impl Engine for TwoDim {
    fn config(&self) -> EngineConfig {
        let name = match self.kind {
            Kind::Ept => EngineName::Ept,
            Kind::Npt => EngineName::Npt,
        };
        EngineConfig { name, switches: self.switches }
    }

    fn wrap(vm: Vm<Self>) -> AnyVm {
        AnyVm::TwoDim(vm)
    }

    fn loads_pdptes(&self) -> bool {
        self.uses_pdpte_registers()
    }

    fn translate<S: Sink>(vm: &mut Vm<Self>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault> {
        if let Some(hit) = tlb_answer(vm, gva, access, sink) {
            return Ok(of_host(vm, Hpa(hit.physical), hit.page_shift));
        }
        vm.machine.cost.tlb_misses += 1;
        loop {
            vm.machine.cost.memory_reads_last = 0;
            match attempt(vm, gva, access, sink) {
                Ok(found) => return Ok(found),
                Err(Stop::Fault(fault)) => {
                    drop_for_fault(vm, &fault, sink);
                    return Err(fault);
                }
                Err(Stop::Violation(violation)) => {
                    if is_outside(vm, violation.gpa) {
                        let done = in_software(vm, gva, access, sink);
                        // A fault drops what is cached for its address, whoever raises it (SDM 4.10.4.1).
                        return done.inspect_err(|fault| drop_for_fault(vm, fault, sink));
                    }
                    nested::build(vm, violation, sink);
                }
            }
        }
    }

    fn control_written<S: Sink>(vm: &mut Vm<Self>, write: &ControlWrite, sink: &mut S) {
        if write.attempt.is_some_and(|attempt| exits(vm.engine.kind, attempt, &write.old)) {
            exit(vm, ExitReason::CrAccess, sink);
        }
        // Userspace drops everything anyhow.
        let resets = write.attempt.is_some() && resets_context(&write.old, &vm.machine.cpu.regs);
        let (scope, cause) =
            if resets { (Scope::Everything, FlushCause::RootChange) } else { (write.scope, write.cause) };
        Self::invalidate(vm, scope, cause, sink);
    }

    /// Where the instruction leads to the hypervisor, that one raises the exception.
    fn control_refused<S: Sink>(vm: &mut Vm<Self>, attempt: ControlAttempt, sink: &mut S) {
        let old = vm.machine.cpu.regs;
        // On SVM exceptions of MOV CR come before its intercept (6.8 svm.c `x86_intercept_map`).
        let judged_first = matches!(vm.engine.kind, Kind::Npt) && attempt.name != RegisterName::Efer;
        if !judged_first && exits(vm.engine.kind, attempt, &old) {
            exit(vm, ExitReason::CrAccess, sink);
            inject(vm, sink);
        }
    }

    /// An instruction that leads to the hypervisor is carried out there, with the PDPTEs read through the slots
    /// (6.8 `load_pdptrs`). Of another one the processor reads them, as data at a guest-physical address: through
    /// EPT, with A set and D not, and with an EPT violation where that has nothing (SDM 3C 27.2.1, 28.2.1).
    fn reaches_pdptes<S: Sink>(vm: &mut Vm<Self>, root: Gpa, attempt: ControlAttempt, sink: &mut S) -> bool {
        if exits(vm.engine.kind, attempt, &vm.machine.cpu.regs) {
            return vm.machine.slots.find(root.gfn()).is_some();
        }
        // The load is no walk: what the last one cost stays known.
        let last = vm.machine.cost.memory_reads_last;
        let reached = loop {
            match nested::translate(vm, root, false, sink) {
                Ok(_) => break true,
                Err(_) if is_outside(vm, root) => {
                    // The hypervisor takes it for MMIO, emulates the instruction, and cannot read the table.
                    exit(vm, ExitReason::Mmio, sink);
                    inject(vm, sink);
                    break false;
                }
                Err(violation) => nested::build(vm, violation, sink),
            }
        };
        vm.machine.cost.memory_reads_last = last;
        reached
    }

    fn store<S: Sink>(vm: &mut Vm<Self>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
        if vm.machine.slots.host_frame(gpa.gfn()).is_none() {
            exit(vm, ExitReason::Mmio, sink);
            store_unbacked(vm, gpa, size, value, sink);
            return;
        }
        // The mapping outside the scenario's tables is taken to be built; only lost W is noticed.
        if vm.engine.nested.has_lost_write(gpa.gfn()) {
            nested::build(vm, nested::Violation { gpa, write: true }, sink);
        }
        vm.store_plain(gpa, size, value, StoreBy::Guest, sink);
    }

    fn emulated_store<S: Sink>(vm: &mut Vm<Self>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
        if vm.machine.slots.host_frame(gpa.gfn()).is_some() {
            vm.store_plain(gpa, size, value, StoreBy::Guest, sink);
        } else {
            store_unbacked(vm, gpa, size, value, sink);
        }
    }

    fn slots_changed<S: Sink>(vm: &mut Vm<Self>, _: SlotAction, sink: &mut S) {
        vm.engine.nested = Nested::new(vm.engine.kind, vm.machine.cpu.model.maxphyaddr);
        Self::invalidate(vm, Scope::Everything, FlushCause::RootChange, sink);
    }

    fn watch_slot<S: Sink>(vm: &mut Vm<Self>, slot: Gpa, sink: &mut S) {
        if nested::remove_write_access(vm, slot.gfn()) {
            Self::invalidate(vm, Scope::Everything, FlushCause::DirtyLog, sink);
        }
    }
}

/// A store to a frame that the host does not back: it lands where the guest has memory, and is lost
/// where it has none.
fn store_unbacked<S: Sink>(vm: &mut Vm<TwoDim>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
    if vm.machine.slots.find(gpa.gfn()).is_some() {
        vm.store_plain(gpa, size, value, StoreBy::Guest, sink);
    }
}

/// Whether an instruction that writes a control register leads to the hypervisor. CR3 never does;
/// WRMSR EFER always; on SVM so does every MOV CR4 (6.8 svm.c `init_vmcb`).
const fn exits(kind: Kind, ControlAttempt { name, value }: ControlAttempt, old: &ControlRegs) -> bool {
    match (name, kind) {
        (RegisterName::Cr0, Kind::Ept) => (old.cr0.bits() ^ value) & !CR0_GUEST.bits() != 0,
        (RegisterName::Cr0, Kind::Npt) => (old.cr0.bits() ^ value) & !CR0_UNSEEN.bits() != 0,
        (RegisterName::Cr4, Kind::Ept) => (old.cr4.bits() ^ value) & !CR4_GUEST != 0,
        (RegisterName::Cr4, Kind::Npt) | (RegisterName::Efer, _) => true,
        (RegisterName::Cr3 | RegisterName::Pkru, _) => false,
    }
}

/// Whether the hypervisor loads its root anew after a write, and with it drops every cached translation
/// (6.8 `kvm_mmu_reset_context`, `kvm_mmu_load`). CR0.WP is in no role here (`kvm_post_set_cr0`).
const fn resets_context(old: &ControlRegs, new: &ControlRegs) -> bool {
    (old.cr0.bits() ^ new.cr0.bits()) & Cr0::PG.bits() != 0
        || (old.cr4.bits() ^ new.cr4.bits()) & CR4_ROLE.bits() != 0
        || (old.efer.bits() ^ new.efer.bits()) & EFER_ROLE.bits() != 0
}

fn inject<S: Sink>(vm: &mut Vm<TwoDim>, sink: &mut S) {
    vm.machine.cost.injected += 1;
    vm.emit(sink, |_| Event::Inject);
}

fn exit<S: Sink>(vm: &mut Vm<TwoDim>, reason: ExitReason, sink: &mut S) {
    vm.machine.cost.exits.count(reason);
    vm.emit(sink, |_| Event::VmExit { reason });
}

/// What ended an attempt to translate.
enum Stop {
    /// The guest's own fault: no exit.
    Fault(Fault),
    /// The second dimension lacks something.
    Violation(nested::Violation),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<nested::Violation> for Stop {
    fn from(violation: nested::Violation) -> Self {
        Self::Violation(violation)
    }
}

/// One pass of the hardware's walk; it begins anew after each EPT violation.
fn attempt<S: Sink>(vm: &mut Vm<TwoDim>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Stop> {
    let write = access.is_write();
    if vm.machine.cpu.mode() == Mode::Off {
        let host = nested::translate(vm, Gpa(gva.0), write, sink);
        return match host {
            Err(_) if is_outside(vm, Gpa(gva.0)) => Ok(mmio(vm, Gpa(gva.0), write, sink)),
            host => Ok(of_host(vm, host?.hpa, 12)),
        };
    }
    let start = begin(vm, gva, access, sink)?;
    let walk = guest_walk(vm, start, gva, access, sink)?;
    if walk.needs_update(write) {
        set_accessed_and_dirty(vm, &walk, write, sink);
    }
    let gpa = walk.gpa(gva);
    let host = match nested::translate(vm, gpa, write, sink) {
        // The exit says where the access leads (6.8 `vcpu->arch.gpa_val`): nobody walks again.
        Err(_) if is_outside(vm, gpa) => return Ok(mmio(vm, gpa, write, sink)),
        host => host?,
    };
    // A cached translation serves writes only once D is set in both dimensions (SDM 3C 28.3.2): a page
    // that lost W for the dirty log must be met again by its first write.
    let dirty = write || walk.leaf().value & entry::D != 0 && host.dirty;
    fill_from_walk(vm, gva, &start, &walk, dirty, Some(host.hpa), sink);
    Ok(Translation { gpa, hpa: host.hpa, page_shift: 12, emulated: false })
}

fn begin<S: Sink>(vm: &mut Vm<TwoDim>, gva: Gva, access: &Access, sink: &mut S) -> Result<Start, Stop> {
    if let Some(cached) = vm.machine.psc_lookup(gva) {
        vm.emit(sink, |_| Event::PscHit { level: cached.level, table: cached.table });
        return Ok(cached.start());
    }
    if vm.machine.cpu.mode() == Mode::Pae {
        let index = pdpte::index(gva);
        let gpa = pdpte::address(vm.machine.cpu.paging.root, index);
        let (from, value) = if vm.engine.uses_pdpte_registers() {
            (EntrySource::PdpteRegister, vm.machine.cpu.pdptes[index])
        } else {
            // AMD: the entry is read by the walk that uses it.
            nested::translate(vm, gpa, true, sink)?;
            count_read(vm);
            (EntrySource::Memory, vm.machine.memory.read_u64(gpa))
        };
        vm.emit(sink, |_| Event::WalkRead { level: pdpte::LEVEL.0, from, index, gpa, value: Num(value) });
    }
    Ok(top(vm, gva, access)?)
}

/// Where a walk begins that no cache shortens. AMD's processor judges the reserved bits of a PDPTE
/// when a walk uses it, Intel's has judged them when the register was loaded.
fn top(vm: &Vm<TwoDim>, gva: Gva, access: &Access) -> Result<Start, Fault> {
    let cpu = &vm.machine.cpu;
    if cpu.mode() != Mode::Pae || vm.engine.uses_pdpte_registers() {
        return cpu.paging.start(&cpu.pdptes, gva, access);
    }
    let value = vm.machine.memory.read_u64(pdpte::address(cpu.paging.root, pdpte::index(gva)));
    let fail = |reason| Fault::page(access, gva, cpu.paging.guard, reason);
    if value & P == 0 {
        return Err(fail(FaultReason::NotPresent { level: pdpte::LEVEL }));
    }
    let bits = value & pdpte::reserved(&cpu.model);
    if bits != 0 {
        return Err(fail(FaultReason::Reserved { level: pdpte::LEVEL, bits }));
    }
    Ok(Start::unrestricted(2, entry::frame_4k(value, &cpu.model)))
}

fn count_read(vm: &mut Vm<TwoDim>) {
    vm.machine.cost.memory_reads += 1;
    vm.machine.cost.memory_reads_last += 1;
}

/// The guest dimension. For the second one a reference to a guest table is a write, whatever the access is: it must
/// be allowed, and sets D (SDM 3C 28.2.4, where A and D of EPT are on as under KVM; APM 2 15.25.5).
///
/// The whole path is found first; then each reference is carried out in order,
/// so that a violation stops the walk where the hardware would.
fn guest_walk<S: Sink>(
    vm: &mut Vm<TwoDim>,
    start: Start,
    gva: Gva,
    access: &Access,
    sink: &mut S,
) -> Result<Walk, Stop> {
    let cpu = &vm.machine.cpu;
    let mode = cpu.mode();
    let mut reads: Vec<EntryRead> = Vec::new();
    let result = cpu.paging.walk(&vm.machine.memory, start, gva, access, cpu.pkru, &mut reads);
    for read in reads {
        nested::translate(vm, read.gpa, true, sink)?;
        count_read(vm);
        let index = mode.index(Level(read.level), gva);
        let (level, gpa, value) = (read.level, read.gpa, Num(read.value));
        vm.emit(sink, |_| Event::WalkRead { level, from: EntrySource::Memory, index, gpa, value });
    }
    Ok(result?)
}

fn of_host(vm: &Vm<TwoDim>, hpa: Hpa, page_shift: u32) -> Translation {
    let gfn = vm.machine.slots.guest_frame(hpa.hfn());
    let gpa = gfn.map_or(Gpa(hpa.0), |gfn| Gpa(gfn.base().0 | hpa.0 & 0xfff));
    Translation { gpa, hpa, page_shift, emulated: false }
}

fn is_outside(vm: &Vm<TwoDim>, gpa: Gpa) -> bool {
    vm.machine.slots.host_frame(gpa.gfn()).is_none()
}

/// An address without memory: the hypervisor carries the access out.
fn mmio<S: Sink>(vm: &mut Vm<TwoDim>, gpa: Gpa, write: bool, sink: &mut S) -> Translation {
    exit(vm, ExitReason::Mmio, sink);
    let hpa = vm.machine.slots.host_frame(gpa.gfn()).map_or(Hpa(gpa.0), |f| Hpa(f.base().0 | gpa.page_offset()));
    Translation { gpa, hpa, page_shift: 12, emulated: write }
}

/// A guest table without memory: the hypervisor walks by itself, from the top, and carries the access
/// out or hands the guest its fault (6.8 `x86_emulate_instruction`).
fn in_software<S: Sink>(vm: &mut Vm<TwoDim>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault> {
    let write = access.is_write();
    let cpu = &vm.machine.cpu;
    let walk = top(vm, gva, access)
        .and_then(|start| cpu.paging.walk(&vm.machine.memory, start, gva, access, cpu.pkru, &mut Silent));
    match walk {
        Ok(walk) => {
            if walk.needs_update(write) {
                set_accessed_and_dirty(vm, &walk, write, sink);
            }
            Ok(mmio(vm, walk.gpa(gva), write, sink))
        }
        Err(fault) => {
            exit(vm, ExitReason::PageFault, sink);
            inject(vm, sink);
            Err(fault)
        }
    }
}
