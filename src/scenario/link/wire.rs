//! A session as bytes: the state of a share link before compression, and of an autosave.
//!
//! The layout is that of [postcard](https://postcard.jamesmunns.com/wire-format): fields in order,
//! numbers in as many bytes as they need. Addresses are written as distances from the one before.
//! Every type here is part of link version 1: a change of any of them needs a new version.

use serde::{Deserialize, Serialize};

use super::Wrong;

use crate::arch::address::Num;
use crate::arch::{AccessKind, Gpa, Gva};
use crate::machine::Command;
use crate::machine::command::{MapSize, Size, SlotAction};
use crate::scenario::file::Text;
use crate::scenario::step::{Want, WantedException};

/// Everything that a link holds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wire {
    pub id: String,
    pub title: WireText,
    /// MAXPHYADDR.
    pub maxphyaddr: u8,
    /// 0 Intel, 1 AMD.
    pub vendor: u8,
    pub features: u32,
    /// The engine that the scenario asks for: its place in `EngineName::ALL` in bits 2:0, its
    /// switches above.
    pub engine: u32,
    pub ram: u64,
    /// CR0, CR3, CR4, EFER, PKRU.
    pub init: [u64; 5],
    pub mem: Vec<WireWord>,
    pub steps: Vec<WireStep>,
    pub mem_after: Option<Vec<WireWord>>,
    pub ad_may: Vec<WireWord>,
    /// The engine that runs.
    pub running: u32,
    /// Bit 0 TLB, bit 1 paging-structure caches.
    pub caches: u8,
    pub log: Vec<WireNode>,
    /// The last command of the branch in view, counted from 1; 0: none.
    pub tip: u32,
    pub cursor: u32,
    /// Captions beside those of the steps.
    pub captions: Vec<(u32, WireText)>,
    pub view: super::View,
    pub language: String,
}

/// Address, as the distance from the word before, and value.
pub(super) type WireWord = (i64, u64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum WireText {
    None,
    Plain(String),
    ByLanguage(Vec<(String, String)>),
}

impl WireText {
    pub fn of(text: &Text) -> Self {
        match text {
            Text::None => Self::None,
            Text::Plain(text) => Self::Plain(text.clone()),
            Text::ByLanguage(texts) => Self::ByLanguage(texts.clone().into_iter().collect()),
        }
    }

    pub fn text(self) -> Text {
        match self {
            Self::None => Text::None,
            Self::Plain(text) => Text::Plain(text),
            Self::ByLanguage(texts) => Text::ByLanguage(texts.into_iter().collect()),
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum WireStep {
    /// The next command of the log, which begins with the commands of the steps.
    Logged,
    /// The same, with what it must end in and the value that it must load.
    Judged(WireWant, Option<u64>),
    /// A command that is not in the log.
    Own(WireCommand, Option<WireWant>, Option<u64>),
    Note(WireText),
    /// A predicate, as in files.
    Expect(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct WireWant {
    /// 0: nothing is wanted; 1: carried out; 2 to 5: #PF, #GP, #SS, #UD.
    end: u8,
    pa: Option<u64>,
    err: Option<u64>,
    cr2: Option<u64>,
}

const EXCEPTIONS: [WantedException; 4] = [
    WantedException::PageFault,
    WantedException::GeneralProtection,
    WantedException::StackFault,
    WantedException::Undefined,
];

impl WireWant {
    pub fn of(want: Option<&Want>) -> Self {
        let Some(want) = want else { return Self { end: 0, pa: None, err: None, cr2: None } };
        let exception = want.exc.and_then(|exc| EXCEPTIONS.iter().position(|known| *known == exc));
        Self {
            end: exception.map_or(1, |at| at as u8 + 2),
            pa: want.pa.map(|pa| pa.0),
            err: want.err.map(|err| err.0),
            cr2: want.cr2.map(|cr2| cr2.0),
        }
    }

    /// [`Wrong`] where it says nothing that a step can want.
    pub fn want(&self) -> Result<Option<Want>, Wrong> {
        let exc = match self.end {
            0 => return Ok(None),
            1 => None,
            end => Some(*EXCEPTIONS.get(usize::from(end) - 2).ok_or(Wrong)?),
        };
        Ok(Some(Want { pa: self.pa.map(Gpa), exc, err: self.err.map(Num), cr2: self.cr2.map(Gva) }))
    }
}

/// How far back the command before it stands in the log (0: given at the start), and the command.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct WireNode(pub u32, pub WireCommand);

/// A command; addresses and stored values are distances from the last one of their kind.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum WireCommand {
    /// Bits 0 and 1 kind, bit 2 user, bit 3 AC, bit 4 through SS.
    Access(i64, u8),
    /// Address, value, bytes (1, 2, 4, 8 as 0 to 3; bit 2 user, bit 3 AC).
    Write(i64, i64, u8),
    Read(i64, u8),
    Poke(i64, i64, u8),
    Dma(i64, i64, u8),
    MovCr0(u64, bool),
    MovCr3(u64, bool),
    MovCr4(u64, bool),
    WrmsrEfer(u64, bool),
    Wrpkru(u64),
    Invlpg(i64),
    Invpcid(u64, u64, i64),
    SetSregs([u64; 4]),
    /// 0 add, 1 remove, 2 log.
    Memslot(u64, u64, u8),
    DirtyLog(u64),
    /// Size: 0 to 3 for 4k, 2m, 4m, 1g.
    Map(i64, i64, u8, u64),
}

const USER: u8 = 1 << 2;
const AC: u8 = 1 << 3;
const STACK: u8 = 1 << 4;
const KINDS: [AccessKind; 3] = [AccessKind::Read, AccessKind::Write, AccessKind::Fetch];
const ACTIONS: [SlotAction; 3] = [SlotAction::Add, SlotAction::Remove, SlotAction::Log];
const MAP_SIZES: [MapSize; 4] = [MapSize::Kib4, MapSize::Mib2, MapSize::Mib4, MapSize::Gib1];

fn place<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|known| known == one).unwrap_or_default() as u8
}

fn flag(on: bool, flag: u8) -> u8 {
    if on { flag } else { 0 }
}

/// The last addresses and the last value, from which the next ones are counted.
#[derive(Debug, Default)]
pub(super) struct Places {
    va: u64,
    pa: u64,
    val: u64,
}

const fn leave(last: &mut u64, now: u64) -> i64 {
    let distance = now.wrapping_sub(*last) as i64;
    *last = now;
    distance
}

const fn arrive(last: &mut u64, distance: i64) -> u64 {
    *last = last.wrapping_add(distance as u64);
    *last
}

/// Words with distances in place of addresses.
pub(super) fn words_out(words: &[(Gpa, u64)]) -> Vec<WireWord> {
    let mut last = 0;
    words.iter().map(|(gpa, value)| (leave(&mut last, gpa.0), *value)).collect()
}

/// The opposite of [`words_out`].
pub(super) fn words_in(words: Vec<WireWord>) -> Vec<(Gpa, u64)> {
    let mut last = 0;
    words.into_iter().map(|(distance, value)| (Gpa(arrive(&mut last, distance)), value)).collect()
}

impl WireCommand {
    pub fn of(command: &Command, places: &mut Places) -> Self {
        let Places { va: last_va, pa: last_pa, val: last } = places;
        let size_of = |size: &Size| size.bytes().trailing_zeros() as u8;
        match command {
            Command::Access { va, kind, user, ac, stack } => Self::Access(
                leave(last_va, va.0),
                place(&KINDS, kind) | flag(*user, USER) | flag(*ac, AC) | flag(*stack, STACK),
            ),
            Command::Write { va, val, size, user, ac } => {
                Self::Write(leave(last_va, va.0), leave(last, val.0), size_of(size) | flag(*user, USER) | flag(*ac, AC))
            }
            Command::Read { va, size, user, ac } => {
                Self::Read(leave(last_va, va.0), size_of(size) | flag(*user, USER) | flag(*ac, AC))
            }
            Command::Poke { pa, val, size } => Self::Poke(leave(last_pa, pa.0), leave(last, val.0), size_of(size)),
            Command::Dma { pa, val, size } => Self::Dma(leave(last_pa, pa.0), leave(last, val.0), size_of(size)),
            Command::MovCr0 { val, compat } => Self::MovCr0(val.0, *compat),
            Command::MovCr3 { val, compat } => Self::MovCr3(val.0, *compat),
            Command::MovCr4 { val, compat } => Self::MovCr4(val.0, *compat),
            Command::WrmsrEfer { val, compat } => Self::WrmsrEfer(val.0, *compat),
            Command::Wrpkru { val } => Self::Wrpkru(val.0),
            Command::Invlpg { va } => Self::Invlpg(leave(last_va, va.0)),
            Command::Invpcid { kind, pcid, va } => Self::Invpcid(kind.0, pcid.0, leave(last_va, va.0)),
            Command::SetSregs { cr0, cr3, cr4, efer } => Self::SetSregs([cr0.0, cr3.0, cr4.0, efer.0]),
            Command::Memslot { gpa, size, action } => Self::Memslot(gpa.0, size.0, place(&ACTIONS, action)),
            Command::DirtyLog { gpa } => Self::DirtyLog(gpa.0),
            Command::Map { va, pa, size, flags } => {
                Self::Map(leave(last_va, va.0), leave(last_pa, pa.0), place(&MAP_SIZES, size), *flags)
            }
        }
    }

    /// [`Wrong`] where a number names nothing.
    pub fn command(self, places: &mut Places) -> Result<Command, Wrong> {
        let Places { va, pa, val } = places;
        let mut gva = |distance| Gva(arrive(va, distance));
        let mut gpa = |distance| Gpa(arrive(pa, distance));
        let mut num = |distance| Num(arrive(val, distance));
        let size = |bits: u8| Size::new(1 << (bits & 3)).ok_or(Wrong);
        let only = |bits: u8, known: u8| if bits & !known == 0 { Ok(()) } else { Err(Wrong) };
        let is = |bits: u8, flag: u8| bits & flag != 0;
        Ok(match self {
            Self::Access(va, bits) => {
                only(bits, 3 | USER | AC | STACK)?;
                let kind = *KINDS.get(usize::from(bits & 3)).ok_or(Wrong)?;
                let (user, ac, stack) = (is(bits, USER), is(bits, AC), is(bits, STACK));
                Command::Access { va: gva(va), kind, user, ac, stack }
            }
            Self::Write(va, val, bits) => {
                only(bits, 3 | USER | AC)?;
                Command::Write { va: gva(va), val: num(val), size: size(bits)?, user: is(bits, USER), ac: is(bits, AC) }
            }
            Self::Read(va, bits) => {
                only(bits, 3 | USER | AC)?;
                Command::Read { va: gva(va), size: size(bits)?, user: is(bits, USER), ac: is(bits, AC) }
            }
            Self::Poke(pa, val, bits) => {
                only(bits, 3)?;
                Command::Poke { pa: gpa(pa), val: num(val), size: size(bits)? }
            }
            Self::Dma(pa, val, bits) => {
                only(bits, 3)?;
                Command::Dma { pa: gpa(pa), val: num(val), size: size(bits)? }
            }
            Self::MovCr0(val, compat) => Command::MovCr0 { val: Num(val), compat },
            Self::MovCr3(val, compat) => Command::MovCr3 { val: Num(val), compat },
            Self::MovCr4(val, compat) => Command::MovCr4 { val: Num(val), compat },
            Self::WrmsrEfer(val, compat) => Command::WrmsrEfer { val: Num(val), compat },
            Self::Wrpkru(val) => Command::Wrpkru { val: Num(val) },
            Self::Invlpg(va) => Command::Invlpg { va: gva(va) },
            Self::Invpcid(kind, pcid, va) => Command::Invpcid { kind: Num(kind), pcid: Num(pcid), va: gva(va) },
            Self::SetSregs([cr0, cr3, cr4, efer]) => {
                Command::SetSregs { cr0: Num(cr0), cr3: Num(cr3), cr4: Num(cr4), efer: Num(efer) }
            }
            Self::Memslot(gpa, size, action) => {
                let action = *ACTIONS.get(usize::from(action)).ok_or(Wrong)?;
                Command::Memslot { gpa: Gpa(gpa), size: Num(size), action }
            }
            Self::DirtyLog(gpa) => Command::DirtyLog { gpa: Gpa(gpa) },
            Self::Map(va, pa, size, flags) => {
                let size = *MAP_SIZES.get(usize::from(size)).ok_or(Wrong)?;
                Command::Map { va: gva(va), pa: gpa(pa), size, flags }
            }
        })
    }
}
