//! What a flipped bit would do: tried on a copy of the machine, never on the machine itself.

use crate::arch::address::Num;
use crate::arch::fault::Vector;
use crate::arch::{Fault, Gpa};
use crate::engine::{AnyVm, Outcome, Quiet};
use crate::explain::address;
use crate::language::Language;
use crate::machine::Command;
use crate::machine::command::Size;
use crate::tr;

/// What comes of an access after a store to an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The access ends as before.
    Same,
    /// It reaches another address.
    OtherFrame(Gpa),
    /// It succeeds, which it did not before.
    Succeeds(Gpa),
    /// It raises an exception, or another one than before.
    Faults(Fault),
    /// The registers keep their content; the next load of them is refused.
    RefusedAtNextLoad,
    /// The registers keep their content; this is what the access does after a load.
    AfterLoad(Box<Consequence>),
}

impl Consequence {
    /// One line: `no change`, `other frame 0x0003c`, `#PF 0x4`, `#GP at next load`.
    #[must_use]
    pub fn words(&self, language: Language) -> String {
        match self {
            Self::Same => tr!(language, "no change").to_owned(),
            Self::OtherFrame(gpa) => tr!(language, "other frame: {place}", place = address("GPA", gpa.0)),
            Self::Succeeds(gpa) => {
                tr!(language, "the access succeeds: {place}", place = address("GPA", gpa.0))
            }
            Self::Faults(fault) if fault.vector == Vector::PageFault => format!("#PF 0x{:x}", fault.code.bits()),
            Self::Faults(fault) => format!("#{}", fault.vector.name()),
            Self::RefusedAtNextLoad => tr!(language, "no change now, #GP at next load").to_owned(),
            Self::AfterLoad(then) => {
                tr!(language, "no change now; after MOV CR3: {then}", then = then.words(language))
            }
        }
    }

    /// Whether the access fails because of it, now or after a load.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        match self {
            Self::Faults(_) | Self::RefusedAtNextLoad => true,
            Self::AfterLoad(then) => then.is_bad(),
            _ => false,
        }
    }
}

/// Stores `value` at `gpa` in a copy, invalidates the address and makes the access. For a PDPTE of
/// PAE paging also says what happens at the next load of the registers.
#[must_use]
pub fn consequence(vm: &AnyVm, access: &Command, gpa: Gpa, value: u64, size: Size, pdpte: bool) -> Consequence {
    let Some((va, _)) = access.access() else { return Consequence::Same };
    let invlpg = Command::Invlpg { va };
    let outcome_in = |vm: &AnyVm| {
        let mut vm = vm.clone();
        vm.execute(&invlpg, &mut Quiet);
        vm.execute(access, &mut Quiet)
    };
    let before = outcome_in(vm);
    let mut changed = vm.clone();
    changed.execute(&Command::Poke { pa: gpa, val: Num(value), size }, &mut Quiet);
    let now = compare(&before, &outcome_in(&changed));
    if !pdpte {
        return now;
    }
    let cr3 = Num(changed.machine().cpu.regs.cr3);
    match changed.execute(&Command::MovCr3 { val: cr3, compat: false }, &mut Quiet) {
        Outcome::Refused(_) => Consequence::RefusedAtNextLoad,
        _ => match compare(&before, &outcome_in(&changed)) {
            Consequence::Same => now,
            then => Consequence::AfterLoad(Box::new(then)),
        },
    }
}

fn compare(before: &Outcome, after: &Outcome) -> Consequence {
    let reached = |outcome: &Outcome| match outcome {
        Outcome::Translated(found) | Outcome::Loaded(found, _) => Some(found.gpa),
        _ => None,
    };
    match (reached(before), reached(after), after) {
        _ if before == after => Consequence::Same,
        (Some(old), Some(new), _) if old == new => Consequence::Same,
        (Some(_), Some(new), _) => Consequence::OtherFrame(new),
        (None, Some(new), _) => Consequence::Succeeds(new),
        (_, None, Outcome::Faulted(fault)) => Consequence::Faults(*fault),
        _ => Consequence::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{AccessKind, Gva};
    use crate::scenario::{Scenario, Session};

    fn vm() -> AnyVm {
        let json = include_str!("../../../assets/scenarios/the-register-remembers.json");
        let scenario = Scenario::from_json("the-register-remembers", json).expect("the file is a scenario");
        Session::open_on(scenario, crate::engine::EngineName::Native, crate::machine::Caches::default())
            .expect("it can be started")
            .lab
            .vm()
            .clone()
    }

    fn flip(gpa: u64, value: u64, pdpte: bool) -> String {
        let access =
            Command::Access { va: Gva(0x4120_1abc), kind: AccessKind::Read, user: true, ac: false, stack: false };
        consequence(&vm(), &access, Gpa(gpa), value, Size::WORD, pdpte).words(Language::En)
    }

    #[test]
    fn bits_of_a_pte() {
        assert_eq!(flip(0x7008, 0x2b006, false), "#PF 0x4");
        assert_eq!(flip(0x7008, 0x2b003, false), "#PF 0x5");
        assert_eq!(flip(0x7008, 0x2b005, false), "no change");
        assert_eq!(flip(0x7008, 0x2a007, false), "other frame: GPA 0x2_aabc");
    }

    #[test]
    fn bits_of_a_pdpte_count_at_the_next_load() {
        assert_eq!(flip(0x3028, 0x6003, true), "no change now, #GP at next load");
        assert_eq!(flip(0x3028, 0x6000, true), "no change now; after MOV CR3: #PF 0x4");
        assert_eq!(flip(0x3028, 0x6009, true), "no change");
    }
}
