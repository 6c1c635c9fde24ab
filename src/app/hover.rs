//! What the pointer is on, so that everything that stands for the same thing can light up.
//!
//! It is known one pass late; when the pointer leaves, one more pass puts the light out.

use egui::{Id, Ui};

use crate::arch::{Gfn, Gpa};

/// The thing under the pointer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pointed {
    /// The guest entry, by its place.
    pub entry: Option<Gpa>,
    /// The guest frame: a table or page, or what the entry leads to.
    pub frame: Option<Gfn>,
}

fn id() -> Id {
    Id::unique("what the pointer is on")
}

/// The pointer is on something that stands for this.
pub fn point_at(ui: &Ui, thing: Pointed) {
    let pass = ui.ctx().cumulative_pass_nr();
    ui.data_mut(|data| data.insert_temp(id(), (pass, thing)));
}

/// What the pointer is on, wherever it is shown.
#[must_use]
pub fn pointed_at(ui: &Ui) -> Pointed {
    let pass = ui.ctx().cumulative_pass_nr();
    let seen = ui.data(|data| data.get_temp::<(u64, Pointed)>(id()));
    seen.filter(|(seen, _)| seen + 1 >= pass).map_or(Pointed::default(), |(_, thing)| thing)
}

/// After everything was drawn: a thing that was just pointed at must light up, or go out.
pub fn settle(ctx: &egui::Context) {
    let pass = ctx.cumulative_pass_nr();
    let now = ctx.data(|data| data.get_temp::<(u64, Pointed)>(id())).filter(|(seen, _)| *seen == pass);
    let now = now.map(|(_, thing)| thing);
    let last_id = id().with("last");
    let last = ctx.data(|data| data.get_temp::<Option<Pointed>>(last_id)).flatten();
    if now != last {
        ctx.data_mut(|data| data.insert_temp(last_id, now));
        ctx.request_repaint();
    }
}
