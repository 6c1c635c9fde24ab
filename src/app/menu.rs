//! Context menus: what can be done with the thing under the pointer. The items that are no actions of
//! their own act on that thing.

use egui::{Id, Key, Modifiers, Popup, Response, RichText, SetOpenCommand, Ui};

use super::actions::Action;
use super::focus;
use super::stage::lower::TableId;
use super::view::{AppCommand, Selection, ViewCx};
use crate::arch::address::{Num, bits};
use crate::arch::entry::{A, D, P, RW, US, XD};
use crate::arch::{Gfn, Gpa, Gva, Level, Mode};
use crate::engine::AnyVm;
use crate::engine::shadow::{PageId, SpteRef};
use crate::explain::{Since, address, last_change};
use crate::machine::Command;
use crate::machine::command::{MapSize, Size};
use crate::tr;

/// The menu of a thing: at the pointer after a secondary click, below the thing after the menu key or
/// Shift+F10 while it has the keyboard, and then with the keyboard on its first item.
pub fn open(response: &Response, add: impl FnOnce(&mut Ui)) {
    let ctx = response.ctx.clone();
    let pressed = |input: &mut egui::InputState| {
        input.consume_key(Modifiers::SHIFT, Key::F10) || input.consume_key(Modifiers::NONE, Key::Menu)
    };
    let by_key = response.has_focus() && ctx.input_mut(pressed);
    let keyed = Id::unique("menu: opened by key");
    let mut popup = Popup::context_menu(response);
    // In its first pass a menu finds its size, and nothing in it can have the keyboard.
    let first = Id::unique("menu: first item");
    if by_key {
        ctx.data_mut(|data| data.insert_temp(keyed, response.id));
        ctx.data_mut(|data| data.insert_temp(first, response.id));
        popup = popup.open_memory(Some(SetOpenCommand::Bool(true)));
    } else if response.secondary_clicked() {
        ctx.data_mut(|data| data.remove::<Id>(keyed));
    }
    if ctx.data(|data| data.get_temp::<Id>(keyed)) == Some(response.id) {
        popup = popup.at_position(response.rect.left_bottom());
    }
    popup.show(|ui| {
        focus::menu_ui(ui, add);
        let waits = ui.data(|data| data.get_temp::<Id>(first)) == Some(response.id);
        if waits && focus::give_to_first(ui.ctx(), ui.layer_id()) {
            ui.data_mut(|data| data.remove::<Id>(first));
        }
    });
}

/// An item of a menu.
fn item(cx: &ViewCx<'_>, ui: &mut Ui, text: impl Into<String>, command: AppCommand) {
    if ui.add(egui::Button::new(text.into())).clicked() {
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
    open(response, |ui| {
        let EntryTarget { level, gpa, value, frame, leaf } = entry;
        if ui.button(tr!(cx, "Edit its bits")).clicked() {
            cx.send(AppCommand::Select(Selection::Entry { level: level.0, gpa }));
            Action::Tab(super::view::Tab::Inspect).send(cx);
            ui.close();
        }
        let mode = cx.machine.cpu.mode();
        let size = Size::new(mode.entry_size()).unwrap_or(Size::WORD);
        let flags = [(P, "P"), (RW, "R/W"), (US, "U/S"), (A, "A"), (D, "D"), (XD, "XD")];
        let count = match mode {
            Mode::Pae if level == crate::arch::pdpte::LEVEL => 1,
            // An entry of 4 bytes has no bit 63.
            Mode::Off | Mode::Bits32 => flags.len() - 1,
            _ => flags.len(),
        };
        // Only an entry that maps a page has a D: in others the bit is ignored.
        for (bit, name) in flags[..count].iter().filter(|(bit, _)| leaf || *bit != D) {
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
        let bytes = mode.entry_size() as u32;
        origin(cx, ui, |vm| vm.machine().memory.read(gpa, bytes) & !(A | D));
        copy(cx, ui, tr!(cx, "Copy its value"), crate::explain::hex(value));
        copy(cx, ui, tr!(cx, "Copy its address"), crate::explain::hex(gpa.0));
        invlpg(cx, ui, served(cx, ui, level, gpa));
        actions(cx, ui, &[Action::Access, Action::Deselect]);
    });
}

/// The first linear address that an entry in memory serves: that of the path in view, where its table is one of
/// the path.
fn served(cx: &ViewCx<'_>, ui: &Ui, level: Level, entry: Gpa) -> Option<Gva> {
    let mode = cx.machine.cpu.mode();
    let path = super::stage::path_in_view(cx, ui);
    let hop = path.hops.iter().find(|hop| {
        let bytes = (mode.entries(level) as u64) << mode.entry_shift();
        hop.level == level && (hop.table.0..hop.table.0 + bytes).contains(&entry.0)
    })?;
    let (high, _) = mode.index_range(level);
    let above = path.gva.0 & !bits(0, high);
    let va = above | ((entry.0 - hop.table.0) >> mode.entry_shift()) << mode.index_shift(level);
    // The highest bit that counts is repeated above it.
    let unused = u64::BITS - mode.linear_width();
    let va = if mode.is_long() { (va << unused).cast_signed().wrapping_shr(unused).cast_unsigned() } else { va };
    Some(Gva(va))
}

/// INVLPG of what a thing serves; where no address is known, of the composed one.
fn invlpg(cx: &ViewCx<'_>, ui: &mut Ui, va: Option<Gva>) {
    ui.separator();
    match va {
        Some(va) => {
            let text = tr!(cx, "INVLPG {address}", address = address("GVA", va.0));
            item(cx, ui, text, AppCommand::Run(Command::Invlpg { va }));
        }
        None => {
            if ui.button(Action::Invlpg.text(cx.language())).clicked() {
                Action::Invlpg.send(cx);
                ui.close();
            }
        }
    }
}

/// The menu of a table in guest memory.
pub fn table_menu(cx: &ViewCx<'_>, response: &Response, level: Level, base: Gpa) {
    open(response, |ui| {
        item(cx, ui, tr!(cx, "Select it"), AppCommand::Select(Selection::Table { level: level.0, base }));
        item(cx, ui, tr!(cx, "List every entry, or fold them"), AppCommand::ToggleFull(base));
        item(cx, ui, tr!(cx, "Show its page"), AppCommand::Select(Selection::Page(base.gfn())));
        copy(cx, ui, tr!(cx, "Copy its address"), crate::explain::hex(base.0));
        actions(cx, ui, &[Action::LoadCr3, Action::FlushAll, Action::Deselect]);
    });
}

/// Why a thing is as it is: selects it and opens the tab.
fn why(cx: &ViewCx<'_>, ui: &mut Ui, selection: Selection) {
    if ui.add(egui::Button::new(tr!(cx, "Why is it so?"))).clicked() {
        cx.send(AppCommand::Select(selection));
        cx.send(AppCommand::OpenTab(super::view::Tab::Why));
        ui.close();
    }
}

/// To the command that made something as it is, if the history tells.
fn origin<T: PartialEq>(cx: &ViewCx<'_>, ui: &mut Ui, probe: impl Fn(&AnyVm) -> T) {
    // The history is searched on the click, not while the menu is open.
    if ui.add(egui::Button::new(tr!(cx, "Go to the command that made it so"))).clicked() {
        let lab = &cx.session.lab;
        match last_change(lab, lab.cursor(), probe) {
            // One is there already, and nothing would move.
            Since::Step(step) if step == lab.cursor() => {
                cx.send(AppCommand::Said(tr!(cx, "The command in focus made it so").to_owned()));
            }
            Since::Start if lab.cursor() == 0 => {
                cx.send(AppCommand::Said(tr!(cx, "It is so from the start").to_owned()));
            }
            Since::Step(step) => cx.send(AppCommand::Seek(step)),
            Since::Start => cx.send(AppCommand::ToStart),
            Since::Long => {
                cx.send(AppCommand::Notice(tr!(cx, "It has been so for longer than is searched").to_owned()))
            }
        }
        ui.close();
    }
}

/// The menu of a shadow entry.
pub fn spte_menu(cx: &ViewCx<'_>, response: &Response, at: SpteRef) {
    let AnyVm::Shadow(vm) = cx.vm else { return };
    let Some(page) = vm.engine.pool.get(at.page) else { return };
    let value = page.spt[usize::from(at.index)];
    open(response, |ui| {
        why(cx, ui, Selection::Spte(at));
        item(cx, ui, tr!(cx, "Select it"), AppCommand::Select(Selection::Spte(at)));
        item(cx, ui, tr!(cx, "Select its shadow page"), AppCommand::Select(Selection::Shadow(at.page)));
        if let Some(gpa) = vm.mirrored_entry(at) {
            let entry = Selection::Entry { level: page.role.level, gpa };
            item(cx, ui, tr!(cx, "Select the guest entry that it mirrors"), AppCommand::Select(entry));
        }
        origin(cx, ui, |vm| match vm {
            AnyVm::Shadow(vm) => vm.engine.pool.get(at.page).map(|page| page.spt[usize::from(at.index)]),
            AnyVm::Native(_) | AnyVm::TwoDim(_) => None,
        });
        copy(cx, ui, tr!(cx, "Copy its value"), crate::explain::hex(value));
        let place = at.page.frame().base().0 + 8 * u64::from(at.index);
        copy(cx, ui, tr!(cx, "Copy its address"), crate::explain::hex(place));
        let mirrored = vm.mirrored_entry(at).and_then(|gpa| served(cx, ui, Level(page.role.level), gpa));
        invlpg(cx, ui, mirrored);
        actions(cx, ui, &[Action::Access, Action::Deselect]);
    });
}

/// The menu of a shadow page.
pub fn shadow_menu(cx: &ViewCx<'_>, response: &Response, id: PageId) {
    let AnyVm::Shadow(vm) = cx.vm else { return };
    let Some(page) = vm.engine.pool.get(id) else { return };
    open(response, |ui| {
        item(cx, ui, tr!(cx, "Select it"), AppCommand::Select(Selection::Shadow(id)));
        if !page.role.direct {
            let table = Selection::Table { level: page.role.level, base: page.gfn.base() };
            item(cx, ui, tr!(cx, "Select the guest table that it shadows"), AppCommand::Select(table));
        }
        item(cx, ui, tr!(cx, "List every entry, or fold them"), AppCommand::ToggleFullLower(TableId::Shadow(id)));
        origin(cx, ui, |vm| match vm {
            AnyVm::Shadow(vm) => vm.engine.pool.get(id).map(|page| (page.gfn, page.role)),
            AnyVm::Native(_) | AnyVm::TwoDim(_) => None,
        });
        copy(cx, ui, tr!(cx, "Copy its address"), crate::explain::hex(id.frame().base().0));
        actions(cx, ui, &[Action::LoadCr3, Action::NextExit, Action::Deselect]);
    });
}

/// The menu of a row of the TLB or of the paging-structure caches; `select` is what it leads to.
pub fn cached_menu(cx: &ViewCx<'_>, response: &Response, select: Option<Selection>, text: &str) {
    open(response, |ui| {
        if let Some(selection) = select {
            item(cx, ui, tr!(cx, "Select what it leads to"), AppCommand::Select(selection));
        }
        copy(cx, ui, tr!(cx, "Copy its text"), text.to_owned());
        actions(cx, ui, &[Action::Invlpg, Action::FlushAll, Action::LoadCr3]);
    });
}

/// The menu of a page of guest memory, or of the host frame behind it.
pub fn page_menu(cx: &ViewCx<'_>, response: &Response, gfn: Gfn) {
    open(response, |ui| {
        item(cx, ui, tr!(cx, "Show its page"), AppCommand::Select(Selection::Page(gfn)));
        let va = cx.machine.cpu.mode().linear(cx.view.composer.va);
        let map = Command::Map { va: Gva(va.0 & !0xfff), pa: gfn.base(), size: MapSize::Kib4, flags: RW | US };
        item(cx, ui, tr!(cx, "Map the composed address here"), AppCommand::Run(map));
        copy(cx, ui, tr!(cx, "Copy its address"), crate::explain::hex(gfn.base().0));
        actions(cx, ui, &[Action::Access, Action::Deselect]);
    });
}

/// The menu of the PDPTE registers.
pub fn register_menu(cx: &ViewCx<'_>, response: &Response, index: usize, memory: Gpa) {
    open(response, |ui| {
        origin(cx, ui, |vm| vm.machine().cpu.pdptes[index]);
        copy(cx, ui, tr!(cx, "Copy its value"), crate::explain::hex(cx.machine.cpu.pdptes[index]));
        item(cx, ui, tr!(cx, "Show the register"), AppCommand::Select(Selection::PdpteRegister(index)));
        let entry = Selection::Entry { level: crate::arch::pdpte::LEVEL.0, gpa: memory };
        item(cx, ui, tr!(cx, "Edit its memory"), AppCommand::Select(entry));
        invlpg(cx, ui, Some(Gva((index as u64) << Mode::Pae.index_shift(crate::arch::pdpte::LEVEL))));
        actions(cx, ui, &[Action::LoadCr3, Action::Access]);
    });
}

/// The menu of a command or event of the log.
pub fn event_menu(cx: &ViewCx<'_>, response: &Response, step: usize, event: Option<usize>, text: &str) {
    open(response, |ui| {
        if ui.add(egui::Button::new(tr!(cx, "Go there"))).clicked() {
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
        copy(cx, ui, tr!(cx, "Copy its text"), text.to_owned());
        actions(cx, ui, &[Action::NextFault, Action::NextExit, Action::Tab(super::view::Tab::Why)]);
    });
}

fn copy(cx: &ViewCx<'_>, ui: &mut Ui, name: &str, text: String) {
    if ui.button(name).clicked() {
        cx.send(AppCommand::Said(tr!(cx, "On the clipboard: {text}", text = crate::names::shown(&text, 80))));
        ui.ctx().copy_text(text);
        ui.close();
    }
}
