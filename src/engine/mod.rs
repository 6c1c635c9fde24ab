//! Who runs the guest: bare hardware, and each hypervisor's MMU.
//!
//! A [`Vm`] is a machine together with the state of the engine that runs it. [`Engine`] is what an
//! engine must decide; everything that the architecture decides for all of them is in [`exec`].

mod config;
mod exec;
mod name;
mod native;
mod quirks;
pub mod shadow;
mod switches;
mod tables;
pub mod twodim;

use crate::arch::invalidate::Scope;
use crate::arch::{Access, ControlRegs, Fault, Gfn, Gpa, Gva, Hpa, Refusal};
use crate::language::Language;
use crate::machine::command::SlotAction;
use crate::machine::event::{Event, FlushCause, FlushScope, RegisterName, StoreBy};
use crate::machine::mapper::MapError;
use crate::machine::slots::SlotError;
use crate::machine::{Command, Machine};

pub use config::EngineConfig;
pub use name::EngineName;
pub use native::Native;
pub use shadow::Shadow;
pub use switches::{Switch, Switches};
pub(crate) use tables::{Tables, TablesDelta};
pub use twodim::TwoDim;

/// Where an access led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Guest-physical address.
    pub gpa: Gpa,
    /// Host-physical address; equal on bare hardware.
    pub hpa: Hpa,
    /// log2 of the page that the processor used; 0 without paging.
    pub page_shift: u32,
    /// A write that the hypervisor must carry out, because the frame is protected.
    pub emulated: bool,
}

impl Translation {
    /// Bytes of the page; 0 without paging.
    #[must_use]
    pub const fn page_size(&self) -> u64 {
        if self.page_shift == 0 { 0 } else { 1 << self.page_shift }
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An access succeeded.
    Translated(Translation),
    /// A load succeeded, with the value.
    Loaded(Translation, u64),
    /// The access raised an exception.
    Faulted(Fault),
    /// An instruction or request was carried out.
    Done,
    /// An instruction was refused with #GP or #UD.
    Refused(Refusal),
    /// A slot request was refused.
    SlotRefused(SlotError),
    /// A mapping could not be built.
    MapRefused(MapError),
}

/// Receives events as they happen, each with the state right after it.
pub trait Sink {
    /// `false` lets the compiler drop everything that only serves recording.
    const ON: bool;

    /// One event, and the state in which it left the machine.
    fn event<E: Engine>(&mut self, vm: &Vm<E>, event: Event);
}

/// The sink that records nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Sink for Quiet {
    const ON: bool = false;

    #[inline(always)]
    fn event<E: Engine>(&mut self, _: &Vm<E>, _: Event) {}
}

impl Sink for Vec<Event> {
    const ON: bool = true;

    fn event<E: Engine>(&mut self, _: &Vm<E>, event: Event) {
        self.push(event);
    }
}

/// An accepted write of control registers.
#[derive(Clone, Copy, Debug)]
pub struct ControlWrite {
    /// The instruction that wrote them; none where userspace set them all.
    pub attempt: Option<ControlAttempt>,
    /// What wrote them.
    pub cause: FlushCause,
    /// The registers before.
    pub old: ControlRegs,
    /// What the architecture invalidates.
    pub scope: Scope,
}

/// An instruction that writes a control register.
#[derive(Clone, Copy, Debug)]
pub struct ControlAttempt {
    /// Which register.
    pub name: RegisterName,
    /// What is to be written, as wide as its operand is.
    pub value: u64,
}

/// What an engine decides. Register rules, faults and data are common to all ([`exec`]).
pub trait Engine: Clone + std::fmt::Debug + Sized {
    /// Its name and what is switched on.
    fn config(&self) -> EngineConfig;

    /// Puts a machine of this engine among the others.
    fn wrap(vm: Vm<Self>) -> AnyVm;

    /// Carries an access through to its page. `gva` is already [`crate::arch::Mode::linear`].
    ///
    /// # Errors
    /// The fault that the guest sees.
    fn translate<S: Sink>(vm: &mut Vm<Self>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault>;

    /// INVLPG and INVPCID: drops what they invalidate. Without more to do, the hardware does it.
    fn invalidate<S: Sink>(vm: &mut Vm<Self>, scope: Scope, cause: FlushCause, sink: &mut S) {
        vm.invalidate_in_hardware(scope, cause, sink);
    }

    /// Control registers were written; they and the PDPTE registers are already new. Without more
    /// to do, the hardware drops what the write invalidates.
    fn control_written<S: Sink>(vm: &mut Vm<Self>, write: &ControlWrite, sink: &mut S) {
        vm.invalidate_in_hardware(write.scope, write.cause, sink);
    }

    /// A write of a control register was refused.
    fn control_refused<S: Sink>(_vm: &mut Vm<Self>, _attempt: ControlAttempt, _sink: &mut S) {}

    /// Reaches the 32 bytes at `root` from which the PDPTE registers are to be loaded, for the hardware or for a
    /// hypervisor that carries the instruction out. Whether there is memory: without it the load fails (#GP).
    fn reaches_pdptes<S: Sink>(_vm: &mut Vm<Self>, _root: Gpa, _attempt: ControlAttempt, _sink: &mut S) -> bool {
        true
    }

    /// Whether the processor that the guest sees loads PDPTE registers, and checks them then.
    fn loads_pdptes(&self) -> bool {
        true
    }

    /// The machine was set up: make what the engine needs before the first command.
    fn settle<S: Sink>(_vm: &mut Vm<Self>, _sink: &mut S) {}

    /// A store by guest code to guest-physical memory, `size` bytes (1 to 8), inside one page,
    /// through a mapping outside the scenario's tables.
    fn store<S: Sink>(vm: &mut Vm<Self>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
        vm.store_plain(gpa, size, value, StoreBy::Guest, sink);
    }

    /// A store whose translation said that the hypervisor must carry it out.
    fn emulated_store<S: Sink>(vm: &mut Vm<Self>, gpa: Gpa, size: u32, value: u64, sink: &mut S) {
        vm.store_plain(gpa, size, value, StoreBy::Guest, sink);
    }

    /// Whether a store to a frame that was found writable may still land without an exit.
    fn stores_unseen(_vm: &Vm<Self>, _gfn: Gfn) -> bool {
        true
    }

    /// A memory slot came or went.
    fn slots_changed<S: Sink>(_vm: &mut Vm<Self>, _action: SlotAction, _sink: &mut S) {}

    /// The stores to the slot that begins here must be seen from now on: its log was switched on, or
    /// taken.
    fn watch_slot<S: Sink>(_vm: &mut Vm<Self>, _slot: Gpa, _sink: &mut S) {}
}

/// A machine and the engine that runs it.
#[derive(Clone, Debug)]
pub struct Vm<E> {
    /// Processor, memory and caches.
    pub machine: Machine,
    /// The engine's own state.
    pub engine: E,
}

impl<E: Engine> Vm<E> {
    /// Hands an event to the sink; `make` is not called when nothing listens.
    #[inline(always)]
    fn emit<S: Sink>(&self, sink: &mut S, make: impl FnOnce(&Self) -> Event) {
        if S::ON {
            sink.event(self, make(self));
        }
    }

    /// Carries out one command.
    #[inline]
    pub fn execute<S: Sink>(&mut self, command: &Command, sink: &mut S) -> Outcome {
        exec::execute(self, command, sink)
    }

    /// Drops cached translations and says so; the scopes are those of the guest's own tags.
    fn invalidate_in_hardware<S: Sink>(&mut self, scope: Scope, cause: FlushCause, sink: &mut S) {
        let Some(name) = FlushScope::of(scope) else { return };
        let removed = self.machine.invalidate(scope);
        self.machine.cost.tlb_flushes += 1;
        self.emit(sink, |_| Event::TlbFlush { scope: name, cause, removed });
    }

    /// Stores bytes in memory and says so.
    fn store_plain<S: Sink>(&mut self, gpa: Gpa, size: u32, value: u64, by: StoreBy, sink: &mut S) {
        let machine = &mut self.machine;
        let old = if S::ON { machine.memory.read(gpa, size) } else { 0 };
        machine.memory.write(gpa, size, value);
        if by == StoreBy::Guest {
            machine.slots.mark_dirty(gpa.gfn());
        }
        self.emit(sink, |vm| {
            let new = vm.machine.memory.read(gpa, size);
            Event::Store { gpa, size, old: crate::arch::address::Num(old), new: crate::arch::address::Num(new), by }
        });
    }
}

/// What is known about the shadows of a guest frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ShadowFacts {
    /// How many shadow pages there are.
    pub count: u64,
    /// Whether one of them is out of sync.
    pub unsync: bool,
    /// Whether guest stores to the frame are caught.
    pub write_protected: bool,
}

/// A machine under any engine.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would cost every command an indirection")]
pub enum AnyVm {
    /// Bare hardware.
    Native(Vm<Native>),
    /// A shadow MMU.
    Shadow(Vm<Shadow>),
    /// Two-dimensional paging.
    TwoDim(Vm<TwoDim>),
}

/// Does the same for whichever engine it is.
macro_rules! each {
    ($any:expr, $vm:ident => $do:expr) => {
        match $any {
            AnyVm::Native($vm) => $do,
            AnyVm::Shadow($vm) => $do,
            AnyVm::TwoDim($vm) => $do,
        }
    };
}

impl AnyVm {
    /// Puts a machine under an engine.
    #[must_use]
    pub fn new(machine: Machine, engine: EngineConfig) -> Self {
        let EngineConfig { name, switches } = engine;
        let policy = match name {
            EngineName::Native => return Self::Native(Vm { machine, engine: Native }),
            EngineName::Ept => return Self::two_dim(machine, twodim::Kind::Ept, switches),
            EngineName::Npt => return Self::two_dim(machine, twodim::Kind::Npt, switches),
            EngineName::Kvm2006 => shadow::Policy::kvm_2006(switches),
            EngineName::KvmPdpt => shadow::Policy::kvm_pdpt(switches),
            EngineName::Kvm2007 => shadow::Policy::kvm_2007(switches),
            EngineName::KvmNow => shadow::Policy::kvm_now(switches),
        };
        Self::shadow(machine, policy)
    }

    /// Puts a machine under a shadow MMU of this kind.
    #[must_use]
    pub fn shadow(machine: Machine, policy: shadow::Policy) -> Self {
        let engine = Shadow::new(&machine, policy);
        Self::Shadow(Vm { machine, engine })
    }

    fn two_dim(machine: Machine, kind: twodim::Kind, switches: Switches) -> Self {
        let engine = TwoDim::new(kind, switches, &machine.cpu.model);
        Self::TwoDim(Vm { machine, engine })
    }

    /// The machine.
    #[must_use]
    #[inline]
    pub const fn machine(&self) -> &Machine {
        each!(self, vm => &vm.machine)
    }

    /// The machine, to put other memory in place of its own.
    pub(crate) const fn machine_mut(&mut self) -> &mut Machine {
        each!(self, vm => &mut vm.machine)
    }

    /// The engine that runs it.
    #[must_use]
    pub fn engine(&self) -> EngineName {
        self.config().name
    }

    /// The engine that runs it, with what is switched on.
    #[must_use]
    pub fn config(&self) -> EngineConfig {
        each!(self, vm => vm.engine.config())
    }

    /// What is known about the shadows of a guest frame, of one level or of all.
    #[must_use]
    pub fn shadow_facts(&self, gfn: Gfn, level: Option<u8>) -> ShadowFacts {
        match self {
            Self::Native(_) | Self::TwoDim(_) => ShadowFacts::default(),
            Self::Shadow(vm) => vm.shadow_facts(gfn, level),
        }
    }

    /// About how many bytes `self` takes in addition to `older`, a state of the same engine with
    /// which it shares the rest, guest memory and the engine's tables apart.
    #[must_use]
    pub fn bytes_beside(&self, older: &Self) -> usize {
        let engine = match (self, older) {
            (Self::Shadow(new), Self::Shadow(old)) => new.engine.bytes_beside(&old.engine),
            _ => 0,
        };
        size_of::<Self>() + self.machine().bytes_beside(older.machine()) + engine
    }

    /// Checks the engine's invariants.
    ///
    /// # Errors
    /// The first that is broken, with its witness.
    pub fn audit(&self) -> Result<(), shadow::Broken> {
        self.audit_in(Language::En)
    }

    /// The same, with the witness in a language.
    ///
    /// # Errors
    /// The first that is broken, with its witness.
    pub fn audit_in(&self, language: Language) -> Result<(), shadow::Broken> {
        match self {
            Self::Native(_) | Self::TwoDim(_) => Ok(()),
            Self::Shadow(vm) => shadow::audit(vm, language),
        }
    }

    /// Carries out one command.
    #[inline]
    pub fn execute<S: Sink>(&mut self, command: &Command, sink: &mut S) -> Outcome {
        each!(self, vm => vm.execute(command, sink))
    }

    /// Loads the PDPTE registers of a freshly set-up machine where PAE paging is on, and lets the
    /// engine prepare.
    pub fn settle<S: Sink>(&mut self, sink: &mut S) {
        each!(self, vm => exec::settle(vm, sink));
    }
}
