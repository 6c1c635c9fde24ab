//! Random guest programs on every engine: each access ends as bare hardware may let it end, and the
//! engine's invariants hold after every command.
//!
//! `MMUSCOPE_ENGINE_COMMANDS` sets how many commands are run in all; the default is 2,000,000.

mod reference;

use mmuscope::engine::{AnyVm, EngineName, Outcome as Got, Quiet};
use reference::caches::Allowed;
use reference::cpu::EFER_LME;
use reference::drive::{ALL_CACHES, World, outcome};
use reference::program::{Step, command, invalidate, pages, program, registers_after};

/// Runs a program on an engine; the step that broke a rule and how.
fn run(world: &World, program: &[Step], engine: EngineName) -> Result<(), String> {
    let long = world.cpu.efer & EFER_LME != 0;
    let (mut cpu, mut memory) = (world.cpu.clone(), world.memory.clone());
    let mut vm = world.start_on(engine, ALL_CACHES);
    let mut allowed = Allowed::default();
    let pages = pages(long);
    for (i, step) in program.iter().enumerate() {
        for page in &pages {
            allowed.speculate(&cpu, &memory, *page);
        }
        let old = cpu.clone();
        let accepted = registers_after(&mut cpu, &memory, step, long);
        if accepted {
            invalidate(&mut allowed, step, &old, &cpu);
        }
        let before = vm.machine().memory.clone();
        let got = vm.execute(&command(step, &old), &mut Quiet);
        if matches!(got, Got::Refused(_)) == accepted {
            return Err(format!("step {i}, {step:x?}: {got:x?}, but accepted is {accepted}"));
        }
        if let (Step::Access(access), Some(outcome)) = (step, outcome(&vm, &got)) {
            allowed.ends(&cpu, &memory, access, outcome).map_err(|what| format!("step {i}: {what}"))?;
        }
        for word in before.diff(&vm.machine().memory) {
            memory.set_word(word.gpa.0, word.new);
        }
        audit(&vm, i, step)?;
    }
    Ok(())
}

fn audit(vm: &AnyVm, i: usize, step: &Step) -> Result<(), String> {
    vm.audit().map_err(|broken| format!("step {i}, {step:x?}: {} {}", broken.invariant, broken.witness))
}

/// Fewer steps that still break a rule.
fn shorten(world: &World, steps: &[Step], engine: EngineName) -> Vec<Step> {
    let mut steps = steps.to_vec();
    let mut i = steps.len();
    while i > 0 {
        i -= 1;
        let removed = steps.remove(i);
        if run(world, &steps, engine).is_ok() {
            steps.insert(i, removed);
        }
    }
    steps
}

fn commands() -> u64 {
    let asked = std::env::var("MMUSCOPE_ENGINE_COMMANDS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(2_000_000)
}

fn check(engine: EngineName) {
    let share = commands() / EngineName::ALL.len() as u64;
    let (mut done, mut seed) = (0, 0);
    while done < share {
        let (world, steps) = program(seed);
        // PDPTEs from memory are that engine's design: under PAE paging it is no hardware.
        let by_design = engine.reads_pdptes_from_memory() && world.cpu.efer & EFER_LME == 0;
        if !by_design && let Err(what) = run(&world, &steps, engine) {
            let few = shorten(&world, &steps, engine);
            let now = run(&world, &few, engine).expect_err("a minimised case still fails");
            panic!("{} seed {seed}: {what}\nshorter: {now}\n{few:#x?}\n{world:x?}", engine.id());
        }
        done += steps.len() as u64;
        seed += 1;
    }
}

macro_rules! each_engine {
    ($($test:ident $engine:ident;)*) => {
        $(#[test]
        fn $test() {
            check(EngineName::$engine);
        })*
    };
}

each_engine! {
    native Native;
    kvm_2006 Kvm2006;
    kvm_pdpt KvmPdpt;
    kvm_2007 Kvm2007;
    kvm_now KvmNow;
    ept Ept;
    npt Npt;
}
