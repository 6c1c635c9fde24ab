//! The command line as a caller sees it: output, golden files, exit status.
//!
//! `UPDATE_GOLDEN=1` rewrites the golden files; look at the difference before keeping it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const EXAMPLE: &str = "assets/scenarios/the-register-remembers.json";

fn mmuscope(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mmuscope"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8 output")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8 output")
}

fn status(output: &Output) -> i32 {
    output.status.code().expect("an exit status")
}

/// A file of this test run's own.
fn temp_file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("writable temporary folder");
    path
}

fn assert_golden(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, got).expect("writable golden file");
    }
    let wanted = std::fs::read_to_string(&path).expect("golden file");
    assert_eq!(got, wanted, "differs from {}", path.display());
}

#[test]
fn the_first_example_as_text_and_json() {
    let text = mmuscope(&["run", EXAMPLE]);
    assert_eq!(status(&text), 0, "{}", stderr(&text));
    assert_golden("the-register-remembers.txt", &stdout(&text));
    let json = mmuscope(&["run", EXAMPLE, "--json"]);
    assert_eq!(status(&json), 0);
    assert_golden("the-register-remembers.jsonl", &stdout(&json));
    assert_eq!(stdout(&json), stdout(&mmuscope(&["run", EXAMPLE, "--json"])), "output is a function of the file");
    for line in stdout(&json).lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(value.get("event").is_some() || value.get("summary").is_some());
    }
}

#[test]
fn without_a_display_the_example_plays_as_text() {
    let output = mmuscope(&[]);
    assert_eq!(status(&output), 0);
    assert!(stdout(&output).contains("6 steps, 0 failed"));
    let said = stderr(&output);
    assert!(said.contains("no display") || said.contains("no window"), "{said}");
}

#[test]
fn every_vector_passes() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut files: Vec<String> = std::fs::read_dir(dir)
        .expect("tests/vectors")
        .map(|entry| entry.expect("entry").path().display().to_string())
        .filter(|path| path.ends_with(".jsonl.gz"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 8);
    let args: Vec<&str> = std::iter::once("conform").chain(files.iter().map(String::as_str)).collect();
    let output = mmuscope(&args);
    assert_eq!(stdout(&output), "8832 passed, 0 failed\n", "{}", stderr(&output));
    assert_eq!(status(&output), 0);
}

/// The example as one line, as vector files have it.
fn example_line() -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE)).expect("example");
    text.replace('\n', " ")
}

#[test]
fn a_wrong_answer_is_reported() {
    let good = example_line();
    let wrong_err = good.replace("\"err\":\"0x4\"", "\"err\":\"0x6\"");
    let wrong_pa = good.replacen("\"pa\":\"0x2babc\"", "\"pa\":\"0x2babd\"", 1);
    let wrong_memory = good.replace("0x7027", "0x7067");
    let missing_memory = good.replace("[\"0x6048\",\"0x7027\"],", "");
    let lines = [&good, &wrong_err, &wrong_pa, &wrong_memory, &missing_memory].map(String::as_str).join("\n");
    let path = temp_file("wrong-answers.jsonl", lines.as_bytes());
    let output = mmuscope(&["conform", &path.display().to_string()]);
    assert_eq!(status(&output), 1);
    let text = stdout(&output);
    assert!(text.ends_with("1 passed, 4 failed\n"), "{text}");
    assert!(
        text.contains("the-register-remembers on native, step 6: got #PF err 0x4 cr2 0x41201abc, wanted #PF err 0x6")
    );
    assert!(text.contains("step 1: got pa 0x2babc, wanted pa 0x2babd"));
    assert!(text.contains("memory at 0x6048: got 0x7027, wanted 0x7067"));
    assert!(text.contains("memory at 0x6048: got 0x7027, wanted 0x7007"));
    let scenario = temp_file("wrong-answer.json", wrong_err.as_bytes());
    let output = mmuscope(&["run", &scenario.display().to_string()]);
    assert_eq!(status(&output), 1);
    assert!(stdout(&output).contains("FAILED"));
}

#[test]
fn bad_input_gives_a_sentence_and_status_2() {
    let example = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE)).expect("example");
    let deep = format!("{{\"init\":{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_predicate = format!(
        "{}{{\"op\":\"expect\",\"that\":{}{{\"pdpte\":1,\"stale\":true}}{}}}]}}",
        example.split("\"steps\":[").next().expect("steps").to_owned() + "\"steps\":[",
        "{\"not\":".repeat(100_000),
        "}".repeat(100_000)
    );
    let cases: [(&str, String, &str); 12] = [
        ("wrong.json", "{\"init\": oops".to_owned(), "wrong.json:1:10:"),
        ("empty.json", String::new(), "EOF while parsing"),
        ("op.json", example.replace("\"poke\"", "\"pok\""), "unknown op `pok`: did you mean `poke`? (at steps[1])"),
        (
            "field.json",
            example.replace("\"pa\":\"0x3028\"", "\"pas\":\"0x3028\""),
            "unknown field `pas`: did you mean `pa`?",
        ),
        (
            "foreign.json",
            example.replace("\"poke\",", "\"poke\",\"kind\":\"r\","),
            "`poke` does not take the field `kind`",
        ),
        ("top.json", example.replace("\"engine\"", "\"engin\""), "unknown field `engin`: did you mean `engine`?"),
        ("range.json", example.replace("0x9001", "0x19001900190019001"), "does not fit in 64 bits"),
        ("width.json", example.replace("\"maxphyaddr\":40", "\"maxphyaddr\":53"), "32 to 52"),
        ("unaligned.json", example.replace("[\"0x7008\"", "[\"0x7009\""), "multiple of 8 (at mem[3])"),
        ("beyond.json", example.replace("\"pa\":\"0x3028\"", "\"pa\":\"0x10000000000\""), "beyond MAXPHYADDR"),
        ("deep.json", deep, "deep.json:1:"),
        ("deep-predicate.json", deep_predicate, "nested too deeply"),
    ];
    for (name, content, sentence) in cases {
        let path = temp_file(name, content.as_bytes());
        let output = mmuscope(&["run", &path.display().to_string()]);
        let said = stderr(&output);
        assert_eq!(status(&output), 2, "{name}: {said}");
        assert!(said.contains(sentence), "{name}: {said}");
        assert_eq!(said.trim_end().lines().count(), 1, "one sentence: {said}");
        assert!(stdout(&output).is_empty(), "{name}: no partial output");
        let conform = mmuscope(&["conform", &path.display().to_string()]);
        if !content.is_empty() {
            assert_eq!(status(&conform), 2, "{name} as a vector file");
        }
    }
}

#[test]
fn missing_directory_and_huge_files_give_a_sentence() {
    let huge = Path::new(env!("CARGO_TARGET_TMPDIR")).join("huge.json");
    std::fs::File::create(&huge).and_then(|file| file.set_len(200_000_000)).expect("sparse file");
    for command in ["run", "conform"] {
        for (path, sentence) in [("no/such/file.json", "no such file"), ("assets", "is a directory")] {
            let output = mmuscope(&[command, path]);
            assert_eq!(status(&output), 2);
            assert!(stderr(&output).contains(sentence), "{}", stderr(&output));
        }
        let output = mmuscope(&[command, &huge.display().to_string()]);
        assert_eq!(status(&output), 2);
        let said = stderr(&output);
        assert!(said.contains("200000000 bytes") || said.contains("longer than"), "{said}");
    }
    std::fs::remove_file(huge).expect("removable");
}

#[test]
fn wrong_calls_say_what_to_do() {
    let output = mmuscope(&["run", EXAMPLE, "--engine", "kvm2007"]);
    assert_eq!(status(&output), 2);
    assert!(stderr(&output).contains("did you mean `kvm-2007`?"));
    let lesson = mmuscope(&["run", "lessons/one-table.json"]);
    assert_eq!(status(&lesson), 2);
    assert!(stderr(&lesson).contains("is a lesson: `mmuscope lessons/one-table.json` opens it"));
    for args in [&["link", "lessons/one-table.json"][..], &["shot", "lessons/one-table.json", "-o", "unused.png"]] {
        let lesson = mmuscope(args);
        assert_eq!(status(&lesson), 2);
        assert!(stderr(&lesson).contains("is a lesson: `mmuscope lessons/one-table.json` opens it"), "{args:?}");
    }
    let by_name = mmuscope(&["one-table"]);
    assert_eq!(status(&by_name), 0);
    assert_eq!(stdout(&by_name), stdout(&mmuscope(&["lesson", "show", "one-table"])));
    let by_link = mmuscope(&["#lesson=one-table&step=3"]);
    assert_eq!((status(&by_link), stdout(&by_link)), (0, stdout(&by_name)));
    let slip = mmuscope(&["one-tabel"]);
    assert_eq!(status(&slip), 2);
    assert!(stderr(&slip).contains("there is no such file") && stderr(&slip).contains("did you mean `one-table`?"));
    let unknown = mmuscope(&["lesson", "show", "one-tabel"]);
    assert_eq!(status(&unknown), 2);
    assert!(stderr(&unknown).contains("did you mean `one-table`?"), "{}", stderr(&unknown));
    assert_eq!(status(&mmuscope(&["run"])), 2);
    assert_eq!(status(&mmuscope(&["--version"])), 0);
    assert!(stdout(&mmuscope(&["--help"])).contains("Examples:"));
    let engines = stdout(&mmuscope(&["engines"]));
    assert_eq!(engines.lines().take_while(|line| !line.is_empty()).count(), 7);
    assert!(engines.contains("role-without-access"));
    assert!(stdout(&mmuscope(&["completions", "bash"])).contains("mmuscope"));
}

/// A preset and a lesson go by their names wherever a file is taken.
#[test]
fn names_stand_for_files() {
    let file = "assets/scenarios/the-register-remembers.json";
    let name = "the-register-remembers";
    assert_eq!(stdout(&mmuscope(&["run", name])), stdout(&mmuscope(&["run", file])));
    assert_eq!(stdout(&mmuscope(&["link", name])), stdout(&mmuscope(&["link", file])));
    assert_eq!(stdout(&mmuscope(&["link", "one-table"])).trim(), "#lesson=one-table&step=1");
    let lesson = mmuscope(&["run", "one-table"]);
    assert_eq!(status(&lesson), 2);
    assert!(stderr(&lesson).contains("`mmuscope lesson show one-table` tells it"), "{}", stderr(&lesson));
    let capitals = stderr(&mmuscope(&["run", file, "--engine", "EPT"]));
    assert!(capitals.contains("did you mean `ept`?"), "{capitals}");
    let none = stderr(&mmuscope(&["run", file, "--engine", "frobnicate"]));
    assert_eq!(none.matches("kvm-pdpt").count(), 1, "the engines are listed once: {none}");
    let chinese = stdout(&mmuscope(&["lesson", "list", "--lang", "zh"]));
    assert!(!["level ", " min ", "(after"].iter().any(|word| chinese.contains(word)), "{chinese}");
    assert!(stdout(&mmuscope(&["lesson", "show", "one-table"])).contains("4/7  Build"));
}

#[test]
fn an_audit_names_the_broken_invariant() {
    let scenario = "assets/scenarios/quirk-read-repair.json";
    let run = |engine: &str| mmuscope(&["run", scenario, "--engine", engine, "--audit", "--json"]);
    assert_eq!(status(&run("kvm-2007")), 0);
    let broken = run("kvm-2007+fix-read-keeps-rmap");
    assert_eq!(status(&broken), 1);
    assert!(stdout(&broken).contains("\"event\":\"audit_failed\",\"invariant\":\"I2\""));
}

#[test]
fn a_scenario_from_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mmuscope"))
        .args(["run", "-", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("piped").write_all(example_line().as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(status(&output), 0);
    assert!(stdout(&output).is_empty());
}

/// Runs `conform` on an engine; the files with cases that differ by design, and the closing line.
fn conform_on(engine: &str) -> (Vec<String>, u64) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let (mut differing, mut passed) = (Vec::new(), 0);
    for entry in std::fs::read_dir(dir).expect("tests/vectors") {
        let path = entry.expect("entry").path().display().to_string();
        if !path.ends_with(".jsonl.gz") {
            continue;
        }
        let output = mmuscope(&["conform", "--engine", engine, &path]);
        let text = stdout(&output);
        assert_eq!(status(&output), 0, "{engine} on {path}: {text}");
        let closing = text.lines().last().expect("a closing line").to_owned();
        let count = closing.strip_suffix(" passed, 0 failed").expect("nothing fails");
        passed += count.parse::<u64>().expect("a count");
        if text.contains("by design") {
            differing.push(path.rsplit('/').next().unwrap_or_default().to_owned());
        }
    }
    differing.sort();
    (differing, passed)
}

#[test]
fn every_vector_passes_on_the_engines_that_have_pdpte_registers() {
    for engine in ["kvm-2007", "kvm-now", "ept"] {
        assert_eq!(conform_on(engine), (Vec::new(), 8832), "{engine}");
    }
}

/// `conform` counts a case as by design only after it has passed with the registers in place.
#[test]
fn engines_that_read_pdptes_from_memory_differ_only_in_pae_files() {
    for engine in ["kvm-2006", "kvm-pdpt", "npt"] {
        let (differing, passed) = conform_on(engine);
        let pae = ["modeswitch.jsonl.gz", "pae.jsonl.gz", "pae_stateful.jsonl.gz", "pae_stateful_sdm.jsonl.gz"];
        assert!(!differing.is_empty() && differing.iter().all(|file| pae.contains(&file.as_str())), "{differing:?}");
        assert!(passed > 7000, "{engine}: {passed}");
    }
}

#[test]
fn presets_are_listed_in_every_language() {
    let english = mmuscope(&["presets"]);
    assert_eq!(status(&english), 0);
    let (english, chinese) = (stdout(&english), stdout(&mmuscope(&["presets", "--lang", "zh"])));
    for id in ["two-levels", "four-registers", "the-register-remembers"] {
        for text in [&english, &chinese] {
            assert_eq!(text.lines().filter(|line| line.trim_start().starts_with(&format!("{id} "))).count(), 1, "{id}");
        }
    }
    assert_ne!(english, chinese);
}

#[test]
fn what_is_nothing_says_so() {
    let empty = temp_file("empty.jsonl", b"\n");
    let list = temp_file("list.json", b"[]");
    let bare = temp_file("bare.json", br#"{"init":{"cr0":"11","cr3":"0x0","cr4":"0x0","efer":"0x0"}}"#);
    let impossible = temp_file("no-pe.json", br#"{"init":{"cr0":"0x80000000","cr3":"0x0","cr4":"0x0","efer":"0x0"}}"#);
    let cut = temp_file("cut.json", b"{\n\"id\":\"cut\"}");
    let path = |path: &PathBuf| path.to_str().expect("a plain path").to_owned();
    let cases: [(&[&str], &str); 8] = [
        (&["conform", &path(&empty)], "there is no scenario in it"),
        (&["conform", &path(&cut)], "one whole scenario a line (`mmuscope run` takes the others)\n"),
        (&["run", &path(&list)], "an object in braces is expected here, not a list"),
        (&["run", &path(&bare)], "`11` has no 0x: write it in hex, as in \"0x11\""),
        (&["run", &path(&impossible)], "rule G2, bits 0x80000000: paging (CR0.PG) needs protected mode (CR0.PE)"),
        (&["run", "#lesson=one-table"], "one-table is a lesson: `mmuscope one-table` opens it"),
        (&["run", "nosuch"], "`mmuscope lesson list` and `mmuscope presets`"),
        (&["run", "two-level"], "did you mean `two-levels`?"),
    ];
    for (args, words) in cases {
        let output = mmuscope(args);
        assert_eq!(status(&output), 2, "{args:?}");
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
    let other = temp_file("a.txt", b"mine");
    let shot = mmuscope(&["shot", EXAMPLE, "-o", &path(&other)]);
    assert_eq!(status(&shot), 2);
    assert!(stderr(&shot).contains(".png"));
    assert_eq!(std::fs::read(&other).expect("it is there"), b"mine");
}
