//! Pictures without a window: egui's triangles filled by the processor.
//!
//! Serves the command line (`shot`) and the picture tests. It does what egui's shaders do: colours
//! are multiplied and blended in gamma space with premultiplied alpha, textures sampled
//! bilinearly. Coverage is decided at pixel centres in fixed-point arithmetic with the top-left
//! rule, so that shared edges are filled once and the result is equal on every machine;
//! anti-aliasing is in the triangles already (feathering).

use std::collections::BTreeMap;

use egui::epaint::{ClippedPrimitive, ColorImage, Mesh, Primitive, Vertex};
use egui::{Color32, FullOutput, Pos2, TextureId, TexturesDelta};

/// Fixed-point units in a pixel.
const SUBPIXELS: f32 = 256.0;

/// The textures of a context, and what paints with them.
#[derive(Debug, Default)]
pub struct Painter {
    textures: BTreeMap<TextureId, ColorImage>,
}

impl Painter {
    /// Takes over new and changed textures.
    pub fn update(&mut self, delta: &mut TexturesDelta) {
        #[expect(clippy::iter_over_hash_type, reason = "each texture stands for itself")]
        for (id, changes) in delta.set.drain() {
            for change in changes {
                let egui::ImageData::Color(image) = change.image;
                match (change.pos, self.textures.get_mut(&id)) {
                    (Some([left, top]), Some(texture)) => {
                        for y in 0..image.size[1] {
                            let from = &image.pixels[y * image.size[0]..][..image.size[0]];
                            texture.pixels[(top + y) * texture.size[0] + left..][..from.len()].copy_from_slice(from);
                        }
                    }
                    _ => {
                        self.textures.insert(id, ColorImage::clone(&image));
                    }
                }
            }
        }
        #[expect(clippy::iter_over_hash_type, reason = "each texture stands for itself")]
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    /// Paints a pass on an opaque ground. Textures must be up to date.
    #[must_use]
    pub fn paint(&self, ctx: &egui::Context, output: &FullOutput, size: [usize; 2], ground: Color32) -> ColorImage {
        let scale = output.pixels_per_point;
        let mut image = ColorImage::filled(size, ground);
        for ClippedPrimitive { clip_rect, primitive } in ctx.tessellate(output.shapes.clone(), scale) {
            let Primitive::Mesh(mesh) = primitive else { continue };
            let Some(texture) = self.textures.get(&mesh.texture_id) else { continue };
            let edge = |point: f32, limit: usize| ((point * scale).round().max(0.0) as usize).min(limit);
            let clip = Clip {
                left: edge(clip_rect.min.x, size[0]),
                top: edge(clip_rect.min.y, size[1]),
                right: edge(clip_rect.max.x, size[0]),
                bottom: edge(clip_rect.max.y, size[1]),
            };
            paint_mesh(&mut image, clip, &mesh, texture, scale);
        }
        image
    }
}

/// Pixels that may be touched; right and bottom are outside.
#[derive(Clone, Copy)]
struct Clip {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

fn paint_mesh(image: &mut ColorImage, clip: Clip, mesh: &Mesh, texture: &ColorImage, scale: f32) {
    for corners in mesh.indices.as_chunks::<3>().0 {
        let [a, b, c] = corners.map(|i| mesh.vertices[i as usize]);
        let [pa, pb, pc] = [a, b, c].map(|v| fixed(v.pos, scale));
        let area = cross(pa, pb, pc);
        match area {
            0 => {}
            1.. => fill(image, clip, [(a, pa), (b, pb), (c, pc)], area, texture),
            _ => fill(image, clip, [(a, pa), (c, pc), (b, pb)], -area, texture),
        }
    }
}

fn fixed(pos: Pos2, scale: f32) -> [i64; 2] {
    [pos.x, pos.y].map(|v| (v * scale * SUBPIXELS).round() as i64)
}

/// Twice the area of a triangle; positive if it turns clockwise on the screen.
const fn cross(a: [i64; 2], b: [i64; 2], c: [i64; 2]) -> i64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// Fills a clockwise triangle of that doubled area.
fn fill(image: &mut ColorImage, clip: Clip, corners: [(Vertex, [i64; 2]); 3], area: i64, texture: &ColorImage) {
    let unit = SUBPIXELS as i64;
    let [a, b, c] = corners.map(|(_, p)| p);
    let range = |axis: usize, low: usize, high: usize| {
        let (min, max) = (a[axis].min(b[axis]).min(c[axis]), a[axis].max(b[axis]).max(c[axis]));
        let first = min.div_euclid(unit).clamp(low as i64, high as i64) as usize;
        let end = (max.div_euclid(unit) + 1).clamp(low as i64, high as i64) as usize;
        first..end
    };
    // A pixel centre on a top or left edge belongs to the triangle, on any other edge it does not.
    let bias = |p: [i64; 2], q: [i64; 2]| i64::from(!(q[1] < p[1] || q[1] == p[1] && q[0] > p[0]));
    let biases = [bias(b, c), bias(c, a), bias(a, b)];
    let vertices = corners.map(|(v, _)| v);
    let flat = flat_color(&vertices, texture);
    let columns = range(0, clip.left, clip.right);
    for y in range(1, clip.top, clip.bottom) {
        for x in columns.clone() {
            let p = [x as i64 * unit + unit / 2, y as i64 * unit + unit / 2];
            let weights = [cross(b, c, p), cross(c, a, p), cross(a, b, p)];
            if (0..3).any(|i| weights[i] < biases[i]) {
                continue;
            }
            let color = flat.unwrap_or_else(|| shade(&vertices, weights.map(|w| w as f32 / area as f32), texture));
            let pixel = &mut image.pixels[y * image.size[0] + x];
            *pixel = over(color, *pixel);
        }
    }
}

/// The colour of a triangle that has only one: equal corners, no texture.
fn flat_color(vertices: &[Vertex; 3], texture: &ColorImage) -> Option<[f32; 4]> {
    let [a, b, c] = vertices;
    let flat = a.color == b.color && b.color == c.color && a.uv == b.uv && b.uv == c.uv;
    flat.then(|| shade(vertices, [1.0, 0.0, 0.0], texture))
}

/// Vertex colour times texture, premultiplied, 0 to 255.
fn shade(vertices: &[Vertex; 3], weights: [f32; 3], texture: &ColorImage) -> [f32; 4] {
    let mix = |value: &dyn Fn(&Vertex) -> f32| (0..3).map(|i| weights[i] * value(&vertices[i])).sum::<f32>();
    let texel = sample(texture, mix(&|v| v.uv.x), mix(&|v| v.uv.y));
    std::array::from_fn(|i| mix(&|v| f32::from(v.color.to_array()[i])) * texel[i] / 255.0)
}

/// Bilinear, clamped to the edge.
fn sample(texture: &ColorImage, u: f32, v: f32) -> [f32; 4] {
    let [width, height] = texture.size;
    let axis = |t: f32, len: usize| {
        let t = (t * len as f32 - 0.5).clamp(0.0, len as f32 - 1.0);
        (t as usize, (t as usize + 1).min(len - 1), t.fract())
    };
    let ((x0, x1, fx), (y0, y1, fy)) = (axis(u, width), axis(v, height));
    let texel = |x: usize, y: usize| texture.pixels[y * width + x].to_array().map(f32::from);
    let (a, b, c, d) = (texel(x0, y0), texel(x1, y0), texel(x0, y1), texel(x1, y1));
    std::array::from_fn(|i| {
        let (top, bottom) = (a[i] + (b[i] - a[i]) * fx, c[i] + (d[i] - c[i]) * fx);
        top + (bottom - top) * fy
    })
}

/// Premultiplied source over an opaque ground.
fn over(source: [f32; 4], ground: Color32) -> Color32 {
    let keep = 1.0 - source[3] / 255.0;
    let ground = ground.to_array();
    let channel = |i: usize| (source[i] + f32::from(ground[i]) * keep + 0.5) as u8;
    Color32::from_rgb(channel(0), channel(1), channel(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rectangle(color: Color32) -> Mesh {
        let mut mesh = Mesh::default();
        mesh.add_colored_rect(egui::Rect::from_min_max(Pos2::new(1.0, 1.0), Pos2::new(3.0, 3.0)), color);
        mesh
    }

    #[test]
    fn a_half_transparent_rectangle_is_filled_once() {
        let white = ColorImage::filled([1, 1], Color32::WHITE);
        let mut image = ColorImage::filled([4, 4], Color32::BLACK);
        let clip = Clip { left: 0, top: 0, right: 4, bottom: 4 };
        paint_mesh(&mut image, clip, &rectangle(Color32::from_white_alpha(128)), &white, 1.0);
        let lit: Vec<u8> = image.pixels.iter().map(|p| p.r()).collect();
        assert_eq!(lit, [0, 0, 0, 0, 0, 128, 128, 0, 0, 128, 128, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn nothing_is_painted_outside_the_clip() {
        let white = ColorImage::filled([1, 1], Color32::WHITE);
        let mut image = ColorImage::filled([4, 4], Color32::BLACK);
        let clip = Clip { left: 2, top: 0, right: 4, bottom: 2 };
        paint_mesh(&mut image, clip, &rectangle(Color32::WHITE), &white, 1.0);
        assert_eq!(image.pixels.iter().filter(|p| p.r() == 255).count(), 1);
    }
}
