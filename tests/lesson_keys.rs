//! The lessons by keys alone, the tour of a first visit, and the controls that lessons ask for.

mod lesson_support;
#[path = "ui/support.rs"]
mod support;

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lesson_support::lesson;
use mmuscope::app::view::{Overlay, Selection, Tab};
use mmuscope::app::{App, Theme};
use mmuscope::arch::Gpa;
use mmuscope::lesson::{StepKind, Tour};
use mmuscope::machine::Command;
use mmuscope::scenario::Session;
use support::{SIZES, open_scenario};

type Window = Harness<'static, App>;

fn window() -> Window {
    let mut window = open_scenario(Session::empty(), SIZES.laptop, Theme::Light, 0);
    window.run();
    window
}

fn press(window: &mut Window, key: Key) {
    press_with(window, Modifiers::NONE, key);
}

fn press_with(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run();
}

fn write(window: &mut Window, text: &str) {
    window.event(egui::Event::Text(text.to_owned()));
    window.run();
}

fn has_focus(window: &Window, name: &str) -> bool {
    window.query_all_by_label(name).any(|node| node.accesskit_node().is_focused())
}

/// Presses Tab until the control of that name has the keyboard.
fn tab_to(window: &mut Window, name: &str) {
    for _ in 0..300 {
        if has_focus(window, name) {
            return;
        }
        press(window, Key::Tab);
    }
    panic!("Tab never comes to `{name}`");
}

/// Types a number over what a field holds.
fn type_over(window: &mut Window, field: &str, text: &str) {
    tab_to(window, field);
    press_with(window, Modifiers::COMMAND, Key::A);
    write(window, text);
}

fn click(window: &mut Window, name: &str) {
    window.get_by_label(name).click_accesskit();
    window.run();
}

fn session(window: &Window) -> &mmuscope::lesson::Session {
    &window.state().lesson().expect("a lesson is in front").session
}

const ANSWERS: [Key; 4] = [Key::Num1, Key::Num2, Key::Num3, Key::Num4];

/// Plays the step in view by keys: each wrong answer before the right one; of what is to be built the
/// value of its one entry is typed.
fn play(window: &mut Window) {
    let step = session(window).step().clone();
    match step.kind {
        StepKind::Watch => press(window, Key::Enter),
        StepKind::Predict => {
            let right = step.choices.iter().position(|choice| choice.right).expect("checked");
            for index in (0..step.choices.len()).filter(|index| *index != right).chain([right]) {
                press(window, ANSWERS[index]);
                assert_eq!(session(window).record().steps[session(window).at()].choice, Some(index));
            }
            press(window, Key::Enter);
            assert!(session(window).current().lab.cursor() > session(window).first_own_command());
        }
        StepKind::Construct | StepKind::Change => {
            press(window, Key::Enter);
            assert!(window.state().view().notice.is_some(), "the goal is not reached yet");
            press(window, Key::H);
            assert_eq!(session(window).hints("en").len(), 1);
            let [store] = &step.solution[..] else { panic!("one store") };
            let mmuscope::scenario::StepKind::Command(Command::Poke { val, .. }) = &store.kind else {
                panic!("one store")
            };
            press(window, Key::I);
            assert_eq!(window.state().view().tab, Tab::Inspect);
            type_over(window, "Value of the entry in hex", &format!("{:x}", val.0));
            press(window, Key::Enter);
            let judgement = &window.state().lesson().expect("in front").judgement;
            assert_eq!(judgement.met, Some(true), "{judgement:?}");
        }
        StepKind::Present => {}
    }
}

#[test]
fn a_whole_lesson_by_keys_alone() {
    let mut window = window();
    press_with(&mut window, Modifiers::SHIFT, Key::L);
    press(&mut window, Key::Enter);
    let all = session(&window).lesson().steps.len();
    for index in 0..all {
        assert_eq!(session(&window).at(), index);
        play(&mut window);
        press(&mut window, Key::Enter);
    }
    assert!(window.state().progress().finished(&lesson("one-table")));
    assert_eq!(window.state().view().overlay, Some(Overlay::Lessons));
}

fn take_the_tour(window: &mut Window) {
    press_with(window, Modifiers::COMMAND, Key::K);
    write(window, "tour");
    press(window, Key::Enter);
}

#[test]
fn the_tour_can_be_skipped_and_goes_on_where_it_was_left() {
    let mut window = window();
    take_the_tour(&mut window);
    assert_eq!(window.state().progress().tour(), Tour::Begun);
    assert!(window.query_by_label("Tour, step 1 of 5").is_some());
    play(&mut window);
    press(&mut window, Key::Enter);
    assert!(window.query_by_label("Tour, step 2 of 5").is_some());
    tab_to(&mut window, "Skip the tour");
    press(&mut window, Key::Space);
    assert!(window.state().lesson().is_none());
    assert_eq!(window.state().progress().tour(), Tour::Skipped);
    press(&mut window, Key::Escape);
    take_the_tour(&mut window);
    assert!(window.query_by_label("Tour, step 2 of 5").is_some());
}

#[test]
fn the_tour_ends_within_its_lesson_and_is_not_offered_again() {
    let mut window = window();
    press_with(&mut window, Modifiers::SHIFT, Key::L);
    click(&mut window, "Take the tour: two minutes");
    assert_eq!(window.state().view().overlay, None);
    for step in 1..=5 {
        assert!(window.query_by_label(&format!("Tour, step {step} of 5")).is_some());
        play(&mut window);
        press(&mut window, Key::Enter);
    }
    assert_eq!((window.state().progress().tour(), session(&window).at()), (Tour::Done, 5));
    assert!(window.state().view().said.as_ref().is_some_and(|said| said.contains("tour")));
    assert!(window.query_by_label_contains("Tour, step").is_none());
    press_with(&mut window, Modifiers::SHIFT, Key::L);
    assert!(window.query_by_label_contains("tour").is_none());
    // Another run knows it: progress is kept as text.
    let mut other = mmuscope::lesson::Progress::default();
    other.import("progress", &window.state().progress().export()).expect("our own export");
    assert_eq!(other.tour(), Tour::Done);
}

#[test]
fn what_a_lesson_asks_to_store_can_be_stored() {
    let mut window = window();
    window.state_mut().open_lesson(&lesson("partial-page"), Some(3)).expect("the lesson can begin");
    window.run();
    assert_eq!(window.state().view().selection, Selection::Page(Gpa(0x10_5000).gfn()));
    click(&mut window, "Store to memory");
    type_over(&mut window, "Store at", "105018");
    type_over(&mut window, "Value to store", "102001");
    click(&mut window, "Store");
    assert_eq!(window.state().session().lab.machine().memory.read(Gpa(0x10_5018), 8), 0x10_2001);
    type_over(&mut window, "CR3", "105000");
    press(&mut window, Key::Enter);
    type_over(&mut window, "Store at", "101804");
    type_over(&mut window, "Value to store", "0");
    click(&mut window, "Store");
    let judgement = &window.state().lesson().expect("in front").judgement;
    assert_eq!(judgement.met, Some(true), "{judgement:?}");
    // The counter itself: a store and a load of the kernel through the tables.
    click(&mut window, "Address of the store: linear");
    click(&mut window, "Bytes to store: 4");
    type_over(&mut window, "Store at", "c0000800");
    type_over(&mut window, "Value to store", "2a");
    click(&mut window, "Store");
    let lab = &window.state().session().lab;
    assert!(matches!(lab.command(lab.cursor()), Some(Command::Write { user: false, .. })));
    assert_eq!(lab.machine().memory.read(Gpa(0x10_1800), 4), 0x2a);
    let before = lab.len();
    click(&mut window, "Load");
    assert_eq!(window.state().session().lab.len(), before, "this step does not take a load");
    assert!(window.state().view().notice.is_some());
}

#[test]
fn a_table_of_another_process_is_known_by_its_level() {
    let mut window = window();
    window.state_mut().open_lesson(&lesson("shadow-cache"), Some(3)).expect("the lesson can begin");
    window.run();
    assert_eq!(window.state().view().selection, Selection::Table { level: 1, base: Gpa(0x2_3000) });
}
