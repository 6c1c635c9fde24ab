//! The smallest change that would make a failed command succeed: candidates in the order of their size,
//! each tried on a copy of the machine. Only what works there is offered.

use super::guest::{Hop, path, pdptes_from_memory};
use super::words::{bit_list, command as command_words};
use crate::arch::address::Num;
use crate::arch::entry::{self, P, RW, US, XD};
use crate::arch::rights::Violations;
use crate::arch::walk::TableMemory as _;
use crate::arch::{Access, Cr0, Cr4, Efer, Fault, FaultReason, Gfn, Gpa, Gva, Mode, Refusal, Rule, pdpte};
use crate::engine::{AnyVm, Outcome, Quiet};
use crate::explain::{address, hex};
use crate::language::Language;
use crate::machine::Command;
use crate::machine::command::{MapSize, Size, SlotAction};
use crate::machine::mapper::MapError;
use crate::tr;

/// So many ways are offered, the smallest first.
const OFFERED: usize = 3;
/// Entries on one path that a change may touch before it is no small change any more.
const EDITS: usize = 6;

/// A change after which the command succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What to do, in a few words.
    pub text: String,
    /// The commands that change something, in order.
    pub changes: Vec<Command>,
    /// The command once more, as far as possible as it was.
    pub then: Command,
}

impl Fix {
    /// Everything that is given, in order.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        self.changes.iter().cloned().chain([self.then.clone()]).collect()
    }
}

/// Ways to make a command succeed in the state `vm`, the smallest first; none where it succeeds already
/// or no small change helps.
#[must_use]
pub fn fixes(vm: &AnyVm, command: &Command, language: Language) -> Vec<Fix> {
    let candidates = match vm.clone().execute(command, &mut Quiet) {
        Outcome::Faulted(fault) => match command.access() {
            Some((_, access)) => Candidates { vm, command, language }.of_access(&fault, access),
            None => Vec::new(),
        },
        Outcome::Refused(refusal) => Candidates { vm, command, language }.of_refusal(refusal),
        Outcome::MapRefused(error) => Candidates { vm, command, language }.of_mapping(error),
        _ => Vec::new(),
    };
    let mut found: Vec<Fix> = Vec::new();
    for fix in candidates {
        let known = found.iter().any(|other| other.changes == fix.changes && other.then == fix.then);
        if !known && works(vm, &fix) {
            found.push(fix);
            if found.len() == OFFERED {
                break;
            }
        }
    }
    found
}

/// Whether every change is accepted, and the command then succeeds.
fn works(vm: &AnyVm, fix: &Fix) -> bool {
    let mut vm = vm.clone();
    let accepted = |outcome: &Outcome| matches!(outcome, Outcome::Done);
    let model = vm.machine().cpu.model;
    fix.commands().iter().all(|command| command.check(&model).is_ok())
        && fix.changes.iter().all(|command| accepted(&vm.execute(command, &mut Quiet)))
        && succeeded(&vm.execute(&fix.then, &mut Quiet))
}

const fn succeeded(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Translated(_) | Outcome::Loaded(..) | Outcome::Done)
}

struct Candidates<'a> {
    vm: &'a AnyVm,
    command: &'a Command,
    language: Language,
}

impl Candidates<'_> {
    fn fix(&self, text: impl Into<String>, changes: Vec<Command>) -> Fix {
        Fix { text: text.into(), changes, then: self.command.clone() }
    }

    fn of_access(&self, fault: &Fault, access: Access) -> Vec<Fix> {
        let l = self.language;
        let va = fault.gva;
        let mut all = Vec::new();
        if let FaultReason::NonCanonical { width } = fault.reason {
            let shift = 64 - width;
            let canonical = Gva((va.0 << shift).cast_signed().wrapping_shr(shift).cast_unsigned());
            let text = tr!(l, "Access {address} instead", address = address("GVA", canonical.0));
            let then = with_address(self.command, canonical);
            let there = Candidates { command: &then, ..*self };
            let mapped = there
                .mapping(canonical, access)
                .map(|fix| Fix { text: one_after_the_other(&[fix.text.clone(), text.clone()], l), ..fix });
            let all = [Fix { text, changes: Vec::new(), then: then.clone() }];
            return all.into_iter().chain(mapped).collect();
        }
        let place = address("GVA", va.0);
        all.push(self.fix(tr!(l, "INVLPG {address}", address = place), vec![Command::Invlpg { va }]));
        all.push(self.fix(tr!(l, "Load CR3 again"), vec![self.load_cr3()]));
        all.extend(self.edits(va));
        if let FaultReason::Rights { broken } = fault.reason {
            all.extend(self.other_access(broken, access));
            all.extend(self.guards(broken, va));
        }
        if let FaultReason::Reserved { bits, .. } = fault.reason
            && bits & XD != 0
        {
            let val = Num((self.vm.machine().cpu.regs.efer | Efer::NXE).bits());
            all.push(self.fix(tr!(l, "Set EFER.NXE"), vec![Command::WrmsrEfer { val, compat: false }]));
        }
        all.extend(self.mapping(va, access));
        all
    }

    fn load_cr3(&self) -> Command {
        Command::MovCr3 { val: Num(self.vm.machine().cpu.regs.cr3), compat: false }
    }

    /// Edits of the entries on the path, one after the other until the access passes.
    fn edits(&self, va: Gva) -> Option<Fix> {
        let l = self.language;
        let (mut vm, mut changes, mut words) = (self.vm.clone(), Vec::new(), Vec::new());
        for _ in 0..EDITS {
            let fault = match vm.clone().execute(self.command, &mut Quiet) {
                Outcome::Faulted(fault) if fault.gva == va => fault,
                Outcome::Faulted(_) => return None,
                _ => break,
            };
            let (names, commands) = self.edit_of(&vm, va, fault.reason)?;
            for command in commands {
                if !matches!(vm.execute(&command, &mut Quiet), Outcome::Done) {
                    return None;
                }
                changes.push(command);
            }
            words.push(names);
        }
        if words.is_empty() {
            return None;
        }
        Some(self.fix(one_after_the_other(&words, l), without_repeats(changes)))
    }

    /// What answers one reason in the state `vm`, in words and as commands.
    fn edit_of(&self, vm: &AnyVm, va: Gva, reason: FaultReason) -> Option<(String, Vec<Command>)> {
        let l = self.language;
        let machine = vm.machine();
        let mode = machine.cpu.mode();
        let is_pdpte = |hop: &Hop| mode == Mode::Pae && hop.level == pdpte::LEVEL.0;
        let mut hops = path(machine, pdptes_from_memory(vm), va);
        let ends_at = match reason {
            FaultReason::NotPresent { level } => Some(level.0),
            _ => None,
        };
        for hop in hops.iter_mut().filter(|hop| hop.register) {
            // A store goes to memory, and only a load takes it into the register.
            hop.value = machine.memory.read_u64(hop.gpa);
            if ends_at == Some(hop.level) && hop.value & P != 0 {
                return Some((tr!(l, "Load CR3 again").to_owned(), vec![self.load_cr3()]));
            }
        }
        let (names, edited) = edit(&hops, reason, mode == Mode::Pae, l)?;
        let size = Size::new(mode.entry_size()).unwrap_or(Size::WORD);
        let commands = edited.into_iter().flat_map(|(hop, value)| {
            let store = Command::Poke { pa: hop.gpa, val: Num(value), size };
            [store, if is_pdpte(&hop) { self.load_cr3() } else { Command::Invlpg { va } }]
        });
        Some((names, commands.collect()))
    }

    /// The same access by somebody who may.
    fn other_access(&self, broken: Violations, access: Access) -> Vec<Fix> {
        let l = self.language;
        let mut all = Vec::new();
        if broken.intersects(Violations::SMAP) {
            let then = with_access(self.command, access.user, true);
            all.push(Fix { text: tr!(l, "Access with AC = 1").to_owned(), changes: Vec::new(), then });
        }
        if access.user {
            let then = with_access(self.command, false, access.ac);
            all.push(Fix { text: tr!(l, "Access as the kernel").to_owned(), changes: Vec::new(), then });
        } else if broken.intersects(Violations::SMEP | Violations::SMAP) {
            let then = with_access(self.command, true, access.ac);
            all.push(Fix { text: tr!(l, "Access as user code").to_owned(), changes: Vec::new(), then });
        }
        all
    }

    /// Control bits without which the access passes.
    fn guards(&self, broken: Violations, va: Gva) -> Vec<Fix> {
        let l = self.language;
        let cpu = &self.vm.machine().cpu;
        let cr4 = |bit: Cr4| vec![Command::MovCr4 { val: Num((cpu.regs.cr4 - bit).bits()), compat: false }];
        let mut all = Vec::new();
        if broken.contains(Violations::WRITE) {
            let val = Num((cpu.regs.cr0 - Cr0::WP).bits());
            all.push(self.fix(tr!(l, "Clear CR0.WP"), vec![Command::MovCr0 { val, compat: false }]));
        }
        if broken.contains(Violations::SMEP) {
            all.push(self.fix(tr!(l, "Clear CR4.SMEP"), cr4(Cr4::SMEP)));
        }
        if broken.contains(Violations::SMAP) {
            all.push(self.fix(tr!(l, "Clear CR4.SMAP"), cr4(Cr4::SMAP)));
        }
        if broken.intersects(Violations::KEY_ACCESS | Violations::KEY_WRITE)
            && let Some(leaf) = path(self.vm.machine(), true, va).last()
        {
            let key = entry::protection_key(leaf.value);
            let pkru = cpu.pkru & !(3 << (2 * u32::from(key)));
            let text = tr!(l, "WRPKRU {value}: allow key {key}", value = hex(u64::from(pkru)), key = key);
            all.push(self.fix(text, vec![Command::Wrpkru { val: Num(u64::from(pkru)) }]));
        }
        all
    }

    /// A new mapping of the address to a frame that nobody uses.
    fn mapping(&self, va: Gva, access: Access) -> Option<Fix> {
        let l = self.language;
        let machine = self.vm.machine();
        let pa = free_frame(self.vm)?.base();
        let page = Gva(machine.cpu.mode().linear(va).0 & !0xfff);
        let flags = if access.is_write() { RW } else { 0 } | if access.user { US } else { 0 };
        let mut changes = vec![Command::Map { va: page, pa, size: MapSize::Kib4, flags }];
        if machine.cpu.mode() == Mode::Pae && !pdptes_from_memory(self.vm) {
            changes.push(self.load_cr3());
        } else {
            changes.push(Command::Invlpg { va });
        }
        Some(self.fix(tr!(l, "Map the page to {place}", place = address("GPA", pa.0)), changes))
    }

    fn of_refusal(&self, refusal: Refusal) -> Vec<Fix> {
        let l = self.language;
        let mut all = Vec::new();
        let regs = &self.vm.machine().cpu.regs;
        // To write what a register holds already is no way to what was wanted.
        let changes_nothing = |command: &Command| match *command {
            Command::MovCr0 { val, .. } => val.0 == regs.cr0.bits(),
            Command::MovCr4 { val, .. } => val.0 == regs.cr4.bits(),
            Command::WrmsrEfer { val, .. } => val.0 == regs.efer.bits(),
            _ => false,
        };
        for then in other_values(self.command, refusal, self.vm).into_iter().filter(|then| !changes_nothing(then)) {
            let text = tr!(l, "{command} instead", command = command_words(&then, l));
            all.push(Fix { text, changes: Vec::new(), then });
        }
        for first in self.first(refusal) {
            let text = tr!(l, "First {command}", command = command_words(&first, l));
            all.push(self.fix(text, vec![first]));
        }
        all.extend(self.bad_pdpte(refusal));
        all
    }

    /// Instructions after which the same one is accepted.
    fn first(&self, refusal: Refusal) -> Vec<Command> {
        let cpu = &self.vm.machine().cpu;
        let regs = &cpu.regs;
        let cr4 = |val: Cr4| Command::MovCr4 { val: Num(val.bits()), compat: false };
        match refusal.rule {
            Rule::G5 => vec![
                cr4(regs.cr4 | Cr4::PAE),
                Command::WrmsrEfer { val: Num((regs.efer - Efer::LME).bits()), compat: false },
            ],
            Rule::G9 => vec![cr4(regs.cr4 - Cr4::PCIDE)],
            Rule::G10 => vec![cr4(regs.cr4 - Cr4::CET)],
            Rule::G14 => vec![Command::MovCr3 { val: Num(regs.cr3 & !0xfff), compat: false }],
            Rule::G15 => vec![Command::MovCr0 { val: Num((regs.cr0 | Cr0::WP).bits()), compat: false }],
            // Without paging there is no long mode, which holds on to these bits.
            Rule::G12 | Rule::G13 | Rule::G16 => {
                vec![Command::MovCr0 { val: Num((regs.cr0 - Cr0::PG).bits()), compat: true }]
            }
            Rule::Undefined if matches!(self.command, Command::Wrpkru { .. }) => vec![cr4(regs.cr4 | Cr4::PKE)],
            Rule::K1 | Rule::Q3 => {
                let gpa = Gpa(refusal.bits & !0xfff);
                vec![Command::Memslot { gpa, size: Num(0x1000), action: SlotAction::Add }]
            }
            _ => Vec::new(),
        }
    }

    /// A PDPTE in memory that must not be loaded: its reserved bits cleared, or its P.
    fn bad_pdpte(&self, refusal: Refusal) -> Vec<Fix> {
        if refusal.rule != Rule::G19 {
            return Vec::new();
        }
        let l = self.language;
        let machine = self.vm.machine();
        let cr3 = match self.command {
            Command::MovCr3 { val, .. } => val.0,
            _ => machine.cpu.regs.cr3,
        };
        let root = Mode::Pae.root(cr3, machine.cpu.model.maxphyaddr);
        let reserved = pdpte::reserved(&machine.cpu.model);
        let bad = |gpa: Gpa| {
            let value = machine.memory.read(gpa, 8);
            (value & P != 0 && value & reserved != 0).then_some((gpa, value))
        };
        let bad: Vec<(usize, Gpa, u64)> = (0..pdpte::COUNT)
            .filter_map(|i| bad(pdpte::address(root, i)).map(|(gpa, value)| (i, gpa, value)))
            .collect();
        let pokes = |change: &dyn Fn(u64) -> u64| {
            bad.iter()
                .map(|(_, gpa, value)| Command::Poke { pa: *gpa, val: Num(change(*value)), size: Size::WORD })
                .collect::<Vec<_>>()
        };
        let names: Vec<String> = bad.iter().map(|(i, ..)| format!("PDPTE[{i}]")).collect();
        let bits = bad.iter().fold(0, |all, (.., value)| all | value & reserved);
        let (names, list) = (names.join(tr!(l, ", ")), bit_list(bits, l));
        vec![
            self.fix(
                tr!(l, "Clear reserved {bits} in {entries}", bits = list, entries = names),
                pokes(&|v| v & !reserved),
            ),
            self.fix(tr!(l, "Clear P in {entries}", entries = names), pokes(&|v| v & !P)),
        ]
    }

    fn of_mapping(&self, error: MapError) -> Vec<Fix> {
        let l = self.language;
        let Command::Map { va, pa, size, flags } = *self.command else { return Vec::new() };
        let within = (1u64 << size.shift()) - 1;
        let then = match error {
            MapError::Unaligned => Command::Map { va: Gva(va.0 & !within), pa: Gpa(pa.0 & !within), size, flags },
            MapError::PageSize => Command::Map { va, pa, size: MapSize::Kib4, flags },
            MapError::NonCanonical => {
                let shift = 64 - self.vm.machine().cpu.mode().linear_width();
                let canonical = (va.0 << shift).cast_signed().wrapping_shr(shift).cast_unsigned();
                Command::Map { va: Gva(canonical), pa, size, flags }
            }
            MapError::PagingOff | MapError::LargePage | MapError::NoFrame => return Vec::new(),
        };
        vec![Fix { text: tr!(l, "{command} instead", command = command_words(&then, l)), changes: Vec::new(), then }]
    }
}

/// The edits that answer one reason, in words and as values. A PDPTE of PAE paging grants no rights.
fn edit(hops: &[Hop], reason: FaultReason, pae: bool, l: Language) -> Option<(String, Vec<(Hop, u64)>)> {
    let at = |level: u8| hops.iter().find(|hop| hop.level == level).copied();
    match reason {
        FaultReason::NotPresent { level } => {
            let hop = at(level.0).filter(|hop| hop.value & !P != 0)?;
            Some((tr!(l, "Set P in {entries}", entries = hop.name()), vec![(hop, hop.value | P)]))
        }
        FaultReason::Reserved { level, bits } => {
            let hop = at(level.0)?;
            let text = tr!(l, "Clear reserved {bits} in {entries}", bits = bit_list(bits, l), entries = hop.name());
            Some((text, vec![(hop, hop.value & !bits)]))
        }
        FaultReason::Rights { broken } => {
            let lists = |mask: u64, set: bool| -> Vec<(Hop, u64)> {
                let rights = hops.iter().filter(|hop| !(pae && hop.level == pdpte::LEVEL.0));
                let wrong = rights.filter(|hop| (hop.value & mask != 0) != set);
                wrong.map(|hop| (*hop, if set { hop.value | mask } else { hop.value & !mask })).collect()
            };
            let names =
                |edits: &[(Hop, u64)]| edits.iter().map(|(hop, _)| hop.name()).collect::<Vec<_>>().join(tr!(l, ", "));
            let (text, edits): (fn(Language, String) -> String, _) = if broken.contains(Violations::USER) {
                (|l, entries| tr!(l, "Set U/S in {entries}", entries = entries), lists(US, true))
            } else if broken.contains(Violations::WRITE) {
                (|l, entries| tr!(l, "Set R/W in {entries}", entries = entries), lists(RW, true))
            } else if broken.contains(Violations::EXECUTE) {
                (|l, entries| tr!(l, "Clear XD in {entries}", entries = entries), lists(XD, false))
            } else {
                return None;
            };
            (!edits.is_empty()).then(|| (text(l, names(&edits)), edits))
        }
        FaultReason::NonCanonical { .. } => None,
    }
}

/// Steps as one sentence: its first word alone has a capital, but a name in capitals keeps them.
fn one_after_the_other(steps: &[String], l: Language) -> String {
    let small = |step: &String| match step.as_bytes() {
        [first @ b'A'..=b'Z', b'a'..=b'z', ..] => format!("{}{}", char::from(*first).to_ascii_lowercase(), &step[1..]),
        _ => step.clone(),
    };
    let steps: Vec<String> =
        steps.iter().enumerate().map(|(i, step)| if i == 0 { step.clone() } else { small(step) }).collect();
    steps.join(tr!(l, ", then "))
}

/// The same flush or load twice in a row, with nothing but stores between, is needed once: the last.
fn without_repeats(changes: Vec<Command>) -> Vec<Command> {
    let is_flush = |command: &Command| !matches!(command, Command::Poke { .. });
    let mut kept: Vec<Command> = Vec::with_capacity(changes.len());
    for (i, command) in changes.iter().enumerate() {
        let again = is_flush(command) && changes[i + 1..].contains(command);
        if !again {
            kept.push(command.clone());
        }
    }
    kept
}

fn with_address(command: &Command, to: Gva) -> Command {
    let mut command = command.clone();
    if let Command::Access { va, .. } | Command::Write { va, .. } | Command::Read { va, .. } = &mut command {
        *va = to;
    }
    command
}

fn with_access(command: &Command, as_user: bool, with_ac: bool) -> Command {
    let mut command = command.clone();
    if let Command::Access { user, ac, .. } | Command::Write { user, ac, .. } | Command::Read { user, ac, .. } =
        &mut command
    {
        (*user, *ac) = (as_user, with_ac);
    }
    command
}

/// The same instruction with another operand.
fn other_values(command: &Command, refusal: Refusal, vm: &AnyVm) -> Vec<Command> {
    let bits = refusal.bits;
    let regs = &vm.machine().cpu.regs;
    let values = |val: u64| -> Vec<u64> {
        match refusal.rule {
            Rule::G2 => vec![val | Cr0::PE.bits(), val & !Cr0::PG.bits()],
            Rule::G3 => vec![val | Cr0::CD.bits(), val & !Cr0::NW.bits()],
            Rule::G4 => vec![val & 0xffff_ffff],
            Rule::G12 => vec![val | Cr4::PAE.bits()],
            Rule::G13 => vec![val & !Cr4::LA57.bits() | (regs.cr4 & Cr4::LA57).bits()],
            Rule::G14 => vec![val & !Cr4::PCIDE.bits()],
            Rule::G16 => vec![val & !Efer::LME.bits() | (regs.efer & Efer::LME).bits()],
            Rule::G11 | Rule::G15 | Rule::G17 | Rule::G18 | Rule::Q2 | Rule::Q11 => vec![val & !bits],
            _ => Vec::new(),
        }
    };
    let num = |val: u64| Num(val);
    match *command {
        Command::MovCr0 { val, compat } => {
            let mut all: Vec<Command> =
                values(val.0).into_iter().map(|val| Command::MovCr0 { val: num(val), compat }).collect();
            if matches!(refusal.rule, Rule::G6 | Rule::G8) {
                all.push(Command::MovCr0 { val, compat: true });
            }
            all
        }
        Command::MovCr3 { val, compat } => {
            values(val.0).into_iter().map(|val| Command::MovCr3 { val: num(val), compat }).collect()
        }
        Command::MovCr4 { val, compat } => {
            values(val.0).into_iter().map(|val| Command::MovCr4 { val: num(val), compat }).collect()
        }
        Command::WrmsrEfer { val, compat } => {
            values(val.0).into_iter().map(|val| Command::WrmsrEfer { val: num(val), compat }).collect()
        }
        Command::Invpcid { kind, pcid, va } => {
            let shift = 64 - vm.machine().cpu.mode().linear_width();
            let canonical = Gva((va.0 << shift).cast_signed().wrapping_shr(shift).cast_unsigned());
            vec![
                Command::Invpcid { kind, pcid: Num(pcid.0 & 0xfff), va },
                Command::Invpcid { kind, pcid: Num(0), va },
                Command::Invpcid { kind, pcid, va: canonical },
                Command::Invpcid { kind: Num(2), pcid: Num(0), va: Gva(0) },
            ]
        }
        Command::SetSregs { cr0, cr3, cr4, efer } => {
            let set = |cr0: u64, cr4: u64, efer: u64| Command::SetSregs {
                cr0: Num(cr0),
                cr3,
                cr4: Num(cr4),
                efer: Num(efer),
            };
            match refusal.rule {
                Rule::G2 => vec![set(cr0.0 | Cr0::PE.bits(), cr4.0, efer.0)],
                Rule::G5 => vec![set(cr0.0, cr4.0 | Cr4::PAE.bits(), efer.0)],
                Rule::G11 | Rule::G14 => vec![set(cr0.0, cr4.0 & !bits, efer.0)],
                Rule::G17 => vec![set(cr0.0, cr4.0, efer.0 & !bits)],
                _ => Vec::new(),
            }
        }
        Command::Wrpkru { val } => vec![Command::Wrpkru { val: Num(val.0 & 0xffff_ffff) }],
        _ => Vec::new(),
    }
}

/// A frame of guest memory with nothing in it, from the end: tables are taken from the beginning.
fn free_frame(vm: &AnyVm) -> Option<Gfn> {
    let machine = vm.machine();
    let slot = machine.slots.all().first()?;
    let (first, last) = (slot.base.0, slot.base.0 + slot.frames - 1);
    (first..=last).rev().take(4096).map(Gfn).find(|gfn| machine.memory.page(*gfn).is_none())
}
