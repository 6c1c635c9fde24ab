//! One engine: its head, what it did for the command in focus, and what the run has cost.

use std::sync::Arc;

use egui::{
    Align2, Button, Color32, CornerRadius, Galley, Pos2, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui,
    UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use super::meter::{self, Scale};
use super::rows::Row;
use super::runs::Column;
use super::wish::{CompareWish, columns};
use super::{engines, words};
use crate::app::elide::cut;
use crate::app::focus;
use crate::app::theme::{self, Hue, RADIUS_SMALL, TEXT};
use crate::app::view::{AppCommand, ViewCx};
use crate::engine::{EngineConfig, EngineName};
use crate::explain;
use crate::tr;

/// Height of a head whose second line is one, in points.
const HEAD: f32 = 68.0;
/// From the top of a head to its name and to the lines below that, in points.
const NAME: f32 = 13.0;
const GIST: f32 = 37.0;
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
/// Columns of more rows have rows of one height.
const WRAPPED: usize = 300;
/// Least room above and below the words of a row, and between what stands side by side, in points.
const AROUND: f32 = 7.0;
const BETWEEN: f32 = 14.0;
/// Size of text in a narrow column, in points.
const SMALL: f32 = 12.0;

/// What the heads of all columns have in common, so that they stand in line: the size of their names, and
/// their height.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    name: f32,
    /// Names are the short ones: what tells two engines apart is never cut off.
    short: bool,
    height: f32,
}

impl Heads {
    /// For these engines, in columns of that width.
    pub fn of(cx: &ViewCx<'_>, ui: &Ui, engines: &[EngineConfig], width: f32) -> Self {
        let room = Room::new(ui, Rect::from_min_size(Pos2::ZERO, vec2(width, HEAD)));
        let fits = |(size, short): (f32, bool)| {
            engines.iter().all(|engine| {
                let name = name_of(cx, *engine, short);
                ui.painter().layout_no_wrap(name, theme::bold(size), Color32::WHITE).size().x <= room.name
            })
        };
        let ways = [(17.0, false), (15.0, false), (13.0, false), (15.0, true), (13.0, true)];
        let (name, short) = ways.into_iter().find(|way| fits(*way)).unwrap_or((13.0, true));
        let one = ui.fonts_mut(|fonts| fonts.row_height(&theme::plain(TEXT)));
        let gists = engines.iter().map(|engine| gist_of(cx, ui, *engine, room.gist).size().y);
        Self { name, short, height: HEAD + (gists.fold(one, f32::max) - one) }
    }
}

/// How wide the name and the lines below it may be, and where the buttons are.
struct Room {
    name: f32,
    gist: f32,
    buttons: Rect,
}

impl Room {
    fn new(ui: &Ui, head: Rect) -> Self {
        let room = head.shrink2(vec2(PAD + 2.0, 0.0));
        let side = theme::wide(ui, 28.0);
        let buttons = Rect::from_min_size(
            pos2(room.right() - 2.0 * side - 2.0, room.top() + theme::wide(ui, 36.0) - side),
            vec2(2.0 * side + 8.0, side),
        );
        let name = buttons.left() - room.left() - 8.0;
        // High buttons reach down to the lines below the name.
        Self { name, gist: if side > 28.0 { name } else { room.width() }, buttons }
    }
}

/// The name of a column.
fn name_of(cx: &ViewCx<'_>, engine: EngineConfig, short: bool) -> String {
    match short && engine.switches.is_empty() {
        true => crate::app::engines::label(engine.name, cx.language()).to_owned(),
        false => engines::title(cx.language(), engine),
    }
}

/// What an engine is, in as many lines as that takes.
fn gist_of(cx: &ViewCx<'_>, ui: &Ui, engine: EngineConfig, width: f32) -> Arc<Galley> {
    let gist = match engine.switches.listed().next() {
        Some(switch) => switch.meaning,
        None => cx.tr(engines::gist(engine.name)),
    };
    ui.painter().layout(gist.to_owned(), theme::plain(TEXT), cx.tokens.weak, width)
}

/// Draws a column over the whole room of `ui`.
pub fn column_ui(cx: &ViewCx<'_>, ui: &mut Ui, at: usize, engine: EngineConfig, scale: &Scale, heads: Heads) {
    let (t, card) = (cx.tokens, ui.max_rect());
    let hue = engines::hue(t, engine.name);
    let head = Rect::from_min_size(card.min, vec2(card.width(), heads.height));
    let foot = Rect::from_min_max(pos2(card.left(), card.bottom() - meter::HEIGHT), card.max);
    ui.painter().rect_filled(card, CORNER, t.card);
    let upper = CornerRadius { nw: CORNER, ne: CORNER, sw: 0, se: 0 };
    ui.painter().rect_filled(head, upper, hue.tint);
    ui.painter().hline(card.x_range(), foot.top(), Stroke::new(1.0, t.border));
    ui.painter().rect_stroke(card, CORNER, Stroke::new(1.0, hue.edge), StrokeKind::Inside);
    head_ui(cx, ui, head, at, engine, heads);
    let room = Rect::from_min_max(head.left_bottom(), foot.right_top())
        .shrink2(vec2(if card.width() < TIGHT { 0.5 * PAD } else { PAD }, 0.0));
    ui.scope_builder(UiBuilder::new().max_rect(room).id_salt("rows"), |ui| body_ui(cx, ui, engine));
    ui.scope_builder(UiBuilder::new().max_rect(foot.shrink2(vec2(PAD + 2.0, 0.0))).id_salt("meter"), |ui| {
        meter::meter_ui(cx, ui, engine, scale);
    });
}

fn head_ui(cx: &ViewCx<'_>, ui: &mut Ui, head: Rect, at: usize, engine: EngineConfig, heads: Heads) {
    let (t, hue) = (cx.tokens, engines::hue(cx.tokens, engine.name));
    let title = engines::title(cx.language(), engine);
    let room = Room::new(ui, head);
    let name = name_of(cx, engine, heads.short);
    let name = cut(ui.painter(), &name, theme::bold(heads.name), hue.text, room.name);
    let gist = gist_of(cx, ui, engine, room.gist);
    let left = head.left() + PAD + 2.0;
    let text = Rect::from_min_max(pos2(left, head.top()), pos2(room.buttons.left(), head.bottom()));
    let response = ui.interact(text, ui.scope_id().with("name"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Heading, true, &title));
    ui.painter().galley(pos2(left, head.top() + NAME + 0.5 * (21.0 - name.size().y).max(0.0)), name, hue.text);
    ui.painter().galley(pos2(left, head.top() + GIST), gist, t.weak);
    response.on_hover_text(format!("{title}\n{}", crate::app::engines::meaning(engine.name, cx.language())));
    let corner = room.buttons;
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
    let text = tr!(cx, "{done} of {all} commands carried out", done = explain::count(done), all = explain::count(all));
    note(cx, ui, &text);
    ui.add_space(10.0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 8.0), Sense::hover());
    meter::bar(cx.tokens, ui, rect, done as f32 / all.max(1) as f32, cx.tokens.primary);
}

/// The command, and a row for each deed. A row is as high as its words need; only of very many each has
/// one line, so that those out of sight cost nothing.
fn rows_ui(cx: &ViewCx<'_>, ui: &mut Ui, engine: EngineConfig, column: &Column) {
    ui.spacing_mut().item_spacing = Vec2::ZERO;
    let low = ui.available_height() < LOW - HEAD;
    let (row, pitch) = if low { (ROW - 6.0, PITCH - 8.0) } else { (ROW, PITCH) };
    let (row, gap) = (theme::wide(ui, row), pitch - row);
    let shown = if cx.is_partial() { cx.shown } else { usize::MAX };
    let area = ScrollArea::vertical().id_salt(("of step", cx.session.lab.cursor())).auto_shrink(false);
    let above = if low { 10.0 } else { PAD };
    ui.add_space(above);
    let lines = column.rows.len() + 1;
    let wraps = lines <= WRAPPED;
    let one = |ui: &mut Ui, at: usize| {
        let words = match at.checked_sub(1) {
            None => words::Words::of(cx.command().map(|it| explain::command(it, cx.language())).unwrap_or_default()),
            Some(at) => words::deed(cx.language(), &column.rows[at].deed),
        };
        let text = Text::new(cx, ui, &words, wraps);
        let height = row.max(text.height() + 2.0 * AROUND);
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height + gap), Sense::hover());
        let rect = Rect::from_min_size(rect.min, vec2(rect.width(), height));
        match at.checked_sub(1) {
            None => command_ui(cx, ui, rect, &words, text),
            Some(at) => row_ui(cx, ui, rect, engine, column, (at, shown), &words, text),
        }
    };
    if wraps {
        focus::scroll(area, ui, |ui| (0..lines).for_each(|at| one(ui, at)));
    } else {
        focus::scroll_rows(area, ui, row + gap, lines, |ui, range| range.for_each(|at| one(ui, at)));
    }
}

fn command_ui(cx: &ViewCx<'_>, ui: &Ui, rect: Rect, words: &words::Words, text: Text) {
    let name = &words.main;
    let response = ui.interact(rect, ui.scope_id().with("command"), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("1: {name}")));
    let line = Line { number: 1, text, lit: false, faded: false };
    line.paint(cx, ui, rect, engines::hue(cx.tokens, cx.session.engine()));
    response.on_hover_text(name);
}

#[expect(clippy::too_many_arguments, reason = "one row: where, whose, which, and its words as they are laid out")]
fn row_ui(
    cx: &ViewCx<'_>,
    ui: &Ui,
    rect: Rect,
    engine: EngineConfig,
    column: &Column,
    (at, shown): (usize, usize),
    words: &words::Words,
    text: Text,
) {
    let row = &column.rows[at];
    let lit = column.lit[at];
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
    let line = Line { number: at + 2, text, lit, faded };
    line.paint(cx, ui, rect, engines::hue(cx.tokens, engine.name));
    if response.clicked() {
        let last = row.events.iter().max().map_or(0, |event| *event as usize + 1);
        cx.send(AppCommand::ShowEvents(last));
    }
    response.on_hover_ui(|ui| hint_ui(cx, ui, words, row, (column, engine.name)));
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

/// The words of a row as they are laid out: what it is about stands beside the deed, or below it.
struct Text {
    main: Arc<Galley>,
    beside: Option<Arc<Galley>>,
    below: bool,
    /// From the left border of the row to its number and to its words, from the words to the right border.
    margins: [f32; 3],
}

impl Text {
    fn new(cx: &ViewCx<'_>, ui: &Ui, words: &words::Words, wraps: bool) -> Self {
        let (t, painter, room) = (cx.tokens, ui.painter(), ui.available_width());
        let (size, margins) = match room < TIGHT {
            true => (SMALL, [11.0, 32.0, 6.0]),
            false => (TEXT, [16.0, 46.0, 12.0]),
        };
        let (font, width) = (theme::plain(size), room - margins[1] - margins[2]);
        if !wraps {
            let main = cut(painter, &words.main, font.clone(), t.strong, width);
            let rest = width - main.size().x - BETWEEN;
            let beside = (!words.beside.is_empty() && rest > 0.25 * width)
                .then(|| cut(painter, &words.beside, font, t.weak, rest));
            return Self { main, beside, below: false, margins };
        }
        let main = painter.layout(words.main.clone(), font.clone(), t.strong, width);
        let beside = (!words.beside.is_empty()).then(|| painter.layout(words.beside.clone(), font, t.weak, width));
        let below = beside.as_ref().is_some_and(|beside| main.size().x + BETWEEN + beside.size().x > width);
        Self { main, beside, below, margins }
    }

    fn height(&self) -> f32 {
        let beside = self.beside.as_ref().map_or(0.0, |beside| beside.size().y);
        if self.below { self.main.size().y + beside } else { self.main.size().y.max(beside) }
    }
}

/// A row as it is painted.
struct Line {
    number: usize,
    text: Text,
    lit: bool,
    faded: bool,
}

impl Line {
    fn paint(self, cx: &ViewCx<'_>, ui: &Ui, rect: Rect, hue: Hue) {
        if !ui.is_rect_visible(rect) {
            return;
        }
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
        let [to_number, to_words, to_border] = self.text.margins;
        let top = rect.center().y - 0.5 * self.text.height();
        let first = self.text.main.rows.first().map_or(self.text.main.size().y, |row| row.height());
        let size = if rect.width() < TIGHT { SMALL } else { TEXT };
        let at = pos2(rect.left() + to_number, top + 0.5 * first);
        painter.text(at, Align2::LEFT_CENTER, self.number.to_string(), theme::plain(size), t.weak);
        let left = rect.left() + to_words;
        let below = top + self.text.main.size().y;
        painter.galley(pos2(left, top), self.text.main, t.strong);
        if let Some(beside) = self.text.beside {
            let at = match self.text.below {
                true => pos2(left, below),
                false => pos2(rect.right() - to_border - beside.size().x, top),
            };
            painter.galley(at, beside, t.weak);
        }
    }
}
