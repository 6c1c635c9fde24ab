//! Taking shadow pages away: single ones, all of a frame, the oldest when room is short
//! (2.6.20 mmu.c `kvm_mmu_zap_page`, `kvm_mmu_free_some_pages`).

use super::page::{PageId, SpteRef};
use super::{Shadow, fetch, flush_tlb, root, spte, unsync};
use crate::arch::Gfn;
use crate::engine::{Sink, Switches, Vm};
use crate::machine::event::{Event, FlushCause, SpteWhy};

/// Below so many free pages room is made (`KVM_MIN_FREE_MMU_PAGES`).
const MIN_FREE: u32 = 5;
/// Until so many are free (`KVM_REFILL_PAGES`).
const REFILL: u32 = 25;

/// Before a fault is handled: enough free pages for any path.
pub fn make_room<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    if vm.engine.pool.free_count() >= MIN_FREE {
        return;
    }
    if vm.engine.policy.caches_pages {
        reclaim(vm, sink);
    } else {
        root::drop_everything(vm, sink);
    }
}

/// From the tail of the active list, the oldest made; a lookup does not refresh a page's place.
fn reclaim<S: Sink>(vm: &mut Vm<Shadow>, sink: &mut S) {
    vm.emit(sink, |_| Event::Reclaim);
    let mut next = vm.engine.pool.tail();
    while let Some(id) = next
        && vm.engine.pool.free_count() < REFILL
    {
        next = vm.engine.pool.towards_head(id);
        if vm.engine.pool.page(id).root_count == 0 {
            zap_page(vm, id, sink);
        }
    }
}

/// Zaps every shadow of a frame: it is no page table any more (2.6.20 `fix_write_pf`, the loop of patch 27).
pub fn unprotect<S: Sink>(vm: &mut Vm<Shadow>, gfn: Gfn, sink: &mut S) {
    let ids: Vec<PageId> = vm.engine.pool.of_gfn(gfn).collect();
    for id in ids {
        zap_page(vm, id, sink);
    }
    vm.emit(sink, |_| Event::WriteUnprotect { gfn });
    root::reload_if_invalid(vm, sink);
}

/// Zaps one page: its parents' entries are cleared, its children unlinked, its entries zeroed. A
/// root stays where the hardware finds it, empty and never found by a lookup again.
pub fn zap_page<S: Sink>(vm: &mut Vm<Shadow>, id: PageId, sink: &mut S) {
    let page = vm.engine.pool.page(id);
    let (gfn, role, pinned) = (page.gfn, page.role, page.root_count > 0);
    let parents = page.parents.as_slice().to_vec();
    for parent in parents {
        unlink_child(vm, parent, SpteWhy::Zap, sink);
    }
    let reached = unlink_children(vm, id, sink);
    vm.machine.cost.shadow_zapped += 1;
    vm.emit(sink, |_| Event::ShadowZap { gfn, role });
    // A table that goes takes the leaves below it along, and the guest's INVLPG reaches one 4 KiB piece
    // of what was a large page for it. 2.6.20 flushed at level 1 only and relied on the exit for the
    // rest, 6.8 `kvm_mmu_commit_zap_page` flushes always; this hardware keeps its TLB over exits.
    if reached && !vm.engine.has(Switches::NO_FLUSH_ON_REDUCTION) {
        flush_tlb(vm, FlushCause::Zap, sink);
    }
    if pinned {
        vm.engine.pool.page_mut(id).invalid = true;
        vm.engine.pool.move_to_head(id);
    } else {
        release(vm, id);
    }
}

/// Gives an unpinned, emptied page back.
pub fn release(vm: &mut Vm<Shadow>, id: PageId) {
    vm.engine.pool.release(id);
    vm.machine.cost.shadow_live = u64::from(vm.engine.pool.live());
}

/// Clears an upper entry and takes it from its child's parents.
pub fn unlink_child<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, why: SpteWhy, sink: &mut S) {
    let old = vm.engine.pool.spte(at);
    let child = PageId::of_frame(spte::frame(old));
    vm.engine.pool.page_mut(child).parents.remove(at);
    vm.engine.pool.page_mut(at.page).spt.set(usize::from(at.index), 0);
    unsync::forget_child(vm, at);
    fetch::said_clear(vm, at, old, why, sink);
}

/// Clears every entry; says whether present ones were among them.
fn unlink_children<S: Sink>(vm: &mut Vm<Shadow>, id: PageId, sink: &mut S) -> bool {
    let level = vm.engine.pool.page(id).role.level;
    let mut present = false;
    let set: Vec<u16> = vm.engine.pool.page(id).spt.iter_set().map(|(index, _)| index as u16).collect();
    for index in set {
        let at = SpteRef { page: id, index };
        let old = vm.engine.pool.spte(at);
        if old == 0 {
            continue;
        }
        present |= spte::is_present(old);
        if level == 1 {
            fetch::replace(vm, at, 0, SpteWhy::Zap, sink);
        } else if vm.engine.policy.caches_pages {
            unlink_child(vm, at, SpteWhy::Zap, sink);
        } else {
            // Before the series a page has one parent, and goes with it.
            zap_page(vm, PageId::of_frame(spte::frame(old)), sink);
        }
    }
    present
}
