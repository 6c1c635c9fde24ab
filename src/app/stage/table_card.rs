//! A table of the guest as a card: its head, and its rows folded or as a full list.

use egui::{
    Align2, CornerRadius, Painter, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2,
    vec2,
};

use super::guest_row::row_ui;
use super::layout::{Layout, Metrics};
use super::model::{self, Row, Stage, TableCard};
use super::{Anchor, Look, paint, words};
use crate::app::focus;
use crate::app::hover::{self, Pointed};
use crate::app::menu;
use crate::app::theme::{self, bold, mono, plain};
use crate::app::view::{AppCommand, Selection};
use crate::arch::{Gpa, Level, Mode};
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
        let style = look.style;
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
    let style = look.style;
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
