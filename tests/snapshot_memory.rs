//! What snapshots cost in memory, counted by the allocator: a machine with 4096 used pages, a
//! thousand snapshots, one page changed between each.

#![allow(unsafe_code, reason = "an allocator can only be wrapped this way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use mmuscope::arch::address::Num;
use mmuscope::arch::{CpuModel, Gpa};
use mmuscope::engine::{AnyVm, EngineName, Quiet};
use mmuscope::machine::command::Size;
use mmuscope::machine::{Command, Machine};

/// The system's allocator, with a count of the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `at` came from the same allocator.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_thousand_snapshots_take_less_than_20_mib() {
    let mut machine = Machine::new(CpuModel::default(), 16 << 20);
    for page in 0..4096 {
        machine.memory.write_u64(Gpa(page << 12), page + 1);
    }
    let mut vm = AnyVm::new(machine, EngineName::Native.into());
    let before = IN_USE.load(Ordering::Relaxed);
    let mut kept = Vec::with_capacity(1000);
    for i in 0..1000u64 {
        kept.push(vm.clone());
        let pa = Gpa((i * 37 % 4096) << 12 | 8);
        vm.execute(&Command::Poke { pa, val: Num(i + 1), size: Size::WORD }, &mut Quiet);
    }
    let used = IN_USE.load(Ordering::Relaxed) - before;
    println!("{used} bytes, {} a snapshot", used / 1000);
    assert!(used < 20 << 20, "{used} bytes");
    let last = kept.last().expect("there are a thousand");
    assert_eq!(last.machine().memory.read(Gpa((998 * 37 % 4096) << 12 | 8), 8), 999);
    assert_eq!(last.machine().memory.read(Gpa((999 * 37 % 4096) << 12 | 8), 8), 0);
}
