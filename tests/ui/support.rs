//! A window for the tests: the app in a harness with the CPU rasteriser.

use egui::FullOutput;
use egui_kittest::{Harness, TestRenderer};
use mmuscope::app::headless::Painter;
use mmuscope::app::{App, Options, Theme, theme};
use mmuscope::engine::EngineName;
use mmuscope::machine::Caches;
use mmuscope::scenario::{Scenario, Session};

/// Window sizes, in points.
#[allow(dead_code, reason = "each test program uses some of them")]
pub struct Sizes {
    pub desktop: [f32; 2],
    pub laptop: [f32; 2],
    pub small: [f32; 2],
    pub phone: [f32; 2],
}

pub const SIZES: Sizes =
    Sizes { desktop: [1600.0, 900.0], laptop: [1280.0, 720.0], small: [1024.0, 768.0], phone: [390.0, 844.0] };

const EXAMPLE: &str = include_str!("../../assets/scenarios/the-register-remembers.json");

#[allow(dead_code, reason = "each test program uses some of them")]
/// The example on bare hardware in a window, its cursor at `at`.
pub fn open(size: [f32; 2], theme: Theme, at: usize) -> Harness<'static, App> {
    let scenario = Scenario::from_json("example", EXAMPLE).expect("the example is a scenario");
    let session = Session::open_on(scenario, EngineName::Native, Caches::default()).expect("the example can begin");
    open_scenario(session, size, theme, at)
}

/// The example under an engine in a window.
#[allow(dead_code, reason = "each test program uses some of them")]
pub fn open_on(engine: EngineName, size: [f32; 2], theme: Theme, at: usize) -> Harness<'static, App> {
    let scenario = Scenario::from_json("example", EXAMPLE).expect("the example is a scenario");
    let session = Session::open_on(scenario, engine, Caches::default()).expect("the example can begin");
    open_scenario(session, size, theme, at)
}

/// A session in a window.
pub fn open_scenario(session: Session, size: [f32; 2], theme: Theme, at: usize) -> Harness<'static, App> {
    let options = Options { theme: Some(theme), at: Some(at), ..Options::default() };
    Harness::builder()
        .with_size(size)
        .with_theme(theme.into())
        .with_max_steps(12)
        .renderer(Cpu::default())
        .build_eframe(move |cc| App::new(&cc.egui_ctx, session, options))
}

#[derive(Default)]
pub struct Cpu(Painter);

impl TestRenderer for Cpu {
    fn handle_delta(&mut self, delta: &mut egui::TexturesDelta) {
        self.0.update(delta);
    }

    fn render(&mut self, ctx: &egui::Context, output: &FullOutput) -> Result<image::RgbaImage, String> {
        let size = ctx.content_rect().size() * output.pixels_per_point;
        let [width, height] = [size.x, size.y].map(|side| side.round() as usize);
        let picture = self.0.paint(ctx, output, [width, height], theme::tokens(ctx).panel);
        let bytes = picture.pixels.iter().flat_map(|pixel| pixel.to_array()).collect();
        image::RgbaImage::from_raw(width as u32, height as u32, bytes).ok_or_else(|| "no picture".to_owned())
    }
}
