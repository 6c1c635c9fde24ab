//! How a run looks in a terminal: one aligned line an event; colours only where a person reads.

use std::io::{self, Write};

use anstyle::{AnsiColor, Reset, Style};

use crate::engine::EngineConfig;
use crate::explain;
use crate::machine::{Event, Machine};
use crate::scenario::{Failure, MemoryFailure, Scenario, StepKind, StepReport};

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
pub fn header(out: &mut impl Write, scenario: &Scenario, machine: &Machine, engine: &EngineConfig) -> io::Result<()> {
    let title = scenario.title.get("en");
    let title = if title.is_empty() { &scenario.id } else { title };
    writeln!(out, "{BOLD}{title}{BOLD:#}")?;
    let regs = &machine.cpu.regs;
    writeln!(
        out,
        "{DIM}{} · CR0 {} · CR3 {} · CR4 {} · EFER {} · MAXPHYADDR {} · {engine}{DIM:#}",
        machine.cpu.mode().name(),
        explain::hex(regs.cr0.bits()),
        explain::hex(regs.cr3),
        explain::hex(regs.cr4.bits()),
        explain::hex(regs.efer.bits()),
        machine.cpu.model.maxphyaddr,
    )
}

/// A step with its events.
pub fn step(out: &mut impl Write, report: &StepReport<'_>, events: &[Event]) -> io::Result<()> {
    let number = report.number;
    match &report.step.kind {
        StepKind::Command(command) => writeln!(out, "\n{BOLD}{number:>3}{BOLD:#}  {}", explain::command(command))?,
        StepKind::Note(text) => writeln!(out, "\n{BOLD}{number:>3}{BOLD:#}  {DIM}{}{DIM:#}", text.get("en"))?,
        StepKind::Expect(_) => writeln!(out, "\n{BOLD}{number:>3}{BOLD:#}  expect")?,
    }
    for event in events {
        let style = event_style(event);
        let line = explain::event(event);
        writeln!(out, "     {style}{:<10}{style:#} {}", line.label, line.text)?;
    }
    match &report.failure {
        Some(failure) => failed(out, failure),
        None if report.step.want.is_some() || matches!(report.step.kind, StepKind::Expect(_)) => {
            writeln!(out, "     {GOOD}as wanted{GOOD:#}")
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

fn failed(out: &mut impl Write, failure: &Failure) -> io::Result<()> {
    writeln!(out, "     {BAD}FAILED{BAD:#}     got {}, wanted {}", failure.got, failure.wanted)
}

/// A word of memory that is wrong at the end.
pub fn memory_failure(out: &mut impl Write, failure: &MemoryFailure) -> io::Result<()> {
    let MemoryFailure { gpa, got, wanted } = failure;
    writeln!(
        out,
        "{BAD}FAILED{BAD:#} memory after the run: {} holds {}, wanted {}",
        explain::address("GPA", gpa.0),
        explain::hex(*got),
        explain::hex(*wanted)
    )
}

/// The closing lines: what held, what it cost, the hash of the end state.
pub fn footer(out: &mut impl Write, machine: &Machine, steps: usize, failed: usize) -> io::Result<()> {
    let style = if failed == 0 { GOOD } else { BAD };
    writeln!(out, "\n{style}{steps} steps, {failed} failed{style:#}")?;
    let costs: Vec<String> =
        machine.cost.entries().iter().filter(|(_, n)| *n > 0).map(|(key, n)| format!("{key} {n}")).collect();
    if !costs.is_empty() {
        writeln!(out, "{DIM}{}{DIM:#}", costs.join(" · "))?;
    }
    writeln!(out, "{DIM}state {:016x}{DIM:#}", machine.state_hash())
}
