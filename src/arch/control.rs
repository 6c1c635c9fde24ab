//! Control registers and the rules for changing them (SDM 3A 2.5, 4.1.2, 4.10.4; 2A/2B MOV CR,
//! WRMSR, INVPCID).
//!
//! A refused write changes nothing. Each refusal names its rule, `G1` to `G20`, and the bits at
//! fault; G19 (PDPTEs in memory) needs memory and lives in [`super::pdpte`].

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use super::address::{Gva, bits};
use super::feature::{CpuModel, Features};
use super::invalidate::Scope;
use super::mode::Mode;

bitflags! {
    /// CR0 (SDM 2.5). Bits that are not named read as zero.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Cr0: u64 {
        /// Protection enable.
        const PE = 1 << 0;
        /// Monitor coprocessor.
        const MP = 1 << 1;
        /// Emulation.
        const EM = 1 << 2;
        /// Task switched.
        const TS = 1 << 3;
        /// Extension type; always 1.
        const ET = 1 << 4;
        /// Numeric error.
        const NE = 1 << 5;
        /// Write protect: supervisor writes obey R/W.
        const WP = 1 << 16;
        /// Alignment mask.
        const AM = 1 << 18;
        /// Not write-through.
        const NW = 1 << 29;
        /// Cache disable.
        const CD = 1 << 30;
        /// Paging.
        const PG = 1 << 31;
    }

    /// CR4 (SDM 2.5).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Cr4: u64 {
        /// Page-size extensions: 4 MiB pages of 32-bit paging.
        const PSE = 1 << 4;
        /// Physical-address extension: 8-byte entries.
        const PAE = 1 << 5;
        /// Page-global enable.
        const PGE = 1 << 7;
        /// 57-bit linear addresses.
        const LA57 = 1 << 12;
        /// PCID enable.
        const PCIDE = 1 << 17;
        /// Supervisor-mode execution prevention.
        const SMEP = 1 << 20;
        /// Supervisor-mode access prevention.
        const SMAP = 1 << 21;
        /// Protection keys for user pages.
        const PKE = 1 << 22;
        /// Control-flow enforcement.
        const CET = 1 << 23;
        /// Every other bit is kept as it was written.
        const _ = !0;
    }

    /// IA32_EFER, MSR C000_0080H (SDM 2.2.1).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Efer: u64 {
        /// SYSCALL enable.
        const SCE = 1 << 0;
        /// Long-mode enable.
        const LME = 1 << 8;
        /// Long-mode active: set by hardware while LME and CR0.PG are 1.
        const LMA = 1 << 10;
        /// Execute-disable enable.
        const NXE = 1 << 11;
    }
}

/// CR4 bits that have nothing to do with paging and are accepted on every model:
/// VME, PVI, TSD, DE, MCE, PCE, OSFXSR, OSXMMEXCPT.
const CR4_PLAIN: u64 = bits(0, 3) | bits(6, 6) | bits(8, 10);
/// PWT and PCD of CR3, or the process-context identifier when CR4.PCIDE = 1.
const PCID_MASK: u64 = bits(0, 11);
/// Bit 63 of the source operand of MOV CR3: keep the translations of the new PCID.
pub const CR3_NO_FLUSH: u64 = 1 << 63;

/// The control registers that paging depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ControlRegs {
    /// CR0.
    pub cr0: Cr0,
    /// CR3, 64 bits; outside long mode the low 32 count.
    pub cr3: u64,
    /// CR4.
    pub cr4: Cr4,
    /// IA32_EFER.
    pub efer: Efer,
}

impl ControlRegs {
    /// The paging mode in force.
    #[must_use]
    pub fn mode(&self) -> Mode {
        Mode::of(self)
    }

    /// The current process-context identifier, 0 to 4095 (SDM 4.10.1).
    #[must_use]
    pub fn pcid(&self) -> u16 {
        if self.cr4.contains(Cr4::PCIDE) { (self.cr3 & PCID_MASK) as u16 } else { 0 }
    }

    /// Registers as userspace sets them all at once: no legality rule beyond what would make the
    /// state impossible. EFER.LMA follows from LME and PG, CR0.ET is 1.
    ///
    /// # Errors
    /// [`Refusal`] for a state that no processor can be in.
    pub fn set_at_once(model: &CpuModel, cr0: u64, cr3: u64, cr4: u64, efer: u64) -> Result<Self, Refusal> {
        let cr0 = Cr0::from_bits_truncate(cr0) | Cr0::ET;
        let cr4 = Cr4::from_bits_retain(cr4);
        let mut efer = Efer::from_bits_truncate(efer) - Efer::LMA;
        let paging = cr0.contains(Cr0::PG);
        refuse_if(Rule::G2, Cr0::PG.bits(), paging && !cr0.contains(Cr0::PE))?;
        let unknown = cr4.bits() & !cr4_supported(model);
        refuse_if(Rule::G11, unknown, unknown != 0)?;
        refuse_if(Rule::G17, Efer::NXE.bits(), efer.contains(Efer::NXE) && !model.has(Features::NX))?;
        if paging && efer.contains(Efer::LME) {
            refuse_if(Rule::G5, Cr4::PAE.bits(), !cr4.contains(Cr4::PAE))?;
            efer |= Efer::LMA;
        }
        refuse_if(Rule::G14, Cr4::PCIDE.bits(), cr4.contains(Cr4::PCIDE) && !efer.contains(Efer::LMA))?;
        Ok(Self { cr0, cr3, cr4, efer })
    }
}

/// What the processor is executing, as far as the rules ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Execution {
    /// Current privilege level, 0 to 3.
    pub cpl: u8,
    /// CS.L = 1: 64-bit mode when EFER.LMA = 1.
    pub cs_l: bool,
    /// TR holds a 16-bit TSS.
    pub tss16: bool,
}

impl Default for Execution {
    /// Kernel code with a flat segment and a 32-bit or 64-bit TSS.
    fn default() -> Self {
        Self { cpl: 0, cs_l: false, tss16: false }
    }
}

/// A legality rule, by its number in this project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Rule {
    /// A privileged instruction at CPL > 0.
    G1,
    /// MOV CR0: PG = 1 with PE = 0.
    G2,
    /// MOV CR0: NW = 1 with CD = 0.
    G3,
    /// MOV CR0: bits 63:32.
    G4,
    /// MOV CR0 sets PG with LME = 1 and CR4.PAE = 0.
    G5,
    /// MOV CR0 sets PG with LME = 1 and CS.L = 1.
    G6,
    /// MOV CR0 sets PG with LME = 1 and a 16-bit TSS.
    G7,
    /// MOV CR0 clears PG in 64-bit mode.
    G8,
    /// MOV CR0 clears PG with CR4.PCIDE = 1.
    G9,
    /// MOV CR0 clears WP with CR4.CET = 1.
    G10,
    /// MOV CR4: a bit that this model does not have.
    G11,
    /// MOV CR4 clears PAE in long mode.
    G12,
    /// MOV CR4 changes LA57 in long mode.
    G13,
    /// MOV CR4 sets PCIDE outside long mode, or with CR3 bits 11:0 not zero.
    G14,
    /// MOV CR4 sets CET with CR0.WP = 0.
    G15,
    /// WRMSR EFER changes LME while paging is on.
    G16,
    /// WRMSR EFER: a bit that this model does not have.
    G17,
    /// MOV CR3: a bit at or above MAXPHYADDR in long mode.
    G18,
    /// A present PDPTE in memory has a reserved bit set.
    G19,
    /// INVPCID: type, descriptor, address or PCID out of range.
    G20,
    /// No processor's rule, but KVM's: CR3 points to no memory slot, so that it cannot read the four PDPTEs.
    K1,
    /// No processor's rule, but one that Linux 2.6.20 enforced: bits 2:0 of CR3 outside long mode.
    Q2,
    /// Linux 2.6.20's: CR3 points to no memory slot.
    Q3,
    /// Linux 2.6.20's: reserved bits of CR0, which the processor ignores.
    Q11,
    /// The instruction does not exist here: #UD, not #GP.
    Undefined,
}

/// Why an instruction was refused. It raised #GP(0), or #UD for [`Rule::Undefined`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{rule:?} (bits {bits:#x})")]
pub struct Refusal {
    /// The rule that refused it.
    pub rule: Rule,
    /// The bits at fault, in the register that the rule speaks of.
    pub bits: u64,
}

fn refuse_if(rule: Rule, bits: u64, condition: bool) -> Result<(), Refusal> {
    if condition { Err(Refusal { rule, bits }) } else { Ok(()) }
}

fn privileged(exec: &Execution) -> Result<(), Refusal> {
    refuse_if(Rule::G1, u64::from(exec.cpl), exec.cpl != 0)
}

/// An accepted change of a control register: the registers after it, whether the four PDPTEs must
/// be loaded (and may still refuse it, rule G19), and what it invalidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The registers after the instruction.
    pub regs: ControlRegs,
    /// PAE paging is in use afterwards and this instruction loads the PDPTE registers (4.4.1).
    pub loads_pdptes: bool,
    /// The cached translations that must go (4.10.4.1).
    pub invalidates: Scope,
}

/// What a MOV to a control register writes: 64 bits in 64-bit code, else 32.
#[must_use]
pub fn operand(value: u64, regs: &ControlRegs, exec: &Execution) -> u64 {
    if regs.efer.contains(Efer::LMA) && exec.cs_l { value } else { value & 0xffff_ffff }
}

/// MOV to CR0.
///
/// # Errors
/// Rules G1 to G10.
pub fn mov_cr0(regs: &ControlRegs, exec: &Execution, value: u64) -> Result<Change, Refusal> {
    privileged(exec)?;
    let value = operand(value, regs, exec);
    refuse_if(Rule::G4, value & bits(32, 63), value >> 32 != 0)?;
    let new = Cr0::from_bits_truncate(value) | Cr0::ET;
    let changed = new ^ regs.cr0;
    refuse_if(Rule::G2, Cr0::PG.bits(), new.contains(Cr0::PG) && !new.contains(Cr0::PE))?;
    refuse_if(Rule::G3, Cr0::NW.bits(), new.contains(Cr0::NW) && !new.contains(Cr0::CD))?;
    let sets_pg = changed.contains(Cr0::PG) && new.contains(Cr0::PG);
    let clears_pg = changed.contains(Cr0::PG) && !sets_pg;
    let mut after = ControlRegs { cr0: new, ..*regs };
    if sets_pg && regs.efer.contains(Efer::LME) {
        refuse_if(Rule::G5, Cr4::PAE.bits(), !regs.cr4.contains(Cr4::PAE))?;
        refuse_if(Rule::G6, Cr0::PG.bits(), exec.cs_l)?;
        refuse_if(Rule::G7, Cr0::PG.bits(), exec.tss16)?;
        after.efer |= Efer::LMA;
    }
    if clears_pg {
        refuse_if(Rule::G8, Cr0::PG.bits(), regs.efer.contains(Efer::LMA) && exec.cs_l)?;
        refuse_if(Rule::G9, Cr4::PCIDE.bits(), regs.cr4.contains(Cr4::PCIDE))?;
        after.efer -= Efer::LMA;
    }
    let clears_wp = changed.contains(Cr0::WP) && !new.contains(Cr0::WP);
    refuse_if(Rule::G10, Cr0::WP.bits(), clears_wp && regs.cr4.contains(Cr4::CET))?;
    Ok(Change {
        regs: after,
        loads_pdptes: after.mode() == Mode::Pae && changed.intersects(Cr0::PG | Cr0::CD | Cr0::NW),
        invalidates: if clears_pg { Scope::Everything } else { Scope::Nothing },
    })
}

/// MOV to CR3.
///
/// # Errors
/// Rules G1 and G18.
pub fn mov_cr3(model: &CpuModel, regs: &ControlRegs, exec: &Execution, value: u64) -> Result<Change, Refusal> {
    privileged(exec)?;
    let mut value = operand(value, regs, exec);
    let pcide = regs.cr4.contains(Cr4::PCIDE);
    let mut keep = false;
    if regs.efer.contains(Efer::LMA) {
        if pcide {
            keep = value & CR3_NO_FLUSH != 0;
            value &= !CR3_NO_FLUSH;
        }
        let high = value & model.above_physical();
        refuse_if(Rule::G18, high, high != 0)?;
    }
    let after = ControlRegs { cr3: value, ..*regs };
    Ok(Change {
        regs: after,
        loads_pdptes: after.mode() == Mode::Pae,
        invalidates: if keep { Scope::Nothing } else { Scope::Pcid(after.pcid()) },
    })
}

/// The CR4 bits that a model accepts.
#[must_use]
pub fn cr4_supported(model: &CpuModel) -> u64 {
    let by_feature = [
        (Features::PSE, Cr4::PSE),
        (Features::PGE, Cr4::PGE),
        (Features::LA57, Cr4::LA57),
        (Features::PCID, Cr4::PCIDE),
        (Features::SMEP, Cr4::SMEP),
        (Features::SMAP, Cr4::SMAP),
        (Features::PKU, Cr4::PKE),
        (Features::CET, Cr4::CET),
    ];
    by_feature
        .into_iter()
        .filter(|(feature, _)| model.has(*feature))
        .fold(CR4_PLAIN | Cr4::PAE.bits(), |mask, (_, bit)| mask | bit.bits())
}

/// MOV to CR4.
///
/// # Errors
/// Rules G1 and G11 to G15.
pub fn mov_cr4(model: &CpuModel, regs: &ControlRegs, exec: &Execution, value: u64) -> Result<Change, Refusal> {
    privileged(exec)?;
    let value = operand(value, regs, exec);
    let unknown = value & !cr4_supported(model);
    refuse_if(Rule::G11, unknown, unknown != 0)?;
    let new = Cr4::from_bits_retain(value);
    let changed = new ^ regs.cr4;
    let sets = |bit| changed.contains(bit) && new.contains(bit);
    let lma = regs.efer.contains(Efer::LMA);
    refuse_if(Rule::G12, Cr4::PAE.bits(), lma && !new.contains(Cr4::PAE))?;
    refuse_if(Rule::G13, Cr4::LA57.bits(), lma && changed.contains(Cr4::LA57))?;
    if sets(Cr4::PCIDE) {
        refuse_if(Rule::G14, Cr4::PCIDE.bits(), !lma)?;
        refuse_if(Rule::G14, regs.cr3 & PCID_MASK, regs.cr3 & PCID_MASK != 0)?;
    }
    refuse_if(Rule::G15, Cr4::CET.bits(), new.contains(Cr4::CET) && !regs.cr0.contains(Cr0::WP))?;
    let after = ControlRegs { cr4: new, ..*regs };
    let clears_pcide = changed.contains(Cr4::PCIDE) && !new.contains(Cr4::PCIDE);
    let invalidates = if changed.contains(Cr4::PGE) || clears_pcide {
        Scope::Everything
    } else if changed.contains(Cr4::PAE) || sets(Cr4::SMEP) {
        Scope::PcidAndGlobal(regs.pcid())
    } else {
        Scope::Nothing
    };
    Ok(Change {
        regs: after,
        loads_pdptes: after.mode() == Mode::Pae && changed.intersects(Cr4::PAE | Cr4::PGE | Cr4::PSE | Cr4::SMEP),
        invalidates,
    })
}

/// WRMSR to IA32_EFER. A written LMA is ignored.
///
/// # Errors
/// Rules G1, G16 and G17.
pub fn wrmsr_efer(model: &CpuModel, regs: &ControlRegs, exec: &Execution, value: u64) -> Result<Change, Refusal> {
    privileged(exec)?;
    let nxe = if model.has(Features::NX) { Efer::NXE } else { Efer::empty() };
    let unknown = value & !(Efer::SCE | Efer::LME | Efer::LMA | nxe).bits();
    refuse_if(Rule::G17, unknown, unknown != 0)?;
    let live = regs.efer & Efer::LMA;
    let new = (Efer::from_bits_truncate(value) - Efer::LMA) | live;
    let changes_lme = (new ^ regs.efer).contains(Efer::LME);
    refuse_if(Rule::G16, Efer::LME.bits(), changes_lme && regs.cr0.contains(Cr0::PG))?;
    let after = ControlRegs { efer: new, ..*regs };
    Ok(Change { regs: after, loads_pdptes: false, invalidates: Scope::Nothing })
}

/// INVLPG: the page, or nothing for a non-canonical address (SDM 2A INVLPG).
///
/// # Errors
/// Rule G1.
pub fn invlpg(regs: &ControlRegs, exec: &Execution, gva: Gva) -> Result<Scope, Refusal> {
    privileged(exec)?;
    let mode = regs.mode();
    if mode.is_long() && !gva.is_canonical(mode.linear_width()) {
        return Ok(Scope::Nothing);
    }
    Ok(Scope::Page { gva: mode.linear(gva), pcid: regs.pcid() })
}

/// INVPCID with its descriptor: `pcid` is bits 63:0 of the low quadword, of which 63:12 must be 0.
///
/// # Errors
/// Rules G1 and G20; [`Rule::Undefined`] where the model has no PCIDs.
pub fn invpcid(
    model: &CpuModel,
    regs: &ControlRegs,
    exec: &Execution,
    kind: u64,
    pcid: u64,
    gva: Gva,
) -> Result<Scope, Refusal> {
    refuse_if(Rule::Undefined, 0, !model.has(Features::PCID))?;
    privileged(exec)?;
    refuse_if(Rule::G20, kind, kind > 3)?;
    refuse_if(Rule::G20, pcid & !PCID_MASK, pcid & !PCID_MASK != 0)?;
    let individual = kind < 2;
    refuse_if(Rule::G20, pcid, individual && pcid != 0 && !regs.cr4.contains(Cr4::PCIDE))?;
    let pcid = pcid as u16;
    match kind {
        0 => {
            // Canonical for what the processor supports, not for the mode in force (KUT la57.c).
            let width = if model.has(Features::LA57) { 57 } else { 48 };
            let long = regs.efer.contains(Efer::LMA);
            refuse_if(Rule::G20, gva.0, long && !gva.is_canonical(width))?;
            Ok(Scope::PageOfPcid { gva: regs.mode().linear(gva), pcid })
        }
        1 => Ok(Scope::Pcid(pcid)),
        2 => Ok(Scope::Everything),
        _ => Ok(Scope::AllPcids),
    }
}

/// WRPKRU: outside CR4.PKE = 1 it does not exist (SDM 2C WRPKRU).
///
/// # Errors
/// [`Rule::Undefined`].
pub fn wrpkru(regs: &ControlRegs, value: u64) -> Result<u32, Refusal> {
    refuse_if(Rule::Undefined, Cr4::PKE.bits(), !regs.cr4.contains(Cr4::PKE))?;
    Ok(value as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGED: Cr0 = Cr0::PE.union(Cr0::ET).union(Cr0::PG);

    fn regs(cr0: Cr0, cr4: Cr4, efer: Efer) -> ControlRegs {
        ControlRegs { cr0, cr3: 0x3000, cr4, efer }
    }

    fn long64() -> (ControlRegs, Execution) {
        let r = regs(PAGED | Cr0::WP, Cr4::PAE, Efer::LME | Efer::LMA);
        (r, Execution { cs_l: true, ..Execution::default() })
    }

    fn rule<T>(r: Result<T, Refusal>) -> Option<Rule> {
        r.err().map(|refusal| refusal.rule)
    }

    #[test]
    fn each_rule_of_cr0() {
        let kernel = Execution::default();
        let off = regs(Cr0::PE | Cr0::ET, Cr4::empty(), Efer::LME);
        let pg = PAGED.bits();
        assert_eq!(rule(mov_cr0(&off, &Execution { cpl: 3, ..kernel }, pg)), Some(Rule::G1));
        assert_eq!(rule(mov_cr0(&off, &kernel, Cr0::PG.bits())), Some(Rule::G2));
        assert_eq!(rule(mov_cr0(&off, &kernel, (Cr0::PE | Cr0::NW).bits())), Some(Rule::G3));
        let (long, in64) = long64();
        assert_eq!(rule(mov_cr0(&long, &in64, pg | 1 << 32)), Some(Rule::G4));
        assert_eq!(rule(mov_cr0(&off, &kernel, pg)), Some(Rule::G5));
        let pae = ControlRegs { cr4: Cr4::PAE, ..off };
        assert_eq!(rule(mov_cr0(&pae, &Execution { cs_l: true, ..kernel }, pg)), Some(Rule::G6));
        assert_eq!(rule(mov_cr0(&pae, &Execution { tss16: true, ..kernel }, pg)), Some(Rule::G7));
        assert_eq!(rule(mov_cr0(&long, &in64, Cr0::PE.bits())), Some(Rule::G8));
        let pcide = ControlRegs { cr4: Cr4::PAE | Cr4::PCIDE, ..long };
        assert_eq!(rule(mov_cr0(&pcide, &kernel, Cr0::PE.bits())), Some(Rule::G9));
        let cet = ControlRegs { cr4: Cr4::PAE | Cr4::CET, ..long };
        assert_eq!(rule(mov_cr0(&cet, &kernel, pg)), Some(Rule::G10));
        let change = mov_cr0(&pae, &kernel, pg).expect("legal");
        assert_eq!(change.regs.mode(), Mode::Level4);
        assert!(!change.loads_pdptes);
    }

    #[test]
    fn each_rule_of_cr4() {
        let kernel = Execution::default();
        let model = CpuModel { features: Features::all() - Features::SMEP, ..CpuModel::default() };
        let (long, in64) = long64();
        let pae = Cr4::PAE.bits();
        assert_eq!(rule(mov_cr4(&model, &long, &in64, pae | Cr4::SMEP.bits())), Some(Rule::G11));
        assert_eq!(rule(mov_cr4(&model, &long, &in64, pae | 1 << 40)), Some(Rule::G11));
        assert_eq!(rule(mov_cr4(&model, &long, &in64, 0)), Some(Rule::G12));
        assert_eq!(rule(mov_cr4(&model, &long, &in64, pae | Cr4::LA57.bits())), Some(Rule::G13));
        let with_low = ControlRegs { cr3: 0x3001, ..long };
        let pcide = pae | Cr4::PCIDE.bits();
        assert_eq!(rule(mov_cr4(&model, &with_low, &in64, pcide)), Some(Rule::G14));
        let unpaged = regs(Cr0::PE, Cr4::PAE, Efer::empty());
        assert_eq!(rule(mov_cr4(&model, &unpaged, &kernel, pcide)), Some(Rule::G14));
        assert_eq!(rule(mov_cr4(&model, &unpaged, &kernel, pae | Cr4::CET.bits())), Some(Rule::G15));
        assert!(mov_cr4(&model, &unpaged, &kernel, pae | Cr4::LA57.bits()).is_ok());
    }

    #[test]
    fn each_rule_of_efer_cr3_and_invpcid() {
        let model = CpuModel::default();
        let (long, in64) = long64();
        assert_eq!(rule(wrmsr_efer(&model, &long, &in64, 0)), Some(Rule::G16));
        assert_eq!(rule(wrmsr_efer(&model, &long, &in64, 0x100 | 1 << 9)), Some(Rule::G17));
        let kept = wrmsr_efer(&model, &long, &in64, Efer::LME.bits()).expect("legal").regs.efer;
        assert!(kept.contains(Efer::LMA), "a written LMA = 0 is ignored");
        assert_eq!(rule(mov_cr3(&model, &long, &in64, 1 << 40)), Some(Rule::G18));
        assert_eq!(rule(mov_cr3(&model, &long, &in64, 1 << 63)), Some(Rule::G18));
        let pcide = ControlRegs { cr4: Cr4::PAE | Cr4::PCIDE, ..long };
        let change = mov_cr3(&model, &pcide, &in64, 1 << 63 | 0x5007).expect("legal");
        assert_eq!((change.regs.cr3, change.invalidates), (0x5007, Scope::Nothing));
        let inv = |r: &ControlRegs, kind, pcid, gva| rule(invpcid(&model, r, &in64, kind, pcid, Gva(gva)));
        assert_eq!(inv(&long, 4, 0, 0), Some(Rule::G20));
        assert_eq!(inv(&long, 1, 1, 0), Some(Rule::G20));
        assert_eq!(inv(&pcide, 1, 0x1000, 0), Some(Rule::G20));
        assert_eq!(inv(&pcide, 0, 1, 1 << 60), Some(Rule::G20));
        assert_eq!(inv(&pcide, 0, 1, 0x8000_0000_0000), None);
        assert_eq!(inv(&long, 2, 0, 0), None);
    }

    #[test]
    fn what_loads_the_pdptes() {
        let model = CpuModel::default();
        let kernel = Execution::default();
        let pae = regs(PAGED, Cr4::PAE, Efer::empty());
        let cr4 = |bit: Cr4| mov_cr4(&model, &pae, &kernel, (Cr4::PAE | bit).bits()).expect("legal").loads_pdptes;
        assert!(cr4(Cr4::PGE) && cr4(Cr4::PSE) && cr4(Cr4::SMEP));
        assert!(!cr4(Cr4::SMAP) && !cr4(Cr4::PKE) && !cr4(Cr4::empty()));
        let cr0 = |bit: Cr0| mov_cr0(&pae, &kernel, (PAGED | bit).bits()).expect("legal").loads_pdptes;
        assert!(cr0(Cr0::CD) && cr0(Cr0::CD | Cr0::NW));
        assert!(!cr0(Cr0::WP) && !cr0(Cr0::TS));
        assert!(mov_cr3(&model, &pae, &kernel, pae.cr3).expect("legal").loads_pdptes);
    }
}
