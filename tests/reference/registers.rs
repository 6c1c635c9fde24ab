//! What instructions and userspace do to the registers: which writes are refused (SDM 2.5, 4.1.2),
//! which load the PDPTE registers (4.4.1), and what each must remove from the caches (4.10.4.1).

use mmuscope::machine::Command;

use super::caches::Flush;
use super::cpu::{
    CR0_CD, CR0_ET, CR0_NW, CR0_PE, CR0_PG, CR0_WP, CR4_LA57, CR4_PAE, CR4_PCIDE, CR4_PGE, CR4_PKE, CR4_PSE, CR4_SMAP,
    CR4_SMEP, Cpu, EFER_LMA, EFER_LME, EFER_NXE, EFER_SCE, Mode,
};
use super::slots::Slots;
use super::walk::{Words, is_canonical};

const NO_FLUSH: u64 = 1 << 63;
const LOW_32: u64 = 0xffff_ffff;
/// CR0 bits that a processor keeps: PE MP EM TS ET NE, WP, AM, NW CD PG.
const CR0_KEPT: u64 = 0x3f | CR0_WP | 1 << 18 | CR0_NW | CR0_CD | CR0_PG;
/// CR4 bits of a processor with every paging feature but CET, and VME PVI TSD DE MCE PCE OSFXSR
/// OSXMMEXCPT.
const CR4_KNOWN: u64 = 0x74f | CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE;

/// The instruction raised #GP or #UD, or userspace's request was refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Whether the processor loads PDPTE registers (all but AMD's under nested paging).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pdptes {
    Loaded,
    LeftInMemory,
}

/// The registers after a command, and what it must remove from the caches. `None` where the command
/// is no write of a register and no invalidation. A hypervisor that reads PDPTEs for an instruction does so
/// through the `slots`, and refuses where there is none.
pub fn after(
    cpu: &Cpu,
    memory: &impl Words,
    (pdptes, slots): (Pdptes, Option<&Slots>),
    command: &Command,
) -> Option<Result<(Cpu, Flush), Refused>> {
    let load = |cpu: &mut Cpu| match pdptes {
        Pdptes::LeftInMemory => true,
        Pdptes::Loaded => cpu.mode() != Mode::Pae || cpu.load_pdptes(memory, cpu.cr3),
    };
    let by_instruction = |cpu: &mut Cpu| {
        let reached = pdptes == Pdptes::LeftInMemory
            || cpu.mode() != Mode::Pae
            || slots.is_none_or(|slots| slots.holds(cpu.cr3 & 0xffff_ffe0));
        reached && load(cpu)
    };
    Some(match *command {
        Command::MovCr0 { val, compat } => mov_cr0(cpu, by_instruction, val.0, compat),
        Command::MovCr3 { val, compat } => mov_cr3(cpu, by_instruction, val.0, compat),
        Command::MovCr4 { val, compat } => mov_cr4(cpu, by_instruction, val.0, compat),
        Command::WrmsrEfer { val, .. } => wrmsr_efer(cpu, val.0),
        Command::Wrpkru { val } if cpu.cr4 & CR4_PKE != 0 => {
            Ok((Cpu { pkru: val.0 & LOW_32, ..cpu.clone() }, Flush::Nothing))
        }
        Command::Wrpkru { .. } => Err(Refused),
        Command::Invlpg { va } => Ok((cpu.clone(), invlpg(cpu, va.0))),
        Command::Invpcid { kind, pcid, va } => invpcid(cpu, kind.0, pcid.0, va.0).map(|flush| (cpu.clone(), flush)),
        Command::SetSregs { cr0, cr3, cr4, efer } => set_sregs(cpu, load, [cr0.0, cr3.0, cr4.0, efer.0]),
        _ => return None,
    })
}

/// EFER.LMA.
fn long(cpu: &Cpu) -> bool {
    matches!(cpu.mode(), Mode::FourLevel | Mode::FiveLevel)
}

/// The source operand of a MOV: 64 bits in 64-bit code, else 32.
fn operand(cpu: &Cpu, value: u64, compat: bool) -> u64 {
    if long(cpu) && !compat { value } else { value & LOW_32 }
}

type After = Result<(Cpu, Flush), Refused>;

fn mov_cr0(cpu: &Cpu, load: impl Fn(&mut Cpu) -> bool, value: u64, compat: bool) -> After {
    let value = operand(cpu, value, compat);
    if value & !LOW_32 != 0 || impossible_cr0(value) {
        return Err(Refused);
    }
    let mut new = Cpu { cr0: value & CR0_KEPT | CR0_ET, ..cpu.clone() };
    let changed = cpu.cr0 ^ new.cr0;
    let clears_pg = changed & cpu.cr0 & CR0_PG != 0;
    let sets_pg = changed & new.cr0 & CR0_PG != 0;
    if sets_pg && cpu.efer & EFER_LME != 0 && cpu.cr4 & CR4_PAE == 0 {
        return Err(Refused);
    }
    if clears_pg && (long(cpu) && !compat || cpu.cr4 & CR4_PCIDE != 0) {
        return Err(Refused);
    }
    if changed & (CR0_PG | CR0_CD | CR0_NW) != 0 && !load(&mut new) {
        return Err(Refused);
    }
    Ok((new, if clears_pg { Flush::Everything } else { Flush::Nothing }))
}

fn impossible_cr0(value: u64) -> bool {
    let pg_without_pe = value & CR0_PG != 0 && value & CR0_PE == 0;
    let nw_without_cd = value & CR0_NW != 0 && value & CR0_CD == 0;
    pg_without_pe || nw_without_cd
}

fn mov_cr3(cpu: &Cpu, load: impl Fn(&mut Cpu) -> bool, value: u64, compat: bool) -> After {
    let mut value = operand(cpu, value, compat);
    let mut keep = false;
    if long(cpu) {
        if cpu.cr4 & CR4_PCIDE != 0 {
            keep = value & NO_FLUSH != 0;
            value &= !NO_FLUSH;
        }
        if value >> cpu.maxphyaddr != 0 {
            return Err(Refused);
        }
    }
    let mut new = Cpu { cr3: value, ..cpu.clone() };
    if !load(&mut new) {
        return Err(Refused);
    }
    let flush = if keep { Flush::Nothing } else { Flush::Pcid(new.pcid()) };
    Ok((new, flush))
}

fn mov_cr4(cpu: &Cpu, load: impl Fn(&mut Cpu) -> bool, value: u64, compat: bool) -> After {
    let value = operand(cpu, value, compat);
    let changed = cpu.cr4 ^ value;
    let sets = changed & value;
    let clears = changed & cpu.cr4;
    if value & !CR4_KNOWN != 0 || long(cpu) && (value & CR4_PAE == 0 || changed & CR4_LA57 != 0) {
        return Err(Refused);
    }
    if sets & CR4_PCIDE != 0 && (!long(cpu) || cpu.cr3 & 0xfff != 0) {
        return Err(Refused);
    }
    let mut new = Cpu { cr4: value, ..cpu.clone() };
    if changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP) != 0 && !load(&mut new) {
        return Err(Refused);
    }
    let flush = if changed & CR4_PGE != 0 || clears & CR4_PCIDE != 0 {
        Flush::Everything
    } else if changed & CR4_PAE != 0 || sets & CR4_SMEP != 0 {
        Flush::PcidAndGlobal(cpu.pcid())
    } else {
        Flush::Nothing
    };
    Ok((new, flush))
}

fn wrmsr_efer(cpu: &Cpu, value: u64) -> After {
    let lme_changes = (cpu.efer ^ value) & EFER_LME != 0;
    if value & !(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) != 0 || lme_changes && cpu.cr0 & CR0_PG != 0 {
        return Err(Refused);
    }
    Ok((Cpu { efer: value & !EFER_LMA, ..cpu.clone() }, Flush::Nothing))
}

fn invlpg(cpu: &Cpu, va: u64) -> Flush {
    match cpu.mode() {
        Mode::FourLevel if !is_canonical(va, 48) => Flush::Nothing,
        Mode::FiveLevel if !is_canonical(va, 57) => Flush::Nothing,
        Mode::FourLevel | Mode::FiveLevel => Flush::Page(va, cpu.pcid()),
        _ => Flush::Page(va & LOW_32, cpu.pcid()),
    }
}

fn invpcid(cpu: &Cpu, kind: u64, pcid: u64, va: u64) -> Result<Flush, Refused> {
    if kind > 3 || pcid > 0xfff || kind < 2 && pcid != 0 && cpu.cr4 & CR4_PCIDE == 0 {
        return Err(Refused);
    }
    match kind {
        // The width that the processor supports counts, not the one in force.
        0 if long(cpu) && !is_canonical(va, 57) => Err(Refused),
        0 => Ok(Flush::PageOfPcid(if long(cpu) { va } else { va & LOW_32 }, pcid)),
        1 => Ok(Flush::Pcid(pcid)),
        2 => Ok(Flush::Everything),
        _ => Ok(Flush::AllButGlobal),
    }
}

/// KVM_SET_SREGS: no rule but those of states that cannot be. Bad PDPTEs leave the old registers.
fn set_sregs(cpu: &Cpu, load: impl Fn(&mut Cpu) -> bool, [cr0, cr3, cr4, efer]: [u64; 4]) -> After {
    let cr0 = cr0 & CR0_KEPT | CR0_ET;
    let efer = efer & (EFER_SCE | EFER_LME | EFER_NXE);
    let paging = cr0 & CR0_PG != 0;
    let becomes_long = paging && efer & EFER_LME != 0;
    let impossible = paging && cr0 & CR0_PE == 0
        || cr4 & !CR4_KNOWN != 0
        || becomes_long && cr4 & CR4_PAE == 0
        || cr4 & CR4_PCIDE != 0 && !becomes_long;
    if impossible {
        return Err(Refused);
    }
    let mut new = Cpu { cr0, cr3, cr4, efer, ..cpu.clone() };
    load(&mut new);
    Ok((new, Flush::Everything))
}
