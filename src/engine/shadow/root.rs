//! Roots: what the hardware's CR3 points to, and when it is built anew
//! (2.6.20 mmu.c `mmu_alloc_roots`, `paging_new_cr3`; 6.8 `kvm_mmu_new_pgd`, `kvm_mmu_invlpg`).

use super::page::{PageId, SpteRef};
use super::walk::{base_role, glevels};
use super::{Shadow, fault, fetch, flush_tlb, hw, spte, unsync, zap};
use crate::arch::entry::P;
use crate::arch::invalidate::Scope;
use crate::arch::{ControlRegs, Cr4, Gfn, Gva, Mode};
use crate::engine::{ControlWrite, Sink, Switches, Vm};
use crate::machine::event::{Event, ExitReason, FlushCause, SpteWhy};
use crate::machine::role::{AccessBits, Role};

/// What the hardware's CR3 points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// Nothing yet.
    None,
    /// CR3 points to no memory: an empty page, so that every access faults (6.8
    /// `mmu_alloc_special_roots`, the dummy root).
    Dummy,
    /// A shadow page of level 4 or 5.
    Long(PageId),
    /// Four entries of a shadow page of level 3, from `first` on: the PDPT shadowed as a table.
    Pdpt {
        /// The page.
        page: PageId,
        /// Index of the first of the four.
        first: u16,
    },
    /// The fixed `pae_root`: four slots, each present one leading to a pinned page of level 2.
    Pae([u64; 4]),
}

impl Root {
    /// The pages that this root pins, and the index of an address's entry in each.
    pub fn pages(&self) -> Vec<PageId> {
        match self {
            Self::None | Self::Dummy => Vec::new(),
            Self::Long(page) | Self::Pdpt { page, .. } => vec![*page],
            Self::Pae(slots) => {
                let present = slots.iter().filter(|slot| spte::is_present(**slot));
                present.map(|slot| PageId::of_frame(spte::frame(*slot))).collect()
            }
        }
    }
}

/// A root that was left by a MOV CR3 and may be taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrevRoot {
    /// The guest's CR3 that it belongs to, PCID included.
    pub cr3: u64,
    /// The pinned root page.
    pub page: PageId,
}

/// Builds the root for the registers in force.
pub fn alloc_roots<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    zap::make_room(vm, sink);
    vm.engine.hw = hw::paging(&vm.engine.policy, &vm.machine.cpu);
    let mode = vm.machine.cpu.mode();
    let gfn = vm.machine.cpu.paging.root.gfn();
    let root = if mode.is_long() && !is_visible(vm, gfn) {
        Root::Dummy
    } else if mode.is_long() {
        Root::Long(pin(vm, gfn, Role { level: glevels(mode), ..base_role(vm) }, sink))
    } else if vm.engine.policy.uses_pdpte_registers() {
        Root::Pae(alloc_pae_root(vm, sink))
    } else {
        alloc_pdpt_root(vm, sink)
    };
    vm.engine.root = root;
}

/// Whether a table in this frame can be shadowed: later kernels look for memory behind it first
/// (6.8 `kvm_vcpu_is_visible_gfn`).
pub fn is_visible(vm: &Vm<Shadow>, gfn: Gfn) -> bool {
    !vm.engine.policy.mmio_generations || vm.machine.slots.find(gfn).is_some()
}

/// Memory came: what had no root for the lack of it may have one now.
pub fn reload_if_invisible<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    let all_slots = matches!(vm.engine.root, Root::Pae(slots) if slots.iter().all(|slot| spte::is_present(*slot)));
    if !all_slots && !matches!(vm.engine.root, Root::Long(_)) {
        reset_context(vm, sink);
    }
}

/// `pae_root`: a slot for each gigabyte. With PAE paging a register that is not present leaves its
/// slot empty (417726a3fbe).
fn alloc_pae_root<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) -> [u64; 4] {
    let mode = vm.machine.cpu.mode();
    let base = Role { level: 2, ..base_role(vm) };
    let mut slots = [0; 4];
    for (i, slot) in slots.iter_mut().enumerate() {
        let quadrant = Role::quadrant_of(base.glevels, 2, (i as u64) << 30);
        let (gfn, role) = match mode {
            Mode::Pae => {
                let register = vm.machine.cpu.pdptes[i];
                if register & P == 0 && !vm.engine.has(Switches::ABSENT_PDPTE_ROOT) {
                    continue;
                }
                let gfn = crate::arch::entry::frame_4k(register, &vm.machine.cpu.model).gfn();
                if !is_visible(vm, gfn) {
                    continue;
                }
                (gfn, base)
            }
            Mode::Off => (Gfn((i as u64) << 18), Role { direct: true, quadrant, ..base }),
            _ => (vm.machine.cpu.paging.root.gfn(), Role { quadrant, ..base }),
        };
        *slot = pin(vm, gfn, role, sink).frame().base().0 | P;
    }
    slots
}

/// Before patches 05 to 07 the root is a shadow page of level 3, write-protected like any other;
/// with PAE paging it mirrors the whole page that the 32 bytes lie in.
fn alloc_pdpt_root<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) -> Root {
    let mode = vm.machine.cpu.mode();
    let root = vm.machine.cpu.paging.root;
    let base = Role { level: 3, access: AccessBits::ALL, ..base_role(vm) };
    match mode {
        Mode::Pae => {
            let page = pin(vm, root.gfn(), base, sink);
            // Without protection no store has to find its mirror: the four stand at the start.
            let mirrors = vm.engine.policy.caches_pages;
            Root::Pdpt { page, first: if mirrors { (root.page_offset() / 8) as u16 } else { 0 } }
        }
        Mode::Off => Root::Pdpt { page: pin(vm, Gfn(0), Role { direct: true, ..base }, sink), first: 0 },
        _ => Root::Pdpt { page: pin(vm, root.gfn(), base, sink), first: 0 },
    }
}

fn pin<S: Sink>(vm: &mut Vm<Shadow>, gfn: Gfn, role: Role, sink: &mut S) -> PageId {
    let id = fetch::get_page(vm, gfn, role, None, sink);
    vm.engine.pool.page_mut(id).root_count += 1;
    vm.emit(sink, |_| Event::ShadowPin { gfn, role });
    id
}

/// Unpins the roots. Pages stay, to be found again, unless they were zapped meanwhile or the engine
/// keeps none.
pub fn free_roots<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    for id in std::mem::replace(&mut vm.engine.root, Root::None).pages() {
        unpin(vm, id, sink);
    }
}

fn unpin<S: Sink>(vm: &mut Vm<Shadow>, id: PageId, sink: &mut S) {
    let page = vm.engine.pool.page_mut(id);
    page.root_count -= 1;
    let (gfn, role, dead) = (page.gfn, page.role, page.root_count == 0 && page.invalid);
    vm.emit(sink, |_| Event::ShadowUnpin { gfn, role });
    if dead {
        // Faults may have filled it again since it was emptied.
        zap::zap_page(vm, id, sink);
    } else if !vm.engine.policy.caches_pages && vm.engine.pool.page(id).root_count == 0 {
        zap::zap_page(vm, id, sink);
    }
}

/// A root was zapped under the hardware's feet: it gets a new one.
pub fn reload_if_invalid<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    let invalid = |id: &PageId| vm.engine.pool.page(*id).invalid;
    if vm.engine.root.pages().iter().any(invalid) {
        reset_context(vm, sink);
    }
}

/// `kvm_mmu_reset_context`: new roots for the registers in force; the TLB is flushed.
pub fn reset_context<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    free_roots(vm, sink);
    forget_prev_roots(vm, |_| true, sink);
    alloc_roots(vm, sink);
    sync_roots(vm, sink);
    flush_tlb(vm, FlushCause::RootChange, sink);
}

/// Unpins the previous roots that match.
fn forget_prev_roots<S: Sink>(vm: &mut Vm<Shadow>, gone: impl Fn(&PrevRoot) -> bool, sink: &mut S) {
    let (gone, kept): (Vec<PrevRoot>, Vec<PrevRoot>) = vm.engine.prev_roots.iter().partition(|prev| gone(prev));
    vm.engine.prev_roots = kept;
    for prev in gone {
        unpin(vm, prev.page, sink);
    }
}

/// Before the series, when pages run out: everything goes, and the guest begins anew.
pub fn drop_everything<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    vm.emit(sink, |_| Event::Reclaim);
    reset_context(vm, sink);
}

/// Memory slots came or went: frames may stand for others now, so every shadow goes
/// (`kvm_mmu_zap_all`).
pub fn zap_all<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    free_roots(vm, sink);
    forget_prev_roots(vm, |_| true, sink);
    while let Some(id) = vm.engine.pool.tail() {
        zap::zap_page(vm, id, sink);
    }
    alloc_roots(vm, sink);
    flush_tlb(vm, FlushCause::RootChange, sink);
}

fn sync_roots<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    if !vm.engine.policy.unsync {
        return;
    }
    for id in vm.engine.root.pages() {
        unsync::sync_children(vm, id, sink);
    }
}

/// An accepted MOV to CR or WRMSR: an exit, then the context that the new registers ask for.
pub fn control_written<S: Sink>(vm: &mut Vm<Shadow>, write: &ControlWrite, sink: &mut S) {
    if write.cause != FlushCause::SetSregs {
        fault::exit(vm, ExitReason::CrAccess, sink);
    }
    vm.engine.last_pt_write = None;
    let only_efer = ControlRegs { efer: vm.machine.cpu.regs.efer, ..write.old } == vm.machine.cpu.regs;
    if write.cause == FlushCause::MovCr3 {
        new_cr3(vm, write, sink);
    } else if only_efer && write.cause == FlushCause::MovCr0 && vm.engine.has(Switches::ROLE_WITHOUT_WP_NXE) {
        // 2.6.20 `set_efer` leaves the MMU as it is.
    } else {
        reset_context(vm, sink);
    }
}

fn new_cr3<S: Sink>(vm: &mut Vm<Shadow>, write: &ControlWrite, sink: &mut S) {
    if !vm.engine.policy.caches_pages {
        drop_unless_global(vm, sink);
    } else if vm.engine.policy.prev_roots > 0 && vm.machine.cpu.mode().is_long() {
        fast_pgd_switch(vm, write, sink);
    } else {
        free_roots(vm, sink);
        alloc_roots(vm, sink);
        sync_roots(vm, sink);
        flush_tlb(vm, FlushCause::MovCr3, sink);
    }
}

/// `fast_pgd_switch`: the old root joins the previous ones, the new one may be among them. Only
/// roots with a page of their own take part; `pae_root` is rebuilt at each load.
fn fast_pgd_switch<S: Sink>(vm: &mut Vm<Shadow>, write: &ControlWrite, sink: &mut S) {
    let no_flush = write.scope == Scope::Nothing;
    if let Root::Long(page) = std::mem::replace(&mut vm.engine.root, Root::None) {
        vm.engine.prev_roots.insert(0, PrevRoot { cr3: write.old.cr3, page });
    }
    let cr3 = vm.machine.cpu.regs.cr3;
    let usable = |prev: &PrevRoot| prev.cr3 == cr3 && !vm.engine.pool.page(prev.page).invalid;
    let found = vm.engine.prev_roots.iter().position(usable);
    if let Some(at) = found {
        vm.engine.root = Root::Long(vm.engine.prev_roots.remove(at).page);
    } else {
        alloc_roots(vm, sink);
    }
    while vm.engine.prev_roots.len() > vm.engine.policy.prev_roots {
        if let Some(oldest) = vm.engine.prev_roots.pop() {
            unpin(vm, oldest.page, sink);
        }
    }
    if !no_flush || found.is_none() {
        sync_roots(vm, sink);
    }
    if !no_flush {
        flush_pcid(vm, hw::tag(vm), sink);
    }
}

fn flush_pcid<S: Sink>(vm: &mut Vm<Shadow>, pcid: u16, sink: &mut S) {
    let removed = vm.machine.invalidate(Scope::Pcid(pcid));
    vm.machine.cost.tlb_flushes += 1;
    let scope = crate::machine::event::FlushScope::Pcid;
    vm.emit(sink, |_| Event::TlbFlush { scope, cause: FlushCause::MovCr3, removed });
}

/// MOV CR3 before the series: every page goes but the root and those that hold only global leaves.
fn drop_unless_global<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    // The root page stays, for whatever table it stands now.
    if let [root] = vm.engine.root.pages()[..] {
        let gfn = vm.machine.cpu.paging.root.gfn();
        vm.engine.pool.set_gfn(root, gfn);
    } else {
        reset_context(vm, sink);
        return;
    }
    let doomed = |(id, page): (PageId, &super::ShadowPage)| {
        let goes = page.role.level == 1 && !page.global && page.root_count == 0;
        goes.then_some(id)
    };
    let ids: Vec<PageId> = vm.engine.pool.active().filter_map(doomed).collect();
    for id in ids {
        zap::zap_page(vm, id, sink);
    }
    flush_tlb(vm, FlushCause::MovCr3, sink);
}

/// INVLPG, INVPCID: native where tables are never stale; else an exit.
pub fn guest_invalidates<S: Sink>(vm: &mut Vm<Shadow>, scope: Scope, cause: FlushCause, sink: &mut S) {
    if vm.engine.policy.invlpg_exits {
        fault::exit(vm, ExitReason::Invlpg, sink);
        bring_up_to_date(vm, scope, sink);
    }
    let Some(name) = crate::machine::event::FlushScope::of(scope) else { return };
    // The hardware's tags are not always the guest's PCIDs: more than asked for may go.
    let hardware = match scope {
        Scope::Page { gva, .. } | Scope::PageOfPcid { gva, .. } if vm.engine.policy.caches_pages => {
            Scope::Page { gva, pcid: hw::tag(vm) }
        }
        _ => Scope::Everything,
    };
    let removed = vm.machine.invalidate(hardware);
    vm.machine.cost.tlb_flushes += 1;
    vm.emit(sink, |_| Event::TlbFlush { scope: name, cause, removed });
}

fn bring_up_to_date<S: Sink>(vm: &mut Vm<Shadow>, scope: Scope, sink: &mut S) {
    if !vm.engine.policy.unsync {
        match scope {
            Scope::Nothing => {}
            Scope::Page { gva, .. } | Scope::PageOfPcid { gva, .. } => invlpg_2006(vm, gva, sink),
            _ => reset_context(vm, sink),
        }
        return;
    }
    let current = vm.machine.cpu.pcid();
    let of_pcid = |vm: &Vm<Shadow>, prev: &PrevRoot, pcid: u16| {
        let pcide = vm.machine.cpu.regs.cr4.contains(Cr4::PCIDE);
        pcid == if pcide { (prev.cr3 & 0xfff) as u16 } else { 0 }
    };
    match scope {
        Scope::Nothing => {}
        Scope::Page { gva, .. } => {
            // A global translation ignores PCIDs, so the previous roots are looked at too.
            if let Some((page, first)) = entries_of(vm, gva) {
                unsync::sync_address(vm, page, first, gva, sink);
            }
            for prev in vm.engine.prev_roots.clone() {
                let level = u32::from(vm.engine.pool.page(prev.page).role.level);
                unsync::sync_address(vm, prev.page, index_at(level, gva), gva, sink);
            }
        }
        Scope::PageOfPcid { gva, pcid } if pcid == current => {
            if let Some((page, first)) = entries_of(vm, gva) {
                unsync::sync_address(vm, page, first, gva, sink);
            }
        }
        Scope::PageOfPcid { pcid, .. } | Scope::Pcid(pcid) | Scope::PcidAndGlobal(pcid) => {
            if pcid == current {
                sync_roots(vm, sink);
            }
            let gone: Vec<PrevRoot> =
                vm.engine.prev_roots.iter().copied().filter(|prev| of_pcid(vm, prev, pcid)).collect();
            forget_prev_roots(vm, |prev| gone.contains(prev), sink);
        }
        Scope::AllPcids | Scope::Everything => {
            sync_roots(vm, sink);
            forget_prev_roots(vm, |_| true, sink);
        }
    }
}

/// Index of an address at a level.
pub const fn index_at(level: u32, gva: Gva) -> u16 {
    (gva.0 >> (12 + 9 * (level - 1))) as u16 & 0x1ff
}

/// A page fault drops what the processor would use for its address (SDM 4.10.4.1); a shadow that
/// may be stale must not outlive it (6.8 `kvm_inject_emulated_page_fault`).
pub fn drop_for_fault<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, sink: &mut S) {
    if !vm.engine.policy.caches_pages {
        invlpg_2006(vm, gva, sink);
    } else if vm.engine.policy.unsync
        && let Some((page, first)) = entries_of(vm, gva)
    {
        unsync::sync_address(vm, page, first, gva, sink);
    }
}

/// The first entry for an address below the root; none where the root has nothing there.
pub fn entries_of(vm: &Vm<Shadow>, gva: Gva) -> Option<(PageId, u16)> {
    match vm.engine.root {
        Root::None | Root::Dummy => None,
        Root::Long(page) => {
            let level = u32::from(vm.engine.pool.page(page).role.level);
            Some((page, index_at(level, gva)))
        }
        Root::Pdpt { page, first } => Some((page, first + (gva.0 >> 30) as u16 % 4)),
        Root::Pae(slots) => {
            let slot = slots[(gva.0 >> 30) as usize % 4];
            let page = spte::is_present(slot).then(|| PageId::of_frame(spte::frame(slot)))?;
            Some((page, index_at(2, gva)))
        }
    }
}

/// The leaf entry of an address, as far as every table above it is there.
pub fn leaf_of(vm: &Vm<Shadow>, gva: Gva) -> Option<SpteRef> {
    let (mut page, mut index) = entries_of(vm, gva)?;
    loop {
        let at = SpteRef { page, index };
        let level = u32::from(vm.engine.pool.page(page).role.level);
        if level == 1 {
            return Some(at);
        }
        let entry = vm.engine.pool.spte(at);
        page = spte::is_present(entry).then(|| PageId::of_frame(spte::frame(entry)))?;
        index = index_at(level - 1, gva);
    }
}

/// 2.6.20-rc3 `paging_inval_page`: the leaf entry is zeroed; where a large guest page was split, every
/// piece of it goes (SDM 4.10.4.1). Without paging there is nothing to drop (`nonpaging_inval_page`).
fn invlpg_2006<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, sink: &mut S) {
    if vm.machine.cpu.mode() == Mode::Off {
        return;
    }
    let Some((mut page, mut index)) = entries_of(vm, gva) else { return };
    loop {
        let at = SpteRef { page, index };
        let level = u32::from(vm.engine.pool.page(page).role.level);
        let entry = vm.engine.pool.spte(at);
        if level == 1 {
            fetch::replace(vm, at, 0, SpteWhy::Invlpg, sink);
            return;
        }
        if !spte::is_present(entry) {
            return;
        }
        let child = PageId::of_frame(spte::frame(entry));
        if entry & spte::PS_MARK != 0 {
            zap::zap_page(vm, child, sink);
            // A 4 MiB page is two entries of the shadow.
            let other = SpteRef { page, index: index ^ 1 };
            let second = vm.engine.pool.spte(other);
            let of_4_mib = vm.engine.pool.page(page).role.glevels == 2 && second & spte::PS_MARK != 0;
            if of_4_mib && spte::is_present(second) {
                zap::zap_page(vm, PageId::of_frame(spte::frame(second)), sink);
            }
            return;
        }
        page = child;
        index = index_at(level - 1, gva);
    }
}
