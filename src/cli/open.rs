//! `mmuscope [FILE, LINK or LESSON]`: the window on a scenario or a lesson, or the same content as text where
//! there is no display.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::{CliError, FIRST_EXAMPLE, FIRST_EXAMPLE_NAME, Held, lesson as lesson_command, link, run};
use crate::language::Language;
use crate::lesson::{self, Lesson};
use crate::scenario::{self, Scenario, Session, View};

/// A lesson to open, and the step, from 0; without one where it was left.
type Opened = (Lesson, Option<usize>);

/// How the window begins.
#[derive(Default)]
#[cfg_attr(not(feature = "gui"), allow(dead_code, reason = "there is no window that reads it"))]
struct Shown {
    /// What a link tells of the window, and its language.
    told: Option<(View, Option<Language>)>,
    /// The card of the first run may come.
    welcome: bool,
    reset_layout: bool,
}

/// Opens a scenario, a lesson, a link, or the first example.
pub fn run(argument: Option<&Path>, reset_layout: bool) -> Result<Held, CliError> {
    let plain = Shown { welcome: argument.is_none(), reset_layout, ..Shown::default() };
    if let Some((lesson, step)) = argument.map(lesson_of).transpose()?.flatten() {
        let reason = match window(Session::empty(), Some((lesson.clone(), step)), plain) {
            Ok(()) => return Ok(Held::Yes),
            Err(reason) => reason,
        };
        anstream::eprintln!("{reason}. Here is the lesson as text, answers included.\n");
        lesson_command::tell_in_english(lesson)?;
        return Ok(Held::Yes);
    }
    let shared = argument.map(link::shared).transpose()?.flatten();
    let told = shared.as_ref().map(|shared| (shared.view.clone(), Language::by_id(&shared.language)));
    let shown = Shown { told, ..plain };
    let session = match (shared, argument) {
        (Some(shared), _) => shared.open(),
        (None, Some(path)) => Session::open(run::scenario_file(path)?),
        (None, None) => Session::open(Scenario::from_json(FIRST_EXAMPLE_NAME, FIRST_EXAMPLE)?),
    };
    let session = session.map_err(|error| CliError::Usage(error.to_string()))?;
    let scenario = session.to_scenario();
    let reason = match window(session, None, shown) {
        Ok(()) => return Ok(Held::Yes),
        Err(reason) => reason,
    };
    anstream::eprintln!("{reason}. Here is the scenario as text; `mmuscope --help` shows what else there is.\n");
    let mut out = BufWriter::new(anstream::stdout().lock());
    run::run_text(&mut out, &scenario, run::Setup::of(&scenario), false)?;
    out.flush()?;
    Ok(Held::Yes)
}

/// The lesson behind an argument that is a link to one or the file of one.
fn lesson_of(argument: &Path) -> Result<Option<Opened>, CliError> {
    if let Some(found) = argument.to_str().and_then(lesson::from_link) {
        return found.map(|(lesson, step)| Some((lesson.clone(), Some(step)))).map_err(CliError::Usage);
    }
    if !argument.exists() {
        return named(argument);
    }
    if !argument.is_file() {
        return Ok(None);
    }
    let text = scenario::read_bytes(argument)?;
    if !lesson::is_lesson(&text) {
        return Ok(None);
    }
    Ok(Some((Lesson::from_json(&argument.display().to_string(), &text)?, None)))
}

/// The lesson of that id.
fn named(argument: &Path) -> Result<Option<Opened>, CliError> {
    if let Some(lesson) = argument.to_str().and_then(lesson::by_id) {
        return Ok(Some((lesson.clone(), None)));
    }
    run::slip(argument).map_or(Ok(None), Err)
}

#[cfg(feature = "gui")]
fn window(session: Session, lesson: Option<Opened>, shown: Shown) -> Result<(), String> {
    if !has_display() {
        return Err("There is no display for a window".to_owned());
    }
    let Shown { told, welcome, reset_layout } = shown;
    let (shown, language) = told.map_or((None, None), |(view, language)| (Some(view), language));
    let options = crate::app::Options { shown, language, welcome, reset_layout, ..Default::default() };
    crate::app::run_window(session, lesson, options).map_err(|e| format!("The window cannot be opened ({e})"))
}

#[cfg(not(feature = "gui"))]
fn window(_: Session, _: Option<Opened>, _: Shown) -> Result<(), String> {
    Err("This build has no window (it was made without the feature `gui`)".to_owned())
}

/// Whether a window can be shown: on Linux and the BSDs an X11 or Wayland server is named.
#[cfg(feature = "gui")]
fn has_display() -> bool {
    let named = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(all(unix, not(target_os = "macos"))) || named("DISPLAY") || named("WAYLAND_DISPLAY")
}
