//! What joins the two halves of the stage runs through no words, under every engine and at every size.

#[path = "ui/support.rs"]
mod support;

use egui::{Color32, Pos2, Rect, Shape};
use egui_kittest::Harness;
use mmuscope::app::theme::tokens;
use mmuscope::app::view::AppCommand;
use mmuscope::app::{App, Theme};
use mmuscope::arch::Mode;
use mmuscope::engine::EngineName;
use mmuscope::language::Language;
use support::{SIZES, open_on};

/// What has been painted so far, in order.
#[derive(Default)]
struct Painted {
    /// Lines between the halves, and when each was painted.
    lines: Vec<(usize, [Pos2; 2])>,
    /// Opaque grounds.
    grounds: Vec<(usize, Rect)>,
    /// Words.
    texts: Vec<(Rect, String)>,
    /// Words that a line runs through.
    crossed: Vec<String>,
    shapes: usize,
}

impl Painted {
    fn add(&mut self, shape: &Shape, clip: Rect, colors: [Color32; 2]) {
        self.shapes += 1;
        match shape {
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| self.add(shape, clip, colors)),
            Shape::LineSegment { points, stroke } if stroke.width > 1.9 && colors.contains(&stroke.color) => {
                let seen = Rect::from_two_pos(points[0], points[1]).expand(0.1).intersect(clip);
                if seen.is_positive() {
                    let under = self.texts.iter().filter(|(place, _)| seen.expand(0.5).intersects(*place));
                    self.crossed.extend(under.map(|(_, text)| text.clone()));
                    self.lines.push((self.shapes, [seen.min, seen.max]));
                }
            }
            Shape::Rect(rect) if rect.fill.a() == 255 => self.grounds.push((self.shapes, rect.rect)),
            Shape::Text(text) => {
                let place = text.visual_bounding_rect().intersect(clip).shrink(1.5);
                if !place.is_positive() {
                    return;
                }
                let runs = |points: &[Pos2; 2]| Rect::from_two_pos(points[0], points[1]).expand(0.5).intersects(place);
                let covers =
                    |when: usize| self.grounds.iter().any(|(ground, rect)| *ground > when && rect.contains_rect(place));
                let words = text.galley.text().to_owned();
                if self.lines.iter().any(|(when, points)| runs(points) && !covers(*when)) {
                    self.crossed.push(words.clone());
                }
                self.texts.push((place, words));
            }
            _ => {}
        }
    }
}

/// The words that lines run through, and how many lines there are.
fn crossed(window: &Harness<'_, App>) -> (Vec<String>, usize) {
    let t = tokens(&window.ctx);
    let mut painted = Painted::default();
    for clipped in &window.output().shapes {
        painted.add(&clipped.shape, clipped.clip_rect, [t.rail, t.stale.line]);
    }
    let Painted { lines, texts, mut crossed, .. } = painted;
    // A heading is crossed even where it interrupts the line.
    let heading = |text: &str| HEADINGS.iter().any(|start| text.starts_with(start));
    for (place, text) in texts.into_iter().filter(|(_, text)| heading(text)) {
        if lines.iter().any(|(_, points)| Rect::from_two_pos(points[0], points[1]).expand(0.5).intersects(place)) {
            crossed.push(text);
        }
    }
    (crossed, lines.len())
}

/// Beginnings of the headings of the two halves.
const HEADINGS: [&str; 4] = ["Guest — ", "Shadow — ", "客户机：", "影子："];

#[test]
fn no_line_runs_through_words() {
    let mut wrong = Vec::new();
    let mut lines = 0;
    for size in [SIZES.desktop, SIZES.laptop, SIZES.phone] {
        for engine in EngineName::ALL {
            for language in [Language::En, Language::Zh] {
                let mut window = open_on(engine, size, Theme::Light, 4);
                window.state_mut().speak(language);
                for mode in [None, Some(Mode::Level4), Some(Mode::Bits32)] {
                    if let Some(mode) = mode {
                        window.state().ask(AppCommand::SwitchMode(mode));
                        window.run_steps(3);
                        window.state().ask(AppCommand::Access);
                    }
                    window.run_steps(40);
                    let (words, count) = crossed(&window);
                    lines += count;
                    wrong.extend(
                        words.into_iter().map(|text| format!("{size:?} {engine:?} {language:?} {mode:?}: {text}")),
                    );
                }
            }
        }
    }
    assert!(lines > 100, "only {lines} lines were found");
    assert!(wrong.is_empty(), "lines run through {} words:\n{}", wrong.len(), wrong.join("\n"));
}
