//! Every sentence of the program has its words in every language, and no words are left over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder and those below it, with an extension.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("readable folder") {
        let path = entry.expect("readable entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|ext| ext == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The string literal that `text` begins with, as its characters.
fn literal(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('"')?.chars();
    let mut out = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => match chars.next()? {
                'n' => out.push('\n'),
                '\n' => {
                    let rest = chars.as_str().trim_start();
                    chars = rest.chars();
                }
                'u' => {
                    let (code, rest) = chars.as_str().strip_prefix('{')?.split_once('}')?;
                    out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
                    chars = rest.chars();
                }
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
}

/// What stands behind the first comma that is in no bracket.
fn second_argument(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => return Some(text[at + 1..].trim_start()),
            _ => {}
        }
        if depth < 0 {
            return None;
        }
    }
    None
}

/// Every sentence of the source, with the file that says it.
fn said() -> BTreeMap<String, PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut said = BTreeMap::new();
    for file in files(&src, "rs").into_iter().filter(|file| !file.ends_with("src/language.rs")) {
        let text = fs::read_to_string(&file).expect("readable source");
        for (at, _) in text.match_indices("tr!(").filter(|(at, _)| !text[..*at].ends_with(char::is_alphanumeric)) {
            let line = text[text[..at].rfind('\n').map_or(0, |end| end + 1)..at].trim_start();
            if line.starts_with("//") {
                continue;
            }
            let words = second_argument(&text[at + 4..]).and_then(literal);
            let words = words.unwrap_or_else(|| panic!("{}: tr! without words: {line}", file.display()));
            said.insert(words, file.clone());
        }
        for (at, _) in text.match_indices("word!(") {
            let words = literal(text[at + 6..].trim_start());
            said.insert(words.unwrap_or_else(|| panic!("{}: word! without words", file.display())), file.clone());
        }
    }
    said
}

/// The words of a language, with the file that has them.
fn words(language: &str) -> BTreeMap<String, (String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/strings").join(language);
    let mut all = BTreeMap::new();
    for file in files(&folder, "json") {
        let json = fs::read_to_string(&file).expect("readable words");
        let words: BTreeMap<String, String> = serde_json::from_str(&json).expect("an object of texts");
        for (english, words) in words {
            let before = all.insert(english.clone(), (words, file.clone()));
            assert!(before.is_none(), "{}: stands in two files: {english}", file.display());
        }
    }
    all
}

/// The names in braces.
fn places(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

#[test]
fn every_sentence_has_its_words_and_no_words_are_left_over() {
    let (said, words) = (said(), words("zh"));
    let missing: Vec<String> = said
        .iter()
        .filter(|(english, _)| !words.contains_key(*english))
        .map(|(english, file)| format!("{}: {english}", file.display()))
        .collect();
    let unused: Vec<String> = words
        .iter()
        .filter(|(english, _)| !said.contains_key(*english))
        .map(|(english, (_, file))| format!("{}: {english}", file.display()))
        .collect();
    assert!(missing.is_empty(), "{} without words:\n{}", missing.len(), missing.join("\n"));
    assert!(unused.is_empty(), "{} said nowhere:\n{}", unused.len(), unused.join("\n"));
    for (english, (words, _)) in &words {
        assert_eq!(places(english), places(words), "{english} / {words}");
    }
}

/// A file that the program does not read would be words for nobody.
#[test]
fn the_program_reads_every_file_of_words() {
    let source = include_str!("../src/language.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/strings/zh");
    for file in files(&folder, "json") {
        let name = file.file_name().expect("a file").to_string_lossy().into_owned();
        assert!(source.contains(&format!("zh/{name}\"")), "src/language.rs does not read {name}");
    }
}
