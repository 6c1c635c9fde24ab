//! What the processor has cached, as values: who answers for the address in view, what is new, and
//! what memory contradicts by now (SDM 4.10.2, 4.10.3).

use super::model::{Inputs, leaf_bit};
use super::path::{Composed, Hit, Path, pdptes_in_force};
use crate::arch::entry::{self, P};
use crate::arch::walk::Silent;
use crate::arch::{Access, Cr0, Gpa, Gva, Level, Mode};
use crate::engine::{AnyVm, EngineName};
use crate::machine::{Machine, Psc, PscEntry, TlbEntry};

/// The paging-structure cache of one level.
#[derive(Clone, Debug)]
pub struct StructureCard {
    /// The level of the entries that it caches, 2 to 5.
    pub level: Level,
    /// What it holds, the entry for the address in view first.
    pub rows: Vec<StructureRow>,
}

/// A cached prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructureRow {
    /// The first linear address that it serves.
    pub gva: Gva,
    /// The table that it leads to.
    pub table: Gpa,
    /// Its process-context identifier.
    pub pcid: u16,
    /// It answered, or would.
    pub hit: bool,
    /// Memory says something else by now.
    pub stale: bool,
    /// The command in focus made it.
    pub new: bool,
}

/// A cached translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlbRow {
    /// The entry.
    pub entry: TlbEntry,
    /// It answered, or would.
    pub hit: bool,
    /// Memory says something else by now.
    pub stale: bool,
    /// The command in focus made it.
    pub new: bool,
}

/// The paging-structure caches, by level from the top.
#[must_use]
pub fn structure_cards(inputs: &Inputs<'_>, path: &Path) -> Vec<StructureCard> {
    let machine = inputs.machine;
    let mode = machine.cpu.mode();
    // Under a hypervisor the caches hold what the shadow or nested tables say.
    let native = inputs.engine == EngineName::Native;
    let levels = Level::down_from(mode.top_level_in_memory()).filter(|level| level.0 >= 2);
    levels
        .map(|level| {
            let entries = machine.psc.entries().filter(|entry| entry.level == level.0);
            let row = |entry: &PscEntry| {
                let gva = Gva(entry.prefix << mode.index_shift(level));
                let serves = entry.pcid == machine.cpu.pcid() && entry.prefix == Psc::prefix(mode, level.0, path.gva);
                StructureRow {
                    gva,
                    table: entry.table,
                    pcid: entry.pcid,
                    hit: serves && path.hit == Some(Hit::Structure(level)),
                    stale: native
                        && entry.pcid == machine.cpu.pcid()
                        && table_in_memory(machine, gva, level) != Some(entry.table),
                    new: !inputs.before.psc.entries().any(|old| old == entry),
                }
            };
            let mut rows: Vec<StructureRow> = entries.map(row).collect();
            rows.sort_by_key(|row| (!row.hit, row.gva));
            StructureCard { level, rows }
        })
        .collect()
}

/// The table that memory (and the PDPTE registers) lead to below `level` for an address.
fn table_in_memory(machine: &Machine, gva: Gva, level: Level) -> Option<Gpa> {
    let access = Access { ac: true, ..Access::default() };
    let path = Path::prospective(machine, &machine.cpu.pdptes, &Composed { gva, access, events: &[] });
    let hop = path.hop(level)?;
    let large = hop.value & entry::PS != 0 && leaf_bit(machine, level) & entry::PS != 0;
    (hop.value & P != 0 && !large).then(|| entry::frame_4k(hop.value, &machine.cpu.model))
}

/// The TLB, what answers for the address in view first, then what is new.
#[must_use]
pub fn tlb_rows(inputs: &Inputs<'_>, path: &Path) -> Vec<TlbRow> {
    let machine = inputs.machine;
    let tag = match inputs.vm {
        AnyVm::Shadow(vm) => vm.tlb_tag(),
        AnyVm::Native(_) | AnyVm::TwoDim(_) => machine.cpu.pcid(),
    };
    let answers = machine.tlb.lookup(path.gva, tag);
    let hit_page = match path.hit {
        Some(Hit::Tlb(page)) => Some(page),
        _ => None,
    };
    let row = |entry: &TlbEntry| TlbRow {
        entry: *entry,
        hit: answers == Some(entry) && hit_page == Some(entry.page),
        stale: tlb_entry_is_stale(inputs, tag, entry),
        new: !inputs.before.tlb.entries().any(|old| old == entry),
    };
    let mut rows: Vec<TlbRow> = machine.tlb.entries().map(row).collect();
    rows.sort_by_key(|row| (!row.hit, !row.new, row.entry.page, row.entry.pcid));
    rows
}

/// Whether a walk of the guest's tables now would lead elsewhere than the entry, or grant less than it does. A
/// hypervisor may grant less than the guest, so that alone is no sign.
fn tlb_entry_is_stale(inputs: &Inputs<'_>, tag: u16, cached: &TlbEntry) -> bool {
    let machine = inputs.machine;
    let cpu = &machine.cpu;
    if cached.pcid != tag && !cached.global || cpu.mode() == Mode::Off {
        return false;
    }
    // A kernel read with AC set and open keys breaks no rule, so that only the entries count.
    let access = Access { ac: true, ..Access::default() };
    let start = cpu.paging.start(&pdptes_in_force(machine, inputs.engine), cached.page, &access);
    let walk = start.and_then(|start| cpu.paging.walk(&machine.memory, start, cached.page, &access, 0, &mut Silent));
    let Ok(walk) = walk else { return true };
    if inputs.engine == EngineName::Native {
        return walk.page.0 != cached.frame
            || walk.rights != cached.rights
            || walk.page_shift != u32::from(cached.shift);
    }
    let frame = machine.slots.host_frame(walk.gpa(cached.page).gfn());
    let (has, may) = (cached.rights, walk.rights);
    // With CR0.WP = 0 KVM grants the kernel writes that the entry does not.
    let writes = cpu.regs.cr0.contains(Cr0::WP) && has.rw && !may.rw;
    frame.is_none_or(|frame| frame.base().0 != cached.frame) || writes || has.us && !may.us || !has.xd && may.xd
}
