//! Numbers as people read them.

use crate::arch::entry;

/// `0x4120_1abc`: hex, grouped by four digits from the right.
#[must_use]
pub fn hex(value: u64) -> String {
    let digits = format!("{value:x}");
    let mut out = String::with_capacity(2 + digits.len() + digits.len() / 4);
    out.push_str("0x");
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(4) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

/// An address with the tag of its space: `GPA 0x3020`.
#[must_use]
pub fn address(tag: &str, value: u64) -> String {
    format!("{tag} {}", hex(value))
}

/// `4 KiB`, `2 MiB`, `1 GiB`.
#[must_use]
pub fn page_size(bytes: u64) -> String {
    match bytes.trailing_zeros() {
        30.. => format!("{} GiB", bytes >> 30),
        20.. => format!("{} MiB", bytes >> 20),
        _ => format!("{} KiB", bytes >> 10),
    }
}

/// `bit 5`, `bits 2:1`, `bits 8, 2:1`: set bits, runs as high:low, highest first.
#[must_use]
pub fn bit_list(bits: u64) -> String {
    let mut runs = Vec::new();
    let mut rest = bits;
    while rest != 0 {
        let hi = 63 - rest.leading_zeros();
        let len = (rest << (63 - hi)).leading_ones();
        let lo = hi + 1 - len;
        runs.push(if hi == lo { hi.to_string() } else { format!("{hi}:{lo}") });
        rest &= (1 << lo) - 1;
    }
    let word = if bits.count_ones() == 1 { "bit" } else { "bits" };
    format!("{word} {}", runs.join(", "))
}

/// The flags of an entry, `P W U A D`; `leaf` decides what bit 7 and 8 mean.
#[must_use]
pub fn entry_flags(value: u64, leaf: bool) -> String {
    let names = [
        (entry::P, "P"),
        (entry::RW, "W"),
        (entry::US, "U"),
        (entry::PWT, "PWT"),
        (entry::PCD, "PCD"),
        (entry::A, "A"),
        (if leaf { entry::D } else { 0 }, "D"),
        (if leaf { entry::G } else { 0 }, "G"),
        (entry::XD, "XD"),
    ];
    let set = names.into_iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| name);
    set.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(hex(0), "0x0");
        assert_eq!(hex(0x3020), "0x3020");
        assert_eq!(hex(0x4120_1abc), "0x4120_1abc");
        assert_eq!(hex(0x2_b027), "0x2_b027");
        assert_eq!(page_size(1 << 12), "4 KiB");
        assert_eq!(page_size(1 << 22), "4 MiB");
        assert_eq!(page_size(1 << 30), "1 GiB");
        assert_eq!(bit_list(0x20), "bit 5");
        assert_eq!(bit_list(0x1e6), "bits 8:5, 2:1");
        assert_eq!(bit_list(1 << 63), "bit 63");
        assert_eq!(bit_list(u64::MAX), "bits 63:0");
    }
}
