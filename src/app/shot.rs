//! A picture of the app as a PNG file, without a window.

use super::headless::Painter;
use super::{App, Options, theme};
use crate::lesson::Lesson;
use crate::scenario::{Session, StartError};

/// After so many passes the picture is taken even if something still moves.
const MAX_PASSES: usize = 8;
/// Seconds between two passes; longer than any animation.
const PASS_SECONDS: f64 = 0.5;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum ShotError {
    /// The picture has no pixels, or more than a PNG of this kind may have.
    #[error("a picture of {0} x {1} pixels cannot be made")]
    Size(u32, u32),
    /// The lesson cannot begin.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The file could not be made.
    #[error(transparent)]
    Png(#[from] png::EncodingError),
}

/// Renders a session, or a step of a lesson: `size` in points, `scale` in pixels for a point.
///
/// # Errors
/// [`ShotError`].
pub fn shot(
    session: Session,
    lesson: Option<(Lesson, Option<usize>)>,
    options: Options,
    size: [u32; 2],
    scale: f32,
) -> Result<Vec<u8>, ShotError> {
    let pixels = size.map(|side| (side as f32 * scale).round() as u32);
    if pixels.iter().any(|side| !(1..=32_768).contains(side)) {
        return Err(ShotError::Size(pixels[0], pixels[1]));
    }
    let ctx = egui::Context::default();
    let mut app = App::new(&ctx, session, options);
    if let Some((lesson, step)) = lesson {
        app.open_lesson(&lesson, step)?;
    }
    let (mut painter, mut pass) = (Painter::default(), 0);
    let output = loop {
        let input = raw_input(size, scale, pass as f64 * PASS_SECONDS);
        app.apply(&ctx);
        app.finish_compare(&ctx);
        let mut output = ctx.run_ui(input, |ui| app.draw(ui));
        painter.update(&mut output.textures_delta);
        pass += 1;
        let settled = output.viewport_output.values().all(|viewport| !viewport.repaint_delay.is_zero());
        if pass >= MAX_PASSES || settled && pass > 1 {
            break output;
        }
    };
    let ground = theme::tokens(&ctx).panel;
    let image = painter.paint(&ctx, &output, pixels.map(|side| side as usize), ground);
    encode(&image)
}

fn raw_input(size: [u32; 2], scale: f32, time: f64) -> egui::RawInput {
    let screen = egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(size[0] as f32, size[1] as f32));
    let mut input = egui::RawInput { screen_rect: Some(screen), time: Some(time), ..egui::RawInput::default() };
    input.viewports.entry(egui::ViewportId::ROOT).or_default().native_pixels_per_point = Some(scale);
    input
}

pub(super) fn encode(image: &egui::ColorImage) -> Result<Vec<u8>, ShotError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, image.size[0] as u32, image.size[1] as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let bytes: Vec<u8> = image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&bytes)?;
    writer.finish()?;
    Ok(file)
}
