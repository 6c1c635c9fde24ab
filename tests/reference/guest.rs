//! A guest on an engine, with everything that the rules say about it beside: each command is judged by
//! how it ended, what it did to registers and memory, what it cost and what the engine's audit says.
//!
//! The rules:
//!
//! 1. An access ends as a walk may end that begins at the top or below anything that the caches may
//!    still hold, or as a cached translation says ([`super::caches`]). Slots do not matter for that: a
//!    table outside every slot is read as the words that lie at its address.
//! 2. Registers change as the manual says, or not at all ([`super::registers`]).
//! 3. Memory changes only where data was stored, and by A and D (0 to 1) in entries of a walk that may
//!    have been made; on bare hardware exactly those of one such walk.
//! 4. Bytes that the guest stores land if their frame is in a slot; on bare hardware always. Bytes
//!    that a device stores always land.
//! 5. Under a hypervisor each access that reaches a frame outside every slot is an MMIO exit of its
//!    own, and no other access is one, except that two-dimensional paging also exits for tables
//!    there. Bare hardware never exits.
//! 6. The dirty log names every frame of its slot that the guest wrote, or whose A or D bits were set,
//!    since it was last read; under a hypervisor a write access that succeeded counts as a store of
//!    what was there. It may name more, but no frame of another slot.

use mmuscope::arch::fault::Vector;
use mmuscope::arch::walk::TableMemory;
use mmuscope::arch::{AccessKind, Gpa};
use mmuscope::engine::{AnyVm, EngineConfig, EngineName, Outcome as Got, Quiet, Switches};
use mmuscope::machine::command::SlotAction;
use mmuscope::machine::memory::WordDiff;
use mmuscope::machine::{Command, Cost, Event};

use super::caches::{Allowed, Flush};
use super::case::Case;
use super::cpu::{CR0_ET, Cpu, EFER_LMA, Mode};
use super::drive::outcome;
use super::program::indices;
use super::registers::{self, Pdptes, Refused};
use super::slots::Slots;
use super::walk::{self, Access, Kind, Outcome, Words};

impl Words for mmuscope::machine::Memory {
    fn word(&self, at: u64) -> u64 {
        self.read_u64(Gpa(at & !7))
    }
}

/// Memory after the walk of an access set its bits, by entry.
struct Walked<'a> {
    before: &'a mmuscope::machine::Memory,
    set: &'a [(u64, u64)],
}

impl Words for Walked<'_> {
    fn word(&self, at: u64) -> u64 {
        self.set.iter().fold(self.before.word(at), |word, set| word | bits_of_word(set, at & !7))
    }
}

/// The bits of an aligned word that are set in an entry.
const fn bits_of_word((at, bits): &(u64, u64), word: u64) -> u64 {
    if *at & !7 == word { *bits << (8 * (*at & 4)) } else { 0 }
}

/// What broke a rule.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which: `I1` to `I11` of the audit, or a word for one of the above.
    pub rule: &'static str,
    pub what: String,
    /// How the command should have ended, where that is the matter.
    pub wanted: Option<Outcome>,
}

fn broken<T>(rule: &'static str, what: String) -> Result<T, Broken> {
    Err(Broken { rule, what, wanted: None })
}

/// Who runs the guest, as far as the rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Bare,
    Shadow,
    TwoDim,
}

/// The guest.
pub struct Guest {
    vm: AnyVm,
    host: Host,
    /// PDPTEs that are read from memory at each walk, by design; with the bits that the walk ignores.
    pdptes_in_memory: Option<u64>,
    pdptes: Pdptes,
    cpu: Cpu,
    slots: Slots,
    allowed: Allowed,
    /// Something changed since the caches were last filled in thought.
    moved: bool,
    logged: u64,
    events: Vec<Event>,
}

/// A piece of a data access: bytes in one page.
#[derive(Clone, Copy, Debug)]
struct Piece {
    access: Access,
    bytes: u64,
}

impl Guest {
    /// The guest at the start of a case; none where no processor can be in that state.
    pub fn start(case: &Case, engine: EngineConfig) -> Option<Self> {
        let vm = case.start(engine)?;
        let registers = engine.switches.contains(Switches::PDPTE_REGISTERS);
        let mut cpu = case.world.cpu.clone();
        let all_reserved = cpu.pdpte_reserved();
        let (host, in_memory) = match engine.name {
            EngineName::Native => (Host::Bare, None),
            EngineName::Kvm2006 | EngineName::KvmPdpt => (Host::Shadow, Some(all_reserved)),
            EngineName::Kvm2007 | EngineName::KvmNow => (Host::Shadow, None),
            EngineName::Ept => (Host::TwoDim, None),
            EngineName::Npt => (Host::TwoDim, Some(0)),
        };
        let pdptes = if engine.name == EngineName::Npt && !registers { Pdptes::LeftInMemory } else { Pdptes::Loaded };
        cpu.cr0 |= CR0_ET;
        cpu.pdptes = [0; 4];
        if cpu.mode() == Mode::Pae && pdptes == Pdptes::Loaded {
            cpu.load_pdptes(&vm.machine().memory, cpu.cr3);
        }
        Some(Self {
            vm,
            host,
            pdptes_in_memory: in_memory.filter(|_| !registers),
            pdptes,
            cpu,
            slots: Slots::with_ram(case.ram),
            allowed: Allowed::default(),
            moved: true,
            logged: 0,
            events: Vec::new(),
        })
    }

    /// The registers as they should be.
    pub const fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// What the run has cost.
    pub const fn cost(&self) -> &Cost {
        &self.vm.machine().cost
    }

    /// How many frames the dirty logs have named.
    pub const fn logged(&self) -> u64 {
        self.logged
    }

    /// Carries a command out and judges it.
    pub fn step(&mut self, command: &Command) -> Result<Got, Broken> {
        self.speculate();
        let exits = self.vm.machine().cost.exits;
        let cr2 = self.vm.machine().cpu.cr2;
        let got = match command {
            Command::Access { .. } | Command::Write { .. } | Command::Read { .. } => self.access(command)?,
            _ => self.no_access(command)?,
        };
        let faulted = matches!(got, Got::Faulted(fault) if fault.vector == Vector::PageFault);
        if !faulted && self.vm.machine().cpu.cr2 != cr2 {
            return broken("cr2", "CR2 changed without a page fault".to_owned());
        }
        if self.host == Host::Bare && self.vm.machine().cost.exits != exits {
            return broken("exits", "bare hardware exits".to_owned());
        }
        let audit = self.vm.audit();
        audit.or_else(|audit| broken(audit.invariant, format!("{}: {}", audit.invariant, audit.witness)))?;
        Ok(got)
    }

    /// What the rules say about a command that the engine does not see: a processor that forgets it.
    pub fn forget(&mut self, command: &Command) {
        self.speculate();
        if let Some(Ok((cpu, flush))) = self.registers_after(command) {
            (self.cpu, self.moved) = (cpu, true);
            self.allowed.flush(flush);
        }
    }

    fn registers_after(&self, command: &Command) -> Option<Result<(Cpu, Flush), Refused>> {
        let slots = (self.host != Host::Bare).then_some(&self.slots);
        registers::after(&self.cpu, &self.vm.machine().memory, (self.pdptes, slots), command)
    }

    /// The processor may walk without being asked.
    fn speculate(&mut self) {
        if !std::mem::take(&mut self.moved) {
            return;
        }
        self.read_pdptes();
        self.allowed.speculate(&self.cpu, &self.vm.machine().memory, indices(self.cpu.mode()));
    }

    /// Where PDPTEs have no registers, walks see the words of memory.
    fn read_pdptes(&mut self) {
        if let (Some(ignored), Mode::Pae) = (self.pdptes_in_memory, self.cpu.mode()) {
            let table = self.cpu.cr3 & 0xffff_ffe0;
            let memory = &self.vm.machine().memory;
            self.cpu.pdptes = std::array::from_fn(|i| memory.word(table + 8 * i as u64) & !ignored);
        }
    }

    fn no_access(&mut self, command: &Command) -> Result<Got, Broken> {
        let before = self.vm.machine().memory.clone();
        let mmio = self.vm.machine().cost.exits.mmio;
        self.events.clear();
        let got = match command {
            Command::DirtyLog { .. } => self.vm.execute(command, &mut self.events),
            _ => self.vm.execute(command, &mut Quiet),
        };
        let mmio = self.vm.machine().cost.exits.mmio - mmio;
        let mut stored = Bytes::default();
        match *command {
            Command::Poke { pa, val, size } => {
                let lands = self.host == Host::Bare || self.slots.holds(pa.0);
                if lands {
                    stored.add(pa.0, u64::from(size), val.0);
                    stored.each(|at, _| self.slots.wrote(at));
                }
                if mmio != u64::from(!lands) {
                    return broken("mmio", format!("{mmio} MMIO exits for a store to {:#x}", pa.0));
                }
            }
            Command::Dma { pa, val, size } => stored.add(pa.0, u64::from(size), val.0),
            Command::Memslot { gpa, size, action } => {
                let accepted = match action {
                    SlotAction::Add => self.slots.add(gpa.0, size.0),
                    SlotAction::Remove => self.slots.remove(gpa.0),
                    SlotAction::Log => self.slots.log(gpa.0),
                };
                if accepted != (got == Got::Done) {
                    return broken("slots", format!("{got:?}, but accepted is {accepted}"));
                }
            }
            Command::DirtyLog { gpa } => {
                let frames = self.events.iter().find_map(|event| match event {
                    Event::DirtyLog { frames, .. } => Some(frames.iter().map(|gfn| gfn.0).collect::<Vec<_>>()),
                    _ => None,
                });
                self.logged += frames.iter().flatten().count() as u64;
                self.slots.read_log(gpa.0, frames.as_deref()).or_else(|what| broken("log", what))?;
            }
            _ => self.register(command, &got)?,
        }
        if let Some(diff) = before.diff(&self.vm.machine().memory).first().filter(|_| stored.is_empty()) {
            return broken("memory", format!("memory changed: {diff:x?}"));
        }
        self.memory_changed(&before, &stored, &[])?;
        Ok(got)
    }

    /// A command that changes registers or invalidates.
    fn register(&mut self, command: &Command, got: &Got) -> Result<(), Broken> {
        let after = self.registers_after(command);
        let Some(after) = after else { return broken("none", format!("no rule for {command:?}")) };
        if after.is_ok() == matches!(got, Got::Refused(_)) {
            return broken("refusal", format!("{got:?}, but the rules say {after:x?}"));
        }
        if let Ok((cpu, flush)) = after {
            self.moved |= flush != Flush::Nothing || registers_differ(&self.cpu, &cpu);
            self.cpu = cpu;
            self.allowed.flush(flush);
        }
        let has = &self.vm.machine().cpu;
        let is = [has.regs.cr0.bits(), has.regs.cr3, has.regs.cr4.bits(), has.regs.efer.bits(), u64::from(has.pkru)];
        let lma = if matches!(self.cpu.mode(), Mode::FourLevel | Mode::FiveLevel) { EFER_LMA } else { 0 };
        let should = [self.cpu.cr0, self.cpu.cr3, self.cpu.cr4, self.cpu.efer | lma, self.cpu.pkru];
        if is != should {
            return broken("registers", format!("CR0, CR3, CR4, EFER, PKRU are {is:x?}, they should be {should:x?}"));
        }
        if self.pdptes_in_memory.is_none() && has.pdptes != self.cpu.pdptes {
            return broken("pdptes", format!("the PDPTE registers hold {:x?}, not {:x?}", has.pdptes, self.cpu.pdptes));
        }
        Ok(())
    }

    fn access(&mut self, command: &Command) -> Result<Got, Broken> {
        self.read_pdptes();
        let before = self.vm.machine().memory.clone();
        let mmio = self.vm.machine().cost.exits.mmio;
        self.events.clear();
        let got = match command {
            Command::Access { .. } => self.vm.execute(command, &mut Quiet),
            _ => self.vm.execute(command, &mut self.events),
        };
        let mut pieces = pieces(command);
        // Every byte must be canonical before any is translated.
        let canonical =
            |piece: &Piece| !matches!(walk::linear(&self.cpu, &piece.access), Err(Outcome::GeneralProtection));
        if !pieces.iter().all(canonical) {
            pieces.retain(|piece| !canonical(piece));
        }
        let ended = self.how_pieces_ended(command, &got);
        let success = matches!(got, Got::Translated(_) | Got::Loaded(..));
        if ended.is_empty() || ended.len() > pieces.len() || success && ended.len() != pieces.len() {
            return broken("pieces", format!("{} pieces, {ended:x?}", pieces.len()));
        }
        let mut may_set = Vec::new();
        for (piece, outcome) in pieces.iter().zip(&ended) {
            if self.host == Host::Bare && matches!(command, Command::Access { .. }) {
                let changed: Vec<(u64, u64)> = before
                    .diff(&self.vm.machine().memory)
                    .iter()
                    .map(|diff| (diff.gpa.0, diff.old ^ diff.new))
                    .collect();
                let judged = self.allowed.ends_exactly(&self.cpu, &before, &piece.access, *outcome, &changed);
                judged.map_err(|what| self.outcome_broken(&before, piece, what))?;
            }
            let judged = self.allowed.ends(&self.cpu, &before, &piece.access, *outcome);
            may_set.extend(judged.map_err(|what| self.outcome_broken(&before, piece, what))?);
        }
        let reached: Vec<(Piece, u64)> = pieces.iter().zip(&ended).filter_map(reached).collect();
        self.check_mmio(mmio, &ended, &reached)?;
        let mut stored = Bytes::default();
        if let (Command::Write { val, .. }, true) = (command, success) {
            let mut rest = val.0;
            for (piece, pa) in &reached {
                if self.host == Host::Bare || self.slots.holds(*pa) {
                    stored.add(*pa, piece.bytes, rest);
                }
                rest = rest.checked_shr(8 * piece.bytes as u32).unwrap_or(0);
            }
            stored.each(|at, _| self.slots.wrote(at));
        }
        if !stored.is_empty() || ended.len() > 1 {
            // Between its walk and its data, or its second walk and its fault, the tables may be read, with
            // the bits that the walk set.
            let walked = Walked { before: &before, set: &may_set };
            self.allowed.speculate(&self.cpu, &walked, indices(self.cpu.mode()));
        }
        let writes = |piece: &Piece| piece.access.kind == Kind::Write;
        if self.host != Host::Bare && success {
            reached.iter().filter(|(piece, _)| writes(piece)).for_each(|(_, pa)| self.slots.wrote(*pa));
        }
        self.memory_changed(&before, &stored, &may_set)?;
        if let Got::Loaded(_, value) = got {
            self.check_value(&reached, value)?;
        }
        for outcome in ended {
            if let Outcome::PageFault { cr2, .. } = outcome {
                self.allowed.page_fault(&self.cpu, cr2);
                self.moved = true;
            }
        }
        Ok(got)
    }

    /// The ending of each piece, up to the first that faulted.
    fn how_pieces_ended(&self, command: &Command, got: &Got) -> Vec<Outcome> {
        if matches!(command, Command::Access { .. }) {
            return outcome(&self.vm, got).into_iter().collect();
        }
        let reaches = self.events.iter().filter_map(|event| match event {
            Event::Translated { gpa, .. } => Some(Outcome::Reaches { pa: gpa.0, page_bits: 0 }),
            _ => None,
        });
        let fault = matches!(got, Got::Faulted(_)).then(|| outcome(&self.vm, got)).flatten();
        reaches.chain(fault).collect()
    }

    fn outcome_broken(&self, before: &impl Words, piece: &Piece, what: String) -> Broken {
        let outcome = match walk::linear(&self.cpu, &piece.access) {
            Err(outcome) => outcome,
            Ok(la) => walk::verdict(&self.cpu, la, &piece.access, &walk::walk(&self.cpu, before, la)),
        };
        Broken { rule: "outcome", what, wanted: Some(outcome) }
    }

    /// Rule 5.
    fn check_mmio(&self, before: u64, ended: &[Outcome], reached: &[(Piece, u64)]) -> Result<(), Broken> {
        let exits = self.vm.machine().cost.exits.mmio - before;
        let outside = reached.iter().filter(|(_, pa)| !self.slots.holds(*pa)).count() as u64;
        let right = match self.host {
            Host::Bare => exits == 0,
            Host::Shadow => exits == outside,
            Host::TwoDim => {
                let most = if self.cpu.mode() == Mode::Unpaged { outside } else { ended.len() as u64 };
                (outside..=most).contains(&exits)
            }
        };
        if right { Ok(()) } else { broken("mmio", format!("{exits} MMIO exits, {outside} pieces outside every slot")) }
    }

    /// Rule 3.
    fn memory_changed(
        &mut self,
        before: &mmuscope::machine::Memory,
        stored: &Bytes,
        may_set: &[(u64, u64)],
    ) -> Result<(), Broken> {
        let memory = &self.vm.machine().memory;
        for WordDiff { gpa, old, new } in before.diff(memory) {
            let data = stored.mask(gpa.0);
            let bits = (old ^ new) & !data;
            let may = may_set.iter().map(|set| bits_of_word(set, gpa.0)).fold(0, |a, b| a | b);
            if bits & !may != 0 || old & bits != 0 {
                return broken("memory", format!("the word at {:#x} changed from {old:#x} to {new:#x}", gpa.0));
            }
            if bits != 0 {
                self.slots.wrote(gpa.0);
            }
            // A bits alone change nothing that a cache could hold.
            self.moved |= data != 0 || bits & !0x20_0000_0020 != 0;
        }
        let memory = &self.vm.machine().memory;
        let mut lost = None;
        stored.each(|at, byte| {
            if memory.word(at) >> (8 * (at & 7)) & 0xff != u64::from(byte) {
                lost = Some(at);
            }
        });
        match lost {
            Some(at) => broken("memory", format!("the byte stored to {at:#x} is not there")),
            None => Ok(()),
        }
    }

    fn check_value(&self, reached: &[(Piece, u64)], value: u64) -> Result<(), Broken> {
        let memory = &self.vm.machine().memory;
        let bytes = reached.iter().flat_map(|(piece, pa)| *pa..*pa + piece.bytes);
        let values = bytes.enumerate().map(|(i, at)| (memory.word(at) >> (8 * (at & 7)) & 0xff) << (8 * i));
        let wanted = values.fold(0, |a, b| a | b);
        if value == wanted { Ok(()) } else { broken("load", format!("loaded {value:#x}, {wanted:#x} lies there")) }
    }
}

fn registers_differ(a: &Cpu, b: &Cpu) -> bool {
    (a.cr0, a.cr3, a.cr4, a.efer, a.pdptes) != (b.cr0, b.cr3, b.cr4, b.efer, b.pdptes)
}

fn reached((piece, outcome): (&Piece, &Outcome)) -> Option<(Piece, u64)> {
    match outcome {
        Outcome::Reaches { pa, .. } => Some((*piece, *pa)),
        _ => None,
    }
}

/// The accesses that a command makes, in order: a load or store across a page makes two.
fn pieces(command: &Command) -> Vec<Piece> {
    let (va, kind, user, ac, stack, size) = match *command {
        Command::Access { va, kind, user, ac, stack } => (va.0, kind, user, ac, stack, 1),
        Command::Write { va, size, user, ac, .. } => (va.0, AccessKind::Write, user, ac, false, u64::from(size)),
        Command::Read { va, size, user, ac } => (va.0, AccessKind::Read, user, ac, false, u64::from(size)),
        _ => return Vec::new(),
    };
    let kind = match kind {
        AccessKind::Read => Kind::Read,
        AccessKind::Write => Kind::Write,
        AccessKind::Fetch => Kind::Fetch,
    };
    let first = size.min(4096 - va % 4096);
    let piece = |va, bytes| Piece { access: Access { va, kind, user, ac, stack }, bytes };
    let head = piece(va, first);
    let tail = (first < size).then(|| piece(va.wrapping_add(first), size - first));
    std::iter::once(head).chain(tail).collect()
}

/// Bytes that were stored, by address.
#[derive(Default)]
struct Bytes(Vec<(u64, u8)>);

impl Bytes {
    fn add(&mut self, at: u64, size: u64, value: u64) {
        self.0.extend((0..size).map(|i| (at + i, (value >> (8 * i)) as u8)));
    }

    fn each(&self, mut f: impl FnMut(u64, u8)) {
        self.0.iter().for_each(|(at, byte)| f(*at, *byte));
    }

    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bits of an aligned word that were stored.
    fn mask(&self, word: u64) -> u64 {
        let within = self.0.iter().filter(|(at, _)| at & !7 == word);
        within.fold(0, |mask, (at, _)| mask | 0xff << (8 * (at & 7)))
    }
}
