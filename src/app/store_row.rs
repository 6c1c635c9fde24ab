//! A store of any bytes to any place, and a load: below what the tab Inspect edits.
//!
//! Straight to physical memory it is what a kernel does through a mapping outside the tables in view;
//! through the page tables it is a store of the composer's user or kernel.

use egui::{Button, Color32, Id, RichText, Role, Stroke, Ui, WidgetInfo};

use super::theme;
use super::view::{AppCommand, Composer, Selection, ViewCx};
use super::widgets::{HexField, button, caption, hex_field, primary_button, segmented};
use crate::arch::address::Num;
use crate::arch::{Gpa, Gva, Mode, pdpte};
use crate::machine::Command;
use crate::machine::command::Size;
use crate::tr;

/// Width of the labels of the fields, in points.
const LABEL: f32 = 64.0;

/// What is typed and not yet stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Draft {
    /// What it was begun for: another selection begins another one.
    of: (Selection, Gva),
    /// Through the page tables.
    linear: bool,
    at: u64,
    value: u64,
    size: Size,
    open: bool,
}

impl Draft {
    fn of(cx: &ViewCx<'_>) -> Self {
        let selection = cx.view.selection;
        let linear = selection == Selection::None;
        let size = Size::new(cx.machine.cpu.mode().entry_size()).unwrap_or(Size::WORD);
        let open = matches!(selection, Selection::None | Selection::Page(_));
        let mut draft = Self { of: key(cx), linear, at: 0, value: 0, size, open };
        draft.at = draft.place(cx);
        draft
    }

    /// Where a store of this kind begins to be composed: at what is selected, at the composed address.
    fn place(&self, cx: &ViewCx<'_>) -> u64 {
        if self.linear {
            return cx.view.composer.va.0;
        }
        match cx.view.selection {
            Selection::Entry { gpa, .. } => gpa.0,
            Selection::Table { base, .. } => base.0,
            Selection::Page(gfn) => gfn.base().0,
            Selection::PdpteRegister(index) => {
                let cpu = &cx.machine.cpu;
                pdpte::address(Mode::Pae.root(cpu.regs.cr3, cpu.model.maxphyaddr), index).0
            }
            Selection::None | Selection::Shadow(_) | Selection::Spte(_) => cx.machine.cpu.paging.root.0,
        }
    }

    const fn store(&self, composer: &Composer) -> Command {
        let (val, size) = (Num(self.value), self.size);
        match self.linear {
            true => Command::Write { va: Gva(self.at), val, size, user: composer.user, ac: composer.ac },
            false => Command::Poke { pa: Gpa(self.at), val, size },
        }
    }

    const fn load(&self, composer: &Composer) -> Command {
        Command::Read { va: Gva(self.at), size: self.size, user: composer.user, ac: composer.ac }
    }
}

const fn key(cx: &ViewCx<'_>) -> (Selection, Gva) {
    (cx.view.selection, cx.view.composer.va)
}

/// Draws the row: a line that opens it, and the fields.
pub fn store_row_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let id = Id::unique("store row");
    let known = ui.data(|data| data.get_temp::<Draft>(id)).filter(|draft| draft.of == key(cx));
    let mut draft = known.unwrap_or_else(|| Draft::of(cx));
    let (sign, name) = (if draft.open { "▾" } else { "▸" }, tr!(cx, "Store to memory"));
    let text = RichText::new(format!("{sign} {name}")).color(cx.tokens.guest.text);
    let head = Button::new(text).fill(Color32::TRANSPARENT).stroke(Stroke::NONE).min_size(theme::button_size(ui));
    let head = ui.add(head);
    head.widget_info(|| WidgetInfo::selected(Role::Button, true, draft.open, name));
    if head.clicked() {
        draft.open = !draft.open;
    }
    if draft.open {
        fields_ui(cx, ui, &mut draft);
    }
    ui.data_mut(|data| data.insert_temp(id, draft));
}

fn fields_ui(cx: &ViewCx<'_>, ui: &mut Ui, draft: &mut Draft) {
    let t = cx.tokens;
    let ways = [(false, tr!(cx, "physical")), (true, tr!(cx, "linear"))];
    labelled(cx, ui, tr!(cx, "address"), |ui| {
        if let Some(linear) = segmented(ui, t, tr!(cx, "Address of the store"), &ways, draft.linear) {
            draft.linear = linear;
            draft.at = draft.place(cx);
        }
    });
    labelled(cx, ui, "", |ui| number_ui(cx, ui, tr!(cx, "Store at"), &mut draft.at));
    labelled(cx, ui, tr!(cx, "value"), |ui| number_ui(cx, ui, tr!(cx, "Value to store"), &mut draft.value));
    let sizes = [1_u64, 2, 4, 8].map(|bytes| (bytes, ["1", "2", "4", "8"][bytes.trailing_zeros() as usize]));
    labelled(cx, ui, tr!(cx, "bytes"), |ui| {
        let chosen = segmented(ui, t, tr!(cx, "Bytes to store"), &sizes, u64::from(draft.size));
        draft.size = chosen.and_then(Size::new).unwrap_or(draft.size);
    });
    labelled(cx, ui, "", |ui| {
        if primary_button(ui, t, tr!(cx, "Store")).clicked() {
            cx.send(AppCommand::Run(draft.store(&cx.view.composer)));
        }
        if draft.linear && button(ui, tr!(cx, "Load")).clicked() {
            cx.send(AppCommand::Run(draft.load(&cx.view.composer)));
        }
    });
    let who = match (draft.linear, cx.view.composer.user) {
        (false, _) => tr!(cx, "A store of the kernel straight to this memory, beside the tables in view."),
        (true, true) => tr!(cx, "Through the page tables, as user code: chosen beside Access."),
        (true, false) => tr!(cx, "Through the page tables, as the kernel: chosen beside Access."),
    };
    ui.add(egui::Label::new(RichText::new(who).color(t.weak)).wrap());
}

fn labelled(cx: &ViewCx<'_>, ui: &mut Ui, label: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        let left = ui.cursor().left();
        caption(ui, cx.tokens, label);
        ui.add_space((left + LABEL - ui.cursor().left()).max(0.0));
        add(ui);
    });
}

fn number_ui(cx: &ViewCx<'_>, ui: &mut Ui, name: &str, number: &mut u64) {
    match hex_field(ui, cx.tokens, name, *number, 206.0) {
        HexField::Changed(value) | HexField::Entered(value) => *number = value,
        HexField::Wrong(reason) => cx.send(AppCommand::Notice(reason)),
        HexField::Quiet => {}
    }
}
