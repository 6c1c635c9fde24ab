//! Where things stand on the stage: columns by level, the two rows, and how dense the text is.
//!
//! Position is meaning: a level keeps its column in both rows, and the lower row its height,
//! whatever the tables hold. The stage fits the room it gets by choosing the roomiest density that
//! does. Where even the densest is too wide, levels stand one below the other, the guest's half on
//! the left and the other half on the right; then it scrolls downwards only.

mod metrics; // sizes by density
mod stacked; // level below level, for telephones

use egui::{Pos2, Rangef, Rect, Vec2, pos2, vec2};

use crate::arch::{Level, Mode, pdpte};
use crate::engine::AnyVm;
pub use metrics::Metrics;

/// What decides about columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The guest's paging mode.
    pub mode: Mode,
    /// Levels of the hypervisor's tables; 0 on bare hardware, which has caches in their place.
    pub lower: u8,
}

impl Shape {
    /// The shape of a machine.
    #[must_use]
    pub fn of(vm: &AnyVm) -> Self {
        let mode = vm.machine().cpu.mode();
        let lower = match vm {
            AnyVm::Native(_) => 0,
            // Guests without long mode are shadowed in the PAE format.
            AnyVm::Shadow(_) => mode.top_level().max(3),
            AnyVm::TwoDim(vm) => vm.engine.nested.levels(),
        };
        Self { mode, lower }
    }

    /// Whether a hypervisor has tables of its own.
    #[must_use]
    pub const fn has_lower(self) -> bool {
        self.lower > 0
    }

    /// How many levels have a column.
    #[must_use]
    pub fn columns(self) -> u8 {
        self.mode.top_level().max(self.lower)
    }

    /// The level whose column is wide: the PDPTE card has four numbers in a row.
    pub(super) fn wide(self) -> Option<Level> {
        (self.mode == Mode::Pae).then_some(pdpte::LEVEL)
    }
}

/// The stage's geometry.
#[derive(Clone, Debug)]
pub struct Layout {
    /// What it is the layout of.
    pub shape: Shape,
    /// The sizes in force.
    pub metrics: Metrics,
    /// Everything, without scrolling.
    pub size: Vec2,
    /// The line with the address and where it leads.
    pub address: Rect,
    /// The label of the guest's half.
    pub guest_label: Pos2,
    /// The line of the ghost's label.
    pub ghost: f32,
    /// The line of the rails' labels; none where rails are too short for words.
    pub rails: Option<f32>,
    /// The label of the lower half.
    pub lower_label: Pos2,
    /// Levels stand below each other, not beside each other.
    pub stacked: bool,
    /// The places of the cards, by level from the top; the page and its counterpart last, without one.
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    level: Option<Level>,
    guest: Rect,
    lower: Rect,
    field: Rect,
}

/// The widest gap between two cards, in row heights.
const WIDEST_GAP: f32 = 2.4;
/// How much wider than needed a card may get.
const WIDEST_CARD: f32 = 1.2;

impl Layout {
    /// The layout of a shape in a room, its top left at `origin`. `touch`: rows are as high as a finger needs.
    #[must_use]
    pub fn new(shape: Shape, origin: Pos2, room: Vec2, zoom: f32, touch: bool) -> Self {
        let fits = |m: &&Metrics| m.width(shape) <= room.x && heights(m, shape, room.y).is_some();
        let chosen = Metrics::ALL.iter().find(fits);
        let tightest = &Metrics::ALL[Metrics::ALL.len() - 1];
        if chosen.is_none() && tightest.width(shape) > room.x {
            return stacked::layout(shape, origin, room, zoom, touch);
        }
        let chosen = chosen.unwrap_or(tightest);
        // Rows become a little higher rather than leave a desert below.
        let metrics = chosen.taller(room.y / comfortable_height(chosen, shape));
        let metrics = if touch { metrics.touched() } else { metrics }.scaled(zoom);
        let m = &metrics;
        let (guest, lower) = heights(m, shape, room.y).unwrap_or((m.head + 6.0 * m.row, m.head + 4.2 * m.row));
        let width = m.width(shape).max(room.x);
        let mut y = origin.y + 0.5 * m.pad;
        let mut take = |height: f32| {
            y += height;
            Rangef::new(y - height, y)
        };
        let address = take(1.1 * m.row);
        let fields = take(1.25 * m.row);
        let guest_label = take(1.45 * m.row).center() + 0.15 * m.row;
        let guest = take(guest);
        let ghost = take(1.15 * m.row).center();
        let rails = shape.has_lower().then(|| take(0.95 * m.row).center());
        let lower_label = take(1.2 * m.row).center();
        let lower = take(lower);
        let columns = columns(shape, m, origin.x, width);
        let cell = |i: usize| {
            let (level, x) = columns[i];
            let field = Rect::from_x_y_ranges(field(&columns, i), fields).shrink2(vec2(0.0, 1.0));
            let at = |y| Rect::from_x_y_ranges(x, y);
            Cell { level, guest: at(guest), lower: at(lower), field }
        };
        let left = columns.first().map_or(0.0, |(_, x)| x.min);
        let x = Rangef::new(origin.x + m.margin, origin.x + width - m.margin);
        Self {
            shape,
            size: vec2(width, lower.max + m.pad - origin.y),
            address: Rect::from_x_y_ranges(x, address),
            guest_label: pos2(left, guest_label),
            ghost,
            rails,
            lower_label: pos2(left, lower_label),
            stacked: false,
            cells: (0..columns.len()).map(cell).collect(),
            metrics,
        }
    }

    fn cell(&self, level: Option<Level>) -> Cell {
        let found = self.cells.iter().find(|cell| cell.level == level).or(self.cells.last());
        let nowhere = Cell { level: None, guest: Rect::NOTHING, lower: Rect::NOTHING, field: Rect::NOTHING };
        found.copied().unwrap_or(nowhere)
    }

    /// The room of a guest table.
    #[must_use]
    pub fn guest(&self, level: Level) -> Rect {
        self.cell(Some(level)).guest
    }

    /// The room below it: the hypervisor's tables, or the caches.
    #[must_use]
    pub fn lower(&self, level: Level) -> Rect {
        self.cell(Some(level)).lower
    }

    /// The room of the page.
    #[must_use]
    pub fn page(&self) -> Rect {
        self.cell(None).guest
    }

    /// The room below it: the host frame and the TLB.
    #[must_use]
    pub fn host(&self) -> Rect {
        self.cell(None).lower
    }

    /// The room of an address field; `None` is the offset.
    #[must_use]
    pub fn field(&self, level: Option<Level>) -> Rect {
        self.cell(level).field
    }

    /// How many rows a card has room for.
    #[must_use]
    pub fn rows_in(&self, room: Rect) -> usize {
        (((room.height() - self.metrics.head - 1.0) / self.metrics.row) as usize).max(1)
    }

    /// How many rows a guest table has room for.
    #[must_use]
    pub fn guest_rows(&self) -> usize {
        self.rows_in(self.guest(Level(1))).max(3)
    }

    /// How many rows a table of the lower half has room for.
    #[must_use]
    pub fn lower_rows(&self) -> usize {
        self.rows_in(self.lower(Level(1))).max(3)
    }
}

/// Lines of text between and above the rows, in row heights.
fn lines(shape: Shape) -> f32 {
    if shape.has_lower() { 7.1 } else { 6.15 }
}

/// The height at which both rows have room for some more than they need.
fn comfortable_height(m: &Metrics, shape: Shape) -> f32 {
    let lower = if shape.has_lower() { 6.0 } else { 8.0 };
    (lines(shape) + 7.0 + lower) * m.row + 2.0 * m.head + 1.5 * m.pad
}

/// The heights of the guest row and of the lower row, if both fit.
fn heights(m: &Metrics, shape: Shape, height: f32) -> Option<(f32, f32)> {
    let rest = height - lines(shape) * m.row - 1.5 * m.pad;
    // The PDPTE card: head, column heads, four registers, foot. Below it `pae_root` with its four.
    let pdpte = shape.wide().is_some();
    let least_guest = m.head + if pdpte { 6.0 } else { 5.2 } * m.row;
    let least_lower = m.head + if shape.has_lower() { 4.2 } else { 2.0 } * m.row;
    if rest < least_guest + least_lower {
        return None;
    }
    // The PDPTE card never grows, so rails would only become longer.
    let share = if pdpte { 0.45 } else { 0.44 };
    let guest = (share * rest).max(least_guest).min(m.head + 14.0 * m.row).min(rest - least_lower);
    Some((guest, rest - guest))
}

fn columns(shape: Shape, m: &Metrics, left: f32, width: f32) -> Vec<(Option<Level>, Rangef)> {
    let card = |level: Level| if shape.wide() == Some(level) { m.pdpte } else { m.table };
    let mut cards: Vec<(Option<Level>, f32)> =
        Level::down_from(shape.columns()).map(|level| (Some(level), card(level))).collect();
    cards.push((None, m.page));
    let gaps = cards.len() as f32 - 1.0;
    let natural: f32 = cards.iter().map(|(_, w)| w).sum();
    // What is left over first makes the gaps comfortable, then the cards wider, then the gaps wide.
    let mut spare = (width - m.width(shape)).max(0.0);
    let mut spend = |most: f32| {
        let part = spare.min(most.max(0.0));
        spare -= part;
        part
    };
    let comfort = spend(gaps * 0.25 * m.gap);
    let stretch = 1.0 + spend((WIDEST_CARD - 1.0) * natural) / natural;
    let wide = spend(gaps * (WIDEST_GAP * m.row - m.gap) - comfort);
    let gap = m.gap + (comfort + wide) / gaps.max(1.0);
    let mut x = left + m.margin;
    cards
        .into_iter()
        .map(|(level, w)| {
            // On whole points, so that borders and the lines of rows end on the same pixel.
            let column = Rangef::new(x.round(), (x + w * stretch).round());
            x += w * stretch + gap;
            (level, column)
        })
        .collect()
}

/// How far a column's address field may reach into the gaps beside it.
fn field(columns: &[(Option<Level>, Rangef)], i: usize) -> Rangef {
    let gap = columns.windows(2).map(|pair| pair[1].1.min - pair[0].1.max).next().unwrap_or(0.0);
    let reach = (0.42 * gap).min(24.0);
    let x = columns[i].1;
    let (first, last) = (columns[0].1.min, columns[columns.len() - 1].1.max);
    Rangef::new((x.min - reach).max(first), (x.max + reach).min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes() -> impl Iterator<Item = Shape> {
        Mode::ALL.into_iter().flat_map(|mode| [0, mode.top_level().max(3), 4].map(|lower| Shape { mode, lower }))
    }

    #[test]
    fn columns_never_overlap_and_stay_inside() {
        for shape in shapes() {
            for (w, h) in [(980.0, 640.0), (690.0, 458.0), (1600.0, 900.0), (2400.0, 1400.0)] {
                let layout = Layout::new(shape, Pos2::ZERO, vec2(w, h), 1.0, false);
                assert!(!layout.stacked, "{shape:?} in {w}x{h}");
                assert!(layout.size.x >= w && layout.size.y <= h + 1.0, "{shape:?} in {w}x{h}: {:?}", layout.size);
                for pair in layout.cells.windows(2) {
                    assert!(pair[0].guest.right() < pair[1].guest.left(), "{shape:?} {pair:?}");
                }
                assert!(layout.page().right() <= layout.size.x);
                assert!(layout.page().bottom() < layout.host().top());
            }
        }
    }

    #[test]
    fn a_telephone_never_scrolls_sideways() {
        for shape in shapes() {
            let layout = Layout::new(shape, Pos2::ZERO, vec2(390.0, 600.0), 1.0, true);
            assert!(layout.size.x <= 390.0, "{shape:?}: {}", layout.size.x);
            for cell in &layout.cells {
                assert!(cell.guest.right() <= 390.0 && cell.lower.right() <= 390.0 && cell.guest.left() >= 0.0);
            }
            for pair in layout.cells.windows(2).filter(|_| layout.stacked) {
                let end = pair[0].guest.bottom().max(pair[0].lower.bottom());
                assert!(end <= pair[1].guest.top() + 0.5, "{shape:?} {pair:?}");
            }
        }
    }
}
