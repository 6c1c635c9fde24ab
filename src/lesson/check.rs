//! `lesson check`: everything that must be true of a lesson, with the reason where it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::file::{Hints, Lesson, LessonStep, StepKind, languages_of};
use super::glossary::glossary;
use super::goal::{Since, parts_of};
use super::library::library;
use super::live::Live;
use super::search;
use super::session::start_of;
use super::text::{Span, parse};
use crate::explain;
use crate::language::Language;
use crate::machine::Command;
use crate::names::shown;
use crate::scenario::{StepKind as Kind, judge_step};

/// A rule that a lesson can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Level 1 to 5, minutes 1 to 60.
    Range,
    /// The start state is legal, and its steps end as they want.
    Start,
    /// A goal must not hold at the start of its step.
    GoalUnmetAtStart,
    /// The solution reaches the goal.
    SolutionReachesGoal,
    /// The solution needs no more than par.
    SolutionWithinPar,
    /// No shorter way than par is found.
    ParIsBest,
    /// What the solution wants of each of its commands happens.
    SolutionAsWanted,
    /// The solution uses only what the step allows.
    SolutionAllowed,
    /// What a step asks to be done can be done on the screen.
    Control,
    /// Every text is in every language.
    Languages,
    /// Live values exist.
    LiveValues,
    /// Glossary terms exist.
    Terms,
    /// A step has what its kind needs, and no more.
    Kind,
    /// Three hints in each language.
    HintCount,
    /// The goal's words have one line, or one for each part.
    GoalLines,
    /// Feedback is not given before anything was done.
    EarlyFeedback,
    /// Prerequisites exist.
    Prerequisite,
    /// Prerequisites do not lead in a circle.
    Circle,
    /// Two lessons of one name.
    Twice,
    /// A tour has at least two steps, no more than its lesson, and is the only one.
    Tour,
}

/// The ops that a learner can give: `docs/lesson.md` says by which control.
const WITH_CONTROL: [&str; 10] =
    ["access", "read", "write", "poke", "mov_cr0", "mov_cr3", "mov_cr4", "wrmsr_efer", "invlpg", "invpcid"];

/// A rule that a lesson breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The lesson's id.
    pub lesson: String,
    /// The step, from 1; none where the lesson as a whole is meant.
    pub step: Option<usize>,
    /// The rule.
    pub rule: Rule,
    /// The reason, one sentence.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.lesson)?;
        if let Some(step) = self.step {
            write!(f, ", step {step}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// Checks lessons. Their prerequisites are looked for among them and the lessons of the program.
#[must_use]
pub fn check_all(lessons: &[Lesson]) -> Vec<Broken> {
    let mut broken = prerequisites(lessons);
    broken.extend(tours(lessons));
    for lesson in lessons {
        broken.extend(check(lesson));
    }
    broken
}

/// One tour at most: a first visit begins with one.
fn tours(lessons: &[Lesson]) -> Vec<Broken> {
    let mut with_tour = lessons.iter().filter(|lesson| lesson.tour > 0);
    let Some(first) = with_tour.next() else { return Vec::new() };
    let second = |other: &Lesson| {
        let why = format!("`tour`: the lesson `{}` has one already, and a first visit begins with one", first.id);
        about(other, Rule::Tour, why)
    };
    with_tour.map(second).collect()
}

fn prerequisites(lessons: &[Lesson]) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut known: BTreeMap<&str, &Lesson> = library().iter().map(|lesson| (lesson.id.as_str(), lesson)).collect();
    let mut given = BTreeSet::new();
    for lesson in lessons {
        if !given.insert(lesson.id.as_str()) {
            broken.push(about(lesson, Rule::Twice, format!("there is another lesson with the id `{}`", lesson.id)));
        }
        known.insert(&lesson.id, lesson);
    }
    for lesson in lessons {
        for id in lesson.after.iter().filter(|id| !known.contains_key(id.as_str())) {
            let why = format!("`after` names `{id}`, and there is no such lesson");
            broken.push(about(lesson, Rule::Prerequisite, why));
        }
        if let Some(circle) = circle(&lesson.id, &known) {
            let why = format!("its prerequisites lead in a circle: {}", circle.join(" → "));
            broken.push(about(lesson, Rule::Circle, why));
        }
    }
    broken
}

/// The way from a lesson over prerequisites back to itself, if there is one.
fn circle<'a>(start: &'a str, known: &BTreeMap<&'a str, &'a Lesson>) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        for before in known.get(id).into_iter().flat_map(|lesson| &lesson.after) {
            if before == start {
                let mut path = vec![start, id];
                while let Some(previous) = came_from.get(path[path.len() - 1]) {
                    path.push(previous);
                }
                path.reverse();
                return Some(path);
            }
            if !came_from.contains_key(before.as_str()) {
                came_from.insert(before, id);
                open.push(before);
            }
        }
    }
    None
}

fn about(lesson: &Lesson, rule: Rule, why: String) -> Broken {
    Broken { lesson: lesson.id.clone(), step: None, rule, why }
}

/// Checks one lesson, its prerequisites apart.
fn check(lesson: &Lesson) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut say = |rule, why: String| broken.push(about(lesson, rule, why));
    if !(1..=5).contains(&lesson.level) {
        say(Rule::Range, format!("`level` is {}: it is 1 to 5", lesson.level));
    }
    if !(1..=60).contains(&lesson.minutes) {
        say(Rule::Range, format!("`minutes` is {}: it is 1 to 60", lesson.minutes));
    }
    let all = lesson.steps.len();
    if lesson.tour == 1 || lesson.tour > all {
        say(Rule::Tour, format!("`tour` is {}: it is 2 to {all}, the number of steps", lesson.tour));
    }
    languages(lesson, &mut say);
    marks(lesson, &mut say);
    if let Err(why) = start(lesson) {
        say(Rule::Start, why);
        return broken;
    }
    for index in 0..lesson.steps.len() {
        let mut say =
            |rule, why: String| broken.push(Broken { lesson: lesson.id.clone(), step: Some(index + 1), rule, why });
        form(&lesson.steps[index], &mut say);
        match start_of(lesson, index) {
            Ok(since) => play(lesson, index, &since, &mut say),
            Err(error) => say(Rule::Start, error.to_string()),
        }
    }
    broken
}

/// The scenario that the lesson begins with: legal, and its steps end as they want.
fn start(lesson: &Lesson) -> Result<(), String> {
    let verdict = crate::scenario::run(&lesson.start, lesson.start.engine, crate::machine::Caches::default())
        .map_err(|error| error.to_string())?;
    match verdict.failed.first() {
        None => Ok(()),
        Some((number, failure)) => {
            Err(format!("step {number} of `start` gives {}, wanted {}", failure.got, failure.wanted))
        }
    }
}

/// Every text in every language that any text of the lesson is in.
fn languages(lesson: &Lesson, say: &mut impl FnMut(Rule, String)) {
    let texts = lesson.texts();
    let hints = |step: &LessonStep| step.hints.0.keys().cloned().collect::<Vec<_>>();
    let mut all: BTreeSet<String> =
        texts.iter().flat_map(|(_, text)| languages_of(text)).map(|(language, _)| language.to_owned()).collect();
    all.extend(lesson.steps.iter().flat_map(hints));
    for (path, text) in &texts {
        let has: BTreeSet<&str> =
            languages_of(text).into_iter().filter(|(_, text)| !text.trim().is_empty()).map(|(l, _)| l).collect();
        for language in all.iter().filter(|language| !has.contains(language.as_str())) {
            say(Rule::Languages, format!("{path} is not in the language `{}`", shown(language, 20)));
        }
    }
    for (i, step) in lesson.steps.iter().enumerate().filter(|(_, step)| !step.hints.0.is_empty()) {
        for language in all.iter().filter(|language| !step.hints.0.contains_key(*language)) {
            say(Rule::Languages, format!("steps[{i}].hints is not in the language `{}`", shown(language, 20)));
        }
    }
}

/// Live values and glossary terms of every text and hint.
fn marks(lesson: &Lesson, say: &mut impl FnMut(Rule, String)) {
    let mut check = |path: &str, text: &str| {
        for span in parse(text).iter().flat_map(super::text::Block::spans) {
            match span {
                Span::Live(name) => {
                    if let Err(why) = Live::by_name(name) {
                        say(Rule::LiveValues, format!("{path}: {why}"));
                    }
                }
                Span::Term { id, .. } if glossary().get(id).is_none() => {
                    let known = glossary().iter().map(|(id, _)| id);
                    let near = known.min_by_key(|known| strsim::damerau_levenshtein(&shown(id, 40), known));
                    let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
                    say(Rule::Terms, format!("{path}: `{}` is not in the glossary{near}", shown(id, 40)));
                }
                _ => {}
            }
        }
    };
    for (path, text) in lesson.texts() {
        languages_of(text).into_iter().for_each(|(_, text)| check(&path, text));
    }
    for (i, step) in lesson.steps.iter().enumerate() {
        for hint in step.hints.0.values().flatten() {
            check(&format!("steps[{i}].hints"), hint);
        }
    }
}

/// Whether a step has what its kind needs.
fn form(step: &LessonStep, say: &mut impl FnMut(Rule, String)) {
    let right = step.choices.iter().filter(|choice| choice.right).count();
    let commands = commands(step).count();
    let judged = step.solution.iter().any(|s| s.want.is_some() || matches!(s.kind, Kind::Expect(_)));
    match step.kind {
        StepKind::Predict => {
            if step.choices.len() < 2 || right != 1 {
                let why = format!("a `predict` step has two or more choices, one of them right, not {right}");
                say(Rule::Kind, why);
            }
            if !judged && step.goal.is_none() {
                let why = "the machine does not judge this prediction: give its `solution` a `want` or an `expect`";
                say(Rule::Kind, why.to_owned());
            }
        }
        _ if !step.choices.is_empty() => {
            say(Rule::Kind, "only a `predict` step has choices".to_owned());
        }
        _ => {}
    }
    match step.kind {
        StepKind::Watch | StepKind::Predict if commands == 0 => {
            say(Rule::Kind, "there is nothing to see: the `solution` has no command".to_owned());
        }
        StepKind::Change | StepKind::Construct => {
            if step.goal.is_none() {
                say(Rule::Kind, "a step to do has a `goal`".to_owned());
            }
            if commands == 0 {
                say(Rule::Kind, "a step to do has a `solution`".to_owned());
            }
            if step.par.is_none() {
                say(Rule::Kind, "a step to do has a `par`".to_owned());
            }
        }
        _ => {}
    }
    let Some(goal) = &step.goal else { return };
    let needs_hints = matches!(step.kind, StepKind::Change | StepKind::Construct);
    let short = step.hints.0.values().any(|hints| hints.len() != Hints::COUNT);
    if short || (needs_hints && step.hints.0.is_empty()) {
        say(Rule::HintCount, format!("a step has {} hints in each language", Hints::COUNT));
    }
    let texts = languages_of(&step.goal_text);
    if texts.is_empty() {
        say(Rule::Kind, "a goal is put in words: `goal_text` is missing".to_owned());
    }
    for (language, text) in texts {
        let (lines, parts) = (text.lines().filter(|line| !line.trim().is_empty()).count(), parts_of(goal).len());
        if lines != 1 && lines != parts {
            let why = format!("`goal_text` has {lines} lines in `{language}`: one, or one for each of {parts} parts");
            say(Rule::GoalLines, why);
        }
    }
}

fn commands(step: &LessonStep) -> impl Iterator<Item = &Command> {
    step.solution.iter().filter_map(|step| match &step.kind {
        Kind::Command(command) => Some(command),
        _ => None,
    })
}

/// Plays the step: goal unmet, solution, goal met, par.
fn play(lesson: &Lesson, index: usize, start: &Since, say: &mut impl FnMut(Rule, String)) {
    let step = &lesson.steps[index];
    if step.goal.as_ref().is_some_and(|goal| start.holds(goal)) {
        say(Rule::GoalUnmetAtStart, "its goal already holds at the start of the step".to_owned());
    }
    for (k, wrong) in step.when_wrong.iter().enumerate() {
        if start.holds(&wrong.when) {
            let why = format!("when_wrong[{k}] already holds at the start, before the learner has done anything");
            say(Rule::EarlyFeedback, why);
        }
    }
    let mut since = start.clone();
    for (k, solution) in step.solution.iter().enumerate() {
        let failure = match &solution.kind {
            Kind::Note(_) => None,
            Kind::Expect(predicate) => {
                let found = predicate.judge(&since.vm, &since.happened).err();
                found.map(|found| format!("what it expects does not hold: {found}"))
            }
            Kind::Command(command) => {
                let (op, to_do) = (command.op(), matches!(step.kind, StepKind::Change | StepKind::Construct));
                if to_do && !step.allows(op) {
                    say(Rule::SolutionAllowed, format!("its solution uses `{op}`, which the step does not allow"));
                }
                if to_do && !WITH_CONTROL.contains(&op) {
                    let why = format!("its solution uses `{op}`, for which a learner has no control on the screen");
                    say(Rule::Control, why);
                }
                let outcome = since.execute(command);
                let failure = judge_step(solution, &outcome, since.vm.machine());
                failure.map(|failure| format!("it gives {}, wanted {}", failure.got, failure.wanted))
            }
        };
        if let Some(failure) = failure {
            say(Rule::SolutionAsWanted, format!("command {} of its solution: {failure}", k + 1));
        }
    }
    let Some(goal) = &step.goal else { return };
    if let Err(found) = goal.judge(&since.vm, &since.happened) {
        say(Rule::SolutionReachesGoal, format!("its solution does not reach the goal: {found}"));
        return;
    }
    let Some(par) = step.par else { return };
    if !since.score.within(par) {
        let why = format!(
            "its solution needs {} writes and {} steps, more than its par of {} and {}",
            since.score.writes, since.score.steps, par.writes, par.steps
        );
        say(Rule::SolutionWithinPar, why);
    } else if let search::Found::Better(score, way) = search::beat_par(lesson, index, start, par) {
        let way = way.iter().map(|command| explain::command(command, Language::En)).collect::<Vec<_>>().join("; ");
        let why = format!("par is beaten with {} writes and {} steps: {way}", score.writes, score.steps);
        say(Rule::ParIsBest, why);
    }
}
