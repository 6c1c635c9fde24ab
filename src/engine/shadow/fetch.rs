//! Building the shadow path of an address: tables, then the leaf
//! (2.6.20 paging_tmpl.h `fetch`, `set_pte_common`; 6.8 `FNAME(fetch)`, `make_spte`).

use super::page::{PageId, SpteRef};
use super::root::Root;
use super::walk::{GuestWalk, base_role};
use super::{Shadow, flush_tlb, spte, unsync, write, zap};
use crate::arch::address::Num;
use crate::arch::entry::{self, P, RW, US};
use crate::arch::{Gfn, Gva};
use crate::engine::{Sink, Switches, Vm};
use crate::machine::event::{Event, FlushCause, SpteWhy};
use crate::machine::role::{AccessBits, Role};

/// The leaf entry for an address, with every table above it in place.
pub fn fetch<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, walk: &GuestWalk, granted: AccessBits, sink: &mut S) -> SpteRef {
    let (mut page, mut level, mut index) = top(vm, gva);
    while level > 1 {
        let at = SpteRef { page, index };
        page = child(vm, at, level - 1, gva, walk, granted, sink);
        level -= 1;
        index = index_at(level, gva);
        vm.engine.pool.clear_flooding(page);
    }
    SpteRef { page, index }
}

const fn index_at(level: u8, gva: Gva) -> u16 {
    (gva.0 >> (12 + 9 * (level as u32 - 1))) as u16 & 0x1ff
}

/// The first entry below the hardware's CR3.
fn top(vm: &Vm<Shadow>, gva: Gva) -> (PageId, u8, u16) {
    match vm.engine.root {
        Root::Long(page) => {
            let level = vm.engine.pool.page(page).role.level;
            (page, level, index_at(level, gva))
        }
        Root::Pdpt { page, first } => (page, 3, first + (gva.0 >> 30) as u16 % 4),
        Root::Pae(slots) => {
            let slot = slots[(gva.0 >> 30) as usize % 4];
            (PageId::of_frame(spte::frame(slot)), 2, index_at(2, gva))
        }
        Root::None | Root::Dummy => unreachable!("callers ask whether the root has an entry for the address"),
    }
}

/// The shadow page under an upper entry: the one that is there, or one of the right frame and role.
fn child<S: Sink>(
    vm: &mut Vm<Shadow>,
    at: SpteRef,
    level: u8,
    gva: Gva,
    walk: &GuestWalk,
    granted: AccessBits,
    sink: &mut S,
) -> PageId {
    let (gfn, role) = child_identity(vm, level, gva, walk, granted);
    let old = vm.engine.pool.spte(at);
    if spte::is_present(old) {
        let id = PageId::of_frame(spte::frame(old));
        let page = vm.engine.pool.page(id);
        // Before the fix of CVE-2021-38198 a table that was linked was taken as it was.
        let as_is = vm.engine.has(Switches::LEAF_ACCESS_IN_ROLE) && role.level == page.role.level && !role.direct;
        if page.gfn == gfn && (page.role == role || as_is) {
            return id;
        }
        drop_table(vm, at, sink);
    }
    let id = get_page(vm, gfn, role, Some(at), sink);
    let mark = if role.direct { spte::PS_MARK } else { 0 };
    let new = id.frame().base().0 | spte::TABLE | mark;
    vm.engine.pool.page_mut(at.page).spt.set(usize::from(at.index), new);
    said_set(vm, at, old, new, SpteWhy::Table, sink);
    id
}

/// Frame and role of the page that belongs at a level of this path.
fn child_identity(vm: &Vm<Shadow>, level: u8, gva: Gva, walk: &GuestWalk, granted: AccessBits) -> (Gfn, Role) {
    let base = base_role(vm);
    let shared = vm.engine.has(Switches::ROLE_WITHOUT_ACCESS);
    let quadrant = Role::quadrant_of(base.glevels, level, gva.0);
    if walk.has_table(level) {
        let (gfn, access) = walk.table(level);
        let access = if shared {
            AccessBits::ALL
        } else if vm.engine.has(Switches::LEAF_ACCESS_IN_ROLE) {
            granted
        } else {
            access
        };
        return (gfn, Role { level, quadrant, access, ..base });
    }
    let pages = 1u64 << (9 * level as u32);
    let gfn = Gfn(walk.target().0 & !(pages - 1));
    let access = if shared { AccessBits::ALL } else { granted };
    (gfn, Role { level, quadrant: 0, direct: true, access, key: walk.rights.key, ..base })
}

/// Takes the table under an upper entry away; before the series its whole subtree goes with it.
fn drop_table<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, sink: &mut S) {
    let id = PageId::of_frame(spte::frame(vm.engine.pool.spte(at)));
    if vm.engine.policy.caches_pages {
        zap::unlink_child(vm, at, SpteWhy::Replaced, sink);
    } else {
        zap::zap_page(vm, id, sink);
    }
    flush_tlb(vm, FlushCause::Zap, sink);
}

/// `kvm_mmu_get_page`: the page of that frame and role, found or made, under one more parent.
pub fn get_page<S: Sink>(vm: &mut Vm<Shadow>, gfn: Gfn, role: Role, parent: Option<SpteRef>, sink: &mut S) -> PageId {
    let found = if vm.engine.policy.caches_pages { vm.engine.pool.find(gfn, role) } else { None };
    let id = match found {
        Some(id) => {
            vm.emit(sink, |_| Event::ShadowHit { gfn, role });
            if vm.engine.pool.page(id).unsync {
                unsync::sync_transient(vm, id, sink);
            }
            // What is linked must be in sync: P 0 to 1 above it asks the guest for no flush. Upper pages
            // are in sync themselves, what is below them need not be (6.8 `FNAME(fetch)`).
            if parent.is_some() && vm.engine.pool.page(id).unsync_children > 0 {
                unsync::sync_children(vm, id, sink);
            }
            id
        }
        None => new_page(vm, gfn, role, sink),
    };
    if let Some(parent) = parent {
        vm.engine.pool.page_mut(id).parents.add(parent);
        unsync::propagate(vm, id, parent);
    }
    id
}

fn new_page<S: Sink>(vm: &mut Vm<Shadow>, gfn: Gfn, role: Role, sink: &mut S) -> PageId {
    let id = vm.engine.pool.allocate(gfn, role);
    let cost = &mut vm.machine.cost;
    cost.shadow_new += 1;
    cost.shadow_live = u64::from(vm.engine.pool.live());
    vm.emit(sink, |_| Event::ShadowNew { gfn, role });
    if !role.direct && vm.engine.policy.caches_pages {
        if role.level > 1 {
            unsync::zap_unsync_leaves(vm, gfn, sink);
        }
        write::write_protect(vm, gfn, sink);
    }
    id
}

/// Makes the leaf entry say what the walk and the granted rights say.
pub fn set_leaf<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, walk: &GuestWalk, granted: AccessBits, sink: &mut S) {
    let leaf = Leaf {
        gfn: walk.target(),
        granted,
        dirty: walk.is_dirty(),
        global: walk.leaf & entry::G != 0 && vm.machine.cpu.paging.globals,
        key: walk.rights.key,
    };
    let mut new = make_spte(vm, at, &leaf);
    let old = vm.engine.pool.spte(at);
    let comparable = !(RW | US | entry::XD | entry::D | entry::A);
    if !vm.engine.policy.unsync && spte::is_present(old) && (old ^ new) & comparable == 0 {
        // 2.6.20 leaves an entry that is there as it is and repairs it afterwards.
        return;
    }
    if spte::is_writable(new) && forbids_write(vm, walk) {
        new &= !RW;
        if !vm.engine.has(Switches::NO_FLUSH_ON_REDUCTION) {
            flush_tlb(vm, FlushCause::WriteProtect, sink);
        }
    }
    if !leaf.global {
        vm.engine.pool.page_mut(at.page).global = false;
    }
    replace(vm, at, new, SpteWhy::Fill, sink);
    if spte::is_writable(new) {
        vm.machine.slots.mark_dirty(leaf.gfn);
    }
}

/// What a leaf entry is made of.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// The frame that it maps.
    pub gfn: Gfn,
    /// What it may grant.
    pub granted: AccessBits,
    /// The guest's entry has D set.
    pub dirty: bool,
    /// The guest's entry has G set and G counts.
    pub global: bool,
    /// The guest's protection key.
    pub key: u8,
}

/// The entry for a leaf, before anybody asks whether its frame is a table.
pub fn make_spte(vm: &Vm<Shadow>, at: SpteRef, leaf: &Leaf) -> u64 {
    let Some(frame) = vm.machine.slots.host_frame(leaf.gfn) else {
        return leaf.gfn.base().0 | spte::IO_MARK;
    };
    let set = |condition: bool, bits: u64| if condition { bits } else { 0 };
    let AccessBits { exec, write, user } = leaf.granted;
    let long = vm.engine.pool.page(at.page).role.glevels >= 4;
    frame.base().0
        | P
        | entry::A
        | set(write && leaf.dirty, RW)
        | set(leaf.dirty, entry::D)
        | set(user, US)
        | set(!exec, entry::XD)
        | set(write, spte::GUEST_WRITE)
        | set(user, spte::GUEST_USER)
        | set(long, u64::from(leaf.key) << entry::KEY_SHIFT)
}

/// Whether the target is a guest table that must not be written unseen.
fn forbids_write(vm: &Vm<Shadow>, walk: &GuestWalk) -> bool {
    // Before patch 11 the base of a large page was asked for in place of the frame in it.
    let gfn = if vm.engine.has(Switches::LARGE_PAGE_BASE_GFN) { walk.page_base() } else { walk.target() };
    write::is_protected(vm, gfn)
}

/// Marks an address without memory.
pub fn mark_mmio<S: Sink>(vm: &mut Vm<Shadow>, gva: Gva, walk: &GuestWalk, sink: &mut S) {
    let granted = AccessBits::of(&walk.rights);
    let at = fetch(vm, gva, walk, granted, sink);
    let gpa = walk.target().base();
    let mark = if vm.engine.policy.mmio_generations {
        let granted = AccessBits { write: granted.write && walk.is_dirty(), ..granted };
        spte::mmio(gpa, granted, vm.engine.generation).unwrap_or(0)
    } else {
        gpa.0 | spte::IO_MARK
    };
    replace(vm, at, mark, SpteWhy::Mmio, sink);
}

/// Replaces a leaf entry, with the reverse map kept true.
pub fn replace<S: Sink>(vm: &mut Vm<Shadow>, at: SpteRef, new: u64, why: SpteWhy, sink: &mut S) {
    let old = vm.engine.pool.spte(at);
    if old == new {
        return;
    }
    let tracks = |spte: u64| if vm.engine.policy.unsync { spte::is_present(spte) } else { spte::is_writable(spte) };
    let (was, is) = (tracks(old), tracks(new));
    let moved = spte::frame(old) != spte::frame(new);
    if was && (!is || moved) {
        vm.engine.rmap.remove(spte::frame(old), at);
        vm.emit(sink, |_| Event::RmapRemove { hfn: spte::frame(old) });
    }
    vm.engine.pool.page_mut(at.page).spt.set(usize::from(at.index), new);
    if is && (!was || moved) {
        vm.engine.rmap.add(spte::frame(new), at);
        vm.emit(sink, |_| Event::RmapAdd { hfn: spte::frame(new) });
    }
    if new == 0 { said_clear(vm, at, old, why, sink) } else { said_set(vm, at, old, new, why, sink) }
}

fn said_set<S: Sink>(vm: &Vm<Shadow>, at: SpteRef, old: u64, new: u64, why: SpteWhy, sink: &mut S) {
    vm.emit(sink, |vm| {
        let page = vm.engine.pool.page(at.page);
        let (gfn, level, index) = (page.gfn, page.role.level, usize::from(at.index));
        Event::SpteSet { gfn, level, index, old: Num(old), new: Num(new), why }
    });
}

/// Says that an entry was cleared.
pub fn said_clear<S: Sink>(vm: &Vm<Shadow>, at: SpteRef, old: u64, why: SpteWhy, sink: &mut S) {
    vm.emit(sink, |vm| {
        let page = vm.engine.pool.page(at.page);
        let (gfn, level, index) = (page.gfn, page.role.level, usize::from(at.index));
        Event::SpteClear { gfn, level, index, old: Num(old), why }
    });
}
