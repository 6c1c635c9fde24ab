//! Writing scenario files: what [`Scenario::from_json`] reads.

mod predicate;
mod step;

use serde::Serialize;

use super::file::{FORMAT, Scenario, Text};
use super::session::Session;
use super::step::{Step, StepKind};
use crate::arch::Vendor;
use crate::arch::address::Num;
use crate::machine::Command;

/// Why a scenario cannot be written as a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// A mapping has bits that files have no names for.
    #[error("a `map` sets the entry bits {0:#x}, and files have no names for them")]
    Flags(u64),
}

fn json(value: &impl Serialize) -> String {
    match serde_json::to_string(value) {
        Ok(json) => json,
        Err(error) => unreachable!("strings, numbers and lists are JSON: {error}"),
    }
}

#[derive(Serialize)]
struct CpuOut {
    maxphyaddr: u8,
    vendor: Vendor,
    features: Vec<&'static str>,
}

impl Scenario {
    /// The scenario as a file: one line for each step.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn to_json(&self) -> Result<String, ExportError> {
        let cpu = CpuOut {
            maxphyaddr: self.cpu.maxphyaddr,
            vendor: self.cpu.vendor,
            features: self.cpu.features.names().collect(),
        };
        let title = if self.title == Text::None { String::new() } else { format!(",\"title\":{}", json(&self.title)) };
        let words = |list: &[(crate::arch::Gpa, u64)]| {
            let words: Vec<String> = list.iter().map(|(gpa, value)| json(&(gpa, Num(*value)))).collect();
            // A few to the line.
            words.chunks(6).map(|few| few.join(",")).collect::<Vec<_>>().join(",\n  ")
        };
        let mut steps = Vec::with_capacity(self.steps.len());
        for one in &self.steps {
            steps.extend(step::line(one)?);
        }
        let mut text = format!(
            "{{\"format\":{},\"id\":{}{title},\n \"cpu\":{},\n \"engine\":{},\"ram\":{},\n \"init\":{},\n \"mem\":[{}]",
            json(&FORMAT),
            json(&self.id),
            json(&cpu),
            json(&self.engine),
            json(&Num(self.ram)),
            json(&self.init),
            words(&self.mem),
        );
        if !steps.is_empty() {
            text += &format!(",\n \"steps\":[\n  {}]", steps.join(",\n  "));
        }
        if let Some(after) = &self.mem_after {
            text += &format!(",\n \"mem_after\":[{}]", words(after));
        }
        if !self.ad_may.is_empty() {
            text += &format!(",\n \"ad_may\":[{}]", words(&self.ad_may));
        }
        text += "}\n";
        Ok(text)
    }
}

impl Session {
    /// The session as a scenario: its start, and the branch in view as steps.
    ///
    /// As far as the branch follows the file that was opened, what the file wants and expects stays
    /// with it; behind that the commands stand alone. What the file says about memory at the end
    /// stays only where the whole file was followed and nothing added.
    #[must_use]
    pub fn to_scenario(&self) -> Scenario {
        let opened = &self.scenario;
        let path: Vec<&Command> = self.lab.commands().collect();
        let (mut steps, mut done) = (Vec::new(), 0);
        let mut captions = self.added_captions().to_vec();
        captions.sort_by_key(|caption| caption.after);
        let mut captions = captions.into_iter().peekable();
        let mut say = |steps: &mut Vec<Step>, done: usize| {
            while let Some(caption) = captions.next_if(|caption| caption.after <= done) {
                steps.push(Step { kind: StepKind::Note(caption.text), want: None, want_value: None });
            }
        };
        let mut whole = true;
        for step in &opened.steps {
            if let StepKind::Command(command) = &step.kind {
                say(&mut steps, done);
                if path.get(done) != Some(&command) {
                    whole = false;
                    break;
                }
                done += 1;
            }
            steps.push(step.clone());
        }
        // What stood before a command that was left out speaks of that command.
        while !whole && steps.last().is_some_and(|step| matches!(step.kind, StepKind::Note(_))) {
            steps.pop();
        }
        for command in &path[done..] {
            whole = false;
            say(&mut steps, done);
            steps.push(Step { kind: StepKind::Command((*command).clone()), want: None, want_value: None });
            done += 1;
        }
        say(&mut steps, done);
        Scenario {
            engine: self.config(),
            steps,
            mem_after: if whole { opened.mem_after.clone() } else { None },
            ad_may: if whole { opened.ad_may.clone() } else { Vec::new() },
            ..opened.clone()
        }
    }
}
