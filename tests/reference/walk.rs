//! The walk, one function for each paging mode (SDM 4.3, 4.4, 4.5).

use std::collections::BTreeMap;

use super::cpu::{CR4_PSE, Cpu, Mode};
use super::rights::{self, Grant};

const P: u64 = 1 << 0;
const RW: u64 = 1 << 1;
const US: u64 = 1 << 2;
const A: u64 = 1 << 5;
const D: u64 = 1 << 6;
const PS: u64 = 1 << 7;
const G: u64 = 1 << 8;
const XD: u64 = 1 << 63;

/// Physical memory: aligned 8-byte words; what is not listed is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(pub BTreeMap<u64, u64>);

impl Memory {
    pub fn word(&self, at: u64) -> u64 {
        self.0.get(&(at & !7)).copied().unwrap_or(0)
    }

    pub fn set_word(&mut self, at: u64, value: u64) {
        self.0.insert(at & !7, value);
    }

    /// An aligned entry of 4 or 8 bytes.
    pub fn entry(&self, at: u64, bytes: u64) -> u64 {
        match (bytes, at & 4) {
            (8, _) => self.word(at),
            (_, 0) => self.word(at) & 0xffff_ffff,
            _ => self.word(at) >> 32,
        }
    }

    /// Sets bits of an entry that lie in its low 32.
    fn or_entry(&mut self, at: u64, bits: u64) {
        let shift = if at & 4 == 0 { 0 } else { 32 };
        let new = self.word(at) | bits << shift;
        self.set_word(at, new);
    }
}

/// Read, write, instruction fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    Write,
    Fetch,
}

/// One access of one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub va: u64,
    pub kind: Kind,
    /// At CPL 3.
    pub user: bool,
    /// RFLAGS.AC.
    pub ac: bool,
    /// Through SS.
    pub stack: bool,
}

/// How an access ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Reaches { pa: u64, page_bits: u32 },
    PageFault { code: u64, cr2: u64 },
    GeneralProtection,
    StackFault,
}

/// An entry that the walk read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    pub at: u64,
    pub bytes: u64,
    pub level: u32,
}

/// A path that reached a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// From the top.
    pub used: Vec<Used>,
    pub grant: Grant,
    /// The first byte of the page.
    pub page: u64,
    /// log2 of the size of the page.
    pub page_bits: u32,
    /// D of the leaf.
    pub dirty: bool,
    /// G of the leaf.
    pub global: bool,
}

/// Why a walk reached no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    NotPresent,
    Reserved,
}

/// Bits `low` to `high` of `value`, at their place.
pub fn field(value: u64, low: u32, high: u32) -> u64 {
    let mut kept = 0;
    for bit in low..=high {
        kept |= value & (1 << bit);
    }
    kept
}

/// A partly finished walk: what has been read and what it grants.
pub struct Descent {
    used: Vec<Used>,
    grant: Grant,
    /// The table to read next.
    table: u64,
}

impl Descent {
    /// Before anything was read.
    pub fn new(table: u64) -> Self {
        Self::resumed(table, Grant { rw: true, us: true, xd: false, key: 0 })
    }

    /// Below entries that are known already.
    pub fn resumed(table: u64, grant: Grant) -> Self {
        Self { used: Vec::new(), grant, table }
    }

    fn read(&mut self, memory: &Memory, level: u32, index: u64, bytes: u64) -> u64 {
        let at = self.table + index * bytes;
        self.used.push(Used { at, bytes, level });
        memory.entry(at, bytes)
    }

    fn combine(&mut self, entry: u64) {
        self.grant.rw &= entry & RW != 0;
        self.grant.us &= entry & US != 0;
        self.grant.xd |= entry & XD != 0;
    }

    fn leaf(self, entry: u64, page: u64, page_bits: u32) -> Path {
        let (dirty, global) = (entry & D != 0, entry & G != 0);
        Path { used: self.used, grant: self.grant, page, page_bits, dirty, global }
    }
}

fn walk_32bit(cpu: &Cpu, memory: &Memory, la: u64) -> Result<Path, Stop> {
    let mut descent = Descent::new(field(cpu.cr3, 12, 31));
    let pde = descent.read(memory, 2, la >> 22 & 0x3ff, 4);
    if pde & P == 0 {
        return Err(Stop::NotPresent);
    }
    descent.combine(pde);
    if pde & PS != 0 && cpu.cr4 & CR4_PSE != 0 {
        // Bits 20:13 are address bits 39:32, as far as the processor has them (SDM table 4-4).
        let mut reserved = field(pde, 21, 21);
        for bit in 13..=20 {
            let address_bit = bit + 19;
            if !cpu.pse36 || address_bit >= cpu.maxphyaddr {
                reserved |= field(pde, bit, bit);
            }
        }
        if reserved != 0 {
            return Err(Stop::Reserved);
        }
        return Ok(descent.leaf(pde, field(pde, 22, 31) | field(pde, 13, 20) << 19, 22));
    }
    descent.table = field(pde, 12, 31);
    let pte = descent.read(memory, 1, la >> 12 & 0x3ff, 4);
    if pte & P == 0 {
        return Err(Stop::NotPresent);
    }
    descent.combine(pte);
    Ok(descent.leaf(pte, field(pte, 12, 31), 12))
}

fn walk_pae(cpu: &Cpu, memory: &Memory, la: u64) -> Result<Path, Stop> {
    let pdpte = cpu.pdptes[(la >> 30 & 3) as usize];
    if pdpte & P == 0 {
        return Err(Stop::NotPresent);
    }
    walk_pae_below(cpu, memory, la, Descent::new(field(pdpte, 12, cpu.maxphyaddr - 1)), 2)
}

/// The walk from the table of `level` (2 or 1) down.
pub fn walk_pae_below(cpu: &Cpu, memory: &Memory, la: u64, mut descent: Descent, level: u32) -> Result<Path, Stop> {
    let last = cpu.maxphyaddr - 1;
    // The high bits that no PDE or PTE may have: SDM tables 4-9 to 4-11.
    let high_reserved = |entry: u64| {
        let beyond = field(entry, cpu.maxphyaddr, 62);
        if cpu.nxe() { beyond } else { beyond | entry & XD }
    };
    if level == 2 {
        let pde = descent.read(memory, 2, la >> 21 & 0x1ff, 8);
        if pde & P == 0 {
            return Err(Stop::NotPresent);
        }
        if high_reserved(pde) != 0 {
            return Err(Stop::Reserved);
        }
        if pde & PS != 0 && field(pde, 13, 20) != 0 {
            return Err(Stop::Reserved);
        }
        descent.combine(pde);
        if pde & PS != 0 {
            return Ok(descent.leaf(pde, field(pde, 21, last), 21));
        }
        descent.table = field(pde, 12, last);
    }
    let pte = descent.read(memory, 1, la >> 12 & 0x1ff, 8);
    if pte & P == 0 {
        return Err(Stop::NotPresent);
    }
    if high_reserved(pte) != 0 {
        return Err(Stop::Reserved);
    }
    descent.combine(pte);
    Ok(descent.leaf(pte, field(pte, 12, last), 12))
}

/// The walk from the table of `level` (5 to 1) down.
pub fn walk_long_below(
    cpu: &Cpu,
    memory: &Memory,
    la: u64,
    mut descent: Descent,
    mut level: u32,
) -> Result<Path, Stop> {
    let last = cpu.maxphyaddr - 1;
    loop {
        let index_bit = 12 + 9 * (level - 1);
        let entry = descent.read(memory, level, la >> index_bit & 0x1ff, 8);
        if entry & P == 0 {
            return Err(Stop::NotPresent);
        }
        let mut reserved = 0;
        if cpu.maxphyaddr < 52 {
            reserved |= field(entry, cpu.maxphyaddr, 51);
        }
        if !cpu.nxe() {
            reserved |= entry & XD;
        }
        match level {
            5 | 4 => {
                reserved |= entry & PS;
                if cpu.amd {
                    reserved |= entry & G;
                }
            }
            3 if entry & PS != 0 && cpu.gb_pages => reserved |= field(entry, 13, 29),
            3 => reserved |= entry & PS,
            2 if entry & PS != 0 => reserved |= field(entry, 13, 20),
            _ => {}
        }
        if reserved != 0 {
            return Err(Stop::Reserved);
        }
        descent.combine(entry);
        let is_leaf = level == 1 || level <= 3 && entry & PS != 0;
        if is_leaf {
            descent.grant.key = entry >> 59 & 0xf;
            return Ok(descent.leaf(entry, field(entry, index_bit, last), index_bit));
        }
        descent.table = field(entry, 12, last);
        level -= 1;
    }
}

/// Walks from the top for a linear address that is canonical (long mode) or has 32 bits.
pub fn walk(cpu: &Cpu, memory: &Memory, la: u64) -> Result<Path, Stop> {
    let long_root = field(cpu.cr3, 12, cpu.maxphyaddr - 1);
    match cpu.mode() {
        Mode::Unpaged => unreachable!("without paging nothing is walked"),
        Mode::Bits32 => walk_32bit(cpu, memory, la),
        Mode::Pae => walk_pae(cpu, memory, la),
        Mode::FourLevel => walk_long_below(cpu, memory, la, Descent::new(long_root), 4),
        Mode::FiveLevel => walk_long_below(cpu, memory, la, Descent::new(long_root), 5),
    }
}

/// Whether bits 63 to `width - 1` of an address are all equal.
pub fn is_canonical(va: u64, width: u32) -> bool {
    let high = va >> (width - 1);
    high == 0 || high == u64::MAX >> (width - 1)
}

/// What precedes the walk: the linear address, or the outcome where there is nothing to walk.
pub fn linear(cpu: &Cpu, access: &Access) -> Result<u64, Outcome> {
    let width = match cpu.mode() {
        Mode::Unpaged => return Err(Outcome::Reaches { pa: access.va & 0xffff_ffff, page_bits: 0 }),
        Mode::Bits32 | Mode::Pae => return Ok(access.va & 0xffff_ffff),
        Mode::FourLevel => 48,
        Mode::FiveLevel => 57,
    };
    match (is_canonical(access.va, width), access.stack) {
        (true, _) => Ok(access.va),
        (false, false) => Err(Outcome::GeneralProtection),
        (false, true) => Err(Outcome::StackFault),
    }
}

/// Judges a walk, and sets A and D in memory if the access succeeds.
pub fn finish(cpu: &Cpu, memory: &mut Memory, la: u64, access: &Access, walked: Result<Path, Stop>) -> Outcome {
    let fault = |code| Outcome::PageFault { code, cr2: la };
    let path = match walked {
        Err(Stop::NotPresent) => return fault(rights::code(cpu, access, false, false)),
        Err(Stop::Reserved) => return fault(rights::code(cpu, access, true, true)),
        Ok(path) => path,
    };
    if let Some(code) = rights::judge(cpu, &path.grant, access) {
        return fault(code);
    }
    for used in &path.used {
        memory.or_entry(used.at, A);
    }
    if access.kind == Kind::Write
        && let Some(leaf) = path.used.last()
    {
        memory.or_entry(leaf.at, D);
    }
    Outcome::Reaches { pa: path.page | la & ((1 << path.page_bits) - 1), page_bits: path.page_bits }
}

/// One access without any cache.
pub fn access(cpu: &Cpu, memory: &mut Memory, access: &Access) -> Outcome {
    match linear(cpu, access) {
        Err(outcome) => outcome,
        Ok(la) => {
            let walked = walk(cpu, memory, la);
            finish(cpu, memory, la, access, walked)
        }
    }
}
