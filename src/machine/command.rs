//! Commands: the one way to change a machine.
//!
//! A click, a step of a scenario, a lesson's solution and a message to the page are all such
//! values, so that undo, replay, links and tests are one mechanism. In files a command is an
//! object with its name under `op`.

use serde::{Deserialize, Serialize};

use crate::arch::address::{Num, PAGE_SIZE};
use crate::arch::{Access, AccessKind, CpuModel, Gpa, Gva};
use crate::language::Language;
use crate::tr;

/// An operand size of a load or store, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u64")]
pub struct Size(u8);

impl Size {
    /// Eight bytes.
    pub const WORD: Self = Self(8);

    /// 1, 2, 4 or 8 bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Option<Self> {
        match bytes {
            1 | 2 | 4 | 8 => Some(Self(bytes as u8)),
            _ => None,
        }
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0 as u32
    }
}

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        u64::from(size.0)
    }
}

/// The page that a `map` command makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum MapSize {
    /// 4 KiB, in every mode.
    #[default]
    #[serde(rename = "4k")]
    Kib4,
    /// 2 MiB, with 8-byte entries.
    #[serde(rename = "2m")]
    Mib2,
    /// 4 MiB, with 32-bit paging and CR4.PSE.
    #[serde(rename = "4m")]
    Mib4,
    /// 1 GiB, with 4-level and 5-level paging.
    #[serde(rename = "1g")]
    Gib1,
}

impl MapSize {
    /// log2 of the size in bytes.
    #[must_use]
    pub const fn shift(self) -> u32 {
        match self {
            Self::Kib4 => 12,
            Self::Mib2 => 21,
            Self::Mib4 => 22,
            Self::Gib1 => 30,
        }
    }
}

/// What `memslot` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SlotAction {
    /// Register memory.
    Add,
    /// Take a slot away.
    Remove,
    /// Switch dirty logging on.
    Log,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Command {
    /// One explicit access of one byte.
    Access {
        /// Linear address.
        va: Gva,
        /// Read, write or fetch.
        kind: AccessKind,
        /// CPL 3.
        user: bool,
        /// RFLAGS.AC.
        ac: bool,
        /// Through SS.
        stack: bool,
    },
    /// A guest store of data through translation.
    Write {
        /// Linear address.
        va: Gva,
        /// The low `size` bytes are stored.
        val: Num,
        /// Bytes.
        size: Size,
        /// CPL 3.
        user: bool,
        /// RFLAGS.AC.
        ac: bool,
    },
    /// A guest load of data through translation.
    Read {
        /// Linear address.
        va: Gva,
        /// Bytes.
        size: Size,
        /// CPL 3.
        user: bool,
        /// RFLAGS.AC.
        ac: bool,
    },
    /// A guest store through a mapping outside the scenario's tables: no TLB effect.
    Poke {
        /// Guest-physical address; the store does not cross a page.
        pa: Gpa,
        /// The low `size` bytes are stored.
        val: Num,
        /// Bytes.
        size: Size,
    },
    /// A store by a device: no engine sees it.
    Dma {
        /// Guest-physical address; the store does not cross a page.
        pa: Gpa,
        /// The low `size` bytes are stored.
        val: Num,
        /// Bytes.
        size: Size,
    },
    /// MOV to CR0.
    MovCr0 {
        /// The source operand.
        val: Num,
        /// In long mode: executed in compatibility mode, with a 32-bit operand.
        compat: bool,
    },
    /// MOV to CR3.
    MovCr3 {
        /// The source operand.
        val: Num,
        /// As in [`Command::MovCr0`].
        compat: bool,
    },
    /// MOV to CR4.
    MovCr4 {
        /// The source operand.
        val: Num,
        /// As in [`Command::MovCr0`].
        compat: bool,
    },
    /// WRMSR to IA32_EFER.
    WrmsrEfer {
        /// EDX:EAX.
        val: Num,
        /// Executed in compatibility mode; makes no difference.
        compat: bool,
    },
    /// WRPKRU.
    Wrpkru {
        /// EAX.
        val: Num,
    },
    /// INVLPG.
    Invlpg {
        /// Linear address.
        va: Gva,
    },
    /// INVPCID.
    Invpcid {
        /// 0 to 3.
        #[serde(rename = "type")]
        kind: Num,
        /// The low quadword of the descriptor.
        pcid: Num,
        /// The high quadword of the descriptor.
        va: Gva,
    },
    /// Userspace sets all control registers at once (KVM_SET_SREGS).
    SetSregs {
        /// CR0.
        cr0: Num,
        /// CR3.
        cr3: Num,
        /// CR4.
        cr4: Num,
        /// IA32_EFER.
        efer: Num,
    },
    /// Userspace manages a memory slot.
    Memslot {
        /// Its first address.
        gpa: Gpa,
        /// Bytes; counts for `add` only.
        size: Num,
        /// What to do.
        action: SlotAction,
    },
    /// Userspace fetches and clears a slot's dirty bitmap.
    DirtyLog {
        /// The slot's first address.
        gpa: Gpa,
    },
    /// Writes the entries that build a mapping, taking tables from free frames.
    Map {
        /// Linear address of the page.
        va: Gva,
        /// Guest-physical address of the page.
        pa: Gpa,
        /// Size of the page.
        size: MapSize,
        /// Bits of the leaf besides P; those that restrict are left open in the entries above.
        flags: u64,
    },
}

/// A command that no machine of this model can be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.say(Language::En))]
pub enum InvalidCommand {
    /// A physical address above MAXPHYADDR.
    BeyondPhysical {
        /// The address.
        gpa: u64,
        /// MAXPHYADDR.
        width: u8,
        /// The highest address.
        last: u64,
    },
    /// A physical store that crosses a page.
    CrossesPage {
        /// The address.
        gpa: u64,
        /// Bytes.
        size: u32,
    },
}

impl InvalidCommand {
    /// In words.
    #[must_use]
    pub fn say(&self, language: Language) -> String {
        let hex = |value: u64| format!("{value:#x}");
        match *self {
            Self::BeyondPhysical { gpa, width, last } => tr!(
                language,
                "{place} is beyond MAXPHYADDR: this processor has {width} physical-address bits, so the last byte is at \
                 {last}",
                place = hex(gpa),
                width = width,
                last = hex(last)
            ),
            Self::CrossesPage { gpa, size } => {
                tr!(language, "a store of {size} bytes at {place} would cross a page", size = size, place = hex(gpa))
            }
        }
    }
}

/// Checks that `size` bytes at `gpa` exist on this model.
///
/// # Errors
/// [`InvalidCommand::BeyondPhysical`].
pub fn check_physical(model: &CpuModel, gpa: Gpa, size: u64) -> Result<(), InvalidCommand> {
    let last = !model.above_physical();
    if gpa.0 > last || last - gpa.0 < size.saturating_sub(1) {
        return Err(InvalidCommand::BeyondPhysical { gpa: gpa.0, width: model.maxphyaddr, last });
    }
    Ok(())
}

impl Command {
    /// Checks what does not depend on the machine's state.
    ///
    /// # Errors
    /// [`InvalidCommand`].
    pub fn check(&self, model: &CpuModel) -> Result<(), InvalidCommand> {
        match self {
            Self::Poke { pa, size, .. } | Self::Dma { pa, size, .. } => {
                check_physical(model, *pa, u64::from(*size))?;
                if pa.page_offset() + u64::from(*size) > PAGE_SIZE {
                    return Err(InvalidCommand::CrossesPage { gpa: pa.0, size: size.bytes() });
                }
                Ok(())
            }
            Self::Memslot { gpa, size, .. } => check_physical(model, *gpa, size.0),
            Self::DirtyLog { gpa } => check_physical(model, *gpa, 1),
            Self::Map { pa, size, .. } => check_physical(model, *pa, 1 << size.shift()),
            _ => Ok(()),
        }
    }

    /// The name under `op`.
    #[must_use]
    pub const fn op(&self) -> &'static str {
        match self {
            Self::Access { .. } => "access",
            Self::Write { .. } => "write",
            Self::Read { .. } => "read",
            Self::Poke { .. } => "poke",
            Self::Dma { .. } => "dma",
            Self::MovCr0 { .. } => "mov_cr0",
            Self::MovCr3 { .. } => "mov_cr3",
            Self::MovCr4 { .. } => "mov_cr4",
            Self::WrmsrEfer { .. } => "wrmsr_efer",
            Self::Wrpkru { .. } => "wrpkru",
            Self::Invlpg { .. } => "invlpg",
            Self::Invpcid { .. } => "invpcid",
            Self::SetSregs { .. } => "set_sregs",
            Self::Memslot { .. } => "memslot",
            Self::DirtyLog { .. } => "dirty_log",
            Self::Map { .. } => "map",
        }
    }

    /// An access as the rights rules see it, for the commands that make one.
    #[must_use]
    pub const fn access(&self) -> Option<(Gva, Access)> {
        const fn make(kind: AccessKind, user: bool, ac: bool, stack: bool) -> Access {
            Access { kind, user, implicit: false, ac, stack }
        }
        match *self {
            Self::Access { va, kind, user, ac, stack } => Some((va, make(kind, user, ac, stack))),
            Self::Write { va, user, ac, .. } => Some((va, make(AccessKind::Write, user, ac, false))),
            Self::Read { va, user, ac, .. } => Some((va, make(AccessKind::Read, user, ac, false))),
            _ => None,
        }
    }
}
