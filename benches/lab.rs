//! A long history on a large guest, measured: how fast any point of it is reached, and what memory
//! it takes. `cargo bench --bench lab` prints a line for each engine and kind of history.
//!
//! Times are those of the processor that the thread had, where the system tells (Linux): on a machine with
//! other work, time on the wall says more about that work.
//!
//! The peak is that of the process: to know it of one engine and kind, measure only that.
//!
//! `MMUSCOPE_COMMANDS` changes the length of the history, words in the arguments pick engines and kinds.

#![allow(unsafe_code, reason = "the clock of a thread's processor time is a call of the C library")]

use std::time::Duration;

use guest::{Kind, PAGES, Random, asked, command, percentile, scenario, status_mib, timed};
use mmuscope::engine::{EngineName, Quiet};
use mmuscope::lab::Lab;
use mmuscope::machine::Caches;

mod guest;

const SEEKS: usize = 400;

fn measure(engine: EngineName, kind: Kind, name: &str, commands: u64) {
    let start = scenario(PAGES).start(engine, Caches::default()).expect("a state that a processor can be in");
    let mut lab = Lab::new(start);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut slowest = Duration::ZERO;
    let built = timed(|| {
        for at in 0..commands {
            let command = command(kind, PAGES, at, &mut random);
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
    let (commands, wanted) = asked();
    for engine in EngineName::ALL {
        for (kind, name) in [(Kind::Mixed, "mixed"), (Kind::Random, "random")] {
            let picked = |all: &[&str], one| {
                wanted.iter().any(|word| word == one) || !wanted.iter().any(|word| all.contains(&&**word))
            };
            if picked(&EngineName::ALL.map(EngineName::id), engine.id()) && picked(&["mixed", "random"], name) {
                measure(engine, kind, name, commands);
            }
        }
    }
}
