//! Predicates as files write them.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::arch::address::Num;
use crate::machine::Command;
use crate::scenario::predicate::{ENTRY_FLAGS, Predicate, Range};

/// The names of the bits that are set; of two names for a bit the first.
pub(super) fn flag_names(bits: u64, known: &[(&'static str, u64)]) -> Vec<&'static str> {
    let mut left = bits;
    let mut names = Vec::new();
    for (name, bit) in known {
        if left & bit != 0 {
            names.push(*name);
            left &= !bit;
        }
    }
    names
}

fn range<M: SerializeMap>(map: &mut M, Range { least, most }: Range) -> Result<(), M::Error> {
    if least == most {
        return map.serialize_entry("is", &Num(least));
    }
    if most != u64::MAX {
        map.serialize_entry("at_most", &Num(most))?;
    }
    // What a reader takes it for where nothing is said.
    let default = u64::from(most == u64::MAX);
    if least == default { Ok(()) } else { map.serialize_entry("at_least", &Num(least)) }
}

#[derive(serde::Serialize)]
struct AccessOut<'a> {
    va: &'a crate::arch::Gva,
    kind: &'a crate::arch::AccessKind,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    user: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ac: bool,
}

impl Serialize for Predicate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Register(name, value) => {
                map.serialize_entry("reg", name)?;
                map.serialize_entry("is", &Num(*value))?;
            }
            Self::PdpteStale(index, stale) => {
                map.serialize_entry("pdpte", index)?;
                map.serialize_entry("stale", stale)?;
            }
            Self::PdpteRegister(index, value) => {
                map.serialize_entry("pdpte", index)?;
                map.serialize_entry("register", &Num(*value))?;
            }
            Self::Access(command, gives) => {
                if let Command::Access { va, kind, user, ac, .. } = command {
                    map.serialize_entry("access", &AccessOut { va, kind, user: *user, ac: *ac })?;
                }
                map.serialize_entry("gives", gives)?;
            }
            Self::Entry { table, index, has, lacks } => {
                map.serialize_entry("entry", &serde_json::json!({ "table": table, "index": index }))?;
                map.serialize_entry("has", &flag_names(*has, &ENTRY_FLAGS))?;
                map.serialize_entry("lacks", &flag_names(*lacks, &ENTRY_FLAGS))?;
            }
            Self::Memory(gpa, value) => {
                map.serialize_entry("mem", gpa)?;
                map.serialize_entry("is", &Num(*value))?;
            }
            Self::Shadow(question) => {
                let about = match question.level {
                    Some(level) => serde_json::json!({ "gfn": question.gfn, "level": level }),
                    None => serde_json::json!({ "gfn": question.gfn }),
                };
                map.serialize_entry("shadow", &about)?;
                if let Some(count) = question.count {
                    map.serialize_entry("count", &count)?;
                }
                if let Some(unsync) = question.unsync {
                    map.serialize_entry("unsync", &unsync)?;
                }
                if let Some(protected) = question.write_protected {
                    map.serialize_entry("write_protected", &protected)?;
                }
            }
            Self::Tlb(va, present) => {
                map.serialize_entry("tlb", &serde_json::json!({ "va": va }))?;
                map.serialize_entry("present", present)?;
            }
            Self::Cost(key, times) => {
                map.serialize_entry("cost", key)?;
                range(&mut map, *times)?;
            }
            Self::Happened { event, cause, times } => {
                map.serialize_entry("happened", event)?;
                if let Some(cause) = cause {
                    map.serialize_entry("cause", cause)?;
                }
                range(&mut map, *times)?;
            }
            Self::All(all) => map.serialize_entry("all", all)?,
            Self::Any(any) => map.serialize_entry("any", any)?,
            Self::Not(not) => map.serialize_entry("not", not)?,
        }
        map.end()
    }
}

impl Predicate {
    /// As JSON text: what files hold.
    #[must_use]
    pub fn to_json(&self) -> String {
        match serde_json::to_string(self) {
            Ok(json) => json,
            Err(error) => unreachable!("strings, numbers and lists are JSON: {error}"),
        }
    }

    /// Reads what [`Predicate::to_json`] wrote.
    #[must_use]
    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}
