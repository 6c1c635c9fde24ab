//! The commands of the README: build the page, serve it, test everything.
//!
//! `cargo xtask --help` lists them. Everything runs from the top of the project, and what a
//! command needs beyond Rust it installs where it may, or names.

mod browser;
mod need;
mod serve;
mod test;
mod web;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
The project's own commands.

Usage: cargo xtask <COMMAND>

Commands:
  web                   Build the page into dist/ and hold its size to the budget
  serve [--port PORT]   Build the page and serve it on 127.0.0.1 (port 8080; 0 takes a free one)
  test                  Format, lints, all tests, the page, the page in a browser
  browser-test [WORD..] Build the page and drive it in Chromium; only the tests whose files are named so
  browser-bench         Build the page and measure its frames in Chromium
  help                  Print this

With --dev, web, serve and browser-test build the page quickly: large, slow, for daily work.
";

/// What a command returns: nothing, or one sentence that says what is wrong.
type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let dev = arguments.iter().any(|word| word == "--dev");
    let build = if dev { web::Build::Dev } else { web::Build::Real };
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--dev").collect();
    let outcome = match words.as_slice() {
        ["web"] => web::build(build).map(drop),
        ["serve"] => serve::serve(build, serve::DEFAULT_PORT),
        ["serve", "--port", port] => port_number(port).and_then(|port| serve::serve(build, port)),
        ["test"] if !dev => test::everything(),
        ["browser-test", names @ ..] => browser::test(build, names),
        ["browser-bench"] if !dev => browser::bench(),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("error: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn port_number(text: &str) -> Outcome<u16> {
    text.parse().map_err(|_| format!("`{text}` is not a port: 0 to 65535"))
}

/// The top of the project.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Runs a program at the top of the project and waits for it.
fn run(command: &mut Command) -> Outcome {
    let line = need::shown(command);
    let status = command.current_dir(root()).status().map_err(|e| format!("`{line}` cannot be started: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status})")) }
}

/// The cargo that started this program.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
