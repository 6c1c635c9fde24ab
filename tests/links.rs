//! Share links: what goes in comes out, bit for bit, and nothing wrong comes in.
//!
//! `MMUSCOPE_LINKS` is the number of hostile links, a million when unset.

#[path = "reference/random.rs"]
#[allow(dead_code, reason = "shared with the reference")]
mod random;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, Gpa, Gva};
use mmuscope::engine::{EngineConfig, EngineName, Quiet, Switches};
use mmuscope::machine::command::{MapSize, Size, SlotAction};
use mmuscope::machine::{Caches, Command};
use mmuscope::scenario::{self, LinkError, Scenario, Session, Shared, StepKind, View, link, read_steps};
use random::Random;

fn scenarios() -> Vec<Scenario> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(dir).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files.iter().map(|file| scenario::read_file(file).expect("a scenario")).collect()
}

fn random_command(random: &mut Random) -> Command {
    let va = Gva(match random.below(8) {
        0 => random.next(),
        _ => (random.below(3) << 30) | (random.below(4) << 12) | random.below(0x1000),
    });
    let pa = Gpa(random.below(16) << 12 | random.below(512) << 3);
    let flags = random.pick(&[0x7, 0x67, 0x87, 0x1, 0]);
    let val = Num(if random.one_in(8) { random.next() } else { random.below(16) << 12 | flags });
    let size = Size::new(random.pick(&[1, 2, 4, 8])).expect("a size");
    let (user, ac, compat) = (random.coin(), random.one_in(8), random.one_in(8));
    match random.below(17) {
        0..=3 => {
            let kind = random.pick(&[AccessKind::Read, AccessKind::Write, AccessKind::Fetch]);
            Command::Access { va, kind, user, ac, stack: random.one_in(8) }
        }
        4 => Command::Write { va, val, size, user, ac },
        5 => Command::Read { va, size, user, ac },
        6 | 7 => Command::Poke { pa, val, size },
        8 => Command::Dma { pa, val, size },
        9 => Command::MovCr0 { val: Num(random.pick(&[0x8001_0011, 0x11, 0x8000_0011])), compat },
        10 => Command::MovCr3 { val: Num(random.below(8) << 12 | 0x20), compat },
        11 => Command::MovCr4 { val: Num(random.pick(&[0x20, 0xa0, 0x10, 0x30_0020])), compat },
        12 => Command::WrmsrEfer { val: Num(random.pick(&[0, 0x800, 0x900])), compat },
        13 => Command::Invlpg { va },
        14 => Command::Invpcid { kind: Num(random.below(5)), pcid: Num(random.below(4)), va },
        15 => match random.below(4) {
            0 => Command::Memslot { gpa: Gpa(1 << 30), size: Num(0x4000), action: SlotAction::Add },
            1 => Command::Memslot { gpa: Gpa(0), size: Num(0), action: SlotAction::Log },
            2 => Command::DirtyLog { gpa: Gpa(0) },
            _ => Command::Wrpkru { val: Num(random.below(1 << 32)) },
        },
        _ => match random.below(3) {
            0 => Command::SetSregs { cr0: Num(0x8001_0011), cr3: Num(0x3020), cr4: Num(0x20), efer: Num(0x800) },
            _ => Command::Map { va: Gva(va.0 & !0xfff), pa: Gpa(pa.0 & !0xfff), size: MapSize::Kib4, flags: 6 },
        },
    }
}

/// A session that somebody might have come to: a scenario, commands, branches, another engine.
fn random_session(random: &mut Random, scenarios: &[Scenario]) -> Session {
    let scenario = scenarios[random.below(scenarios.len() as u64) as usize].clone();
    let name = random.pick(&EngineName::ALL);
    let known = Switches::of(name).fold(Switches::empty(), |known, switch| known | switch.flag);
    let switches = Switches::from_bits_truncate(random.next() as u32 & random.next() as u32) & known;
    let engine = EngineConfig { name, switches };
    let caches = Caches { tlb: !random.one_in(8), structures: !random.one_in(8) };
    let mut session = Session::open_on(scenario, engine, caches).expect("it starts");
    for _ in 0..random.below(40) {
        let lab = &mut session.lab;
        match random.below(12) {
            0 => lab.seek(random.below(lab.len() as u64 + 1) as usize),
            1 => {
                let branches = lab.branches();
                let at = random.below(branches.len().max(1) as u64) as usize;
                branches.get(at).into_iter().for_each(|branch| lab.switch_to(branch.tip));
            }
            2 => {
                let note = r#"[{"op":"note","text":{"en":"here","zh":"这里"}}]"#;
                let steps = read_steps("note", note, &session.scenario.cpu).expect("a note");
                session.run(&steps);
            }
            _ => {
                let command = random_command(random);
                if command.check(&session.scenario.cpu).is_ok() {
                    lab.execute_with(command, &mut Quiet);
                }
            }
        }
    }
    if random.one_in(8) {
        session.replay_on(random.pick(&EngineName::ALL), Caches::default()).expect("it starts there too");
    }
    let len = session.lab.len() as u64;
    session.lab.seek(random.below(len + 1) as usize);
    session
}

fn random_view(random: &mut Random) -> View {
    View {
        entry: random.coin().then(|| random.next() >> 12),
        address: random.coin().then(|| random.next()),
        micro_step: random.coin().then(|| random.below(9) as u32),
        tab: random.coin().then(|| "why".to_owned()),
        view: random.coin().then(|| "compare".to_owned()),
        beside: random.coin().then(|| "kvm-now".to_owned()),
        zoom: random.coin().then(|| random.below(400) as u16),
        more: if random.coin() { vec![("folded".to_owned(), "registers".to_owned())] } else { Vec::new() },
    }
}

#[test]
fn a_thousand_random_states_come_back_bit_for_bit() {
    let (mut random, scenarios) = (Random::new(4), scenarios());
    let mut branched = 0;
    for number in 0..1000 {
        let session = random_session(&mut random, &scenarios);
        let (view, language) = (random_view(&mut random), random.pick(&["en", "zh"]));
        let text = link(&session, &view, language).expect("short enough");
        let shared = Shared::from_link(&text).unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!((&shared.view, shared.language.as_str()), (&view, language));
        assert_eq!(shared.to_link().as_ref(), Ok(&text), "{number}: the link of what it holds is the link");
        let back = shared.open().expect("it started once");
        assert_eq!(back.lab.state_hash(), session.lab.state_hash(), "{number}");
        assert_eq!(back.lab.machine().cost, session.lab.machine().cost, "{number}");
        assert_eq!(back.lab.log(), session.lab.log(), "{number}");
        assert_eq!(back.lab.branches(), session.lab.branches(), "{number}");
        assert_eq!(back.lab.cursor(), session.lab.cursor(), "{number}");
        assert!(back.lab.commands().eq(session.lab.commands()), "{number}");
        assert_eq!(back.scenario, session.scenario, "{number}");
        assert_eq!((back.config(), back.caches()), (session.config(), session.caches()), "{number}");
        assert_eq!((&back.captions, &back.wants), (&session.captions, &session.wants), "{number}");
        branched += usize::from(session.lab.branches().len() > 1);
        // The end of every branch is the same machine as well.
        let (mut a, mut b) = (session.lab.clone(), back.lab.clone());
        for branch in session.lab.branches() {
            for lab in [&mut a, &mut b] {
                lab.switch_to(branch.tip);
                lab.seek(usize::MAX);
            }
            assert_eq!(a.state_hash(), b.state_hash(), "{number}: branch {}", branch.tip);
        }
        // An autosave holds the same.
        let saved = Shared::of(&session, &view, language);
        assert_eq!(Shared::from_bytes(&saved.to_bytes()), Ok(saved), "{number}");
    }
    assert!(branched > 300, "only {branched} had branches");
}

#[test]
fn the_link_of_a_typical_state_is_short() {
    for scenario in scenarios() {
        let id = scenario.id.clone();
        let steps = scenario.steps.len();
        let mut session = Session::open(scenario).expect("it starts");
        session.lab.seek(usize::MAX);
        let text = link(&session, &random_view(&mut Random::new(1)), "en").expect("short enough");
        println!("{id}: {steps} steps, {} bytes", text.len());
        assert!(text.len() < 2048, "{id}: {} bytes", text.len());
    }
}

/// Where a link stands on a page, and what else may follow.
#[test]
fn a_link_is_found_in_an_address() {
    let session = Session::open(scenarios().remove(0)).expect("it starts");
    let text = link(&session, &View::default(), "en").expect("short");
    assert!(text.starts_with("#m=1."));
    assert!(text[5..].chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
    let wanted = Shared::from_link(&text);
    assert!(wanted.is_ok());
    for form in [
        text[1..].to_owned(),
        format!("https://example.org/lab/{text}"),
        format!("https://example.org/index.html?embed=1{text}&lang=zh"),
        format!("  {text}\n"),
    ] {
        assert!(scenario::is_link(form.trim()), "{form}");
        assert_eq!(Shared::from_link(&form), wanted, "{form}");
    }
}

/// A link around bytes that need not be a state.
fn sealed(state: &[u8]) -> String {
    let mut all = state.to_vec();
    all.extend_from_slice(&(xxhash_rust::xxh3::xxh3_64(state) as u32).to_le_bytes());
    deflated(&all)
}

fn deflated(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory");
    format!("#m=1.{}", URL_SAFE_NO_PAD.encode(encoder.finish().expect("memory")))
}

fn state_of(link: &str) -> Vec<u8> {
    use std::io::Read as _;
    let packed = URL_SAFE_NO_PAD.decode(&link[5..]).expect("base64");
    let mut state = Vec::new();
    flate2::read::DeflateDecoder::new(&packed[..]).read_to_end(&mut state).expect("deflate");
    state.truncate(state.len() - 4);
    state
}

#[test]
fn each_kind_of_wrong_link_has_its_sentence() {
    let session = Session::open(scenarios().remove(0)).expect("it starts");
    let good = link(&session, &View::default(), "en").expect("short");
    let code = &good["#m=1.".len()..];
    let error = |text: &str| Shared::from_link(text).expect_err("it is wrong");
    assert_eq!(error(""), LinkError::NoLink);
    assert_eq!(error("my.json"), LinkError::NoLink);
    assert_eq!(error("#m="), LinkError::NoLink);
    assert_eq!(error(&format!("#m=2.{code}")), LinkError::Version("2".to_owned()));
    assert_eq!(error("#m=1."), LinkError::Truncated);
    assert_eq!(error(&format!("#m=1.{code}*")), LinkError::Character('*'));
    assert_eq!(error("#m=1.é"), LinkError::Character('é'));
    for cut in [1, 4, code.len() / 2, code.len() - 4] {
        let error = error(&format!("#m=1.{}", &code[..cut]));
        assert!(matches!(error, LinkError::Truncated | LinkError::Damaged), "{cut}: {error}");
    }
    // A bomb: a few KiB that unpack to far more than a link may hold.
    let bomb = deflated(&vec![0; 256 << 20]);
    assert!(bomb.len() < 2 << 20);
    let began = std::time::Instant::now();
    assert_eq!(error(&bomb), LinkError::TooLarge);
    assert!(began.elapsed().as_millis() < 500, "a bomb takes {:?}", began.elapsed());
    assert_eq!(error(&format!("#m=1.{}", "A".repeat(16 << 20))), LinkError::TooLarge);
    // A change that the compression does not notice.
    let mut state = state_of(&good);
    let sum = (xxhash_rust::xxh3::xxh3_64(&state) as u32).to_le_bytes();
    assert_eq!(Shared::from_link(&sealed(&state)), Shared::from_link(&good));
    state[0] ^= 1;
    state.extend_from_slice(&sum);
    assert_eq!(error(&deflated(&state)), LinkError::Damaged);
    for wrong in [LinkError::NoLink, LinkError::Truncated, LinkError::Damaged, LinkError::TooLarge, LinkError::TooMuch]
    {
        assert!(!wrong.to_string().contains('\n') && wrong.to_string().len() < 100, "{wrong}");
    }
}

/// A short link whose machine would fill the memory of the reader, or keep it busy for hours.
#[test]
fn a_link_cannot_ask_for_everything() {
    let mut scenario = Scenario::empty();
    scenario.ram = 1 << 39;
    scenario.mem = (0..100_000).map(|page| (Gpa(page << 12), 1)).collect();
    let session = Session::open(scenario).expect("it starts");
    let text = link(&session, &View::default(), "en").expect("it is short");
    assert!(text.len() < 4096, "{}", text.len());
    assert_eq!(Shared::from_link(&text), Err(LinkError::TooMuch));
    // The same as an autosave is the reader's own work.
    let saved = Shared::of(&session, &View::default(), "en");
    assert!(Shared::from_bytes(&saved.to_bytes()).is_ok());

    let mut session = Session::empty();
    for page in 0..60_000u64 {
        let poke = Command::Poke { pa: Gpa(0), val: Num(page), size: Size::WORD };
        session.lab.execute_with(poke, &mut Quiet);
    }
    assert!(link(&session, &View::default(), "en").is_ok(), "a long history of small things is welcome");
    let map = |page: u64| Command::Map { va: Gva(page << 12), pa: Gpa(0), size: MapSize::Kib4, flags: 0 };
    for page in 0..30_000 {
        session.lab.execute_with(map(page), &mut Quiet);
    }
    let text = link(&session, &View::default(), "en").expect("it fits");
    assert_eq!(Shared::from_link(&text), Err(LinkError::TooMuch));
}

#[test]
fn a_history_that_does_not_fit_is_refused_when_the_link_is_made() {
    let mut session = Session::empty();
    for i in 0..200_000u64 {
        let poke = Command::Poke { pa: Gpa(8 * (i % 512)), val: Num(i.wrapping_mul(0x9e37_79b9)), size: Size::WORD };
        session.lab.execute_with(poke, &mut Quiet);
    }
    let error = link(&session, &View::default(), "en").expect_err("too long");
    assert!(matches!(error, LinkError::TooLong(kib) if kib > 1024), "{error}");
    assert!(error.to_string().contains("save it as a file"));
}

/// Mutations of real links, mutations below the check sum and random texts: each is refused with a
/// sentence or is a link; nothing panics, nothing takes long.
#[test]
fn hostile_links() {
    let links: u64 = std::env::var("MMUSCOPE_LINKS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let (mut random, scenarios) = (Random::new(0x11_4b), scenarios());
    let small: Vec<Scenario> = scenarios.into_iter().filter(|scenario| scenario.steps.len() < 100).collect();
    let good: Vec<String> = (0..40)
        .map(|_| link(&random_session(&mut random, &small), &random_view(&mut random), "en").expect("short"))
        .collect();
    let states: Vec<Vec<u8>> = good.iter().map(|link| state_of(link)).collect();
    let (mut refused, mut valid, mut slowest) = (0, 0, std::time::Duration::ZERO);
    for number in 0..links {
        let which = random.below(good.len() as u64) as usize;
        let text = match random.below(8) {
            0 => {
                let letters = "ABCabc012-_.=#m%&\u{0}é";
                let chars: Vec<char> = letters.chars().collect();
                let tail: String = (0..random.below(200)).map(|_| random.pick(&chars)).collect();
                format!("#m=1.{tail}")
            }
            1 => {
                let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.next() as u8).collect();
                format!("#m=1.{}", URL_SAFE_NO_PAD.encode(bytes))
            }
            2 => good[which][..random.below(good[which].len() as u64) as usize].to_owned(),
            3 => {
                let mut bytes = good[which].clone().into_bytes();
                for _ in 0..=random.below(3) {
                    let at = random.below(bytes.len() as u64) as usize;
                    bytes[at] = random.pick(b"ABCDwxyz0189-_");
                }
                String::from_utf8(bytes).expect("ASCII")
            }
            _ => {
                let mut state = states[which].clone();
                for _ in 0..=random.below(4) {
                    let at = random.below(state.len() as u64) as usize;
                    match random.below(4) {
                        0 => state[at] ^= 1 << random.below(8),
                        1 => state[at] = random.pick(&[0, 1, 0x7f, 0x80, 0xff]),
                        2 => state.insert(at, random.next() as u8),
                        _ => {
                            state.remove(at);
                            if state.is_empty() {
                                state.push(0);
                            }
                        }
                    }
                }
                sealed(&state)
            }
        };
        let began = std::time::Instant::now();
        match Shared::from_link(&text) {
            Err(error) => {
                refused += 1;
                if number % 1024 == 0 {
                    let sentence = error.to_string();
                    assert!(sentence.len() < 400 && !sentence.contains('\n'), "{sentence}");
                }
            }
            Ok(shared) => {
                valid += 1;
                if valid % 64 == 0 {
                    // Opening it does no harm either, and gives a link again.
                    if let Ok(session) = shared.open() {
                        link(&session, &View::default(), "en").expect("as long as it was");
                    }
                }
            }
        }
        slowest = slowest.max(began.elapsed());
    }
    println!("{links} hostile links: {refused} refused, {valid} valid, slowest {slowest:?}");
    assert!(refused > valid && (links < 1000 || valid > 0));
}

/// A session written as a file is the session again.
#[test]
fn a_saved_session_is_the_session_again() {
    let (mut random, scenarios) = (Random::new(7), scenarios());
    for number in 0..300 {
        let session = random_session(&mut random, &scenarios);
        let json = session.to_scenario().to_json().unwrap_or_else(|error| panic!("{number}: {error}"));
        let scenario = Scenario::from_json("saved", &json).unwrap_or_else(|error| panic!("{error}\n{json}"));
        assert_eq!(scenario.to_json().as_ref(), Ok(&json), "{number}");
        let mut back = Session::open_on(scenario, session.config(), session.caches()).expect("it starts");
        back.lab.seek(session.lab.cursor());
        assert_eq!(back.lab.state_hash(), session.lab.state_hash(), "{number}");
        assert_eq!(back.lab.len(), session.lab.len(), "{number}");
        assert_eq!(back.config(), session.config(), "{number}");
    }
}

/// A scenario that nothing was done to is written as it was read, with all that it wants.
#[test]
fn a_scenario_survives_being_saved() {
    for scenario in scenarios() {
        let json = scenario.to_json().expect("it came from a file");
        assert_eq!(Scenario::from_json("saved", &json).expect("it can be read"), scenario, "{json}");
        let session = Session::open(scenario.clone()).expect("it starts");
        assert_eq!(session.to_scenario(), scenario);
        let verdict = scenario::run(&session.to_scenario(), scenario.engine, Caches::default()).expect("it starts");
        assert!(verdict.passed(), "{}", scenario.id);
    }
}

/// What a file says behind the point where another way was taken is not said of the other way.
#[test]
fn a_branch_is_saved_without_what_was_wanted_of_the_other() {
    let text = include_str!("../assets/scenarios/the-register-remembers.json");
    let scenario = Scenario::from_json("the-register-remembers", text).expect("valid");
    let mut session = Session::open(scenario).expect("it starts");
    session.lab.seek(3);
    session.lab.execute_with(Command::Invlpg { va: Gva(0x7000) }, &mut Quiet);
    let saved = session.to_scenario();
    let wants = |scenario: &Scenario| scenario.steps.iter().filter(|step| step.want.is_some()).count();
    assert_eq!((saved.steps.len(), wants(&saved)), (4, 1));
    assert_eq!(saved.mem_after, None);
    assert!(matches!(saved.steps[3].kind, StepKind::Command(Command::Invlpg { va: Gva(0x7000) })));
}
