//! Drives the built page in Chromium: the tests of `web/test/`.

use std::process::Command;

use crate::{Outcome, need, root, run, serve, web};

/// Builds the page and runs the browser tests on it, or those whose files' names contain one of `names`.
pub fn test(build: web::Build, names: &[&str]) -> Outcome {
    web::build(build)?;
    drive(names)
}

/// Runs the browser tests on the page in `dist/`.
pub fn drive(names: &[&str]) -> Outcome {
    let all = files("web/test", ".test.mjs")?;
    let chosen: Vec<String> =
        all.into_iter().filter(|file| names.is_empty() || names.iter().any(|name| file.contains(name))).collect();
    if chosen.is_empty() {
        return Err(format!("no browser test is called {}", names.join(" or ")));
    }
    node(&["--test", "--test-concurrency=1", "--test-reporter=spec"], &chosen)
}

/// Builds the page and runs what measures it.
pub fn bench() -> Outcome {
    web::build(web::Build::Real)?;
    files("web/bench", ".bench.mjs")?.into_iter().try_for_each(|file| node(&[], &[file]))
}

/// Runs scripts against the page in `dist/`.
fn node(options: &[&str], scripts: &[String]) -> Outcome {
    let (node, chromium) = (need::node()?, need::chromium()?);
    let address = serve::in_background(root().join("dist"))?;
    run(Command::new(node)
        .args(options)
        .args(scripts)
        .env("MMUSCOPE_PAGE", format!("http://{address}/"))
        .env("MMUSCOPE_CHROMIUM", chromium))
}

/// The scripts in a folder, by name; naming them works alike in every version of Node.
fn files(folder: &str, ending: &str) -> Outcome<Vec<String>> {
    let entries = std::fs::read_dir(root().join(folder)).map_err(|e| format!("{folder}: {e}"))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> =
        names.filter(|name| name.ends_with(ending)).map(|name| format!("{folder}/{name}")).collect();
    files.sort();
    Ok(files)
}
