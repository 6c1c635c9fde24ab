//! The states that can be opened again, and what lies over the window about them: the offer after a
//! crash, and the words when nothing can be kept.

use egui::{RichText, ScrollArea, Ui};

use super::{FileWish, StateLine, StateRef};
use crate::app::view::ViewCx;
use crate::app::widgets::ListRow;
use crate::app::{focus, theme};
use crate::language::Language;
use crate::tr;

/// How long ago something was, in words.
#[must_use]
pub fn ago(language: Language, now: u64, time: u64) -> String {
    let seconds = now.saturating_sub(time) / 1000;
    match seconds {
        0..60 => tr!(language, "just now").to_owned(),
        60..3600 => tr!(language, "{minutes} min ago", minutes = seconds / 60),
        3600..86_400 => tr!(language, "{hours} h ago", hours = seconds / 3600),
        _ => tr!(language, "{days} days ago", days = seconds / 86_400),
    }
}

/// Draws the list.
pub fn states_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    ui.label(RichText::new(tr!(cx, "Earlier states")).font(theme::bold(18.0)).color(t.strong));
    ui.add_space(4.0);
    let Some(states) = cx.files.states() else {
        ui.label(RichText::new(tr!(cx, "Reading …")).color(t.weak));
        return;
    };
    let words = tr!(cx, "What you do is kept by itself. Opening a state loses nothing: what is open now is kept, too.");
    ui.label(RichText::new(words).color(t.weak));
    ui.add_space(6.0);
    if states.is_empty() {
        ui.label(RichText::new(tr!(cx, "Nothing has been kept yet.")).color(t.text));
    }
    let room = ui.ctx().content_rect().height() - 200.0;
    focus::scroll(ScrollArea::vertical().max_height(room).auto_shrink([false, true]), ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for line in states {
            if row_ui(cx, ui, line) {
                cx.send(FileWish::Restore(line.at).into());
            }
        }
    });
}

fn row_ui(cx: &ViewCx<'_>, ui: &mut Ui, line: &StateLine) -> bool {
    let time = ago(cx.language(), cx.files.now(), line.time);
    let right = match line.at {
        StateRef::Ring(_) => tr!(cx, "{commands} commands · {time}", commands = line.commands, time = time),
        StateRef::Held(_) => {
            tr!(cx, "{commands} commands · {time} · only in this window", commands = line.commands, time = time)
        }
    };
    let left = line.name(cx.language());
    ListRow { left, right: &right, color: None, selected: false }.show(ui, cx.tokens).clicked()
}
