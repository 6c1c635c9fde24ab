//! The app on a page: eframe's hooks around it, and what the page's script asks of it.

use std::rc::Rc;
use std::time::Duration;

use super::faces;
use super::listeners::Listeners;
use super::motion::Motion;
use super::narrate::Told;
use super::platform::Browser;
use super::start::{Opened, Start};
use crate::app::App;
use crate::language::Language;
use crate::machine::Event;
use crate::scenario::read_steps;

/// The app on a page.
pub struct Page {
    /// The app.
    pub app: App,
    /// Frames painted.
    pub frames: u32,
    ctx: egui::Context,
    listeners: Rc<Listeners>,
    told: Told,
    motion: Option<Motion>,
    /// Whether the faces for Chinese have been asked for.
    chinese: bool,
}

impl Page {
    /// Opens the app.
    ///
    /// # Errors
    /// A sentence: a machine or a lesson that cannot begin.
    pub fn new(ctx: &egui::Context, start: Start, listeners: Rc<Listeners>) -> Result<Self, String> {
        let options = start.options;
        let browser = Box::new(Browser::new(options.embedded));
        let mut app = App::new(ctx, start.session, options.clone()).on_platform(ctx, browser, &options);
        if let Some(shared) = start.link {
            app.open_shared(shared)?;
        }
        // A link has a language, too.
        if let Some(language) = options.language {
            app.speak(language);
        }
        if let Some((lesson, step)) = start.lesson {
            app.open_lesson(&lesson, step).map_err(|error| error.to_string())?;
        }
        let told = Told::at_start(&app, ctx);
        Ok(Self { app, frames: 0, ctx: ctx.clone(), listeners, told, motion: Motion::follow(ctx), chinese: false })
    }

    /// Carries out steps at the cursor.
    ///
    /// # Errors
    /// A sentence; then no step has been carried out.
    pub fn run(&mut self, steps: &str) -> Result<Vec<Event>, String> {
        let cpu = self.app.session().scenario.cpu;
        let steps = read_steps("steps", steps, &cpu).map_err(|error| error.to_string())?;
        let language = self.app.view().language;
        self.app.admit_steps(&steps).map_err(|reason| reason.say(language))?;
        let events = self.app.run_steps(&steps);
        self.told.skip(&self.app);
        self.ctx.request_repaint();
        Ok(events)
    }

    /// Opens something in place of what is open.
    ///
    /// # Errors
    /// A sentence; then everything is as it was.
    pub fn open(&mut self, opened: Opened) -> Result<(), String> {
        match opened {
            Opened::Scenario(session) => self.app.open(*session),
            Opened::Link(shared) => self.app.open_shared(*shared)?,
            Opened::Lesson(played) => {
                let (lesson, step) = *played;
                self.app.open_lesson(&lesson, step).map_err(|error| error.to_string())?;
            }
        }
        self.told.skip(&self.app);
        self.ctx.request_repaint();
        Ok(())
    }

    /// Says on the screen why something was not done.
    pub fn refuse(&mut self, sentence: &str) {
        self.app.say_refused(sentence);
        self.ctx.request_repaint();
    }

    /// Tells listeners, after this frame, what is new since the last one.
    fn tell(&mut self) {
        let events = self.told.events(&self.app);
        let messages = self.told.messages(&self.app, &self.ctx);
        let said = (self.app.session().engine(), self.app.view().language);
        self.listeners.tell_after_this_frame(events, messages, said);
    }
}

impl eframe::App for Page {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        self.app.follow_system_motion(self.motion.as_ref().is_some_and(Motion::is_reduced));
        self.app.logic(ctx, frame);
        if !self.chinese && self.app.view().language == Language::Zh {
            self.chinese = true;
            faces::fetch_chinese(ctx);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.app.ui(ui, frame);
        self.frames = self.frames.wrapping_add(1);
        self.tell();
    }

    fn as_any_mut(&mut self) -> Option<&mut dyn std::any::Any> {
        Some(self)
    }

    /// Called every now and then, and when the page is left or loses the keyboard: no frame is painted for it.
    fn save(&mut self, _: &mut dyn eframe::Storage) {
        self.app.keep_all();
    }

    fn auto_save_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Where things were scrolled to is not worth a write every second.
    fn persist_egui_memory(&self) -> bool {
        false
    }

    /// Opaque: nothing of the page shows through.
    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_opaque().to_normalized_gamma_f32()
    }

    fn raw_input_hook(&mut self, ctx: &egui::Context, input: &mut egui::RawInput) {
        self.app.raw_input_hook(ctx, input);
    }
}
