//! What the tests of lessons share.

#![allow(dead_code, reason = "each test file uses its part")]

use mmuscope::lesson::{Lesson, languages_of, library};
use serde_json::Value;

/// A lesson of the program.
pub fn lesson(id: &str) -> Lesson {
    library().iter().find(|lesson| lesson.id == id).expect("a lesson of that id").clone()
}

/// Every text and hint of a lesson, in every language.
pub fn text_of(lesson: &Lesson) -> Vec<String> {
    let mut texts = vec![&lesson.title, &lesson.summary];
    let mut all = Vec::new();
    for step in &lesson.steps {
        texts.extend([&step.text, &step.goal_text]);
        texts.extend(step.choices.iter().flat_map(|choice| [&choice.text, &choice.because]));
        texts.extend(step.when_wrong.iter().map(|wrong| &wrong.say));
        all.extend(step.hints.0.values().flatten().cloned());
    }
    all.extend(texts.into_iter().flat_map(languages_of).map(|(_, text)| text.to_owned()));
    all
}

/// The document with one value replaced, or added to its object.
pub fn mutated(document: &Value, pointer: &str, value: Value) -> Value {
    let mut copy = document.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match copy.pointer_mut(parent).expect("its parent") {
        Value::Array(list) => list[key.parse::<usize>().expect("an index")] = value,
        parent => parent[key] = value,
    }
    copy
}
