//! Rows of a guest table: entries, and runs of alike entries.

use egui::{Align2, Color32, CornerRadius, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::layout::Metrics;
use super::letters::{self, letters_ui};
use super::model::{self, Entry, Inputs, Row, TableCard};
use super::path::Reach;
use super::rows::Letter;
use super::{Anchor, Look, paint, rows, words};
use crate::app::hover::{self, Pointed};
use crate::app::menu;
use crate::app::theme::{bold, mono, plain};
use crate::app::view::{AppCommand, Selection};
use crate::arch::entry::P;
use crate::arch::{Gpa, Level, Mode, TableMemory as _};
use crate::explain::{self, Depth};
use crate::tr;

/// Where the words of a run begin, in points from the left.
fn run_indent(m: &Metrics) -> f32 {
    1.8 * m.pad
}

/// How the rows of the guest's tables are written: all in the same way, the longest that all have room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// `P = 0` in place of "not present".
    brief: bool,
    number: Number,
}

/// The number that stands for an entry; the longest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Number {
    /// The whole value: an engineer reads the bits from it.
    Value,
    /// The frame, five digits at least.
    Padded,
    /// The frame.
    Bare,
}

impl Number {
    fn text(self, entry: &Entry) -> String {
        match self {
            Self::Value => explain::hex_digits(entry.value, 8),
            Self::Padded => format!("{:05x}", entry.frame.gfn().0),
            Self::Bare => format!("{:x}", entry.frame.gfn().0),
        }
    }
}

impl Default for Style {
    fn default() -> Self {
        Self { brief: false, number: Number::Padded }
    }
}

/// How the tables of the guest are written.
pub fn style_of_all(look: &Look<'_>, ui: &Ui) -> Style {
    let cards = look.stage.tables.iter().chain(&look.stage.aside);
    let styles: Vec<Style> = cards.map(|card| style(look, ui, card, look.layout.guest(card.level).width())).collect();
    let brief = styles.iter().any(|style| style.brief);
    Style { brief, number: styles.iter().map(|style| style.number).max().unwrap_or(Number::Padded) }
}

fn style(look: &Look<'_>, ui: &Ui, card: &TableCard, width: f32) -> Style {
    let m = look.m();
    let room = width - run_indent(m) - 0.5 * m.pad;
    let too_wide = |row: &Row| match row {
        Row::Run { words, .. } => paint::width(ui.painter(), words, &plain(m.small)) > room,
        Row::Entry(_) => false,
    };
    let brief = !m.wordy || card.rows.iter().any(too_wide);
    let whole = (look.cx.view.depth == Depth::Engineer).then_some(Number::Value);
    let room = width - number_left(look) - m.pad - 0.3 * m.font;
    let fits = |number: &Number| {
        let entries = card.rows.iter().filter_map(|row| match row {
            Row::Entry(entry) if entry.value != 0 => Some(entry),
            Row::Entry(_) | Row::Run { .. } => None,
        });
        entries.clone().all(|entry| {
            let number = number.text(entry).len() as f32 * 0.6 * m.font;
            number + beside_number(look, ui, entry) <= room
        })
    };
    let number = whole.into_iter().chain([Number::Padded]).find(fits).unwrap_or(Number::Bare);
    Style { brief, number }
}

/// Where the number of an entry begins, in points from the left: after the index, which is as wide as the
/// table's last one, so that numbers stand in a line.
fn number_left(look: &Look<'_>) -> f32 {
    let m = look.m();
    let gap = if m.wordy { 0.9 } else { 0.6 };
    index_right(look) + gap * 0.6 * m.font
}

fn index_right(look: &Look<'_>) -> f32 {
    look.m().pad + if look.stage.mode == Mode::Bits32 { 4.0 } else { 3.0 } * 0.6 * look.m().font
}

/// The room that what stands beside the number of an entry needs to be read well, in points.
fn beside_number(look: &Look<'_>, ui: &Ui, entry: &Entry) -> f32 {
    if entry.fault.is_some() || entry.value & P == 0 {
        return 1.2 * look.m().small;
    }
    match look.cx.view.depth {
        Depth::Story => 0.0,
        Depth::Standard | Depth::Engineer => letters::readable_width(look, ui, &letters(look, entry)),
    }
}

/// Draws a row; where the path crosses it, if it does.
pub fn row_ui(
    look: &Look<'_>,
    ui: &mut Ui,
    (card, base, style): (&TableCard, Gpa, Style),
    row: &Row,
    rect: Rect,
) -> Option<Anchor> {
    ui.painter().hline(rect.x_range().shrink(1.0), rect.top(), Stroke::new(1.0, look.t().border.gamma_multiply(0.6)));
    match row {
        Row::Entry(entry) => {
            entry_ui(look, ui, card.level, (entry, style), rect);
            entry.walked.map(|_| Anchor::of(rect, rect))
        }
        Row::Run { range, words, short } => {
            let words = if style.brief { short } else { words };
            run_ui(look, ui, (card.level, base, *range.start()), (words, short), rect);
            None
        }
    }
}

fn run_ui(
    look: &Look<'_>,
    ui: &Ui,
    (level, base, first): (Level, Gpa, usize),
    (words, short): (&str, &str),
    rect: Rect,
) {
    let (t, m) = (look.t(), look.m());
    let response = ui.interact(rect, ui.scope_id().with(("run", level.0, base.0, first)), Sense::click());
    let name = tr!(look.cx, "{what}, list every entry", what = words);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let color = if response.hovered() { t.strong } else { t.weak };
    let at = rect.left_center() + vec2(run_indent(m), 0.0);
    let width = rect.right() - at.x - 0.5 * m.pad;
    let range = short.split(' ').next().unwrap_or(short);
    let ways = [words, short, range];
    let shown = paint::first_that_fits(ui.painter(), &ways, &plain(m.small), width);
    paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, shown, plain(m.small), color, width);
    if response.clicked() {
        look.cx.send(AppCommand::ToggleFull(base));
    }
    response.on_hover_text(tr!(look.cx, "{what}: click to list every entry", what = words));
}

fn entry_ui(look: &Look<'_>, ui: &mut Ui, level: Level, (entry, style): (&Entry, Style), rect: Rect) {
    let response = ui.interact(rect, ui.scope_id().with(("entry", level.0, entry.gpa.0)), Sense::click());
    let name = entry_name(look, level, entry);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, entry.selected, &name));
    let pointed = hover::pointed_at(ui);
    let leads = entry.value & P != 0 && pointed.entry.is_none() && pointed.frame == Some(entry.frame.gfn());
    paint_entry_back(look, ui, entry, rect, response.hovered() || leads || pointed.entry == Some(entry.gpa));
    if response.hovered() {
        let frame = (entry.value & P != 0).then(|| entry.frame.gfn());
        hover::point_at(ui, Pointed { entry: Some(entry.gpa), frame });
    }
    let old = old_entry(look, level, entry);
    let old = old.as_ref().map(|old| |ui: &Ui| paint_entry_text(look, ui, (old, style), rect));
    paint::cross_fade(look.cx.motion, ui, rect, old, |ui| paint_entry_text(look, ui, (entry, style), rect));
    if response.clicked() {
        look.cx.send(AppCommand::Select(Selection::Entry { level: level.0, gpa: entry.gpa }));
    }
    let Entry { gpa, value, frame, leaf, .. } = *entry;
    menu::entry_menu(look.cx, &response, menu::EntryTarget { level, gpa, value, frame, leaf });
    response.on_hover_ui(|ui| entry_tooltip(look, ui, level, entry));
}

/// The entry as it was in the state that time comes from, if it was another.
fn old_entry(look: &Look<'_>, level: Level, entry: &Entry) -> Option<Entry> {
    let vm = look.cx.motion.from()?;
    let (machine, shift) = (vm.machine(), look.stage.mode.entry_shift());
    if machine.cpu.mode() != look.stage.mode || machine.memory.read_entry(entry.gpa, shift) == entry.value {
        return None;
    }
    let base = Gpa(entry.gpa.0 - ((entry.index as u64) << shift));
    let inputs = Inputs { vm, machine, ..*look.inputs };
    Some(model::entry(&inputs, &look.stage.path, level, base, model::leaf_bit(machine, level), entry.index))
}

fn entry_name(look: &Look<'_>, level: Level, entry: &Entry) -> String {
    let name = Mode::entry_name(level);
    let bits = words::entry_bits(entry.value, entry.leaf, entry.large, look.cx.language());
    let digits = 2 * look.stage.mode.entry_size() as usize;
    format!("{name} {}: 0x{}, {bits}", entry.index, explain::hex_digits(entry.value, digits))
}

fn paint_entry_back(look: &Look<'_>, ui: &Ui, entry: &Entry, rect: Rect, hovered: bool) {
    let t = look.t();
    let painter = ui.painter();
    let fill = match (entry.fault, entry.walked) {
        (Some(_), _) => t.fault.tint,
        (None, _) if hovered => t.button_hover,
        (None, Some(Reach::Read)) => t.selected,
        (None, Some(Reach::Ahead | Reach::Cached)) => t.selected.gamma_multiply(0.5),
        (None, None) => Color32::TRANSPARENT,
    };
    let inner = rect.shrink2(vec2(1.0, 0.0));
    painter.rect_filled(inner, 0, fill);
    let outline = |color| {
        painter.rect_stroke(inner, CornerRadius::same(2), Stroke::new(1.5, color), StrokeKind::Inside);
    };
    if entry.selected {
        outline(t.guest.line);
    } else if entry.changed != 0 {
        outline(t.changed.line);
    }
}

fn paint_entry_text(look: &Look<'_>, ui: &Ui, (entry, style): (&Entry, Style), rect: Rect) {
    let (t, m) = (look.t(), look.m());
    let painter = ui.painter();
    let mid = rect.center().y;
    let digit = 0.6 * m.font;
    let index_right = rect.left() + index_right(look);
    let at = |x: f32| pos2(x, mid);
    let index_color = if entry.walked.is_some() { t.strong } else { t.weak };
    paint::text(painter, at(index_right), Align2::RIGHT_CENTER, entry.index, mono(m.font), index_color);
    let present = entry.value & P != 0;
    let right = at(rect.right() - m.pad);
    let mut frame_end = index_right;
    // An entry that is all zero names no frame.
    if entry.value != 0 {
        let number_at = at(rect.left() + number_left(look));
        let number = style.number.text(entry);
        let color = match (entry.changed & !0xfff != 0, present, entry.fault) {
            (true, _, _) => t.changed.text,
            (_, _, Some(_)) => t.fault.text,
            (_, true, _) => t.strong,
            (_, false, _) => t.weak,
        };
        frame_end = paint::text(painter, number_at, Align2::LEFT_CENTER, number, mono(m.font), color).right();
    }
    let room = right.x - frame_end - 0.5 * digit;
    if entry.fault.is_some() || !present {
        verdict(look, ui, (entry, style.brief), right, room);
    } else if look.cx.view.depth == Depth::Story {
        let words = if entry.leaf { tr!(look.cx, "page") } else { tr!(look.cx, "table") };
        paint::text_within(painter, right, Align2::RIGHT_CENTER, words, plain(m.small), t.weak, room);
    } else {
        letters_ui(look, ui, &letters(look, entry), entry.changed, right, room);
    }
}

/// The flags of an entry that leads on.
fn letters(look: &Look<'_>, entry: &Entry) -> Vec<Letter> {
    rows::letters(entry.value, entry.leaf, entry.large, look.stage.mode != Mode::Bits32)
}

/// Why the entry leads nowhere, at the right end of its row.
fn verdict(look: &Look<'_>, ui: &Ui, (entry, brief): (&Entry, bool), right: egui::Pos2, room: f32) {
    let (t, m, l) = (look.t(), look.m(), look.cx.language());
    let absent = || [tr!(l, "not present").to_owned(), "P = 0".to_owned()];
    let ([words, short], font, color) = match entry.fault {
        Some(reason) => ([words::fault(reason, l), words::fault_bit(reason, l)], bold(m.small), t.fault.text),
        None if entry.changed & P != 0 => (absent(), plain(m.small), t.changed.text),
        None => (absent(), plain(m.small), t.weak),
    };
    // The sign alone where there is no room: the card at the end of the path says it in words.
    let sign = "✕".to_owned();
    let ways = if brief && entry.fault.is_none() { vec![short] } else { vec![words, short, sign] };
    let shown = paint::first_that_fits(ui.painter(), &ways, &font, room);
    paint::text_within(ui.painter(), right, Align2::RIGHT_CENTER, shown, font, color, room);
}

fn entry_tooltip(look: &Look<'_>, ui: &mut Ui, level: Level, entry: &Entry) {
    let (t, mode) = (look.t(), look.stage.mode);
    let digits = 2 * mode.entry_size() as usize;
    ui.label(egui::RichText::new(format!("{} [{}]", Mode::entry_name(level), entry.index)).font(bold(14.0)));
    let line = |ui: &mut Ui, name: &str, value: String| {
        ui.horizontal(|ui| {
            ui.label(egui::RichText::new(name).color(t.weak));
            ui.label(egui::RichText::new(value).font(mono(14.0)).color(t.strong));
        });
    };
    line(ui, tr!(look.cx, "lies at GPA"), words::gpa(entry.gpa));
    line(ui, tr!(look.cx, "value"), format!("0x{}", explain::hex_digits(entry.value, digits)));
    if entry.value & P != 0 {
        let what = match (entry.large, entry.leaf) {
            (true, _) => tr!(look.cx, "{size} page at GPA", size = words::page_size(mode.index_shift(level))),
            (false, true) => tr!(look.cx, "page at GPA").to_owned(),
            (false, false) => {
                tr!(look.cx, "{table} at GPA", table = Mode::table_name(Level(level.0.saturating_sub(1))))
            }
        };
        line(ui, &what, words::gpa(entry.frame));
    }
    ui.label(words::entry_bits(entry.value, entry.leaf, entry.large, look.cx.language()));
    if let Some(reason) = entry.fault {
        let why = words::fault(reason, look.cx.language());
        let text = format!("✕ {}", tr!(look.cx, "ends the walk: {why}", why = why));
        ui.label(egui::RichText::new(text).color(t.fault.text));
    }
}
