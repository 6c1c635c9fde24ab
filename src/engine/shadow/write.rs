//! Stores to guest tables: write protection, emulation, and what a store does to the shadows
//! (2.6.20 mmu.c `rmap_write_protect`, `kvm_mmu_pre_write`; 6.8 `kvm_mmu_track_write`).

use super::page::{PageId, SpteRef};
use super::{Shadow, fault, fetch, flush_tlb, plain_store, root, spte, unsync, zap};
use crate::arch::entry::{self, P, RW};
use crate::arch::rights::Rights;
use crate::arch::{Gfn, Gpa, Level};
use crate::engine::{Sink, Switches, Vm};
use crate::machine::event::{Event, ExitReason, FlushCause, SpteWhy};
use crate::machine::role::{AccessBits, Role};

/// So many stores in a row to one table mean that it is none any more.
const FLOOD: u32 = 3;

/// Whether a guest table in this frame has a shadow.
pub fn is_shadowed(vm: &Vm<Shadow>, gfn: Gfn) -> bool {
    vm.engine.policy.caches_pages && vm.engine.pool.of_gfn(gfn).next().is_some()
}

/// Whether an upper table in this frame has a shadow: such frames never go out of sync.
pub fn is_write_tracked(vm: &Vm<Shadow>, gfn: Gfn) -> bool {
    vm.engine.pool.of_gfn(gfn).any(|id| vm.engine.pool.page(id).role.level > 1)
}

/// Whether a shadow of this frame is in sync.
fn has_synced_shadow(vm: &Vm<Shadow>, gfn: Gfn) -> bool {
    vm.engine.pool.of_gfn(gfn).any(|id| !vm.engine.pool.page(id).unsync)
}

/// Whether the guest must not store to a frame unseen: a shadow of it is in sync.
pub fn is_protected(vm: &Vm<Shadow>, gfn: Gfn) -> bool {
    if vm.engine.policy.unsync { has_synced_shadow(vm, gfn) } else { is_shadowed(vm, gfn) }
}

/// `rmap_write_protect`: takes W from every entry that maps a frame.
pub fn write_protect<S: Sink>(vm: &mut Vm<Shadow>, gfn: Gfn, sink: &mut S) {
    if vm.engine.outside_read_only.get(gfn.0).is_none() {
        vm.engine.outside_read_only.set(gfn.0, ());
    }
    let Some(frame) = vm.machine.slots.host_frame(gfn) else { return };
    let writable = |at: &SpteRef| spte::is_writable(vm.engine.pool.spte(*at));
    let mappings: Vec<SpteRef> = vm.engine.rmap.of(frame).filter(writable).collect();
    vm.emit(sink, |_| Event::WriteProtect { gfn });
    // A mapping may have gone while the hardware still remembers it: 2.6.20 could rely on every exit
    // to flush, this hardware keeps its TLB over exits.
    let remembered = vm.machine.tlb.entries().any(|e| e.rights.rw && e.frame == frame.base().0);
    let flush = (remembered || !mappings.is_empty()) && !vm.engine.has(Switches::NO_FLUSH_ON_REDUCTION);
    let flush_first = vm.engine.has(Switches::FLUSH_BEFORE_CHANGE);
    if flush && flush_first {
        flush_tlb(vm, FlushCause::WriteProtect, sink);
    }
    for at in &mappings {
        let old = vm.engine.pool.spte(*at);
        fetch::replace(vm, *at, old & !RW, SpteWhy::WriteProtect, sink);
    }
    if flush && !flush_first {
        flush_tlb(vm, FlushCause::WriteProtect, sink);
    }
}

/// A store through a mapping outside the scenario's tables. It exits where KVM took that mapping's W.
pub fn outside_store<S: Sink>(vm: &mut Vm<Shadow>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
    let gfn = gpa.gfn();
    if vm.machine.slots.host_frame(gfn).is_none() {
        fault::exit(vm, ExitReason::Mmio, sink);
        emulate(vm, gpa, size, value, sink);
        return;
    }
    if vm.engine.outside_read_only.get(gfn.0).is_none() {
        plain_store(vm, gpa, size, value, sink);
        return;
    }
    zap::make_room(vm, sink);
    let may_write =
        if vm.engine.policy.unsync { unsync::try_to_unsync_pages(vm, gfn, sink) } else { !is_shadowed(vm, gfn) };
    if may_write {
        vm.engine.outside_read_only.remove(gfn.0);
        fault::exit(vm, ExitReason::PageFault, sink);
        plain_store(vm, gpa, size, value, sink);
    } else {
        emulate(vm, gpa, size, value, sink);
    }
}

/// The hypervisor carries a store out; to an address without memory nothing is stored.
pub fn emulate<S: Sink>(vm: &mut Vm<Shadow>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
    if vm.machine.slots.find(gpa.gfn()).is_none() {
        return;
    }
    // A store beyond the host's memory has counted as MMIO already.
    if vm.machine.slots.host_frame(gpa.gfn()).is_some() {
        fault::exit(vm, ExitReason::EmulatedWrite, sink);
    }
    vm.emit(sink, |_| Event::Emulate { gpa, size });
    if !vm.engine.policy.caches_pages {
        // Before the series nothing watches guest tables.
        plain_store(vm, gpa, size, value, sink);
    } else if vm.engine.policy.unsync {
        track_write(vm, gpa, size, sink);
        plain_store(vm, gpa, size, value, sink);
    } else {
        pre_write(vm, gpa, size, sink);
        plain_store(vm, gpa, size, value, sink);
        if vm.engine.has(Switches::INSTALL_AFTER_WRITE) {
            install_new_entry(vm, gpa, sink);
        }
    }
    root::reload_if_invalid(vm, sink);
}

/// 2.6.20: zeroes the entries that mirror what is about to be written.
fn pre_write<S: Sink>(vm: &mut Vm<Shadow>, gpa: Gpa, size: u32, sink: &mut S) {
    let gfn = gpa.gfn();
    let count = match vm.engine.last_pt_write {
        Some((last, count)) if last == gfn => count + 1,
        _ => 1,
    };
    vm.engine.last_pt_write = Some((gfn, count));
    let flooded = count >= FLOOD;
    if flooded {
        vm.emit(sink, |_| Event::Flood { gfn });
    }
    for id in written_shadows(vm, gfn) {
        let role = vm.engine.pool.page(id).role;
        // Stores of fewer than 4 bytes are none to a page table (e925c5ba938).
        if flooded || size < 4 || is_misaligned(gpa, size, &role) {
            zap::zap_page(vm, id, sink);
        } else {
            clear_mirrors(vm, id, &role, gpa, sink);
        }
    }
}

/// The shadows that must follow a store to a table: all of them.
fn written_shadows(vm: &Vm<Shadow>, gfn: Gfn) -> Vec<PageId> {
    let some = if vm.engine.has(Switches::FIRST_SHADOW_ONLY) { 1 } else { usize::MAX };
    vm.engine.pool.of_gfn(gfn).take(some).collect()
}

/// Whether a store covers more than one entry, or parts of two.
fn is_misaligned(gpa: Gpa, size: u32, role: &Role) -> bool {
    let entry = if role.glevels == 2 { 4 } else { 8 };
    let offset = gpa.page_offset();
    (offset ^ (offset + u64::from(size) - 1)) & !(entry - 1) != 0
}

/// The entries of a shadow page that mirror the guest entry at `gpa`: one, or two where a 4-byte
/// directory entry covers 4 MiB; none where the entry belongs to another quadrant.
fn mirrors(vm: &Vm<Shadow>, role: &Role, gpa: Gpa) -> std::ops::Range<u16> {
    let offset = gpa.page_offset();
    if role.glevels != 2 {
        let index = (offset / 8) as u16;
        return index..index + 1;
    }
    let index = offset / 4;
    if role.level == 1 {
        let one = (index % 512) as u16;
        return if index / 512 == u64::from(role.quadrant) { one..one + 1 } else { 0..0 };
    }
    if vm.engine.has(Switches::PDE_OFFSET_DOUBLED_ONCE) {
        let one = (index % 512) as u16;
        return one..one + 1;
    }
    let first = (index * 2 % 512) as u16;
    if index / 256 == u64::from(role.quadrant) { first..first + 2 } else { 0..0 }
}

/// Clears the entries that mirror a written guest entry; says whether a present leaf was among them.
fn clear_mirrors<S: Sink>(vm: &mut Vm<Shadow>, id: PageId, role: &Role, gpa: Gpa, sink: &mut S) -> bool {
    let (mut tables, mut leaves) = (false, false);
    for index in mirrors(vm, role, gpa) {
        let at = SpteRef { page: id, index };
        let old = vm.engine.pool.spte(at);
        if old == 0 {
            continue;
        }
        if role.level == 1 || !spte::is_present(old) {
            fetch::replace(vm, at, 0, SpteWhy::Write, sink);
            leaves |= spte::is_present(old);
        } else {
            zap::unlink_child(vm, at, SpteWhy::Write, sink);
            tables = true;
        }
    }
    // The guest's INVLPG reaches one 4 KiB piece of what was a large page for it. 2.6.20 could rely
    // on every exit to flush, this hardware keeps its TLB over exits.
    if tables {
        flush_tlb(vm, FlushCause::Zap, sink);
    }
    leaves
}

/// 6.8: as [`pre_write`], with floods counted by page, and leaf tables left to go out of sync.
fn track_write<S: Sink>(vm: &mut Vm<Shadow>, gpa: Gpa, size: u32, sink: &mut S) {
    let mut cleared = false;
    for id in written_shadows(vm, gpa.gfn()) {
        let role = vm.engine.pool.page(id).role;
        let flooded = role.level > 1 && {
            let page = vm.engine.pool.page_mut(id);
            page.write_flooding_count += 1;
            page.write_flooding_count >= FLOOD
        };
        if flooded {
            vm.emit(sink, |_| Event::Flood { gfn: gpa.gfn() });
        }
        // A one-byte store at the start of an entry is a guest clearing status bits.
        let entry = if role.glevels == 2 { 4 } else { 8 };
        let status_byte = size == 1 && gpa.0.is_multiple_of(entry);
        if flooded || (size < 4 && !status_byte) || is_misaligned(gpa, size, &role) {
            zap::zap_page(vm, id, sink);
        } else {
            cleared |= clear_mirrors(vm, id, &role, gpa, sink);
        }
    }
    if cleared {
        flush_tlb(vm, FlushCause::Zap, sink);
    }
}

/// 0028425f647: the entry that was just written is likely to be used next.
fn install_new_entry<S: Sink>(vm: &mut Vm<Shadow>, gpa: Gpa, sink: &mut S) {
    let ids: Vec<PageId> = vm.engine.pool.of_gfn(gpa.gfn()).collect();
    for id in ids {
        let role = vm.engine.pool.page(id).role;
        if role.level == 1 && role.glevels == vm.machine.cpu.mode().top_level() {
            for index in mirrors(vm, &role, gpa) {
                install_leaf(vm, SpteRef { page: id, index }, SpteWhy::Prefetch, sink);
            }
        }
    }
}

/// Fills a leaf entry from its guest entry without an access: only where the guest's is present,
/// accessed, legal and backed by memory, and without W where the frame is a table or D is clear.
pub fn install_leaf<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, why: SpteWhy, sink: &mut S) {
    if let Some(new) = leaf_from_guest(vm, at) {
        fetch::replace(vm, at, new, why, sink);
        log_if_writable(vm, new);
    }
}

/// Whoever grants W without a store says that the page is dirty, for no store to it will be seen
/// (6.8 `make_spte`).
pub fn log_if_writable(vm: &mut Vm<Shadow>, spte: u64) {
    if spte::is_writable(spte) {
        let gfn = vm.machine.slots.guest_frame(spte::frame(spte));
        gfn.into_iter().for_each(|gfn| vm.machine.slots.mark_dirty(gfn));
    }
}

/// Where the guest entry lies that a leaf entry of an indirect page mirrors.
pub fn guest_entry_of(vm: &Vm<Shadow>, at: SpteRef) -> Gpa {
    let page = vm.engine.pool.page(at.page);
    let (shift, index) = if page.role.glevels == 2 {
        (2, u64::from(at.index) + 512 * u64::from(page.role.quadrant))
    } else {
        (3, u64::from(at.index))
    };
    page.gfn.base().offset(index << shift)
}

/// What a leaf entry of an indirect page would be by its guest entry now; none where the guest's is
/// not present, not accessed, not legal, or without memory behind it.
pub fn leaf_from_guest(vm: &Vm<Shadow>, at: SpteRef) -> Option<u64> {
    let page = vm.engine.pool.page(at.page);
    let cpu = &vm.machine.cpu;
    let mode = cpu.mode();
    let gpte = vm.machine.memory.read(guest_entry_of(vm, at), mode.entry_size() as u32);
    let reserved = entry::reserved(mode, Level(1), true, &cpu.model, page.role.nxe);
    if gpte & (P | entry::A) != P | entry::A || gpte & reserved != 0 {
        return None;
    }
    let own = Rights::of_path(gpte, gpte, gpte);
    let above = page.role.access;
    let granted = AccessBits {
        exec: above.exec && !(own.xd && page.role.nxe),
        write: above.write && own.rw,
        user: above.user && own.us,
    };
    let gfn = entry::page_base(mode, Level(1), gpte, &cpu.model).gfn();
    vm.machine.slots.host_frame(gfn)?;
    let global = gpte & entry::G != 0 && cpu.paging.globals;
    let leaf = fetch::Leaf { gfn, granted, dirty: gpte & entry::D != 0, global, key: own.key };
    let spte = fetch::make_spte(vm, at, &leaf);
    Some(if is_protected(vm, gfn) { spte & !RW } else { spte })
}

/// KVM_GET_DIRTY_LOG: the pages of a slot lose W, so that the next store to each is seen.
pub fn slot_remove_write_access<S: Sink>(vm: &mut Vm<Shadow>, base: Gfn, sink: &mut S) {
    let Some(slot) = vm.machine.slots.find(base) else { return };
    if slot.dirty.is_none() {
        return;
    }
    let (first, frames) = (slot.host, slot.frames);
    let in_slot = |spte: u64| spte::frame(spte).0.wrapping_sub(first.0) < frames;
    let mut found = Vec::new();
    for (page, shadow) in vm.engine.pool.iter().filter(|(_, shadow)| shadow.role.level == 1) {
        for (index, spte) in shadow.spt.iter_set() {
            if spte::is_writable(spte) && in_slot(spte) {
                found.push(SpteRef { page, index: index as u16 });
            }
        }
    }
    for at in &found {
        let old = vm.engine.pool.spte(*at);
        fetch::replace(vm, *at, old & !RW, SpteWhy::DirtyLog, sink);
    }
    if !found.is_empty() {
        flush_tlb(vm, FlushCause::DirtyLog, sink);
    }
}
