//! `mmuscope run`: a scenario in the terminal.

use std::io::{BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{CliError, Held, engine_arg, language_arg, link, output};
use crate::arch::address::Num;
use crate::engine::{AnyVm, EngineConfig};
use crate::language::Language;
use crate::lesson;
use crate::machine::{Caches, Cost, Event};
use crate::names::{near, shown};
use crate::scenario::{self, InputError, MAX_FILE_BYTES, MemoryFailure, Run, Scenario};

/// Arguments of `run`.
#[derive(clap::Args)]
#[command(after_help = "\
Exit status: 0 every `want` and `expect` holds, 1 one does not, 2 the file is wrong.

Examples:
  mmuscope run assets/scenarios/the-register-remembers.json
  mmuscope run my.json --json | jq 'select(.event == \"pdpte_load\")'
  mmuscope run my.json --caches off
  mmuscope run my.json --engine kvm-now --audit
  mmuscope run my.json --lang zh")]
pub struct Args {
    /// Scenario file (.json, .json.gz), name of a preset, share link, or - for standard input
    #[arg(value_name = "FILE or LINK")]
    file: PathBuf,

    /// Engine to run it on, as in kvm-2007 or kvm-2007+role-without-access; the file's own where it
    /// is missing (`mmuscope engines` lists engines and switches)
    #[arg(long, value_parser = engine_arg, value_name = "E")]
    engine: Option<EngineConfig>,

    /// Print JSON Lines: an object an event, then a summary
    #[arg(long, conflicts_with = "quiet")]
    json: bool,

    /// Print only what fails
    #[arg(long, short)]
    quiet: bool,

    /// Check the engine's invariants after every step
    #[arg(long)]
    audit: bool,

    /// Which translation caches the processor has
    #[arg(long, value_enum, default_value = "on")]
    caches: CachesArg,

    /// Language of what is told
    #[arg(long, value_parser = language_arg(), default_value = "en", value_name = "L")]
    lang: Language,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum CachesArg {
    /// TLB and paging-structure caches
    On,
    /// The TLB alone
    Tlb,
    /// Neither: every access walks from CR3
    Off,
}

impl From<CachesArg> for Caches {
    fn from(arg: CachesArg) -> Self {
        match arg {
            CachesArg::On => Self { tlb: true, structures: true },
            CachesArg::Tlb => Self { tlb: true, structures: false },
            CachesArg::Off => Self { tlb: false, structures: false },
        }
    }
}

#[derive(Serialize)]
struct EventLine<'a> {
    step: usize,
    #[serde(flatten)]
    event: &'a Event,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    summary: Summary<'a>,
}

#[derive(Serialize)]
struct Summary<'a> {
    steps: usize,
    failed: Vec<FailedLine>,
    state_hash: String,
    cost: &'a Cost,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FailedLine {
    Step { step: usize, got: String, wanted: String },
    Memory { gpa: Num, got: Num, wanted: Num },
}

/// Larger files are not looked into for being a lesson, in bytes.
const LARGEST_LESSON: u64 = 1 << 20;

/// The name that an argument may be which is no file: of a preset or a lesson.
pub(super) fn name_of(argument: &Path) -> Option<&str> {
    argument.to_str().filter(|_| !argument.exists())
}

/// What is no path and no name that is known is a slip in a name: the nearest one is offered.
pub(super) fn slip(argument: &Path) -> Option<CliError> {
    let name = name_of(argument)?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !plain || name == "-" || scenario::preset(name).is_some() || lesson::by_id(name).is_some() {
        return None;
    }
    let presets = scenario::presets().iter().flat_map(|group| &group.presets).map(|preset| preset.id.as_str());
    let lessons = lesson::library().iter().map(|lesson| lesson.id.as_str());
    let meant = match near(name, lessons.chain(presets)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`mmuscope lesson list` and `mmuscope presets` list the names that are known".to_owned(),
    };
    Some(CliError::Usage(format!("there is no such file, lesson or preset as `{}`: {meant}", shown(name, 40))))
}

/// A scenario file, or a preset by its name; a lesson is told apart, with what it can be used for.
pub(super) fn scenario_file(path: &Path) -> Result<Scenario, CliError> {
    if let Some(preset) = name_of(path).and_then(scenario::preset) {
        return Ok(preset.scenario()?);
    }
    if let Some(found) = path.to_str().and_then(lesson::from_link) {
        let (lesson, _) = found.map_err(CliError::Usage)?;
        return Err(is_a_lesson(Path::new(&lesson.id)));
    }
    if let Some(slip) = slip(path) {
        return Err(slip);
    }
    scenario::read_file(path).map_err(|error| {
        if name_of(path).is_some_and(|name| lesson::by_id(name).is_some()) {
            return is_a_lesson(path);
        }
        let small = std::fs::metadata(path).is_ok_and(|file| file.len() < LARGEST_LESSON);
        let text = if small { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
        if !lesson::is_lesson(&text) {
            return CliError::Input(error);
        }
        is_a_lesson(path)
    })
}

fn is_a_lesson(path: &Path) -> CliError {
    let file = path.display();
    CliError::Usage(format!(
        "{file} is a lesson: `mmuscope {file}` opens it, `mmuscope lesson show {file}` tells it, \
         `mmuscope shot {file} --view lesson` pictures it"
    ))
}

pub(super) fn read(path: &Path) -> Result<Scenario, CliError> {
    if path.as_os_str() != "-" {
        return scenario_file(path);
    }
    let mut bytes = Vec::new();
    let name = "standard input".to_owned();
    let unreadable = |source| InputError::Unreadable { name: "standard input".to_owned(), source };
    std::io::stdin().lock().take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(InputError::TooLarge { name, bytes: bytes.len() as u64 }.into());
    }
    let text = String::from_utf8(bytes)
        .map_err(|e| InputError::NotText { name: name.clone(), at: e.utf8_error().valid_up_to() })?;
    Ok(Scenario::from_json(&name, &text)?)
}

/// Runs the subcommand.
pub fn run(args: &Args) -> Result<Held, CliError> {
    if args.file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".jsonl"))
        || args.file.extension().is_some_and(|extension| extension == "jsonl")
    {
        let file = args.file.display();
        return Err(CliError::Usage(format!(
            "{file} holds vectors, one a line: run them with `mmuscope conform {file}`"
        )));
    }
    let scenario = match link::session(&args.file)? {
        Some(session) => session.to_scenario(),
        None => read(&args.file)?,
    };
    let setup = Setup {
        engine: args.engine.unwrap_or(scenario.engine),
        caches: args.caches.into(),
        audit: args.audit,
        language: args.lang,
    };
    let mut out = BufWriter::new(anstream::stdout().lock());
    let held = if args.json {
        run_json(&mut out, &scenario, setup)?
    } else {
        run_text(&mut out, &scenario, setup, args.quiet)?
    };
    out.flush()?;
    Ok(held)
}

/// What a scenario runs on.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    engine: EngineConfig,
    caches: Caches,
    audit: bool,
    language: Language,
}

impl Setup {
    /// As the scenario asks, with every cache and without audit.
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self { engine: scenario.engine, caches: Caches::default(), audit: false, language: Language::default() }
    }

    fn start<'a>(&self, scenario: &'a Scenario) -> Result<Run<'a>, CliError> {
        Run::new(scenario, self.engine, self.caches).map_err(|e| CliError::Usage(e.to_string()))
    }

    /// The broken invariant, if the state is to be checked and one is.
    fn broken(&self, vm: &AnyVm) -> Option<Event> {
        let broken = if self.audit { vm.audit_in(self.language).err()? } else { return None };
        Some(Event::AuditFailed { invariant: broken.invariant.to_owned(), witness: broken.witness })
    }
}

/// Plays a scenario as text.
pub(super) fn run_text(out: &mut impl Write, scenario: &Scenario, setup: Setup, quiet: bool) -> Result<Held, CliError> {
    let mut run = setup.start(scenario)?;
    if !quiet {
        output::header(out, scenario, run.vm().machine(), &setup.engine, setup.language)?;
    }
    let mut failed = 0;
    let mut events = Vec::new();
    while let Some(report) = {
        events.clear();
        run.step(&mut events)
    } {
        let broken = setup.broken(run.vm());
        let held = report.failure.is_none() && broken.is_none();
        failed += usize::from(!held);
        events.extend(broken);
        if !quiet || !held {
            output::step(out, &report, &events, (setup.engine.name, setup.language))?;
        }
    }
    let memory = run.memory_failures();
    for failure in &memory {
        output::memory_failure(out, failure, setup.language)?;
    }
    failed += memory.len();
    if !quiet {
        output::footer(out, run.vm().machine(), scenario.steps.len(), failed, setup.language)?;
    }
    Ok(if failed == 0 { Held::Yes } else { Held::No })
}

fn run_json(out: &mut impl Write, scenario: &Scenario, setup: Setup) -> Result<Held, CliError> {
    let mut run = setup.start(scenario)?;
    let mut failed = Vec::new();
    let mut events = Vec::new();
    while let Some(report) = {
        events.clear();
        run.step(&mut events)
    } {
        let broken = setup.broken(run.vm());
        if let Some(Event::AuditFailed { invariant, witness }) = &broken {
            let (got, wanted) = (witness.clone(), invariant.clone());
            failed.push(FailedLine::Step { step: report.number, got, wanted });
        }
        events.extend(broken);
        for event in &events {
            json_line(out, &EventLine { step: report.number, event })?;
        }
        if let Some(failure) = report.failure {
            failed.push(FailedLine::Step { step: report.number, got: failure.got, wanted: failure.wanted });
        }
    }
    let memory_line =
        |MemoryFailure { gpa, got, wanted }| FailedLine::Memory { gpa: Num(gpa.0), got: Num(got), wanted: Num(wanted) };
    failed.extend(run.memory_failures().into_iter().map(memory_line));
    let held = if failed.is_empty() { Held::Yes } else { Held::No };
    let machine = run.vm().machine();
    let state_hash = format!("{:016x}", machine.state_hash());
    let summary = Summary { steps: scenario.steps.len(), failed, state_hash, cost: &machine.cost };
    json_line(out, &SummaryLine { summary })?;
    Ok(held)
}

fn json_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), CliError> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}
