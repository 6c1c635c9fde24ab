//! Listings of QEMU's monitor (`xp`, `info registers`) and of gdb (`x`, `info registers`).
//!
//! A line that begins with a hex address and a colon lists memory; any other line is searched for
//! registers by name. The size of a unit follows from its digits: the monitor and gdb print all of
//! them.

use std::collections::BTreeMap;

use super::{Bytes, ImportError, Registers};
use crate::language::Sentence;
use crate::word;

/// Lines of a text, at most: with two words a line, 64 MB of memory.
const MAX_LINES: usize = 4_000_000;

pub(super) struct Read {
    pub words: BTreeMap<u64, Bytes>,
    pub bytes: u64,
    pub processors: Vec<Registers>,
}

/// Reads a text; `before` is the memory that other parts have given, which it must not contradict.
pub(super) fn read(name: &str, text: &str, before: &BTreeMap<u64, Bytes>) -> Result<Read, ImportError> {
    let mut read = Read { words: BTreeMap::new(), bytes: 0, processors: Vec::new() };
    let mut said: BTreeMap<u64, usize> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let wrong = |what: Sentence| ImportError::Line { name: name.to_owned(), line: number, what };
        if index == MAX_LINES {
            return Err(wrong(Sentence::new(word!("the text has more than {most} lines")).with("most", MAX_LINES)));
        }
        let line = line.trim();
        // What was typed, with or without the prompt before it.
        let typed = line.starts_with("(qemu)") || line.starts_with("(gdb)") || line.starts_with("xp");
        if line.is_empty() || typed || line.starts_with('#') {
            continue;
        }
        if line.contains("Cannot access memory") {
            return Err(wrong(Sentence::new(word!(
                "the memory at this address could not be read when the text was made"
            ))));
        }
        let Some((gpa, units)) = dump_line(line).map_err(wrong)? else {
            find_registers(line, &mut read.processors).map_err(wrong)?;
            continue;
        };
        let mut at = gpa;
        for unit in units.split_whitespace() {
            let (value, size) = unit_of(unit).map_err(wrong)?;
            let end = at.checked_add(size).filter(|end| *end <= 1 << 52);
            let end = end.ok_or_else(|| {
                let words = word!("{place} is no guest-physical address: it has over 52 bits");
                wrong(Sentence::new(words).with("place", format!("{at:#x}")))
            })?;
            for byte in 0..size {
                store(&mut read.words, before, at + byte, (value >> (8 * byte)) as u8).map_err(|old| {
                    let sentence = match said.get(&((at + byte) & !7)) {
                        None => {
                            Sentence::new(word!("the byte at {place} differs from what an earlier part says: {old}"))
                        }
                        Some(line) => {
                            Sentence::new(word!("the byte at {place} differs from what line {line} says: {old}"))
                                .with("line", line)
                        }
                    };
                    wrong(sentence.with("place", format!("{:#x}", at + byte)).with("old", format!("{old:#x}")))
                })?;
                said.entry((at + byte) & !7).or_insert(number);
            }
            read.bytes += size;
            at = end;
        }
        if at == gpa {
            return Err(wrong(Sentence::new(word!("no values follow the address"))));
        }
    }
    read.processors.retain(|registers| *registers != Registers { cpu: registers.cpu, ..Registers::default() });
    if read.bytes == 0 && read.processors.is_empty() {
        let what = Sentence::new(word!(
            "neither memory (`xp /8gx ADDRESS`) nor registers (`info registers`) were found in it"
        ));
        return Err(ImportError::Part { name: name.to_owned(), what });
    }
    Ok(read)
}

/// The address of a line that lists memory, and the text behind its colon.
fn dump_line(line: &str) -> Result<Option<(u64, &str)>, Sentence> {
    let Some((address, units)) = line.split_once(':') else { return Ok(None) };
    // gdb puts the symbol behind the address: 0x1000 <pg_dir+8>.
    let address = address.split_once('<').map_or(address, |(address, _)| address).trim();
    let digits = hex_digits(address);
    let is_address = (4..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_address {
        return Ok(None);
    }
    let gpa = u64::from_str_radix(digits, 16)
        .map_err(|_| Sentence::new(word!("`{address}` is not an address")).with("address", address))?;
    Ok(Some((gpa, units)))
}

fn hex_digits(text: &str) -> &str {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
}

/// A value and its bytes.
fn unit_of(unit: &str) -> Result<(u64, u64), Sentence> {
    let shown: String = unit.chars().take(40).collect();
    let Some(digits) = unit.strip_prefix("0x").or_else(|| unit.strip_prefix("0X")) else {
        let words = word!("`{value}` is not a hex value: print memory with `xp /NNgx` or `xp /NNwx`");
        return Err(Sentence::new(words).with("value", shown));
    };
    let size = match digits.len() {
        2 => 1,
        4 => 2,
        8 => 4,
        16 => 8,
        other => {
            let words = word!("`{value}` has {count} digits: a value has 2, 4, 8 or 16");
            return Err(Sentence::new(words).with("value", shown).with("count", other));
        }
    };
    let value = u64::from_str_radix(digits, 16)
        .map_err(|_| Sentence::new(word!("`{value}` is not a hex value")).with("value", shown))?;
    Ok((value, size))
}

/// Notes a byte; the old one where it is known and differs.
fn store(words: &mut BTreeMap<u64, Bytes>, before: &BTreeMap<u64, Bytes>, gpa: u64, byte: u8) -> Result<(), u8> {
    let (word, shift) = (gpa & !7, 8 * (gpa & 7));
    let bytes = words.entry(word).or_insert_with(|| before.get(&word).copied().unwrap_or_default());
    let old = (bytes.value >> shift) as u8;
    if bytes.known >> shift & 1 != 0 && old != byte {
        return Err(old);
    }
    bytes.value |= u64::from(byte) << shift;
    bytes.known |= 0xff << shift;
    Ok(())
}

/// Finds `CR3=...`, `CR3: ...` (QEMU, Linux) and `cr3   0x...` (gdb) in a line. `CPU#1` begins
/// another processor.
fn find_registers(line: &str, processors: &mut Vec<Registers>) -> Result<(), Sentence> {
    if let Some(number) = line.strip_prefix("CPU#") {
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        processors.push(Registers { cpu: digits.parse().ok(), ..Registers::default() });
        return Ok(());
    }
    let mut words = line.split([' ', '\t', '=', ':', ',']).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let name = word.trim_start_matches('$').to_ascii_lowercase();
        if !["cr0", "cr2", "cr3", "cr4", "efer", "pkru"].contains(&name.as_str()) {
            continue;
        }
        let shown = word.to_ascii_uppercase();
        let value =
            words.next().ok_or_else(|| Sentence::new(word!("{register} has no value")).with("register", &shown))?;
        let digits = hex_digits(value);
        let value = u64::from_str_radix(digits, 16).map_err(|_| {
            let value: String = value.chars().take(40).collect();
            let words = word!("{register} is `{value}`: a hex number was expected");
            Sentence::new(words).with("register", &shown).with("value", value)
        })?;
        if processors.is_empty() {
            processors.push(Registers::default());
        }
        if let Some(registers) = processors.last_mut() {
            let place = match name.as_str() {
                "cr0" => &mut registers.cr0,
                "cr2" => &mut registers.cr2,
                "cr3" => &mut registers.cr3,
                "cr4" => &mut registers.cr4,
                "efer" => &mut registers.efer,
                _ => &mut registers.pkru,
            };
            if place.is_some_and(|old| old != value) {
                let words = word!("{register} stands there a second time with another value");
                return Err(Sentence::new(words).with("register", shown));
            }
            *place = Some(value);
        }
    }
    Ok(())
}
