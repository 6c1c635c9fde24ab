//! `mmuscope shot`: the user interface as a PNG, without a window.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{CliError, Held, language_arg};
use crate::app;
use crate::engine::EngineConfig;
use crate::explain::Depth;
use crate::language::Language;
use crate::lesson::Lesson;
use crate::machine::Caches;
use crate::scenario::Session;

/// Arguments of `shot`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  mmuscope shot my.json -o out.png
  mmuscope shot my.json -o out.png --size 1280x720 --theme light --at 4
  mmuscope shot my.json -o big.png --size 1600x900 --scale 2
  mmuscope shot my.json -o out.png --view compare --engines kvm-pdpt,kvm-2007,ept
  mmuscope shot my-lesson.json -o out.png --view lesson --lang zh --at 3")]
pub struct Args {
    /// Scenario file or name of a preset, name of a lesson, or lesson file with --view lesson
    file: PathBuf,

    /// PNG to write, a name that ends in .png
    #[arg(short, long, value_parser = png_arg)]
    output: PathBuf,

    /// Size in points, WIDTHxHEIGHT
    #[arg(long, default_value = "1600x900", value_parser = size_arg)]
    size: (u32, u32),

    /// Pixels per point
    #[arg(long, default_value_t = 1.0, value_parser = scale_arg)]
    scale: f32,

    /// Theme
    #[arg(long, value_enum, default_value = "dark")]
    theme: ThemeArg,

    /// View
    #[arg(long, value_enum, default_value = "explore")]
    view: ViewArg,

    /// Step of the file after which to look; 0 is the start, missing the end. Of a lesson the step
    /// to show, from 1; missing the first
    #[arg(long)]
    at: Option<usize>,

    /// Zoom of the stage: 1 fits everything, below about 0.3 tables become strips of cells
    #[arg(long, default_value_t = 1.0, value_parser = zoom_arg)]
    zoom: f32,

    /// How much the screen tells
    #[arg(long, default_value = "standard", value_parser = depth_arg())]
    depth: Depth,

    /// Engines to compare, two to four; missing: the file's and those that differ most from it
    #[arg(long, value_delimiter = ',', value_parser = super::engine_arg)]
    engines: Vec<EngineConfig>,

    /// Language of the screen
    #[arg(long, value_parser = language_arg(), default_value = "en", value_name = "L")]
    lang: Language,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ThemeArg {
    Dark,
    Light,
    HighContrast,
    Projector,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ViewArg {
    Explore,
    Compare,
    Lesson,
}

fn size_arg(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "write it as 1600x900, each side from 200 to 8000".to_owned();
    let (width, height) = text.split_once('x').ok_or_else(wrong)?;
    let side = |s: &str| s.parse().ok().filter(|n| (200..=8000).contains(n)).ok_or_else(wrong);
    Ok((side(width)?, side(height)?))
}

fn png_arg(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_png = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    if is_png { Ok(path) } else { Err("it is a PNG: the name must end in .png".to_owned()) }
}

fn zoom_arg(text: &str) -> Result<f32, String> {
    let (least, most) = (*app::stage::ZOOMS.start(), *app::stage::ZOOMS.end());
    let zoom = text.parse().ok().filter(|zoom| (least..=most).contains(zoom));
    zoom.ok_or_else(|| format!("it is a number from {least} to {most}"))
}

fn depth_arg() -> impl TypedValueParser<Value = Depth> {
    let known = PossibleValuesParser::new(Depth::ALL.map(Depth::id));
    known.map(|id| Depth::by_id(&id).unwrap_or_default())
}

fn scale_arg(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|s| (0.5..=4.0).contains(s)).ok_or_else(|| "it is a number from 0.5 to 4".to_owned())
}

/// Runs the subcommand.
pub fn run(args: &Args) -> Result<Held, CliError> {
    let theme = match args.theme {
        ThemeArg::Dark => app::Theme::Dark,
        ThemeArg::Light => app::Theme::Light,
        ThemeArg::HighContrast => app::Theme::HighContrast,
        ThemeArg::Projector => app::Theme::Projector,
    };
    let screen = match args.view {
        ViewArg::Compare => app::view::Screen::Compare,
        ViewArg::Explore | ViewArg::Lesson => app::view::Screen::Explore,
    };
    let engines = engines(args)?;
    let options = app::Options {
        theme: Some(theme),
        language: Some(args.lang),
        screen,
        zoom: Some(args.zoom),
        depth: args.depth,
        engines,
        ..app::Options::default()
    };
    let named = args.view == ViewArg::Explore && named_lesson(args).is_some();
    let (session, lesson) = match args.view {
        ViewArg::Explore | ViewArg::Compare if !named => (session(args)?, None),
        _ => (Session::empty(), Some(step_of_lesson(args)?)),
    };
    let (width, height) = args.size;
    let png = app::shot(session, lesson, options, [width, height], args.scale)
        .map_err(|e| CliError::Usage(format!("cannot render: {e}")))?;
    std::fs::write(&args.output, png).map_err(|e| CliError::Usage(format!("{}: {e}", args.output.display())))?;
    Ok(Held::Yes)
}

fn engines(args: &Args) -> Result<Vec<EngineConfig>, CliError> {
    if args.engines.is_empty() {
        return Ok(Vec::new());
    }
    if args.view != ViewArg::Compare {
        return Err(CliError::Usage("--engines: only --view compare shows several engines".to_owned()));
    }
    app::compare::engines::chosen(&args.engines)
        .ok_or_else(|| CliError::Usage("--engines: two to four different engines can be compared".to_owned()))
}

fn named_lesson(args: &Args) -> Option<&'static Lesson> {
    super::run::name_of(&args.file).and_then(crate::lesson::by_id)
}

fn step_of_lesson(args: &Args) -> Result<(Lesson, Option<usize>), CliError> {
    let lesson = match named_lesson(args) {
        Some(lesson) => lesson.clone(),
        None => match super::run::slip(&args.file) {
            Some(slip) => return Err(slip),
            None => crate::lesson::read_file(&args.file)?,
        },
    };
    let (at, all) = (args.at.unwrap_or(1), lesson.steps.len());
    if !(1..=all).contains(&at) {
        return Err(CliError::Usage(format!("--at {at}: the lesson has the steps 1 to {all}")));
    }
    Ok((lesson, Some(at - 1)))
}

fn session(args: &Args) -> Result<Session, CliError> {
    let scenario = super::run::scenario_file(&args.file)?;
    let engine = scenario.engine;
    let mut session =
        Session::open_on(scenario, engine, Caches::default()).map_err(|e| CliError::Usage(e.to_string()))?;
    let steps = session.scenario.steps.len();
    let at = args.at.unwrap_or(steps);
    if at > steps {
        return Err(CliError::Usage(format!("--at {at}: the scenario has {steps} steps")));
    }
    session.lab.seek(session.cursor_after(at));
    Ok(session)
}
