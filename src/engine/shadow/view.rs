//! What a window may ask of a shadow MMU: the path of an address through the shadow tables, and
//! which guest entry a shadow entry mirrors. It reads only.

use super::page::{PageId, SpteRef};
use super::{Shadow, root, spte};
use crate::arch::{Gpa, Gva};
use crate::engine::Vm;

impl Vm<Shadow> {
    /// The entries that the hardware's walk of an address would read below the root, from the top,
    /// down to the leaf or to the first that is not present.
    #[must_use]
    pub fn shadow_path(&self, gva: Gva) -> Vec<SpteRef> {
        let mut path = Vec::new();
        let linear = self.machine.cpu.mode().linear(gva);
        let mut next = root::entries_of(self, linear);
        while let Some((page, index)) = next {
            let at = SpteRef { page, index };
            path.push(at);
            let level = u32::from(self.engine.pool.page(page).role.level);
            let entry = self.engine.pool.spte(at);
            next = (level > 1 && spte::is_present(entry))
                .then(|| (PageId::of_frame(spte::frame(entry)), root::index_at(level - 1, linear)));
        }
        path
    }

    /// The PCID that the hardware's TLB knows entries of the guest's context by.
    #[must_use]
    pub fn tlb_tag(&self) -> u16 {
        super::hw::tag(self)
    }

    /// Where the guest entry lies that a shadow entry mirrors; none for a direct page. A directory
    /// entry of 4 bytes stands behind two shadow entries, half of its 4 MiB each.
    #[must_use]
    pub fn mirrored_entry(&self, at: SpteRef) -> Option<Gpa> {
        let page = self.engine.pool.get(at.page).filter(|page| !page.role.direct)?;
        let index = u64::from(at.index);
        let (shift, index) = match (page.role.glevels, page.role.level) {
            (2, 1) => (2, index + 512 * u64::from(page.role.quadrant)),
            (2, 2) => (2, index / 2 + 256 * u64::from(page.role.quadrant)),
            (2, _) => return None,
            _ => (3, index),
        };
        Some(page.gfn.base().offset(index << shift))
    }
}
