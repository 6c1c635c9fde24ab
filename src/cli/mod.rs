//! The command line: one file a subcommand.
//!
//! Exit status: 0 all went as wanted, 1 something did not hold, 2 the call or its input is wrong.

mod conform;
mod engines;
mod lesson;
mod link;
mod open;
mod output;
mod presets;
mod run;
#[cfg(feature = "gui")]
mod shot;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{CommandFactory, Parser, Subcommand};

use crate::engine::EngineConfig;
use crate::language::Language;
use crate::scenario::{InputError, LinkError};

/// The scenario that is shown when no file is named.
pub const FIRST_EXAMPLE: &str = include_str!("../../assets/scenarios/the-register-remembers.json");

/// Its name in messages.
pub const FIRST_EXAMPLE_NAME: &str = "the-register-remembers.json";

const EXAMPLES: &str = "\
Examples:
  mmuscope                                      open the first example in a window
  mmuscope my-scenario.json                     open a scenario
  mmuscope my-lesson.json                       open a lesson
  mmuscope one-table                            open a lesson of the program
  mmuscope presets                              list the machines to begin with
  mmuscope run my-scenario.json                 play it in the terminal
  mmuscope run my-scenario.json --json          the same as JSON Lines
  mmuscope link my-scenario.json                print its share link
  mmuscope conform tests/vectors/*.jsonl.gz     run recorded vectors
  mmuscope lesson check my-lesson.json         check a lesson
  mmuscope shot my-scenario.json -o out.png --at 4";

/// x86 address translation and KVM's shadow MMU as a living machine.
#[derive(Parser)]
#[command(name = "mmuscope", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Subcommands>,

    /// Scenario, lesson, name of a lesson or link to open; the first example where it is missing
    #[arg(value_name = "FILE, LESSON or LINK")]
    file: Option<PathBuf>,

    /// Puts the window, its text size and its panels where they were at first
    #[arg(long)]
    reset_layout: bool,
}

#[derive(Subcommand)]
enum Subcommands {
    /// Run a scenario in the terminal
    Run(run::Args),
    /// Print the share link of a scenario
    Link(link::Args),
    /// Run vector files and count what passes
    Conform(conform::Args),
    /// List and check lessons
    Lesson(lesson::Args),
    /// List the presets: small machines to begin with
    Presets(presets::Args),
    /// Render the user interface to a PNG, without a window
    #[cfg(feature = "gui")]
    Shot(shot::Args),
    /// List the engines
    Engines,
    /// Print shell completions
    Completions {
        /// Shell to print them for
        shell: clap_complete::Shell,
    },
}

/// Why the command line stops.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A file is wrong.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A link is wrong, or cannot be made.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Anything else that the caller can mend.
    #[error("{0}")]
    Usage(String),
    /// Output could not be written.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    /// The reader of our output has gone; nobody is left to tell.
    fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// Whether everything held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Yes,
    No,
}

/// An engine by its name, with what is switched on behind plus signs.
fn engine_arg(text: &str) -> Result<EngineConfig, String> {
    text.parse()
}

/// A language, by its code.
fn language_arg() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::ALL.map(Language::id)).map(|id| Language::by_id(&id).unwrap_or_default())
}

/// Parses the arguments and does what they ask.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(Subcommands::Run(args)) => run::run(&args),
        Some(Subcommands::Link(args)) => link::run(&args),
        Some(Subcommands::Conform(args)) => conform::run(&args),
        Some(Subcommands::Lesson(args)) => lesson::run(&args),
        Some(Subcommands::Presets(args)) => presets::run(&args),
        #[cfg(feature = "gui")]
        Some(Subcommands::Shot(args)) => shot::run(&args),
        Some(Subcommands::Engines) => engines::run(),
        Some(Subcommands::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mmuscope", &mut script);
            std::io::stdout().write_all(&script).map(|()| Held::Yes).map_err(CliError::from)
        }
        None => open::run(cli.file.as_deref(), cli.reset_layout),
    };
    match result {
        Ok(Held::Yes) => ExitCode::SUCCESS,
        Ok(Held::No) => ExitCode::from(1),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("{}error{}: {error}", output::BAD, output::RESET);
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
