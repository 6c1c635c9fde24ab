//! Why an instruction was refused: the rule, the bits, and the state that made the rule count.

use super::guest::said_since;
use super::words::bit_list;
use super::{Cause, Depth, Question, Target};
use crate::arch::address::bits;
use crate::arch::{Cr0, Cr4, Efer, Rule, pdpte};
use crate::engine::AnyVm;
use crate::explain::{address, hex};
use crate::machine::event::RefusedWhy;
use crate::machine::{Command, Event};
use crate::tr;

/// The causes of a refusal; `at` is its place among the events.
pub fn causes(question: &Question<'_>, at: usize, why: &RefusedWhy) -> Vec<Cause> {
    let l = question.language;
    let here = Target::Event(question.step, at);
    let RefusedWhy::Rule { rule, bits } = *why else {
        let text = match why {
            RefusedWhy::Slot { error } => error.to_string(),
            RefusedWhy::Map { error } => error.to_string(),
            RefusedWhy::Rule { .. } => String::new(),
        };
        return vec![Cause { text: tr!(l, "Asked of userspace: {reason}.", reason = text), target: here }];
    };
    let mut causes = Vec::new();
    if bits.0 != 0 && rule != Rule::G19 {
        let text = tr!(l, "At fault: {bits} of what was to be written.", bits = bit_list(bits.0, l));
        causes.push(Cause { text, target: here });
    }
    match rule {
        Rule::G19 => causes.extend(bad_pdpte(question)),
        Rule::G18 => {
            let width = question.before.machine().cpu.model.maxphyaddr;
            let text = tr!(l, "MAXPHYADDR is {width}: no physical address has bits from {width} on.", width = width);
            causes.push(Cause { text, target: here });
        }
        Rule::K1 => {
            let text =
                tr!(l, "KVM reads the four PDPTEs itself and fails the load where there is no memory.").to_owned();
            causes.push(Cause { text, target: here });
            causes.extend(no_slot(question, bits.0));
        }
        Rule::Q2 | Rule::Q3 | Rule::Q11 => {
            let text = tr!(l, "Only Linux 2.6.20 asks this: a processor would have carried it out.").to_owned();
            causes.push(Cause { text, target: here });
            if rule == Rule::Q3 {
                causes.extend(no_slot(question, bits.0));
            }
        }
        _ => {}
    }
    causes.extend(state(question, rule));
    causes
}

/// A control bit of a state.
type Probe = fn(&AnyVm) -> u64;

/// The register bits that make a rule count, each with its history.
fn state(question: &Question<'_>, rule: Rule) -> Vec<Cause> {
    let l = question.language;
    let pae: (&str, Probe) = ("CR4.PAE", |vm| u64::from(vm.machine().cpu.regs.cr4.contains(Cr4::PAE)));
    let lme: (&str, Probe) = ("EFER.LME", |vm| u64::from(vm.machine().cpu.regs.efer.contains(Efer::LME)));
    let lma: (&str, Probe) = ("EFER.LMA", |vm| u64::from(vm.machine().cpu.regs.efer.contains(Efer::LMA)));
    let pg: (&str, Probe) = ("CR0.PG", |vm| u64::from(vm.machine().cpu.regs.cr0.contains(Cr0::PG)));
    let wp: (&str, Probe) = ("CR0.WP", |vm| u64::from(vm.machine().cpu.regs.cr0.contains(Cr0::WP)));
    let pcide: (&str, Probe) = ("CR4.PCIDE", |vm| u64::from(vm.machine().cpu.regs.cr4.contains(Cr4::PCIDE)));
    let cet: (&str, Probe) = ("CR4.CET", |vm| u64::from(vm.machine().cpu.regs.cr4.contains(Cr4::CET)));
    let facts: &[(&str, Probe)] = match rule {
        Rule::G5 => &[lme, pae],
        Rule::G6 | Rule::G7 => &[lme],
        Rule::G8 | Rule::G12 | Rule::G13 => &[lma],
        Rule::G9 => &[pcide],
        Rule::G10 => &[cet],
        Rule::G14 => &[lma],
        Rule::G15 => &[wp],
        Rule::G16 => &[pg],
        Rule::G20 => &[pcide],
        _ => &[],
    };
    let mut causes = Vec::new();
    for (name, probe) in facts {
        let value = probe(question.before);
        let since = question.since(probe);
        let text = match since {
            super::Since::Step(step) => {
                tr!(l, "{name} is {value} since {when}.", name = name, value = value, when = question.hash(step))
            }
            _ => tr!(l, "{name} is {value}.", name = name, value = value),
        };
        let target = match since {
            super::Since::Step(step) => Target::Step(step),
            _ => Target::Step(0),
        };
        causes.push(Cause { text, target });
    }
    if rule == Rule::G14 {
        let low = question.before.machine().cpu.regs.cr3 & bits(0, 11);
        if low != 0 {
            let text = tr!(l, "Bits 11:0 of CR3 are {value}, not 0.", value = hex(low));
            let target = match question.since(|vm| vm.machine().cpu.regs.cr3 & 0xfff) {
                super::Since::Step(step) => Target::Step(step),
                _ => Target::Step(0),
            };
            causes.push(Cause { text, target });
        }
    }
    causes
}

/// The PDPTE in memory that must not be loaded, and since when it has been so.
fn bad_pdpte(question: &Question<'_>) -> Vec<Cause> {
    let l = question.language;
    let reject = question.events.iter().find_map(|event| match event {
        Event::PdpteReject { index, bits, .. } => Some((*index, bits.0)),
        _ => None,
    });
    let Some((index, bits)) = reject else { return Vec::new() };
    let machine = question.before.machine();
    let cr3 = match question.command() {
        Some(Command::MovCr3 { val, .. }) => val.0,
        _ => machine.cpu.regs.cr3,
    };
    let root = crate::arch::Mode::Pae.root(cr3, machine.cpu.model.maxphyaddr);
    let gpa = pdpte::address(root, index);
    let (list, place) = (bit_list(bits, l), address("GPA", gpa.0));
    let text = tr!(
        l,
        "PDPTE {index} in memory, at {place}, has P = 1 and reserved {bits} set.",
        index = index,
        place = place,
        bits = list
    );
    let mut causes = vec![Cause { text, target: Target::Entry(pdpte::LEVEL.0, gpa) }];
    causes.extend(said_since(question, question.since(|vm| vm.machine().memory.read(gpa, 8) & (bits | 1))));
    if question.depth > Depth::Story {
        let text = tr!(l, "All four are checked before any is loaded: the registers keep their content.").to_owned();
        causes.push(Cause { text, target: Target::Register(index) });
    }
    causes
}

/// A root without memory.
fn no_slot(question: &Question<'_>, cr3: u64) -> Vec<Cause> {
    let l = question.language;
    let gfn = crate::arch::Gpa(cr3).gfn();
    let text = tr!(l, "No memory slot holds gfn {gfn}.", gfn = hex(gfn.0));
    let mut causes = vec![Cause { text, target: Target::Page(gfn) }];
    causes.extend(said_since(question, question.since(|vm| vm.machine().slots.find(gfn).is_some())));
    causes
}
