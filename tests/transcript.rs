//! The transcript: one text for the pane, for screen readers and for the page; the log on the clipboard;
//! and the menus that are opened by key.

#[path = "ui/support.rs"]
mod support;

use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mmuscope::app::view::{Selection, Tab};
use mmuscope::app::{App, Theme};
use mmuscope::engine::EngineName;
use support::{SIZES, open, open_on};

fn line(window: &Harness<'_, App>) -> String {
    window.state().transcript_line(&window.ctx)
}

#[test]
fn each_micro_step_is_told_in_words() {
    let mut window = open(SIZES.desktop, Theme::Dark, 0);
    assert_eq!(line(&window), "At the start.");
    let mut told = Vec::new();
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    window.run_steps(8);
    let all = window.state().focus().events().len();
    while window.state().focus().shown() < all {
        told.push(line(&window));
        window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
        window.run_steps(8);
    }
    assert!(told.iter().all(|line| line.starts_with("#1, micro-step ") && line.ends_with('.')), "{told:?}");
    assert!(told.iter().any(|line| line.ends_with("The walk reads PDE[9]: 0x7007.")), "{told:?}");
    let last = line(&window);
    assert_eq!(last, "#1 user read GVA 0x4120_1abc. The access succeeds: every entry of the path allows it.");
    // The live node has the same text.
    let live = window.query_all_by_label(&last).count();
    assert!(live >= 1);
}

#[test]
fn the_log_is_copied() {
    let mut window = open(SIZES.desktop, Theme::Dark, 6);
    window.key_press(Key::L);
    window.run_steps(20);
    assert_eq!(window.state().view().tab, Tab::Log);
    let copied = |window: &mut Harness<'_, App>, name: &str| {
        window.get_by_label(name).click();
        let mut text = String::new();
        for _ in 0..4 {
            window.step();
            for command in &window.output().platform_output.commands {
                if let egui::OutputCommand::CopyText(copy) = command {
                    text.clone_from(copy);
                }
            }
        }
        text
    };
    let text = copied(&mut window, "Copy log as text");
    assert!(text.contains("MOV CR3, 0x3020") && text.contains("#PF: error code 0x4"), "{text}");
    let json = copied(&mut window, "Copy log as JSON Lines");
    assert!(json.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{json}");
    assert!(json.contains("\"event\":\"pdpte_load\""), "{json}");
}

#[test]
fn shift_f10_opens_the_menu_of_a_shadow_entry_and_why_answers() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Dark, 1);
    let entry = window
        .query_all_by_label_contains("Shadow PT")
        .find(|node| node.accesskit_node().label().is_some_and(|label| label.contains(" 1: frame 10c2b")));
    entry.expect("the shadow entry of the page").focus();
    window.run_steps(4);
    window.key_press_modifiers(Modifiers::SHIFT, Key::F10);
    window.run_steps(6);
    window.get_by_label("Why is it so?");
    window.key_press(Key::Enter);
    window.run_steps(8);
    let view = window.state().view();
    assert!(matches!(view.selection, Selection::Spte(_)), "{:?}", view.selection);
    assert_eq!(view.tab, Tab::Why);
    window.get_by_label_contains("W = 0 because the guest's entry has D = 0");
}

#[test]
fn a_menu_leads_to_the_command_that_made_it_so() {
    let mut window = open(SIZES.desktop, Theme::Dark, 6);
    let entry = window.query_all_by_label_contains("PDPTE 1").next();
    entry.expect("the register").focus();
    window.run_steps(4);
    window.key_press_modifiers(Modifiers::SHIFT, Key::F10);
    window.run_steps(6);
    window.get_by_label("Go to the command that made it so").click();
    window.run_steps(8);
    assert_eq!(window.state().session().lab.cursor(), 5, "MOV CR3 loaded the register");
}

#[test]
fn the_timeline_and_the_host_frame_have_menus_by_key() {
    let mut window = open_on(EngineName::Kvm2007, SIZES.desktop, Theme::Dark, 4);
    window.query_all_by_label_contains("Time: step 4").next().expect("the timeline").focus();
    window.run_steps(4);
    window.key_press(Key::Menu);
    window.run_steps(6);
    window.get_by_label("Bookmark it");
    window.key_press(Key::Escape);
    window.run_steps(6);
    window.query_all_by_label_contains("Host frame at HPA").next().expect("the host frame").focus();
    window.run_steps(4);
    window.key_press_modifiers(Modifiers::SHIFT, Key::F10);
    window.run_steps(6);
    let steps = window.state().session().lab.len();
    window.get_by_label("Map the composed address here").click();
    window.run_steps(8);
    let lab = &window.state().session().lab;
    assert!(lab.cursor() == 5 && lab.len() != steps, "an ordinary command on a branch of its own");
}

#[test]
fn an_entry_and_a_table_of_the_list_have_menus_by_key() {
    let mut window = open(SIZES.desktop, Theme::Dark, 1);
    window.query_all_by_label_contains("PD 0x6000").next().expect("the table in the list").focus();
    window.run_steps(4);
    window.key_press_modifiers(Modifiers::SHIFT, Key::F10);
    window.run_steps(6);
    window.get_by_label("Show its page").click();
    window.run_steps(6);
    let selection = window.state().view().selection;
    assert!(matches!(selection, Selection::Page(gfn) if gfn.0 == 6), "{selection:?}");
    let entry = window
        .query_all_by_label_contains("PTE 1: ")
        .find(|node| node.accesskit_node().label().is_some_and(|label| label.starts_with("PTE 1: ")));
    entry.expect("the entry of the page").focus();
    window.run_steps(4);
    window.key_press(Key::Menu);
    window.run_steps(6);
    window.get_by_label("Clear A").click();
    window.run_steps(6);
    let memory = &window.state().session().lab.machine().memory;
    assert_eq!(memory.read(mmuscope::arch::Gpa(0x7008), 8), 0x2_b007, "an ordinary store of the guest");
}
