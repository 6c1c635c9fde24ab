//! Why: what it says of the main situations in both languages, and that whatever it offers works.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, Gpa, Gva, Mode, Refusal, Rule, TableMemory as _};
use mmuscope::engine::shadow::SpteRef;
use mmuscope::engine::{AnyVm, EngineConfig, EngineName, Outcome, Quiet};
use mmuscope::explain::{Depth, Question, Target, Why, fixes, why, why_spte};
use mmuscope::language::Language;
use mmuscope::machine::command::{Size, SlotAction};
use mmuscope::machine::{Caches, Command, Event};
use mmuscope::scenario::{self, Scenario, Session};

fn session(name: &str, engine: &str) -> Session {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/scenarios/{name}.json"));
    let scenario = Scenario::from_json(name, &fs::read_to_string(path).expect("a scenario file")).expect("a scenario");
    let engine: EngineConfig = engine.parse().expect("an engine");
    Session::open_on(scenario, engine, Caches::default()).expect("it begins")
}

/// An empty PAE guest with one page mapped at 0x1000, its tables from frame 3 on.
fn small(engine: EngineName) -> Session {
    let json = r#"{"format":"mmuscope/1","id":"small","title":{"en":"Small"},
 "cpu":{"maxphyaddr":40,"vendor":"intel","features":["nx","pse","pse36","pge","pcid","smep","smap","pku","la57","1gb"]},
 "engine":"native","ram":"0x1000000",
 "init":{"cr0":"0x80010011","cr3":"0x3020","cr4":"0x20","efer":"0x800","pkru":"0x0"},
 "mem":[["0x3020","0x5001"],["0x5000","0x7007"],["0x7008","0x9007"],["0x7010","0xa005"]],
 "steps":[]}"#;
    let scenario = Scenario::from_json("small", json).expect("a scenario");
    Session::open_on(scenario, engine, Caches::default()).expect("it begins")
}

fn access(va: u64, kind: AccessKind, user: bool) -> Command {
    Command::Access { va: Gva(va), kind, user, ac: false, stack: false }
}

fn poke(pa: u64, val: u64) -> Command {
    Command::Poke { pa: Gpa(pa), val: Num(val), size: Size::WORD }
}

/// The explanation of a step.
fn explain(session: &Session, step: usize, language: Language, depth: Depth) -> Why {
    let lab = &session.lab;
    let (before, events) = (lab.state_at(step - 1), lab.events_of(step));
    let number = |step| session.step_number(step);
    why(&Question { lab, step, before: &before, events: &events, language, depth, number: &number })
}

fn explain_last(session: &Session, depth: Depth) -> Why {
    explain(session, session.lab.len(), Language::En, depth)
}

fn explain_spte(session: &Session, at: SpteRef) -> Why {
    let lab = &session.lab;
    let number = |step| session.step_number(step);
    let question = Question {
        lab,
        step: lab.cursor() + 1,
        before: lab.vm(),
        events: &[],
        language: Language::En,
        depth: Depth::Engineer,
        number: &number,
    };
    why_spte(&question, at).expect("an entry")
}

fn leaf_of(session: &Session, va: u64) -> SpteRef {
    let AnyVm::Shadow(vm) = session.lab.vm() else { panic!("a shadow engine") };
    *vm.shadow_path(Gva(va)).last().expect("a path")
}

/// What the golden files hold: scenario, engine, depth.
const TOLD: &[(&str, &str, Depth)] = &[
    ("the-register-remembers", "native", Depth::Story),
    ("the-register-remembers", "native", Depth::Standard),
    ("the-register-remembers", "kvm-2007", Depth::Standard),
    ("the-register-remembers", "kvm-2007", Depth::Engineer),
    ("the-register-remembers", "ept", Depth::Standard),
    ("demand-fault", "kvm-2007", Depth::Standard),
    ("invlpg-now", "kvm-now", Depth::Standard),
    ("mmio-generation-now", "kvm-now", Depth::Standard),
    ("quadrants", "kvm-2007+pde-offset-doubled-once", Depth::Standard),
];

/// Steps told of one scenario, at most.
const STEPS: usize = 14;

#[test]
fn golden() {
    for language in Language::ALL {
        let mut text = String::new();
        for (name, engine, depth) in TOLD {
            let session = session(name, engine);
            writeln!(text, "== {name} / {engine} / {}", depth.id()).expect("text");
            for step in 1..=session.lab.len().min(STEPS) {
                let what = mmuscope::explain::command(session.lab.command(step).expect("a step"), language);
                let told = explain(&session, step, language, *depth).text();
                writeln!(text, "\n#{} {what}\n{told}", session.step_number(step)).expect("text");
            }
            writeln!(text).expect("text");
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/why.{}.txt", language.id()));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(&file, &text).expect("a writable file");
        }
        let kept = fs::read_to_string(&file).expect("a golden file: UPDATE_GOLDEN=1 writes it");
        for (line, (now, then)) in text.lines().zip(kept.lines()).enumerate() {
            assert_eq!(now, then, "{}: line {}", file.display(), line + 1);
        }
        assert_eq!(text.lines().count(), kept.lines().count(), "{}", file.display());
    }
}

/// Every scenario that the program carries, on every engine: no step without a sentence, no link to
/// nowhere, and in Chinese no sentence left in English.
#[test]
fn every_step_of_every_preset_has_a_sentence() {
    for preset in scenario::presets().iter().flat_map(|group| &group.presets) {
        let scenario = preset.scenario().expect("a preset is a scenario");
        let session = Session::open(scenario).expect("it begins");
        for step in 1..=session.lab.len().min(40) {
            let chinese = explain(&session, step, Language::Zh, Depth::Engineer);
            let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..'\u{a000}').contains(&c));
            assert!(is_chinese(&chinese.title), "{}: {}", preset.id, chinese.title);
            // Some causes are a place and two numbers.
            let english = |text: &str| !is_chinese(text) && !text.contains('→');
            assert_eq!(chinese.causes.iter().find(|cause| english(&cause.text)), None, "{}", preset.id);
            for depth in Depth::ALL {
                let told = explain(&session, step, Language::En, depth);
                assert!(told.title.ends_with('.') && !told.title.contains('{'), "{}: {}", preset.id, told.title);
                for cause in &told.causes {
                    assert!(cause.text.ends_with('.') && !cause.text.contains('{'), "{}: {}", preset.id, cause.text);
                    match cause.target {
                        Target::Step(to) => assert!(to <= step),
                        Target::Event(to, event) => {
                            assert!(to <= step && event < session.lab.events_of(to).len(), "{}", cause.text);
                        }
                        Target::Register(index) => assert!(index < 4),
                        Target::Entry(level, _) => assert!((1..=5).contains(&level)),
                        Target::Page(_) | Target::Spte(_) => {}
                    }
                }
            }
        }
    }
}

/// Carries a fix out, on a session's own lab; the last command must succeed.
fn carry_out(vm: &AnyVm, commands: &[Command]) -> Outcome {
    let mut vm = vm.clone();
    let mut last = Outcome::Done;
    for command in commands {
        last = vm.execute(command, &mut Quiet);
    }
    last
}

fn is_success(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Translated(_) | Outcome::Loaded(..) | Outcome::Done)
}

/// Counts failures and those with an offer, and asserts that every offer works.
#[derive(Default)]
struct Offers {
    failed: usize,
    helped: usize,
}

impl Offers {
    fn check(&mut self, vm: &AnyVm, command: &Command, outcome: &Outcome) {
        if is_success(outcome) {
            assert!(
                fixes(vm, command, Language::En).is_empty()
                    || !is_success(&carry_out(vm, std::slice::from_ref(command)))
            );
            return;
        }
        // A bit that there is not has no way to it.
        if let Outcome::Refused(Refusal { rule: Rule::G4 | Rule::G11 | Rule::G17, .. }) = outcome
            && fixes(vm, command, Language::En).is_empty()
        {
            return;
        }
        self.failed += 1;
        let offered = fixes(vm, command, Language::En);
        self.helped += usize::from(!offered.is_empty());
        for fix in &offered {
            let outcome = carry_out(vm, &fix.commands());
            assert!(is_success(&outcome), "{}: {outcome:?} after {:?}", fix.text, fix.commands());
            assert!(fix.changes.len() < 14, "{}: no small change", fix.text);
        }
    }
}

/// A number that depends on nothing but the seed (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A command that is likely to go wrong in this state.
fn troublesome(random: &mut Random, vm: &AnyVm) -> Command {
    let machine = vm.machine();
    let regs = &machine.cpu.regs;
    let bit = 1u64 << random.below(64);
    let va = Gva([0x1000, 0x2000, 0x4120_1abc, 0x20_0000, 0x8000_0000_0000, 0x3000][random.below(6) as usize]);
    let kind = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch][random.below(3) as usize];
    match random.below(12) {
        0..=4 => Command::Access { va, kind, user: random.below(2) == 0, ac: false, stack: false },
        5 | 6 => {
            let mode = machine.cpu.mode();
            let size = mode.entry_size();
            let mut table = machine.cpu.paging.root;
            for _ in 0..random.below(4) {
                let entry = machine.memory.read_entry(table, mode.entry_shift());
                table = Gpa(entry & 0xff_ffff_f000);
            }
            let gpa = Gpa((table.0 + size * random.below(3)) & 0xff_ffff);
            let value = machine.memory.read(gpa, size as u32) ^ bit;
            Command::Poke { pa: gpa, val: Num(value), size: Size::new(size).unwrap_or(Size::WORD) }
        }
        7 => Command::MovCr0 { val: Num(regs.cr0.bits() ^ bit), compat: random.below(2) == 0 },
        8 => Command::MovCr4 { val: Num(regs.cr4.bits() ^ bit), compat: false },
        9 => Command::WrmsrEfer { val: Num(regs.efer.bits() ^ bit), compat: false },
        10 => Command::MovCr3 { val: Num(regs.cr3 ^ (bit & 0xff_0000_0000_0001)), compat: false },
        _ => Command::Wrpkru { val: Num(random.next() & 0xffff_ffff) },
    }
}

#[test]
fn whatever_is_offered_works_on_every_engine() {
    for engine in EngineName::ALL {
        let mut offers = Offers::default();
        for mode in [Mode::Pae, Mode::Bits32, Mode::Level4, Mode::Level5] {
            let mut session = small(engine);
            for command in mmuscope::lab::mode_switch::plan(&session.lab.machine().cpu, mode) {
                session.lab.execute(command);
            }
            for (i, va) in [0x1000, 0x2000, 0x4120_1000u64].into_iter().enumerate() {
                let flags = [7, 2, 4][i];
                let pa = Gpa(0x20_0000 + 0x1000 * i as u64);
                let size = mmuscope::machine::command::MapSize::Kib4;
                session.lab.execute(Command::Map { va: Gva(va), pa, size, flags });
            }
            let start = session.lab.vm().clone();
            let mut random = Random(0x9e37_79b9 + mode as u64);
            for _ in 0..12 {
                let mut vm = start.clone();
                for _ in 0..24 {
                    let command = troublesome(&mut random, &vm);
                    if command.check(&vm.machine().cpu.model).is_err() {
                        continue;
                    }
                    let outcome = vm.execute(&command, &mut Quiet);
                    offers.check(&vm, &command, &outcome);
                }
            }
        }
        assert!(offers.failed > 300, "{engine:?}: only {} failures", offers.failed);
        let share = 100 * offers.helped / offers.failed;
        println!("{}: {} failures, an offer for {share} %", engine.id(), offers.failed);
        assert!(share >= 85, "{engine:?}: an offer for {share} % of {} failures", offers.failed);
    }
}

#[test]
fn what_the_scenarios_end_in_has_a_remedy() {
    let mut offers = Offers::default();
    for preset in scenario::presets().iter().flat_map(|group| &group.presets) {
        let scenario = preset.scenario().expect("a preset is a scenario");
        let session = Session::open(scenario).expect("it begins");
        for step in 1..=session.lab.len().min(60) {
            let mut vm = session.lab.state_at(step - 1);
            let command = session.lab.command(step).expect("a step");
            let outcome = vm.execute(command, &mut Quiet);
            offers.check(&vm, command, &outcome);
        }
    }
    assert!(offers.failed > 20 && offers.helped * 10 >= offers.failed * 8, "{} of {}", offers.helped, offers.failed);
}

#[test]
fn the_smallest_change_comes_first() {
    let text = |session: &Session| {
        let command = session.lab.command(session.lab.len()).expect("a command");
        fixes(session.lab.vm(), command, Language::En).first().map(|fix| fix.text.clone()).unwrap_or_default()
    };
    let after = |commands: &[Command]| {
        let mut session = small(EngineName::Native);
        for command in commands {
            session.lab.execute(command.clone());
        }
        session
    };
    let read = access(0x1000, AccessKind::Read, true);
    // Register 1 was loaded with P = 0, memory has P = 1 by now: a load is enough.
    let stale = after(&[poke(0x3028, 0x5001), access(0x4000_1000, AccessKind::Read, true)]);
    assert_eq!(text(&stale), "Load CR3 again");
    // And where the table below withholds a right, the load comes first and P is left alone.
    let below = after(&[poke(0x3028, 0x5001), access(0x4000_2000, AccessKind::Write, true)]);
    assert_eq!(text(&below), "Load CR3 again, then set R/W in PTE[2]");
    let absent = after(&[poke(0x3028, 0x5001), poke(0x7010, 0xa006), access(0x4000_2000, AccessKind::Read, true)]);
    assert_eq!(text(&absent), "Load CR3 again, then set P in PTE[2]");
    // Without P in memory both are needed, with other bits of the register stale as well.
    let both = after(&[poke(0x3028, 0x5000), access(0x4000_1000, AccessKind::Read, true)]);
    assert_eq!(text(&both), "Set P in PDPTE[1]");
    let told = explain_last(&below, Depth::Standard).text();
    assert!(told.contains("PDPTE register 1 is 0x0: P = 0."), "{told}");
    // A register that still leads to its table is no obstacle: what that table lacks is.
    let forgotten = after(&[poke(0x3020, 0x6000), access(0x2000, AccessKind::Write, true)]);
    assert_eq!(text(&forgotten), "Set R/W in PTE[2]");
    assert_eq!(text(&after(&[poke(0x7008, 0x9006), read.clone()])), "Set P in PTE[1]");
    assert_eq!(text(&after(&[access(0x2000, AccessKind::Write, true)])), "Set R/W in PTE[2]");
    let kernel_pages = after(&[poke(0x7008, 0x9003), poke(0x5000, 0x7003), read.clone()]);
    assert_eq!(text(&kernel_pages), "Set U/S in PDE[0], PTE[1]");
    assert_eq!(text(&after(&[poke(0x7008, 1 << 50 | 0x9007), read.clone()])), "Clear reserved bit 50 in PTE[1]");
    assert_eq!(text(&after(&[access(0x5000, AccessKind::Read, true)])), "Map the page to GPA 0xff_f000");
    let smap = Command::MovCr4 { val: Num(0x20 | 1 << 21), compat: false };
    assert_eq!(text(&after(&[smap, access(0x1000, AccessKind::Read, false)])), "Access with AC = 1");
    let bad = after(&[poke(0x3028, 0x5003), Command::MovCr3 { val: Num(0x3020), compat: false }]);
    assert_eq!(text(&bad), "Clear reserved bit 1 in PDPTE[1]");
    let story = explain_last(&bad, Depth::Story).title;
    assert!(story.starts_with("Refused, nothing changed: a present PDPTE") && !story.contains("G19"), "{story}");
    let off = after(&[Command::MovCr0 { val: Num(0x8000_0000), compat: false }]);
    assert_eq!(text(&off), "MOV CR0, 0x8000_0001 instead");
}

#[test]
fn a_stale_tlb_entry_says_when_it_was_learnt_and_when_memory_changed() {
    let mut session = small(EngineName::Native);
    let read = access(0x1000, AccessKind::Read, true);
    for command in [read.clone(), poke(0x7008, 0xb007), read] {
        session.lab.execute(command);
    }
    let told = explain_last(&session, Depth::Standard);
    assert_eq!(told.title, "The access succeeds through a stale TLB entry.");
    assert!(told.causes[0].text.starts_with("The TLB learnt this translation at #1"), "{}", told.text());
    assert!(matches!(told.causes[0].target, Target::Event(1, _)));
    assert!(told.causes[1].text.starts_with("PTE[1] changed at #2"), "{}", told.text());
    assert_eq!(told.causes[1].target, Target::Step(2));
}

#[test]
fn read_only_shadow_entries_name_their_reason() {
    for engine in [EngineName::Kvm2007, EngineName::KvmNow] {
        let mut session = small(engine);
        // PTE[3] maps the page table itself; D is set so that nothing else takes W away.
        session.lab.execute(poke(0x7018, 0x7067));
        session.lab.execute(access(0x1000, AccessKind::Read, true));
        session.lab.execute(access(0x3000, AccessKind::Read, false));
        let told = explain_spte(&session, leaf_of(&session, 0x3000));
        assert_eq!(
            told.title, "W = 0 because frame 0x7 is a guest page table (PT), write-protected since #2.",
            "{engine:?}"
        );
        assert!(matches!(told.causes[0].target, Target::Event(2, _)), "{engine:?}");
        // The guest's own leaf denies.
        session.lab.execute(access(0x2000, AccessKind::Read, true));
        let told = explain_spte(&session, leaf_of(&session, 0x2000));
        assert_eq!(told.title, "W = 0 because the guest's PTE has R/W = 0.", "{engine:?}");
        // An upper entry denies.
        session.lab.execute(poke(0x7020, 0xc067));
        session.lab.execute(poke(0x5000, 0x7005));
        session.lab.execute(Command::MovCr3 { val: Num(0x3020), compat: false });
        session.lab.execute(access(0x4000, AccessKind::Read, true));
        let told = explain_spte(&session, leaf_of(&session, 0x4000));
        assert_eq!(told.title, "W = 0 because the guest's PDE above it has R/W = 0.", "{engine:?}");
        assert_eq!(told.causes[0].target, Target::Entry(2, Gpa(0x5000)), "{engine:?}");
        assert_eq!(told.causes[1].target, Target::Step(6), "{engine:?}: {}", told.text());
    }
}

#[test]
fn clean_and_missing_shadow_entries_name_their_reason() {
    let mut session = small(EngineName::Kvm2007);
    session.lab.execute(access(0x1000, AccessKind::Read, true));
    let at = leaf_of(&session, 0x1000);
    let told = explain_spte(&session, at);
    assert!(told.title.starts_with("W = 0 because the guest's entry has D = 0"), "{}", told.title);
    let empty = SpteRef { index: at.index + 8, ..at };
    let told = explain_spte(&session, empty);
    assert!(told.title.starts_with("This shadow entry is empty"), "{}", told.title);
    assert!(told.text().contains("The guest's PTE is not present"), "{}", told.text());
    session.lab.execute(poke(0x7008, 0xb007));
    let told = explain_spte(&session, at);
    assert!(told.text().contains("KVM wrote it at #2"), "{}", told.text());
    assert!(told.text().contains("the next access fills it in"), "{}", told.text());
}

#[test]
fn mmio_says_that_no_memory_is_there_and_since_when() {
    for engine in [EngineName::Kvm2007, EngineName::KvmNow, EngineName::Ept, EngineName::Npt] {
        let mut session = small(engine);
        // Far above the guest's memory.
        session.lab.execute(poke(0x7018, 0xfee0_0067));
        session.lab.execute(access(0x3000, AccessKind::Read, false));
        let told = explain_last(&session, Depth::Standard);
        assert_eq!(told.title, "No memory is there, so the hypervisor carries the access out.", "{engine:?}");
        let text = told.text();
        let (lacks, exit) = ("No memory slot holds gfn 0xf_ee00.", "Exit to the hypervisor: no memory there.");
        assert!(text.find(lacks) < text.find(exit) && text.contains(lacks), "{engine:?}: {text}");
        assert!(text.contains("as for a device"), "{engine:?}: {text}");
        assert!(!told.code.is_empty(), "{engine:?}");
    }
    let mut session = small(EngineName::KvmNow);
    let slot = |size: u64, action| Command::Memslot { gpa: Gpa(0x1000_0000), size: Num(size), action };
    session.lab.execute(slot(0x1000, SlotAction::Add));
    session.lab.execute(slot(0, SlotAction::Remove));
    session.lab.execute(poke(0x7018, 0x1000_0067));
    session.lab.execute(access(0x3000, AccessKind::Write, false));
    let text = explain_last(&session, Depth::Standard).text();
    assert!(text.contains("Its memory was taken away at #2."), "{text}");
    // The mark that is left answers the next access without a walk.
    session.lab.execute(access(0x3000, AccessKind::Read, false));
    let text = explain_last(&session, Depth::Standard).text();
    assert!(text.contains("a mark with a reserved bit"), "{text}");
    let mark = explain_spte(&session, leaf_of(&session, 0x3000));
    assert!(mark.title.contains("no memory lies behind gfn 0x1_0000"), "{}", mark.title);
    assert!(mark.text().contains("generation"), "{}", mark.text());
}

#[test]
fn an_exit_is_told_before_what_the_hypervisor_did() {
    let mut session = small(EngineName::Kvm2007);
    session.lab.execute(access(0x1000, AccessKind::Read, true));
    let text = explain_last(&session, Depth::Standard).text();
    let order = ["The shadow entry was missing", "Exit to the hypervisor", "KVM makes", "It is filled in without W"];
    let places: Vec<usize> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    // A refused instruction: the exit, the reason, then the exception.
    session.lab.execute(poke(0x3028, 0x5003));
    session.lab.execute(Command::MovCr3 { val: Num(0x3020), compat: false });
    let text = explain_last(&session, Depth::Standard).text();
    let order = ["Exit to the hypervisor", "PDPTE 1 in memory", "since #2", "KVM hands the guest a #GP"];
    let places: Vec<usize> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{text}");
}

/// Each exhibit of the museum says, at some step, what the switch changes there.
#[test]
fn quirks_say_what_they_change() {
    const MUSEUM: [(&str, &str); 18] = [
        ("large-pages-two-rights", "kvm-2007+role-without-access"),
        ("recursive-directory", "kvm-2007+first-shadow-only"),
        ("quadrants", "kvm-2007+pde-offset-doubled-once"),
        ("table-under-4m-page", "kvm-2007+large-page-base-gfn"),
        ("shared-directory-2007", "kvm-2007+leaf-access-in-role"),
        ("shared-directory-now", "kvm-now+leaf-access-in-role"),
        ("table-becomes-protected", "kvm-2007+no-flush-on-reduction"),
        ("table-becomes-protected", "kvm-2007+flush-before-change"),
        ("the-register-remembers", "kvm-2007+walker-unlogged"),
        ("demand-fault", "kvm-2007+install-after-write"),
        ("quirk-cr4-bad-pdpte", "kvm-2007+cr4-written-despite-gp"),
        ("quirk-cr3-low-bits", "kvm-2007+cr3-low-bits-gp"),
        ("quirk-cr3-unmapped", "kvm-2007+cr3-unmapped-gp"),
        ("quirk-pdpte-reload", "kvm-2007+pdptes-on-transitions"),
        ("quirk-absent-pdpte", "kvm-2007+absent-pdpte-root"),
        ("quirk-rights-per-level", "kvm-2007+rights-at-each-level"),
        ("quirk-read-repair", "kvm-2007+fix-read-keeps-rmap"),
        ("quirk-cr0-reserved", "kvm-2007+cr0-reserved-gp"),
    ];
    for (name, engine) in MUSEUM {
        // Q12 is invisible to the guest: only the dirty log knows.
        let invisible = engine.ends_with("walker-unlogged");
        let session = session(name, engine);
        let says = |step| {
            let why = explain(&session, step, Language::En, Depth::Standard);
            why.causes.iter().any(|cause| cause.text.starts_with("Switched on: "))
        };
        let said = (1..=session.lab.len()).any(says);
        assert_eq!(said, !invisible, "{name} on {engine}");
    }
    let told =
        explain(&session("quirk-rights-per-level", "kvm-2007+rights-at-each-level"), 1, Language::En, Depth::Standard);
    assert!(told.text().contains("would end otherwise: #PF, error code"), "{}", told.text());
}

/// What long mode holds on to is changed by leaving it first, not by writing what is there already.
#[test]
fn what_is_offered_changes_something() {
    use mmuscope::arch::Cr4;
    for engine in [EngineName::Native, EngineName::KvmNow] {
        let mut session = session("demand-fault", engine.id());
        let cr4 = session.lab.machine().cpu.regs.cr4;
        let write = |val: Cr4| Command::MovCr4 { val: Num(val.bits()), compat: false };
        for val in [cr4 | Cr4::LA57, cr4 - Cr4::PAE, cr4 | Cr4::LA57 | Cr4::PGE] {
            session.lab.seek(0);
            session.lab.execute(write(val));
            let offered = fixes(session.lab.vm(), &write(val), Language::En);
            for fix in &offered {
                assert_ne!(fix.commands(), [write(cr4)], "{engine:?}");
            }
            let way = offered.iter().find(|fix| fix.then == write(val)).expect("a way to what was wanted");
            assert!(way.text.starts_with("First MOV CR0, 0x"), "{}", way.text);
            let mut vm = session.lab.vm().clone();
            for command in way.commands() {
                vm.execute(&command, &mut Quiet);
            }
            assert_eq!(vm.machine().cpu.regs.cr4, val);
        }
    }
}

#[test]
fn rules_of_2_6_20_alone_are_named_so() {
    let mut session = session("the-register-remembers", "kvm-2007+cr3-low-bits-gp+cr0-reserved-gp+cr3-unmapped-gp");
    session.lab.execute(Command::MovCr3 { val: Num(0x3021), compat: false });
    let text = explain_last(&session, Depth::Standard).text();
    assert!(text.contains("Only Linux 2.6.20 asks this"), "{text}");
    let command = session.lab.command(session.lab.len()).expect("a command").clone();
    let offered = fixes(session.lab.vm(), &command, Language::En);
    assert_eq!(offered[0].text, "MOV CR3, 0x3020 instead");
    session.lab.execute(Command::MovCr3 { val: Num(0x7000_0000), compat: false });
    let text = explain_last(&session, Depth::Standard).text();
    assert!(text.contains("No memory slot holds gfn 0x7_0000."), "{text}");
}

/// Functions are those of the engine's era.
#[test]
fn functions_belong_to_the_era() {
    for (engine, wanted) in [
        (EngineName::Native, ""),
        (EngineName::Kvm2006, "Linux 2.6.20-rc3: "),
        (EngineName::Kvm2007, "Linux 2.6.20: "),
        (EngineName::KvmNow, "Linux 6.8: "),
        (EngineName::Ept, "Linux 6.8: handle_ept_violation(), kvm_tdp_page_fault()"),
        (EngineName::Npt, "Linux 6.8: npf_interception(), kvm_tdp_page_fault()"),
    ] {
        let mut session = small(engine);
        session.lab.execute(access(0x1000, AccessKind::Read, true));
        let code = explain_last(&session, Depth::Standard).code;
        assert!(code.starts_with(wanted) && code.is_empty() == wanted.is_empty(), "{engine:?}: {code}");
    }
    let mut session = small(EngineName::Native);
    session.lab.execute(access(0x1000, AccessKind::Read, true));
    assert_eq!(explain_last(&session, Depth::Story).manual, "");
    let code = |engine, command: Command| {
        let mut session = small(engine);
        session.lab.execute(command);
        explain_last(&session, Depth::Standard).code
    };
    let invlpg = Command::Invlpg { va: Gva(0x1000) };
    assert_eq!(code(EngineName::Kvm2006, invlpg.clone()), "Linux 2.6.20-rc3: paging_inval_page()");
    assert_eq!(code(EngineName::Kvm2007, invlpg), "");
    // Under EPT the guest loads CR3, and the hardware the PDPTEs: through EPT, which has nothing there at first.
    let load = |cr3| Command::MovCr3 { val: Num(cr3), compat: false };
    let mut under_ept = small(EngineName::Ept);
    for wanted in ["Linux 6.8: handle_ept_violation(), kvm_tdp_page_fault()", ""] {
        under_ept.lab.execute(load(0x3020));
        assert_eq!(explain_last(&under_ept, Depth::Standard).code, wanted);
    }
    assert_eq!(
        code(EngineName::KvmNow, load(0x3020)),
        "Linux 6.8: kvm_set_cr3(), kvm_invalidate_pcid(), load_pdptrs()"
    );
    let refused = Command::MovCr0 { val: Num(0x8000_0010), compat: false };
    assert_eq!(code(EngineName::Kvm2007, refused), "Linux 2.6.20: set_cr0(), inject_gp()");
    let mut amd = small(EngineName::Npt);
    amd.lab.execute(access(0x1000, AccessKind::Read, true));
    assert_eq!(explain_last(&amd, Depth::Standard).manual, "AMD APM 2 15.25.5");
    assert_eq!(explain_last(&session, Depth::Standard).manual, "SDM 3A 4.6 (2016)");
}

#[test]
fn a_history_of_many_commands_costs_little() {
    let mut session = small(EngineName::Native);
    session.lab.execute(poke(0x7008, 0x9006));
    for i in 0..20_000 {
        session.lab.execute(poke(0x20_0000, i));
    }
    session.lab.execute(access(0x1000, AccessKind::Read, true));
    let begun = std::time::Instant::now();
    let text = explain_last(&session, Depth::Standard).text();
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    assert!(text.contains("PTE[1] is 0x9006: P = 0."), "{text}");
    let event = |event: &Event| matches!(event, Event::Fault { .. });
    assert!(session.lab.events_of(session.lab.len()).iter().any(event));
}
