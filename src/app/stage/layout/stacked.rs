//! Level below level: the guest's half on the left, the other half on the right, arrows in the
//! margins. For windows that are too narrow for columns.

use egui::{Pos2, Rangef, Rect, Vec2, pos2, vec2};

use super::{Cell, Layout, Metrics, Shape};
use crate::arch::{Level, Mode};

/// Rows of a table card, and of one whose rows are high enough for a finger.
const ROWS: [f32; 2] = [5.0, 4.0];
/// The gap between the two halves, where rails are, in points.
const BETWEEN: f32 = 18.0;

pub fn layout(shape: Shape, origin: Pos2, room: Vec2, zoom: f32, touch: bool) -> Layout {
    let text = Metrics::STACKED.scaled(zoom.min(1.0)).row;
    let metrics = if touch { Metrics::STACKED.touched() } else { Metrics::STACKED }.scaled(zoom.min(1.0));
    let count_of_rows = ROWS[usize::from(touch)];
    let m = &metrics;
    let x = Rangef::new(origin.x + m.margin, origin.x + room.x - m.margin);
    let half = 0.5 * (x.span() - BETWEEN);
    let (left, right) = (Rangef::new(x.min, x.min + half), Rangef::new(x.max - half, x.max));
    let mut y = origin.y + 0.5 * m.pad;
    let mut take = |height: f32| {
        y += height;
        Rangef::new(y - height, y)
    };
    // The address, where it leads below it, its fields.
    let address = take(2.1 * text);
    let fields = take(1.25 * text);
    let labels = take(1.2 * text).center();
    let mut cells = Vec::new();
    let mut ghost = labels;
    let levels: Vec<Level> = Level::down_from(shape.columns()).collect();
    let count = levels.len() as f32 + 1.0;
    let field = |i: usize| {
        let step = x.span() / count;
        let left = x.min + i as f32 * step;
        Rect::from_x_y_ranges(Rangef::new(left, left + step - 3.0), fields).shrink2(vec2(0.0, 1.0))
    };
    for (i, level) in levels.into_iter().enumerate() {
        let (guest, lower) = if shape.wide() == Some(level) {
            let card = take(m.head + 6.0 * m.row);
            ghost = take(m.row).center();
            let rows = if shape.has_lower() { 4.0 } else { 1.6 };
            let below = take(m.head + rows * m.row + 2.0);
            (Rect::from_x_y_ranges(x, card), Rect::from_x_y_ranges(right, below))
        } else {
            // A level that neither half has, or only the hypervisor's, needs less.
            let rows =
                if level.0 > shape.mode.top_level_in_memory() && shape.mode == Mode::Off { 4.2 } else { count_of_rows };
            let y = take(m.head + rows * m.row + 2.0);
            (Rect::from_x_y_ranges(left, y), Rect::from_x_y_ranges(right, y))
        };
        cells.push(Cell { level: Some(level), guest, lower, field: field(i) });
        take(0.5 * text);
    }
    let y_page = take(m.head + (count_of_rows + 1.0) * m.row);
    let at = |x| Rect::from_x_y_ranges(x, y_page);
    cells.push(Cell { level: None, guest: at(left), lower: at(right), field: field(cells.len()) });
    take(0.5 * text);
    Layout {
        shape,
        size: vec2(room.x, y - origin.y),
        address: Rect::from_x_y_ranges(x, address),
        guest_label: pos2(left.min, labels),
        ghost,
        rails: None,
        lower_label: pos2(right.min, labels),
        stacked: true,
        cells,
        metrics,
    }
}
