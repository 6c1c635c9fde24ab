//! Strokes that the stage's files share: text, cards, hatching, curves.

use egui::{
    Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Ui, UiBuilder, Vec2, pos2,
    vec2,
};

use crate::app::elide::cut;
use crate::app::theme::{Hue, RADIUS, Tokens};
use crate::app::time::Motion;

/// Text on one line; returns what it covers.
pub fn text(painter: &Painter, at: Pos2, align: Align2, text: impl ToString, font: FontId, color: Color32) -> Rect {
    painter.text(at, align, text, font, color)
}

/// Text cut with an ellipsis so that it is at most `width` wide; returns what it covers.
pub fn text_within(
    painter: &Painter,
    at: Pos2,
    align: Align2,
    text: impl Into<String>,
    font: FontId,
    color: Color32,
    width: f32,
) -> Rect {
    let mut job = egui::text::LayoutJob::simple_singleline(text.into(), font, color);
    job.wrap.max_width = width.max(0.0);
    job.wrap.max_rows = 1;
    job.wrap.break_anywhere = true;
    let galley = painter.layout_job(job);
    let rect = align.anchor_size(at, galley.size());
    painter.galley(rect.min, galley, color);
    rect
}

/// Paints a value that may be changing: while it does, `old` goes as `new` comes.
pub fn cross_fade(motion: &Motion, ui: &mut Ui, rect: Rect, old: Option<impl FnOnce(&Ui)>, new: impl FnOnce(&Ui)) {
    let moving = old.and_then(|old| Some((old, motion.claim()?)));
    let Some((old, part)) = moving else { return new(ui) };
    let mut faded = |salt: &str, opacity: f32| {
        let place = (salt, rect.min.x as i32, rect.min.y as i32);
        let mut child = ui.new_child(UiBuilder::new().max_rect(rect).id_salt(place));
        child.set_opacity(opacity);
        child
    };
    old(&faded("goes", 1.0 - part));
    new(&faded("comes", part));
}

/// As [`cross_fade`], of one text.
pub fn text_fading(
    motion: &Motion,
    painter: &Painter,
    (at, align): (Pos2, Align2),
    (old, new): (Option<String>, String),
    font: FontId,
    color: Color32,
) -> Rect {
    match old.filter(|old| *old != new).and_then(|old| Some((old, motion.claim()?))) {
        None => text(painter, at, align, new, font, color),
        Some((old, part)) => {
            text(painter, at, align, old, font.clone(), color.gamma_multiply(1.0 - part));
            text(painter, at, align, new, font, color.gamma_multiply(part))
        }
    }
}

/// A rectangle in a column.
#[must_use]
pub fn at(x: egui::Rangef, top: f32, height: f32) -> Rect {
    Rect::from_min_size(pos2(x.min, top), vec2(x.span(), height))
}

/// The upper part of a room, as high as a card is.
#[must_use]
pub fn top_of(room: Rect, height: f32) -> Rect {
    at(room.x_range(), room.top(), height)
}

/// The width of a text on one line, in points.
#[must_use]
pub fn width(painter: &Painter, text: &str, font: &FontId) -> f32 {
    painter.layout_no_wrap(text.to_owned(), font.clone(), Color32::WHITE).size().x
}

/// The first of several ways to say something that is at most `width` wide; else the last.
#[must_use]
pub fn first_that_fits<'a, S: AsRef<str>>(painter: &Painter, ways: &'a [S], font: &FontId, width: f32) -> &'a str {
    let fits = |way: &&S| self::width(painter, way.as_ref(), font) <= width;
    ways.iter().find(fits).or(ways.last()).map_or("", AsRef::as_ref)
}

/// Text on a ground of its own, so that lines behind it are interrupted.
pub fn text_over(
    painter: &Painter,
    at: Pos2,
    align: Align2,
    text: &str,
    font: FontId,
    (color, ground): (Color32, Color32),
    width: f32,
) -> Rect {
    let galley = cut(painter, text, font, color, width);
    let rect = align.anchor_size(at, galley.size());
    painter.rect_filled(rect.expand2(vec2(4.0, 0.0)), CornerRadius::ZERO, ground);
    painter.galley(rect.min, galley, color);
    rect
}

/// The body of a card, to be closed by [`card_edge`] after its rows.
pub fn card_body(painter: &Painter, t: &Tokens, rect: Rect) {
    painter.rect_filled(rect, CornerRadius::same(RADIUS), t.card);
}

/// The tinted head of a card.
pub fn card_head(painter: &Painter, rect: Rect, hue: &Hue) {
    let radius = CornerRadius { nw: RADIUS, ne: RADIUS, sw: 0, se: 0 };
    painter.rect_filled(rect, radius, hue.tint);
    painter.hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, hue.edge));
}

/// The border of a card.
pub fn card_edge(painter: &Painter, rect: Rect, edge: Color32) {
    painter.rect_stroke(rect, CornerRadius::same(RADIUS), Stroke::new(1.0, edge), StrokeKind::Inside);
}

/// A dashed outline: the place of something that is not there.
pub fn dashed_box(painter: &Painter, rect: Rect, color: Color32) {
    let r = rect.shrink(0.5);
    let corners = [r.left_top(), r.right_top(), r.right_bottom(), r.left_bottom(), r.left_top()];
    painter.extend(Shape::dashed_line(&corners, Stroke::new(1.0, color), 4.0, 4.0));
}

/// Diagonal hatching inside a rectangle.
pub fn hatch(painter: &Painter, rect: Rect, color: Color32, step: f32, width: f32) {
    let painter = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
    let mut x = rect.left() - rect.height();
    while x < rect.right() {
        let from = pos2(x, rect.bottom());
        painter.line_segment([from, from + vec2(rect.height(), -rect.height())], Stroke::new(width, color));
        x += step;
    }
}

/// A clock face of radius `r`: the glyph of what is out of date.
pub fn clock(painter: &Painter, center: Pos2, r: f32, color: Color32) {
    let stroke = Stroke::new(1.4, color);
    painter.circle_stroke(center, r, stroke);
    painter.line_segment([center, center + vec2(0.0, -0.65 * r)], stroke);
    painter.line_segment([center, center + vec2(0.55 * r, 0.0)], stroke);
}

/// Points of a curve that leaves `from` and reaches `to` horizontally, cut at `part` (0 to 1) of
/// its way.
#[must_use]
pub fn curve(from: Pos2, to: Pos2, part: f32) -> Vec<Pos2> {
    let across = (to.x - from.x).abs();
    // A steep way needs longer ends, or it would leave and arrive almost vertically.
    let steep = ((to.y - from.y).abs() / across.max(1.0)).min(2.0) / 2.0;
    let reach = across.max(12.0) * (0.5 + 0.5 * steep);
    bezier([from, from + vec2(reach, 0.0), to - vec2(reach, 0.0), to], part)
}

/// Points of a cubic curve, cut at `part` of its way.
#[must_use]
pub fn bezier(p: [Pos2; 4], part: f32) -> Vec<Pos2> {
    const PIECES: usize = 32;
    let at = |t: f32| {
        let u = 1.0 - t;
        let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
        let sum = p.iter().zip(weights).fold(Vec2::ZERO, |sum, (point, w)| sum + w * point.to_vec2());
        sum.to_pos2()
    };
    let last = part.clamp(0.0, 1.0);
    (0..=PIECES).map(|i| at(last * i as f32 / PIECES as f32)).collect()
}

/// A filled arrow head at the end of a line of points.
pub fn arrow_head(painter: &Painter, points: &[Pos2], length: f32, color: Color32) {
    let Some(tip) = points.last() else { return };
    let Some(before) = points.iter().rev().find(|point| point.distance(*tip) > 0.4 * length) else { return };
    let along = (*tip - *before).normalized();
    if along == Vec2::ZERO {
        return;
    }
    let (base, side) = (*tip - length * along, 0.45 * length * along.rot90());
    painter.add(Shape::convex_polygon(vec![*tip, base + side, base - side], color, Stroke::NONE));
}
