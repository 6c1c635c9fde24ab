//! Every lesson by level, with what is done; and the progress as text.

use egui::{Align, Button, Id, Label, Layout, RichText, ScrollArea, TextEdit, Ui};

use super::step::{language_ui, send};
use super::tour::tour_button;
use super::wish::LessonWish;
use crate::app::theme::{self, PAD};
use crate::app::view::ViewCx;
use crate::app::widgets::{ListRow, heading, primary_button};
use crate::app::{focus, menu};
use crate::lesson::{Lesson, library};
use crate::tr;

/// Draws the list. Returns whether it is to be closed: a lesson was opened.
pub fn list_ui(cx: &ViewCx<'_>, ui: &mut Ui) -> bool {
    let (t, language) = (cx.tokens, cx.view.language);
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!(language, "Lessons")).font(theme::bold(18.0)).color(t.strong));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| language_ui(cx, ui));
    });
    ui.add(
        Label::new(
            RichText::new(tr!(
                language,
                "Predict, change, build: the machine is the judge. Five to twelve minutes each."
            ))
            .color(t.text),
        )
        .wrap(),
    );
    ui.add_space(6.0);
    let (mut opened, mut toured) = (None, false);
    if let Some(next) = cx.progress.next(library()) {
        let begun = cx.progress.get(&next.id).is_some_and(|record| record.done() > 0);
        let verb = if begun { tr!(language, "Go on") } else { tr!(language, "Begin") };
        ui.horizontal_wrapped(|ui| {
            let begin = primary_button(ui, t, &format!("{verb}: {}", next.title.get(language.id())));
            // Enter begins, Tab goes on to the list.
            if !ui.ctx().viewport(|viewport| viewport.prev_pass.widgets.contains(begin.id)) {
                begin.request_focus();
            }
            if begin.clicked() {
                opened = Some(next);
            }
            if let Some(text) = tour_button(cx)
                && plain(ui, text)
            {
                send(cx, LessonWish::Tour);
                toured = true;
            }
            if cx.lesson.is_some() && plain(ui, tr!(language, "Explore without a lesson")) {
                send(cx, LessonWish::Explore);
            }
        });
        ui.add_space(6.0);
    }
    // What stands below takes its room first; it is known from the pass before.
    let foot = Id::unique("lessons: height of the foot");
    let below = ui.data(|data| data.get_temp::<f32>(foot)).unwrap_or(120.0);
    let room = (ui.available_height() - below).max(3.0 * theme::row(ui));
    focus::scroll(ScrollArea::vertical().max_height(room).auto_shrink([false, true]), ui, |ui| {
        // The bar of a long list lies beside the rows, not on them.
        ui.set_width(ui.available_width() - PAD);
        opened = lessons_ui(cx, ui).or(opened);
    });
    let top = ui.cursor().top();
    ui.add_space(8.0);
    ui.separator();
    progress_ui(cx, ui);
    let height = ui.min_rect().bottom() - top;
    if (height - below).abs() > 0.5 {
        ui.data_mut(|data| data.insert_temp(foot, height));
        ui.ctx().request_repaint();
    }
    if let Some(lesson) = opened {
        send(cx, LessonWish::Open(lesson.id.clone()));
    }
    opened.is_some() || toured
}

fn lessons_ui<'a>(cx: &ViewCx<'a>, ui: &mut Ui) -> Option<&'a Lesson> {
    let (t, language) = (cx.tokens, cx.view.language);
    let mut opened = None;
    let mut level = None;
    for (index, lesson) in library().iter().enumerate() {
        if level != Some(lesson.level) {
            ui.add_space(if level.is_some() { 8.0 } else { 0.0 });
            heading(ui, t, language.level(lesson.level));
            level = Some(lesson.level);
        }
        if lesson_ui(cx, ui, Some(index + 1), lesson) {
            opened = Some(lesson);
        }
    }
    let others: Vec<&Lesson> = cx.other_lessons().collect();
    if !others.is_empty() {
        ui.add_space(8.0);
        heading(ui, t, tr!(language, "From a file"));
    }
    for lesson in others {
        if lesson_ui(cx, ui, None, lesson) {
            opened = Some(lesson);
        }
    }
    opened
}

/// A row: number, title; progress, or what should be done first and is not; minutes.
fn lesson_ui(cx: &ViewCx<'_>, ui: &mut Ui, number: Option<usize>, lesson: &Lesson) -> bool {
    let (t, language) = (cx.tokens, cx.view.language);
    let finished = cx.progress.finished(lesson);
    let record = cx.progress.get(&lesson.id);
    let done = record.map_or(0, |record| record.done());
    let missing: Vec<usize> = cx
        .progress
        .missing_before(lesson, library())
        .into_iter()
        .filter_map(|missing| library().iter().position(|other| other.id == missing.id))
        .map(|index| index + 1)
        .collect();
    let state = match done {
        _ if finished => format!("✓ {}", tr!(language, "done")),
        0 if missing.is_empty() => String::new(),
        0 => language.after(&missing),
        _ => language.of(done, lesson.steps.len()),
    };
    let number = number.map(|number| format!("{number}. ")).unwrap_or_default();
    let left = format!("{number}{}", lesson.title.get(language.id()));
    let minutes = language.minutes(lesson.minutes);
    let right = if state.is_empty() { minutes } else { format!("{state} · {minutes}") };
    let selected = cx.lesson.is_some_and(|player| player.session.lesson().id == lesson.id);
    let color = finished.then_some(t.shadow.text);
    let response = ListRow { left: &left, right: &right, color, selected }.show(ui, t);
    let response = response.on_hover_text(lesson.summary.get(language.id()));
    menu::open(&response, |ui| {
        if ui.add_enabled(record.is_some(), Button::new(tr!(language, "Begin this lesson anew"))).clicked() {
            send(cx, LessonWish::Forget(lesson.id.clone()));
            ui.close();
        }
    });
    response.clicked()
}

/// Progress as text: to the clipboard and back; and forgetting it, asked twice.
fn progress_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let (t, language) = (cx.tokens, cx.view.language);
    ui.add(
        Label::new(
            RichText::new(tr!(language, "Your progress is kept on this device. As text it can be taken elsewhere."))
                .color(t.weak),
        )
        .wrap(),
    );
    let (text_id, sure_id) = (Id::unique("lessons: pasted"), Id::unique("lessons: forget"));
    let mut pasted = ui.data(|data| data.get_temp::<String>(text_id)).unwrap_or_default();
    let mut sure = ui.data(|data| data.get_temp::<bool>(sure_id)).unwrap_or_default();
    ui.horizontal_wrapped(|ui| {
        if plain(ui, tr!(language, "Copy progress")) {
            send(cx, LessonWish::Export);
        }
        let width = (ui.available_width() - 110.0).clamp(120.0, 260.0);
        let edit = TextEdit::singleline(&mut pasted)
            .hint_text(tr!(language, "Paste copied progress here"))
            .desired_width(width);
        let edit = edit.margin(egui::Margin::symmetric(8, 6)).char_limit(1_000_000);
        ui.add(edit).accessible_name(tr!(language, "Paste copied progress here"));
        let ready = !pasted.trim().is_empty();
        if ui.add_enabled(ready, Button::new(tr!(language, "Take over")).min_size(theme::button_size(ui))).clicked() {
            send(cx, LessonWish::Import(std::mem::take(&mut pasted)));
        }
        if !sure {
            sure = plain(ui, tr!(language, "Forget progress"));
        } else if plain(ui, tr!(language, "Forget all of it")) {
            send(cx, LessonWish::ForgetAll);
            sure = false;
        } else if plain(ui, tr!(language, "Keep it")) {
            sure = false;
        }
    });
    for (text, color) in [(&cx.view.said, t.shadow.text), (&cx.view.notice, t.fault.text)] {
        if let Some(text) = text {
            ui.add(Label::new(RichText::new(text).color(color)).wrap());
        }
    }
    ui.data_mut(|data| {
        data.insert_temp(text_id, pasted);
        data.insert_temp(sure_id, sure);
    });
}

fn plain(ui: &mut Ui, text: &str) -> bool {
    ui.add(Button::new(text).min_size(theme::button_size(ui))).clicked()
}
