//! Fingers: wherever the window can be brought on a telephone, and in a larger window that a finger has
//! touched, what can be pressed offers a square of 44 points that presses it and nothing else, and lies
//! inside the window.

#[path = "ui/controls.rs"]
mod controls;
#[path = "ui/support.rs"]
mod support;

use std::collections::BTreeSet;

use controls::{Control, controls, focus, scroll_to};
use egui::accesskit::Role;
use egui::{Event, Pos2, Rect, TouchDeviceId, TouchId, TouchPhase, Vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use mmuscope::app::compare::CompareWish;
use mmuscope::app::files::FileWish;
use mmuscope::app::lesson::LessonWish;
use mmuscope::app::time::{Named, TimeWish};
use mmuscope::app::view::{AppCommand, Overlay, Page, Screen, Selection, Tab};
use mmuscope::app::{App, Theme};
use mmuscope::arch::{Gfn, Gpa, Mode};
use mmuscope::engine::EngineName;
use mmuscope::language::Language;
use mmuscope::lesson::{Block, Span, glossary, library, parse};
use support::{SIZES, open_on};

type Window = Harness<'static, App>;

/// The least side of what a finger presses, in points (the design's own figure).
const FINGER: f32 = 44.0;
/// Rounding of places to whole pixels, in points.
const ROUNDING: f32 = 0.6;

/// So often a state is scrolled at most.
const LONG: usize = 16;

/// As much of a control may be out of view, in points: what scrolls stands on whole pixels.
const OUT_OF_VIEW: f32 = 1.0;

/// A way the window can be brought, and how.
struct State {
    name: &'static str,
    wishes: Vec<AppCommand>,
    /// The button, in English, behind which there is a menu.
    menu: Option<&'static str>,
}

fn state(name: &'static str, wishes: Vec<AppCommand>) -> State {
    State { name, wishes, menu: None }
}

fn menu(name: &'static str, wishes: Vec<AppCommand>, button: &'static str) -> State {
    State { name, wishes, menu: Some(button) }
}

/// Every page, panel, menu and card.
fn states(phone: bool) -> Vec<State> {
    use AppCommand::{OpenPage, OpenTab, Overlay as Over, Select, Show, Zoom};
    let tab = |tab| vec![OpenPage(Page::Drawer), OpenTab(tab)];
    let edit = |selection| vec![OpenPage(Page::Drawer), Select(selection)];
    let over = |overlay| vec![Over(Some(overlay))];
    let lesson = |step: usize| {
        let mut wishes = vec![OpenPage(Page::Drawer), AppCommand::Lesson(LessonWish::Open(LESSON.to_owned()))];
        wishes.extend((0..step).map(|_| AppCommand::Lesson(LessonWish::Next)));
        wishes
    };
    let bookmarked = |at| vec![AppCommand::Seek(at), AppCommand::ToggleBookmark];
    let mut all = vec![
        state("processor", vec![OpenPage(Page::Processor)]),
        state("memory", vec![OpenPage(Page::Memory)]),
        state("stage", vec![OpenPage(Page::Stage)]),
        state("stage, all of a table", vec![OpenPage(Page::Stage), AppCommand::ToggleFull(Gpa(0x7000))]),
        state("stage, another engine", vec![OpenPage(Page::Stage), AppCommand::SetEngine(EngineName::KvmNow)]),
        state("stage, nested", vec![OpenPage(Page::Stage), AppCommand::SetEngine(EngineName::Ept)]),
        state("stage, no register", vec![OpenPage(Page::Stage), AppCommand::SwitchMode(Mode::Level4)]),
        state("stage, paging off", vec![OpenPage(Page::Stage), AppCommand::SwitchMode(Mode::Off)]),
        state("stage from afar", vec![OpenPage(Page::Stage), Zoom(0.1)]),
        state("inspect", tab(Tab::Inspect)),
        state("why", tab(Tab::Why)),
        state("log", tab(Tab::Log)),
        state("a PDPTE in memory", edit(Selection::Entry { level: 3, gpa: Gpa(0x3028) })),
        state("a PDPTE register", edit(Selection::PdpteRegister(1))),
        state("a PTE", edit(Selection::Entry { level: 1, gpa: Gpa(0x7008) })),
        state("a page", edit(Selection::Page(Gfn(0x2b)))),
        state("a fault", [tab(Tab::Inspect), vec![AppCommand::ToEnd]].concat()),
        state("bookmarks", [bookmarked(1), bookmarked(2), bookmarked(4)].concat()),
        state(
            "a name",
            [bookmarked(1), vec![AppCommand::Time(TimeWish::Rename(Some(Named::Bookmark(None))))]].concat(),
        ),
        menu("jumps", bookmarked(3), "Time ▾"),
        state("palette", over(Overlay::Palette)),
        state("shortcuts", over(Overlay::Shortcuts)),
        state("presets", over(Overlay::Presets)),
        state("lessons", over(Overlay::Lessons)),
        state("share", over(Overlay::Share)),
        state("welcome", over(Overlay::Welcome)),
        state("earlier states", vec![AppCommand::Files(FileWish::ShowStates)]),
        state("a lesson", lesson(0)),
        state("a lesson, its next step", lesson(1)),
        state("compare", vec![Show(Screen::Compare)]),
        state("compare, the last engine", vec![Show(Screen::Compare), AppCommand::Compare(CompareWish::Page(2))]),
        menu("compare, one more", vec![Show(Screen::Compare)], "Add engine"),
        state("compare, at a fault", vec![AppCommand::ToEnd, Show(Screen::Compare)]),
    ];
    all.push(if phone { menu("menu", vec![], "Menu ▾") } else { menu("file", vec![], "File ▾") });
    all
}

/// A lesson with a question, a goal and a sandbox.
const LESSON: &str = "stale-registers";

fn open(size: [f32; 2], language: Language) -> Window {
    let mut window = open_on(EngineName::Native, size, Theme::Light, 4);
    window.state_mut().speak(language);
    let finger = |phase| Event::Touch {
        device_id: TouchDeviceId(1),
        id: TouchId(1),
        phase,
        pos: Pos2::new(1.0, 1.0),
        force: None,
    };
    window.event(finger(TouchPhase::Start));
    window.run_steps(2);
    window.event(finger(TouchPhase::End));
    window.run_steps(4);
    window
}

fn bring(window: &mut Window, state: &State, language: Language) {
    for wish in &state.wishes {
        window.state().ask(wish.clone());
        window.run_steps(3);
    }
    // What moves comes to rest.
    window.run_steps(30);
    if let Some(button) = state.menu {
        let name = match button.strip_suffix(" ▾") {
            Some(word) => format!("{} ▾", language.tr(word)),
            None => language.tr(button).to_owned(),
        };
        window.get_by_label(&name).click();
        window.run_steps(6);
    }
}

/// Whether there is a square for a finger in `rect` that none of `others` covers.
fn has_room(rect: Rect, others: &[Rect]) -> bool {
    let side = FINGER - ROUNDING;
    let lefts = std::iter::once(rect.left()).chain(others.iter().map(|other| other.right()));
    let tops = || std::iter::once(rect.top()).chain(others.iter().map(|other| other.bottom()));
    let squares =
        lefts.flat_map(|left| tops().map(move |top| Rect::from_min_size(Pos2::new(left, top), Vec2::splat(side))));
    let mut squares = squares.filter(|square| rect.expand(0.01).contains_rect(*square));
    squares.any(|square| others.iter().all(|other| overlap(*other, square) == Vec2::ZERO))
}

/// How far two rectangles lie on each other.
fn overlap(a: Rect, b: Rect) -> Vec2 {
    let both = a.intersect(b);
    if both.width() <= ROUNDING || both.height() <= ROUNDING { Vec2::ZERO } else { both.size() }
}

/// What a finger cannot hit of `control` where it is now.
fn look(control: &Control, all: &[Control], width: f32) -> Option<String> {
    let at = control.rect;
    if at.left() < -ROUNDING || at.right() > width + ROUNDING {
        return Some(format!("leaves the window: {at:?}"));
    }
    let on_it = all.iter().filter(|other| other.id != control.id && other.layer == control.layer && other.pressed);
    let on_it: Vec<&Control> = on_it.filter(|other| overlap(other.seen, at) != Vec2::ZERO).collect();
    let inside = |inner: Rect, outer: Rect| outer.expand(ROUNDING).contains_rect(inner);
    let across = |other: &&&Control| !has_another_way(other) && !inside(other.rect, at) && !inside(at, other.rect);
    if let Some(other) = on_it.iter().find(across) {
        return Some(format!("{at:?} lies on {:?} {:?}", other.name, other.rect));
    }
    // What holds it lies below it.
    let above: Vec<Rect> = on_it.iter().filter(|other| !inside(at, other.rect)).map(|other| other.seen).collect();
    if control.role == Role::Group {
        // Eight bits in a line, which press what is below the finger.
        let cell = at.width() / 8.0;
        return (cell < FINGER - 1.0).then(|| format!("has cells of {cell} points"));
    }
    (!has_room(at, &above)).then(|| format!("has no room for a finger: {at:?}, on it {above:?}"))
}

/// What a finger need not hit, because something large does the same.
fn has_another_way(control: &Control) -> bool {
    match control.role {
        // A finger scrolls what lies beside the bar; text is pressed to be selected.
        Role::ScrollBar | Role::Label => true,
        // A word of a sentence: every one of them stands below the text once more, as a button.
        Role::Link => !control.name.starts_with(|c: char| c.is_ascii_digit()),
        // What the line of time has painted: the menus of time and of branches hold all of it.
        Role::Button => PAINTED.iter().any(|part| control.name.contains(part)),
        _ => false,
    }
}

/// Parts of the names of stars and branches on the line of time.
const PAINTED: [&str; 6] = ["Bookmark at step", "Bookmark: ", "Go to branch: ", "的书签", "书签：", "转到分支："];

/// Looks at every control of the state in view, wherever it has to be scrolled to.
fn look_at_all(window: &mut Window, place: &str, found: &mut BTreeSet<String>) {
    let width = window.ctx.content_rect().width();
    let mut seen: BTreeSet<u64> = BTreeSet::new();
    let mut scrolls = 0;
    loop {
        let all = controls(window);
        let pressed = |control: &&Control| control.pressed && !has_another_way(control);
        for control in all.iter().filter(pressed) {
            let whole = control.seen.expand(OUT_OF_VIEW).contains_rect(control.rect);
            if whole
                && seen.insert(control.id.value())
                && let Some(why) = look(control, &all, width)
            {
                found.insert(format!("{place}: {:?} {:?} {why}", control.role, control.name));
            }
        }
        let next = all.iter().filter(pressed).find(|control| !seen.contains(&control.id.value()));
        let Some(next) = next.cloned() else { break };
        match next.enabled && next.focusable {
            true => focus(window, next.id),
            false => scroll_to(window, next.id),
        }
        let there = controls(window).into_iter().find(|control| control.id == next.id);
        if let Some(there) = there.filter(|there| !there.seen.expand(OUT_OF_VIEW).contains_rect(there.rect)) {
            // The bits of an entry are higher than a low window: so many lines of them are in view.
            if there.role != Role::Group || there.seen.height() < 3.0 * FINGER {
                let Control { role, name, rect, seen, .. } = there;
                found.insert(format!("{place}: {role:?} {name:?} cannot be seen whole: {rect:?} in {seen:?}"));
            }
            seen.insert(next.id.value());
        }
        scrolls += 1;
        // The rows of a long list are all alike.
        if scrolls > LONG {
            break;
        }
    }
    assert!(seen.len() > 8, "{place}: only {} controls were found", seen.len());
}

fn every_state(size: [f32; 2], phone: bool) {
    let mut found = BTreeSet::new();
    for language in [Language::En, Language::Zh] {
        for state in states(phone) {
            let mut window = open(size, language);
            bring(&mut window, &state, language);
            look_at_all(&mut window, &format!("{language:?}, {}", state.name), &mut found);
        }
    }
    assert!(
        found.is_empty(),
        "{} are not for fingers:\n{}",
        found.len(),
        found.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn a_telephone_is_for_fingers() {
    every_state(SIZES.phone, true);
}

#[test]
fn a_window_that_was_touched_is_for_fingers() {
    every_state(SIZES.laptop, false);
}

/// A button of that name that a finger can press, wherever it has been scrolled to.
fn is_large(window: &Window, name: &str) -> bool {
    let size = |control: &Control| control.rect.size().min_elem() > FINGER - ROUNDING;
    controls(window).iter().any(|control| control.role == Role::Button && control.name == name && size(control))
}

#[test]
fn what_the_line_of_time_paints_is_in_menus_too() {
    let mut window = open(SIZES.phone, Language::En);
    for wish in [AppCommand::Seek(2), AppCommand::ToggleBookmark, AppCommand::SwitchMode(Mode::Off)] {
        window.state().ask(wish);
        window.run_steps(20);
    }
    let painted: Vec<String> = controls(&window).into_iter().map(|control| control.name).collect();
    assert!(painted.iter().any(|name| name == "Bookmark at step 2"), "{painted:?}");
    assert!(painted.iter().any(|name| name.starts_with("Go to branch: ")), "{painted:?}");
    window.get_by_label("Time ▾").click();
    window.run_steps(6);
    for name in ["★ step 2", "To the next branch O"] {
        assert!(is_large(&window, name), "{name}");
    }
}

#[test]
fn words_of_a_lesson_that_can_be_pressed_are_buttons_too() {
    for language in [Language::En, Language::Zh] {
        let mut window = open(SIZES.phone, language);
        window.state().ask(AppCommand::OpenPage(Page::Drawer));
        window.state().ask(AppCommand::Lesson(LessonWish::Open(LESSON.to_owned())));
        window.run_steps(6);
        let lesson = library().iter().find(|lesson| lesson.id == LESSON).expect("the lesson");
        let blocks = parse(lesson.steps[0].text.get(language.id()));
        let terms: Vec<&str> = blocks
            .iter()
            .flat_map(Block::spans)
            .filter_map(|span| match span {
                Span::Term { id, .. } => Some(id.as_str()),
                _ => None,
            })
            .collect();
        assert!(!terms.is_empty());
        for id in terms {
            let term = glossary().get(id).expect("a term of the glossary");
            let name = glossary().name(id, language.id());
            assert!(is_large(&window, name), "{name}");
            let button = controls(&window).into_iter().find(|c| c.role == Role::Button && c.name == name);
            focus(&mut window, button.expect("the button").id);
            window.key_press(egui::Key::Enter);
            window.run_steps(4);
            assert!(window.query_by_label(term.text.get(language.id())).is_some(), "the answer to {name}");
            window.key_press(egui::Key::Escape);
            window.run_steps(4);
            assert!(window.query_by_label(term.text.get(language.id())).is_none(), "Escape closes {name}");
        }
    }
}
