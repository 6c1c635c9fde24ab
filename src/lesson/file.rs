//! Reading lesson files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::focus::Focus;
use super::library::start_by_id;
use super::text::MAX_TEXT;
use crate::engine::EngineConfig;
use crate::language::Language;
use crate::names::{nearest, shown};
use crate::scenario::{
    self, FORMAT, InputError, Predicate, Scenario, Step, StepKind as Kind, Text, command_ops, from_json,
};
use crate::tr;

/// The longest lesson that is read, in steps.
const MAX_STEPS: usize = 100;
/// The longest solution that is read, in commands.
const MAX_SOLUTION: usize = 10_000;
/// The deepest goal that is read. Deeper ones say nothing that a person can follow.
const MAX_GOAL_DEPTH: usize = 16;

/// What a step asks of the learner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// Look on while the solution is played.
    Watch,
    /// Choose an answer; the solution then shows what the machine does.
    Predict,
    /// Reach a goal by changing what is there.
    Change,
    /// Reach a goal by building something that is not there.
    Construct,
    /// Explain it to others; where to look it up.
    Present,
}

impl StepKind {
    /// What a step asks, in a word: the same on the screen and in the terminal.
    #[must_use]
    pub fn word(self, language: Language) -> &'static str {
        match self {
            Self::Watch => tr!(language, "Watch"),
            Self::Predict => tr!(language, "Predict"),
            Self::Change => tr!(language, "Change"),
            Self::Construct => tr!(language, "Build"),
            Self::Present => tr!(language, "Look it up"),
        }
    }
}

/// An answer to a `predict` step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What it says.
    pub text: Text,
    /// Whether it is right; exactly one is.
    #[serde(default)]
    pub right: bool,
    /// Why it is right or wrong.
    pub because: Text,
}

/// What the best known solution needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Par {
    /// Stores to memory.
    pub writes: u64,
    /// Commands, stores included.
    pub steps: u64,
}

/// Feedback on a wrong turn: names the misconception.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhenWrong {
    /// What must be so.
    #[serde(rename = "if")]
    pub when: Predicate,
    /// What to say then.
    pub say: Text,
}

/// Hints by language, from a nudge to nearly the answer.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Hints(pub BTreeMap<String, Vec<String>>);

impl Hints {
    /// How many hints every step that has a goal must have.
    pub const COUNT: usize = 3;

    /// The hints in a language, or in English, or in any.
    #[must_use]
    pub fn get(&self, language: &str) -> &[String] {
        let found = self.0.get(language).or_else(|| self.0.get("en")).or_else(|| self.0.values().next());
        found.map_or(&[], Vec::as_slice)
    }
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LessonStep")]
struct RawStep {
    kind: StepKind,
    /// Markdown: paragraphs, lists, `code`, **strong**, [links](https://..), [[term]] chips and
    /// {{cr3}}-style live values.
    text: Text,
    /// What to spotlight: a part of the screen, or `pdpte:1`, `entry:0x3028`, `table:0x3000`,
    /// `frame:0x2b000`, `va:0x41201abc`.
    #[serde(default)]
    focus: Vec<Focus>,
    /// The answers of a `predict` step.
    #[serde(default)]
    choices: Vec<Choice>,
    /// What must be so at the end of the step. `cost` and `happened` count from the step's start.
    goal: Option<Predicate>,
    /// The goal in words: one line, or one line for each part of an `all`.
    #[serde(default)]
    goal_text: Text,
    /// Three by language.
    #[serde(default)]
    hints: Hints,
    /// Commands that reach the goal; what a `watch` step plays; what answers a `predict` step.
    #[serde(default)]
    solution: Vec<Step>,
    par: Option<Par>,
    #[serde(default)]
    when_wrong: Vec<WhenWrong>,
    /// Ops that the learner may use in this step; the lesson's own list where it is missing.
    allow: Option<Vec<String>>,
    /// The engine from this step on; the guest's past is replayed on it.
    engine: Option<EngineConfig>,
    /// Begin this step in the lesson's start state, as if no step had been before it.
    #[serde(default)]
    restart: bool,
}

/// A scenario, or the name of one.
enum Start {
    Named(String),
    Inline(Box<Scenario>),
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Start;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a scenario, or the id of one")
            }

            fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<Start, E> {
                Ok(Start::Named(id.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Start, A::Error> {
                let inline = Scenario::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(Start::Inline(Box::new(inline)))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for Start {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Start".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let scenario = generator.subschema_for::<Scenario>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, scenario] })
    }
}

#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Lesson")]
struct RawLesson {
    format: Option<String>,
    id: String,
    title: Text,
    summary: Text,
    /// 1 (first steps) to 5 (expert).
    level: u8,
    /// How long it takes, 1 to 60.
    minutes: u8,
    /// Lessons to do first.
    #[serde(default)]
    after: Vec<String>,
    start: Start,
    /// Ops that the learner may use; all where it is missing.
    allow: Option<Vec<String>>,
    /// So many of the first steps are the tour that a first visitor is offered: about two minutes.
    #[serde(default)]
    tour: usize,
    steps: Vec<RawStep>,
}

/// One step of a lesson.
#[derive(Clone, Debug)]
pub struct LessonStep {
    /// What it asks.
    pub kind: StepKind,
    /// What it says, Markdown.
    pub text: Text,
    /// What to spotlight.
    pub focus: Vec<Focus>,
    /// Answers to choose from.
    pub choices: Vec<Choice>,
    /// What must be so at its end.
    pub goal: Option<Predicate>,
    /// The goal in words.
    pub goal_text: Text,
    /// Graded hints.
    pub hints: Hints,
    /// What reaches the goal.
    pub solution: Vec<Step>,
    /// What the solution needs.
    pub par: Option<Par>,
    /// Feedback on wrong turns.
    pub when_wrong: Vec<WhenWrong>,
    /// Ops that may be used; `None`: all.
    pub allow: Option<BTreeSet<&'static str>>,
    /// The engine that it runs on.
    pub engine: EngineConfig,
    /// Whether it begins in the lesson's start state.
    pub restart: bool,
}

impl LessonStep {
    /// Whether the learner may use this op here.
    #[must_use]
    pub fn allows(&self, op: &str) -> bool {
        self.allow.as_ref().is_none_or(|ops| ops.contains(op))
    }
}

/// A lesson.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// Its name.
    pub id: String,
    /// Its title.
    pub title: Text,
    /// What it is about, in a sentence or two.
    pub summary: Text,
    /// 1 (first steps) to 5 (expert).
    pub level: u8,
    /// How long it takes.
    pub minutes: u8,
    /// Lessons to do first.
    pub after: Vec<String>,
    /// So many of its first steps are the tour that a first visitor is offered; 0: it has none.
    pub tour: usize,
    /// The machine that it begins with; its steps have been carried out by then.
    pub start: Scenario,
    /// Its steps, at least one.
    pub steps: Vec<LessonStep>,
}

impl Lesson {
    /// Reads a lesson from JSON text. `name` is what error messages call it.
    ///
    /// # Errors
    /// [`InputError::Json`], [`InputError::Content`].
    pub fn from_json(name: &str, json: &str) -> Result<Self, InputError> {
        let raw: RawLesson = from_json(name, json)?;
        raw.into_lesson().map_err(|Wrong { path, what }| InputError::Content { name: name.to_owned(), path, what })
    }

    /// The commands that lead from the lesson's start to the start of step `index`.
    pub fn prelude(&self, index: usize) -> impl Iterator<Item = &Step> {
        let first = (0..=index.min(self.steps.len() - 1)).rev().find(|i| self.steps[*i].restart).unwrap_or(0);
        self.steps[first..index.min(self.steps.len())].iter().flat_map(|step| &step.solution)
    }

    /// Every text with its place in the file.
    pub(super) fn texts(&self) -> Vec<(String, &Text)> {
        let mut all = vec![("title".to_owned(), &self.title), ("summary".to_owned(), &self.summary)];
        for (i, step) in self.steps.iter().enumerate() {
            all.push((format!("steps[{i}].text"), &step.text));
            if !matches!(step.goal_text, Text::None) {
                all.push((format!("steps[{i}].goal_text"), &step.goal_text));
            }
            for (k, choice) in step.choices.iter().enumerate() {
                all.push((format!("steps[{i}].choices[{k}].text"), &choice.text));
                all.push((format!("steps[{i}].choices[{k}].because"), &choice.because));
            }
            for (k, wrong) in step.when_wrong.iter().enumerate() {
                all.push((format!("steps[{i}].when_wrong[{k}].say"), &wrong.say));
            }
            for (k, solution) in step.solution.iter().enumerate() {
                if let Kind::Note(text) = &solution.kind {
                    all.push((format!("steps[{i}].solution[{k}].text"), text));
                }
            }
        }
        all
    }
}

/// The languages of a text, with what it says in each.
#[must_use]
pub fn languages_of(text: &Text) -> Vec<(&str, &str)> {
    match text {
        Text::Plain(text) => vec![("en", text)],
        Text::ByLanguage(texts) => texts.iter().map(|(language, text)| (language.as_str(), text.as_str())).collect(),
        Text::None => Vec::new(),
    }
}

struct Wrong {
    path: String,
    what: String,
}

fn wrong(path: impl Into<String>, what: impl Into<String>) -> Wrong {
    Wrong { path: path.into(), what: what.into() }
}

impl RawLesson {
    fn into_lesson(self) -> Result<Lesson, Wrong> {
        if let Some(format) = self.format.as_deref().filter(|f| *f != FORMAT) {
            let shown = shown(format, 40);
            return Err(wrong("format", format!("format `{shown}` is not known: this version reads `{FORMAT}`")));
        }
        check_id("id", &self.id)?;
        for (i, id) in self.after.iter().enumerate() {
            check_id(&format!("after[{i}]"), id)?;
        }
        if self.steps.is_empty() || self.steps.len() > MAX_STEPS {
            return Err(wrong("steps", format!("a lesson has 1 to {MAX_STEPS} steps, not {}", self.steps.len())));
        }
        let start = match self.start {
            Start::Inline(scenario) => *scenario,
            Start::Named(id) => start_by_id(&id).map_err(|what| wrong("start", what))?,
        };
        let allow = self.allow.as_deref().map(|ops| known_ops("allow", ops)).transpose()?;
        let mut engine = start.engine;
        let mut steps = Vec::with_capacity(self.steps.len());
        for (i, raw) in self.steps.into_iter().enumerate() {
            engine = raw.engine.unwrap_or(engine);
            steps.push(raw.into_step(&format!("steps[{i}]"), allow.as_ref(), engine, &start)?);
        }
        let lesson = Lesson {
            id: self.id,
            title: self.title,
            summary: self.summary,
            level: self.level,
            minutes: self.minutes,
            after: self.after,
            tour: self.tour,
            start,
            steps,
        };
        for (path, text) in lesson.texts() {
            for (_, text) in languages_of(text) {
                check_length(&path, text)?;
            }
        }
        Ok(lesson)
    }
}

impl RawStep {
    fn into_step(
        self,
        path: &str,
        allow: Option<&BTreeSet<&'static str>>,
        engine: EngineConfig,
        start: &Scenario,
    ) -> Result<LessonStep, Wrong> {
        if self.solution.len() > MAX_SOLUTION {
            let what = format!("a solution has at most {MAX_SOLUTION} steps, not {}", self.solution.len());
            return Err(wrong(format!("{path}.solution"), what));
        }
        for (k, step) in self.solution.iter().enumerate() {
            if let Kind::Command(command) = &step.kind {
                command.check(&start.cpu).map_err(|e| wrong(format!("{path}.solution[{k}]"), e.to_string()))?;
            }
        }
        let questions = self.goal.iter().map(|goal| (format!("{path}.goal"), goal));
        let wrongs = self.when_wrong.iter().enumerate().map(|(k, w)| (format!("{path}.when_wrong[{k}].if"), &w.when));
        for (path, predicate) in questions.chain(wrongs) {
            if depth(predicate) > MAX_GOAL_DEPTH {
                return Err(wrong(path, format!("a predicate is nested at most {MAX_GOAL_DEPTH} deep")));
            }
        }
        for (language, hints) in &self.hints.0 {
            for (k, hint) in hints.iter().enumerate() {
                check_length(&format!("{path}.hints.{}[{k}]", shown(language, 20)), hint)?;
            }
        }
        let own = self.allow.as_deref().map(|ops| known_ops(&format!("{path}.allow"), ops)).transpose()?;
        Ok(LessonStep {
            kind: self.kind,
            text: self.text,
            focus: self.focus,
            choices: self.choices,
            goal: self.goal,
            goal_text: self.goal_text,
            hints: self.hints,
            solution: self.solution,
            par: self.par,
            when_wrong: self.when_wrong,
            allow: own.or_else(|| allow.cloned()),
            engine,
            restart: self.restart,
        })
    }
}

/// An id stands in links and file names: lower-case letters, digits and hyphens.
fn check_id(path: &str, id: &str) -> Result<(), Wrong> {
    let plain = id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if id.is_empty() || id.len() > 64 || !plain {
        let what = format!("`{}` is no id: use lower-case letters, digits and hyphens, at most 64", shown(id, 40));
        return Err(wrong(path, what));
    }
    Ok(())
}

fn check_length(path: &str, text: &str) -> Result<(), Wrong> {
    let length = text.chars().count();
    if length > MAX_TEXT {
        return Err(wrong(path, format!("this text has {length} characters: at most {MAX_TEXT} are shown")));
    }
    Ok(())
}

fn known_ops(path: &str, names: &[String]) -> Result<BTreeSet<&'static str>, Wrong> {
    let known = |(i, name): (usize, &String)| {
        let found = command_ops().find(|op| op == name);
        found.ok_or_else(|| wrong(format!("{path}[{i}]"), nearest("op", name, command_ops())))
    };
    names.iter().enumerate().map(known).collect()
}

fn depth(predicate: &Predicate) -> usize {
    match predicate {
        Predicate::All(parts) | Predicate::Any(parts) => 1 + parts.iter().map(depth).max().unwrap_or(0),
        Predicate::Not(inner) => 1 + depth(inner),
        _ => 1,
    }
}

/// Reads a lesson file.
///
/// # Errors
/// [`InputError`].
pub fn read_file(path: &Path) -> Result<Lesson, InputError> {
    let text = scenario::read_bytes(path)?;
    Lesson::from_json(&path.display().to_string(), &text)
}

/// Whether a text is meant as a lesson and not as a scenario: a lesson has a `start`, a scenario has
/// `init`. What is neither is left to the reader of scenarios.
#[must_use]
pub fn is_lesson(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Either {
        start: Option<serde::de::IgnoredAny>,
        init: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Either>(json).is_ok_and(|either| either.start.is_some() && either.init.is_none())
}

/// The JSON Schema of a lesson file.
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(RawLesson)
}
