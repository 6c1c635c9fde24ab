//! What the pointer is on, so that everything that stands for the same thing can light up.
//!
//! It is known one pass late; when the pointer leaves, one more pass puts the light out.

use egui::{Id, Ui};

use super::view::Selection;
use crate::arch::{Gfn, Gpa};
use crate::machine::Event;

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

/// Nothing is pointed at: for a picture, in which there is no pointer.
pub fn forget(ctx: &egui::Context) {
    ctx.data_mut(|data| data.remove::<(u64, Pointed)>(id()));
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

impl Pointed {
    /// What stands for a selected thing.
    #[must_use]
    pub const fn of_selection(selection: Selection) -> Option<Self> {
        match selection {
            Selection::Entry { gpa, .. } => Some(Self { entry: Some(gpa), frame: None }),
            Selection::Table { base, .. } => Some(Self { entry: None, frame: Some(base.gfn()) }),
            Selection::Page(gfn) => Some(Self { entry: None, frame: Some(gfn) }),
            _ => None,
        }
    }

    /// What an event is about.
    #[must_use]
    pub const fn of_event(event: &Event) -> Option<Self> {
        match event {
            Event::WalkRead { gpa, .. } | Event::SetAccessed { gpa, .. } | Event::SetDirty { gpa, .. } => {
                Some(Self { entry: Some(*gpa), frame: None })
            }
            Event::Store { gpa, .. } | Event::Load { gpa, .. } | Event::Emulate { gpa, .. } => {
                Some(Self { entry: Some(Gpa(gpa.0 & !7)), frame: Some(gpa.gfn()) })
            }
            Event::Translated { gpa, .. } => Some(Self { entry: None, frame: Some(gpa.gfn()) }),
            Event::PscHit { table, .. } => Some(Self { entry: None, frame: Some(table.gfn()) }),
            Event::ShadowNew { gfn, .. }
            | Event::ShadowHit { gfn, .. }
            | Event::ShadowZap { gfn, .. }
            | Event::WriteProtect { gfn }
            | Event::WriteUnprotect { gfn }
            | Event::Flood { gfn }
            | Event::Unsync { gfn }
            | Event::Sync { gfn } => Some(Self { entry: None, frame: Some(*gfn) }),
            _ => None,
        }
    }

    /// Whether something that stands for `self` lights up while the pointer is on `other`: the same entry,
    /// or, where one of them is no entry, the same frame.
    #[must_use]
    pub fn answers(&self, other: &Self) -> bool {
        match (self.entry, other.entry) {
            (Some(a), Some(b)) => a == b,
            _ => self.frame.is_some() && self.frame == other.frame,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Hfn;
    use crate::arch::address::Num;
    use crate::machine::event::EntrySource;

    #[test]
    fn counterparts_answer_each_other() {
        let gpa = Gpa(0x7008);
        let entry = Pointed { entry: Some(gpa), frame: Some(Gfn(0x2b)) };
        let read = Event::WalkRead { level: 1, from: EntrySource::Memory, index: 1, gpa, value: Num(0x2b007) };
        let [read, page] = [Pointed::of_event(&read), Pointed::of_selection(Selection::Page(Gfn(0x2b)))];
        assert!(read.is_some_and(|read| read.answers(&entry)), "an event that read the entry");
        assert!(page.is_some_and(|page| page.answers(&entry)), "the page that it leads to");
        let other = Pointed { entry: Some(Gpa(0x7010)), frame: Some(Gfn(0x2b)) };
        assert!(!other.answers(&entry), "another entry is another, even if it leads to the same page");
        assert!(!Pointed::default().answers(&Pointed::default()), "nothing answers nothing");
        assert_eq!(Pointed::of_event(&Event::RmapAdd { hfn: Hfn(1) }), None);
    }
}
