//! A test case of the engine properties: a start state and commands. It can be made smaller, and
//! written as a scenario file.

use mmuscope::arch::Gpa;
use mmuscope::arch::address::Num;
use mmuscope::engine::{AnyVm, EngineConfig};
use mmuscope::machine::Command;
use mmuscope::scenario::{Scenario, State};
use serde_json::{Value, json};

use super::cpu::Cpu;
use super::drive::{ALL_CACHES, World};
use super::guest::{Broken, Guest};
use super::walk::Outcome;

/// A start state and what is done to it.
#[derive(Clone, Debug)]
pub struct Case {
    pub world: World,
    /// Bytes of the slot at address 0.
    pub ram: u64,
    pub commands: Vec<Command>,
}

/// The first command that broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its index.
    pub at: usize,
    pub broken: Broken,
}

/// Whether a case fails as the first one did.
type Fails<'a> = &'a dyn Fn(&Case) -> Option<Failure>;

impl Case {
    fn scenario(&self) -> Scenario {
        let cpu = &self.world.cpu;
        let init =
            State { cr0: Num(cpu.cr0), cr3: Num(cpu.cr3), cr4: Num(cpu.cr4), efer: Num(cpu.efer), pkru: Num(cpu.pkru) };
        let mem = self.world.memory.0.iter().map(|(at, value)| (Gpa(*at), *value)).collect();
        Scenario { cpu: self.world.model(), init, mem, ram: self.ram, ..Scenario::empty() }
    }

    /// The machine in its start state; none where no processor can be in it.
    pub fn start(&self, engine: EngineConfig) -> Option<AnyVm> {
        self.scenario().start(engine, ALL_CACHES).ok()
    }

    /// Runs every command; the first that broke a rule.
    pub fn run(&self, engine: EngineConfig) -> Option<Failure> {
        let mut guest = Guest::start(self, engine)?;
        let broken = |(at, command)| guest.step(command).err().map(|broken| Failure { at, broken });
        self.commands.iter().enumerate().find_map(broken)
    }

    /// The scenario file that repeats the case; `failure` gives its title, and what the last command
    /// should have done.
    pub fn to_json(&self, id: &str, engine: EngineConfig, failure: &Failure) -> String {
        let mut steps: Vec<Value> = self.commands.iter().map(step).collect();
        if let (Some(wanted), Some(last)) = (failure.broken.wanted, steps.get_mut(failure.at)) {
            last["want"] = want(wanted);
        }
        let hex = |n: u64| format!("{n:#x}");
        let Cpu { cr0, cr3, cr4, efer, pkru, .. } = self.world.cpu;
        let words: Vec<Value> = self.world.memory.0.iter().map(|(at, value)| json!([hex(*at), hex(*value)])).collect();
        let model = self.world.model();
        let document = json!({
            "format": "mmuscope/1",
            "id": id,
            "title": failure.broken.what,
            "cpu": {
                "maxphyaddr": model.maxphyaddr,
                "vendor": model.vendor,
                "features": model.features.names().collect::<Vec<_>>(),
            },
            "engine": engine.name.id(),
            "ram": hex(self.ram),
            "init": {"cr0": hex(cr0), "cr3": hex(cr3), "cr4": hex(cr4), "efer": hex(efer), "pkru": hex(pkru)},
            "mem": words,
            "steps": steps,
        });
        serde_json::to_string_pretty(&document).expect("a document of plain values")
    }

    /// Makes the case smaller as long as it breaks the same rule: fewer commands, fewer words of
    /// memory, fewer bits in memory, operands and registers.
    pub fn shrunk(&self, engine: EngineConfig) -> Self {
        let mut case = self.clone();
        let Some(Failure { broken: Broken { rule, .. }, .. }) = self.run(engine) else { return case };
        let fails = |case: &Self| case.run(engine).filter(|failure| failure.broken.rule == rule);
        while case.shrink_once(&fails) {}
        case
    }

    fn shrink_once(&mut self, fails: Fails) -> bool {
        let mut smaller = self.drop_commands(fails);
        for at in self.world.memory.0.keys().copied().collect::<Vec<_>>() {
            smaller |= self.replace_if_fails(fails, |case| {
                case.world.memory.0.remove(&at);
            });
        }
        for bit in 0..64 {
            let kept = !(1u64 << bit);
            for at in self.world.memory.0.keys().copied().collect::<Vec<_>>() {
                let value = self.world.memory.word(at);
                if value & !kept != 0 {
                    smaller |= self.replace_if_fails(fails, |case| case.world.memory.set_word(at, value & kept));
                }
            }
            for index in 0..self.commands.len() {
                if operand(&mut self.commands[index].clone()).is_some_and(|value| value.0 & !kept != 0) {
                    smaller |= self.replace_if_fails(fails, |case| {
                        operand(&mut case.commands[index]).into_iter().for_each(|value| value.0 &= kept);
                    });
                }
            }
            for register in 0..4 {
                if *registers(&mut self.world.cpu.clone())[register] & !kept != 0 {
                    smaller |= self.replace_if_fails(fails, |case| *registers(&mut case.world.cpu)[register] &= kept);
                }
            }
        }
        smaller
    }

    /// Whole stretches first, then single commands, from the end.
    fn drop_commands(&mut self, fails: Fails) -> bool {
        let before = self.commands.len();
        if let Some(failure) = fails(self) {
            self.commands.truncate(failure.at + 1);
        }
        let mut stretch = self.commands.len().next_power_of_two() / 2;
        while stretch > 0 {
            let mut end = self.commands.len();
            while end > 0 {
                let from = end.saturating_sub(stretch);
                self.replace_if_fails(fails, |case| {
                    case.commands.drain(from..end);
                });
                end = from;
            }
            stretch /= 2;
        }
        self.commands.len() < before
    }

    fn replace_if_fails(&mut self, fails: Fails, change: impl FnOnce(&mut Self)) -> bool {
        let mut candidate = self.clone();
        change(&mut candidate);
        let fails = fails(&candidate).is_some();
        if fails {
            *self = candidate;
        }
        fails
    }
}

/// The value of a command whose bits may be cleared.
fn operand(command: &mut Command) -> Option<&mut Num> {
    match command {
        Command::Poke { val, .. }
        | Command::Dma { val, .. }
        | Command::Write { val, .. }
        | Command::MovCr0 { val, .. }
        | Command::MovCr3 { val, .. }
        | Command::MovCr4 { val, .. }
        | Command::WrmsrEfer { val, .. }
        | Command::Wrpkru { val } => Some(val),
        _ => None,
    }
}

fn registers(cpu: &mut Cpu) -> [&mut u64; 4] {
    [&mut cpu.cr0, &mut cpu.cr4, &mut cpu.efer, &mut cpu.pkru]
}

/// A command as scenario files write it.
fn step(command: &Command) -> Value {
    let mut value = serde_json::to_value(command).expect("a command of plain values");
    if let Some(Value::Bool(true)) = value.as_object_mut().and_then(|fields| fields.remove("stack")) {
        value["seg"] = json!("ss");
    }
    value
}

fn want(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Reaches { pa, .. } => json!({"pa": format!("{pa:#x}")}),
        Outcome::PageFault { code, cr2 } => {
            json!({"exc": "PF", "err": format!("{code:#x}"), "cr2": format!("{cr2:#x}")})
        }
        Outcome::GeneralProtection => json!({"exc": "GP", "err": "0x0"}),
        Outcome::StackFault => json!({"exc": "SS", "err": "0x0"}),
    }
}
