//! Which access a finished path allows (SDM 4.6, 4.6.2) and the error code of a page fault (4.7).

use super::cpu::{CR4_PAE, CR4_PKE, Cpu, Mode};
use super::walk::{Access, Kind};

/// What the entries of a path grant together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// R/W is 1 in every entry.
    pub rw: bool,
    /// U/S is 1 in every entry.
    pub us: bool,
    /// XD is 1 in some entry.
    pub xd: bool,
    /// The protection key of the leaf, 0 where the mode has none.
    pub key: u64,
}

impl Grant {
    /// What no entry restricts.
    pub const ALL: Self = Self { rw: true, us: true, xd: false, key: 0 };
}

/// Whether R/W, U/S, XD, SMEP and SMAP allow the access.
fn entries_allow(cpu: &Cpu, grant: &Grant, access: &Access) -> bool {
    let fetchable = !(grant.xd && cpu.nxe());
    if access.user {
        return match access.kind {
            Kind::Read => grant.us,
            Kind::Write => grant.us && grant.rw,
            Kind::Fetch => grant.us && fetchable,
        };
    }
    let reachable = !grant.us || !cpu.smap() || access.ac;
    match access.kind {
        Kind::Read => reachable,
        Kind::Write => reachable && (grant.rw || !cpu.wp()),
        Kind::Fetch => fetchable && !(grant.us && cpu.smep()),
    }
}

/// Whether the protection key allows the access: data accesses to user addresses in long mode.
fn key_allows(cpu: &Cpu, grant: &Grant, access: &Access) -> bool {
    let long = matches!(cpu.mode(), Mode::FourLevel | Mode::FiveLevel);
    if !long || cpu.cr4 & CR4_PKE == 0 || !grant.us || access.kind == Kind::Fetch {
        return true;
    }
    let access_disable = cpu.pkru >> (2 * grant.key) & 1 != 0;
    let write_disable = cpu.pkru >> (2 * grant.key + 1) & 1 != 0;
    if access_disable {
        return false;
    }
    !(access.kind == Kind::Write && write_disable && (access.user || cpu.wp()))
}

/// `None` if the access is allowed, else the error code of its page fault.
pub fn judge(cpu: &Cpu, grant: &Grant, access: &Access) -> Option<u64> {
    let key = key_allows(cpu, grant, access);
    if entries_allow(cpu, grant, access) && key {
        return None;
    }
    Some(code(cpu, access, true, false) | if key { 0 } else { 1 << 5 })
}

/// The error code without its PK bit.
pub fn code(cpu: &Cpu, access: &Access, present: bool, reserved: bool) -> u64 {
    let mut code = 0;
    if present {
        code |= 1 << 0;
    }
    if access.kind == Kind::Write {
        code |= 1 << 1;
    }
    if access.user {
        code |= 1 << 2;
    }
    if reserved {
        code |= 1 << 3;
    }
    let nx_in_use = cpu.cr4 & CR4_PAE != 0 && cpu.nxe();
    if access.kind == Kind::Fetch && (cpu.smep() || nx_in_use) {
        code |= 1 << 4;
    }
    code
}
