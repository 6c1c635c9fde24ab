//! Leaf tables that the guest may write unseen (4731d4c7a07; 6.8 `mmu_try_to_unsync_pages`,
//! `mmu_sync_children`, `sync_spte`, `pte_prefetch`).
//!
//! The processor may answer from stale translations until the guest invalidates them; shadows of
//! leaf tables use the same licence. Upper tables stay write-protected.

use super::page::{PageId, SpteRef};
use super::{Shadow, fetch, flush_tlb, spte, write, zap};
use crate::arch::entry::P;
use crate::arch::{Gfn, Gva};
use crate::engine::{Sink, Vm};
use crate::machine::event::{Event, FlushCause, SpteWhy};

/// Lets the guest write a frame: every leaf shadow of it goes out of sync. `false` where an upper
/// shadow forbids it.
pub fn try_to_unsync_pages<S: Sink>(vm: &mut Vm<Shadow>, gfn: Gfn, sink: &mut S) -> bool {
    if write::is_write_tracked(vm, gfn) {
        return false;
    }
    let synced = |id: &PageId| !vm.engine.pool.page(*id).unsync;
    let ids: Vec<PageId> = vm.engine.pool.of_gfn(gfn).filter(synced).collect();
    for id in ids {
        vm.engine.pool.page_mut(id).unsync = true;
        mark_parents_unsync(vm, id);
        vm.emit(sink, |_| Event::Unsync { gfn });
    }
    true
}

/// Tells every page above that something below it is out of sync.
fn mark_parents_unsync(vm: &mut Vm<Shadow>, id: PageId) {
    let parents = vm.engine.pool.page(id).parents.as_slice().to_vec();
    for parent in parents {
        mark_unsync(vm, parent);
    }
}

fn mark_unsync(vm: &mut Vm<Shadow>, at: SpteRef) {
    let page = vm.engine.pool.page_mut(at.page);
    if page.unsync_child_bitmap.set(at.index) {
        page.unsync_children += 1;
        if page.unsync_children == 1 {
            mark_parents_unsync(vm, at.page);
        }
    }
}

/// A page was linked under a parent: if it has anything out of sync, the parent must know.
pub fn propagate(vm: &mut Vm<Shadow>, id: PageId, parent: SpteRef) {
    let page = vm.engine.pool.page(id);
    if page.unsync || page.unsync_children > 0 {
        mark_unsync(vm, parent);
    }
}

/// An upper entry was cleared: whatever was out of sync below it is no longer reached through it.
pub fn forget_child(vm: &mut Vm<Shadow>, at: SpteRef) {
    let page = vm.engine.pool.page_mut(at.page);
    if page.unsync_child_bitmap.clear(at.index) {
        page.unsync_children -= 1;
    }
}

/// `mmu_sync_children`: brings everything below a page into sync, its leaf tables write-protected
/// again.
pub fn sync_children<S: Sink>(vm: &mut Vm<Shadow>, id: PageId, sink: &mut S) {
    if vm.engine.pool.page(id).unsync {
        sync_page(vm, id, sink);
    }
    let below: Vec<u16> = vm.engine.pool.page(id).unsync_child_bitmap.iter().collect();
    for index in below {
        let at = SpteRef { page: id, index };
        let entry = vm.engine.pool.spte(at);
        forget_child(vm, at);
        if spte::is_present(entry) {
            sync_children(vm, PageId::of_frame(spte::frame(entry)), sink);
        }
    }
}

/// One page: protected, every entry compared with its guest entry, in sync again.
fn sync_page<S: Sink>(vm: &mut Vm<Shadow>, id: PageId, sink: &mut S) {
    let gfn = vm.engine.pool.page(id).gfn;
    vm.engine.pool.page_mut(id).unsync = false;
    write::write_protect(vm, gfn, sink);
    vm.emit(sink, |_| Event::Sync { gfn });
    if sync_entries(vm, id, sink) {
        flush_tlb(vm, FlushCause::Sync, sink);
    }
}

/// Compares the entries but leaves the page out of sync and writable: a lookup found it, and
/// protecting it now would only make it fault again (`kvm_mmu_find_shadow_page`).
pub fn sync_transient<S: Sink>(vm: &mut Vm<Shadow>, id: PageId, sink: &mut S) {
    if sync_entries(vm, id, sink) {
        flush_tlb(vm, FlushCause::Sync, sink);
    }
}

fn sync_entries<S: Sink>(vm: &mut Vm<Shadow>, id: PageId, sink: &mut S) -> bool {
    let mut reduced = false;
    let set: Vec<u16> = vm.engine.pool.page(id).spt.iter_set().map(|(index, _)| index as u16).collect();
    for index in set {
        reduced |= sync_spte(vm, SpteRef { page: id, index }, sink);
    }
    reduced
}

/// One entry: dropped where the guest's is not present, not accessed, illegal or names another
/// frame, rewritten where only rights differ. Says whether a translation lost anything.
pub fn sync_spte<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, sink: &mut S) -> bool {
    let old = vm.engine.pool.spte(at);
    if old == 0 {
        return false;
    }
    let same_frame = |new: &u64| spte::frame(*new) == spte::frame(old) && spte::is_present(old);
    let new = write::leaf_from_guest(vm, at).filter(same_frame).unwrap_or(0);
    if new == old {
        return false;
    }
    fetch::replace(vm, at, new, SpteWhy::Sync, sink);
    write::log_if_writable(vm, new);
    old & P != 0
}

/// INVLPG in one root: the leaf entry of the address, if its table is out of sync.
pub fn sync_address<S: Sink>(vm: &mut Vm<Shadow>, root: PageId, first: u16, gva: Gva, sink: &mut S) {
    let mut page = root;
    let mut index = first;
    while let Some(shadow) = vm.engine.pool.get(page) {
        let level = shadow.role.level;
        let at = SpteRef { page, index };
        if level == 1 {
            if shadow.unsync {
                sync_spte(vm, at, sink);
            }
            return;
        }
        let entry = vm.engine.pool.spte(at);
        if !spte::is_present(entry) {
            return;
        }
        page = PageId::of_frame(spte::frame(entry));
        index = (gva.0 >> (12 + 9 * (u32::from(level) - 2))) as u16 & 0x1ff;
    }
}

/// A frame becomes an upper table: leaf shadows of it that are out of sync go.
pub fn zap_unsync_leaves<S: Sink>(vm: &mut Vm<Shadow>, gfn: Gfn, sink: &mut S) {
    let is_unsync = |id: &PageId| vm.engine.pool.page(*id).unsync;
    let ids: Vec<PageId> = vm.engine.pool.of_gfn(gfn).filter(is_unsync).collect();
    for id in ids {
        zap::zap_page(vm, id, sink);
    }
}

/// Fills the empty neighbours of a leaf, in an aligned window.
pub fn pte_prefetch<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, sink: &mut S) {
    let window = vm.engine.policy.prefetch;
    let page = vm.engine.pool.page(at.page);
    if window == 0 || page.role.direct || page.unsync {
        return;
    }
    let first = at.index & !(window - 1);
    for index in (first..first + window).filter(|index| *index != at.index) {
        let neighbour = SpteRef { page: at.page, index };
        if vm.engine.pool.spte(neighbour) == 0 {
            write::install_leaf(vm, neighbour, SpteWhy::Prefetch, sink);
        }
    }
}
