//! A frame of the main screen at 1600 x 900, measured: layout and tessellation by the processor, with a guest
//! of a million pages and a long history loaded, beside a small guest in the same run; and what a step, a
//! command and a jump take in the app. `cargo bench --bench frame` prints a line for each engine.
//!
//! `MMUSCOPE_COMMANDS` changes the length of the history, a word in the arguments picks engines.

#![allow(unsafe_code, reason = "the clock of a thread's processor time is a call of the C library")]

use std::time::Duration;

use egui::{Pos2, RawInput, Rect, ViewportId, vec2};
use guest::{Kind, PAGES, Random, access, asked, command, percentile, scenario, timed};
use mmuscope::app::view::AppCommand;
use mmuscope::app::{App, Options};
use mmuscope::arch::AccessKind;
use mmuscope::engine::{EngineName, Quiet};
use mmuscope::machine::Caches;
use mmuscope::scenario::Session;

mod guest;

/// The small guest.
const FEW_PAGES: u64 = 64;
const FEW_COMMANDS: u64 = 40;
/// Frames of each guest that are measured, in turns.
const FRAMES: usize = 200;
/// Steps, commands and jumps that are measured.
const CHANGES: usize = 60;

/// The app with a guest loaded, and a context of its own.
struct Bench {
    ctx: egui::Context,
    app: App,
    pass: u32,
}

impl Bench {
    fn new(engine: EngineName, pages: u64, commands: u64) -> Self {
        let session = Session::open_on(scenario(pages), engine, Caches::default());
        let mut session = session.expect("a state that a processor can be in");
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for at in 0..commands - 1 {
            session.lab.execute_with(command(Kind::Mixed, pages, at, &mut random), &mut Quiet);
        }
        session.lab.execute_with(access(random.below(pages), AccessKind::Write), &mut Quiet);
        let ctx = egui::Context::default();
        let app = App::new(&ctx, session, Options::default());
        let mut bench = Self { ctx, app, pass: 0 };
        // Fonts, and what moves at first.
        (0..5).for_each(|_| bench.frame());
        bench
    }

    fn frame(&mut self) {
        let screen = Rect::from_min_size(Pos2::ZERO, vec2(1600.0, 900.0));
        let time = Some(f64::from(self.pass) * 0.5);
        let mut input = RawInput { screen_rect: Some(screen), time, ..RawInput::default() };
        input.viewports.entry(ViewportId::ROOT).or_default().native_pixels_per_point = Some(1.0);
        self.pass += 1;
        let output = self.ctx.run_ui(input, |ui| self.app.draw(ui));
        let painted = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        assert!(painted.len() > 10, "the screen is not empty");
    }

    /// What a wish takes from being sent to being done, the frame after it apart.
    fn done(&mut self, wish: AppCommand) -> Duration {
        self.app.ask(wish);
        let took = timed(|| self.app.apply(&self.ctx));
        self.frame();
        took
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn measure(engine: EngineName, commands: u64) {
    let mut small = Bench::new(engine, FEW_PAGES, FEW_COMMANDS);
    let mut opened = None;
    let opening = timed(|| opened = Some(Bench::new(engine, PAGES, commands)));
    let mut large = opened.expect("it was just opened");
    let (mut few, mut many) = (Vec::with_capacity(FRAMES), Vec::with_capacity(FRAMES));
    for _ in 0..FRAMES {
        few.push(timed(|| small.frame()));
        many.push(timed(|| large.frame()));
    }
    let (few, many) = (percentile(&mut few, 50), percentile(&mut many, 50));
    let mut random = Random(7);
    let mut steps: Vec<Duration> = (0..CHANGES).map(|_| large.done(AppCommand::StepBack)).collect();
    large.done(AppCommand::ToEnd);
    let given = |_| large.done(AppCommand::Run(access(random.below(PAGES), AccessKind::Read)));
    let mut given: Vec<Duration> = (0..CHANGES).map(given).collect();
    let mut jumps: Vec<Duration> =
        (0..CHANGES).map(|_| large.done(AppCommand::Seek(random.below(commands) as usize))).collect();
    println!(
        "{:9} {PAGES} pages, {commands} commands (opened in {:.1} s): frame {:.2} ms, small guest {:.2} ms, ratio \
         {:.2}; step back p50 {:.2} ms, max {:.2} ms; command p50 {:.2} ms, max {:.2} ms; jump p50 {:.2} ms, max {:.2} ms",
        engine.id(),
        opening.as_secs_f64(),
        ms(many),
        ms(few),
        ms(many) / ms(few),
        ms(percentile(&mut steps, 50)),
        ms(percentile(&mut steps, 100)),
        ms(percentile(&mut given, 50)),
        ms(percentile(&mut given, 100)),
        ms(percentile(&mut jumps, 50)),
        ms(percentile(&mut jumps, 100)),
    );
}

fn main() {
    let (commands, wanted) = asked();
    for engine in EngineName::ALL {
        if wanted.is_empty() || wanted.iter().any(|word| word == engine.id()) {
            measure(engine, commands);
        }
    }
}
