//! What the program around the app asks of it: the page's script, or a page that it is embedded in.

use egui::{Align, Button, Label, Layout, OpenUrl, RichText, Ui, Vec2};

use super::App;
use super::theme::{self, CONTROL, TEXT};
use super::view::{AppCommand, ViewCx};
use crate::lesson::CannotRun;
use crate::machine::Command;
use crate::scenario::{Step, StepKind};
use crate::tr;

impl App {
    /// Asks whether steps may be carried out: a step of a lesson allows what it says.
    ///
    /// # Errors
    /// [`CannotRun`].
    pub fn admit_steps(&mut self, steps: &[Step]) -> Result<(), CannotRun> {
        let command = |step: &Step| match &step.kind {
            StepKind::Command(command) => Some(command.clone()),
            _ => None,
        };
        let commands: Vec<Command> = steps.iter().filter_map(command).collect();
        self.session.admit(&commands)
    }

    /// Says on the screen why something was not done.
    pub fn say_refused(&mut self, sentence: &str) {
        self.view.notice = Some(sentence.to_owned());
    }

    /// Opens what is shown in a page of its own, beside the page that this one is embedded in.
    pub(super) fn open_full(&mut self, ctx: &egui::Context) {
        match self.session.link_to_step().map_or_else(|| self.link(), Ok) {
            Ok(link) => ctx.open_url(OpenUrl::new_tab(self.files.platform.page_address() + &link)),
            Err(reason) => self.view.notice = Some(reason.to_string()),
        }
    }
}

/// The bar of an embedded page: the title, and the way to a page of its own.
pub fn bar_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    ui.horizontal_centered(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let text = RichText::new(tr!(cx, "Open in a page of its own")).color(t.guest.text);
            if ui.add(Button::new(text).fill(t.panel).min_size(Vec2::new(0.0, CONTROL))).clicked() {
                cx.send(AppCommand::OpenFull);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let scenario = &cx.session.scenario;
                let own = scenario.title.get(cx.language().id());
                let of_lesson = cx.lesson.map(|player| player.session.lesson().title.get(cx.language().id()));
                let title = of_lesson.unwrap_or(if own.is_empty() { &scenario.id } else { own });
                let title = RichText::new(title).font(theme::bold(TEXT)).color(t.strong);
                ui.add(Label::new(title).truncate());
            });
        });
    });
}
