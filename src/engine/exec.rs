//! Carrying out a command: what the architecture decides for every engine.

use super::{ControlAttempt, ControlWrite, Engine, Outcome, Sink, Switches, Translation, Vm, quirks};
use crate::arch::address::{Num, PAGE_SIZE};
use crate::arch::control::{self, Change, Refusal, Rule};
use crate::arch::fault::Vector;
use crate::arch::invalidate::Scope;
use crate::arch::pdpte::{self, LoadCause, Pdptes};
use crate::arch::walk::TableMemory;
use crate::arch::{Access, ControlRegs, Fault, Gpa, Gva, Mode};
use crate::machine::command::{Command, SlotAction};
use crate::machine::event::{Event, FlushCause, RefusedWhy, RegisterName, StoreBy};
use crate::machine::mapper;
use crate::machine::slots::SlotError;

/// Carries out one command.
#[inline]
pub fn execute<E: Engine, S: Sink>(vm: &mut Vm<E>, command: &Command, sink: &mut S) -> Outcome {
    if let Some((va, access)) = command.access() {
        return match *command {
            Command::Write { val, size, .. } => store_data(vm, va, &access, size.bytes(), val.0, sink),
            Command::Read { size, .. } => load_data(vm, va, &access, size.bytes(), sink),
            _ => access_once(vm, va, &access, sink),
        };
    }
    execute_other(vm, command, sink)
}

/// An access of one byte. A write stores what is there already, which only a hypervisor notices.
#[inline]
fn access_once<E: Engine, S: Sink>(vm: &mut Vm<E>, va: Gva, access: &Access, sink: &mut S) -> Outcome {
    match translate(vm, va, access, sink) {
        Ok(found) => {
            if found.emulated {
                let value = vm.machine.memory.read(found.gpa, 1);
                E::emulated_store(vm, found.gpa, 1, value, sink);
            }
            Outcome::Translated(found)
        }
        Err(fault) => Outcome::Faulted(fault),
    }
}

fn execute_other<E: Engine, S: Sink>(vm: &mut Vm<E>, command: &Command, sink: &mut S) -> Outcome {
    let cpu = &vm.machine.cpu;
    let (model, regs) = (cpu.model, cpu.regs);
    match *command {
        Command::MovCr0 { val, compat } => {
            let execution = cpu.kernel_execution(compat);
            let change = control::mov_cr0(&regs, &execution, val.0);
            let value = control::operand(val.0, &regs, &execution);
            let attempt = ControlAttempt { name: RegisterName::Cr0, value };
            write_register(vm, change, attempt, LoadCause::MovCr0, FlushCause::MovCr0, sink)
        }
        Command::MovCr3 { val, compat } => {
            let execution = cpu.kernel_execution(compat);
            let change = control::mov_cr3(&model, &regs, &execution, val.0);
            let value = control::operand(val.0, &regs, &execution);
            let attempt = ControlAttempt { name: RegisterName::Cr3, value };
            write_register(vm, change, attempt, LoadCause::MovCr3, FlushCause::MovCr3, sink)
        }
        Command::MovCr4 { val, compat } => {
            let execution = cpu.kernel_execution(compat);
            let change = control::mov_cr4(&model, &regs, &execution, val.0);
            let value = control::operand(val.0, &regs, &execution);
            let attempt = ControlAttempt { name: RegisterName::Cr4, value };
            write_register(vm, change, attempt, LoadCause::MovCr4, FlushCause::MovCr4, sink)
        }
        Command::WrmsrEfer { val, compat } => {
            let change = control::wrmsr_efer(&model, &regs, &cpu.kernel_execution(compat), val.0);
            let attempt = ControlAttempt { name: RegisterName::Efer, value: val.0 };
            write_register(vm, change, attempt, LoadCause::MovCr0, FlushCause::MovCr0, sink)
        }
        Command::Wrpkru { val } => match control::wrpkru(&regs, val.0) {
            Ok(pkru) => {
                let old = std::mem::replace(&mut vm.machine.cpu.pkru, pkru);
                let (old, new) = (Num(u64::from(old)), Num(u64::from(pkru)));
                vm.emit(sink, |_| Event::Register { name: RegisterName::Pkru, old, new });
                Outcome::Done
            }
            Err(refusal) => refused(vm, refusal, sink),
        },
        Command::Invlpg { va } => match control::invlpg(&regs, &cpu.kernel_execution(false), va) {
            Ok(scope) => {
                E::invalidate(vm, scope, FlushCause::Invlpg, sink);
                Outcome::Done
            }
            Err(refusal) => refused(vm, refusal, sink),
        },
        Command::Invpcid { kind, pcid, va } => {
            match control::invpcid(&model, &regs, &cpu.kernel_execution(false), kind.0, pcid.0, va) {
                Ok(scope) => {
                    E::invalidate(vm, scope, FlushCause::Invpcid, sink);
                    Outcome::Done
                }
                Err(refusal) => refused(vm, refusal, sink),
            }
        }
        Command::SetSregs { cr0, cr3, cr4, efer } => {
            match ControlRegs::set_at_once(&model, cr0.0, cr3.0, cr4.0, efer.0) {
                Ok(new) => {
                    set_sregs(vm, new, sink);
                    Outcome::Done
                }
                Err(refusal) => refused(vm, refusal, sink),
            }
        }
        Command::Poke { pa, val, size } => {
            E::store(vm, pa, size.bytes(), val.0, sink);
            Outcome::Done
        }
        Command::Dma { pa, val, size } => {
            vm.store_plain(pa, size.bytes(), val.0, StoreBy::Device, sink);
            Outcome::Done
        }
        Command::Memslot { gpa, size, action } => memslot(vm, gpa, size.0, action, sink),
        Command::DirtyLog { gpa } => match vm.machine.slots.take_dirty(gpa) {
            Ok(frames) => {
                E::watch_slot(vm, gpa, sink);
                vm.emit(sink, |_| Event::DirtyLog { gpa, frames });
                Outcome::Done
            }
            Err(error) => slot_refused(vm, error, sink),
        },
        Command::Map { va, pa, size, flags } => match mapper::plan(&vm.machine, va, pa, size, flags) {
            Ok(writes) => {
                for write in writes {
                    E::store(vm, write.gpa, write.size as u32, write.value, sink);
                }
                Outcome::Done
            }
            Err(error) => {
                vm.emit(sink, |_| Event::Refused { why: RefusedWhy::Map { error } });
                Outcome::MapRefused(error)
            }
        },
        Command::Access { .. } | Command::Write { .. } | Command::Read { .. } => {
            unreachable!("accesses are carried out by `execute`")
        }
    }
}

/// One access, with the events that every engine ends in and CR2 written by a page fault.
#[inline]
fn translate<E: Engine, S: Sink>(vm: &mut Vm<E>, va: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault> {
    vm.machine.cost.memory_reads_last = 0;
    let gva = vm.machine.cpu.mode().linear(va);
    match E::translate(vm, gva, access, sink) {
        Ok(found) => {
            let Translation { gpa, hpa, .. } = found;
            vm.emit(sink, |_| Event::Translated { va: gva, gpa, hpa, page_size: found.page_size() });
            Ok(found)
        }
        Err(fault) => {
            raise(vm, &fault, sink);
            Err(fault)
        }
    }
}

#[cold]
fn raise<E: Engine, S: Sink>(vm: &mut Vm<E>, fault: &Fault, sink: &mut S) {
    if fault.vector == Vector::PageFault {
        vm.machine.cpu.cr2 = fault.gva;
    }
    vm.emit(sink, |_| Event::fault(fault));
}

/// The pieces of a data access: one, or two when it crosses a page. All are translated before
/// any byte moves; CR2 is the first byte that faults.
fn pieces<E: Engine, S: Sink>(
    vm: &mut Vm<E>,
    va: Gva,
    access: &Access,
    size: u32,
    sink: &mut S,
) -> Result<[Option<(Translation, u32)>; 2], Fault> {
    let first = u64::from(size).min(PAGE_SIZE - va.0 % PAGE_SIZE) as u32;
    if first == size {
        return Ok([Some((translate(vm, va, access, sink)?, size)), None]);
    }
    let next = va.offset(u64::from(first));
    let mode = vm.machine.cpu.mode();
    if mode.is_long() && !next.is_canonical(mode.linear_width()) {
        // Every byte of an operand must be canonical before any is translated (SDM 1 3.3.7.1).
        let fault = Fault::non_canonical(access, next, mode.linear_width());
        raise(vm, &fault, sink);
        return Err(fault);
    }
    let head = translate(vm, va, access, sink)?;
    let tail = translate(vm, next, access, sink)?;
    Ok([Some((head, first)), Some((tail, size - first))])
}

fn store_data<E: Engine, S: Sink>(
    vm: &mut Vm<E>,
    va: Gva,
    access: &Access,
    size: u32,
    value: u64,
    sink: &mut S,
) -> Outcome {
    let pieces = match pieces(vm, va, access, size, sink) {
        Ok(pieces) => pieces,
        Err(fault) => return Outcome::Faulted(fault),
    };
    let crosses = pieces[1].is_some();
    let mut rest = value;
    for (found, bytes) in pieces.into_iter().flatten() {
        // What the second piece made the hypervisor build may have protected the frame of the first:
        // the instruction starts anew then, faults there and is emulated.
        if found.emulated || crosses && !E::stores_unseen(vm, found.gpa.gfn()) {
            E::emulated_store(vm, found.gpa, bytes, rest, sink);
        } else {
            vm.store_plain(found.gpa, bytes, rest, StoreBy::Guest, sink);
        }
        rest = rest.checked_shr(8 * bytes).unwrap_or(0);
    }
    first_piece(&pieces, Outcome::Translated)
}

fn load_data<E: Engine, S: Sink>(vm: &mut Vm<E>, va: Gva, access: &Access, size: u32, sink: &mut S) -> Outcome {
    let pieces = match pieces(vm, va, access, size, sink) {
        Ok(pieces) => pieces,
        Err(fault) => return Outcome::Faulted(fault),
    };
    let (mut value, mut done) = (0, 0);
    for (found, bytes) in pieces.into_iter().flatten() {
        let part = vm.machine.memory.read(found.gpa, bytes);
        value |= part << (8 * done);
        done += bytes;
        vm.emit(sink, |_| Event::Load { gpa: found.gpa, size: bytes, value: Num(part) });
    }
    first_piece(&pieces, |found| Outcome::Loaded(found, value))
}

fn first_piece(pieces: &[Option<(Translation, u32)>; 2], make: impl Fn(Translation) -> Outcome) -> Outcome {
    match pieces {
        [Some((found, _)), _] => make(*found),
        [None, _] => Outcome::Done,
    }
}

/// Installs an accepted change, unless its PDPTEs refuse it (rule G19): then nothing changes.
fn write_register<E: Engine, S: Sink>(
    vm: &mut Vm<E>,
    change: Result<Change, Refusal>,
    attempt: ControlAttempt,
    load: LoadCause,
    flush: FlushCause,
    sink: &mut S,
) -> Outcome {
    let ControlAttempt { name, value } = attempt;
    let change = match change {
        Ok(change) => change,
        Err(refusal) => return control_refused(vm, attempt, refusal, sink),
    };
    let old = vm.machine.cpu.regs;
    let switches = vm.engine.config().switches;
    if let Some(refusal) = quirks::refusal(switches, &vm.machine, name, value, &change.regs) {
        return control_refused(vm, attempt, refusal, sink);
    }
    let loads_pdptes = change.loads_pdptes && vm.engine.loads_pdptes() && quirks::loads_pdptes(switches, name, &old);
    let root = Mode::Pae.root(change.regs.cr3, vm.machine.cpu.model.maxphyaddr);
    if loads_pdptes && !E::reaches_pdptes(vm, root, attempt, sink) {
        return control_refused(vm, attempt, Refusal { rule: Rule::K1, bits: root.0 & !0xfff }, sink);
    }
    let table: Pdptes = std::array::from_fn(|i| vm.machine.memory.read_u64(pdpte::address(root, i)));
    let write = ControlWrite { attempt: Some(attempt), cause: flush, old, scope: change.invalidates };
    if loads_pdptes && let Err(reject) = pdpte::check(&vm.machine.cpu.model, &table) {
        vm.emit(sink, |_| Event::PdpteReject { index: reject.index, bits: Num(reject.bits), cause: load });
        if name == RegisterName::Cr4 && switches.contains(Switches::CR4_WRITTEN_DESPITE_GP) {
            set_regs(vm, change.regs, Some(name), sink);
            E::control_written(vm, &write, sink);
            return refused(vm, reject.into(), sink);
        }
        return control_refused(vm, attempt, reject.into(), sink);
    }
    set_regs(vm, change.regs, Some(name), sink);
    if loads_pdptes {
        load_pdptes(vm, table, load, sink);
    }
    E::control_written(vm, &write, sink);
    Outcome::Done
}

fn control_refused<E: Engine, S: Sink>(
    vm: &mut Vm<E>,
    attempt: ControlAttempt,
    refusal: Refusal,
    sink: &mut S,
) -> Outcome {
    E::control_refused(vm, attempt, sink);
    refused(vm, refusal, sink)
}

fn load_pdptes<E: Engine, S: Sink>(vm: &mut Vm<E>, new: Pdptes, cause: LoadCause, sink: &mut S) {
    let old = std::mem::replace(&mut vm.machine.cpu.pdptes, new);
    vm.emit(sink, |_| Event::PdpteLoad { old, new, cause });
}

/// Replaces the registers, one event for `written` and for each other that changed with it.
fn set_regs<E: Engine, S: Sink>(vm: &mut Vm<E>, new: ControlRegs, written: Option<RegisterName>, sink: &mut S) {
    let old = vm.machine.cpu.regs;
    vm.machine.cpu.set_regs(new);
    let pairs = [
        (RegisterName::Cr0, old.cr0.bits(), new.cr0.bits()),
        (RegisterName::Cr3, old.cr3, new.cr3),
        (RegisterName::Cr4, old.cr4.bits(), new.cr4.bits()),
        (RegisterName::Efer, old.efer.bits(), new.efer.bits()),
    ];
    for (name, old, new) in pairs {
        if old != new || written == Some(name) {
            vm.emit(sink, |_| Event::Register { name, old: Num(old), new: Num(new) });
        }
    }
}

/// KVM_SET_SREGS: all registers, then the PDPTE registers where PAE paging is on (the seed patch's
/// second hunk). A bad PDPTE leaves the old content; userspace is not told, as in Linux 2.6.20.
fn set_sregs<E: Engine, S: Sink>(vm: &mut Vm<E>, new: ControlRegs, sink: &mut S) {
    let old = vm.machine.cpu.regs;
    set_regs(vm, new, None, sink);
    load_where_pae(vm, LoadCause::SetSregs, sink);
    let write = ControlWrite { attempt: None, cause: FlushCause::SetSregs, old, scope: Scope::Everything };
    E::control_written(vm, &write, sink);
}

/// The PDPTE registers of a state that was set from outside.
pub fn settle<E: Engine, S: Sink>(vm: &mut Vm<E>, sink: &mut S) {
    load_where_pae(vm, LoadCause::Init, sink);
    E::settle(vm, sink);
}

fn load_where_pae<E: Engine, S: Sink>(vm: &mut Vm<E>, cause: LoadCause, sink: &mut S) {
    if vm.machine.cpu.mode() != Mode::Pae || !vm.engine.loads_pdptes() {
        return;
    }
    let table = vm.machine.pdptes_in_memory();
    match pdpte::check(&vm.machine.cpu.model, &table) {
        Ok(()) => load_pdptes(vm, table, cause, sink),
        Err(reject) => {
            vm.emit(sink, |_| Event::PdpteReject { index: reject.index, bits: Num(reject.bits), cause });
        }
    }
}

fn refused<E: Engine, S: Sink>(vm: &Vm<E>, refusal: Refusal, sink: &mut S) -> Outcome {
    vm.emit(sink, |_| Event::Refused { why: refusal.into() });
    Outcome::Refused(refusal)
}

fn slot_refused<E: Engine, S: Sink>(vm: &Vm<E>, error: SlotError, sink: &mut S) -> Outcome {
    vm.emit(sink, |_| Event::Refused { why: RefusedWhy::Slot { error } });
    Outcome::SlotRefused(error)
}

fn memslot<E: Engine, S: Sink>(vm: &mut Vm<E>, gpa: Gpa, size: u64, action: SlotAction, sink: &mut S) -> Outcome {
    let slots = &mut vm.machine.slots;
    let result = match action {
        SlotAction::Add => slots.add(gpa, size),
        SlotAction::Remove => slots.remove(gpa).map(|_| ()),
        SlotAction::Log => slots.log(gpa),
    };
    match result {
        Ok(()) => {
            vm.emit(sink, |_| Event::Memslot { gpa, action });
            match action {
                SlotAction::Add | SlotAction::Remove => E::slots_changed(vm, action, sink),
                SlotAction::Log => E::watch_slot(vm, gpa, sink),
            }
            Outcome::Done
        }
        Err(error) => slot_refused(vm, error, sink),
    }
}
