//! The browser entry: what `mmuscope.js` exports to a page, and nothing else.
//!
//! Errors are JavaScript `Error`s with the sentence that the command line prints for the same
//! input. Listeners are called only while the app is not borrowed, so they may call back.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

use eframe::{WebOptions, WebRunner};
use js_sys::{Function, JSON, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::HtmlCanvasElement;

use crate::app::{App, Options, Theme};
use crate::explain;
use crate::language::Language;
use crate::lesson::{self, Lesson};
use crate::machine::Event;
use crate::scenario::{self, Scenario, Session, Shared, StartError, View, read_steps, state_json};

/// What a page shows that names no scenario.
const EXAMPLE: &str = include_str!("../assets/scenarios/the-register-remembers.json");

/// Up to so many commands between two frames are told to listeners one by one; a longer jump
/// along the timeline is told by the command that it lands on.
const TOLD_AT_ONCE: usize = 16;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** How a lab begins. */
export interface LabOptions {
    /** JSON text of a scenario, or the object. Missing: the example. */
    scenario?: string | object;
    /** A share link, in place of a scenario: an address with #m=, or that part alone. */
    link?: string;
    /** A lesson in front: the id of one that the program carries, JSON text, or the object. */
    lesson?: string | object;
    /** Its step, from 1. Missing: where it was left. */
    step?: number;
    /** "full". */
    view?: "full";
    /** The language of the lessons. Missing: as it was left. */
    lang?: "en" | "zh";
    /** Missing: as the system. */
    theme?: "dark" | "light";
}
/** What a lab tells: events of commands, progress through lessons, failures. */
export type LabEvent = "event" | "goal" | "progress" | "error";
"#;

/// A laboratory on a canvas.
#[wasm_bindgen]
pub struct Lab {
    runner: WebRunner,
    listeners: Rc<Listeners>,
    destroyed: Cell<bool>,
}

#[wasm_bindgen]
impl Lab {
    /// Opens a lab on a canvas; the promise is kept when it can be used.
    ///
    /// # Errors
    /// One sentence for options that cannot be, and for a browser that cannot draw.
    pub async fn start(
        canvas: HtmlCanvasElement,
        #[wasm_bindgen(unchecked_optional_param_type = "LabOptions")] options: JsValue,
    ) -> Result<Lab, JsError> {
        let start = Start::read(&options).map_err(|sentence| JsError::new(&sentence))?;
        // Fails only where a logger is installed already, by another lab of the page.
        eframe::WebLogger::init(log::LevelFilter::Warn).ok();
        let (runner, listeners) = (WebRunner::new(), Rc::<Listeners>::default());
        let told_by = Rc::clone(&listeners);
        let create: eframe::AppCreator<'static> = Box::new(move |cc| Ok(Box::new(Page::new(cc, start, told_by)?)));
        runner
            .start(canvas, WebOptions::default(), create)
            .await
            .map_err(|reason| JsError::new(&format!("this browser cannot draw the machine: {}", text_of(&reason))))?;
        Ok(Self { runner, listeners, destroyed: Cell::new(false) })
    }

    /// Carries out steps, a JSON array as in a scenario, at the cursor. Returns what happened, a
    /// JSON array of events.
    ///
    /// # Errors
    /// One sentence with line, column and JSON path; then no step has been carried out.
    pub fn run(&self, steps: &str) -> Result<String, JsError> {
        let (result, language) = {
            let mut page = self.page()?;
            (page.run(steps), page.app.view().language)
        };
        match result {
            Ok(events) => {
                self.listeners.tell(&events, language);
                Ok(serde_json::to_string(&events)?)
            }
            Err(sentence) => {
                self.listeners.call("error", &[&sentence]);
                Err(JsError::new(&sentence))
            }
        }
    }

    /// The machine at the cursor and what it has cost, as JSON text.
    ///
    /// # Errors
    /// The lab is destroyed or has stopped.
    pub fn state(&self) -> Result<String, JsError> {
        Ok(state_json(self.page()?.app.session()).to_string())
    }

    /// A link that opens this state, `#m=` and what follows: to stand behind a page's address.
    ///
    /// # Errors
    /// The history is longer than a link can be.
    pub fn link(&self) -> Result<String, JsError> {
        Ok(scenario::link(self.page()?.app.session(), &View::default(), "en")?)
    }

    /// Calls `callback` from now on: "event" with an event as JSON text and in words, "error" with
    /// a sentence, "goal" with the lesson and the step (from 1) whose goal was reached as JSON text,
    /// "progress" with all that was done in lessons as JSON text.
    ///
    /// # Errors
    /// A name that is not one of these.
    pub fn on(
        &self,
        #[wasm_bindgen(unchecked_param_type = "LabEvent")] name: &str,
        callback: Function,
    ) -> Result<(), JsError> {
        self.listeners.add(name, callback).map_err(|sentence| JsError::new(&sentence))
    }

    /// How many frames have been painted. The count rests while nothing changes.
    ///
    /// # Errors
    /// The lab is destroyed or has stopped.
    pub fn frames(&self) -> Result<u32, JsError> {
        Ok(self.page()?.frames)
    }

    /// What stopped the lab, if an error in the program did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.runner.panic_summary().map(|summary| summary.message())
    }

    /// Ends it and frees the canvas.
    pub fn destroy(&self) {
        self.destroyed.set(true);
        self.runner.destroy();
    }

    fn page(&self) -> Result<RefMut<'_, Page>, JsError> {
        if self.destroyed.get() {
            return Err(JsError::new("this lab is destroyed"));
        }
        self.runner.app_mut::<Page>().ok_or_else(|| match self.failure() {
            Some(message) => JsError::new(&format!("this lab has stopped: {message}")),
            None => JsError::new("this lab is busy drawing"),
        })
    }
}

/// What a browser's error value says.
fn text_of(value: &JsValue) -> String {
    value.as_string().unwrap_or_else(|| js_sys::Object::from(value.clone()).to_string().into())
}

/// How a lab begins, checked.
struct Start {
    session: Session,
    lesson: Option<(Lesson, Option<usize>)>,
    options: Options,
}

impl Start {
    fn read(options: &JsValue) -> Result<Self, String> {
        if !options.is_undefined() && !options.is_object() {
            return Err("the options of Lab.start must be an object".to_owned());
        }
        one_of(options, "view", &[("full", ())])?;
        let language = one_of(options, "lang", &[("en", Language::En), ("zh", Language::Zh)])?;
        let theme = one_of(options, "theme", &[("dark", Theme::Dark), ("light", Theme::Light)])?;
        let session = Self::session(&field(options, "scenario"), &field(options, "link"))?;
        let lesson = Self::lesson(&field(options, "lesson"), &field(options, "step"))?;
        let options = Options { theme, language, ..Options::default() };
        Ok(Self { session, lesson, options })
    }

    fn lesson(lesson: &JsValue, step: &JsValue) -> Result<Option<(Lesson, Option<usize>)>, String> {
        if lesson.is_undefined() {
            return Ok(None);
        }
        let known = lesson.as_string().filter(|text| !text.trim_start().starts_with('{'));
        let lesson = match known {
            Some(id) => {
                let address = format!("#lesson={id}");
                lesson::from_link(&address).ok_or("`lesson` must be an id")??.0.clone()
            }
            None => {
                let json = json_text("lesson", lesson)?;
                Lesson::from_json("lesson", &json).map_err(|error| error.to_string())?
            }
        };
        let all = lesson.steps.len();
        let step = match step.as_f64() {
            None if step.is_undefined() => None,
            Some(number) if (1..=all).contains(&(number as usize)) => Some(number as usize - 1),
            _ => return Err(format!("`step` must be a number from 1 to {all}")),
        };
        Ok(Some((lesson, step)))
    }

    fn session(scenario: &JsValue, link: &JsValue) -> Result<Session, String> {
        let session = if link.is_undefined() {
            let json = scenario_text(scenario)?;
            Session::open(Scenario::from_json("scenario", &json).map_err(|error| error.to_string())?)
        } else if scenario.is_undefined() {
            let text = link.as_string().ok_or("`link` must be text")?;
            Shared::from_link(&text).map_err(|error| error.to_string())?.open()
        } else {
            return Err("name a `scenario` or a `link`, not both".to_owned());
        };
        session.map_err(|error| error.to_string())
    }
}

/// A field of an options object; null counts as missing.
fn field(options: &JsValue, name: &str) -> JsValue {
    let value = Reflect::get(options, &name.into()).unwrap_or(JsValue::UNDEFINED);
    if value.is_null() { JsValue::UNDEFINED } else { value }
}

fn one_of<T: Copy>(options: &JsValue, name: &str, known: &[(&str, T)]) -> Result<Option<T>, String> {
    let value = field(options, name);
    if value.is_undefined() {
        return Ok(None);
    }
    let text = value.as_string();
    let found = known.iter().find(|(word, _)| text.as_deref() == Some(word));
    found.map(|(_, value)| Some(*value)).ok_or_else(|| {
        let words: Vec<String> = known.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("`{name}` must be {} in this version", words.join(" or "))
    })
}

fn scenario_text(value: &JsValue) -> Result<String, String> {
    if value.is_undefined() { Ok(EXAMPLE.to_owned()) } else { json_text("scenario", value) }
}

/// JSON text, of text or of an object.
fn json_text(name: &str, value: &JsValue) -> Result<String, String> {
    if let Some(text) = value.as_string() {
        return Ok(text);
    }
    let json = JSON::stringify(value).ok().and_then(|json| json.as_string());
    json.ok_or_else(|| format!("`{name}` must be JSON text or an object"))
}

/// Callbacks by the name of what they wait for.
#[derive(Default)]
struct Listeners(RefCell<Vec<(String, Function)>>);

impl Listeners {
    const NAMES: [&str; 4] = ["event", "goal", "progress", "error"];

    fn add(&self, name: &str, callback: Function) -> Result<(), String> {
        if !Self::NAMES.contains(&name) {
            let shown: String = name.chars().take(40).collect();
            return Err(format!("nothing is called `{shown}`: known are {}", Self::NAMES.join(", ")));
        }
        self.0.borrow_mut().push((name.to_owned(), callback));
        Ok(())
    }

    fn wait_for(&self, name: &str) -> bool {
        self.0.borrow().iter().any(|(n, _)| n == name)
    }

    /// Calls the listeners of that name. They may add others, and what they throw is theirs.
    fn call(&self, name: &str, arguments: &[&str]) {
        let callbacks: Vec<Function> =
            self.0.borrow().iter().filter(|(n, _)| n == name).map(|(_, callback)| callback.clone()).collect();
        let arguments: js_sys::Array = arguments.iter().map(|text| JsValue::from_str(text)).collect();
        for callback in callbacks {
            if let Err(thrown) = callback.apply(&JsValue::NULL, &arguments) {
                log::error!("a listener of `{name}` failed: {}", text_of(&thrown));
            }
        }
    }

    fn tell(&self, events: &[Event], language: Language) {
        if !self.wait_for("event") {
            return;
        }
        for event in events {
            let line = explain::event(event, language);
            if let Ok(json) = serde_json::to_string(event) {
                self.call("event", &[&json, &format!("{}: {}", line.label, line.text)]);
            }
        }
    }
}

/// The app on a page: counts frames, and tells listeners what people do to the machine.
struct Page {
    app: App,
    ctx: egui::Context,
    listeners: Rc<Listeners>,
    frames: u32,
    /// Listeners know the commands before this cursor position.
    told: usize,
    /// Whether the faces for Chinese have been asked for.
    chinese: bool,
    /// What listeners know of the lesson in front.
    lesson_told: Option<LessonTold>,
}

/// What listeners know of a lesson.
#[derive(Clone, PartialEq, Eq)]
struct LessonTold {
    id: String,
    step: usize,
    met: bool,
    done: usize,
}

/// The files of the faces for Chinese, beside the page. They are fetched when that language is chosen.
const CHINESE_FACES: [&str; 2] = ["mmuscope-zh.otf", "mmuscope-zh-bold.otf"];

/// Whether the system, through the browser, asks for less motion.
fn system_reduces_motion() -> bool {
    let query = web_sys::window().and_then(|window| window.match_media("(prefers-reduced-motion: reduce)").ok());
    query.flatten().is_some_and(|query| query.matches())
}

/// The bytes of a file beside the page.
async fn fetched(name: &str) -> Result<Vec<u8>, JsValue> {
    use wasm_bindgen_futures::JsFuture;
    let window = web_sys::window().ok_or("there is no window")?;
    let response = JsFuture::from(window.fetch_with_str(name)).await?;
    if !Reflect::get(&response, &"ok".into())?.is_truthy() {
        return Err(format!("{name} did not arrive").into());
    }
    let read: Function = Reflect::get(&response, &"arrayBuffer".into())?.dyn_into()?;
    let buffer: js_sys::Promise = read.call0(&response)?.dyn_into()?;
    let buffer = JsFuture::from(buffer).await?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}

impl Page {
    fn new(cc: &eframe::CreationContext<'_>, start: Start, listeners: Rc<Listeners>) -> Result<Self, StartError> {
        let ctx = &cc.egui_ctx;
        let language = start.options.language;
        let mut app = App::new(ctx, start.session, start.options);
        app.recall(cc.storage);
        app.follow_system_motion(system_reduces_motion());
        if let Some(language) = language {
            app.speak(language);
        }
        if let Some((lesson, step)) = start.lesson {
            app.open_lesson(&lesson, step)?;
        }
        let told = app.session().lab.cursor();
        Ok(Self { app, ctx: ctx.clone(), listeners, frames: 0, told, chinese: false, lesson_told: None })
    }

    /// Fetches the faces for Chinese once that language is chosen.
    fn fetch_faces(&mut self) {
        if self.chinese || self.app.view().language != Language::Zh {
            return;
        }
        self.chinese = true;
        let ctx = self.ctx.clone();
        wasm_bindgen_futures::spawn_local(async move {
            let [regular, bold] = CHINESE_FACES;
            match (fetched(regular).await, fetched(bold).await) {
                (Ok(regular), Ok(bold)) => {
                    crate::app::add_chinese(&ctx, [regular, bold]);
                    ctx.request_repaint();
                }
                (Err(reason), _) | (_, Err(reason)) => {
                    log::error!("the Chinese characters cannot be shown: {}", text_of(&reason));
                }
            }
        });
    }

    fn run(&mut self, steps: &str) -> Result<Vec<Event>, String> {
        let cpu = self.app.session().scenario.cpu;
        let steps = read_steps("steps", steps, &cpu).map_err(|error| error.to_string())?;
        let events = self.app.run_steps(&steps);
        self.told = self.app.session().lab.cursor();
        self.ctx.request_repaint();
        Ok(events)
    }

    /// Tells listeners, after this frame, of goals that were reached and steps that were done.
    fn tell_of_lesson(&mut self) {
        let Some(player) = self.app.lesson() else { return };
        let (id, step) = (&player.session.lesson().id, player.session.at());
        let (met, done) = (player.judgement.met == Some(true), player.session.record().done());
        if self
            .lesson_told
            .as_ref()
            .is_some_and(|told| (&told.id, told.step, told.met, told.done) == (id, step, met, done))
        {
            return;
        }
        let now = LessonTold { id: id.clone(), step, met, done };
        let Some(before) = self.lesson_told.replace(now.clone()).filter(|before| before.id == now.id) else { return };
        let reached = now.met && !(before.met && before.step == now.step);
        let goal = reached.then(|| format!(r#"{{"lesson":"{}","step":{}}}"#, now.id, now.step + 1));
        let progress = (now.done != before.done).then(|| self.app.progress().export());
        let listeners = Rc::clone(&self.listeners);
        wasm_bindgen_futures::spawn_local(async move {
            for (name, text) in [("goal", goal), ("progress", progress)] {
                if let Some(text) = text {
                    listeners.call(name, &[&text]);
                }
            }
        });
    }

    /// Tells listeners, after this frame, of the commands that the cursor has passed.
    fn tell(&mut self) {
        let lab = &self.app.session().lab;
        let (from, to) = (std::mem::replace(&mut self.told, lab.cursor()), lab.cursor());
        if to <= from || !self.listeners.wait_for("event") {
            return;
        }
        let first = if to - from > TOLD_AT_ONCE { to } else { from + 1 };
        let events: Vec<Event> = (first..=to).flat_map(|step| lab.events_of(step)).collect();
        let (listeners, language) = (Rc::clone(&self.listeners), self.app.view().language);
        wasm_bindgen_futures::spawn_local(async move { listeners.tell(&events, language) });
    }
}

impl eframe::App for Page {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.app.follow_system_motion(system_reduces_motion());
        self.app.logic(ctx, frame);
        self.fetch_faces();
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.app.ui(ui, frame);
        self.frames = self.frames.wrapping_add(1);
        self.tell();
        self.tell_of_lesson();
    }

    fn as_any_mut(&mut self) -> Option<&mut dyn std::any::Any> {
        Some(self)
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        self.app.save(storage);
    }

    fn auto_save_interval(&self) -> std::time::Duration {
        self.app.auto_save_interval()
    }

    fn persist_egui_memory(&self) -> bool {
        self.app.persist_egui_memory()
    }

    /// Opaque: nothing of the page shows through.
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_opaque().to_normalized_gamma_f32()
    }

    fn raw_input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        self.app.raw_input_hook(ctx, input);
    }
}
