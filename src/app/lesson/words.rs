//! What the screen of the lessons says with numbers in it.

use crate::language::Language;
use crate::lesson::{Score, StepKind};
use crate::tr;

impl Language {
    /// The title of a level, 1 to 5.
    #[must_use]
    pub fn level(self, level: u8) -> &'static str {
        match level {
            0 | 1 => tr!(self, "Level 1: first steps"),
            2 => tr!(self, "Level 2: what an entry says"),
            3 => tr!(self, "Level 3: modes and registers"),
            4 => tr!(self, "Level 4: shadow paging"),
            _ => tr!(self, "Level 5: what may be stale"),
        }
    }

    /// `6 min`.
    #[must_use]
    pub fn minutes(self, minutes: u8) -> String {
        tr!(self, "{minutes} min", minutes = minutes)
    }

    /// What should be done first, by the numbers of the lessons.
    #[must_use]
    pub fn after(self, lessons: &[usize]) -> String {
        let numbers: Vec<String> = lessons.iter().map(usize::to_string).collect();
        tr!(self, "after {numbers}", numbers = numbers.join(tr!(self, ", ")))
    }

    /// `3 of 7`, of steps.
    #[must_use]
    pub fn of(self, some: usize, all: usize) -> String {
        tr!(self, "{some} of {all}", some = some, all = all)
    }

    /// What a step asks, and its place: `Step 3 of 7 · Predict`.
    #[must_use]
    pub fn step(self, number: usize, all: usize, kind: StepKind) -> String {
        let kind = kind.word(self);
        tr!(self, "Step {number} of {all} · {kind}", number = number, all = all, kind = kind)
    }

    /// The button of the next hint.
    #[must_use]
    pub fn hint(self, number: usize, all: usize) -> String {
        tr!(self, "Hint {number} of {all}", number = number, all = all)
    }

    /// What is so now, beside a part of a goal that is not reached.
    #[must_use]
    pub fn now(self, fact: &str) -> String {
        tr!(self, "Now: {fact}.", fact = fact)
    }

    /// What a way has cost.
    #[must_use]
    pub fn score(self, score: Score) -> String {
        let stores = match score.writes {
            1 => tr!(self, "1 store").to_owned(),
            writes => tr!(self, "{writes} stores", writes = writes),
        };
        let commands = match score.steps {
            1 => tr!(self, "1 command").to_owned(),
            steps => tr!(self, "{steps} commands", steps = steps),
        };
        [stores, commands].join(tr!(self, ", "))
    }

    /// Par, and how far a way is from it.
    #[must_use]
    pub fn par(self, over: i64, reached: bool) -> String {
        match over {
            ..0 if reached => tr!(self, "{strokes} under par", strokes = -over),
            0 if reached => tr!(self, "par").to_owned(),
            1.. => tr!(self, "{strokes} over par", strokes = over),
            _ => String::new(),
        }
    }

    /// The names of the rows of the score card: this way, the best so far, par.
    #[must_use]
    pub fn score_rows(self) -> [&'static str; 3] {
        [tr!(self, "So far"), tr!(self, "Your best"), tr!(self, "Par")]
    }

    /// What an import brought.
    #[must_use]
    pub fn imported(self, lessons: usize, newly_done: usize) -> String {
        tr!(self, "Progress in {lessons} lessons; {steps} steps are newly done", lessons = lessons, steps = newly_done)
    }
}
