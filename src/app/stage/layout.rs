//! Where things stand on the stage: columns by level, the two rows, and how dense the text is.
//!
//! Position is meaning: a level keeps its column, and the cached row its height, whatever the tables
//! hold. The stage fits the room it gets by choosing the roomiest density that does; only when the
//! densest is too wide does it scroll.

use egui::{Pos2, Rangef, Rect, pos2, vec2};

use crate::arch::{Level, Mode, pdpte};

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
    table: f32,
    pdpte: f32,
    page: f32,
    gap: f32,
    margin: f32,
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
const CLOSE: Metrics = Metrics {
    row: 24.0,
    head: 28.0,
    font: 13.0,
    small: 12.5,
    pad: 8.0,
    table: 156.0,
    pdpte: 290.0,
    page: 150.0,
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
    pdpte: 252.0,
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
    fn width(&self, mode: Mode) -> f32 {
        let tables = f32::from(mode.top_level_in_memory());
        let (pdpte, cards) = if mode == Mode::Pae { (self.pdpte, tables + 2.0) } else { (0.0, tables + 1.0) };
        2.0 * self.margin + pdpte + tables * self.table + self.page + (cards - 1.0) * self.gap
    }

    fn scaled(self, by: f32) -> Self {
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

/// The stage's geometry.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The sizes in force.
    pub metrics: Metrics,
    /// Everything, without scrolling.
    pub size: egui::Vec2,
    /// The line with the address and where it leads.
    pub address: Rect,
    /// The address fields, above the columns.
    pub fields: Rangef,
    /// The label above the guest row.
    pub guest_label: f32,
    /// The guest row.
    pub guest: Rangef,
    /// The line of the ghost's label.
    pub ghost: f32,
    /// The label above the cached row.
    pub cached_label: f32,
    /// The cached row.
    pub cached: Rangef,
    /// The columns from the top level down, the page last.
    columns: Vec<(Option<Level>, Rangef)>,
}

/// The widest gap between two cards, in points.
const WIDEST_GAP: f32 = 60.0;
/// How much wider than needed a card may get.
const WIDEST_CARD: f32 = 1.15;

impl Layout {
    /// The layout of a mode in a room, its top left at `origin`.
    #[must_use]
    pub fn new(mode: Mode, origin: Pos2, room: egui::Vec2, zoom: f32) -> Self {
        let densities = [ROOMY, CLOSE, TIGHT, TIGHTEST];
        let fits = |m: &&Metrics| m.width(mode) <= room.x && vertical(m, room.y).is_some();
        let metrics = densities.iter().find(fits).unwrap_or(&TIGHTEST).scaled(zoom);
        let (guest, cached) = vertical(&metrics, room.y).unwrap_or((7.0 * metrics.row, 3.0 * metrics.row));
        let width = metrics.width(mode).max(room.x);
        let columns = columns(mode, &metrics, origin.x, width);
        let mut y = origin.y + 0.5 * metrics.pad;
        let mut take = |height: f32| {
            y += height;
            Rangef::new(y - height, y)
        };
        let address = take(1.1 * metrics.row);
        let fields = take(1.25 * metrics.row);
        let guest_label = take(1.45 * metrics.row).center() + 0.15 * metrics.row;
        let guest = take(guest);
        let ghost = take(1.2 * metrics.row).center();
        let cached_label = take(1.2 * metrics.row).center();
        let cached = take(cached);
        let x = Rangef::new(origin.x + metrics.margin, origin.x + width - metrics.margin);
        Self {
            size: vec2(width, cached.max + metrics.pad - origin.y),
            address: Rect::from_x_y_ranges(x, address),
            fields,
            guest_label,
            guest,
            ghost,
            cached_label,
            cached,
            columns,
            metrics,
        }
    }

    /// The column of a level.
    #[must_use]
    pub fn column(&self, level: Level) -> Rangef {
        self.columns.iter().find(|(l, _)| *l == Some(level)).map_or(self.page(), |(_, x)| *x)
    }

    /// The last column: the page.
    #[must_use]
    pub fn page(&self) -> Rangef {
        self.columns.last().map_or(Rangef::NOTHING, |(_, x)| *x)
    }

    /// How far a column's address field may reach into the gaps beside it.
    #[must_use]
    pub fn field(&self, x: Rangef) -> Rangef {
        let gap = self.columns.windows(2).map(|pair| pair[1].1.min - pair[0].1.max).next().unwrap_or(0.0);
        let reach = (0.42 * gap).min(24.0);
        let (first, last) = (self.left(), self.page().max);
        Rangef::new((x.min - reach).max(first), (x.max + reach).min(last.max(x.max)))
    }

    /// The left end of the first column.
    #[must_use]
    pub fn left(&self) -> f32 {
        self.columns.first().map_or(0.0, |(_, x)| x.min)
    }

    /// How many rows a table card has room for.
    #[must_use]
    pub fn row_budget(&self) -> usize {
        (((self.guest.span() - self.metrics.head) / self.metrics.row) as usize).max(4)
    }

    /// A rectangle in a column.
    #[must_use]
    pub fn at(x: Rangef, top: f32, height: f32) -> Rect {
        Rect::from_min_size(pos2(x.min, top), vec2(x.span(), height))
    }
}

/// The heights of the guest row and of the cached row, if both fit.
fn vertical(m: &Metrics, height: f32) -> Option<(f32, f32)> {
    let fixed = 6.2 * m.row + 1.5 * m.pad;
    let rest = height - fixed;
    // The PDPTE card: head, column heads, four registers, foot.
    let least_guest = m.head + 6.0 * m.row;
    let least_cached = m.head + 2.0 * m.row;
    if rest < least_guest + least_cached {
        return None;
    }
    let guest = (0.5 * rest).max(least_guest).min(m.head + 14.0 * m.row);
    Some((guest, rest - guest))
}

fn columns(mode: Mode, m: &Metrics, left: f32, width: f32) -> Vec<(Option<Level>, Rangef)> {
    let mut cards: Vec<(Option<Level>, f32)> = Level::down_from(mode.top_level())
        .map(|level| (Some(level), if mode == Mode::Pae && level == pdpte::LEVEL { m.pdpte } else { m.table }))
        .collect();
    cards.push((None, m.page));
    let gaps = cards.len() as f32 - 1.0;
    let needed = m.width(mode);
    let natural: f32 = cards.iter().map(|(_, w)| w).sum();
    // What is left over first makes the gaps comfortable, then the cards wider, then the gaps wide.
    let mut spare = (width - needed).max(0.0);
    let mut spend = |most: f32| {
        let part = spare.min(most.max(0.0));
        spare -= part;
        part
    };
    let comfort = spend(gaps * 0.25 * m.gap);
    let stretch = 1.0 + spend((WIDEST_CARD - 1.0) * natural) / natural;
    let wide = spend(gaps * (WIDEST_GAP - m.gap) - comfort);
    let gap = m.gap + (comfort + wide) / gaps.max(1.0);
    let mut x = left + m.margin;
    cards
        .into_iter()
        .map(|(level, w)| {
            let column = Rangef::new(x, x + w * stretch);
            x = column.max + gap;
            (level, column)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_never_overlap_and_stay_inside() {
        for mode in Mode::ALL {
            for (w, h) in [(980.0, 640.0), (640.0, 460.0), (1600.0, 900.0), (2400.0, 1400.0)] {
                let layout = Layout::new(mode, Pos2::ZERO, vec2(w, h), 1.0);
                assert!(layout.size.x >= w && layout.size.y <= h + 1.0, "{mode:?} in {w}x{h}: {:?}", layout.size);
                for pair in layout.columns.windows(2) {
                    assert!(pair[0].1.max < pair[1].1.min, "{mode:?} {pair:?}");
                }
                assert!(layout.page().max <= layout.size.x);
                assert!(layout.guest.max < layout.cached.min);
            }
        }
    }

    #[test]
    fn five_levels_fit_a_small_window() {
        let layout = Layout::new(Mode::Level5, Pos2::ZERO, vec2(680.0, 440.0), 1.0);
        assert!(layout.size.x <= 680.0, "{}", layout.size.x);
    }
}
