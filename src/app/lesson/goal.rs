//! The goal of a step: what is reached, what is missing, help, and what the way has cost.

use egui::{Align, Button, Label, Layout, Link, RichText, Role, Ui, WidgetInfo};

use super::desk::Player;
use super::markdown::{line, markdown_ui};
use super::step::{card, key_of, reveal, send};
use super::wish::LessonWish;
use crate::app::actions::Action;
use crate::app::theme::{self, TEXT};
use crate::app::view::{AppCommand, Selection, Tab, ViewCx};
use crate::app::widgets::heading;
use crate::lesson::{Part, Score};
use crate::tr;

/// Draws goal, feedback, hints and score.
pub fn goal_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language) = (cx.tokens, cx.view.language);
    let judgement = &player.judgement;
    ui.horizontal(|ui| {
        heading(ui, t, tr!(language, "Goal"));
        if let Some(progress) = judgement.progress(language.id()) {
            ui.label(RichText::new(progress).color(t.weak));
        }
        if judgement.met == Some(true) {
            ui.label(RichText::new(tr!(language, "Reached.")).font(theme::bold(TEXT)).color(t.shadow.text));
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
    hints_ui(cx, ui, player);
    score_ui(cx, ui, player);
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

/// So far, the best, par.
fn score_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language) = (cx.tokens, cx.view.language);
    let session = &player.session;
    let (step, record) = (session.step(), &session.record().steps[session.at()]);
    // A way that was shown is nobody's score.
    let own = player.judgement.met == Some(true) && !record.solution_shown;
    if let Some(par) = step.par {
        let far = |score: Score, reached: bool| language.par(score.over(par), reached);
        let so_far = player.judgement.score;
        let row = |name: &str, score: Score, far: String| {
            let far = if far.is_empty() { far } else { format!(" · {far}") };
            format!("{name}: {}{far}", language.score(score))
        };
        let [now, best, at_par] = language.score_rows();
        let mut rows = vec![row(now, so_far, far(so_far, own))];
        rows.extend(record.best.map(|score| row(best, score, far(score, true))));
        rows.push(row(at_par, Score { writes: par.writes, steps: par.steps }, String::new()));
        for row in rows {
            ui.add(Label::new(RichText::new(row).color(t.weak)).wrap());
        }
    }
}

/// What can be done towards the goal: edit the selected entry, take a hint, see the solution.
pub fn actions_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (language, session) = (cx.view.language, &player.session);
    let (taken, all) = (session.hints(language.id()).len(), session.hints_there_are());
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.spacing_mut().button_padding.x = 9.0;
        let size = theme::button_size(ui);
        if let Selection::Entry { .. } | Selection::Table { .. } | Selection::PdpteRegister(_) = cx.view.selection {
            let edit = Button::new(tr!(language, "Edit the entry")).min_size(size);
            let tip = Action::Tab(Tab::Inspect).tip(ui.ctx(), language);
            if ui.add(edit).on_hover_text(tip).clicked() {
                cx.send(AppCommand::OpenTab(Tab::Inspect));
            }
        }
        // A page has no bits to edit: what is stored to it is typed.
        let stores = ["poke", "write"].into_iter().any(|op| session.step().allows(op));
        if stores && matches!(cx.view.selection, Selection::Page(_)) {
            let store = Button::new(tr!(cx, "Store to memory")).min_size(size);
            if ui.add(store).clicked() {
                cx.send(AppCommand::OpenTab(Tab::Inspect));
            }
        }
        if taken < all {
            let (words, key) = (language.hint(taken + 1, all), key_of(ui, Action::LessonHint));
            let hint = Button::new(&words).min_size(size);
            let hint = if key.is_empty() { hint } else { hint.right_text(RichText::new(key).color(cx.tokens.weak)) };
            let hint = ui.add(hint).accessible_name(words);
            if hint.on_hover_text(Action::LessonHint.tip(ui.ctx(), language)).clicked() {
                send(cx, LessonWish::Hint);
            }
        } else if !session.step().solution.is_empty() {
            let solution = Button::new(tr!(language, "Show the solution")).min_size(size);
            if ui.add(solution).clicked() {
                send(cx, LessonWish::Solution);
            }
        }
    });
}

/// The hints that were taken, one after the other, and whether the solution was shown.
fn hints_ui(cx: &ViewCx<'_>, ui: &mut Ui, player: &Player) {
    let (t, language) = (cx.tokens, cx.view.language);
    let session = &player.session;
    let (taken, all) = (session.hints(language.id()), session.hints_there_are());
    for (index, hint) in taken.iter().enumerate() {
        let shown = card(t.stage, t.border).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.label(RichText::new(language.hint(index + 1, all)).color(t.weak));
            markdown_ui(ui, t, language, hint, &player.texts);
        });
        if index + 1 == taken.len() {
            reveal(ui, "hint", taken.len(), &shown.response);
        }
    }
    let shown = session.record().steps[session.at()].solution_shown;
    if shown {
        let label = ui.add(
            Label::new(
                RichText::new(tr!(
                    language,
                    "The solution is in the timeline. What you did is kept as another branch."
                ))
                .color(t.weak),
            )
            .wrap(),
        );
        reveal(ui, "solution", usize::from(shown), &label);
    }
}

/// The goal in one line, above the other tabs of the drawer: what the work there is for, and the way back
/// to the step.
pub fn goal_strip_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let Some(player) = cx.lesson.filter(|player| !player.session.in_sandbox()) else { return };
    let (t, language) = (cx.tokens, cx.view.language);
    let judgement = &player.judgement;
    let Some(part) = judgement.parts.iter().find(|part| !part.met).or(judgement.parts.last()) else { return };
    let (mark, hue) = if judgement.met == Some(true) { ("✓", &t.shadow) } else { ("○", &t.guest) };
    let progress = judgement.progress(language.id()).map(|progress| format!(" {progress}")).unwrap_or_default();
    card(hue.tint, hue.edge).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let title = format!("{mark} {}{progress}", tr!(language, "Goal"));
        ui.horizontal(|ui| {
            ui.label(RichText::new(title).font(theme::bold(TEXT)).color(hue.text));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let name = tr!(language, "Back to the lesson");
                let back = ui.add(Link::new(RichText::new(name).color(hue.text)));
                back.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
                if back.clicked() {
                    cx.send(AppCommand::OpenTab(Tab::Lesson));
                }
            });
        });
        let text = if judgement.met == Some(true) { tr!(language, "Reached.") } else { &part.text };
        let height = |text: &str| {
            let mut job = line(t, language, text, t.strong);
            job.wrap.max_width = ui.available_width();
            ui.painter().layout_job(job).size().y
        };
        // As high as the longest of them, so that what is below does not move as they are reached.
        let highest = judgement.parts.iter().map(|part| height(&part.text)).fold(0.0, f32::max);
        let rest = (highest - height(text)).max(0.0);
        ui.add(Label::new(line(t, language, text, t.strong)).wrap());
        ui.add_space(rest);
        // Beside the bits of an entry it stands below the line of time: here it would move them.
        if let Some(feedback) = judgement.feedback.as_ref().filter(|_| cx.view.tab != Tab::Inspect) {
            markdown_ui(ui, t, language, feedback, &player.texts);
        }
    });
    ui.add_space(8.0);
}
