//! The Markdown of lessons: a small part of it, into plain data that a screen or a terminal draws.
//!
//! Paragraphs, `- ` lists, `code`, *emphasis* and **strong** (shown alike), [links](https://..), and
//! two things of our own: `[[term]]` or `[[term|shown]]` is a glossary chip, `{{cr3}}` a live value. Anything else, HTML
//! and scripts among it, is text like other text. Reading takes time in proportion to the length.

use super::live::Live;
use crate::engine::AnyVm;
use crate::language::Language;

/// The longest text that is read, in characters.
pub const MAX_TEXT: usize = 4_000;

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Text.
    Plain(String),
    /// Emphasised text.
    Strong(String),
    /// A number, name or bit pattern, in the fixed-width font.
    Code(String),
    /// A glossary chip.
    Term {
        /// The entry's id.
        id: String,
        /// What the chip shows, where that is not the term itself.
        shown: Option<String>,
    },
    /// A live value by its name.
    Live(String),
    /// A link to a page, https only.
    Link {
        /// What it shows.
        text: String,
        /// Where it leads.
        url: String,
    },
}

/// A block of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// An item of a list.
    Item(Vec<Span>),
}

impl Block {
    /// What it holds.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        match self {
            Self::Paragraph(spans) | Self::Item(spans) => spans,
        }
    }
}

/// Reads a text. Every text can be read; what is not Markdown is text.
#[must_use]
pub fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, String)> = None;
    let mut close = |open: &mut Option<(bool, String)>| {
        if let Some((item, line)) = open.take() {
            let spans = spans(&line);
            blocks.push(if item { Block::Item(spans) } else { Block::Paragraph(spans) });
        }
    };
    for line in text.lines() {
        let trimmed = line.trim();
        let item = trimmed.strip_prefix("- ");
        if trimmed.is_empty() || item.is_some() {
            close(&mut open);
        }
        match (item, &mut open) {
            (Some(item), _) => open = Some((true, item.to_owned())),
            (None, _) if trimmed.is_empty() => {}
            (None, Some((_, line))) => {
                // Chinese is not set with spaces between lines.
                if !line.ends_with(is_wide) || !trimmed.starts_with(is_wide) {
                    line.push(' ');
                }
                line.push_str(trimmed);
            }
            (None, None) => open = Some((false, trimmed.to_owned())),
        }
    }
    close(&mut open);
    blocks
}

/// Whether a character belongs to Chinese text: ideographs and full-width punctuation.
const fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

/// What opens a span: the mark, the mark that closes it.
const MARKS: [(&str, &str); 6] = [("`", "`"), ("**", "**"), ("*", "*"), ("[[", "]]"), ("{{", "}}"), ("[", ")")];

/// How far a mark may be from the one that closes it, in bytes; so that reading a line of a million
/// opening marks does not search it a million times to its end.
const LONGEST_SPAN: usize = 400;

fn spans(line: &str) -> Vec<Span> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let mark = MARKS.iter().find(|(open, _)| rest.starts_with(open));
        let closed = mark.and_then(|(open, close)| {
            let body = &rest[open.len()..];
            let end = body[..body.floor_char_boundary(LONGEST_SPAN)].find(close)?;
            Some((span(open, &body[..end])?, &body[end + close.len()..]))
        });
        if let Some((span, after)) = closed {
            if !plain.is_empty() {
                out.push(Span::Plain(std::mem::take(&mut plain)));
            }
            out.push(span);
            rest = after;
            continue;
        }
        plain.push(if first.is_control() { ' ' } else { first });
        rest = &rest[first.len_utf8()..];
    }
    if !plain.is_empty() {
        out.push(Span::Plain(plain));
    }
    out
}

fn span(open: &str, body: &str) -> Option<Span> {
    if body.is_empty() || body.chars().any(char::is_control) {
        return None;
    }
    Some(match open {
        "`" => match body.strip_prefix("{{").and_then(|name| name.strip_suffix("}}")) {
            Some(name) => Span::Live(name.trim().to_owned()),
            None => Span::Code(body.to_owned()),
        },
        "**" | "*" if body.trim() != body => return None,
        "**" | "*" => Span::Strong(body.to_owned()),
        "[[" => {
            let (id, shown) = body.split_once('|').map_or((body, None), |(id, shown)| (id, Some(shown)));
            Span::Term { id: id.trim().to_owned(), shown: shown.map(|s| s.trim().to_owned()) }
        }
        "{{" => Span::Live(body.trim().to_owned()),
        _ => {
            let (text, url) = body.split_once("](")?;
            let safe = url.starts_with("https://") && !url.contains(char::is_whitespace);
            if !safe || text.contains(['[', ']']) {
                return None;
            }
            Span::Link { text: text.to_owned(), url: url.to_owned() }
        }
    })
}

/// Puts the machine's values in the place of live values.
#[must_use]
pub fn fill(mut blocks: Vec<Block>, vm: &AnyVm, language: Language) -> Vec<Block> {
    for block in &mut blocks {
        let (Block::Paragraph(spans) | Block::Item(spans)) = block;
        for span in spans {
            if let Span::Live(name) = span {
                let value =
                    Live::by_name(name).map_or_else(|_| format!("{{{{{name}}}}}"), |live| live.value(vm, language));
                *span = Span::Code(value);
            }
        }
    }
    blocks
}

/// The text without marks, for a terminal or a screen reader. `term` names glossary entries.
#[must_use]
pub fn plain(blocks: &[Block], term: impl Fn(&str) -> String) -> String {
    let line = |block: &Block| {
        let bullet = if matches!(block, Block::Item(_)) { "- " } else { "" };
        let spans = block.spans().iter().map(|span| match span {
            Span::Plain(text) | Span::Strong(text) | Span::Code(text) | Span::Live(text) => text.clone(),
            Span::Term { id, shown } => shown.clone().unwrap_or_else(|| term(id)),
            Span::Link { text, url } => format!("{text} ({url})"),
        });
        bullet.to_owned() + &spans.collect::<String>()
    };
    blocks.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_spans() {
        let blocks =
            parse("Read `0x3020` at **once**:\n\n- [[pdpte|the PDPTE]] is {{pdpte.1}}\n- [SDM](https://x.y/z)");
        assert_eq!(blocks.len(), 3);
        assert_eq!(
            blocks[0].spans(),
            [
                Span::Plain("Read ".into()),
                Span::Code("0x3020".into()),
                Span::Plain(" at ".into()),
                Span::Strong("once".into()),
                Span::Plain(":".into()),
            ]
        );
        assert_eq!(blocks[1].spans()[0], Span::Term { id: "pdpte".into(), shown: Some("the PDPTE".into()) });
        assert_eq!(blocks[1].spans()[2], Span::Live("pdpte.1".into()));
        assert_eq!(blocks[2].spans()[0], Span::Link { text: "SDM".into(), url: "https://x.y/z".into() });
    }

    #[test]
    fn emphasis_and_live_values_in_the_code_font() {
        let spans = |text: &str| parse(text)[0].spans().to_vec();
        assert_eq!(spans("*is*"), [Span::Strong("is".into())]);
        assert_eq!(spans("2 * 3 * 4"), [Span::Plain("2 * 3 * 4".into())]);
        assert_eq!(spans("`{{cr3}}`"), [Span::Live("cr3".into())]);
    }

    #[test]
    fn nothing_is_executed_or_linked_elsewhere() {
        for text in ["<script>alert(1)</script>", "[x](javascript:alert(1))", "<img src=x onerror=alert(1)>"] {
            let blocks = parse(text);
            let only_text = blocks.iter().flat_map(Block::spans).all(|span| matches!(span, Span::Plain(_)));
            assert!(only_text, "{text}: {blocks:?}");
            assert_eq!(plain(&blocks, str::to_owned), text);
        }
    }

    #[test]
    fn long_hostile_lines_are_read_in_linear_time() {
        for piece in ["[[", "{{", "**", "`", "[", "[](", "[[a", "**`[[{{[", "[[)"] {
            let text = piece.repeat(400_000 / piece.len());
            let start = std::time::Instant::now();
            assert!(!parse(&text).is_empty());
            assert!(start.elapsed().as_secs() < 5, "{piece} took {:?}", start.elapsed());
        }
    }

    #[test]
    fn lines_of_a_paragraph_join_with_a_space_except_between_chinese() {
        assert_eq!(plain(&parse("one\ntwo"), str::to_owned), "one two");
        assert_eq!(plain(&parse("页表\n缺页"), str::to_owned), "页表缺页");
    }
}
