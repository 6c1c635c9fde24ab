//! Random programs with stale tables: every access must end as something the processor may still
//! hold says, or as a walk does, and in no other way.

mod reference;

use mmuscope::engine::{Outcome as Got, Quiet};
use mmuscope::lab::Lab;
use reference::caches::Allowed;
use reference::cpu::EFER_LME;
use reference::drive::{ALL_CACHES, World, outcome};
use reference::program::{Step, command, invalidate, program, registers_after};

/// An invalidation that a broken processor forgets, for the test of the test.
type Forgets = fn(&Step) -> bool;

/// Runs a program; the step that broke the rules and how.
fn run(world: &World, program: &[Step], forgets: Forgets) -> Result<(), String> {
    let long = world.cpu.efer & EFER_LME != 0;
    let (mut cpu, mut memory) = (world.cpu.clone(), world.memory.clone());
    let mut lab = Lab::new(world.start(ALL_CACHES));
    let mut allowed = Allowed::default();
    for (i, step) in program.iter().enumerate() {
        let old = cpu.clone();
        let accepted = registers_after(&mut cpu, &memory, step, long);
        if accepted {
            invalidate(&mut allowed, step, &old, &cpu);
        }
        if forgets(step) {
            continue;
        }
        let before = lab.machine().memory.clone();
        let got = lab.execute_with(command(step, &old), &mut Quiet);
        if matches!(got, Got::Refused(_)) == accepted {
            return Err(format!("step {i}, {step:x?}: {got:x?}, but accepted is {accepted}"));
        }
        let old_memory = memory.clone();
        for word in before.diff(&lab.machine().memory) {
            memory.set_word(word.gpa.0, word.new);
        }
        if let (Step::Access(access), Some(outcome)) = (step, outcome(lab.vm(), &got)) {
            allowed.access(&cpu, &old_memory, access, outcome, &memory).map_err(|what| format!("step {i}: {what}"))?;
        }
    }
    Ok(())
}

/// Fewer steps that still break a rule.
fn shorten(world: &World, steps: &[Step]) -> Vec<Step> {
    let mut steps = steps.to_vec();
    let mut i = steps.len();
    while i > 0 {
        i -= 1;
        let removed = steps.remove(i);
        if run(world, &steps, |_| false).is_ok() {
            steps.insert(i, removed);
        }
    }
    steps
}

#[test]
fn each_access_ends_as_the_caches_may_say() {
    for seed in 0..20_000 {
        let (world, steps) = program(seed);
        if let Err(what) = run(&world, &steps, |_| false) {
            let few = shorten(&world, &steps);
            let now = run(&world, &few, |_| false).expect_err("a minimised case still fails");
            panic!("seed {seed}: {what}\nshorter: {now}\n{few:#x?}\n{world:x?}");
        }
    }
}

/// The test above would notice a processor that forgets any of its invalidations.
#[test]
fn a_forgotten_invalidation_is_noticed() {
    let broken: [(&str, Forgets); 5] = [
        ("INVLPG", |step| matches!(step, Step::Invlpg(_))),
        ("INVPCID 0", |step| matches!(step, Step::Invpcid(0, ..))),
        ("INVPCID 1", |step| matches!(step, Step::Invpcid(1, ..))),
        ("INVPCID 2", |step| matches!(step, Step::Invpcid(2, ..))),
        ("INVPCID 3", |step| matches!(step, Step::Invpcid(3, ..))),
    ];
    for (name, forgets) in broken {
        let noticed = (0..5_000).any(|seed| {
            let (world, steps) = program(seed);
            run(&world, &steps, forgets).is_err()
        });
        assert!(noticed, "a processor that ignores {name} passes");
    }
}
