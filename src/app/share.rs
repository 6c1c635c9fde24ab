//! What a link tells of the window, besides the machine and its time.

use super::view::{Selection, Tab, ViewState};
use crate::scenario::View;

/// The view as a link holds it.
#[must_use]
pub fn of(view: &ViewState, micro_step: Option<u32>) -> View {
    let entry = match view.selection {
        Selection::Entry { gpa, .. } => Some(gpa.0),
        _ => None,
    };
    let tab = match view.tab {
        Tab::Inspect | Tab::Lesson => "inspect",
        Tab::Why => "why",
        Tab::Log => "log",
    };
    View {
        entry,
        address: Some(view.composer.va.0),
        micro_step,
        tab: Some(tab.to_owned()),
        view: Some("explore".to_owned()),
        zoom: Some((view.zoom * 100.0).round() as u16),
        ..View::default()
    }
}
