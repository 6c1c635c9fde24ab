//! The window and the page: everything egui.

use crate::engine::EngineName;
use crate::machine::{Caches, Event};
use crate::scenario::{Session, Step};

/// How the app begins.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The theme; `None` follows the system.
    pub theme: Option<Theme>,
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

/// The app.
pub struct App {
    session: Session,
}

impl App {
    /// Installs fonts and style in `ctx` and opens a session.
    #[must_use]
    pub fn new(_ctx: &egui::Context, session: Session, _options: Options) -> Self {
        Self { session }
    }

    /// What is open.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Carries out steps at the cursor: what the page API's `run` does.
    pub fn run_steps(&mut self, steps: &[Step]) -> Vec<Event> {
        self.session.run(steps)
    }

    /// Opens another session in place of this one.
    pub fn open(&mut self, session: Session) {
        self.session = session;
    }

    /// The engine in force.
    #[must_use]
    pub const fn engine(&self) -> (EngineName, Caches) {
        (self.session.engine(), self.session.caches())
    }

    /// Draws one frame.
    pub fn draw(&mut self, ui: &mut egui::Ui) {
        ui.heading("mmuscope");
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }
}
