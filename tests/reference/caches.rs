//! Everything that the TLB and the paging-structure caches may hold (SDM 4.10).
//!
//! A processor may cache what a walk read and may forget it at any time; it must forget what an
//! invalidation names. So this is the largest set that the rules allow: an access may end as any
//! member of it says, or as a walk from the top says, and in no other way.

use super::cpu::{CR4_PGE, Cpu, Mode};
use super::rights::{self, Grant};
use super::walk::{self, Access, Descent, Kind, Memory, Outcome, Path, Stop};

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
}

impl Leaf {
    fn covers(&self, la: u64) -> bool {
        la >> self.page_bits == self.la >> self.page_bits
    }
}

/// A non-leaf entry that may be cached, with what the entries down to it grant.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Prefix {
    pcid: u64,
    /// Its level, 2 to 5.
    level: u32,
    la: u64,
    table: u64,
    grant: Grant,
}

impl Prefix {
    fn covers(&self, la: u64) -> bool {
        let bit = 12 + 9 * (self.level - 1);
        la >> bit == self.la >> bit
    }
}

/// The set.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    leaves: Vec<Leaf>,
    prefixes: Vec<Prefix>,
}

impl Allowed {
    /// Judges how an access ended and what it did to memory; remembers what it may have cached.
    pub fn access(
        &mut self,
        cpu: &Cpu,
        before: &Memory,
        access: &Access,
        got: Outcome,
        after: &Memory,
    ) -> Result<(), String> {
        let la = match walk::linear(cpu, access) {
            Err(outcome) if outcome == got && before == after => return Ok(()),
            Err(outcome) => return Err(format!("{got:x?}, but without a walk it is {outcome:x?}")),
            Ok(la) => la,
        };
        let pcid = cpu.pcid();
        let hit = before == after && self.leaves.iter().any(|leaf| leaf_gives(leaf, cpu, la, access) == Some(got));
        let mut found = Vec::new();
        let mut possible = Vec::new();
        for start in self.starts(cpu, la) {
            let walked = start.walk(cpu, before, la);
            let mut memory = before.clone();
            let outcome = walk::finish(cpu, &mut memory, la, access, walked.clone());
            if outcome == got && memory == *after {
                found.push((start, walked));
            } else {
                possible.push(outcome);
            }
        }
        if !hit && found.is_empty() {
            return Err(format!("{access:x?} ended in {got:x?}; walks give {possible:x?}, cached {:x?}", self.leaves));
        }
        if matches!(got, Outcome::PageFault { .. }) {
            // SDM 4.10.4.1: a page fault drops what the processor would use for the address.
            self.leaves.retain(|leaf| !(leaf.covers(la) && leaf.pcid == pcid && !leaf.global));
            self.prefixes.retain(|prefix| !(prefix.covers(la) && prefix.pcid == pcid));
            return Ok(());
        }
        for (start, walked) in found {
            if let Ok(path) = walked {
                self.remember(cpu, la, access, &start, &path, after);
            }
        }
        Ok(())
    }

    /// Remembers everything that walks for this address may cache now: a processor may walk without
    /// being asked, and a hypervisor fills what lies beside.
    pub fn speculate(&mut self, cpu: &Cpu, memory: &Memory, la: u64) {
        let idle = Access { va: la, kind: Kind::Read, user: false, ac: true, stack: false };
        for start in self.starts(cpu, la) {
            if let Ok(path) = start.walk(cpu, memory, la) {
                self.remember(cpu, la, &idle, &start, &path, memory);
            }
        }
    }

    /// Judges how an access ended under a hypervisor: the outcome alone, because accessed bits and
    /// the size of cached pages are its own affair.
    pub fn ends(&mut self, cpu: &Cpu, before: &Memory, access: &Access, got: Outcome) -> Result<(), String> {
        let la = match walk::linear(cpu, access) {
            Err(outcome) if same_end(outcome, got) => return Ok(()),
            Err(outcome) => return Err(format!("{got:x?}, but without a walk it is {outcome:x?}")),
            Ok(la) => la,
        };
        let gives = |leaf: &Leaf| leaf_gives(leaf, cpu, la, access).is_some_and(|outcome| same_end(outcome, got));
        let hit = self.leaves.iter().any(gives);
        let ends = |start: &Start| walk::finish(cpu, &mut before.clone(), la, access, start.walk(cpu, before, la));
        let possible: Vec<Outcome> = self.starts(cpu, la).iter().map(ends).collect();
        if !hit && !possible.iter().any(|outcome| same_end(*outcome, got)) {
            return Err(format!("{access:x?} ended in {got:x?}; walks give {possible:x?}, cached {:x?}", self.leaves));
        }
        if matches!(got, Outcome::PageFault { .. }) {
            let pcid = cpu.pcid();
            self.leaves.retain(|leaf| !(leaf.covers(la) && leaf.pcid == pcid && !leaf.global));
            self.prefixes.retain(|prefix| !(prefix.covers(la) && prefix.pcid == pcid));
        }
        Ok(())
    }

    /// Where a walk may begin: at the top, or below any cached prefix of the address.
    fn starts(&self, cpu: &Cpu, la: u64) -> Vec<Start> {
        let usable = |prefix: &&Prefix| prefix.pcid == cpu.pcid() && prefix.covers(la);
        let below = self.prefixes.iter().filter(usable).cloned().map(Start::Below);
        std::iter::once(Start::Top).chain(below).collect()
    }

    fn remember(&mut self, cpu: &Cpu, la: u64, access: &Access, start: &Start, path: &Path, memory: &Memory) {
        let pcid = cpu.pcid();
        let leaf = Leaf {
            pcid,
            la,
            page: path.page,
            page_bits: path.page_bits,
            grant: path.grant,
            dirty: path.dirty || access.kind == Kind::Write,
            global: path.global && cpu.cr4 & CR4_PGE != 0,
        };
        if !self.leaves.contains(&leaf) {
            self.leaves.push(leaf);
        }
        let mut grant = match start {
            Start::Top => Grant { rw: true, us: true, xd: false, key: 0 },
            Start::Below(prefix) => prefix.grant,
        };
        for pair in path.used.windows(2) {
            let entry = memory.entry(pair[0].at, pair[0].bytes);
            grant.rw &= entry >> 1 & 1 != 0;
            grant.us &= entry >> 2 & 1 != 0;
            grant.xd |= entry >> 63 != 0;
            let prefix = Prefix { pcid, level: pair[0].level, la, table: pair[1].at & !0xfff, grant };
            if !self.prefixes.contains(&prefix) {
                self.prefixes.push(prefix);
            }
        }
    }

    /// INVLPG (and INVPCID type 0 for translations that are not global, see [`Self::page_of_pcid`]).
    pub fn page(&mut self, la: u64, pcid: u64) {
        self.leaves.retain(|leaf| !(leaf.covers(la) && (leaf.pcid == pcid || leaf.global)));
        self.prefixes.retain(|prefix| prefix.pcid != pcid);
    }

    /// INVPCID type 0.
    pub fn page_of_pcid(&mut self, la: u64, pcid: u64) {
        self.leaves.retain(|leaf| !(leaf.covers(la) && leaf.pcid == pcid && !leaf.global));
        self.prefixes.retain(|prefix| !(prefix.pcid == pcid && prefix.covers(la)));
    }

    /// MOV CR3, INVPCID type 1.
    pub fn pcid(&mut self, pcid: u64) {
        self.leaves.retain(|leaf| leaf.pcid != pcid || leaf.global);
        self.prefixes.retain(|prefix| prefix.pcid != pcid);
    }

    /// CR4.PAE changed or CR4.SMEP set.
    pub fn pcid_and_global(&mut self, pcid: u64) {
        self.leaves.retain(|leaf| leaf.pcid != pcid && !leaf.global);
        self.prefixes.retain(|prefix| prefix.pcid != pcid);
    }

    /// INVPCID type 3.
    pub fn all_but_global(&mut self) {
        self.leaves.retain(|leaf| leaf.global);
        self.prefixes.clear();
    }

    /// INVPCID type 2, CR4.PGE changed, CR4.PCIDE or CR0.PG cleared.
    pub fn everything(&mut self) {
        self.leaves.clear();
        self.prefixes.clear();
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
    let usable = leaf.covers(la) && (leaf.pcid == cpu.pcid() || leaf.global);
    let clean = access.kind == Kind::Write && !leaf.dirty;
    if !usable || clean || rights::judge(cpu, &leaf.grant, access).is_some() {
        return None;
    }
    let offset = la & ((1 << leaf.page_bits) - 1);
    Some(Outcome::Reaches { pa: leaf.page | offset, page_bits: leaf.page_bits })
}

/// Where a walk begins.
#[derive(Clone, Debug)]
enum Start {
    Top,
    Below(Prefix),
}

impl Start {
    fn walk(&self, cpu: &Cpu, memory: &Memory, la: u64) -> Result<Path, Stop> {
        match self {
            Self::Top => walk::walk(cpu, memory, la),
            Self::Below(prefix) => {
                let descent = Descent::resumed(prefix.table, prefix.grant);
                let level = prefix.level - 1;
                match cpu.mode() {
                    Mode::Pae => walk::walk_pae_below(cpu, memory, la, descent, level),
                    _ => walk::walk_long_below(cpu, memory, la, descent, level),
                }
            }
        }
    }
}
