//! What each event removes from the TLB and the paging-structure caches, row by row of the
//! invalidation table (SDM 4.10.4.1), and the catalogue of stale entries S1 to S15.

mod reference;

use mmuscope::arch::address::Num;
use mmuscope::arch::{AccessKind, Features, Gpa, Gva};
use mmuscope::engine::{Outcome as Got, Quiet};
use mmuscope::lab::Lab;
use mmuscope::machine::Command;
use mmuscope::machine::command::Size;
use reference::cpu::{
    CR0_ET, CR0_PE, CR0_PG, CR0_WP, CR4_PAE, CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PSE, CR4_SMAP, CR4_SMEP, EFER_LME,
    EFER_NXE,
};
use reference::drive::{ALL_CACHES, World};
use reference::{Cpu, Memory};

use AccessKind::{Fetch, Read, Write};

/// Two address spaces with the same layout: pages N and M, and the global page G.
const ROOT1: u64 = 0x1000;
const ROOT2: u64 = 0x11000;
const N: u64 = 0x1000;
const M: u64 = 0x2000;
const G: u64 = 0x3000;
/// A 2 MiB page.
const L: u64 = 0x4000_0000;
const NO_FLUSH: u64 = 1 << 63;
const GLOBAL: u64 = 1 << 8;
const XD: u64 = 1 << 63;

/// Where the PTE of N, M or G lies in the address space of a root.
const fn pte_of(root: u64, page: u64) -> u64 {
    root + 0x3000 + 8 * (page >> 12)
}

const fn pde_of_l(root: u64) -> u64 {
    root + 0x4000
}

fn long_world() -> World {
    let mut memory = Memory::default();
    for (root, frames) in [(ROOT1, 0x40_0000), (ROOT2, 0x60_0000)] {
        memory.set_word(root, root + 0x1007);
        memory.set_word(root + 0x1000, root + 0x2007);
        memory.set_word(root + 0x1008, root + 0x4007);
        memory.set_word(root + 0x2000, root + 0x3007);
        memory.set_word(pte_of(root, N), frames | 0x1007);
        memory.set_word(pte_of(root, M), frames | 0x2007);
        memory.set_word(pte_of(root, G), 0x40_3007 | GLOBAL);
        memory.set_word(pde_of_l(root), 0x80_0087);
    }
    let cpu = Cpu {
        maxphyaddr: 40,
        amd: false,
        gb_pages: true,
        pse36: true,
        cr0: CR0_PE | CR0_ET | CR0_PG | CR0_WP,
        cr3: ROOT1,
        cr4: CR4_PAE | CR4_PGE,
        efer: EFER_LME | EFER_NXE,
        pkru: 0,
        pdptes: [0; 4],
    };
    World { cpu, features: Features::all() - Features::CET, memory }
}

/// A lab with the shorthand that these tests need.
struct Bench(Lab);

impl Bench {
    fn new(change: impl FnOnce(&mut World)) -> Self {
        let mut world = long_world();
        change(&mut world);
        Self(Lab::new(world.start(ALL_CACHES)))
    }

    /// PCIDs on; PCID 1 in the first address space and PCID 2 in the second have N and M cached,
    /// G is cached by PCID 1; PCID 2 is current.
    fn two_pcids(change: impl FnOnce(&mut World)) -> Self {
        let mut bench = Self::new(|world| {
            world.cpu.cr4 |= CR4_PCIDE;
            world.cpu.cr3 = ROOT1 | 1;
            change(world);
        });
        for page in [N, M, G] {
            bench.read(page);
        }
        bench.cr3(ROOT2 | 2);
        for page in [N, M] {
            bench.read(page);
        }
        assert_eq!(bench.leaves(), ["1:N", "1:M", "1:G", "2:N", "2:M"]);
        assert_eq!(bench.prefixes(), "1:234 2:234");
        bench
    }

    /// PCIDs off; N, M and G cached.
    fn one_space(change: impl FnOnce(&mut World)) -> Self {
        let mut bench = Self::new(change);
        for page in [N, M, G] {
            bench.read(page);
        }
        assert_eq!(bench.leaves(), ["0:N", "0:M", "0:G"]);
        bench
    }

    fn run(&mut self, command: Command) -> Got {
        self.0.execute_with(command, &mut Quiet)
    }

    fn accepted(&mut self, command: Command) {
        assert_eq!(self.run(command), Got::Done);
    }

    /// Where an access leads, or the error code of its page fault.
    fn access(&mut self, va: u64, kind: AccessKind, user: bool) -> Result<u64, u32> {
        match self.run(Command::Access { va: Gva(va), kind, user, ac: false, stack: false }) {
            Got::Translated(found) => Ok(found.gpa.0),
            Got::Faulted(fault) => Err(fault.code.bits()),
            other => panic!("an access gave {other:?}"),
        }
    }

    fn read(&mut self, va: u64) -> u64 {
        self.access(va, Read, false).expect("mapped")
    }

    fn poke(&mut self, at: u64, value: u64) {
        self.accepted(Command::Poke { pa: Gpa(at), val: Num(value), size: Size::WORD });
    }

    fn word(&self, at: u64) -> u64 {
        self.0.machine().memory.read(Gpa(at), 8)
    }

    fn cr0(&mut self, toggle: u64, compat: bool) {
        let val = Num(self.0.machine().cpu.regs.cr0.bits() ^ toggle);
        self.accepted(Command::MovCr0 { val, compat });
    }

    fn cr3(&mut self, value: u64) {
        self.accepted(Command::MovCr3 { val: Num(value), compat: false });
    }

    fn cr4(&mut self, toggle: u64) {
        let val = Num(self.0.machine().cpu.regs.cr4.bits() ^ toggle);
        self.accepted(Command::MovCr4 { val, compat: false });
    }

    fn efer(&mut self, toggle: u64) {
        let val = Num(self.0.machine().cpu.regs.efer.bits() ^ toggle);
        self.accepted(Command::WrmsrEfer { val, compat: false });
    }

    fn invlpg(&mut self, va: u64) {
        self.accepted(Command::Invlpg { va: Gva(va) });
    }

    fn invpcid(&mut self, kind: u64, pcid: u64, va: u64) {
        self.accepted(Command::Invpcid { kind: Num(kind), pcid: Num(pcid), va: Gva(va) });
    }

    /// The TLB as PCID and page, in the order of PCIDs.
    fn leaves(&self) -> Vec<String> {
        let mut found: Vec<_> = self.0.machine().tlb.entries().map(|e| (e.pcid, e.page.0, e.global)).collect();
        found.sort_unstable();
        let name = |(pcid, page, global): (u16, u64, bool)| {
            assert_eq!(global, page == G);
            match page {
                N => format!("{pcid}:N"),
                M => format!("{pcid}:M"),
                G => format!("{pcid}:G"),
                _ => format!("{pcid}:{page:#x}"),
            }
        };
        found.into_iter().map(name).collect()
    }

    /// The paging-structure caches: for each PCID the levels of its entries.
    fn prefixes(&self) -> String {
        let mut found: Vec<_> = self.0.machine().psc.entries().map(|e| (e.pcid, e.level)).collect();
        found.sort_unstable();
        let of = |pcid: u16| -> String { found.iter().filter(|e| e.0 == pcid).map(|e| e.1.to_string()).collect() };
        let shown: Vec<String> =
            (0..3).filter(|p| !of(*p).is_empty()).map(|pcid| format!("{pcid}:{}", of(pcid))).collect();
        shown.join(" ")
    }
}

/// One row: the event, what stays in the TLB, what stays in the paging-structure caches.
fn row(mut bench: Bench, event: impl FnOnce(&mut Bench), leaves: &[&str], prefixes: &str) {
    event(&mut bench);
    assert_eq!(bench.leaves(), leaves);
    assert_eq!(bench.prefixes(), prefixes);
}

const EVERYTHING: [&str; 5] = ["1:N", "1:M", "1:G", "2:N", "2:M"];
const ALL_PREFIXES: &str = "1:234 2:234";

#[test]
fn mov_cr3() {
    row(Bench::one_space(|_| ()), |b| b.cr3(ROOT2), &["0:G"], "");
    row(Bench::one_space(|_| ()), |b| b.cr3(ROOT1), &["0:G"], "");
    let without_1 = ["1:G", "2:N", "2:M"];
    row(Bench::two_pcids(|_| ()), |b| b.cr3(ROOT1 | 1), &without_1, "2:234");
    row(Bench::two_pcids(|_| ()), |b| b.cr3(ROOT2 | 2), &EVERYTHING[..3], "1:234");
    row(Bench::two_pcids(|_| ()), |b| b.cr3(ROOT1 | 1 | NO_FLUSH), &EVERYTHING, ALL_PREFIXES);
}

#[test]
fn invlpg() {
    row(Bench::two_pcids(|_| ()), |b| b.invlpg(N | 0xabc), &["1:N", "1:M", "1:G", "2:M"], "1:234");
    row(Bench::two_pcids(|_| ()), |b| b.invlpg(G), &["1:N", "1:M", "2:N", "2:M"], "1:234");
    // Of a page that is not cached: the structure caches of the PCID go all the same.
    row(Bench::two_pcids(|_| ()), |b| b.invlpg(0x7000_0000), &EVERYTHING, "1:234");
    row(Bench::two_pcids(|_| ()), |b| b.invlpg(1 << 60), &EVERYTHING, ALL_PREFIXES);
}

#[test]
fn invpcid() {
    row(Bench::two_pcids(|_| ()), |b| b.invpcid(0, 1, N), &["1:M", "1:G", "2:N", "2:M"], "2:234");
    row(Bench::two_pcids(|_| ()), |b| b.invpcid(0, 1, G), &EVERYTHING, "2:234");
    row(Bench::two_pcids(|_| ()), |b| b.invpcid(1, 1, 0), &["1:G", "2:N", "2:M"], "2:234");
    row(Bench::two_pcids(|_| ()), |b| b.invpcid(2, 0, 0), &[], "");
    row(Bench::two_pcids(|_| ()), |b| b.invpcid(3, 0, 0), &["1:G"], "");
    // With PCIDs off all four types work on PCID 0.
    row(Bench::one_space(|_| ()), |b| b.invpcid(0, 0, N), &["0:M", "0:G"], "");
    row(Bench::one_space(|_| ()), |b| b.invpcid(1, 0, 0), &["0:G"], "");
}

#[test]
fn mov_cr4() {
    row(Bench::two_pcids(|_| ()), |b| b.cr4(CR4_PGE), &[], "");
    row(Bench::two_pcids(|_| ()), |b| b.cr4(CR4_PCIDE), &[], "");
    row(Bench::two_pcids(|_| ()), |b| b.cr4(CR4_SMEP), &["1:N", "1:M"], "1:234");
    let smep = |world: &mut World| world.cpu.cr4 |= CR4_SMEP;
    row(Bench::two_pcids(smep), |b| b.cr4(CR4_SMEP), &EVERYTHING, ALL_PREFIXES);
    for nothing in [CR4_SMAP, CR4_PKE, CR4_PSE] {
        row(Bench::two_pcids(|_| ()), |b| b.cr4(nothing), &EVERYTHING, ALL_PREFIXES);
    }
    row(Bench::one_space(|_| ()), |b| b.cr4(CR4_PCIDE), &["0:N", "0:M", "0:G"], "0:234");
}

/// Leaving PAE paging for 32-bit paging drops what the PCID can use, global translations too.
#[test]
fn mov_cr4_pae() {
    let pae = |world: &mut World| {
        world.cpu.efer = 0;
        world.cpu.cr3 = ROOT1 + 0x5000;
        world.memory.set_word(ROOT1 + 0x5000, ROOT1 + 0x2001);
    };
    row(Bench::one_space(pae), |b| b.cr4(CR4_PAE), &[], "");
}

#[test]
fn mov_cr0_and_the_events_that_remove_nothing() {
    row(Bench::one_space(|_| ()), |b| b.cr0(CR0_PG, true), &[], "");
    row(Bench::two_pcids(|_| ()), |b| b.cr0(CR0_WP, false), &EVERYTHING, ALL_PREFIXES);
    row(Bench::two_pcids(|_| ()), |b| b.efer(EFER_NXE), &EVERYTHING, ALL_PREFIXES);
    let keys = |world: &mut World| world.cpu.cr4 |= CR4_PKE;
    row(Bench::two_pcids(keys), |b| b.accepted(Command::Wrpkru { val: Num(0xc) }), &EVERYTHING, ALL_PREFIXES);
    row(Bench::two_pcids(|_| ()), |b| b.poke(pte_of(ROOT2, N), 0), &EVERYTHING, ALL_PREFIXES);
}

/// A page fault drops what the current PCID would use for the address.
#[test]
fn page_fault() {
    let read_only = |world: &mut World| world.memory.set_word(pte_of(ROOT2, N), 0x60_1005);
    let fault = |b: &mut Bench| assert_eq!(b.access(N, Write, true), Err(7));
    row(Bench::two_pcids(read_only), fault, &["1:N", "1:M", "1:G", "2:M"], "1:234");
}

#[test]
fn s1_s2_a_remapped_page() {
    let mut b = Bench::one_space(|_| ());
    b.poke(pte_of(ROOT1, N), 0x50_0007);
    assert_eq!(b.read(N), 0x40_1000, "S1: nothing was invalidated");
    b.invlpg(N);
    assert_eq!(b.read(N), 0x50_0000, "S2");
}

#[test]
fn s3_invlpg_of_another_page_drops_the_structure_caches_only() {
    let mut b = Bench::one_space(|_| ());
    b.poke(ROOT1 + 0x2000, 0);
    b.invlpg(M);
    assert_eq!(b.read(N), 0x40_1000, "the leaf is still cached");
    assert_eq!(b.access(M, Read, false), Err(0), "the PDE is read again");
    // Without that INVLPG a page whose leaf is not cached is reached through the cached PDE.
    let mut b = Bench::one_space(|world| world.memory.set_word(ROOT1 + 0x3020, 0x40_4007));
    b.poke(ROOT1 + 0x2000, 0);
    assert_eq!(b.read(0x4000), 0x40_4000);
}

#[test]
fn s4_a_global_page_outlives_mov_cr3() {
    let mut b = Bench::one_space(|_| ());
    b.poke(pte_of(ROOT1, G), 0x50_0007);
    b.cr3(ROOT1);
    assert_eq!(b.read(G), 0x40_3000);
    b.cr4(CR4_PGE);
    assert_eq!(b.read(G), 0x50_0000);
}

#[test]
fn s5_s6_address_spaces_that_keep_their_translations() {
    for invalidate in [false, true] {
        let mut b = Bench::two_pcids(|_| ());
        b.poke(pte_of(ROOT1, N), 0x50_0007);
        if invalidate {
            b.invpcid(1, 1, 0);
        }
        b.cr3(ROOT1 | 1 | NO_FLUSH);
        assert_eq!(b.read(N), if invalidate { 0x50_0000 } else { 0x40_1000 });
    }
}

#[test]
fn s7_without_pge_the_g_bit_is_ignored() {
    let mut b = Bench::new(|world| world.cpu.cr4 &= !CR4_PGE);
    b.read(G);
    b.poke(pte_of(ROOT1, G), 0x50_0007 | GLOBAL);
    b.cr3(ROOT1);
    assert_eq!(b.read(G), 0x50_0000);
}

#[test]
fn s8_a_cleared_dirty_bit_stays_clear() {
    let mut b = Bench::new(|_| ());
    assert_eq!(b.access(N, Write, false), Ok(0x40_1000));
    assert_eq!(b.word(pte_of(ROOT1, N)), 0x40_1067);
    b.poke(pte_of(ROOT1, N), 0x40_1027);
    assert_eq!(b.access(N, Write, false), Ok(0x40_1000));
    assert_eq!(b.word(pte_of(ROOT1, N)), 0x40_1027, "the cached translation has D");
    b.invlpg(N);
    assert_eq!(b.access(N, Write, false), Ok(0x40_1000));
    assert_eq!(b.word(pte_of(ROOT1, N)), 0x40_1067);
    // A translation that a read cached does not serve a write: D is set by a new walk.
    let mut b = Bench::one_space(|_| ());
    assert_eq!(b.access(M, Write, false), Ok(0x40_2000));
    assert_eq!(b.word(pte_of(ROOT1, M)), 0x40_2067);
}

#[test]
fn s9_more_rights_need_no_invalidation() {
    let mut b = Bench::new(|world| world.memory.set_word(pte_of(ROOT1, N), 0x40_1005));
    b.read(N);
    b.poke(pte_of(ROOT1, N), 0x40_1007);
    let first = b.access(N, Write, true);
    assert!(first == Ok(0x40_1000) || first == Err(7), "success or one spurious fault");
    assert_eq!(b.access(N, Write, true), Ok(0x40_1000));
}

#[test]
fn s10_s15_a_large_page() {
    let mut b = Bench::new(|_| ());
    assert_eq!(b.read(L | 0x1_2345), 0x81_2345);
    // Split: a table of 4 KiB pages with other frames.
    b.poke(ROOT1 + 0x5000 + 8 * 0x12, 0x50_0007);
    b.poke(pde_of_l(ROOT1), ROOT1 + 0x5007);
    assert_eq!(b.read(L | 0x1_2345), 0x81_2345, "S10: the large page is still cached");
    b.invlpg(L | 0x1f_f000);
    assert_eq!(b.read(L | 0x1_2345), 0x50_0345, "S15: through any address inside");
    assert_eq!(b.access(L, Read, false), Err(0));
}

#[test]
fn s11_a_pdpte_in_memory_is_not_looked_at() {
    let mut b = Bench::new(|world| {
        world.cpu.efer = 0;
        world.cpu.cr3 = ROOT1 + 0x5000;
        world.memory.set_word(ROOT1 + 0x5000, ROOT1 + 0x2001);
        world.memory.set_word(ROOT2 + 0x5000, ROOT2 + 0x2001);
    });
    assert_eq!(b.read(N), 0x40_1000);
    b.poke(ROOT1 + 0x5000, ROOT2 + 0x2001);
    b.invlpg(N);
    assert_eq!(b.read(N), 0x40_1000, "no invalidation helps");
    b.cr3(ROOT1 + 0x5000);
    assert_eq!(b.read(N), 0x60_1000);
}

#[test]
fn s12_s13_wp_and_pkru_count_at_once() {
    let mut b = Bench::new(|world| {
        world.cpu.cr4 |= CR4_PKE;
        world.memory.set_word(pte_of(ROOT1, N), 1 << 59 | 0x40_1065);
    });
    assert_eq!(b.read(N), 0x40_1000);
    assert_eq!(b.access(N, Write, false), Err(3));
    b.read(N);
    b.cr0(CR0_WP, false);
    assert_eq!(b.access(N, Write, false), Ok(0x40_1000), "S12");
    b.accepted(Command::Wrpkru { val: Num(0x4) });
    assert_eq!(b.access(N, Read, false), Err(0x21), "S13");
    assert_eq!(b.access(N, Fetch, false), Ok(0x40_1000), "keys do not count for fetches");
    b.accepted(Command::Wrpkru { val: Num(0) });
    assert_eq!(b.access(N, Read, false), Ok(0x40_1000));
}

#[test]
fn s14_nxe_counts_at_the_next_walk() {
    let mut b = Bench::new(|world| world.memory.set_word(pte_of(ROOT1, N), XD | 0x40_1007));
    assert_eq!(b.read(N), 0x40_1000);
    b.efer(EFER_NXE);
    assert_eq!(b.read(N), 0x40_1000, "cached before bit 63 became reserved");
    b.invlpg(N);
    assert_eq!(b.access(N, Read, false), Err(9));
    b.efer(EFER_NXE);
    assert_eq!(b.read(N), 0x40_1000);
    assert_eq!(b.access(N, Fetch, false), Err(0x11));
}

/// The same page for user and kernel: a cached translation does not outlive the rules of the access.
#[test]
fn a_cached_user_page_still_obeys_smep_and_smap() {
    let mut b = Bench::new(|world| world.cpu.cr4 |= CR4_SMAP | CR4_SMEP);
    assert_eq!(b.access(N, Read, true), Ok(0x40_1000));
    assert_eq!(b.access(N, Read, false), Err(1));
    assert_eq!(b.access(N, Fetch, true), Ok(0x40_1000));
    assert_eq!(b.access(N, Fetch, false), Err(0x11));
}
