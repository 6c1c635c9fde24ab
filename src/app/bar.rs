//! The bar: what the window shows, its title, language, theme and text size.

use egui::containers::menu::MenuButton;
use egui::text::LayoutJob;
use egui::{Align, Button, Color32, Label, Layout, RichText, Role, Stroke, Ui, Vec2, WidgetInfo};

use super::Theme;
use super::actions::Action;
use super::theme::{self, TEXT};
use super::view::{AppCommand, Screen, ViewCx};
use super::widgets::button;
use super::{files, focus};
use crate::language::Language;
use crate::tr;

/// Text sizes that A− and A+ step through.
const SCALES: std::ops::RangeInclusive<f32> = 0.8..=2.0;
/// How much a press changes the size.
const SCALE_STEP: f32 = 0.1;
/// Width of the way to every action, in points.
const PALETTE: f32 = 264.0;
/// In a window less wide than this, in points, it has one word and the key.
const PALETTE_FROM: f32 = 1440.0;
/// In one less wide than this the key alone, and a link is made by key or from the palette.
const SEARCH_FROM: f32 = 1100.0;
/// With less room than this, in points, a title says nothing.
const LEAST_TITLE: f32 = 60.0;
/// A title that is too long for one row takes two.
const TITLE_ROWS: usize = 2;

/// Draws the bar. `narrow` leaves out what a telephone has no room for.
pub fn bar_ui(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let t = cx.tokens;
    ui.horizontal_centered(|ui| {
        if !narrow {
            ui.label(RichText::new("mmuscope").font(theme::bold(16.0)).color(t.strong));
            ui.add_space(8.0);
            ui.spacing_mut().item_spacing.x = 4.0;
            explore_ui(cx, ui);
            if part(cx, ui, tr!(cx, "Compare"), comparing(cx)) {
                cx.send(AppCommand::Show(Screen::Compare));
            }
            if part(cx, ui, tr!(cx, "Lessons"), cx.lesson.is_some() && !comparing(cx)) {
                Action::Lessons.send(cx);
            }
            let text = RichText::new(tr!(cx, "Present")).color(t.text);
            let tab = Button::new(text).fill(Color32::TRANSPARENT).stroke(Stroke::NONE);
            ui.add_enabled(false, tab).on_disabled_hover_text(tr!(cx, "In a later version"));
            ui.add_space(12.0);
            let presets = Button::new(RichText::new(format!("{} ▾", tr!(cx, "Presets"))).color(t.text))
                .min_size(theme::button_size(ui));
            if ui.add(presets).on_hover_text(tr!(cx, "Machines to begin with (P)")).clicked() {
                Action::Presets.send(cx);
            }
            files::file_menu(cx, ui);
            ui.add_space(8.0);
        } else {
            ui.spacing_mut().item_spacing.x = 4.0;
            menu(cx, ui);
            if part(cx, ui, tr!(cx, "Lessons"), cx.lesson.is_some()) {
                Action::Lessons.send(cx);
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            theme_and_size(cx, ui, narrow);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                if !narrow && ui.available_width() >= LEAST_TITLE {
                    title_ui(cx, ui);
                }
            });
        });
    });
}

/// What a telephone has no room for beside each other.
fn menu(cx: &ViewCx<'_>, ui: &mut Ui) {
    let text = RichText::new(format!("{} ▾", tr!(cx, "Menu"))).color(cx.tokens.text);
    let button = Button::new(text).min_size(theme::button_size(ui));
    MenuButton::from_button(button).ui(ui, |ui| {
        focus::menu_ui(ui, |ui| {
            let on = cx.lesson.is_none() && !comparing(cx);
            if ui.add_enabled(!on, Button::new(tr!(cx, "Explore"))).clicked() {
                Action::Explore.send(cx);
                ui.close();
            }
            let actions = [
                Action::Compare,
                Action::Presets,
                Action::Open,
                Action::Paste,
                Action::Save,
                Action::Share,
                Action::LargerText,
                Action::SmallerText,
                Action::Shortcuts,
                Action::ResetLayout,
            ];
            for action in actions {
                let enabled = match action {
                    Action::Compare => !comparing(cx),
                    Action::LargerText => scaled(cx, SCALE_STEP).is_some(),
                    Action::SmallerText => scaled(cx, -SCALE_STEP).is_some(),
                    _ => true,
                };
                if ui.add_enabled(enabled, Button::new(action.text(cx.language()))).clicked() {
                    action.send(cx);
                    ui.close();
                }
            }
        });
    });
}

/// The text size a step away, if there is one.
fn scaled(cx: &ViewCx<'_>, step: f32) -> Option<f32> {
    let wanted = ((cx.view.text_scale + step) * 10.0).round() / 10.0;
    Some(wanted).filter(|wanted| SCALES.contains(wanted))
}

fn comparing(cx: &ViewCx<'_>) -> bool {
    cx.view.screen == Screen::Compare
}

/// Leads back to the machine that is explored, as it was left.
fn explore_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let on = cx.lesson.is_none() && !comparing(cx);
    if part(cx, ui, tr!(cx, "Explore"), on) && !on {
        Action::Explore.send(cx);
    }
}

/// A part of the program. Returns whether it was asked for.
fn part(cx: &ViewCx<'_>, ui: &mut Ui, name: &str, on: bool) -> bool {
    let t = cx.tokens;
    let (fill, color) = if on { (t.selected, t.strong) } else { (Color32::TRANSPARENT, t.text) };
    let text = RichText::new(name).color(color);
    let button = Button::new(text).fill(fill).stroke(Stroke::NONE).min_size(theme::button_size(ui));
    ui.add(button).clicked()
}

fn theme_and_size(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    ui.spacing_mut().item_spacing.x = 6.0;
    language_button(cx, ui);
    let (sign, next) = match cx.tokens.theme {
        Theme::Dark => ("☾", Theme::Light),
        Theme::Light => ("☀", Theme::HighContrast),
        Theme::HighContrast => ("◔", Theme::Projector),
        Theme::Projector => ("■", Theme::Dark),
    };
    let (now, next_name) = (cx.tokens.theme.name(cx.language()), next.name(cx.language()));
    let name = tr!(cx, "{now} theme; next: {next}", now = now, next = next_name);
    if button(ui, sign).on_hover_text(&name).accessible_name(name).clicked() {
        cx.send(AppCommand::SetTheme(next));
    }
    let sizes = [("A+", Action::LargerText, SCALE_STEP), ("A−", Action::SmallerText, -SCALE_STEP)];
    for (text, action, step) in sizes.into_iter().filter(|_| !narrow) {
        let response = ui.add_enabled_ui(scaled(cx, step).is_some(), |ui| button(ui, text)).inner;
        let name = action.text(cx.language());
        if response.on_hover_text(&name).accessible_name(name).clicked() {
            action.send(cx);
        }
    }
    if window_width(ui) >= SEARCH_FROM {
        let share = button(ui, tr!(cx, "Share"));
        if share.on_hover_text(tr!(cx, "A link to what is shown")).clicked() {
            Action::Share.send(cx);
        }
    }
    palette_button(cx, ui, narrow);
}

/// Switches to the next language.
fn language_button(cx: &ViewCx<'_>, ui: &mut Ui) {
    let at = Language::ALL.iter().position(|language| *language == cx.language()).unwrap_or(0);
    let next = Language::ALL[(at + 1) % Language::ALL.len()];
    let name = Action::Language(next).text(cx.language());
    if button(ui, next.name()).on_hover_text(&name).accessible_name(name).clicked() {
        Action::Language(next).send(cx);
    }
}

/// What is on show.
fn title<'a>(cx: &ViewCx<'a>) -> &'a str {
    let title = cx.session.scenario.title.get(cx.language().id());
    if title.is_empty() { &cx.session.scenario.id } else { title }
}

fn window_width(ui: &Ui) -> f32 {
    ui.ctx().content_rect().width()
}

fn title_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let (text, t) = (title(cx), cx.tokens);
    let mut job = LayoutJob::simple(text.to_owned(), theme::plain(TEXT), t.text, ui.available_width());
    job.wrap.max_rows = TITLE_ROWS;
    let galley = ui.painter().layout_job(job);
    let cut = galley.elided;
    let response = ui.add(Label::new(galley));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
    if cut {
        response.on_hover_text(text);
    }
}

/// The way to every action.
fn palette_button(cx: &ViewCx<'_>, ui: &mut Ui, narrow: bool) {
    let t = cx.tokens;
    let key = Action::Palette.key_text(ui.ctx());
    // By the window alone: it keeps its place whatever is opened.
    let (text, width) = match window_width(ui) {
        _ if narrow => ("⌘".to_owned(), 0.0),
        PALETTE_FROM.. => (format!("{}   {key}", Action::Palette.text(cx.language())), PALETTE),
        SEARCH_FROM.. => (format!("{}   {key}", tr!(cx, "Search")), 0.0),
        _ => (key, 0.0),
    };
    let text = RichText::new(text).color(t.weak);
    let height = theme::control(ui);
    let button = Button::new(text).fill(t.stage).min_size(Vec2::new(height.max(width), height));
    let response = ui.add(button).on_hover_text(tr!(cx, "Every action, with its key"));
    if response.accessible_name(tr!(cx, "Open the command palette")).clicked() {
        Action::Palette.send(cx);
    }
}
