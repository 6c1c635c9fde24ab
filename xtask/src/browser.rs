//! Drives the built page in Chromium: the tests of `web/test/`.

use std::process::Command;

use crate::{Outcome, need, root, run, serve, web};

/// Builds the page and runs the browser tests on it.
pub fn test() -> Outcome {
    web::build()?;
    drive()
}

/// Runs the browser tests on the page in `dist/`.
pub fn drive() -> Outcome {
    let (node, chromium) = (need::node()?, need::chromium()?);
    let address = serve::in_background(root().join("dist"))?;
    run(Command::new(node)
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(test_files()?)
        .env("MMUSCOPE_PAGE", format!("http://{address}/"))
        .env("MMUSCOPE_CHROMIUM", chromium))
}

/// The tests, by name; naming them works alike in every version of Node.
fn test_files() -> Outcome<Vec<String>> {
    const FOLDER: &str = "web/test";
    let entries = std::fs::read_dir(root().join(FOLDER)).map_err(|e| format!("{FOLDER}: {e}"))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut files: Vec<String> =
        names.filter(|name| name.ends_with(".test.mjs")).map(|name| format!("{FOLDER}/{name}")).collect();
    files.sort();
    Ok(files)
}
