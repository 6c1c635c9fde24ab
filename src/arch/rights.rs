//! Access rights: who may do what through a translation (SDM 4.6).

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use super::control::{ControlRegs, Cr0, Cr4, Efer};
use super::entry;
use super::mode::Mode;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum AccessKind {
    /// A data read.
    #[default]
    #[serde(rename = "r")]
    Read,
    /// A data write.
    #[serde(rename = "w")]
    Write,
    /// An instruction fetch.
    #[serde(rename = "x")]
    Fetch,
}

/// An access as the rights rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Access {
    /// What it does.
    pub kind: AccessKind,
    /// CPL 3 and explicit. An implicit access is a supervisor access at any CPL.
    pub user: bool,
    /// An implicit access to a system structure (descriptor table, TSS): RFLAGS.AC does not help it.
    pub implicit: bool,
    /// RFLAGS.AC.
    pub ac: bool,
    /// Made through SS: a non-canonical address raises #SS(0) in place of #GP(0).
    pub stack: bool,
}

impl Access {
    /// Whether this is a write.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        matches!(self.kind, AccessKind::Write)
    }

    /// Whether this is an instruction fetch.
    #[must_use]
    pub const fn is_fetch(&self) -> bool {
        matches!(self.kind, AccessKind::Fetch)
    }
}

/// What a path of entries grants together: R/W and U/S are the AND, XD the OR over the path, the
/// protection key the leaf's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Rights {
    /// R/W of every entry.
    pub rw: bool,
    /// U/S of every entry: a user page.
    pub us: bool,
    /// XD of any entry; only where it exists (8-byte entries with EFER.NXE).
    pub xd: bool,
    /// Bits 62:59 of the leaf, 0 to 15.
    pub key: u8,
}

impl Rights {
    /// The rights of a path from the AND and the OR of its entries, and its leaf.
    #[must_use]
    pub const fn of_path(and: u64, or: u64, leaf: u64) -> Self {
        Self {
            rw: and & entry::RW != 0,
            us: and & entry::US != 0,
            xd: or & entry::XD != 0,
            key: entry::protection_key(leaf),
        }
    }
}

bitflags! {
    /// The control bits that decide about rights.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Guard: u8 {
        /// CR0.WP.
        const WP = 1 << 0;
        /// CR4.SMEP.
        const SMEP = 1 << 1;
        /// CR4.SMAP.
        const SMAP = 1 << 2;
        /// CR4.PKE, where entries have keys.
        const PKE = 1 << 3;
        /// EFER.NXE, where entries have XD.
        const NXE = 1 << 4;
    }

    /// Which rules an access breaks. Several may be broken at once.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Violations: u8 {
        /// A write without R/W.
        const WRITE = 1 << 0;
        /// A user access to a supervisor page.
        const USER = 1 << 1;
        /// A fetch from a page with XD.
        const EXECUTE = 1 << 2;
        /// A supervisor fetch from a user page with SMEP.
        const SMEP = 1 << 3;
        /// A supervisor data access to a user page with SMAP and without AC.
        const SMAP = 1 << 4;
        /// PKRU denies all data accesses to the key.
        const KEY_ACCESS = 1 << 5;
        /// PKRU denies writes to the key.
        const KEY_WRITE = 1 << 6;
    }
}

impl Violations {
    /// Each rule with its name in facts and files.
    pub const NAMES: [(&'static str, Violations); 7] = [
        ("write", Self::WRITE),
        ("user", Self::USER),
        ("execute", Self::EXECUTE),
        ("smep", Self::SMEP),
        ("smap", Self::SMAP),
        ("key_access", Self::KEY_ACCESS),
        ("key_write", Self::KEY_WRITE),
    ];

    /// The names of the broken rules.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(_, v)| self.contains(*v)).map(|(n, _)| n)
    }
}

impl Guard {
    /// The guard bits in force.
    #[must_use]
    pub fn of(regs: &ControlRegs) -> Self {
        let mode = regs.mode();
        let mut guard = Self::empty();
        guard.set(Self::WP, regs.cr0.contains(Cr0::WP));
        guard.set(Self::SMEP, regs.cr4.contains(Cr4::SMEP));
        guard.set(Self::SMAP, regs.cr4.contains(Cr4::SMAP));
        guard.set(Self::PKE, regs.cr4.contains(Cr4::PKE) && mode.has_protection_keys());
        guard.set(Self::NXE, regs.efer.contains(Efer::NXE) && !matches!(mode, Mode::Off | Mode::Bits32));
        guard
    }
}

/// PKRU bits of a key: access disable.
#[must_use]
pub const fn key_denies_access(pkru: u32, key: u8) -> bool {
    pkru >> (2 * key as u32) & 1 != 0
}

/// PKRU bits of a key: write disable.
#[must_use]
pub const fn key_denies_write(pkru: u32, key: u8) -> bool {
    pkru >> (2 * key as u32) & 2 != 0
}

/// The rules that an access breaks; empty when it is allowed (SDM 4.6.1, 4.6.2).
#[must_use]
#[inline]
pub fn violations(access: &Access, rights: &Rights, guard: Guard, pkru: u32) -> Violations {
    // A page of the access's own kind, with the bit that it needs: nothing else can forbid it.
    let granted = match access.kind {
        AccessKind::Read => true,
        AccessKind::Write => rights.rw,
        AccessKind::Fetch => !rights.xd,
    };
    let has_key = rights.us && guard.contains(Guard::PKE);
    if granted && rights.us == access.user && !has_key {
        return Violations::empty();
    }
    judge(access, *rights, guard, pkru)
}

/// By value and out of line: the quick way above then keeps nothing in memory for it.
#[inline(never)]
fn judge(access: &Access, rights: Rights, guard: Guard, pkru: u32) -> Violations {
    let write = access.is_write();
    let fetch = access.is_fetch();
    let mut broken = Violations::empty();
    // WP = 0 lets supervisor writes pass R/W and the key's write-disable bit, nothing else.
    let write_checked = access.user || guard.contains(Guard::WP);
    if write && !rights.rw && write_checked {
        broken |= Violations::WRITE;
    }
    if access.user {
        if !rights.us {
            broken |= Violations::USER;
        }
    } else if rights.us {
        if fetch && guard.contains(Guard::SMEP) {
            broken |= Violations::SMEP;
        }
        if !fetch && guard.contains(Guard::SMAP) && (access.implicit || !access.ac) {
            broken |= Violations::SMAP;
        }
    }
    if fetch && rights.xd && guard.contains(Guard::NXE) {
        broken |= Violations::EXECUTE;
    }
    // PKRU is chosen by the page, not by the CPL: it guards user pages only.
    if rights.us && !fetch && guard.contains(Guard::PKE) {
        if key_denies_access(pkru, rights.key) {
            broken |= Violations::KEY_ACCESS;
        } else if write && key_denies_write(pkru, rights.key) && write_checked {
            broken |= Violations::KEY_WRITE;
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER_RO: Rights = Rights { rw: false, us: true, xd: false, key: 1 };

    fn data(user: bool, write: bool) -> Access {
        let kind = if write { AccessKind::Write } else { AccessKind::Read };
        Access { kind, user, ..Access::default() }
    }

    #[test]
    fn write_protect_binds_the_kernel_only_with_wp() {
        assert!(violations(&data(false, true), &USER_RO, Guard::empty(), 0).is_empty());
        assert_eq!(violations(&data(false, true), &USER_RO, Guard::WP, 0), Violations::WRITE);
        assert_eq!(violations(&data(true, true), &USER_RO, Guard::empty(), 0), Violations::WRITE);
    }

    #[test]
    fn smap_is_lifted_by_ac_but_not_for_implicit_accesses() {
        let read = data(false, false);
        assert_eq!(violations(&read, &USER_RO, Guard::SMAP, 0), Violations::SMAP);
        assert!(violations(&Access { ac: true, ..read }, &USER_RO, Guard::SMAP, 0).is_empty());
        let implicit = Access { ac: true, implicit: true, ..read };
        assert_eq!(violations(&implicit, &USER_RO, Guard::SMAP, 0), Violations::SMAP);
    }

    #[test]
    fn keys_guard_user_pages_against_data_accesses() {
        let ad = 1 << 2;
        let wd = 2 << 2;
        let guard = Guard::PKE | Guard::WP;
        assert_eq!(violations(&data(true, false), &USER_RO, guard, ad), Violations::KEY_ACCESS);
        assert!(violations(&data(true, false), &USER_RO, guard, wd).is_empty());
        let writable = Rights { rw: true, ..USER_RO };
        assert!(violations(&data(false, true), &writable, Guard::PKE, wd).is_empty(), "WP = 0");
        let supervisor = Rights { us: false, ..writable };
        assert!(violations(&data(false, true), &supervisor, guard, ad).is_empty());
        let fetch = Access { kind: AccessKind::Fetch, user: true, ..Access::default() };
        assert!(violations(&fetch, &USER_RO, guard, ad).is_empty());
    }
}
