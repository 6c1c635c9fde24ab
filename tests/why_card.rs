//! The card Why, driven by its accessible names: causes are links, the change that is offered works and
//! is undone by going back, and the depth is one setting.

#[path = "ui/support.rs"]
mod support;

use egui::Key;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mmuscope::app::view::{Ending, Selection, Tab};
use mmuscope::app::{App, Theme};
use mmuscope::engine::EngineName;
use mmuscope::explain::Depth;
use support::{SIZES, open, open_on};

fn click(window: &mut Harness<'_, App>, name: &str) {
    window.get_by_label_contains(name).click();
    window.run_steps(8);
}

fn cursor(window: &Harness<'_, App>) -> usize {
    window.state().session().lab.cursor()
}

#[test]
fn a_cause_leads_to_its_step_and_to_its_entry() {
    let mut window = open(SIZES.desktop, Theme::Dark, 4);
    click(&mut window, "Memory at GPA 0x3028 holds 0x9001 since #2");
    assert_eq!(cursor(&window), 2, "the step that made the register stale");
    let mut window = open(SIZES.desktop, Theme::Dark, 6);
    click(&mut window, "PDPTE register 1 holds 0x9001, loaded at #5");
    assert_eq!(cursor(&window), 5);
    let focus = window.state().focus();
    assert_eq!(focus.events()[focus.shown() - 1].name(), "pdpte_load", "the event itself is in focus");
    let mut window = open(SIZES.desktop, Theme::Dark, 6);
    click(&mut window, "PDE[9] is 0x0: P = 0.");
    let view = window.state().view();
    assert!(matches!(view.selection, Selection::Entry { level: 2, gpa } if gpa.0 == 0x9048), "{:?}", view.selection);
    assert_eq!((view.tab, cursor(&window)), (Tab::Inspect, 6));
}

#[test]
fn links_are_reached_and_followed_by_keyboard() {
    let mut window = open(SIZES.desktop, Theme::Dark, 4);
    window.get_by_label_contains("Memory at GPA 0x3028 holds 0x9001").focus();
    window.run();
    window.key_press(Key::Enter);
    window.run_steps(8);
    assert_eq!(cursor(&window), 2);
}

#[test]
fn the_change_that_is_offered_works_and_is_undone_by_going_back() {
    for engine in [EngineName::Native, EngineName::Kvm2007, EngineName::Ept] {
        let mut window = open_on(engine, SIZES.desktop, Theme::Dark, 6);
        let before = window.state().session().lab.machine().memory.page_count();
        click(&mut window, "Do it and try again: Map the page");
        let app = window.state();
        assert_eq!(Ending::of(app.focus().events()), Ending::Done, "{engine:?}");
        assert_eq!(app.focus().events().iter().filter(|event| event.name() == "translated").count(), 1);
        assert!(app.session().lab.cursor() > 7, "a change and the access again");
        while cursor(&window) > 6 {
            window.key_press(Key::ArrowLeft);
            window.run_steps(4);
        }
        let app = window.state();
        assert_eq!(app.session().lab.machine().memory.page_count(), before, "{engine:?}");
        assert_eq!(Ending::of(app.focus().events()), Ending::Faulted);
    }
}

#[test]
fn what_succeeds_is_offered_nothing() {
    let window = open(SIZES.desktop, Theme::Dark, 1);
    assert!(window.query_all_by_label_contains("Do it and try again").next().is_none());
}

#[test]
fn the_depth_is_one_setting() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Dark, 1);
    let has = |window: &Harness<'_, App>, text: &str| window.query_all_by_label_contains(text).next().is_some();
    window.key_press(Key::W);
    window.run();
    assert!(has(&window, "Linux 2.6.20: ") && !has(&window, "The walk reads PTE[1]"));
    click(&mut window, "Depth: Engineer");
    assert!(has(&window, "The walk reads PTE[1]"));
    click(&mut window, "Depth: Story");
    assert!(!has(&window, "Linux 2.6.20: ") && has(&window, "Every table on the way allows it."));
    assert_eq!(window.state().view().depth, Depth::Story);
    click(&mut window, "Presets");
    window.get_by_label_contains("One INVLPG").click();
    window.run_steps(20);
    assert_eq!(window.state().view().depth, Depth::Story, "it stays when another machine is opened");
}

/// In a low window the sentence stands below the editor, in sight, and leads to the whole.
#[test]
fn at_1280_by_720_the_sentence_is_in_sight() {
    let mut window = open(SIZES.laptop, Theme::Dark, 4);
    let strip = window.get_by_label_contains("Why: The access succeeds, through a stale register.");
    let bounds = strip.accesskit_node().raw_bounds().expect("a place");
    assert!(bounds.y1 < 720.0 - 136.0 && bounds.y0 > 0.0, "{bounds:?}");
    strip.click();
    window.run();
    assert_eq!(window.state().view().tab, Tab::Why);
    let card = window.get_by_label_contains("Memory at GPA 0x3028 holds 0x9001");
    let bounds = card.accesskit_node().raw_bounds().expect("a place");
    assert!(bounds.y1 < 720.0 - 136.0, "{bounds:?}");
}

/// Faults and successes alike: a switch keeps its place at every step, and the sentence is always in sight.
#[test]
fn stepping_moves_no_switch_and_keeps_the_sentence_in_sight() {
    for size in [SIZES.desktop, SIZES.laptop] {
        let mut places = Vec::new();
        for step in 1..=6 {
            let window = open(size, Theme::Dark, step);
            let place = |name: &str| {
                let nodes = window.query_all_by_label_contains(name);
                // What is said to screen readers alone has a place of one point.
                let mut places = nodes.filter_map(|node| node.accesskit_node().raw_bounds());
                places.find(|rect| rect.width() > 2.0).expect(name)
            };
            let switch = place("R/W writable");
            places.push((switch.x0, switch.y0));
            let ending = Ending::of(window.state().focus().events());
            let sentence = match size == SIZES.laptop {
                true => place("Why: "),
                false if ending == Ending::Done => continue,
                false => place("The access faults"),
            };
            assert!(sentence.y1 < f64::from(size[1]) - 140.0 && sentence.y0 > switch.y1, "{sentence:?}");
        }
        places.dedup();
        assert_eq!(places.len(), 1, "{places:?}");
    }
}
