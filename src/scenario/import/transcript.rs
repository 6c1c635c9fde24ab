//! Listings of QEMU's monitor (`xp`, `info registers`) and of gdb (`x`, `info registers`).
//!
//! A line that begins with a hex address and a colon lists memory; any other line is searched for
//! registers by name. The size of a unit follows from its digits: the monitor and gdb print all of
//! them.

use std::collections::BTreeMap;

use super::{Bytes, ImportError, Registers};

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
        let wrong = |what: String| ImportError::Line { name: name.to_owned(), line: number, what };
        if index == MAX_LINES {
            return Err(wrong(format!("the text has more than {MAX_LINES} lines")));
        }
        let line = line.trim();
        // What was typed, with or without the prompt before it.
        let typed = line.starts_with("(qemu)") || line.starts_with("(gdb)") || line.starts_with("xp");
        if line.is_empty() || typed || line.starts_with('#') {
            continue;
        }
        if line.contains("Cannot access memory") {
            return Err(wrong("the memory at this address could not be read when the text was made".to_owned()));
        }
        let Some((gpa, units)) = dump_line(line).map_err(wrong)? else {
            find_registers(line, &mut read.processors).map_err(wrong)?;
            continue;
        };
        let mut at = gpa;
        for unit in units.split_whitespace() {
            let (value, size) = unit_of(unit).map_err(wrong)?;
            let end = at.checked_add(size).filter(|end| *end <= 1 << 52);
            let end = end.ok_or_else(|| wrong(format!("{at:#x} is no guest-physical address: it has over 52 bits")))?;
            for byte in 0..size {
                store(&mut read.words, before, at + byte, (value >> (8 * byte)) as u8).map_err(|old| {
                    let earlier =
                        said.get(&((at + byte) & !7)).map_or("an earlier part".to_owned(), |n| format!("line {n}"));
                    wrong(format!("the byte at {:#x} differs from what {earlier} says: {old:#x}", at + byte))
                })?;
                said.entry((at + byte) & !7).or_insert(number);
            }
            read.bytes += size;
            at = end;
        }
        if at == gpa {
            return Err(wrong("no values follow the address".to_owned()));
        }
    }
    read.processors.retain(|registers| *registers != Registers { cpu: registers.cpu, ..Registers::default() });
    if read.bytes == 0 && read.processors.is_empty() {
        let what = "neither memory (`xp /8gx ADDRESS`) nor registers (`info registers`) were found in it".to_owned();
        return Err(ImportError::Part { name: name.to_owned(), what });
    }
    Ok(read)
}

/// The address of a line that lists memory, and the text behind its colon.
fn dump_line(line: &str) -> Result<Option<(u64, &str)>, String> {
    let Some((address, units)) = line.split_once(':') else { return Ok(None) };
    // gdb puts the symbol behind the address: 0x1000 <pg_dir+8>.
    let address = address.split_once('<').map_or(address, |(address, _)| address).trim();
    let digits = hex_digits(address);
    let is_address = (4..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_address {
        return Ok(None);
    }
    let gpa = u64::from_str_radix(digits, 16).map_err(|_| format!("`{address}` is not an address"))?;
    Ok(Some((gpa, units)))
}

fn hex_digits(text: &str) -> &str {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
}

/// A value and its bytes.
fn unit_of(unit: &str) -> Result<(u64, u64), String> {
    let shown: String = unit.chars().take(40).collect();
    let Some(digits) = unit.strip_prefix("0x").or_else(|| unit.strip_prefix("0X")) else {
        return Err(format!("`{shown}` is not a hex value: print memory with `xp /NNgx` or `xp /NNwx`"));
    };
    let size = match digits.len() {
        2 => 1,
        4 => 2,
        8 => 4,
        16 => 8,
        other => return Err(format!("`{shown}` has {other} digits: a value has 2, 4, 8 or 16")),
    };
    let value = u64::from_str_radix(digits, 16).map_err(|_| format!("`{shown}` is not a hex value"))?;
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
fn find_registers(line: &str, processors: &mut Vec<Registers>) -> Result<(), String> {
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
        let value = words.next().ok_or_else(|| format!("{shown} has no value"))?;
        let digits = hex_digits(value);
        let value = u64::from_str_radix(digits, 16).map_err(|_| {
            let value: String = value.chars().take(40).collect();
            format!("{shown} is `{value}`: a hex number was expected")
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
                return Err(format!("{shown} stands there a second time with another value"));
            }
            *place = Some(value);
        }
    }
    Ok(())
}
