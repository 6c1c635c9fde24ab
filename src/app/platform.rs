//! What the app asks of the system that it runs on: files, storage, the clipboard, time.
//!
//! One trait, [`Platform`]; the window's is [`Native`], a page has one of its own, tests bring theirs.
//! Whatever takes time is answered later, through the [`Inbox`]: nothing here waits.

#[cfg(not(target_arch = "wasm32"))]
mod native;

use std::sync::{Arc, Mutex, PoisonError};

use egui::DroppedFileHandle;

use super::files::Answer;
use crate::language::Sentence;
use crate::scenario::autosave::Storage;
use crate::word;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{APP_ID, Native};

/// What a file is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be opened as what it is: a scenario, a lesson, a listing, an image of memory.
    Open,
    /// To be one more part of the import that is being prepared.
    Part,
}

/// A file that is to leave the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The name that is proposed, with its ending.
    pub name: String,
    /// Its MIME type.
    pub mime: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What the app gets from outside, later.
#[derive(Debug)]
pub enum Arrival {
    /// A file that was chosen or dropped.
    File {
        /// Its name.
        name: String,
        /// Its content.
        bytes: Vec<u8>,
        /// What it was wanted for.
        purpose: Purpose,
    },
    /// Text from the clipboard, or a link from the page's address.
    Text(String),
    /// A file was saved under this name.
    Saved(String),
    /// Something could not be done: the sentence to say.
    Failed(Sentence),
    /// The programs that run now and share the storage, by the numbers that they registered.
    Running(Vec<u32>),
    /// The answer of work in the background.
    Answer(Answer),
}

/// Where arrivals wait for the app; whoever puts one in wakes the window. Clones are one inbox.
#[derive(Clone)]
pub struct Inbox {
    arrived: Arc<Mutex<Vec<Arrival>>>,
    ctx: egui::Context,
}

impl Inbox {
    /// An empty inbox of the app in this context.
    #[must_use]
    pub fn new(ctx: &egui::Context) -> Self {
        Self { arrived: Arc::default(), ctx: ctx.clone() }
    }

    /// Puts something in, and wakes the window.
    pub fn put(&self, arrival: Arrival) {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
        self.ctx.request_repaint();
    }

    /// Takes everything out, in the order in which it came.
    pub(super) fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut *self.arrived.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Work that the window does not wait for.
pub type Job = Box<dyn FnOnce() + Send>;

/// The system below the app. Methods that take an [`Inbox`] return at once.
pub trait Platform {
    /// Milliseconds since 1970.
    fn now(&self) -> u64;

    /// A number that no other program with the same storage has drawn: it names autosaves.
    fn draw_number(&self) -> u32;

    /// Where autosaves and what the next run is to know lie; `None` where nothing can be kept.
    fn storage(&self) -> Option<Box<dyn Storage + Send>>;

    /// Says that the program of this number runs, until it ends in whatever way.
    fn register(&self, number: u32);

    /// Asks which registered programs run now: [`Arrival::Running`].
    fn find_running(&self, inbox: &Inbox);

    /// Lets somebody choose a file: [`Arrival::File`] or [`Arrival::Failed`], nothing when he does not.
    fn open_file(&self, purpose: Purpose, inbox: &Inbox);

    /// Lets somebody save a file: [`Arrival::Saved`] or [`Arrival::Failed`], nothing when he does not.
    fn save_file(&self, file: Outgoing, inbox: &Inbox);

    /// Reads a file that was dropped: [`Arrival::File`] or [`Arrival::Failed`].
    fn read_dropped(&self, file: DroppedFileHandle, purpose: Purpose, inbox: &Inbox);

    /// Asks for the text on the clipboard: [`Arrival::Text`], or an `egui::Event::Paste`.
    fn paste(&self, inbox: &Inbox);

    /// What stands before a link: the address of the page, or nothing.
    fn page_address(&self) -> String {
        String::new()
    }

    /// Carries out a job, jobs in the order in which they come: in another thread where there are
    /// threads, else at once.
    fn in_background(&self, job: Job) {
        job();
    }

    /// Returns when every job so far is done.
    fn settle(&self) {}
}

/// A platform without anything: pictures and tests need no more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bare;

impl Bare {
    const NO_FILES: Sentence = Sentence::new(word!("Files cannot be opened or saved here"));
}

impl Platform for Bare {
    fn now(&self) -> u64 {
        0
    }

    fn draw_number(&self) -> u32 {
        0
    }

    fn storage(&self) -> Option<Box<dyn Storage + Send>> {
        None
    }

    fn register(&self, _: u32) {}

    fn find_running(&self, _: &Inbox) {}

    fn open_file(&self, _: Purpose, inbox: &Inbox) {
        inbox.put(Arrival::Failed(Self::NO_FILES));
    }

    fn save_file(&self, _: Outgoing, inbox: &Inbox) {
        inbox.put(Arrival::Failed(Self::NO_FILES));
    }

    fn read_dropped(&self, _: DroppedFileHandle, _: Purpose, inbox: &Inbox) {
        inbox.put(Arrival::Failed(Self::NO_FILES));
    }

    fn paste(&self, _: &Inbox) {}
}
