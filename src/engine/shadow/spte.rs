//! Bits of a shadow entry besides those of the processor's format (2.6.20 mmu.c, kvm.h).

use crate::arch::address::bits;
use crate::arch::entry::{self, P};
use crate::arch::{Hfn, Hpa};

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

/// The host frame that an entry names.
#[must_use]
pub const fn frame(spte: u64) -> Hfn {
    Hpa(spte & FRAME).hfn()
}

/// Whether an entry is present.
#[must_use]
pub const fn is_present(spte: u64) -> bool {
    spte & P != 0
}

/// Whether an entry is present and writable.
#[must_use]
pub const fn is_writable(spte: u64) -> bool {
    spte & (P | entry::RW) == P | entry::RW
}
