//! The hypervisor's half of the stage, driven by its accessible names, and compared with pictures.

#[path = "ui/support.rs"]
mod support;

use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mmuscope::app::view::Selection;
use mmuscope::app::{App, Theme};
use mmuscope::arch::{Gpa, Mode};
use mmuscope::engine::EngineName;
use mmuscope::scenario::{Scenario, Session};
use support::{SIZES, open_on, open_scenario};

fn session(json: &str) -> Session {
    Session::open(Scenario::from_json("test", json).expect("a scenario")).expect("it can begin")
}

fn has(window: &Harness<'_, App>, label: &str) -> bool {
    window.query_all_by_label_contains(label).next().is_some()
}

/// A page directory that is reached with and without write permission.
const TWO_ROLES: &str = r#"{"format":"mmuscope/1","id":"two-roles","engine":"kvm-2007","ram":"0x1000000",
    "init":{"cr0":"0x80010011","cr3":"0x10000","cr4":"0x20","efer":"0xd00"},
    "mem":[["0x10000","0x11007"],["0x11000","0x12007"],["0x11008","0x12005"],["0x12000","0x13007"],
           ["0x13000","0x100007"],["0x13008","0x101007"]],
    "steps":[{"op":"note","text":"One directory, two rights."},
             {"op":"access","va":"0x0","kind":"w","user":true},
             {"op":"access","va":"0x40000000","kind":"r","user":true}]}"#;

#[test]
fn the_shadow_row_shows_what_the_hardware_walks() {
    let window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Light, 4);
    for label in [
        "pae_root 1: 7f101",
        "Shadow PD 9: frame 7f102, P W U A",
        "Shadow PT 1: frame 10c2b, P · U A",
        "Host frame at HPA 0x10c2_babc, memslot 0 + 0x2b",
        "PDPT: special root, not shadowed by hash",
        "PD: synced · root",
        "PT: synced · 1 parent",
        "gfn 0x00006 is write-protected",
    ] {
        assert!(has(&window, label), "{label}");
    }
    assert!(!has(&window, "gfn 0x00003 is write-protected"), "the PDPT's page stays writable");
    assert!(!has(&window, "PDE cache"));
}

#[test]
fn a_shadow_page_shows_its_role() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Light, 4);
    window.get_by_label_contains("Shadow PT in host frame 7f102").click();
    window.run();
    assert!(matches!(window.state().view().selection, Selection::Shadow(_)));
    for label in ["role word, 2.6.20", "role word, 6.x", "root_count", "unsync", "smep_andnot_wp", "7f101[9] L2"] {
        assert!(has(&window, label), "{label}");
    }
    window.get_by_label("Select the guest table that it shadows").click();
    window.run();
    assert_eq!(window.state().view().selection, Selection::Table { level: 1, base: Gpa(0x7000) });
}

#[test]
fn a_shadow_entry_leads_to_the_guest_entry_that_it_mirrors() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Light, 4);
    window.get_by_label_contains("Shadow PT 1: frame").click();
    window.run();
    assert!(has(&window, "Soft bit 10: the guest allows writes"));
    window.get_by_label("Select the guest entry that it mirrors").click();
    window.run();
    assert_eq!(window.state().view().selection, Selection::Entry { level: 1, gpa: Gpa(0x7008) });
}

#[test]
fn engines_that_read_memory_say_so() {
    for engine in [EngineName::Kvm2006, EngineName::KvmPdpt, EngineName::Npt] {
        let window = open_on(engine, SIZES.desktop, Theme::Light, 2);
        assert!(has(&window, "PDPTE 1 present"), "{engine:?}");
        assert!(!has(&window, "STALE"), "{engine:?}: memory is in force");
        assert!(!has(&window, "pae_root"), "{engine:?}");
    }
    let window = open_on(EngineName::Kvm2006, SIZES.desktop, Theme::Light, 1);
    assert!(has(&window, "PDPT: not protected · root"));
}

#[test]
fn a_shadow_page_opens_as_a_full_list() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Light, 4);
    window.get_by_label_contains("Shadow PD 10–511 · not shadowed").click();
    window.run();
    assert_eq!(window.state().view().full_lower.len(), 1);
    assert!(has(&window, "Shadow PD 10: —"));
    let mut window = open_on(EngineName::Ept, SIZES.desktop, Theme::Light, 4);
    window.get_by_label_contains("EPT L1 44–511 · not built").click();
    window.run();
    assert!(has(&window, "EPT L1 44: not built"));
}

#[test]
fn one_table_may_have_several_shadows() {
    let mut session = session(TWO_ROLES);
    session.lab.seek(2);
    let window = open_scenario(session, SIZES.laptop, Theme::Light, 2);
    assert!(has(&window, "PD: 2 shadow pages"));
    assert!(has(&window, "Shadow PD in host frame 7f104"));
    assert!(has(&window, "uwx"));
}

#[test]
fn a_leaf_table_goes_out_of_sync() {
    let json = include_str!("../assets/scenarios/leaf-burst-now.json");
    let mut window = open_scenario(session(json), SIZES.desktop, Theme::Light, 1);
    assert!(has(&window, "PT: synced"));
    window.key_press(egui::Key::Space);
    window.run();
    assert!(has(&window, "PT: out of sync · 1 parent"));
}

#[test]
fn the_second_dimension_shows_its_reads() {
    let window = open_on(EngineName::Ept, SIZES.desktop, Theme::Light, 4);
    for label in ["EPT L1 43: frame 10c2b", "PD: 4 reads to reach its entry", "PDPT: in registers: no read"] {
        assert!(has(&window, label), "{label}");
    }
    let window = open_on(EngineName::Npt, SIZES.desktop, Theme::Light, 1);
    assert!(has(&window, "PDPT: 4 reads to reach its entry"));
}

#[test]
fn the_audit_answers() {
    let mut window = open_on(EngineName::KvmNow, SIZES.desktop, Theme::Light, 4);
    window.run();
    assert!(has(&window, "Audit: every invariant holds"));
}

#[test]
fn steps_are_numbered_as_the_file_counts_them() {
    let json = include_str!("../assets/scenarios/process-switch-2007.json");
    let mut session = session(json);
    let cursor = session.cursor_after(14);
    session.lab.seek(cursor);
    let window = open_scenario(session, SIZES.desktop, Theme::Light, cursor);
    assert!(has(&window, "step 14 of 18"));
    assert!(has(&window, "Back to A: what does the second visit cost?"), "the caption stands with its command");
}

#[test]
fn nothing_is_wider_than_a_telephone() {
    for engine in EngineName::ALL {
        for at in [1, 6] {
            let window = open_on(engine, SIZES.phone, Theme::Light, at);
            let mut queue = vec![window.root()];
            while let Some(node) = queue.pop() {
                let named = node.accesskit_node().label().is_some_and(|label| !label.is_empty());
                let Some(rect) = node.accesskit_node().bounding_box() else { continue };
                assert!(
                    !named || rect.x1 <= 391.0,
                    "{engine:?} at {at}: {:?} at {rect:?}",
                    node.accesskit_node().label()
                );
                queue.extend(node.children());
            }
        }
    }
}

#[test]
fn every_mode_can_be_shown_under_every_engine() {
    for engine in EngineName::ALL {
        for mode in Mode::ALL {
            let mut window = open_on(engine, SIZES.laptop, Theme::Light, 6);
            window.get_by_label(&format!("Paging: {}", mode.name())).click();
            window.run();
            assert_eq!(window.state().session().lab.machine().cpu.mode(), mode, "{engine:?}");
        }
    }
}

#[test]
fn pictures() {
    let shots = [
        ("shadow_light", EngineName::Kvm2007, SIZES.desktop, Theme::Light, 4),
        ("shadow_first_dark", EngineName::Kvm2007, SIZES.desktop, Theme::Dark, 1),
        ("shadow_laptop_fault", EngineName::KvmNow, SIZES.laptop, Theme::Light, 6),
        ("shadow_pdpt_in_memory", EngineName::KvmPdpt, SIZES.laptop, Theme::Dark, 4),
        ("shadow_phone", EngineName::Kvm2007, SIZES.phone, Theme::Light, 4),
        ("second_dimension_light", EngineName::Ept, SIZES.desktop, Theme::Light, 4),
    ];
    let mut results = egui_kittest::SnapshotResults::new();
    for (name, engine, size, theme, at) in shots {
        let mut window = open_on(engine, size, theme, at);
        window.remove_cursor();
        window.run();
        results.add(window.try_snapshot(name));
    }
    let mut window = open_scenario(session(TWO_ROLES), SIZES.laptop, Theme::Light, 2);
    window.remove_cursor();
    window.run();
    results.add(window.try_snapshot("shadow_two_roles"));
}

/// The hardware finds nothing, KVM walks the guest's tables, builds, and the hardware tries again.
#[test]
fn pictures_of_micro_steps() {
    let mut results = egui_kittest::SnapshotResults::new();
    let mut window = open_on(EngineName::Kvm2007, SIZES.laptop, Theme::Light, 0);
    let mut stepped = 0;
    for (name, shown) in [("micro_missing", 1), ("micro_guest_walk", 3), ("micro_built", 9)] {
        while stepped < shown {
            window.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::ArrowRight);
            window.run();
            stepped += 1;
        }
        window.remove_cursor();
        window.run_steps(20);
        assert_eq!(window.state().focus().shown(), shown);
        results.add(window.try_snapshot(name));
    }
}
