//! How a run looks in a terminal: one aligned line an event; colours only where a person reads.

use std::io::{self, Write};

use anstyle::{AnsiColor, Reset, Style};

use crate::engine::{EngineConfig, EngineName};
use crate::explain;
use crate::language::Language;
use crate::machine::{Event, Machine};
use crate::scenario::{Failure, MemoryFailure, Scenario, StepKind, StepReport};
use crate::tr;

/// For what is said in passing.
pub const DIM: Style = Style::new().dimmed();
/// For titles.
pub const BOLD: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
/// For what went wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Ends any style.
pub const RESET: Reset = Reset;

/// The title and the state that a run begins in.
pub fn header(
    out: &mut impl Write,
    scenario: &Scenario,
    machine: &Machine,
    engine: &EngineConfig,
    language: Language,
) -> io::Result<()> {
    let title = scenario.title.get(language.id());
    let title = if title.is_empty() { &scenario.id } else { title };
    writeln!(out, "{BOLD}{title}{BOLD:#}")?;
    let regs = &machine.cpu.regs;
    writeln!(
        out,
        "{DIM}{} · CR0 {} · CR3 {} · CR4 {} · EFER {} · MAXPHYADDR {} · {engine}{DIM:#}",
        explain::mode(machine.cpu.mode(), language),
        explain::hex(regs.cr0.bits()),
        explain::hex(regs.cr3),
        explain::hex(regs.cr4.bits()),
        explain::hex(regs.efer.bits()),
        machine.cpu.model.maxphyaddr,
    )
}

/// A step with its events.
pub fn step(
    out: &mut impl Write,
    report: &StepReport<'_>,
    events: &[Event],
    (engine, language): (EngineName, Language),
) -> io::Result<()> {
    let number = report.number;
    let line = match &report.step.kind {
        StepKind::Command(command) => explain::command(command, language),
        StepKind::Note(text) => format!("{DIM}{}{DIM:#}", text.get(language.id())),
        StepKind::Expect(_) => tr!(language, "expect").to_owned(),
    };
    writeln!(out, "\n{BOLD}{number:>3}{BOLD:#}  {line}")?;
    for event in events {
        let style = event_style(event);
        let line = explain::event(event, engine, language);
        writeln!(out, "     {style}{}{style:#} {}", explain::padded(line.label, 10), line.text)?;
    }
    match &report.failure {
        Some(failure) => failed(out, failure, language),
        None if report.step.want.is_some() || matches!(report.step.kind, StepKind::Expect(_)) => {
            writeln!(out, "     {GOOD}{}{GOOD:#}", tr!(language, "as wanted"))
        }
        None => Ok(()),
    }
}

fn event_style(event: &Event) -> Style {
    match event {
        Event::Fault { .. } | Event::Refused { .. } | Event::PdpteReject { .. } | Event::AuditFailed { .. } => BAD,
        Event::Translated { .. } => GOOD,
        Event::PdpteLoad { .. } => AnsiColor::Yellow.on_default(),
        Event::TlbHit { .. } | Event::TlbFill { .. } | Event::TlbFlush { .. } | Event::PscHit { .. } => {
            AnsiColor::Cyan.on_default()
        }
        _ => AnsiColor::Blue.on_default(),
    }
}

fn failed(out: &mut impl Write, failure: &Failure, language: Language) -> io::Result<()> {
    let text = tr!(language, "got {got}, wanted {wanted}", got = failure.got, wanted = failure.wanted);
    writeln!(out, "     {BAD}{}{BAD:#} {text}", explain::padded(tr!(language, "FAILED"), 10))
}

/// A word of memory that is wrong at the end.
pub fn memory_failure(out: &mut impl Write, failure: &MemoryFailure, language: Language) -> io::Result<()> {
    let MemoryFailure { gpa, got, wanted } = failure;
    let text = tr!(
        language,
        "memory after the run: {place} holds {got}, wanted {wanted}",
        place = explain::address("GPA", gpa.0),
        got = explain::hex(*got),
        wanted = explain::hex(*wanted)
    );
    writeln!(out, "{BAD}{}{BAD:#} {text}", tr!(language, "FAILED"))
}

/// The closing lines: what held, what it cost, the hash of the end state.
pub fn footer(
    out: &mut impl Write,
    machine: &Machine,
    steps: usize,
    failed: usize,
    language: Language,
) -> io::Result<()> {
    let style = if failed == 0 { GOOD } else { BAD };
    let text = tr!(language, "{steps} steps, {failed} failed", steps = steps, failed = failed);
    writeln!(out, "\n{style}{text}{style:#}")?;
    let costs: Vec<String> =
        machine.cost.entries().iter().filter(|(_, n)| *n > 0).map(|(key, n)| format!("{key} {n}")).collect();
    if !costs.is_empty() {
        writeln!(out, "{DIM}{}{DIM:#}", costs.join(" · "))?;
    }
    let hash = format!("{:016x}", machine.state_hash());
    writeln!(out, "{DIM}{}{DIM:#}", tr!(language, "state {hash}", hash = hash))
}
