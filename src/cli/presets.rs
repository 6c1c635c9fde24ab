//! `mmuscope presets`: the machines to begin with, grouped as in the window.

use std::io::Write as _;

use super::{CliError, Held, language_arg};
use crate::explain;
use crate::language::Language;
use crate::scenario;

/// Arguments of `presets`.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  mmuscope run four-registers            every command that takes a scenario takes the name of a preset")]
pub struct Args {
    /// Language of the titles
    #[arg(long, value_name = "L", default_value = "en", value_parser = language_arg())]
    lang: Language,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> Result<Held, CliError> {
    let (mut out, code) = (anstream::stdout().lock(), args.lang.id());
    let longest = scenario::presets().iter().flat_map(|group| &group.presets).map(|preset| preset.id.len()).max();
    for (at, group) in scenario::presets().iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{}", group.title.get(code))?;
        for preset in &group.presets {
            let id = explain::padded(&preset.id, longest.unwrap_or(0));
            writeln!(out, "  {id}  {}", preset.title.get(code))?;
        }
    }
    Ok(Held::Yes)
}
