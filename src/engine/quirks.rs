//! What Linux 2.6.20 did otherwise than the processor when the guest wrote a control register
//! (drivers/kvm/kvm_main.c `set_cr0`, `set_cr3`, `set_cr4`). Off unless switched on.

use super::Switches;
use crate::arch::control::{Refusal, Rule};
use crate::arch::{ControlRegs, Mode};
use crate::machine::Machine;
use crate::machine::event::RegisterName;

/// `CR0_RESEVED_BITS`: what 2.6.20 took for reserved.
const CR0_RESERVED: u64 = 0xffff_ffff_1ffa_ffc0;
/// `CR3_RESEVED_BITS`, outside long mode.
const CR3_LOW: u64 = 0b111;

/// A refusal that no processor knows, for registers that it would accept.
pub fn refusal(
    switches: Switches,
    machine: &Machine,
    name: RegisterName,
    value: u64,
    new: &ControlRegs,
) -> Option<Refusal> {
    let refuse = |switch, rule, bits| (switches.contains(switch) && bits != 0).then_some(Refusal { rule, bits });
    match name {
        RegisterName::Cr0 => refuse(Switches::CR0_RESERVED_GP, Rule::Q11, value & CR0_RESERVED),
        RegisterName::Cr3 => {
            let low = if new.mode().is_long() { 0 } else { value & CR3_LOW };
            let root = if new.mode() == Mode::Off {
                crate::arch::Gpa(value & !0xfff)
            } else {
                new.mode().root(value, machine.cpu.model.maxphyaddr)
            };
            let unmapped = if machine.slots.find(root.gfn()).is_none() { value & !0xfff } else { 0 };
            refuse(Switches::CR3_LOW_BITS_GP, Rule::Q2, low)
                .or_else(|| refuse(Switches::CR3_UNMAPPED_GP, Rule::Q3, unmapped))
        }
        _ => None,
    }
}

/// Whether an accepted write loads the PDPTE registers, where the processor's rules say so.
pub fn loads_pdptes(switches: Switches, name: RegisterName, old: &ControlRegs) -> bool {
    let on_transitions_only = switches.contains(Switches::PDPTES_ON_TRANSITIONS) && name != RegisterName::Cr3;
    !on_transitions_only || old.mode() != Mode::Pae
}
