//! The stage, the entry editor and the line of time, driven by their accessible names.

#[path = "ui/support.rs"]
mod support;

use egui::Key;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use mmuscope::app::view::Selection;
use mmuscope::app::{App, Theme};
use mmuscope::arch::{Gpa, Mode, TableMemory as _};
use mmuscope::engine::EngineName;
use mmuscope::machine::{Caches, Event};
use mmuscope::scenario::{self, Scenario, Session};
use support::{SIZES, open, open_scenario};

#[test]
fn a_click_on_an_entry_selects_it() {
    let mut window = open(SIZES.desktop, Theme::Dark, 1);
    window.get_by_label_contains("PDE 9: ").click();
    window.run();
    assert_eq!(window.state().view().selection, Selection::Entry { level: 2, gpa: Gpa(0x6048) });
}

#[test]
fn a_stale_row_leads_to_the_step_that_made_it_stale() {
    let mut window = open(SIZES.desktop, Theme::Dark, 4);
    window.get_by_label_contains("PDPTE 1 STALE").click();
    window.run();
    assert_eq!(window.state().session().lab.cursor(), 2);
}

#[test]
fn every_row_of_what_reloads_the_registers_can_be_tried() {
    for (row, fresh) in [("INVLPG: no", false), ("a store to the table: no", false), ("MOV CR3, also", true)] {
        let mut window = open(SIZES.laptop, Theme::Dark, 4);
        window.get_by_label("What reloads these registers").click();
        window.run();
        window.get_by_label_contains(row).click();
        window.run();
        assert_eq!(!window.state().session().lab.machine().pdpte_is_stale(1), fresh, "{row}");
    }
}

#[test]
fn a_switch_stores_the_entry() {
    let mut window = open(SIZES.desktop, Theme::Dark, 1);
    window.get_by_label_contains("PTE 1: ").click();
    window.run();
    window.get_by_label("R/W writable").click();
    window.run();
    let entry = |window: &Harness<'_, App>| window.state().session().lab.machine().memory.read_u64(Gpa(0x7008));
    assert_eq!(entry(&window), 0x2b025);
    window.get_by_label_contains("Bits of PT").focus();
    window.run();
    window.key_press(Key::D);
    window.run();
    window.key_press(Key::Space);
    window.run();
    assert_eq!(entry(&window), 0x2b065, "D is bit 6");
}

/// What the stage says that an access would do is what it then does, also where a cache contradicts memory.
#[test]
fn the_preview_is_what_the_access_does() {
    for engine in [EngineName::Native, EngineName::Kvm2007, EngineName::KvmNow, EngineName::Ept] {
        let preset = scenario::preset("a-stale-translation").expect("a preset").scenario().expect("it is one");
        let session = Session::open_on(preset, engine, Caches::default()).expect("it opens");
        let mut window = open_scenario(session, SIZES.desktop, Theme::Dark, 2);
        let pages = |window: &Harness<'_, App>| {
            let found = window.query_all_by_label_contains("Page at GPA ");
            found.map(|node| format!("{node:?}")).collect::<Vec<_>>()
        };
        let before = pages(&window);
        window.get_by_label("Access").click();
        window.run();
        let led = window.state().session().lab.events_of(3);
        let gpa = led.iter().find_map(|event| match event {
            Event::Translated { gpa, .. } => Some(*gpa),
            _ => None,
        });
        assert_eq!(gpa, Some(Gpa(0x2_babc)), "{}: through the stale entry", engine.id());
        assert_eq!(before, pages(&window), "{}", engine.id());
        assert!(before[0].contains("0x0002_b000"), "{}: {before:?}", engine.id());
        assert!(window.query_all_by_label_contains(", stale").next().is_some(), "{}: the TLB row", engine.id());
    }
}

/// The edge of the drawer follows the pointer and the arrow keys, and goes back.
#[test]
fn the_drawer_can_be_made_wider() {
    let mut window = open(SIZES.laptop, Theme::Dark, 4);
    let edge = |window: &Harness<'_, App>| window.get_by_label("Width of the drawer").rect().center();
    let first = edge(&window);
    window.drag_at(first);
    window.run();
    window.hover_at(first - egui::vec2(90.0, 0.0));
    window.run();
    window.drop_at(first - egui::vec2(90.0, 0.0));
    window.run();
    assert!((edge(&window).x - (first.x - 90.0)).abs() < 2.0, "{:?} {first:?}", edge(&window));
    window.get_by_label("Width of the drawer").focus();
    window.run();
    window.key_press(Key::ArrowRight);
    window.run();
    assert!((edge(&window).x - (first.x - 74.0)).abs() < 2.0);
    window.key_press(Key::Home);
    window.run();
    assert_eq!(edge(&window), first);
}

#[test]
fn a_table_opens_as_a_full_list() {
    let mut window = open(SIZES.desktop, Theme::Dark, 1);
    window.get_by_label_contains("10–511 · not present").click();
    window.run();
    assert_eq!(window.state().view().full, [Gpa(0x6000)]);
    assert!(window.query_all_by_label_contains("PDE 10: ").next().is_some());
}

#[test]
fn the_line_of_time_obeys_the_keyboard() {
    let mut window = open(SIZES.desktop, Theme::Dark, 3);
    window.get_by_label_contains("Time: ").focus();
    window.run();
    for (key, cursor) in [(Key::ArrowLeft, 2), (Key::ArrowRight, 3), (Key::End, 6), (Key::Home, 0)] {
        window.key_press(key);
        window.run();
        assert_eq!(window.state().session().lab.cursor(), cursor, "{key:?}");
    }
}

#[test]
fn a_change_in_the_past_leaves_a_branch_to_go_back_to() {
    let mut window = open(SIZES.desktop, Theme::Dark, 1);
    window.get_by_label_contains("PTE 1: ").click();
    window.run();
    window.get_by_label("R/W writable").click();
    window.run();
    assert_eq!(window.state().session().lab.len(), 2);
    window.get_by_label_contains("Go to branch").click();
    window.run();
    assert_eq!(window.state().session().lab.len(), 6);
}

/// A machine with mapped pages in a long mode.
fn long_mode(cr4: &str) -> Session {
    let json = format!(
        r#"{{"format":"mmuscope/1","id":"long","ram":"0x4000000",
            "init":{{"cr0":"0x80010011","cr3":"0x1000","cr4":"{cr4}","efer":"0xd00"}},"mem":[],"steps":[
            {{"op":"map","va":"0x7f0041201000","pa":"0x2b000","size":"4k","flags":["rw","us"]}},
            {{"op":"map","va":"0x7f0041202000","pa":"0x2c000","size":"4k","flags":["us","nx"]}},
            {{"op":"map","va":"0x7f0041400000","pa":"0x800000","size":"2m","flags":["rw","us","g"]}},
            {{"op":"access","va":"0x7f0041201abc","kind":"w","user":true}},
            {{"op":"access","va":"0x7f0041202000","kind":"w","user":true}}]}}"#
    );
    Session::open(Scenario::from_json("long", &json).expect("a scenario")).expect("it can begin")
}

#[test]
fn five_levels_fit_a_laptop() {
    let session = long_mode("0x210a0");
    assert_eq!(session.lab.machine().cpu.mode(), Mode::Level5);
    let mut window = open_scenario(session, SIZES.laptop, Theme::Dark, 5);
    window.run();
    for level in ["PML5", "PML4", "PDPT", "PD", "PT"] {
        assert!(window.query_all_by_label_contains(&format!("{level} 0x0000")).next().is_some(), "{level}");
    }
    let fault = window.get_by_label_contains("Fault: read-only").rect();
    assert!(fault.right() < 960.0, "the last column is in view: {fault:?}");
}

#[test]
fn every_mode_can_be_shown_in_every_size() {
    for mode in Mode::ALL {
        for size in [SIZES.desktop, SIZES.laptop, SIZES.phone] {
            let mut window = open(size, Theme::Light, 6);
            if size != SIZES.phone {
                window.get_by_label(&format!("Paging: {}", mode.name())).click();
            }
            window.run();
        }
    }
}

#[test]
fn pictures() {
    let mut window = open(SIZES.desktop, Theme::Dark, 4);
    window.get_by_label_contains("PTE 1: ").click();
    window.run();
    let mut results = egui_kittest::SnapshotResults::new();
    results.add(window.try_snapshot("stage_stale_dark"));
    let mut window = open_scenario(long_mode("0x210a0"), SIZES.laptop, Theme::Light, 4);
    window.run();
    results.add(window.try_snapshot("stage_five_levels_light"));
    let mut window = open_scenario(Session::empty(), SIZES.laptop, Theme::Light, 0);
    window.run();
    results.add(window.try_snapshot("stage_off_light"));
    let mut window = open(SIZES.desktop, Theme::Light, 1);
    window.get_by_label_contains("10–511 · not present").click();
    window.run();
    window.get_by_label_contains("PTE 1: ").click();
    window.run();
    window.get_by_label("R/W writable").click();
    window.run();
    results.add(window.try_snapshot("stage_full_list_light"));
}
