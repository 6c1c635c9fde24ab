//! `mmuscope link FILE`: a scenario as a share link.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{CliError, Held, run};
use crate::lesson;
use crate::scenario::{self, Session, Shared, View};

/// Arguments of `link`.
#[derive(clap::Args)]
#[command(after_help = "\
The link stands behind the address of a page that shows mmuscope, or is an argument of `mmuscope`
and `mmuscope run`. It holds the start state and every step. Quote it: shells take # for a comment.

Examples:
  mmuscope link my.json
  mmuscope run \"$(mmuscope link my.json)\"")]
pub struct Args {
    /// Scenario file (.json, .json.gz), name of a preset or a lesson, or - for standard input
    file: PathBuf,

    /// Address of a page to put before it
    #[arg(long, value_name = "URL")]
    page: Option<String>,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> Result<Held, CliError> {
    let link = match run::name_of(&args.file).and_then(lesson::by_id) {
        Some(lesson) => lesson::link_to(&lesson.id, 0),
        None => {
            let session = Session::open(run::read(&args.file)?).map_err(|e| CliError::Usage(e.to_string()))?;
            scenario::link(&session, &View::default(), "en")?
        }
    };
    let page = args.page.as_deref().unwrap_or_default();
    writeln!(anstream::stdout(), "{page}{link}")?;
    Ok(Held::Yes)
}

/// What an argument that is a link holds; `None` where it is none.
pub(super) fn shared(argument: &Path) -> Result<Option<Shared>, CliError> {
    let text = argument.to_str().filter(|text| scenario::is_link(text));
    Ok(text.map(Shared::from_link).transpose()?)
}

/// The session behind an argument that is a link; `None` where it is none.
pub(super) fn session(argument: &Path) -> Result<Option<Session>, CliError> {
    let session = shared(argument)?.map(Shared::open).transpose();
    session.map_err(|error| CliError::Usage(error.to_string()))
}
