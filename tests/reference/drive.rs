//! Puts a state of the reference into the machine under test, and compares the two.

use mmuscope::arch::address::Num;
use mmuscope::arch::fault::Vector;
use mmuscope::arch::{AccessKind, CpuModel, Features, Gpa, Gva, Vendor};
use mmuscope::engine::{AnyVm, EngineName, Outcome as Got, Quiet};
use mmuscope::machine::command::Size;
use mmuscope::machine::memory::WordDiff;
use mmuscope::machine::{Caches, Command};
use mmuscope::scenario::{Scenario, State};

use super::cpu::{CR0_PG, CR4_PAE, Cpu, EFER_LME};
use super::walk::{self, Access, Kind, Memory, Outcome};

/// No cache at all.
pub const NO_CACHES: Caches = Caches { tlb: false, structures: false };
/// TLB and paging-structure caches.
pub const ALL_CACHES: Caches = Caches { tlb: true, structures: true };

/// Where a test begins.
#[derive(Clone, Debug)]
pub struct World {
    pub cpu: Cpu,
    pub features: Features,
    pub memory: Memory,
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Access(Access),
    Poke { at: u64, value: u64 },
    Pkru(u64),
    Invlpg(u64),
}

impl World {
    /// The model as the library names it; the features decide what the reference knows of.
    pub fn model(&self) -> CpuModel {
        CpuModel {
            maxphyaddr: self.cpu.maxphyaddr as u8,
            vendor: if self.cpu.amd { Vendor::Amd } else { Vendor::Intel },
            features: self.features,
        }
    }

    /// The machine under test in this state.
    pub fn start(&self, caches: Caches) -> AnyVm {
        self.start_on(EngineName::Native, caches)
    }

    /// The machine under test in this state, run by an engine.
    pub fn start_on(&self, engine: EngineName, caches: Caches) -> AnyVm {
        let cpu = &self.cpu;
        let init =
            State { cr0: Num(cpu.cr0), cr3: Num(cpu.cr3), cr4: Num(cpu.cr4), efer: Num(cpu.efer), pkru: Num(cpu.pkru) };
        let mem = self.memory.0.iter().map(|(at, value)| (Gpa(*at), *value)).collect();
        let scenario = Scenario { cpu: self.model(), init, mem, ..Scenario::empty() };
        scenario.start(engine, caches).expect("the state is possible")
    }

    /// The scenario file that repeats these operations, with what the reference wants of them.
    pub fn to_json(&self, ops: &[Op]) -> String {
        let cpu = &self.cpu;
        let features: Vec<String> = self.features.names().map(|name| format!("\"{name}\"")).collect();
        let words: Vec<String> =
            self.memory.0.iter().map(|(at, value)| format!("[\"{at:#x}\",\"{value:#x}\"]")).collect();
        let (mut cpu_now, mut memory) = (cpu.clone(), self.memory.clone());
        let steps: Vec<String> = ops.iter().map(|op| op_json(&mut cpu_now, &mut memory, op)).collect();
        format!(
            "{{\"format\":\"mmuscope/1\",\"id\":\"minimal\",\"cpu\":{{\"maxphyaddr\":{},\"vendor\":\"{}\",\"features\":[{}]}},\n\
             \"init\":{{\"cr0\":\"{:#x}\",\"cr3\":\"{:#x}\",\"cr4\":\"{:#x}\",\"efer\":\"{:#x}\",\"pkru\":\"{:#x}\"}},\n\
             \"mem\":[{}],\n\"steps\":[\n {}]}}",
            cpu.maxphyaddr,
            if cpu.amd { "amd" } else { "intel" },
            features.join(","),
            cpu.cr0,
            cpu.cr3,
            cpu.cr4,
            cpu.efer,
            cpu.pkru,
            words.join(","),
            steps.join(",\n ")
        )
    }
}

/// Carries an operation out on the reference. `None` where it is no access.
pub fn on_reference(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Option<Outcome> {
    match *op {
        Op::Access(access) => return Some(walk::access(cpu, memory, &access)),
        Op::Poke { at, value } => memory.set_word(at, value),
        Op::Pkru(value) => cpu.pkru = value,
        Op::Invlpg(_) => {}
    }
    None
}

fn op_json(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> String {
    let want = on_reference(cpu, memory, op);
    match *op {
        Op::Poke { at, value } => format!("{{\"op\":\"poke\",\"pa\":\"{at:#x}\",\"val\":\"{value:#x}\"}}"),
        Op::Pkru(value) => format!("{{\"op\":\"wrpkru\",\"val\":\"{value:#x}\"}}"),
        Op::Invlpg(va) => format!("{{\"op\":\"invlpg\",\"va\":\"{va:#x}\"}}"),
        Op::Access(Access { va, kind, user, ac, stack }) => {
            let kind = match kind {
                Kind::Read => "r",
                Kind::Write => "w",
                Kind::Fetch => "x",
            };
            let seg = if stack { ",\"seg\":\"ss\"" } else { "" };
            let want = match want {
                Some(Outcome::Reaches { pa, .. }) => format!("{{\"pa\":\"{pa:#x}\"}}"),
                Some(Outcome::PageFault { code, cr2 }) => {
                    format!("{{\"exc\":\"PF\",\"err\":\"{code:#x}\",\"cr2\":\"{cr2:#x}\"}}")
                }
                Some(Outcome::StackFault) => "{\"exc\":\"SS\",\"err\":\"0x0\"}".to_owned(),
                _ => "{\"exc\":\"GP\",\"err\":\"0x0\"}".to_owned(),
            };
            format!(
                "{{\"op\":\"access\",\"va\":\"{va:#x}\",\"kind\":\"{kind}\",\"user\":{user},\"ac\":{ac}{seg},\"want\":{want}}}"
            )
        }
    }
}

/// The command of an operation.
pub fn command(op: &Op) -> Command {
    match *op {
        Op::Access(access) => access_command(&access),
        Op::Poke { at, value } => Command::Poke { pa: Gpa(at), val: Num(value), size: Size::WORD },
        Op::Pkru(value) => Command::Wrpkru { val: Num(value) },
        Op::Invlpg(va) => Command::Invlpg { va: Gva(va) },
    }
}

/// The command of an access.
pub fn access_command(access: &Access) -> Command {
    let kind = match access.kind {
        Kind::Read => AccessKind::Read,
        Kind::Write => AccessKind::Write,
        Kind::Fetch => AccessKind::Fetch,
    };
    Command::Access { va: Gva(access.va), kind, user: access.user, ac: access.ac, stack: access.stack }
}

/// An outcome of the machine in the reference's terms. CR2 is read from the processor.
pub fn outcome(vm: &AnyVm, got: &Got) -> Option<Outcome> {
    match got {
        Got::Translated(found) => Some(Outcome::Reaches { pa: found.gpa.0, page_bits: found.page_shift }),
        Got::Faulted(fault) => Some(match fault.vector {
            Vector::PageFault => Outcome::PageFault { code: u64::from(fault.code.bits()), cr2: vm.machine().cpu.cr2.0 },
            Vector::GeneralProtection => Outcome::GeneralProtection,
            Vector::StackFault => Outcome::StackFault,
        }),
        _ => None,
    }
}

/// Carries an operation out on both. Says what differs: the outcome, CR2 or any word of memory.
pub fn both(vm: &mut AnyVm, cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Result<Option<Outcome>, String> {
    let (ram, cr2) = (vm.machine().memory.clone(), vm.machine().cpu.cr2);
    let got = vm.execute(&command(op), &mut Quiet);
    let before = memory.clone();
    let wanted = on_reference(cpu, memory, op);
    let got = outcome(vm, &got);
    if got != wanted {
        return Err(format!("the machine gives {got:x?}, the reference {wanted:x?}"));
    }
    if !matches!(got, Some(Outcome::PageFault { .. })) && vm.machine().cpu.cr2 != cr2 {
        return Err("CR2 changed without a page fault".to_owned());
    }
    let changed = ram.diff(&vm.machine().memory);
    let wanted_changes = changes(&before, memory);
    if changed != wanted_changes {
        return Err(format!("memory: the machine changed {changed:x?}, the reference {wanted_changes:x?}"));
    }
    Ok(wanted)
}

/// The words in which two memories of the reference differ.
pub fn changes(before: &Memory, after: &Memory) -> Vec<WordDiff> {
    let differs = |(at, new): (&u64, &u64)| {
        let (gpa, old, new) = (Gpa(*at), before.word(*at), *new);
        (old != new).then_some(WordDiff { gpa, old, new })
    };
    after.0.iter().filter_map(differs).collect()
}

/// Makes a failing test smaller: fewer operations, fewer words, fewer bits, as long as it fails.
pub fn minimise(world: &World, ops: &[Op], fails: &dyn Fn(&World, &[Op]) -> bool) -> (World, Vec<Op>) {
    let (mut world, mut ops) = (world.clone(), ops.to_vec());
    loop {
        let mut smaller = false;
        for i in (0..ops.len()).rev() {
            let mut fewer = ops.clone();
            fewer.remove(i);
            if fails(&world, &fewer) {
                (ops, smaller) = (fewer, true);
            }
        }
        for at in world.memory.0.keys().copied().collect::<Vec<_>>() {
            let mut candidate = world.clone();
            candidate.memory.0.remove(&at);
            if fails(&candidate, &ops) {
                (world, smaller) = (candidate, true);
                continue;
            }
            smaller |= clear_bits(&mut world, |w, mask| w.memory.set_word(at, w.memory.word(at) & mask), &ops, fails);
        }
        let possible = |cpu: &Cpu| cpu.efer & EFER_LME == 0 || cpu.cr0 & CR0_PG == 0 || cpu.cr4 & CR4_PAE != 0;
        let still = |w: &World, o: &[Op]| possible(&w.cpu) && w.cpu.cr0 & 1 != 0 && fails(w, o);
        smaller |= clear_bits(&mut world, |w, mask| w.cpu.cr0 &= mask | 1, &ops, &still);
        smaller |= clear_bits(&mut world, |w, mask| w.cpu.cr4 &= mask, &ops, &still);
        smaller |= clear_bits(&mut world, |w, mask| w.cpu.efer &= mask, &ops, &still);
        smaller |= clear_bits(&mut world, |w, mask| w.cpu.pkru &= mask, &ops, &still);
        if !smaller {
            return (world, ops);
        }
    }
}

fn clear_bits(
    world: &mut World,
    clear: impl Fn(&mut World, u64),
    ops: &[Op],
    fails: &dyn Fn(&World, &[Op]) -> bool,
) -> bool {
    let mut smaller = false;
    for bit in 0..64 {
        let mut candidate = world.clone();
        clear(&mut candidate, !(1 << bit));
        let changed = candidate.memory != world.memory
            || (candidate.cpu.cr0, candidate.cpu.cr4) != (world.cpu.cr0, world.cpu.cr4)
            || (candidate.cpu.efer, candidate.cpu.pkru) != (world.cpu.efer, world.cpu.pkru);
        if changed && possible_pcid(&candidate.cpu) && fails(&candidate, ops) {
            *world = candidate;
            smaller = true;
        }
    }
    smaller
}

/// PCIDs exist in long mode only.
fn possible_pcid(cpu: &Cpu) -> bool {
    cpu.cr4 & super::cpu::CR4_PCIDE == 0 || cpu.efer & EFER_LME != 0 && cpu.cr0 & CR0_PG != 0
}
