//! Predicates: questions about a machine and its past, answered without touching it.

use serde::{Deserialize, Serialize};

use super::step::{Want, WantedException};
use crate::arch::address::Num;
use crate::arch::walk::TableMemory;
use crate::arch::{AccessKind, Gfn, Gpa, Gva, entry};
use crate::engine::{AnyVm, Outcome, Quiet};
use crate::machine::{Command, Cost, Machine};
use crate::names::nearest;

use super::run::{Happened, outcome_matches};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// A register has a value.
    Register(RegName, u64),
    /// A PDPTE register differs (or not) from memory.
    PdpteStale(usize, bool),
    /// A PDPTE register has a value.
    PdpteRegister(usize, u64),
    /// An access would end like this, tried on a copy.
    Access(Command, Want),
    /// An entry has all of one set of bits and none of another.
    Entry {
        /// The table's first byte.
        table: Gpa,
        /// Index in it.
        index: u64,
        /// Bits that must be 1.
        has: u64,
        /// Bits that must be 0.
        lacks: u64,
    },
    /// An aligned word of memory has a value.
    Memory(Gpa, u64),
    /// There are shadow pages like this.
    Shadow(ShadowQuestion),
    /// The TLB holds a translation for an address (or not).
    Tlb(Gva, bool),
    /// A counter is in a range.
    Cost(&'static str, Range),
    /// An event happened so often since the start.
    Happened {
        /// The event's name.
        event: String,
        /// Its cause, if asked for.
        cause: Option<String>,
        /// How often.
        times: Range,
    },
    /// All hold.
    All(Vec<Predicate>),
    /// At least one holds.
    Any(Vec<Predicate>),
    /// It does not hold.
    Not(Box<Predicate>),
}

/// A register by its name in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the registers' own names")]
pub enum RegName {
    Cr0,
    Cr2,
    Cr3,
    Cr4,
    Efer,
    Pkru,
}

impl RegName {
    /// Its value.
    #[must_use]
    pub fn read(self, machine: &Machine) -> u64 {
        let cpu = &machine.cpu;
        match self {
            Self::Cr0 => cpu.regs.cr0.bits(),
            Self::Cr2 => cpu.cr2.0,
            Self::Cr3 => cpu.regs.cr3,
            Self::Cr4 => cpu.regs.cr4.bits(),
            Self::Efer => cpu.regs.efer.bits(),
            Self::Pkru => u64::from(cpu.pkru),
        }
    }
}

/// What is asked about the shadow pages of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowQuestion {
    /// The guest frame.
    pub gfn: Gfn,
    /// Their level, if asked for.
    pub level: Option<u8>,
    /// How many there are.
    pub count: Option<u64>,
    /// Whether one is out of sync.
    pub unsync: Option<bool>,
    /// Whether the frame is write-protected.
    pub write_protected: Option<bool>,
}

/// A range of counts, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub least: u64,
    /// The most.
    pub most: u64,
}

impl Range {
    const fn contains(self, value: u64) -> bool {
        self.least <= value && value <= self.most
    }
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    va: Gva,
    kind: AccessKind,
    #[serde(default)]
    user: bool,
    #[serde(default)]
    ac: bool,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    table: Gpa,
    index: Num,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawShadow {
    gfn: Gfn,
    level: Option<u8>,
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawTlb {
    va: Gva,
}

#[derive(Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Predicate")]
struct RawPredicate {
    reg: Option<RegName>,
    is: Option<Num>,
    pdpte: Option<Num>,
    stale: Option<bool>,
    register: Option<Num>,
    access: Option<RawAccess>,
    gives: Option<Want>,
    entry: Option<RawEntry>,
    has: Option<Vec<String>>,
    lacks: Option<Vec<String>>,
    mem: Option<Gpa>,
    shadow: Option<RawShadow>,
    count: Option<Num>,
    unsync: Option<bool>,
    write_protected: Option<bool>,
    tlb: Option<RawTlb>,
    present: Option<bool>,
    cost: Option<String>,
    at_most: Option<Num>,
    at_least: Option<Num>,
    happened: Option<String>,
    cause: Option<String>,
    all: Option<Vec<Predicate>>,
    any: Option<Vec<Predicate>>,
    not: Option<Box<Predicate>>,
}

/// Entry bits by their names in predicates.
pub(super) const ENTRY_FLAGS: [(&str, u64); 12] = [
    ("p", entry::P),
    ("rw", entry::RW),
    ("us", entry::US),
    ("pwt", entry::PWT),
    ("pcd", entry::PCD),
    ("a", entry::A),
    ("d", entry::D),
    ("ps", entry::PS),
    ("pat", entry::PAT),
    ("g", entry::G),
    ("nx", entry::XD),
    ("xd", entry::XD),
];

fn entry_flags(names: Option<Vec<String>>) -> Result<u64, String> {
    names.into_iter().flatten().try_fold(0, |bits, name| {
        let known = ENTRY_FLAGS.iter().find(|(flag, _)| *flag == name);
        let (_, bit) = known.ok_or_else(|| nearest("flag", &name, ENTRY_FLAGS.iter().map(|(flag, _)| *flag)))?;
        Ok(bits | bit)
    })
}

/// What a predicate may ask about: exactly one of these fields says which kind it is.
const SUBJECTS: &str = "reg, pdpte, access, entry, mem, shadow, tlb, cost, happened, all, any, not";

/// Event names that `happened` knows.
const EVENTS: [&str; 38] = [
    "walk_read",
    "set_accessed",
    "set_dirty",
    "translated",
    "fault",
    "refused",
    "register",
    "pdpte_load",
    "pdpte_reject",
    "tlb_hit",
    "tlb_fill",
    "tlb_flush",
    "psc_hit",
    "store",
    "load",
    "memslot",
    "dirty_log",
    "vm_exit",
    "inject",
    "shadow_new",
    "shadow_hit",
    "shadow_zap",
    "shadow_pin",
    "shadow_unpin",
    "spte_set",
    "spte_clear",
    "write_protect",
    "write_unprotect",
    "rmap_add",
    "rmap_remove",
    "emulate",
    "flood",
    "unsync",
    "sync",
    "reclaim",
    "nested_read",
    "shadow_read",
    "audit_failed",
];

impl RawPredicate {
    fn subjects(&self) -> usize {
        let present = [
            self.reg.is_some(),
            self.pdpte.is_some(),
            self.access.is_some(),
            self.entry.is_some(),
            self.mem.is_some(),
            self.shadow.is_some(),
            self.tlb.is_some(),
            self.cost.is_some(),
            self.happened.is_some(),
            self.all.is_some(),
            self.any.is_some(),
            self.not.is_some(),
        ];
        present.into_iter().filter(|p| *p).count()
    }

    /// The range that `is`, `at_least` and `at_most` describe; at least once where none is given.
    fn range(&self) -> Range {
        let least = self.is.or(self.at_least).map(|n| n.0);
        let most = self.is.or(self.at_most).map(|n| n.0);
        let default_least = u64::from(most.is_none());
        Range { least: least.unwrap_or(default_least), most: most.unwrap_or(u64::MAX) }
    }

    fn need_is(&self, what: &str) -> Result<u64, String> {
        self.is.map(|n| n.0).ok_or_else(|| format!("a predicate on `{what}` needs the field `is`"))
    }

    fn into_predicate(mut self) -> Result<Predicate, String> {
        if self.subjects() != 1 {
            return Err(format!("a predicate asks about exactly one of {SUBJECTS}"));
        }
        if let Some(reg) = self.reg {
            return Ok(Predicate::Register(reg, self.need_is("reg")?));
        }
        if let Some(Num(index)) = self.pdpte {
            let index = usize::try_from(index).ok().filter(|i| *i < 4).ok_or("`pdpte` is 0 to 3")?;
            return match (self.stale, self.register) {
                (Some(stale), None) => Ok(Predicate::PdpteStale(index, stale)),
                (None, Some(value)) => Ok(Predicate::PdpteRegister(index, value.0)),
                _ => Err("a predicate on `pdpte` needs `stale` or `register`".to_owned()),
            };
        }
        if let Some(RawAccess { va, kind, user, ac }) = self.access {
            let gives = self.gives.ok_or("a predicate on `access` needs the field `gives`")?;
            return Ok(Predicate::Access(Command::Access { va, kind, user, ac, stack: false }, gives));
        }
        if let Some(RawEntry { table, index }) = self.entry {
            let (has, lacks) = (entry_flags(self.has)?, entry_flags(self.lacks)?);
            return Ok(Predicate::Entry { table, index: index.0 & 0x3ff, has, lacks });
        }
        if let Some(gpa) = self.mem {
            return Ok(Predicate::Memory(gpa, self.need_is("mem")?));
        }
        if let Some(RawShadow { gfn, level }) = self.shadow {
            let count = self.count.map(|n| n.0);
            let (unsync, write_protected) = (self.unsync, self.write_protected);
            return Ok(Predicate::Shadow(ShadowQuestion { gfn, level, count, unsync, write_protected }));
        }
        if let Some(RawTlb { va }) = self.tlb {
            return Ok(Predicate::Tlb(va, self.present.unwrap_or(true)));
        }
        if let Some(key) = &self.cost {
            let keys = Cost::default().entries().map(|(k, _)| k);
            let known = keys.into_iter().find(|k| k == key);
            let known = known.ok_or_else(|| nearest("cost key", key, keys.into_iter()))?;
            return Ok(Predicate::Cost(known, self.range()));
        }
        let times = self.range();
        if let Some(event) = self.happened {
            if !EVENTS.contains(&event.as_str()) {
                return Err(nearest("event", &event, EVENTS.into_iter()));
            }
            return Ok(Predicate::Happened { event, cause: self.cause, times });
        }
        Ok(match (self.all.take(), self.any.take(), self.not.take()) {
            (Some(all), ..) => Predicate::All(all),
            (_, Some(any), _) => Predicate::Any(any),
            (.., Some(not)) => Predicate::Not(not),
            _ => return Err(format!("a predicate asks about one of {SUBJECTS}")),
        })
    }
}

impl<'de> Deserialize<'de> for Predicate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawPredicate::deserialize(deserializer)?.into_predicate().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Predicate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        RawPredicate::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        RawPredicate::json_schema(generator)
    }
}

impl Predicate {
    /// Whether it counts events since the start.
    #[must_use]
    pub fn counts_events(&self) -> bool {
        match self {
            Self::Happened { .. } => true,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::counts_events),
            Self::Not(part) => part.counts_events(),
            _ => false,
        }
    }

    /// Whether it holds in this state, after what has happened.
    #[must_use]
    pub fn holds(&self, vm: &AnyVm, happened: &Happened) -> bool {
        self.judge(vm, happened).is_ok()
    }

    /// As [`Predicate::holds`]; where it does not, what was found instead.
    ///
    /// # Errors
    /// A short text such as `cr3 is 0x5000`.
    pub fn judge(&self, vm: &AnyVm, happened: &Happened) -> Result<(), String> {
        let machine = vm.machine();
        let check = |holds: bool, found: String| if holds { Ok(()) } else { Err(found) };
        match self {
            Self::Register(reg, wanted) => {
                let got = reg.read(machine);
                check(got == *wanted, format!("{reg:?} is {got:#x}, wanted {wanted:#x}").to_lowercase())
            }
            Self::PdpteStale(index, wanted) => {
                let stale = machine.pdpte_is_stale(*index);
                check(stale == *wanted, format!("pdpte {index} is {}", if stale { "stale" } else { "fresh" }))
            }
            Self::PdpteRegister(index, wanted) => {
                let got = machine.cpu.pdptes[*index];
                check(got == *wanted, format!("pdpte register {index} is {got:#x}, wanted {wanted:#x}"))
            }
            Self::Access(command, gives) => {
                let mut copy = vm.clone();
                let outcome = copy.execute(command, &mut Quiet);
                outcome_matches(&outcome, gives, copy.machine())
                    .map_err(|got| format!("the access gives {got}, wanted {gives}"))
            }
            Self::Entry { table, index, has, lacks } => {
                let shift = machine.cpu.mode().entry_shift();
                let value = machine.memory.read_entry(table.offset(index << shift), shift);
                let holds = value & has == *has && value & lacks == 0;
                check(holds, format!("entry {index} of the table at {:#x} is {value:#x}", table.0))
            }
            Self::Memory(gpa, wanted) => {
                let got = machine.memory.read(*gpa, 8);
                check(got == *wanted, format!("the word at {:#x} is {got:#x}, wanted {wanted:#x}", gpa.0))
            }
            Self::Shadow(question) => judge_shadow(question, vm),
            Self::Tlb(va, wanted) => {
                let present = machine.tlb_lookup(machine.cpu.mode().linear(*va)).is_some();
                let found = if present { "holds" } else { "does not hold" };
                check(present == *wanted, format!("the TLB {found} a translation for {:#x}", va.0))
            }
            Self::Cost(key, range) => {
                let got = machine.cost.get(key).unwrap_or(0);
                check(range.contains(got), format!("{key} is {got}"))
            }
            Self::Happened { event, cause, times } => {
                let got = happened.count(event, cause.as_deref());
                check(times.contains(got), format!("{event} happened {got} times"))
            }
            Self::All(all) => all.iter().try_for_each(|p| p.judge(vm, happened)),
            Self::Any(any) => {
                let found: Result<Vec<String>, ()> =
                    any.iter().map(|p| p.judge(vm, happened).err().ok_or(())).collect();
                found.map_or(Ok(()), |found| Err(found.join("; ")))
            }
            Self::Not(not) => check(!not.holds(vm, happened), "what must not hold does hold".to_owned()),
        }
    }
}

fn judge_shadow(question: &ShadowQuestion, vm: &AnyVm) -> Result<(), String> {
    let facts = vm.shadow_facts(question.gfn, question.level);
    let holds = question.count.is_none_or(|count| count == facts.count)
        && question.unsync.is_none_or(|unsync| unsync == facts.unsync)
        && question.write_protected.is_none_or(|protected| protected == facts.write_protected);
    if holds {
        return Ok(());
    }
    let not = |fact: bool| if fact { "" } else { "not " };
    Err(format!(
        "gfn {:#x} has {} shadow pages, is {}out of sync and {}write-protected",
        question.gfn.0,
        facts.count,
        not(facts.unsync),
        not(facts.write_protected)
    ))
}

impl Want {
    /// What an access ended in, in the terms of files.
    #[must_use]
    pub fn of(outcome: &Outcome, machine: &Machine) -> Self {
        match outcome {
            Outcome::Translated(found) | Outcome::Loaded(found, _) => Self { pa: Some(found.gpa), ..Self::default() },
            Outcome::Faulted(fault) => {
                use crate::arch::fault::Vector;
                let (exc, cr2) = match fault.vector {
                    Vector::PageFault => (WantedException::PageFault, Some(machine.cpu.cr2)),
                    Vector::GeneralProtection => (WantedException::GeneralProtection, None),
                    Vector::StackFault => (WantedException::StackFault, None),
                };
                Self { pa: None, exc: Some(exc), err: Some(Num(u64::from(fault.code.bits()))), cr2 }
            }
            Outcome::Done => Self::default(),
            Outcome::Refused(refusal) => {
                let undefined = refusal.rule == crate::arch::Rule::Undefined;
                let exc = if undefined { WantedException::Undefined } else { WantedException::GeneralProtection };
                Self { exc: Some(exc), err: (!undefined).then_some(Num(0)), ..Self::default() }
            }
            Outcome::SlotRefused(_) | Outcome::MapRefused(_) => {
                Self { exc: Some(WantedException::GeneralProtection), err: None, ..Self::default() }
            }
        }
    }
}
