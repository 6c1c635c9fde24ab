//! Live values: what `{{cr3}}` in a lesson's text stands for.

use crate::arch::Gpa;
use crate::arch::address::number_from_text;
use crate::engine::AnyVm;
use crate::explain;
use crate::explain::hex;
use crate::language::Language;
use crate::machine::Cost;
use crate::names::nearest;
use crate::scenario::RegName;

/// A value of the machine that a text shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// `cr0`, `cr2`, `cr3`, `cr4`, `efer`, `pkru`.
    Register(RegName),
    /// `mode`: the paging mode in force.
    Mode,
    /// `engine`: who runs the guest.
    Engine,
    /// `pdpte.1`: a PDPTE register.
    Pdpte(usize),
    /// `mem.0x3028`: an 8-byte word of memory.
    Word(Gpa),
    /// `exits.total` and every other cost key, counted from the start of the step.
    Cost(&'static str),
}

/// The registers by the names that texts use.
const REGISTERS: [(&str, RegName); 6] = [
    ("cr0", RegName::Cr0),
    ("cr2", RegName::Cr2),
    ("cr3", RegName::Cr3),
    ("cr4", RegName::Cr4),
    ("efer", RegName::Efer),
    ("pkru", RegName::Pkru),
];

impl Live {
    /// The value of that name.
    ///
    /// # Errors
    /// A sentence with the nearest known name.
    pub fn by_name(name: &str) -> Result<Self, String> {
        if let Some((_, register)) = REGISTERS.iter().find(|(known, _)| *known == name) {
            return Ok(Self::Register(*register));
        }
        if let Some(index) = name.strip_prefix("pdpte.") {
            let index = index.parse().ok().filter(|i| *i < 4);
            return index.map(Self::Pdpte).ok_or_else(|| "`pdpte.` is followed by 0 to 3".to_owned());
        }
        if let Some(address) = name.strip_prefix("mem.") {
            return number_from_text(address).map(|gpa| Self::Word(Gpa(gpa)));
        }
        let costs = Cost::default().entries().map(|(key, _)| key);
        match name {
            "mode" => Ok(Self::Mode),
            "engine" => Ok(Self::Engine),
            _ => costs.into_iter().find(|key| *key == name).map(Self::Cost).ok_or_else(|| {
                let plain = REGISTERS.into_iter().map(|(known, _)| known);
                let rest = ["mode", "engine", "pdpte.0", "mem.0x3028"];
                nearest("live value", name, plain.chain(rest).chain(costs))
            }),
        }
    }

    /// What it is in this state.
    #[must_use]
    pub fn value(self, vm: &AnyVm, language: Language) -> String {
        let machine = vm.machine();
        match self {
            Self::Register(register) => hex(register.read(machine)),
            Self::Mode => explain::mode(machine.cpu.mode(), language).to_owned(),
            Self::Engine => vm.engine().id().to_owned(),
            Self::Pdpte(index) => hex(machine.cpu.pdptes[index]),
            Self::Word(gpa) => hex(machine.memory.read(gpa, 8)),
            Self::Cost(key) => machine.cost.get(key).unwrap_or(0).to_string(),
        }
    }
}
