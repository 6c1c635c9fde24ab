//! Steps of a scenario: a command, an expectation or a caption, as files write them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::file::Text;
use super::predicate::Predicate;
use crate::arch::address::Num;
use crate::arch::{AccessKind, Gpa, Gva, entry};
use crate::machine::Command;
use crate::machine::command::{MapSize, Size, SlotAction};
use crate::names::nearest;

/// An exception that a step may want, by its name in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum WantedException {
    /// Page fault.
    #[serde(rename = "PF")]
    PageFault,
    /// General protection.
    #[serde(rename = "GP")]
    GeneralProtection,
    /// Stack fault.
    #[serde(rename = "SS")]
    StackFault,
    /// Undefined instruction.
    #[serde(rename = "UD")]
    Undefined,
}

impl WantedException {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PageFault => "PF",
            Self::GeneralProtection => "GP",
            Self::StackFault => "SS",
            Self::Undefined => "UD",
        }
    }
}

/// How a step must end. Empty means: carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Want {
    /// The guest-physical address that an access reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pa: Option<Gpa>,
    /// The exception that it raises instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exc: Option<WantedException>,
    /// The exception's error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err: Option<Num>,
    /// What CR2 holds afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cr2: Option<Gva>,
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(exc) = self.exc {
            write!(f, "#{}", exc.name())?;
            if let Some(err) = self.err {
                write!(f, " err {:#x}", err.0)?;
            }
            if let Some(cr2) = self.cr2 {
                write!(f, " cr2 {:#x}", cr2.0)?;
            }
            Ok(())
        } else if let Some(pa) = self.pa {
            write!(f, "pa {:#x}", pa.0)
        } else {
            f.write_str("accepted")
        }
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// Changes the machine.
    Command(Command),
    /// Must hold, or the run fails.
    Expect(Predicate),
    /// A caption for the timeline.
    Note(Text),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub kind: StepKind,
    /// How it must end.
    pub want: Option<Want>,
    /// The value that a `read` must load.
    pub want_value: Option<Num>,
}

/// Leaf bits that `map` takes by name.
pub(super) const MAP_FLAGS: [(&str, u64); 9] = [
    ("rw", entry::RW),
    ("us", entry::US),
    ("pwt", entry::PWT),
    ("pcd", entry::PCD),
    ("a", entry::A),
    ("d", entry::D),
    ("g", entry::G),
    ("nx", entry::XD),
    ("xd", entry::XD),
];

/// A step as it stands in a file. Which fields belong to which `op` is checked afterwards.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub(super) struct RawStep {
    /// What the step does: access, write, read, poke, dma, `mov_cr0`, `mov_cr3`, `mov_cr4`, `wrmsr_efer`,
    /// wrpkru, invlpg, invpcid, `set_sregs`, memslot, `dirty_log`, map, expect or note.
    op: String,
    va: Option<Gva>,
    pa: Option<Gpa>,
    gpa: Option<Gpa>,
    val: Option<Num>,
    /// Bytes (1, 2, 4 or 8); for `map` 4k, 2m, 4m or 1g.
    #[schemars(with = "Option<Num>")]
    size: Option<serde_json::Value>,
    kind: Option<AccessKind>,
    user: Option<bool>,
    ac: Option<bool>,
    seg: Option<Segment>,
    compat: Option<bool>,
    #[serde(rename = "type")]
    kind_number: Option<Num>,
    pcid: Option<Num>,
    cr0: Option<Num>,
    cr3: Option<Num>,
    cr4: Option<Num>,
    efer: Option<Num>,
    action: Option<SlotAction>,
    flags: Option<Vec<String>>,
    that: Option<Predicate>,
    text: Option<Text>,
    want: Option<Want>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Segment {
    Ss,
}

/// Every `op` with the fields it takes besides `op`.
const OPS: [(&str, &[&str]); 18] = [
    ("access", &["va", "kind", "user", "ac", "seg", "want"]),
    ("write", &["va", "val", "size", "user", "ac", "want"]),
    ("read", &["va", "val", "size", "user", "ac", "want"]),
    ("poke", &["pa", "val", "size", "want"]),
    ("dma", &["pa", "val", "size", "want"]),
    ("mov_cr0", &["val", "compat", "want"]),
    ("mov_cr3", &["val", "compat", "want"]),
    ("mov_cr4", &["val", "compat", "want"]),
    ("wrmsr_efer", &["val", "compat", "want"]),
    ("wrpkru", &["val", "want"]),
    ("invlpg", &["va", "want"]),
    ("invpcid", &["type", "pcid", "va", "want"]),
    ("set_sregs", &["cr0", "cr3", "cr4", "efer", "want"]),
    ("memslot", &["gpa", "size", "action", "want"]),
    ("dirty_log", &["gpa", "want"]),
    ("map", &["va", "pa", "size", "flags", "want"]),
    ("expect", &["that"]),
    ("note", &["text"]),
];

/// Every `op` that gives a command.
pub(crate) fn command_ops() -> impl Iterator<Item = &'static str> + Clone {
    OPS.iter().map(|(op, _)| *op).filter(|op| !matches!(*op, "expect" | "note"))
}

impl RawStep {
    fn present(&self) -> [(&'static str, bool); 22] {
        [
            ("va", self.va.is_some()),
            ("pa", self.pa.is_some()),
            ("gpa", self.gpa.is_some()),
            ("val", self.val.is_some()),
            ("size", self.size.is_some()),
            ("kind", self.kind.is_some()),
            ("user", self.user.is_some()),
            ("ac", self.ac.is_some()),
            ("seg", self.seg.is_some()),
            ("compat", self.compat.is_some()),
            ("type", self.kind_number.is_some()),
            ("pcid", self.pcid.is_some()),
            ("cr0", self.cr0.is_some()),
            ("cr3", self.cr3.is_some()),
            ("cr4", self.cr4.is_some()),
            ("efer", self.efer.is_some()),
            ("action", self.action.is_some()),
            ("flags", self.flags.is_some()),
            ("that", self.that.is_some()),
            ("text", self.text.is_some()),
            ("want", self.want.is_some()),
            ("op", false),
        ]
    }

    fn need<T>(&self, field: &str, value: Option<T>) -> Result<T, String> {
        value.ok_or_else(|| format!("`{}` needs the field `{field}`", self.op))
    }

    fn bytes(&self, default: Option<Size>) -> Result<Size, String> {
        let Some(value) = &self.size else { return self.need("size", default) };
        let number = Num::deserialize(value).map_err(|e| e.to_string())?;
        Size::new(number.0).ok_or_else(|| format!("`size` is {}: it must be 1, 2, 4 or 8 bytes", number.0))
    }

    fn val_of(&self, size: Size) -> Result<Num, String> {
        let val = self.need("val", self.val)?;
        if size.bytes() < 8 && val.0 >> (8 * size.bytes()) != 0 {
            return Err(format!("`val` {:#x} does not fit in {} bytes", val.0, size.bytes()));
        }
        Ok(val)
    }

    fn into_step(self) -> Result<Step, String> {
        let Some((_, fields)) = OPS.iter().find(|(op, _)| *op == self.op) else {
            return Err(nearest("op", &self.op, OPS.iter().map(|(op, _)| *op)));
        };
        for (field, present) in self.present() {
            if present && !fields.contains(&field) {
                return Err(format!("`{}` does not take the field `{field}`; it takes {}", self.op, fields.join(", ")));
            }
        }
        if self.op == "expect" {
            let that = self.need("that", self.that.clone())?;
            return Ok(Step { kind: StepKind::Expect(that), want: None, want_value: None });
        }
        if self.op == "note" {
            let text = self.need("text", self.text.clone())?;
            return Ok(Step { kind: StepKind::Note(text), want: None, want_value: None });
        }
        let want_value = if self.op == "read" { self.val } else { None };
        let command = self.command()?;
        Ok(Step { kind: StepKind::Command(command), want: self.want, want_value })
    }

    fn command(&self) -> Result<Command, String> {
        let (user, ac, compat) = (self.user == Some(true), self.ac == Some(true), self.compat == Some(true));
        let va = || self.need("va", self.va);
        let val = || self.need("val", self.val);
        Ok(match self.op.as_str() {
            "access" => Command::Access {
                va: va()?,
                kind: self.need("kind", self.kind)?,
                user,
                ac,
                stack: self.seg == Some(Segment::Ss),
            },
            "write" => {
                let size = self.bytes(None)?;
                Command::Write { va: va()?, val: self.val_of(size)?, size, user, ac }
            }
            "read" => Command::Read { va: va()?, size: self.bytes(None)?, user, ac },
            "poke" | "dma" => {
                let (pa, size) = (self.need("pa", self.pa)?, self.bytes(Some(Size::WORD))?);
                let val = self.val_of(size)?;
                if self.op == "poke" { Command::Poke { pa, val, size } } else { Command::Dma { pa, val, size } }
            }
            "mov_cr0" => Command::MovCr0 { val: val()?, compat },
            "mov_cr3" => Command::MovCr3 { val: val()?, compat },
            "mov_cr4" => Command::MovCr4 { val: val()?, compat },
            "wrmsr_efer" => Command::WrmsrEfer { val: val()?, compat },
            "wrpkru" => {
                let val = val()?;
                u32::try_from(val.0).map_err(|_| format!("`val` {:#x} does not fit in PKRU, 32 bits", val.0))?;
                Command::Wrpkru { val }
            }
            "invlpg" => Command::Invlpg { va: va()? },
            "invpcid" => Command::Invpcid {
                kind: self.need("type", self.kind_number)?,
                pcid: self.pcid.unwrap_or_default(),
                va: self.va.unwrap_or_default(),
            },
            "set_sregs" => Command::SetSregs {
                cr0: self.need("cr0", self.cr0)?,
                cr3: self.need("cr3", self.cr3)?,
                cr4: self.need("cr4", self.cr4)?,
                efer: self.need("efer", self.efer)?,
            },
            "memslot" => {
                let action = self.need("action", self.action)?;
                let size = match (&self.size, action) {
                    (Some(value), _) => Num::deserialize(value).map_err(|e| e.to_string())?,
                    (None, SlotAction::Add) => return self.need("size", None),
                    (None, _) => Num(0),
                };
                Command::Memslot { gpa: self.need("gpa", self.gpa)?, size, action }
            }
            "dirty_log" => Command::DirtyLog { gpa: self.need("gpa", self.gpa)? },
            _ => Command::Map {
                va: va()?,
                pa: self.need("pa", self.pa)?,
                size: match &self.size {
                    None => MapSize::default(),
                    Some(value) => MapSize::deserialize(value)
                        .map_err(|_| format!("`size` is {value}: `map` takes \"4k\", \"2m\", \"4m\" or \"1g\""))?,
                },
                flags: self.map_flags()?,
            },
        })
    }

    fn map_flags(&self) -> Result<u64, String> {
        let mut bits = 0;
        for name in self.flags.iter().flatten() {
            let Some((_, bit)) = MAP_FLAGS.iter().find(|(flag, _)| flag == name) else {
                return Err(nearest("flag", name, MAP_FLAGS.iter().map(|(flag, _)| *flag)));
            };
            bits |= bit;
        }
        Ok(bits)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RawStep::deserialize(deserializer)?.into_step().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        RawStep::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        RawStep::json_schema(generator)
    }
}
