//! What an old bug, switched on, changed about a command: the command is given once more without it.

use super::words::error_code_bits;
use super::{Cause, Question, Target};
use crate::engine::{AnyVm, Outcome, Switches};
use crate::explain::hex;
use crate::language::Language;
use crate::machine::{Command, Event};
use crate::tr;

/// One cause for each switch without which the command would have gone otherwise.
pub fn causes(question: &Question<'_>, command: &Command) -> Vec<Cause> {
    let l = question.language;
    let on = question.before.config().switches;
    if on.is_empty() {
        return Vec::new();
    }
    let (with, seen) = give(question.before, command);
    let mut causes = Vec::new();
    for switch in on.listed() {
        let (without, other) = give(&without(question.before, switch.flag), command);
        if with == without && seen == other {
            continue;
        }
        let name = l.tr(switch.meaning);
        let text = if with == without {
            tr!(l, "Switched on: {quirk}. Without it the command would do something else inside.", quirk = name)
        } else {
            tr!(
                l,
                "Switched on: {quirk}. Without it the command would end otherwise: {outcome}.",
                quirk = name,
                outcome = ending(&without, l)
            )
        };
        causes.push(Cause { text, target: Target::Step(question.step) });
    }
    causes
}

fn give(vm: &AnyVm, command: &Command) -> (Outcome, Vec<Event>) {
    let mut events = Vec::new();
    let outcome = vm.clone().execute(command, &mut events);
    (outcome, events)
}

fn without(vm: &AnyVm, flag: Switches) -> AnyVm {
    let mut vm = vm.clone();
    match &mut vm {
        AnyVm::Native(_) => {}
        AnyVm::Shadow(vm) => vm.engine.policy.switches.remove(flag),
        AnyVm::TwoDim(vm) => vm.engine.switches.remove(flag),
    }
    vm
}

/// An outcome in a few words.
fn ending(outcome: &Outcome, l: Language) -> String {
    match outcome {
        Outcome::Translated(found) | Outcome::Loaded(found, _) => {
            tr!(l, "it reaches GPA {gpa}", gpa = hex(found.gpa.0))
        }
        Outcome::Faulted(fault) => {
            let bits = error_code_bits(u64::from(fault.code.bits()), l);
            tr!(
                l,
                "#{vector}, error code {code} ({bits})",
                vector = fault.vector.name(),
                code = format!("{:#x}", fault.code.bits()),
                bits = bits
            )
        }
        Outcome::Done => tr!(l, "it is carried out").to_owned(),
        Outcome::Refused(_) | Outcome::SlotRefused(_) | Outcome::MapRefused(_) => tr!(l, "it is refused").to_owned(),
    }
}
