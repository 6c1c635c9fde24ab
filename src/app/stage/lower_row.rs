//! The lower row under a hypervisor: its tables as cards, `pae_root`, the host frame, the TLB.

use egui::{
    Align2, Color32, CornerRadius, Rect, Role, ScrollArea, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo, pos2,
    vec2,
};

use super::arrows::Arrows;
use super::layout::Metrics;
use super::letters::letters_ui;
use super::lower::{HostCard, Lower, LowerCard, LowerEntry, LowerRow, Mark, RootCard, TableId};
use super::path::Reach;
use super::{Anchor, Look, cache_row, paint, rails, reloads, words};
use crate::app::focus;
use crate::app::hover::{self, Pointed};
use crate::app::theme::{Hue, bold, mono, plain};
use crate::app::view::{AppCommand, Selection};
use crate::arch::{Gpa, Level, pdpte};
use crate::engine::shadow::{PageId, spte};
use crate::engine::{AnyVm, EngineName};
use crate::explain::{self, Depth};
use crate::tr;

/// Entries of a table of 8-byte entries.
const ENTRIES: usize = 512;

/// Draws the row; tells the arrows where the hardware's walk crosses it.
pub fn lower_row_ui(look: &Look<'_>, ui: &mut Ui, lower: &Lower, arrows: &mut Arrows) {
    let mut places: Vec<(TableId, Rect)> = Vec::new();
    let asked = look.stage.pdptes.is_some() && reloads::is_open(look, ui);
    if let Some(root) = &lower.root {
        let (anchor, rect) = root_ui(look, ui, root);
        arrows.put_lower(pdpte::LEVEL, Some(anchor), root.reach);
        rails::root_rail(look, ui, lower, rect, arrows);
    }
    for level in Level::down_from(look.layout.shape.lower) {
        column_ui(look, ui, lower, level, arrows, &mut places);
    }
    rails::rails_ui(look, ui, lower, &places, arrows);
    (arrows.host, arrows.tlb_hit) = host_ui(look, ui, lower);
    if asked {
        reloads::reloads_ui(look, ui);
    }
}

/// The tables of a level: the one on the path open, the others as heads below it.
fn column_ui(
    look: &Look<'_>,
    ui: &mut Ui,
    lower: &Lower,
    level: Level,
    arrows: &mut Arrows,
    places: &mut Vec<(TableId, Rect)>,
) {
    let m = look.m();
    let room = look.layout.lower(level);
    let cards: Vec<&LowerCard> = lower.of_level(level).collect();
    if cards.is_empty() {
        if !(lower.root.is_some() && level == pdpte::LEVEL) {
            absent_ui(look, ui, level, room);
        }
        return;
    }
    let mut top = room.top();
    for (i, card) in cards.iter().enumerate() {
        let heads_below = (cards.len() - i - 1).min(1) as f32;
        let space = room.bottom() - top - heads_below * (m.head + 4.0);
        if i > 0 && space < m.head {
            let left = cards.len() - i + lower.left_out.iter().find(|(l, _)| *l == level).map_or(0, |(_, n)| *n);
            let at = pos2(room.left() + m.pad, top + 0.4 * m.row);
            let words = tr!(look.cx, "and {count} more", count = left);
            paint::text_within(
                ui.painter(),
                at,
                Align2::LEFT_CENTER,
                words,
                plain(m.small),
                look.t().weak,
                room.width(),
            );
            break;
        }
        let fit = ((space - m.head) / m.row).floor().max(0.0) as usize;
        let (anchor, rect) = card_ui(look, ui, card, paint::at(room.x_range(), top, 0.0), fit);
        if let Some((_, reach)) = card.walked {
            arrows.put_lower(level, anchor, reach);
        }
        places.push((card.id, rect));
        top = rect.bottom() + 6.0;
    }
}

/// No table of this level: its place stays.
fn absent_ui(look: &Look<'_>, ui: &Ui, level: Level, room: Rect) {
    let (t, m) = (look.t(), look.m());
    let rect = paint::top_of(room, m.head + m.row);
    paint::dashed_box(ui.painter(), rect, t.border);
    let at = rect.left_top() + vec2(m.pad, 0.5 * m.head);
    let name = match look.cx.vm {
        AnyVm::TwoDim(vm) => format!("{} L{}", vm.engine.kind.name(), level.0),
        AnyVm::Native(_) | AnyVm::Shadow(_) => crate::arch::Mode::table_name(level).to_owned(),
    };
    paint::text(ui.painter(), at, Align2::LEFT_CENTER, name, bold(m.font), t.weak);
    let at = rect.left_top() + vec2(m.pad, m.head + 0.4 * m.row);
    let width = rect.width() - 2.0 * m.pad;
    paint::text_within(
        ui.painter(),
        at,
        Align2::LEFT_CENTER,
        tr!(look.cx, "not built yet"),
        plain(m.small),
        t.weak,
        width,
    );
}

fn card_ui(look: &Look<'_>, ui: &mut Ui, card: &LowerCard, at: Rect, fit: usize) -> (Option<Anchor>, Rect) {
    let (t, m) = (look.t(), look.m());
    let open = !card.rows.is_empty();
    let full = open && look.cx.view.full_lower.contains(&card.id);
    let lines = if full { fit.max(1) } else { card.rows.len().min(fit.max(usize::from(open))) };
    let rect = paint::at(at.x_range(), at.top(), m.head + lines as f32 * m.row + if lines > 0 { 1.0 } else { 0.0 });
    paint::card_body(ui.painter(), t, rect);
    head_ui(look, ui, card, Rect::from_min_size(rect.min, vec2(rect.width(), m.head)));
    let body = Rect::from_min_max(pos2(rect.left(), rect.top() + m.head), rect.max);
    let mut anchor = None;
    if full {
        anchor = full_list_ui(look, ui, card, body);
    } else {
        let brief = is_brief(look, ui, card, rect.width());
        for (i, row) in visible(&card.rows, lines).enumerate() {
            let line = paint::at(rect.x_range(), body.top() + i as f32 * m.row, m.row);
            let crossed = row_ui(look, ui, (card, brief), row, line);
            anchor = anchor.or(crossed);
        }
    }
    let anchor = anchor.map(|anchor: Anchor| Anchor { top: rect.top(), bottom: rect.bottom(), ..anchor });
    let shadowed = look.cx.shadow_page(match card.id {
        TableId::Shadow(page) => page,
        TableId::Nested(_) => PageId(u32::MAX),
    });
    let pointed = shadowed.is_some_and(|page| !page.role.direct && hover::pointed_at(ui).frame == Some(page.gfn));
    let edge = if card.selected || pointed { t.shadow.line } else { t.shadow.edge };
    paint::card_edge(ui.painter(), rect, edge);
    (anchor, rect)
}

/// Where the words of a run begin, in points from the left.
fn run_indent(m: &Metrics) -> f32 {
    if m.wordy { 1.8 * m.pad } else { m.pad }
}

/// Whether the runs of a table are told in short: where one has no room for its words, none has them.
fn is_brief(look: &Look<'_>, ui: &Ui, card: &LowerCard, width: f32) -> bool {
    let m = look.m();
    let room = width - run_indent(m) - 0.5 * m.pad;
    card.rows.iter().any(|row| match row {
        LowerRow::Run { words, .. } => paint::width(ui.painter(), words, &plain(m.small)) > room,
        LowerRow::Entry(_) => false,
    })
}

fn row_ui(look: &Look<'_>, ui: &Ui, (card, brief): (&LowerCard, bool), row: &LowerRow, line: Rect) -> Option<Anchor> {
    let t = look.t();
    ui.painter().hline(line.x_range().shrink(1.0), line.top(), Stroke::new(1.0, t.border.gamma_multiply(0.6)));
    match row {
        LowerRow::Entry(entry) => {
            entry_ui(look, ui, card, entry, line);
            entry.walked.map(|_| Anchor::of(line, line))
        }
        LowerRow::Run { words, short, .. } => {
            run_ui(look, ui, card, (if brief { short } else { words }, short), line);
            None
        }
    }
}

/// Every entry, virtualised; opens around the walked one.
fn full_list_ui(look: &Look<'_>, ui: &mut Ui, card: &LowerCard, body: Rect) -> Option<Anchor> {
    let m = look.m();
    let id = ui.scope_id().with(("full list of", card.id));
    let opened = ui.data_mut(|data| std::mem::replace(data.get_temp_mut_or_default::<bool>(id), true));
    let mut area = ScrollArea::vertical().id_salt(("full", card.id)).auto_shrink(false);
    if let (false, Some((walked, _))) = (opened, card.walked) {
        area = area.vertical_scroll_offset((walked as f32 - 2.0).max(0.0) * m.row);
    }
    let mut anchor = None;
    ui.scope_builder(UiBuilder::new().max_rect(body).id_salt(("full body", card.id)), |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        focus::scroll_rows(area, ui, m.row, ENTRIES, |ui, range| {
            for index in range {
                let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), m.row), Sense::hover());
                let Some(entry) = Lower::entry(look.inputs, &look.stage.path, card, index) else { continue };
                let crossed = row_ui(look, ui, (card, false), &LowerRow::Entry(entry), rect);
                if crossed.is_some() && body.contains(rect.center()) {
                    anchor = crossed;
                }
            }
        });
    });
    anchor
}

/// As many rows as fit, the walked one among them.
fn visible(rows: &[LowerRow], fit: usize) -> impl Iterator<Item = &LowerRow> {
    let walked = rows.iter().position(|row| matches!(row, LowerRow::Entry(entry) if entry.walked.is_some()));
    let first = walked.map_or(0, |at| (at + 2).saturating_sub(fit)).min(rows.len().saturating_sub(fit));
    rows.iter().skip(first).take(fit)
}

fn head_ui(look: &Look<'_>, ui: &Ui, card: &LowerCard, rect: Rect) {
    let (t, m) = (look.t(), look.m());
    let compact = card.rows.is_empty();
    if compact {
        ui.painter().rect_filled(rect, CornerRadius::same(crate::app::theme::RADIUS), t.shadow.tint);
    } else {
        paint::card_head(ui.painter(), rect, &t.shadow);
    }
    let response = ui.interact(rect, ui.scope_id().with(("lower table", card.id)), Sense::click());
    let place =
        tr!(look.cx, "{table} in host frame {frame}", table = card.title, frame = format!("{:05x}", card.frame));
    let mut parts = vec![place.as_str(), &card.note];
    parts.extend(card.marks.iter().map(|mark| mark.word(look.cx.language())));
    let name = parts.join(tr!(look.cx, ", "));
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, card.selected, &name));
    let left = rect.left_center() + vec2(m.pad, 0.0);
    let mut right = rect.right() - 0.5 * m.pad;
    let title = if m.wordy && !compact && role_word(look, card).is_none() { &card.title } else { &card.short };
    let title = paint::text(ui.painter(), left, Align2::LEFT_CENTER, title, bold(m.font), t.shadow.text);
    let at = title.right_center() + vec2(0.7 * m.pad, 0.0);
    let frame = format!("{:05x}", card.frame);
    let role = role_word(look, card);
    let [worded, marked] = ["role", "·"].map(|sign| role.map(|role| format!("{frame} {sign} {role:#x}")));
    let both = format!("{frame} {}", card.note);
    let (worded, marked) = (worded.as_ref().unwrap_or(&frame), marked.as_ref().unwrap_or(&frame));
    let ways: &[&str] = if compact { &[&both, &frame] } else { &[worded, marked, &frame] };
    let room = right - at.x - if compact && !card.marks.is_empty() { 3.2 * m.small } else { 0.0 };
    let number = paint::first_that_fits(ui.painter(), ways, &mono(m.small), room);
    let shown =
        paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, number, mono(m.small), t.shadow.text, right - at.x);
    let at = |right: f32| pos2(right, rect.center().y);
    if let Some(tag) = card.tag.as_ref().filter(|_| !compact) {
        right = badge_ui(look, ui, tag, &t.shadow, at(right), shown.right());
    }
    for mark in &card.marks {
        right = mark_ui(look, ui, *mark, at(right), shown.right());
    }
    if let TableId::Shadow(page) = card.id {
        crate::app::menu::shadow_menu(look.cx, &response, page);
    }
    if response.double_clicked() {
        look.cx.send(AppCommand::ToggleFullLower(card.id));
    } else if response.clicked()
        && let TableId::Shadow(page) = card.id
    {
        look.cx.send(AppCommand::Select(Selection::Shadow(page)));
    }
    response.on_hover_ui(|ui| match card.id {
        TableId::Shadow(page) => crate::app::role_card::role_ui(look.cx, ui, page),
        TableId::Nested(_) => {
            ui.label(&name);
        }
    });
}

/// For engineers, the word in which the kernel keeps a shadow page's role.
fn role_word(look: &Look<'_>, card: &LowerCard) -> Option<u32> {
    let TableId::Shadow(page) = card.id else { return None };
    let role = look.cx.shadow_page(page).filter(|_| look.cx.view.depth == Depth::Engineer)?.role;
    let now = look.cx.session.engine() == EngineName::KvmNow;
    Some(if now { role.word_now() } else { role.word_2007() })
}

/// A mark at the right end of a head, if there is room; where the next one ends.
fn mark_ui(look: &Look<'_>, ui: &Ui, mark: Mark, right: egui::Pos2, taken: f32) -> f32 {
    let t = look.t();
    let hue: &Hue = match mark {
        Mark::Unsync => &t.stale,
        Mark::New => &t.changed,
        Mark::Invalid => &t.fault,
        Mark::Pinned | Mark::Direct => &t.shadow,
    };
    badge_ui(look, ui, mark.word(look.cx.language()), hue, right, taken)
}

fn badge_ui(look: &Look<'_>, ui: &Ui, word: &str, hue: &Hue, right: egui::Pos2, taken: f32) -> f32 {
    let (t, m) = (look.t(), look.m());
    let galley = ui.painter().layout_no_wrap(word.to_owned(), bold(m.small - 1.0), hue.text);
    let size = vec2(galley.size().x + 0.7 * m.small, galley.size().y + 2.0);
    if right.x - size.x < taken + 0.3 * m.pad {
        return right.x;
    }
    let rect = Rect::from_center_size(pos2(right.x - 0.5 * size.x, right.y), size);
    ui.painter().rect(rect, CornerRadius::same(4), t.card, Stroke::new(1.0, hue.edge), StrokeKind::Inside);
    ui.painter().galley(rect.center() - 0.5 * galley.size(), galley, hue.text);
    rect.left() - 4.0
}

fn run_ui(look: &Look<'_>, ui: &Ui, card: &LowerCard, (words, short): (&str, &str), rect: Rect) {
    let (t, m) = (look.t(), look.m());
    let response = ui.interact(rect, ui.scope_id().with(("lower run", card.id, words)), Sense::click());
    let name = tr!(look.cx, "{what}, list every entry", what = format!("{} {words}", card.title));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let at = rect.left_center() + vec2(run_indent(m), 0.0);
    let width = rect.right() - at.x - 0.5 * m.pad;
    let ways = [words, short, short.split(' ').next().unwrap_or(short)];
    let shown = paint::first_that_fits(ui.painter(), &ways, &plain(m.small), width);
    let color = if response.hovered() { t.strong } else { t.weak };
    paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, shown, plain(m.small), color, width);
    if response.clicked() {
        look.cx.send(AppCommand::ToggleFullLower(card.id));
    }
    response.on_hover_text(tr!(look.cx, "{what}: click to list every entry", what = words));
}

fn entry_ui(look: &Look<'_>, ui: &Ui, card: &LowerCard, entry: &LowerEntry, rect: Rect) {
    let t = look.t();
    let response = ui.interact(rect, ui.scope_id().with(("lower entry", entry.id)), Sense::click());
    let flags: String = entry.letters.iter().map(|letter| letter.text).collect::<Vec<_>>().join(" ");
    let what = match entry.target {
        Some(frame) => tr!(look.cx, "frame {frame}, {flags}", frame = format!("{frame:05x}"), flags = flags),
        None => entry.words.to_owned(),
    };
    let name = tr!(look.cx, "{what}: {why}", what = format!("{} {}", card.title, entry.id.index), why = what);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, entry.selected, &name));
    let lit = response.hovered() || entry.mirrors.is_some() && hover::pointed_at(ui).entry == entry.mirrors;
    let fill = match entry.walked {
        _ if lit => t.button_hover,
        Some(Reach::Read) => t.selected,
        Some(Reach::Ahead | Reach::Cached) => t.selected.gamma_multiply(0.5),
        None => Color32::TRANSPARENT,
    };
    let inner = rect.shrink2(vec2(1.0, 0.0));
    ui.painter().rect_filled(inner, 0, fill);
    let outline = |color| {
        ui.painter().rect_stroke(inner, CornerRadius::same(2), Stroke::new(1.5, color), StrokeKind::Inside);
    };
    if entry.selected {
        outline(t.shadow.line);
    } else if entry.changed != 0 {
        outline(t.changed.line);
    }
    entry_text(look, ui, entry, rect);
    if response.hovered() {
        let slots = &look.inputs.machine.slots;
        let frame = entry.target.and_then(|frame| slots.guest_frame(crate::arch::Hfn(frame)));
        hover::point_at(ui, Pointed { entry: entry.mirrors, frame });
    }
    if let Some(at) = entry.id.spte() {
        crate::app::menu::spte_menu(look.cx, &response, at);
    }
    if response.clicked()
        && let Some(at) = entry.id.spte()
    {
        look.cx.send(AppCommand::Select(Selection::Spte(at)));
    }
    response.on_hover_ui(|ui| tooltip(look, ui, &name, entry));
}

fn entry_text(look: &Look<'_>, ui: &Ui, entry: &LowerEntry, rect: Rect) {
    let (t, m) = (look.t(), look.m());
    let painter = ui.painter();
    let mid = rect.center().y;
    let digit = 0.6 * m.font;
    let index_right = rect.left() + m.pad + 3.0 * digit;
    let color = if entry.walked.is_some() { t.strong } else { t.weak };
    painter.text(pos2(index_right, mid), Align2::RIGHT_CENTER, entry.id.index, mono(m.font), color);
    let right = pos2(rect.right() - m.pad, mid);
    let at = pos2(index_right + if m.wordy { 0.9 } else { 0.6 } * digit, mid);
    match entry.target {
        Some(frame) => {
            let color = if entry.changed & !0xfff != 0 { t.changed.text } else { t.strong };
            let shown = paint::text(painter, at, Align2::LEFT_CENTER, format!("{frame:05x}"), mono(m.font), color);
            let room = right.x - shown.right() - 0.5 * digit;
            if look.cx.view.depth != Depth::Story {
                letters_ui(look, ui, &entry.letters, entry.changed, right, room);
            }
        }
        None => {
            let color = if entry.changed != 0 { t.changed.text } else { t.weak };
            let cleared = entry.changed != 0 && entry.words == "—";
            let words = if cleared { tr!(look.cx, "cleared") } else { entry.words };
            paint::text_within(painter, right, Align2::RIGHT_CENTER, words, plain(m.small), color, right.x - at.x);
        }
    }
}

fn tooltip(look: &Look<'_>, ui: &mut Ui, name: &str, entry: &LowerEntry) {
    let t = look.t();
    ui.label(egui::RichText::new(name).font(bold(14.0)));
    ui.label(
        egui::RichText::new(format!("0x{}", explain::hex_digits(entry.value, 16))).font(mono(14.0)).color(t.strong),
    );
    if let Some(gpa) = entry.mirrors {
        ui.label(tr!(look.cx, "mirrors the guest's entry at GPA {place}", place = words::gpa(gpa)));
    }
    if !entry.more.is_empty() {
        ui.label(&entry.more);
    }
}

/// `pae_root`: four slots, loaded like PDPTEs.
fn root_ui(look: &Look<'_>, ui: &Ui, root: &RootCard) -> (Anchor, Rect) {
    let (t, m) = (look.t(), look.m());
    let room = look.layout.lower(pdpte::LEVEL);
    let rect = paint::top_of(room, m.head + 4.0 * m.row + 1.0);
    paint::card_body(ui.painter(), t, rect);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), m.head));
    paint::card_head(ui.painter(), head, &t.shadow);
    let at = head.left_center() + vec2(m.pad, 0.0);
    let title = paint::text(ui.painter(), at, Align2::LEFT_CENTER, "pae_root", bold(m.font), t.shadow.text);
    let at = title.right_center() + vec2(0.8 * m.pad, 0.0);
    let width = head.right() - at.x - 0.5 * m.pad;
    let ways =
        [tr!(look.cx, "4 slots, each pins its directory"), tr!(look.cx, "4 pinned slots"), tr!(look.cx, "4 slots"), ""];
    let words = paint::first_that_fits(ui.painter(), &ways, &plain(m.small), width);
    paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, words, plain(m.small), t.shadow.text, width);
    let mut anchor = Anchor::of(head, rect);
    for (i, slot) in root.slots.iter().enumerate() {
        let line = paint::at(rect.x_range(), head.bottom() + i as f32 * m.row, m.row);
        let walked = (i == root.walked).then_some(root.reach);
        slot_ui(look, ui, i, slot, walked, line);
        if walked.is_some() {
            anchor = Anchor::of(line, rect);
        }
    }
    paint::card_edge(ui.painter(), rect, t.shadow.edge);
    (anchor, rect)
}

fn slot_ui(look: &Look<'_>, ui: &Ui, index: usize, slot: &super::lower::RootSlot, walked: Option<Reach>, rect: Rect) {
    let (t, m) = (look.t(), look.m());
    let response = ui.interact(rect, ui.scope_id().with(("pae_root", index)), Sense::click());
    let target =
        slot.page.map_or_else(|| tr!(look.cx, "empty").to_owned(), |(page, _)| format!("{:05x}", page.frame().0));
    let name = tr!(look.cx, "{what}: {why}", what = format!("pae_root {index}"), why = target);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    let painter = ui.painter();
    painter.hline(rect.x_range().shrink(1.0), rect.top(), Stroke::new(1.0, t.border.gamma_multiply(0.6)));
    let inner = rect.shrink2(vec2(1.0, 0.0));
    match walked {
        Some(Reach::Read) => painter.rect_filled(inner, 0, t.selected),
        Some(_) => painter.rect_filled(inner, 0, t.selected.gamma_multiply(0.5)),
        None if response.hovered() => painter.rect_filled(inner, 0, t.button_hover.gamma_multiply(0.6)),
        None => painter.rect_filled(inner, 0, Color32::TRANSPARENT),
    };
    let digit = 0.6 * m.font;
    let mid = rect.center().y;
    let index_right = rect.left() + m.pad + digit;
    let color = if walked.is_some() { t.strong } else { t.weak };
    painter.text(pos2(index_right, mid), Align2::RIGHT_CENTER, index, mono(m.font), color);
    let at = pos2(index_right + 1.2 * digit, mid);
    let right = pos2(rect.right() - m.pad, mid);
    match slot.page {
        Some((page, count)) => {
            let color = if slot.changed { t.changed.text } else { t.strong };
            let text = format!("{:05x}", page.frame().0);
            paint::text(painter, at, Align2::LEFT_CENTER, text, mono(m.font), color);
            let words = if rect.width() > 200.0 { format!("P · root_count {count}") } else { "P".to_owned() };
            paint::text(painter, right, Align2::RIGHT_CENTER, words, plain(m.small), t.weak);
            if response.clicked() {
                look.cx.send(AppCommand::Select(Selection::Shadow(PageId::of_frame(spte::frame(slot.value)))));
            }
        }
        None => {
            paint::text(painter, at, Align2::LEFT_CENTER, "—", mono(m.font), t.weak);
        }
    }
    if let Some((page, _)) = slot.page {
        response.on_hover_ui(|ui| crate::app::role_card::role_ui(look.cx, ui, page));
    }
}

/// The host frame behind the page, and the TLB below it; where arrows end.
fn host_ui(look: &Look<'_>, ui: &mut Ui, lower: &Lower) -> (Option<Anchor>, Option<Anchor>) {
    let (t, m) = (look.t(), look.m());
    let room = look.layout.host();
    let rect = paint::top_of(room, m.head + m.row + 1.0);
    let anchor = match lower.host.filter(|_| look.stage.page.arrived || !look.stage.path.recorded) {
        Some(host) => Some(host_card(look, ui, &host, rect)),
        None => {
            paint::dashed_box(ui.painter(), rect, t.border);
            let at = rect.left_top() + vec2(m.pad, 0.5 * m.head);
            paint::text(ui.painter(), at, Align2::LEFT_CENTER, tr!(look.cx, "Host"), bold(m.font), t.weak);
            let at = rect.left_top() + vec2(m.pad, m.head + 0.4 * m.row);
            let words = match look.stage.page.fault.is_some() {
                true => tr!(look.cx, "not reached"),
                false => tr!(look.cx, "not yet"),
            };
            paint::text(ui.painter(), at, Align2::LEFT_CENTER, words, plain(m.small), t.weak);
            None
        }
    };
    let below = Rect::from_min_max(pos2(room.left(), rect.bottom() + 1.1 * m.row), room.max);
    (anchor, cache_row::tlb_ui(look, ui, below))
}

fn host_card(look: &Look<'_>, ui: &Ui, host: &HostCard, rect: Rect) -> Anchor {
    let (t, m) = (look.t(), look.m());
    let painter = ui.painter();
    paint::card_body(painter, t, rect);
    let head = Rect::from_min_size(rect.min, vec2(rect.width(), m.head));
    paint::card_head(painter, head, &t.shadow);
    let at = head.left_center() + vec2(m.pad, 0.0);
    let title = paint::text(painter, at, Align2::LEFT_CENTER, tr!(look.cx, "Host"), bold(m.font), t.shadow.text);
    let at = title.right_center() + vec2(0.7 * m.pad, 0.0);
    let room = head.right() - at.x - 0.4 * m.pad;
    let (number, words, short) = match host.slot {
        Some((slot, frame)) => {
            let full = words::gpa(Gpa(host.hpa.0));
            let narrow = full.len() as f32 * 0.6 * m.small > room;
            let number = if narrow { format!("{:05x}", host.hpa.hfn().0) } else { full };
            let offset = format!("0x{frame:x}");
            let words = tr!(look.cx, "memslot {slot} + {offset}", slot = slot, offset = offset);
            (number, words, tr!(look.cx, "slot {slot} + {offset}", slot = slot, offset = offset))
        }
        None => {
            let words = tr!(look.cx, "no memory slot: emulated").to_owned();
            (String::new(), words, tr!(look.cx, "no slot: emulated").to_owned())
        }
    };
    paint::text_within(painter, at, Align2::LEFT_CENTER, number, mono(m.small), t.shadow.text, room);
    let at = pos2(rect.left() + m.pad, head.bottom() + 0.5 * m.row);
    let width = rect.width() - 2.0 * m.pad;
    let shorter = tr!(look.cx, "no slot");
    let ways: &[&str] = if host.slot.is_some() { &[&words, &short] } else { &[&words, &short, shorter] };
    let shown = paint::first_that_fits(painter, ways, &plain(m.small), width);
    paint::text_within(painter, at, Align2::LEFT_CENTER, shown, plain(m.small), t.weak, width);
    paint::card_edge(painter, rect, t.shadow.edge);
    let response = ui.interact(rect, ui.scope_id().with("host frame"), Sense::click());
    let place = words::gpa(Gpa(host.hpa.0));
    let name = tr!(look.cx, "Host frame at HPA {place}, {words}", place = place, words = words);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    if let Some(gfn) = look.inputs.machine.slots.guest_frame(host.hpa.hfn()) {
        crate::app::menu::page_menu(look.cx, &response, gfn);
        if response.hovered() {
            hover::point_at(ui, Pointed { entry: None, frame: Some(gfn) });
        }
        if response.clicked() {
            look.cx.send(AppCommand::Select(Selection::Page(gfn)));
        }
    }
    response.on_hover_text(name);
    let y = head.bottom() + 0.5 * m.row;
    Anchor { left: pos2(rect.left(), y), right: pos2(rect.right(), y), top: rect.top(), bottom: rect.bottom() }
}
