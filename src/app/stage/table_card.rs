//! A table as a card: head, rows, runs; and the page at the end of the path.

use egui::{
    Align2, Color32, CornerRadius, Painter, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder,
    WidgetInfo, pos2, vec2,
};

use super::layout::{Layout, Metrics};
use super::letters::{self, letters_ui};
use super::model::{self, Entry, Inputs, Row, Stage, TableCard};
use super::path::Reach;
use super::rows::Letter;
use super::{Anchor, Look, paint, rows, words};
use crate::app::focus;
use crate::app::hover::{self, Pointed};
use crate::app::menu;
use crate::app::theme::{self, bold, mono, plain};
use crate::app::view::{AppCommand, Selection};
use crate::arch::entry::P;
use crate::arch::{Gpa, Level, Mode, TableMemory as _};
use crate::explain::Depth;
use crate::tr;

/// How the heads of the guest's tables say where they lie: all in the same way, the longest that all have room for.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    number: HeadNumber,
    /// Locks are written `⊘ W`.
    lock_word: bool,
}

/// A frame number in a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeadNumber {
    Worded,
    Padded,
    Bare,
    None,
}

impl HeadNumber {
    const ALL: [Self; 4] = [Self::Worded, Self::Padded, Self::Bare, Self::None];

    fn text(self, base: Gpa) -> String {
        match self {
            Self::Worded => format!("gfn {}", words::gfn(base)),
            Self::Padded => words::gfn(base),
            Self::Bare => format!("{:#x}", base.gfn().0),
            Self::None => String::new(),
        }
    }
}

/// The word of a lock, in full and in short.
const LOCK: [&str; 2] = ["⊘ W", "⊘"];

impl Heads {
    /// Of the tables on the stage.
    pub fn of(painter: &Painter, stage: &Stage, layout: &Layout) -> Self {
        let m = &layout.metrics;
        let cards = || stage.tables.iter().filter_map(|card| Some((card, card.base?)));
        let room = |card: &TableCard, lock: &str| {
            let name = paint::width(painter, Mode::table_name(card.level), &bold(m.font));
            let lock = if card.locked { lock_width(painter, lock, m) + 0.5 * m.pad } else { 0.0 };
            layout.guest(card.level).width() - 2.2 * m.pad - name - lock
        };
        let fits = |number: HeadNumber, lock: &str| {
            cards().all(|(card, base)| number.text(base).len() as f32 * 0.6 * m.small <= room(card, lock))
        };
        let [full, short] = LOCK;
        let fitting = |lock: &str| HeadNumber::ALL.into_iter().find(|number| fits(*number, lock));
        // A number that says what it is goes before the word of the lock, whose sign is enough.
        let worded = fitting(full).filter(|number| *number != HeadNumber::None);
        let number = worded.or_else(|| fitting(short)).unwrap_or(HeadNumber::None);
        Self { number, lock_word: worded.is_some() }
    }
}

fn lock_width(painter: &Painter, word: &str, m: &Metrics) -> f32 {
    paint::width(painter, word, &bold(m.small - 1.0)) + 0.8 * m.small
}

/// Draws a table in its column; where the path crosses it, if it does, and its lower end.
pub fn table_card_ui(look: &Look<'_>, ui: &mut Ui, card: &TableCard) -> (Option<Anchor>, f32) {
    let room = look.layout.guest(card.level);
    match card.base {
        Some(base) => present_table(look, ui, card, base, room.top(), look.layout.rows_in(room)),
        None => (None, absent_table(look, ui, card)),
    }
}

/// Draws the selected table below the one that the path crosses, if there is room for it; its lower
/// end.
pub fn aside_ui(look: &Look<'_>, ui: &mut Ui, card: &TableCard, above: f32) -> Option<f32> {
    let m = look.m();
    let top = above + 0.6 * m.row;
    let end =
        if look.layout.stacked { look.layout.guest(card.level).bottom() } else { look.layout.ghost + 0.5 * m.row };
    let lines = ((end - top - m.head) / m.row).floor();
    let base = card.base?;
    if lines < 2.0 {
        return None;
    }
    Some(present_table(look, ui, card, base, top, lines as usize).1)
}

fn present_table(
    look: &Look<'_>,
    ui: &mut Ui,
    card: &TableCard,
    base: Gpa,
    top: f32,
    budget: usize,
) -> (Option<Anchor>, f32) {
    let m = look.m();
    let full = look.cx.view.full.contains(&base) || card.rows.len() > budget;
    let lines = if full { budget } else { card.rows.len() };
    let rect = paint::at(look.layout.guest(card.level).x_range(), top, m.head + lines as f32 * m.row + 1.0);
    paint::card_body(ui.painter(), look.t(), rect);
    head(look, ui, card, base, Rect::from_min_size(rect.min, vec2(rect.width(), m.head)), full);
    let body = Rect::from_min_max(pos2(rect.left(), rect.top() + m.head), rect.max);
    let anchor = if full {
        full_list(look, ui, card, base, body)
    } else {
        let mut anchor = None;
        let style = style(look, ui, card, rect.width());
        for (i, row) in card.rows.iter().enumerate() {
            let line = Rect::from_min_size(body.min + vec2(0.0, i as f32 * m.row), vec2(rect.width(), m.row));
            let crossed = row_ui(look, ui, (card, base, style), row, line);
            anchor = anchor.or(crossed);
        }
        anchor
    };
    let selected = look.cx.view.selection == Selection::Table { level: card.level.0, base };
    let selected = selected || hover::pointed_at(ui).frame == Some(base.gfn());
    let edge = if selected { look.t().guest.line } else { look.t().guest.edge };
    paint::card_edge(ui.painter(), rect, edge);
    (anchor.map(|anchor| Anchor { bottom: rect.bottom(), ..anchor }), rect.bottom())
}

/// A table that the path does not come to: its place stays.
fn absent_table(look: &Look<'_>, ui: &Ui, card: &TableCard) -> f32 {
    let (t, m) = (look.t(), look.m());
    let large = look.stage.path.large.filter(|_| card.level.0 < look.stage.mode.top_level());
    let height = if large.is_some() { m.head } else { m.head + m.row };
    let rect = paint::top_of(look.layout.guest(card.level), height);
    paint::dashed_box(ui.painter(), rect, t.border);
    let left = rect.left_top() + vec2(m.pad, 0.5 * m.head);
    let name = Mode::table_name(card.level);
    if let Some(shift) = large {
        // One line: the arrow to the page runs below it.
        let (size, width) = (words::page_size(shift), rect.width() - 1.2 * m.pad);
        let ways = [tr!(look.cx, "no {table}: {size} page", table = name, size = size), format!("{name}: {size}")];
        let words = paint::first_that_fits(ui.painter(), &ways, &plain(m.small), width);
        paint::text_within(ui.painter(), left, Align2::LEFT_CENTER, words, plain(m.small), t.weak, width);
        return rect.bottom();
    }
    paint::text(ui.painter(), left, Align2::LEFT_CENTER, name, bold(m.font), t.weak);
    let why = if card.level.0 > look.stage.mode.top_level() {
        tr!(look.cx, "no such level")
    } else {
        tr!(look.cx, "not reached")
    };
    let at = rect.left_top() + vec2(m.pad, m.head + 0.4 * m.row);
    let width = rect.width() - 2.0 * m.pad;
    paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, why, plain(m.small), t.weak, width);
    rect.bottom()
}

fn head(look: &Look<'_>, ui: &mut Ui, card: &TableCard, base: Gpa, rect: Rect, full: bool) {
    let (t, m) = (look.t(), look.m());
    let name = Mode::table_name(card.level);
    let selection = Selection::Table { level: card.level.0, base };
    paint::card_head(ui.painter(), rect, &t.guest);
    let response = ui.interact(rect, ui.scope_id().with(("table", card.level.0, base.0)), Sense::click());
    let words = format!("{name} {}", words::gpa(base));
    let selected = look.cx.view.selection == selection;
    let action = tr!(look.cx, "{table}, select the table", table = words);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &action));
    let left = rect.left_center() + vec2(m.pad, 0.0);
    let title = paint::text(ui.painter(), left, Align2::LEFT_CENTER, name, bold(m.font), t.guest.text);
    let at = title.right_center() + vec2(0.8 * m.pad, 0.0);
    let (number, room) = (look.heads.number.text(base), rect.right() - at.x);
    let shown = paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, number, mono(m.small), t.guest.text, room);
    let head = if card.locked { lock_ui(look, ui, (card.level, base), rect) } else { rect };
    list_toggle(look, ui, card, base, head, shown.right(), full);
    if response.hovered() {
        hover::point_at(ui, Pointed { entry: None, frame: Some(base.gfn()) });
    }
    if response.double_clicked() {
        look.cx.send(AppCommand::ToggleFull(base));
    } else if response.clicked() {
        look.cx.send(AppCommand::Select(selection));
    }
    menu::table_menu(look.cx, &response, card.level, base);
    let more = match full {
        true => tr!(look.cx, "Double-click to fold it"),
        false => tr!(look.cx, "Double-click to list every entry"),
    };
    response.on_hover_text(format!("{words}\n{more}"));
}

/// The mark of a frame from which the hypervisor has taken W; what is left of the head.
fn lock_ui(look: &Look<'_>, ui: &Ui, (level, base): (Level, Gpa), head: Rect) -> Rect {
    let (t, m) = (look.t(), look.m());
    let word = LOCK[usize::from(!look.heads.lock_word)];
    let galley = ui.painter().layout_no_wrap(word.to_owned(), bold(m.small - 1.0), t.guest.text);
    let size = vec2(lock_width(ui.painter(), word, m), 0.7 * head.height());
    let rect = Rect::from_center_size(pos2(head.right() - 0.5 * m.pad - 0.5 * size.x, head.center().y), size);
    let response = ui.interact(rect, ui.scope_id().with(("lock", level.0, base.0)), Sense::hover());
    let words =
        tr!(look.cx, "gfn {gfn} is write-protected: the hypervisor sees every store to it", gfn = words::gfn(base));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
    ui.painter().rect(rect, CornerRadius::same(4), t.card, Stroke::new(1.0, t.guest.line), StrokeKind::Inside);
    ui.painter().galley(rect.center() - 0.5 * galley.size(), galley, t.guest.text);
    response.on_hover_text(words);
    Rect::from_min_max(head.min, pos2(rect.left(), head.bottom()))
}

/// The small switch between runs and the full list.
fn list_toggle(look: &Look<'_>, ui: &Ui, card: &TableCard, base: Gpa, head: Rect, taken: f32, full: bool) {
    let (t, m) = (look.t(), look.m());
    let word = if full { tr!(look.cx, "fold") } else { tr!(look.cx, "all") };
    let width = 2.2 * m.small;
    let rect = Rect::from_center_size(
        pos2(head.right() - 0.6 * m.pad - 0.5 * width, head.center().y),
        vec2(width, 0.72 * head.height()),
    );
    if rect.left() < taken + 0.4 * m.pad {
        return;
    }
    let response = ui.interact(
        theme::target_in(ui, rect, head),
        ui.scope_id().with(("full list", card.level.0, base.0)),
        Sense::click(),
    );
    let count = look.stage.mode.entries(card.level);
    let name = match full {
        true => tr!(look.cx, "Fold into runs").to_owned(),
        false => tr!(look.cx, "List all {count} entries", count = count),
    };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let color = if response.hovered() { t.strong } else { t.weak };
    ui.painter().rect_stroke(rect, CornerRadius::same(4), Stroke::new(1.0, t.guest.edge), StrokeKind::Inside);
    paint::text(ui.painter(), rect.center(), Align2::CENTER_CENTER, word, plain(m.small - 1.0), color);
    if response.clicked() {
        look.cx.send(AppCommand::ToggleFull(base));
    }
    response.on_hover_text(name);
}

/// Every entry, virtualised; opens around the walked one.
fn full_list(look: &Look<'_>, ui: &mut Ui, card: &TableCard, base: Gpa, body: Rect) -> Option<Anchor> {
    let m = look.m();
    let count = look.stage.mode.entries(card.level);
    let id = ui.scope_id().with(("full list of", card.level.0, base.0));
    let opened = ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or_default::<bool>(id), true));
    let mut area = ScrollArea::vertical().id_salt(("full", card.level.0, base.0)).auto_shrink(false);
    if !opened {
        area = area.vertical_scroll_offset((card.walked as f32 - 2.0).max(0.0) * m.row);
    }
    let style = style(look, ui, card, body.width());
    let mut anchor = None;
    ui.scope_builder(UiBuilder::new().max_rect(body).id_salt(("full body", card.level.0, base.0)), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        focus::scroll_rows(area, ui, m.row, count, |ui, range| {
            for index in range {
                let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), m.row), Sense::hover());
                let entry = model::entry(look.inputs, &look.stage.path, card.level, base, card.leaf_bit, index);
                let crossed = row_ui(look, ui, (card, base, style), &Row::Entry(entry), rect);
                if crossed.is_some() && body.contains(rect.center()) {
                    anchor = crossed;
                }
            }
        });
    });
    anchor
}

/// Where the words of a run begin, in points from the left.
fn run_indent(m: &Metrics) -> f32 {
    1.8 * m.pad
}

/// How the rows of a table are written: all in the same way, the longest that all have room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Style {
    /// `P = 0` in place of "not present".
    brief: bool,
    number: Number,
}

/// The number that stands for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            Self::Value => words::grouped(entry.value, 8),
            Self::Padded => format!("{:05x}", entry.frame.gfn().0),
            Self::Bare => format!("{:x}", entry.frame.gfn().0),
        }
    }
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

fn row_ui(
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
    format!("{name} {}: 0x{}, {bits}", entry.index, words::grouped(entry.value, digits))
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
    line(ui, tr!(look.cx, "value"), format!("0x{}", words::grouped(entry.value, digits)));
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

/// Draws the page, or the fault in its place; returns where arrows end.
pub fn page_card_ui(look: &Look<'_>, ui: &Ui) -> Option<Anchor> {
    let (t, m, card) = (look.t(), look.m(), &look.stage.page);
    let room = look.layout.page();
    let shown = card.arrived || !look.stage.path.recorded;
    match (card.page, card.fault) {
        (Some(page), _) if shown => Some(reached_page(look, ui, &page)),
        (_, Some(reason)) if shown => {
            let (words, width) = (words::fault(reason, look.cx.language()), room.width() - 2.0 * m.pad);
            let words = ui.painter().layout(words, plain(m.small), t.fault.text, width);
            let line = m.row.max(words.size().y + 0.4 * m.small);
            let rect = paint::top_of(room, m.head + line);
            let response = ui.interact(rect, ui.scope_id().with("fault"), Sense::hover());
            response.widget_info(|| {
                WidgetInfo::labeled(
                    Role::Label,
                    true,
                    tr!(look.cx, "Fault: {why}", why = words::fault(reason, look.cx.language())),
                )
            });
            let title = look
                .exception()
                .map_or_else(|| format!("✕ {}", tr!(look.cx, "would fault")), |name| format!("✕ {name}"));
            paint::card_body(ui.painter(), t, rect);
            paint::card_head(ui.painter(), Rect::from_min_size(rect.min, vec2(rect.width(), m.head)), &t.fault);
            let at = rect.left_top() + vec2(m.pad, 0.5 * m.head);
            paint::text(ui.painter(), at, Align2::LEFT_CENTER, title, bold(m.font), t.fault.text);
            let at = rect.left_top() + vec2(m.pad, m.head + 0.5 * (line - words.size().y));
            ui.painter().galley(at, words, t.fault.text);
            paint::card_edge(ui.painter(), rect, t.fault.edge);
            None
        }
        _ => {
            let rect = paint::top_of(room, m.head + m.row);
            paint::dashed_box(ui.painter(), rect, t.border);
            let at = rect.left_top() + vec2(m.pad, 0.5 * m.head);
            paint::text(ui.painter(), at, Align2::LEFT_CENTER, tr!(look.cx, "Page"), bold(m.font), t.weak);
            let at = rect.left_top() + vec2(m.pad, m.head + 0.4 * m.row);
            paint::text(ui.painter(), at, Align2::LEFT_CENTER, tr!(look.cx, "not yet"), plain(m.small), t.weak);
            None
        }
    }
}

fn reached_page(look: &Look<'_>, ui: &Ui, page: &model::ReachedPage) -> Anchor {
    let (t, m) = (look.t(), look.m());
    let lines = if page.in_slot { 2.0 } else { 3.0 };
    let rect = paint::top_of(look.layout.page(), m.head + lines * m.row + 1.0);
    let selection = Selection::Page(page.gpa.gfn());
    let response = ui.interact(rect, ui.scope_id().with("page"), Sense::click());
    let size = words::page_size(page.shift.max(12));
    let name = tr!(look.cx, "Page at GPA {place}, {size}", place = words::gpa(page.base), size = size);
    let selected = look.cx.view.selection == selection;
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &name));
    let painter = ui.painter();
    paint::card_body(painter, t, rect);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), m.head));
    paint::card_head(painter, head, &t.guest);
    let left = |row: f32| pos2(rect.left() + m.pad, head.bottom() + (row + 0.5) * m.row);
    let at = head.left_center() + vec2(m.pad, 0.0);
    let title = paint::text(painter, at, Align2::LEFT_CENTER, tr!(look.cx, "Page"), bold(m.font), t.guest.text);
    let at = title.right_center() + vec2(0.8 * m.pad, 0.0);
    let room = head.right() - at.x - 0.5 * m.pad;
    let ways = [words::gpa(page.base), words::gfn(page.base)];
    let number = paint::first_that_fits(painter, &ways, &mono(m.small), room);
    paint::text_within(painter, at, Align2::LEFT_CENTER, number, mono(m.small), t.guest.text, room);
    let width = rect.width() - 2.0 * m.pad;
    let within = page.gpa.0 - page.base.0;
    let size = if page.shift == 0 { String::new() } else { format!(" · {}", words::page_size(page.shift)) };
    let offset = format!("+{within:03x}");
    // Where there is no room for the size, the card before says it.
    let ways = [format!("{offset}{size}"), offset];
    let offset = paint::first_that_fits(painter, &ways, &plain(m.small), width);
    paint::text_within(painter, left(0.0), Align2::LEFT_CENTER, offset, plain(m.small), t.weak, width);
    painter.hline(rect.x_range().shrink(1.0), head.bottom() + m.row, Stroke::new(1.0, t.border.gamma_multiply(0.6)));
    let color = if page.changed != 0 { t.changed.text } else { t.strong };
    let at = pos2(rect.center().x, left(1.0).y);
    let place = Gpa(page.gpa.0 & !3);
    let old = look.cx.motion.from().map(|vm| format!("{:08x}", vm.machine().memory.read(place, 4)));
    let words = (old, format!("{:08x}", page.word));
    paint::text_fading(look.cx.motion, painter, (at, Align2::CENTER_CENTER), words, mono(m.font), color);
    if !page.in_slot {
        paint::text_within(
            painter,
            left(2.0),
            Align2::LEFT_CENTER,
            tr!(look.cx, "no memory slot"),
            plain(m.small),
            t.fault.text,
            width,
        );
    }
    let frame = Some(page.gpa.gfn());
    let pointed = hover::pointed_at(ui).frame == frame;
    if response.hovered() {
        hover::point_at(ui, Pointed { entry: None, frame });
    }
    let edge = if selected || pointed { t.guest.line } else { t.guest.edge };
    paint::card_edge(painter, rect, edge);
    if response.clicked() {
        look.cx.send(AppCommand::Select(selection));
    }
    let bytes = tr!(
        look.cx,
        "four bytes at {place}: {value}",
        place = words::gpa(Gpa(page.gpa.0 & !3)),
        value = format!("0x{:08x}", page.word)
    );
    response.on_hover_text(format!("{name}\n{bytes}"));
    let entry_y = rect.top() + m.head + 0.5 * m.row;
    Anchor {
        left: pos2(rect.left(), entry_y),
        right: pos2(rect.right(), entry_y),
        top: rect.top(),
        bottom: rect.bottom(),
    }
}
