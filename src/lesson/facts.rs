//! What is so now, in words: the other half of "what is still missing".

use crate::arch::Gfn;
use crate::arch::walk::TableMemory;
use crate::engine::{AnyVm, Quiet};
use crate::explain::{error_code_bits, hex};
use crate::machine::Command;
use crate::scenario::{Happened, Predicate, Want};

/// Chooses a sentence by language.
macro_rules! say {
    ($language:expr, $english:literal, $chinese:literal $(, $value:expr)* $(,)?) => {
        if $language == "zh" { format!($chinese $(, $value)*) } else { format!($english $(, $value)*) }
    };
}

/// What a predicate asks about, as it stands.
pub(super) fn now(predicate: &Predicate, vm: &AnyVm, happened: &Happened, language: &str) -> String {
    let machine = vm.machine();
    match predicate {
        Predicate::Register(register, _) => {
            let name = format!("{register:?}").to_uppercase();
            say!(language, "{} is {}", "{} 现在是 {}", name, hex(register.read(machine)))
        }
        Predicate::PdpteStale(index, _) => {
            let register = hex(machine.cpu.pdptes[*index]);
            let memory = hex(machine.pdptes_in_memory()[*index]);
            say!(
                language,
                "PDPTE {}: the register holds {}, memory {}",
                "PDPTE {}：寄存器里是 {}，内存里是 {}",
                index,
                register,
                memory
            )
        }
        Predicate::PdpteRegister(index, _) => {
            let value = hex(machine.cpu.pdptes[*index]);
            say!(language, "PDPTE register {} holds {}", "PDPTE 寄存器 {} 现在是 {}", index, value)
        }
        Predicate::Access(command, _) => {
            let mut copy = vm.clone();
            let outcome = copy.execute(command, &mut Quiet);
            access(command, &Want::of(&outcome, copy.machine()), language)
        }
        Predicate::Entry { table, index, .. } => {
            let shift = machine.cpu.mode().entry_shift();
            let value = machine.memory.read_entry(table.offset(index << shift), shift);
            say!(
                language,
                "entry {} of the table at {} is {}",
                "{1} 处的表，第 {0} 项现在是 {2}",
                index,
                hex(table.0),
                hex(value)
            )
        }
        Predicate::Memory(gpa, _) => {
            let value = hex(machine.memory.read(*gpa, 8));
            say!(language, "the word at {} is {}", "{} 处的 8 字节现在是 {}", hex(gpa.0), value)
        }
        Predicate::Shadow(question) => shadow(question.gfn, question.level, vm, language),
        Predicate::Tlb(va, _) => {
            let cached = machine.tlb_lookup(machine.cpu.mode().linear(*va)).is_some();
            let va = hex(va.0);
            if cached {
                say!(language, "the TLB holds a translation for {}", "TLB 里有 {} 的转换", va)
            } else {
                say!(language, "the TLB holds no translation for {}", "TLB 里没有 {} 的转换", va)
            }
        }
        Predicate::Cost(key, _) => {
            let value = machine.cost.get(key).unwrap_or(0);
            say!(language, "{} is {} since this step began", "这一步里 {} 到现在是 {}", key, value)
        }
        Predicate::Happened { event, cause, .. } => {
            let times = happened.count(event, cause.as_deref());
            let event = cause.as_ref().map_or_else(|| event.clone(), |cause| format!("{event} ({cause})"));
            say!(language, "{} happened {} times since this step began", "这一步里 {} 到现在发生了 {} 次", event, times)
        }
        Predicate::All(parts) | Predicate::Any(parts) => {
            let open = parts.iter().filter(|part| !part.holds(vm, happened));
            let found: Vec<String> = open.map(|part| now(part, vm, happened, language)).collect();
            found.join(if language == "zh" { "；" } else { "; " })
        }
        Predicate::Not(inner) => now(inner, vm, happened, language),
    }
}

fn access(command: &Command, got: &Want, language: &str) -> String {
    let (va, who) = match command {
        Command::Access { va, kind, user, .. } => {
            use crate::arch::AccessKind::{Fetch, Read, Write};
            let english = match kind {
                Read => "read",
                Write => "write",
                Fetch => "fetch",
            };
            let chinese = match kind {
                Read => "读",
                Write => "写",
                Fetch => "取指",
            };
            let mode = match (language, user) {
                ("zh", true) => "用户态",
                ("zh", false) => "内核态",
                (_, true) => "user ",
                (_, false) => "kernel ",
            };
            (hex(va.0), format!("{mode}{}", if language == "zh" { chinese } else { english }))
        }
        other => (String::new(), other.op().to_owned()),
    };
    match (got.exc, got.pa) {
        (Some(exc), _) => {
            let code = got.err.map_or(0, |err| err.0);
            let bits = error_code_bits(code);
            say!(
                language,
                "a {} of {} now raises #{} with error code {:#x} ({})",
                "现在{} {} 会产生 #{}，错误码 {:#x}（{}）",
                who,
                va,
                exc.name(),
                code,
                bits
            )
        }
        (None, pa) => {
            let pa = hex(pa.map_or(0, |pa| pa.0));
            say!(language, "a {} of {} now reaches {}", "现在{} {} 会到达 {}", who, va, pa)
        }
    }
}

fn shadow(gfn: Gfn, level: Option<u8>, vm: &AnyVm, language: &str) -> String {
    let facts = vm.shadow_facts(gfn, level);
    let gfn = hex(gfn.0);
    match (language, facts.write_protected, facts.unsync) {
        ("zh", protected, unsync) => format!(
            "gfn {gfn} 有 {} 个影子页，{}写保护，{}",
            facts.count,
            if protected { "受" } else { "没有" },
            if unsync { "未同步" } else { "没有未同步的" }
        ),
        (_, protected, unsync) => format!(
            "gfn {gfn} has {} shadow pages, is {}write-protected and {}",
            facts.count,
            if protected { "" } else { "not " },
            if unsync { "out of sync" } else { "not out of sync" }
        ),
    }
}
