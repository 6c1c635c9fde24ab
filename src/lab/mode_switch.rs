//! The instructions that lead from one paging mode to another (SDM 3A 4.1.2, 9.8.5).
//!
//! Paging is switched off, what must only change without paging is changed, and paging is switched
//! on again. Whether the processor accepts them is for the machine to say: a PDPTE in memory may
//! refuse PAE paging (rule G19), and a model may lack a feature.

use crate::arch::address::Num;
use crate::arch::{Cr0, Cr4, Efer, Mode};
use crate::machine::{Command, Cpu};

/// The instructions that bring the processor to a mode, none if it is in it.
#[must_use]
pub fn plan(cpu: &Cpu, target: Mode) -> Vec<Command> {
    let regs = &cpu.regs;
    let (now, mut commands) = (cpu.mode(), Vec::new());
    if now == target {
        return commands;
    }
    let mut cr4 = regs.cr4;
    if now != Mode::Off {
        if cr4.contains(Cr4::PCIDE) {
            cr4 -= Cr4::PCIDE;
            commands.push(mov_cr4(cr4));
        }
        // Long mode is left from compatibility mode.
        commands.push(Command::MovCr0 { val: Num((regs.cr0 - Cr0::PG).bits()), compat: now.is_long() });
    }
    if target == Mode::Off {
        return commands;
    }
    let efer = with(regs.efer, Efer::LME, target.is_long()) - Efer::LMA;
    if efer != regs.efer - Efer::LMA {
        commands.push(Command::WrmsrEfer { val: Num(efer.bits()), compat: false });
    }
    let mut wanted = with(cr4, Cr4::PAE, target != Mode::Bits32);
    if target.is_long() {
        wanted = with(wanted, Cr4::LA57, target == Mode::Level5);
    }
    if wanted != cr4 {
        commands.push(mov_cr4(wanted));
    }
    commands.push(Command::MovCr0 { val: Num((regs.cr0 | Cr0::PG | Cr0::PE).bits()), compat: false });
    commands
}

fn mov_cr4(cr4: Cr4) -> Command {
    Command::MovCr4 { val: Num(cr4.bits()), compat: false }
}

/// `flags` with `flag` set or clear.
fn with<F: std::ops::BitOr<Output = F> + std::ops::Sub<Output = F>>(flags: F, flag: F, on: bool) -> F {
    if on { flags | flag } else { flags - flag }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{CpuModel, Gpa};
    use crate::engine::{AnyVm, EngineName, Outcome, Quiet};
    use crate::machine::Machine;

    fn switch(vm: &mut AnyVm, target: Mode) {
        for command in plan(&vm.machine().cpu, target) {
            let outcome = vm.execute(&command, &mut Quiet);
            assert_eq!(outcome, Outcome::Done, "{command:?} on the way to {}", target.name());
        }
        assert_eq!(vm.machine().cpu.mode(), target);
    }

    fn machine() -> AnyVm {
        let mut machine = Machine::new(CpuModel::default(), 1 << 24);
        machine.memory.write_u64(Gpa(0x3020), 0x5001);
        let mut vm = AnyVm::new(machine, EngineName::Native.into());
        vm.execute(&Command::MovCr3 { val: Num(0x3020), compat: false }, &mut Quiet);
        vm
    }

    #[test]
    fn from_every_mode_to_every_mode() {
        for from in Mode::ALL {
            for to in Mode::ALL {
                let mut vm = machine();
                switch(&mut vm, from);
                switch(&mut vm, to);
            }
        }
    }

    #[test]
    fn process_contexts_are_switched_off_first() {
        for to in [Mode::Off, Mode::Bits32, Mode::Pae, Mode::Level5] {
            let mut vm = machine();
            switch(&mut vm, Mode::Level4);
            vm.execute(&Command::MovCr3 { val: Num(0x3000), compat: false }, &mut Quiet);
            let cr4 = vm.machine().cpu.regs.cr4 | Cr4::PCIDE;
            assert_eq!(vm.execute(&mov_cr4(cr4), &mut Quiet), Outcome::Done);
            switch(&mut vm, to);
        }
    }

    #[test]
    fn other_bits_stay() {
        let mut vm = machine();
        let cr0 = vm.machine().cpu.regs.cr0 | Cr0::WP;
        vm.execute(&Command::MovCr0 { val: Num(cr0.bits()), compat: false }, &mut Quiet);
        vm.execute(&mov_cr4(Cr4::PGE | Cr4::SMEP), &mut Quiet);
        vm.execute(&Command::WrmsrEfer { val: Num(Efer::NXE.bits()), compat: false }, &mut Quiet);
        for target in [Mode::Level5, Mode::Pae, Mode::Level4, Mode::Bits32, Mode::Off] {
            switch(&mut vm, target);
            let regs = &vm.machine().cpu.regs;
            assert!(regs.cr0.contains(Cr0::WP) && regs.efer.contains(Efer::NXE));
            assert!(regs.cr4.contains(Cr4::PGE | Cr4::SMEP));
        }
    }

    #[test]
    fn a_bad_pdpte_refuses_pae_paging() {
        let mut vm = machine();
        vm.execute(
            &Command::Poke { pa: Gpa(0x3028), val: Num(0x1003), size: crate::machine::command::Size::WORD },
            &mut Quiet,
        );
        let outcomes: Vec<Outcome> =
            plan(&vm.machine().cpu, Mode::Pae).iter().map(|command| vm.execute(command, &mut Quiet)).collect();
        assert!(matches!(outcomes.last(), Some(Outcome::Refused(_))));
        assert_eq!(vm.machine().cpu.mode(), Mode::Off);
    }
}
