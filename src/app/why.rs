//! Why: the sentence, the causes and the manual section of the last command.

use egui::{CornerRadius, Frame, Margin, RichText, Stroke, Ui};

use super::theme::{self, PAD, RADIUS};
use super::view::{AppCommand, Ending, ViewCx};
use super::widgets::segmented;
use crate::explain::{self, Depth};
use crate::tr;

/// The tab Why: how deep to explain, and the explanation.
pub fn why_tab_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let depths = Depth::ALL.map(|depth| (depth, cx.tr(depth.name())));
    if let Some(depth) = segmented(ui, cx.tokens, tr!(cx, "Depth"), &depths, cx.view.depth) {
        cx.send(AppCommand::SetDepth(depth));
    }
    ui.add_space(8.0);
    why_ui(cx, ui);
}

/// Draws the explanation of the command in focus.
pub fn why_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    let frame = Frame::new()
        .fill(t.stage)
        .stroke(Stroke::new(1.0, t.border))
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin::same(PAD as i8));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 8.0;
        captions_ui(cx, ui);
        match cx.command() {
            Some(command) => {
                let step = cx.session.lab.cursor();
                let what = format!("#{}  {}", cx.session.step_number(step), explain::command(command, cx.language()));
                ui.label(RichText::new(what).color(t.weak));
                explanation_ui(cx, ui, &explain::why(command, cx.happened(), cx.before, cx.session.engine()));
            }
            None => beginning_ui(cx, ui),
        }
    });
}

/// What the scenario itself says at this point.
fn captions_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    for caption in cx.session.captions_here() {
        ui.label(RichText::new(caption.text.get("en")).color(cx.tokens.strong));
        ui.separator();
    }
}

fn explanation_ui(cx: &ViewCx<'_>, ui: &mut Ui, why: &explain::Why) {
    let t = cx.tokens;
    if cx.is_partial() {
        let text = format!("Micro-step {} of {}", cx.shown, cx.events.len());
        ui.label(RichText::new(text).font(theme::bold(15.0)).color(t.strong));
    } else {
        let color = match Ending::of(cx.happened()) {
            Ending::Done => t.strong,
            Ending::Faulted | Ending::Refused => t.fault.text,
        };
        ui.label(RichText::new(&why.title).font(theme::bold(15.0)).color(color));
    }
    for (number, cause) in why.causes.iter().enumerate() {
        ui.horizontal_top(|ui| {
            ui.label(RichText::new(format!("{}.", number + 1)).color(t.weak));
            ui.add(egui::Label::new(RichText::new(cause).color(t.text)).wrap());
        });
    }
    if !cx.is_partial() && cx.view.depth > Depth::Story {
        ui.label(RichText::new(why.source).color(t.weak));
    }
}

fn beginning_ui(cx: &ViewCx<'_>, ui: &mut Ui) {
    let t = cx.tokens;
    ui.label(RichText::new("Nothing has happened yet.").font(theme::bold(15.0)).color(t.strong));
    let text = if cx.session.lab.is_empty() {
        "Give an access above, or switch a bit of the processor."
    } else {
        "Press Step, or the space bar, to carry out the first command."
    };
    ui.label(RichText::new(text).color(t.text));
}
