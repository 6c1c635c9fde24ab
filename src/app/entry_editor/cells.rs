//! The bits of an entry as cells: 32 in a line, 8 for a finger, in nibbles, with brackets below that name fields.
//!
//! One widget for the keyboard: arrows move, Space toggles, letters jump to flags. Every flag also
//! has a switch of its own below, so that nothing needs the cells.

use egui::{
    Align2, Color32, CornerRadius, EventFilter, Key, Modifiers, Pos2, Rect, Response, Role as AccessRole, Sense,
    Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::Subject;
use super::fields::{self, Field, Role};
use crate::app::focus::{self, Wanted};
use crate::app::stage::hatch;
use crate::app::theme::{self, mono, plain};
use crate::app::view::{AppCommand, ViewCx};
use crate::tr;

const PER_LINE: u32 = 32;
/// Cells in a line for a finger.
const PER_TOUCHED_LINE: u32 = 8;
const CELL_HEIGHT: f32 = 18.0;
/// Room below a line of cells for the names of its fields, in points.
const BRACKET_HEIGHT: f32 = 26.0;
const NIBBLE_GAP: f32 = 4.0;
const LETTERS: &str = "pwuadgsx";

/// Where each bit stands.
struct Grid {
    origin: Pos2,
    width: u32,
    cell: f32,
    per_line: u32,
    height: f32,
}

/// How many cells stand in a line.
fn per_line(ui: &Ui) -> u32 {
    if theme::is_touch(ui.ctx()) { PER_TOUCHED_LINE } else { PER_LINE }
}

impl Grid {
    fn new(origin: Pos2, room: f32, width: u32, per_line: u32, height: f32) -> Self {
        let gaps = NIBBLE_GAP * (per_line / 4 - 1) as f32;
        let cell = ((room - gaps) / per_line as f32).floor().max(5.0);
        Self { origin, width, cell, per_line, height }
    }

    fn lines(&self) -> u32 {
        self.width / self.per_line
    }

    fn rect(&self, bit: u32) -> Rect {
        let line = self.lines() - 1 - bit / self.per_line;
        let column = self.per_line - 1 - bit % self.per_line;
        let x = column as f32 * self.cell + (column / 4) as f32 * NIBBLE_GAP;
        let y = line as f32 * (self.height + BRACKET_HEIGHT);
        Rect::from_min_size(self.origin + vec2(x, y), vec2(self.cell, self.height))
    }

    fn bit_at(&self, at: Pos2) -> Option<u32> {
        (0..self.width).find(|bit| self.rect(*bit).contains(at))
    }
}

/// How high the cells of an entry of so many bits are, in points.
pub fn height(ui: &Ui, width: u32) -> f32 {
    (width / per_line(ui)) as f32 * (theme::wide(ui, CELL_HEIGHT) + BRACKET_HEIGHT)
}

/// Draws the cells; the bit under the pointer or the keyboard's cursor.
pub fn cells_ui(cx: &ViewCx<'_>, ui: &mut Ui, subject: &Subject) -> Option<u32> {
    let width = subject.format.width();
    let size = vec2(ui.available_width(), height(ui, width));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    if focus::comes(ui.ctx(), Wanted::Bits) {
        response.request_focus();
        set_cursor(ui, &response, subject.format.flags().iter().map(|flag| flag.low).min().unwrap_or(0));
    }
    let grid = Grid::new(rect.min, rect.width(), width, per_line(ui), theme::wide(ui, CELL_HEIGHT));
    let cursor = keyboard(cx, ui, subject, &response);
    let hovered = response.hover_pos().and_then(|at| grid.bit_at(at));
    if response.clicked()
        && let Some(bit) = response.interact_pointer_pos().and_then(|at| grid.bit_at(at))
    {
        set_cursor(ui, &response, bit);
        cx.send(AppCommand::Run(subject.store(subject.value ^ 1 << bit)));
    }
    for bit in 0..width {
        cell_ui(cx, ui, subject, &grid, bit, hovered == Some(bit));
    }
    names_ui(cx, ui, &grid, &subject.format.fields());
    if let Some(bit) = cursor {
        let stroke = Stroke::new(2.0, cx.tokens.strong);
        ui.painter().rect_stroke(grid.rect(bit).expand(1.0), CornerRadius::same(3), stroke, StrokeKind::Outside);
    }
    let shown = hovered.or(cursor);
    describe(cx, subject, response, shown);
    shown
}

fn describe(cx: &ViewCx<'_>, subject: &Subject, response: Response, bit: Option<u32>) {
    let name = |bit: u32| {
        let field = subject.format.field_of(bit);
        let (name, words) = field.map_or(("", ""), |field| (field.name, field.words));
        let state = if subject.value >> bit & 1 != 0 { "1" } else { "0" };
        let words = match field.map(|field| field.role) {
            Some(Role::Reserved) => fields::reserved_means(&subject.format),
            _ => words,
        };
        let (name, words) = (cx.tr(name), cx.tr(words));
        tr!(cx, "bit {bit}  {name} = {state}  {words}", bit = bit, name = name, state = state, words = words)
    };
    response.widget_info(|| {
        let at = bit.map_or_else(|| tr!(cx, "arrow keys move, Space toggles").to_owned(), name);
        WidgetInfo::labeled(AccessRole::Group, true, tr!(cx, "Bits of {entry}: {at}", entry = subject.title, at = at))
    });
    if let (Some(bit), true) = (bit, response.hovered()) {
        response.on_hover_text_at_pointer(name(bit));
    }
}

fn cell_ui(cx: &ViewCx<'_>, ui: &Ui, subject: &Subject, grid: &Grid, bit: u32, hovered: bool) {
    let t = cx.tokens;
    let rect = grid.rect(bit).shrink2(vec2(0.75, 0.0));
    let on = subject.value >> bit & 1 != 0;
    let reserved = subject.format.reserved >> bit & 1 != 0;
    let broken = fields::broken_bits(&subject.format, subject.value) >> bit & 1 != 0;
    let fill = match (on, broken) {
        (true, true) => t.fault.line,
        (true, false) => t.guest.line,
        (false, _) => t.cell_used.gamma_multiply(0.55),
    };
    let painter = ui.painter();
    let radius = CornerRadius::same(2);
    painter.rect_filled(rect, radius, if reserved && !on { t.cell } else { fill });
    if reserved {
        hatch(painter, rect, t.weak.gamma_multiply(0.7), 5.0, 1.0);
    }
    let edge = |color: Color32, width| {
        painter.rect_stroke(rect, radius, Stroke::new(width, color), StrokeKind::Outside);
    };
    if (subject.value ^ subject.old) >> bit & 1 != 0 {
        edge(t.changed.line, 2.0);
    } else if hovered {
        edge(t.strong, 1.0);
    }
}

/// The names of fields below their cells: a letter for a flag, a bracket for several bits. A name that is wider
/// than its bracket is set where it touches no other.
fn names_ui(cx: &ViewCx<'_>, ui: &Ui, grid: &Grid, fields: &[Field]) {
    let t = cx.tokens;
    let painter = ui.painter();
    let (mut taken, mut wide) = (Vec::new(), Vec::new());
    for field in fields {
        if field.role == Role::Flag {
            taken.push(letter_ui(cx, ui, grid, field));
            continue;
        }
        // A field across two lines gets a bracket in each.
        for line in 0..grid.lines() {
            let high = field.high.min((line + 1) * grid.per_line - 1);
            let low = field.low.max(line * grid.per_line);
            if low > high || field.role == Role::Ignored && high == low {
                continue;
            }
            let (left, right) = (grid.rect(high).left() + 1.0, grid.rect(low).right() - 1.0);
            let y = grid.rect(low).bottom() + 3.0;
            let color = if field.role == Role::Frame { t.guest.edge } else { t.border };
            let stroke = Stroke::new(1.0, color);
            painter.line(vec![pos2(left, y), pos2(left, y + 3.0), pos2(right, y + 3.0), pos2(right, y)], stroke);
            let galley = painter.layout_no_wrap(cx.tr(field.name).to_owned(), plain(12.0), t.weak);
            let at = Rect::from_center_size(pos2(0.5 * (left + right), y + 3.0 + 0.5 * galley.size().y), galley.size());
            if galley.size().x + 6.0 <= right - left {
                painter.galley(at.min, galley, t.weak);
                taken.push(at);
            } else if field.role == Role::Frame {
                let inside = (grid.rect(line * grid.per_line + grid.per_line - 1).left() - at.left()).max(0.0);
                wide.push((at.translate(vec2(inside, 0.0)), galley));
            }
        }
    }
    for (at, galley) in wide {
        if !taken.iter().any(|other: &Rect| other.expand2(vec2(4.0, 0.0)).intersects(at)) {
            painter.galley(at.min, galley, t.weak);
            taken.push(at);
        }
    }
}

/// The letter of a flag; where it stands.
fn letter_ui(cx: &ViewCx<'_>, ui: &Ui, grid: &Grid, field: &Field) -> Rect {
    let letter = match field.name {
        "R/W" => "W",
        "U/S" => "U",
        "PWT" => "T",
        "PCD" => "C",
        "PAT" => "M",
        "PS" => "S",
        "XD" => "X",
        name => name,
    };
    let at = grid.rect(field.low).center_bottom() + vec2(0.0, 7.0);
    let size = if grid.cell >= 9.0 { 13.0 } else { 12.0 };
    ui.painter().text(at, Align2::CENTER_CENTER, letter, mono(size), cx.tokens.text)
}

fn set_cursor(ui: &Ui, response: &Response, bit: u32) {
    ui.data_mut(|data| data.insert_temp(response.id, bit));
}

/// Moves and toggles by keyboard while the cells have the focus; where the cursor stands then.
fn keyboard(cx: &ViewCx<'_>, ui: &Ui, subject: &Subject, response: &Response) -> Option<u32> {
    if !response.has_focus() {
        return None;
    }
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let (width, per_line) = (subject.format.width(), per_line(ui));
    let mut bit = ui.data(|data| data.get_temp::<u32>(response.id)).unwrap_or(0).min(width - 1);
    let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
    let moves = [
        (Key::ArrowLeft, 1),
        (Key::ArrowRight, width - 1),
        (Key::ArrowUp, per_line % width),
        (Key::ArrowDown, width - per_line % width),
    ];
    for (key, by) in moves {
        if pressed(key) {
            bit = (bit + by) % width;
        }
    }
    for letter in LETTERS.chars() {
        let key = Key::from_name(&letter.to_uppercase().to_string());
        if key.is_some_and(pressed)
            && let Some(flag) = subject.format.bit_of_letter(letter)
        {
            bit = flag;
        }
    }
    if pressed(Key::Space) {
        cx.send(AppCommand::Run(subject.store(subject.value ^ 1 << bit)));
    }
    set_cursor(ui, response, bit);
    Some(bit)
}
