//! How large things are: six densities from roomy to tight.

use super::Shape;
use crate::app::theme::TOUCH;

/// Sizes in points at one density, zoom included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Height of a row.
    pub row: f32,
    /// Height of a card's head.
    pub head: f32,
    /// Text size of numbers and titles in cards.
    pub font: f32,
    /// Text size of flags, statuses and runs.
    pub small: f32,
    /// Distance from a card's border to its text.
    pub pad: f32,
    /// Flags are written `P W U A`, not `PWUA`.
    pub spaced_flags: bool,
    /// Titles have room for the words around the number.
    pub wordy: bool,
    pub(super) table: f32,
    pub(super) pdpte: f32,
    pub(super) page: f32,
    pub(super) gap: f32,
    pub(super) margin: f32,
}

const ROOMY: Metrics = Metrics {
    row: 26.0,
    head: 30.0,
    font: 14.0,
    small: 13.0,
    pad: 10.0,
    spaced_flags: true,
    wordy: true,
    table: 172.0,
    pdpte: 312.0,
    page: 172.0,
    gap: 38.0,
    margin: 18.0,
};
const HUGE: Metrics = Metrics {
    row: 38.0,
    head: 44.0,
    font: 20.5,
    small: 18.0,
    pad: 14.0,
    table: 256.0,
    pdpte: 456.0,
    page: 250.0,
    gap: 56.0,
    margin: 26.0,
    ..ROOMY
};
const LARGE: Metrics = Metrics {
    row: 31.0,
    head: 36.0,
    font: 17.0,
    small: 15.0,
    pad: 12.0,
    table: 210.0,
    pdpte: 376.0,
    page: 206.0,
    gap: 46.0,
    margin: 22.0,
    ..ROOMY
};
const CLOSE: Metrics = Metrics {
    row: 24.0,
    head: 28.0,
    font: 13.5,
    small: 12.5,
    pad: 8.0,
    table: 156.0,
    pdpte: 292.0,
    page: 146.0,
    gap: 28.0,
    margin: 14.0,
    ..ROOMY
};
const TIGHT: Metrics = Metrics {
    row: 22.0,
    head: 26.0,
    font: 12.5,
    small: 12.0,
    pad: 6.0,
    spaced_flags: false,
    wordy: true,
    table: 126.0,
    pdpte: 256.0,
    page: 116.0,
    gap: 18.0,
    margin: 12.0,
};
const TIGHTEST: Metrics = Metrics {
    row: 20.0,
    head: 24.0,
    font: 11.5,
    small: 11.5,
    pad: 4.0,
    wordy: false,
    table: 100.0,
    pdpte: 238.0,
    page: 84.0,
    gap: 13.0,
    margin: 8.0,
    ..TIGHT
};

impl Metrics {
    /// The densities, the roomiest first.
    pub(super) const ALL: [Self; 6] = [HUGE, LARGE, ROOMY, CLOSE, TIGHT, TIGHTEST];
    /// The density under the narrow layout, where each card has half the width.
    pub(super) const STACKED: Self = Self { margin: 16.0, ..CLOSE };

    /// The width that the columns of a shape need.
    pub(super) fn width(&self, shape: Shape) -> f32 {
        let columns = f32::from(shape.columns());
        let wide = if shape.wide().is_some() { self.pdpte - self.table } else { 0.0 };
        2.0 * self.margin + columns * self.table + wide + self.page + columns * self.gap
    }

    /// The same with higher rows and heads, up to a fifth.
    pub(super) fn taller(&self, by: f32) -> Self {
        let by = by.clamp(1.0, 1.2);
        Self { row: (self.row * by).floor(), head: (self.head * by).floor(), ..*self }
    }

    /// The same with rows and heads that a finger can press.
    pub(super) const fn touched(self) -> Self {
        Self { row: self.row.max(TOUCH), head: self.head.max(TOUCH), ..self }
    }

    pub(super) fn scaled(self, by: f32) -> Self {
        let Self { row, head, font, small, pad, table, pdpte, page, gap, margin, .. } = self;
        Self {
            row: row * by,
            head: head * by,
            font: font * by,
            small: small * by,
            pad: pad * by,
            table: table * by,
            pdpte: pdpte * by,
            page: page * by,
            gap: gap * by,
            margin: margin * by,
            ..self
        }
    }
}
