//! Short words of the stage: numbers, bits, reasons. Sentences are made elsewhere.

use super::model::{Ghost, PdpteStatus};
use crate::arch::fault::FaultReason;
use crate::arch::rights::Violations;
use crate::arch::{Gpa, Gva, Mode, entry};
use crate::explain;
use crate::language::Language;
use crate::{tr, word};

/// A linear address as its mode writes it: `0x4120_1abc`, `0x7fff_ffff_f000`.
#[must_use]
pub fn gva(mode: Mode, address: Gva) -> String {
    let digits = match mode {
        Mode::Off | Mode::Bits32 | Mode::Pae => 8,
        Mode::Level4 | Mode::Level5 => 12,
    };
    format!("0x{}", explain::hex_digits(address.0, digits))
}

/// A physical address: `0x0002_babc`.
#[must_use]
pub fn gpa(address: Gpa) -> String {
    format!("0x{}", explain::hex_digits(address.0, 8))
}

/// A frame number: `0x00007`.
#[must_use]
pub fn gfn(base: Gpa) -> String {
    format!("0x{:05x}", base.gfn().0)
}

/// What ended a walk, in the few words that a row has room for.
#[must_use]
pub fn fault(reason: FaultReason, l: Language) -> String {
    match reason {
        FaultReason::NotPresent { .. } => tr!(l, "not present").to_owned(),
        FaultReason::Reserved { bits: mask, .. } => tr!(l, "reserved {bits}", bits = explain::bit_list(mask, l)),
        FaultReason::Rights { broken } => l.tr(rights(broken)).to_owned(),
        FaultReason::NonCanonical { width } => tr!(l, "not canonical at {width} bits", width = width),
    }
}

/// The bit that ended a walk: where a row has no room for [`fault`].
#[must_use]
pub fn fault_bit(reason: FaultReason, l: Language) -> String {
    match reason {
        FaultReason::NotPresent { .. } => "P = 0".to_owned(),
        FaultReason::Reserved { .. } => tr!(l, "reserved").to_owned(),
        FaultReason::Rights { broken } if broken.contains(Violations::USER) => "U = 0".to_owned(),
        FaultReason::Rights { broken } if broken.contains(Violations::WRITE) => "W = 0".to_owned(),
        FaultReason::Rights { broken } if broken.contains(Violations::EXECUTE) => "XD = 1".to_owned(),
        FaultReason::Rights { broken } if broken.intersects(Violations::KEY_ACCESS.union(Violations::KEY_WRITE)) => {
            tr!(l, "key").to_owned()
        }
        FaultReason::Rights { .. } | FaultReason::NonCanonical { .. } => fault(reason, l),
    }
}

fn rights(broken: Violations) -> &'static str {
    const WORDS: [(Violations, &str); 7] = [
        (Violations::USER, word!("kernel only")),
        (Violations::WRITE, word!("read-only")),
        (Violations::EXECUTE, word!("no execute")),
        (Violations::SMEP, "SMEP"),
        (Violations::SMAP, "SMAP"),
        (Violations::KEY_ACCESS, word!("key denies")),
        (Violations::KEY_WRITE, word!("key denies write")),
    ];
    WORDS.iter().find(|(rule, _)| broken.contains(*rule)).map_or(word!("denied"), |(_, words)| words)
}

/// The status of a PDPTE register in words.
#[must_use]
pub fn pdpte_status(status: PdpteStatus, l: Language) -> String {
    match status {
        PdpteStatus::Fresh => tr!(l, "= fresh").to_owned(),
        PdpteStatus::Stale => tr!(l, "STALE").to_owned(),
        PdpteStatus::Present => tr!(l, "present").to_owned(),
        PdpteStatus::NotPresent => tr!(l, "not present").to_owned(),
        PdpteStatus::Refused { bits: mask } => format!("✕ {}", explain::bit_list(mask, l)),
    }
}

/// Where memory would have led; `short` where a line is as narrow as a telephone.
#[must_use]
pub fn ghost(ghost: Ghost, short: bool, l: Language) -> String {
    match ghost {
        Ghost::Refused { bits: mask } => {
            tr!(l, "memory would be refused at the next load: {bits}", bits = explain::bit_list(mask, l))
        }
        Ghost::NotPresent => tr!(l, "memory says not present").to_owned(),
        Ghost::Leads { table, page, fault: reason } => {
            let there = match (page, reason) {
                (Some(page), _) => tr!(l, "to page {place}", place = gpa(page)),
                (None, Some(FaultReason::NotPresent { .. }) | None) => tr!(l, "nothing is mapped there").to_owned(),
                (None, Some(reason)) => fault(reason, l),
            };
            match short {
                true => tr!(l, "memory: gfn {gfn} — {there}", gfn = gfn(table), there = there),
                false => tr!(l, "memory would lead to gfn {gfn} — {there}", gfn = gfn(table), there = there),
            }
        }
    }
}

/// The size of a page, given its log2: `4 KiB`, `2 MiB`, `1 GiB`.
#[must_use]
pub fn page_size(shift: u32) -> String {
    explain::page_size(1 << shift)
}

/// The bits of an entry that are set, by name.
#[must_use]
pub fn entry_bits(value: u64, leaf: bool, large: bool, l: Language) -> String {
    let names: [(u64, &str); 8] = [
        (entry::P, word!("present")),
        (entry::RW, word!("writable")),
        (entry::US, word!("user")),
        (entry::PWT, word!("write-through")),
        (entry::PCD, word!("not cached")),
        (entry::A, word!("accessed")),
        (if leaf { entry::D } else { 0 }, word!("dirty")),
        (if leaf { entry::G } else { 0 }, word!("global")),
    ];
    let mut set: Vec<&str> = names.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| l.tr(name)).collect();
    if large {
        set.push(tr!(l, "large page"));
    }
    if value & entry::XD != 0 {
        set.push(tr!(l, "no execute"));
    }
    if set.is_empty() { tr!(l, "no bit set").to_owned() } else { set.join(tr!(l, ", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_four() {
        assert_eq!(gva(Mode::Pae, Gva(0x4120_1abc)), "0x4120_1abc");
        assert_eq!(gva(Mode::Level4, Gva(0x7fff_ffff_f000)), "0x7fff_ffff_f000");
        assert_eq!(gva(Mode::Level4, Gva(0x1000)), "0x0000_0000_1000");
        assert_eq!(gpa(Gpa(0x2babc)), "0x0002_babc");
        assert_eq!(gfn(Gpa(0x7000)), "0x00007");
    }
}
