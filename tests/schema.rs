//! The published JSON Schemas are what the types say, and the published files fit them.
//!
//! `UPDATE_GOLDEN=1` writes them anew.

use std::path::Path;

fn assert_published(name: &str, schema: schemars::Schema) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/schema").join(name);
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("writable schema");
    }
    assert_eq!(text, std::fs::read_to_string(&path).expect("published schema"), "{name} is out of date");
}

#[test]
fn scenario_schema_is_published() {
    assert_published("scenario.json", mmuscope::scenario::schema());
}

#[test]
fn lesson_schema_is_published() {
    assert_published("lesson.json", mmuscope::lesson::schema());
}

#[test]
fn event_schema_is_published() {
    assert_published("event.json", schemars::schema_for!(mmuscope::machine::Event));
}
