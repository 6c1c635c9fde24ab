//! KVM's shadow MMU: the guest's tables mirrored in tables that the hardware walks.
//!
//! One mechanism serves four engines; where they differ, [`Policy`] says how. Function names are
//! the kernel's: 2.6.20 `drivers/kvm/mmu.c` and `paging_tmpl.h`, 6.8 `arch/x86/kvm/mmu/`.

mod audit;
mod fault;
mod fetch;
mod few;
mod hw;
mod page;
mod policy;
mod rmap;
mod root;
pub mod spte;
mod tables;
mod unsync;
mod view;
mod walk;
mod write;
mod zap;

use crate::arch::invalidate::Scope;
use crate::arch::walk::Paging;
use crate::arch::{Access, Fault, Gfn, Gpa, Gva};
use crate::machine::Machine;
use crate::machine::command::SlotAction;
use crate::machine::event::{Event, FlushCause, FlushScope, StoreBy};
use crate::machine::sparse::Sparse;

use super::{AnyVm, ControlAttempt, ControlWrite, Engine, EngineConfig, ShadowFacts, Sink, Switches, Translation, Vm};

pub use crate::machine::role::{AccessBits, Role};
pub use audit::{Broken, audit};
pub use few::Few;
pub use page::{LEVELS, PageId, Parents, Pool, ShadowPage, SpteRef};
pub use policy::{Pdpt, Policy};
pub use rmap::Rmap;
pub use root::{PrevRoot, Root};
pub use tables::{Tables, TablesDelta};

/// The state of a shadow MMU.
#[derive(Clone, Debug)]
pub struct Shadow {
    /// What kind of shadow MMU this is.
    pub policy: Policy,
    /// The shadow pages.
    pub pool: Pool,
    /// Which entries map a host frame.
    pub rmap: Rmap,
    /// What the hardware's CR3 points to.
    pub root: Root,
    /// Roots left by MOV CR3, the last left first.
    pub prev_roots: Vec<PrevRoot>,
    /// Paging as the hardware does it: the shadow tables' format, WP forced to 1.
    hw: Paging,
    /// The table frame that was written last, and how often in a row.
    last_pt_write: Option<(Gfn, u32)>,
    /// Counts memory slots that came; MMIO marks of another count are stale.
    generation: u32,
    /// Frames whose mapping outside the scenario's tables has lost its W.
    outside_read_only: Sparse<()>,
}

impl Shadow {
    /// A shadow MMU with nothing in it.
    #[must_use]
    pub fn new(machine: &Machine, policy: Policy) -> Self {
        Self {
            policy,
            pool: Pool::new(policy.pages, policy.buckets),
            rmap: Rmap::default(),
            root: Root::None,
            prev_roots: Vec::new(),
            hw: hw::paging(&policy, &machine.cpu),
            last_pt_write: None,
            generation: 0,
            outside_read_only: Sparse::default(),
        }
    }

    /// About how many bytes `self` takes in addition to `older`, with which it shares the rest, its
    /// [`Tables`] apart.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        self.pool.bytes_beside(&older.pool)
    }
}

impl Engine for Shadow {
    fn config(&self) -> EngineConfig {
        EngineConfig { name: self.policy.name, switches: self.policy.switches }
    }

    fn wrap(vm: Vm<Self>) -> AnyVm {
        AnyVm::Shadow(vm)
    }

    fn settle<S: Sink>(vm: &mut Vm<Self>, sink: &mut S) {
        vm.engine.hw = hw::paging(&vm.engine.policy, &vm.machine.cpu);
        root::alloc_roots(vm, sink);
    }

    fn translate<S: Sink>(vm: &mut Vm<Self>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault> {
        fault::translate(vm, gva, access, sink)
    }

    fn control_written<S: Sink>(vm: &mut Vm<Self>, write: &ControlWrite, sink: &mut S) {
        root::control_written(vm, write, sink);
    }

    /// `load_pdptrs` reads guest memory through the slots, and fails where there is none.
    fn reaches_pdptes<S: Sink>(vm: &mut Vm<Self>, root: Gpa, _: ControlAttempt, _: &mut S) -> bool {
        vm.machine.slots.find(root.gfn()).is_some()
    }

    fn control_refused<S: Sink>(vm: &mut Vm<Self>, _: ControlAttempt, sink: &mut S) {
        vm.machine.cost.exits.cr_access += 1;
        vm.machine.cost.injected += 1;
        vm.emit(sink, |_| Event::VmExit { reason: crate::machine::event::ExitReason::CrAccess });
        vm.emit(sink, |_| Event::Inject);
    }

    fn invalidate<S: Sink>(vm: &mut Vm<Self>, scope: Scope, cause: FlushCause, sink: &mut S) {
        root::guest_invalidates(vm, scope, cause, sink);
    }

    fn store<S: Sink>(vm: &mut Vm<Self>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
        write::outside_store(vm, gpa, size, value, sink);
    }

    fn emulated_store<S: Sink>(vm: &mut Vm<Self>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
        write::emulate(vm, gpa, size, value, sink);
    }

    fn stores_unseen(vm: &Vm<Self>, gfn: Gfn) -> bool {
        !write::is_protected(vm, gfn)
    }

    fn slots_changed<S: Sink>(vm: &mut Vm<Self>, action: SlotAction, sink: &mut S) {
        let frames_stay = vm.engine.policy.mmio_generations && action == SlotAction::Add;
        if frames_stay && vm.engine.generation < spte::MAX_GENERATION {
            // What was marked as MMIO is looked at anew when it faults.
            vm.engine.generation += 1;
            root::reload_if_invisible(vm, sink);
        } else {
            vm.engine.generation = 0;
            root::zap_all(vm, sink);
        }
    }

    fn watch_slot<S: Sink>(vm: &mut Vm<Self>, slot: Gpa, sink: &mut S) {
        write::slot_remove_write_access(vm, slot.gfn(), sink);
    }
}

impl Shadow {
    /// Whether something historical is switched on.
    const fn has(&self, switch: Switches) -> bool {
        self.policy.switches.contains(switch)
    }
}

impl Vm<Shadow> {
    /// What is known about the shadows of a guest frame.
    #[must_use]
    pub fn shadow_facts(&self, gfn: Gfn, level: Option<u8>) -> ShadowFacts {
        let pool = &self.engine.pool;
        let pages = pool.of_gfn(gfn).map(|id| pool.page(id)).filter(|page| level.is_none_or(|l| page.role.level == l));
        let mut facts = ShadowFacts::default();
        for page in pages {
            facts.count += 1;
            facts.unsync |= page.unsync;
            facts.write_protected |= self.engine.policy.caches_pages && !page.unsync;
        }
        facts
    }
}

/// Flushes the hardware TLB whole (`kvm_arch_ops->tlb_flush`).
fn flush_tlb<S: Sink>(vm: &mut Vm<Shadow>, cause: FlushCause, sink: &mut S) {
    let removed = vm.machine.invalidate(Scope::Everything);
    vm.machine.cost.tlb_flushes += 1;
    vm.emit(sink, |_| Event::TlbFlush { scope: FlushScope::Everything, cause, removed });
}

/// A store that needs nobody's leave.
fn plain_store<S: Sink>(vm: &mut Vm<Shadow>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
    vm.store_plain(gpa, size, value, StoreBy::Guest, sink);
}
