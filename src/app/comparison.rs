//! The same commands on every engine: how many exits each has had at each point of the path.

use crate::engine::{AnyVm, EngineName, Quiet};
use crate::machine::Command;
use crate::scenario::Session;

/// Longer paths are not compared: seven engines would keep the window waiting.
const MAX_COMMANDS: usize = 10_000;

/// Exits of every engine along the path in view.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    commands: Vec<Command>,
    runs: Vec<Run>,
}

#[derive(Clone, Debug)]
struct Run {
    engine: EngineName,
    /// At the end of the path.
    vm: AnyVm,
    /// After each number of commands, from 0 on.
    exits: Vec<u64>,
}

impl Run {
    fn start(session: &Session, engine: EngineName) -> Option<Self> {
        let vm = session.scenario.start(engine, session.caches()).ok()?;
        let exits = vec![vm.machine().cost.exits.total()];
        Some(Self { engine, vm, exits })
    }
}

impl Comparison {
    /// Brings the comparison up to a session's path.
    pub fn follow(&mut self, session: &Session) {
        let lab = &session.lab;
        if lab.len() > MAX_COMMANDS {
            *self = Self::default();
            return;
        }
        let common = self.commands.iter().zip(lab.commands()).take_while(|(a, b)| a == b).count();
        // The machines stand at the end of the old path: what does not go on from there begins anew.
        if self.runs.is_empty() || common < self.commands.len() {
            self.commands.clear();
            self.runs = EngineName::ALL.into_iter().filter_map(|engine| Run::start(session, engine)).collect();
        }
        for command in lab.commands().skip(self.commands.len()) {
            for run in &mut self.runs {
                run.vm.execute(command, &mut Quiet);
                run.exits.push(run.vm.machine().cost.exits.total());
            }
        }
        let known = self.commands.len();
        self.commands.extend(lab.commands().skip(known).cloned());
    }

    /// The exits of an engine after so many commands, if it is compared.
    #[must_use]
    pub fn exits(&self, engine: EngineName, step: usize) -> Option<u64> {
        self.runs.iter().find(|run| run.engine == engine)?.exits.get(step).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{AccessKind, Gva};

    #[test]
    fn follows_branches() {
        let mut session = Session::empty();
        let access = |va| Command::Access { va: Gva(va), kind: AccessKind::Read, user: false, ac: false, stack: false };
        for va in [0x1000, 0x2000, 0x3000] {
            session.lab.execute_with(access(va), &mut Quiet);
        }
        let mut comparison = Comparison::default();
        comparison.follow(&session);
        assert_eq!(comparison.exits(EngineName::Native, 3), Some(0));
        let shadow = comparison.exits(EngineName::Kvm2007, 3);
        assert!(shadow > Some(0), "a shadow is filled by exits");
        session.lab.seek(1);
        session.lab.execute_with(access(0x1000), &mut Quiet);
        comparison.follow(&session);
        assert_eq!(comparison.exits(EngineName::Kvm2007, 3), None);
        assert_eq!(comparison.exits(EngineName::Kvm2007, 2), comparison.exits(EngineName::Kvm2007, 1));
    }
}
