//! Arrows: from the row that was read to the row read next, as far as the shown events have come;
//! and the ghost, where a stale PDPTE in memory would have led.

use egui::{Align2, Color32, Pos2, Shape, Stroke, Ui, pos2, vec2};

use super::path::{End, Hit, Hop, Reach};
use super::{Anchor, Look, paint, words};
use crate::app::theme::plain;
use crate::arch::{Level, pdpte};

/// Seconds that a new arrow takes to grow.
const GROWTH: f32 = 0.4;

/// The places that arrows join.
#[derive(Default)]
pub struct Arrows {
    hops: Vec<(Level, Anchor)>,
    /// The page.
    pub page: Option<Anchor>,
    /// The structure-cache entry that answered.
    pub structure_hit: Option<(Level, Anchor)>,
    /// The TLB entry that answered.
    pub tlb_hit: Option<Anchor>,
    /// The lower end of the table that is shown beside the path.
    pub aside: Option<f32>,
}

/// How an arrow is to be drawn.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// The walk went there.
    Taken,
    /// An access would go there now.
    Possible,
    /// Not at all.
    No,
}

impl Arrows {
    /// Where the path crosses the card of a level.
    pub fn put(&mut self, level: Level, anchor: Option<Anchor>) {
        if let Some(anchor) = anchor {
            self.hops.push((level, anchor));
        }
    }

    fn at(&self, level: Level) -> Option<Anchor> {
        self.hops.iter().find(|(l, _)| *l == level).map(|(_, anchor)| *anchor)
    }

    /// Draws them all.
    pub fn draw(&self, look: &Look<'_>, ui: &Ui) {
        let path = &look.stage.path;
        let color = look.t().guest.line;
        for pair in path.hops.windows(2) {
            let [from, to] = pair else { continue };
            if let (Some(a), Some(b)) = (self.at(from.level), self.at(to.level)) {
                let passed = from.reach == Reach::Cached && to.reach == Reach::Cached;
                let manner = if passed { Manner::Possible } else { manner(look, from, to.reach == Reach::Read) };
                arrow(look, ui, from.level.0, a.right, b.left, manner, color);
            }
        }
        if let (Some(last), End::Page { .. }, Some(page)) = (path.hops.last(), path.end, self.page)
            && let Some(from) = self.at(last.level)
        {
            arrow(look, ui, last.level.0, from.right, page.left, manner(look, last, path.arrived), color);
        }
        self.hits(look, ui);
        self.ghost(look, ui);
    }

    /// From the cache that answered to where the walk goes on.
    fn hits(&self, look: &Look<'_>, ui: &Ui) {
        let path = &look.stage.path;
        let color = look.t().hit.line;
        if let Some((level, from)) = self.structure_hit
            && let Some(next) = path.hops.iter().find(|hop| hop.level < level)
            && let Some(to) = self.at(next.level)
        {
            let manner = if path.recorded && next.reach == Reach::Read { Manner::Taken } else { Manner::No };
            arrow(look, ui, 10 + level.0, from.right, to.left, manner, color);
        }
        if let (Some(Hit::Tlb(_)), true, Some(_), Some(page)) = (path.hit, path.arrived, self.tlb_hit, self.page) {
            let x = page.left.x.midpoint(page.right.x);
            let from = pos2(x, look.layout.cached.min);
            let to = pos2(x, page.bottom + 2.0);
            let part = growth(ui, 20, true);
            let points: Vec<Pos2> = paint::bezier([from, from.lerp(to, 0.3), from.lerp(to, 0.7), to], part);
            stroke(ui, &points, color, 2.0);
        }
    }

    fn ghost(&self, look: &Look<'_>, ui: &Ui) {
        let (Some(ghost), Some(from)) = (look.stage.ghost, self.at(pdpte::LEVEL)) else { return };
        let (t, m) = (look.t(), look.m());
        let start = from.right + vec2(0.0, 0.26 * m.row);
        // Below the cards that the real walk leads through, close to where it leaves them.
        let below = self.hops.iter().filter(|(level, _)| level.0 < 3).map(|(_, anchor)| anchor.bottom);
        let lowest = below.chain(self.page.map(|page| page.bottom)).chain(self.aside).fold(start.y + m.row, f32::max);
        let end = pos2(look.layout.column(Level(2)).min - 2.0, (lowest + 0.9 * m.row).min(look.layout.ghost));
        let bend = 0.9 * (end.x - start.x);
        let points = paint::bezier([start, start + vec2(bend, 0.0), end - vec2(bend, 0.0), end], 1.0);
        ui.painter().extend(Shape::dashed_line(&points[..points.len() - 3], Stroke::new(1.5, t.stale.line), 4.0, 3.5));
        paint::arrow_head(ui.painter(), &points, 9.0, t.stale.line);
        let at = end + vec2(0.8 * m.pad, 0.0);
        let room = look.layout.page().max - at.x;
        let words = words::ghost(ghost);
        paint::text_within(ui.painter(), at, Align2::LEFT_CENTER, words, plain(m.small), t.stale.text, room);
    }
}

fn manner(look: &Look<'_>, from: &Hop, reached: bool) -> Manner {
    match (look.stage.path.recorded, from.reach, reached) {
        (true, Reach::Read, true) => Manner::Taken,
        (false, _, _) => Manner::Possible,
        _ => Manner::No,
    }
}

/// How much of an arrow is there: it grows when it appears and shrinks when time goes back.
fn growth(ui: &Ui, key: u8, there: bool) -> f32 {
    let time = if ui.style().animation_time > 0.0 { GROWTH } else { 0.0 };
    let id = ui.scope_id().with(("arrow", key));
    ui.ctx().animate_bool_with_time_and_easing(id, there, time, egui::emath::easing::cubic_in_out)
}

fn arrow(look: &Look<'_>, ui: &Ui, key: u8, from: Pos2, to: Pos2, manner: Manner, color: Color32) {
    let part = growth(ui, key, manner == Manner::Taken);
    if part > 0.0 {
        stroke(ui, &paint::curve(from, to, part), color, 2.0);
    } else if manner == Manner::Possible {
        stroke(ui, &paint::curve(from, to, 1.0), look.t().guest.edge, 1.5);
    }
}

/// A line that ends in a head; the line stops short so that the head's tip stays sharp.
fn stroke(ui: &Ui, points: &[Pos2], color: Color32, width: f32) {
    const HEAD: f32 = 11.0;
    let Some(tip) = points.last() else { return };
    let body: Vec<Pos2> = points.iter().copied().filter(|p| p.distance(*tip) > 0.6 * HEAD).collect();
    if body.len() > 1 {
        ui.painter().line(body, Stroke::new(width, color));
    }
    paint::arrow_head(ui.painter(), points, HEAD, color);
}
