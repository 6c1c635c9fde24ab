//! What the views ask for of files, and how it is done.

use egui::{Context, ViewportCommand};

use super::StateRef;
use super::import::ImportWish;
use super::welcome::Beginning;
use crate::app::lesson::LessonWish;
use crate::app::platform::{Outgoing, Purpose};
use crate::app::view::{AppCommand, Overlay, ViewState};
use crate::app::{App, theme};
use crate::language::Sentence;
use crate::scenario::Session;
use crate::word;

/// The size of the window at first, in points.
pub(in crate::app) const FIRST_SIZE: [f32; 2] = [1600.0, 900.0];

/// Something of files that a view wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum FileWish {
    /// Choose a file and open it.
    Open,
    /// Save the branch in view as a scenario.
    Save,
    /// Open what is on the clipboard.
    Paste,
    /// Show the states that can be opened again.
    ShowStates,
    /// Open one of them.
    Restore(StateRef),
    /// Open what is offered after a crash.
    TakeOffer,
    /// Take the offer away.
    DropOffer,
    /// Take the words about what cannot be kept away.
    HideTrouble,
    /// Something of the import that is being prepared.
    Import(ImportWish),
    /// Begin in one of the ways of the card of the first run.
    Begin(Beginning),
    /// Everything where it was at first.
    ResetLayout,
    /// Close the window.
    Quit,
}

impl App {
    /// Does what a view asked for.
    pub(in crate::app) fn apply_files(&mut self, ctx: &Context, wish: FileWish) {
        let crate::app::files::Files { platform, inbox, .. } = &self.files;
        match wish {
            FileWish::Open => platform.open_file(Purpose::Open, inbox),
            FileWish::Paste => platform.paste(inbox),
            FileWish::Save => self.save_scenario(),
            FileWish::ShowStates => {
                self.list_states();
                self.view.overlay = Some(Overlay::States);
            }
            FileWish::Restore(at) => {
                self.view.overlay = None;
                self.restore(at);
            }
            FileWish::TakeOffer => {
                let Some(offer) = self.files.offer.clone() else {
                    return self.refuse(&Sentence::new(word!(
                        "No run has ended in a crash since: there is nothing to restore"
                    )));
                };
                self.restore(offer.at);
                self.drop_offer();
            }
            FileWish::DropOffer => self.drop_offer(),
            FileWish::HideTrouble => self.files.trouble = None,
            FileWish::Import(wish) => self.apply_import(wish),
            FileWish::Begin(beginning) => self.begin(ctx, beginning),
            FileWish::ResetLayout => self.reset_layout(ctx),
            FileWish::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    fn begin(&mut self, ctx: &Context, beginning: Beginning) {
        self.view.overlay = None;
        match beginning {
            Beginning::Tour => self.apply_lesson(ctx, LessonWish::Tour),
            Beginning::Lessons => self.view.overlay = Some(Overlay::Lessons),
            Beginning::Empty => self.open(Session::empty()),
            Beginning::AsItIs => {}
        }
    }

    /// Puts everything of the window where it was at first: sizes, zoom, tabs, what was unfolded and
    /// scrolled, the window itself. The machine and its time stay.
    pub fn reset_layout(&mut self, ctx: &Context) {
        let (fresh, old) = (ViewState::of(&self.session), &self.view);
        self.view = ViewState { language: old.language, ..fresh };
        let theme = theme::tokens(ctx).theme;
        ctx.memory_mut(|memory| {
            memory.reset_areas();
            memory.data.clear();
        });
        theme::choose(ctx, Some(theme));
        ctx.set_zoom_factor(1.0);
        ctx.send_viewport_cmd(ViewportCommand::Fullscreen(false));
        ctx.send_viewport_cmd(ViewportCommand::Maximized(false));
        ctx.send_viewport_cmd(ViewportCommand::InnerSize(FIRST_SIZE.into()));
    }

    /// Brings what belongs to an overlay up to it: the link while it is shared; an import that was
    /// left is given up, a card that was closed has been seen.
    pub(super) fn follow_overlay(&mut self) {
        if self.view.overlay != Some(Overlay::Import) {
            self.files.import = None;
        }
        if self.view.overlay == Some(Overlay::Welcome) {
            self.files.welcomed = true;
            self.touch();
        }
        self.files.link = (self.view.overlay == Some(Overlay::Share)).then(|| {
            let step = self.session.link_to_step().map(Ok);
            let link = step.unwrap_or_else(|| self.link().map_err(|reason| reason.to_string()));
            link.map(|link| self.files.platform.page_address() + &link)
        });
    }

    /// Offers the branch in view as a scenario file.
    fn save_scenario(&mut self) {
        let scenario = self.session.to_scenario();
        match scenario.to_json() {
            Ok(json) => {
                let name = format!("{}.json", file_stem(&scenario.id));
                let file = Outgoing { name, mime: "application/json", bytes: json.into_bytes() };
                self.files.platform.save_file(file, &self.files.inbox);
            }
            Err(reason) => self.view.notice = Some(reason.to_string()),
        }
    }
}

/// An id as the beginning of a file's name.
pub(in crate::app) fn file_stem(id: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let stem: String = id.chars().map(plain).take(80).collect();
    let stem = stem.trim_matches(['.', '-']);
    if stem.is_empty() { "machine".to_owned() } else { stem.to_owned() }
}

impl From<FileWish> for AppCommand {
    fn from(wish: FileWish) -> Self {
        Self::Files(wish)
    }
}
