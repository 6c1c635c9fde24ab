//! Why: one sentence, a numbered chain of causes, the smallest change that would make it succeed, and
//! where to look it up.
//!
//! Everything is built from templates over recorded facts: the events of the command, the states
//! before and after it, and the history, which says since when a fact has been so.

mod causes;
mod code;
mod conclusion;
mod depth;
mod fix;
mod guest;
mod history;
mod manual;
mod quirk;
mod refusal;
mod shadow;
mod words;

pub use causes::{reading_order, sentence};
pub use depth::Depth;
pub use fix::{Fix, fixes};
pub use history::{Since, last_change, last_event};
pub use shadow::why_spte;

use crate::arch::{Gfn, Gpa};
use crate::engine::AnyVm;
use crate::engine::shadow::SpteRef;
use crate::lab::Lab;
use crate::language::Language;
use crate::machine::{Command, Event};

/// What is asked: why did a command end like this?
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The history that the command is part of.
    pub lab: &'a Lab,
    /// The command, counted from 1 along the path in view.
    pub step: usize,
    /// The state that it was given to.
    pub before: &'a AnyVm,
    /// What it did, or the first part of that.
    pub events: &'a [Event],
    /// The language of the answer.
    pub language: Language,
    /// How deep the answer goes.
    pub depth: Depth,
    /// The number by which people know a step of the path.
    pub number: &'a dyn Fn(usize) -> usize,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Why {
    /// One sentence.
    pub title: String,
    /// The causes, in the order in which a reader needs them.
    pub causes: Vec<Cause>,
    /// Section of the manual.
    pub manual: String,
    /// The functions of the kernel that did it, of the engine's era; empty on bare hardware.
    pub code: String,
}

/// One cause: a sentence, and where it is to be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The sentence.
    pub text: String,
    /// Where it leads.
    pub target: Target,
}

/// Where a cause leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To a command of the path, in full; 0 is the start.
    Step(usize),
    /// To an event of a command, by its place.
    Event(usize, usize),
    /// To an entry in guest memory, by level and place.
    Entry(u8, Gpa),
    /// To a PDPTE register.
    Register(usize),
    /// To a page of guest memory.
    Page(Gfn),
    /// To a shadow entry.
    Spte(SpteRef),
}

impl Why {
    /// The answer as lines of text: the sentence, the numbered causes, the sources.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![self.title.clone()];
        lines.extend(self.causes.iter().enumerate().map(|(i, cause)| format!("{}. {}", i + 1, cause.text)));
        lines.extend([&self.manual, &self.code].into_iter().filter(|line| !line.is_empty()).cloned());
        lines.join("\n")
    }
}

impl Question<'_> {
    /// The command that is asked about.
    #[must_use]
    pub fn command(&self) -> Option<&Command> {
        self.lab.command(self.step)
    }

    /// `#12`, as people know the step.
    fn hash(&self, step: usize) -> String {
        format!("#{}", (self.number)(step))
    }

    /// Since when something has been as it was before the command.
    fn since<T: PartialEq>(&self, probe: impl Fn(&AnyVm) -> T) -> Since {
        last_change(self.lab, self.step.saturating_sub(1), probe)
    }
}

/// The one sentence about a command: no history is searched for it.
#[must_use]
pub fn title(question: &Question<'_>) -> String {
    question.command().map(|command| conclusion::conclude(question, command).title).unwrap_or_default()
}

/// Explains a command.
#[must_use]
pub fn why(question: &Question<'_>) -> Why {
    let Some(command) = question.command() else { return Why::default() };
    let conclusion = conclusion::conclude(question, command);
    let causes = causes::causes(question, command);
    let deep = question.depth > Depth::Story;
    Why {
        title: conclusion.title,
        causes,
        manual: if deep { manual::cite(question, conclusion.manual) } else { String::new() },
        code: if deep { code::of_command(question, command) } else { String::new() },
    }
}
