//! The shadow MMU's speed, and that it does not depend on how many shadow pages live:
//! `cargo bench --bench shadow`.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, ControlRegs, CpuModel, Gpa, Gva};
use mmuscope::engine::shadow::Policy;
use mmuscope::engine::{AnyVm, Outcome, Quiet, Switches};
use mmuscope::machine::command::Size;
use mmuscope::machine::{Command, Machine};

/// PML4, then the PDPT, then the page directories.
const ROOT: u64 = 0x1000;
const PDPT: u64 = 0x2000;
const DIRECTORIES: u64 = 0x10_0000;
const TABLES: u64 = 0x100_0000;
/// Where the mapped pages lie: 16 GiB up.
const PAGES: u64 = 4 << 32;
const RAM: u64 = 32 << 30;
/// P, R/W, U/S, A, D.
const FLAGS: u64 = 0x67;
const ENTRIES: u64 = 512;

/// A guest in 4-level paging with this many page tables, each mapping `used` pages; every table's
/// first page was touched, so that all have live shadows.
fn guest(policy: Policy, tables: u64, used: u64) -> AnyVm {
    let mut machine = Machine::new(CpuModel::default(), RAM);
    let regs = ControlRegs::set_at_once(&machine.cpu.model, 0x8001_0011, ROOT, 0x20, 0xd00);
    machine.cpu.set_regs(regs.expect("a state that a processor can be in"));
    let memory = &mut machine.memory;
    memory.write_u64(Gpa(ROOT), PDPT | FLAGS);
    for directory in 0..tables.div_ceil(ENTRIES) {
        memory.write_u64(Gpa(PDPT + 8 * directory), (DIRECTORIES + (directory << 12)) | FLAGS);
    }
    for table in 0..tables {
        memory.write_u64(Gpa(DIRECTORIES + 8 * table), (TABLES + (table << 12)) | FLAGS);
        for page in 0..used {
            memory.write_u64(entry(table, page), target(table, page) | FLAGS);
        }
    }
    let policy = Policy { pages: tables as u32 + 1024, ..policy };
    let mut vm = AnyVm::shadow(machine, policy);
    vm.settle(&mut Quiet);
    for table in 0..tables {
        touch(&mut vm, address(table, 0));
    }
    assert!(vm.machine().cost.shadow_live >= tables, "every table has a live shadow");
    vm
}

const fn entry(table: u64, page: u64) -> Gpa {
    Gpa(TABLES + (table << 12) + 8 * page)
}

const fn target(table: u64, page: u64) -> u64 {
    PAGES + (((table % 4096) * ENTRIES + page) << 12)
}

const fn address(table: u64, page: u64) -> Gva {
    Gva(table << 21 | page << 12)
}

fn touch(vm: &mut AnyVm, va: Gva) {
    let access = Command::Access { va, kind: AccessKind::Read, user: true, ac: false, stack: false };
    let outcome = vm.execute(&access, &mut Quiet);
    assert!(matches!(black_box(outcome), Outcome::Translated(_)));
}

fn poke(vm: &mut AnyVm, pa: Gpa, val: u64) {
    let outcome = vm.execute(&Command::Poke { pa, val: Num(val), size: Size::WORD }, &mut Quiet);
    black_box(outcome);
}

/// The engines that are measured.
const POLICIES: [Policy; 2] = [Policy::kvm_2007(Switches::empty()), Policy::kvm_now(Switches::empty())];

/// Every page of 64 tables once: each access misses, exits, and fills one leaf entry.
fn leaf_fills(c: &mut Criterion) {
    const TABLES: u64 = 64;
    let mut group = c.benchmark_group("leaf fills");
    let fills = TABLES * (ENTRIES - 1);
    group.throughput(Throughput::Elements(fills));
    group.sample_size(20);
    for policy in POLICIES {
        // Without prefetching, so that each access is one fill.
        let policy = Policy { prefetch: 0, ..policy };
        group.bench_function(policy.name.id(), |b| {
            b.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    let mut vm = guest(policy, TABLES, ENTRIES);
                    let exits = vm.machine().cost.exits.page_fault;
                    let start = Instant::now();
                    for table in 0..TABLES {
                        for page in 1..ENTRIES {
                            touch(&mut vm, address(table, page));
                        }
                    }
                    spent += start.elapsed();
                    assert_eq!(vm.machine().cost.exits.page_fault - exits, fills);
                }
                spent
            });
        });
    }
    group.finish();
}

/// Stores to shadowed tables, each of which exits and is emulated. Tables take turns: three stores
/// in a row to one of them would be a flood. Today's KVM emulates stores to upper tables only.
fn emulated_writes(c: &mut Criterion) {
    const STORES: u64 = 4096;
    let mut group = c.benchmark_group("emulated table writes");
    group.throughput(Throughput::Elements(STORES));
    group.bench_function("kvm-2007, leaf tables", |b| {
        let mut vm = guest(Policy::kvm_2007(Switches::empty()), 64, ENTRIES);
        let mut done = 0;
        b.iter(|| {
            for i in 0..STORES {
                let (table, page) = (i % 64, 1 + i / 64);
                poke(&mut vm, entry(table, page), target(table, page) | FLAGS);
            }
            done += STORES;
        });
        assert_eq!(vm.machine().cost.exits.emulated_write, done, "each store was emulated");
    });
    group.finish();
}

/// The same commands on the same 64 tables while 100 or 100,000 shadow pages live: a store to a leaf
/// table, INVLPG, the access that fills the entry anew; once in 64 a MOV CR3.
fn scale(c: &mut Criterion) {
    const COMMANDS: u64 = 4096;
    let mut group = c.benchmark_group("commands while so many shadow pages live");
    group.throughput(Throughput::Elements(COMMANDS));
    for policy in POLICIES {
        for live in [100, 100_000] {
            let mut built = None;
            group.bench_function(format!("{}, {live}", policy.name.id()), |b| {
                let vm = built.get_or_insert_with(|| guest(policy, live, 8));
                b.iter(|| {
                    for i in 0..COMMANDS {
                        let (table, page) = (i % 64, 1 + i / 64 % 7);
                        poke(vm, entry(table, page), target(table, page) | FLAGS);
                        vm.execute(&Command::Invlpg { va: address(table, page) }, &mut Quiet);
                        touch(vm, address(table, page));
                        if i % 64 == 0 {
                            vm.execute(&Command::MovCr3 { val: Num(ROOT), compat: false }, &mut Quiet);
                        }
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, leaf_fills, emulated_writes, scale);
criterion_main!(benches);
