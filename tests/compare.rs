//! The Compare view: what is lit, by brute force; and the view, driven by its accessible names.

#[path = "ui/support.rs"]
mod support;

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use mmuscope::app::compare::deeds::{Deed, lit};
use mmuscope::app::compare::{columns, engines, rows};
use mmuscope::app::view::{Screen, Selection};
use mmuscope::app::{App, Options, Theme};
use mmuscope::arch::{Gfn, Gpa};
use mmuscope::engine::{EngineConfig, EngineName};
use mmuscope::machine::Caches;
use mmuscope::scenario::{Scenario, Session};
use proptest::prelude::*;
use support::{SIZES, open_on, open_scenario};

type Window = Harness<'static, App>;

fn scenario(name: &str) -> Scenario {
    let path = format!("{}/assets/scenarios/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("a readable scenario");
    Scenario::from_json(name, &text).expect("a scenario")
}

fn session(name: &str) -> Session {
    Session::open(scenario(name)).expect("it can begin")
}

/// A scenario in the Compare view, its cursor after so many commands.
fn compare(name: &str, size: [f32; 2], at: usize) -> Window {
    compare_in(name, size, at, Theme::Light)
}

/// The same in a theme.
fn compare_in(name: &str, size: [f32; 2], at: usize, theme: Theme) -> Window {
    let mut window = open_scenario(session(name), size, theme, at);
    window.key_press_modifiers(Modifiers::SHIFT, Key::C);
    window.run();
    assert_eq!(window.state().view().screen, Screen::Compare);
    window
}

fn press(window: &mut Window, key: Key) {
    window.key_press(key);
    window.run();
}

fn click(window: &mut Window, label: &str) {
    window.get_by_label(label).click();
    window.run();
}

fn has(window: &Window, label: &str) -> bool {
    window.query_all_by_label_contains(label).next().is_some()
}

fn cursor(window: &Window) -> usize {
    window.state().session().lab.cursor()
}

fn configs<const N: usize>(names: [EngineName; N]) -> Vec<EngineConfig> {
    names.map(EngineConfig::from).into()
}

fn shown(window: &Window) -> Vec<EngineConfig> {
    columns(window.state().view(), window.state().session())
}

// What is lit

/// The rows of a column that are not lit, as a sorted collection.
fn dark(column: &[Deed], lit: &[bool]) -> Vec<String> {
    let mut dark: Vec<String> =
        column.iter().zip(lit).filter(|(_, lit)| !**lit).map(|(deed, _)| format!("{deed:?}")).collect();
    dark.sort();
    dark
}

/// Counts by brute force: takes one equal row out of every column for as long as every column has one.
fn common(columns: &[Vec<Deed>]) -> Vec<String> {
    let mut left: Vec<Vec<String>> =
        columns.iter().map(|column| column.iter().map(|deed| format!("{deed:?}")).collect()).collect();
    let mut common = Vec::new();
    for deed in columns.first().into_iter().flatten() {
        let deed = format!("{deed:?}");
        let places: Option<Vec<usize>> =
            left.iter().map(|column| column.iter().position(|other| *other == deed)).collect();
        if let Some(places) = places {
            left.iter_mut().zip(places).for_each(|(column, at)| drop(column.remove(at)));
            common.push(deed);
        }
    }
    common.sort();
    common
}

fn check_lit(columns: &[Vec<Deed>]) {
    let slices: Vec<&[Deed]> = columns.iter().map(Vec::as_slice).collect();
    let (lit, common) = (lit(&slices), common(columns));
    for (column, lit) in columns.iter().zip(&lit) {
        assert_eq!(column.len(), lit.len());
        assert_eq!(dark(column, lit), common, "what is not lit is what all have: {columns:?}");
        // Of equal rows the later ones are lit.
        for (at, deed) in column.iter().enumerate().filter(|(at, _)| lit[*at]) {
            assert!((at..column.len()).filter(|later| column[*later] == *deed).all(|later| lit[later]));
        }
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0_u64..3).prop_map(|gfn| Deed::WriteProtect(Gfn(gfn))),
        (0_u64..3).prop_map(|gpa| Deed::Emulate { gpa: Gpa(gpa) }),
        Just(Deed::Reclaim),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn lit_rows_are_exactly_the_differences(columns in prop::collection::vec(prop::collection::vec(deed(), 0..9), 1..5)) {
        check_lit(&columns);
    }
}

/// Every step of every scenario that the program carries, on every engine.
#[test]
fn lit_rows_of_every_scenario() {
    let folder = format!("{}/assets/scenarios", env!("CARGO_MANIFEST_DIR"));
    let mut steps = 0;
    for file in std::fs::read_dir(folder).expect("a readable folder") {
        let path = file.expect("a readable entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let scenario = scenario(&name);
        let mut session = Session::open(scenario.clone()).expect("it can begin");
        let engines: Vec<EngineConfig> = EngineName::ALL.map(EngineConfig::from).into();
        let mut vms: Vec<_> = engines
            .iter()
            .map(|engine| session.scenario.start(*engine, Caches::default()).expect("it can begin"))
            .collect();
        let mut runs = mmuscope::app::compare::Runs::default();
        assert!(runs.follow(&session, &engines, usize::MAX));
        for step in (1..=session.lab.len()).take(24) {
            let command = session.lab.command(step).expect("a command").clone();
            let columns: Vec<Vec<Deed>> = vms
                .iter_mut()
                .map(|vm| rows::rows_of(vm, &command, &mut Vec::new()).into_iter().map(|row| row.deed).collect())
                .collect();
            check_lit(&columns);
            // What the view keeps of a step agrees with its rows.
            let slices: Vec<&[Deed]> = columns.iter().map(Vec::as_slice).collect();
            let expected = lit(&slices);
            let differs = expected.iter().flatten().any(|lit| *lit);
            assert_eq!(runs.differing().contains(&(step as u32)), differs, "{name}, step {step}");
            session.lab.seek(step);
            runs.follow(&session, &engines, 0);
            let lit_there: Vec<Vec<bool>> = runs.columns().iter().map(|column| column.lit.clone()).collect();
            assert_eq!(lit_there, expected, "{name}, step {step}");
            for (vm, column) in vms.iter().zip(runs.columns()) {
                assert_eq!(*column.cost(usize::MAX), vm.machine().cost, "{name}, step {step}");
            }
            steps += 1;
        }
    }
    assert!(steps > 150, "{steps} steps");
}

/// Each event of a command belongs to a row, but those of the reverse map.
#[test]
fn rows_stand_for_events() {
    for engine in EngineName::ALL.map(EngineConfig::from) {
        let session = session("process-switch-2007");
        let mut vm = session.scenario.start(engine, Caches::default()).expect("it can begin");
        for command in session.lab.commands() {
            let mut events = Vec::new();
            let rows = rows::rows_of(&mut vm, command, &mut events);
            let mut told: Vec<u32> = rows.iter().flat_map(|row| row.events.iter().copied()).collect();
            told.sort_unstable();
            told.dedup();
            let silent = events.iter().filter(|event| matches!(event.name(), "rmap_add" | "rmap_remove")).count();
            assert_eq!(told.len() + silent, events.len(), "{engine}: {rows:?}");
        }
    }
}

// The view

#[test]
fn the_partial_page_tells_its_story() {
    let mut window = compare("partial-page-pdpt", SIZES.desktop, usize::MAX);
    assert_eq!(shown(&window), configs([EngineName::KvmPdpt, EngineName::Kvm2007, EngineName::Ept]));
    for label in [
        "Same commands, three engines",
        "KVM shadow, PDPT shadowed",
        "page fault: page is write-protected",
        "emulates the store, GPA 0x10_1800 · not on every engine",
        "TLB hit, native store, GPA 0x10_1800 · not on every engine",
        "KVM shadow, PDPT shadowed: emulated writes 1,001",
        "KVM shadow, 2007: emulated writes 0",
        "Two-dimensional (EPT): zaps 0",
    ] {
        assert!(has(&window, label), "{label}");
    }
    // Two engines that do the same: nothing is lit.
    window.get_by_label("Remove KVM shadow, PDPT shadowed").click();
    window.run();
    assert_eq!(shown(&window), configs([EngineName::Kvm2007, EngineName::Ept]));
    assert!(!has(&window, "not on every engine"));
    assert!(has(&window, "all of them do the same here"));
    assert!(has(&window, "Same commands, two engines"));
}

#[test]
fn time_is_that_of_every_engine() {
    let mut window = compare("the-register-remembers", SIZES.laptop, 0);
    assert!(has(&window, "Nothing has happened yet"));
    press(&mut window, Key::ArrowRight);
    assert_eq!(cursor(&window), 1);
    assert!(has(&window, "1: user read GVA 0x4120_1abc"));
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
    window.run();
    assert!(has(&window, "· not yet"), "the last event has not happened yet");
    press(&mut window, Key::End);
    assert_eq!(cursor(&window), 6);
    click(&mut window, "To the start of time");
    assert_eq!(cursor(&window), 0);
    click(&mut window, "Step");
    assert_eq!(cursor(&window), 1);
}

#[test]
fn differences_are_jumped_to() {
    let mut window = compare("the-register-remembers", SIZES.desktop, 0);
    let differing: Vec<usize> = window.state().runs().differing().iter().map(|step| *step as usize).collect();
    assert!(differing.len() > 2 && differing.len() < 6, "{differing:?}");
    for step in &differing {
        press(&mut window, Key::D);
        assert_eq!(cursor(&window), *step);
        assert!(has(&window, "not on every engine"));
    }
    press(&mut window, Key::D);
    assert_eq!(cursor(&window), *differing.last().expect("some"));
    assert!(has(&window, "These engines do the same in every later step"));
    window.key_press_modifiers(Modifiers::SHIFT, Key::D);
    window.run();
    assert_eq!(cursor(&window), differing[differing.len() - 2]);
}

#[test]
fn the_way_there_and_back_keeps_what_was_selected() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Dark, 4);
    window.get_by_label_contains("Shadow PT 1: frame").click();
    window.run();
    let selection = window.state().view().selection;
    assert_ne!(selection, Selection::None);
    click(&mut window, "Compare side by side");
    assert_eq!(window.state().view().screen, Screen::Compare);
    press(&mut window, Key::Escape);
    assert_eq!((window.state().view().screen, window.state().view().selection), (Screen::Explore, selection));
    assert_eq!(cursor(&window), 4);
    click(&mut window, "Compare");
    assert_eq!(window.state().view().screen, Screen::Compare);
    click(&mut window, "Explore");
    assert_eq!((window.state().view().screen, window.state().view().selection), (Screen::Explore, selection));
    assert_eq!(cursor(&window), 4);
}

#[test]
fn engines_come_go_and_change() {
    let mut window = compare("the-register-remembers", SIZES.desktop, 5);
    click(&mut window, "Add engine");
    click(&mut window, "KVM shadow, now");
    assert_eq!(shown(&window).last(), Some(&EngineName::KvmNow.into()));
    assert_eq!(shown(&window).len(), engines::MOST);
    assert!(has(&window, "Same commands, four engines"));
    click(&mut window, "Another engine in place of KVM shadow, now");
    // An open menu closes by Escape; the view stays.
    press(&mut window, Key::Escape);
    assert_eq!(window.state().view().screen, Screen::Compare);
    click(&mut window, "Another engine in place of KVM shadow, now");
    click(&mut window, "Two-dimensional (NPT)");
    assert_eq!(shown(&window).last(), Some(&EngineName::Npt.into()));
    let first = shown(&window)[0];
    let name = engines::title(mmuscope::language::Language::En, first);
    click(&mut window, &format!("Remove {name}"));
    assert!(!shown(&window).contains(&first));
    assert_eq!(window.state().runs().columns().len(), 3);
}

#[test]
fn a_branch_is_followed() {
    let mut window = compare("the-register-remembers", SIZES.desktop, 6);
    assert_eq!(window.state().runs().done(), 6);
    press(&mut window, Key::Home);
    press(&mut window, Key::ArrowRight);
    // The composed access, given in the past, opens a branch.
    press(&mut window, Key::A);
    assert_eq!((window.state().session().lab.len(), window.state().runs().done()), (2, 2));
    let lab = &window.state().session().lab;
    assert_eq!(lab.branches().len(), 2);
    for (engine, column) in shown(&window).into_iter().zip(window.state().runs().columns()) {
        let mut vm = window.state().session().scenario.start(engine, Caches::default()).expect("it can begin");
        let mut events = Vec::new();
        for command in lab.commands() {
            events.clear();
            vm.execute(command, &mut events);
        }
        assert_eq!(column.events, events, "{engine}");
    }
}

#[test]
fn an_empty_history_says_what_to_do() {
    let options = Options { theme: Some(Theme::Dark), screen: Screen::Compare, ..Options::default() };
    let window = Harness::builder()
        .with_size(SIZES.laptop)
        .with_max_steps(12)
        .build_eframe(move |cc| App::new(&cc.egui_ctx, Session::empty(), options));
    assert!(has(&window, "no command yet"));
    assert!(has(&window, "In Explore, give an access or load a register"));
}

#[test]
fn a_telephone_shows_one_engine_at_a_time() {
    let mut window = compare("partial-page-pdpt", SIZES.phone, usize::MAX);
    assert!(has(&window, "KVM shadow, PDPT shadowed: exits"));
    assert!(!has(&window, "KVM shadow, 2007: exits"));
    click(&mut window, "Engine in view: 2007");
    assert!(has(&window, "KVM shadow, 2007: exits"));
    // A finger to the left brings the next one.
    window.drag_at(egui::pos2(300.0, 400.0));
    window.run();
    window.hover_at(egui::pos2(120.0, 405.0));
    window.run();
    window.drop_at(egui::pos2(120.0, 405.0));
    window.run();
    assert!(has(&window, "Two-dimensional (EPT): exits"));
    click(&mut window, "Explore");
    assert_eq!(window.state().view().screen, Screen::Explore);
}

/// A long history is carried out piece by piece while the window goes on.
#[test]
fn a_long_history_keeps_nobody_waiting() {
    let mut session = session("process-switch-2007");
    let commands: Vec<_> = session.lab.commands().cloned().collect();
    session.lab.seek(usize::MAX);
    for _ in 0..1600 {
        for command in &commands {
            session.lab.execute_with(command.clone(), &mut mmuscope::engine::Quiet);
        }
    }
    let all = session.lab.len();
    assert!(all > 20_000);
    let mut runs = mmuscope::app::compare::Runs::default();
    let engines = configs([EngineName::KvmPdpt, EngineName::Kvm2007, EngineName::Ept]);
    let (mut pieces, mut done) = (0, 0);
    while !runs.follow(&session, &engines, 1 << 15) {
        assert!(runs.done() >= done && runs.done() < all);
        assert!(runs.columns().is_empty(), "nothing is shown of a step that is not reached");
        (pieces, done) = (pieces + 1, runs.done());
    }
    assert!(pieces > 5, "{pieces}");
    assert_eq!(runs.columns().len(), 3);
    // Anywhere in it, a column is what a run from the start would show.
    for step in [1, 777, 12_345, all] {
        session.lab.seek(step);
        runs.follow(&session, &engines, 0);
        let mut vm = session.scenario.start(engines[1], Caches::default()).expect("it can begin");
        for command in session.lab.commands().take(step) {
            vm.execute(command, &mut mmuscope::engine::Quiet);
        }
        assert_eq!(*runs.columns()[1].cost(usize::MAX), vm.machine().cost, "{step}");
    }
}

#[test]
fn a_link_leads_to_the_same_engines() {
    let mut window = compare("the-register-remembers", SIZES.desktop, 4);
    click(&mut window, "Remove KVM shadow, PDPT shadowed");
    let link = window.state().link().expect("a link");
    let mut other = open_scenario(Session::empty(), SIZES.desktop, Theme::Dark, 0);
    other.state_mut().open_link(&link).expect("a link that opens");
    other.run();
    assert_eq!(other.state().view().screen, Screen::Compare);
    assert_eq!(shown(&other), configs([EngineName::Kvm2007, EngineName::Ept]));
    assert_eq!(cursor(&other), 4);
    // A link that says nothing of it opens in Explore.
    let bare = mmuscope::scenario::link(window.state().session(), &mmuscope::scenario::View::default(), "en");
    other.state_mut().open_link(&bare.expect("a link")).expect("a link that opens");
    other.run();
    assert_eq!(other.state().view().screen, Screen::Explore);
}

#[test]
fn pictures() {
    let mut results = egui_kittest::SnapshotResults::new();
    let mut take = |name: &str, mut window: Window| results.add(window.try_snapshot(format!("compare_{name}")));
    let end = usize::MAX;
    take("partial_page_light", compare_in("partial-page-pdpt", SIZES.desktop, end, Theme::Light));
    take("partial_page_dark", compare_in("partial-page-pdpt", SIZES.laptop, 600, Theme::Dark));
    take("register_projector", compare_in("the-register-remembers", SIZES.laptop, 4, Theme::Projector));
    take("switch_high_contrast", compare_in("process-switch-2007", SIZES.desktop, 11, Theme::HighContrast));
    take("switch_phone", compare_in("process-switch-2007", SIZES.phone, 10, Theme::Light));
    let mut chinese = compare_in("the-register-remembers", SIZES.desktop, 5, Theme::Light);
    chinese.state_mut().speak(mmuscope::language::Language::Zh);
    chinese.run();
    take("register_chinese", chinese);
}
