//! The hypervisor's half of the stage, as values: its tables by level, their rails to the guest's
//! tables, the host frame at the end.
//!
//! Pure: built from the engine's state and the shown events; it knows no colours and no sizes.

mod nested; // the second dimension of EPT and NPT
mod shadow; // shadow pages

use std::ops::RangeInclusive;

use super::model::Inputs;
use super::path::{Path, Reach};
use super::rows::Letter;
use crate::arch::{Gpa, Hpa, Level};
use crate::engine::AnyVm;
use crate::engine::shadow::{PageId, SpteRef};
use crate::language::Language;
use crate::tr;

/// The hypervisor's half.
#[derive(Clone, Debug)]
pub struct Lower {
    /// What it is, for the label.
    pub title: String,
    /// The same in a word.
    pub name: &'static str,
    /// The four slots of `pae_root`, where that is the root.
    pub root: Option<RootCard>,
    /// Its tables: of each level first the one on the path, then others.
    pub cards: Vec<LowerCard>,
    /// How many more tables of a level there are than `cards` has.
    pub left_out: Vec<(Level, usize)>,
    /// What joins each guest table with its shadows.
    pub rails: Vec<Rail>,
    /// The host frame behind the page.
    pub host: Option<HostCard>,
    /// The hardware's walk came to the end.
    pub arrived: bool,
}

/// `pae_root`: a box of four slots that the hardware loads like PDPTEs.
#[derive(Clone, Debug)]
pub struct RootCard {
    /// The slots.
    pub slots: [RootSlot; 4],
    /// The slot of the address in view.
    pub walked: usize,
    /// How far the hardware's walk has come with it.
    pub reach: Reach,
}

/// A slot of `pae_root`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootSlot {
    /// Its value.
    pub value: u64,
    /// The page of level 2 that it pins, and how often that page is pinned.
    pub page: Option<(PageId, u32)>,
    /// The command in focus changed it.
    pub changed: bool,
}

/// A table of the hypervisor, by what keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableId {
    /// A shadow page.
    Shadow(PageId),
    /// A table of the second dimension.
    Nested(u64),
}

/// An entry of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryId {
    /// Its table.
    pub table: TableId,
    /// Its index.
    pub index: usize,
}

impl EntryId {
    /// The place of a shadow entry.
    #[must_use]
    pub const fn spte(self) -> Option<SpteRef> {
        match self.table {
            TableId::Shadow(page) => Some(SpteRef { page, index: self.index as u16 }),
            TableId::Nested(_) => None,
        }
    }
}

/// A table of the hypervisor.
#[derive(Clone, Debug)]
pub struct LowerCard {
    /// Its level.
    pub level: Level,
    /// What keeps it.
    pub id: TableId,
    /// `Shadow PD`, `EPT L2`.
    pub title: String,
    /// The same where there is little room: `PD`.
    pub short: String,
    /// The host frame that holds it.
    pub frame: u64,
    /// Its rows, folded; none where only the head is shown.
    pub rows: Vec<LowerRow>,
    /// Where the path crosses it: the index, and how far the walk has come.
    pub walked: Option<(usize, Reach)>,
    /// Marks of the head, the most important first: `root`, `out of sync`, `new`.
    pub marks: Vec<Mark>,
    /// What tells it from other shadows of the same table: access, quadrant.
    pub tag: Option<String>,
    /// One line about it: which guest table it shadows, for whom.
    pub note: String,
    /// It is selected.
    pub selected: bool,
}

/// A mark in the head of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The guest may write the table that it shadows.
    Unsync,
    /// The command in focus made it.
    New,
    /// It was zapped while it was a root.
    Invalid,
    /// A root slot holds it.
    Pinned,
    /// It mirrors no guest table.
    Direct,
}

impl Mark {
    /// The mark in a word.
    #[must_use]
    pub fn word(self, language: Language) -> &'static str {
        match self {
            Self::Unsync => tr!(language, "unsync"),
            Self::New => tr!(language, "new"),
            Self::Invalid => tr!(language, "invalid"),
            Self::Pinned => tr!(language, "root"),
            Self::Direct => tr!(language, "direct"),
        }
    }
}

/// A row of such a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LowerRow {
    /// One entry.
    Entry(LowerEntry),
    /// Several in one line.
    Run {
        /// Their indices.
        range: RangeInclusive<usize>,
        /// What the line says.
        words: String,
        /// The same where there is little room.
        short: String,
    },
}

/// An entry of the hypervisor's tables, with its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowerEntry {
    /// Its place.
    pub id: EntryId,
    /// Its value.
    pub value: u64,
    /// The frame that it leads to, if it is present.
    pub target: Option<u64>,
    /// Its flags, if it is present.
    pub letters: Vec<Letter>,
    /// What an entry that leads nowhere says.
    pub words: &'static str,
    /// The address selects it, and how far the walk has come with it.
    pub walked: Option<Reach>,
    /// Bits that the command in focus changed.
    pub changed: u64,
    /// The guest entry that it mirrors.
    pub mirrors: Option<Gpa>,
    /// It is selected, or mirrors the guest entry that is.
    pub selected: bool,
    /// More about it, in sentences.
    pub more: String,
}

/// What keeps a shadow up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RailKind {
    /// Write protection.
    Synced,
    /// The next invalidation.
    OutOfSync,
    /// Only what the guest invalidates.
    NotProtected,
    /// Four fixed slots stand for the registers.
    SpecialRoot,
    /// None of these.
    Plain,
}

/// How a guest table and a table of the hypervisor belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rail {
    /// The level of both.
    pub level: Level,
    /// The tables that it leads to, each with whether it is in sync.
    pub ends: Vec<(TableId, bool)>,
    /// What kind of tie it is.
    pub kind: RailKind,
    /// What it says.
    pub words: String,
    /// Reads of the second dimension for this guest table, by level: 4 to 1; empty for shadows.
    pub nested: Vec<(u8, bool)>,
}

/// The host frame behind the guest's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostCard {
    /// The byte that the access reaches.
    pub hpa: Hpa,
    /// Which memory slot, and the frame's place in it.
    pub slot: Option<(usize, u64)>,
}

impl LowerCard {
    /// The entry on the path leads on.
    #[must_use]
    pub fn leads_on(&self) -> bool {
        let walked = |row: &LowerRow| matches!(row, LowerRow::Entry(e) if e.walked.is_some() && e.target.is_some());
        self.rows.iter().any(walked)
    }
}

impl Lower {
    /// The hypervisor's half, if there is a hypervisor.
    #[must_use]
    pub fn new(inputs: &Inputs<'_>, path: &Path) -> Option<Self> {
        match inputs.vm {
            AnyVm::Native(_) => None,
            AnyVm::Shadow(vm) => Some(shadow::build(inputs, vm, path)),
            AnyVm::TwoDim(vm) => Some(nested::build(inputs, vm, path)),
        }
    }

    /// An entry of a table, for a full list; `card` is the table's card.
    #[must_use]
    pub fn entry(inputs: &Inputs<'_>, path: &Path, card: &LowerCard, index: usize) -> Option<LowerEntry> {
        match (inputs.vm, card.id) {
            (AnyVm::Shadow(vm), TableId::Shadow(page)) => Some(shadow::entry_at(inputs, vm, path, page, index)),
            (AnyVm::TwoDim(vm), TableId::Nested(table)) => {
                let walked = card.walked.filter(|(walked, _)| *walked == index).map(|(_, reach)| reach);
                nested::entry_at(inputs, vm, (table, card.level), index, walked)
            }
            _ => None,
        }
    }

    /// The tables of a level, the one on the path first.
    pub fn of_level(&self, level: Level) -> impl Iterator<Item = &LowerCard> {
        self.cards.iter().filter(move |card| card.level == level)
    }

    /// The table of a level that the path crosses.
    #[must_use]
    pub fn walked(&self, level: Level) -> Option<&LowerCard> {
        self.of_level(level).find(|card| card.walked.is_some())
    }

    /// The rail of a level.
    #[must_use]
    pub fn rail(&self, level: Level) -> Option<&Rail> {
        self.rails.iter().find(|rail| rail.level == level)
    }
}

/// The host frame behind the byte that the path reaches.
fn host(inputs: &Inputs<'_>, path: &Path) -> Option<HostCard> {
    let gpa = path.gpa()?;
    let slots = &inputs.machine.slots;
    let all = slots.all();
    let slot = all.iter().position(|slot| slot.contains(gpa.gfn()));
    let frame = slots.host_frame(gpa.gfn());
    let hpa = frame.map_or(Hpa(0), |frame| Hpa(frame.base().0 | gpa.page_offset()));
    Some(HostCard { hpa, slot: slot.map(|i| (i, gpa.gfn().0 - all[i].base.0)) })
}
