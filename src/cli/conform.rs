//! `mmuscope conform`: recorded vectors, one scenario a line.

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use super::{CliError, Held, engine_arg};
use crate::engine::{EngineConfig, EngineName, Switches};
use crate::machine::Caches;
use crate::scenario::{self, InputError, Scenario, Verdict};

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Arguments of `conform`.
#[derive(clap::Args)]
#[command(after_help = "\
Exit status: 0 all pass, 1 one fails, 2 a file is wrong. An engine that reads PDPTEs from memory
answers some cases otherwise; those are counted apart, as by design.

Example:
  mmuscope conform tests/vectors/*.jsonl.gz")]
pub struct Args {
    /// Vector files (.jsonl, .jsonl.gz)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Engine, or `all` for every engine
    #[arg(long, default_value = "native", value_parser = engines_arg, value_name = "E|all")]
    engine: Engines,
}

/// One engine or all of them.
#[derive(Clone, Debug)]
struct Engines(Vec<EngineConfig>);

fn engines_arg(text: &str) -> Result<Engines, String> {
    if text == "all" {
        return Ok(Engines(EngineName::ALL.map(EngineConfig::from).to_vec()));
    }
    engine_arg(text).map(|engine| Engines(vec![engine]))
}

#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    by_design: u64,
    steps: u64,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> Result<Held, CliError> {
    let engines = &args.engine.0;
    let mut out = anstream::stdout().lock();
    let mut all = Tally::default();
    for path in &args.files {
        let mut tally = Tally::default();
        for_each_vector(path, |scenario| {
            for engine in engines {
                judge(&mut out, scenario, *engine, &mut tally)?;
            }
            Ok(())
        })?;
        if std::io::stderr().is_terminal() {
            anstream::eprintln!(
                "{}: {} cases, {} steps, {} failed",
                path.display(),
                tally.passed + tally.failed,
                tally.steps,
                tally.failed
            );
        }
        all.passed += tally.passed;
        all.failed += tally.failed;
        all.by_design += tally.by_design;
        all.steps += tally.steps;
    }
    if all.by_design > 0 {
        writeln!(
            out,
            "{} by design: the engine reads PDPTEs from memory; each is right once it has the registers",
            all.by_design
        )?;
    }
    writeln!(out, "{} passed, {} failed", all.passed, all.failed)?;
    Ok(if all.failed == 0 { Held::Yes } else { Held::No })
}

fn judge(out: &mut impl Write, scenario: &Scenario, engine: EngineConfig, tally: &mut Tally) -> Result<(), CliError> {
    let verdict = scenario::run(scenario, engine, Caches::default()).map_err(|e| CliError::Usage(e.to_string()))?;
    tally.steps += scenario.steps.len() as u64;
    if verdict.passed() {
        tally.passed += 1;
        return Ok(());
    }
    if differs_by_design(scenario, engine)? {
        tally.by_design += 1;
        return Ok(());
    }
    tally.failed += 1;
    report(out, &scenario.id, engine, &verdict)?;
    Ok(())
}

/// Whether the case turns right when the engine takes PDPTEs from the registers.
fn differs_by_design(scenario: &Scenario, engine: EngineConfig) -> Result<bool, CliError> {
    if !engine.name.reads_pdptes_from_memory() {
        return Ok(false);
    }
    let config = EngineConfig { switches: engine.switches | Switches::PDPTE_REGISTERS, ..engine };
    let verdict = scenario::run(scenario, config, Caches::default()).map_err(|e| CliError::Usage(e.to_string()))?;
    Ok(verdict.passed())
}

fn report(out: &mut impl Write, id: &str, engine: EngineConfig, verdict: &Verdict) -> std::io::Result<()> {
    for (step, failure) in &verdict.failed {
        writeln!(out, "{id} on {engine}, step {step}: got {}, wanted {}", failure.got, failure.wanted)?;
    }
    for failure in &verdict.memory {
        writeln!(
            out,
            "{id} on {engine}, memory at {:#x}: got {:#x}, wanted {:#x}",
            failure.gpa.0, failure.got, failure.wanted
        )?;
    }
    Ok(())
}

/// Reads a vector file line by line, so that its size does not matter.
fn for_each_vector(path: &Path, mut each: impl FnMut(&Scenario) -> Result<(), CliError>) -> Result<(), CliError> {
    let name = path.display().to_string();
    let mut reader = open(path)?;
    let (mut line, mut count) = (String::new(), 0_u64);
    for number in 1.. {
        line.clear();
        let unreadable = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::InvalidData => InputError::NotText { name: name.clone(), at: 0 },
            _ => InputError::Unreadable { name: name.clone(), source },
        };
        let read = (&mut reader).take(MAX_LINE_BYTES + 1).read_line(&mut line).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        if read as u64 > MAX_LINE_BYTES {
            return Err(CliError::Usage(format!("{name}:{number}: the line is longer than {MAX_LINE_BYTES} bytes")));
        }
        if line.trim().is_empty() {
            continue;
        }
        let scenario = Scenario::from_json(&name, &line).map_err(|error| match error.on_line(number) {
            InputError::Json { name, line, column, path, what } if what.starts_with("EOF") => {
                let what =
                    format!("{what}: a vector file has one whole scenario a line (`mmuscope run` takes the others)");
                InputError::Json { name, line, column, path, what }
            }
            other => other,
        })?;
        each(&scenario)?;
        count += 1;
    }
    // What tested nothing must not look as if it had passed.
    if count == 0 {
        return Err(CliError::Usage(format!("{name}: there is no scenario in it")));
    }
    Ok(())
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, InputError> {
    let name = path.display().to_string();
    let unreadable = |source| InputError::Unreadable { name: name.clone(), source };
    if std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Err(InputError::Directory { name });
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    Ok(if path.extension().is_some_and(|ext| ext == "gz") {
        Box::new(BufReader::with_capacity(1 << 16, flate2::read::MultiGzDecoder::new(BufReader::new(file))))
    } else {
        Box::new(BufReader::with_capacity(1 << 16, file))
    })
}
