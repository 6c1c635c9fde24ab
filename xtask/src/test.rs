//! `cargo xtask test`: everything that must hold, in the order in which failing is cheapest.

use std::time::{Duration, Instant};

use crate::{Outcome, browser, cargo, need, run, web};

/// A thing that must hold.
struct Step {
    name: &'static str,
    /// Run again by `cargo` and these words.
    words: &'static [&'static str],
    /// How it is run; by `words` where there is nothing special to it.
    special: Option<fn() -> Outcome>,
}

const fn step(name: &'static str, words: &'static [&'static str]) -> Step {
    Step { name, words, special: None }
}

// Release everywhere: one compiled set of dependencies serves building and testing. The program
// without the window is built apart, so that the one with it stays in target/release.
const STEPS: [Step; 10] = [
    step("format", &["fmt", "--all", "--check"]),
    step("lints", &["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    step("lints, no window", &["clippy", "--release", "--no-default-features", "--", "-D", "warnings"]),
    Step { name: "lints, page", words: PAGE_LINTS, special: Some(lint_page) },
    Step { name: "tests", words: TESTS, special: Some(run_tests) },
    step("examples of the documentation", &["test", "--release", "--doc"]),
    step("tests of the commands", &["test", "--release", "--package", "xtask"]),
    step("build, no window", &["build", "--release", "--no-default-features", "--target-dir", "target/no-window"]),
    Step { name: "page", words: &["xtask", "web"], special: Some(build_page) },
    Step { name: "page in a browser", words: &["xtask", "browser-test"], special: Some(drive_page) },
];

const PAGE_LINTS: &[&str] = &["clippy", "--release", "--lib", "--target", need::WASM, "--", "-D", "warnings"];

const TESTS: &[&str] = &["test", "--release", "--all-targets"];

fn run_tests() -> Outcome {
    need::display()?;
    run(cargo().args(TESTS))
}

fn lint_page() -> Outcome {
    need::wasm_target()?;
    run(cargo().args(PAGE_LINTS))
}

fn build_page() -> Outcome {
    web::build(web::Build::Real).map(drop)
}

fn drive_page() -> Outcome {
    browser::drive(&[])
}

/// Runs every step; the first that fails ends it.
pub fn everything() -> Outcome {
    let begin = Instant::now();
    for (number, step) in STEPS.iter().enumerate() {
        let line = format!("cargo {}", step.words.join(" "));
        println!("\n[{}/{}] {}: {line}", number + 1, STEPS.len(), step.name);
        let (start, result) = (Instant::now(), carry_out(step));
        result.map_err(|why| format!("{}: {why}\nrun this step again with: {line}", step.name))?;
        println!("[{}/{}] {} ok in {}", number + 1, STEPS.len(), step.name, shown(start.elapsed()));
    }
    println!("\neverything holds ({})", shown(begin.elapsed()));
    Ok(())
}

fn carry_out(step: &Step) -> Outcome {
    step.special.map_or_else(|| run(cargo().args(step.words)), |special| special())
}

fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}
