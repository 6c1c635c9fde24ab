//! Roles: what a shadow page is, besides the frame that it shadows.
//!
//! Two pages may share contents only if everything that shaped the contents is equal, so all of it
//! is in the role (KVM 2.6.20 kvm.h `kvm_mmu_page_role`; 6.8 kvm_host.h `kvm_mmu_page_role`).

use serde::Serialize;

use crate::arch::rights::Rights;

/// What the upper guest entries grant together: the `access` of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
pub struct AccessBits {
    /// Execution is not forbidden.
    pub exec: bool,
    /// R/W of every entry.
    pub write: bool,
    /// U/S of every entry.
    pub user: bool,
}

impl AccessBits {
    /// Everything granted: what a root begins with.
    pub const ALL: Self = Self { exec: true, write: true, user: true };

    /// What rights grant.
    #[must_use]
    pub const fn of(rights: &Rights) -> Self {
        Self { exec: !rights.xd, write: rights.rw, user: rights.us }
    }

    const fn word(self) -> u32 {
        self.exec as u32 | (self.write as u32) << 1 | (self.user as u32) << 2
    }
}

/// The role of a shadow page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
pub struct Role {
    /// Root level of the guest's paging mode: 0 unpaged, 2, 3, 4, 5.
    pub glevels: u8,
    /// Level of the shadow page, 1 to 5.
    pub level: u8,
    /// Which part of a 4-byte-entry table it shadows (0 to 3).
    pub quadrant: u8,
    /// It mirrors no guest table: `metaphysical` in 2.6.20.
    pub direct: bool,
    /// What the upper guest entries grant.
    pub access: AccessBits,
    /// EFER.NXE of the guest.
    pub nxe: bool,
    /// CR0.WP of the guest.
    pub cr0_wp: bool,
    /// CR4.SMEP and not CR0.WP.
    pub smep_andnot_wp: bool,
    /// CR4.SMAP and not CR0.WP.
    pub smap_andnot_wp: bool,
    /// CR4.PSE where it decides whether a PDE is a leaf (32-bit paging).
    pub cr4_pse: bool,
    /// The protection key of the large page that a direct page is a piece of; two large pages over one
    /// frame may have different keys. KVM needs no such bit: it offers keys under two-dimensional
    /// paging only.
    #[serde(skip_serializing_if = "is_zero")]
    pub key: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(key: &u8) -> bool {
    *key == 0
}

impl Role {
    /// The role word of 2.6.20: glevels 3:0, level 7:4, quadrant 9:8, metaphysical 16; the access
    /// bits that d28c6cfbbc5 (2.6.22) added at 19:17.
    #[must_use]
    pub const fn word_2007(&self) -> u32 {
        self.glevels as u32
            | (self.level as u32) << 4
            | (self.quadrant as u32) << 8
            | (self.direct as u32) << 16
            | self.access.word() << 17
    }

    /// The base role word of 6.8: level 3:0, `has_4_byte_gpte` 4, quadrant 6:5, direct 7, access
    /// 10:8, `efer_nx` 12, `cr0_wp` 13, `smep_andnot_wp` 14, `smap_andnot_wp` 15.
    #[must_use]
    pub const fn word_now(&self) -> u32 {
        self.level as u32
            | ((self.glevels == 2) as u32) << 4
            | (self.quadrant as u32) << 5
            | (self.direct as u32) << 7
            | self.access.word() << 8
            | (self.nxe as u32) << 12
            | (self.cr0_wp as u32) << 13
            | (self.smep_andnot_wp as u32) << 14
            | (self.smap_andnot_wp as u32) << 15
    }

    /// Which part of a guest table a shadow page of this level holds for an address: with 4-byte
    /// entries a table of 1024 needs two shadow pages at level 1, four at level 2.
    #[must_use]
    pub const fn quadrant_of(glevels: u8, level: u8, gva: u64) -> u8 {
        if glevels > 2 {
            return 0;
        }
        (gva >> (12 + 9 * level as u32)) as u8 & ((1 << level) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadrants_of_the_worked_example() {
        // Guest address 0xC0801000: pae_root[3], then the lower half of its page table.
        assert_eq!(Role::quadrant_of(2, 2, 0xc080_1000), 3);
        assert_eq!(Role::quadrant_of(2, 1, 0xc080_1000), 0);
        assert_eq!(Role::quadrant_of(2, 1, 0xc0a0_1000), 1);
        assert_eq!(Role::quadrant_of(3, 2, 0xc080_1000), 0);
    }
}
