//! The keyboard alone, and accessible names alone: everything is reached, has a name and a ring; every
//! action has its way; what was opened is closed by Escape and gives the keyboard back.

#[path = "ui/controls.rs"]
mod controls;
#[path = "ui/support.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use controls::{Control, controls, focus};
use egui::accesskit::{Role, Toggled};
use egui::{Event, Id, Key, Modifiers, Order, Rect, Shape};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mmuscope::app::actions::Action;
use mmuscope::app::lesson::LessonWish;
use mmuscope::app::theme::tokens;
use mmuscope::app::view::{AppCommand, Overlay, Page, Screen, Selection, Tab};
use mmuscope::app::{App, Theme};
use mmuscope::arch::Gpa;
use mmuscope::engine::EngineName;
use mmuscope::language::Language;
use mmuscope::scenario::Session;
use support::{SIZES, open_on, open_scenario};

type Window = Harness<'static, App>;

/// Passes after a key until everything that follows from it is on the screen.
const PASSES: usize = 4;
/// A window has fewer stops of the Tab key.
const STOPS: usize = 400;

fn press(window: &mut Window, key: Key) {
    window.key_press(key);
    window.run_steps(PASSES);
}

fn press_with(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    window.run_steps(PASSES);
}

/// The Tab key, and passes until what has the keyboard has come into view.
fn tab(window: &mut Window, back: bool) {
    let modifiers = if back { Modifiers::SHIFT } else { Modifiers::NONE };
    window.event(Event::Key { key: Key::Tab, modifiers, pressed: true, repeat: false, physical_key: None });
    window.run_steps(PASSES);
}

fn open(size: [f32; 2], language: Language) -> Window {
    let mut window = open_on(EngineName::Native, size, Theme::Light, 4);
    window.state_mut().speak(language);
    window.run_steps(8);
    window
}

fn focused(window: &Window) -> Option<Id> {
    window.ctx.memory(|memory| memory.focused())
}

fn focused_control(window: &Window) -> Option<Control> {
    let id = focused(window)?;
    controls(window).into_iter().find(|control| control.id == id)
}

/// Whether a ring is painted around a place.
fn has_ring(window: &Window, place: Rect) -> bool {
    fn is_ring(shape: &Shape, place: Rect, color: egui::Color32) -> bool {
        match shape {
            Shape::Rect(rect) => {
                let near = (rect.rect.min - place.min).length() + (rect.rect.max - place.max).length() < 8.0;
                near && rect.stroke.width >= 2.0 && rect.stroke.color == color
            }
            Shape::Vec(shapes) => shapes.iter().any(|shape| is_ring(shape, place, color)),
            _ => false,
        }
    }
    let color = tokens(&window.ctx).guest.line;
    window.output().shapes.iter().any(|clipped| is_ring(&clipped.shape, place, color))
}

/// Presses Tab until it has come round, and says what is wrong on the way. `over`: something lies over the
/// window, which keeps the keyboard. `both_ways`: of a long list so much is drawn as is in view, so that the
/// rows above are reached in the other direction.
fn go_round(window: &mut Window, place: &str, over: bool, both_ways: bool, wrong: &mut BTreeSet<String>) {
    let mut stops: Vec<Id> = Vec::new();
    let mut drawn: BTreeMap<u64, Control> = BTreeMap::new();
    let mut say = |control: &Control, what: &str| {
        wrong.insert(format!("{place}: {:?} {:?} {what}", control.role, control.name));
    };
    let (mut start, mut back) = (None, false);
    for _ in 0..2 * STOPS {
        tab(window, back);
        for control in controls(window) {
            drawn.insert(control.id.value(), control);
        }
        let Some(id) = focused(window) else { continue };
        match start {
            None => start = Some(id),
            Some(start) if start == id && (back || !both_ways) => break,
            Some(start) if start == id => back = true,
            Some(_) => {}
        }
        if stops.contains(&id) {
            continue;
        }
        stops.push(id);
        let Some(control) = drawn.get(&id.value()) else {
            say(
                &Control { id, ..drawn.values().next().expect("a control").clone() },
                "is followed by what is not there",
            );
            continue;
        };
        if !control.name.chars().any(char::is_alphanumeric) {
            say(control, &format!("has no name, at {:?}", control.rect));
        }
        if matches!(control.role, Role::Unknown | Role::GenericContainer | Role::Window) {
            say(control, "has no role");
        }
        // What is higher than its room fills it.
        let (all, part) = (control.rect, control.seen);
        let shown = part.expand(0.6).contains_rect(all) || all.height() > 200.0 && part.height() > 100.0;
        if !shown {
            say(control, &format!("is not in view: {all:?} in {part:?}"));
        }
        if !has_ring(window, control.rect) {
            say(control, &format!("has no ring, at {all:?}"));
        }
        if over && control.layer.order == Order::Background {
            say(control, "is below what is open");
        }
    }
    let reached = |control: &&Control| !stops.contains(&control.id);
    let stop = |control: &&Control| control.focusable && control.enabled;
    let here = |control: &&Control| !over || control.layer.order != Order::Background;
    for control in drawn.values().filter(stop).filter(here).filter(reached) {
        say(control, &format!("is not reached, at {:?}", control.rect));
    }
    assert!(!stops.is_empty(), "{place}: Tab leads nowhere");
}

/// Ways the window can be brought, and whether something lies over it then.
fn states(phone: bool) -> Vec<(&'static str, Vec<AppCommand>, bool)> {
    use AppCommand::{OpenPage, OpenTab, Overlay as Over, Show};
    let lesson = |step: usize| {
        let mut wishes =
            vec![OpenPage(Page::Drawer), AppCommand::Lesson(LessonWish::Open("stale-registers".to_owned()))];
        wishes.extend((0..step).map(|_| AppCommand::Lesson(LessonWish::Next)));
        wishes
    };
    let mut all = vec![
        ("compare", vec![Show(Screen::Compare)], false),
        ("a lesson", lesson(0), false),
        ("a lesson, its next step", lesson(1), false),
        ("lessons", vec![Over(Some(Overlay::Lessons))], true),
        ("palette", vec![Over(Some(Overlay::Palette))], true),
        ("presets", vec![Over(Some(Overlay::Presets))], true),
        ("shortcuts", vec![Over(Some(Overlay::Shortcuts))], true),
        ("share", vec![Over(Some(Overlay::Share))], true),
    ];
    if !phone {
        all.push(("welcome", vec![Over(Some(Overlay::Welcome))], true));
    }
    let drawer = |tab| vec![OpenPage(Page::Drawer), OpenTab(tab)];
    all.extend([("why", drawer(Tab::Why), false), ("log", drawer(Tab::Log), false)]);
    match phone {
        true => all.extend([
            ("processor", vec![OpenPage(Page::Processor)], false),
            ("memory", vec![OpenPage(Page::Memory)], false),
            ("stage", vec![OpenPage(Page::Stage)], false),
            ("inspect", drawer(Tab::Inspect), false),
        ]),
        false => all.extend([
            ("explore", vec![], false),
            ("explore, a hypervisor", vec![AppCommand::SetEngine(EngineName::KvmNow)], false),
            ("explore, two dimensions", vec![AppCommand::SetEngine(EngineName::Ept)], false),
            ("explore, from afar", vec![AppCommand::Zoom(0.1)], false),
        ]),
    }
    all
}

/// What is gone round in both languages; the rest differs from it in nothing but words.
const IN_BOTH: [&str; 6] = ["explore", "processor", "stage", "lessons", "a lesson, its next step", "compare"];

fn everything_is_reached(size: [f32; 2], phone: bool) {
    let mut wrong = BTreeSet::new();
    for language in [Language::En, Language::Zh] {
        for (name, wishes, over) in states(phone) {
            if language == Language::Zh && !IN_BOTH.contains(&name) {
                continue;
            }
            let mut window = open(size, language);
            for wish in wishes {
                window.state().ask(wish);
                window.run_steps(3);
            }
            window.run_steps(20);
            go_round(&mut window, &format!("{language:?}, {name}"), over, name == "log", &mut wrong);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} things are wrong:\n{}",
        wrong.len(),
        wrong.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn tab_reaches_everything() {
    everything_is_reached(SIZES.laptop, false);
}

#[test]
fn tab_reaches_everything_on_a_telephone() {
    everything_is_reached(SIZES.phone, true);
}

/// Top the processor, left memory, middle tables, right explanation, bottom time.
#[test]
fn tab_follows_the_zones() {
    let mut window = open(SIZES.desktop, Language::En);
    let zones = ["Explore", "Paging: Off", "Page map", "PDPTE 0 register", "Inspect", "To the start"];
    let mut places = Vec::new();
    for _ in 0..STOPS {
        tab(&mut window, false);
        let Some(control) = focused_control(&window) else { continue };
        let zone = zones.iter().position(|name| control.name.starts_with(name));
        match zone {
            Some(0) if !places.is_empty() => break,
            zone => places.extend(zone),
        }
    }
    assert_eq!(places, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn f6_goes_from_zone_to_zone() {
    let zones = ["Explore", "Paging: Off", "Engine: ", "", "Inspect", ""];
    let mut window = open(SIZES.desktop, Language::En);
    let mut first = Vec::new();
    for zone in zones {
        press(&mut window, Key::F6);
        let control = focused_control(&window).expect("something has the keyboard");
        assert!(control.name.starts_with(zone), "{zone}: {}", control.name);
        first.push(control.id);
    }
    assert!(first.iter().enumerate().all(|(at, id)| !first[..at].contains(id)), "{first:?}");
    press(&mut window, Key::F6);
    assert_eq!(focused(&window), Some(first[0]), "it comes round");
    for id in first.iter().rev() {
        press_with(&mut window, Modifiers::SHIFT, Key::F6);
        assert_eq!(focused(&window), Some(*id));
    }
    // What lies over the window keeps the keyboard.
    press_with(&mut window, Modifiers::COMMAND, Key::K);
    let field = focused(&window);
    press(&mut window, Key::F6);
    assert_eq!(focused(&window), field);
}

#[test]
fn i_leads_to_the_bits_of_the_entry() {
    for (size, selected) in [(SIZES.laptop, true), (SIZES.laptop, false), (SIZES.phone, true)] {
        let mut window = open(size, Language::En);
        let gpa = Gpa(0x5008);
        if selected {
            window.state().ask(AppCommand::Select(Selection::Entry { level: 1, gpa }));
            window.run_steps(PASSES);
        }
        let value = |window: &Window| window.state().session().lab.machine().memory.read(gpa, 8);
        press(&mut window, Key::I);
        let bits = focused_control(&window).expect("the bits have the keyboard");
        assert!(bits.name.starts_with("Bits of ") && bits.name.contains("bit 0 "), "{}", bits.name);
        if selected {
            let before = value(&window);
            press(&mut window, Key::Space);
            assert_eq!(value(&window), before ^ 1);
            press(&mut window, Key::U);
            press(&mut window, Key::Space);
            press(&mut window, Key::ArrowRight);
            press(&mut window, Key::Space);
            assert_eq!(value(&window), before ^ 0b111);
        }
        press(&mut window, Key::Escape);
        assert_eq!(focused(&window), None);
        // From the palette, too.
        press_with(&mut window, Modifiers::COMMAND, Key::K);
        window.event(Event::Text("edit the entry".to_owned()));
        window.run_steps(2);
        press(&mut window, Key::Enter);
        assert!(focused_control(&window).is_some_and(|control| control.name.starts_with("Bits of ")));
    }
}

/// What is asked for at the end of the pass in which a key went down.
fn asked(window: &mut Window, modifiers: Modifiers, key: Key) -> Vec<AppCommand> {
    window.event(Event::Key { key, modifiers, pressed: true, repeat: false, physical_key: None });
    window.step();
    window.state().wishes()
}

#[test]
fn every_shortcut_does_what_it_says() {
    let keyed: Vec<Action> = Action::all().into_iter().filter(|action| action.shortcut().is_some()).collect();
    assert!(keyed.len() > 40, "{}", keyed.len());
    for action in keyed {
        let mut window = open(SIZES.laptop, Language::En);
        let wish = window.state().wish_of(&window.ctx, action);
        for key in [action.shortcut(), action.other_shortcut()].into_iter().flatten() {
            let asked = asked(&mut window, key.modifiers, key.logical_key);
            assert!(asked.contains(&wish), "{action:?}: {key:?} asks for {asked:?}");
        }
    }
}

#[test]
fn the_key_that_opens_compare_closes_it() {
    let mut window = open(SIZES.laptop, Language::En);
    for screen in [Screen::Compare, Screen::Explore, Screen::Compare] {
        press_with(&mut window, Modifiers::SHIFT, Key::C);
        assert_eq!(window.state().view().screen, screen);
    }
    // And by name, from a lesson, too.
    window.state().ask(AppCommand::Lesson(LessonWish::Open("stale-registers".to_owned())));
    window.state().ask(AppCommand::Show(Screen::Compare));
    window.run_steps(PASSES);
    press_with(&mut window, Modifiers::COMMAND, Key::K);
    window.event(Event::Text("explore".to_owned()));
    window.run_steps(2);
    press(&mut window, Key::Enter);
    assert_eq!(window.state().view().screen, Screen::Explore);
    assert!(window.state().lesson().is_none());
}

#[test]
fn an_engine_is_added_by_name() {
    let mut window = open(SIZES.laptop, Language::En);
    let columns = |window: &Window| mmuscope::app::compare::columns(window.state().view(), window.state().session());
    let mut add = |engine: EngineName| {
        let wish = window.state().wish_of(&window.ctx, Action::AddEngine(engine));
        window.state().ask(wish);
        window.run_steps(PASSES);
        (columns(&window).len(), window.state().view().screen, window.state().view().notice.is_some())
    };
    let told = EngineName::ALL.map(&mut add);
    assert!(told.iter().any(|(_, screen, notice)| *screen == Screen::Compare && !notice));
    assert_eq!(told.last(), Some(&(4, Screen::Compare, true)), "there is no room for more, and it says so");
}

#[test]
fn the_palette_runs_every_action_by_keys() {
    for language in [Language::En, Language::Zh] {
        for action in Action::all().into_iter().filter(|action| *action != Action::Palette) {
            let mut window = open(SIZES.small, language);
            let wish = window.state().wish_of(&window.ctx, action);
            window.key_press_modifiers(Modifiers::COMMAND, Key::K);
            window.run_steps(2);
            let text = action.text(language);
            window.event(Event::Text(text.clone()));
            window.run_steps(2);
            let row = language.fill("Run: {action}", &[("action", &text)]);
            // Words that are part of another action's leave a few rows to choose from.
            for _ in 0..8 {
                let node = window.get_by_label(&row);
                if node.accesskit_node().toggled() == Some(Toggled::True) {
                    break;
                }
                window.key_press(Key::ArrowDown);
                window.run_steps(2);
            }
            let asked = asked(&mut window, Modifiers::NONE, Key::Enter);
            assert!(asked.contains(&wish), "{language:?}, {action:?}: {asked:?}");
        }
    }
}

/// Goes on with Tab until the control of that name has the keyboard.
fn tab_to(window: &mut Window, is: impl Fn(&Control) -> bool) -> Control {
    for _ in 0..STOPS {
        tab(window, false);
        if let Some(control) = focused_control(window).filter(&is) {
            return control;
        }
    }
    panic!("Tab does not come to it");
}

#[test]
fn escape_closes_and_gives_the_keyboard_back() {
    for size in [SIZES.laptop, SIZES.phone] {
        let names = ["Presets ▾", "File ▾", "Lessons", "Share", "Open the command palette", "Time ▾", "Menu ▾"];
        let mut tried = 0;
        for name in names {
            let mut window = open(size, Language::En);
            let Some(control) = controls(&window).into_iter().find(|control| control.name == name) else { continue };
            tried += 1;
            focus(&mut window, control.id);
            press(&mut window, Key::Enter);
            let is_open =
                |window: &Window| window.state().view().overlay.is_some() || egui::Popup::is_any_open(&window.ctx);
            assert!(is_open(&window), "{name}");
            press(&mut window, Key::Tab);
            let inside = focused_control(&window).expect("something has the keyboard");
            assert_ne!(inside.layer.order, Order::Background, "{name}: Tab leads in, not {:?}", inside.name);
            press(&mut window, Key::Escape);
            assert!(!is_open(&window), "{name}");
            assert_eq!(focused(&window), Some(control.id), "{name} has the keyboard again");
        }
        assert!(tried >= 4, "{tried}");
    }
}

#[test]
fn the_menu_key_opens_menus_and_escape_leads_back() {
    let mut window = open(SIZES.laptop, Language::En);
    for wish in [AppCommand::Seek(1), AppCommand::ToggleBookmark] {
        window.state().ask(wish);
        window.run_steps(3);
    }
    // Another command than the one that was given here: a branch.
    let load = window.state().wish_of(&window.ctx, Action::LoadCr3);
    window.state().ask(load);
    window.run_steps(20);
    let things = [
        ("PTE 1: ", "Edit its bits"),
        ("PD 0x0000_6000, select", "Show its page"),
        ("PDPTE 1 register: ", "Edit its memory"),
        ("Bookmark at step 1", "Rename it"),
        ("Go to branch: main", "Go to it"),
        ("Time: step", "Bookmark it"),
        ("branch ", "Rename it"),
    ];
    for (name, item) in things {
        for (modifiers, key) in [(Modifiers::SHIFT, Key::F10), (Modifiers::NONE, Key::Menu)] {
            let found = controls(&window).into_iter().find(|control| control.name.starts_with(name));
            let thing = found.unwrap_or_else(|| panic!("{name}"));
            focus(&mut window, thing.id);
            press_with(&mut window, modifiers, key);
            assert!(window.query_by_label_contains(item).is_some(), "{name}: {item}");
            let first = focused_control(&window).expect("the first item has the keyboard");
            assert_ne!(first.layer.order, Order::Background, "{name}: {:?}", first.name);
            press(&mut window, Key::Escape);
            assert!(window.query_by_label_contains(item).is_none(), "{name}: closed");
            assert_eq!(focused(&window), Some(thing.id), "{name} has the keyboard again");
        }
    }
}

/// INVLPG in the menu of an entry is that of the address which the entry serves; a directory entry that leads to a
/// table has no D.
#[test]
fn the_menu_of_an_entry_is_about_that_entry() {
    use mmuscope::arch::Gva;
    use mmuscope::machine::Command;
    let mut window = open(SIZES.desktop, Language::En);
    let menu_of = |window: &mut Window, name: &str| {
        let thing = controls(window).into_iter().find(|control| control.name.starts_with(name));
        focus(window, thing.unwrap_or_else(|| panic!("{name}")).id);
        press(window, Key::Menu);
    };
    menu_of(&mut window, "PDE 9: ");
    assert!(window.query_by_label("Set D").is_none() && window.query_by_label("Clear D").is_none());
    assert!(window.query_by_label("INVLPG GVA 0x4120_0000").is_some());
    press(&mut window, Key::Escape);
    menu_of(&mut window, "PTE 1: ");
    assert!(window.query_by_label("Set D").or(window.query_by_label("Clear D")).is_some());
    window.get_by_label("INVLPG GVA 0x4120_1000").click_accesskit();
    window.run_steps(PASSES);
    let lab = &window.state().session().lab;
    assert_eq!(lab.command(lab.cursor()), Some(&Command::Invlpg { va: Gva(0x4120_1000) }));
    menu_of(&mut window, "PDPTE 3 register: ");
    assert!(window.query_by_label("INVLPG GVA 0xc000_0000").is_some());
}

#[test]
fn escape_gives_up_what_was_typed() {
    let mut window = open(SIZES.laptop, Language::En);
    let entry = Selection::Entry { level: 1, gpa: Gpa(0x7008) };
    window.state().ask(AppCommand::Select(entry));
    window.run_steps(PASSES);
    let (va, hash) = (window.state().view().composer.va, window.state().session().lab.state_hash());
    for (name, text) in [("Linear address", "0xfff"), ("CR3", "0x1000"), ("Frame number in hex", "77")] {
        let field = controls(&window).into_iter().find(|control| control.name == name).expect(name);
        focus(&mut window, field.id);
        press_with(&mut window, Modifiers::COMMAND, Key::A);
        window.event(Event::Text(text.to_owned()));
        window.run_steps(PASSES);
        press(&mut window, Key::Escape);
        assert_eq!(focused(&window), None);
        assert_eq!(window.state().view().composer.va, va, "{name}");
        assert_eq!(window.state().session().lab.state_hash(), hash, "{name}");
        assert!(!window.query_all_by_label(name).any(|node| node.accesskit_node().value().as_deref() == Some(text)));
        assert_eq!(window.state().view().selection, entry, "{name}: Escape does one thing");
    }
    press(&mut window, Key::Escape);
    assert_eq!(window.state().view().selection, Selection::None);
}

#[test]
fn the_menu_says_what_it_did_where_nothing_else_shows_it() {
    let mut window = open(SIZES.desktop, Language::En);
    window.state().ask(AppCommand::ToStart);
    window.run_steps(PASSES);
    for (item, said) in [
        ("Copy its value", "On the clipboard: 0x"),
        ("Copy its address", "On the clipboard: 0x"),
        ("Go to the command that made it so", "It is so from the start"),
    ] {
        let thing = controls(&window).into_iter().find(|control| control.name.starts_with("PTE 1: "));
        focus(&mut window, thing.expect("a row").id);
        press(&mut window, Key::Menu);
        window.get_by_label(item).click_accesskit();
        window.run_steps(PASSES);
        assert!(says(&window, said), "{item}");
        assert_eq!(window.state().session().lab.cursor(), 0);
    }
}

/// What is asserted at each station of the story, whichever way it is gone through.
mod station {
    use mmuscope::arch::TableMemory as _;

    use mmuscope::machine::Event;

    use super::{App, Gpa};

    fn memory(app: &App) -> u64 {
        app.session().lab.machine().memory.read_u64(Gpa(0x3028))
    }

    fn faulted(app: &App) -> bool {
        app.focus().events().iter().any(|event| matches!(event, Event::Fault { .. }))
    }

    pub fn loaded(app: &App) {
        assert_eq!(app.session().scenario.id, "the-register-remembers");
        let lab = &app.session().lab;
        assert_eq!((lab.cursor(), lab.len()), (0, 6));
        assert!(!lab.machine().pdpte_is_stale(1));
    }

    pub fn poked(app: &App) {
        assert_eq!(memory(app), 0x9001);
        let machine = app.session().lab.machine();
        assert_eq!(machine.cpu.pdptes[1], 0x6001, "the register remembers");
        assert!(machine.pdpte_is_stale(1));
    }

    pub fn accessed(app: &App) {
        let machine = app.session().lab.machine();
        assert!(machine.pdpte_is_stale(1) && !faulted(app), "the old register still leads to the page");
        assert_eq!(machine.cpu.cr2.0, 0);
    }

    pub fn reloaded(app: &App) {
        let machine = app.session().lab.machine();
        assert_eq!(machine.cpu.pdptes[1], 0x9001);
        assert!(!machine.pdpte_is_stale(1));
    }

    pub fn fault(app: &App) {
        assert!(faulted(app));
        assert_eq!(app.session().lab.machine().cpu.cr2.0, 0x4120_1abc);
    }

    pub fn start(app: &App) {
        assert_eq!(app.session().lab.cursor(), 0);
        assert_eq!(memory(app), 0x6001);
    }

    pub fn branched(app: &App, before: usize) {
        let lab = &app.session().lab;
        assert_eq!((lab.cursor(), lab.len(), lab.branches().len()), (1, 1, before + 1));
    }
}

/// Whether something of the window says a text.
fn says(window: &Window, text: &str) -> bool {
    window.query_all_by_label_contains(text).next().is_some()
}

/// Load the scenario, poke PDPTE 1, see STALE, access through the old register, load CR3, see fresh and
/// the fault, read the Why, step back to the start, branch, come back: no pointer is there.
#[test]
fn the_story_by_keys_alone() {
    let mut window = open_scenario(Session::empty(), SIZES.laptop, Theme::Light, 0);
    press(&mut window, Key::P);
    tab_to(&mut window, |control| control.name.starts_with("The register remembers"));
    press(&mut window, Key::Enter);
    station::loaded(window.state());
    press(&mut window, Key::ArrowRight);
    tab_to(&mut window, |control| control.name.starts_with("PDPTE 1 memory"));
    press(&mut window, Key::Enter);
    tab_to(&mut window, |control| control.name == "Frame number in hex");
    press_with(&mut window, Modifiers::COMMAND, Key::A);
    window.event(Event::Text("9".to_owned()));
    press(&mut window, Key::Enter);
    station::poked(window.state());
    assert!(says(&window, "PDPTE 1 STALE"));
    press(&mut window, Key::A);
    station::accessed(window.state());
    press(&mut window, Key::C);
    station::reloaded(window.state());
    assert!(says(&window, "PDPTE 1 = fresh"));
    press(&mut window, Key::A);
    station::fault(window.state());
    press(&mut window, Key::W);
    assert_eq!(window.state().view().tab, Tab::Why);
    let (hash, len) = (window.state().session().lab.state_hash(), window.state().session().lab.len());
    // The first cause leads to the command that it names, and time leads back.
    let cause = tab_to(&mut window, |control| control.role == Role::Link);
    assert!(cause.name.starts_with("1. "), "{}", cause.name);
    press(&mut window, Key::Escape);
    while window.state().session().lab.cursor() > 0 {
        let before = window.state().session().lab.cursor();
        press(&mut window, Key::ArrowLeft);
        assert_eq!(window.state().session().lab.cursor(), before - 1);
    }
    station::start(window.state());
    let branches = window.state().session().lab.branches().len();
    press(&mut window, Key::C);
    station::branched(window.state(), branches);
    for _ in 0..branches + 1 {
        if window.state().session().lab.len() == len {
            break;
        }
        press(&mut window, Key::O);
    }
    press(&mut window, Key::End);
    station::fault(window.state());
    assert_eq!(window.state().session().lab.state_hash(), hash);
}

/// Presses what is called so, as assistive technology does.
fn click(window: &mut Window, name: &str) {
    let found: Vec<_> = window.query_all_by_label_contains(name).collect();
    let exact = found.iter().find(|node| node.accesskit_node().label().is_some_and(|label| label == name));
    exact.or(found.first()).unwrap_or_else(|| panic!("nothing is called {name}")).click_accesskit();
    window.run_steps(2 * PASSES);
}

/// The same story by the names of things alone: no pointer and no key is there.
#[test]
fn the_story_by_names_alone() {
    let mut window = open_scenario(Session::empty(), SIZES.laptop, Theme::Light, 0);
    click(&mut window, "Presets ▾");
    click(&mut window, "The register remembers ");
    station::loaded(window.state());
    click(&mut window, "Step");
    click(&mut window, "PDPTE 1 memory");
    window.get_by_label("Frame number in hex").set_text_value_accesskit("9");
    window.run_steps(PASSES);
    station::poked(window.state());
    assert!(says(&window, "PDPTE 1 STALE"));
    click(&mut window, "Access");
    station::accessed(window.state());
    click(&mut window, "Load CR3");
    station::reloaded(window.state());
    assert!(says(&window, "PDPTE 1 = fresh"));
    click(&mut window, "Access");
    station::fault(window.state());
    click(&mut window, "Why");
    let why: Vec<String> =
        window.query_all_by_role(Role::Link).filter_map(|node| node.accesskit_node().label()).collect();
    assert!(why.iter().any(|cause| cause.starts_with("1. ")), "{why:?}");
    let (hash, len) = (window.state().session().lab.state_hash(), window.state().session().lab.len());
    while window.state().session().lab.cursor() > 0 {
        click(&mut window, "Back one step");
    }
    station::start(window.state());
    let branches = window.state().session().lab.branches().len();
    click(&mut window, "Load CR3");
    station::branched(window.state(), branches);
    click(&mut window, "All branches");
    let items: Vec<String> = window
        .query_all_by_label_contains(" commands")
        .filter_map(|node| node.accesskit_node().label())
        .filter(|label| label.ends_with(&format!("{len} commands")))
        .collect();
    assert!(!items.is_empty(), "the branch of {len} commands is in the list");
    click(&mut window, &items[0]);
    click(&mut window, "To the end");
    station::fault(window.state());
    assert_eq!(window.state().session().lab.state_hash(), hash);
}
