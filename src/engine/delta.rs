//! A state as what differs from an older one, word by word.
//!
//! States share pages until they are written, so a state that changed one word of each of a thousand
//! pages owns a thousand pages. As a delta it has a thousand words.

use super::shadow::{PoolDelta, RmapDelta};
use super::twodim::WordOfTable;
use super::{AnyVm, Vm};
use crate::arch::Gpa;
use crate::machine::Memory;

/// What the tables of an engine differ in.
#[derive(Clone, Debug)]
enum Tables {
    None,
    Shadow(PoolDelta, RmapDelta),
    Nested(Vec<WordOfTable>),
}

/// What a state differs in from an older one of the same engine.
#[derive(Clone, Debug)]
pub struct VmDelta {
    /// The state without memory and the engine's tables.
    rest: Box<AnyVm>,
    memory: Vec<(Gpa, u64)>,
    tables: Tables,
}

impl AnyVm {
    /// What differs from `older`, a state of the same engine.
    #[must_use]
    pub fn delta_from(&self, older: &Self) -> VmDelta {
        let mut rest = Box::new(self.clone());
        let tables = match (&mut *rest, older) {
            (Self::Shadow(Vm { engine, .. }), Self::Shadow(old)) => Tables::Shadow(
                engine.pool.take_delta_from(&old.engine.pool),
                engine.rmap.take_delta_from(&old.engine.rmap),
            ),
            (Self::TwoDim(Vm { engine, .. }), Self::TwoDim(old)) => {
                Tables::Nested(engine.nested.take_delta_from(&old.engine.nested))
            }
            _ => Tables::None,
        };
        let new = std::mem::take(rest.memory_mut());
        let memory = older.machine().memory.diff(&new).into_iter().map(|word| (word.gpa, word.new)).collect();
        VmDelta { rest, memory, tables }
    }

    fn memory_mut(&mut self) -> &mut Memory {
        match self {
            Self::Native(vm) => &mut vm.machine.memory,
            Self::Shadow(vm) => &mut vm.machine.memory,
            Self::TwoDim(vm) => &mut vm.machine.memory,
        }
    }
}

impl VmDelta {
    /// The newer state, from the older one.
    #[must_use]
    pub fn apply(&self, mut older: AnyVm) -> AnyVm {
        let mut vm = AnyVm::clone(&self.rest);
        let mut memory = std::mem::take(older.memory_mut());
        for (gpa, value) in &self.memory {
            memory.write_u64(*gpa, *value);
        }
        *vm.memory_mut() = memory;
        match (&mut vm, older, &self.tables) {
            (AnyVm::Shadow(vm), AnyVm::Shadow(old), Tables::Shadow(pool, rmap)) => {
                vm.engine.pool.put_delta(old.engine.pool, pool);
                vm.engine.rmap.put_delta(old.engine.rmap, rmap);
            }
            (AnyVm::TwoDim(vm), AnyVm::TwoDim(old), Tables::Nested(words)) => {
                vm.engine.nested.put_delta(old.engine.nested, words);
            }
            _ => {}
        }
        vm
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tables = match &self.tables {
            Tables::None => 0,
            Tables::Shadow(pool, rmap) => pool.bytes() + rmap.bytes(),
            Tables::Nested(words) => size_of_val(&**words),
        };
        let caches =
            size_of::<crate::machine::Tlb>() + self.rest.machine().psc.len() * size_of::<crate::machine::PscEntry>();
        size_of::<Self>() + size_of::<AnyVm>() + caches + size_of_val(&*self.memory) + tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::address::Num;
    use crate::arch::{AccessKind, ControlRegs, CpuModel, Gva};
    use crate::engine::{EngineName, Quiet};
    use crate::machine::command::{MapSize, Size};
    use crate::machine::{Command, Machine};

    fn command(number: u64) -> Command {
        let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let va = Gva((random % 300) << 15);
        let kind = if random & 64 == 0 { AccessKind::Read } else { AccessKind::Write };
        match random >> 10 & 15 {
            0..=4 => Command::Map { va, pa: Gpa(random % 200 << 12), size: MapSize::Kib4, flags: 6 },
            5 => Command::MovCr3 { val: Num(0x1000), compat: false },
            6 => Command::Poke { pa: Gpa((random >> 14) % 3000 << 12 | 8), val: Num(number), size: Size::WORD },
            7 => Command::Invlpg { va },
            _ => Command::Access { va, kind, user: true, ac: false, stack: false },
        }
    }

    /// A state that is put together again is the state, and goes on as it does.
    #[test]
    fn a_delta_brings_the_state_back() {
        for engine in EngineName::ALL {
            let mut machine = Machine::new(CpuModel::default(), 16 << 20);
            let regs = ControlRegs::set_at_once(&machine.cpu.model, 0x8001_0011, 0x1000, 0xa0, 0xd00);
            machine.cpu.set_regs(regs.expect("a legal state"));
            let mut vm = AnyVm::new(machine, engine.into());
            vm.settle(&mut Quiet);
            let mut older = vm.clone();
            for round in 0..30 {
                for number in 0..100 {
                    vm.execute(&command(round * 100 + number), &mut Quiet);
                }
                let delta = vm.delta_from(&older);
                let mut again = delta.apply(older);
                assert_eq!(again.machine().state_hash(), vm.machine().state_hash(), "{engine:?}, round {round}");
                again.audit().expect("every invariant holds");
                let mut going_on = vm.clone();
                for number in 0..200 {
                    let outcomes = [&mut again, &mut going_on].map(|vm| {
                        let mut events = Vec::new();
                        (vm.execute(&command(number * 7), &mut events), events)
                    });
                    assert_eq!(outcomes[0], outcomes[1], "{engine:?}, round {round}, command {number}");
                }
                assert_eq!(again.machine().cost, going_on.machine().cost);
                older = vm.clone();
            }
        }
    }
}
