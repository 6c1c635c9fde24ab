//! Time, driven by keys and accessible names: undo and redo of every edit, branches, bookmarks, jumps,
//! play, motion.

#[path = "ui/support.rs"]
mod support;

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use mmuscope::app::time::TimeWish;
use mmuscope::app::view::{AppCommand, Composer, Selection};
use mmuscope::app::{App, Options, Theme};
use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, Gpa, Gva, Mode, TableMemory as _};
use mmuscope::engine::EngineName;
use mmuscope::machine::command::Size;
use mmuscope::machine::{Caches, Command};
use mmuscope::scenario::{Scenario, Session, View, link, read_steps};
use support::{SIZES, open, open_on, open_scenario};

fn press(window: &mut Harness<'_, App>, key: Key) {
    window.key_press(key);
    window.run();
}

fn press_with(window: &mut Harness<'_, App>, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run();
}

fn cursor(window: &Harness<'_, App>) -> usize {
    window.state().session().lab.cursor()
}

fn said(window: &Harness<'_, App>, words: &str) -> bool {
    window.query_all_by_label_contains(words).next().is_some()
}

/// Everything that an undo must bring back.
#[derive(Clone, Debug, PartialEq)]
struct State {
    scenario: String,
    engine: String,
    caches: Caches,
    place: mmuscope::lab::Place,
    path: Vec<Option<u32>>,
    commands: Vec<Command>,
    branches: Vec<(u32, u32, usize, Option<String>)>,
    in_view: Option<u32>,
    hash: u64,
    cost: String,
    bookmarks: Vec<(Option<u32>, String)>,
    captions: usize,
    composer: Composer,
}

fn state(app: &App) -> State {
    let session = app.session();
    let lab = &session.lab;
    State {
        scenario: session.scenario.id.clone(),
        engine: format!("{:?}", session.config()),
        caches: session.caches(),
        place: lab.place(),
        path: (1..=lab.len()).map(|step| lab.node(step)).collect(),
        commands: lab.log().iter().map(|node| node.command.clone()).collect(),
        branches: lab
            .branches()
            .iter()
            .map(|b| (b.start, b.tip, b.len, session.marks.branch_name(b.start).map(str::to_owned)))
            .collect(),
        in_view: lab.branch_in_view(),
        hash: lab.state_hash(),
        cost: format!("{:?}", lab.machine().cost),
        bookmarks: session.marks.bookmarks.iter().map(|b| (b.at, b.name.clone())).collect(),
        captions: session.captions.len(),
        composer: app.view().composer,
    }
}

/// A small generator of numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

fn command(random: &mut Random) -> Command {
    let va = Gva([0x4120_1abc, 0x4120_0000, 0x1000, 0x8000_0000][random.below(4) as usize]);
    let kind = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch][random.below(3) as usize];
    match random.below(7) {
        0 => Command::Poke {
            pa: Gpa(0x3020 + 8 * random.below(4)),
            val: Num(0x6001 + 0x1000 * random.below(4)),
            size: Size::WORD,
        },
        1 => Command::Poke { pa: Gpa(0x7008), val: Num(0x2b021 + random.below(8)), size: Size::WORD },
        2 => Command::MovCr3 { val: Num(0x3020), compat: false },
        3 => Command::Invlpg { va },
        // Refused: a long mode bit under paging, a reserved bit.
        4 => Command::MovCr4 { val: Num(1 << 40), compat: false },
        _ => Command::Access { va, kind, user: random.below(2) == 0, ac: false, stack: false },
    }
}

/// A wish that edits, or at least tries to.
fn edit(random: &mut Random, app: &App) -> AppCommand {
    let lab = &app.session().lab;
    let branches = lab.branches();
    let branch = branches.get(random.below(branches.len().max(1) as u64) as usize).map_or(0, |branch| branch.start);
    let here = lab.node(lab.cursor());
    let named = if random.below(2) == 0 {
        mmuscope::app::time::Named::Branch(branch)
    } else {
        mmuscope::app::time::Named::Bookmark(here)
    };
    match random.below(16) {
        0 => AppCommand::ToggleBookmark,
        1 => AppCommand::Time(TimeWish::Name(named, format!("name {}", random.below(9)))),
        2 => AppCommand::Time(TimeWish::DeleteBranch(branch)),
        3 => AppCommand::SetEngine(EngineName::ALL[random.below(7) as usize]),
        4 => AppCommand::SetCaches(Caches { tlb: random.below(2) == 0, structures: random.below(2) == 0 }),
        5 if random.below(3) == 0 => {
            let other = if app.session().scenario.id == "smap" { "one-invlpg-for-512-pages" } else { "smap" };
            AppCommand::OpenPreset(other.to_owned())
        }
        6 => AppCommand::Compose(Composer { user: !app.view().composer.user, ..app.view().composer }),
        7 => AppCommand::Compose(Composer { va: Gva(random.below(1 << 31)), ..app.view().composer }),
        8 => AppCommand::Access,
        9 => AppCommand::AccessStep,
        10 => AppCommand::SwitchMode(Mode::ALL[random.below(5) as usize]),
        11 => AppCommand::RunAll((0..3).map(|_| command(random)).collect()),
        _ => AppCommand::Run(command(random)),
    }
}

/// A wish that moves in time, which is no edit.
fn travel(random: &mut Random, app: &App) -> AppCommand {
    let lab = &app.session().lab;
    let branches = lab.branches();
    match random.below(6) {
        0 => AppCommand::StepBack,
        1 => AppCommand::MicroBack,
        2 => AppCommand::Time(TimeWish::PreviousFault),
        3 if !branches.is_empty() => {
            AppCommand::SwitchBranch(branches[random.below(branches.len() as u64) as usize].tip)
        }
        _ => AppCommand::Seek(random.below(lab.len() as u64 + 2) as usize),
    }
}

/// Random edits and moves, then everything back and again: each undo restores exactly the state before
/// its edit, each redo the state after it.
#[test]
fn every_edit_is_undone_and_done_again_exactly() {
    let ctx = egui::Context::default();
    let mut kinds = [0_usize; 4];
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut app = App::new(&ctx, open_session(), Options { at: Some(2), ..Options::default() });
        // The states before and after each edit.
        let mut edits: Vec<(State, State)> = Vec::new();
        let ask = |app: &mut App, wish: AppCommand| {
            app.ask(wish);
            app.apply(&ctx);
        };
        for _ in 0..60 {
            for _ in 0..random.below(3) {
                let wish = travel(&mut random, &app);
                ask(&mut app, wish);
            }
            let before = state(&app);
            if random.below(12) == 0 {
                let json = r#"[{"op":"note","text":"here"},{"op":"invlpg","va":"0x41201abc"}]"#;
                let steps = read_steps("steps", json, &app.session().scenario.cpu).expect("steps");
                app.run_steps(&steps);
            } else {
                let wish = edit(&mut random, &app);
                ask(&mut app, wish);
            }
            let after = state(&app);
            // An address that is typed after another one is one edit with it.
            let typed = |a: &State, b: &State| {
                a.composer.va != b.composer.va && State { composer: a.composer, ..b.clone() } == *a
            };
            match edits.last_mut() {
                Some((first, last)) if *last == before && typed(&before, &after) && typed(first, last) => *last = after,
                _ if before != after => edits.push((before, after)),
                _ => {}
            }
        }
        for round in 0..2 {
            for (before, _) in edits.iter().rev() {
                if random.below(3) == 0 {
                    let wish = travel(&mut random, &app);
                    ask(&mut app, wish);
                }
                ask(&mut app, AppCommand::Time(TimeWish::Undo));
                assert_eq!(state(&app), *before, "seed {seed}, round {round}");
            }
            ask(&mut app, AppCommand::Time(TimeWish::Undo));
            assert!(app.view().notice.is_some(), "nothing is left to undo");
            for (before, after) in &edits {
                if random.below(3) == 0 {
                    let wish = travel(&mut random, &app);
                    ask(&mut app, wish);
                }
                ask(&mut app, AppCommand::Time(TimeWish::Redo));
                assert_eq!(state(&app), *after, "seed {seed}, round {round}");
                kinds[0] += usize::from(before.branches.len() > after.branches.len());
                kinds[1] += usize::from(before.scenario != after.scenario);
                kinds[2] += usize::from(before.engine != after.engine || before.caches != after.caches);
                kinds[3] += usize::from(before.branches.len() < after.branches.len());
            }
        }
        // What is saved after all that opens as it is.
        let session = app.session();
        let text = link(session, &View::default(), "en").expect("a link");
        let back = mmuscope::scenario::Shared::from_link(&text).expect("it is read").open().expect("it opens");
        assert_eq!(back.lab.state_hash(), session.lab.state_hash());
        assert_eq!(back.lab.branches().len(), session.lab.branches().len());
    }
    assert!(kinds.iter().all(|count| *count > 20), "every kind of edit was among them: {kinds:?}");
}

fn open_session() -> Session {
    let json = include_str!("../assets/scenarios/the-register-remembers.json");
    let scenario = Scenario::from_json("example", json).expect("the example is a scenario");
    Session::open_on(scenario, EngineName::Kvm2007, Caches::default()).expect("the example can begin")
}

#[test]
fn keys_undo_and_redo() {
    let mut window = open(SIZES.laptop, Theme::Dark, 1);
    window.get_by_label_contains("PTE 1: ").click();
    window.run();
    window.get_by_label("R/W writable").click();
    window.run();
    let entry = |window: &Harness<'_, App>| window.state().session().lab.machine().memory.read_u64(Gpa(0x7008));
    assert_eq!((entry(&window), window.state().session().lab.branches().len()), (0x2b025, 2));
    press_with(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!((entry(&window), window.state().session().lab.branches().len()), (0x2b027, 1));
    assert!(said(&window, "Undone: "));
    press_with(&mut window, Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!((entry(&window), window.state().session().lab.branches().len()), (0x2b025, 2));
    press_with(&mut window, Modifiers::COMMAND, Key::Z);
    press_with(&mut window, Modifiers::COMMAND, Key::Y);
    assert_eq!((entry(&window), cursor(&window)), (0x2b025, 2));
    press_with(&mut window, Modifiers::COMMAND, Key::Y);
    assert!(said(&window, "There is nothing to do again"));
}

/// By buttons alone, as on a telephone.
#[test]
fn a_menu_undoes() {
    let mut window = open(SIZES.phone, Theme::Dark, 1);
    press(&mut window, Key::C);
    assert_eq!(window.state().session().lab.branches().len(), 2);
    window.get_by_label("Time ▾").click();
    window.run();
    window.get_by_label_contains("Undo the last edit").click();
    window.run();
    assert_eq!(window.state().session().lab.branches().len(), 1);
}

/// Ctrl+Z in a field is the field's own.
#[test]
fn a_field_keeps_its_own_undo() {
    let mut window = open(SIZES.laptop, Theme::Dark, 1);
    window.get_by_label("Load CR3").click();
    window.run();
    let len = window.state().session().lab.log().len();
    window.get_by_label("Linear address").focus();
    window.run();
    press_with(&mut window, Modifiers::COMMAND, Key::Z);
    assert_eq!(window.state().session().lab.log().len(), len);
}

/// Load the example, poke PDPTE 1, see STALE, access through the old register, load CR3, see fresh and
/// the fault, back to the start, branch, come back, and name what was left.
#[test]
fn the_story_of_a_branch() {
    let mut window = open_scenario(empty_example(), SIZES.desktop, Theme::Dark, 0);
    window.get_by_label("Linear address").focus();
    window.run();
    press_with(&mut window, Modifiers::COMMAND, Key::A);
    window.get_by_label("Linear address").type_text("0x41201abc");
    window.run();
    press(&mut window, Key::Tab);
    window.get_by_label_contains("PDPTE 1 memory").click();
    window.run();
    window.get_by_label("Value of the entry in hex").focus();
    window.run();
    press_with(&mut window, Modifiers::COMMAND, Key::A);
    window.get_by_label("Value of the entry in hex").type_text("0x9001");
    window.run();
    press(&mut window, Key::Enter);
    assert!(said(&window, "PDPTE 1 STALE"));
    window.get_by_label("Access").click();
    window.run();
    assert!(said(&window, "PDPTE 1 STALE"), "the old register still leads");
    assert_eq!(window.state().session().lab.machine().cpu.cr2.0, 0);
    window.get_by_label("Load CR3").click();
    window.run();
    assert!(!said(&window, "PDPTE 1 STALE"));
    window.get_by_label("Access").click();
    window.run();
    assert!(said(&window, "Fault: "));
    let (hash, len) = (window.state().session().lab.state_hash(), window.state().session().lab.len());
    window.get_by_label("To the start").click();
    window.run();
    assert_eq!(cursor(&window), 0);
    window.get_by_label("Load CR3").click();
    window.run();
    assert_eq!((window.state().session().lab.branches().len(), window.state().session().lab.len()), (2, 1));
    window.get_by_label_contains("Go to branch: main").click();
    window.run();
    window.get_by_label("To the end").click();
    window.run();
    let lab = &window.state().session().lab;
    assert_eq!((lab.state_hash(), lab.len()), (hash, len));
}

fn empty_example() -> Session {
    let json = include_str!("../assets/scenarios/the-register-remembers.json");
    let mut scenario = Scenario::from_json("example", json).expect("the example is a scenario");
    scenario.steps.clear();
    Session::open_on(scenario, EngineName::Native, Caches::default()).expect("the example can begin")
}

/// By keys alone: name a branch, go to the other, delete one, bring it back.
#[test]
fn branches_are_reached_by_keys() {
    let mut window = open(SIZES.laptop, Theme::Dark, 2);
    press(&mut window, Key::C);
    assert_eq!(window.state().session().lab.branches().len(), 2);
    press(&mut window, Key::F2);
    window.get_by_label("Name of the branch").type_text("what if");
    window.run();
    press(&mut window, Key::Enter);
    assert!(said(&window, "branch what if"));
    press(&mut window, Key::O);
    assert!(said(&window, "branch main"));
    assert!(said(&window, "Go to branch: what if"));
    press(&mut window, Key::O);
    press_with(&mut window, Modifiers::SHIFT, Key::Delete);
    assert!(said(&window, "Branch what if is deleted"));
    assert_eq!(window.state().session().lab.branches().len(), 1);
    press_with(&mut window, Modifiers::SHIFT, Key::Delete);
    assert!(said(&window, "The only branch cannot be deleted"));
    press_with(&mut window, Modifiers::COMMAND, Key::Z);
    assert!(said(&window, "branch what if"));
    press_with(&mut window, Modifiers::COMMAND, Key::Z);
    assert!(!said(&window, "branch what if"), "the name was an edit, too");
}

/// A branch on the line of time has a menu, keys of its own, and a double click opens its name.
#[test]
fn a_branch_on_the_line_is_renamed_and_deleted() {
    let mut window = open(SIZES.laptop, Theme::Dark, 2);
    press(&mut window, Key::C);
    press(&mut window, Key::O);
    let stub = "Go to branch: MOV CR3";
    window.get_by_label_contains(stub).focus();
    window.run();
    press(&mut window, Key::F2);
    window.get_by_label("Name of the branch").type_text("first");
    window.run();
    press(&mut window, Key::Enter);
    assert!(said(&window, "Go to branch: first"));
    window.get_by_label_contains("Go to branch: first").click_secondary();
    window.run();
    window.get_by_label("Delete it").click();
    window.run();
    assert_eq!(window.state().session().lab.branches().len(), 1);
    press_with(&mut window, Modifiers::COMMAND, Key::Z);
    window.get_by_label_contains("Go to branch: first").focus();
    window.run();
    press(&mut window, Key::Delete);
    assert_eq!(window.state().session().lab.branches().len(), 1);
}

#[test]
fn bookmarks_have_names() {
    let mut window = open(SIZES.laptop, Theme::Dark, 2);
    press_with(&mut window, Modifiers::SHIFT, Key::B);
    window.get_by_label("Name of the bookmark").type_text("stale from here");
    window.run();
    press(&mut window, Key::Enter);
    assert!(said(&window, "1 bookmark"));
    press(&mut window, Key::Home);
    window.get_by_label_contains("Bookmark: stale from here").click();
    window.run();
    assert_eq!(cursor(&window), 2);
    press(&mut window, Key::End);
    press_with(&mut window, Modifiers::SHIFT, Key::N);
    assert_eq!(cursor(&window), 2);
}

#[test]
fn jumps_go_both_ways() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.laptop, Theme::Dark, 6);
    let history = |window: &Harness<'_, App>| {
        let lab = &window.state().session().lab;
        (1..=lab.len())
            .map(|step| {
                let events = lab.events_of(step);
                let exits = events.iter().any(|event| event.name() == "vm_exit");
                (exits, mmuscope::app::view::Ending::of(&events) != mmuscope::app::view::Ending::Done)
            })
            .collect::<Vec<_>>()
    };
    let all = history(&window);
    let mut expected = 6;
    loop {
        press_with(&mut window, Modifiers::SHIFT, Key::E);
        // Where there is none it stays and says so.
        let before = (1..expected).rev().find(|step| all[step - 1].0);
        assert_eq!(said(&window, "No exit to the hypervisor before"), before.is_none());
        expected = before.unwrap_or(expected);
        assert_eq!(cursor(&window), expected);
        if before.is_none() {
            break;
        }
    }
    press(&mut window, Key::F);
    assert_eq!(cursor(&window), 6);
    // In the middle of it, its end lies ahead.
    press_with(&mut window, Modifiers::SHIFT, Key::ArrowLeft);
    assert!(window.state().focus().shown() < window.state().focus().events().len());
    press(&mut window, Key::F);
    assert_eq!(cursor(&window), 6);
    assert_eq!(window.state().focus().shown(), window.state().focus().events().len());
    press(&mut window, Key::F);
    assert!(said(&window, "No further fault"));
    assert_eq!(cursor(&window), 6);
    let before = (1..6).rev().find(|step| all[step - 1].1);
    press_with(&mut window, Modifiers::SHIFT, Key::F);
    assert_eq!(said(&window, "No fault or refusal before"), before.is_none());
    assert_eq!(cursor(&window), before.unwrap_or(6));
    press(&mut window, Key::End);
    press(&mut window, Key::E);
    assert!(said(&window, "No further exit"));
}

#[test]
fn the_changes_of_what_is_selected_are_found() {
    let mut window = open(SIZES.desktop, Theme::Dark, 0);
    press(&mut window, Key::V);
    assert!(said(&window, "Select an entry, a register or a table first"));
    window.get_by_label_contains("PDPTE 1 memory").click();
    window.run();
    press(&mut window, Key::V);
    assert_eq!(cursor(&window), 2, "the poke");
    press(&mut window, Key::V);
    assert!(said(&window, "does not change"));
    window.state().ask(AppCommand::Select(Selection::PdpteRegister(1)));
    window.run();
    press(&mut window, Key::V);
    assert_eq!(cursor(&window), 5, "MOV CR3 loads the registers");
    press(&mut window, Key::End);
    press_with(&mut window, Modifiers::SHIFT, Key::V);
    assert_eq!(cursor(&window), 5);
}

#[test]
fn play_goes_on_to_the_end_and_pauses() {
    let mut window = open(SIZES.laptop, Theme::Dark, 1);
    press_with(&mut window, Modifiers::SHIFT, Key::K);
    assert!(said(&window, "Speed: fast"));
    window.key_press(Key::K);
    window.run_steps(3);
    assert!(window.state().is_playing());
    window.run_steps(40);
    assert_eq!((cursor(&window), window.state().is_playing()), (6, false));
    press(&mut window, Key::Home);
    window.get_by_label("Let time run").click();
    window.run_steps(3);
    window.get_by_label("Pause").click();
    window.run_steps(3);
    let stopped = cursor(&window);
    window.run_steps(20);
    assert!(!window.state().is_playing());
    assert_eq!(cursor(&window), stopped);
    window.get_by_label("Let time run").click();
    window.run_steps(3);
    press(&mut window, Key::ArrowLeft);
    assert!(!window.state().is_playing(), "who steps has the reins");
}

#[test]
fn the_wheel_scrubs() {
    let mut window = open(SIZES.laptop, Theme::Dark, 2);
    let line = window.get_by_label_contains("Time: step").rect();
    window.hover_at(line.center());
    window.run();
    let wheel = |window: &mut Harness<'_, App>, y: f32| {
        window.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Line,
            delta: egui::vec2(0.0, y),
            modifiers: Modifiers::NONE,
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Unknown,
        });
        window.run_steps(12);
    };
    wheel(&mut window, -1.0);
    assert_eq!(cursor(&window), 3);
    wheel(&mut window, -2.0);
    assert_eq!(cursor(&window), 5);
    wheel(&mut window, 3.0);
    assert_eq!(cursor(&window), 2);
}

#[test]
fn pages_of_the_line_are_keys() {
    let mut window = open(SIZES.laptop, Theme::Dark, 2);
    window.get_by_label_contains("Time: step").focus();
    window.run();
    for (key, at) in [(Key::PageDown, 6), (Key::PageUp, 0), (Key::ArrowRight, 1), (Key::End, 6), (Key::Home, 0)] {
        press(&mut window, key);
        assert_eq!(cursor(&window), at, "{key:?}");
    }
}

/// A step moves at most four things for 0.4 s and then rests; any key or click ends it at once.
#[test]
fn a_step_moves_and_any_key_ends_it() {
    for size in [SIZES.desktop, SIZES.phone] {
        for engine in [EngineName::Native, EngineName::Kvm2007, EngineName::Ept] {
            let mut window = open_moving(engine, size);
            for back in [false, true] {
                for micro in [true, false] {
                    let key = if back { Key::ArrowLeft } else { Key::ArrowRight };
                    let modifiers = if micro { Modifiers::SHIFT } else { Modifiers::NONE };
                    window.key_press_modifiers(modifiers, key);
                    window.run_steps(3);
                    assert!(window.state().motion().is_running(), "{engine:?} back {back} micro {micro}");
                    let mut most = 0;
                    for _ in 0..10 {
                        window.step();
                        most = most.max(window.state().motion().moving());
                    }
                    assert!(most <= 4, "{most} things move");
                    window.key_press(Key::F5);
                    window.run_steps(2);
                    assert!(!window.state().motion().is_running(), "a key ends it");
                }
            }
            window.key_press(Key::Space);
            window.run_steps(3);
            assert!(window.state().motion().is_running());
            window.run_steps(30);
            assert!(!window.state().motion().is_running(), "it ends by itself");
            for _ in 0..10 {
                window.step();
                let asked =
                    window.output().viewport_output.values().any(|v| v.repaint_delay < std::time::Duration::MAX);
                assert!(!asked, "and then nothing is painted");
            }
        }
    }
}

/// The walk's token moves on the stage: something does move where a walk is stepped through.
#[test]
fn a_walk_moves_a_token() {
    let mut window = open_moving(EngineName::Native, SIZES.laptop);
    window.key_press(Key::ArrowRight);
    window.run_steps(6);
    assert!(window.state().motion().moving() >= 1);
}

#[test]
fn a_second_step_ends_the_first_at_once() {
    let mut window = open_moving(EngineName::Native, SIZES.laptop);
    let before = cursor(&window);
    for _ in 0..3 {
        window.key_press(Key::Space);
        window.run_steps(3);
    }
    assert_eq!(cursor(&window), before + 3, "no press is lost");
}

#[test]
fn reduced_motion_moves_nothing() {
    let mut window = open_moving(EngineName::Native, SIZES.laptop);
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run();
    window.get_by_label("Search or run a command").type_text("reduce motion");
    window.run();
    window.key_press(Key::Enter);
    window.run_steps(8);
    assert!(said(&window, "Motion is reduced"));
    assert_eq!(window.ctx.global_style().animation_time, 0.0);
    window.key_press(Key::Space);
    window.run_steps(3);
    assert!(!window.state().motion().is_running());
    window.get_by_label("CR4.PCIDE").click();
    window.run_steps(3);
    assert!(!window.state().motion().is_running());
}

#[test]
fn a_refused_bit_shakes_once() {
    let mut window = open_moving(EngineName::Native, SIZES.desktop);
    window.get_by_label("CR4.PCIDE").click();
    window.run_steps(5);
    assert!(window.state().motion().is_running());
    window.run_steps(40);
    assert!(!window.state().motion().is_running());
}

/// A window in which a sixtieth of a second goes by from frame to frame.
fn open_moving(engine: EngineName, size: [f32; 2]) -> Harness<'static, App> {
    let json = include_str!("../assets/scenarios/the-register-remembers.json");
    let scenario = Scenario::from_json("example", json).expect("the example is a scenario");
    let session = Session::open_on(scenario, engine, Caches::default()).expect("the example can begin");
    let options = Options { theme: Some(Theme::Dark), at: Some(0), ..Options::default() };
    let mut window = Harness::builder()
        .with_size(size)
        .with_step_dt(1.0 / 60.0)
        .with_max_steps(60)
        .build_eframe(move |cc| App::new(&cc.egui_ctx, session, options));
    window.run();
    window
}

/// What a file wants and does not get is told where time, the log and Why are; an edit in the past begins a path
/// of which the file wants nothing.
#[test]
fn what_a_file_wants_is_judged_in_the_window() {
    let text = r#"{"format":"mmuscope/1","id":"wants","title":"Wants","init":{"cr0":"0x11","cr3":"0x0","cr4":"0x0","efer":"0x0"},"mem":[["0x5000","0x7"]],"steps":[
        {"op":"expect","that":{"mem":"0x5000","is":"0x8"}},
        {"op":"invlpg","va":"0x1000"},
        {"op":"access","va":"0x1000","kind":"r","user":true,"want":{"pa":"0x2000"}},
        {"op":"poke","pa":"0x5000","val":"0x8","want":{}},
        {"op":"expect","that":{"happened":"pdpte_load","at_least":1}},
        {"op":"expect","that":{"mem":"0x5000","is":"0x8"}}]}"#;
    let scenario = Scenario::from_json("wants.json", text).expect("legal");
    let mut window = open_scenario(Session::open(scenario).expect("legal"), SIZES.laptop, Theme::Dark, 0);
    window.run();
    let told = |window: &Harness<'_, App>, number: usize| said(window, &format!("not as wanted in #{number}: "));
    let steps = [(0, vec![1]), (1, vec![]), (2, vec![3]), (3, vec![5])];
    // The log scrolls for longer than other things.
    let press = |window: &mut Harness<'_, App>, key| {
        window.key_press(key);
        window.run_steps(24);
    };
    for key in [Key::W, Key::L] {
        press(&mut window, key);
        press(&mut window, Key::Home);
        for (at, wrong) in &steps {
            assert_eq!(cursor(&window), *at);
            // The log tells of every step.
            let shown = |number: &usize| wrong.contains(number) || key == Key::L && *number != 1;
            for number in [1, 3, 5] {
                assert_eq!(told(&window, number), shown(&number), "{key:?}, {number} after {at}");
            }
            press(&mut window, Key::ArrowRight);
        }
    }
    // Of another engine than its own it wants nothing.
    for (engine, judged) in [(EngineName::KvmNow, false), (EngineName::Native, true)] {
        window.state().ask(AppCommand::SetEngine(engine));
        window.run_steps(24);
        assert_eq!(told(&window, 5), judged);
    }
    press(&mut window, Key::Home);
    press(&mut window, Key::ArrowRight);
    press(&mut window, Key::C);
    press(&mut window, Key::A);
    assert!(!told(&window, 3) && !told(&window, 5));
}
