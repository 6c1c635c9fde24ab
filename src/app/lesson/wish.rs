//! What the lessons' screen asks for, and how it is done.

use crate::app::App;
use crate::app::view::{AppCommand, Overlay, Tab, ViewCx, ViewState};
use crate::language::Language;
use crate::lesson::{self, Lesson, StepKind, library};
use crate::scenario::StartError;
use crate::tr;

/// What a view of the lessons wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LessonWish {
    /// Opens the lesson of that id, where it was left.
    Open(String),
    /// Begins the tour of a first visit, or goes on with it.
    Tour,
    /// Leaves the tour.
    SkipTour,
    /// Puts the lesson aside: what was explored before is in front again.
    Explore,
    /// To the step before.
    Back,
    /// To the next step; after the last one the list.
    Next,
    /// Begins the step again.
    Redo,
    /// Chooses an answer, from 0.
    Choose(usize),
    /// Takes the next hint.
    Hint,
    /// Plays the solution into the timeline.
    Solution,
    /// To a copy of the machine, and back.
    Sandbox(bool),
    /// Forgets what was done in a lesson, and closes it.
    Forget(String),
    /// Forgets everything.
    ForgetAll,
    /// Puts the progress on the clipboard.
    Export,
    /// Adds progress that was exported.
    Import(String),
}

impl App {
    /// Does what a view of the lessons asked for.
    pub(in crate::app) fn apply_lesson(&mut self, ctx: &egui::Context, wish: LessonWish) {
        let done = match wish {
            LessonWish::Open(id) => self.open_by_id(&id),
            LessonWish::Tour => self.begin_tour(),
            LessonWish::SkipTour => {
                self.skip_tour();
                Ok(())
            }
            LessonWish::Explore => {
                self.put_lesson_aside();
                Ok(())
            }
            LessonWish::Back => self.turn(lesson::Session::back),
            LessonWish::Next => self.next_step(),
            LessonWish::Redo => self.redo_step(),
            LessonWish::Sandbox(enter) => {
                self.sandbox(enter);
                Ok(())
            }
            LessonWish::Choose(_) | LessonWish::Hint | LessonWish::Solution => {
                self.act_in_step(&wish);
                Ok(())
            }
            LessonWish::Forget(_) | LessonWish::ForgetAll | LessonWish::Export | LessonWish::Import(_) => {
                self.apply_to_progress(ctx, wish);
                Ok(())
            }
        };
        if let Err(reason) = done {
            self.view.notice = Some(reason.say(self.view.language));
        }
    }

    /// Opens a lesson at a step, from 0, or where it was left.
    ///
    /// # Errors
    /// [`StartError`]; what was in front stays there.
    pub fn open_lesson(&mut self, lesson: &Lesson, step: Option<usize>) -> Result<(), StartError> {
        let record = self.progress.get(&lesson.id);
        self.session.play(lesson, record, &self.view, self.view.language.id())?;
        if let (Some(step), Some(player)) = (step, self.session.player_mut()) {
            player.session.go(step)?;
        }
        self.enter_step();
        Ok(())
    }

    fn open_by_id(&mut self, id: &str) -> Result<(), StartError> {
        let open = self.session.players().map(|player| player.session.lesson()).find(|lesson| lesson.id == id).cloned();
        match open.or_else(|| lesson::by_id(id).cloned()) {
            Some(lesson) => self.open_lesson(&lesson, None),
            None => Ok(()),
        }
    }

    /// Leaves the step in view for another of the same lesson.
    fn turn(&mut self, go: impl FnOnce(&mut lesson::Session) -> Result<(), StartError>) -> Result<(), StartError> {
        let Some(player) = self.session.player_mut() else { return Ok(()) };
        player.keep_view(&self.view);
        go(&mut player.session)?;
        self.enter_step();
        Ok(())
    }

    fn next_step(&mut self) -> Result<(), StartError> {
        let Some(player) = self.session.player_mut().filter(|player| player.session.is_last()) else {
            let tour_ends = self.tour_ends_here();
            self.turn(lesson::Session::forward)?;
            if tour_ends {
                self.end_tour();
            }
            return Ok(());
        };
        player.session.finish_if_nothing_is_asked();
        self.follow_lesson();
        self.view.overlay = Some(Overlay::Lessons);
        Ok(())
    }

    fn redo_step(&mut self) -> Result<(), StartError> {
        let Some(player) = self.session.player_mut() else { return Ok(()) };
        player.session.redo()?;
        player.forget_view();
        let (id, step) = (player.session.lesson().id.clone(), player.session.at());
        self.undo.forget(Some(&id), Some(step));
        self.enter_step();
        Ok(())
    }

    fn sandbox(&mut self, enter: bool) {
        let Some(player) = self.session.player_mut() else { return };
        if enter {
            player.session.leave_to_sandbox();
        } else {
            player.session.return_to_lesson();
        }
        self.view.tab = Tab::Lesson;
        self.start_changed();
    }

    fn act_in_step(&mut self, wish: &LessonWish) {
        if *wish == LessonWish::Solution {
            if let Some(player) = self.session.player_mut() {
                player.session.return_to_lesson();
            }
            self.as_edit(|app| app.session.player_mut().map(|player| player.session.play_solution()));
            self.lab_changed();
            return;
        }
        let language = self.view.language.id();
        let Some(player) = self.session.player_mut() else { return };
        match wish {
            LessonWish::Choose(index) => {
                player.session.choose(*index, language);
            }
            _ => {
                player.session.take_hint(language);
            }
        }
        self.lab_changed();
    }

    /// Switches the language of everything on the screen.
    pub fn speak(&mut self, language: Language) {
        self.view.language = language;
        self.follow_lesson();
    }

    fn apply_to_progress(&mut self, ctx: &egui::Context, wish: LessonWish) {
        let language = self.view.language;
        match wish {
            LessonWish::Forget(id) => {
                self.files.forgot = true;
                self.progress.reset(&id);
                self.close_lessons(Some(&id));
            }
            LessonWish::ForgetAll => {
                self.files.forgot = true;
                self.progress.reset_all();
                self.close_lessons(None);
            }
            LessonWish::Export => {
                ctx.copy_text(self.progress.export());
                self.view.said = Some(tr!(language, "Your progress is on the clipboard").to_owned());
            }
            LessonWish::Import(text) => match self.progress.import("progress", &text) {
                Ok(brought) => {
                    self.session.learn_of(|id| self.progress.get(id));
                    self.view.said = Some(language.imported(brought.lessons, brought.newly_done));
                }
                Err(reason) => self.view.notice = Some(reason.to_string()),
            },
            _ => {}
        }
    }

    fn close_lessons(&mut self, id: Option<&str>) {
        self.undo.forget(id, None);
        if self.session.close(id) {
            self.put_lesson_aside();
            self.view.overlay = Some(Overlay::Lessons);
        }
    }

    /// Puts what was explored in front, as it was viewed.
    pub(super) fn put_lesson_aside(&mut self) {
        if let Some(player) = self.session.player_mut() {
            player.keep_view(&self.view);
        }
        let view = self.session.put_aside().unwrap_or_else(|| ViewState::of(&self.session));
        self.show_view(view);
    }

    /// Shows the step in view of the lesson in front.
    fn enter_step(&mut self) {
        if let Some(player) = self.session.player() {
            let view = player.view();
            self.show_view(view);
        }
    }

    fn show_view(&mut self, view: ViewState) {
        self.view = ViewState { overlay: None, notice: None, said: None, ..view.with_settings_of(&self.view) };
        self.start_changed();
    }

    /// Judges the lesson in front and keeps its record.
    pub(in crate::app) fn follow_lesson(&mut self) {
        let language = self.view.language.id();
        if let Some(player) = self.session.player_mut() {
            player.follow(language);
            self.progress.set(&player.session.lesson().id, player.session.record().clone());
        }
    }
}

/// What leads on in the step in view, or why nothing does: play it, see what the machine does, the next
/// step. What the key of "go on" asks for.
///
/// # Errors
/// A sentence that says what is to be done first.
pub fn on_wish(cx: &ViewCx<'_>) -> Result<LessonWish, &'static str> {
    let Some(player) = cx.lesson else { return Err(tr!(cx, "No lesson is open: Shift L lists them")) };
    let session = &player.session;
    if session.in_sandbox() {
        return Ok(LessonWish::Sandbox(false));
    }
    let record = &session.record().steps[session.at()];
    match session.step().kind {
        StepKind::Watch if !record.done => Ok(LessonWish::Solution),
        StepKind::Predict if record.choice.is_none() => {
            Err(tr!(cx, "Choose an answer first: 1 is the first, 2 the second"))
        }
        StepKind::Predict if !is_seen(session) => Ok(LessonWish::Solution),
        StepKind::Change | StepKind::Construct if !record.done => Err(tr!(cx, "Reach the goal first: H takes a hint")),
        _ => Ok(LessonWish::Next),
    }
}

/// Whether something was done in the step in view: what was predicted has been looked at. Somebody who has
/// stepped back since has seen it all the same.
pub(super) fn is_seen(session: &lesson::Session) -> bool {
    session.current().lab.len() > session.first_own_command()
}

/// The command that opens the list.
#[must_use]
pub const fn open_list() -> AppCommand {
    AppCommand::Overlay(Some(Overlay::Lessons))
}

/// The lesson after this one, in the order in which they are taught.
#[must_use]
pub fn lesson_after(id: &str) -> Option<&'static Lesson> {
    let at = library().iter().position(|lesson| lesson.id == id)?;
    library().get(at + 1)
}
