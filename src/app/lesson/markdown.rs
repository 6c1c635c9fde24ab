//! The texts of lessons on the screen: paragraphs and lists, with glossary chips that open.

use std::ops::Range;
use std::sync::Arc;

use egui::text::{LayoutJob, TextFormat};
use egui::text_selection::LabelSelectionState;
use egui::{
    Button, Color32, CursorIcon, FontId, Galley, Id, Label, OpenUrl, Popup, PopupCloseBehavior, Pos2, Rect, Response,
    RichText, Role, Sense, Stroke, StrokeKind, TextStyle, Ui, UiBuilder, Vec2, WidgetInfo,
};

use crate::app::theme::{self, TEXT, Tokens};
use crate::engine::AnyVm;
use crate::language::Language;
use crate::lesson::{Block, Span, fill, glossary, parse, plain};
use crate::tr;

/// Width of a glossary answer, in points.
const ANSWER: f32 = 264.0;
/// Distance between two blocks, in points.
const GAP: f32 = 8.0;
/// How far the text of a list is indented, in points.
const INDENT: f32 = 14.0;

/// Draws a text; live values are those of `vm`. For fingers its terms follow.
pub fn markdown_ui(ui: &mut Ui, t: &Tokens, language: Language, text: &str, vm: &AnyVm) {
    markdown_text_ui(ui, t, language, text, vm);
    markdown_terms_ui(ui, t, language, text, vm);
}

/// Draws a text without what follows it for fingers.
pub fn markdown_text_ui(ui: &mut Ui, t: &Tokens, language: Language, text: &str, vm: &AnyVm) {
    let blocks = fill(parse(text), vm, language);
    for (index, block) in blocks.iter().enumerate() {
        if index > 0 {
            let within_list = matches!((&blocks[index - 1], block), (Block::Item(_), Block::Item(_)));
            ui.add_space(if within_list { 0.5 * GAP } else { GAP });
        }
        match block {
            Block::Paragraph(spans) => flow(ui, t, language, spans),
            Block::Item(spans) => {
                let dot = ui.cursor().left_top() + Vec2::new(4.0, 0.5 * ui.text_style_height(&TextStyle::Body));
                ui.painter().circle_filled(dot, 2.0, t.weak);
                let inner = ui.available_rect_before_wrap().with_min_x(dot.x + INDENT - 4.0);
                ui.scope_builder(UiBuilder::new().max_rect(inner), |ui| flow(ui, t, language, spans));
            }
        }
    }
}

/// The terms of a text once more where there are fingers. A question has them below its answers: between the
/// two they would be taken for answers.
pub fn markdown_terms_ui(ui: &mut Ui, t: &Tokens, language: Language, text: &str, vm: &AnyVm) {
    if theme::is_touch(ui.ctx()) {
        ui.add_space(GAP);
        for_fingers(ui, t, language, &fill(parse(text), vm, language));
    }
}

/// The terms and links of a text once more, as large as a finger needs: in a sentence they cannot be.
fn for_fingers(ui: &mut Ui, t: &Tokens, language: Language, blocks: &[Block]) {
    let mut seen: Vec<String> = Vec::new();
    let pressed = blocks.iter().flat_map(Block::spans).filter_map(|span| match span {
        Span::Term { id, .. } => Some((glossary().name(id, language.id()).to_owned(), span)),
        Span::Link { text, .. } => Some((text.clone(), span)),
        Span::Plain(_) | Span::Strong(_) | Span::Code(_) | Span::Live(_) => None,
    });
    let mut pressed = pressed.peekable();
    if pressed.peek().is_none() {
        return;
    }
    ui.label(RichText::new(tr!(language, "Terms in this text")).color(t.weak));
    ui.horizontal_wrapped(|ui| {
        for (name, span) in pressed {
            if seen.contains(&name) {
                continue;
            }
            let text = RichText::new(&name).color(t.guest.text);
            let button = Button::new(text).fill(t.guest.tint).min_size(theme::button_size(ui));
            let response = ui.add(button);
            match span {
                Span::Link { url, .. } if response.clicked() => ui.ctx().open_url(OpenUrl::new_tab(url)),
                Span::Term { id, .. } => answer_ui(t, language, id, &response),
                _ => {}
            }
            seen.push(name);
        }
    });
}

/// Something in a text that can be pressed: its characters.
struct Pressable<'a> {
    range: Range<usize>,
    span: &'a Span,
}

/// Spans as one text, so that lines break between words and never between a word and its punctuation;
/// chips and links are areas of it.
fn flow(ui: &mut Ui, t: &Tokens, language: Language, spans: &[Span]) {
    let mut job = LayoutJob::default();
    let mut pressable = Vec::new();
    for span in spans {
        let (text, format) = styled(t, span, language, t.text);
        let format = match span {
            Span::Term { .. } => {
                let underline = Stroke::new(1.0, t.guest.text);
                TextFormat { underline, background: t.guest.tint, color: t.guest.text, ..format }
            }
            Span::Link { .. } => TextFormat { color: t.guest.text, ..format },
            _ => format,
        };
        place_to_break(&mut job, &text);
        let start = job.text.chars().count();
        append(&mut job, &text, format);
        if matches!(span, Span::Term { .. } | Span::Link { .. }) {
            pressable.push(Pressable { range: start..job.text.chars().count(), span });
        }
    }
    job.wrap.max_width = ui.available_width();
    let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
    // Text is no stop of the Tab key; what can be pressed in it is.
    let (rect, response) = ui.allocate_exact_size(galley.size(), Sense::CLICK | Sense::DRAG);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, galley.text()));
    LabelSelectionState::label_text_selection(ui, &response, rect.min, Arc::clone(&galley), t.text, Stroke::NONE);
    for (index, Pressable { range, span }) in pressable.iter().enumerate() {
        let pieces = areas(&galley, rect.min, range);
        let Some(pressed) = press_area(ui, t, &pieces, response.id.with((index, "chip")), &span_name(span, language))
        else {
            continue;
        };
        match span {
            Span::Link { url, .. } if pressed.clicked() => ui.ctx().open_url(OpenUrl::new_tab(url)),
            Span::Term { id, .. } => answer_ui(t, language, id, &pressed),
            _ => {}
        }
    }
}

/// What a chip or a link is called.
fn span_name(span: &Span, language: Language) -> String {
    match span {
        Span::Term { id, shown } => shown.clone().unwrap_or_else(|| glossary().name(id, language.id()).to_owned()),
        Span::Plain(text) | Span::Strong(text) | Span::Code(text) | Span::Live(text) | Span::Link { text, .. } => {
            text.clone()
        }
    }
}

/// Where characters of a text lie: an area a line.
fn areas(galley: &Galley, at: Pos2, range: &Range<usize>) -> Vec<Rect> {
    let (mut areas, mut index) = (Vec::new(), 0);
    for row in &galley.rows {
        let (from, to) = (range.start.max(index), range.end.min(index + row.glyphs.len()));
        if from < to {
            let (first, last) = (&row.glyphs[from - index], &row.glyphs[to - 1 - index]);
            let lines = row.rect().y_range();
            let area = Rect::from_x_y_ranges(row.pos.x + first.pos.x..=row.pos.x + last.max_x(), lines);
            areas.push(area.translate(at.to_vec2()));
        }
        index += row.glyphs.len() + usize::from(row.ends_with_newline);
    }
    areas
}

/// The response of something pressed that may lie on several lines: one stop of the Tab key.
fn press_area(ui: &Ui, t: &Tokens, areas: &[Rect], id: Id, name: &str) -> Option<Response> {
    let mut all: Option<Response> = None;
    for (line, area) in areas.iter().enumerate() {
        let sense = if line == 0 { Sense::click() } else { Sense::CLICK };
        let response = ui.interact(*area, id.with(line), sense).on_hover_cursor(CursorIcon::PointingHand);
        if line == 0 {
            response.widget_info(|| WidgetInfo::labeled(Role::Link, true, name));
        } else if all.as_ref().is_some_and(Response::has_focus) {
            // The first line has the ring that everything has.
            let stroke = Stroke::new(2.0, t.guest.line);
            ui.painter().rect_stroke(area.expand(1.0), theme::RADIUS_SMALL, stroke, StrokeKind::Inside);
        }
        all = Some(match all {
            Some(before) => before | response,
            None => response,
        });
    }
    all
}

/// The answer of a term, while its chip was pressed.
fn answer_ui(t: &Tokens, language: Language, id: &str, chip: &Response) {
    let Some(term) = glossary().get(id) else { return };
    let popup = Popup::from_toggle_button_response(chip).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
    popup.width(ANSWER).show(|ui| {
        ui.set_max_width(ANSWER);
        let name = term.term.get(language.id());
        ui.label(RichText::new(name).font(theme::bold(TEXT)).color(t.strong));
        ui.add(Label::new(RichText::new(term.text.get(language.id())).color(t.text)).wrap());
    });
}

/// The words of a text and how they look, where nothing in them can be pressed.
fn styled(t: &Tokens, span: &Span, language: Language, color: Color32) -> (String, TextFormat) {
    let format = |font: FontId, color: Color32| TextFormat { font_id: font, color, ..TextFormat::default() };
    match span {
        Span::Plain(text) | Span::Link { text, .. } => (text.clone(), format(theme::plain(TEXT), color)),
        Span::Strong(text) => (text.clone(), format(theme::bold(TEXT), t.strong)),
        Span::Code(text) | Span::Live(text) => {
            (text.clone(), TextFormat { background: t.cell, ..format(theme::mono(TEXT), t.strong) })
        }
        Span::Term { id, shown } => {
            let name = shown.as_deref().unwrap_or_else(|| glossary().name(id, language.id()));
            let underline = Stroke::new(1.0, t.guest.edge);
            (name.to_owned(), TextFormat { underline, ..format(theme::plain(TEXT), color) })
        }
    }
}

/// Chinese punctuation that may end a line and not begin one.
const ENDS_A_LINE: &str = "，。、；：！？）》”";

/// How a place to break the line looks: a space too small to be seen.
fn unseen() -> TextFormat {
    TextFormat { font_id: theme::plain(1.0), ..TextFormat::default() }
}

/// A place to break the line between what is there and a text that follows, if it may break there.
fn place_to_break(job: &mut LayoutJob, text: &str) {
    let ends = job.text.chars().next_back().is_some_and(|c| ENDS_A_LINE.contains(c));
    if ends && text.chars().next().is_some_and(breaks_before) {
        job.append(" ", 0.0, unseen());
    }
}

/// Appends a run of text, with places to break the line behind Chinese punctuation: egui breaks at spaces
/// and between ideographs only, so that names joined by `、` would be cut in the middle.
fn append(job: &mut LayoutJob, text: &str, format: TextFormat) {
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if ENDS_A_LINE.contains(c) && text[end..].chars().next().is_some_and(breaks_before) {
            job.append(&text[from..end], 0.0, format.clone());
            job.append(" ", 0.0, unseen());
            from = end;
        }
    }
    job.append(&text[from..], 0.0, format);
}

/// Whether a line may begin with it and egui does not know: no space, no ideograph, no punctuation that
/// belongs to what is before.
fn breaks_before(c: char) -> bool {
    let ideograph = matches!(c, '\u{3400}'..='\u{9fff}');
    !c.is_whitespace()
        && !ideograph
        && !ENDS_A_LINE.contains(c)
        && !matches!(c, ',' | '.' | ';' | ':' | '!' | '?' | ')')
}

/// A text without marks, as one sentence; live values are those of `vm`.
#[must_use]
pub fn words(text: &str, vm: &AnyVm, language: Language) -> String {
    plain(&fill(parse(text), vm, language), |id| glossary().name(id, language.id()).to_owned())
}

/// A short text as one piece: for buttons and lines of a goal. Blocks are joined by line breaks.
#[must_use]
pub fn line(t: &Tokens, language: Language, text: &str, color: Color32) -> LayoutJob {
    let mut job = LayoutJob::default();
    for (index, block) in parse(text).iter().enumerate() {
        if index > 0 {
            job.append("\n", 0.0, TextFormat { font_id: theme::plain(TEXT), ..TextFormat::default() });
        }
        for span in block.spans() {
            let (text, format) = styled(t, span, language, color);
            place_to_break(&mut job, &text);
            append(&mut job, &text, format);
        }
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_joined_by_chinese_commas_break_between_names() {
        let t = &theme::LIGHT;
        let job = line(t, Language::Zh, "`aaaa_bbbb`、`cccc_dddd`，（`e`）。", t.text);
        let broken: Vec<&str> = job.text.split(' ').collect();
        assert_eq!(broken, ["aaaa_bbbb、", "cccc_dddd，", "（e）。"]);
        assert_eq!(line(t, Language::Zh, "甲、乙，PAE：4-level。", t.text).text, "甲、乙， PAE： 4-level。");
    }
}
