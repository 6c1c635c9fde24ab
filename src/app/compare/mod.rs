//! The same commands through two to four engines side by side, on one clock.
//!
//! A column is an engine: what it did for the command in focus, as rows, and what the run has cost so
//! far. Lit is what not all engines shown did ([`deeds::lit`]). [`runs`] carries the commands out, the
//! other files paint. Time is that of the path in view: a command in focus is in focus for every
//! engine, and of a command that is shown in the middle each engine shows as many events.

mod column; // one engine
pub mod deeds; // what an engine did, and what sets it apart
pub mod engines; // engines as columns
mod meter; // what a run has cost
pub mod rows; // events into deeds
pub mod runs; // the engines on their way
pub mod transport; // time
mod wish; // what the view asks for
pub mod words; // rows into words

use std::sync::Arc;

use egui::text::LayoutJob;
use egui::{Align, Button, Color32, Galley, Layout, Rect, RichText, Ui, UiBuilder, pos2, vec2};

use super::focus;
use super::theme::{self, TEXT};
use super::view::{AppCommand, Screen, ViewCx};
use super::widgets::{button, segmented};
use crate::engine::EngineConfig;
use crate::{tr, word};

pub use runs::Runs;
pub use wish::{CompareView, CompareWish, columns};

/// Room between two columns, in points.
const GAP: f32 = 18.0;
/// Narrower columns, in points, are shown one at a time.
const LEAST: f32 = 212.0;
/// In less room, in points, a caption of the scenario has so many rows.
const NARROW: f32 = 600.0;
const CAPTION_ROWS: usize = 2;
/// A finger that moves so far to the side, in points, turns the page.
const SWIPE: f32 = 70.0;

/// Draws headline and columns in the room that `ui` has.
pub fn compare_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let engines = columns(cx.view, cx.session);
    let n = engines.len() as f32;
    let paged = (ui.available_width() - GAP * (n - 1.0)) / n < LEAST;
    ui.spacing_mut().item_spacing = vec2(8.0, 0.0);
    head_ui(cx, ui, &engines, paged);
    ui.add_space(if paged { 8.0 } else { 14.0 });
    let page = cx.view.compare.page.min(engines.len() - 1);
    if paged {
        pages_ui(cx, ui, &engines, page);
        ui.add_space(8.0);
    }
    let room = ui.available_rect_before_wrap();
    let scale = meter::Scale::of(cx);
    if paged {
        swipe(cx, ui, room, page, engines.len());
        let heads = column::Heads::of(cx, ui, &engines, room.width());
        column_in(cx, ui, room, (page, engines[page]), &scale, heads);
        return;
    }
    // On whole points, so that equal words end their lines alike.
    let width = ((room.width() - GAP * (n - 1.0)) / n).floor();
    let heads = column::Heads::of(cx, ui, &engines, width);
    for (at, engine) in engines.iter().enumerate() {
        let left = room.left().round() + (width + GAP) * at as f32;
        let rect = Rect::from_min_size(pos2(left, room.top()), vec2(width, room.height()));
        column_in(cx, ui, rect, (at, *engine), &scale, heads);
    }
    ui.allocate_rect(room, egui::Sense::hover());
}

fn column_in(
    cx: &ViewCx<'_>,
    ui: &mut Ui,
    rect: Rect,
    (at, engine): (usize, EngineConfig),
    scale: &meter::Scale,
    heads: column::Heads,
) {
    let builder = UiBuilder::new().max_rect(rect).id_salt(("column", engine.to_string()));
    ui.scope_builder(builder, |ui| column::column_ui(cx, ui, at, engine, scale, heads));
}

/// What is compared, and the way to one engine more.
fn head_ui(cx: &ViewCx<'_>, ui: &mut Ui, engines: &[EngineConfig], paged: bool) {
    let t = cx.tokens;
    let size = if paged { 16.0 } else { 20.0 };
    let title = cx.tr(match engines.len() {
        2 => word!("Same commands, two engines"),
        3 => word!("Same commands, three engines"),
        _ => word!("Same commands, four engines"),
    });
    let message = match (&cx.view.notice, &cx.view.said) {
        (Some(notice), _) => Some((notice.as_str(), t.fault.text)),
        (None, Some(said)) => Some((said.as_str(), t.shadow.text)),
        (None, None) => None,
    };
    let row = vec2(ui.available_width(), theme::control(ui) + 2.0);
    let beside = ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
        add_ui(cx, ui, engines);
        let title_row = ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.label(RichText::new(title).font(theme::bold(size)).color(t.strong));
            if paged {
                return false;
            }
            ui.add_space(8.0);
            let fits =
                |(text, color): (&str, _)| text_of(ui, text, color, f32::INFINITY).size().x < ui.available_width();
            let beside = message.filter(|message| fits(*message));
            let (text, color) = beside.unwrap_or((subtitle(cx), t.weak));
            ui.add(egui::Label::new(RichText::new(text).font(theme::plain(TEXT)).color(color)).truncate());
            beside.is_some()
        });
        title_row.inner
    });
    if paged {
        ui.label(RichText::new(subtitle(cx)).font(theme::plain(TEXT)).color(t.weak));
    }
    below_ui(cx, ui, message.filter(|_| !beside.inner));
}

/// Below the headline: a message that has no room beside it, in whole, or what the scenario says of this moment.
/// All that it says at any moment has the same room, so that nothing jumps from step to step.
fn below_ui(cx: &ViewCx<'_>, ui: &mut Ui, message: Option<(&str, Color32)>) {
    let (width, weak) = (ui.available_width(), cx.tokens.weak);
    let rows = if width < NARROW { CAPTION_ROWS } else { 1 };
    let row = ui.fonts_mut(|fonts| fonts.row_height(&theme::plain(TEXT)));
    let captions = if cx.session.captions.is_empty() { 0.0 } else { rows as f32 * row.ceil() };
    let shown = match message {
        Some((text, color)) => Some(text_of(ui, text, color, width)),
        None => cx.session.caption_in_force().map(|caption| {
            let text = cx.session.told(caption, cx.language());
            let mut job = LayoutJob::simple(text, theme::plain(TEXT), weak, width);
            job.wrap.max_rows = rows;
            ui.painter().layout_job(job)
        }),
    };
    let height = shown.as_ref().map_or(0.0, |galley| galley.size().y).max(captions);
    if height > 0.0 {
        let (rect, response) = ui.allocate_exact_size(vec2(width, height + 4.0), egui::Sense::hover());
        if let Some(galley) = shown {
            let text = galley.job.text.clone();
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &text));
            if galley.elided {
                response.on_hover_text(text);
            }
            ui.painter().galley(rect.min + vec2(0.0, 2.0), galley, weak);
        }
    }
}

fn text_of(ui: &Ui, text: &str, color: Color32, width: f32) -> Arc<Galley> {
    ui.painter().layout(text.to_owned(), theme::plain(TEXT), color, width)
}

/// What is lit.
fn subtitle(cx: &ViewCx<'_>) -> &'static str {
    let columns = cx.runs.columns();
    let same = columns.iter().all(|column| !column.lit.contains(&true));
    match () {
        () if cx.session.lab.is_empty() => tr!(cx, "no command yet"),
        () if columns.is_empty() => tr!(cx, "the engines are on their way"),
        () if cx.command().is_none() => tr!(cx, "before the first command"),
        () if same => tr!(cx, "all of them do the same here"),
        () => tr!(cx, "only differences are lit"),
    }
}

fn add_ui(cx: &ViewCx<'_>, ui: &mut Ui, engines: &[EngineConfig]) {
    let full = engines.len() >= engines::MOST;
    ui.add_enabled_ui(!full, |ui| {
        let button = Button::new(tr!(cx, "Add engine")).min_size(theme::button_size(ui));
        let (response, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
            focus::menu_ui(ui, |ui| {
                for engine in engines::free(cx.session.config(), engines) {
                    if ui.button(engines::title(cx.language(), engine)).clicked() {
                        cx.send(AppCommand::Compare(CompareWish::Add(engine)));
                        ui.close();
                    }
                }
            });
        });
        if full {
            response.on_disabled_hover_text(tr!(cx, "Four engines are as many as have room"));
        }
    });
}

/// Which column is in view, where there is room for one.
fn pages_ui(cx: &ViewCx<'_>, ui: &mut Ui, engines: &[EngineConfig], page: usize) {
    let names: Vec<(usize, &str)> =
        engines.iter().enumerate().map(|(at, engine)| (at, cx.tr(engines::short(engine.name)))).collect();
    ui.horizontal(|ui| {
        if let Some(page) = segmented(ui, cx.tokens, tr!(cx, "Engine in view"), &names, page) {
            cx.send(AppCommand::Compare(CompareWish::Page(page)));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if button(ui, tr!(cx, "Explore")).clicked() {
                cx.send(AppCommand::Show(Screen::Explore));
            }
        });
    });
}

/// A finger that moves to the side brings the next column into view.
fn swipe(cx: &ViewCx<'_>, ui: &Ui, room: Rect, page: usize, pages: usize) {
    let id = egui::Id::unique("compare: where the finger came down");
    let (pressed, released, at) = ui.input(|input| {
        let pointer = &input.pointer;
        (pointer.any_pressed(), pointer.any_released(), pointer.interact_pos())
    });
    let Some(at) = at else { return };
    if pressed && room.contains(at) {
        ui.data_mut(|data| data.insert_temp(id, at));
    }
    if !released {
        return;
    }
    let Some(from) = ui.data_mut(|data| data.remove_temp::<egui::Pos2>(id)) else { return };
    let moved = at - from;
    if moved.x.abs() < SWIPE || moved.x.abs() < 2.0 * moved.y.abs() {
        return;
    }
    let next = if moved.x < 0.0 { page + 1 } else { page.wrapping_sub(1) };
    if next < pages {
        cx.send(AppCommand::Compare(CompareWish::Page(next)));
    }
}
