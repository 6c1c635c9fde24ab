//! Addresses and frame numbers, one type for each space, so that mixing them does not compile.
//!
//! `Gva` is a guest linear address (64 bits, canonical or not), `Gpa` a guest-physical and `Hpa` a
//! host-physical address (52 bits at most); `Gfn` and `Hfn` are those divided by 4096.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// log2 of the smallest page, in bytes.
pub const PAGE_SHIFT: u32 = 12;
/// The smallest page, in bytes.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
/// The widest physical address that the architecture allows, in bits (SDM 4.1.4).
pub const MAX_PHYSICAL_WIDTH: u32 = 52;

/// A mask of bits `lo..=hi`; empty when `lo > hi`.
#[must_use]
pub const fn bits(lo: u32, hi: u32) -> u64 {
    if lo > hi || lo > 63 {
        return 0;
    }
    let hi = if hi > 63 { 63 } else { hi };
    (u64::MAX >> (63 - hi)) & (u64::MAX << lo)
}

/// Reads a number written as `"0x1020"`, or as a plain non-negative JSON integer.
///
/// # Errors
/// A sentence that says what was found instead.
pub fn number_from_text(text: &str) -> Result<u64, String> {
    let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) else {
        // A plain integer of a file has no quotes; what has them is hex.
        return Err(match text.is_empty() || text.chars().any(|c| !c.is_ascii_hexdigit()) {
            true => format!("`{text}` is not a number: write it in hex, as in \"0x1020\""),
            false => format!("`{text}` has no 0x: write it in hex, as in \"0x{text}\""),
        });
    };
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() {
        return Err(format!("`{text}` has no digits after 0x"));
    }
    u64::from_str_radix(&digits, 16).map_err(|_| {
        if digits.len() > 16 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
            format!("`{text}` does not fit in 64 bits")
        } else {
            format!("`{text}` is not a hex number")
        }
    })
}

/// A 64-bit number of a file: a hex string, or a plain integer on input.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Num(pub u64);

impl fmt::Debug for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for Num {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}

struct NumVisitor;

impl serde::de::Visitor<'_> for NumVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number: a hex string such as \"0x1020\", or a non-negative integer")
    }

    fn visit_u64<E>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<u64, E> {
        number_from_text(value).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumVisitor).map(Num)
    }
}

impl schemars::JsonSchema for Num {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A 64-bit number: a hex string, or a non-negative integer on input.",
            "anyOf": [
                { "type": "string", "pattern": "^0[xX][0-9a-fA-F_]+$" },
                { "type": "integer", "minimum": 0 }
            ]
        })
    }
}

macro_rules! number_type {
    ($(#[$doc:meta])* $name:ident, $tag:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The tag that stands before such a number on screen and in text.
            pub const TAG: &'static str = $tag;
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($tag, " {:#x}"), self.0)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Num(self.0).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Num::deserialize(deserializer).map(|n| Self(n.0))
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                generator.subschema_for::<Num>()
            }
        }
    };
}

number_type!(
    /// A guest linear ("virtual") address.
    Gva, "GVA"
);
number_type!(
    /// A guest-physical address, in bytes.
    Gpa, "GPA"
);
number_type!(
    /// A host-physical address, in bytes.
    Hpa, "HPA"
);
number_type!(
    /// A guest frame number: a guest-physical address divided by 4096.
    Gfn, "gfn"
);
number_type!(
    /// A host frame number: a host-physical address divided by 4096.
    Hfn, "hfn"
);

impl Gpa {
    /// The 4 KiB frame that holds this byte.
    #[must_use]
    pub const fn gfn(self) -> Gfn {
        Gfn(self.0 >> PAGE_SHIFT)
    }

    /// The offset in its 4 KiB frame, 0 to 4095.
    #[must_use]
    pub const fn page_offset(self) -> u64 {
        self.0 & (PAGE_SIZE - 1)
    }

    /// The address `bytes` further up.
    #[must_use]
    pub const fn offset(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl Gfn {
    /// The address of the frame's first byte.
    #[must_use]
    pub const fn base(self) -> Gpa {
        Gpa(self.0 << PAGE_SHIFT)
    }
}

impl Hpa {
    /// The 4 KiB frame that holds this byte.
    #[must_use]
    pub const fn hfn(self) -> Hfn {
        Hfn(self.0 >> PAGE_SHIFT)
    }
}

impl Hfn {
    /// The address of the frame's first byte.
    #[must_use]
    pub const fn base(self) -> Hpa {
        Hpa(self.0 << PAGE_SHIFT)
    }
}

impl Gva {
    /// Whether bits 63:`width`−1 are all equal (SDM 3.3.7.1; `width` is 48 or 57).
    #[must_use]
    pub const fn is_canonical(self, width: u32) -> bool {
        let shift = 64 - width;
        ((self.0 << shift).cast_signed() >> shift).cast_unsigned() == self.0
    }

    /// The address `bytes` further up.
    #[must_use]
    pub const fn offset(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        assert_eq!(bits(0, 0), 1);
        assert_eq!(bits(5, 8), 0x1e0);
        assert_eq!(bits(52, 51), 0);
        assert_eq!(bits(0, 63), u64::MAX);
    }

    #[test]
    fn canonical_at_both_widths() {
        assert!(Gva(0x7fff_ffff_f000).is_canonical(48));
        assert!(!Gva(0x8000_0000_0000).is_canonical(48));
        assert!(Gva(0x8000_0000_0000).is_canonical(57));
        assert!(Gva(0xffff_8000_0000_0000).is_canonical(48));
        assert!(!Gva(0x0100_0000_0000_0000).is_canonical(57));
    }

    #[test]
    fn numbers_of_files() {
        assert_eq!(number_from_text("0x1020"), Ok(0x1020));
        assert_eq!(number_from_text("0x4120_1abc"), Ok(0x4120_1abc));
        assert!(number_from_text("1020").unwrap_err().contains("in hex"));
        assert!(number_from_text("0x").unwrap_err().contains("no digits"));
        assert!(number_from_text("0x10000000000000000").unwrap_err().contains("64 bits"));
        assert!(number_from_text("0xzz").unwrap_err().contains("not a hex"));
    }
}
