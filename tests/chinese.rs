//! The window in Chinese: no sentence was left in English, and every character can be drawn.

#[path = "ui/support.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use egui::{FontFamily, FontId, Key, Modifiers, Shape};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use mmuscope::app::compare::CompareWish;
use mmuscope::app::platform::{Arrival, Purpose};
use mmuscope::app::view::{AppCommand, Overlay, Screen};
use mmuscope::app::{App, Theme};
use mmuscope::engine::EngineName;
use mmuscope::language::Language;
use mmuscope::lesson::library;
use mmuscope::machine::Caches;
use mmuscope::scenario::{self, Scenario, Session};
use support::{SIZES, open_scenario};

type Window = Harness<'static, App>;

/// Words that Chinese kernel developers write as they are: names of structures and fields, of keys,
/// of products. Words in capitals and numbers need no mention.
const KEPT: &[&str] = &[
    "mmuscope", "x86", "json", "Linux", "Intel", "gfn", "hfn", "gpa", "gva", "hpa", "pcid", "PDPTEs", "spte", "rmap",
    "KiB", "MiB", "GiB", "Enter", "Esc", "Home", "End", "Space", "Tab", "Ctrl", "Shift", "Cmd", "PgUp", "PgDn",
    "Delete", // keys and units
    "Lines", "zap", "fetch", "rc3", // JSON Lines; a term of the glossary; FNAME(fetch)
    "glevels", "level", "quadrant", "direct", "access", "nxe", "unsync",
    "invalid", // the role, as the kernel names it
];

/// The words of a text that are neither Chinese nor kept.
fn english(text: &str) -> Vec<String> {
    // What stands in backquotes is code, and a name before () is a function of the kernel.
    let outside: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    // What a parser found is said in English, and the sentence says so.
    let outside = outside.split("细节（英文）").next().unwrap_or_default().to_owned();
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut parts: Vec<&str> = outside.split("()").collect();
    let last = parts.pop().unwrap_or_default();
    let parts = parts.into_iter().map(|part| part.trim_end_matches(name)).chain([last]);
    let outside = parts.collect::<Vec<_>>().join(" ");
    let words = outside.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |word: &str| {
        word.len() < 3
            || !word.contains(|c: char| c.is_ascii_lowercase())
            || word.starts_with(|c: char| c.is_ascii_digit())
            || word.contains('_')
            || word.chars().all(|c| c.is_ascii_hexdigit())
            // Rights of a shadow page: user, write, execute.
            || word.chars().all(|c| "uwx".contains(c))
            || KEPT.contains(&word)
    };
    words.filter(|word| !is_name(word)).map(str::to_owned).collect()
}

fn texts_of(shape: &Shape, out: &mut BTreeSet<String>) {
    match shape {
        Shape::Text(text) => {
            out.insert(text.galley.text().to_owned());
        }
        Shape::Vec(shapes) => shapes.iter().for_each(|shape| texts_of(shape, out)),
        _ => {}
    }
}

/// Everything that is painted, and every accessible name.
fn seen(window: &Window) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for clipped in &window.output().shapes {
        texts_of(&clipped.shape, &mut texts);
    }
    let nodes = window.root().children_recursive();
    texts.extend(nodes.filter_map(|node| node.accesskit_node().label()));
    texts
}

/// Collects what was forgotten, with the first place where it was seen.
#[derive(Default)]
struct Forgotten(BTreeMap<String, String>);

impl Forgotten {
    fn look(&mut self, window: &Window, place: &str) {
        // A share link is no text.
        for text in seen(window).into_iter().filter(|text| !text.starts_with("#m=")) {
            let words = english(&text);
            if !words.is_empty() {
                self.0.entry(format!("{text} [{}]", words.join(" "))).or_insert_with(|| place.to_owned());
            }
        }
    }

    fn report(&self) {
        let lines: Vec<String> = self.0.iter().map(|(text, place)| format!("{place}: {text}")).collect();
        assert!(lines.is_empty(), "{} texts in English:\n{}", lines.len(), lines.join("\n"));
    }
}

fn read(name: &str) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios").join(format!("{name}.json"));
    scenario::read_file(&file).expect("a scenario")
}

fn chinese(scenario: Scenario, engine: EngineName, size: [f32; 2], at: usize) -> Window {
    let session = Session::open_on(scenario, engine, Caches::default()).expect("it can begin");
    let mut window = open_scenario(session, size, Theme::Dark, at);
    window.state_mut().speak(Language::Zh);
    // Scrolling may go on for longer: what is there is enough.
    let _settled = window.run_ok();
    window
}

fn press(window: &mut Window, modifiers: Modifiers, key: Key) {
    window.key_press_modifiers(modifiers, key);
    let _settled = window.run_ok();
}

/// Clicks the first control whose name begins so.
fn click(window: &mut Window, name: &str) {
    let found = window.query_all_by_label_contains(name).next().map(|node| node.click_accesskit());
    assert!(found.is_some(), "nothing is called `{name}`");
    let _settled = window.run_ok();
}

#[test]
fn every_tab_and_overlay() {
    let mut forgotten = Forgotten::default();
    for engine in EngineName::ALL {
        let mut window = chinese(read("the-register-remembers"), engine, SIZES.desktop, 0);
        for step in 0..8 {
            for key in [Key::I, Key::Escape, Key::W, Key::L] {
                press(&mut window, Modifiers::NONE, key);
                forgotten.look(&window, &format!("{engine:?} step {step} {key:?}"));
            }
            press(&mut window, Modifiers::NONE, Key::ArrowRight);
        }
        for (modifiers, key) in [
            (Modifiers::COMMAND, Key::K),
            (Modifiers::NONE, Key::Questionmark),
            (Modifiers::NONE, Key::P),
            (Modifiers::SHIFT, Key::L),
        ] {
            press(&mut window, modifiers, key);
            assert!(window.state().view().overlay.is_some(), "{key:?}");
            forgotten.look(&window, &format!("overlay {key:?}"));
            press(&mut window, Modifiers::NONE, Key::Escape);
        }
    }
    forgotten.report();
}

/// Asks for something as a view would.
fn wish(window: &mut Window, wish: AppCommand) {
    window.state().ask(wish);
    let _settled = window.run_ok();
}

#[test]
fn the_comparison_the_cards_and_the_menus() {
    let mut forgotten = Forgotten::default();
    let mut window = chinese(read("partial-page-pdpt"), EngineName::KvmPdpt, SIZES.desktop, 1);
    wish(&mut window, AppCommand::Show(Screen::Compare));
    for step in 0..8 {
        forgotten.look(&window, &format!("comparison {step}"));
        press(&mut window, Modifiers::NONE, Key::ArrowRight);
    }
    for engines in [[EngineName::Native, EngineName::Kvm2006], [EngineName::KvmNow, EngineName::Npt]] {
        let mut window = chinese(read("process-switch-2006"), engines[0], SIZES.laptop, 1);
        wish(&mut window, AppCommand::Show(Screen::Compare));
        click(&mut window, "添加引擎");
        forgotten.look(&window, "engines to add");
        press(&mut window, Modifiers::NONE, Key::Escape);
        wish(&mut window, AppCommand::Compare(CompareWish::Change(0, engines[1].into())));
        for step in 0..12 {
            forgotten.look(&window, &format!("comparison with {engines:?} {step}"));
            press(&mut window, Modifiers::NONE, Key::ArrowRight);
        }
    }
    let mut window = chinese(read("the-register-remembers"), EngineName::Kvm2007, SIZES.desktop, 4);
    for overlay in [Overlay::Share, Overlay::Welcome, Overlay::States] {
        wish(&mut window, AppCommand::Overlay(Some(overlay)));
        forgotten.look(&window, &format!("{overlay:?}"));
        wish(&mut window, AppCommand::Overlay(None));
    }
    for menu in ["文件", "时间"] {
        click(&mut window, menu);
        forgotten.look(&window, menu);
        press(&mut window, Modifiers::NONE, Key::Escape);
    }
    let mut phone = chinese(read("the-register-remembers"), EngineName::Kvm2007, SIZES.phone, 4);
    click(&mut phone, "菜单");
    forgotten.look(&phone, "the menu of a telephone");
    forgotten.report();
}

#[test]
fn what_comes_in_and_what_is_wrong_with_it() {
    let mut forgotten = Forgotten::default();
    for text in [
        "(qemu) xp /4gx 0x3020\n0000000000003020: 0x0000000000006001 0x0000000000000000\n",
        "CR0=80000011 CR2=00000000 CR3=00003020 CR4=00000020\nEFER=0000000000000800\n",
        "CR0=8000001z",
        "nothing that is known",
        "#1z9",
        "#1eJxT",
        "{",
        "{\"mmuscope\": 9}",
        "{\"mmuscope\": 1, \"id\": \"x\", \"title\": 5}",
        "{\"mmuscope\": 1, \"id\": \"x\", \"init\": {\"cr0\": \"0x80000000\"}, \"steps\": []}",
    ] {
        let mut window = chinese(read("the-register-remembers"), EngineName::Native, SIZES.desktop, 2);
        window.state().inbox().put(Arrival::Text(text.to_owned()));
        let _settled = window.run_ok();
        forgotten.look(&window, text);
        let (name, bytes) = ("x.json".to_owned(), text.as_bytes().to_vec());
        window.state().inbox().put(Arrival::File { name, bytes, purpose: Purpose::Open });
        let _settled = window.run_ok();
        forgotten.look(&window, &format!("file {text}"));
    }
    forgotten.report();
}

#[test]
fn everything_that_can_be_selected() {
    let mut forgotten = Forgotten::default();
    let mut window = chinese(read("the-register-remembers"), EngineName::Kvm2007, SIZES.desktop, 3);
    press(&mut window, Modifiers::NONE, Key::I);
    for name in ["PDPTE 1 寄存器", "PDPTE 1 内存", "选中这张表", "PTE 1", "宿主机页帧", "影子 PT 1", "页，GPA"]
    {
        click(&mut window, name);
        forgotten.look(&window, &format!("selected {name}"));
    }
    let mut window = chinese(read("the-register-remembers"), EngineName::Native, SIZES.desktop, 2);
    for name in ["CR0.PG", "5 级", "CR4.SMEP", "载入 CR3"] {
        click(&mut window, name);
        forgotten.look(&window, &format!("pressed {name}"));
    }
    forgotten.report();
}

#[test]
fn every_scenario_at_its_end_and_the_pages_of_a_telephone() {
    let mut forgotten = Forgotten::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios");
    for entry in std::fs::read_dir(folder).expect("readable") {
        let file = entry.expect("readable").path();
        let scenario = scenario::read_file(&file).expect("a scenario");
        let engine = scenario.engine.name;
        let mut window = chinese(scenario, engine, SIZES.laptop, usize::MAX);
        press(&mut window, Modifiers::NONE, Key::L);
        forgotten.look(&window, &file.display().to_string());
    }
    for engine in [EngineName::Native, EngineName::KvmNow, EngineName::Ept] {
        let mut window = chinese(read("the-register-remembers"), engine, SIZES.phone, 3);
        for page in ["页: 处理器", "页: 内存", "页: 页表", "页: 为什么"] {
            click(&mut window, page);
            forgotten.look(&window, page);
        }
    }
    forgotten.report();
}

#[test]
fn the_first_step_of_every_lesson() {
    let mut forgotten = Forgotten::default();
    for lesson in library() {
        let mut window = open_scenario(Session::empty(), SIZES.laptop, Theme::Light, 0);
        window.state_mut().speak(Language::Zh);
        window.state_mut().open_lesson(lesson, Some(0)).expect("the lesson can begin");
        window.run();
        // The text itself may name English terms; what is around it may not.
        let said: String = mmuscope::lesson::parse(lesson.steps[0].text.get("zh"))
            .iter()
            .flat_map(mmuscope::lesson::Block::spans)
            .map(|span| format!("{span:?}"))
            .collect();
        for text in seen(&window).into_iter().filter(|text| !said.contains(text.trim())) {
            let words: Vec<String> = english(&text).into_iter().filter(|word| !said.contains(word.as_str())).collect();
            if !words.is_empty() {
                forgotten.0.insert(format!("{text} [{}]", words.join(" ")), lesson.id.clone());
            }
        }
    }
    forgotten.report();
}

#[test]
fn the_language_is_switched_in_the_bar_and_back() {
    let mut window = chinese(read("the-register-remembers"), EngineName::Native, SIZES.laptop, 2);
    window.get_by_label("语言：EN").click();
    let _settled = window.run_ok();
    assert_eq!(window.state().view().language, Language::En);
    assert!(window.query_by_label("Load CR3").is_some() && window.query_by_label("载入 CR3").is_none());
    window.get_by_label("Language: 中文").click();
    let _settled = window.run_ok();
    assert!(window.query_by_label("载入 CR3").is_some());
}

/// Scenarios and presets say in both languages whatever they say.
#[test]
fn scenarios_have_both_languages() {
    fn check(value: &serde_json::Value, place: &str) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    let place = format!("{place}/{key}");
                    if ["title", "text", "about", "summary"].contains(&key.as_str()) {
                        for language in Language::ALL {
                            let said = value.get(language.id()).and_then(serde_json::Value::as_str);
                            assert!(said.is_some_and(|said| !said.trim().is_empty()), "{place}: not in {language:?}");
                        }
                    } else {
                        check(value, &place);
                    }
                }
            }
            serde_json::Value::Array(list) => {
                list.iter().enumerate().for_each(|(i, value)| check(value, &format!("{place}/{i}")));
            }
            _ => {}
        }
    }
    let mut files = 0;
    for folder in ["assets/scenarios", "assets/presets"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("readable") {
            let file = entry.expect("readable").path();
            let json = std::fs::read_to_string(&file).expect("readable");
            check(&serde_json::from_str(&json).expect("JSON"), &file.display().to_string());
            files += 1;
        }
    }
    assert!(files > 60, "{files} files");
}

/// Every character of the words in Chinese can be drawn, and the faces stay small.
#[test]
fn every_character_of_the_words_has_a_glyph() {
    let mut texts = String::new();
    for folder in ["assets/strings/zh", "assets/scenarios", "assets/presets"] {
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("readable") {
            texts += &std::fs::read_to_string(entry.expect("readable").path()).expect("readable");
        }
    }
    let window = open_scenario(Session::empty(), SIZES.laptop, Theme::Dark, 0);
    let mut missing = BTreeSet::new();
    window.ctx.fonts_mut(|fonts| {
        for family in [FontFamily::Proportional, FontFamily::Monospace, FontFamily::Name("bold".into())] {
            let font = FontId::new(14.0, family);
            missing.extend(texts.chars().filter(|c| !c.is_control() && !fonts.has_glyph(&font, *c)));
        }
    });
    assert!(missing.is_empty(), "run assets/fonts/subset-chinese.sh: no glyph for {missing:?}");
}
