//! Bits of a shadow entry besides those of the processor's format (2.6.20 mmu.c, kvm.h).

use crate::arch::address::bits;
use crate::arch::entry::{self, P};
use crate::arch::{Gpa, Hfn, Hpa, Rights};
use crate::machine::role::AccessBits;

/// On a non-leaf entry: the subtree shadows a large guest page (`PT_SHADOW_PS_MARK`).
pub const PS_MARK: u64 = 1 << 9;
/// On a leaf entry with P = 0: no memory behind it (`PT_SHADOW_IO_MARK`).
pub const IO_MARK: u64 = 1 << 9;
/// The guest grants writes (`PT_SHADOW_WRITABLE_MASK`).
pub const GUEST_WRITE: u64 = 1 << 10;
/// The guest grants user accesses (`PT_SHADOW_USER_MASK`).
pub const GUEST_USER: u64 = 1 << 11;
/// A non-leaf entry grants everything: all restriction is in leaves.
pub const TABLE: u64 = P | entry::RW | entry::US | entry::A;

const FRAME: u64 = bits(12, 51);

/// Today's mark of an address without memory: P = 1 with a reserved bit, so that the hardware
/// faults with RSVD (6.8 spte.c `make_mmio_spte`). The host has [`HOST_WIDTH`] address bits.
pub const MMIO: u64 = 1 << HOST_WIDTH;
/// MAXPHYADDR of a host that marks MMIO so.
pub const HOST_WIDTH: u8 = 51;
/// The highest generation that such a mark can carry: 19 bits.
pub const MAX_GENERATION: u32 = (1 << 19) - 1;
/// Low 8 bits of the generation: 10:3; high 11 bits: 62:52.
const GENERATION_LOW: (u32, u32) = (3, 8);
const GENERATION_HIGH: (u32, u32) = (52, 11);

/// The mark of an address without memory; `write` only where a store needs no more of the guest's
/// entries. None where the address does not fit.
#[must_use]
pub fn mmio(gpa: Gpa, access: AccessBits, generation: u32) -> Option<u64> {
    if gpa.0 >> HOST_WIDTH != 0 {
        return None;
    }
    let set = |condition: bool, bits: u64| if condition { bits } else { 0 };
    let generation = u64::from(generation);
    Some(
        gpa.0 & !0xfff
            | MMIO
            | P
            | set(access.write, entry::RW)
            | set(access.user, entry::US)
            | set(!access.exec, entry::XD)
            | (generation & 0xff) << GENERATION_LOW.0
            | generation >> GENERATION_LOW.1 << GENERATION_HIGH.0,
    )
}

/// What a mark says: the address, what the guest grants, and when it was made.
#[must_use]
pub fn of_mmio(spte: u64) -> Option<(Gpa, Rights, u32)> {
    if spte & (P | MMIO) != P | MMIO {
        return None;
    }
    let field = |(low, width): (u32, u32)| (spte >> low & bits(0, width - 1)) as u32;
    let generation = field(GENERATION_LOW) | field(GENERATION_HIGH) << GENERATION_LOW.1;
    let rights = Rights { rw: spte & entry::RW != 0, us: spte & entry::US != 0, xd: spte & entry::XD != 0, key: 0 };
    Some((Gpa(spte & bits(12, u32::from(HOST_WIDTH) - 1)), rights, generation))
}

/// The host frame that an entry names.
#[must_use]
pub const fn frame(spte: u64) -> Hfn {
    Hpa(spte & FRAME).hfn()
}

/// Whether an entry is present: one that the hardware can use.
#[must_use]
pub const fn is_present(spte: u64) -> bool {
    spte & (P | MMIO) == P
}

/// Whether an entry is present and writable.
#[must_use]
pub const fn is_writable(spte: u64) -> bool {
    spte & (P | MMIO | entry::RW) == P | entry::RW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_it_was_told() {
        let access = AccessBits { exec: false, write: true, user: true };
        for generation in [0, 1, 0xff, 0x100, 0x5a5a5, MAX_GENERATION] {
            let mark = mmio(Gpa(0xfee0_0abc), access, generation);
            let rights = Rights { rw: true, us: true, xd: true, key: 0 };
            assert_eq!(mark.and_then(of_mmio), Some((Gpa(0xfee0_0000), rights, generation)));
            assert!(mark.is_some_and(|mark| !is_present(mark) && !is_writable(mark)));
        }
        assert_eq!(mmio(Gpa(1 << 51), access, 0), None);
    }
}
