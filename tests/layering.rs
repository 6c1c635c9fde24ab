//! Who may know whom: a module of `src/lib.rs` uses only modules that stand above it there, and
//! nothing outside `app`, the command line's graphical part and the page names egui.

use std::fs;
use std::path::{Path, PathBuf};

fn source_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("readable source folder") {
        let path = entry.expect("readable entry").path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files
}

/// The modules of the library in the order of `src/lib.rs`.
fn modules(src: &Path) -> Vec<String> {
    let lib = fs::read_to_string(src.join("lib.rs")).expect("src/lib.rs");
    lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.split(';').next()).map(str::to_owned).collect()
}

#[test]
fn modules_use_only_those_above_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let modules = modules(&src);
    assert!(modules.len() >= 7, "the module list was not found: {modules:?}");
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (rank, module) in modules.iter().enumerate() {
        let dir = src.join(module);
        let files = if dir.is_dir() { source_files(&dir) } else { vec![src.join(format!("{module}.rs"))] };
        for file in files {
            let text = fs::read_to_string(&file).expect("readable source");
            for (number, line) in text.lines().enumerate() {
                for (other_rank, other) in modules.iter().enumerate() {
                    let uses =
                        line.contains(&format!("crate::{other}::")) || line.contains(&format!("crate::{other};"));
                    seen += usize::from(uses);
                    // The page and the command line both stand at the top.
                    if uses && other_rank > rank {
                        wrong.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                    }
                }
            }
        }
    }
    assert!(seen > 50, "the scan found only {seen} uses: it no longer sees the source");
    assert!(wrong.is_empty(), "uses of a module further down the list:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_app_knows_egui() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let may = ["app", "web"];
    let wrong: Vec<String> = source_files(&src)
        .into_iter()
        .filter(|file| {
            let relative = file.strip_prefix(&src).expect("inside src");
            !may.iter().any(|allowed| relative.starts_with(allowed))
        })
        .filter(|file| {
            let text = fs::read_to_string(file).expect("readable source");
            text.contains("egui::") || text.contains("eframe::")
        })
        .map(|file| file.display().to_string())
        .collect();
    assert!(wrong.is_empty(), "egui outside the app: {wrong:?}");
}
