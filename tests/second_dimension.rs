//! What two-dimensional paging does beside walks: how PDPTEs are loaded, which instructions lead to the
//! hypervisor, what it drops then, and which bits of the second dimension a walk sets
//! (SDM 3C 27.2.1, 28.2; APM 2 15.9, 15.25; Linux 6.8 x86.c, vmx.c, svm.c).

use mmuscope::arch::address::Num;
use mmuscope::arch::control::Rule;
use mmuscope::arch::{AccessKind, Gfn, Gpa, Gva};
use mmuscope::engine::{AnyVm, EngineName, Outcome};
use mmuscope::machine::command::Size;
use mmuscope::machine::event::{ExitReason, FlushCause};
use mmuscope::machine::{Caches, Command, Event};
use mmuscope::scenario::{Scenario, State};

const PAGED: u64 = 0x8001_0011;
const PAE: u64 = 0x20;
/// A second PDPT, in a page of its own.
const OTHER: u64 = 0xa000;
/// Far beyond what the guest has.
const NOWHERE: u64 = 0x5678_9020;
const EPT_ACCESSED: u64 = 1 << 8;
const EPT_DIRTY: u64 = 1 << 9;

/// A PAE guest; GVA 0 lies in a large page.
fn pae(engine: EngineName) -> AnyVm {
    start(engine, State { cr0: Num(PAGED), cr3: Num(0x8000), cr4: Num(PAE), efer: Num(0), pkru: Num(0) })
}

/// A 4-level guest; GVA 0 lies in a page of 4 KiB.
fn long(engine: EngineName) -> AnyVm {
    start(engine, State { cr0: Num(PAGED), cr3: Num(0x1000), cr4: Num(PAE), efer: Num(0x900), pkru: Num(0) })
}

fn start(engine: EngineName, init: State) -> AnyVm {
    let words = [
        (0x8000, 0x9001),
        (0x9000, 0xe7),
        (OTHER, 0x9001),
        (0x1000, 0x2067),
        (0x2000, 0x3067),
        (0x3000, 0x4067),
        (0x4000, 0xb027),
    ];
    let mem = words.map(|(at, value)| (Gpa(at), value)).into();
    Scenario { init, mem, ..Scenario::empty() }.start(engine, Caches::default()).expect("a possible state")
}

fn run(vm: &mut AnyVm, command: Command) -> (Outcome, Vec<Event>) {
    let mut events = Vec::new();
    let outcome = vm.execute(&command, &mut events);
    (outcome, events)
}

const fn read(va: u64) -> Command {
    Command::Access { va: Gva(va), kind: AccessKind::Read, user: true, ac: false, stack: false }
}

const fn cr3(val: u64) -> Command {
    Command::MovCr3 { val: Num(val), compat: false }
}

const fn cr0(val: u64) -> Command {
    Command::MovCr0 { val: Num(val), compat: false }
}

const fn cr4(val: u64) -> Command {
    Command::MovCr4 { val: Num(val), compat: false }
}

const fn efer(val: u64) -> Command {
    Command::WrmsrEfer { val: Num(val), compat: false }
}

fn exits(events: &[Event]) -> Vec<ExitReason> {
    let exit = |event: &Event| match event {
        Event::VmExit { reason } => Some(*reason),
        _ => None,
    };
    events.iter().filter_map(exit).collect()
}

fn nested_reads(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::NestedRead { .. })).count()
}

/// The leaf of the second dimension for a frame.
fn leaf(vm: &AnyVm, gfn: Gfn) -> u64 {
    let AnyVm::TwoDim(vm) = vm else { panic!("not two-dimensional") };
    vm.engine.nested.path(gfn.base()).last().expect("a path").value
}

/// MOV CR3 under EPT: the hardware reads the table as data, through EPT; a second load needs no exit.
#[test]
fn ept_loads_pdptes_through_the_second_dimension() {
    let mut vm = pae(EngineName::Ept);
    let (outcome, events) = run(&mut vm, cr3(OTHER));
    assert_eq!(outcome, Outcome::Done);
    assert_eq!(exits(&events), [ExitReason::PageFault]);
    assert!(nested_reads(&events) > 4);
    let entry = leaf(&vm, Gpa(OTHER).gfn());
    assert_eq!(entry & (EPT_ACCESSED | EPT_DIRTY), EPT_ACCESSED, "{entry:#x}: read as data");
    let last = vm.machine().cost.memory_reads_last;
    let (_, events) = run(&mut vm, cr3(OTHER));
    assert_eq!((exits(&events), nested_reads(&events)), (vec![], 4));
    assert_eq!(vm.machine().cost.memory_reads_last, last, "a load is no walk");
    // CR4.PGE is the guest's own bit, and its change loads them, too; PSE is not, and KVM reads them itself.
    let (_, events) = run(&mut vm, cr4(PAE | 0x80));
    assert_eq!((exits(&events), nested_reads(&events)), (vec![], 4));
    let (_, events) = run(&mut vm, cr4(PAE | 0x90));
    assert_eq!((exits(&events), nested_reads(&events)), (vec![ExitReason::CrAccess], 0));
}

/// AMD's processor loads nothing.
#[test]
fn npt_reads_no_pdpte_at_a_load() {
    let (outcome, events) = run(&mut pae(EngineName::Npt), cr3(NOWHERE));
    assert_eq!((outcome, nested_reads(&events)), (Outcome::Done, 0));
}

/// KVM cannot read what no slot holds: #GP, and nothing changes.
#[test]
fn a_pdpt_without_memory_fails_the_load() {
    let kvm = [EngineName::Kvm2006, EngineName::Kvm2007, EngineName::KvmPdpt, EngineName::KvmNow, EngineName::Ept];
    for engine in kvm {
        let mut vm = pae(engine);
        let before = vm.machine().cpu.pdptes;
        let (outcome, events) = run(&mut vm, cr3(NOWHERE));
        let Outcome::Refused(refusal) = outcome else { panic!("{}: {outcome:?}", engine.id()) };
        assert_eq!((refusal.rule, refusal.bits), (Rule::K1, NOWHERE & !0xfff), "{}", engine.id());
        let reason = if engine == EngineName::Ept { ExitReason::Mmio } else { ExitReason::CrAccess };
        assert_eq!(exits(&events), [reason], "{}", engine.id());
        assert!(events.contains(&Event::Inject));
        assert_eq!((vm.machine().cpu.pdptes, vm.machine().cpu.regs.cr3), (before, 0x8000));
    }
    // Bare hardware knows no slots.
    assert_eq!(run(&mut pae(EngineName::Native), cr3(NOWHERE)).0, Outcome::Done);
}

/// For the second dimension a walk writes the guest's tables, also one for a read whose A bits are set.
#[test]
fn walks_set_dirty_in_the_leaves_of_tables() {
    for (engine, dirty) in [(EngineName::Ept, EPT_DIRTY), (EngineName::Npt, 1 << 6)] {
        let mut vm = long(engine);
        assert!(matches!(run(&mut vm, read(0)).0, Outcome::Translated(_)));
        for table in [0x1000, 0x2000, 0x3000, 0x4000] {
            assert_ne!(leaf(&vm, Gpa(table).gfn()) & dirty, 0, "{} {table:#x}", engine.id());
        }
        assert_eq!(leaf(&vm, Gpa(0xb000).gfn()) & dirty, 0, "{}: the page was only read", engine.id());
    }
}

/// Which writes of control registers lead to the hypervisor.
#[test]
fn exits_of_control_registers() {
    const WP: u64 = 1 << 16;
    const CD: u64 = 1 << 30;
    const TS: u64 = 1 << 3;
    const PGE: u64 = 1 << 7;
    const SMEP: u64 = 1 << 20;
    let cases = [
        (cr0(PAGED), false, false),
        (cr0(PAGED ^ WP), false, true),
        (cr0(PAGED | TS), false, false),
        (cr0(PAGED | CD), true, true),
        (cr3(0x1000), false, false),
        (cr4(PAE), false, true),
        (cr4(PAE | PGE), false, true),
        (cr4(PAE | SMEP), true, true),
        (efer(0xd00), true, true),
        (efer(0x100), true, true),
    ];
    for (command, ept, npt) in cases {
        for (engine, wanted) in [(EngineName::Ept, ept), (EngineName::Npt, npt)] {
            let (outcome, events) = run(&mut long(engine), command.clone());
            assert_eq!(outcome, Outcome::Done, "{} {command:?}", engine.id());
            assert_eq!(exits(&events) == [ExitReason::CrAccess], wanted, "{} {command:?}", engine.id());
        }
    }
    // A write that KVM refuses is one that it was asked for.
    let (_, events) = run(&mut long(EngineName::Ept), cr4(0));
    assert_eq!(exits(&events), [ExitReason::CrAccess]);
    assert!(events.contains(&Event::Inject));
}

/// What is part of a role loads the root anew, which drops every cached translation.
#[test]
fn a_change_of_role_drops_everything() {
    for engine in [EngineName::Ept, EngineName::Npt] {
        for (command, dropped) in
            [(efer(0x100), true), (cr4(PAE | 1 << 21), true), (cr0(PAGED ^ 1 << 16), false), (efer(0x900), false)]
        {
            let mut vm = long(engine);
            run(&mut vm, read(0));
            let (_, events) = run(&mut vm, command.clone());
            let flush =
                |event: &Event| matches!(event, Event::TlbFlush { cause: FlushCause::RootChange, removed: 1.., .. });
            assert_eq!(events.iter().any(flush), dropped, "{} {command:?}", engine.id());
            assert_eq!(vm.machine().tlb.is_empty(), dropped, "{} {command:?}", engine.id());
        }
    }
}

/// A page fault drops what is cached for its address, and every engine that shows it says so and counts it.
#[test]
fn a_page_fault_drops_its_address() {
    for engine in [EngineName::Native, EngineName::Ept, EngineName::Npt] {
        let mut vm = long(engine);
        run(&mut vm, read(0));
        let read_only = Command::Poke { pa: Gpa(0x4000), val: Num(0xb025), size: Size::WORD };
        run(&mut vm, read_only);
        let before = vm.machine().cost.tlb_flushes;
        let write = Command::Access { va: Gva(0), kind: AccessKind::Write, user: true, ac: false, stack: false };
        let (outcome, events) = run(&mut vm, write);
        assert!(matches!(outcome, Outcome::Faulted(_)), "{} {outcome:?}", engine.id());
        let flush = |event: &Event| matches!(event, Event::TlbFlush { cause: FlushCause::PageFault, .. });
        assert_eq!(events.iter().filter(|event| flush(event)).count(), 1, "{}", engine.id());
        assert_eq!(vm.machine().cost.tlb_flushes, before + 1, "{}", engine.id());
        assert!(vm.machine().tlb.is_empty(), "{}", engine.id());
    }
}
