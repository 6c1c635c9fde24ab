//! The guest of the benches `lab` and `frame`: many mapped pages, and a long history.

#![allow(dead_code, reason = "neither bench uses all of it")]

use std::time::Duration;

use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, Gpa, Gva};
use mmuscope::machine::Command;
use mmuscope::machine::command::Size;
use mmuscope::scenario::{Scenario, State};

/// Mapped 4 KiB pages: 4 GiB of linear addresses, 2048 page tables.
pub const PAGES: u64 = 1 << 20;
const ROOT: u64 = 0x1000;
/// The page tables, and beyond them the pages.
const FIRST_TABLE: u64 = 0x10_0000;
const FIRST_PAGE: u64 = 0x4000_0000;
/// P, R/W, U/S.
const FLAGS: u64 = 7;

/// The words of memory that map so many pages: the PML4, the PDPT, directories and page tables.
pub fn tables(pages: u64) -> impl Iterator<Item = (Gpa, u64)> {
    let (tables, directories) = (pages.div_ceil(512), pages.div_ceil(512 * 512));
    let directory = |index: u64| ROOT + 0x2000 + (index << 12);
    let root = std::iter::once((Gpa(ROOT), (ROOT + 0x1000) | FLAGS));
    let pdpt = (0..directories).map(move |i| (Gpa(ROOT + 0x1000 + 8 * i), directory(i) | FLAGS));
    let directories =
        (0..tables).map(move |i| (Gpa(directory(i / 512) + 8 * (i % 512)), (FIRST_TABLE + (i << 12)) | FLAGS));
    let leaves = (0..pages).map(|page| (Gpa(FIRST_TABLE + 8 * page), (FIRST_PAGE + (page << 12)) | FLAGS));
    root.chain(pdpt).chain(directories).chain(leaves)
}

/// A guest with so many mapped pages, in 4-level paging.
pub fn scenario(pages: u64) -> Scenario {
    let init = State { cr0: Num(0x8001_0011), cr3: Num(ROOT), cr4: Num(0xa0), efer: Num(0x900), pkru: Num(0) };
    Scenario { id: format!("{pages} pages"), ram: 8 << 30, init, mem: tables(pages).collect(), ..Scenario::empty() }
}

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

#[derive(Clone, Copy)]
pub enum Kind {
    /// Accesses of a working set that moves, with stores to tables and switches among them.
    Mixed,
    /// Every access to a page at random: nothing is ever cached.
    Random,
}

pub fn access(page: u64, kind: AccessKind) -> Command {
    Command::Access { va: Gva(page << 12 | 0x123), kind, user: true, ac: false, stack: false }
}

pub fn command(kind: Kind, pages: u64, at: u64, random: &mut Random) -> Command {
    let anywhere = random.below(pages);
    let Kind::Mixed = kind else { return access(anywhere, AccessKind::Read) };
    let near = (at / 4096 * 977 + random.below(64)) % pages;
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

/// How many commands a history is to have, and the words that pick engines and kinds.
pub fn asked() -> (u64, Vec<String>) {
    // Cargo says `--bench` when it measures; a test only asks whether it runs.
    let measures = std::env::args().any(|arg| arg == "--bench");
    let usual = if measures { 1_000_000 } else { 2_000 };
    let commands = std::env::var("MMUSCOPE_COMMANDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let words = std::env::args().skip(1).filter(|arg| !arg.starts_with('-'));
    (commands, words.collect())
}

/// A line of `/proc/self/status`, in MiB; 0 where there is none.
pub fn status_mib(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}

pub fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * hundredths / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// The processor time of this thread.
#[cfg(target_os = "linux")]
pub fn now() -> Duration {
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
pub fn now() -> Duration {
    use std::time::Instant;
    static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

pub fn timed(mut act: impl FnMut()) -> Duration {
    let began = now();
    act();
    now() - began
}
