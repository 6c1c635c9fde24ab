//! What is so now, in words: the other half of "what is still missing".

use crate::arch::Gfn;
use crate::arch::walk::TableMemory;
use crate::engine::{AnyVm, Quiet};
use crate::explain::{access_words, error_code_bits, hex};
use crate::language::Language;
use crate::machine::Command;
use crate::scenario::{Happened, Predicate, Want};
use crate::tr;

/// What a predicate asks about, as it stands.
pub(super) fn now(predicate: &Predicate, vm: &AnyVm, happened: &Happened, language: Language) -> String {
    let machine = vm.machine();
    match predicate {
        Predicate::Register(register, _) => {
            let name = format!("{register:?}").to_uppercase();
            tr!(language, "{what} is {value}", what = name, value = hex(register.read(machine)))
        }
        Predicate::PdpteStale(index, _) => {
            let register = hex(machine.cpu.pdptes[*index]);
            let memory = hex(machine.pdptes_in_memory()[*index]);
            tr!(
                language,
                "PDPTE {index}: the register holds {register}, memory {memory}",
                index = index,
                register = register,
                memory = memory
            )
        }
        Predicate::PdpteRegister(index, _) => {
            let value = hex(machine.cpu.pdptes[*index]);
            tr!(language, "PDPTE register {index} holds {value}", index = index, value = value)
        }
        Predicate::Access(command, _) => {
            let mut copy = vm.clone();
            let outcome = copy.execute(command, &mut Quiet);
            access(command, &Want::of(&outcome, copy.machine()), language)
        }
        Predicate::Entry { table, index, .. } => {
            let shift = machine.cpu.mode().entry_shift();
            let value = machine.memory.read_entry(table.offset(index << shift), shift);
            let (table, value) = (hex(table.0), hex(value));
            tr!(
                language,
                "entry {index} of the table at {table} is {value}",
                index = index,
                table = table,
                value = value
            )
        }
        Predicate::Memory(gpa, _) => {
            let value = hex(machine.memory.read(*gpa, 8));
            tr!(language, "the word at {place} is {value}", place = hex(gpa.0), value = value)
        }
        Predicate::Shadow(question) => shadow(question.gfn, question.level, vm, language),
        Predicate::Tlb(va, _) => {
            let cached = machine.tlb_lookup(machine.cpu.mode().linear(*va)).is_some();
            let va = hex(va.0);
            if cached {
                tr!(language, "the TLB holds a translation for {address}", address = va)
            } else {
                tr!(language, "the TLB holds no translation for {address}", address = va)
            }
        }
        Predicate::Cost(key, _) => {
            let value = machine.cost.get(key).unwrap_or(0);
            tr!(language, "{what} is {value} since this step began", what = key, value = value)
        }
        Predicate::Happened { event, cause, .. } => {
            let times = happened.count(event, cause.as_deref());
            let event = cause.as_ref().map_or_else(|| event.clone(), |cause| format!("{event} ({cause})"));
            tr!(language, "{event} happened {times} times since this step began", event = event, times = times)
        }
        Predicate::All(parts) | Predicate::Any(parts) => {
            let open = parts.iter().filter(|part| !part.holds(vm, happened));
            let found: Vec<String> = open.map(|part| now(part, vm, happened, language)).collect();
            found.join(tr!(language, "; "))
        }
        Predicate::Not(inner) => now(inner, vm, happened, language),
    }
}

fn access(command: &Command, got: &Want, language: Language) -> String {
    let (va, who) = match command {
        Command::Access { va, kind, user, .. } => (hex(va.0), access_words(*kind, *user, language)),
        other => (String::new(), other.op()),
    };
    match (got.exc, got.pa) {
        (Some(exc), _) => {
            let code = got.err.map_or(0, |err| err.0);
            tr!(
                language,
                "a {access} of {address} raises #{exception} with error code {code} ({bits})",
                access = who,
                address = va,
                exception = exc.name(),
                code = format!("{code:#x}"),
                bits = error_code_bits(code, language)
            )
        }
        (None, pa) => {
            let pa = hex(pa.map_or(0, |pa| pa.0));
            tr!(language, "a {access} of {address} reaches {place}", access = who, address = va, place = pa)
        }
    }
}

fn shadow(gfn: Gfn, level: Option<u8>, vm: &AnyVm, language: Language) -> String {
    let facts = vm.shadow_facts(gfn, level);
    let pages = match facts.count {
        1 => tr!(language, "1 shadow page").to_owned(),
        count => tr!(language, "{count} shadow pages", count = count),
    };
    let protected = match facts.write_protected {
        true => tr!(language, "write-protected"),
        false => tr!(language, "not write-protected"),
    };
    let unsync = match facts.unsync {
        true => tr!(language, "out of sync"),
        false => tr!(language, "not out of sync"),
    };
    tr!(
        language,
        "gfn {gfn} has {pages}, is {protected} and {unsync}",
        gfn = hex(gfn.0),
        pages = pages,
        protected = protected,
        unsync = unsync
    )
}
