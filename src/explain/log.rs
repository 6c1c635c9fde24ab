//! The log of a session as a file: in words, and as JSON Lines.

use std::fmt::Write as _;

use serde::Serialize;

use super::{command, event};
use crate::language::Language;
use crate::machine::{Command, Event};
use crate::scenario::Session;

#[derive(Serialize)]
struct EventLine<'a> {
    step: usize,
    #[serde(flatten)]
    event: &'a Event,
}

/// Every command of the branch in view with its number and its events.
fn each(session: &Session, mut tell: impl FnMut(usize, &Command, &[Event])) {
    let lab = &session.lab;
    let (mut vm, mut events) = (lab.start().clone(), Vec::<Event>::new());
    for (index, command) in lab.commands().enumerate() {
        events.clear();
        vm.execute(command, &mut events);
        tell(session.step_number(index + 1), command, &events);
    }
}

impl Session {
    /// The branch in view in words: a line for each command, and below it one for each event.
    #[must_use]
    pub fn log_text(&self, language: Language) -> String {
        let mut text = String::new();
        let title = self.scenario.title.get(language.id());
        // Writing to a string cannot fail.
        _ = writeln!(text, "{}", if title.is_empty() { &self.scenario.id } else { title });
        each(self, |step, given, events| {
            _ = writeln!(text, "{step:>4}  {}", command(given, language));
            for one in events {
                let line = event(one, self.engine(), language);
                let words: Vec<&str> = line.text.split_whitespace().collect();
                _ = writeln!(text, "      {}: {}", line.label, words.join(" "));
            }
        });
        text
    }

    /// The branch in view as `mmuscope run --json` prints its events: an object to the line.
    #[must_use]
    pub fn log_json(&self) -> String {
        let mut text = String::new();
        each(self, |step, _, events| {
            for event in events {
                match serde_json::to_string(&EventLine { step, event }) {
                    Ok(line) => _ = writeln!(text, "{line}"),
                    Err(error) => unreachable!("numbers and texts are JSON: {error}"),
                }
            }
        });
        text
    }
}
