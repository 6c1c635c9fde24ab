//! A long history on a large guest, measured: how fast any point of it is reached, and what memory
//! it takes. `cargo bench --bench lab` prints a line for each engine and kind of history.
//!
//! Times are those of the processor that the thread had, where the system tells (Linux): on a machine with
//! other work, time on the wall says more about that work.
//!
//! `MMUSCOPE_COMMANDS` changes the length of the history, a word in the arguments picks engines.

#![allow(unsafe_code, reason = "the clock of a thread's processor time is a call of the C library")]

use std::time::Duration;

use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, ControlRegs, CpuModel, Gpa, Gva};
use mmuscope::engine::{AnyVm, EngineName, Quiet};
use mmuscope::lab::Lab;
use mmuscope::machine::command::Size;
use mmuscope::machine::{Command, Machine};

/// Mapped 4 KiB pages: 4 GiB of linear addresses, 2048 page tables.
const PAGES: u64 = 1 << 20;
const TABLES: u64 = PAGES / 512;
const ROOT: u64 = 0x1000;
/// The page tables, and beyond them the pages.
const FIRST_TABLE: u64 = 0x10_0000;
const FIRST_PAGE: u64 = 0x4000_0000;
/// P, R/W, U/S.
const FLAGS: u64 = 7;
const SEEKS: usize = 400;

fn mapped_machine() -> Machine {
    let mut machine = Machine::new(CpuModel::default(), 8 << 30);
    let regs = ControlRegs::set_at_once(&machine.cpu.model, 0x8001_0011, ROOT, 0xa0, 0x900);
    machine.cpu.set_regs(regs.expect("a state that a processor can be in"));
    machine.memory.write_u64(Gpa(ROOT), (ROOT + 0x1000) | FLAGS);
    for directory in 0..TABLES / 512 {
        let gpa = ROOT + 0x2000 + (directory << 12);
        machine.memory.write_u64(Gpa(ROOT + 0x1000 + 8 * directory), gpa | FLAGS);
        for index in 0..512 {
            let table = FIRST_TABLE + ((directory * 512 + index) << 12);
            machine.memory.write_u64(Gpa(gpa + 8 * index), table | FLAGS);
        }
    }
    for page in 0..PAGES {
        machine.memory.write_u64(Gpa(FIRST_TABLE + 8 * page), (FIRST_PAGE + (page << 12)) | FLAGS);
    }
    machine
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

#[derive(Clone, Copy)]
enum Kind {
    /// Accesses of a working set that moves, with stores to tables and switches among them.
    Mixed,
    /// Every access to a page at random: nothing is ever cached.
    Random,
}

fn access(page: u64, kind: AccessKind) -> Command {
    Command::Access { va: Gva(page << 12 | 0x123), kind, user: true, ac: false, stack: false }
}

fn command(kind: Kind, at: u64, random: &mut Random) -> Command {
    let anywhere = random.below(PAGES);
    let Kind::Mixed = kind else { return access(anywhere, AccessKind::Read) };
    let near = (at / 4096 * 977 + random.below(64)) % PAGES;
    let flags = if random.below(4) == 0 { 5 } else { 7 };
    match random.below(100) {
        0..=64 => access(near, AccessKind::Read),
        65..=74 => access(near, AccessKind::Write),
        75..=84 => access(anywhere, AccessKind::Read),
        85..=90 => Command::Poke {
            pa: Gpa(FIRST_TABLE + 8 * near),
            val: Num((FIRST_PAGE + (anywhere << 12)) | flags),
            size: Size::WORD,
        },
        91..=94 => Command::Write { va: Gva(near << 12 | 8), val: Num(at), size: Size::WORD, user: true, ac: false },
        95..=97 => Command::Invlpg { va: Gva(near << 12) },
        98 => Command::MovCr3 { val: Num(ROOT), compat: false },
        _ => Command::Map { va: Gva(near << 12), pa: Gpa(FIRST_PAGE), size: Default::default(), flags: 6 },
    }
}

/// A line of `/proc/self/status`, in MiB; 0 where there is none.
fn status_mib(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}

fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * hundredths / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The processor time of this thread.
#[cfg(target_os = "linux")]
fn now() -> Duration {
    #[repr(C)]
    struct Timespec {
        seconds: std::ffi::c_long,
        nanoseconds: std::ffi::c_long,
    }
    const CLOCK_THREAD_CPUTIME_ID: std::ffi::c_int = 3;
    unsafe extern "C" {
        fn clock_gettime(clock: std::ffi::c_int, time: *mut Timespec) -> std::ffi::c_int;
    }
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the clock exists since Linux 2.6.12, and `time` is the structure that it fills.
    unsafe { clock_gettime(CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.seconds.unsigned_abs(), time.nanoseconds.unsigned_abs() as u32)
}

/// The time on the wall.
#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    use std::time::Instant;
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

fn timed(mut act: impl FnMut()) -> Duration {
    let began = now();
    act();
    now() - began
}

fn measure(engine: EngineName, kind: Kind, name: &str, commands: u64) {
    let mut vm = AnyVm::new(mapped_machine(), engine.into());
    vm.settle(&mut Quiet);
    let mut lab = Lab::new(vm);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut slowest = Duration::ZERO;
    let built = timed(|| {
        for at in 0..commands {
            let command = command(kind, at, &mut random);
            let took = timed(|| {
                lab.execute_with(command.clone(), &mut Quiet);
            });
            slowest = slowest.max(took);
        }
    });
    let resident = status_mib("VmRSS");
    let (kept, bytes) = lab.snapshot_use();
    let last = lab.state_hash();
    let mut seeks = Vec::with_capacity(SEEKS);
    for _ in 0..SEEKS {
        let step = random.below(commands + 1) as usize;
        seeks.push(timed(|| lab.seek(step)));
    }
    let mut backs = Vec::with_capacity(SEEKS);
    for _ in 0..SEEKS {
        let step = lab.cursor().saturating_sub(1);
        backs.push(timed(|| lab.seek(step)));
    }
    lab.seek(usize::MAX);
    assert_eq!(lab.state_hash(), last, "seeking does not change what the machine was");
    println!(
        "{:9} {name:7} {commands} commands: built in {:.1} s (slowest {:.1} ms), {resident} MiB \
         ({kept} snapshots, {} MiB); seek p50 {:.2} ms, \
         p99 {:.2} ms, max {:.2} ms; step back p99 {:.2} ms; peak {} MiB",
        engine.id(),
        built.as_secs_f64(),
        slowest.as_secs_f64() * 1e3,
        bytes >> 20,
        percentile(&mut seeks, 50).as_secs_f64() * 1e3,
        percentile(&mut seeks, 99).as_secs_f64() * 1e3,
        percentile(&mut seeks, 100).as_secs_f64() * 1e3,
        percentile(&mut backs, 99).as_secs_f64() * 1e3,
        status_mib("VmHWM"),
    );
}

fn main() {
    // Cargo says `--bench` when it measures; a test only asks whether it runs.
    let measures = std::env::args().any(|arg| arg == "--bench");
    let usual = if measures { 1_000_000 } else { 2_000 };
    let commands = std::env::var("MMUSCOPE_COMMANDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    for engine in [EngineName::Native, EngineName::Kvm2007, EngineName::KvmNow, EngineName::Ept] {
        for (kind, name) in [(Kind::Mixed, "mixed"), (Kind::Random, "random")] {
            if wanted.is_empty() || wanted.iter().any(|word| word == engine.id() || word == name) {
                measure(engine, kind, name, commands);
            }
        }
    }
}
