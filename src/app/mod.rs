//! The window and the page: everything egui.

pub mod entry_editor; // the tab Inspect
mod fonts; // the two faces
pub mod stage; // the walk of one address through the tables
pub mod theme; // design tokens
pub mod timeline; // time as a line
pub mod view; // what a view sees and what it may ask for

use crate::engine::EngineName;
use crate::machine::{Caches, Event};
use crate::scenario::{Session, Step};
use view::{AppCommand, CommandSender, Focus, Selection, ViewCx, ViewState};

/// How the app begins.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The theme; `None` follows the system.
    pub theme: Option<Theme>,
    /// How many commands lie before the cursor at first; `None` is the start.
    pub at: Option<usize>,
}

/// A colour theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light on dark.
    #[default]
    Dark,
    /// Dark on light.
    Light,
}

impl From<Theme> for egui::Theme {
    fn from(theme: Theme) -> Self {
        match theme {
            Theme::Dark => Self::Dark,
            Theme::Light => Self::Light,
        }
    }
}

impl From<egui::Theme> for Theme {
    fn from(theme: egui::Theme) -> Self {
        match theme {
            egui::Theme::Dark => Self::Dark,
            egui::Theme::Light => Self::Light,
        }
    }
}

/// The app.
pub struct App {
    session: Session,
    focus: Focus,
    view: ViewState,
    tx: CommandSender,
}

impl App {
    /// Installs fonts and style in `ctx` and opens a session.
    #[must_use]
    pub fn new(ctx: &egui::Context, mut session: Session, options: Options) -> Self {
        theme::install(ctx, options.theme);
        if let Some(at) = options.at {
            session.lab.seek(at);
        }
        let (focus, view) = (Focus::at_cursor(&session.lab), ViewState::of(&session));
        Self { session, focus, view, tx: CommandSender::default() }
    }

    /// What is open.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Carries out steps at the cursor: what the page API's `run` does.
    pub fn run_steps(&mut self, steps: &[Step]) -> Vec<Event> {
        let events = self.session.run(steps);
        self.focus = Focus::at_cursor(&self.session.lab);
        events
    }

    /// Opens another session in place of this one.
    pub fn open(&mut self, session: Session) {
        self.focus = Focus::at_cursor(&session.lab);
        self.view = ViewState { text_scale: self.view.text_scale, ..ViewState::of(&session) };
        self.session = session;
    }

    /// The engine in force.
    #[must_use]
    pub const fn engine(&self) -> (EngineName, Caches) {
        (self.session.engine(), self.session.caches())
    }

    /// Draws one frame.
    pub fn draw(&mut self, ui: &mut egui::Ui) {
        for command in self.tx.take() {
            if let AppCommand::Select(selection) = command {
                self.view.selection = selection;
            }
        }
        let at_cursor = self.session.lab.machine();
        let cx = ViewCx {
            session: &self.session,
            view: &self.view,
            machine: self.focus.machine(at_cursor),
            before: self.focus.before(),
            events: self.focus.events(),
            shown: self.focus.shown(),
            tokens: theme::tokens(ui.ctx()),
            tx: &self.tx,
        };
        stage::stage_ui(&cx, ui);
        debug_assert_ne!(self.view.selection, Selection::Page(crate::arch::Gfn(u64::MAX)));
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }
}
