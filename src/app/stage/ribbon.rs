//! The address ribbon: the address in view, where it leads, and its fields above the columns that
//! they index.

use std::sync::Arc;

use egui::{Align2, CornerRadius, Galley, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::path::{End, Hit, Reach};
use super::{Look, paint, words};
use crate::app::hover::{self, Pointed};
use crate::app::theme::{RADIUS, bold, mono, plain};
use crate::arch::{Level, Mode};
use crate::machine::Command;
use crate::tr;

/// A field of the address.
struct Field {
    level: Option<Level>,
    high: u32,
    low: u32,
    value: u64,
    rect: Rect,
    lit: bool,
}

impl Field {
    /// Its bits: `47:39`.
    fn range(&self) -> String {
        format!("{}:{}", self.high, self.low)
    }
}

/// Draws both lines of the ribbon.
pub fn ribbon_ui(look: &Look<'_>, ui: &Ui) {
    address_line(look, ui);
    let fields = fields(look);
    // All indices in binary, or none.
    let binary = fields.iter().all(|field| has_digits(look, ui, field));
    for field in &fields {
        field_ui(look, ui, field, binary);
    }
}

/// `GVA 0x4120_1abc  user read  →  GPA 0x0002_babc`.
fn address_line(look: &Look<'_>, ui: &Ui) {
    let (t, m, path) = (look.t(), look.m(), &look.stage.path);
    let painter = ui.painter();
    let line = look.layout.address;
    let (first, second) = if look.layout.stacked { (0.25, 0.75) } else { (0.5, 0.5) };
    let mut at = pos2(line.left(), line.top() + first * line.height());
    let put = |at: &mut Pos2, text: String, font, color, after: f32| {
        let room = line.right() - at.x;
        let rect = paint::text_within(painter, *at, Align2::LEFT_CENTER, text, font, color, room);
        at.x = rect.right() + after;
        rect
    };
    // Two addresses are on the screen: that of the command in focus, and the composer's.
    let whose = match (path.recorded, look.cx.session.lab.cursor()) {
        (true, step) => format!("#{} GVA", look.cx.session.step_number(step)),
        (false, _) => tr!(look.cx, "next GVA").to_owned(),
    };
    put(&mut at, whose, plain(m.small), t.weak, 0.6 * m.pad);
    put(&mut at, words::gva(look.stage.mode, path.gva), mono(m.font + 1.0), t.strong, 1.2 * m.pad);
    if is_cut(look) {
        let width = look.stage.mode.linear_width();
        let text = tr!(look.cx, "cut to {width} bits", width = width);
        put(&mut at, text, plain(m.small), t.text, 1.2 * m.pad);
    }
    put(
        &mut at,
        crate::explain::access_words(path.access.kind, path.access.user, look.cx.language()).to_owned(),
        plain(m.small),
        t.weak,
        1.2 * m.pad,
    );
    if look.layout.stacked {
        at = pos2(line.left(), line.top() + second * line.height());
    }
    let known = path.arrived || !path.recorded;
    if !known {
        // What happened last, in words.
        let line =
            look.cx.event().map(|event| crate::explain::event(event, look.cx.session.engine(), look.cx.language()));
        let words = line.map_or_else(
            || tr!(look.cx, "not begun").to_owned(),
            |line| {
                let facts: Vec<&str> = line.text.split_whitespace().collect();
                tr!(look.cx, "{what}: {why}", what = line.label, why = facts.join(" "))
            },
        );
        put(&mut at, words, plain(m.small), t.changed.text, 0.0);
        return;
    }
    match path.end {
        End::Page { .. } => {
            let gpa = path.gpa().unwrap_or_default();
            let would = if path.arrived { "→" } else { tr!(look.cx, "would →") };
            put(&mut at, would.to_owned(), plain(m.small), t.weak, m.pad);
            put(&mut at, "GPA".to_owned(), plain(m.small), t.weak, 0.6 * m.pad);
            put(&mut at, words::gpa(gpa), mono(m.font + 1.0), t.guest.text, 1.2 * m.pad);
        }
        End::Untold => {
            put(&mut at, tr!(look.cx, "would → ?").to_owned(), plain(m.small), t.weak, m.pad);
        }
        End::Fault { reason, .. } => {
            let would = if path.arrived { "→" } else { tr!(look.cx, "would fault:") };
            put(&mut at, would.to_owned(), plain(m.small), t.weak, m.pad);
            let why = words::fault(reason, look.cx.language());
            let text = match look.exception() {
                Some(exception) => tr!(look.cx, "{exception}, {why}", exception = exception, why = why),
                None => why,
            };
            put(&mut at, format!("✕ {text}"), bold(m.small), t.fault.text, 1.2 * m.pad);
        }
    }
    match path.hit {
        Some(Hit::Tlb(_)) => put(&mut at, tr!(look.cx, "TLB hit").to_owned(), bold(m.small), t.hit.text, 0.0),
        Some(Hit::Structure(level)) => {
            let text = tr!(look.cx, "{entry} cache hit", entry = Mode::entry_name(level));
            put(&mut at, text, bold(m.small), t.hit.text, 0.0)
        }
        None => Rect::NOTHING,
    };
}

/// Whether the address that was given has more bits than the mode in force looks at.
fn is_cut(look: &Look<'_>) -> bool {
    let given = match look.stage.path.recorded {
        true => look.cx.command().and_then(Command::access).map(|(va, _)| va),
        false => Some(look.cx.view.composer.va),
    };
    given.is_some_and(|va| look.stage.mode.linear(va) != va)
}

fn fields(look: &Look<'_>) -> Vec<Field> {
    let mode = look.stage.mode;
    let path = &look.stage.path;
    let shift = path.large.unwrap_or(12);
    let mut fields: Vec<Field> = Level::down_from(mode.top_level())
        .filter(|level| mode.index_shift(*level) >= shift)
        .map(|level| {
            let (high, low) = mode.index_range(level);
            let lit = path.hop(level).is_some_and(|hop| hop.reach == Reach::Read);
            let value = mode.index(level, path.gva) as u64;
            Field { level: Some(level), high, low, value, rect: look.layout.field(Some(level)), lit }
        })
        .collect();
    let page = look.layout.field(None);
    let first_offset_level = Level::down_from(mode.top_level()).find(|level| mode.index_shift(*level) < shift);
    let (high, rect) = match (mode, first_offset_level) {
        (Mode::Off, _) => (31, page),
        // The offset into a large page takes the columns of the tables that are not used.
        (_, Some(level)) => (shift - 1, look.layout.field(Some(level)).union(page)),
        (_, None) => (11, page),
    };
    let value = path.gva.0 & crate::arch::address::bits(0, high);
    fields.push(Field { level: None, high, low: 0, value, rect, lit: path.arrived });
    fields
}

fn field_ui(look: &Look<'_>, ui: &Ui, field: &Field, binary: bool) {
    let (t, m) = (look.t(), look.m());
    let rect = field.rect;
    let painter = ui.painter();
    let hop = field.level.and_then(|level| look.stage.path.hop(level));
    let about = Pointed { entry: hop.map(|hop| hop.gpa), frame: None };
    if hop.is_some() && ui.rect_contains_pointer(rect) {
        hover::point_at(ui, about);
    }
    let answers = hop.is_some() && about.answers(&hover::pointed_at(ui));
    let edge = if answers {
        t.guest.line
    } else if field.lit {
        t.guest.edge
    } else {
        t.border
    };
    painter.rect(rect, CornerRadius::same(RADIUS), t.card, Stroke::new(1.0, edge), StrokeKind::Inside);
    let mid = rect.center().y;
    let index = match field.level {
        Some(_) => field.value.to_string(),
        None => format!("0x{:03x}", field.value),
    };
    let right = pos2(rect.right() - m.pad, mid);
    let number = paint::text(painter, right, Align2::RIGHT_CENTER, index, bold(m.font), t.guest.text);
    let left = pos2(rect.left() + m.pad, mid);
    let range = ui.painter().layout_no_wrap(field.range(), plain(m.small), t.weak);
    if left.x + range.size().x + 6.0 < number.left() {
        ui.painter().galley(left - vec2(0.0, 0.5 * range.size().y), range, t.weak);
    }
    if binary && field.level.is_some() {
        let digits = digits(look, ui, field);
        let at = pos2(number.left() - 0.9 * m.pad - digits.size().x, mid - 0.5 * digits.size().y);
        ui.painter().galley(at, digits, t.text);
    }
    describe(look, ui, field, rect);
}

/// The field in binary.
fn digits(look: &Look<'_>, ui: &Ui, field: &Field) -> Arc<Galley> {
    let width = (field.high - field.low + 1) as usize;
    let digits = format!("{:0width$b}", field.value);
    let mut grouped = String::with_capacity(width + width / 4);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (width - i).is_multiple_of(4) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    ui.painter().layout_no_wrap(grouped, mono(look.m().small - 0.5), look.t().text)
}

/// Whether an index has room for its digits between its range and its number, however large that is. An offset
/// is no index: its number is in hex, which tells the bits.
fn has_digits(look: &Look<'_>, ui: &Ui, field: &Field) -> bool {
    let m = look.m();
    if field.level.is_none() {
        return true;
    }
    let width = |text: String, font| ui.painter().layout_no_wrap(text, font, look.t().text).size().x;
    let range = width(field.range(), plain(m.small));
    let number = width(((1 << (field.high - field.low + 1)) - 1).to_string(), bold(m.font));
    let room = field.rect.width() - 2.0 * m.pad - range - number;
    digits(look, ui, field).size().x + (1.6 * m.pad).max(14.0) <= room
}

fn describe(look: &Look<'_>, ui: &Ui, field: &Field, rect: Rect) {
    let Field { level, high, low, value, .. } = *field;
    let words = match level {
        Some(level) => tr!(
            look.cx,
            "Bits {high}:{low} select entry {value} ({hex}) of the {table}",
            high = high,
            low = low,
            value = value,
            hex = format!("0x{value:03x}"),
            table = match look.stage.mode == Mode::Pae && level.0 == 3 {
                true => tr!(look.cx, "PDPTE registers"),
                false => Mode::table_name(level),
            }
        ),
        None => tr!(
            look.cx,
            "Bits {high}:{low} are the offset in the page: {value}",
            high = high,
            low = low,
            value = format!("0x{value:x}")
        ),
    };
    let response = ui.interact(rect, ui.scope_id().with(("address field", low)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
    response.on_hover_text(words);
}
