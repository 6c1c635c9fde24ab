//! The dialog of an import: what was brought in, what was found, what is still to be said.

use egui::{RichText, Ui};

use super::import::{Draft, ImportWish, Preview};
use super::wish::FileWish;
use crate::app::theme;
use crate::app::view::{AppCommand, ViewCx};
use crate::app::widgets::{HexField, button, caption, heading, hex_field, primary_button, segmented};
use crate::arch::{Level, Mode};
use crate::explain;
use crate::tr;

const FIELD: f32 = 190.0;

/// Draws it.
pub fn import_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    let Some(draft) = cx.files.import() else { return };
    let names: Vec<&str> = draft.names().collect();
    ui.label(RichText::new(tr!(cx, "Import a machine")).font(theme::bold(18.0)).color(t.strong));
    ui.label(RichText::new(names.join(" + ")).color(t.weak));
    ui.add_space(8.0);
    if draft.image_bytes().is_some() {
        place_ui(cx, ui, draft);
    }
    registers_ui(cx, ui, draft);
    ui.add_space(8.0);
    heading(ui, t, tr!(cx, "What was found"));
    match draft.found() {
        None => drop(ui.label(RichText::new(tr!(cx, "Reading …")).color(t.weak))),
        Some(Err(reason)) => drop(ui.label(RichText::new(format!("✕ {reason}")).color(t.fault.text))),
        Some(Ok(preview)) => preview_ui(cx, ui, preview),
    }
    ui.add_space(10.0);
    let ready = matches!(draft.found(), Some(Ok(_)));
    ui.horizontal_wrapped(|ui| {
        let open = ui.add_enabled_ui(ready, |ui| primary_button(ui, t, tr!(cx, "Open this machine"))).inner;
        if open.clicked() {
            cx.send(FileWish::Import(ImportWish::Open).into());
            cx.send(AppCommand::Overlay(None));
        }
        let add = button(ui, tr!(cx, "Add a file"));
        if add.on_hover_text(tr!(cx, "An image, or the text of `xp` or `info registers`")).clicked() {
            cx.send(FileWish::Import(ImportWish::AddFile).into());
        }
        if button(ui, tr!(cx, "Add the clipboard")).clicked() {
            cx.send(FileWish::Import(ImportWish::AddClipboard).into());
        }
        if button(ui, tr!(cx, "Cancel")).clicked() {
            cx.send(AppCommand::Overlay(None));
        }
    });
}

/// A number, entered or left.
fn number_ui(cx: &ViewCx<'_>, ui: &mut Ui, name: &str, value: u64, wish: impl Fn(u64) -> ImportWish) {
    match hex_field(ui, cx.tokens, name, value, FIELD) {
        HexField::Entered(number) | HexField::Changed(number) if number != value => {
            cx.send(FileWish::Import(wish(number)).into());
        }
        HexField::Wrong(reason) => cx.send(AppCommand::Notice(reason)),
        _ => {}
    }
}

fn place_ui(cx: &ViewCx<'_>, ui: &mut Ui, draft: &Draft) {
    ui.horizontal(|ui| {
        caption(ui, cx.tokens, tr!(cx, "The image begins at guest-physical"));
        number_ui(cx, ui, tr!(cx, "First byte of the image"), draft.at(), ImportWish::At);
    });
}

fn registers_ui(cx: &ViewCx<'_>, ui: &mut Ui, draft: &Draft) {
    let t = cx.tokens;
    let processors = match draft.found() {
        Some(Ok(preview)) => preview.processors.as_slice(),
        _ => &[],
    };
    if processors.len() > 1 {
        let names: Vec<String> = processors
            .iter()
            .enumerate()
            .map(|(place, processor)| format!("{}", processor.cpu.map_or(place, |cpu| cpu as usize)))
            .collect();
        let options: Vec<(usize, &str)> = names.iter().map(String::as_str).enumerate().collect();
        ui.horizontal_wrapped(|ui| {
            caption(ui, t, tr!(cx, "Registers of processor"));
            if let Some(place) = segmented(ui, t, tr!(cx, "Processor"), &options, draft.processor()) {
                cx.send(FileWish::Import(ImportWish::Processor(place)).into());
            }
        });
    }
    if processors.first().is_none_or(|processor| processor.cr0.is_none()) {
        ui.horizontal_wrapped(|ui| {
            caption(ui, t, tr!(cx, "No registers were listed: paging is"));
            let names = Mode::ALL.map(|mode| explain::mode(mode, cx.language()));
            let options: Vec<(Mode, &str)> = Mode::ALL.into_iter().zip(names.iter().map(|name| &**name)).collect();
            if let Some(mode) = segmented(ui, t, tr!(cx, "Paging of the import"), &options, draft.mode()) {
                cx.send(FileWish::Import(ImportWish::Mode(mode)).into());
            }
        });
    }
    ui.horizontal(|ui| {
        caption(ui, t, tr!(cx, "The walk begins at CR3"));
        number_ui(cx, ui, tr!(cx, "CR3 of the import"), draft.cr3(), ImportWish::Cr3);
    });
}

fn preview_ui(cx: &ViewCx<'_>, ui: &mut Ui, preview: &Preview) {
    let t = cx.tokens;
    let line = |ui: &mut Ui, text: String| ui.label(RichText::new(text).color(t.text));
    let (ram, words) = (size_text(preview.ram), preview.words);
    line(ui, tr!(cx, "{ram} of memory; words that are not zero: {words}", ram = ram, words = words));
    let hex = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), explain::hex);
    let registers = &preview.registers;
    let values = [("CR0", registers.cr0), ("CR3", registers.cr3), ("CR4", registers.cr4), ("EFER", registers.efer)];
    let values: Vec<String> = values.iter().map(|(name, value)| format!("{name} {}", hex(*value))).collect();
    ui.label(RichText::new(values.join("  ")).font(theme::mono(theme::TEXT)).color(t.text));
    line(ui, tr!(cx, "Paging: {mode}", mode = explain::mode(preview.mode, cx.language())));
    if preview.mode != Mode::Off {
        let count = |(level, count): &(u8, usize)| format!("{count} {}", Mode::table_name(Level(*level)));
        let tables: Vec<String> = preview.tables.iter().map(count).collect();
        let tables = tables.join(", ");
        if preview.mapped == 0 {
            let text = tr!(cx, "No page is reached from this CR3 ({tables}): is the address right?", tables = tables);
            ui.label(RichText::new(format!("! {text}")).color(t.stale.text));
        } else {
            let more = if preview.cut { tr!(cx, ", and more") } else { "" };
            let words = tr!(
                cx,
                "Reached from CR3: {tables}{more}; pages mapped: {pages}",
                tables = tables,
                more = more,
                pages = preview.mapped
            );
            line(ui, words);
        }
    }
    for note in &preview.notes {
        ui.label(RichText::new(note.say(cx.language())).color(t.weak));
    }
}

/// `16 MiB`, `12 KiB`.
pub(super) fn size_text(bytes: u64) -> String {
    match bytes {
        0x4000_0000.. => format!("{} GiB", bytes >> 30),
        0x10_0000.. => format!("{} MiB", bytes >> 20),
        0x400.. => format!("{} KiB", bytes.div_ceil(1 << 10)),
        _ => format!("{bytes} B"),
    }
}
