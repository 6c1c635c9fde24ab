//! The tab Lesson: what the step says and asks, and the way on.

use egui::{
    Align, Button, Color32, Frame, Id, Label, Layout, Margin, Panel, Response, RichText, Role, ScrollArea, Stroke, Ui,
    Vec2, WidgetInfo,
};

use super::desk::Player;
use super::goal;
use super::markdown::{line, markdown_ui};
use super::tour;
use super::wish::{LessonWish, lesson_after};
use crate::app::focus;
use crate::app::theme::{self, RADIUS, TEXT};
use crate::app::view::{AppCommand, ViewCx};
use crate::app::widgets::{flat_button, primary_button, segmented};
use crate::language::Language;
use crate::lesson::{Choice, LessonStep, StepKind, StepRecord, glossary, parse, plain};
use crate::tr;

/// Distance between two parts of a step, in points.
const GAP: f32 = 10.0;

/// Draws the step in view.
pub fn step_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let Some(player) = cx.lesson else { return };
    // The way on lies below the text, wherever the text has been scrolled to.
    let foot = Frame::new().fill(cx.tokens.panel).inner_margin(Margin { top: 8, ..Margin::ZERO });
    Panel::bottom("lesson: foot").resizable(false).frame(foot).show(ui, |ui| foot_ui(cx, ui, player));
    let lesson = player.session.lesson();
    let place = Id::unique(("lesson", &lesson.id, player.session.at()));
    note_opening(ui, place);
    focus::scroll(ScrollArea::vertical().id_salt(place).auto_shrink(false), ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        head_ui(cx, ui, player);
        ui.add_space(GAP);
        if player.session.in_sandbox() {
            sandbox_ui(cx, ui);
        } else {
            body_ui(cx, ui, player);
        }
        ui.add_space(GAP);
    });
}

/// Asks for something.
pub(super) fn send(cx: &ViewCx<'_>, wish: LessonWish) {
    cx.send(AppCommand::Lesson(wish));
}

/// The switch of the lessons' language.
pub(super) fn language_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let languages = Language::ALL.map(|language| (language, language.name()));
    if let Some(language) = segmented(ui, cx.tokens, tr!(cx, "Language"), &languages, cx.view.language) {
        cx.send(AppCommand::SetLanguage(language));
    }
}

/// The same where there is little room: the other language.
fn other_language_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    for language in Language::ALL.into_iter().filter(|language| *language != cx.view.language) {
        let link = flat_button(ui, cx.tokens, language.name());
        link.widget_info(|| {
            WidgetInfo::labeled(Role::Button, true, tr!(cx, "Language: {name}", name = language.name()))
        });
        if link.clicked() {
            cx.send(AppCommand::SetLanguage(language));
        }
    }
}

fn head_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language) = (cx.tokens, cx.view.language);
    let session = &player.session;
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        place_ui(cx, ui, player);
    });
    steps_ui(cx, ui, player);
    let title = RichText::new(session.lesson().title.get(language.id())).font(theme::bold(18.0)).color(t.strong);
    ui.add(Label::new(title).wrap());
}

fn place_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language, session) = (cx.tokens, cx.view.language, &player.session);
    if tour::place_ui(cx, ui, player, |ui| other_language_ui(cx, ui)) {
        return;
    }
    ui.horizontal(|ui| {
        let all = session.lesson().steps.len();
        let place = language.step(session.at() + 1, all, session.step().kind);
        ui.label(RichText::new(place).color(t.weak));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| other_language_ui(cx, ui));
    });
}

/// One mark a step: done, in view, or still to come.
fn steps_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let t = cx.tokens;
    let (steps, at) = (&player.session.record().steps, player.session.at());
    let (rect, _) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 8.0), egui::Sense::hover());
    let width = (rect.width() + 4.0) / steps.len() as f32;
    for (index, step) in steps.iter().enumerate() {
        let left = rect.left() + index as f32 * width;
        let height = if index == at { 6.0 } else { 3.0 };
        let size = Vec2::new((width - 4.0).max(1.0), height);
        let bar = egui::Rect::from_min_size(egui::pos2(left, rect.center().y - 0.5 * height), size);
        let color = match (index == at, step.done) {
            (true, _) => t.guest.line,
            (false, true) => t.shadow.line,
            (false, false) => t.border,
        };
        ui.painter().rect_filled(bar, 2, color);
    }
}

fn body_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language) = (cx.tokens, cx.view.language);
    let session = &player.session;
    let (step, record) = (session.step(), &session.record().steps[session.at()]);
    markdown_ui(ui, t, language, step.text.get(language.id()), &player.texts);
    ui.add_space(GAP);
    match step.kind {
        StepKind::Predict => choices_ui(cx, ui, player, step, record),
        // What is played has its button below, in sight wherever the text is.
        StepKind::Watch | StepKind::Change | StepKind::Construct | StepKind::Present => {}
    }
    if step.goal.is_some() {
        goal::goal_ui(cx, ui, player);
    }
    if session.is_last() && session.finished() {
        finished_ui(cx, ui, &session.lesson().id);
    }
}

fn play_ui(cx: &ViewCx<'_>, ui: &mut Ui, record: &StepRecord) {
    let (t, language) = (cx.tokens, cx.view.language);
    let played = ui.vertical_centered_justified(|ui| match record.done {
        true => ui.button(tr!(language, "Play again")),
        false => primary_button(ui, t, tr!(language, "Play")),
    });
    // The line of time has a button of that name, too.
    let played = played.inner.accessible_name(tr!(cx, "Play this step"));
    if played.clicked() {
        send(cx, LessonWish::Solution);
    }
}

fn choices_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player, step: &LessonStep, record: &StepRecord) {
    let (t, language) = (cx.tokens, cx.view.language);
    for (index, choice) in step.choices.iter().enumerate() {
        if choice_ui(cx, ui, choice, record.choice == Some(index)) {
            send(cx, LessonWish::Choose(index));
        }
    }
    let Some(choice) = record.choice.and_then(|index| step.choices.get(index)) else { return };
    let (hue, verdict) =
        if choice.right { (&t.shadow, tr!(language, "Right.")) } else { (&t.fault, tr!(language, "Not so.")) };
    ui.add_space(4.0);
    let shown = card(hue.tint, hue.edge).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(verdict).font(theme::bold(TEXT)).color(hue.text));
        markdown_ui(ui, t, language, choice.because.get(language.id()), &player.texts);
    });
    reveal(ui, "answer", record.choice.map_or(0, |index| index + 1), &shown.response);
    ui.add_space(4.0);
    let asked = if choice.right {
        primary_button(ui, t, tr!(language, "See what the machine does"))
    } else {
        ui.button(tr!(language, "See what the machine does"))
    };
    if asked.clicked() {
        send(cx, LessonWish::Solution);
    }
}

/// An answer over the whole width. Returns whether it was chosen now.
fn choice_ui(cx: &ViewCx<'_>, ui: &mut Ui, choice: &Choice, chosen: bool) -> bool {
    let (t, language) = (cx.tokens, cx.view.language);
    let hue = if choice.right { &t.shadow } else { &t.fault };
    let (fill, edge) = if chosen { (t.selected, hue.line) } else { (t.button, t.border) };
    let text = line(t, language, choice.text.get(language.id()), t.strong);
    let layout = Layout::top_down_justified(Align::LEFT);
    ui.with_layout(layout, |ui| {
        let button = Button::new(text).fill(fill).stroke(Stroke::new(1.0, edge)).wrap();
        let name = plain(&parse(choice.text.get(language.id())), |id| glossary().name(id, language.id()).to_owned());
        ui.add(button.min_size(Vec2::new(0.0, theme::wide(ui, theme::CONTROL + 4.0)))).accessible_name(name).clicked()
    })
    .inner
}

/// Scrolls to what has just appeared: its number is another than in the pass before.
pub(super) fn reveal(ui: &Ui, what: &str, number: usize, response: &Response) {
    let (id, pass) = (ui.scope_id().with(("reveal", what)), ui.ctx().cumulative_pass_nr());
    let before = ui.data_mut(|data| {
        let before = data.get_temp::<usize>(id).unwrap_or(0);
        data.insert_temp(id, number);
        before
    });
    // What was there when the step was opened is no news.
    let opened = ui.data(|data| data.get_temp::<u64>(Id::unique("lesson: opened"))).unwrap_or(pass);
    if number != before && pass > opened + 1 {
        response.scroll_to_me(None);
    }
}

/// Remembers when the step in view was opened.
fn note_opening(ui: &Ui, place: Id) {
    let pass = ui.ctx().cumulative_pass_nr();
    let (known, since) = (Id::unique("lesson: place"), Id::unique("lesson: opened"));
    ui.data_mut(|data| {
        if data.get_temp::<Id>(known) != Some(place) {
            data.insert_temp(known, place);
            data.insert_temp(since, pass);
        }
    });
}

/// A frame around what answers the learner.
pub(super) fn card(fill: Color32, edge: Color32) -> Frame {
    Frame::new().fill(fill).stroke(Stroke::new(1.0, edge)).corner_radius(RADIUS).inner_margin(Margin::symmetric(12, 9))
}

fn sandbox_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let (t, language) = (cx.tokens, cx.view.language);
    card(t.stale.tint, t.stale.edge).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(tr!(language, "Sandbox")).font(theme::bold(TEXT)).color(t.stale.text));
        ui.add(Label::new(RichText::new(tr!(language, "This is a copy of the machine. Everything is allowed and nothing is judged; the lesson waits where you left it.")).color(t.text)).wrap());
    });
    ui.add_space(4.0);
    if primary_button(ui, t, tr!(language, "Back to the lesson")).clicked() {
        send(cx, LessonWish::Sandbox(false));
    }
}

fn finished_ui(cx: &ViewCx<'_>, ui: &mut Ui, id: &str) {
    let (t, language) = (cx.tokens, cx.view.language);
    let Some(next) = lesson_after(id) else { return };
    ui.add_space(GAP);
    let text = format!("{}: {}", tr!(language, "Next"), next.title.get(language.id()));
    if primary_button(ui, t, &text).clicked() {
        send(cx, LessonWish::Open(next.id.clone()));
    }
}

fn foot_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let language = cx.view.language;
    let session = &player.session;
    if session.step().kind == StepKind::Watch && !session.in_sandbox() {
        play_ui(cx, ui, &session.record().steps[session.at()]);
    } else if session.step().goal.is_some() && !session.in_sandbox() {
        goal::actions_ui(cx, ui, player);
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = 9.0;
        if ui
            .add_enabled(session.at() > 0, Button::new(tr!(language, "Back")).min_size(theme::button_size(ui)))
            .clicked()
        {
            send(cx, LessonWish::Back);
        }
        let redo = Button::new(tr!(language, "Redo")).min_size(theme::button_size(ui));
        if ui.add(redo).on_hover_text(tr!(language, "Begin this step again with a new machine")).clicked() {
            send(cx, LessonWish::Redo);
        }
        let inside = session.in_sandbox();
        let sandbox = Button::new(tr!(language, "Sandbox")).selected(inside).min_size(theme::button_size(ui));
        if ui
            .add(sandbox)
            .on_hover_text(tr!(language, "A copy of this machine in which everything is allowed"))
            .clicked()
        {
            send(cx, LessonWish::Sandbox(!inside));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| next_ui(cx, ui, player));
    });
}

/// The way on, prominent once the step is done or asks for nothing.
fn next_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let language = cx.view.language;
    let session = &player.session;
    let step = session.step();
    let asks_nothing = step.kind == StepKind::Present && step.goal.is_none();
    let text = match session.is_last() {
        true => tr!(language, "Finish"),
        false if tour::is_last(cx, player) => tr!(cx, "Finish the tour"),
        false => tr!(language, "Next"),
    };
    let pressed = if session.record().steps[session.at()].done || asks_nothing {
        primary_button(ui, cx.tokens, text)
    } else {
        ui.add(Button::new(text).min_size(theme::button_size(ui)))
    };
    if pressed.clicked() {
        send(cx, LessonWish::Next);
    }
}
