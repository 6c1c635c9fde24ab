//! What was brought in, by what it is: a scenario, a lesson, a link, a listing, an image of memory.
//!
//! Nothing that was open is lost: it goes to the autosave ring first. What is wrong is refused with a
//! sentence, and what was open stays.

use std::io::Read as _;

use crate::app::App;
use crate::app::platform::Purpose;
use crate::app::share;
use crate::language::{Language, Sentence};
use crate::lesson::{self, Lesson};
use crate::scenario::{self, MAX_FILE_BYTES, Scenario, Session, Shared, View};
use crate::word;

/// What the text on the clipboard is called.
const CLIPBOARD: &str = word!("the clipboard");

/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl App {
    /// What a dropped file is wanted for: while an import is prepared it is a part of it.
    pub(super) fn purpose(&self) -> Purpose {
        if self.files.import.is_some() { Purpose::Part } else { Purpose::Open }
    }

    /// Opens a file by its content.
    pub fn take_file(&mut self, name: &str, bytes: Vec<u8>, purpose: Purpose) {
        let bytes = match unpacked(name, bytes) {
            Ok(bytes) => bytes,
            Err(sentence) => return self.refuse(&sentence),
        };
        if bytes.is_empty() {
            return self.refuse(&Sentence::new(word!("{name} is empty")).with("name", name));
        }
        match String::from_utf8(bytes) {
            // No text has a byte of zeros; memory is full of them.
            Ok(text) if text.contains('\0') => self.import_image(name, text.into_bytes()),
            Ok(text) if text.trim_start().starts_with('{') && purpose == Purpose::Open => self.take_json(name, &text),
            Ok(text) if purpose == Purpose::Open && is_address(&text) => self.take_text(&text),
            Ok(text) => self.import_listing(name, &text),
            Err(error) => self.import_image(name, error.into_bytes()),
        }
    }

    /// Opens text that was pasted: a link, JSON, a listing.
    pub fn take_text(&mut self, text: &str) {
        let text = text.trim();
        if self.files.import.is_some() && !text.is_empty() {
            self.import_listing(self.view.language.tr(CLIPBOARD), text);
        } else if scenario::is_link(text) {
            if let Err(reason) = self.open_link(text) {
                self.view.notice = Some(reason);
            }
        } else if let Some(found) = lesson::from_link(text) {
            match found {
                Ok((lesson, step)) => self.open_lesson_or_say(&lesson.clone(), Some(step)),
                Err(reason) => self.view.notice = Some(reason),
            }
        } else if text.starts_with('{') {
            self.take_json(self.view.language.tr(CLIPBOARD), text);
        } else if !text.is_empty() {
            self.import_listing(self.view.language.tr(CLIPBOARD), text);
        }
    }

    fn take_json(&mut self, name: &str, text: &str) {
        if lesson::is_lesson(text) {
            match Lesson::from_json(name, text) {
                Ok(lesson) => self.open_lesson_or_say(&lesson, None),
                Err(error) => self.view.notice = Some(error.say(self.view.language)),
            }
            return;
        }
        let opened = Scenario::from_json(name, text).map_err(|error| error.say(self.view.language));
        match opened.and_then(|scenario| Session::open(scenario).map_err(|error| error.say(self.view.language))) {
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
        let shared = Shared::from_link(link).map_err(|error| error.say(self.view.language))?;
        self.open_shared(shared)
    }

    /// Opens what a link or an autosave holds.
    ///
    /// # Errors
    /// One sentence; then everything stays as it was.
    pub fn open_shared(&mut self, shared: Shared) -> Result<(), String> {
        let (view, language) = (shared.view.clone(), Language::by_id(&shared.language));
        let session = shared.open().map_err(|error| error.say(self.view.language))?;
        if let Some(session) = self.carry_on(&view, session) {
            self.open(session);
        }
        if let Some(language) = language {
            self.speak(language);
        }
        share::restore(&mut self.view, &view);
        if let Some(count) = view.micro_step {
            self.focus.show(count as usize);
        }
        Ok(())
    }

    /// Goes on in the step of a lesson that a state was kept in, with what had been done there. Gives the
    /// session back where the program knows no such step, or it begins otherwise now.
    fn carry_on(&mut self, view: &View, session: Session) -> Option<Session> {
        let Some((lesson, step)) = share::lesson_of(view) else { return Some(session) };
        let Ok(fresh) =
            lesson::Session::resume(lesson.clone(), lesson::LessonRecord::default()).and_then(|mut fresh| {
                fresh.go(step)?;
                Ok(fresh)
            })
        else {
            return Some(session);
        };
        let fresh = fresh.current();
        let same = fresh.scenario == session.scenario && session.lab.log().starts_with(fresh.lab.log());
        if !same {
            return Some(session);
        }
        self.keep_before_opening();
        if self.open_lesson(lesson, Some(step)).is_err() {
            return Some(session);
        }
        if let Some(player) = self.session.player_mut() {
            *player.session.current_mut() = session;
        }
        self.start_changed();
        self.nothing_done_yet();
        None
    }

    pub(super) fn open_shared_or_say(&mut self, shared: Shared) {
        if let Err(reason) = self.open_shared(shared) {
            self.view.notice = Some(reason);
        }
    }
}

/// Whether a text is one address: a link to a state or to a step of a lesson.
fn is_address(text: &str) -> bool {
    let text = text.trim();
    !text.contains(char::is_whitespace) && (scenario::is_link(text) || lesson::from_link(text).is_some())
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
