//! Arrows: from the row that was read to the row read next, as far as the shown events have come, in
//! the guest's half and in the hypervisor's; and the ghost, where a stale PDPTE in memory would have
//! led.

use std::cell::RefCell;

use egui::{Align2, Color32, Pos2, Shape, Stroke, Ui, pos2, vec2};

use super::path::{End, Hit, Hop, Reach};
use super::trail::{self, Taken};
use super::{Anchor, Look, paint, words};
use crate::app::theme::plain;
use crate::arch::{Level, pdpte};

/// How far from the cards arrows run where levels stand below each other, in points.
const GUTTER: f32 = 9.0;
/// Length of a head where the way runs straight for long enough, in points.
const HEAD: f32 = 11.0;
/// Length of the ghost's head, in points.
const GHOST_HEAD: f32 = 9.0;

/// The places that arrows join.
#[derive(Default)]
pub struct Arrows {
    taken: RefCell<Vec<Taken>>,
    hops: Vec<(Level, Anchor)>,
    lower: Vec<(Level, Anchor, Reach)>,
    /// Where rails leave the guest's tables.
    pub(super) ends: Vec<(Level, Pos2)>,
    /// CR3, where it is shown.
    pub cr3: Option<Anchor>,
    /// The page.
    pub page: Option<Anchor>,
    /// The host frame.
    pub host: Option<Anchor>,
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
    /// It was not read: a cache or the hypervisor's tables answered for it.
    Passed,
    /// Not at all.
    No,
}

/// On which side of stacked cards arrows run.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Guest,
    Lower,
    /// Between the halves, from a cache to a table.
    Between,
}

impl Arrows {
    /// Where the path crosses the card of a level.
    pub fn put(&mut self, level: Level, anchor: Option<Anchor>) {
        if let Some(anchor) = anchor {
            self.hops.push((level, anchor));
        }
    }

    /// Where it crosses the hypervisor's card of a level, and how far the walk has come with it.
    pub fn put_lower(&mut self, level: Level, anchor: Option<Anchor>, reach: Reach) {
        if let Some(anchor) = anchor {
            self.lower.push((level, anchor, reach));
        }
    }

    fn at(&self, level: Level) -> Option<Anchor> {
        self.hops.iter().find(|(l, _)| *l == level).map(|(_, anchor)| *anchor)
    }

    /// Draws them all.
    pub fn draw(&self, look: &Look<'_>, ui: &Ui) {
        let path = &look.stage.path;
        let color = look.t().guest.line;
        if let (Some(from), Some(first)) = (self.cr3, path.hops.first())
            && let Some(to) = self.at(first.level)
        {
            let manner = if first.reach == Reach::Read { Manner::Taken } else { Manner::Possible };
            self.arrow(look, ui, (9, Side::Guest), (from, to), manner, color);
        }
        for pair in path.hops.windows(2) {
            let [from, to] = pair else { continue };
            if let (Some(a), Some(b)) = (self.at(from.level), self.at(to.level)) {
                let manner = manner(look, from, to.reach == Reach::Read, to.reach == Reach::Cached);
                self.arrow(look, ui, (from.level.0, Side::Guest), (a, b), manner, color);
            }
        }
        if let (Some(last), End::Page { .. }, Some(page)) = (path.hops.last(), path.end, self.page)
            && let Some(from) = self.at(last.level)
            && path.leads_to_its_end(look.inputs.machine)
        {
            let manner = manner(look, last, path.arrived, path.arrived);
            self.arrow(look, ui, (last.level.0, Side::Guest), (from, page), manner, color);
        }
        self.lower(look, ui);
        self.hits(look, ui);
        self.ghost(look, ui);
        trail::trail_ui(look, ui, self.taken.take());
    }

    /// The hardware's walk through the hypervisor's tables.
    fn lower(&self, look: &Look<'_>, ui: &Ui) {
        let Some(lower) = &look.stage.lower else { return };
        let color = look.t().shadow.line;
        let recorded = look.stage.path.recorded;
        let manner = |from: Reach, to: Reach| match (recorded, from, to) {
            (true, Reach::Read, Reach::Read) => Manner::Taken,
            (true, _, Reach::Cached) => Manner::Passed,
            (true, ..) => Manner::No,
            (false, ..) => Manner::Possible,
        };
        for pair in self.lower.windows(2) {
            let [(level, a, from), (_, b, to)] = pair else { continue };
            self.arrow(look, ui, (30 + level.0, Side::Lower), (*a, *b), manner(*from, *to), color);
        }
        if let (Some((Level(1), from, reach)), Some(host)) = (self.lower.last(), self.host)
            && lower.walked(Level(1)).is_some_and(super::lower::LowerCard::leads_on)
        {
            let to = if lower.arrived { *reach } else { Reach::Ahead };
            self.arrow(look, ui, (31, Side::Lower), (*from, host), manner(*reach, to), color);
        }
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
            self.arrow(look, ui, (10 + level.0, Side::Between), (from, to), manner, color);
        }
        let target = self.host.filter(|_| look.stage.lower.is_some()).or(self.page);
        let answers = path.arrived || !path.recorded;
        if let (Some(Hit::Tlb(_)), true, Some(hit), Some(page)) = (path.hit, answers, self.tlb_hit, target) {
            let x = page.left.x.midpoint(page.right.x);
            let from = pos2(x, hit.top);
            let to = pos2(x, page.bottom + 2.0);
            if from.y > to.y {
                let points: Vec<Pos2> = paint::bezier([from, from.lerp(to, 0.3), from.lerp(to, 0.7), to], 1.0);
                match path.recorded {
                    true => self.taken.borrow_mut().push(Taken { key: 20, lane: trail::CACHE, points, color }),
                    false => stroke(ui, &points, look.t().hit.edge, 1.5),
                }
            }
        }
    }

    fn arrow(
        &self,
        look: &Look<'_>,
        ui: &Ui,
        (key, side): (u8, Side),
        ends: (Anchor, Anchor),
        manner: Manner,
        color: Color32,
    ) {
        let points = route(look, ends, 1.0, side);
        let (soft, lane) = match side {
            Side::Between => (look.t().guest.edge, trail::CACHE),
            Side::Guest => (look.t().guest.edge, trail::GUEST),
            Side::Lower => (look.t().shadow.edge, trail::LOWER),
        };
        match manner {
            Manner::Taken => self.taken.borrow_mut().push(Taken { key, lane, points, color }),
            Manner::Possible => stroke(ui, &points, soft, 1.5),
            Manner::Passed => {
                ui.painter().extend(Shape::dashed_line(&points[..points.len() - 2], Stroke::new(1.5, color), 3.0, 4.0));
                paint::arrow_head(ui.painter(), &points, 9.0, color);
            }
            Manner::No => {}
        }
    }

    fn ghost(&self, look: &Look<'_>, ui: &Ui) {
        let (Some(ghost), Some(from)) = (look.stage.ghost, self.at(pdpte::LEVEL)) else { return };
        let (t, m) = (look.t(), look.m());
        let ways = [false, true].map(|short| words::ghost(ghost, short, look.cx.language()));
        let colors = (t.stale.text, t.stage);
        if look.layout.stacked {
            let at = pos2(look.layout.guest_label.x, look.layout.ghost);
            let room = look.layout.page().right().max(look.layout.host().right()) - at.x;
            let text = format!("◔ {}", ways[1]);
            paint::text_over(ui.painter(), at, Align2::LEFT_CENTER, &text, plain(m.small), colors, room);
            return;
        }
        let start = from.right + vec2(0.0, 0.26 * m.row);
        // Below the cards that the real walk leads through, close to where it leaves them.
        let below = self.hops.iter().filter(|(level, _)| level.0 < 3).map(|(_, anchor)| anchor.bottom);
        let lowest = below.chain(self.page.map(|page| page.bottom)).chain(self.aside).fold(start.y + m.row, f32::max);
        let end = pos2(look.layout.guest(Level(2)).left() - 2.0, (lowest + 0.9 * m.row).min(look.layout.ghost));
        let bend = 0.9 * (end.x - start.x);
        let points = paint::bezier([start, start + vec2(bend, 0.0), end - vec2(bend, 0.0), end], 1.0);
        // Up to the head, whose tip stays sharp.
        let far = |point: &&Pos2| point.distance(end) > 0.6 * GHOST_HEAD;
        let mut body: Vec<Pos2> = points.iter().filter(far).copied().collect();
        if let Some(last) = body.last().copied() {
            body.push(end - 0.6 * GHOST_HEAD * (end - last).normalized());
        }
        ui.painter().extend(Shape::dashed_line(&body, Stroke::new(1.5, t.stale.line), 4.0, 3.5));
        paint::arrow_head(ui.painter(), &points, GHOST_HEAD, t.stale.line);
        let at = end + vec2(0.8 * m.pad, 0.0);
        let room = look.layout.page().right() - at.x;
        let words = paint::first_that_fits(ui.painter(), &ways, &plain(m.small), room);
        paint::text_over(ui.painter(), at, Align2::LEFT_CENTER, words, plain(m.small), colors, room);
    }
}

fn manner(look: &Look<'_>, from: &Hop, reached: bool, passed: bool) -> Manner {
    match (look.stage.path.recorded, from.reach, reached) {
        (true, Reach::Read, true) => Manner::Taken,
        (true, Reach::Cached, _) if passed => Manner::Passed,
        (false, _, _) => Manner::Possible,
        _ => Manner::No,
    }
}

/// The way of an arrow: a curve between columns, or around the cards where levels are stacked.
fn route(look: &Look<'_>, (from, to): (Anchor, Anchor), part: f32, side: Side) -> Vec<Pos2> {
    if !look.layout.stacked {
        return paint::curve(from.right, to.left, part);
    }
    let (a, b, out) = match side {
        Side::Guest => (from.left, to.left, -GUTTER),
        Side::Lower => (from.right, to.right, GUTTER),
        Side::Between => (from.left, to.right, -GUTTER),
    };
    // Wide cards end where narrow ones do not: the outer one decides where the way runs.
    let x = match side {
        Side::Guest => a.x.min(b.x),
        Side::Lower => a.x.max(b.x),
        Side::Between => a.x,
    } + out;
    let corners = [a, pos2(x, a.y), pos2(x, b.y), b];
    let lengths: Vec<f32> = corners.windows(2).map(|pair| pair[0].distance(pair[1])).collect();
    let mut left = part * lengths.iter().sum::<f32>();
    let mut points = vec![a];
    for (pair, length) in corners.windows(2).zip(lengths) {
        let share = (left / length.max(0.1)).clamp(0.0, 1.0);
        for step in 1..=6 {
            points.push(pair[0].lerp(pair[1], share * step as f32 / 6.0));
        }
        left -= length;
        if left <= 0.0 {
            break;
        }
    }
    points
}

/// A line that ends in a head; the line stops short so that the head's tip stays sharp.
pub(super) fn stroke(ui: &Ui, points: &[Pos2], color: Color32, width: f32) {
    let Some(tip) = points.last() else { return };
    let head = HEAD.min(0.75 * run_in(points));
    let mut body: Vec<Pos2> = points.iter().copied().filter(|p| p.distance(*tip) > 0.6 * head).collect();
    if let Some(last) = body.last().copied() {
        body.push(*tip - 0.6 * head * (*tip - last).normalized());
        ui.painter().line(body, Stroke::new(width, color));
    }
    paint::arrow_head(ui.painter(), points, head, color);
}

/// How far a way runs straight on to its end, in points.
fn run_in(points: &[Pos2]) -> f32 {
    let Some(tip) = points.last() else { return 0.0 };
    let far = points.iter().rev().find(|point| point.distance(*tip) > 1.0);
    let Some(along) = far.map(|point| (*tip - *point).normalized()) else { return 0.0 };
    let straight = |point: &&Pos2| (*tip - **point).dot(along) > 0.9 * point.distance(*tip);
    points.iter().rev().skip(1).take_while(straight).last().map_or(0.0, |point| point.distance(*tip))
}
