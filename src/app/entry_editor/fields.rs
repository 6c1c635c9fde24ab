//! The bits of an entry by name: which field each bit belongs to, in the mode in force.
//!
//! Pure: for the editor's cells, brackets and switches (SDM tables 4-4 to 4-19).

use crate::arch::address::bits;
use crate::arch::entry::{self, P};
use crate::arch::{CpuModel, Cr4, Gpa, Level, Mode, pdpte};
use crate::word;

/// What a bit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A flag with a switch.
    Flag,
    /// Part of the frame number.
    Frame,
    /// Part of the protection key.
    Key,
    /// Must be 0 in a present entry.
    Reserved,
    /// The processor does not look at it.
    Ignored,
}

/// A field of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The highest bit.
    pub high: u32,
    /// The lowest bit.
    pub low: u32,
    /// What it is for.
    pub role: Role,
    /// As the manual names it.
    pub name: &'static str,
    /// In a word or two.
    pub words: &'static str,
}

/// The format of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The mode in force.
    pub mode: Mode,
    /// The level of its table.
    pub level: Level,
    /// It maps a page.
    pub leaf: bool,
    /// Which bits must be 0 while P is 1.
    pub reserved: u64,
    /// Which bits hold the frame number.
    pub frame: u64,
    keys: bool,
    xd: bool,
    ps_counts: bool,
}

impl Format {
    /// The format of an entry of this value.
    #[must_use]
    pub fn of(mode: Mode, level: Level, value: u64, model: &CpuModel, cr4: Cr4, nxe: bool) -> Self {
        let ps_counts = entry::page_size_bit_counts(mode, level, cr4);
        let leaf = level.0 == 1 || ps_counts && value & entry::PS != 0;
        let register = mode == Mode::Pae && level == pdpte::LEVEL;
        let reserved = if register { pdpte::reserved(model) } else { entry::reserved(mode, level, leaf, model, nxe) };
        let top = if mode == Mode::Bits32 { 31 } else { u32::from(model.maxphyaddr) - 1 };
        let frame = if leaf && level.0 > 1 { bits(mode.index_shift(level), top) } else { bits(12, top) };
        Self {
            mode,
            level,
            leaf,
            reserved,
            frame,
            keys: leaf && mode.has_protection_keys(),
            xd: mode != Mode::Bits32 && !register,
            ps_counts,
        }
    }

    /// Whether this is a PDPTE of PAE paging: loaded into a register, not read by walks.
    #[must_use]
    pub fn is_pdpte(&self) -> bool {
        self.mode == Mode::Pae && self.level == pdpte::LEVEL
    }

    /// How many bits it has: 32 or 64.
    #[must_use]
    pub const fn width(&self) -> u32 {
        8 * self.mode.entry_size() as u32
    }

    /// Its fields from the highest bit down; together they are all its bits.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for bit in (0..self.width()).rev() {
            let (role, name, words) = self.bit(bit);
            match fields.last_mut() {
                Some(last) if role != Role::Flag && last.role == role => last.low = bit,
                _ => fields.push(Field { high: bit, low: bit, role, name, words }),
            }
        }
        fields
    }

    /// The field that holds a bit.
    #[must_use]
    pub fn field_of(&self, bit: u32) -> Option<Field> {
        self.fields().into_iter().find(|field| (field.low..=field.high).contains(&bit))
    }

    fn bit(&self, bit: u32) -> (Role, &'static str, &'static str) {
        let mask = 1u64 << bit;
        if self.reserved & mask != 0 && !(self.xd && bit == 63) {
            return (Role::Reserved, word!("reserved"), word!("must be 0"));
        }
        if self.frame & mask != 0 {
            return (Role::Frame, word!("frame"), word!("frame number"));
        }
        let rights = !self.is_pdpte();
        match bit {
            0 => (Role::Flag, "P", word!("present")),
            1 if rights => (Role::Flag, "R/W", word!("writable")),
            2 if rights => (Role::Flag, "U/S", word!("user")),
            3 => (Role::Flag, "PWT", word!("write-through")),
            4 => (Role::Flag, "PCD", word!("cache off")),
            5 if rights => (Role::Flag, "A", word!("accessed")),
            6 if self.leaf => (Role::Flag, "D", word!("dirty")),
            7 if self.level.0 == 1 => (Role::Flag, "PAT", word!("memory type")),
            7 if self.ps_counts => (Role::Flag, "PS", word!("maps a page")),
            8 if self.leaf => (Role::Flag, "G", word!("global")),
            12 if self.leaf && self.level.0 > 1 => (Role::Flag, "PAT", word!("memory type")),
            13..=20 if self.mode == Mode::Bits32 && self.leaf && self.level.0 > 1 => {
                (Role::Frame, word!("frame"), word!("address bits 39:32"))
            }
            59..=62 if self.keys => (Role::Key, word!("key"), word!("protection key")),
            63 if self.xd => (Role::Flag, "XD", word!("no execute")),
            _ => (Role::Ignored, word!("ignored"), word!("free for software")),
        }
    }

    /// The flags that have switches, in the order of their bits.
    #[must_use]
    pub fn flags(&self) -> Vec<Field> {
        let mut flags: Vec<Field> = self.fields().into_iter().filter(|field| field.role == Role::Flag).collect();
        flags.reverse();
        flags
    }

    /// Whether it has a protection key.
    #[must_use]
    pub const fn has_key(&self) -> bool {
        self.keys
    }

    /// The entry with another frame: the frame bits of `frame`, all else kept.
    #[must_use]
    pub const fn with_frame(&self, value: u64, frame: Gpa) -> u64 {
        value & !self.frame | frame.0 & self.frame
    }

    /// The flag that a letter jumps to.
    #[must_use]
    pub fn bit_of_letter(&self, letter: char) -> Option<u32> {
        let name = match letter {
            'p' => "P",
            'w' => "R/W",
            'u' => "U/S",
            'a' => "A",
            'd' => "D",
            'g' => "G",
            's' => "PS",
            'x' => "XD",
            _ => return None,
        };
        self.flags().into_iter().find(|flag| flag.name == name).map(|flag| flag.low)
    }
}

/// What a reserved bit does when it is set in an entry that is present.
#[must_use]
pub const fn reserved_means(format: &Format) -> &'static str {
    if matches!(format.mode, Mode::Pae) && format.level.0 == 3 {
        word!("reserved: the next load of the PDPTE registers raises #GP(0) and loads none")
    } else {
        word!("reserved: with P = 1, every access through this entry raises #PF with RSVD")
    }
}

/// Whether a value breaks its own format: present with a reserved bit set.
#[must_use]
pub const fn broken_bits(format: &Format, value: u64) -> u64 {
    if value & P != 0 { value & format.reserved } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(mode: Mode, level: u8, value: u64) -> Format {
        Format::of(mode, Level(level), value, &CpuModel::default(), Cr4::PSE, true)
    }

    #[test]
    fn fields_cover_every_bit_once() {
        for mode in [Mode::Bits32, Mode::Pae, Mode::Level4, Mode::Level5] {
            for level in 1..=mode.top_level() {
                for value in [P, P | entry::PS] {
                    let format = format(mode, level, value);
                    let fields = format.fields();
                    let covered: u32 = fields.iter().map(|field| field.high + 1 - field.low).sum();
                    assert_eq!(covered, format.width(), "{mode:?} {level} {value:#x}");
                    assert_eq!(fields.last().map(|field| field.name), Some("P"));
                }
            }
        }
    }

    #[test]
    fn a_pdpte_has_no_rights() {
        let names: Vec<&str> = format(Mode::Pae, 3, P).flags().iter().map(|flag| flag.name).collect();
        assert_eq!(names, ["P", "PWT", "PCD"]);
        assert_eq!(format(Mode::Pae, 3, P).field_of(1).map(|field| field.role), Some(Role::Reserved));
    }

    #[test]
    fn bit_seven_by_level() {
        assert_eq!(format(Mode::Level4, 1, P).field_of(7).map(|f| f.name), Some("PAT"));
        assert_eq!(format(Mode::Level4, 2, P).field_of(7).map(|f| f.name), Some("PS"));
        assert_eq!(format(Mode::Level4, 4, P).field_of(7).map(|f| f.role), Some(Role::Reserved));
        assert_eq!(format(Mode::Level4, 2, P | entry::PS).field_of(12).map(|f| f.name), Some("PAT"));
    }

    #[test]
    fn letters_jump_to_flags() {
        let pte = format(Mode::Pae, 1, P);
        assert_eq!("pwuadgx".chars().filter_map(|c| pte.bit_of_letter(c)).collect::<Vec<_>>(), [0, 1, 2, 5, 6, 8, 63]);
        assert_eq!(pte.bit_of_letter('s'), None);
    }

    #[test]
    fn an_execute_disable_bit_keeps_its_name_without_nxe() {
        let format = Format::of(Mode::Pae, Level(1), P, &CpuModel::default(), Cr4::empty(), false);
        assert_eq!(format.field_of(63).map(|f| f.name), Some("XD"));
        assert_eq!(broken_bits(&format, P | entry::XD), entry::XD);
    }
}
