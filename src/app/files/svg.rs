//! Shapes of egui as SVG: text stays text, in the faces of the window, which the file carries.
//!
//! Each character has its own place, so that the picture does not depend on how a viewer sets text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use egui::emath::TSTransform;
use egui::epaint::{
    CircleShape, ClippedShape, ColorMode, CornerRadius, CubicBezierShape, EllipseShape, Mesh, PathShape, PathStroke,
    QuadraticBezierShape, RectShape, TextShape,
};
use egui::{Color32, FontFamily, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2};

use crate::app::fonts::{self, Face};
use crate::app::theme::{BOLD, MONO_BOLD};

/// The SVG of a pass: `size` in points, `ground` behind everything.
#[must_use]
pub fn svg(shapes: &[ClippedShape], size: Vec2, ground: Color32, title: &str) -> String {
    let mut writer = Writer::default();
    let mut clip = None;
    for ClippedShape { clip_rect, shape, transform_after_tessellation: moved } in shapes {
        if matches!(shape, Shape::Noop) {
            continue;
        }
        if clip != Some(*clip_rect) {
            if clip.is_some() {
                writer.body.push_str("</g>\n");
            }
            writer.clip(*clip_rect, size);
            clip = Some(*clip_rect);
        }
        if *moved == TSTransform::IDENTITY {
            writer.shape(shape);
        } else {
            let (by, scale) = (point(moved.translation.to_pos2()), number(moved.scaling));
            _ = writeln!(writer.body, "<g transform=\"translate({by}) scale({scale})\">");
            writer.shape(shape);
            writer.body.push_str("</g>\n");
        }
    }
    if clip.is_some() {
        writer.body.push_str("</g>\n");
    }
    let Writer { body, defs, chinese, families, .. } = writer;
    let (width, height) = (number(size.x), number(size.y));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<title>{}</title>\n<defs>\n{defs}<style>\n",
        escaped(title)
    );
    let faces = fonts::faces().filter(|face| if face.chinese { chinese > FEW } else { families.contains(face.file) });
    for Face { family, weight, data, .. } in faces {
        let kind = if data.starts_with(b"OTTO") { "otf" } else { "ttf" };
        let data = STANDARD.encode(data);
        text += &format!(
            "@font-face{{font-family:\"{family}\";font-weight:{weight};src:url(\"data:font/{kind};base64,{data}\")}}\n"
        );
    }
    text += "text{white-space:pre;font-variant-ligatures:none}\n";
    for (class, stack, weight) in STACKS {
        text += &format!(".{class}{{font-family:{stack};font-weight:{weight}}}\n");
    }
    text += "</style>\n</defs>\n";
    text += &format!("<rect width=\"{width}\" height=\"{height}\" {}/>\n", paint("fill", ground));
    text += &body;
    text += "</svg>\n";
    text
}

/// Class, faces in the order in which a character is looked for, weight.
const STACKS: [(&str, &str, u16); 4] = [
    ("p", "Inter,\"JetBrains Mono\",Lucide,\"Noto Sans SC\",sans-serif", 400),
    ("b", "Inter,\"JetBrains Mono\",Lucide,\"Noto Sans SC\",sans-serif", 600),
    ("m", "\"JetBrains Mono\",Inter,Lucide,\"Noto Sans SC\",monospace", 400),
    ("n", "\"JetBrains Mono\",Inter,Lucide,\"Noto Sans SC\",monospace", 700),
];

/// The class of a family, and the files that its characters may come from.
fn class(family: &FontFamily) -> (&'static str, [&'static str; 3]) {
    match family {
        FontFamily::Name(name) if &**name == BOLD => ("b", ["inter-semibold", "mono-bold", "lucide"]),
        FontFamily::Name(name) if &**name == MONO_BOLD => ("n", ["mono-bold", "inter-semibold", "lucide"]),
        FontFamily::Monospace => ("m", ["mono", "inter", "lucide"]),
        _ => ("p", ["inter", "mono", "lucide"]),
    }
}

/// For so few Chinese characters (the name of the language on its button) no face is carried along.
const FEW: usize = 8;

#[derive(Default)]
struct Writer {
    body: String,
    defs: String,
    clips: usize,
    blurs: BTreeSet<u32>,
    families: BTreeSet<&'static str>,
    chinese: usize,
}

impl Writer {
    fn clip(&mut self, rect: Rect, size: Vec2) {
        let all = Rect::from_min_size(Pos2::ZERO, size);
        if rect.contains_rect(all) {
            self.body.push_str("<g>\n");
            return;
        }
        let rect = rect.intersect(all);
        self.clips += 1;
        let id = self.clips;
        let (width, height) = (rect.width().max(0.0), rect.height().max(0.0));
        // Writing to a string cannot fail, here and below.
        _ = writeln!(
            self.defs,
            "<clipPath id=\"c{id}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/></clipPath>",
            number(rect.min.x),
            number(rect.min.y),
            number(width),
            number(height)
        );
        _ = writeln!(self.body, "<g clip-path=\"url(#c{id})\">");
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Noop | Shape::Callback(_) => {}
            Shape::Vec(shapes) => shapes.iter().for_each(|shape| self.shape(shape)),
            Shape::Circle(circle) => self.circle(circle),
            Shape::Ellipse(ellipse) => self.ellipse(ellipse),
            Shape::LineSegment { points: [a, b], stroke } => {
                if visible(stroke) {
                    _ = writeln!(self.body, "<path d=\"M{}L{}\"{}/>", point(*a), point(*b), lines(stroke));
                }
            }
            Shape::Path(path) => self.path(path),
            Shape::Rect(rect) => self.rect(rect),
            Shape::Text(text) => self.text(text),
            Shape::Mesh(mesh) => self.mesh(mesh),
            Shape::QuadraticBezier(QuadraticBezierShape { points: [a, b, c], closed, fill, stroke }) => {
                let d = format!("M{}Q{} {}", point(*a), point(*b), point(*c));
                self.curve(&d, *closed, *fill, stroke);
            }
            Shape::CubicBezier(CubicBezierShape { points: [a, b, c, d], closed, fill, stroke }) => {
                let d = format!("M{}C{} {} {}", point(*a), point(*b), point(*c), point(*d));
                self.curve(&d, *closed, *fill, stroke);
            }
            Shape::Band(band) => {
                let mut mesh = Mesh::default();
                for pair in band.points.windows(2) {
                    let corners = [
                        Pos2::new(pair[0].x, pair[0].y.min),
                        Pos2::new(pair[1].x, pair[1].y.min),
                        Pos2::new(pair[1].x, pair[1].y.max),
                        Pos2::new(pair[0].x, pair[0].y.max),
                    ];
                    let first = mesh.vertices.len() as u32;
                    corners.iter().for_each(|corner| mesh.colored_vertex(*corner, band.fill));
                    mesh.add_triangle(first, first + 1, first + 2);
                    mesh.add_triangle(first, first + 2, first + 3);
                }
                self.mesh(&mesh);
            }
        }
    }

    fn circle(&mut self, circle: &CircleShape) {
        let CircleShape { center, radius, fill, stroke } = circle;
        let (x, y, r) = (number(center.x), number(center.y), number(*radius));
        let look = look(*fill, stroke);
        _ = writeln!(self.body, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"{look}/>");
    }

    fn ellipse(&mut self, ellipse: &EllipseShape) {
        let EllipseShape { center, radius, fill, stroke, angle } = ellipse;
        let (x, y, look) = (number(center.x), number(center.y), look(*fill, stroke));
        let turn = turned(*angle, *center);
        let (rx, ry) = (number(radius.x), number(radius.y));
        _ = writeln!(self.body, "<ellipse cx=\"{x}\" cy=\"{y}\" rx=\"{rx}\" ry=\"{ry}\"{look}{turn}/>");
    }

    fn path(&mut self, path: &PathShape) {
        let PathShape { points, closed, fill, stroke } = path;
        let Some((first, rest)) = points.split_first() else { return };
        let mut d = format!("M{}", point(*first));
        rest.iter().for_each(|next| _ = write!(d, "L{}", point(*next)));
        self.curve(&d, *closed, *fill, stroke);
    }

    fn curve(&mut self, d: &str, closed: bool, fill: Color32, stroke: &PathStroke) {
        let color = match &stroke.color {
            ColorMode::Solid(color) => *color,
            ColorMode::UV(color) => color(Rect::ZERO, Pos2::ZERO),
        };
        let look = look(fill, &Stroke::new(stroke.width, color));
        let end = if closed { "Z" } else { "" };
        _ = writeln!(self.body, "<path d=\"{d}{end}\"{look}/>");
    }

    fn rect(&mut self, shape: &RectShape) {
        let RectShape { rect, corner_radius, fill, stroke, stroke_kind, blur_width, angle, .. } = shape;
        // SVG draws a line half inside and half outside.
        let grow = match stroke_kind {
            StrokeKind::Inside => -0.5 * stroke.width,
            StrokeKind::Middle => 0.0,
            StrokeKind::Outside => 0.5 * stroke.width,
        };
        let blur = self.blur(*blur_width);
        let turn = turned(*angle, rect.center());
        let (line, fill) = (visible(stroke), *fill);
        if fill != Color32::TRANSPARENT {
            let d = rectangle(*rect, *corner_radius, 0.0);
            _ = writeln!(self.body, "<{d} {}{blur}{turn}/>", paint("fill", fill));
        }
        if line {
            let d = rectangle(rect.expand(grow), *corner_radius, grow);
            _ = writeln!(self.body, "<{d}{}{blur}{turn}/>", lines(stroke));
        }
    }

    fn blur(&mut self, width: f32) -> String {
        if width <= 0.0 {
            return String::new();
        }
        let key = (width * 4.0).round() as u32;
        if self.blurs.insert(key) {
            let deviation = number(width / 4.0);
            _ = writeln!(
                self.defs,
                "<filter id=\"b{key}\" x=\"-50%\" y=\"-50%\" width=\"200%\" height=\"200%\">\
                 <feGaussianBlur stdDeviation=\"{deviation}\"/></filter>"
            );
        }
        format!(" filter=\"url(#b{key})\"")
    }

    /// Triangles; one of several colours gets their mean.
    fn mesh(&mut self, mesh: &Mesh) {
        for corners in mesh.indices.as_chunks::<3>().0 {
            let corners = corners.map(|index| mesh.vertices[index as usize]);
            let mean = |channel: usize| {
                let sum: u16 = corners.iter().map(|vertex| u16::from(vertex.color.to_array()[channel])).sum();
                (sum / 3) as u8
            };
            let color = Color32::from_rgba_premultiplied(mean(0), mean(1), mean(2), mean(3));
            if color == Color32::TRANSPARENT {
                continue;
            }
            let [a, b, c] = corners.map(|vertex| point(vertex.pos));
            _ = writeln!(self.body, "<path d=\"M{a}L{b}L{c}Z\" {}/>", paint("fill", color));
        }
    }

    fn text(&mut self, text: &TextShape) {
        let TextShape { pos, galley, fallback_color, override_text_color, opacity_factor, angle, .. } = text;
        let turn = turned(*angle, *pos);
        let job = &galley.job;
        // Characters follow the text of the job: their place in it tells their section.
        let mut at = 0;
        for row in &galley.rows {
            let mut run: Option<Run> = None;
            for glyph in &row.row.glyphs {
                let section = job.sections.iter().find(|section| {
                    let (start, end): (usize, usize) = (section.byte_range.start.into(), section.byte_range.end.into());
                    (start..end).contains(&at)
                });
                let Some(section) = section.or(job.sections.last()) else { continue };
                if job.text.get(at..).is_some_and(|rest| rest.starts_with(glyph.chr)) {
                    at += glyph.chr.len_utf8();
                }
                let color = match (override_text_color, section.format.color) {
                    (Some(color), _) => *color,
                    (None, Color32::PLACEHOLDER) => *fallback_color,
                    (None, color) => color,
                };
                let place = *pos + row.pos.to_vec2() + glyph.pos.to_vec2();
                let new = Run {
                    color: color.gamma_multiply(*opacity_factor),
                    family: section.format.font_id.family.clone(),
                    size: section.format.font_id.size,
                    baseline: place.y,
                    text: String::new(),
                    places: Vec::new(),
                };
                if run.as_ref().is_none_or(|run| !run.goes_on(&new)) {
                    self.run(run.replace(new), &turn);
                }
                if let Some(run) = &mut run {
                    run.text.push(glyph.chr);
                    run.places.push(place.x);
                }
            }
            if row.ends_with_newline {
                at += 1;
            }
            self.run(run, &turn);
        }
    }

    fn run(&mut self, run: Option<Run>, turn: &str) {
        let Some(run) = run.filter(|run| !run.text.trim().is_empty()) else { return };
        let (class, files) = class(&run.family);
        self.families.extend(files);
        let wide = |c: &char| ('\u{2e80}'..='\u{ffef}').contains(c) && !is_private(*c);
        self.chinese += run.text.chars().filter(wide).count();
        let places: Vec<String> = run.places.iter().map(|place| number(*place)).collect();
        _ = writeln!(
            self.body,
            "<text class=\"{class}\" font-size=\"{}\" x=\"{}\" y=\"{}\" {}{turn}>{}</text>",
            number(run.size),
            places.join(" "),
            number(run.baseline),
            paint("fill", run.color),
            escaped(&run.text)
        );
    }
}

/// Signs of Lucide lie in the private use area.
const fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}')
}

/// Characters in a row that look alike.
struct Run {
    color: Color32,
    family: FontFamily,
    size: f32,
    baseline: f32,
    text: String,
    places: Vec<f32>,
}

impl Run {
    fn goes_on(&self, other: &Self) -> bool {
        (self.color, &self.family, self.size, self.baseline) == (other.color, &other.family, other.size, other.baseline)
    }
}

fn rectangle(rect: Rect, radius: CornerRadius, grow: f32) -> String {
    let (x, y) = (number(rect.min.x), number(rect.min.y));
    let (width, height) = (rect.width().max(0.0), rect.height().max(0.0));
    let most = 0.5 * width.min(height);
    let [nw, ne, se, sw] = [radius.nw, radius.ne, radius.se, radius.sw].map(|radius| match radius {
        0 => 0.0,
        radius => (f32::from(radius) + grow).clamp(0.0, most),
    });
    if [ne, se, sw] == [nw; 3] {
        let round = if nw > 0.0 { format!(" rx=\"{}\"", number(nw)) } else { String::new() };
        return format!("rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\"{round}", number(width), number(height));
    }
    let Rect { min, max } = rect;
    let corner = |radius: f32, to: Pos2| format!("A{0} {0} 0 0 1 {1}", number(radius), point(to));
    format!(
        "path d=\"M{}L{}{}L{}{}L{}{}L{}{}Z\"",
        point(Pos2::new(min.x + nw, min.y)),
        point(Pos2::new(max.x - ne, min.y)),
        corner(ne, Pos2::new(max.x, min.y + ne)),
        point(Pos2::new(max.x, max.y - se)),
        corner(se, Pos2::new(max.x - se, max.y)),
        point(Pos2::new(min.x + sw, max.y)),
        corner(sw, Pos2::new(min.x, max.y - sw)),
        point(Pos2::new(min.x, min.y + nw)),
        corner(nw, Pos2::new(min.x + nw, min.y)),
    )
}

fn visible(stroke: &Stroke) -> bool {
    stroke.width > 0.0 && stroke.color != Color32::TRANSPARENT
}

fn look(fill: Color32, stroke: &Stroke) -> String {
    let fill = if fill == Color32::TRANSPARENT { "fill=\"none\"".to_owned() } else { paint("fill", fill) };
    if visible(stroke) {
        format!(" {fill} {} stroke-width=\"{}\"", paint("stroke", stroke.color), number(stroke.width))
    } else {
        format!(" {fill}")
    }
}

fn lines(stroke: &Stroke) -> String {
    look(Color32::TRANSPARENT, stroke)
}

/// An attribute for a colour, and one for what shines through it.
fn paint(name: &str, color: Color32) -> String {
    let [r, g, b, a] = color.to_srgba_unmultiplied();
    let through = if a == 255 { String::new() } else { format!(" {name}-opacity=\"{:.3}\"", f32::from(a) / 255.0) };
    format!("{name}=\"#{r:02x}{g:02x}{b:02x}\"{through}")
}

fn turned(angle: f32, around: Pos2) -> String {
    if angle == 0.0 {
        return String::new();
    }
    format!(" transform=\"rotate({} {})\"", number(angle.to_degrees()), point(around))
}

fn point(pos: Pos2) -> String {
    format!("{} {}", number(pos.x), number(pos.y))
}

/// At most two digits after the point.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // XML has no other control characters.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(0.0, "0"), (-0.001, "0"), (1.5, "1.5"), (10.0, "10"), (2.345_67, "2.35"), (-2.0, "-2")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("a<b>&\"c\"\u{1}"), "a&lt;b&gt;&amp;&quot;c&quot; ");
    }

    #[test]
    fn colours_are_told_with_what_shines_through() {
        assert_eq!(paint("fill", Color32::from_rgb(1, 2, 255)), "fill=\"#0102ff\"");
        assert_eq!(paint("stroke", Color32::from_white_alpha(51)), "stroke=\"#ffffff\" stroke-opacity=\"0.200\"");
    }

    #[test]
    fn shapes_lie_where_they_were() {
        let rect = RectShape::new(
            Rect::from_min_max(Pos2::new(1.0, 2.0), Pos2::new(11.0, 22.0)),
            4,
            Color32::RED,
            Stroke::new(2.0, Color32::WHITE),
            StrokeKind::Inside,
        );
        let line = Shape::line_segment([Pos2::ZERO, Pos2::new(5.0, 6.5)], Stroke::new(1.0, Color32::BLACK));
        let all = Rect::from_min_size(Pos2::ZERO, Vec2::splat(30.0));
        let shapes = [ClippedShape::new(all, rect), ClippedShape::new(all.shrink(3.0), line)];
        let text = svg(&shapes, all.size(), Color32::BLACK, "a & b");
        assert!(
            text.contains("<rect x=\"1\" y=\"2\" width=\"10\" height=\"20\" rx=\"4\" fill=\"#ff0000\"/>"),
            "{text}"
        );
        assert!(
            text.contains("<rect x=\"2\" y=\"3\" width=\"8\" height=\"18\" rx=\"3\" fill=\"none\" stroke=\"#ffffff\"")
        );
        assert!(text.contains("<clipPath id=\"c1\"><rect x=\"3\" y=\"3\" width=\"24\" height=\"24\"/></clipPath>"));
        assert!(text.contains("<path d=\"M0 0L5 6.5\" fill=\"none\" stroke=\"#000000\" stroke-width=\"1\"/>"));
        assert!(text.contains("<title>a &amp; b</title>"));
        assert_eq!(text.matches("<g").count(), text.matches("</g>").count());
    }
}
