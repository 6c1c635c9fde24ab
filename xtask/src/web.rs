//! Builds the page into `dist/`: the program for the browser, its script, and the files around it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use wasm_bindgen_cli_support::Bindgen;

use crate::{Outcome, cargo, need, root, run};

/// The most bytes that the program may have on its way to the browser, compressed with gzip.
const BUDGET: usize = 2_200_000;

/// The program on the page, and the name of its script.
const NAME: &str = "mmuscope";

/// How the page is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// Small and fast, within the budget: what is published.
    Real,
    /// Built quickly, for daily work.
    Dev,
}

impl Build {
    /// Cargo's profile.
    const fn profile(self) -> &'static str {
        match self {
            Self::Real => "web",
            Self::Dev => "dev",
        }
    }

    /// Where Cargo puts it.
    const fn folder(self) -> &'static str {
        match self {
            Self::Real => "web",
            Self::Dev => "debug",
        }
    }
}

/// What lies beside the program: from, to.
const FILES: [(&str, &str); 7] = [
    ("web/loader.js", "loader.js"),
    ("web/place.js", "place.js"),
    ("web/host.js", "host.js"),
    ("web/style.css", "style.css"),
    ("web/icon.svg", "icon.svg"),
    ("assets/fonts/NotoSansSC-Lessons.otf", "mmuscope-zh.otf"),
    ("assets/fonts/NotoSansSC-Lessons-Bold.otf", "mmuscope-zh-bold.otf"),
];

/// Builds the page and returns the folder that it lies in.
pub fn build(build: Build) -> Outcome<PathBuf> {
    need::wasm_target()?;
    let profile = build.profile();
    run(cargo().args(["rustc", "--lib", "--crate-type", "cdylib", "--profile", profile, "--target", need::WASM]))?;
    let dist = root().join("dist");
    empty(&dist)?;
    let wasm = bind(&dist, build)?;
    for (from, to) in FILES {
        copy(&root().join(from), &dist.join(to))?;
    }
    write_index(&dist, wasm.len())?;
    if build == Build::Dev {
        println!("dist/ holds a page for daily work: {} bytes", wasm.len());
        return Ok(dist);
    }
    let script = compress(&dist.join(format!("{NAME}.js")))?;
    let program = compress(&dist.join(format!("{NAME}_bg.wasm")))?;
    println!("dist/{NAME}_bg.wasm  {} bytes, {program} with gzip (budget {BUDGET})", wasm.len());
    println!("dist/{NAME}.js       {script} bytes with gzip");
    if program > BUDGET {
        let over = program - BUDGET;
        return Err(format!("the page is {over} bytes over its budget of {BUDGET} bytes (gzip)"));
    }
    Ok(dist)
}

/// Writes script, types and program into `dist`; returns the program's bytes.
fn bind(dist: &Path, build: Build) -> Outcome<Vec<u8>> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let input = root().join(target).join(need::WASM).join(build.folder()).join(format!("{NAME}.wasm"));
    let mut bindgen = Bindgen::new();
    bindgen.input_path(input).typescript(true).remove_name_section(true).remove_producers_section(true);
    bindgen.web(true).and_then(|bindgen| bindgen.generate(dist)).map_err(|e| format!("wasm-bindgen: {e:#}"))?;
    read(&dist.join(format!("{NAME}_bg.wasm")))
}

/// The page knows how many bytes to expect, because a compressed answer does not say.
fn write_index(dist: &Path, bytes: usize) -> Outcome {
    const PLACE: &str = "data-bytes=\"0\"";
    let page = root().join("index.html");
    let text = fs::read_to_string(&page).map_err(|e| sentence(&page, &e))?;
    if !text.contains(PLACE) {
        return Err(format!("{}: `{PLACE}` is missing, the place of the program's size", page.display()));
    }
    write(&dist.join("index.html"), text.replace(PLACE, &format!("data-bytes=\"{bytes}\"")).as_bytes())
}

/// Writes `FILE.gz` beside a file; returns its size in bytes.
fn compress(path: &Path) -> Outcome<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(&read(path)?).and_then(|()| encoder.finish()).map_err(|e| sentence(path, &e))?;
    let mut name = path.as_os_str().to_owned();
    name.push(".gz");
    write(Path::new(&name), &packed)?;
    Ok(packed.len())
}

/// Makes a folder, or removes what is in it.
fn empty(folder: &Path) -> Outcome {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|e| sentence(folder, &e))?;
    }
    fs::create_dir_all(folder).map_err(|e| sentence(folder, &e))
}

fn copy(from: &Path, to: &Path) -> Outcome {
    fs::copy(from, to).map(drop).map_err(|e| sentence(from, &e))
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    fs::read(path).map_err(|e| sentence(path, &e))
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::write(path, bytes).map_err(|e| sentence(path, &e))
}

fn sentence(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
