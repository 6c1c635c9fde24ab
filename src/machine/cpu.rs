//! The processor: control registers, PDPTE registers, CR2, PKRU.

use xxhash_rust::xxh3::Xxh3;

use crate::arch::pdpte::Pdptes;
use crate::arch::walk::Paging;
use crate::arch::{ControlRegs, CpuModel, Cr0, Efer, Execution, Gva, Mode};

/// The processor's state, as far as paging depends on it.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// What kind of processor it is.
    pub model: CpuModel,
    /// CR0, CR3, CR4, EFER. Change them through [`Cpu::set_regs`], which keeps `paging` true.
    pub regs: ControlRegs,
    /// The PDPTE registers. They keep their last content outside PAE paging.
    pub pdptes: Pdptes,
    /// The linear address of the last page fault.
    pub cr2: Gva,
    /// Protection-key rights for user pages: bits 2k (access disable) and 2k+1 (write disable).
    pub pkru: u32,
    /// What the registers fix about every walk; derived from `regs` and `model`.
    pub paging: Paging,
}

impl Cpu {
    /// Real-address mode after reset, but with PE set: paging off.
    #[must_use]
    pub fn new(model: CpuModel) -> Self {
        let regs = ControlRegs { cr0: Cr0::PE | Cr0::ET, ..ControlRegs::default() };
        Self { model, regs, pdptes: [0; 4], cr2: Gva(0), pkru: 0, paging: Paging::new(&model, &regs) }
    }

    /// Replaces the control registers.
    pub fn set_regs(&mut self, regs: ControlRegs) {
        if regs != self.regs {
            self.regs = regs;
            self.paging = Paging::new(&self.model, &regs);
        }
    }

    /// The paging mode in force.
    #[must_use]
    #[inline]
    pub fn mode(&self) -> Mode {
        self.paging.mode
    }

    /// The current process-context identifier.
    #[must_use]
    #[inline]
    pub fn pcid(&self) -> u16 {
        self.regs.pcid()
    }

    /// What kernel code executes here: 64-bit code in long mode unless `compat`.
    #[must_use]
    pub fn kernel_execution(&self, compat: bool) -> Execution {
        Execution { cs_l: self.regs.efer.contains(Efer::LMA) && !compat, ..Execution::default() }
    }

    pub(crate) fn hash_into(&self, hasher: &mut Xxh3) {
        let regs = &self.regs;
        let words = [regs.cr0.bits(), regs.cr3, regs.cr4.bits(), regs.efer.bits(), self.cr2.0, u64::from(self.pkru)];
        for word in words.into_iter().chain(self.pdptes) {
            hasher.update(&word.to_le_bytes());
        }
    }
}
