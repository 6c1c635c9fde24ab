//! The tab Lesson: what the step says and asks, and the way on.

use egui::{
    Align, Align2, Button, Color32, Frame, Id, Label, Layout, Margin, Panel, Rect, Response, RichText, Role,
    ScrollArea, Stroke, Ui, Vec2, WidgetInfo,
};

use super::desk::Player;
use super::goal;
use super::markdown::{line, markdown_terms_ui, markdown_text_ui, markdown_ui};
use super::tour;
use super::wish::{LessonWish, is_seen, lesson_after};
use crate::app::actions::Action;
use crate::app::focus;
use crate::app::theme::{self, RADIUS, TEXT};
use crate::app::view::{AppCommand, ViewCx};
use crate::app::widgets::{flat_button, primary_button, segmented};
use crate::language::Language;
use crate::lesson::{Choice, LessonStep, StepKind, StepRecord, glossary, parse, plain};
use crate::tr;

/// Distance between two parts of a step, in points.
const GAP: f32 = 10.0;
/// A line at the fold fades over so many points: about one and a half.
const FADE: f32 = 26.0;
/// So much of what is asked may lie below the fold before a button leads there, in points.
const HIDDEN: f32 = 12.0;
/// For so many passes what has appeared is scrolled to.
const REVEALED: u64 = 2;

/// Draws the step in view.
pub fn step_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let Some(player) = cx.lesson else { return };
    // The way on lies below the text, wherever the text has been scrolled to.
    let foot = Frame::new().fill(cx.tokens.panel).inner_margin(Margin { top: 8, ..Margin::ZERO });
    let (asked, hidden) = (Id::unique("lesson: to what is asked"), Id::unique("lesson: what is asked lies below"));
    let (is_below, since) = ui.data(|data| data.get_temp::<(bool, u64)>(hidden)).unwrap_or_default();
    let pass = ui.ctx().cumulative_pass_nr();
    Panel::bottom("lesson: foot").resizable(false).frame(foot).show(ui, |ui| {
        if is_below && to_task_ui(cx, ui, player) {
            ui.data_mut(|data| data.insert_temp(asked, true));
            ui.ctx().request_repaint();
        }
        foot_ui(cx, ui, player);
    });
    let lesson = player.session.lesson();
    let place = Id::unique(("lesson", &lesson.id, player.session.at()));
    note_opening(ui, place);
    // A text that goes on below the fold is to be seen to do so.
    let scroll = &mut ui.spacing_mut().scroll;
    (scroll.dormant_handle_opacity, scroll.active_handle_opacity, scroll.foreground_color) = (0.7, 0.9, true);
    scroll.floating_width = scroll.floating_width.max(5.0);
    scroll.floating_allocated_width = scroll.floating_width + 4.0;
    (scroll.fade.strength, scroll.fade.size) = (1.0, FADE);
    let wanted = ui.data_mut(|data| data.remove_temp::<bool>(asked)).is_some();
    let shown = focus::scroll(ScrollArea::vertical().id_salt(place).auto_shrink(false), ui, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.scope(|ui| head_ui(cx, ui, player));
        ui.add_space(0.5 * GAP);
        let task = if player.session.in_sandbox() {
            sandbox_ui(cx, ui);
            None
        } else {
            body_ui(cx, ui, player)
        };
        if let Some(task) = task.filter(|_| wanted) {
            ui.scroll_to_rect(task, None);
        }
        ui.add_space(GAP);
        task
    });
    let below = shown.inner.is_some_and(|task| task.bottom() > shown.inner_rect.bottom() + HIDDEN);
    // The foot takes its new height in the pass after it has changed.
    let settled = pass > since + 1;
    if below != is_below && settled {
        ui.data_mut(|data| data.insert_temp(hidden, (below, pass)));
    }
    if below != is_below {
        ui.ctx().request_repaint();
    }
}

/// Leads to what is asked where that lies below the fold. Returns whether it was pressed.
fn to_task_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) -> bool {
    let (words, name) = match player.session.step().kind {
        StepKind::Predict => (tr!(cx, "Answers"), tr!(cx, "To the answers")),
        _ => (tr!(cx, "Goal"), tr!(cx, "To the goal")),
    };
    let link = ui.vertical_centered(|ui| flat_button(ui, cx.tokens, &format!("▾ {words}"))).inner;
    link.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    link.clicked()
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

/// The title and where one is, in one row where both fit: a low window has few rows for the text.
fn head_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let title = player.session.lesson().title.get(cx.view.language.id());
    let title = RichText::new(title).font(theme::bold(TEXT + 1.0)).color(cx.tokens.strong);
    let width = |text: RichText| {
        let text = egui::WidgetText::from(text);
        text.into_galley(ui, Some(egui::TextWrapMode::Extend), f32::INFINITY, egui::TextStyle::Body).size().x
    };
    let place = width(RichText::new(place(cx, player)));
    let touched = theme::is_touch(ui.ctx()) && tour::place(cx, player).is_some();
    let one_row = !touched && width(title.clone()) + place + 2.0 * GAP < ui.available_width();
    // A row is as high as what is pressed in it: what stands before that is not moved any more.
    let height = if touched { theme::control(ui) } else { 20.0 };
    ui.spacing_mut().interact_size.y = 0.0;
    if !one_row {
        ui.add(Label::new(title.clone()).wrap());
    }
    let row = Vec2::new(ui.available_width(), height);
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
        if one_row {
            ui.label(title);
            ui.add_space((ui.available_width() - place - 4.0).max(0.0));
        }
        place_ui(cx, ui, player);
    });
    steps_ui(cx, ui, player);
}

/// Where one is, in words.
fn place(cx: &ViewCx<'_>, player: &Player) -> String {
    let session = &player.session;
    tour::place(cx, player)
        .unwrap_or_else(|| cx.view.language.step(session.at() + 1, session.lesson().steps.len(), session.step().kind))
}

fn place_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    if !tour::place_ui(cx, ui, player) {
        ui.label(RichText::new(place(cx, player)).color(cx.tokens.weak));
    }
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
        let bar = Rect::from_min_size(egui::pos2(left, rect.center().y - 0.5 * height), size);
        let color = match (index == at, step.done) {
            (true, _) => t.guest.line,
            (false, true) => t.shadow.line,
            (false, false) => t.border,
        };
        ui.painter().rect_filled(bar, 2, color);
    }
}

/// Draws what the step says and asks. Returns where that lies which is to be done next.
fn body_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) -> Option<Rect> {
    let (t, language) = (cx.tokens, cx.view.language);
    let session = &player.session;
    let (step, record) = (session.step(), &session.record().steps[session.at()]);
    markdown_text_ui(ui, t, language, step.text.get(language.id()), &player.texts);
    ui.add_space(GAP);
    let mut task = None;
    match step.kind {
        StepKind::Predict => {
            let answers = choices_ui(cx, ui, player, step, record);
            task = Some(answers).filter(|_| record.choice.is_none());
        }
        // What is played has its button below, in sight wherever the text is.
        StepKind::Watch | StepKind::Change | StepKind::Construct | StepKind::Present => {}
    }
    if step.goal.is_some() {
        let goal = ui.scope(|ui| goal::goal_ui(cx, ui, player)).response.rect;
        task = task.or_else(|| Some(goal).filter(|_| player.judgement.met != Some(true)));
    }
    markdown_terms_ui(ui, t, language, step.text.get(language.id()), &player.texts);
    if session.is_last() && session.finished() {
        finished_ui(cx, ui, &session.lesson().id);
    }
    task
}

/// The key of an action behind the words of its button: `None` for a finger.
pub(super) fn key_of(ui: &Ui, action: Action) -> String {
    if theme::is_touch(ui.ctx()) { String::new() } else { action.key_text(ui.ctx()) }
}

/// What a step waits for, over the whole width of the foot: words, and at the right the key.
fn wide_button(cx: &ViewCx<'_>, ui: &mut Ui, text: &str, name: &str, prominent: bool) -> Response {
    let t = cx.tokens;
    let color = if prominent { t.on_primary } else { t.text };
    let font = if prominent { theme::bold(TEXT) } else { theme::plain(TEXT) };
    let key = key_of(ui, Action::LessonOn);
    let button = Button::new(RichText::new(text).font(font).color(color)).min_size(theme::button_size(ui));
    let button = if prominent { button.fill(t.primary).stroke(Stroke::NONE) } else { button };
    let response = ui.vertical_centered_justified(|ui| ui.add(button)).inner;
    if prominent && !key.is_empty() {
        let at = response.rect.right_center() - Vec2::new(10.0, 0.0);
        ui.painter().text(at, Align2::RIGHT_CENTER, key, theme::plain(TEXT), color);
    }
    response.accessible_name(name)
}

fn play_ui(cx: &ViewCx<'_>, ui: &mut Ui, record: &StepRecord) {
    let text = if record.done { tr!(cx, "Play again") } else { tr!(cx, "Play") };
    // The line of time has a button of that name, too.
    if wide_button(cx, ui, text, tr!(cx, "Play this step"), !record.done).clicked() {
        send(cx, LessonWish::Solution);
    }
}

/// Draws the answers, and what was said to the one that was chosen. Returns where the answers lie.
fn choices_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player, step: &LessonStep, record: &StepRecord) -> Rect {
    let (t, language) = (cx.tokens, cx.view.language);
    let answers = ui.scope(|ui| {
        for (index, choice) in step.choices.iter().enumerate() {
            if choice_ui(cx, ui, index, choice, record.choice == Some(index)) {
                send(cx, LessonWish::Choose(index));
            }
        }
    });
    let answers = answers.response.rect;
    let Some(choice) = record.choice.and_then(|index| step.choices.get(index)) else { return answers };
    let (hue, verdict) =
        if choice.right { (&t.shadow, tr!(language, "Right.")) } else { (&t.fault, tr!(language, "Not so.")) };
    ui.add_space(4.0);
    let shown = card(hue.tint, hue.edge).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(verdict).font(theme::bold(TEXT)).color(hue.text));
        markdown_ui(ui, t, language, choice.because.get(language.id()), &player.texts);
        // What the machine does can be seen from the foot; seen once, it is here to be seen again.
        if is_seen(&player.session) {
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new(format!("✓ {}", tr!(cx, "Seen"))).color(t.weak));
                if flat_button(ui, t, tr!(cx, "Play again")).clicked() {
                    send(cx, LessonWish::Solution);
                }
            });
        }
    });
    // What was seen is told in the same card.
    let told = record.choice.map_or(0, |index| 2 * (index + 1) + usize::from(is_seen(&player.session)));
    reveal(ui, "answer", told, &shown.response);
    answers
}

/// An answer over the whole width, its key at the right. Returns whether it was chosen now.
fn choice_ui(cx: &ViewCx<'_>, ui: &mut Ui, index: usize, choice: &Choice, chosen: bool) -> bool {
    let (t, language) = (cx.tokens, cx.view.language);
    let hue = if choice.right { &t.shadow } else { &t.fault };
    let (fill, edge) = if chosen { (t.selected, hue.line) } else { (t.button, t.border) };
    let text = line(t, language, choice.text.get(language.id()), t.strong);
    let key = u8::try_from(index).map(|index| key_of(ui, Action::LessonAnswer(index))).unwrap_or_default();
    let layout = Layout::top_down_justified(Align::LEFT);
    ui.with_layout(layout, |ui| {
        // The key is to cost the words no line.
        ui.spacing_mut().button_padding.x = if key.is_empty() { 12.0 } else { 7.0 };
        let button = Button::new(text).fill(fill).stroke(Stroke::new(1.0, edge)).wrap();
        let button =
            if key.is_empty() { button } else { button.right_text(RichText::new(&key).size(TEXT - 1.0).color(t.weak)) };
        let name = plain(&parse(choice.text.get(language.id())), |id| glossary().name(id, language.id()).to_owned());
        ui.add(button.min_size(Vec2::new(0.0, theme::wide(ui, theme::CONTROL + 4.0)))).accessible_name(name).clicked()
    })
    .inner
}

/// Scrolls to what has just appeared: its number is another than a few passes before. What lies below the
/// text takes its room in the pass after.
pub(super) fn reveal(ui: &Ui, what: &str, number: usize, response: &Response) {
    let (id, pass) = (ui.scope_id().with(("reveal", what)), ui.ctx().cumulative_pass_nr());
    let since = ui.data_mut(|data| {
        let (known, since) = data.get_temp::<(usize, u64)>(id).unwrap_or((0, 0));
        let since = if known == number { since } else { pass };
        data.insert_temp(id, (number, since));
        since
    });
    // What was there when the step was opened is no news.
    let opened = ui.data(|data| data.get_temp::<u64>(Id::unique("lesson: opened"))).unwrap_or(pass);
    if number > 0 && pass <= since + REVEALED && since > opened + 1 {
        response.scroll_to_me(None);
        ui.ctx().request_repaint();
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
    let waits = is_unseen(player);
    if waits {
        let text = tr!(cx, "See what the machine does");
        if wide_button(cx, ui, text, text, true).clicked() {
            send(cx, LessonWish::Solution);
        }
    } else if session.step().kind == StepKind::Watch && !session.in_sandbox() {
        play_ui(cx, ui, &session.record().steps[session.at()]);
    } else if session.step().goal.is_some() && !session.in_sandbox() {
        goal::actions_ui(cx, ui, player);
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        // The longest way on has its gap, too.
        ui.spacing_mut().button_padding.x = if tour::is_last(cx, player) { 7.0 } else { 9.0 };
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
        // What the machine does comes before what is next.
        if !waits {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| next_ui(cx, ui, player));
        }
    });
}

/// Whether a question was answered and what the machine does was not looked at.
fn is_unseen(player: &Player) -> bool {
    let session = &player.session;
    let answered = session.record().steps[session.at()].choice.is_some();
    session.step().kind == StepKind::Predict && !session.in_sandbox() && answered && !is_seen(session)
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
    let key = Action::LessonOn.key_text(ui.ctx());
    if pressed.on_hover_text(tr!(cx, "To the next step ({key})", key = key)).clicked() {
        send(cx, LessonWish::Next);
    }
}
