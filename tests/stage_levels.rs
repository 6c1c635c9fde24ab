//! How much the stage shows: from a row an entry to a cell an entry, and at three depths.

#[path = "ui/support.rs"]
mod support;

use egui::{Key, Modifiers, Shape};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use mmuscope::app::view::Selection;
use mmuscope::app::{App, Theme};
use mmuscope::arch::Gpa;
use mmuscope::engine::EngineName;
use support::{SIZES, open_on};

fn has(window: &Harness<'_, App>, label: &str) -> bool {
    window.query_all_by_label_contains(label).next().is_some()
}

fn press(window: &mut Harness<'_, App>, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    // Some things glide.
    window.run_steps(24);
}

/// Every text that is painted.
fn painted(window: &Harness<'_, App>) -> Vec<String> {
    fn texts(shape: &Shape, out: &mut Vec<String>) {
        match shape {
            Shape::Text(text) => out.push(text.galley.text().to_owned()),
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| texts(shape, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    window.output().shapes.iter().for_each(|clipped| texts(&clipped.shape, &mut out));
    out
}

#[test]
fn from_afar_tables_are_strips_that_unfold() {
    for size in [SIZES.desktop, SIZES.laptop, SIZES.phone] {
        let mut window = open_on(EngineName::Kvm2007, size, Theme::Light, 4);
        let strip = "PT 0x7000: 1 of 512 entries, unfold";
        assert!(!has(&window, strip));
        let mut presses = 0;
        while !has(&window, strip) {
            press(&mut window, Modifiers::NONE, Key::Minus);
            presses += 1;
            assert!(presses < 12, "{size:?}");
        }
        for label in [
            "PDPT 0x3020: 2 of 4 entries",
            "PD 0x6000: 1 of 512",
            "Shadow PT 7f102: 1 of 512",
            "page, accessed",
            "stale",
        ] {
            assert!(has(&window, label), "{label} at {size:?}");
        }
        // All the way out it is still there, and the key for everything leads back.
        for _ in 0..12 {
            press(&mut window, Modifiers::NONE, Key::Minus);
        }
        assert!(has(&window, strip) && window.state().view().zoom >= 0.1);
        press(&mut window, Modifiers::NONE, Key::Num0);
        assert!(!has(&window, strip));
    }
}

#[test]
fn from_afar_the_second_dimension_is_seen_too() {
    for engine in [EngineName::Ept, EngineName::Npt] {
        let mut window = open_on(engine, SIZES.laptop, Theme::Light, 4);
        for _ in 0..8 {
            press(&mut window, Modifiers::NONE, Key::Minus);
        }
        let kind = engine.id().to_uppercase();
        for label in [format!("{kind} L4 6f100: 1 of 512 entries"), format!("{kind} L1 6f103: ")] {
            assert!(has(&window, &label), "{label}");
        }
        assert!(has(&window, "from guest-physical to host-physical"));
        // PAE has no level above the PDPT: nothing is said to be missing there.
        assert!(!painted(&window).contains(&"no PML4".to_owned()));
    }
}

#[test]
fn a_click_on_a_strip_unfolds_its_table() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Dark, 4);
    for _ in 0..8 {
        press(&mut window, Modifiers::NONE, Key::Minus);
    }
    window.get_by_label("PT 0x7000: 1 of 512 entries, unfold").click_accesskit();
    window.run_steps(24);
    let view = window.state().view();
    assert_eq!((view.zoom, view.selection), (1.0, Selection::Table { level: 1, base: Gpa(0x7000) }));
    assert!(has(&window, "PTE 1: 0x"));
}

#[test]
fn the_stage_is_moved_by_keys() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.laptop, Theme::Dark, 4);
    for _ in 0..3 {
        press(&mut window, Modifiers::NONE, Key::Plus);
    }
    let place = |window: &Harness<'_, App>| window.get_by_label_contains("PD 0x0000_6000, select").rect().min;
    let before = place(&window);
    press(&mut window, Modifiers::SHIFT, Key::PageDown);
    press(&mut window, Modifiers::NONE, Key::PageDown);
    let moved = before - place(&window);
    assert!(moved.x > 50.0 && moved.y > 50.0, "{moved:?}");
    press(&mut window, Modifiers::SHIFT, Key::PageUp);
    press(&mut window, Modifiers::NONE, Key::PageUp);
    assert!((before - place(&window)).length() < 1.0);
}

#[test]
fn depths_show_more_or_less() {
    let count = |window: &Harness<'_, App>, text: &str| painted(window).iter().filter(|other| *other == text).count();
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Light, 4);
    let letters = |window: &Harness<'_, App>| count(window, "PWUA");
    let (standard, pages) = (letters(&window), count(&window, "page"));
    assert!(standard >= 2 && painted(&window).contains(&"0002b".to_owned()), "{:?}", painted(&window));
    let choose = |window: &mut Harness<'_, App>, name: &str| {
        press(window, Modifiers::COMMAND, Key::K);
        window.get_by_label("Search or run a command").type_text(&format!("explanations {name}"));
        window.run_steps(8);
        press(window, Modifiers::NONE, Key::Enter);
    };
    choose(&mut window, "story");
    assert_eq!(letters(&window), 0);
    assert!(count(&window, "page") > pages);
    choose(&mut window, "engineer");
    assert_eq!(letters(&window), standard);
    let texts = painted(&window);
    assert!(texts.contains(&"0002_b027".to_owned()), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("7f102 role 0x") || text.starts_with("7f102 · 0x")), "{texts:?}");
}

#[test]
fn pictures() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (name, size, theme) in [
        ("light", SIZES.desktop, Theme::Light),
        ("dark", SIZES.laptop, Theme::Dark),
        ("phone", SIZES.phone, Theme::Light),
    ] {
        let mut window = open_on(EngineName::Kvm2007, size, theme, 4);
        for _ in 0..8 {
            press(&mut window, Modifiers::NONE, Key::Minus);
        }
        results.add(window.try_snapshot(format!("stage_from_afar_{name}")));
    }
}
