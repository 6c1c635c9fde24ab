//! The entry editor: the tab Inspect of the drawer.
//!
//! Every bit of the selected entry as a cell, a switch or a field. A change is an ordinary guest
//! store at the cursor; hovering a bit tells beforehand what it would do to the composed access.

mod cells; // the bits
mod fields; // which bit is what
mod tryout; // what a flipped bit would do

use egui::{Id, Response, RichText, Role as AccessRole, Sense, TextEdit, Ui, WidgetInfo, vec2};

use super::focus::{self, Wanted};
use super::theme::{TEXT, bold, mono, plain};
use super::view::{AppCommand, Selection, ViewCx};
use crate::arch::address::{Num, PAGE_SIZE};
use crate::arch::walk::TableMemory;
use crate::arch::{Cr0, Efer, Gfn, Gpa, Level, Mode, pdpte};
use crate::explain;
use crate::machine::Command;
use crate::machine::command::Size;
use crate::tr;
use fields::{Field, Format};
use tryout::Consequence;

/// Height of a switch with its name, in points.
const SWITCH_HEIGHT: f32 = 26.0;
/// An entry has so many flags at most.
const MOST_SWITCHES: usize = 12;
/// Between two parts, in points.
const GAP: f32 = 8.0;
/// Between the bits and the switches, in points more.
const ABOVE_SWITCHES: f32 = 2.0;
/// Size of a title, in points.
const HEAD: f32 = 15.0;
/// What a bit would do has so many rows, also while there is less to say.
const CONSEQUENCE_ROWS: f32 = 2.0;

/// The entry in the editor.
#[derive(Clone)]
struct Subject {
    title: String,
    gpa: Gpa,
    value: u64,
    /// Its value before the command in focus.
    old: u64,
    format: Format,
    size: Size,
}

impl Subject {
    fn new(cx: &ViewCx<'_>, level: Level, gpa: Gpa) -> Self {
        let cpu = &cx.machine.cpu;
        let mode = cpu.mode();
        let shift = mode.entry_shift();
        let value = cx.machine.memory.read_entry(gpa, shift);
        let nxe = cpu.regs.efer.contains(Efer::NXE) && cpu.regs.cr0.contains(Cr0::PG);
        let format = Format::of(mode, level, value, &cpu.model, cpu.regs.cr4, nxe);
        let (base, index) = if format.is_pdpte() {
            let base = Gpa(gpa.0 & !(pdpte::TABLE_BYTES - 1));
            (base, (gpa.0 - base.0) >> 3)
        } else {
            let base = gpa.gfn().base();
            (base, (gpa.0 - base.0) >> shift)
        };
        Self {
            title: format!("{} {} [{index}]", Mode::table_name(level), explain::hex(base.0)),
            gpa,
            value,
            old: cx.before.memory.read_entry(gpa, shift),
            format,
            size: Size::new(mode.entry_size()).unwrap_or(Size::WORD),
        }
    }

    fn store(&self, value: u64) -> Command {
        Command::Poke { pa: self.gpa, val: Num(value), size: self.size }
    }

    fn digits(&self) -> usize {
        self.format.width() as usize / 4
    }
}

/// How high the editor of the largest entry is down to its value in hex, in points: what is pressed, and what it
/// would do, in sight at once.
pub fn height(ui: &Ui) -> f32 {
    let row = |font| ui.fonts_mut(|fonts| fonts.row_height(&font)).ceil();
    let switches = MOST_SWITCHES.div_ceil(2) as f32 * super::theme::wide(ui, SWITCH_HEIGHT);
    let parts = [row(bold(HEAD)), cells::height(ui, 64), switches, consequence_height(ui), super::theme::control(ui)];
    parts.iter().sum::<f32>() + parts.len() as f32 * GAP + ABOVE_SWITCHES
}

/// Draws the editor of what is selected in the room that `ui` has.
pub fn entry_editor_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.spacing_mut().item_spacing = vec2(8.0, GAP);
    subject_ui(cx, ui);
}

fn subject_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    match cx.view.selection {
        Selection::PdpteRegister(index) => register_ui(cx, ui, index),
        Selection::Page(gfn) => page_ui(cx, ui, gfn),
        Selection::Shadow(page) => super::role_card::page_ui(cx, ui, page),
        Selection::Spte(at) => super::role_card::spte_ui(cx, ui, at),
        Selection::Entry { level, gpa } => edit_ui(cx, ui, &Subject::new(cx, Level(level), gpa)),
        Selection::Table { level, base } => {
            let mode = cx.machine.cpu.mode();
            let index = mode.index(Level(level), mode.linear(cx.view.composer.va)) as u64;
            edit_ui(cx, ui, &Subject::new(cx, Level(level), base.offset(index << mode.entry_shift())));
        }
        Selection::None => match leaf_of_walk(cx, ui) {
            Some((level, gpa)) => edit_ui(cx, ui, &Subject::new(cx, level, gpa)),
            None => {
                let words = tr!(cx, "Nothing is selected. Click an entry of a table on the stage to edit its bits.");
                ui.label(RichText::new(words).color(cx.tokens.weak));
            }
        },
    }
}

/// The last entry on the path that the stage shows.
fn leaf_of_walk(cx: &ViewCx<'_>, ui: &Ui) -> Option<(Level, Gpa)> {
    super::stage::path_in_view(cx, ui).hops.last().map(|hop| (hop.level, hop.gpa))
}

fn edit_ui(cx: &ViewCx<'_>, ui: &mut Ui, subject: &Subject) {
    head(cx, ui, &subject.title, &explain::address("GPA", subject.gpa.0));
    if subject.format.mode == Mode::Off {
        ui.label(RichText::new(tr!(cx, "Paging is off: no walk reads this word.")).color(cx.tokens.weak));
    }
    let mut hovered = cells::cells_ui(cx, ui, subject);
    ui.add_space(ABOVE_SWITCHES);
    hovered = switches_ui(cx, ui, subject).or(hovered);
    consequence_ui(cx, ui, subject, hovered);
    hex_ui(cx, ui, subject);
    frame_ui(cx, ui, subject);
    if subject.format.has_key() {
        key_ui(cx, ui, subject);
    }
}

fn head(cx: &ViewCx<'_>, ui: &mut Ui, title: &str, place: &str) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(title).font(bold(HEAD)).color(cx.tokens.strong));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.label(RichText::new(place).font(mono(TEXT)).color(cx.tokens.weak));
        });
    });
}

/// The flags as switches in two columns; the one under the pointer.
fn switches_ui(cx: &ViewCx<'_>, ui: &mut Ui, subject: &Subject) -> Option<u32> {
    let flags = subject.format.flags();
    let (lines, height) = (flags.len().div_ceil(2) as f32, super::theme::wide(ui, SWITCH_HEIGHT));
    let (room, _) = ui.allocate_exact_size(vec2(ui.available_width(), lines * height), Sense::hover());
    let mut hovered = None;
    for (i, flag) in flags.iter().enumerate() {
        let at = room.min + vec2((i % 2) as f32 * 0.5 * room.width(), (i / 2) as f32 * height);
        let rect = egui::Rect::from_min_size(at, vec2(0.5 * room.width() - 4.0, height));
        let response = switch_ui(cx, ui, subject, flag, rect);
        if response.hovered() || response.has_focus() {
            hovered = Some(flag.low);
        }
        if response.clicked() {
            cx.send(AppCommand::Run(subject.store(subject.value ^ 1 << flag.low)));
        }
    }
    hovered
}

fn switch_ui(cx: &ViewCx<'_>, ui: &Ui, subject: &Subject, flag: &Field, rect: egui::Rect) -> Response {
    let t = cx.tokens;
    let on = subject.value >> flag.low & 1 != 0;
    let response = ui.interact(rect, ui.scope_id().with(("flag", flag.name)), Sense::click());
    let meaning = cx.tr(flag.words);
    let name = format!("{} {meaning}", flag.name);
    response.widget_info(|| WidgetInfo::selected(AccessRole::Switch, true, on, &name));
    let painter = ui.painter();
    let track = egui::Rect::from_center_size(egui::pos2(rect.left() + 17.0, rect.center().y), vec2(30.0, 16.0));
    let part = ui.ctx().animate_bool_responsive(response.id, on);
    painter.rect_filled(track, egui::CornerRadius::same(8), t.cell_used.lerp_to_gamma(t.primary, part));
    let knob = egui::lerp(track.left() + 8.0..=track.right() - 8.0, part);
    painter.circle_filled(egui::pos2(knob, track.center().y), 6.0, t.panel.lerp_to_gamma(t.on_primary, part));
    let changed = (subject.value ^ subject.old) >> flag.low & 1 != 0;
    let strong = if changed { t.changed.text } else { t.strong };
    let at = egui::pos2(track.right() + 8.0, rect.center().y);
    let shown = painter.text(at, egui::Align2::LEFT_CENTER, flag.name, bold(TEXT), strong);
    let at = egui::pos2(shown.right() + 6.0, rect.center().y);
    let weak = if response.hovered() { t.text } else { t.weak };
    let words = painter.layout_no_wrap(meaning.to_owned(), plain(13.0), weak);
    // The accessible name has the words in any case.
    if at.x + words.size().x <= rect.right() {
        painter.galley(at - vec2(0.0, 0.5 * words.size().y), words, weak);
    }
    response
}

/// A text field for a number: Enter or leaving it gives the number, if it is one.
fn number_field(ui: &mut Ui, id: Id, current: &str, name: &str, width: f32) -> Option<u64> {
    let mut text = ui.data_mut(|data| data.get_temp::<(String, String)>(id)).filter(|(of, _)| of == current);
    let buffer = &mut text.get_or_insert_with(|| (current.to_owned(), current.to_owned())).1;
    let edit = TextEdit::singleline(buffer).id(id.with("field")).font(mono(13.0)).desired_width(width);
    let touch = super::theme::is_touch(ui.ctx());
    let edit =
        if touch { edit.align(egui::Align2::LEFT_CENTER).min_size(vec2(width, super::theme::TOUCH)) } else { edit };
    let response = ui.add(edit).accessible_name(name);
    let given = buffer.clone();
    // What assistive technology puts into the field is given at once: there is no keyboard to leave it with.
    let done = response.lost_focus() || response.changed() && !response.has_focus();
    if done {
        ui.data_mut(|data| data.remove::<(String, String)>(id));
    } else {
        ui.data_mut(|data| data.insert_temp(id, (current.to_owned(), given.clone())));
    }
    let number = u64::from_str_radix(given.trim().trim_start_matches("0x").replace('_', "").as_str(), 16).ok()?;
    (done && given != current && !super::widgets::is_given_up(ui, &response)).then_some(number)
}

fn hex_ui(cx: &ViewCx<'_>, ui: &mut Ui, subject: &Subject) {
    let current = format!("0x{}", explain::hex_digits(subject.value, subject.digits()));
    ui.horizontal_wrapped(|ui| {
        let id = Id::unique(("entry editor: value", subject.gpa.0));
        let width = if subject.format.width() == 64 { 186.0 } else { 120.0 };
        if let Some(value) = number_field(ui, id, &current, tr!(cx, "Value of the entry in hex"), width) {
            let value = if subject.format.width() == 32 { value & 0xffff_ffff } else { value };
            cx.send(AppCommand::Run(subject.store(value)));
        }
        if subject.old != subject.value {
            let old = tr!(cx, "was\u{a0}{value}", value = explain::hex(subject.old));
            ui.label(RichText::new(old).font(mono(13.0)).color(cx.tokens.changed.text));
        }
    });
}

fn frame_ui(cx: &ViewCx<'_>, ui: &mut Ui, subject: &Subject) {
    let frame = Gpa(subject.value & subject.format.frame);
    let current = format!("0x{:x}", frame.gfn().0);
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(tr!(cx, "frame")).color(cx.tokens.weak));
        let id = Id::unique(("entry editor: frame", subject.gpa.0));
        if let Some(gfn) = number_field(ui, id, &current, tr!(cx, "Frame number in hex"), 92.0) {
            let value = subject.format.with_frame(subject.value, Gfn(gfn).base());
            cx.send(AppCommand::Run(subject.store(value)));
        }
        let (what, below) = if subject.format.leaf {
            (tr!(cx, "page"), Selection::Page(frame.gfn()))
        } else {
            let level = subject.format.level.0.saturating_sub(1);
            (Mode::table_name(Level(level)), Selection::Table { level, base: frame })
        };
        let tip = tr!(cx, "Select the {place} that it leads to", place = what);
        if ui.button(format!("→ {what}")).on_hover_text(&tip).accessible_name(tip).clicked() {
            cx.send(AppCommand::Select(below));
        }
    });
}

fn key_ui(cx: &ViewCx<'_>, ui: &mut Ui, subject: &Subject) {
    let key = crate::arch::entry::protection_key(subject.value);
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!(cx, "protection key")).color(cx.tokens.weak));
        let set = |key: u8| {
            let cleared = subject.value & !(0xf << crate::arch::entry::KEY_SHIFT);
            let value = cleared | u64::from(key & 0xf) << crate::arch::entry::KEY_SHIFT;
            cx.send(AppCommand::Run(subject.store(value)));
        };
        if small_button(ui, "−").accessible_name(tr!(cx, "Protection key one less")).clicked() {
            set(key.wrapping_sub(1));
        }
        ui.label(RichText::new(format!("{key:2}")).font(mono(TEXT)).color(cx.tokens.strong));
        if small_button(ui, "+").accessible_name(tr!(cx, "Protection key one more")).clicked() {
            set(key.wrapping_add(1));
        }
    });
}

fn small_button(ui: &mut Ui, sign: &str) -> Response {
    if super::theme::is_touch(ui.ctx()) { super::widgets::button(ui, sign) } else { ui.small_button(sign) }
}

fn consequence_height(ui: &Ui) -> f32 {
    CONSEQUENCE_ROWS * ui.fonts_mut(|fonts| fonts.row_height(&plain(TEXT))).ceil()
}

/// What the hovered bit would do; the line keeps its place when nothing is hovered.
fn consequence_ui(cx: &ViewCx<'_>, ui: &mut Ui, subject: &Subject, hovered: Option<u32>) {
    let t = cx.tokens;
    let broken = fields::broken_bits(&subject.format, subject.value);
    let (text, color) = match hovered {
        None if broken != 0 => {
            let (bits, why) =
                (explain::bit_list(broken, cx.language()), cx.tr(fields::reserved_means(&subject.format)));
            (tr!(cx, "{what}: {why}", what = bits, why = why), t.fault.text)
        }
        None => (tr!(cx, "Point at a bit to try flipping it").to_owned(), t.weak),
        Some(bit) => {
            let consequence = cached_consequence(cx, ui, subject, bit);
            let name = subject.format.field_of(bit).map_or("", |field| cx.tr(field.name));
            let then = consequence.words(cx.language());
            let color = if consequence.is_bad() { t.fault.text } else { t.text };
            let text = match subject.value >> bit & 1 != 0 {
                true => tr!(cx, "clearing bit {bit} ({name}): {then}", bit = bit, name = name, then = then),
                false => tr!(cx, "setting bit {bit} ({name}): {then}", bit = bit, name = name, then = then),
            };
            (text, color)
        }
    };
    let top = ui.cursor().top();
    ui.label(RichText::new(text).color(color));
    let used = ui.min_rect().bottom() - top;
    ui.add_space((consequence_height(ui) - used).max(0.0));
}

type TryKey = (Option<u32>, u64, u64, u32, super::view::Composer);

fn cached_consequence(cx: &ViewCx<'_>, ui: &Ui, subject: &Subject, bit: u32) -> Consequence {
    let lab = &cx.session.lab;
    let key: TryKey = (lab.node(lab.cursor()), subject.gpa.0, subject.value, bit, cx.view.composer);
    let id = Id::unique("entry editor: what a bit would do");
    if let Some((seen, known)) = ui.data(|data| data.get_temp::<(TryKey, Consequence)>(id))
        && seen == key
    {
        return known;
    }
    let (access, value) = (cx.view.composer.command(), subject.value ^ 1 << bit);
    let found = tryout::consequence(lab.vm(), &access, subject.gpa, value, subject.size, subject.format.is_pdpte());
    ui.data_mut(|data| data.insert_temp(id, (key, found.clone())));
    found
}

/// A PDPTE register: it cannot be stored to, only loaded.
fn register_ui(cx: &ViewCx<'_>, ui: &mut Ui, index: usize) {
    let machine = cx.machine;
    let index = index.min(pdpte::COUNT - 1);
    let (register, root) =
        (machine.cpu.pdptes[index], Mode::Pae.root(machine.cpu.regs.cr3, machine.cpu.model.maxphyaddr));
    let gpa = pdpte::address(root, index);
    let memory = machine.memory.read_u64(gpa);
    let t = cx.tokens;
    head(
        cx,
        ui,
        &tr!(cx, "PDPTE register {index}", index = index),
        &tr!(cx, "from {address}", address = explain::address("GPA", gpa.0)),
    );
    egui::Grid::new("register").num_columns(2).spacing(vec2(16.0, 6.0)).show(ui, |ui| {
        for (name, value, color) in [(tr!(cx, "register"), register, t.strong), (tr!(cx, "memory"), memory, t.text)] {
            ui.label(RichText::new(name).color(t.weak));
            let hex = format!("0x{}", explain::hex_digits(value, 16));
            ui.label(RichText::new(hex).font(mono(TEXT)).color(color));
            ui.end_row();
        }
    });
    let (words, color) = if machine.cpu.mode() != Mode::Pae {
        (tr!(cx, "Not used in this paging mode; it keeps its content."), t.weak)
    } else if register == memory {
        (tr!(cx, "Register and memory agree."), t.shadow.text)
    } else {
        (tr!(cx, "STALE: walks use the register until the next load."), t.stale.text)
    };
    ui.label(RichText::new(words).color(color));
    let rule = tr!(cx, "No instruction stores to a PDPTE register. Edit its memory, then load all four with MOV CR3.");
    ui.label(RichText::new(rule).color(t.text));
    ui.horizontal(|ui| {
        let edit = ui.button(tr!(cx, "Edit its memory"));
        if focus::comes(ui.ctx(), Wanted::Bits) {
            edit.request_focus();
        }
        if edit.clicked() {
            cx.send(AppCommand::Select(Selection::Entry { level: pdpte::LEVEL.0, gpa }));
        }
        if ui.button(tr!(cx, "Load CR3")).on_hover_text(tr!(cx, "MOV CR3 with the value that it has")).clicked() {
            let val = Num(machine.cpu.regs.cr3);
            cx.send(AppCommand::Run(Command::MovCr3 { val, compat: false }));
        }
    });
}

/// A page of guest memory: its first words, and those that are not zero.
fn page_ui(cx: &ViewCx<'_>, ui: &mut Ui, gfn: Gfn) {
    const SHOWN: usize = 12;
    let t = cx.tokens;
    head(cx, ui, &tr!(cx, "Page gfn {gfn}", gfn = format!("0x{:05x}", gfn.0)), &explain::address("GPA", gfn.base().0));
    if cx.machine.slots.find(gfn).is_none() {
        ui.label(RichText::new(tr!(cx, "No memory slot holds this page.")).color(t.fault.text));
    }
    let Some(page) = cx.machine.memory.page(gfn) else {
        ui.label(RichText::new(tr!(cx, "All {count} bytes are zero.", count = PAGE_SIZE)).color(t.weak));
        return;
    };
    let used: Vec<(usize, u64)> = page.words().iter().copied().enumerate().filter(|(_, word)| *word != 0).collect();
    let count = used.len();
    egui::Grid::new("words").num_columns(2).spacing(vec2(16.0, 4.0)).show(ui, |ui| {
        for (i, word) in used.into_iter().take(SHOWN) {
            ui.label(RichText::new(format!("+{:03x}", 8 * i)).font(mono(TEXT)).color(t.weak));
            let gpa = gfn.base().offset(8 * i as u64);
            let changed = cx.before.memory.read_u64(gpa) != word;
            let color = if changed { t.changed.text } else { t.strong };
            let hex = explain::hex_digits(word, 16);
            ui.label(RichText::new(hex).font(mono(TEXT)).color(color));
            ui.end_row();
        }
    });
    let rest = match count {
        0 => tr!(cx, "All {count} bytes are zero.", count = PAGE_SIZE),
        1..=SHOWN => tr!(cx, "All other words are zero.").to_owned(),
        _ => tr!(cx, "{count} more words are not zero.", count = count - SHOWN),
    };
    ui.label(RichText::new(rest).color(t.weak));
}
