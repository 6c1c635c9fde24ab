//! Palette, shortcuts, bookmarks, menus and themes, from the keyboard and by accessible names.

#[path = "ui/support.rs"]
mod support;

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use mmuscope::app::view::{Overlay, Tab};
use mmuscope::app::{App, Theme};
use mmuscope::arch::{Gpa, Mode, TableMemory as _};
use mmuscope::engine::EngineName;
use support::{SIZES, open, open_on};

fn type_and_enter(window: &mut Harness<'_, App>, text: &str) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run();
    assert_eq!(window.state().view().overlay, Some(Overlay::Palette));
    window.get_by_label("Search or run a command").type_text(text);
    window.run();
    window.key_press(Key::Enter);
    // The log may glide to its place.
    window.run_steps(20);
    assert_eq!(window.state().view().overlay, None);
}

#[test]
fn the_palette_runs_what_is_typed() {
    let mut window = open(SIZES.desktop, Theme::Dark, 2);
    type_and_enter(&mut window, "next fault");
    assert_eq!(window.state().session().lab.cursor(), 6);
    type_and_enter(&mut window, "engine kvm now");
    assert_eq!(window.state().session().engine(), EngineName::KvmNow);
    type_and_enter(&mut window, "0x1234000");
    assert_eq!(window.state().view().composer.va.0, 0x0123_4000);
    type_and_enter(&mut window, "drawer log");
    assert_eq!(window.state().view().tab, Tab::Log);
    type_and_enter(&mut window, "paging 4-level");
    assert_eq!(window.state().session().lab.machine().cpu.mode(), Mode::Level4);
}

#[test]
fn arrows_choose_and_escape_closes() {
    let mut window = open(SIZES.desktop, Theme::Dark, 2);
    window.get_by_label("Open the command palette").click();
    window.run();
    window.key_press(Key::ArrowDown);
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(window.state().session().lab.cursor(), 1, "the second action is a step back");
    window.key_press(Key::Questionmark);
    window.run();
    assert_eq!(window.state().view().overlay, Some(Overlay::Shortcuts));
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(window.state().view().overlay, None);
}

#[test]
fn the_sheet_lists_keys_that_work() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.laptop, Theme::Light, 1);
    window.key_press(Key::Questionmark);
    window.run();
    window.get_by_label_contains("To the next exit to the hypervisor").click();
    window.run();
    assert_eq!(window.state().session().lab.cursor(), 5, "MOV CR3 exits, INVLPG does not");
    assert_eq!(window.state().view().overlay, None);
}

#[test]
fn bookmarks_are_found_again() {
    let mut window = open(SIZES.desktop, Theme::Dark, 2);
    let press = |window: &mut Harness<'_, App>, key| {
        window.key_press(key);
        window.run();
    };
    press(&mut window, Key::B);
    press(&mut window, Key::End);
    press(&mut window, Key::B);
    assert!(window.query_all_by_label_contains("2 bookmarks").next().is_some());
    press(&mut window, Key::N);
    assert_eq!(window.state().session().lab.cursor(), 2);
    window.get_by_label_contains("Engine: KVM's shadow MMU of Linux 2.6.20").click();
    window.run();
    press(&mut window, Key::N);
    assert_eq!(window.state().session().lab.cursor(), 6, "bookmarks stay on another engine");
    press(&mut window, Key::B);
    assert_eq!(window.state().session().marks.bookmarks.len(), 1);
}

#[test]
fn presets_are_two_clicks_away() {
    let mut window = open(SIZES.laptop, Theme::Light, 2);
    window.get_by_label("Presets ▾").click();
    window.run();
    window.get_by_label_contains("One INVLPG").click();
    window.run_steps(20);
    let app = window.state();
    assert_eq!(app.session().scenario.id, "one-invlpg-for-512-pages");
    assert_eq!((app.session().lab.cursor(), app.view().overlay), (0, None));
    type_and_enter(&mut window, "preset smap");
    assert_eq!(window.state().session().scenario.id, "smap");
}

#[test]
fn a_link_is_copied() {
    let mut window = open(SIZES.laptop, Theme::Light, 2);
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run();
    window.get_by_label("Search or run a command").type_text("copy a link");
    window.run();
    window.key_press(Key::Enter);
    window.run_steps(4);
    assert!(window.query_all_by_label_contains("is on the clipboard").next().is_some());
}

#[test]
fn an_entry_has_a_menu() {
    let mut window = open(SIZES.desktop, Theme::Dark, 1);
    window.get_by_label_contains("PTE 1: ").click_secondary();
    window.run();
    window.get_by_label("Clear R/W").click();
    window.run();
    assert_eq!(window.state().session().lab.machine().memory.read_u64(Gpa(0x7008)), 0x2b025);
}

#[test]
fn pictures() {
    let mut results = egui_kittest::SnapshotResults::new();
    for (name, theme) in [("theme_high_contrast", Theme::HighContrast), ("theme_projector", Theme::Projector)] {
        let mut window = open_on(EngineName::Kvm2007, SIZES.laptop, theme, 4);
        window.remove_cursor();
        window.run();
        results.add(window.try_snapshot(name));
    }
    let mut window = open(SIZES.laptop, Theme::Light, 4);
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run();
    window.remove_cursor();
    window.run();
    results.add(window.try_snapshot("palette_light"));
    window.key_press(Key::Escape);
    window.run();
    window.key_press(Key::Questionmark);
    window.run();
    results.add(window.try_snapshot("shortcuts_light"));
    window.key_press(Key::Escape);
    window.run();
    window.key_press(Key::P);
    window.run();
    results.add(window.try_snapshot("presets_light"));
}
