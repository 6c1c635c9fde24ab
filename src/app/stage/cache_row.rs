//! The cached row: paging-structure caches below the level that they cache, the TLB below the page.
//!
//! An entry that memory contradicts by now is marked stale: the processor may use it until it is
//! invalidated (SDM 4.10.2, 4.10.3).

use egui::{Align2, Color32, Rect, Role, ScrollArea, Sense, Stroke, Ui, UiBuilder, WidgetInfo, pos2, vec2};

use super::arrows::Arrows;
use super::cached::{StructureCard, StructureRow, TlbRow};
use super::{Anchor, Look, paint, reloads, words};
use crate::app::theme::{bold, mono, plain};
use crate::app::view::{AppCommand, Selection};
use crate::app::{focus, hover};
use crate::arch::{Gpa, Level, Mode};
use crate::engine::EngineName;
use crate::tr;

/// What a card of the row shows in a line.
struct Line {
    key: String,
    target: String,
    notes: String,
    hit: bool,
    stale: bool,
    new: bool,
    select: Option<Selection>,
    tooltip: String,
}

/// Draws the row of bare hardware and tells the arrows where a hit is.
pub fn cache_row_ui(look: &Look<'_>, ui: &mut Ui, arrows: &mut Arrows) {
    if look.stage.pdptes.is_some() {
        reloads::reloads_ui(look, ui);
    }
    let caches = look.cx.machine.caches;
    for card in &look.stage.structures {
        let title = tr!(look.cx, "{entry} cache", entry = Mode::entry_name(card.level));
        let lines: Vec<Line> = card.rows.iter().map(|row| structure_line(look, card, row)).collect();
        let room = look.layout.lower(card.level);
        let (hit, bottom) = card_ui(look, ui, &title, room, &lines, caches.structures);
        about(look, ui, room, bottom, &structure_words(look, card.level));
        if let Some(anchor) = hit {
            arrows.structure_hit = Some((card.level, anchor));
        }
    }
    let (leaf, page) = (look.layout.lower(Level(1)), look.layout.host());
    let room = match (look.stage.mode, look.layout.stacked) {
        // Without paging there is one narrow column, and room beside it.
        (Mode::Off, false) => Rect::from_min_size(page.min, vec2(2.0 * page.width(), page.height())),
        (_, true) => page,
        (_, false) => leaf.union(page),
    };
    let lines: Vec<Line> = look.stage.tlb.iter().map(|row| tlb_line(look, row, false)).collect();
    let (hit, bottom) = card_ui(look, ui, "TLB", room, &lines, caches.tlb);
    arrows.tlb_hit = hit;
    let words = tr!(
        look.cx,
        "A hit answers without a walk, with the rights that were found then. INVLPG drops one page, MOV CR3 all that \
         are not global."
    );
    about(look, ui, room, bottom, words);
}

/// The TLB in a narrow room, under a hypervisor; where its hit is, if it has one.
pub fn tlb_ui(look: &Look<'_>, ui: &mut Ui, room: Rect) -> Option<Anchor> {
    let m = look.m();
    if room.height() < m.head + m.row {
        return None;
    }
    let lines: Vec<Line> = look.stage.tlb.iter().map(|row| tlb_line(look, row, true)).collect();
    card_ui(look, ui, "TLB", room, &lines, look.cx.machine.caches.tlb).0
}

fn structure_words(look: &Look<'_>, level: Level) -> String {
    let below = Mode::table_name(Level(level.0 - 1));
    tr!(look.cx, "Leads straight to a {table}. Any INVLPG empties it.", table = below)
}

/// What a cache is for, below its card, where there is room.
fn about(look: &Look<'_>, ui: &Ui, room: Rect, top: f32, words: &str) {
    let (t, m) = (look.t(), look.m());
    let width = room.width() - 0.6 * m.pad;
    let galley = ui.painter().layout(words.to_owned(), plain(m.small), t.weak, width);
    let at = pos2(room.left() + 0.3 * m.pad, top + 0.4 * m.row);
    if at.y + galley.size().y <= room.bottom() && !look.layout.stacked {
        ui.painter().galley(at, galley, t.weak);
    }
}

/// A cached prefix, written as the indices that it stands for.
fn structure_line(look: &Look<'_>, card: &StructureCard, row: &StructureRow) -> Line {
    let mode = look.stage.mode;
    let levels = Level::down_from(mode.top_level()).filter(|level| *level >= card.level);
    let key = levels.map(|level| mode.index(level, row.gva).to_string()).collect::<Vec<_>>().join(".");
    let below = Level(card.level.0 - 1);
    let native = look.inputs.engine == EngineName::Native;
    let stale = if row.stale { format!("\n{}", tr!(look.cx, "memory leads elsewhere by now")) } else { String::new() };
    Line {
        key,
        target: format!("{:05x}", row.table.gfn().0),
        notes: pcid(row.pcid),
        hit: row.hit,
        stale: row.stale,
        new: row.new,
        select: native.then_some(Selection::Table { level: below.0, base: row.table }),
        tooltip: format!(
            "{}\n{} {}{stale}",
            tr!(look.cx, "from GVA {address} on", address = words::gva(mode, row.gva)),
            tr!(look.cx, "{table} at GPA", table = Mode::table_name(below)),
            words::gpa(row.table)
        ),
    }
}

/// `short` leaves the offset in the page out: it is zero.
fn tlb_line(look: &Look<'_>, row: &TlbRow, short: bool) -> Line {
    let entry = &row.entry;
    let rights = entry.rights;
    let mut notes = vec![if rights.rw { "W" } else { "·" }, if rights.us { "U" } else { "·" }];
    let optional = [(entry.dirty, "D"), (entry.global, "G"), (rights.xd, "XD")];
    notes.extend(optional.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter));
    let mut notes = notes.join(" ");
    if entry.shift != 12 {
        notes += &format!(" {}", words::page_size(u32::from(entry.shift)));
    }
    notes += &pcid(entry.pcid);
    let stale = match row.stale {
        true => format!("\n{}", tr!(look.cx, "memory says something else by now")),
        false => String::new(),
    };
    let native = look.inputs.engine == EngineName::Native;
    // Under a hypervisor the hardware caches host frames.
    let space = if native { "GPA" } else { "HPA" };
    Line {
        key: if short { short_page(entry.page) } else { words::gva(look.stage.mode, entry.page) },
        target: format!("{:05x}", Gpa(entry.frame).gfn().0),
        notes,
        hit: row.hit,
        stale: row.stale,
        new: row.new,
        select: native.then_some(Selection::Page(Gpa(entry.frame).gfn())),
        tooltip: format!(
            "GVA {} → {space} {}, {}{stale}",
            words::gva(look.stage.mode, entry.page),
            words::gpa(Gpa(entry.frame)),
            words::page_size(u32::from(entry.shift))
        ),
    }
}

/// The page's number; of a long one its end, which tells pages apart.
fn short_page(page: crate::arch::Gva) -> String {
    let number = format!("{:x}", page.0 >> 12);
    if number.len() > 6 { format!("…{}", &number[number.len() - 4..]) } else { number }
}

fn pcid(pcid: u16) -> String {
    if pcid == 0 { String::new() } else { format!(" pcid {pcid}") }
}

/// One card; where its hit is, if it has one, and its lower end.
fn card_ui(look: &Look<'_>, ui: &mut Ui, title: &str, room: Rect, lines: &[Line], on: bool) -> (Option<Anchor>, f32) {
    let (t, m) = (look.t(), look.m());
    let fit = (((room.height() - m.head - 2.0) / m.row) as usize).max(1);
    // What is hit or new stands first; a line below says that there is more to scroll to.
    let more = lines.len() > fit && fit > 2;
    let shown = if more { fit - 1 } else { lines.len().clamp(1, fit) };
    let rect = paint::top_of(room, m.head + shown as f32 * m.row + 1.0);
    if more {
        let words = tr!(look.cx, "and {count} more", count = lines.len() - shown);
        let at = pos2(rect.left() + m.pad, rect.bottom() + 0.5 * m.row);
        paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, words, plain(m.small), t.weak, rect.width());
    }
    paint::card_body(ui.painter(), t, rect);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), m.head));
    paint::card_head(ui.painter(), head, &t.hit);
    let at = head.left_center() + vec2(m.pad, 0.0);
    let title_at = paint::text(ui.painter(), at, Align2::LEFT_CENTER, title, bold(m.font), t.hit.text);
    if !lines.is_empty() && title_at.right() + 3.0 * m.small < head.right() {
        let right = head.right_center() - vec2(m.pad, 0.0);
        paint::text(ui.painter(), right, Align2::RIGHT_CENTER, lines.len(), mono(m.small), t.hit.text);
    }
    let body = Rect::from_min_max(pos2(rect.left(), head.bottom()), rect.max);
    let columns = Columns::of(look, ui, lines, rect.width());
    let mut anchor = None;
    if lines.is_empty() {
        let word = if on { tr!(look.cx, "empty") } else { tr!(look.cx, "switched off") };
        let at = body.left_top() + vec2(1.8 * m.pad, 0.5 * m.row);
        paint::text(ui.painter(), at, Align2::LEFT_CENTER, word, plain(m.small), t.weak);
    } else {
        ui.scope_builder(UiBuilder::new().max_rect(body).id_salt(("cache", title)), |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let area = ScrollArea::vertical().id_salt(title).auto_shrink(false).min_scrolled_height(0.0);
            focus::scroll_rows(area, ui, m.row, lines.len(), |ui, range| {
                for i in range {
                    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), m.row), Sense::hover());
                    line_ui(look, ui, title, (&lines[i], &columns), rect);
                    if lines[i].hit {
                        anchor = Some(Anchor::of(rect, rect));
                    }
                }
            });
        });
    }
    paint::card_edge(ui.painter(), rect, t.hit.edge);
    (anchor.map(|anchor: Anchor| Anchor { top: rect.top(), ..anchor }), rect.bottom())
}

fn line_ui(look: &Look<'_>, ui: &Ui, title: &str, (line, columns): (&Line, &Columns), rect: Rect) {
    let t = look.t();
    let response = ui.interact(rect, ui.scope_id().with((title, &line.key, &line.notes)), Sense::click());
    let leads = tr!(look.cx, "{cache}: {key} leads to {frame}", cache = title, key = line.key, frame = line.target);
    let states =
        [(line.hit, tr!(look.cx, "hit")), (line.stale, tr!(look.cx, "stale")), (line.new, tr!(look.cx, "new"))];
    let mut parts = vec![leads.as_str()];
    parts.extend(states.iter().filter(|(is, _)| *is).map(|(_, word)| *word));
    let name = parts.join(tr!(look.cx, ", "));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let painter = ui.painter();
    painter.hline(rect.x_range().shrink(1.0), rect.top(), Stroke::new(1.0, t.border.gamma_multiply(0.6)));
    let inner = rect.shrink2(vec2(1.0, 0.0));
    let about = line.select.and_then(hover::Pointed::of_selection);
    if let Some(about) = about.filter(|_| response.hovered()) {
        hover::point_at(ui, about);
    }
    let answers = about.is_some_and(|about| about.answers(&hover::pointed_at(ui)));
    if line.hit {
        painter.rect_filled(inner, 0, t.hit.tint);
    } else if response.hovered() || answers {
        painter.rect_filled(inner, 0, t.button_hover.gamma_multiply(0.6));
    }
    if line.stale {
        paint::hatch(painter, inner, t.stale.line.gamma_multiply(0.18), 14.0, 5.0);
    }
    line_text(look, ui, line, columns, rect);
    crate::app::menu::cached_menu(look.cx, &response, line.select, &name);
    if let (true, Some(selection)) = (response.clicked(), line.select) {
        look.cx.send(AppCommand::Select(selection));
    }
    response.on_hover_text(&line.tooltip);
}

/// How much is told of what a translation grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notes {
    Full,
    /// A PCID as `p1`.
    Short,
    None,
}

/// The columns of a card: every line has the same, for a field that one line lacks would read as a bit that is 0.
#[derive(Clone, Copy, Debug)]
struct Columns {
    /// States are told in words, else in signs.
    worded: bool,
    notes: Notes,
    /// Widths of key and target, in points.
    key: f32,
    target: f32,
}

impl Columns {
    /// The fullest that all lines have room for.
    fn of(look: &Look<'_>, ui: &Ui, lines: &[Line], width: f32) -> Self {
        let (m, painter) = (look.m(), ui.painter());
        let digit = 0.6 * m.small;
        let longest = |of: &dyn Fn(&Line) -> f32| lines.iter().map(of).fold(0.0, f32::max);
        let target = longest(&|line| (line.target.len() + 2) as f32 * digit);
        let full_key = longest(&|line| line.key.len() as f32 * digit);
        let short_key = longest(&|line| short_key(&line.key, LEAST_DIGITS).chars().count() as f32 * digit);
        let at = |worded: bool, notes: Notes, key: f32| {
            let state = longest(&|line| paint::width(painter, state_of(look, line, worded).0, &bold(m.small)));
            let told = longest(&|line| paint::width(painter, &notes_of(line, notes), &plain(m.small)));
            let gaps = if told > 0.0 { 1.2 * m.pad } else { 0.0 } + if state > 0.0 { 0.6 * m.pad } else { 0.0 };
            let rest = width - 2.0 * m.pad - 0.6 * m.pad - target - gaps - told - state;
            (rest >= key).then(|| Self { worded, notes, key: rest.min(full_key), target })
        };
        let ways = [
            (true, Notes::Full, full_key),
            (false, Notes::Full, full_key),
            (false, Notes::Full, short_key),
            (false, Notes::Short, short_key),
            (false, Notes::None, short_key),
        ];
        let found = ways.into_iter().find_map(|(worded, notes, key)| at(worded, notes, key));
        found.unwrap_or(Self { worded: false, notes: Notes::None, key: short_key, target })
    }
}

/// So many digits of a page say which it is.
const LEAST_DIGITS: usize = 3;

/// The end of a key that has no room, which says most: the last of several indices, the last digits of a page.
fn short_key(key: &str, digits: usize) -> String {
    match key.rsplit_once('.') {
        Some((_, last)) => format!("…{last}"),
        None => {
            let plain: Vec<char> = key.trim_start_matches("0x").chars().filter(char::is_ascii_hexdigit).collect();
            match plain.len() > digits {
                true => format!("…{}", plain[plain.len() - digits..].iter().collect::<String>()),
                false => plain.into_iter().collect(),
            }
        }
    }
}

fn notes_of(line: &Line, notes: Notes) -> String {
    match notes {
        Notes::Full => line.notes.trim().to_owned(),
        Notes::Short => line.notes.trim().replace("pcid ", "p"),
        Notes::None => String::new(),
    }
}

/// The state of a line, in a word or as a sign.
fn state_of<'a>(look: &Look<'a>, line: &Line, worded: bool) -> (&'a str, Color32) {
    let t = look.t();
    let (word, sign, color) = match (line.hit, line.stale, line.new) {
        (true, true, _) => (tr!(look.cx, "hit, STALE"), "◔", t.stale.text),
        (true, false, _) => (tr!(look.cx, "hit"), "✓", t.hit.text),
        (false, true, _) => (tr!(look.cx, "STALE"), "◔", t.stale.text),
        (false, false, true) => (tr!(look.cx, "new"), "+", t.changed.text),
        (false, false, false) => ("", "", t.weak),
    };
    (if worded { word } else { sign }, color)
}

fn line_text(look: &Look<'_>, ui: &Ui, line: &Line, columns: &Columns, rect: Rect) {
    let (t, m) = (look.t(), look.m());
    let painter = ui.painter();
    let (state, color) = state_of(look, line, columns.worded);
    let right = rect.right_center() - vec2(m.pad, 0.0);
    paint::text(painter, right, Align2::RIGHT_CENTER, state, bold(m.small), color);
    let at = rect.left_center() + vec2(m.pad, 0.0);
    let digit = 0.6 * m.small;
    let key = match line.key.len() as f32 * digit <= columns.key + 0.5 {
        true => line.key.clone(),
        false => short_key(&line.key, ((columns.key / digit) as usize).saturating_sub(1).max(LEAST_DIGITS)),
    };
    paint::text(painter, at, Align2::LEFT_CENTER, key, mono(m.small), t.strong);
    let at = at + vec2(columns.key + 0.6 * m.pad, 0.0);
    paint::text(painter, at, Align2::LEFT_CENTER, format!("→ {}", line.target), mono(m.small), t.text);
    let at = at + vec2(columns.target + 1.2 * m.pad, 0.0);
    paint::text(painter, at, Align2::LEFT_CENTER, notes_of(line, columns.notes), plain(m.small), t.weak);
}
