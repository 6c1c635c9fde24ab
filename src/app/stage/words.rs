//! Short words of the stage: numbers, bits, reasons. Sentences are made elsewhere.

use super::model::{Ghost, PdpteStatus};
use crate::arch::fault::FaultReason;
use crate::arch::rights::Violations;
use crate::arch::{AccessKind, Gpa, Gva, Mode, entry};
use crate::explain;

/// A number in hex without prefix, grouped by four from the right, at least `digits` long.
#[must_use]
pub fn grouped(value: u64, digits: usize) -> String {
    let plain = format!("{value:0digits$x}");
    let mut text = String::with_capacity(plain.len() + plain.len() / 4);
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(4) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// A linear address as its mode writes it: `0x4120_1abc`, `0x7fff_ffff_f000`.
#[must_use]
pub fn gva(mode: Mode, address: Gva) -> String {
    let digits = match mode {
        Mode::Off | Mode::Bits32 | Mode::Pae => 8,
        Mode::Level4 | Mode::Level5 => 12,
    };
    format!("0x{}", grouped(address.0, digits))
}

/// A physical address: `0x0002_babc`.
#[must_use]
pub fn gpa(address: Gpa) -> String {
    format!("0x{}", grouped(address.0, 8))
}

/// A frame number: `0x00007`.
#[must_use]
pub fn gfn(base: Gpa) -> String {
    format!("0x{:05x}", base.gfn().0)
}

/// What ended a walk, in the few words that a row has room for.
#[must_use]
pub fn fault(reason: FaultReason) -> String {
    match reason {
        FaultReason::NotPresent { .. } => "not present".to_owned(),
        FaultReason::Reserved { bits: mask, .. } => format!("reserved {}", explain::bit_list(mask)),
        FaultReason::Rights { broken } => rights(broken).to_owned(),
        FaultReason::NonCanonical { width } => format!("not canonical at {width} bits"),
    }
}

fn rights(broken: Violations) -> &'static str {
    const WORDS: [(Violations, &str); 7] = [
        (Violations::USER, "kernel only"),
        (Violations::WRITE, "read-only"),
        (Violations::EXECUTE, "no execute"),
        (Violations::SMEP, "SMEP"),
        (Violations::SMAP, "SMAP"),
        (Violations::KEY_ACCESS, "key denies"),
        (Violations::KEY_WRITE, "key denies write"),
    ];
    WORDS.iter().find(|(rule, _)| broken.contains(*rule)).map_or("denied", |(_, words)| words)
}

/// The status of a PDPTE register in words.
#[must_use]
pub fn pdpte_status(status: PdpteStatus) -> String {
    match status {
        PdpteStatus::Fresh => "= fresh".to_owned(),
        PdpteStatus::Stale => "STALE".to_owned(),
        PdpteStatus::Present => "present".to_owned(),
        PdpteStatus::NotPresent => "not present".to_owned(),
        PdpteStatus::Refused { bits: mask } => format!("✕ {}", explain::bit_list(mask)),
    }
}

/// Where memory would have led.
#[must_use]
pub fn ghost(ghost: Ghost) -> String {
    match ghost {
        Ghost::Refused { bits: mask } => {
            format!("memory would be refused at the next load: {}", explain::bit_list(mask))
        }
        Ghost::NotPresent => "memory says not present".to_owned(),
        Ghost::Leads { table, page, fault: reason } => {
            let there = match (page, reason) {
                (Some(page), _) => format!("to page {}", gpa(page)),
                (None, Some(FaultReason::NotPresent { .. }) | None) => "nothing is mapped there".to_owned(),
                (None, Some(reason)) => fault(reason),
            };
            format!("memory would lead to gfn {} — {there}", gfn(table))
        }
    }
}

/// An access in words: `user read`, `kernel write`.
#[must_use]
pub const fn access(kind: AccessKind, user: bool) -> &'static str {
    match (user, kind) {
        (true, AccessKind::Read) => "user read",
        (true, AccessKind::Write) => "user write",
        (true, AccessKind::Fetch) => "user fetch",
        (false, AccessKind::Read) => "kernel read",
        (false, AccessKind::Write) => "kernel write",
        (false, AccessKind::Fetch) => "kernel fetch",
    }
}

/// The size of a page, given its log2: `4 KiB`, `2 MiB`, `1 GiB`.
#[must_use]
pub fn page_size(shift: u32) -> String {
    explain::page_size(1 << shift)
}

/// The bits of an entry that are set, by name.
#[must_use]
pub fn entry_bits(value: u64, leaf: bool, large: bool) -> String {
    let names: [(u64, &str); 8] = [
        (entry::P, "present"),
        (entry::RW, "writable"),
        (entry::US, "user"),
        (entry::PWT, "write-through"),
        (entry::PCD, "not cached"),
        (entry::A, "accessed"),
        (if leaf { entry::D } else { 0 }, "dirty"),
        (if leaf { entry::G } else { 0 }, "global"),
    ];
    let mut set: Vec<&str> = names.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect();
    if large {
        set.push("large page");
    }
    if value & entry::XD != 0 {
        set.push("no execute");
    }
    if set.is_empty() { "no bit set".to_owned() } else { set.join(", ") }
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
