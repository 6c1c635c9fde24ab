//! Numbers as people read them.

use crate::arch::{Mode, entry};
use crate::language::Language;
use crate::tr;

/// Digits in groups of `by` from the right, with a sign between two groups.
fn in_groups(digits: &str, by: usize, between: char) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / by);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(by) {
            out.push(between);
        }
        out.push(digit);
    }
    out
}

/// `4120_1abc`: hex without prefix, at least `least` digits, grouped by four from the right.
#[must_use]
pub fn hex_digits(value: u64, least: usize) -> String {
    in_groups(&format!("{value:0least$x}"), 4, '_')
}

/// `0x4120_1abc`: hex, grouped by four digits from the right.
#[must_use]
pub fn hex(value: u64) -> String {
    format!("0x{}", hex_digits(value, 1))
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

/// A count with its thousands apart: `1,003`.
#[must_use]
pub fn count(value: u64) -> String {
    in_groups(&value.to_string(), 3, ',')
}

/// A text that fills at least so many columns of a terminal; a Chinese character takes two.
#[must_use]
pub fn padded(text: &str, columns: usize) -> String {
    let used: usize = text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum();
    format!("{text}{}", " ".repeat(columns.saturating_sub(used)))
}

/// Ideographs, their punctuation and full-width forms.
const fn is_wide(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}')
}

/// A paging mode by its name.
#[must_use]
pub fn mode(mode: Mode, language: Language) -> &'static str {
    match mode {
        Mode::Off => tr!(language, "Off"),
        Mode::Bits32 => tr!(language, "32-bit"),
        Mode::Pae => "PAE",
        Mode::Level4 => tr!(language, "4-level"),
        Mode::Level5 => tr!(language, "5-level"),
    }
}

/// `bit 5`, `bits 2:1`, `bits 8, 2:1`: set bits, runs as high:low, highest first.
#[must_use]
pub fn bit_list(bits: u64, language: Language) -> String {
    let mut runs = Vec::new();
    let mut rest = bits;
    while rest != 0 {
        let hi = 63 - rest.leading_zeros();
        let len = (rest << (63 - hi)).leading_ones();
        let lo = hi + 1 - len;
        runs.push(if hi == lo { hi.to_string() } else { format!("{hi}:{lo}") });
        rest &= (1 << lo) - 1;
    }
    let list = runs.join(tr!(language, ", "));
    if bits.count_ones() == 1 {
        tr!(language, "bit {bit}", bit = list)
    } else {
        tr!(language, "bits {list}", list = list)
    }
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
    fn a_chinese_character_takes_two_columns() {
        assert_eq!(padded("walk", 6), "walk  ");
        assert_eq!(padded("遍历", 6), "遍历  ");
        assert_eq!(padded("遍历", 3), "遍历");
    }

    #[test]
    fn counts_are_grouped() {
        let texts = [0, 7, 999, 1_000, 1_003, 12_345, 1_000_000].map(count);
        assert_eq!(texts, ["0", "7", "999", "1,000", "1,003", "12,345", "1,000,000"]);
    }

    #[test]
    fn numbers() {
        assert_eq!(hex(0), "0x0");
        assert_eq!(hex(0x3020), "0x3020");
        assert_eq!(hex(0x4120_1abc), "0x4120_1abc");
        assert_eq!(hex(0x2_b027), "0x2_b027");
        assert_eq!(page_size(1 << 12), "4 KiB");
        assert_eq!(page_size(1 << 22), "4 MiB");
        assert_eq!(page_size(1 << 30), "1 GiB");
        assert_eq!(bit_list(0x20, Language::En), "bit 5");
        assert_eq!(bit_list(0x1e6, Language::En), "bits 8:5, 2:1");
        assert_eq!(bit_list(1 << 63, Language::En), "bit 63");
        assert_eq!(bit_list(0x1e6, Language::Zh), "位 8:5、2:1");
        assert_eq!(bit_list(u64::MAX, Language::En), "bits 63:0");
    }
}
