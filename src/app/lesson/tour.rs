//! The tour of a first visit: the first steps of a lesson, two minutes. It can be left at any step and
//! goes on there.

use egui::{RichText, Role, Ui, WidgetInfo};

use super::desk::Player;
use super::step::send;
use super::wish::LessonWish;
use crate::app::App;
use crate::app::view::ViewCx;
use crate::app::widgets::flat_button;
use crate::lesson::{self, Tour};
use crate::scenario::StartError;
use crate::tr;

/// The words of the button that begins the tour or goes on with it; `None` once it is over.
#[must_use]
pub fn tour_button(cx: &ViewCx<'_>) -> Option<&'static str> {
    lesson::tour()?;
    match cx.progress.tour() {
        Tour::Offered | Tour::Skipped => Some(tr!(cx, "Take the tour: two minutes")),
        Tour::Begun => Some(tr!(cx, "Go on with the tour")),
        Tour::Done => None,
    }
}

/// How far the tour has come, while it goes on; with the room that the way out needs behind it.
pub(super) fn place(cx: &ViewCx<'_>, player: &Player) -> Option<String> {
    Some(format!("{} · {}", words(cx, player)?, tr!(cx, "Skip")))
}

fn words(cx: &ViewCx<'_>, player: &Player) -> Option<String> {
    let (step, all) = cx.progress.tour_step(player.session.lesson(), player.session.at())?;
    Some(tr!(cx, "Tour, step {step} of {all}", step = step, all = all))
}

/// In the place of the step's number, while the tour goes on: how far it has come, and the way out.
/// Returns whether it does.
pub(super) fn place_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) -> bool {
    let Some(place) = words(cx, player) else { return false };
    ui.spacing_mut().item_spacing.x = 4.0;
    ui.label(RichText::new(place).color(cx.tokens.strong));
    ui.label(RichText::new("·").color(cx.tokens.weak));
    let skip = flat_button(ui, cx.tokens, tr!(cx, "Skip"));
    skip.widget_info(|| WidgetInfo::labeled(Role::Button, true, tr!(cx, "Skip the tour")));
    if skip.on_hover_text(tr!(cx, "To your own machine; the tour waits among the lessons")).clicked() {
        send(cx, LessonWish::SkipTour);
    }
    true
}

/// Whether the step in view is the last of the tour.
pub(super) fn is_last(cx: &ViewCx<'_>, player: &Player) -> bool {
    cx.progress.tour_step(player.session.lesson(), player.session.at()).is_some_and(|(step, all)| step == all)
}

impl App {
    /// Begins the tour, or goes on with it where it was left.
    ///
    /// # Errors
    /// [`StartError`]; what was in front stays there.
    pub fn begin_tour(&mut self) -> Result<(), StartError> {
        let Some(lesson) = lesson::tour() else { return Ok(()) };
        let step = self.progress.tour_start(lesson);
        self.open_lesson(lesson, Some(step))?;
        self.progress.set_tour(Tour::Begun);
        Ok(())
    }

    /// Leaves the tour for what was explored before it.
    pub(super) fn skip_tour(&mut self) {
        self.progress.set_tour(Tour::Skipped);
        self.put_lesson_aside();
    }

    /// Whether going on from the step in view ends the tour.
    pub(super) fn tour_ends_here(&self) -> bool {
        let here = self.lesson().map(|player| (player.session.lesson(), player.session.at()));
        let step = here.and_then(|(lesson, at)| self.progress.tour_step(lesson, at));
        step.is_some_and(|(step, all)| step == all)
    }

    /// Says where the visitor stands at the end of the tour.
    pub(super) fn end_tour(&mut self) {
        self.progress.set_tour(Tour::Done);
        let language = self.view.language;
        let words = tr!(language, "That was the tour. The lesson goes on here; Explore leads to a machine of your own");
        self.view.said = Some(words.to_owned());
    }
}
