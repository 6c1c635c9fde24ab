//! The functions of the kernel that did it, by the engine's era.
//!
//! Names of 2.6.20 and its third candidate stand in `drivers/kvm/{mmu.c,paging_tmpl.h,kvm_main.c,vmx.c}`, those of 6.8 in
//! `arch/x86/kvm/{x86.c,mmu/mmu.c,mmu/paging_tmpl.h,mmu/spte.c,vmx/vmx.c,svm/svm.c}`. `FNAME()` is the macro
//! that makes one function for each size of guest entry.

use super::Question;
use crate::arch::entry::{P, RW};
use crate::engine::EngineName;
use crate::machine::event::{ExitReason, SpteWhy};
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

/// The functions behind a command, as one line; empty where no hypervisor took part.
pub fn of_command(question: &Question<'_>, command: &Command) -> String {
    let era = era(question.before.engine());
    let mut names: Vec<&'static str> = Vec::new();
    for at in super::reading_order(question.events) {
        for name in of_event(era, command, &question.events[at], question.events) {
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
    if era == Era::Before {
        return line(era, &["FNAME(fetch)()", "set_pte_common()"]);
    }
    let names: &[&'static str] = match (era, level, value & P != 0, value & RW != 0) {
        (Era::Old, 1, true, false) => &["set_pte_common()", "rmap_write_protect()"],
        (Era::Old, 1, ..) => &["FNAME(fetch)()", "set_pte_common()"],
        (Era::Now, 1, true, false) => &["make_spte()", "mmu_try_to_unsync_pages()"],
        (Era::Now, 1, ..) => &["FNAME(fetch)()", "make_spte()"],
        _ => &["FNAME(fetch)()", "kvm_mmu_get_page()"],
    };
    let names =
        if era == Era::Now && level > 1 { &["FNAME(fetch)()", "kvm_mmu_find_shadow_page()"][..] } else { names };
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

/// Before the series: no cache of shadow pages, no write protection, INVLPG intercepted.
fn before_the_series(command: &Command, event: &Event, all: &[Event]) -> &'static [&'static str] {
    match event {
        Event::VmExit { reason: ExitReason::CrAccess } => match command {
            Command::MovCr0 { .. } => &["set_cr0()"],
            Command::MovCr3 { .. } => &["set_cr3()"],
            Command::MovCr4 { .. } => &["set_cr4()"],
            Command::WrmsrEfer { .. } => &["set_efer()"],
            _ => &[],
        },
        Event::VmExit { reason: ExitReason::Invlpg } => &["paging64_inval_page()"],
        Event::VmExit { reason: ExitReason::Mmio } | Event::Emulate { .. } => &["emulate_instruction()"],
        Event::VmExit { reason: ExitReason::PageFault } if all.contains(&Event::Inject) => &["FNAME(init_walker)()"],
        Event::VmExit { reason: ExitReason::PageFault } => &["FNAME(page_fault)()"],
        Event::Inject if command.access().is_some() => &["inject_page_fault()"],
        Event::Inject => &["inject_gp()"],
        Event::SpteSet { why: SpteWhy::Fill | SpteWhy::Mmio, .. } => &["FNAME(fetch)()", "set_pte_common()"],
        Event::SpteSet { why: SpteWhy::Write, .. } => &["FNAME(fix_write_pf)()"],
        Event::SpteSet { why: SpteWhy::Read, .. } => &["fix_read_pf()"],
        Event::ShadowNew { .. } => &["kvm_mmu_alloc_page()"],
        Event::ShadowZap { .. } => &["release_pt_page_64()"],
        Event::DirtyLog { .. } => &["kvm_dev_ioctl_get_dirty_log()"],
        Event::Memslot { .. } => &["kvm_dev_ioctl_set_memory_region()"],
        _ => &[],
    }
}

fn of_event(era: Era, command: &Command, event: &Event, all: &[Event]) -> &'static [&'static str] {
    match (event, era) {
        (_, Era::None) => &[],
        (_, Era::Before) => before_the_series(command, event, all),
        (Event::VmExit { reason: ExitReason::CrAccess }, _) => of_control(era, command),
        (Event::PdpteLoad { .. } | Event::PdpteReject { .. }, Era::Old | Era::Now | Era::Ept) => &["load_pdptrs()"],
        (Event::VmExit { reason: ExitReason::Invlpg }, _) => match command {
            Command::Invpcid { .. } => &["kvm_handle_invpcid()"],
            _ => &["kvm_mmu_invlpg()"],
        },
        (Event::VmExit { reason: ExitReason::Mmio }, Era::Old) => &["kvm_mmu_page_fault()", "emulate_instruction()"],
        (Event::VmExit { reason: ExitReason::Mmio }, Era::Now) => {
            &["handle_mmio_page_fault()", "x86_emulate_instruction()"]
        }
        (Event::VmExit { reason: ExitReason::Mmio }, Era::Ept) => {
            &["handle_ept_misconfig()", "x86_emulate_instruction()"]
        }
        (Event::VmExit { reason: ExitReason::Mmio }, Era::Npt) => {
            &["handle_mmio_page_fault()", "x86_emulate_instruction()"]
        }
        (Event::VmExit { reason: ExitReason::PageFault }, Era::Ept) => {
            &["handle_ept_violation()", "kvm_tdp_page_fault()"]
        }
        (Event::VmExit { reason: ExitReason::PageFault }, Era::Npt) => &["npf_interception()", "kvm_tdp_page_fault()"],
        (Event::VmExit { reason: ExitReason::PageFault }, Era::Old) => match all.contains(&Event::Inject) {
            true => &["FNAME(walk_addr)()"],
            false => &["FNAME(page_fault)()"],
        },
        (Event::VmExit { reason: ExitReason::PageFault }, Era::Now) => match all.contains(&Event::Inject) {
            true => &["FNAME(walk_addr_generic)()", "permission_fault()"],
            false => &["FNAME(page_fault)()"],
        },
        (Event::Inject, Era::Old) => match command.access() {
            Some(_) => &["inject_page_fault()"],
            None => &["inject_gp()"],
        },
        (Event::Inject, _) => match command.access() {
            Some(_) => &["kvm_inject_emulated_page_fault()"],
            None => &["kvm_inject_gp()"],
        },
        (Event::SpteSet { why: SpteWhy::Fill, .. }, Era::Old) => &["FNAME(fetch)()", "set_pte_common()"],
        (Event::SpteSet { why: SpteWhy::Fill, .. }, Era::Now) => &["FNAME(fetch)()", "make_spte()"],
        (Event::SpteSet { why: SpteWhy::Write, .. }, Era::Old) => &["FNAME(fix_write_pf)()"],
        (Event::SpteSet { why: SpteWhy::Read, .. }, Era::Old) => &["fix_read_pf()"],
        (Event::SpteSet { why: SpteWhy::Prefetch, .. }, Era::Now) => &["FNAME(pte_prefetch)()"],
        (Event::SpteSet { why: SpteWhy::Mmio, .. }, Era::Old) => &["set_pte_common()"],
        (Event::SpteSet { why: SpteWhy::Mmio, .. }, _) => &["make_mmio_spte()"],
        (Event::ShadowNew { .. }, Era::Old) => &["kvm_mmu_get_page()"],
        (Event::ShadowNew { .. }, _) => &["kvm_mmu_get_shadow_page()"],
        (Event::WriteProtect { .. }, Era::Old) => &["rmap_write_protect()"],
        (Event::WriteProtect { .. }, _) => &["kvm_vcpu_write_protect_gfn()"],
        (Event::Emulate { .. }, Era::Old) => &["kvm_mmu_pre_write()"],
        (Event::Emulate { .. }, _) => &["kvm_mmu_track_write()"],
        (Event::Flood { .. } | Event::ShadowZap { .. }, Era::Old) => &["kvm_mmu_zap_page()"],
        (Event::Flood { .. } | Event::ShadowZap { .. }, _) => &["kvm_mmu_prepare_zap_page()"],
        (Event::WriteUnprotect { .. }, Era::Old) => &["kvm_mmu_unprotect_page()"],
        (Event::Unsync { .. }, _) => &["mmu_try_to_unsync_pages()"],
        (Event::Sync { .. }, _) => &["mmu_sync_children()"],
        (Event::Reclaim, Era::Old) => &["kvm_mmu_free_some_pages()"],
        (Event::Reclaim, _) => &["make_mmu_pages_available()"],
        (Event::DirtyLog { .. }, Era::Old) => &["kvm_dev_ioctl_get_dirty_log()", "kvm_mmu_slot_remove_write_access()"],
        (Event::DirtyLog { .. }, _) => &["kvm_get_dirty_log_protect()"],
        (Event::Memslot { .. }, Era::Old) => &["kvm_dev_ioctl_set_memory_region()"],
        (Event::Memslot { .. }, _) => &["__kvm_set_memory_region()"],
        _ => &[],
    }
}

const fn of_control(era: Era, command: &Command) -> &'static [&'static str] {
    match (command, era) {
        (Command::MovCr0 { .. }, Era::Old) => &["set_cr0()", "kvm_mmu_reset_context()"],
        (Command::MovCr0 { .. }, _) => &["kvm_set_cr0()", "kvm_post_set_cr0()"],
        (Command::MovCr3 { .. }, Era::Old) => &["set_cr3()", "paging_new_cr3()"],
        (Command::MovCr3 { .. }, _) => &["kvm_set_cr3()", "kvm_mmu_new_pgd()"],
        (Command::MovCr4 { .. }, Era::Old) => &["set_cr4()", "kvm_mmu_reset_context()"],
        (Command::MovCr4 { .. }, _) => &["kvm_set_cr4()", "kvm_post_set_cr4()"],
        (Command::WrmsrEfer { .. }, _) => &["set_efer()"],
        _ => &[],
    }
}
