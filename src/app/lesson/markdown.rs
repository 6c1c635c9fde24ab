//! The texts of lessons on the screen: paragraphs and lists, with glossary chips that open.

use egui::text::{LayoutJob, TextFormat};
use egui::{
    Color32, FontId, Hyperlink, Label, Link, Popup, PopupCloseBehavior, RichText, Stroke, TextStyle, Ui, UiBuilder,
    Vec2,
};

use crate::app::theme::{self, TEXT, Tokens};
use crate::engine::AnyVm;
use crate::language::Language;
use crate::lesson::{Block, Span, fill, glossary, parse};

/// Width of a glossary answer, in points.
const ANSWER: f32 = 264.0;
/// Distance between two blocks, in points.
const GAP: f32 = 8.0;
/// How far the text of a list is indented, in points.
const INDENT: f32 = 14.0;

/// Draws a text; live values are those of `vm`.
pub fn markdown_ui(ui: &mut Ui, t: &Tokens, language: Language, text: &str, vm: &AnyVm) {
    let blocks = fill(parse(text), vm);
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

/// Spans one after the other, wrapped like one text.
fn flow(ui: &mut Ui, t: &Tokens, language: Language, spans: &[Span]) {
    ui.scope(|ui| {
        // Lines as high as their text: nothing in them is a control of its own.
        ui.spacing_mut().interact_size.y = 0.0;
        ui.spacing_mut().item_spacing = Vec2::new(0.0, 3.0);
        ui.horizontal_wrapped(|ui| {
            let mut open = LayoutJob::default();
            // What cannot be pressed is laid out in one piece, so that it breaks between words only.
            let flush = |ui: &mut Ui, open: &mut LayoutJob| {
                if !open.is_empty() {
                    ui.add(Label::new(std::mem::take(open)).wrap());
                }
            };
            let (mut glued, mut held) = (0, String::new());
            for (index, span) in spans.iter().enumerate() {
                match span {
                    Span::Term { id, shown } => {
                        // Brackets and full stops stay on the line of the chip that they belong to.
                        let before = std::mem::take(&mut held);
                        flush(ui, &mut open);
                        let after = match spans.get(index + 1) {
                            Some(Span::Plain(text)) => closers(text),
                            _ => "",
                        };
                        let name = shown.as_deref().unwrap_or_else(|| glossary().name(id, language.id()));
                        let wide = [before.as_str(), name, after].map(|text| width(ui, text)).iter().sum::<f32>();
                        if wide > ui.available_size_before_wrap().x {
                            ui.end_row();
                        }
                        if !before.is_empty() {
                            ui.label(before);
                        }
                        term_ui(ui, t, language, id, shown.as_deref());
                        if !after.is_empty() {
                            ui.label(after);
                        }
                        glued = after.len();
                    }
                    Span::Link { text, url } => {
                        flush(ui, &mut open);
                        ui.add(Hyperlink::from_label_and_url(text, url).open_in_new_tab(true));
                    }
                    other => {
                        let (text, format) = styled(t, other, language, t.text);
                        let text = &text[std::mem::take(&mut glued).min(text.len())..];
                        let chip_follows = matches!(spans.get(index + 1), Some(Span::Term { .. }));
                        let kept = if chip_follows { text.trim_end_matches(OPENERS) } else { text };
                        append(&mut open, kept, format);
                        text[kept.len()..].clone_into(&mut held);
                    }
                }
            }
            flush(ui, &mut open);
        });
    });
}

/// A term of art: a press opens its answer.
fn term_ui(ui: &mut Ui, t: &Tokens, language: Language, id: &str, shown: Option<&str>) {
    let name = shown.unwrap_or_else(|| glossary().name(id, language.id()));
    let Some(term) = glossary().get(id) else {
        ui.label(name);
        return;
    };
    let text = RichText::new(name).color(t.guest.text).background_color(t.guest.tint).underline();
    let response = ui.add(Link::new(text));
    let popup = Popup::from_toggle_button_response(&response).close_behavior(PopupCloseBehavior::CloseOnClickOutside);
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

/// Punctuation that belongs to what is behind it.
const OPENERS: &[char] = &['(', '（', '“', '《'];
/// Punctuation that belongs to what is before it.
const CLOSERS: &[char] =
    &[')', ',', '.', ';', ':', '?', '!', '）', '，', '。', '；', '：', '、', '”', '》', '？', '！'];

/// The punctuation at the beginning of a text.
fn closers(text: &str) -> &str {
    &text[..text.len() - text.trim_start_matches(CLOSERS).len()]
}

fn width(ui: &Ui, text: &str) -> f32 {
    ui.painter().layout_no_wrap(text.to_owned(), theme::plain(TEXT), Color32::WHITE).size().x
}

/// Appends a run of text, with a place to break the line behind Chinese punctuation: egui breaks at
/// spaces and between ideographs only, so that names joined by `、` would be cut in the middle. The place
/// is a space too small to be seen.
fn append(job: &mut LayoutJob, text: &str, format: TextFormat) {
    let open = job.text.chars().next_back().is_some_and(|c| ENDS_A_LINE.contains(c));
    let begins = text.chars().next().is_some_and(breaks_before);
    let place = TextFormat { font_id: theme::plain(1.0), ..TextFormat::default() };
    if open && begins {
        job.append(" ", 0.0, place.clone());
    }
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if ENDS_A_LINE.contains(c) && text[end..].chars().next().is_some_and(breaks_before) {
            job.append(&text[from..end], 0.0, format.clone());
            job.append(" ", 0.0, place.clone());
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
