//! The inside of a command: its events, each with the state that it left.

use std::sync::Arc;

use crate::engine::{AnyVm, Engine, Sink, Vm};
use crate::machine::Event;

/// States kept of one command. Few commands have more events than a dozen, but one that drops every
/// shadow page has hundreds of thousands.
const STATES: usize = 1024;

/// One event of a command, with the state right after it.
///
/// Of a command with more than a thousand events only so many states are kept, evenly spread; an
/// event between two of them has the earlier one.
#[derive(Clone, Debug)]
pub struct MicroStep {
    /// What happened.
    pub event: Event,
    /// The machine after it.
    pub vm: Arc<AnyVm>,
}

/// A sink that keeps events with states.
#[derive(Debug)]
pub(super) struct Recorder {
    events: Vec<Event>,
    /// The states after events 0, `stride`, 2 `stride` and so on.
    states: Vec<Arc<AnyVm>>,
    stride: usize,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { events: Vec::new(), states: Vec::new(), stride: 1 }
    }
}

impl Sink for Recorder {
    const ON: bool = true;

    fn event<E: Engine>(&mut self, vm: &Vm<E>, event: Event) {
        if self.events.len().is_multiple_of(self.stride) {
            if self.states.len() == STATES {
                let mut index = 0;
                self.states.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.stride *= 2;
            }
            if self.events.len().is_multiple_of(self.stride) {
                self.states.push(Arc::new(E::wrap(vm.clone())));
            }
        }
        self.events.push(event);
    }
}

impl Recorder {
    /// The events, each with its state. `after` is the state after the whole command.
    pub(super) fn finish(self, after: AnyVm) -> Vec<MicroStep> {
        let Self { events, states, stride } = self;
        let last = events.len().saturating_sub(1);
        let ended = Arc::new(after);
        let state = |at: usize| if at == last { &ended } else { &states[at / stride] };
        events.into_iter().enumerate().map(|(at, event)| MicroStep { event, vm: Arc::clone(state(at)) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::CpuModel;
    use crate::engine::Native;
    use crate::machine::Machine;

    /// Each state says, in a counter, after which event it was taken.
    fn recorded(events: usize) -> Vec<MicroStep> {
        let mut recorder = Recorder::default();
        let mut vm = Vm { machine: Machine::new(CpuModel::default(), 1 << 20), engine: Native };
        for _ in 0..events {
            vm.machine.cost.injected += 1;
            recorder.event(&vm, Event::Inject);
        }
        recorder.finish(Native::wrap(vm))
    }

    #[test]
    fn few_events_have_a_state_each() {
        for (at, step) in recorded(STATES).iter().enumerate() {
            assert_eq!(step.vm.machine().cost.injected, at as u64 + 1);
        }
        assert!(recorded(0).is_empty());
    }

    #[test]
    fn many_events_share_states_and_end_in_the_last() {
        let events = 10 * STATES + 3;
        let steps = recorded(events);
        assert_eq!(steps.len(), events);
        let mut states = 0;
        for (at, pair) in steps.windows(2).enumerate() {
            let after = pair[0].vm.machine().cost.injected as usize;
            assert!(after <= at + 1 && at + 1 - after < 32, "event {at} has the state after {after}");
            states += usize::from(!Arc::ptr_eq(&pair[0].vm, &pair[1].vm));
        }
        assert!(states <= STATES, "{states}");
        assert_eq!(steps.last().map(|step| step.vm.machine().cost.injected), Some(events as u64));
    }
}
