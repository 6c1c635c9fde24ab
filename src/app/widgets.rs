//! The few controls that the panels are made of. Each has an accessible name and shows its focus.

use egui::{Align2, Button, Color32, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo};

use super::theme::{self, RADIUS, RADIUS_SMALL, TEXT, Tokens};
use crate::app::elide::cut;
use crate::arch::address::number_from_text;
use crate::explain;

/// The weak heading of a group.
pub fn heading(ui: &mut Ui, t: &Tokens, text: impl Into<String>) {
    ui.label(RichText::new(text).font(theme::bold(TEXT)).color(t.weak));
}

/// A weak label beside a control.
pub fn caption(ui: &mut Ui, t: &Tokens, text: impl Into<String>) {
    ui.label(RichText::new(text).color(t.weak));
}

/// The button that a zone is about.
pub fn primary_button(ui: &mut Ui, t: &Tokens, text: &str) -> Response {
    let text = RichText::new(text).font(theme::bold(TEXT)).color(t.on_primary);
    ui.add(Button::new(text).fill(t.primary).stroke(Stroke::NONE).min_size(theme::button_size(ui)))
}

/// An ordinary button, all of one height.
pub fn button(ui: &mut Ui, text: &str) -> Response {
    ui.add(Button::new(text).min_size(Vec2::splat(theme::control(ui))))
}

/// A button of a size to press, with a name for people who do not see the screen and a tip for those who do.
pub fn named_button(ui: &mut Ui, enabled: bool, button: Button<'_>, name: &str, tip: &str) -> Response {
    let response = ui.add_enabled(enabled, button.min_size(Vec2::splat(theme::control(ui))));
    response.on_hover_text(tip).accessible_name(name)
}

/// A word that is pressed, as flat as text; for a finger with room around it.
pub fn flat_button(ui: &mut Ui, t: &Tokens, text: &str) -> Response {
    let text = RichText::new(text).color(t.guest.text);
    match theme::is_touch(ui.ctx()) {
        true => ui.add(Button::new(text).frame(false).min_size(theme::button_size(ui))),
        false => ui.add(egui::Link::new(text)),
    }
}

/// A single bit: tinted while it is 1. `name` is for people who do not see the screen.
pub fn chip(ui: &mut Ui, t: &Tokens, text: &str, on: bool, name: &str) -> Response {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), theme::plain(TEXT), t.strong);
    let size = Vec2::new(theme::wide(ui, galley.size().x + 16.0), theme::chip(ui));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, enabled, on, name));
    let (fill, edge, color) = match (on, response.hovered() && enabled) {
        (true, _) => (t.selected, t.guest.edge, t.guest.text),
        (false, true) => (t.button_hover, t.guest.edge, t.strong),
        (false, false) => (Color32::TRANSPARENT, t.border, t.weak),
    };
    let painter = ui.painter();
    painter.rect(rect, RADIUS_SMALL, fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    painter.galley_with_override_text_color(rect.center() - galley.size() / 2.0, galley, color);
    response
}

/// One of several, in a common frame. Returns the option that was chosen. `group` completes each
/// option's accessible name: `Paging: PAE`.
pub fn segmented<T: Copy + PartialEq>(
    ui: &mut Ui,
    t: &Tokens,
    group: &str,
    options: &[(T, &str)],
    current: T,
) -> Option<T> {
    let galleys: Vec<_> = options
        .iter()
        .map(|(value, text)| {
            let font = if *value == current { theme::bold(TEXT) } else { theme::plain(TEXT) };
            ui.painter().layout_no_wrap((*text).to_owned(), font, t.strong)
        })
        .collect();
    // Room for the heavier weight, so that nothing moves when the choice does.
    let widths: Vec<f32> = galleys.iter().map(|galley| theme::wide(ui, (galley.size().x + 19.0).round())).collect();
    let (frame, _) = ui.allocate_exact_size(Vec2::new(widths.iter().sum::<f32>(), theme::control(ui)), Sense::hover());
    ui.painter().rect(frame, RADIUS - 1, t.stage, Stroke::new(1.0, t.border), StrokeKind::Inside);
    let (mut chosen, mut left) = (None, frame.left());
    for (((value, text), galley), width) in options.iter().zip(galleys).zip(widths) {
        let rect = Rect::from_min_size(egui::pos2(left, frame.top()), Vec2::new(width, frame.height()));
        left += width;
        let response = ui.interact(rect, ui.scope_id().with((group, text)), Sense::click());
        let on = *value == current;
        response
            .widget_info(|| WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), on, format!("{group}: {text}")));
        let color = segment_color(ui, t, rect, on, response.hovered());
        ui.painter().galley_with_override_text_color(rect.center() - galley.size() / 2.0, galley, color);
        if response.clicked() {
            chosen = Some(*value);
        }
    }
    chosen
}

fn segment_color(ui: &Ui, t: &Tokens, rect: Rect, on: bool, hovered: bool) -> Color32 {
    if on {
        ui.painter().rect_filled(rect.shrink(1.0), RADIUS - 2, t.selected);
        t.guest.text
    } else if hovered {
        t.strong
    } else {
        t.weak
    }
}

/// A row of a list. `right` is weak, or in its own colour. Returns the row's response.
pub struct ListRow<'a> {
    /// On the left.
    pub left: &'a str,
    /// On the right.
    pub right: &'a str,
    /// Colour of the right text; the weak one if absent.
    pub color: Option<Color32>,
    /// Drawn as selected.
    pub selected: bool,
}

impl ListRow<'_> {
    /// Draws it over the whole width.
    pub fn show(&self, ui: &mut Ui, t: &Tokens) -> Response {
        let (rect, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), theme::row(ui)), Sense::click());
        response.widget_info(|| {
            WidgetInfo::selected(Role::Button, ui.is_enabled(), self.selected, format!("{} {}", self.left, self.right))
        });
        let fill = match (self.selected, response.hovered()) {
            (true, _) => t.selected,
            (false, true) => t.button_hover,
            (false, false) => Color32::TRANSPARENT,
        };
        ui.painter().rect_filled(rect, RADIUS_SMALL, fill);
        let inner = rect.shrink2(Vec2::new(7.0, 0.0));
        let painter = ui.painter();
        let left = painter.text(inner.left_center(), Align2::LEFT_CENTER, self.left, theme::plain(TEXT), t.strong);
        let color = self.color.unwrap_or(t.weak);
        let room = inner.right() - left.right() - 8.0;
        let galley = cut(painter, self.right, theme::plain(TEXT), color, room);
        let at = Align2::RIGHT_CENTER.anchor_size(inner.right_center(), galley.size());
        painter.galley(at.min, galley, color);
        response
    }
}

/// What a number field answers.
pub enum HexField {
    /// Nothing new.
    Quiet,
    /// The text is a new number.
    Changed(u64),
    /// Enter was pressed on this number.
    Entered(u64),
    /// Enter was pressed on something else: why it is no number.
    Wrong(String),
}

/// Room at each side of the text in a field for a hex number, in points.
const HEX_MARGIN: i8 = 8;

/// The width of a field in which all of a number can be read, the caret behind it included, in points.
pub fn hex_field_width(ui: &Ui, value: u64) -> f32 {
    let galley = ui.painter().layout_no_wrap(explain::hex(value), theme::mono(TEXT), Color32::WHITE);
    (galley.size().x + 2.0 * f32::from(HEX_MARGIN) + 3.0).ceil()
}

/// A field for a hex number. While it has the keyboard it keeps what is typed, else it shows `value`. Escape brings
/// back the value that it had before.
pub fn hex_field(ui: &mut Ui, t: &Tokens, name: &str, value: u64, width: f32) -> HexField {
    let id = ui.scope_id().with(name);
    let draft = ui.data(|data| data.get_temp::<(String, u64)>(id));
    let (mut text, before) = draft.clone().unwrap_or_else(|| (explain::hex(value), value));
    let number = number_from_draft(&text);
    let color = if number.is_ok() { t.strong } else { t.fault.text };
    let edit = egui::TextEdit::singleline(&mut text)
        .id(id.with("edit"))
        .font(theme::mono(TEXT))
        .text_color(color)
        .desired_width(width - 2.0 * f32::from(HEX_MARGIN))
        .margin(egui::Margin::symmetric(HEX_MARGIN, 5))
        .align(Align2::LEFT_CENTER)
        .min_size(Vec2::new(width, theme::control(ui)));
    let response = ui.add(edit).accessible_name(name);
    let number = number_from_draft(&text);
    let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
    if response.has_focus() {
        ui.data_mut(|data| data.insert_temp(id, (text, before)));
    } else if draft.is_some() {
        ui.data_mut(|data| data.remove::<(String, u64)>(id));
    }
    if is_given_up(ui, &response) {
        return if before == value { HexField::Quiet } else { HexField::Changed(before) };
    }
    match number {
        Ok(number) if entered => HexField::Entered(number),
        Ok(number) if response.changed() => HexField::Changed(number),
        Err(reason) if entered => HexField::Wrong(reason),
        _ => HexField::Quiet,
    }
}

/// Whether Escape has led out of a field: what was typed is not meant.
pub fn is_given_up(ui: &Ui, response: &Response) -> bool {
    response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Escape))
}

/// A number as people type it: hex, `0x` and groups are theirs to leave out.
fn number_from_draft(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.starts_with("0x") || text.starts_with("0X") {
        number_from_text(text)
    } else {
        // The reason is about what was typed, if anything was.
        let about = |reason: String| if text.is_empty() { reason } else { reason.replacen("`0x", "`", 1) };
        number_from_text(&format!("0x{text}")).map_err(about)
    }
}
