//! The audit: what must hold after every command, as executable invariants I1 to I11
//! (2.6.20 mmu.c `kvm_mmu_audit`, and what its authors relied on without checking).
//!
//! Before the series (`kvm-2006`) guest tables are not protected, so shadows may be stale; what
//! compares them with guest memory is asked only of pages that claim to be in sync.

use std::collections::{BTreeMap, BTreeSet};

use super::page::{PageId, ShadowPage, SpteRef};
use super::root::Root;
use super::{Shadow, root, spte, write};
use crate::arch::entry::{self, P, RW, US, XD};
use crate::arch::{Gfn, Level, Mode};
use crate::engine::Vm;
use crate::language::Language;
use crate::machine::role::Role;
use crate::tr;

/// A broken invariant, with what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// `I1` to `I11`.
    pub invariant: &'static str,
    /// The pages, entries and frames that show it.
    pub witness: String,
}

/// A check that words what it finds in a language.
type Check = fn(&Vm<Shadow>, Language) -> Result<(), String>;

/// Every invariant, in order.
const INVARIANTS: [(&str, Check); 11] = [
    ("I1", tables_are_write_protected),
    ("I2", reverse_map_is_exact),
    ("I3", entries_agree_with_the_guest),
    ("I4", parents_are_exact),
    ("I5", keys_are_unique),
    ("I6", root_counts_are_exact),
    ("I7", entries_lead_to_live_pages),
    ("I8", writable_implies_dirty),
    ("I9", the_tlb_cannot_write_tables),
    ("I10", present_implies_accessed),
    ("I11", pae_root_mirrors_the_registers),
];

/// Checks everything.
///
/// # Errors
/// The first invariant that is broken.
pub fn audit(vm: &Vm<Shadow>, language: Language) -> Result<(), Broken> {
    for (invariant, check) in INVARIANTS {
        check(vm, language).map_err(|witness| Broken { invariant, witness })?;
    }
    Ok(())
}

fn name(page: &ShadowPage, l: Language) -> String {
    tr!(l, "shadow of gfn {gfn} level {level}", gfn = format!("{:#x}", page.gfn.0), level = page.role.level)
}

/// An entry of a shadow page.
fn entry_name(page: &ShadowPage, index: u16, l: Language) -> String {
    format!("{} [{index}]", name(page, l))
}

fn leaves(vm: &Vm<Shadow>) -> impl Iterator<Item = (SpteRef, u64, &ShadowPage)> {
    let pages = vm.engine.pool.iter().filter(|(_, page)| page.role.level == 1);
    pages.flat_map(|(id, page)| {
        let entries = page.spt.iter_set();
        entries.map(move |(index, spte)| (SpteRef { page: id, index: index as u16 }, spte, page))
    })
}

fn upper_entries(vm: &Vm<Shadow>) -> impl Iterator<Item = (SpteRef, PageId, &ShadowPage)> {
    let pages = vm.engine.pool.iter().filter(|(_, page)| page.role.level > 1);
    pages.flat_map(|(id, page)| {
        let entries = page.spt.iter_set().filter(|(_, spte)| spte::is_present(*spte));
        entries.map(move |(index, spte)| {
            (SpteRef { page: id, index: index as u16 }, PageId::of_frame(spte::frame(spte)), page)
        })
    })
}

/// Frames of guest tables with a shadow that claims to be in sync.
fn protected_frames(vm: &Vm<Shadow>) -> BTreeSet<Gfn> {
    if !vm.engine.policy.caches_pages {
        return BTreeSet::new();
    }
    let pages = vm.engine.pool.iter().map(|(_, page)| page);
    pages.filter(|page| !page.role.direct && !page.unsync && !page.invalid).map(|page| page.gfn).collect()
}

/// I1: no entry maps a shadowed table writable.
fn tables_are_write_protected(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    let protected = protected_frames(vm);
    for (at, spte, page) in leaves(vm).filter(|(_, spte, _)| spte::is_writable(*spte)) {
        let target = vm.machine.slots.guest_frame(spte::frame(spte));
        if let Some(gfn) = target.filter(|gfn| protected.contains(gfn)) {
            return Err(tr!(
                l,
                "{entry} maps the table in gfn {gfn} writable",
                entry = entry_name(page, at.index, l),
                gfn = format!("{:#x}", gfn.0)
            ));
        }
    }
    Ok(())
}

/// I2: the reverse map holds exactly the entries that it should.
fn reverse_map_is_exact(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    let tracked = |spte: u64| if vm.engine.policy.unsync { spte::is_present(spte) } else { spte::is_writable(spte) };
    let mut wanted: BTreeMap<u64, BTreeSet<SpteRef>> = BTreeMap::new();
    for (at, spte, _) in leaves(vm).filter(|(_, spte, _)| tracked(*spte)) {
        wanted.entry(spte::frame(spte).0).or_default().insert(at);
    }
    let got: BTreeMap<u64, BTreeSet<SpteRef>> =
        vm.engine.rmap.frames().map(|frame| (frame.0, vm.engine.rmap.of(frame).collect())).collect();
    if got == wanted {
        return Ok(());
    }
    let frame = got.keys().chain(wanted.keys()).find(|frame| got.get(frame) != wanted.get(frame));
    Err(tr!(l, "reverse map of hfn {hfn}", hfn = format!("{:#x}", frame.copied().unwrap_or_default())))
}

const fn mode_of(role: &Role) -> Mode {
    match role.glevels {
        0 => Mode::Off,
        2 => Mode::Bits32,
        3 => Mode::Pae,
        4 => Mode::Level4,
        _ => Mode::Level5,
    }
}

/// The guest entry that an entry of an indirect page mirrors.
fn guest_entry(vm: &Vm<Shadow>, page: &ShadowPage, index: u16) -> u64 {
    let (size, offset) = if page.role.glevels == 2 {
        let halves = if page.role.level == 1 { 512 } else { 256 };
        let index = if page.role.level == 1 { u64::from(index) } else { u64::from(index) / 2 };
        (4, (index + halves * u64::from(page.role.quadrant)) * 4)
    } else {
        (8, u64::from(index) * 8)
    };
    vm.machine.memory.read(page.gfn.base().offset(offset), size)
}

fn claims_sync(vm: &Vm<Shadow>, page: &ShadowPage) -> bool {
    vm.engine.policy.caches_pages && !page.role.direct && !page.unsync && !page.invalid
}

/// I3: every entry of a page in sync leads where the guest's does and grants no more.
fn entries_agree_with_the_guest(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    for (at, spte, page) in leaves(vm).filter(|(_, spte, _)| spte::is_present(*spte)) {
        let frame = if page.role.direct {
            vm.machine.slots.host_frame(page.direct_gfn(usize::from(at.index)))
        } else if claims_sync(vm, page) {
            let gpte = guest_entry(vm, page, at.index);
            if gpte & P == 0 {
                return Err(tr!(
                    l,
                    "{entry} is present, the guest's entry is not",
                    entry = entry_name(page, at.index, l)
                ));
            }
            grants_no_more(page, at.index, spte, gpte, l)?;
            let gfn = entry::page_base(mode_of(&page.role), Level(1), gpte, &vm.machine.cpu.model).gfn();
            vm.machine.slots.host_frame(gfn)
        } else {
            continue;
        };
        if frame != Some(spte::frame(spte)) {
            return Err(tr!(
                l,
                "{entry} maps another frame than the guest's entry",
                entry = entry_name(page, at.index, l)
            ));
        }
    }
    for (at, child, page) in upper_entries(vm).filter(|(_, _, page)| claims_sync(vm, page)) {
        // The PDPT of PAE paging obeys the registers, not memory.
        if page.role.level == 3 && page.role.glevels <= 3 {
            continue;
        }
        let gpte = guest_entry(vm, page, at.index);
        let child = vm.engine.pool.page(child);
        let table = entry::frame_4k(gpte, &vm.machine.cpu.model).gfn();
        if gpte & P == 0 || !child.role.direct && child.gfn != table {
            return Err(tr!(
                l,
                "{entry} leads to another table than the guest's entry",
                entry = entry_name(page, at.index, l)
            ));
        }
    }
    Ok(())
}

fn grants_no_more(page: &ShadowPage, index: u16, spte: u64, gpte: u64, l: Language) -> Result<(), String> {
    let access = page.role.access;
    let may_write = access.write && gpte & RW != 0;
    let may_user = access.user && gpte & US != 0;
    // With WP = 0 a kernel-only entry may be writable.
    let write = spte & RW != 0 && !may_write && (spte & US != 0 || page.role.cr0_wp);
    let user = spte & US != 0 && !may_user;
    let no_exec = page.role.nxe && (!access.exec || gpte & XD != 0);
    let exec = spte & XD == 0 && no_exec && page.role.glevels > 2;
    if write || user || exec {
        return Err(tr!(l, "{entry} grants more than the guest's path", entry = entry_name(page, index, l)));
    }
    Ok(())
}

/// I4: a page's parents are exactly the entries that point to it.
fn parents_are_exact(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    let mut wanted: BTreeMap<PageId, Vec<SpteRef>> = BTreeMap::new();
    for (at, child, _) in upper_entries(vm) {
        wanted.entry(child).or_default().push(at);
    }
    for (id, page) in vm.engine.pool.iter() {
        let mut got = page.parents.as_slice().to_vec();
        got.sort_unstable();
        let mut wanted = wanted.remove(&id).unwrap_or_default();
        wanted.sort_unstable();
        if got != wanted {
            return Err(tr!(
                l,
                "{page} has {parents} parents, {entries} entries point to it",
                page = name(page, l),
                parents = got.len(),
                entries = wanted.len()
            ));
        }
    }
    Ok(())
}

/// I5: frame and role find one page at most.
fn keys_are_unique(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    if !vm.engine.policy.caches_pages {
        return Ok(());
    }
    for (id, page) in vm.engine.pool.iter().filter(|(_, page)| !page.invalid) {
        let twin = vm
            .engine
            .pool
            .iter()
            .find(|(other, twin)| *other > id && !twin.invalid && twin.gfn == page.gfn && twin.role == page.role);
        if twin.is_some() {
            return Err(tr!(l, "{page} is there twice with one role", page = name(page, l)));
        }
    }
    Ok(())
}

/// I6: a page is pinned as often as roots hold it.
fn root_counts_are_exact(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    let held = vm.engine.root.pages().into_iter().chain(vm.engine.prev_roots.iter().map(|prev| prev.page));
    let held: Vec<PageId> = held.collect();
    for (id, page) in vm.engine.pool.iter() {
        let wanted = held.iter().filter(|root| **root == id).count();
        if page.root_count as usize != wanted {
            return Err(tr!(
                l,
                "{page} has root_count {count}, {roots} roots hold it",
                page = name(page, l),
                count = page.root_count,
                roots = wanted
            ));
        }
    }
    Ok(())
}

/// I7: no entry leads to a page that is free, and the counters say how many are in use.
fn entries_lead_to_live_pages(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    for (at, child, page) in upper_entries(vm) {
        if vm.engine.pool.get(child).is_none() {
            return Err(tr!(l, "{entry} leads to a free page", entry = entry_name(page, at.index, l)));
        }
    }
    let (listed, live) = (vm.engine.pool.active().count(), vm.engine.pool.live() as usize);
    let stored = vm.engine.pool.iter().count();
    if listed != live || stored != live {
        return Err(tr!(
            l,
            "{live} pages live, {listed} on the active list, {stored} in the pool",
            live = live,
            listed = listed,
            stored = stored
        ));
    }
    Ok(())
}

/// I8: a writable entry mirrors a guest entry with D = 1.
fn writable_implies_dirty(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    for (at, spte, page) in leaves(vm) {
        if spte::is_writable(spte) && claims_sync(vm, page) && guest_entry(vm, page, at.index) & entry::D == 0 {
            return Err(tr!(
                l,
                "{entry} is writable, the guest's entry is clean",
                entry = entry_name(page, at.index, l)
            ));
        }
    }
    Ok(())
}

/// I9: the hardware's TLB lets nobody write a table that is write-protected.
fn the_tlb_cannot_write_tables(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    for cached in vm.machine.tlb.entries().filter(|cached| cached.rights.rw) {
        let gfn = vm.machine.slots.guest_frame(crate::arch::Hfn(cached.frame >> 12));
        if let Some(gfn) = gfn.filter(|gfn| write::is_protected(vm, *gfn)) {
            return Err(tr!(
                l,
                "the TLB maps the table in gfn {gfn} writable at {address}",
                gfn = format!("{:#x}", gfn.0),
                address = format!("{:#x}", cached.page.0)
            ));
        }
    }
    Ok(())
}

/// I10: a present entry mirrors a guest entry with A = 1.
fn present_implies_accessed(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    for (at, spte, page) in leaves(vm) {
        if spte::is_present(spte) && claims_sync(vm, page) && guest_entry(vm, page, at.index) & entry::A == 0 {
            return Err(tr!(
                l,
                "{entry} is present, the guest's entry has A = 0",
                entry = entry_name(page, at.index, l)
            ));
        }
    }
    Ok(())
}

/// I11: `pae_root` has a slot exactly for each present PDPTE register (with memory behind it, where
/// the engine looks for that).
fn pae_root_mirrors_the_registers(vm: &Vm<Shadow>, l: Language) -> Result<(), String> {
    let cpu = &vm.machine.cpu;
    let (Root::Pae(slots), Mode::Pae) = (&vm.engine.root, cpu.mode()) else { return Ok(()) };
    for (index, slot) in slots.iter().enumerate() {
        let table = entry::frame_4k(cpu.pdptes[index], &cpu.model).gfn();
        let wanted = cpu.pdptes[index] & P != 0 && root::is_visible(vm, table);
        if spte::is_present(*slot) != wanted {
            return Err(tr!(l, "pae_root[{index}] and PDPTE register {index} disagree about P", index = index));
        }
    }
    Ok(())
}
