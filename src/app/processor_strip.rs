//! The processor strip: paging mode, control bits, CR3 and the access composer.
//!
//! Every control performs the instruction that it stands for; a refused one says which rule and
//! which bits refused it.

use egui::emath::TSTransform;
use egui::{Align, Layout, RichText, Ui};

use super::lesson::spot;
use super::theme;
use super::time::motion::Refused;
use super::view::{AppCommand, Composer, ViewCx};
use super::widgets::{HexField, button, caption, chip, hex_field, hex_field_width, primary_button, segmented};
use crate::arch::address::Num;
use crate::arch::{AccessKind, Cr0, Cr4, Efer, Features, Gva, Mode};
use crate::explain;
use crate::machine::Command;
use crate::{tr, word};

/// Between the groups of a row, in points.
const GROUP: f32 = 10.0;
/// Width of the field of CR3, in points.
const CR3_WIDTH: f32 = 148.0;
/// Width of the composer until its words are known, in points.
const COMPOSER_WIDTH: f32 = 654.0;

/// A control bit of the strip: its register, its mask, its name and what it does.
struct Bit {
    register: Register,
    mask: u64,
    name: &'static str,
    meaning: &'static str,
    /// The feature without which it is reserved.
    feature: Option<Features>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Register {
    Cr0,
    Cr4,
    Efer,
}

const fn bit(
    register: Register,
    mask: u64,
    name: &'static str,
    meaning: &'static str,
    feature: Option<Features>,
) -> Bit {
    Bit { register, mask, name, meaning, feature }
}

/// The bits in the order of the strip (SDM 3A 2.5, 4.1.3).
const BITS: [Bit; 13] = [
    bit(Register::Cr0, Cr0::PE.bits(), "PE", word!("protection enable"), None),
    bit(Register::Cr0, Cr0::PG.bits(), "PG", word!("paging"), None),
    bit(Register::Cr0, Cr0::WP.bits(), "WP", word!("write protect: the kernel obeys R/W"), None),
    bit(Register::Cr4, Cr4::PAE.bits(), "PAE", word!("physical-address extension: 8-byte entries"), None),
    bit(Register::Cr4, Cr4::PSE.bits(), "PSE", word!("4 MiB pages of 32-bit paging"), Some(Features::PSE)),
    bit(Register::Cr4, Cr4::PGE.bits(), "PGE", word!("global pages"), Some(Features::PGE)),
    bit(Register::Cr4, Cr4::PCIDE.bits(), "PCIDE", word!("process-context identifiers"), Some(Features::PCID)),
    bit(Register::Cr4, Cr4::SMEP.bits(), "SMEP", word!("the kernel must not execute user pages"), Some(Features::SMEP)),
    bit(Register::Cr4, Cr4::SMAP.bits(), "SMAP", word!("the kernel must not touch user pages"), Some(Features::SMAP)),
    bit(Register::Cr4, Cr4::PKE.bits(), "PKE", word!("protection keys of user pages"), Some(Features::PKU)),
    bit(Register::Cr4, Cr4::LA57.bits(), "LA57", word!("57-bit linear addresses"), Some(Features::LA57)),
    bit(Register::Efer, Efer::LME.bits(), "LME", word!("long-mode enable"), None),
    bit(Register::Efer, Efer::NXE.bits(), "NXE", word!("execute-disable: bit 63 of entries"), Some(Features::NX)),
];

/// How many control bits there are.
pub const BIT_COUNT: usize = BITS.len();

/// The name of a control bit, `CR4.SMEP`, and what it does.
pub fn bit_name(index: usize) -> (String, &'static str) {
    let bit = &BITS[index % BIT_COUNT];
    (format!("{}.{}", bit.register.name(), bit.name), bit.meaning)
}

/// The instruction that flips a control bit.
pub fn flip_bit(cx: &ViewCx<'_>, index: usize) -> Command {
    let bit = &BITS[index % BIT_COUNT];
    bit.register.write(bit.register.value(cx) ^ bit.mask)
}

impl Register {
    const fn name(self) -> &'static str {
        match self {
            Self::Cr0 => "CR0",
            Self::Cr4 => "CR4",
            Self::Efer => "EFER",
        }
    }

    fn value(self, cx: &ViewCx<'_>) -> u64 {
        let regs = &cx.machine.cpu.regs;
        match self {
            Self::Cr0 => regs.cr0.bits(),
            Self::Cr4 => regs.cr4.bits(),
            Self::Efer => regs.efer.bits(),
        }
    }

    /// The bits of it that a refused instruction wanted to change.
    const fn bits_of(self, refused: Refused) -> u64 {
        match (self, refused) {
            (Self::Cr0, Refused::Cr0(bits)) | (Self::Cr4, Refused::Cr4(bits)) | (Self::Efer, Refused::Efer(bits)) => {
                bits
            }
            _ => 0,
        }
    }

    /// The instruction that writes it.
    const fn write(self, value: u64) -> Command {
        let (val, compat) = (Num(value), false);
        match self {
            Self::Cr0 => Command::MovCr0 { val, compat },
            Self::Cr4 => Command::MovCr4 { val, compat },
            Self::Efer => Command::WrmsrEfer { val, compat },
        }
    }
}

/// How the strip is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Two rows, the composer at the right.
    Two,
    /// Rows that wrap where the window ends.
    Wrapped,
    /// Group under group.
    Narrow,
}

const REGISTERS: [Register; 3] = [Register::Cr0, Register::Cr4, Register::Efer];

/// Draws the strip.
pub fn processor_strip_ui(cx: &ViewCx<'_>, ui: &mut Ui, rows: Rows) {
    ui.spacing_mut().item_spacing = egui::vec2(5.0, 8.0);
    match rows {
        Rows::Two => two_rows_ui(cx, ui),
        Rows::Wrapped => wrapped_ui(cx, ui),
        Rows::Narrow => narrow_ui(cx, ui),
    }
}

fn two_rows_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.horizontal(|ui| {
        ui.set_min_height(theme::control(ui));
        spot(cx, ui, "mode", |ui| mode_ui(cx, ui));
        for register in REGISTERS {
            ui.add_space(GROUP);
            spot(cx, ui, &register.name().to_lowercase(), |ui| bits_ui(cx, ui, register));
        }
    });
    ui.horizontal(|ui| {
        ui.set_min_height(theme::control(ui));
        spot(cx, ui, "cr3", |ui| cr3_ui(cx, ui));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            composer_ui(cx, ui);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add_space(GROUP);
                if ui.available_width() > cr2_width(cx, ui) + GROUP {
                    spot(cx, ui, "cr2", |ui| cr2_ui(cx, ui));
                }
            });
        });
    });
}

fn wrapped_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    ui.horizontal(|ui| {
        mode_ui(cx, ui);
        ui.add_space(GROUP);
        cr3_ui(cx, ui);
    });
    ui.horizontal_wrapped(|ui| {
        for register in REGISTERS {
            bits_ui(cx, ui, register);
            ui.add_space(GROUP);
        }
    });
    ui.horizontal(|ui| composer_ui(cx, ui));
}

fn narrow_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    mode_ui(cx, ui);
    for register in REGISTERS {
        ui.horizontal_wrapped(|ui| bits_ui(cx, ui, register));
    }
    ui.horizontal_wrapped(|ui| cr3_ui(cx, ui));
    ui.horizontal_wrapped(|ui| address_ui(cx, ui));
    ui.horizontal_wrapped(|ui| kind_ui(cx, ui));
    ui.horizontal_wrapped(|ui| buttons_ui(cx, ui));
}

fn mode_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    caption(ui, cx.tokens, tr!(cx, "Paging"));
    let options = Mode::ALL.map(|mode| (mode, explain::mode(mode, cx.language())));
    if let Some(mode) = segmented(ui, cx.tokens, tr!(cx, "Paging"), &options, cx.machine.cpu.mode()) {
        cx.send(AppCommand::SwitchMode(mode));
    }
}

fn bits_ui(cx: &ViewCx<'_>, ui: &mut Ui, register: Register) {
    caption(ui, cx.tokens, register.name());
    let value = register.value(cx);
    for bit in BITS.iter().filter(|bit| bit.register == register) {
        let on = value & bit.mask != 0;
        let name = format!("{}.{}", register.name(), bit.name);
        let far = cx.motion.shake(|refused| register.bits_of(refused) & bit.mask != 0);
        let response = shaken(ui, far, |ui| chip(ui, cx.tokens, bit.name, on, &name));
        let absent = bit.feature.is_some_and(|feature| !cx.machine.cpu.model.has(feature));
        let meaning = cx.tr(bit.meaning);
        let mut hint = tr!(cx, "{name} = {value}: {meaning}.", name = name, value = u8::from(on), meaning = meaning);
        if absent {
            hint = format!("{hint}\n{}", tr!(cx, "This processor does not have it."));
        }
        if response.on_hover_text(hint).clicked() {
            cx.send(AppCommand::Run(register.write(value ^ bit.mask)));
        }
    }
}

fn cr3_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    caption(ui, cx.tokens, "CR3");
    let id = ui.scope_id().with("cr3 draft");
    let now = cx.machine.cpu.regs.cr3;
    // What was typed is for the value that was there: it goes with it, also where time later brings that value back.
    let draft = ui.data_mut(|data| {
        let draft = data.get_temp::<(u64, u64)>(id).filter(|(of, _)| *of == now);
        if draft.is_none() {
            data.remove::<(u64, u64)>(id);
        }
        draft.map(|(_, value)| value)
    });
    let value = draft.unwrap_or(now);
    let load = |value: u64| cx.send(AppCommand::Run(Command::MovCr3 { val: Num(value), compat: false }));
    match hex_field(ui, cx.tokens, "CR3", value, CR3_WIDTH) {
        HexField::Changed(value) => {
            ui.data_mut(|data| data.insert_temp(id, (now, value)));
        }
        HexField::Entered(value) => load(value),
        HexField::Wrong(reason) => cx.send(AppCommand::Notice(reason)),
        HexField::Quiet => {}
    }
    let hint = tr!(cx, "MOV CR3: also of the same value it counts, and loads the PDPTE registers under PAE paging");
    let far = cx.motion.shake(|refused| refused == Refused::Cr3);
    let response = shaken(ui, far, |ui| button(ui, tr!(cx, "Load CR3")));
    if response.on_hover_text(hint).clicked() {
        load(value);
    }
}

/// How wide [`cr2_ui`] is, in points.
fn cr2_width(cx: &ViewCx<'_>, ui: &Ui) -> f32 {
    let width = |text: String, font| ui.painter().layout_no_wrap(text, font, cx.tokens.text).size().x;
    let value = width(explain::hex(cx.machine.cpu.cr2.0), theme::mono(theme::TEXT));
    width("CR2".to_owned(), theme::plain(theme::TEXT)) + ui.spacing().item_spacing.x + value
}

/// The address of the last page fault.
fn cr2_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    caption(ui, cx.tokens, "CR2");
    let text = RichText::new(explain::hex(cx.machine.cpu.cr2.0)).font(theme::mono(theme::TEXT)).color(cx.tokens.text);
    ui.label(text).on_hover_text(tr!(cx, "The linear address of the last page fault"));
    ui.add_space(GROUP);
}

fn compose(cx: &ViewCx<'_>, change: impl FnOnce(&mut Composer)) {
    let mut composer = cx.view.composer;
    change(&mut composer);
    cx.send(AppCommand::Compose(composer));
}

fn address_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    caption(ui, cx.tokens, tr!(cx, "Next GVA"));
    let width = hex_field_width(ui, u64::MAX);
    match hex_field(ui, cx.tokens, tr!(cx, "Linear address"), cx.view.composer.va.0, width) {
        HexField::Changed(va) => compose(cx, |composer| composer.va = Gva(va)),
        HexField::Entered(va) => {
            compose(cx, |composer| composer.va = Gva(va));
            cx.send(AppCommand::Access);
        }
        HexField::Wrong(reason) => cx.send(AppCommand::Notice(reason)),
        HexField::Quiet => {}
    }
}

fn kind_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    let Composer { kind, user, ac, .. } = cx.view.composer;
    let kinds = [(AccessKind::Read, "R"), (AccessKind::Write, "W"), (AccessKind::Fetch, "X")];
    if let Some(kind) = segmented(ui, t, tr!(cx, "Access"), &kinds, kind) {
        compose(cx, |composer| composer.kind = kind);
    }
    if let Some(user) = segmented(ui, t, tr!(cx, "As"), &[(true, tr!(cx, "user")), (false, tr!(cx, "kernel"))], user) {
        compose(cx, |composer| composer.user = user);
    }
    let hint = tr!(cx, "RFLAGS.AC: while it is 1, SMAP lets the kernel touch user pages");
    if chip(ui, t, "AC", ac, "RFLAGS.AC").on_hover_text(hint).clicked() {
        compose(cx, |composer| composer.ac = !ac);
    }
}

fn buttons_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let access = primary_button(ui, cx.tokens, tr!(cx, "Access"));
    if access.on_hover_text(tr!(cx, "The whole access (Enter in the address)")).clicked() {
        cx.send(AppCommand::Access);
    }
    let step = button(ui, tr!(cx, "Step")).accessible_name(tr!(cx, "Step into the access"));
    if step.on_hover_text(tr!(cx, "The access, one event at a time")).clicked() {
        cx.send(AppCommand::AccessStep);
    }
}

/// The composer as one block of known width, so that it can stand at the right and still be read,
/// and reached with Tab, from the left: as wide as its words were in the pass before.
fn composer_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let id = egui::Id::unique(("composer: width", cx.language().id(), theme::is_touch(ui.ctx())));
    let known = ui.data(|data| data.get_temp::<f32>(id));
    let size = egui::vec2(known.unwrap_or(COMPOSER_WIDTH), theme::control(ui));
    let block = ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let left = ui.cursor().left();
        address_ui(cx, ui);
        kind_ui(cx, ui);
        buttons_ui(cx, ui);
        ui.cursor().left() - ui.spacing().item_spacing.x - left
    });
    let width = block.inner.ceil();
    if known != Some(width) {
        ui.data_mut(|data| data.insert_temp(id, width));
        ui.ctx().request_repaint();
    }
}

/// A control beside its place by so many points: one whose instruction was refused shakes.
fn shaken<T>(ui: &mut Ui, far: f32, add: impl FnOnce(&mut Ui) -> T) -> T {
    if far == 0.0 {
        return add(ui);
    }
    ui.with_visual_transform(TSTransform::from_translation(egui::vec2(far, 0.0)), add).inner
}
