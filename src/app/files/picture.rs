//! The window as a picture: drawn once more, without what lies over it, by a context of its own.

use egui::{Context, FullOutput, RawInput, Rect, Vec2};

use crate::app::headless::Painter;
use crate::app::hover;
use crate::app::shot::encode;
use crate::app::{App, ShotError, theme};

/// Passes until everything lies where it belongs.
const PASSES: usize = 3;
/// Seconds between two passes; longer than any animation.
const PASS_SECONDS: f64 = 0.5;

/// The window drawn once more.
pub(super) struct Drawn {
    ctx: Context,
    output: FullOutput,
    painter: Painter,
    size: Vec2,
}

impl App {
    /// Draws the window of `source` once more, with `scale` pixels for a point of an ordinary screen.
    pub(super) fn draw_once_more(&mut self, source: &Context, scale: f32) -> Drawn {
        let ctx = Context::default();
        theme::install(&ctx, Some(theme::tokens(source).theme));
        // Where everything is scrolled to and what is unfolded; fonts that were fetched later, too.
        let memory = source.memory(Clone::clone);
        ctx.memory_mut(|own| own.data = memory.data);
        hover::forget(&ctx);
        ctx.set_fonts(source.fonts(|fonts| fonts.definitions().clone()));
        let zoom = source.zoom_factor();
        ctx.set_zoom_factor(zoom);
        let size = source.content_rect().size();
        let mut view = self.view.clone();
        (view.overlay, view.notice, view.said) = (None, None, None);
        std::mem::swap(&mut view, &mut self.view);
        let mut painter = Painter::default();
        let mut output = FullOutput::default();
        for pass in 0..PASSES {
            let mut input = RawInput {
                screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, size)),
                time: Some(source.input(|input| input.time) + (pass + 1) as f64 * PASS_SECONDS),
                ..RawInput::default()
            };
            input.viewports.entry(egui::ViewportId::ROOT).or_default().native_pixels_per_point = Some(scale);
            output = ctx.run_ui(input, |ui| self.draw_panels(ui));
            painter.update(&mut output.textures_delta);
        }
        // Nobody has pressed anything in there.
        drop(self.tx.take());
        std::mem::swap(&mut view, &mut self.view);
        Drawn { ctx, output, painter, size }
    }
}

impl Drawn {
    /// Its pixels as a PNG file.
    pub(super) fn png(&self) -> Result<Vec<u8>, ShotError> {
        let pixels = self.size * self.output.pixels_per_point;
        let [width, height] = [pixels.x, pixels.y].map(|side| side.round() as u32);
        if [width, height].iter().any(|side| !(1..=32_768).contains(side)) {
            return Err(ShotError::Size(width, height));
        }
        let ground = theme::tokens(&self.ctx).panel;
        encode(&self.painter.paint(&self.ctx, &self.output, [width as usize, height as usize], ground))
    }

    /// Its shapes as an SVG file.
    pub(super) fn svg(&self, title: &str) -> String {
        super::svg::svg(&self.output.shapes, self.size, theme::tokens(&self.ctx).panel, title)
    }
}
