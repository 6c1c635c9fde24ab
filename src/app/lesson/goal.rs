//! The goal of a step: what is reached, what is missing, help, and what the way has cost.

use egui::{Label, RichText, Role, Ui, WidgetInfo};

use super::desk::Player;
use super::markdown::{line, markdown_ui};
use super::step::{card, send};
use super::wish::LessonWish;
use crate::app::theme::{self, TEXT};
use crate::app::view::{AppCommand, Selection, Tab, ViewCx};
use crate::app::widgets::{heading, primary_button};
use crate::lesson::{Part, Score};

/// Draws goal, feedback, hints and score.
pub fn goal_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language) = (cx.tokens, cx.view.language);
    let words = language.words();
    let judgement = &player.judgement;
    ui.horizontal(|ui| {
        heading(ui, t, words.goal);
        if let Some(progress) = judgement.progress(language.id()) {
            ui.label(RichText::new(progress).color(t.weak));
        }
        if judgement.met == Some(true) {
            ui.label(RichText::new(words.reached).font(theme::bold(TEXT)).color(t.shadow.text));
        }
    });
    for part in &judgement.parts {
        part_ui(cx, ui, part);
    }
    if let Some(feedback) = &judgement.feedback {
        ui.add_space(4.0);
        card(t.stale.tint, t.stale.edge).show(ui, |ui| {
            ui.set_width(ui.available_width());
            markdown_ui(ui, t, language, feedback, &player.texts);
        });
    }
    ui.add_space(6.0);
    score_ui(cx, ui, player);
    hints_ui(cx, ui, player);
}

fn part_ui(cx: &ViewCx<'_>, ui: &mut Ui, part: &Part) {
    let (t, language) = (cx.tokens, cx.view.language);
    ui.horizontal_top(|ui| {
        let (mark, color) = if part.met { ("✓", t.shadow.text) } else { ("○", t.weak) };
        ui.label(RichText::new(mark).font(theme::bold(TEXT)).color(color));
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.add(Label::new(line(t, language, &part.text, t.strong)).wrap());
            if let Some(now) = &part.now {
                ui.add(Label::new(RichText::new(language.now(now)).color(t.weak)).wrap());
            }
        });
    });
}

/// So far, the best, par; and where an entry can be edited.
fn score_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language) = (cx.tokens, cx.view.language);
    let session = &player.session;
    let (step, record) = (session.step(), &session.record().steps[session.at()]);
    let reached = player.judgement.met == Some(true);
    if let Some(par) = step.par {
        let far = |score: Score, reached: bool| language.par(score.over(par), reached);
        let so_far = player.judgement.score;
        let row = |name: &str, score: Score, far: String| {
            let far = if far.is_empty() { far } else { format!(" · {far}") };
            format!("{name}: {}{far}", language.score(score))
        };
        let [now, best, at_par] = language.score_rows();
        let mut rows = vec![row(now, so_far, far(so_far, reached))];
        rows.extend(record.best.map(|score| row(best, score, far(score, true))));
        rows.push(row(at_par, Score { writes: par.writes, steps: par.steps }, String::new()));
        for row in rows {
            ui.add(Label::new(RichText::new(row).color(t.weak)).wrap());
        }
        ui.add_space(4.0);
    }
    if let Selection::Entry { .. } | Selection::Table { .. } = cx.view.selection {
        let words = language.words();
        let button = if reached { ui.button(words.edit_entry) } else { primary_button(ui, t, words.edit_entry) };
        if button.clicked() {
            cx.send(AppCommand::OpenTab(Tab::Inspect));
        }
        ui.add_space(4.0);
    }
}

/// The hints that were taken, one after the other; the next one; then the solution.
fn hints_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language) = (cx.tokens, cx.view.language);
    let words = language.words();
    let session = &player.session;
    let (taken, all) = (session.hints(language.id()), session.hints_there_are());
    for (index, hint) in taken.iter().enumerate() {
        card(t.stage, t.border).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.label(RichText::new(language.hint(index + 1, all)).color(t.weak));
            markdown_ui(ui, t, language, hint, &player.texts);
        });
    }
    let record = &session.record().steps[session.at()];
    if taken.len() < all {
        if ui.button(language.hint(taken.len() + 1, all)).clicked() {
            send(cx, LessonWish::Hint);
        }
    } else if !session.step().solution.is_empty() && ui.button(words.show_solution).clicked() {
        send(cx, LessonWish::Solution);
    }
    if record.solution_shown {
        ui.add(Label::new(RichText::new(words.solution_shown).color(t.weak)).wrap());
    }
}

/// The goal in one line, above the other tabs of the drawer: what the work there is for. A press
/// leads back to the step.
pub fn goal_strip_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let Some(player) = cx.lesson.filter(|player| !player.session.in_sandbox()) else { return };
    let (t, language) = (cx.tokens, cx.view.language);
    let judgement = &player.judgement;
    let Some(part) = judgement.parts.iter().find(|part| !part.met).or(judgement.parts.last()) else { return };
    let (mark, hue) = if judgement.met == Some(true) { ("✓", &t.shadow) } else { ("○", &t.guest) };
    let progress = judgement.progress(language.id()).map(|progress| format!(" {progress}")).unwrap_or_default();
    let strip = card(hue.tint, hue.edge).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let title = format!("{mark} {}{progress}", language.words().goal);
        ui.label(RichText::new(title).font(theme::bold(TEXT)).color(hue.text));
        ui.add(Label::new(line(t, language, &part.text, t.strong)).wrap());
        if let Some(feedback) = &judgement.feedback {
            markdown_ui(ui, t, language, feedback, &player.texts);
        }
    });
    let name = language.words().to_lesson;
    let response = strip.response.interact(egui::Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    if response.on_hover_text(name).clicked() {
        cx.send(AppCommand::OpenTab(Tab::Lesson));
    }
    ui.add_space(8.0);
}
