//! What the pointer is on, so that everything that stands for the same thing can light up.
//!
//! It is known one pass late; when the pointer leaves, one more pass puts the light out.

use egui::{Id, Ui};

use crate::arch::Gpa;

fn id() -> Id {
    Id::unique("stage: the guest entry under the pointer")
}

/// The pointer is on something that stands for this guest entry.
pub fn point_at(ui: &Ui, entry: Option<Gpa>) {
    let pass = ui.ctx().cumulative_pass_nr();
    if let Some(gpa) = entry {
        ui.data_mut(|data| data.insert_temp(id(), (pass, gpa)));
    }
}

/// The guest entry under the pointer, wherever it is shown.
#[must_use]
pub fn pointed_at(ui: &Ui) -> Option<Gpa> {
    let pass = ui.ctx().cumulative_pass_nr();
    let (seen, gpa) = ui.data(|data| data.get_temp::<(u64, Gpa)>(id()))?;
    (seen + 1 >= pass).then_some(gpa)
}

/// After everything was drawn: asks for the pass that puts the light out.
pub fn settle(ui: &Ui) {
    let pass = ui.ctx().cumulative_pass_nr();
    if let Some((seen, _)) = ui.data(|data| data.get_temp::<(u64, Gpa)>(id()))
        && seen + 1 == pass
    {
        ui.ctx().request_repaint();
    }
}
