//! The window and the page: everything egui.
//!
//! Views are functions of a read-only context ([`view::ViewCx`]); what they want done is applied
//! here, in one place, before the next pass. One file a panel.

pub mod actions; // everything that can be asked for, with its key
mod apply; // what the views asked for is done here, and nowhere else
mod audit; // whether the shadow MMU's invariants hold
mod bar; // title, theme, text size
pub mod compare; // the same commands side by side
pub mod comparison; // the same commands on every engine
mod cost_meter; // what the run has cost
mod drawer; // Inspect, Why, Log
mod elide; // a line of text in the room that there is
mod engines; // how the window names them
pub mod entry_editor; // the tab Inspect
pub mod files; // in and out, and what is kept
mod focus; // where the keyboard is
mod fonts; // the two faces
pub mod headless; // pictures without a window
pub mod history; // how every command of the path ended
pub mod host; // what the program around the app asks of it
mod hover; // what the pointer is on
mod keyboard; // keys that work everywhere
mod layout; // where the zones lie
pub mod lesson; // the lessons: list, step, goal
mod log; // the tab Log
mod memory_panel; // page map, tables, engine, caches
mod menu; // context menus
mod palette; // the command palette and the sheet of shortcuts
pub mod platform; // what the app asks of the system below it
mod play_button; // play or pause
mod presets; // machines to begin with
mod pointer; // where it rests while text changes its size
mod processor_strip; // paging mode, bits, CR3, access composer
mod role_card; // what a shadow page is
mod share; // what a link tells of the window
mod shot; // a PNG of the app
mod sides; // how wide the zones beside the stage are
pub mod stage; // the walk of one address through the tables
mod store_row; // a store of any bytes, and a load
pub mod tables; // the paging structures of a machine
pub mod theme; // design tokens
pub mod time; // undo, play, motion, searches along the path
mod transcript;
pub mod timeline; // time as a line
pub mod view; // what a view sees and what it may ask for
mod why; // the tab Why
pub mod widgets; // the controls that the panels are made of
#[cfg(not(target_arch = "wasm32"))]
mod window; // the native window

#[cfg(target_arch = "wasm32")]
pub use fonts::add_chinese;
pub use shot::{ShotError, shot};
#[cfg(not(target_arch = "wasm32"))]
pub use window::{WindowError, run_window};

use crate::engine::{EngineConfig, EngineName};
use crate::language::Language;
use crate::lesson::Progress;
use crate::machine::{Caches, Event};
use crate::scenario::{Session, Step, View};
use crate::tr;
use comparison::Comparison;
use files::Files;
use history::History;
use lesson::Desk;
use pointer::RestingPointer;
use tables::Structures;
use time::motion::Way;
use time::undo::Undo;
use time::{ChangeSearch, Motion, Play};
use view::{AppCommand, CommandSender, Focus, ViewCx, ViewState};

/// How the app begins.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The theme; `None` follows the system.
    pub theme: Option<Theme>,
    /// How many commands lie before the cursor at first; `None` leaves it where the session has it.
    pub at: Option<usize>,
    /// The language of the screen; `None`: as in the run before.
    pub language: Option<Language>,
    /// Zoom of the stage at first; `None`: everything fits.
    pub zoom: Option<f32>,
    /// How much the screen tells at first.
    pub depth: crate::explain::Depth,
    /// What fills the window at first.
    pub screen: view::Screen,
    /// The engines that are compared; empty: those that tell most.
    pub engines: Vec<EngineConfig>,
    /// What a link tells of the window.
    pub shown: Option<View>,
    /// Whether somebody who has not seen the card of the first run is to see it.
    pub welcome: bool,
    /// Whether everything of the window is to be where it was at first.
    pub reset_layout: bool,
    /// Whether it lies in a frame of another page.
    pub embedded: bool,
}

/// A colour theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Theme {
    /// Light on dark.
    #[default]
    Dark,
    /// Dark on light.
    Light,
    /// White on black, contrast of at least 7:1.
    HighContrast,
    /// Black on white for weak projectors, contrast of at least 7:1.
    Projector,
}

impl Theme {
    /// Every theme, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Dark, Self::Light, Self::HighContrast, Self::Projector];

    /// Its code in options and files.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::Projector => "projector",
        }
    }

    /// The theme of that code.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.id() == id)
    }

    /// Its name.
    #[must_use]
    pub fn name(self, language: Language) -> &'static str {
        match self {
            Self::Dark => tr!(language, "Dark"),
            Self::Light => tr!(language, "Light"),
            Self::HighContrast => tr!(language, "High contrast"),
            Self::Projector => tr!(language, "Projector"),
        }
    }
}

impl From<Theme> for egui::Theme {
    fn from(theme: Theme) -> Self {
        match theme {
            Theme::Dark | Theme::HighContrast => Self::Dark,
            Theme::Light | Theme::Projector => Self::Light,
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
    session: Desk,
    progress: Progress,
    structures: Structures,
    history: History,
    comparison: Comparison,
    runs: compare::Runs,
    focus: Focus,
    view: ViewState,
    files: Files,
    undo: Undo,
    motion: Motion,
    pointer: RestingPointer,
    play: Play,
    search: Option<ChangeSearch>,
    explanations: why::Memo,
    embedded: bool,
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
        let (history, focus) = (History::of(&session), Focus::at_cursor(&session.lab));
        let (mut view, mut comparison) = (ViewState::of(&session), Comparison::default());
        view.language = options.language.unwrap_or_default();
        (view.screen, view.depth) = (options.screen, options.depth);
        view.zoom = options.zoom.unwrap_or(view.zoom);
        view.compare.engines = compare::engines::chosen(&options.engines).unwrap_or_default();
        let mut focus = focus;
        if let Some(shown) = &options.shown {
            share::restore(&mut view, shown);
            focus.show(shown.micro_step.map_or(usize::MAX, |count| count as usize));
        }
        comparison.follow(&session);
        let (session, progress) = (Desk::new(session), Progress::default());
        let (runs, files, structures) = (compare::Runs::default(), Files::bare(ctx), Structures::default());
        let (undo, motion, play, tx) = (Undo::default(), Motion::default(), Play::default(), CommandSender::default());
        let explanations = why::Memo::default();
        Self {
            session,
            progress,
            structures,
            history,
            comparison,
            runs,
            focus,
            view,
            files,
            undo,
            motion,
            pointer: RestingPointer::default(),
            play,
            search: None,
            explanations,
            embedded: options.embedded,
            tx,
        }
    }

    /// What is in front: what is explored, or the machine of a lesson's step.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The lesson in front.
    #[must_use]
    pub fn lesson(&self) -> Option<&lesson::Player> {
        self.session.player()
    }

    /// What the learner has done in all lessons.
    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The state of the view.
    #[must_use]
    pub const fn view(&self) -> &ViewState {
        &self.view
    }

    /// The command in focus and how much of it is shown.
    #[must_use]
    pub const fn focus(&self) -> &Focus {
        &self.focus
    }

    /// Carries out steps at the cursor: what the page API's `run` does.
    pub fn run_steps(&mut self, steps: &[Step]) -> Vec<Event> {
        self.interrupt(&AppCommand::ToEnd);
        self.moved(Way::Jump, |app| {
            app.as_edit(|app| {
                let events = app.session.run(steps);
                app.lab_changed();
                events
            })
        })
    }

    /// Opens another session in place of this one, which goes to the autosave ring first; undo brings
    /// it back.
    pub fn open(&mut self, session: Session) {
        self.keep_before_opening();
        let view = ViewState { screen: self.view.screen, ..ViewState::of(&session) };
        self.replace_explored(session, view);
        self.nothing_done_yet();
    }

    /// The engines that are compared side by side.
    #[must_use]
    pub const fn runs(&self) -> &compare::Runs {
        &self.runs
    }

    /// The engine in force.
    #[must_use]
    pub fn engine(&self) -> (EngineName, Caches) {
        (self.session.engine(), self.session.caches())
    }

    /// Asks for something, as a view does: it is done before the next frame.
    pub fn ask(&self, wish: AppCommand) {
        self.tx.send(wish);
    }

    /// What was asked for and is not done yet.
    #[must_use]
    pub fn wishes(&self) -> Vec<AppCommand> {
        self.tx.pending()
    }

    /// What an action asks for, given what is shown.
    #[must_use]
    pub fn wish_of(&self, ctx: &egui::Context, action: actions::Action) -> AppCommand {
        action.command(&self.view_cx(ctx))
    }

    /// What moves on the screen.
    #[must_use]
    pub const fn motion(&self) -> &Motion {
        &self.motion
    }

    /// Whether time goes on by itself.
    #[must_use]
    pub const fn is_playing(&self) -> bool {
        self.play.is_on()
    }

    /// Takes over whether the system asks for less motion.
    pub fn follow_system_motion(&mut self, reduces: bool) {
        self.motion.follow_system(reduces);
    }

    /// What led to the state shown, in words: for a live region beside the canvas.
    #[must_use]
    pub fn transcript_line(&self, ctx: &egui::Context) -> String {
        transcript::line(&self.view_cx(ctx))
    }

    /// Draws one frame.
    pub fn draw(&mut self, ui: &mut egui::Ui) {
        self.take_input(ui.ctx());
        self.motion.tick(ui.ctx());
        theme::follow_touch(ui.ctx());
        let machine = self.focus.vm(self.session.lab.vm()).machine();
        self.structures.follow(machine, &stage::path::pdptes_in_force(machine, self.session.engine()));
        focus::follow(ui.ctx(), self.view.overlay.is_some());
        let cx = self.view_cx(ui.ctx());
        keyboard::keyboard(&cx, ui.ctx());
        layout::layout_ui(&cx, ui);
        files::notes_ui(&cx, ui.ctx());
        palette::overlay_ui(&cx, ui.ctx());
        transcript::live_ui(&cx, ui);
        hover::settle(ui.ctx());
        focus::change_zone(ui.ctx());
        focus::ring(ui.ctx(), cx.tokens);
        if !self.tx.is_empty() {
            ui.ctx().request_repaint();
        }
    }

    /// Draws what fills the window, and nothing that lies over it.
    fn draw_panels(&self, ui: &mut egui::Ui) {
        layout::layout_ui(&self.view_cx(ui.ctx()), ui);
    }

    fn view_cx(&self, ctx: &egui::Context) -> ViewCx<'_> {
        ViewCx {
            session: &self.session,
            lesson: self.session.player(),
            desk: &self.session,
            progress: &self.progress,
            files: &self.files,
            view: &self.view,
            vm: self.focus.vm(self.session.lab.vm()),
            machine: self.focus.vm(self.session.lab.vm()).machine(),
            before: self.focus.before().machine(),
            before_vm: self.focus.before(),
            state: self.focus.state(),
            events: self.focus.events(),
            shown: self.focus.shown(),
            structures: &self.structures,
            history: &self.history,
            comparison: &self.comparison,
            motion: &self.motion,
            playing: self.play.is_on(),
            can_undo: self.undo.can_undo(&self.front()),
            can_redo: self.undo.can_redo(&self.front()),
            runs: &self.runs,
            explanations: &self.explanations,
            tokens: theme::tokens(ctx),
            embedded: self.embedded,
            tx: &self.tx,
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        self.apply(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }

    fn raw_input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        self.pointer.follow(ctx, input);
    }

    fn save(&mut self, _: &mut dyn eframe::Storage) {
        self.keep_all();
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.end_in_order();
    }
}
