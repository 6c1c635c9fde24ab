//! The lessons in the window: every one played to its end by accessible names, and compared with
//! pictures.

mod lesson_support;
#[path = "ui/support.rs"]
mod support;

use egui::accesskit::Role;
use egui::{FontFamily, FontId};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use lesson_support::{lesson, text_of};
use mmuscope::app::view::{Overlay, Tab};
use mmuscope::app::{App, Theme};
use mmuscope::language::Language;
use mmuscope::lesson::{LANGUAGES, Lesson, LessonStep, StepKind, glossary, languages_of, library, parse, plain};
use mmuscope::machine::Command;
use mmuscope::scenario::Session;
use support::{SIZES, open_scenario};

type Window = Harness<'static, App>;

/// A window on a step of a lesson, from 0.
fn open_lesson(lesson: &Lesson, step: usize, language: Language, size: [f32; 2]) -> Window {
    let mut window = open_scenario(Session::empty(), size, Theme::Light, 0);
    window.state_mut().speak(language);
    window.state_mut().open_lesson(lesson, Some(step)).expect("the lesson can begin");
    window.run();
    window
}

/// Presses the button of exactly that name, wherever it has been scrolled to.
fn press(window: &mut Window, name: &str) {
    let role = |node: &egui_kittest::Node<'_>| matches!(node.accesskit_node().role(), Role::Button | Role::Link);
    let found: Vec<_> = window.query_all_by_label(name).filter(role).collect();
    assert_eq!(found.len(), 1, "buttons called `{name}`");
    found[0].click_accesskit();
    window.run();
}

/// What a text says without marks.
fn words(text: &str, language: Language) -> String {
    plain(&parse(text), |id| glossary().name(id, language.id()).to_owned())
}

/// The longest run of a text that stands in one piece on the screen.
fn piece(text: &str) -> String {
    use mmuscope::lesson::{Block, Span};
    let blocks = parse(text);
    let plain = blocks.iter().flat_map(Block::spans).filter_map(|span| match span {
        Span::Plain(text) => Some(text.clone()),
        _ => None,
    });
    plain.max_by_key(String::len).unwrap_or_default()
}

/// Whether a text is on the screen. Where a line may break there is a space that nobody sees.
fn shows(window: &Window, text: &str) -> bool {
    let bare = |text: &str| text.replace(' ', "");
    let piece = bare(piece(text).trim());
    let said = |label: Option<String>| label.is_some_and(|label| bare(&label).contains(&piece));
    window.query_all_by(|node| said(node.label()) || said(node.value())).next().is_some()
}

fn session(window: &Window) -> &mmuscope::lesson::Session {
    &window.state().lesson().expect("a lesson is in front").session
}

/// Answers every question of the step in view, wrong answers first, and reaches its goal.
fn play(window: &mut Window, step: &LessonStep, language: Language) {
    match step.kind {
        StepKind::Watch => press(window, language.tr("Play this step")),
        StepKind::Predict => {
            let (right, wrong): (Vec<_>, Vec<_>) = step.choices.iter().partition(|choice| choice.right);
            for choice in wrong.into_iter().chain(right) {
                press(window, &words(choice.text.get(language.id()), language));
                let because = choice.because.get(language.id());
                assert!(shows(window, because), "`{because}` is not said");
                assert!(shows(window, if choice.right { language.tr("Right.") } else { language.tr("Not so.") }));
            }
            press(window, language.tr("See what the machine does"));
        }
        StepKind::Change | StepKind::Construct => {
            let hints = step.hints.get(language.id());
            for (index, hint) in hints.iter().enumerate() {
                press(window, &language.hint(index + 1, hints.len()));
                assert!(shows(window, hint), "`{hint}` is not shown");
            }
            press(window, language.tr("Show the solution"));
            let judgement = &window.state().lesson().expect("in front").judgement;
            assert_eq!(judgement.met, Some(true));
            assert!(shows(window, language.tr("Reached.")));
        }
        StepKind::Present => {}
    }
}

fn play_to_the_end(lesson: &Lesson, language: Language) {
    let mut window = open_lesson(lesson, 0, language, SIZES.laptop);
    for (index, step) in lesson.steps.iter().enumerate() {
        assert_eq!((session(&window).at(), &lesson.id), (index, &session(&window).lesson().id));
        play(&mut window, step, language);
        let done = session(&window).record().steps[index].done;
        assert!(done || step.kind == StepKind::Present, "{} step {}", lesson.id, index + 1);
        press(&mut window, if index + 1 == lesson.steps.len() { language.tr("Finish") } else { language.tr("Next") });
    }
    let app = window.state();
    assert!(app.progress().finished(lesson), "{}", lesson.id);
    assert_eq!(app.view().overlay, Some(Overlay::Lessons));
}

#[test]
fn every_lesson_is_played_to_its_end_in_english() {
    library().iter().for_each(|lesson| play_to_the_end(lesson, Language::En));
}

#[test]
fn every_lesson_is_played_to_its_end_in_chinese() {
    library().iter().for_each(|lesson| play_to_the_end(lesson, Language::Zh));
}

#[test]
fn the_list_opens_a_lesson_and_explore_leads_back() {
    let mut window = open_scenario(Session::empty(), SIZES.laptop, Theme::Dark, 0);
    press(&mut window, "Lessons");
    assert_eq!(window.state().view().overlay, Some(Overlay::Lessons));
    let row = window.get_by_label_contains("7. ");
    row.click_accesskit();
    window.run();
    assert_eq!(session(&window).lesson().id, library()[6].id);
    assert_eq!((window.state().view().overlay, window.state().view().tab), (None, Tab::Lesson));
    press(&mut window, "Explore");
    assert!(window.state().lesson().is_none());
    assert!(window.state().session().lab.is_empty());
}

#[test]
fn the_keyboard_leads_into_a_lesson() {
    let mut window = open_scenario(Session::empty(), SIZES.laptop, Theme::Dark, 0);
    window.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::L);
    window.run();
    assert_eq!(window.state().view().overlay, Some(Overlay::Lessons));
    window.key_press(egui::Key::Enter);
    window.run();
    assert_eq!(session(&window).lesson().id, library()[0].id);
}

#[test]
fn back_and_next_lose_nothing_and_redo_begins_again() {
    let built = lesson("one-table");
    let at = built.steps.iter().position(|step| step.kind == StepKind::Construct).expect("something to build");
    let mut window = open_lesson(&built, at, Language::En, SIZES.laptop);
    press(&mut window, "Hint 1 of 3");
    press(&mut window, "Edit the entry");
    assert_eq!(window.state().view().tab, Tab::Inspect);
    press(&mut window, "Back to the lesson");
    let before = window.state().session().lab.len();
    press(&mut window, "Access");
    assert_eq!(window.state().session().lab.len(), before + 1);
    press(&mut window, "Back");
    press(&mut window, "Next");
    assert_eq!((session(&window).at(), session(&window).hints("en").len()), (at, 1));
    assert_eq!(window.state().session().lab.len(), before + 1);
    press(&mut window, "Redo");
    assert_eq!((window.state().session().lab.len(), session(&window).hints("en").len()), (before, 0));
}

#[test]
fn the_sandbox_allows_what_the_step_does_not() {
    let built = lesson("one-table");
    let at = built.steps.iter().position(|step| step.allow.is_some()).expect("a step with a list");
    let mut window = open_lesson(&built, at, Language::En, SIZES.laptop);
    let before = window.state().session().lab.len();
    press(&mut window, "Load CR3");
    assert_eq!(window.state().session().lab.len(), before);
    assert!(window.state().view().notice.as_ref().is_some_and(|notice| notice.contains("mov_cr3")));
    press(&mut window, "Sandbox");
    press(&mut window, "Load CR3");
    assert_eq!(window.state().session().lab.len(), before + 1);
    press(&mut window, "Back to the lesson");
    assert_eq!(window.state().session().lab.len(), before);
}

#[test]
fn a_term_opens_its_answer() {
    let mut window = open_lesson(&lesson("one-table"), 0, Language::En, SIZES.laptop);
    let answer = glossary().get("paging").expect("a term").text.get("en");
    assert!(!shows(&window, answer));
    press(&mut window, "Paging");
    assert!(shows(&window, answer));
}

#[test]
fn progress_goes_out_and_in_as_text() {
    let played = lesson("one-table");
    let mut window = open_lesson(&played, 0, Language::En, SIZES.laptop);
    press(&mut window, "Play this step");
    assert_eq!(window.state().progress().get("one-table").map(|record| record.done()), Some(1));
    let text = window.state().progress().export();
    press(&mut window, "Lessons");
    press(&mut window, "Forget progress");
    press(&mut window, "Forget all of it");
    assert_eq!(window.state().progress().get("one-table"), None);
    assert!(window.state().lesson().is_none());
    window.get_by_label("Paste copied progress here").focus();
    window.run();
    window.get_by_label("Paste copied progress here").type_text(&text);
    window.run();
    press(&mut window, "Take over");
    assert_eq!(window.state().progress().get("one-table").map(|record| record.done()), Some(1));
}

#[test]
fn the_engine_of_a_step_stays() {
    let mut window = open_lesson(&lesson("one-table"), 0, Language::En, SIZES.laptop);
    let engine = window.state().engine();
    press_check_box(&mut window, "TLB");
    assert_eq!(window.state().engine(), engine);
    assert!(window.state().view().notice.is_some());
    let command = Command::Invlpg { va: mmuscope::arch::Gva(0x1000) };
    assert!(session(&window).step().allows(command.op()));
}

fn press_check_box(window: &mut Window, name: &str) {
    window.get_by_role_and_label(Role::CheckBox, name).click_accesskit();
    window.run();
}

#[test]
fn a_link_leads_to_a_step() {
    use mmuscope::lesson::{from_link, link_to};
    let link = link_to("stale-registers", 2);
    assert_eq!(link, "#lesson=stale-registers&step=3");
    let (found, step) = from_link(&format!("https://example.org/{link}")).expect("a link").expect("known");
    assert_eq!((found.id.as_str(), step), ("stale-registers", 2));
    assert_eq!(from_link("#lesson=one-table").expect("a link").map(|(_, step)| step), Ok(0));
    assert!(from_link("#m=abc").is_none() && from_link("lesson=one-table").is_none());
    for (wrong, word) in [("#lesson=one-tabel", "one-table"), ("#lesson=one-table&step=0", "steps 1 to")] {
        let reason = from_link(wrong).expect("a link").map(|_| ()).expect_err("wrong");
        assert!(reason.contains(word), "{reason}");
    }
}

/// Every character that the lessons show can be drawn.
#[test]
fn every_character_has_a_glyph() {
    let mut texts: Vec<String> = library().iter().flat_map(text_of).collect();
    for (_, term) in glossary().iter() {
        texts.extend([&term.term, &term.text].into_iter().flat_map(languages_of).map(|(_, text)| text.to_owned()));
    }
    texts.push(include_str!("../assets/strings/zh/lessons.json").replace('\n', ""));
    let window = open_scenario(Session::empty(), SIZES.laptop, Theme::Dark, 0);
    let families = [FontFamily::Proportional, FontFamily::Monospace, FontFamily::Name("bold".into())];
    let mut missing = std::collections::BTreeSet::new();
    window.ctx.fonts_mut(|fonts| {
        for family in families {
            let font = FontId::new(14.0, family);
            let drawn = texts.iter().flat_map(|text| text.chars()).filter(|c| !c.is_control());
            missing.extend(drawn.filter(|c| !fonts.has_glyph(&font, *c)));
        }
    });
    assert!(missing.is_empty(), "run assets/fonts/subset-chinese.sh: no glyph for {missing:?}");
    let regular = include_bytes!("../assets/fonts/NotoSansSC-Lessons.otf").len();
    let bold = include_bytes!("../assets/fonts/NotoSansSC-Lessons-Bold.otf").len();
    assert!(regular + bold < 400 * 1024, "{} bytes", regular + bold);
    assert_eq!(Language::ALL.map(Language::id), LANGUAGES);
}

#[test]
fn pictures() {
    let mut results = egui_kittest::SnapshotResults::new();
    for lesson in library() {
        let id = &lesson.id;
        for language in Language::ALL {
            for (name, step) in [("first", 0), ("last", lesson.steps.len() - 1)] {
                let mut window = open_lesson(lesson, step, language, SIZES.laptop);
                window.remove_cursor();
                window.run();
                results.add(window.try_snapshot(format!("lesson_{id}_{name}_{}", language.id())));
            }
        }
    }
    for (name, size) in [("laptop", SIZES.laptop), ("desktop", SIZES.desktop), ("phone", SIZES.phone)] {
        let mut window = open_lesson(&lesson("stale-registers"), 1, Language::Zh, size);
        let wrong = session(&window).step().choices[0].text.get("zh").to_owned();
        press(&mut window, &words(&wrong, Language::Zh));
        window.remove_cursor();
        window.run();
        results.add(window.try_snapshot(format!("lesson_wrong_{name}_zh")));
        let mut window = open_lesson(&lesson("one-table"), 3, Language::En, size);
        for button in ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3", "Show the solution"] {
            press(&mut window, button);
        }
        window.remove_cursor();
        window.run();
        results.add(window.try_snapshot(format!("lesson_solution_{name}_en")));
        press(&mut window, "Edit the entry");
        window.run();
        results.add(window.try_snapshot(format!("lesson_edit_{name}_en")));
    }
    for (language, size, name) in
        [(Language::En, SIZES.desktop, "lessons_en"), (Language::Zh, SIZES.phone, "lessons_phone_zh")]
    {
        let mut window = open_scenario(Session::empty(), size, Theme::Dark, 0);
        window.state_mut().speak(language);
        window.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::L);
        window.remove_cursor();
        window.run();
        results.add(window.try_snapshot(name));
    }
}
