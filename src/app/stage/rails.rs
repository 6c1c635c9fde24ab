//! Rails: what joins a guest table with its shadows. Solid: in sync. Dashed: out of sync, or nothing
//! keeps it in sync. None: not shadowed. Under two-dimensional paging, the reads that translate the
//! table's address.

use egui::{Align2, CornerRadius, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::arrows::Arrows;
use super::lower::{Lower, Rail, RailKind, TableId};
use super::{Look, paint};
use crate::app::theme::{bold, plain};
use crate::arch::{Level, pdpte};
use crate::tr;

/// Between the PDPTE registers and `pae_root`.
pub fn root_rail(look: &Look<'_>, ui: &Ui, lower: &Lower, root: Rect, arrows: &Arrows) {
    if let Some(rail) = lower.rail(pdpte::LEVEL) {
        let from = arrows.table_end(pdpte::LEVEL).filter(|_| !look.layout.stacked);
        if let Some(from) = from {
            line(look, ui, from, pos2(from.x, root.top()), true);
        }
        label(look, ui, lower, rail, from.is_some());
    }
}

/// Between every guest table on the path and its shadows.
pub fn rails_ui(look: &Look<'_>, ui: &Ui, lower: &Lower, places: &[(TableId, Rect)], arrows: &Arrows) {
    for rail in &lower.rails {
        if lower.root.is_some() && rail.level == pdpte::LEVEL {
            continue;
        }
        if !rail.nested.is_empty() {
            nested(look, ui, rail);
            continue;
        }
        let Some(from) = arrows.table_end(rail.level) else { continue };
        let places = rail
            .ends
            .iter()
            .filter_map(|(id, synced)| places.iter().find(|(other, _)| other == id).map(|(_, rect)| (*rect, *synced)));
        for (i, (rect, synced)) in places.enumerate() {
            if look.layout.stacked && look.layout.guest(rail.level).right() > rect.left() {
                // The guest's card is as wide as the window: its shadow stands below it, not beside it.
                let x = rect.left() + 0.5 * rect.width();
                line(look, ui, pos2(x, from.y), pos2(x, rect.top()), synced);
            } else if look.layout.stacked {
                let y = rect.top() + 0.5 * look.m().head;
                line(look, ui, pos2(look.layout.guest(rail.level).right(), y), pos2(rect.left(), y), synced);
            } else if i == 0 {
                line(look, ui, from, pos2(from.x, rect.top()), synced);
            } else {
                // Past the card that stands above it.
                let x = rect.left() - 6.0;
                let y = rect.top() + 0.5 * look.m().head;
                let turn = look.layout.lower(rail.level).top() - 4.0;
                let points = [pos2(from.x, turn), pos2(x, turn), pos2(x, y), pos2(rect.left(), y)];
                for pair in points.windows(2) {
                    line(look, ui, pair[0], pair[1], synced);
                }
            }
        }
        label(look, ui, lower, rail, !rail.ends.is_empty());
    }
}

/// Rails stand a fifth into their column, so that their words have room at the right.
fn rail_x(look: &Look<'_>, level: Level) -> f32 {
    let x = look.layout.guest(level).x_range();
    x.min + 0.2 * x.span()
}

impl Arrows {
    /// Where a rail leaves the card of a guest table.
    fn table_end(&self, level: Level) -> Option<Pos2> {
        self.ends.iter().find(|(l, _)| *l == level).map(|(_, at)| *at)
    }

    /// Remembers the lower end of a guest table's card.
    pub fn put_end(&mut self, look: &Look<'_>, level: Level, bottom: f32) {
        self.ends.push((level, pos2(rail_x(look, level), bottom)));
    }
}

fn line(look: &Look<'_>, ui: &Ui, from: Pos2, to: Pos2, synced: bool) {
    let t = look.t();
    if synced {
        ui.painter().line_segment([from, to], Stroke::new(2.0, t.rail));
    } else {
        ui.painter().extend(Shape::dashed_line(&[from, to], Stroke::new(2.0, t.stale.line), 5.0, 4.0));
    }
}

fn label(look: &Look<'_>, ui: &Ui, lower: &Lower, rail: &Rail, joined: bool) {
    let (t, m) = (look.t(), look.m());
    let Some(y) = look.layout.rails else { return };
    let room = look.layout.guest(rail.level);
    let out_of_sync = rail.ends.iter().any(|(_, synced)| !synced);
    let color = if out_of_sync { t.stale.text } else { t.weak };
    let x = if joined { rail_x(look, rail.level) + 7.0 } else { room.left() + m.pad };
    // It may use the gap beside it, and the next column where nothing joins the halves there.
    let next = Level(rail.level.0.saturating_sub(1));
    let free = next.0 > 0 && lower.rail(next).is_none();
    let beside = look.layout.guest(next);
    let right = match free {
        true => beside.right(),
        false if next.0 > 0 => (room.right() + 14.0).min(beside.left() - 6.0),
        false => room.right() + 14.0,
    };
    let width = right - x;
    let at = pos2(x, y);
    // What comes before a dot or a colon can stand alone.
    let first = |ends: &[char]| rail.words.split(ends).next().unwrap_or_default().trim_end();
    let ways = [rail.words.as_str(), first(&['·']), first(&['·', ':', '：'])];
    let words = paint::first_that_fits(ui.painter(), &ways, &plain(m.small), width);
    let shown = paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, words, plain(m.small), color, width);
    let response = ui.interact(shown.expand(2.0), ui.scope_id().with(("rail", rail.level.0)), Sense::hover());
    let table = crate::arch::Mode::table_name(rail.level);
    let name = tr!(look.cx, "{what}: {why}", what = table, why = rail.words);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &name));
    response.on_hover_text(explain(look, rail));
}

fn explain(look: &Look<'_>, rail: &Rail) -> String {
    let more = match rail.kind {
        RailKind::NotProtected => tr!(
            look.cx,
            "Nothing tells this hypervisor of stores to the table: the shadow follows only when the guest invalidates."
        ),
        RailKind::OutOfSync => {
            tr!(look.cx, "The guest may write this table unseen. The shadow follows at the next invalidation.")
        }
        RailKind::Synced => {
            tr!(look.cx, "The table is write-protected: every store to it is emulated, and the shadow follows at once.")
        }
        RailKind::SpecialRoot => tr!(
            look.cx,
            "The four registers are shadowed by four fixed slots. The page that the PDPT lies in stays writable."
        ),
        RailKind::Plain => return rail.words.clone(),
    };
    format!("{}\n{more}", rail.words)
}

/// The reads of the second dimension that translate the address of one guest entry: four cells.
fn nested(look: &Look<'_>, ui: &Ui, rail: &Rail) {
    let (t, m) = (look.t(), look.m());
    let Some(y) = look.layout.rails else { return };
    let room = look.layout.guest(rail.level);
    let side = 1.25 * m.small;
    let count = rail.nested.iter().filter(|(_, read)| *read).count();
    let mut left = room.left() + 0.3 * m.pad;
    for (level, read) in &rail.nested {
        let rect = Rect::from_min_size(pos2(left, y - 0.5 * side), vec2(side, side));
        let (fill, edge, text) =
            if *read { (t.shadow.tint, t.shadow.line, t.shadow.text) } else { (t.stage, t.border, t.weak) };
        ui.painter().rect(rect, CornerRadius::same(3), fill, Stroke::new(1.0, edge), StrokeKind::Inside);
        paint::text(ui.painter(), rect.center(), Align2::CENTER_CENTER, level, bold(m.small - 2.0), text);
        left += side + 2.0;
    }
    let words = match count {
        0 if rail.words.is_empty() => tr!(look.cx, "no read").to_owned(),
        0 => rail.words.clone(),
        n => tr!(look.cx, "{count} reads", count = n),
    };
    let at = pos2(left + 4.0, y);
    let width = room.right() - at.x + 10.0;
    if width > 4.0 * m.small {
        let color = if count > 0 { t.shadow.text } else { t.weak };
        paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, &words, plain(m.small), color, width);
    }
    let rect = Rect::from_min_max(pos2(room.left(), y - 0.5 * side), pos2(room.right(), y + 0.5 * side));
    let response = ui.interact(rect, ui.scope_id().with(("nested reads", rail.level.0)), Sense::hover());
    let table = crate::arch::Mode::table_name(rail.level);
    let name = tr!(look.cx, "{table}: {reads} to reach its entry", table = table, reads = words);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &name));
    let why = tr!(look.cx, "The entry lies at a guest-physical address, so its own place must be translated first.");
    response.on_hover_text(format!("{name}\n{why}"));
}
