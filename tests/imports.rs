//! Memory images and the listings of QEMU's monitor and gdb, as they look in life.

use mmuscope::arch::address::Num;
use mmuscope::arch::{Features, Gpa, Mode};
use mmuscope::engine::EngineName;
use mmuscope::machine::{Caches, Command};
use mmuscope::scenario::import::{Import, ImportError, Registers, registers_of_mode};
use mmuscope::scenario::{Scenario, Session, StepKind, read_steps};

/// A Linux guest under `-accel kvm`, as `info registers` shows it.
const INFO_REGISTERS: &str = "\
CPU#0
RAX=ffffffff81e3f1c0 RBX=0000000000000000 RCX=0000000000000001 RDX=000000000001b2e4
RSI=0000000000000083 RDI=000000000001b2e4 RBP=ffffffff82603e38 RSP=ffffffff82603e30
R8 =ffff88807dc1ede0 R9 =0000000000000200 R10=0000000000000000 R11=0000000000000000
RIP=ffffffff81e3f1d2 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
ES =0000 0000000000000000 ffffffff 00c00000
CS =0010 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]
GDT=     fffffe0000001000 0000007f
IDT=     fffffe0000000000 00000fff
CR0=80050033 CR2=00007f12a3b4c000 CR3=0000000000003000 CR4=00350ef0
DR0=0000000000000000 DR1=0000000000000000 DR2=0000000000000000 DR3=0000000000000000
DR6=00000000ffff0ff0 DR7=0000000000000400
EFER=0000000000000d01
FCW=037f FSW=0000 [ST=0] FTW=00 MXCSR=00001f80
XMM00=0000000000000000 0000000000000000 XMM01=0000000000000000 0000000000000000
";

const XP_GIANT: &str = "\
(qemu) xp /4gx 0x3000\r
0000000000003000: 0x0000000000004067 0x0000000000000000\r
0000000000003010: 0x0000000000000000 0x0000000000000000\r
(qemu) xp /1gx 0x4000
0000000000004000: 0x0000000000005067

(qemu) xp /2wx 0x5000
0000000000005000: 0x00006067 0x00000000
(qemu) xp /2gx 0x6008
0000000000006008: 0x800000000002b067 0x0000000000000000
";

fn access(scenario: Scenario, va: &str) -> String {
    let mut session = Session::open_on(scenario, EngineName::Native, Caches::default()).expect("it starts");
    let text = format!(r#"[{{"op":"access","va":"{va}","kind":"r","user":true}}]"#);
    let steps = read_steps("step", &text, &session.scenario.cpu).expect("a step");
    let StepKind::Command(command @ Command::Access { .. }) = &steps[0].kind else { panic!("an access") };
    format!("{:?}", session.lab.execute(command.clone()).last())
}

#[test]
fn a_transcript_of_the_monitor_becomes_a_machine() {
    let mut import = Import::new();
    let found = import.text("monitor", XP_GIANT).expect("it is in order");
    assert_eq!((found.bytes, found.processors), (8 * 8, 0));
    let found = import.text("registers", INFO_REGISTERS).expect("it is in order");
    assert_eq!((found.bytes, found.processors), (0, 1));
    let (scenario, notes) = import.scenario("guest").expect("a machine");
    let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
    let cr2 = "CR2 0x7f12a3b4c000 is left out: a machine begins before its first page fault";
    assert_eq!(notes, ["CR4 bits 0x50800 have nothing to do with paging: they are left out", cr2]);
    assert_eq!(scenario.id, "guest");
    assert_eq!(scenario.cpu.maxphyaddr, 40);
    let init = scenario.init;
    assert_eq!((init.cr0, init.cr3, init.cr4, init.efer), (Num(0x8005_0033), Num(0x3000), Num(0x30_06f0), Num(0xd01)));
    let words = [(0x3000, 0x4067), (0x4000, 0x5067), (0x5000, 0x6067), (0x6008, 0x8000_0000_0002_b067)];
    assert_eq!(scenario.mem, words.map(|(gpa, value)| (Gpa(gpa), value)));
    assert_eq!(import.known_registers().cr2, Some(0x7f12_a3b4_c000));
    let json = scenario.to_json().expect("it can be saved");
    assert_eq!(Scenario::from_json("saved", &json).expect("and read again"), scenario);
    let last = access(scenario, "0x1abc");
    assert!(last.contains("Translated") && last.contains("0x2babc"), "{last}");
}

#[test]
fn memory_and_registers_in_one_text_in_any_order() {
    let text = format!("{INFO_REGISTERS}\n{XP_GIANT}");
    let mut import = Import::new();
    let found = import.text("session", &text).expect("both");
    assert_eq!((found.bytes, found.processors), (64, 1));
    let mut other = Import::new();
    other.text("session", &format!("{XP_GIANT}{INFO_REGISTERS}")).expect("both");
    assert_eq!(import.scenario("a").expect("a machine").0, other.scenario("a").expect("a machine").0);
}

#[test]
fn other_units_and_the_listings_of_gdb() {
    let text = "\
# words of four bytes, of two and of one
0x1000:\t0x00002067\t0x80000000
00001008: 0x3067 0x0000 0x0000 0x8000
0000000000001010: 0x67 0x40 0x00 0x00 0x00 0x00 0x00 0x00 0x2a
0x1020 <init_top_pgt+32>:\t0x0000000000005067\t0x0000000000000000
cr0            0x80050033          [ PG AM WP NE ET MP PE ]
cr2            0x7f12a3b4c000      139718212894720
cr3            0x1000              [ PDBR=1 PCID=0 ]
cr4            0xa0                [ PGE PAE ]
efer           0xd01               [ NXE LMA LME SCE ]
";
    let mut import = Import::new();
    let found = import.text("gdb", text).expect("it is in order");
    assert_eq!((found.bytes, found.processors), (8 + 8 + 9 + 16, 1));
    let (scenario, notes) = import.scenario("gdb").expect("a machine");
    assert!(notes.iter().all(|note| note.to_string().starts_with("CR2 ")), "{notes:?}");
    let words = [
        (0x1000, 0x8000_0000_0000_2067),
        (0x1008, 0x8000_0000_0000_3067),
        (0x1010, 0x4067),
        (0x1018, 0x2a),
        (0x1020, 0x5067),
    ];
    assert_eq!(scenario.mem, words.map(|(gpa, value)| (Gpa(gpa), value)));
    assert_eq!((scenario.init.cr3, scenario.init.efer), (Num(0x1000), Num(0xd01)));
}

#[test]
fn a_linux_oops_has_registers_too() {
    let text = "CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033\n\
                CR2: ffffffffc0000000 CR3: 0000000100a4e005 CR4: 00000000003706f0\n";
    let mut import = Import::new();
    import.text("oops", text).expect("it is in order");
    let known = import.known_registers();
    assert_eq!((known.cr0, known.cr3, known.cr4), (Some(0x8005_0033), Some(0x1_00a4_e005), Some(0x37_06f0)));
    // Bit 16 and 18 are dropped, bit 17 (PCIDE) needs long mode: EFER is missing.
    let error = import.scenario("oops").expect_err("PCIDs without long mode");
    assert!(error.to_string().contains("G14"), "{error}");
    import.registers(Registers { efer: Some(0xd01), ..Registers::default() });
    let (scenario, _) = import.scenario("oops").expect("a machine");
    assert_eq!(scenario.init.cr4, Num(0x32_06f0));
}

#[test]
fn several_processors_are_told_apart() {
    let text = format!(
        "{INFO_REGISTERS}\n{}",
        INFO_REGISTERS.replace("CPU#0", "CPU#1").replace("=0000000000003000", "=0000000000009000")
    );
    let mut import = Import::new();
    assert_eq!(import.text("all", &text).expect("two").processors, 2);
    let processors = import.processors().to_vec();
    assert_eq!(
        processors.iter().map(|p| (p.cpu, p.cr3)).collect::<Vec<_>>(),
        [(Some(0), Some(0x3000)), (Some(1), Some(0x9000))]
    );
    assert_eq!(import.known_registers().cr3, Some(0x3000));
    import.registers(processors[1]);
    assert_eq!(import.scenario("second").expect("a machine").0.init.cr3, Num(0x9000));
}

#[test]
fn an_image_at_an_offset() {
    let mut image = vec![0u8; 0x2000];
    image[..8].copy_from_slice(&0x10_1067u64.to_le_bytes());
    image[0x1fff] = 0x80;
    let mut import = Import::new();
    assert_eq!(import.image("ram.bin", &image, Gpa(0x10_0000)).expect("it fits").bytes, 0x2000);
    import.registers(registers_of_mode(Mode::Level4, 0x10_0000));
    let (scenario, _) = import.scenario("ram").expect("a machine");
    assert_eq!(scenario.mem, [(Gpa(0x10_0000), 0x10_1067), (Gpa(0x10_1ff8), 0x80 << 56)]);
    assert_eq!(scenario.ram, 16 << 20);
    let session = Session::open(scenario).expect("it starts");
    assert_eq!(session.lab.machine().cpu.mode(), Mode::Level4);
    // Zeros at its end are memory as well.
    let mut import = Import::new();
    import.image("ram.bin", &vec![0; 1 << 20], Gpa(31 << 20)).expect("it fits");
    for mode in Mode::ALL {
        import.registers(registers_of_mode(mode, 0x1000));
        let (scenario, _) = import.scenario("ram").expect("a machine");
        assert_eq!(scenario.ram, 32 << 20);
        assert_eq!(Session::open(scenario).expect("it starts").lab.machine().cpu.mode(), mode);
    }
}

#[test]
fn wide_addresses_make_a_wide_processor() {
    let mut import = Import::new();
    import.registers(registers_of_mode(Mode::Level4, 0x10_0000_0000));
    assert_eq!(import.scenario("x").expect("a machine").0.cpu.maxphyaddr, 40);
    import.text("xp", "0000200000001000: 0x0000000000000001").expect("46 bits");
    assert_eq!(import.scenario("x").expect("a machine").0.cpu.maxphyaddr, 46);
    import.text("xp", "0008000000001000: 0x0000000000000001").expect("52 bits");
    assert_eq!(import.scenario("x").expect("a machine").0.cpu.maxphyaddr, 52);
    import.registers(Registers { cr4: Some(0x80_00a0), ..Registers::default() });
    assert!(import.scenario("x").expect("a machine").0.cpu.features.contains(Features::CET));
}

#[test]
fn errors_name_the_line() {
    let cases = [
        ("", "t: neither memory (`xp /8gx ADDRESS`) nor registers (`info registers`) were found in it"),
        ("hello\nworld", "t: neither memory"),
        ("CPU#0\n", "t: neither memory"),
        (
            "0000000000001000: 0x00\n\n0000000000002000: 12",
            "t:3: `12` is not a hex value: print memory with `xp /NNgx`",
        ),
        ("00001000: 0x123", "t:1: `0x123` has 3 digits: a value has 2, 4, 8 or 16"),
        ("00001000: 0xzzzzzzzz", "t:1: `0xzzzzzzzz` is not a hex value"),
        ("00001000:", "t:1: no values follow the address"),
        ("ffffffff81000000: 0x0000000000000001", "t:1: 0xffffffff81000000 is no guest-physical address"),
        ("fffffffffffffff8: 0x0000000000000001 0x0000000000000001", "t:1: 0xfffffffffffffff8 is no guest-physical"),
        ("00001000: 0x01\n00001000: 0x02", "t:2: the byte at 0x1000 differs from what line 1 says: 0x1"),
        ("(qemu) xp /1gx 0x1\n00001000: Cannot access memory", "t:2: the memory at this address could not be read"),
        ("CR3=zz", "t:1: CR3 is `zz`: a hex number was expected"),
        ("CR0=11\nCR0=12", "t:2: CR0 stands there a second time with another value"),
        ("CR0=11 CR3", "t:1: CR3 has no value"),
        ("CR3=11111111111111111", "t:1: CR3 is `11111111111111111`: a hex number was expected"),
    ];
    for (text, sentence) in cases {
        let mut import = Import::new();
        let error = import.text("t", text).expect_err(text).to_string();
        assert!(error.starts_with(sentence), "{text:?}: {error}");
        assert_eq!(import.known_registers(), &Registers::default(), "nothing was taken over of {text:?}");
    }
    let mut import = Import::new();
    assert_eq!(
        import.scenario("x").expect_err("nothing").to_string(),
        "CR3 is missing: add it, or the text of `info registers`"
    );
    import.text("a", "00001000: 0x01").expect("a byte");
    let error = import.text("b", "00001000: 0x02").expect_err("another byte");
    assert_eq!(error.to_string(), "b:1: the byte at 0x1000 differs from what an earlier part says: 0x1");
    for (bytes, at, sentence) in [
        (0, 0, "i: the image is empty"),
        (8, 4, "i: the image begins at 0x4: its address must be a multiple of 8"),
        (8, 1 << 52, "i: the image would reach beyond 52 address bits"),
        (8, !7, "i: the image would reach beyond 52 address bits"),
    ] {
        let error = import.image("i", &vec![1; bytes], Gpa(at)).expect_err("it is wrong");
        assert!(matches!(error, ImportError::Part { .. }));
        assert_eq!(error.to_string(), sentence);
    }
    import.registers(registers_of_mode(Mode::Level4, 0));
    import.registers(Registers { cr0: Some(0x8000_0000), ..Registers::default() });
    assert!(import.scenario("x").expect_err("PG without PE").to_string().contains("rule G2"));
}

/// Damaged texts give a sentence or a machine, and never a panic.
#[test]
fn damaged_texts() {
    let whole = format!("{INFO_REGISTERS}\n{XP_GIANT}");
    let mut state = 1u64;
    let mut next = move |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut chars: Vec<char> = whole.chars().collect();
        for _ in 0..=next(6) {
            let at = next(chars.len().max(1));
            if chars.is_empty() {
                break;
            }
            match next(3) {
                0 => chars[at] = ['0', 'x', ':', '=', '\n', 'é', 'f', ' ', '\u{0}'][next(9)],
                1 => drop(chars.remove(at)),
                _ => chars.truncate(at.max(1)),
            }
        }
        let text: String = chars.into_iter().collect();
        let mut import = Import::new();
        match import.text("damaged", &text) {
            Ok(_) => accepted += usize::from(import.scenario("x").is_ok()),
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
    assert!(accepted > 100, "{accepted}");
}
