//! Since when: the step that loaded the PDPTE registers, and the steps that made them stale.
//!
//! Serves the head of the PDPTE card and the click on a stale row. The answer is found by looking
//! back from the cursor in chunks of replayed commands, and kept until the lab moves.

use crate::arch::pdpte;
use crate::lab::{Lab, NodeId};
use crate::machine::{Event, Machine};

/// Replayed at once while looking back: the lab's distance between snapshots.
const CHUNK: usize = 64;
/// How many chunks are looked at before the answer is "long ago".
const MAX_CHUNKS: usize = 256;

/// Since when the PDPTE registers are as they are. Steps count from 1; 0 is the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The step that loaded the registers last; none if that is too long ago to look for.
    pub loaded_at: Option<usize>,
    /// For each register that differs from memory, the step since which it does.
    pub stale_since: [Option<usize>; pdpte::COUNT],
}

struct Seen {
    loaded: bool,
    stale: [bool; pdpte::COUNT],
}

fn stale(machine: &Machine) -> [bool; pdpte::COUNT] {
    std::array::from_fn(|index| machine.pdpte_is_stale(index))
}

impl History {
    /// The history at the state after `steps` commands of the path.
    #[must_use]
    pub fn at(lab: &Lab, steps: usize) -> Self {
        let mut history = Self::default();
        // A register's staleness goes on backwards for as long as no step shows it fresh.
        let mut going_on = stale(lab.state_at(steps).machine());
        let mut end = steps;
        for _ in 0..MAX_CHUNKS {
            let start = end.saturating_sub(CHUNK);
            for (offset, seen) in replay(lab, start, end).iter().enumerate().rev() {
                let step = start + 1 + offset;
                for (index, going_on) in going_on.iter_mut().enumerate() {
                    *going_on &= seen.stale[index];
                    if *going_on {
                        history.stale_since[index] = Some(step);
                    }
                }
                if seen.loaded {
                    history.loaded_at = Some(step);
                    return history;
                }
            }
            if start == 0 {
                history.loaded_at = Some(0);
                return history;
            }
            end = start;
        }
        history
    }

    /// The history in the middle of command `step`, whose shown events are `events`.
    #[must_use]
    pub fn within(self, step: usize, machine: &Machine, events: &[Event]) -> Self {
        let loads = events.iter().any(|event| matches!(event, Event::PdpteLoad { .. }));
        let stale = stale(machine);
        Self {
            loaded_at: if loads { Some(step) } else { self.loaded_at },
            stale_since: std::array::from_fn(|index| {
                stale[index].then(|| self.stale_since[index].filter(|_| !loads).unwrap_or(step))
            }),
        }
    }
}

fn replay(lab: &Lab, start: usize, end: usize) -> Vec<Seen> {
    let mut vm = lab.state_at(start);
    let mut events = Vec::new();
    (start + 1..=end)
        .filter_map(|step| {
            events.clear();
            vm.execute(lab.command(step)?, &mut events);
            let loaded = events.iter().any(|event| matches!(event, Event::PdpteLoad { .. }));
            Some(Seen { loaded, stale: stale(vm.machine()) })
        })
        .collect()
}

/// The last answer, with the place in time that it is true for.
#[derive(Clone, Debug, Default)]
pub struct HistoryCache {
    key: Option<(String, Option<NodeId>, usize)>,
    history: History,
}

impl HistoryCache {
    /// The history at the state after `steps` commands, computed only if the lab has moved.
    pub fn get(&mut self, session: &crate::scenario::Session, steps: usize) -> History {
        let key = (session.scenario.id.clone(), session.lab.node(steps), steps);
        if self.key.as_ref() != Some(&key) {
            self.history = History::at(&session.lab, steps);
            self.key = Some(key);
        }
        self.history
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, Session};

    fn session() -> Session {
        let json = include_str!("../../../assets/scenarios/the-register-remembers.json");
        let scenario = Scenario::from_json("the-register-remembers", json).expect("the file is a scenario");
        Session::open_on(scenario, crate::engine::EngineName::Native, crate::machine::Caches::default())
            .expect("it can be started")
    }

    #[test]
    fn the_register_remembers_since_when() {
        let session = session();
        let stale_at = |steps| History::at(&session.lab, steps).stale_since;
        let loaded_at = |steps| History::at(&session.lab, steps).loaded_at;
        assert_eq!(stale_at(1), [None; 4]);
        assert_eq!(stale_at(2), [None, Some(2), None, None]);
        assert_eq!(stale_at(4), [None, Some(2), None, None]);
        assert_eq!(stale_at(5), [None; 4]);
        assert_eq!((loaded_at(4), loaded_at(5), loaded_at(6)), (Some(0), Some(5), Some(5)));
    }

    #[test]
    fn inside_a_command_the_shown_events_count() {
        let session = session();
        let lab = &session.lab;
        let poke = lab.micro_steps(2);
        let after = poke.last().expect("a store is an event").vm.machine().clone();
        let events: Vec<Event> = poke.into_iter().map(|step| step.event).collect();
        let history = History::at(lab, 1).within(2, &after, &events);
        assert_eq!(history.stale_since[1], Some(2));
        let load = lab.micro_steps(5);
        let loaded = load.iter().position(|step| matches!(step.event, Event::PdpteLoad { .. })).expect("a load");
        let events: Vec<Event> = load[..=loaded].iter().map(|step| step.event.clone()).collect();
        let history = History::at(lab, 4).within(5, load[loaded].vm.machine(), &events);
        assert_eq!(history, History { loaded_at: Some(5), stale_since: [None; 4] });
    }
}
