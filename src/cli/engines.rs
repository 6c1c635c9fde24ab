//! `mmuscope engines`: the seven ways to run a guest.

use std::io::Write as _;

use super::{CliError, Held};
use crate::engine::{EngineName, Switches};

/// What an engine is, in one line.
const fn description(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Native => "bare hardware: TLB, paging-structure caches, PDPTE registers",
        EngineName::Kvm2006 => "KVM before January 2007: no cache of shadow pages, PDPT read from memory",
        EngineName::KvmPdpt => "the counterfactual: cached shadow pages, PDPT shadowed and write-protected",
        EngineName::Kvm2007 => "Linux 2.6.20 and 2.6.21: cached shadow pages, PDPTE registers",
        EngineName::KvmNow => "Linux 6.x: out-of-sync pages, previous roots, role words",
        EngineName::Ept => "two-dimensional paging, Intel: PDPTEs in registers",
        EngineName::Npt => "two-dimensional paging, AMD: PDPTEs in memory",
    }
}

/// Runs the subcommand.
pub fn run() -> Result<Held, CliError> {
    let mut out = anstream::stdout().lock();
    for engine in EngineName::ALL {
        writeln!(out, "{:<9} {}", engine.id(), description(engine))?;
    }
    writeln!(out, "\nSwitches, as in kvm-2007+role-without-access:")?;
    for switch in Switches::ALL {
        let engines: Vec<_> = switch.engines.iter().map(|engine| engine.id()).collect();
        writeln!(out, "{:<24} {} ({})", switch.name, switch.meaning, engines.join(", "))?;
    }
    Ok(Held::Yes)
}
