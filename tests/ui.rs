//! The window, driven by its accessible names, as a person would, and compared with pictures.
//! Everything is drawn by the CPU rasteriser: no display and no graphics driver are needed.

#[path = "ui/support.rs"]
mod support;

use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mmuscope::app::Theme;
use mmuscope::app::view::{Ending, Page, Tab};
use mmuscope::arch::Mode;
use mmuscope::engine::EngineName;
use mmuscope::machine::Event;
use support::{SIZES, open, open_scenario};

/// Steps of the example.
const STEPS: usize = 6;

#[test]
fn the_example_is_stepped_through() {
    let mut window = open(SIZES.desktop, Theme::Dark, 0);
    assert_eq!(window.state().session().lab.cursor(), 0);
    for step in 1..=STEPS {
        window.key_press(Key::Space);
        window.run();
        assert_eq!(window.state().session().lab.cursor(), step);
    }
    let app = window.state();
    assert_eq!(app.focus().events().last().map(Event::name), Some("fault"));
    assert_eq!(app.session().lab.machine().cpu.cr2.0, 0x4120_1abc);
    window.key_press(Key::ArrowRight);
    window.run();
    assert_eq!(window.state().session().lab.cursor(), STEPS, "the end stays the end");
}

#[test]
fn a_register_stays_stale_until_cr3_is_loaded() {
    let mut window = open(SIZES.desktop, Theme::Dark, 4);
    assert!(window.state().session().lab.machine().pdpte_is_stale(1));
    window.get_by_label("Load CR3").click();
    window.run();
    let lab = &window.state().session().lab;
    assert!(!lab.machine().pdpte_is_stale(1));
    assert_eq!((lab.cursor(), lab.len()), (5, STEPS), "the next command of the path was walked, not doubled");
}

#[test]
fn micro_steps_go_both_ways() {
    let mut window = open(SIZES.desktop, Theme::Dark, 0);
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    window.run();
    let focus = window.state().focus();
    assert_eq!(focus.shown(), 1);
    let all = focus.events().len();
    assert!(all > 3);
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    window.run();
    assert_eq!(window.state().focus().shown(), 2);
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
    window.run();
    assert_eq!(window.state().focus().shown(), 1);
    window.key_press(Key::ArrowRight);
    window.run();
    assert_eq!((window.state().focus().shown(), window.state().session().lab.cursor()), (all, 1));
    window.key_press(Key::ArrowLeft);
    window.run();
    assert_eq!(window.state().session().lab.cursor(), 0);
}

#[test]
fn home_end_and_the_next_fault() {
    let mut window = open(SIZES.desktop, Theme::Dark, 0);
    window.key_press(Key::End);
    window.run();
    assert_eq!(window.state().session().lab.cursor(), STEPS);
    window.key_press(Key::Home);
    window.run();
    assert_eq!(window.state().session().lab.cursor(), 0);
    window.key_press(Key::F);
    window.run();
    assert_eq!(window.state().session().lab.cursor(), STEPS, "the last command is the first that faults");
}

#[test]
fn an_access_is_composed_and_given() {
    let mut window = open(SIZES.desktop, Theme::Dark, STEPS);
    window.get_by_label("Linear address").focus();
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.get_by_label("Linear address").type_text("0x1234");
    window.run();
    window.key_press(Key::Enter);
    window.run();
    let app = window.state();
    assert_eq!(app.view().composer.va.0, 0x1234);
    assert_eq!(app.session().lab.len(), STEPS + 1);
    window.get_by_label("Access: W").click();
    window.run();
    window.get_by_label("Step into the access").click();
    window.run();
    let app = window.state();
    assert_eq!(app.session().lab.len(), STEPS + 2);
    assert_eq!(app.focus().shown(), 1);
}

#[test]
fn the_mode_switch_performs_the_instructions() {
    let mut window = open(SIZES.desktop, Theme::Dark, 0);
    for mode in [Mode::Level4, Mode::Off, Mode::Level5, Mode::Bits32, Mode::Pae] {
        window.get_by_label(&format!("Paging: {}", mode.name())).click();
        window.run();
        assert_eq!(window.state().session().lab.machine().cpu.mode(), mode);
    }
}

#[test]
fn a_refused_bit_says_its_rule() {
    let mut window = open(SIZES.desktop, Theme::Dark, 0);
    window.get_by_label("CR4.PCIDE").click();
    window.run();
    let lab = &window.state().session().lab;
    assert_eq!(Ending::of(&lab.events_of(lab.cursor())), Ending::Refused);
    assert!(window.query_all_by_label_contains("rule G14").next().is_some());
}

#[test]
fn the_log_seeks() {
    let mut window = open(SIZES.desktop, Theme::Dark, 0);
    window.get_by_label("Log").click();
    window.run();
    assert_eq!(window.state().view().tab, Tab::Log);
    window.get_by_label_contains("#3 INVLPG").click();
    window.run();
    assert_eq!(window.state().session().lab.cursor(), 3);
}

#[test]
fn caches_are_switched_by_replay() {
    let mut window = open(SIZES.desktop, Theme::Dark, STEPS);
    let hits = |app: &mmuscope::app::App| app.session().lab.machine().cost.tlb_misses;
    let before = hits(window.state());
    window.get_by_label("TLB").click();
    window.run();
    assert!(!window.state().session().caches().tlb);
    assert_eq!(window.state().session().lab.cursor(), STEPS);
    assert!(hits(window.state()) >= before);
}

#[test]
fn engines_are_switched_by_replay() {
    let mut window = open(SIZES.desktop, Theme::Dark, STEPS);
    for engine in EngineName::ALL.into_iter().rev() {
        let name = window.state().session().engine();
        assert_ne!(name, engine, "every engine is chosen once");
        let chip = engine_chip(&window, engine);
        window.get_by_label(&chip).click();
        window.run();
        let app = window.state();
        assert_eq!((app.session().engine(), app.session().lab.cursor()), (engine, STEPS));
    }
}

/// The accessible name of an engine's chip: the chips stand in the order of the engines.
fn engine_chip(window: &egui_kittest::Harness<'_, mmuscope::app::App>, engine: EngineName) -> String {
    let chips: Vec<String> =
        window.query_all_by_label_contains("Engine: ").filter_map(|node| node.accesskit_node().label()).collect();
    assert_eq!(chips.len(), EngineName::ALL.len());
    let at = EngineName::ALL.iter().position(|other| *other == engine).expect("one of all");
    chips[at].clone()
}

#[test]
fn a_telephone_has_pages() {
    let mut window = open(SIZES.phone, Theme::Dark, 2);
    for (label, page) in [("Memory", Page::Memory), ("Why", Page::Drawer), ("Processor", Page::Processor)] {
        window.get_by_label(&format!("Page: {label}")).click();
        window.run();
        assert_eq!(window.state().view().page, page);
    }
}

#[test]
fn nothing_moves_by_itself() {
    let mut window = open(SIZES.desktop, Theme::Dark, 4);
    window.run();
    for _ in 0..20 {
        window.step();
        let output = window.output();
        let delays: Vec<_> = output.viewport_output.values().map(|viewport| viewport.repaint_delay).collect();
        assert!(delays.iter().all(|delay| *delay == std::time::Duration::MAX), "a repaint was asked for: {delays:?}");
    }
}

/// Walks the accessibility tree: what can have the keyboard has a name that can be spoken.
#[test]
fn everything_that_can_be_used_has_a_name() {
    for (size, pages) in [(SIZES.desktop, 1), (SIZES.phone, 4)] {
        let mut window = open(size, Theme::Dark, 4);
        for page in ["Processor", "Memory", "Tables", "Why"].iter().take(pages) {
            if pages > 1 {
                window.get_by_label(&format!("Page: {page}")).click();
            }
            window.run();
            let mut nameless = Vec::new();
            let mut queue = vec![window.root()];
            let mut controls = 0;
            while let Some(node) = queue.pop() {
                let access = node.accesskit_node();
                let control = matches!(
                    access.role(),
                    Role::Button | Role::CheckBox | Role::RadioButton | Role::TextInput | Role::Tab | Role::Slider
                );
                controls += usize::from(control);
                let name = access.label().or_else(|| access.value()).unwrap_or_default();
                if control && !name.chars().any(char::is_alphanumeric) {
                    nameless.push(format!("{:?} {name:?} at {:?}", access.role(), node.rect()));
                }
                queue.extend(node.children());
            }
            assert!(nameless.is_empty(), "without a name:\n{}", nameless.join("\n"));
            assert!(controls > 5, "only {controls} controls were found");
        }
    }
}

#[test]
fn pictures() {
    let shots = [
        ("explore_dark", SIZES.desktop, Theme::Dark, 4),
        ("explore_light", SIZES.desktop, Theme::Light, 4),
        ("laptop_dark", SIZES.laptop, Theme::Dark, STEPS),
        ("small_light", SIZES.small, Theme::Light, 2),
        ("phone_dark", SIZES.phone, Theme::Dark, 4),
    ];
    let mut results = egui_kittest::SnapshotResults::new();
    for (name, size, theme, at) in shots {
        let mut window = open(size, theme, at);
        window.remove_cursor();
        window.run();
        results.add(window.try_snapshot(name));
    }
}

#[test]
fn pictures_of_the_drawer() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (tab, name) in [("Why", "why_dark"), ("Log", "log_dark")] {
        let mut window = open(SIZES.laptop, Theme::Dark, 4);
        window.get_by_label(tab).click();
        window.remove_cursor();
        window.run();
        results.add(window.try_snapshot(name));
    }
    let mut window = open(SIZES.phone, Theme::Light, STEPS);
    for (page, name) in [("Processor", "phone_processor"), ("Memory", "phone_memory"), ("Why", "phone_why")] {
        window.get_by_label(&format!("Page: {page}")).click();
        window.remove_cursor();
        window.run();
        results.add(window.try_snapshot(name));
    }
}

#[test]
fn an_empty_machine_can_be_shown() {
    let mut window = open_scenario(mmuscope::scenario::Session::empty(), SIZES.laptop, Theme::Light, 0);
    window.key_press(Key::Space);
    window.run();
    assert!(window.state().session().lab.is_empty());
}
