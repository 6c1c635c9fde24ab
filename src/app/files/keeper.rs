//! The autosave ring as the app writes it, and what the next run is to know.
//!
//! A change is written at once, or two seconds after the last writing began. While somebody works,
//! the states of one minute take one place of the ring, so that twenty of them reach back some twenty
//! minutes and not forty seconds. What is opened or given up takes a place of its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Answer, Files, StateRef};
use crate::app::platform::{Arrival, Inbox, Platform};
use crate::app::sides::Sides;
use crate::app::time::motion::Preference;
use crate::app::{App, Theme};
use crate::engine::EngineConfig;
use crate::explain::Depth;
use crate::lab::NodeId;
use crate::language::Language;
use crate::lesson::Progress;
use crate::machine::Caches;
use crate::scenario::autosave::{Entry, Ring, STATES, Storage};
use crate::scenario::{Marks, Shared, Text};
use crate::word;

/// At most so many milliseconds of work are lost.
pub const EVERY: u64 = 2_000;
/// The states of one work that are younger than this, in milliseconds, take one place of the ring.
const PLACE: u64 = 60_000;

/// Keys of what the next run is to know.
const PROGRESS: &str = "progress";
const LANGUAGE: &str = "language";
const TEXT_SCALE: &str = "text-scale";
const WELCOMED: &str = "welcomed";
const MOTION: &str = "motion";
const THEME: &str = "theme";
const DEPTH: &str = "depth";
const SIDES: &str = "sides";

type AnyRing = Ring<Box<dyn Storage + Send>>;

/// A state in the list of those that can be opened again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateLine {
    /// Which.
    pub at: StateRef,
    /// When it was written, in milliseconds since 1970.
    pub time: u64,
    /// The title of its scenario.
    pub title: Text,
    /// The id of its scenario.
    pub id: String,
    /// Commands of the branch that was in view.
    pub commands: usize,
}

impl StateLine {
    fn of(at: StateRef, time: u64, shared: &Shared) -> Self {
        let Shared { scenario, log, .. } = shared;
        Self { at, time, title: scenario.title.clone(), id: scenario.id.clone(), commands: log.len() }
    }

    /// What it is called in a language.
    #[must_use]
    pub fn name(&self, language: Language) -> &str {
        match self.title.get(language.id()) {
            "" if self.id == "empty" => language.tr(word!("Empty machine")),
            "" => &self.id,
            title => title,
        }
    }
}

/// What is written to, in the background.
struct Kept {
    ring: AnyRing,
    /// The work whose place in the ring is the last that was taken, when it was, and what lies there.
    place: Option<(u64, u64, Entry)>,
    begun: bool,
}

impl Kept {
    fn save(&mut self, work: u64, shared: &Shared, now: u64) -> Result<(), String> {
        if !self.begun {
            self.ring.begin().map_err(|error| error.to_string())?;
            self.begun = true;
        }
        let going_on = self.place.filter(|(of, since, _)| *of == work && now.saturating_sub(*since) < PLACE);
        let old = going_on.as_ref().map(|(_, _, entry)| entry);
        if let Some(entry) = self.ring.save_over(shared, now, old).map_err(|error| error.to_string())? {
            self.place = Some((work, going_on.map_or(now, |(_, since, _)| since), entry));
        }
        Ok(())
    }
}

/// What tells a state of the work from another: cheap enough for every pass.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    log: usize,
    tip: Option<NodeId>,
    cursor: usize,
    engine: EngineConfig,
    caches: Caches,
    captions: usize,
    lesson: Option<(String, usize)>,
    branches: usize,
    marks: Marks,
}

/// Progress together with what lies in the storage: another window may have gone on meanwhile.
fn with_that_of_others(storage: &dyn Storage, mine: String) -> String {
    let kept = storage.get(PROGRESS).and_then(|bytes| String::from_utf8(bytes).ok());
    let mut both = Progress::default();
    let merged =
        both.import("progress", &mine).is_ok() && kept.is_some_and(|kept| both.import("progress", &kept).is_ok());
    if merged { both.export() } else { mine }
}

/// Keeps what is done.
pub struct Keeper {
    kept: Arc<Mutex<Kept>>,
    number: u32,
    /// Which work is in front: another number for each that is opened.
    work: u64,
    /// Something was done since it was last looked at.
    touched: bool,
    /// What was written last, or was open without anything done to it.
    seen: Option<Mark>,
    /// When the last writing began.
    last: Option<u64>,
    /// Writings that are not done.
    unfinished: usize,
    /// What was written last of the things beside the ring.
    settings: Vec<(&'static str, String)>,
}

impl Keeper {
    pub(super) fn new(storage: Box<dyn Storage + Send>, number: u32) -> Self {
        let kept = Kept { ring: Ring::new(storage, number), place: None, begun: false };
        Self {
            kept: Arc::new(Mutex::new(kept)),
            number,
            work: 0,
            touched: false,
            seen: None,
            last: None,
            unfinished: 0,
            settings: Vec::new(),
        }
    }

    fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
        kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the ring in the background.
    fn with_ring(&self, platform: &dyn Platform, job: impl FnOnce(&mut Kept) + Send + 'static) {
        let kept = Arc::clone(&self.kept);
        platform.in_background(Box::new(move || job(&mut Self::lock(&kept))));
    }

    /// Writes a state in the background.
    fn write(&mut self, shared: Shared, mark: Mark, platform: &dyn Platform, inbox: &Inbox) {
        let (inbox, now) = (inbox.clone(), platform.now());
        // Another step of a lesson is another work.
        let work = xxhash_rust::xxh3::xxh3_64(format!("{} {:?}", self.work, mark.lesson).as_bytes());
        (self.touched, self.seen, self.last) = (false, Some(mark), Some(now));
        self.unfinished += 1;
        self.with_ring(platform, move |kept| {
            let shared = Arc::new(shared);
            let result = kept.save(work, &shared, now);
            inbox.put(Arrival::Answer(Answer::Kept(result.map_err(|reason| (reason, shared)))));
        });
    }
}

impl App {
    /// What the next run is to know, taken over. What cannot be read is left out.
    pub(super) fn recall_from(&mut self, storage: &dyn Storage) {
        let text = |key: &str| storage.get(key).and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(kept) = text(PROGRESS) {
            let mut progress = Progress::default();
            match progress.import("progress", &kept) {
                Ok(_) => self.progress = progress,
                Err(error) => log::warn!("{error}"),
            }
        }
        if let Some(language) = text(LANGUAGE).as_deref().and_then(Language::by_id) {
            self.view.language = language;
        }
        if let Some(scale) = text(TEXT_SCALE).and_then(|scale| scale.parse().ok()) {
            self.view.text_scale = f32::clamp(scale, 0.8, 2.0);
        }
        if let Some(motion) = text(MOTION).as_deref().and_then(Preference::by_id) {
            self.motion.prefer(motion);
        }
        if let Some(depth) = text(DEPTH).as_deref().and_then(Depth::by_id) {
            self.view.depth = depth;
        }
        self.view.sides = text(SIDES).map_or_else(Sides::default, |sides| Sides::parse(&sides));
        self.view.theme = text(THEME).as_deref().and_then(Theme::by_id);
        self.files.welcomed = text(WELCOMED).is_some();
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            (PROGRESS, self.progress.export()),
            (LANGUAGE, self.view.language.id().to_owned()),
            (TEXT_SCALE, self.view.text_scale.to_string()),
            (MOTION, self.motion.preference().id().to_owned()),
            (DEPTH, self.view.depth.id().to_owned()),
            (SIDES, self.view.sides.text()),
        ];
        if let Some(theme) = self.view.theme {
            settings.push((THEME, theme.id().to_owned()));
        }
        if self.files.welcomed {
            settings.push((WELCOMED, "1".to_owned()));
        }
        settings
    }

    /// Something was done: what of it is to be kept is looked at in this pass.
    pub(in crate::app) fn touch(&mut self) {
        if let Some(keeper) = &mut self.files.keeper {
            keeper.touched = true;
        }
    }

    /// The state of what is in front, as the ring keeps it.
    pub(in crate::app) fn shared(&self) -> Shared {
        Shared::of(&self.session, &self.kept_view(), self.view.language.id())
    }

    fn mark(&self) -> Mark {
        let lab = &self.session.lab;
        let player = self.session.player();
        Mark {
            log: lab.log().len(),
            tip: lab.node(lab.len()),
            cursor: lab.cursor(),
            engine: self.session.config(),
            caches: self.session.caches(),
            captions: self.session.captions.len(),
            lesson: player.map(|player| (player.session.lesson().id.clone(), player.session.at())),
            branches: lab.branch_count(),
            marks: self.session.marks.clone(),
        }
    }

    /// Whether something was done to what is in front since it was opened or written.
    fn has_work(&self) -> bool {
        self.files.keeper.as_ref().is_some_and(|keeper| keeper.seen.as_ref().is_some_and(|seen| *seen != self.mark()))
    }

    /// Keeps what is in front before something else takes its place.
    pub(in crate::app) fn keep_before_opening(&mut self) {
        if self.has_work() {
            self.write_now();
        } else if self.files.keeper.is_none() && !self.session.lab.log().is_empty() {
            let shared = Arc::new(self.shared());
            self.hold(shared);
        }
        if let Some(keeper) = &mut self.files.keeper {
            keeper.work += 1;
        }
    }

    /// What is in front now is as it was opened: there is nothing to keep yet.
    pub(in crate::app) fn nothing_done_yet(&mut self) {
        let mark = self.mark();
        if let Some(keeper) = &mut self.files.keeper {
            keeper.seen = Some(mark);
        }
    }

    fn write_now(&mut self) {
        let (shared, mark) = (self.shared(), self.mark());
        let Files { platform, inbox, keeper, .. } = &mut self.files;
        if let Some(keeper) = keeper {
            keeper.write(shared, mark, &**platform, inbox);
        }
    }

    /// Holds a state that the storage has no room for.
    fn hold(&mut self, shared: Arc<Shared>) {
        let held = &mut self.files.held;
        let now = self.files.platform.now();
        // Of one work the last counts.
        if held.last().is_some_and(|(_, last)| last.scenario == shared.scenario) {
            held.pop();
        }
        held.push((now, shared));
        let surplus = held.len().saturating_sub(STATES);
        held.drain(..surplus);
    }

    /// Writes what has changed, if it is time, or asks to be called again when it is.
    pub(in crate::app) fn keep_in_time(&mut self, ctx: &egui::Context) {
        let now = self.files.platform.now();
        let has_work = self.has_work();
        let Some(keeper) = &mut self.files.keeper else { return };
        if !keeper.touched && !has_work {
            return;
        }
        let due = keeper.last.map_or(now, |last| last.saturating_add(EVERY));
        if now < due {
            ctx.request_repaint_after(Duration::from_millis(due - now));
            return;
        }
        keeper.touched = false;
        let busy = keeper.unfinished > 0;
        self.write_settings();
        // While the last state is still being written its end wakes the window.
        if has_work && !busy {
            self.write_now();
        }
    }

    fn write_settings(&mut self) {
        let settings = self.settings();
        let Files { platform, inbox, keeper, forgot, .. } = &mut self.files;
        let Some(keeper) = keeper else { return };
        let new: Vec<(&str, String)> =
            settings.iter().filter(|pair| !keeper.settings.contains(pair)).cloned().collect();
        if new.is_empty() {
            return;
        }
        (keeper.settings, keeper.last) = (settings, Some(platform.now()));
        let (inbox, forgot) = (inbox.clone(), std::mem::take(forgot));
        keeper.with_ring(&**platform, move |kept| {
            for (key, mut value) in new {
                if key == PROGRESS && !forgot {
                    value = with_that_of_others(kept.ring.storage().as_ref(), value);
                }
                if let Err(error) = kept.ring.storage_mut().put(key, value.as_bytes()) {
                    inbox.put(Arrival::Answer(Answer::Unkept(error.to_string())));
                }
            }
        });
    }

    /// Writes everything and returns when it is written: the window closes, the page is left.
    pub fn keep_all(&mut self) {
        self.write_settings();
        if self.has_work() {
            self.write_now();
        }
        self.files.platform.settle();
    }

    /// Writes everything and says that the program ends in order: the next run has nothing to offer.
    pub fn end_in_order(&mut self) {
        self.keep_all();
        if let Some(keeper) = &self.files.keeper {
            let number = keeper.number;
            keeper.with_ring(&*self.files.platform, move |kept| kept.ring.close(number));
        }
        self.files.platform.settle();
    }

    /// Looks, in the background, for the newest state of a program that neither runs nor ended in order.
    pub(super) fn find_crashed(&mut self, running: Vec<u32>) {
        let Some(keeper) = &self.files.keeper else { return };
        let (inbox, own) = (self.files.inbox.clone(), keeper.number);
        keeper.with_ring(&*self.files.platform, move |kept| {
            let mut crashed = kept.ring.open_writers();
            crashed.retain(|writer| *writer != own && !running.contains(writer));
            let newest = kept.ring.entries().into_iter().find_map(|entry| {
                let shared = crashed.contains(&entry.writer()).then(|| kept.ring.load(&entry).ok())??;
                Some(StateLine::of(StateRef::Ring(entry), entry.time, &shared))
            });
            match newest {
                Some(line) => inbox.put(Arrival::Answer(Answer::Crashed(line))),
                None => crashed.into_iter().for_each(|writer| kept.ring.close(writer)),
            }
        });
    }

    /// Takes the offer away, for good.
    pub(super) fn drop_offer(&mut self) {
        let Some(offer) = self.files.offer.take() else { return };
        if let (StateRef::Ring(entry), Some(keeper)) = (offer.at, &self.files.keeper) {
            keeper.with_ring(&*self.files.platform, move |kept| kept.ring.close(entry.writer()));
        }
    }

    /// Reads the list of states in the background.
    pub(super) fn list_states(&mut self) {
        self.files.states = None;
        let held = self.files.held.iter().enumerate().rev();
        let held: Vec<StateLine> =
            held.map(|(at, (time, shared))| StateLine::of(StateRef::Held(at), *time, shared)).collect();
        let Some(keeper) = &self.files.keeper else {
            self.files.states = Some(held);
            return;
        };
        let inbox = self.files.inbox.clone();
        keeper.with_ring(&*self.files.platform, move |kept| {
            let mut lines = held;
            lines.extend(kept.ring.entries().into_iter().filter_map(|entry| {
                let shared = kept.ring.load(&entry).ok()?;
                Some(StateLine::of(StateRef::Ring(entry), entry.time, &shared))
            }));
            lines.sort_by_key(|line| std::cmp::Reverse(line.time));
            inbox.put(Arrival::Answer(Answer::States(lines)));
        });
    }

    /// Opens a state again. What was open is kept first.
    pub(super) fn restore(&mut self, at: StateRef) {
        match at {
            StateRef::Held(at) => {
                if let Some((_, shared)) = self.files.held.get(at) {
                    let shared = Shared::clone(shared);
                    self.open_shared_or_say(shared);
                }
            }
            StateRef::Ring(entry) => {
                let Some(keeper) = &self.files.keeper else { return };
                let inbox = self.files.inbox.clone();
                keeper.with_ring(&*self.files.platform, move |kept| {
                    let loaded = kept.ring.load(&entry).map(Box::new).map_err(|error| error.to_string());
                    inbox.put(Arrival::Answer(Answer::Loaded(loaded)));
                });
            }
        }
    }

    /// Takes the answer of work in the background.
    pub(super) fn take_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Kept(result) => {
                if let Some(keeper) = &mut self.files.keeper {
                    keeper.unfinished = keeper.unfinished.saturating_sub(1);
                }
                match result {
                    Ok(()) => self.files.trouble = None,
                    Err((reason, shared)) => {
                        self.hold(shared);
                        self.files.trouble = Some(reason);
                    }
                }
            }
            Answer::Unkept(reason) => self.files.trouble = Some(reason),
            Answer::States(lines) => self.files.states = Some(lines),
            Answer::Crashed(line) => self.files.offer = Some(line),
            Answer::Loaded(Ok(shared)) => self.open_shared_or_say(*shared),
            Answer::Imported(ticket, found) => self.take_import(ticket, *found),
            Answer::Loaded(Err(reason)) => self.view.notice = Some(reason),
        }
    }
}
