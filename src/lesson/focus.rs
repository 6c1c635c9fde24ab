//! What a step puts in the spotlight.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::arch::address::number_from_text;
use crate::arch::{Gpa, Gva};
use crate::names::nearest;

/// Something on the screen that a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// A part of the screen by its name, one of [`Focus::PLACES`].
    Place(&'static str),
    /// A PDPTE register, 0 to 3.
    Pdpte(u8),
    /// An entry by its own address.
    Entry(Gpa),
    /// A table by the address of its first byte.
    Table(Gpa),
    /// A frame of guest memory.
    Frame(Gpa),
    /// A linear address: the walk that leads from it.
    Address(Gva),
}

impl Focus {
    /// The parts of the screen that can be named.
    pub const PLACES: [&'static str; 20] = [
        "mode", "cr0", "cr2", "cr3", "cr4", "efer", "pkru", "pdptes", "tlb", "psc", "address", "stage", "shadow",
        "memory", "timeline", "log", "why", "entry", "cost", "engines",
    ];

    fn parse(text: &str) -> Result<Self, String> {
        let Some((what, value)) = text.split_once(':') else {
            let place = Self::PLACES.into_iter().find(|place| *place == text);
            return place.map(Self::Place).ok_or_else(|| nearest("place", text, Self::PLACES.into_iter()));
        };
        match what {
            "pdpte" => {
                let index = value.parse().ok().filter(|i| *i < 4).ok_or("`pdpte:` is followed by 0 to 3")?;
                Ok(Self::Pdpte(index))
            }
            "entry" => number_from_text(value).map(|n| Self::Entry(Gpa(n))),
            "table" => number_from_text(value).map(|n| Self::Table(Gpa(n))),
            "frame" => number_from_text(value).map(|n| Self::Frame(Gpa(n))),
            "va" => number_from_text(value).map(|n| Self::Address(Gva(n))),
            other => Err(nearest("focus", other, ["pdpte", "entry", "table", "frame", "va"].into_iter())),
        }
    }
}

impl fmt::Display for Focus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(place) => f.write_str(place),
            Self::Pdpte(index) => write!(f, "pdpte:{index}"),
            Self::Entry(gpa) => write!(f, "entry:{gpa:#x}"),
            Self::Table(gpa) => write!(f, "table:{gpa:#x}"),
            Self::Frame(gpa) => write!(f, "frame:{gpa:#x}"),
            Self::Address(gva) => write!(f, "va:{gva:#x}"),
        }
    }
}

impl Serialize for Focus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Focus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Focus {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Focus".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let pattern = format!("^({}|pdpte:[0-3]|(entry|table|frame|va):0[xX][0-9a-fA-F_]+)$", Self::PLACES.join("|"));
        schemars::json_schema!({ "type": "string", "pattern": pattern })
    }
}
