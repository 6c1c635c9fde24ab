//! What was brought in, by what it is: a scenario, a lesson, a link, a listing, an image of memory.
//!
//! Nothing that was open is lost: it goes to the autosave ring first. What is wrong is refused with a
//! sentence, and what was open stays.

use std::io::Read as _;

use super::wish::file_stem;
use crate::app::App;
use crate::app::platform::{Purpose, Sentence};
use crate::app::share;
use crate::language::Language;
use crate::lesson::{self, Lesson};
use crate::scenario::import::Import;
use crate::scenario::{self, MAX_FILE_BYTES, Scenario, Session, Shared};
use crate::word;

/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl App {
    /// What a dropped file is wanted for: while an import is prepared it is a part of it.
    pub(super) fn purpose(&self) -> Purpose {
        Purpose::Open
    }

    /// Opens a file by its content.
    pub fn take_file(&mut self, name: &str, bytes: Vec<u8>, purpose: Purpose) {
        let _ = purpose;
        let bytes = match unpacked(name, bytes) {
            Ok(bytes) => bytes,
            Err(sentence) => return self.refuse(&sentence),
        };
        match String::from_utf8(bytes) {
            Ok(text) if text.trim_start().starts_with('{') => self.take_json(name, &text),
            Ok(text) => self.take_listing(name, &text),
            Err(_) => self.refuse(&Sentence::new(word!("{name} is no text")).with("name", name)),
        }
    }

    /// Opens text that was pasted: a link, JSON, a listing.
    pub fn take_text(&mut self, text: &str) {
        let text = text.trim();
        if scenario::is_link(text) {
            if let Err(reason) = self.open_link(text) {
                self.view.notice = Some(reason);
            }
        } else if let Some(found) = lesson::from_link(text) {
            match found {
                Ok((lesson, step)) => self.open_lesson_or_say(&lesson.clone(), Some(step)),
                Err(reason) => self.view.notice = Some(reason),
            }
        } else if text.starts_with('{') {
            self.take_json("clipboard", text);
        } else if !text.is_empty() {
            self.take_listing("clipboard", text);
        }
    }

    fn take_json(&mut self, name: &str, text: &str) {
        if lesson::is_lesson(text) {
            match Lesson::from_json(name, text) {
                Ok(lesson) => self.open_lesson_or_say(&lesson, None),
                Err(error) => self.view.notice = Some(error.to_string()),
            }
            return;
        }
        let opened = Scenario::from_json(name, text).map_err(|error| error.to_string());
        match opened.and_then(|scenario| Session::open(scenario).map_err(|error| error.to_string())) {
            Ok(session) => self.open(session),
            Err(reason) => self.view.notice = Some(reason),
        }
    }

    fn take_listing(&mut self, name: &str, text: &str) {
        let mut import = Import::new();
        let made = import.text(name, text).and_then(|_| import.scenario(file_stem(name).as_str()));
        let made = made.map_err(|error| error.to_string());
        match made.and_then(|(scenario, _)| Session::open(scenario).map_err(|error| error.to_string())) {
            Ok(session) => self.open(session),
            Err(reason) => self.view.notice = Some(reason),
        }
    }

    fn open_lesson_or_say(&mut self, lesson: &Lesson, step: Option<usize>) {
        if let Err(reason) = self.open_lesson(lesson, step) {
            self.view.notice = Some(reason.to_string());
        }
    }

    /// Opens a share link: the machine with its whole time, and what the window showed.
    ///
    /// # Errors
    /// One sentence; then everything stays as it was.
    pub fn open_link(&mut self, link: &str) -> Result<(), String> {
        let shared = Shared::from_link(link).map_err(|error| error.to_string())?;
        self.open_shared(shared)
    }

    /// Opens what a link or an autosave holds.
    ///
    /// # Errors
    /// One sentence; then everything stays as it was.
    pub fn open_shared(&mut self, shared: Shared) -> Result<(), String> {
        let (view, language) = (shared.view.clone(), Language::by_id(&shared.language));
        let session = shared.open().map_err(|error| error.to_string())?;
        self.open(session);
        if let Some(language) = language {
            self.speak(language);
        }
        share::restore(&mut self.view, &view, &self.session);
        if let Some(count) = view.micro_step {
            self.focus.show(count as usize);
        }
        Ok(())
    }

    pub(super) fn open_shared_or_say(&mut self, shared: Shared) {
        if let Err(reason) = self.open_shared(shared) {
            self.view.notice = Some(reason);
        }
    }
}

/// The bytes of a file, unpacked if they are packed.
fn unpacked(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, Sentence> {
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes);
    }
    let mut out = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(bytes.as_slice()).take(MAX_FILE_BYTES + 1);
    let sentence = |words| Sentence::new(words).with("name", name);
    reader.read_to_end(&mut out).map_err(|_| sentence(word!("{name} is damaged: it cannot be unpacked")))?;
    if out.len() as u64 > MAX_FILE_BYTES {
        return Err(sentence(word!("{name} is too large once it is unpacked")));
    }
    Ok(out)
}
