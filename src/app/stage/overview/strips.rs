//! A table of the guest or of the hypervisor as a strip: what each entry is, what it says, what a click selects.

use std::collections::BTreeSet;

use super::{Cell, Strip};
use crate::app::stage::words;
use crate::app::tables::{Reach, Table};
use crate::app::view::{Selection, ViewCx};
use crate::arch::entry::{self, P};
use crate::arch::{Gfn, Gpa, Hpa, Level, Mode, TableMemory as _, pdpte};
use crate::engine::shadow::{PageId, ShadowPage, SpteRef};
use crate::engine::twodim::{Nested, NestedTable};
use crate::engine::{AnyVm, TwoDim, Vm};
use crate::explain;
use crate::machine::table::ENTRIES;
use crate::tr;

/// A table in guest memory; `read` are the entries that the walk in focus read.
pub fn guest_strip<'a>(cx: &ViewCx<'a>, table: &Table, read: &BTreeSet<Gpa>) -> Strip<'a> {
    let mode = cx.machine.cpu.mode();
    let (level, base) = (Level(table.level), table.base);
    let count = mode.entries(level);
    let place = move |index: usize| Gpa(base.0 + ((index as u64) << mode.entry_shift()));
    let is_pdpt = mode == Mode::Pae && level == pdpte::LEVEL;
    let sized = entry::page_size_bit_counts(mode, level, cx.machine.cpu.regs.cr4);
    let is_leaf = move |value: u64| !is_pdpt && (level.0 == 1 || sized && value & entry::PS != 0);
    let cell = |index: usize| {
        let value = cx.machine.memory.read_entry(place(index), mode.entry_shift());
        let before = cx.before.memory.read_entry(place(index), mode.entry_shift());
        let stale = table.reach != Reach::Walks || is_pdpt && cx.machine.pdpte_is_stale(index);
        Cell::of_guest(value, before, is_leaf(value), stale)
    };
    let cells: Vec<Cell> = (0..count).map(cell).collect();
    let (machine, language) = (cx.machine, cx.language());
    let tell = move |index: usize| {
        let value = machine.memory.read_entry(place(index), mode.entry_shift());
        let leaf = is_leaf(value);
        let bits = words::entry_bits(value, leaf, leaf && level.0 > 1, language);
        let text = format!(
            "{} {index}: 0x{}\n{bits}",
            Mode::entry_name(level),
            explain::hex_digits(value, 2 * mode.entry_size() as usize)
        );
        (text, Selection::Entry { level: level.0, gpa: place(index) })
    };
    let selected = match cx.view.selection {
        Selection::Table { base: other, .. } => other == base,
        Selection::Entry { gpa, level: of } => of == level.0 && gpa.gfn() == base.gfn(),
        _ => false,
    };
    Strip {
        title: table.name(),
        beside: table.present.to_string(),
        walked: (0..count).map(|index| read.contains(&place(index))).collect(),
        cells,
        tell: Box::new(tell),
        whole: Selection::Table { level: level.0, base },
        selected,
        frame: Some(base.gfn()),
        shadow: false,
    }
}

/// A shadow page.
pub fn shadow_strip<'a>(cx: &ViewCx<'a>, id: PageId, page: &'a ShadowPage) -> Strip<'a> {
    let before = match cx.before_vm {
        AnyVm::Shadow(vm) => vm.engine.pool.get(id).filter(|old| old.gfn == page.gfn && old.role == page.role),
        AnyVm::Native(_) | AnyVm::TwoDim(_) => None,
    };
    let leaf = page.role.level == 1;
    let cell = |(index, value): (usize, u64)| {
        let old = before.map_or(0, |old| old.spt[index]);
        let stale = page.unsync && value & P != 0;
        Cell::of_guest(value, old, leaf, stale)
    };
    let level = page.role.level;
    let tell = move |index: usize| {
        let text = format!("spte L{level}[{index}]: 0x{}", explain::hex_digits(page.spt[index], 8));
        (text, Selection::Spte(SpteRef { page: id, index: index as u16 }))
    };
    let selected = match cx.view.selection {
        Selection::Shadow(other) => other == id,
        Selection::Spte(at) => at.page == id,
        _ => false,
    };
    let walked = vec![false; ENTRIES];
    Strip {
        title: tr!(
            cx,
            "Shadow {table} {frame}",
            table = Mode::table_name(Level(level)),
            frame = format!("{:x}", id.frame().0)
        ),
        beside: format!("gfn {:#x}", page.gfn.0),
        cells: page.spt.iter().enumerate().map(cell).collect(),
        walked,
        tell: Box::new(tell),
        whole: Selection::Shadow(id),
        selected,
        frame: (!page.role.direct).then_some(page.gfn),
        shadow: true,
    }
}

/// A table of the second dimension; `read` are the entries that the walk in focus read.
pub fn nested_strip<'a>(cx: &ViewCx<'a>, vm: &'a Vm<TwoDim>, at: NestedTable, read: &BTreeSet<Hpa>) -> Strip<'a> {
    let place = |index: usize| Hpa(Nested::frame_of(at.table).base().0 + 8 * index as u64);
    let NestedTable { level, table, first } = at;
    let (nested, kind) = (&vm.engine.nested, vm.engine.kind);
    let before = match cx.before_vm {
        AnyVm::TwoDim(vm) => vm.engine.nested.table(table),
        AnyVm::Native(_) | AnyVm::Shadow(_) => None,
    };
    let value = move |index: usize| nested.table(table).map_or(0, |entries| entries[index]);
    let cell = |index: usize| match value(index) {
        value if value != before.map_or(0, |old| old[index]) => Cell::Changed,
        value if value & P == 0 => Cell::NotPresent,
        value if !Nested::is_leaf(level, value) => Cell::Table,
        value if kind.has_accessed(value) => Cell::Touched,
        _ => Cell::Page,
    };
    let tell = move |index: usize| {
        let gfn = Gfn(first.0 + ((index as u64) << (9 * (level - 1))));
        let value = value(index);
        let text = format!(
            "{} L{level}[{index}]: 0x{}\n{}",
            kind.name(),
            explain::hex_digits(value, 16),
            words::gpa(gfn.base())
        );
        let leads = value & P != 0 && Nested::is_leaf(level, value);
        (text, if leads { Selection::Page(gfn) } else { Selection::None })
    };
    Strip {
        title: format!("{} L{level} {:x}", kind.name(), Nested::frame_of(table).0),
        beside: words::gpa(first.base()),
        cells: (0..ENTRIES).map(cell).collect(),
        walked: (0..ENTRIES).map(|index| read.contains(&place(index))).collect(),
        tell: Box::new(tell),
        whole: Selection::None,
        selected: false,
        frame: None,
        shadow: true,
    }
}
