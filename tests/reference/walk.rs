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

/// Physical memory as a walk reads it.
pub trait Words {
    /// The aligned 8-byte word that holds the byte at `at`.
    fn word(&self, at: u64) -> u64;

    /// An aligned entry of 4 or 8 bytes.
    fn entry(&self, at: u64, bytes: u64) -> u64 {
        match (bytes, at & 4) {
            (8, _) => self.word(at),
            (_, 0) => self.word(at) & 0xffff_ffff,
            _ => self.word(at) >> 32,
        }
    }
}

/// Physical memory: aligned 8-byte words; what is not listed is zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(pub BTreeMap<u64, u64>);

impl Words for Memory {
    fn word(&self, at: u64) -> u64 {
        Self::word(self, at)
    }
}

impl Memory {
    pub fn word(&self, at: u64) -> u64 {
        self.0.get(&(at & !7)).copied().unwrap_or(0)
    }

    pub fn set_word(&mut self, at: u64, value: u64) {
        self.0.insert(at & !7, value);
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    pub at: u64,
    pub bytes: u64,
    pub level: u32,
}

/// The entries that a walk read, from the top: at most one for each of five levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    entries: [Used; 5],
    len: usize,
}

impl Trail {
    fn push(&mut self, used: Used) {
        self.entries[self.len] = used;
        self.len += 1;
    }

    pub fn as_slice(&self) -> &[Used] {
        &self.entries[..self.len]
    }
}

/// A path that reached a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub used: Trail,
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
#[derive(Clone, Copy, Debug)]
pub struct Descent {
    used: Trail,
    pub grant: Grant,
    /// The table to read next.
    pub table: u64,
}

/// What one entry of a walk leads to.
pub enum Stepped {
    /// A page.
    Leaf(Path),
    /// The table of the next lower level.
    Table(Descent),
}

impl Descent {
    /// Before anything was read.
    pub fn new(table: u64) -> Self {
        Self::resumed(table, Grant::ALL)
    }

    /// Below entries that are known already.
    pub fn resumed(table: u64, grant: Grant) -> Self {
        Self { used: Trail::default(), grant, table }
    }

    fn read(&mut self, memory: &impl Words, level: u32, index: u64, bytes: u64) -> u64 {
        let at = self.table + index * bytes;
        self.used.push(Used { at, bytes, level });
        memory.entry(at, bytes)
    }

    fn combine(&mut self, entry: u64) {
        self.grant.rw &= entry & RW != 0;
        self.grant.us &= entry & US != 0;
        self.grant.xd |= entry & XD != 0;
    }

    fn leaf(self, entry: u64, page: u64, page_bits: u32) -> Result<Stepped, Stop> {
        let (dirty, global) = (entry & D != 0, entry & G != 0);
        Ok(Stepped::Leaf(Path { used: self.used, grant: self.grant, page, page_bits, dirty, global }))
    }

    fn table(self, table: u64) -> Result<Stepped, Stop> {
        Ok(Stepped::Table(Self { table, ..self }))
    }
}

/// One entry of 32-bit paging, of level 2 or 1.
fn step_32bit(cpu: &Cpu, memory: &impl Words, la: u64, mut descent: Descent, level: u32) -> Result<Stepped, Stop> {
    let index = if level == 2 { la >> 22 } else { la >> 12 } & 0x3ff;
    let entry = descent.read(memory, level, index, 4);
    if entry & P == 0 {
        return Err(Stop::NotPresent);
    }
    descent.combine(entry);
    if level == 1 {
        return descent.leaf(entry, field(entry, 12, 31), 12);
    }
    if entry & PS == 0 || cpu.cr4 & CR4_PSE == 0 {
        return descent.table(field(entry, 12, 31));
    }
    // Bits 20:13 are address bits 39:32, as far as the processor has them (SDM table 4-4).
    let mut reserved = field(entry, 21, 21);
    for bit in 13..=20 {
        let address_bit = bit + 19;
        if !cpu.pse36 || address_bit >= cpu.maxphyaddr {
            reserved |= field(entry, bit, bit);
        }
    }
    if reserved != 0 {
        return Err(Stop::Reserved);
    }
    descent.leaf(entry, field(entry, 22, 31) | field(entry, 13, 20) << 19, 22)
}

/// The page directory that a PDPTE register leads to.
pub fn pae_directory(cpu: &Cpu, index: u64) -> Result<u64, Stop> {
    let pdpte = cpu.pdptes[index as usize];
    if pdpte & P == 0 {
        return Err(Stop::NotPresent);
    }
    // A register never holds these: only where PDPTEs are read from memory at each walk (AMD's
    // nested paging) can one be met here.
    if pdpte & cpu.pdpte_reserved() != 0 {
        return Err(Stop::Reserved);
    }
    Ok(field(pdpte, 12, cpu.maxphyaddr - 1))
}

/// One entry of PAE paging, of level 2 or 1.
fn step_pae(cpu: &Cpu, memory: &impl Words, la: u64, mut descent: Descent, level: u32) -> Result<Stepped, Stop> {
    let last = cpu.maxphyaddr - 1;
    let index = if level == 2 { la >> 21 } else { la >> 12 } & 0x1ff;
    let entry = descent.read(memory, level, index, 8);
    if entry & P == 0 {
        return Err(Stop::NotPresent);
    }
    // The high bits that no PDE or PTE may have: SDM tables 4-9 to 4-11.
    let beyond = field(entry, cpu.maxphyaddr, 62);
    let high_reserved = if cpu.nxe() { beyond } else { beyond | entry & XD };
    let large = level == 2 && entry & PS != 0;
    if high_reserved != 0 || large && field(entry, 13, 20) != 0 {
        return Err(Stop::Reserved);
    }
    descent.combine(entry);
    match level {
        1 => descent.leaf(entry, field(entry, 12, last), 12),
        _ if large => descent.leaf(entry, field(entry, 21, last), 21),
        _ => descent.table(field(entry, 12, last)),
    }
}

/// One entry of 4-level or 5-level paging.
fn step_long(cpu: &Cpu, memory: &impl Words, la: u64, mut descent: Descent, level: u32) -> Result<Stepped, Stop> {
    let last = cpu.maxphyaddr - 1;
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
    if level == 1 || level <= 3 && entry & PS != 0 {
        descent.grant.key = entry >> 59 & 0xf;
        return descent.leaf(entry, field(entry, index_bit, last), index_bit);
    }
    descent.table(field(entry, 12, last))
}

/// One entry of the table that a descent has come to, of `level`.
pub fn step(cpu: &Cpu, memory: &impl Words, la: u64, descent: Descent, level: u32) -> Result<Stepped, Stop> {
    match cpu.mode() {
        Mode::Unpaged => unreachable!("without paging nothing is walked"),
        Mode::Bits32 => step_32bit(cpu, memory, la, descent, level),
        Mode::Pae => step_pae(cpu, memory, la, descent, level),
        Mode::FourLevel | Mode::FiveLevel => step_long(cpu, memory, la, descent, level),
    }
}

/// The walk from the table of `level` down.
pub fn walk_below(cpu: &Cpu, memory: &impl Words, la: u64, mut descent: Descent, mut level: u32) -> Result<Path, Stop> {
    loop {
        match step(cpu, memory, la, descent, level)? {
            Stepped::Leaf(path) => return Ok(path),
            Stepped::Table(next) => descent = next,
        }
        level -= 1;
    }
}

/// Walks from the top for a linear address that is canonical (long mode) or has 32 bits.
pub fn walk(cpu: &Cpu, memory: &impl Words, la: u64) -> Result<Path, Stop> {
    let long_root = field(cpu.cr3, 12, cpu.maxphyaddr - 1);
    let (root, level) = match cpu.mode() {
        Mode::Unpaged => unreachable!("without paging nothing is walked"),
        Mode::Bits32 => (field(cpu.cr3, 12, 31), 2),
        Mode::Pae => (pae_directory(cpu, la >> 30 & 3)?, 2),
        Mode::FourLevel => (long_root, 4),
        Mode::FiveLevel => (long_root, 5),
    };
    walk_below(cpu, memory, la, Descent::new(root), level)
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

/// How an access ends whose walk ended so.
pub fn verdict(cpu: &Cpu, la: u64, access: &Access, walked: &Result<Path, Stop>) -> Outcome {
    let fault = |code| Outcome::PageFault { code, cr2: la };
    let path = match walked {
        Err(Stop::NotPresent) => return fault(rights::code(cpu, access, false, false)),
        Err(Stop::Reserved) => return fault(rights::code(cpu, access, true, true)),
        Ok(path) => path,
    };
    if let Some(code) = rights::judge(cpu, &path.grant, access) {
        return fault(code);
    }
    Outcome::Reaches { pa: path.page | la & ((1 << path.page_bits) - 1), page_bits: path.page_bits }
}

/// The bits that an allowed access sets: A in each entry, D in the leaf of a write. By entry.
pub fn updates(path: &Path, access: &Access) -> impl Iterator<Item = (u64, u64)> + use<> {
    let (used, write) = (path.used, access.kind == Kind::Write);
    (0..used.len).map(move |i| {
        let leaf = i + 1 == used.len;
        (used.entries[i].at, if leaf && write { A | D } else { A })
    })
}

/// Judges a walk, and sets A and D in memory if the access succeeds.
pub fn finish(cpu: &Cpu, memory: &mut Memory, la: u64, access: &Access, walked: Result<Path, Stop>) -> Outcome {
    let outcome = verdict(cpu, la, access, &walked);
    if let (Ok(path), Outcome::Reaches { .. }) = (&walked, outcome) {
        for (at, bits) in updates(path, access) {
            memory.or_entry(at, bits);
        }
    }
    outcome
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
