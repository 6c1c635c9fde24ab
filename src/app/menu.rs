//! Context menus: what can be done with the thing under the pointer. The items that are no actions of
//! their own act on that thing.

use egui::{Response, RichText, Ui};

use super::actions::Action;
use super::view::{AppCommand, Selection, ViewCx};
use crate::arch::address::Num;
use crate::arch::entry::{P, RW, US};
use crate::arch::{Gpa, Level, Mode};
use crate::machine::Command;
use crate::machine::command::Size;
use crate::tr;

/// An item of a menu.
fn item(cx: &ViewCx<'_>, ui: &mut Ui, text: impl Into<String>, command: AppCommand) {
    if ui.button(text.into()).clicked() {
        cx.send(command);
        ui.close();
    }
}

fn actions(cx: &ViewCx<'_>, ui: &mut Ui, actions: &[Action]) {
    ui.separator();
    for action in actions {
        let key = action.key_text(ui.ctx());
        let button = egui::Button::new(action.text(cx.language())).right_text(RichText::new(key).color(cx.tokens.weak));
        if ui.add(button).clicked() {
            action.send(cx);
            ui.close();
        }
    }
}

/// An entry as its menu needs it.
#[derive(Clone, Copy, Debug)]
pub struct EntryTarget {
    /// Level of its table.
    pub level: Level,
    /// Where it lies.
    pub gpa: Gpa,
    /// Its value.
    pub value: u64,
    /// What it leads to.
    pub frame: Gpa,
    /// It maps a page.
    pub leaf: bool,
}

/// The menu of an entry in guest memory.
pub fn entry_menu(cx: &ViewCx<'_>, response: &Response, entry: EntryTarget) {
    response.context_menu(|ui| {
        let EntryTarget { level, gpa, value, frame, leaf } = entry;
        item(cx, ui, tr!(cx, "Edit its bits"), AppCommand::Select(Selection::Entry { level: level.0, gpa }));
        let mode = cx.machine.cpu.mode();
        let size = Size::new(mode.entry_size()).unwrap_or(Size::WORD);
        let flags = [(P, "P"), (RW, "R/W"), (US, "U/S")];
        let count = if mode == Mode::Pae && level == crate::arch::pdpte::LEVEL { 1 } else { flags.len() };
        for (bit, name) in &flags[..count] {
            let text = match value & bit != 0 {
                true => tr!(cx, "Clear {flag}", flag = name),
                false => tr!(cx, "Set {flag}", flag = name),
            };
            let store = Command::Poke { pa: gpa, val: Num(value ^ bit), size };
            item(cx, ui, text, AppCommand::Run(store));
        }
        if value & P != 0 {
            let (name, selection) = match leaf {
                true => (tr!(cx, "page"), Selection::Page(frame.gfn())),
                false => {
                    let below = level.0.saturating_sub(1);
                    (Mode::table_name(Level(below)), Selection::Table { level: below, base: frame })
                }
            };
            item(cx, ui, tr!(cx, "Go to the {place} that it leads to", place = name), AppCommand::Select(selection));
        }
        item(cx, ui, tr!(cx, "List every entry of its table, or fold it"), AppCommand::ToggleFull(gpa.gfn().base()));
        copy(ui, tr!(cx, "Copy its value"), crate::explain::hex(value));
        actions(cx, ui, &[Action::Access, Action::Invlpg, Action::Deselect]);
    });
}

/// The menu of a table in guest memory.
pub fn table_menu(cx: &ViewCx<'_>, response: &Response, level: Level, base: Gpa) {
    response.context_menu(|ui| {
        item(cx, ui, tr!(cx, "Select it"), AppCommand::Select(Selection::Table { level: level.0, base }));
        item(cx, ui, tr!(cx, "List every entry, or fold them"), AppCommand::ToggleFull(base));
        item(cx, ui, tr!(cx, "Show its page"), AppCommand::Select(Selection::Page(base.gfn())));
        copy(ui, tr!(cx, "Copy its address"), crate::explain::hex(base.0));
        actions(cx, ui, &[Action::LoadCr3, Action::FlushAll, Action::Deselect]);
    });
}

/// The menu of the PDPTE registers.
pub fn register_menu(cx: &ViewCx<'_>, response: &Response, index: usize, memory: Gpa) {
    response.context_menu(|ui| {
        item(cx, ui, tr!(cx, "Show the register"), AppCommand::Select(Selection::PdpteRegister(index)));
        let entry = Selection::Entry { level: crate::arch::pdpte::LEVEL.0, gpa: memory };
        item(cx, ui, tr!(cx, "Edit its memory"), AppCommand::Select(entry));
        actions(cx, ui, &[Action::LoadCr3, Action::Invlpg, Action::Access]);
    });
}

/// The menu of a command or event of the log.
pub fn event_menu(cx: &ViewCx<'_>, response: &Response, step: usize, event: Option<usize>, text: &str) {
    response.context_menu(|ui| {
        if ui.button(tr!(cx, "Go there")).clicked() {
            cx.send(AppCommand::Seek(step));
            if let Some(index) = event {
                cx.send(AppCommand::ShowEvents(index + 1));
            }
            ui.close();
        }
        if ui.button(tr!(cx, "Go to just before it")).clicked() {
            cx.send(AppCommand::Seek(step));
            cx.send(event.map_or(AppCommand::StepBack, AppCommand::ShowEvents));
            ui.close();
        }
        if ui.button(tr!(cx, "Bookmark it")).clicked() {
            cx.send(AppCommand::Seek(step));
            cx.send(AppCommand::ToggleBookmark);
            ui.close();
        }
        copy(ui, tr!(cx, "Copy its text"), text.to_owned());
        actions(cx, ui, &[Action::NextFault, Action::NextExit, Action::Tab(super::view::Tab::Why)]);
    });
}

fn copy(ui: &mut Ui, name: &str, text: String) {
    if ui.button(name).clicked() {
        ui.ctx().copy_text(text);
        ui.close();
    }
}
