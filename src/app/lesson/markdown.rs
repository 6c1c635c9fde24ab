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
            for span in spans {
                match span {
                    Span::Term { id, shown } => {
                        flush(ui, &mut open);
                        term_ui(ui, t, language, id, shown.as_deref());
                    }
                    Span::Link { text, url } => {
                        flush(ui, &mut open);
                        ui.add(Hyperlink::from_label_and_url(text, url).open_in_new_tab(true));
                    }
                    other => {
                        let (text, format) = styled(t, other, language, t.text);
                        open.append(&text, 0.0, format);
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
            job.append(&text, 0.0, format);
        }
    }
    job
}
