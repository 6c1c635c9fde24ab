//! Everything that the TLB and the paging-structure caches may hold (SDM 4.10).
//!
//! A processor may cache what a walk read and may forget it at any time; it must forget what an
//! invalidation names. So this is the largest set that the rules allow: an access may end as any
//! member of it says, or as a walk from the top says, and in no other way.

use std::collections::BTreeMap;

use super::cpu::{CR4_PGE, Cpu, Mode};
use super::rights::{self, Grant};
use super::walk::{self, Access, Descent, Kind, Outcome, Path, Stop, Words};

/// A translation that may be cached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leaf {
    pcid: u64,
    la: u64,
    page: u64,
    page_bits: u32,
    grant: Grant,
    dirty: bool,
    global: bool,
    /// The 4 KiB pages of it that a page fault removed: a large page may be cached in pieces, and a
    /// fault removes that of its own address.
    without: Vec<u64>,
}

impl Leaf {
    fn covers(&self, la: u64) -> bool {
        la >> self.page_bits == self.la >> self.page_bits
    }
}

/// A non-leaf entry that may be cached, with what the entries down to it grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    pcid: u64,
    /// Its level, 2 to 5.
    level: u32,
    /// Log2 of what it covers.
    shift: u32,
    la: u64,
    table: u64,
    grant: Grant,
}

impl Prefix {
    fn covers(&self, la: u64) -> bool {
        la >> self.shift == self.la >> self.shift
    }
}

/// What an instruction must remove (SDM 4.10.4.1); the processor may remove more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    Nothing,
    /// INVLPG.
    Page(u64, u64),
    /// INVPCID type 0.
    PageOfPcid(u64, u64),
    /// MOV CR3, INVPCID type 1.
    Pcid(u64),
    /// CR4.PAE changed or CR4.SMEP set.
    PcidAndGlobal(u64),
    /// INVPCID type 3.
    AllButGlobal,
    /// INVPCID type 2, CR4.PGE changed, CR4.PCIDE or CR0.PG cleared.
    Everything,
}

/// The log2 of what an entry of a level covers.
pub fn span(mode: Mode, level: u32) -> u32 {
    12 + (level - 1) * if mode == Mode::Bits32 { 10 } else { 9 }
}

/// Every address that a program uses, by the index that it may have in a table of each level: first
/// those of level 1.
pub type Indices<'a> = &'a [&'a [u64]];

/// The set.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// By the number of the first 4 KiB page that each covers.
    leaves: BTreeMap<u64, Vec<Leaf>>,
    prefixes: Vec<Prefix>,
}

/// How an access may end, and the entries that it may set A or D in then.
struct Ending {
    outcome: Outcome,
    /// None: the TLB answers, and nothing is set.
    path: Option<Path>,
}

impl Allowed {
    /// Remembers everything that the processor may cache now for the addresses of a program: it may
    /// walk without being asked, and a hypervisor fills what lies beside.
    pub fn speculate(&mut self, cpu: &Cpu, memory: &impl Words, indices: Indices) {
        let mode = cpu.mode();
        if mode == Mode::Unpaged {
            return;
        }
        let pcid = cpu.pcid();
        let mut open: Vec<Prefix> = self.prefixes.iter().filter(|p| p.pcid == pcid).copied().collect();
        open.extend(tops(cpu, indices));
        while let Some(above) = open.pop() {
            let level = above.level - 1;
            let shift = span(mode, level);
            for index in indices[level as usize - 1] {
                let la = above.la | index << shift;
                match walk::step(cpu, memory, la, Descent::resumed(above.table, above.grant), level) {
                    Ok(walk::Stepped::Leaf(path)) => self.add_leaf(cpu, la, &path, path.dirty),
                    Ok(walk::Stepped::Table(Descent { table, grant, .. })) => {
                        let prefix = Prefix { pcid, level, shift, la, table, grant };
                        if !self.prefixes.contains(&prefix) {
                            self.prefixes.push(prefix);
                            open.push(prefix);
                        }
                    }
                    Err(_) => {}
                }
            }
        }
    }

    fn add_leaf(&mut self, cpu: &Cpu, la: u64, path: &Path, dirty: bool) {
        let leaf = Leaf {
            pcid: cpu.pcid(),
            la: la >> path.page_bits << path.page_bits,
            page: path.page,
            page_bits: path.page_bits,
            grant: path.grant,
            dirty,
            global: path.global && cpu.cr4 & CR4_PGE != 0,
            without: Vec::new(),
        };
        let same_place = self.leaves.entry(leaf.la >> 12).or_default();
        if !same_place.contains(&leaf) {
            same_place.push(leaf);
        }
    }

    /// Judges how an access ended. Returns the bits that it may have set in memory, by entry.
    ///
    /// # Errors
    /// No ending that the rules allow.
    pub fn ends(
        &self,
        cpu: &Cpu,
        before: &impl Words,
        access: &Access,
        got: Outcome,
    ) -> Result<Vec<(u64, u64)>, String> {
        let endings = self.endings(cpu, before, access);
        if !endings.iter().any(|ending| same_end(ending.outcome, got)) {
            let possible: Vec<Outcome> = endings.iter().map(|ending| ending.outcome).collect();
            return Err(format!("{access:x?} ended in {got:x?}; possible are {possible:x?}"));
        }
        let reaches = matches!(got, Outcome::Reaches { .. });
        let paths = endings.iter().filter(|ending| reaches && matches!(ending.outcome, Outcome::Reaches { .. }));
        Ok(paths.filter_map(|ending| ending.path).flat_map(|path| walk::updates(&path, access)).collect())
    }

    /// Judges how an access ended on bare hardware, with the bits that it set in memory: exactly those
    /// of one of the walks that end so, or none where the TLB may have answered.
    ///
    /// # Errors
    /// No ending that the rules allow.
    pub fn ends_exactly(
        &self,
        cpu: &Cpu,
        before: &impl Words,
        access: &Access,
        got: Outcome,
        changed: &[(u64, u64)],
    ) -> Result<(), String> {
        let endings = self.endings(cpu, before, access);
        let explains = |ending: &Ending| {
            let mut words: BTreeMap<u64, u64> = BTreeMap::new();
            let reaches = matches!(ending.outcome, Outcome::Reaches { .. });
            for (at, bits) in ending.path.filter(|_| reaches).iter().flat_map(|path| walk::updates(path, access)) {
                let (word, bits) = (at & !7, if at & 4 == 0 { bits } else { bits << 32 });
                *words.entry(word).or_default() |= bits & !before.word(word);
            }
            words.retain(|_, bits| *bits != 0);
            ending.outcome == got && words.into_iter().eq(changed.iter().copied())
        };
        if endings.iter().any(explains) {
            return Ok(());
        }
        let possible: Vec<Outcome> = endings.iter().map(|ending| ending.outcome).collect();
        Err(format!("{access:x?} ended in {got:x?} and set {changed:x?}; possible are {possible:x?}"))
    }

    /// Every way in which an access may end.
    fn endings(&self, cpu: &Cpu, memory: &impl Words, access: &Access) -> Vec<Ending> {
        let la = match walk::linear(cpu, access) {
            Err(outcome) => return vec![Ending { outcome, path: None }],
            Ok(la) => la,
        };
        let cached = self.leaves_of(la).filter_map(|leaf| leaf_gives(leaf, cpu, la, access));
        let cached = cached.map(|outcome| Ending { outcome, path: None });
        let walks = self.starts(cpu, la).map(|start| {
            let walked = start.walk(cpu, memory, la);
            Ending { outcome: walk::verdict(cpu, la, access, &walked), path: walked.ok() }
        });
        walks.chain(cached).collect()
    }

    /// The leaves that cover an address.
    fn leaves_of(&self, la: u64) -> impl Iterator<Item = &Leaf> {
        let places = [12, 21, 22, 30].map(|bits| (bits, la >> bits << bits >> 12));
        let of =
            |(bits, place)| self.leaves.get(&place).into_iter().flatten().filter(move |l: &&Leaf| l.page_bits == bits);
        places.into_iter().flat_map(of)
    }

    /// #PF: the processor drops what it would use for the address (SDM 4.10.4.1).
    pub fn page_fault(&mut self, cpu: &Cpu, la: u64) {
        let pcid = cpu.pcid();
        self.keep_leaves(|leaf| {
            !(leaf.la >> 12 == la >> 12 && leaf.pcid == pcid && !leaf.global && leaf.page_bits == 12)
        });
        let large =
            self.leaves.values_mut().flatten().filter(|leaf| leaf.covers(la) && leaf.pcid == pcid && !leaf.global);
        large.for_each(|leaf| leaf.without.push(la >> 12));
        self.prefixes.retain(|prefix| !(prefix.covers(la) && prefix.pcid == pcid));
    }

    /// Where a walk may begin: at the top, or below any cached prefix of the address.
    fn starts(&self, cpu: &Cpu, la: u64) -> impl Iterator<Item = Start> {
        let pcid = cpu.pcid();
        let usable = move |prefix: &&Prefix| prefix.pcid == pcid && prefix.covers(la);
        let below = self.prefixes.iter().filter(usable).copied().map(Start::Below);
        std::iter::once(Start::Top).chain(below)
    }

    fn keep_leaves(&mut self, kept: impl Fn(&Leaf) -> bool) {
        self.leaves.retain(|_, leaves| {
            leaves.retain(&kept);
            !leaves.is_empty()
        });
    }

    /// Forgets what an instruction names.
    pub fn flush(&mut self, flush: Flush) {
        match flush {
            Flush::Nothing => {}
            Flush::Page(la, pcid) => {
                self.keep_leaves(|leaf| !(leaf.covers(la) && (leaf.pcid == pcid || leaf.global)));
                self.prefixes.retain(|prefix| prefix.pcid != pcid);
            }
            Flush::PageOfPcid(la, pcid) => {
                self.keep_leaves(|leaf| !(leaf.covers(la) && leaf.pcid == pcid && !leaf.global));
                self.prefixes.retain(|prefix| !(prefix.pcid == pcid && prefix.covers(la)));
            }
            Flush::Pcid(pcid) => {
                self.keep_leaves(|leaf| leaf.pcid != pcid || leaf.global);
                self.prefixes.retain(|prefix| prefix.pcid != pcid);
            }
            Flush::PcidAndGlobal(pcid) => {
                self.keep_leaves(|leaf| leaf.pcid != pcid && !leaf.global);
                self.prefixes.retain(|prefix| prefix.pcid != pcid);
            }
            Flush::AllButGlobal => {
                self.keep_leaves(|leaf| leaf.global);
                self.prefixes.clear();
            }
            Flush::Everything => {
                self.leaves.clear();
                self.prefixes.clear();
            }
        }
    }
}

/// The top structures, as if entries above led to them.
fn tops(cpu: &Cpu, indices: Indices) -> Vec<Prefix> {
    let mode = cpu.mode();
    let grant = Grant::ALL;
    let pcid = cpu.pcid();
    let root = |level: u32, table: u64| Prefix { pcid, level: level + 1, shift: 63, la: 0, table, grant };
    match mode {
        Mode::Unpaged => Vec::new(),
        Mode::Bits32 => vec![root(2, walk::field(cpu.cr3, 12, 31))],
        Mode::FourLevel => vec![root(4, walk::field(cpu.cr3, 12, cpu.maxphyaddr - 1))],
        Mode::FiveLevel => vec![root(5, walk::field(cpu.cr3, 12, cpu.maxphyaddr - 1))],
        Mode::Pae => {
            let usable = |index: &&u64| walk::pae_directory(cpu, **index).is_ok();
            let of = |index: &u64| {
                let table = walk::pae_directory(cpu, *index).unwrap_or_default();
                Prefix { pcid, level: 3, shift: 30, la: index << 30, table, grant }
            };
            indices[2].iter().filter(usable).map(of).collect()
        }
    }
}

/// Whether two outcomes are the same for the guest, page sizes apart.
fn same_end(a: Outcome, b: Outcome) -> bool {
    match (a, b) {
        (Outcome::Reaches { pa: a, .. }, Outcome::Reaches { pa: b, .. }) => a == b,
        _ => a == b,
    }
}

/// How a cached translation answers, if it may serve the access at all.
fn leaf_gives(leaf: &Leaf, cpu: &Cpu, la: u64, access: &Access) -> Option<Outcome> {
    let usable = leaf.covers(la) && !leaf.without.contains(&(la >> 12)) && (leaf.pcid == cpu.pcid() || leaf.global);
    let clean = access.kind == Kind::Write && !leaf.dirty;
    if !usable || clean || rights::judge(cpu, &leaf.grant, access).is_some() {
        return None;
    }
    let offset = la & ((1 << leaf.page_bits) - 1);
    Some(Outcome::Reaches { pa: leaf.page | offset, page_bits: leaf.page_bits })
}

/// Where a walk begins.
#[derive(Clone, Copy, Debug)]
enum Start {
    Top,
    Below(Prefix),
}

impl Start {
    fn walk(&self, cpu: &Cpu, memory: &impl Words, la: u64) -> Result<Path, Stop> {
        match self {
            Self::Top => walk::walk(cpu, memory, la),
            Self::Below(prefix) => {
                walk::walk_below(cpu, memory, la, Descent::resumed(prefix.table, prefix.grant), prefix.level - 1)
            }
        }
    }
}
