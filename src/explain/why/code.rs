//! The functions of the kernel that did it, by the engine's era.
//!
//! Names of 2.6.20 and its third candidate stand in `drivers/kvm/{mmu.c,paging_tmpl.h,kvm.h,kvm_main.c}`, those of 6.8
//! in `arch/x86/kvm/{x86.c,mmu.h,mmu/mmu.c,mmu/paging_tmpl.h,mmu/spte.c,vmx/vmx.c,svm/svm.c}`, in
//! `arch/x86/include/asm/kvm_host.h` (`kvm_inject_gp`) and in `virt/kvm/kvm_main.c` (slots and the dirty log). `FNAME()`
//! is the macro that makes one function for each size of guest entry.

use super::Question;
use crate::arch::Mode;
use crate::arch::entry::{P, RW};
use crate::engine::EngineName;
use crate::engine::shadow::spte;
use crate::machine::event::{ExitReason, FaultWhy, RegisterName, SpteWhy};
use crate::machine::{Command, Event};

/// The era of an engine's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Era {
    /// No hypervisor.
    None,
    /// Linux 2.6.20-rc3, before the series.
    Before,
    /// Linux 2.6.20.
    Old,
    /// Linux 6.x, shadow paging.
    Now,
    /// Linux 6.x on VMX with EPT.
    Ept,
    /// Linux 6.x on SVM with NPT.
    Npt,
}

const fn era(engine: EngineName) -> Era {
    match engine {
        EngineName::Native => Era::None,
        EngineName::Kvm2006 => Era::Before,
        EngineName::KvmPdpt | EngineName::Kvm2007 => Era::Old,
        EngineName::KvmNow => Era::Now,
        EngineName::Ept => Era::Ept,
        EngineName::Npt => Era::Npt,
    }
}

/// What decides, beside an event, which function it was.
struct Scene<'a> {
    era: Era,
    command: &'a Command,
    all: &'a [Event],
    /// The guest's paging is off: functions of their own map its memory.
    unpaged: bool,
}

impl Scene<'_> {
    fn has(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.all.iter().any(wanted)
    }

    fn injects(&self) -> bool {
        self.has(|event| *event == Event::Inject)
    }

    /// The instruction was refused, and changed nothing.
    fn refused(&self) -> bool {
        self.has(|event| matches!(event, Event::Refused { .. }))
            && !self.has(|event| matches!(event, Event::Register { .. }))
    }

    /// The hardware met the mark of an address without memory.
    fn met_a_mark(&self) -> bool {
        self.has(|event| matches!(event, Event::ShadowRead { value, .. } if spte::of_mmio(value.0).is_some()))
    }
}

/// The functions behind a command, as one line; empty where no hypervisor took part.
pub fn of_command(question: &Question<'_>, command: &Command) -> String {
    let era = era(question.before.engine());
    let unpaged = question.before.machine().cpu.mode() == Mode::Off;
    let scene = Scene { era, command, all: question.events, unpaged };
    let mut names: Vec<&'static str> = Vec::new();
    if matches!(command, Command::SetSregs { .. }) {
        names.extend(match era {
            Era::None => None,
            Era::Before | Era::Old => Some("kvm_dev_ioctl_set_sregs()"),
            Era::Now | Era::Ept | Era::Npt => Some("kvm_arch_vcpu_ioctl_set_sregs()"),
        });
    }
    for at in super::reading_order(question.events) {
        for name in of_event(&scene, &question.events[at]) {
            if !names.contains(name) {
                names.push(name);
            }
        }
    }
    line(era, &names)
}

/// The functions that decide about a shadow entry.
pub fn of_spte(question: &Question<'_>, value: u64, level: u8) -> String {
    let era = era(question.before.engine());
    let unpaged = question.before.machine().cpu.mode() == Mode::Off;
    let names: &[&'static str] = match (era, level, value & P != 0, value & RW != 0) {
        (Era::Now, 1, ..) if spte::of_mmio(value).is_some() => &["mark_mmio_spte()", "make_mmio_spte()"],
        (Era::Before | Era::Old, ..) if unpaged => &["nonpaging_map()"],
        (Era::Now, 1, ..) if unpaged => &["direct_map()", "make_spte()"],
        (Era::Now, ..) if unpaged => &["direct_map()", "kvm_mmu_get_shadow_page()"],
        (Era::Before, 1, ..) => &["FNAME(fetch)()", "set_pte_common()"],
        (Era::Before, ..) => &["FNAME(fetch)()", "kvm_mmu_alloc_page()"],
        (Era::Old, 1, true, false) => &["set_pte_common()", "rmap_write_protect()"],
        (Era::Old, 1, ..) => &["FNAME(fetch)()", "set_pte_common()"],
        (Era::Now, 1, true, false) => &["make_spte()", "mmu_try_to_unsync_pages()"],
        (Era::Now, 1, ..) => &["FNAME(fetch)()", "make_spte()"],
        (Era::Now, ..) => &["FNAME(fetch)()", "kvm_mmu_get_shadow_page()"],
        _ => &["FNAME(fetch)()", "kvm_mmu_get_page()"],
    };
    line(era, names)
}

fn line(era: Era, names: &[&str]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let kernel = match era {
        Era::None => return String::new(),
        Era::Before => "Linux 2.6.20-rc3",
        Era::Old => "Linux 2.6.20",
        Era::Now | Era::Ept | Era::Npt => "Linux 6.8",
    };
    format!("{kernel}: {}", names.join(", "))
}

fn of_event(scene: &Scene<'_>, event: &Event) -> &'static [&'static str] {
    match scene.era {
        Era::None => &[],
        Era::Before => before_the_series(scene, event),
        Era::Old => after_the_series(scene, event),
        Era::Now => shadow_now(scene, event),
        Era::Ept | Era::Npt => two_dimensions(scene, event),
    }
}

/// Before the series: no cache of shadow pages, no write protection, INVLPG intercepted.
fn before_the_series(scene: &Scene<'_>, event: &Event) -> &'static [&'static str] {
    match event {
        Event::VmExit { reason: ExitReason::CrAccess } => match scene.command {
            Command::MovCr0 { .. } => &["set_cr0()"],
            Command::MovCr3 { .. } if scene.unpaged || scene.refused() => &["set_cr3()"],
            Command::MovCr3 { .. } => &["set_cr3()", "paging_new_cr3()"],
            Command::MovCr4 { .. } => &["set_cr4()"],
            Command::WrmsrEfer { .. } => &["set_efer()"],
            _ => &[],
        },
        Event::VmExit { reason: ExitReason::Invlpg } => match scene.command {
            Command::Invlpg { .. } if scene.unpaged => &["nonpaging_inval_page()"],
            Command::Invlpg { .. } => &["paging_inval_page()"],
            // INVPCID is younger than this kernel.
            _ => &[],
        },
        Event::VmExit { reason: ExitReason::Mmio } | Event::Emulate { .. } => &["emulate_instruction()"],
        Event::VmExit { reason: ExitReason::PageFault } if scene.unpaged => &["nonpaging_page_fault()"],
        Event::VmExit { reason: ExitReason::PageFault } if scene.injects() => {
            &["FNAME(page_fault)()", "FNAME(fetch_guest)()"]
        }
        Event::VmExit { reason: ExitReason::PageFault } => &["FNAME(page_fault)()"],
        Event::SpteSet { why: SpteWhy::Fill | SpteWhy::Mmio, .. } if scene.unpaged => &["nonpaging_map()"],
        Event::SpteSet { why: SpteWhy::Fill | SpteWhy::Mmio, .. } => &["FNAME(fetch)()", "set_pte_common()"],
        Event::ShadowNew { .. } => &["kvm_mmu_alloc_page()"],
        Event::ShadowZap { .. } => &["release_pt_page_64()"],
        Event::Reclaim => &["nonpaging_flush()"],
        Event::DirtyLog { .. } => &["kvm_dev_ioctl_get_dirty_log()"],
        _ => of_2007(scene, event),
    }
}

/// What did not change with the series.
fn of_2007(scene: &Scene<'_>, event: &Event) -> &'static [&'static str] {
    match event {
        Event::Inject if scene.command.access().is_some() => &["inject_page_fault()"],
        Event::Inject => &["inject_gp()"],
        Event::SpteSet { why: SpteWhy::Write, .. } => &["FNAME(fix_write_pf)()"],
        Event::SpteSet { why: SpteWhy::Read, .. } => &["fix_read_pf()"],
        Event::Memslot { .. } => &["kvm_dev_ioctl_set_memory_region()"],
        _ => &[],
    }
}

fn after_the_series(scene: &Scene<'_>, event: &Event) -> &'static [&'static str] {
    match event {
        Event::VmExit { reason: ExitReason::CrAccess } => match scene.command {
            Command::MovCr0 { .. } if scene.refused() => &["set_cr0()"],
            Command::MovCr0 { .. } => &["set_cr0()", "kvm_mmu_reset_context()"],
            Command::MovCr3 { .. } if scene.refused() => &["set_cr3()"],
            Command::MovCr3 { .. } if scene.unpaged => &["set_cr3()", "nonpaging_new_cr3()"],
            Command::MovCr3 { .. } => &["set_cr3()", "paging_new_cr3()"],
            Command::MovCr4 { .. } if scene.refused() => &["set_cr4()"],
            Command::MovCr4 { .. } => &["set_cr4()", "kvm_mmu_reset_context()"],
            Command::WrmsrEfer { .. } => &["set_efer()"],
            _ => &[],
        },
        Event::PdpteLoad { .. } | Event::PdpteReject { .. } => &["load_pdptrs()"],
        Event::VmExit { reason: ExitReason::Mmio } => &["kvm_mmu_page_fault()", "emulate_instruction()"],
        Event::VmExit { reason: ExitReason::PageFault } if scene.unpaged => &["nonpaging_page_fault()"],
        Event::VmExit { reason: ExitReason::PageFault } if scene.injects() => &["FNAME(walk_addr)()"],
        Event::VmExit { reason: ExitReason::PageFault } => &["FNAME(page_fault)()"],
        Event::SpteSet { why: SpteWhy::Fill, .. } if scene.unpaged => &["nonpaging_map()"],
        Event::SpteSet { why: SpteWhy::Fill, .. } => &["FNAME(fetch)()", "set_pte_common()"],
        Event::SpteSet { why: SpteWhy::Mmio, .. } if !scene.unpaged => &["set_pte_common()"],
        Event::ShadowNew { .. } => &["kvm_mmu_get_page()"],
        Event::WriteProtect { .. } => &["rmap_write_protect()"],
        Event::Emulate { .. } | Event::Flood { .. } => &["kvm_mmu_pre_write()"],
        Event::ShadowZap { .. } => &["kvm_mmu_zap_page()"],
        // A user store (patch 27); `kvm_mmu_unprotect_page()` is for an instruction that KVM cannot emulate.
        Event::WriteUnprotect { .. } => &["FNAME(fix_write_pf)()", "kvm_mmu_zap_page()"],
        Event::Reclaim => &["kvm_mmu_free_some_pages()"],
        Event::DirtyLog { .. } => &["kvm_dev_ioctl_get_dirty_log()", "kvm_mmu_slot_remove_write_access()"],
        _ => of_2007(scene, event),
    }
}

fn shadow_now(scene: &Scene<'_>, event: &Event) -> &'static [&'static str] {
    match event {
        Event::PdpteLoad { .. } | Event::PdpteReject { .. } => &["load_pdptrs()"],
        Event::VmExit { reason: ExitReason::Invlpg } => match scene.command {
            Command::Invpcid { .. } => &["kvm_handle_invpcid()"],
            _ => &["kvm_mmu_invlpg()"],
        },
        Event::VmExit { reason: ExitReason::Mmio } if scene.met_a_mark() => {
            &["handle_mmio_page_fault()", "x86_emulate_instruction()"]
        }
        Event::VmExit { reason: ExitReason::Mmio } if scene.command.access().is_none() => {
            &["x86_emulate_instruction()"]
        }
        Event::VmExit { reason: ExitReason::Mmio } if scene.unpaged => {
            &["nonpaging_page_fault()", "x86_emulate_instruction()"]
        }
        Event::VmExit { reason: ExitReason::Mmio } => &["FNAME(page_fault)()", "x86_emulate_instruction()"],
        Event::VmExit { reason: ExitReason::PageFault } if scene.unpaged => &["nonpaging_page_fault()"],
        Event::VmExit { reason: ExitReason::PageFault } if scene.injects() => {
            // What is not present, or reserved, is found before anybody asks for rights.
            let rights = |event: &Event| matches!(event, Event::Fault { why: FaultWhy::Rights { .. }, .. });
            match scene.has(rights) {
                true => &["FNAME(walk_addr_generic)()", "permission_fault()"],
                false => &["FNAME(walk_addr_generic)()"],
            }
        }
        Event::VmExit { reason: ExitReason::PageFault } => &["FNAME(page_fault)()"],
        Event::SpteSet { why: SpteWhy::Fill, .. } if scene.unpaged => &["direct_map()", "make_spte()"],
        Event::SpteSet { why: SpteWhy::Fill, .. } => &["FNAME(fetch)()", "make_spte()"],
        Event::SpteSet { why: SpteWhy::Prefetch, .. } => &["FNAME(pte_prefetch)()"],
        Event::SpteSet { why: SpteWhy::Mmio, .. } => &["make_mmio_spte()"],
        Event::SpteSet { why: SpteWhy::Sync, .. } | Event::SpteClear { why: SpteWhy::Sync, .. } => {
            &["FNAME(sync_spte)()"]
        }
        Event::ShadowNew { .. } => &["kvm_mmu_get_shadow_page()"],
        Event::WriteProtect { gfn } => {
            // A table is protected when its shadow is made, or when it comes into sync again.
            match scene.has(|event| matches!(event, Event::Sync { gfn: synced } if synced == gfn)) {
                true => &["kvm_vcpu_write_protect_gfn()"],
                false => &["account_shadowed()"],
            }
        }
        Event::Emulate { .. } => &["kvm_mmu_track_write()"],
        Event::Flood { .. } => &["detect_write_flooding()"],
        Event::ShadowZap { .. } => &["kvm_mmu_prepare_zap_page()"],
        Event::Unsync { .. } => &["mmu_try_to_unsync_pages()"],
        Event::Sync { .. } => &["mmu_sync_children()"],
        Event::Reclaim => &["make_mmu_pages_available()"],
        _ => of_6_8(scene, event),
    }
}

fn two_dimensions(scene: &Scene<'_>, event: &Event) -> &'static [&'static str] {
    match (event, scene.era) {
        // Most loads are the hardware's own.
        (Event::PdpteLoad { .. }, Era::Ept)
            if scene.has(|event| matches!(event, Event::VmExit { reason: ExitReason::CrAccess }))
                || matches!(scene.command, Command::SetSregs { .. }) =>
        {
            &["load_pdptrs()"]
        }
        (Event::VmExit { reason: ExitReason::Mmio }, Era::Ept) => {
            &["handle_ept_misconfig()", "handle_mmio_page_fault()", "x86_emulate_instruction()"]
        }
        (Event::VmExit { reason: ExitReason::Mmio }, _) => {
            &["npf_interception()", "handle_mmio_page_fault()", "x86_emulate_instruction()"]
        }
        (Event::VmExit { reason: ExitReason::PageFault }, Era::Ept) => {
            &["handle_ept_violation()", "kvm_tdp_page_fault()"]
        }
        (Event::VmExit { reason: ExitReason::PageFault }, _) => &["npf_interception()", "kvm_tdp_page_fault()"],
        _ => of_6_8(scene, event),
    }
}

/// What shadow and two-dimensional paging of 6.8 have in common.
fn of_6_8(scene: &Scene<'_>, event: &Event) -> &'static [&'static str] {
    match event {
        Event::VmExit { reason: ExitReason::CrAccess } => match scene.command {
            Command::MovCr0 { .. } if scene.refused() => &["kvm_set_cr0()"],
            Command::MovCr0 { .. } => &["kvm_set_cr0()", "kvm_post_set_cr0()"],
            Command::MovCr3 { .. } if scene.has(changes_cr3) => &["kvm_set_cr3()", "kvm_mmu_new_pgd()"],
            Command::MovCr3 { .. } if scene.refused() => &["kvm_set_cr3()"],
            Command::MovCr3 { .. } => &["kvm_set_cr3()", "kvm_invalidate_pcid()"],
            Command::MovCr4 { .. } if scene.refused() => &["kvm_set_cr4()"],
            Command::MovCr4 { .. } => &["kvm_set_cr4()", "kvm_post_set_cr4()"],
            Command::WrmsrEfer { .. } => &["set_efer()"],
            _ => &[],
        },
        Event::Inject if scene.command.access().is_some() => &["kvm_inject_emulated_page_fault()"],
        Event::Inject => &["kvm_inject_gp()"],
        Event::DirtyLog { .. } => &["kvm_get_dirty_log_protect()"],
        Event::Memslot { .. } => &["__kvm_set_memory_region()"],
        _ => &[],
    }
}

fn changes_cr3(event: &Event) -> bool {
    matches!(event, Event::Register { name: RegisterName::Cr3, old, new } if old != new)
}
