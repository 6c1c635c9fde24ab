//! Who runs the guest: bare hardware, and each hypervisor's MMU.
//!
//! A [`Vm`] is a machine together with the state of the engine that runs it. [`Engine`] is what an
//! engine must decide; everything that the architecture decides for all of them is in [`exec`].

mod exec;
mod name;
mod native;

use crate::arch::invalidate::Scope;
use crate::arch::{Access, Fault, Gpa, Gva, Hpa, Refusal};
use crate::machine::event::{Event, FlushCause, StoreBy};
use crate::machine::mapper::MapError;
use crate::machine::slots::SlotError;
use crate::machine::{Command, Machine};

pub use name::EngineName;
pub use native::Native;

/// Where an access led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Guest-physical address.
    pub gpa: Gpa,
    /// Host-physical address; equal on bare hardware.
    pub hpa: Hpa,
    /// log2 of the page that the processor used; 0 without paging.
    pub page_shift: u32,
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

/// What an engine decides. Register rules, faults and data are common to all ([`exec`]).
pub trait Engine: Clone + std::fmt::Debug + Sized {
    /// Its name.
    const NAME: EngineName;

    /// Puts a machine of this engine among the others.
    fn wrap(vm: Vm<Self>) -> AnyVm;

    /// Carries an access through to its page. `gva` is already [`crate::arch::Mode::linear`].
    ///
    /// # Errors
    /// The fault that the guest sees.
    fn translate<S: Sink>(vm: &mut Vm<Self>, gva: Gva, access: &Access, sink: &mut S) -> Result<Translation, Fault>;

    /// Drops what an instruction or a fault invalidates. The registers are already new.
    fn invalidate<S: Sink>(vm: &mut Vm<Self>, scope: Scope, cause: FlushCause, sink: &mut S);

    /// A store by guest code to guest-physical memory, `size` bytes (1 to 8), inside one page.
    fn store<S: Sink>(vm: &mut Vm<Self>, gpa: Gpa, size: u32, value: u64, sink: &mut S);
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

/// A machine under any engine.
#[derive(Clone, Debug)]
pub enum AnyVm {
    /// Bare hardware.
    Native(Vm<Native>),
}

impl AnyVm {
    /// Puts a machine under an engine, or says that this version does not have it.
    #[must_use]
    pub fn new(machine: Machine, engine: EngineName) -> Option<Self> {
        match engine {
            EngineName::Native => Some(Self::Native(Vm { machine, engine: Native })),
            _ => None,
        }
    }

    /// The machine.
    #[must_use]
    #[inline]
    pub const fn machine(&self) -> &Machine {
        match self {
            Self::Native(vm) => &vm.machine,
        }
    }

    /// The engine that runs it.
    #[must_use]
    pub const fn engine(&self) -> EngineName {
        match self {
            Self::Native(_) => EngineName::Native,
        }
    }

    /// Carries out one command.
    #[inline]
    pub fn execute<S: Sink>(&mut self, command: &Command, sink: &mut S) -> Outcome {
        match self {
            Self::Native(vm) => vm.execute(command, sink),
        }
    }

    /// Loads the PDPTE registers of a freshly set-up machine where PAE paging is on.
    pub fn settle<S: Sink>(&mut self, sink: &mut S) {
        match self {
            Self::Native(vm) => exec::settle(vm, sink),
        }
    }
}
