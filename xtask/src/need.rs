//! What a command needs beyond this package: installed where that is allowed, named where not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Outcome, root, run};

/// The target of the page.
pub const WASM: &str = "wasm32-unknown-unknown";

/// A command line as a person would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let arguments = command.get_args().map(|a| a.to_string_lossy());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Rust's standard library for the page.
pub fn wasm_target() -> Outcome {
    let printed = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", WASM])
        .current_dir(root())
        .output()
        .map_err(|e| format!("`rustc` cannot be started: {e}"))?;
    if Path::new(String::from_utf8_lossy(&printed.stdout).trim()).is_dir() {
        return Ok(());
    }
    if find("rustup").is_none() {
        return Err(format!("Rust's standard library for {WASM} is missing, and rustup, which installs it, too"));
    }
    run(Command::new("rustup").args(["target", "add", WASM]))
}

/// Chromium, under one of its names.
pub fn chromium() -> Outcome<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    names.iter().find_map(|name| find(name)).map_or_else(|| installed("chromium", "chromium"), Ok)
}

/// What the test of a crash needs: a display without a screen, and somebody who presses keys.
pub fn display() -> Outcome {
    for (program, package) in [("Xvfb", "xvfb"), ("xdotool", "xdotool")] {
        if find(program).is_none() {
            installed(program, package)?;
        }
    }
    Ok(())
}

/// Node.js and the packages of `web/package.json`, as its lock file has them.
pub fn node() -> Outcome<PathBuf> {
    let node = find("node").map_or_else(|| installed("node", "nodejs"), Ok)?;
    let npm = find("npm").map_or_else(|| installed("npm", "npm"), Ok)?;
    if is_stale(&root().join("web/node_modules/.package-lock.json"), &root().join("web/package-lock.json")) {
        // playwright-core downloads no browser by itself; the setting makes sure of it.
        run(Command::new(npm)
            .args(["ci", "--prefix", "web", "--no-audit", "--no-fund", "--loglevel=error"])
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"))?;
    }
    Ok(node)
}

/// Whether `made` is missing or older than `source`.
fn is_stale(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|meta| meta.modified());
    match (time(made), time(source)) {
        (Ok(made), Ok(source)) => made < source,
        _ => true,
    }
}

/// Where a program lies on the search path.
fn find(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Installs a Debian package where that is possible, and finds its program.
fn installed(program: &str, package: &str) -> Outcome<PathBuf> {
    let missing =
        format!("`{program}` is missing: install the package `{package}` (Debian: apt-get install {package})");
    if find("apt-get").is_none() || !is_root() {
        return Err(missing);
    }
    println!("`{program}` is missing: installing the package `{package}`");
    let install = || {
        run(Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null()))
    };
    // The lists of packages may be missing or old: then once more with new ones.
    let done = install().or_else(|_| run(Command::new("apt-get").args(["update", "-qq"])).and_then(|()| install()));
    done.map_err(|why| format!("{missing}; {why}"))?;
    find(program).ok_or(missing)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == "0")
}
