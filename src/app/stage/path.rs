//! The path of one address through the tables: what a walk read, or what one would read.
//!
//! Serves the stage. Pure: it reads a machine and the events of one command and changes nothing.
//! A recorded path says level by level what the shown events reached; a prospective one is walked
//! in memory with the registers in force, before any access has happened.

use crate::arch::address::{Num, PAGE_SIZE};
use crate::arch::entry::{self, P};
use crate::arch::fault::FaultReason;
use crate::arch::pdpte::Pdptes;
use crate::arch::rights::Violations;
use crate::arch::walk::{Silent, Start, TableMemory};
use crate::arch::{Access, Fault, Gpa, Gva, Level, Mode, pdpte};
use crate::engine::EngineName;
use crate::machine::event::FaultWhy;
use crate::machine::{Command, Event, Machine};

/// How far the shown events have come with one entry of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Not read: the access has not happened, or its walk is not there yet.
    Ahead,
    /// Read by the walk.
    Read,
    /// Passed over: the TLB or a paging-structure cache answered for it.
    Cached,
}

/// One entry that the address selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Level of its table; 3 under PAE paging is a PDPTE register.
    pub level: Level,
    /// The first byte of its table; for a register, the base that CR3 gives.
    pub table: Gpa,
    /// Its index in the table.
    pub index: usize,
    /// Where it lies in memory.
    pub gpa: Gpa,
    /// Its value now; for a PDPTE, the register's.
    pub value: u64,
    /// How far the walk has come with it.
    pub reach: Reach,
}

/// Where the path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In a page.
    Page {
        /// Its first byte.
        base: Gpa,
        /// log2 of its size; 0 without paging.
        shift: u32,
    },
    /// It is not told: somebody is asked to predict it.
    Untold,
    /// In an exception.
    Fault {
        /// Why.
        reason: FaultReason,
        /// The level of the entry that is to blame; none for a non-canonical address.
        level: Option<Level>,
    },
}

/// Which cache answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The TLB, with the page's first linear address.
    Tlb(Gva),
    /// A paging-structure cache, with the level of the cached entry.
    Structure(Level),
}

/// An access that may be made next.
#[derive(Clone, Copy, Debug)]
pub struct Composed<'a> {
    /// Where.
    pub gva: Gva,
    /// What.
    pub access: Access,
    /// What it would do now, event by event: caches answer as they would, and the engine does what it would.
    pub events: &'a [Event],
}

/// The events of a command: those that are shown, and those that are to come.
#[derive(Clone, Copy, Debug)]
pub struct Course<'a> {
    /// Shown.
    pub shown: &'a [Event],
    /// To come.
    pub coming: &'a [Event],
}

/// The path of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The address, as the mode in force sees it.
    pub gva: Gva,
    /// What is done there.
    pub access: Access,
    /// The entries that it selects, from the top, down to the leaf or to where it fails.
    pub hops: Vec<Hop>,
    /// Where it ends.
    pub end: End,
    /// The shown events came to the end.
    pub arrived: bool,
    /// It follows the events of a command; else it is what an access would do now.
    pub recorded: bool,
    /// The cache that answered, or would.
    pub hit: Option<Hit>,
    /// log2 of the page that the last entry maps, if it is a large one.
    pub large: Option<u32>,
}

impl Path {
    /// The path of a command's access as far as its events are shown, or of `composed`, if the command
    /// makes no access. `pdptes` are those that the engine goes by (see [`pdptes_in_force`]).
    #[must_use]
    pub fn new(
        machine: &Machine,
        pdptes: &Pdptes,
        command: Option<&Command>,
        course: Course<'_>,
        composed: &Composed<'_>,
    ) -> Self {
        match command.and_then(|command| Some((command, command.access()?))) {
            Some((command, (va, access))) => {
                let (va, shown) = piece_in_view(command, va, course.shown);
                Self::recorded(machine, pdptes, va, Course { shown, ..course }, access)
            }
            None => Self::prospective(machine, pdptes, composed),
        }
    }

    /// What an access would do in the machine as it is.
    #[must_use]
    pub fn prospective(machine: &Machine, pdptes: &Pdptes, composed: &Composed<'_>) -> Self {
        let mode = machine.cpu.mode();
        let (gva, access) = (mode.linear(composed.gva), composed.access);
        let hops = hops(machine, pdptes, gva, &[]);
        let hit = predicted_hit(machine, gva);
        let end = composed.events.iter().rev().find_map(|event| recorded_end(mode, event, &hops));
        let end = end.unwrap_or_else(|| prospective_end(machine, pdptes, gva, &access));
        let large = large_page(machine, &hops);
        let path = Self { gva, access, hops: cut(hops, &end), end, arrived: false, recorded: false, hit, large };
        Self { end: path.guest_page(machine), ..path }
    }

    fn recorded(machine: &Machine, pdptes: &Pdptes, va: Gva, course: Course<'_>, access: Access) -> Self {
        let events = course.shown;
        let mode = machine.cpu.mode();
        let gva = mode.linear(va);
        let mut hops = hops(machine, pdptes, gva, events);
        let hit = events.iter().find_map(|event| match *event {
            Event::TlbHit { page, .. } => Some(Hit::Tlb(page)),
            Event::PscHit { level, .. } => Some(Hit::Structure(Level(level))),
            _ => None,
        });
        let end = events.iter().rev().find_map(|event| recorded_end(mode, event, &hops));
        let arrived = end.is_some();
        if arrived {
            // What was not read by the end was not needed: a cache or a shadow table answered.
            hops.iter_mut().filter(|hop| hop.reach == Reach::Ahead).for_each(|hop| hop.reach = Reach::Cached);
        }
        let coming = || course.coming.iter().find_map(|event| recorded_end(mode, event, &hops));
        let end = end.or_else(coming).unwrap_or_else(|| prospective_end(machine, pdptes, gva, &access));
        let large = large_page(machine, &hops);
        let path = Self { gva, access, hops: cut(hops, &end), end, arrived, recorded: true, hit, large };
        Self { end: path.guest_page(machine), ..path }
    }

    /// The end, with the page that the guest mapped: a hypervisor translates a large page in the pieces that its
    /// host frames come in, and events tell of the piece.
    fn guest_page(&self, machine: &Machine) -> End {
        match (self.large, self.gpa()) {
            // After a hit the entry in memory may be another one by now.
            (Some(shift), Some(gpa)) if self.leads_to_its_end(machine) => {
                End::Page { base: Gpa(gpa.0 & !((1 << shift) - 1)), shift }
            }
            _ => self.end,
        }
    }

    /// The entry of a level, if the path comes that far.
    #[must_use]
    pub fn hop(&self, level: Level) -> Option<&Hop> {
        self.hops.iter().find(|hop| hop.level == level)
    }

    /// Whether the last entry leads to the page at the end: where a cache has answered, memory may say something
    /// else by now.
    #[must_use]
    pub fn leads_to_its_end(&self, machine: &Machine) -> bool {
        let (Some(last), Some(gpa)) = (self.hops.last(), self.gpa()) else { return false };
        let (mode, model) = (machine.cpu.mode(), &machine.cpu.model);
        let base = match self.large {
            Some(_) => entry::page_base(mode, last.level, last.value, model),
            None => entry::frame_4k(last.value, model),
        };
        let leaf = last.level.0 == 1 || self.large.is_some();
        leaf && last.value & P != 0 && base.0 == gpa.0 & !((1 << self.large.unwrap_or(12)) - 1)
    }

    /// Whether a walk begins: of a non-canonical address none does.
    #[must_use]
    pub const fn begins(&self) -> bool {
        !matches!(self.end, End::Fault { reason: FaultReason::NonCanonical { .. }, .. })
    }

    /// The tables on the path, by level from the top; where no walk begins, the one that it would begin in.
    #[must_use]
    pub fn tables(&self, machine: &Machine) -> Vec<(Level, Gpa)> {
        match self.begins() {
            true => self.hops.iter().map(|hop| (hop.level, hop.table)).collect(),
            false => vec![(Level(machine.cpu.mode().top_level()), machine.cpu.paging.root)],
        }
    }

    /// The guest-physical address reached, where the path ends in a page.
    #[must_use]
    pub fn gpa(&self) -> Option<Gpa> {
        match self.end {
            End::Page { base, shift: 0 } => Some(base),
            End::Page { base, shift } => Some(Gpa(base.0 | self.gva.0 & ((1 << shift) - 1))),
            End::Fault { .. } | End::Untold => None,
        }
    }

    /// The same without its outcome, unless that has happened already.
    #[must_use]
    pub fn untold(self) -> Self {
        if self.recorded { self } else { Self { end: End::Untold, hit: None, ..self } }
    }
}

/// The PDPTEs that walks go by: the registers, or memory under the engines that read them there.
#[must_use]
pub fn pdptes_in_force(machine: &Machine, engine: EngineName) -> Pdptes {
    if engine.reads_pdptes_from_memory() { machine.pdptes_in_memory() } else { machine.cpu.pdptes }
}

/// The events of the page being translated: all of them unless the command crosses a page end.
#[must_use]
pub fn events_in_view<'a>(command: Option<&Command>, events: &'a [Event]) -> &'a [Event] {
    match command.and_then(|command| Some((command, command.access()?))) {
        Some((command, (va, _))) => piece_in_view(command, va, events).1,
        None => events,
    }
}

/// The part of a command's events that belongs to the page being translated, with its address: a
/// data access across a page end is translated twice.
fn piece_in_view<'a>(command: &Command, va: Gva, events: &'a [Event]) -> (Gva, &'a [Event]) {
    let size = match command {
        Command::Write { size, .. } | Command::Read { size, .. } => u64::from(*size),
        _ => 1,
    };
    let first = PAGE_SIZE - va.0 % PAGE_SIZE;
    let Some(head_end) = events.iter().position(|event| matches!(event, Event::Translated { .. })) else {
        return (va, events);
    };
    let tail = &events[head_end + 1..];
    let walks = |event: &Event| !matches!(event, Event::Store { .. } | Event::Load { .. });
    if size > first && tail.iter().any(walks) { (va.offset(first), tail) } else { (va, events) }
}

/// The entries from the top, as memory and the recorded reads give them.
fn hops(machine: &Machine, pdptes: &Pdptes, gva: Gva, events: &[Event]) -> Vec<Hop> {
    let cpu = &machine.cpu;
    let mode = cpu.mode();
    let tlb_hit = events.iter().any(|event| matches!(event, Event::TlbHit { .. }));
    let psc_hit = events.iter().find_map(|event| match *event {
        Event::PscHit { level, table } => Some((level, table)),
        _ => None,
    });
    let mut hops = Vec::new();
    let mut table = cpu.paging.root;
    for level in Level::down_from(mode.top_level()) {
        let index = mode.index(level, gva);
        let register = mode == Mode::Pae && level == pdpte::LEVEL;
        let at = table.offset((index as u64) << mode.entry_shift());
        let (gpa, read) = match recorded_read(events, level) {
            Some(gpa) => (gpa, true),
            None => (at, false),
        };
        let value = if register { pdptes[index] } else { machine.memory.read_entry(gpa, mode.entry_shift()) };
        let passed = tlb_hit || psc_hit.is_some_and(|(cached, _)| level.0 >= cached);
        let reach = match (read, passed) {
            (true, _) => Reach::Read,
            (false, true) => Reach::Cached,
            (false, false) => Reach::Ahead,
        };
        let base = Gpa(gpa.0 - ((index as u64) << mode.entry_shift()));
        hops.push(Hop { level, table: base, index, gpa, value, reach });
        match psc_hit {
            // The cached prefix leads on, whatever memory says above it.
            Some((cached, below)) if level.0 >= cached => {
                if level.0 == cached {
                    table = below;
                } else if value & P != 0 {
                    table = entry::frame_4k(value, &cpu.model);
                }
                continue;
            }
            _ => {}
        }
        let leaf = level.0 == 1
            || !register && value & entry::PS != 0 && entry::page_size_bit_counts(mode, level, cpu.regs.cr4);
        if value & P == 0 || leaf {
            break;
        }
        table = entry::frame_4k(value, &cpu.model);
    }
    hops
}

/// log2 of the large page that the last entry maps, if it does.
fn large_page(machine: &Machine, hops: &[Hop]) -> Option<u32> {
    let (mode, last) = (machine.cpu.mode(), hops.last()?);
    let leaf = entry::page_size_bit_counts(mode, last.level, machine.cpu.regs.cr4) && last.value & entry::PS != 0;
    (leaf && last.level.0 > 1 && last.value & P != 0).then(|| mode.index_shift(last.level))
}

fn recorded_read(events: &[Event], wanted: Level) -> Option<Gpa> {
    events.iter().find_map(|event| match *event {
        Event::WalkRead { level, gpa, .. } if level == wanted.0 => Some(gpa),
        _ => None,
    })
}

/// Drops the entries below the one that ended the path.
fn cut(mut hops: Vec<Hop>, end: &End) -> Vec<Hop> {
    match end {
        End::Fault { reason: FaultReason::NonCanonical { .. }, .. } => hops.clear(),
        End::Fault { reason: FaultReason::NotPresent { level } | FaultReason::Reserved { level, .. }, .. } => {
            hops.retain(|hop| hop.level >= *level);
        }
        _ => {}
    }
    hops
}

fn recorded_end(mode: Mode, event: &Event, hops: &[Hop]) -> Option<End> {
    match *event {
        Event::Translated { gpa, page_size, .. } => {
            let within = page_size.wrapping_sub(1);
            Some(page_of(if page_size == 0 { gpa } else { Gpa(gpa.0 & !within) }, page_size))
        }
        Event::Fault { why, .. } => {
            let reason = reason_of(why);
            Some(End::Fault { reason, level: blamed(mode, reason, hops) })
        }
        _ => None,
    }
}

const fn page_of(base: Gpa, size: u64) -> End {
    End::Page { base, shift: if size == 0 { 0 } else { size.trailing_zeros() } }
}

const fn reason_of(why: FaultWhy) -> FaultReason {
    match why {
        FaultWhy::NotPresent { level } => FaultReason::NotPresent { level: Level(level) },
        FaultWhy::Reserved { level, bits: Num(bits) } => FaultReason::Reserved { level: Level(level), bits },
        FaultWhy::Rights { broken } => FaultReason::Rights { broken },
        FaultWhy::NonCanonical { width } => FaultReason::NonCanonical { width },
    }
}

fn prospective_end(machine: &Machine, pdptes: &Pdptes, gva: Gva, access: &Access) -> End {
    let cpu = &machine.cpu;
    if cpu.mode() == Mode::Off {
        return End::Page { base: Gpa(gva.0), shift: 0 };
    }
    let start = cpu.paging.start(pdptes, gva, access);
    match start.and_then(|start| walk(machine, start, gva, access)) {
        Ok(walked) => walked,
        Err(fault) => End::Fault {
            reason: fault.reason,
            level: blamed(cpu.mode(), fault.reason, &hops(machine, pdptes, gva, &[])),
        },
    }
}

/// Walks from `start` in memory as it is, without a trace.
pub(super) fn walk(machine: &Machine, start: Start, gva: Gva, access: &Access) -> Result<End, Fault> {
    let cpu = &machine.cpu;
    let walk = cpu.paging.walk(&machine.memory, start, gva, access, cpu.pkru, &mut Silent)?;
    Ok(End::Page { base: walk.page, shift: walk.page_shift })
}

/// The level of the entry that a fault is to be blamed on: of several that take a right away, the
/// highest. The PDPTE registers restrict nothing.
fn blamed(mode: Mode, reason: FaultReason, hops: &[Hop]) -> Option<Level> {
    match reason {
        FaultReason::NotPresent { level } | FaultReason::Reserved { level, .. } => Some(level),
        FaultReason::NonCanonical { .. } => None,
        FaultReason::Rights { broken } => {
            let takes = |hop: &&Hop| {
                broken.contains(Violations::WRITE) && hop.value & entry::RW == 0
                    || broken.contains(Violations::USER) && hop.value & entry::US == 0
                    || broken.contains(Violations::EXECUTE) && hop.value & entry::XD != 0
            };
            let mut judged = hops.iter().filter(|hop| !(mode == Mode::Pae && hop.level == pdpte::LEVEL));
            judged.clone().find(takes).or(judged.next_back()).map(|hop| hop.level)
        }
    }
}

/// Which cache would answer for an address now.
fn predicted_hit(machine: &Machine, gva: Gva) -> Option<Hit> {
    if let Some(entry) = machine.tlb_lookup(gva) {
        return Some(Hit::Tlb(entry.page));
    }
    if machine.cpu.mode() == Mode::Off {
        return None;
    }
    machine.psc_lookup(gva).map(|entry| Hit::Structure(Level(entry.level)))
}
