//! Lessons by people who mean no good, or whose editor broke: a sentence, exit status 2, or rendered
//! harmless; never a panic.

mod lesson_support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lesson_support::mutated;
use mmuscope::lesson::{Lesson, check_all, parse, plain};
use serde_json::{Value, json};

const GOOD: &str = include_str!("../lessons/four-registers.json");

fn mmuscope(args: &[&str]) -> Output {
    let run = Command::new(env!("CARGO_BIN_EXE_mmuscope")).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    run.expect("the program starts")
}

fn file(name: &str, content: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("writable temporary folder");
    path
}

/// The sentence for a lesson that cannot be read.
fn refused(json: &str) -> String {
    let error = Lesson::from_json("bad.json", json).expect_err("this must be refused").to_string();
    assert!(error.starts_with("bad.json"), "{error}");
    assert!(!error.contains('\n') && error.chars().count() < 700, "no single sentence: {error}");
    assert!(!error.chars().any(char::is_control), "{error:?}");
    error
}

fn good() -> Value {
    serde_json::from_str(GOOD).expect("JSON")
}

fn with(pointer: &str, value: Value) -> String {
    mutated(&good(), pointer, value).to_string()
}

#[test]
fn wrong_fields_are_named_with_their_place() {
    assert!(refused(&with("/steps/0/knd", json!(1))).contains("did you mean `kind`?"));
    assert!(refused(&with("/steps/0/kind", json!("look"))).contains("steps[0].kind"));
    assert!(refused(&with("/steps/0/focus", json!(["pdptez"]))).contains("did you mean `pdptes`?"));
    assert!(refused(&with("/steps/0/focus", json!(["pdpte:4"]))).contains("0 to 3"));
    assert!(refused(&with("/steps/4/allow", json!(["pok"]))).contains("did you mean `poke`?"));
    assert!(refused(&with("/steps/4/goal", json!({"regg": "cr3"}))).contains("steps[4].goal"));
    assert!(refused(&with("/steps/0/engine", json!("kvm-2008"))).contains("steps[0].engine"));
    assert!(refused(&with("/format", json!("mmuscope/2"))).contains("mmuscope/1"));
    assert!(refused(&with("/id", json!("../../etc/passwd"))).contains("no id"));
    assert!(refused(&with("/steps", json!([]))).contains("1 to 100 steps"));
    assert!(
        refused(&with("/start/init/cr0", json!("0x80000000")))
            .contains("rule G2, bits 0x80000000: paging (CR0.PG) needs protected mode")
    );
    assert!(refused(&with("/start/mem", json!([["0x3", "0x1"]]))).contains("mem[0]"));
    assert!(refused(&with("/start/stepz", json!([]))).contains("did you mean `steps`?"));
    let beyond = json!([{"op": "poke", "pa": "0x10000000000", "val": "0x1"}]);
    assert!(refused(&with("/steps/4/solution", beyond)).contains("steps[4].solution[0]"));
}

/// Names and values of a file are shown on one line, whatever is in them.
#[test]
fn line_breaks_and_control_characters_in_a_file_stay_out_of_the_sentence() {
    let nasty = [
        "a`\n`, expected `b` `c`\n",
        "a\nb",
        "a\r\nb\u{0}",
        "\u{1b}[31mred",
        "a\u{2028}b\u{85}c",
        "\t\u{7f}",
        "\u{202e}gnp.exe",
        "",
    ];
    for name in nasty {
        refused(&with(&format!("/{name}"), json!(1)));
        refused(&with(&format!("/steps/0/{name}"), json!(1)));
        refused(&with(&format!("/start/{name}"), json!(1)));
        refused(&with(&format!("/start/init/{name}"), json!(1)));
        refused(&with(&format!("/steps/4/par/{name}"), json!(1)));
        refused(&with("/id", json!(name)));
        refused(&with("/start", json!(name)));
        refused(&with("/after", json!([name])));
        refused(&with("/format", json!(name)));
        refused(&with("/steps/0/kind", json!(name)));
        refused(&with("/steps/0/focus", json!([name])));
        refused(&with("/steps/0/engine", json!(name)));
        refused(&with("/steps/4/allow", json!([name])));
        refused(&with("/steps/4/goal", json!({name: 1})));
        refused(&with("/steps/4/goal", json!({"cost": name, "is": 0})));
        refused(&with("/steps/4/goal", json!({"reg": name, "is": 0})));
        refused(&with("/steps/4/solution", json!([{"op": name}])));
        refused(&with("/steps/4/solution", json!([{"op": "poke", "pa": name, "val": "0x0"}])));
        refused(&with("/steps/4/solution", json!([{"op": "poke", "pa": "0x0", "val": "0x0", name: 1}])));
        // What can be read is checked with sentences of one line, too.
        let texts = [("/title", json!({name: "x"})), ("/steps/0/text/en", json!(format!("[[{name}]] {{{{{name}}}}}")))];
        for (pointer, value) in texts {
            let Ok(lesson) = Lesson::from_json("bad.json", &with(pointer, value)) else { continue };
            for broken in check_all(&[lesson]) {
                assert!(!broken.to_string().chars().any(char::is_control), "{broken:?}");
            }
        }
    }
}

#[test]
fn a_goal_nested_100_000_deep_is_refused() {
    let goal = "{\"not\":".repeat(100_000) + "{\"reg\":\"cr3\",\"is\":0}" + &"}".repeat(100_000);
    let text = with("/steps/4/goal", json!("GOAL")).replace("\"GOAL\"", &goal);
    assert!(refused(&text).contains("nested too deeply"));
    let path = file("deep.json", &text);
    let output = mmuscope(&["lesson", "check", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    // What the reader of JSON still takes is more than a person can follow.
    let nested = (0..40).fold(json!({"reg": "cr3", "is": 0}), |inner, _| json!({"all": [inner]}));
    assert!(refused(&with("/steps/4/goal", nested)).contains("at most 16 deep"));
}

#[test]
fn ten_megabytes_of_text_are_refused() {
    let text = with("/steps/0/text/en", json!("[[".repeat(5 << 20)));
    assert!(refused(&text).contains("steps[0].text"));
    let path = file("long.json", &text);
    let output = mmuscope(&["lesson", "check", &path.display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(refused(&with("/steps/4/hints/en/0", json!("x".repeat(10 << 20)))).contains("steps[4].hints.en[0]"));
}

#[test]
fn script_in_markdown_is_text() {
    let script = "<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1)) [[a|<b>]]";
    let lesson = Lesson::from_json("x.json", &with("/steps/0/text/en", json!(script))).expect("readable");
    let shown = plain(&parse(lesson.steps[0].text.get("en")), str::to_owned);
    assert!(shown.starts_with("<script>alert(1)</script> <img src=x onerror=alert(1)> [x](javascript:alert(1))"));
}

#[test]
fn a_circle_of_prerequisites_ends_in_a_sentence() {
    let circle = |id: &str, after: &str| {
        let text = mutated(&mutated(&good(), "/id", json!(id)), "/after", json!([after])).to_string();
        file(&format!("circle-{id}.json"), &text).display().to_string()
    };
    let (a, b) = (circle("a", "b"), circle("b", "a"));
    let output = mmuscope(&["lesson", "check", &a, &b]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("circle: a → b → a"), "{text}");
}

#[test]
fn fuzzed_lessons_do_no_harm() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let (mut readable, mut unreadable) = (0, 0);
    let rounds = std::env::var("MMUSCOPE_FUZZ_LESSONS").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000);
    for _ in 0..rounds {
        let mut bytes = GOOD.as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(5) {
                4 => {
                    // Inside a text or a name, as JSON escapes it.
                    let piece: &[u8] = [&b"\\n"[..], b"\\u0000", b"\\u001b", b"\\u2028", b"\\ud800", b"\\r"][next(6)];
                    bytes.splice(at..at, piece.iter().copied());
                }
                0 => bytes[at] = b" {}[]\",:0x9ntf\\"[next(15)],
                1 => bytes.truncate(at.max(1)),
                2 => {
                    let to = (at + next(60)).min(bytes.len());
                    bytes.drain(at..to);
                }
                _ => {
                    let piece = bytes[at..(at + next(60)).min(bytes.len())].to_vec();
                    let to = next(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match Lesson::from_json("bad.json", &text) {
            Ok(lesson) => {
                let broken = check_all(&[lesson]);
                assert!(!broken.iter().any(|broken| broken.to_string().chars().any(char::is_control)), "{broken:?}");
                readable += 1;
            }
            Err(error) => {
                let error = error.to_string();
                let one = !error.chars().any(char::is_control) && error.chars().count() < 700;
                assert!(one, "no single sentence: {error:?}");
                unreadable += 1;
            }
        }
    }
    assert!(readable > 50 && unreadable > 500, "{readable} readable, {unreadable} not: the fuzzing is one-sided");
}

#[test]
fn the_command_line_lists_and_checks() {
    let list = |lang: &str| {
        let output = mmuscope(&["lesson", "list", "--lang", lang]);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let english = list("en");
    assert_eq!(english.lines().count(), 12, "{english}");
    assert!(english.contains("four-registers") && english.contains("(after pae-and-nx)"), "{english}");
    assert!(list("zh").contains("四个隐藏的寄存器"));
    let output = mmuscope(&["lesson", "check", "lessons"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("12 lessons,") && text.contains(" 0 failed"), "{text}");
    let broken = file("broken.json", &with("/level", json!(9)));
    let output = mmuscope(&["lesson", "check", &broken.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let copies = [
        ("/steps/4/goal", json!({"pdpte": 3, "register": "0x0"}), "its goal already holds"),
        ("/steps/4/solution/0/val", json!("0x9007"), "does not reach the goal"),
        ("/steps/4/par/steps", json!(1), "more than its par"),
        ("/steps/0/text", json!({"en": "x"}), "steps[0].text is not in the language `zh`"),
        ("/steps/0/text/en", json!("{{cr5}}"), "steps[0].text: unknown live value `cr5`"),
        ("/after", json!(["four-registers"]), "in a circle: four-registers → four-registers"),
        ("/tour", json!(99), "`tour` is 99"),
        ("/steps/4/hints/en", json!(["x"]), "3 hints"),
    ];
    for (pointer, value, words) in copies {
        let path = file("copy.json", &with(pointer, value));
        let output = mmuscope(&["lesson", "check", &path.display().to_string()]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.code() == Some(1) && text.contains(words), "{pointer}: {text}");
    }
    let output = mmuscope(&["lesson", "check", "no-such-file.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no such file"));
}
