//! What a page asks a lab to open, checked.

use js_sys::{JSON, Reflect};
use wasm_bindgen::prelude::*;

use crate::app::{Options, Theme};
use crate::language::Language;
use crate::lesson::{self, Lesson};
use crate::scenario::{Scenario, Session, Shared};

/// What a page shows that names no scenario.
const EXAMPLE: &str = include_str!("../../assets/scenarios/the-register-remembers.json");

/// The options of `Lab.start`.
pub struct Start {
    /// What is explored.
    pub session: Session,
    /// What a link holds, to be opened in place of it.
    pub link: Option<Shared>,
    /// What is in front of it.
    pub lesson: Option<Played>,
    /// How the app begins.
    pub options: Options,
}

/// A lesson, and its step from 0; `None` where it was left.
pub type Played = (Lesson, Option<usize>);

/// What can be opened in place of what is open.
pub enum Opened {
    /// A scenario.
    Scenario(Box<Session>),
    /// A link.
    Link(Box<Shared>),
    /// A lesson.
    Lesson(Box<Played>),
}

impl Start {
    /// Reads the options of `Lab.start`.
    ///
    /// # Errors
    /// One sentence.
    pub fn read(options: &JsValue) -> Result<Self, String> {
        be_an_object("the options of Lab.start", options)?;
        let embedded = one_of(options, "view", &[("full", false), ("embed", true)])?.unwrap_or(false);
        let language = one_of(options, "lang", &[("en", Language::En), ("zh", Language::Zh)])?;
        let theme = one_of(options, "theme", &Theme::ALL.map(|theme| (theme.id(), theme)))?;
        let (scenario, link) = (scenario(options)?, link(options)?);
        if scenario.is_some() && link.is_some() {
            return Err("name a `scenario` or a `link`, not both".to_owned());
        }
        let lesson = lesson(options)?;
        // Who asks for something has begun already.
        let welcome = !embedded && scenario.is_none() && link.is_none() && lesson.is_none();
        let session = scenario.map_or_else(example, Ok)?;
        let options_of_app = Options { theme, language, embedded, welcome, ..Options::default() };
        Ok(Self { session, link, lesson, options: options_of_app })
    }
}

impl Opened {
    /// Reads what `Lab.open` is given.
    ///
    /// # Errors
    /// One sentence.
    pub fn read(what: &JsValue) -> Result<Self, String> {
        be_an_object("what Lab.open is given", what)?;
        match (scenario(what)?, link(what)?, lesson(what)?) {
            (Some(session), None, None) => Ok(Self::Scenario(Box::new(session))),
            (None, Some(shared), None) => Ok(Self::Link(Box::new(shared))),
            (None, None, Some(played)) => Ok(Self::Lesson(Box::new(played))),
            _ => Err("name one of `scenario`, `link` and `lesson`".to_owned()),
        }
    }
}

fn be_an_object(name: &str, value: &JsValue) -> Result<(), String> {
    let is_one = value.is_undefined() || value.is_object();
    if is_one { Ok(()) } else { Err(format!("{name} must be an object")) }
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

fn example() -> Result<Session, String> {
    let scenario = Scenario::from_json("scenario", EXAMPLE).map_err(|error| error.to_string())?;
    Session::open(scenario).map_err(|error| error.to_string())
}

fn scenario(options: &JsValue) -> Result<Option<Session>, String> {
    let value = field(options, "scenario");
    if value.is_undefined() {
        return Ok(None);
    }
    let json = json_text("scenario", &value)?;
    let scenario = Scenario::from_json("scenario", &json).map_err(|error| error.to_string())?;
    Session::open(scenario).map(Some).map_err(|error| error.to_string())
}

fn link(options: &JsValue) -> Result<Option<Shared>, String> {
    let value = field(options, "link");
    if value.is_undefined() {
        return Ok(None);
    }
    let text = value.as_string().ok_or("`link` must be text")?;
    Shared::from_link(&text).map(Some).map_err(|error| error.to_string())
}

fn lesson(options: &JsValue) -> Result<Option<Played>, String> {
    let value = field(options, "lesson");
    if value.is_undefined() {
        return Ok(None);
    }
    let known = value.as_string().filter(|text| !text.trim_start().starts_with('{'));
    let lesson = match known {
        Some(id) => {
            let address = format!("#lesson={id}");
            lesson::from_link(&address).ok_or("`lesson` must be an id")??.0.clone()
        }
        None => {
            let json = json_text("lesson", &value)?;
            Lesson::from_json("lesson", &json).map_err(|error| error.to_string())?
        }
    };
    let (step, all) = (field(options, "step"), lesson.steps.len());
    let step = match step.as_f64() {
        None if step.is_undefined() => None,
        Some(number) if number.fract() == 0.0 && (1.0..=all as f64).contains(&number) => Some(number as usize - 1),
        _ => return Err(format!("`step` must be a number from 1 to {all}")),
    };
    Ok(Some((lesson, step)))
}

/// JSON text, of text or of an object.
fn json_text(name: &str, value: &JsValue) -> Result<String, String> {
    if let Some(text) = value.as_string() {
        return Ok(text);
    }
    let json = JSON::stringify(value).ok().and_then(|json| json.as_string());
    json.ok_or_else(|| format!("`{name}` must be JSON text or an object"))
}
