//! Input that is wrong: each gives one sentence that says where and what, and nothing else happens.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use mmuscope::arch::CpuModel;
use mmuscope::scenario::{InputError, Scenario, read_file, read_steps};

const INIT: &str = r#""init":{"cr0":"0x11","cr3":"0x0","cr4":"0x0","efer":"0x0"}"#;

/// A scenario of one line with these members besides `init`.
fn with(members: &str) -> String {
    format!("{{{INIT},{members}}}")
}

fn steps(list: &str) -> String {
    with(&format!("\"steps\":[{list}]"))
}

/// The message for a text. It is one line, of bearable length, and begins with the name.
fn message(json: &str) -> String {
    one_sentence(Scenario::from_json("bad.json", json).expect_err("this must be refused"), "bad.json")
}

fn one_sentence(error: InputError, name: &str) -> String {
    let text = error.to_string();
    assert!(text.starts_with(name), "no name: {text}");
    assert!(!text.contains('\n') && text.chars().count() < 600, "no single sentence: {text}");
    assert!(!text.chars().any(char::is_control), "control characters: {text:?}");
    text
}

/// Every part must be in the message.
fn says(json: &str, parts: &[&str]) {
    let text = message(json);
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn text_that_is_not_json() {
    says("", &["bad.json:1:0", "EOF"]);
    says("   \n  ", &["bad.json:2:", "EOF"]);
    says("{", &["bad.json:1:1", "EOF"]);
    says("[]", &["bad.json:1:"]);
    says("null", &["bad.json:1:"]);
    says("\u{feff}{}", &["bad.json:1:1"]);
    says("{\"init\":\n {\"cr0\": 0x11}}", &["bad.json:2:"]);
    says(&format!("{} {{}}", with("\"id\":\"a\"")), &["trailing characters"]);
    says(with("\"id\":\"a\"").trim_end_matches('}'), &["EOF"]);
}

#[test]
fn unknown_names_come_with_the_nearest_known_one() {
    says(&with("\"setps\":[]"), &["bad.json:1:", "unknown field `setps`", "`steps`"]);
    says(&with("\"memafter\":[]"), &["`mem_after`"]);
    says(&with("\"cpu\":{\"maxphyadr\":40}"), &["`maxphyaddr`", "at cpu"]);
    says(&with("\"cpu\":{\"features\":[\"nx\",\"smepp\"]}"), &["unknown feature `smepp`", "`smep`", "cpu.features[1]"]);
    says(&with("\"cpu\":{\"vendor\":\"inel\"}"), &["inel", "intel", "cpu.vendor"]);
    says(&with("\"engine\":\"kvm-2008\""), &["kvm-2008", "kvm-2007", "engine"]);
    says(&steps(r#"{"op":"pok","pa":"0x0","val":"0x0"}"#), &["unknown op `pok`", "`poke`", "steps[0]"]);
    says(&steps(r#"{"op":"invlpg","va":"0x0"},{"op":"invlpg","vaa":"0x0"}"#), &["`vaa`", "`va`", "steps[1]"]);
    says(&steps(r#"{"op":"access","va":"0x0","kind":"q"}"#), &["steps[0]", "q"]);
    says(&steps(r#"{"op":"map","va":"0x0","pa":"0x0","flags":["rv"]}"#), &["unknown flag `rv`", "`rw`"]);
    let expect = |that: &str| steps(&format!("{{\"op\":\"expect\",\"that\":{that}}}"));
    says(&expect(r#"{"rge":"cr3","is":"0x0"}"#), &["`rge`", "`reg`", "steps[0].that"]);
    says(&expect(r#"{"cost":"tlb.hit","at_most":1}"#), &["unknown cost key", "`tlb.hits`"]);
    says(&expect(r#"{"happened":"pdpte_laod"}"#), &["unknown event", "`pdpte_load`"]);
}

#[test]
fn fields_that_are_missing_or_do_not_belong() {
    says("{}", &["bad.json:1:2", "missing field `init`"]);
    says(r#"{"init":{"cr0":"0x0","cr3":"0x0","cr4":"0x0"}}"#, &["missing field `efer`", "init"]);
    says(&steps(r#"{"op":"access","kind":"r"}"#), &["`access` needs the field `va`", "steps[0]"]);
    says(&steps(r#"{"op":"invlpg","va":"0x0","val":"0x0"}"#), &["`invlpg` does not take the field `val`"]);
    says(&steps(r#"{"va":"0x0"}"#), &["missing field `op`", "steps[0]"]);
    says(&steps(r#"{"op":"expect","that":{"reg":"cr3"}}"#), &["steps[0].that"]);
    says(&steps(r#"{"op":"expect","that":{}}"#), &["steps[0].that"]);
    says(&with("\"id\":\"a\",\"id\":\"b\""), &["duplicate field `id`"]);
}

#[test]
fn numbers_out_of_range() {
    says(&steps(r#"{"op":"mov_cr3","val":"0x10000000000000000"}"#), &["64 bits", "steps[0]", "bad.json:1:"]);
    says(&steps(r#"{"op":"mov_cr3","val":18446744073709551616}"#), &["steps[0]"]);
    says(&steps(r#"{"op":"mov_cr3","val":-1}"#), &["-1", "steps[0]"]);
    says(&steps(r#"{"op":"mov_cr3","val":1.5}"#), &["1.5", "steps[0]"]);
    says(&steps(r#"{"op":"mov_cr3","val":"12"}"#), &["in hex"]);
    says(&steps(r#"{"op":"mov_cr3","val":"0x"}"#), &["no digits"]);
    says(&steps(r#"{"op":"mov_cr3","val":"0xg"}"#), &["not a hex number"]);
    says(&steps(r#"{"op":"mov_cr3","val":null}"#), &["`val`"]);
    says(&steps(r#"{"op":"wrpkru","val":"0x100000000"}"#), &["PKRU", "steps[0]"]);
    says(r#"{"init":{"cr0":"0x11","cr3":0,"cr4":0,"efer":0,"pkru":"0x100000000"}}"#, &["PKRU", "init.pkru"]);
    says(&steps(r#"{"op":"write","va":"0x0","val":"0x0","size":3}"#), &["1, 2, 4 or 8", "steps[0]"]);
    says(&steps(r#"{"op":"write","va":"0x0","val":"0x100","size":1}"#), &["does not fit in 1 bytes"]);
    says(&steps(r#"{"op":"map","va":"0x0","pa":"0x0","size":"8k"}"#), &["8k", "4k", "2m"]);
    says(&with("\"cpu\":{\"maxphyaddr\":31}"), &["31", "32 to 52", "cpu.maxphyaddr"]);
    says(&with("\"cpu\":{\"maxphyaddr\":53}"), &["53", "cpu.maxphyaddr"]);
    says(&with("\"cpu\":{\"maxphyaddr\":300}"), &["300", "cpu.maxphyaddr"]);
    says(&with("\"ram\":\"0x1001\""), &["4096", "ram"]);
    says(&with("\"ram\":0"), &["4096", "ram"]);
    says(&with("\"ram\":\"0xfffffffffffff000\""), &["40", "ram"]);
    says(&with("\"format\":\"mmuscope/2\""), &["mmuscope/2", "mmuscope/1", "format"]);
}

#[test]
fn addresses_that_do_not_exist() {
    says(&with(r#""mem":[["0x0","0x1"],["0x1004","0x1"]]"#), &["0x1004", "not aligned", "mem[1]"]);
    says(&with(r#""mem":[["0x10000000000","0x1"]]"#), &["MAXPHYADDR", "40", "mem[0]"]);
    says(&with(r#""mem":[["0xfffffffffffffff8","0x1"]]"#), &["MAXPHYADDR", "mem[0]"]);
    says(&with(r#""mem_after":[["0x1","0x1"]]"#), &["not aligned", "mem_after[0]"]);
    says(&with(r#""ad_may":[["0x1","0x1"]]"#), &["not aligned", "ad_may[0]"]);
    says(&with(r#""mem":[["0x0"]]"#), &["mem[0]"]);
    says(&with(r#""mem":[["0x0","0x1","0x2"]]"#), &["mem[0]"]);
    says(&steps(r#"{"op":"poke","pa":"0x10000000000","val":"0x0"}"#), &["MAXPHYADDR", "steps[0]"]);
    says(&steps(r#"{"op":"poke","pa":"0xffc","val":"0x0"}"#), &["cross a page", "steps[0]"]);
    says(&steps(r#"{"op":"dma","pa":"0xffffffffffffffff","val":"0x0","size":1}"#), &["MAXPHYADDR"]);
    let slot = r#"{"op":"memslot","gpa":"0xffffffffff000","size":"0xffffffffffffffff","action":"add"}"#;
    says(&steps(slot), &["MAXPHYADDR", "steps[0]"]);
}

#[test]
fn states_that_no_processor_can_be_in() {
    let init = |cr0: &str, cr4: &str, efer: &str| {
        format!(r#"{{"init":{{"cr0":"{cr0}","cr3":"0x0","cr4":"{cr4}","efer":"{efer}"}}}}"#)
    };
    says(&init("0x80000000", "0x0", "0x0"), &["init", "G2"]);
    says(&init("0x80000011", "0x0", "0x100"), &["init", "G5"]);
    says(&init("0x80000011", "0x20020", "0x0"), &["init", "G14"]);
    says(&init("0x11", "0x8000000000000000", "0x0"), &["init", "G11"]);
}

/// `depth` times `open`, `inner`, `depth` times `close`.
fn nested(open: &str, inner: &str, close: &str) -> String {
    const DEPTH: usize = 100_000;
    format!("{}{inner}{}", open.repeat(DEPTH), close.repeat(DEPTH))
}

#[test]
fn nesting_without_end() {
    let leaf = r#"{"reg":"cr3","is":"0x0"}"#;
    let expect = |that: String| steps(&format!("{{\"op\":\"expect\",\"that\":{that}}}"));
    let places = [
        nested("[", "", "]"),
        nested("{\"a\":", "0", "}"),
        with(&format!("\"steps\":{}", nested("[", "", "]"))),
        with(&format!("\"mem\":{}", nested("[", "", "]"))),
        with(&format!("\"title\":{}", nested("{\"en\":", "\"\"", "}"))),
        with(&format!("\"cpu\":{}", nested("{\"features\":", "0", "}"))),
        expect(nested("{\"not\":", leaf, "}")),
        expect(nested("{\"all\":[", leaf, "]}")),
        expect(nested("{\"any\":[", leaf, "]}")),
        steps(&format!(r#"{{"op":"poke","pa":"0x0","val":"0x0","size":{}}}"#, nested("[", "", "]"))),
        steps(&format!(r#"{{"op":"note","text":{}}}"#, nested("{\"en\":", "\"\"", "}"))),
        steps(&format!(r#"{{"op":"mov_cr3","val":{}}}"#, nested("[", "", "]"))),
        steps(&format!(r#"{{"op":"nothing","unknown":{}}}"#, nested("[", "", "]"))),
    ];
    for place in places {
        message(&place);
    }
    says(&expect(nested("{\"not\":", leaf, "}")), &["nested too deeply", "bad.json:1:"]);
    // What is not looked at may be as deep as it likes.
    let agree = with(&format!("\"agree\":{}", nested("[{\"a\":", "0", "}]")));
    Scenario::from_json("good.json", &agree).expect("free text is skipped");
    // A depth that a person might write is fine.
    let shallow = format!("{}{leaf}{}", "{\"not\":".repeat(20), "}".repeat(20));
    Scenario::from_json("good.json", &expect(shallow)).expect("20 levels are read");
}

#[test]
fn long_names_are_cut() {
    let long = "x".repeat(1 << 20);
    message(&with(&format!("\"{long}\":0")));
    message(&with(&format!("\"engine\":\"{long}\"")));
    message(&with(&format!("\"format\":\"{long}\"")));
    message(&with(&format!("\"cpu\":{{\"vendor\":\"{long}\"}}")));
    message(&with(&format!("\"cpu\":{{\"features\":[\"{long}\"]}}")));
    message(&steps(&format!("{{\"op\":\"{long}\"}}")));
    message(&steps(&format!("{{\"op\":\"mov_cr3\",\"val\":\"{long}\"}}")));
    message(&steps(&format!("{{\"op\":\"mov_cr3\",\"val\":\"0x{}\"}}", "f".repeat(1 << 20))));
    message(&steps(&format!("{{\"op\":\"map\",\"va\":0,\"pa\":0,\"size\":\"{long}\"}}")));
    message(&steps(&format!("{{\"op\":\"map\",\"va\":0,\"pa\":0,\"flags\":[\"{long}\"]}}")));
    message(&steps(&format!("{{\"op\":\"expect\",\"that\":{{\"{long}\":0}}}}")));
    message(&steps(&format!("{{\"op\":\"expect\",\"that\":{{\"happened\":\"{long}\"}}}}")));
    message(&steps(&format!("{{\"op\":\"expect\",\"that\":{{\"cost\":\"{long}\"}}}}")));
    message(&steps(&format!("{{\"op\":\"expect\",\"that\":{{\"reg\":\"{long}\",\"is\":0}}}}")));
}

#[test]
fn names_with_line_breaks_stay_on_one_line() {
    message(&with(r#""a\nb":0"#));
    message(&with(r#""engine":"a\nb\u0007""#));
    message(&with(r#""format":"a\nb""#));
    message(&steps(r#"{"op":"a\nb"}"#));
    message(&steps(r#"{"op":"mov_cr3","val":"a\nb"}"#));
    message(&steps(r#"{"op":"map","va":0,"pa":0,"size":"a\nb"}"#));
}

#[test]
fn steps_alone() {
    let model = CpuModel::default();
    let text = |json: &str| one_sentence(read_steps("steps", json, &model).expect_err("refused"), "steps");
    assert!(text("{}").contains("steps:1:"));
    assert!(text(r#"[{"op":"pok"}]"#).contains("[0]"));
    assert!(text(r#"[{"op":"poke","pa":"0xffc","val":0}]"#).contains("cross a page"));
}

/// A file of this test's own, removed at its end.
struct TestFile(PathBuf);

impl TestFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).expect("the test directory takes files");
        Self(path)
    }

    fn message(&self) -> String {
        file_message(&self.0)
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        // Nothing depends on it being gone.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn file_message(path: &Path) -> String {
    one_sentence(read_file(path).expect_err("refused"), &path.display().to_string())
}

fn gzip(chunk: &[u8], times: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..times {
        encoder.write_all(chunk).expect("memory takes bytes");
    }
    encoder.finish().expect("memory takes bytes")
}

#[test]
fn files_that_cannot_be_read() {
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-such-file.json");
    assert!(file_message(&missing).contains("no such file"));
    assert!(file_message(Path::new(env!("CARGO_TARGET_TMPDIR"))).contains("directory"));
    assert!(TestFile::new("empty.json", b"").message().contains("EOF"));
    assert!(TestFile::new("latin1.json", b"{\"id\":\"caf\xe9\"}").message().contains("UTF-8 (byte 10)"));
    assert!(TestFile::new("binary.json", &[0; 64]).message().contains(":1:1"));
}

#[test]
fn a_file_of_200_megabytes() {
    let file = TestFile::new("large.json", b"");
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file.0)
        .and_then(|f| f.set_len(200 << 20))
        .expect("a sparse file costs nothing");
    assert!(file.message().contains("209715200 bytes"));
}

#[test]
fn compressed_files() {
    let whole = gzip(with("\"id\":\"a\"").as_bytes(), 1);
    read_file(&TestFile::new("whole.json.gz", &whole).0).expect("a whole file is read");
    assert!(TestFile::new("short.json.gz", &whole[..whole.len() / 2]).message().contains("cannot be read"));
    assert!(TestFile::new("plain.json.gz", b"{}").message().contains("cannot be read"));
    assert!(TestFile::new("empty.json.gz", b"").message().contains("cannot be read"));
    let mut flipped = whole.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    assert!(TestFile::new("checksum.json.gz", &flipped).message().contains("cannot be read"));
    // A gigabyte of spaces in a megabyte: it is not unpacked to its end.
    let bomb = gzip(&[b' '; 1 << 20], 1 << 10);
    assert!(bomb.len() < 8 << 20);
    assert!(TestFile::new("bomb.json.gz", &bomb).message().contains("at most"));
}

/// A prefix of a good file is never a good file, and never a panic.
#[test]
fn every_prefix_of_a_good_file() {
    let good = include_str!("../assets/scenarios/the-register-remembers.json").trim_end();
    Scenario::from_json("good.json", good).expect("the whole file is good");
    for end in 0..good.len() {
        if let Some(prefix) = good.get(..end) {
            message(prefix);
        }
    }
}

/// `map` looks for free frames in the slots, not in the addresses between them.
#[test]
fn a_slot_at_the_end_of_the_widest_address_space() {
    let json = r#"{"cpu":{"maxphyaddr":52},"init":{"cr0":"0x80010011","cr3":"0x1000","cr4":"0x20","efer":"0x800"},
        "steps":[{"op":"memslot","gpa":"0x0","action":"remove"},
        {"op":"memslot","gpa":"0xfffffffffd000","size":"0x3000","action":"add"},
        {"op":"map","va":"0x0","pa":"0x0"}]}"#;
    let scenario = Scenario::from_json("far.json", json).expect("it is legal");
    let verdict = mmuscope::scenario::run(&scenario, scenario.engine, mmuscope::machine::Caches::default());
    assert!(verdict.expect("it starts").passed());
}
