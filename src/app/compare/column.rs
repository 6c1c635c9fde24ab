//! One engine: its head, what it did for the command in focus, and what the run has cost.

use egui::{
    Align2, Button, Color32, CornerRadius, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2,
    WidgetInfo, pos2, vec2,
};

use super::meter::{self, Scale};
use super::rows::Row;
use super::runs::Column;
use super::wish::{CompareWish, columns};
use super::{engines, words};
use crate::app::elide::{cut, fit};
use crate::app::focus;
use crate::app::theme::{self, Hue, RADIUS_SMALL, TEXT};
use crate::app::view::{AppCommand, ViewCx};
use crate::engine::{EngineConfig, EngineName};
use crate::explain;
use crate::tr;

/// Height of the head, in points.
const HEAD: f32 = 68.0;
/// Height of a row, and of a row with the room below it, in points.
const ROW: f32 = 36.0;
const PITCH: f32 = 42.0;
/// Distance from the card's border to what it holds, in points.
const PAD: f32 = 16.0;
/// Corners of the card, in points.
const CORNER: u8 = 10;
/// Lower cards, in points, have rows that stand closer.
const LOW: f32 = 430.0;
/// Less wide rows, in points, have smaller words closer to the border.
const TIGHT: f32 = 320.0;
/// Size of text in a narrow column, in points.
const SMALL: f32 = 12.0;

/// Draws a column over the whole room of `ui`.
pub fn column_ui(cx: &ViewCx<'_>, ui: &mut Ui, at: usize, engine: EngineConfig, scale: &Scale) {
    let (t, card) = (cx.tokens, ui.max_rect());
    let hue = engines::hue(t, engine.name);
    let head = Rect::from_min_size(card.min, vec2(card.width(), HEAD));
    let foot = Rect::from_min_max(pos2(card.left(), card.bottom() - meter::HEIGHT), card.max);
    ui.painter().rect_filled(card, CORNER, t.card);
    let upper = CornerRadius { nw: CORNER, ne: CORNER, sw: 0, se: 0 };
    ui.painter().rect_filled(head, upper, hue.tint);
    ui.painter().hline(card.x_range(), foot.top(), Stroke::new(1.0, t.border));
    ui.painter().rect_stroke(card, CORNER, Stroke::new(1.0, hue.edge), StrokeKind::Inside);
    head_ui(cx, ui, head.shrink2(vec2(PAD + 2.0, 0.0)), at, engine);
    let room = Rect::from_min_max(head.left_bottom(), foot.right_top())
        .shrink2(vec2(if card.width() < TIGHT { 0.5 * PAD } else { PAD }, 0.0));
    ui.scope_builder(UiBuilder::new().max_rect(room).id_salt("rows"), |ui| body_ui(cx, ui, engine));
    ui.scope_builder(UiBuilder::new().max_rect(foot.shrink2(vec2(PAD + 2.0, 0.0))).id_salt("meter"), |ui| {
        meter::meter_ui(cx, ui, engine, scale);
    });
}

fn head_ui(cx: &ViewCx<'_>, ui: &mut Ui, room: Rect, at: usize, engine: EngineConfig) {
    let (t, hue) = (cx.tokens, engines::hue(cx.tokens, engine.name));
    let title = engines::title(cx.language(), engine);
    let gist = match engine.switches.listed().next() {
        Some(switch) => switch.meaning,
        None => cx.tr(engines::gist(engine.name)),
    };
    let side = theme::wide(ui, 28.0);
    let buttons = vec2(2.0 * side + 8.0, side);
    let corner = Rect::from_min_size(
        pos2(room.right() - buttons.x + 6.0, room.top() + theme::wide(ui, 36.0) - 28.0 - (side - 28.0)),
        buttons,
    );
    let width = corner.left() - room.left() - 8.0;
    let name = fit(ui.painter(), &title, [theme::bold(17.0), theme::bold(13.0)], hue.text, width);
    let gist = cut(ui.painter(), gist, theme::plain(TEXT), t.weak, if side > 28.0 { width } else { room.width() });
    let (name_at, gist_at) = (pos2(room.left(), room.top() + 13.0), pos2(room.left(), room.top() + 37.0));
    let text = Rect::from_min_max(room.min, pos2(corner.left(), room.bottom()));
    let response = ui.interact(text, ui.scope_id().with("name"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &title));
    ui.painter().galley(name_at, name, hue.text);
    ui.painter().galley(gist_at, gist, t.weak);
    response.on_hover_text(format!("{title}\n{}", crate::app::engines::meaning(engine.name, cx.language())));
    ui.scope_builder(UiBuilder::new().max_rect(corner).id_salt("buttons"), |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.spacing_mut().button_padding = vec2(6.0, 4.0);
            change_ui(cx, ui, at, engine, &title);
            remove_ui(cx, ui, at, &title);
        });
    });
}

fn small<'a>(cx: &ViewCx<'_>, ui: &Ui, sign: &'a str) -> Button<'a> {
    let size = if sign == "▼" { 10.0 } else { TEXT };
    let text = egui::RichText::new(sign).font(theme::plain(size)).color(cx.tokens.weak);
    Button::new(text).fill(Color32::TRANSPARENT).stroke(Stroke::NONE).min_size(Vec2::splat(theme::wide(ui, 28.0)))
}

fn change_ui(cx: &ViewCx<'_>, ui: &mut Ui, at: usize, engine: EngineConfig, title: &str) {
    let tip = tr!(cx, "Another engine in place of {engine}", engine = title);
    let (response, _) = egui::containers::menu::MenuButton::from_button(small(cx, ui, "▼")).ui(ui, |ui| {
        focus::menu_ui(ui, |ui| {
            let shown = columns(cx.view, cx.session);
            for other in engines::free(cx.session.config(), &shown) {
                if ui.button(engines::title(cx.language(), other)).clicked() {
                    cx.send(AppCommand::Compare(CompareWish::Change(at, other)));
                    ui.close();
                }
            }
            if engine != cx.session.config() && engine.switches.is_empty() && !cx.session_is_set() {
                ui.separator();
                if ui.button(tr!(cx, "Explore with this engine")).clicked() {
                    cx.send(AppCommand::SetEngine(engine.name));
                    cx.send(AppCommand::Show(crate::app::view::Screen::Explore));
                    ui.close();
                }
            }
        });
    });
    response.on_hover_text(&tip).accessible_name(tip);
}

fn remove_ui(cx: &ViewCx<'_>, ui: &mut Ui, at: usize, title: &str) {
    let enough = columns(cx.view, cx.session).len() > engines::FEWEST;
    let tip = tr!(cx, "Remove {engine}", engine = title);
    let response = ui.add_enabled(enough, small(cx, ui, "✕")).on_hover_text(&tip);
    let response = response.on_disabled_hover_text(tr!(cx, "Two engines are the fewest to compare"));
    if response.accessible_name(tip).clicked() {
        cx.send(AppCommand::Compare(CompareWish::Remove(at)));
    }
}

fn body_ui(cx: &ViewCx<'_>, ui: &mut Ui, engine: EngineConfig) {
    if let Some(reason) = cx.runs.reason(engine) {
        note(cx, ui, &tr!(cx, "This engine cannot run the machine: {reason}", reason = reason));
        return;
    }
    let Some(column) = cx.runs.column(engine) else {
        progress_ui(cx, ui);
        return;
    };
    if cx.command().is_none() {
        let text = match cx.session.lab.is_empty() {
            true => tr!(
                cx,
                "No command yet. In Explore, give an access or load a register: each engine then shows what it does for it."
            ),
            false => tr!(cx, "Nothing has happened yet. Step shows what each engine does for the first command."),
        };
        note(cx, ui, text);
        return;
    }
    rows_ui(cx, ui, engine, column);
}

fn note(cx: &ViewCx<'_>, ui: &mut Ui, text: &str) {
    ui.add_space(PAD);
    ui.label(egui::RichText::new(text).font(theme::plain(TEXT)).color(cx.tokens.weak));
}

/// How far the engines have come along a long history.
fn progress_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let (done, all) = (cx.runs.done() as u64, cx.runs.len() as u64);
    let text = tr!(cx, "{done} of {all} commands carried out", done = words::count(done), all = words::count(all));
    note(cx, ui, &text);
    ui.add_space(10.0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 8.0), Sense::hover());
    meter::bar(cx.tokens, ui, rect, done as f32 / all.max(1) as f32, cx.tokens.primary);
}

/// The command, and a row for each deed.
fn rows_ui(cx: &ViewCx<'_>, ui: &mut Ui, engine: EngineConfig, column: &Column) {
    ui.spacing_mut().item_spacing = Vec2::ZERO;
    let low = ui.available_height() < LOW - HEAD;
    let (row, pitch) = if low { (ROW - 6.0, PITCH - 8.0) } else { (ROW, PITCH) };
    let (row, pitch) = (theme::wide(ui, row), theme::wide(ui, row) + pitch - row);
    let shown = if cx.is_partial() { cx.shown } else { usize::MAX };
    let area = ScrollArea::vertical().id_salt(("of step", cx.session.lab.cursor())).auto_shrink(false);
    let above = if low { 10.0 } else { PAD };
    ui.add_space(above);
    focus::scroll_rows(area, ui, pitch, column.rows.len() + 1, |ui, lines| {
        for line in lines {
            let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), pitch), Sense::hover());
            let rect = Rect::from_min_size(rect.min, vec2(rect.width(), row));
            match line.checked_sub(1) {
                None => command_ui(cx, ui, rect),
                Some(at) => row_ui(cx, ui, rect, engine, column, (at, shown)),
            }
        }
    });
}

fn command_ui(cx: &ViewCx<'_>, ui: &mut Ui, rect: Rect) {
    let Some(command) = cx.command() else { return };
    let text = explain::command(command, cx.language());
    let line = Line { number: 1, main: &text, beside: "", lit: false, faded: false };
    let response = ui.interact(rect, ui.scope_id().with("command"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("1: {text}")));
    line.paint(cx, ui, rect, engines::hue(cx.tokens, cx.session.engine()));
    response.on_hover_text(text);
}

fn row_ui(
    cx: &ViewCx<'_>,
    ui: &mut Ui,
    rect: Rect,
    engine: EngineConfig,
    column: &Column,
    (at, shown): (usize, usize),
) {
    let row = &column.rows[at];
    let (lit, words) = (column.lit[at], words::deed(cx.language(), &row.deed));
    let faded = !row.begun(shown);
    let own = engine == cx.session.config();
    let sense = if own { Sense::click() } else { Sense::hover() };
    let response = ui.interact(rect, ui.scope_id().with(("row", at)), sense);
    let role = if own { Role::Button } else { Role::Label };
    response.widget_info(|| {
        let beside = if words.beside.is_empty() { String::new() } else { format!(", {}", words.beside) };
        let mut name = format!("{}: {}{beside}", at + 2, words.main);
        if lit {
            name += tr!(cx, " · not on every engine");
        }
        if faded {
            name += tr!(cx, " · not yet");
        }
        WidgetInfo::labeled(role, true, name)
    });
    let line = Line { number: at + 2, main: &words.main, beside: &words.beside, lit, faded };
    line.paint(cx, ui, rect, engines::hue(cx.tokens, engine.name));
    if response.clicked() {
        let last = row.events.iter().max().map_or(0, |event| *event as usize + 1);
        cx.send(AppCommand::ShowEvents(last));
    }
    response.on_hover_ui(|ui| hint_ui(cx, ui, &words, row, (column, engine.name)));
}

/// What the row says in full, and the events that it stands for.
fn hint_ui(cx: &ViewCx<'_>, ui: &mut Ui, words: &words::Words, row: &Row, (column, engine): (&Column, EngineName)) {
    ui.set_max_width(520.0);
    let title = if words.beside.is_empty() { words.main.clone() } else { format!("{}, {}", words.main, words.beside) };
    ui.label(egui::RichText::new(title).font(theme::bold(TEXT)).color(cx.tokens.strong));
    let mut events = row.events.clone();
    events.sort_unstable();
    events.dedup();
    for event in events.iter().take(12).filter_map(|at| column.events.get(*at as usize)) {
        let line = explain::event(event, engine, cx.language());
        ui.label(egui::RichText::new(format!("{}  {}", line.label, line.text)).font(theme::mono(TEXT)));
    }
    if events.len() > 12 {
        ui.label(tr!(cx, "and {more} more", more = events.len() - 12));
    }
}

/// A row as it is painted.
struct Line<'a> {
    number: usize,
    main: &'a str,
    beside: &'a str,
    lit: bool,
    faded: bool,
}

impl Line<'_> {
    fn paint(&self, cx: &ViewCx<'_>, ui: &Ui, rect: Rect, hue: Hue) {
        let t = cx.tokens;
        let mut painter = ui.painter().clone();
        if self.faded {
            painter.multiply_opacity(0.45);
        }
        let (fill, edge) = if self.lit { (hue.tint, hue.edge) } else { (t.stage, t.border) };
        painter.rect(rect, RADIUS_SMALL + 1, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
        if self.lit {
            // Colour is never alone: what is lit has a bar, too.
            let bar = Rect::from_min_max(rect.min + vec2(4.0, 7.0), pos2(rect.left() + 7.0, rect.bottom() - 7.0));
            painter.rect_filled(bar, 2, hue.line);
        }
        let middle = rect.center().y;
        let number = self.number.to_string();
        let tight = rect.width() < TIGHT;
        let (size, indent, margin) = if tight { (SMALL, 11.0, 6.0) } else { (TEXT, 16.0, 12.0) };
        let font = theme::plain(size);
        painter.text(pos2(rect.left() + indent, middle), Align2::LEFT_CENTER, number, font.clone(), t.weak);
        let (left, right) = (rect.left() + indent + if tight { 21.0 } else { 30.0 }, rect.right() - margin);
        let main = fit(ui.painter(), self.main, [font.clone(), theme::plain(SMALL)], t.strong, right - left);
        let rest = right - left - main.size().x - 14.0;
        painter.galley(pos2(left, middle - 0.5 * main.size().y), main, t.strong);
        // What it is about stands beside it where most of it can be read.
        let whole = ui.painter().layout_no_wrap(self.beside.to_owned(), font.clone(), t.weak).size().x;
        if !self.beside.is_empty() && rest > 0.8 * whole {
            let beside = cut(ui.painter(), self.beside, font, t.weak, rest);
            painter.galley(pos2(right - beside.size().x, middle - 0.5 * beside.size().y), beside, t.weak);
        }
    }
}
