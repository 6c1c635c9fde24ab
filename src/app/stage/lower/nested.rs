//! The second dimension: four or five levels from guest-physical to host-physical addresses
//! (SDM 3C 28.2, APM 2 15.25). Every reference of the guest's walk goes through it.

use super::{EntryId, Lower, LowerCard, LowerEntry, LowerRow, Mark, Rail, RailKind, TableId, host};
use crate::app::stage::model::Inputs;
use crate::app::stage::path::{self, Path, Reach};
use crate::app::stage::rows::{self, Class, Letter, Line};
use crate::arch::{Gpa, Level, Mode, pdpte};
use crate::engine::twodim::{Kind, Nested, NestedEntry};
use crate::engine::{AnyVm, TwoDim, Vm};
use crate::language::Language;
use crate::machine::Event;
use crate::machine::event::EntrySource;
use crate::machine::table::ENTRIES;
use crate::tr;

/// The reads of the last attempt: a walk begins anew after each violation. How many of guest tables,
/// and those of the second dimension.
fn last_attempt(inputs: &Inputs<'_>) -> (usize, Vec<(u8, Gpa)>) {
    let mut reads = Vec::new();
    let mut of_guest = 0;
    let mut over = false;
    for event in path::events_in_view(inputs.command, inputs.events) {
        match event {
            Event::NestedRead { level, gpa, .. } => {
                if std::mem::take(&mut over) {
                    reads.clear();
                    of_guest = 0;
                }
                reads.push((*level, *gpa));
            }
            Event::WalkRead { from: EntrySource::Memory, .. } => of_guest += 1,
            Event::VmExit { .. } => over = true,
            _ => {}
        }
    }
    (of_guest, reads)
}

pub fn build(inputs: &Inputs<'_>, vm: &Vm<TwoDim>, path: &Path) -> Lower {
    let (of_guest, reads) = last_attempt(inputs);
    let arrived = path.recorded && path.arrived && path.gpa().is_some();
    // In the middle of a walk the tables are those of the reference that is being translated.
    let translated = reads.last().filter(|_| !arrived).map(|(_, gpa)| *gpa).or(path.gpa());
    let gpa = translated.unwrap_or_default();
    let (kind, levels) = (vm.engine.kind, vm.engine.nested.levels());
    let before = before_of(inputs);
    let tail = reads.iter().rposition(|(level, _)| *level == levels).map_or(&[][..], |at| &reads[at..]);
    let reach = |level: u8| match (tail.iter().any(|(read, of)| *read == level && of.gfn() == gpa.gfn()), arrived) {
        (true, _) => Reach::Read,
        (false, true) => Reach::Cached,
        (false, false) => Reach::Ahead,
    };
    let entries = vm.engine.nested.path(gpa);
    let view = View { inputs, nested: &vm.engine.nested, before, kind };
    let cards = entries.iter().map(|entry| card(&view, entry, reach(entry.level))).collect();
    let name = kind.name();
    let mut title = match translated.map(crate::app::stage::words::gpa) {
        Some(place) => tr!(inputs.language, "{kind} — from GPA {place} to the host", kind = name, place = place),
        // The walk ended before anything had to be translated.
        None => tr!(inputs.language, "{kind} — from GPA to the host", kind = name),
    };
    if !reads.is_empty() {
        let all = reads.len() + of_guest;
        title += &tr!(
            inputs.language,
            " · this walk: {all} reads, {nested} of them of {kind} tables",
            all = all,
            nested = reads.len(),
            kind = name
        );
    }
    let registers = vm.machine.cpu.mode() == Mode::Pae && !inputs.engine.reads_pdptes_from_memory();
    let rails = rails(inputs, path, &reads, levels, registers);
    Lower { title, name, root: None, cards, left_out: Vec::new(), rails, host: host(inputs, path), arrived }
}

struct View<'a> {
    inputs: &'a Inputs<'a>,
    nested: &'a Nested,
    before: Option<&'a Nested>,
    kind: Kind,
}

fn card(view: &View<'_>, at: &NestedEntry, reach: Reach) -> LowerCard {
    let table = at.table;
    let old = view.before.and_then(|nested| nested.table(table));
    LowerCard {
        level: Level(at.level),
        id: TableId::Nested(table),
        title: format!("{} L{}", view.kind.name(), at.level),
        short: format!("{} L{}", view.kind.name(), at.level),
        frame: Nested::frame_of(table).0,
        rows: table_rows(view, at, reach),
        walked: Some((at.index, reach)),
        marks: if old.is_none() { vec![Mark::New] } else { Vec::new() },
        tag: None,
        note: tr!(view.inputs.language, "table of the second dimension").to_owned(),
        selected: false,
    }
}

fn table_rows(view: &View<'_>, at: &NestedEntry, reach: Reach) -> Vec<LowerRow> {
    let Some(entries) = view.nested.table(at.table) else { return Vec::new() };
    let old = view.before.and_then(|nested| nested.table(at.table));
    let changed = |i: usize| old.map_or(0, |old| old[i]) ^ entries[i];
    // Read or present, writable, executable or user: bits 0 to 2 in both formats.
    let classes: Vec<Class> = entries.iter().map(|entry| Class::of(entry, u64::from(at.level == 1))).collect();
    let mut pinned: Vec<usize> = (0..ENTRIES).filter(|i| changed(*i) != 0).take(6).collect();
    pinned.push(at.index);
    pinned.sort_unstable();
    pinned.dedup();
    let to_row = |line: Line| match line {
        Line::Entry(index) => {
            let here = NestedEntry { index, value: entries[index], ..*at };
            let walked = (index == at.index).then_some(reach);
            LowerRow::Entry(entry(view.kind, &here, walked, changed(index), view.inputs.language))
        }
        Line::Run { ref range, class: Some(Class::NotPresent), .. } => {
            let (range, text) = (range.clone(), rows::range_words(range));
            let words = format!("{text} · {}", tr!(view.inputs.language, "not built"));
            LowerRow::Run { range, words, short: format!("{text} · —") }
        }
        Line::Run { ref range, present, .. } => {
            let (range, text) = (range.clone(), rows::range_words(range));
            let words = format!("{text} · {}", tr!(view.inputs.language, "{count} built", count = present));
            LowerRow::Run { range, words, short: text }
        }
    };
    rows::fold(&classes, &pinned, view.inputs.lower_budget).into_iter().map(to_row).collect()
}

/// An entry of a table, with its marks.
pub fn entry_at(
    inputs: &Inputs<'_>,
    vm: &Vm<TwoDim>,
    (table, level): (u64, Level),
    index: usize,
    walked: Option<Reach>,
) -> Option<LowerEntry> {
    let value = vm.engine.nested.table(table)?[index];
    let old = before_of(inputs).and_then(|nested| nested.table(table)).map_or(0, |old| old[index]);
    Some(entry(
        vm.engine.kind,
        &NestedEntry { level: level.0, table, index, value },
        walked,
        old ^ value,
        inputs.language,
    ))
}

fn before_of<'a>(inputs: &Inputs<'a>) -> Option<&'a Nested> {
    match inputs.before_vm {
        AnyVm::TwoDim(vm) => Some(&vm.engine.nested),
        AnyVm::Native(_) | AnyVm::Shadow(_) => None,
    }
}

fn entry(kind: Kind, at: &NestedEntry, walked: Option<Reach>, changed: u64, language: Language) -> LowerEntry {
    let present = at.is_present();
    LowerEntry {
        id: EntryId { table: TableId::Nested(at.table), index: at.index },
        value: at.value,
        target: present.then(|| at.frame().0),
        letters: if present { letters(kind, at.value, at.level == 1) } else { Vec::new() },
        words: tr!(language, "not built"),
        walked,
        changed,
        mirrors: None,
        selected: false,
        more: String::new(),
    }
}

/// `R W X A D` for EPT, `P W U A D` for NPT.
fn letters(kind: Kind, value: u64, leaf: bool) -> Vec<Letter> {
    match kind {
        Kind::Npt => rows::letters(value, leaf, false, true),
        Kind::Ept => {
            let right = |bit: u64, text| Letter { text: if value & bit != 0 { text } else { "·" }, bit };
            let mut letters = vec![right(1, "R"), right(2, "W"), right(4, "X")];
            let others = [(1 << 8, "A", true), (1 << 9, "D", leaf)];
            letters.extend(
                others
                    .iter()
                    .filter(|(bit, _, counts)| *counts && value & bit != 0)
                    .map(|(bit, text, _)| Letter { text, bit: *bit }),
            );
            letters
        }
    }
}

/// Below each guest table, the reads that translate its address.
fn rails(inputs: &Inputs<'_>, path: &Path, reads: &[(u8, Gpa)], levels: u8, registers: bool) -> Vec<Rail> {
    let hops = path.hops.iter().map(|hop| {
        let of_entry: Vec<u8> = reads.iter().filter(|(_, gpa)| *gpa == hop.gpa).map(|(level, _)| *level).collect();
        let nested = (1..=levels).rev().map(|level| (level, of_entry.contains(&level))).collect();
        let words = match registers && hop.level == pdpte::LEVEL {
            true => tr!(inputs.language, "in registers: no read").to_owned(),
            false => String::new(),
        };
        Rail { level: hop.level, ends: Vec::new(), kind: RailKind::Plain, words, nested }
    });
    hops.collect()
}
