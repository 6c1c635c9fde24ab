//! What the README claims about speed, measured: `cargo bench --no-default-features --bench core`.

#![allow(unsafe_code, reason = "the crate that the walk is compared with takes raw table addresses")]
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mmuscope::arch::address::Num;
use mmuscope::arch::walk::{Silent, TableMemory as _};
use mmuscope::arch::{Access, AccessKind, ControlRegs, CpuModel, Gpa, Gva};
use mmuscope::engine::{AnyVm, EngineName, Quiet};
use mmuscope::lab::Lab;
use mmuscope::machine::command::Size;
use mmuscope::machine::{Caches, Command, Machine};
use mmuscope::scenario::{Scenario, run};
use x86_64::structures::paging::mapper::PageTableFrameMapping;
use x86_64::structures::paging::{MappedPageTable, PageTable, PageTableFlags, PhysFrame, Translate};
use x86_64::{PhysAddr, VirtAddr};

/// Mapped 4 KiB pages: 64 page tables.
const PAGES: u64 = 32_768;
/// The PML4; the PDPT, the PD and the page tables follow.
const ROOT: u64 = 0x1000;
const TABLES: usize = 1 + 3 + (PAGES / 512) as usize;
const FIRST_PAGE: u64 = 0x1000_0000;
/// P, R/W, U/S, A, D.
const FLAGS: u64 = 0x67;

/// A machine in 4-level paging whose first [`PAGES`] pages are mapped, A and D set.
fn mapped_machine() -> Machine {
    let mut machine = Machine::new(CpuModel::default(), 1 << 30);
    let regs = ControlRegs::set_at_once(&machine.cpu.model, 0x8001_0011, ROOT, 0xa0, 0x900);
    machine.cpu.set_regs(regs.expect("a state that a processor can be in"));
    machine.memory.write_u64(Gpa(ROOT), (ROOT + 0x1000) | FLAGS);
    machine.memory.write_u64(Gpa(ROOT + 0x1000), (ROOT + 0x2000) | FLAGS);
    for table in 0..PAGES / 512 {
        machine.memory.write_u64(Gpa(ROOT + 0x2000 + 8 * table), (ROOT + 0x3000 + (table << 12)) | FLAGS);
    }
    for page in 0..PAGES {
        machine.memory.write_u64(Gpa(ROOT + 0x3000 + 8 * page), (FIRST_PAGE + (page << 12)) | FLAGS);
    }
    machine
}

/// Every mapped page once, in an order without locality.
fn addresses() -> Vec<u64> {
    let mut order: Vec<u64> = (0..PAGES).collect();
    let mut state = 1u64;
    for i in (1..order.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(i, (state >> 33) as usize % (i + 1));
    }
    order.into_iter().map(|page| page << 12 | 0x123).collect()
}

/// The same tables for the `x86_64` crate, in a buffer that stands for physical memory from 0.
struct Buffer(Vec<PageTable>);

impl Buffer {
    fn of(machine: &Machine) -> Self {
        let mut tables = vec![PageTable::new(); TABLES];
        for (number, table) in tables.iter_mut().enumerate() {
            for (index, entry) in table.iter_mut().enumerate() {
                let value = machine.memory.read_u64(Gpa((number as u64) << 12 | (index as u64) << 3));
                let address = value & 0xf_ffff_ffff_f000;
                entry.set_addr(PhysAddr::new(address), PageTableFlags::from_bits_retain(value & !address));
            }
        }
        Self(tables)
    }
}

struct Offset(*mut PageTable);

// SAFETY: every table that the walked entries name lies in the buffer at its frame number.
unsafe impl PageTableFrameMapping for Offset {
    fn frame_to_pointer(&self, frame: PhysFrame) -> *mut PageTable {
        self.0.wrapping_add((frame.start_address().as_u64() >> 12) as usize)
    }
}

fn walks(c: &mut Criterion) {
    let machine = mapped_machine();
    let addresses = addresses();
    let mut group = c.benchmark_group("walk, 4 levels, 32768 pages in random order");
    group.throughput(Throughput::Elements(PAGES));
    group.bench_function("mmuscope, with rights", |b| {
        let access = Access { kind: AccessKind::Read, user: true, implicit: false, ac: false, stack: false };
        let cpu = &machine.cpu;
        b.iter(|| {
            let mut sum = 0u64;
            for va in &addresses {
                let gva = Gva(*va);
                let start = cpu.paging.start(&cpu.pdptes, gva, &access);
                let found = start
                    .and_then(|start| cpu.paging.find(&machine.memory, start, gva, &access, cpu.pkru, &mut Silent));
                sum = sum.wrapping_add(found.map_or(0, |found| found.gpa(gva).0));
            }
            black_box(sum)
        });
    });
    group.bench_function("x86_64 crate, without rights", |b| {
        let mut buffer = Buffer::of(&machine);
        let base = buffer.0.as_mut_ptr();
        // SAFETY: the root lies in the buffer, which outlives the mapper and is not used otherwise.
        let mapper = unsafe { MappedPageTable::new(&mut *base.add((ROOT >> 12) as usize), Offset(base)) };
        b.iter(|| {
            let mut sum = 0u64;
            for va in &addresses {
                let found = mapper.translate_addr(VirtAddr::new(*va));
                sum = sum.wrapping_add(found.map_or(0, PhysAddr::as_u64));
            }
            black_box(sum)
        });
    });
    group.finish();
}

fn tlb_hits(c: &mut Criterion) {
    const HITS: u64 = 4096;
    let vm = AnyVm::new(mapped_machine(), EngineName::Native.into());
    let access = |page: u64| Command::Access {
        va: Gva(page << 12 | 0x123),
        kind: AccessKind::Read,
        user: true,
        ac: false,
        stack: false,
    };
    let mut lab = Lab::new(vm);
    for page in 0..16 {
        lab.execute_with(access(page), &mut Quiet);
    }
    let mut group = c.benchmark_group("TLB hit");
    group.throughput(Throughput::Elements(HITS));
    group.bench_function("in the lab, with a log that grows", |b| {
        let run = |mut lab: Lab| {
            for i in 0..HITS {
                black_box(lab.execute_with(access(i % 16), &mut Quiet));
            }
            lab
        };
        // One log at a time. Beside the lab's own work this has the kernel hand out memory for the log.
        b.iter_batched(|| lab.clone(), run, BatchSize::PerIteration);
    });
    group.bench_function("in the lab, along commands that it knows", |b| {
        let mut lab = Lab::new(lab.vm().clone());
        for i in 0..HITS {
            lab.execute_with(access(i % 16), &mut Quiet);
        }
        b.iter(|| {
            lab.seek(0);
            for i in 0..HITS {
                black_box(lab.execute_with(access(i % 16), &mut Quiet));
            }
        });
    });
    group.bench_function("on the machine", |b| {
        let mut vm = lab.vm().clone();
        b.iter(|| {
            for i in 0..HITS {
                black_box(vm.execute(&access(i % 16), &mut Quiet));
            }
        });
    });
    group.finish();
}

/// Every line of the recorded vectors, with the number of its steps.
fn vectors() -> (Vec<String>, u64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("the vectors are there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "gz"))
        .collect();
    names.sort();
    let mut lines = Vec::new();
    for name in names {
        let mut text = String::new();
        let file = std::fs::File::open(&name).expect("it can be opened");
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("it can be unpacked");
        lines.extend(text.lines().map(str::to_owned));
    }
    let steps = |line: &String| Scenario::from_json("line", line).expect("a vector").steps.len() as u64;
    let count = lines.iter().map(steps).sum();
    (lines, count)
}

fn conform(c: &mut Criterion) {
    let (lines, steps) = vectors();
    let mut group = c.benchmark_group("conform");
    group.throughput(Throughput::Elements(steps));
    group.sample_size(20);
    group.bench_function("steps, read and run", |b| {
        b.iter(|| {
            for line in &lines {
                let scenario = Scenario::from_json("line", line).expect("a vector");
                let verdict = run(&scenario, EngineName::Native, Caches::default()).expect("it starts");
                assert!(verdict.passed());
            }
        });
    });
    group.finish();
}

fn snapshots(c: &mut Criterion) {
    let mut machine = Machine::new(CpuModel::default(), 16 << 20);
    for page in 0..4096 {
        machine.memory.write_u64(Gpa(page << 12), page + 1);
    }
    let vm = AnyVm::new(machine, EngineName::Native.into());
    let mut group = c.benchmark_group("snapshots of 4096 pages");
    group.bench_function("1000, one page changed between each", |b| {
        let run = |mut vm: AnyVm| {
            let mut kept = Vec::with_capacity(1000);
            for i in 0..1000u64 {
                kept.push(vm.clone());
                let pa = Gpa((i * 37 % 4096) << 12 | 8);
                vm.execute(&Command::Poke { pa, val: Num(i), size: Size::WORD }, &mut Quiet);
            }
            (kept, vm)
        };
        b.iter_batched(|| vm.clone(), run, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, walks, tlb_hits, conform, snapshots);
criterion_main!(benches);
