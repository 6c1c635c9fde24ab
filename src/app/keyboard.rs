//! Keys that work wherever no control wants them.

use egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::actions::Action;
use super::focus;
use super::view::ViewCx;

/// Sends what the pressed keys ask for. A control that has the keyboard keeps it: Space presses a
/// focused button, arrows move in a focused field.
pub fn keyboard(cx: &ViewCx<'_>, ctx: &Context) {
    let focused = ctx.memory(|memory| memory.focused()).is_some();
    // An open menu has its own use for Escape.
    let is_covered = cx.view.overlay.is_some() || egui::Popup::is_any_open(ctx);
    let free = !focused && !is_covered;
    let mut actions: Vec<Action> = Action::all().into_iter().filter(|action| action.shortcut().is_some()).collect();
    // A key with a modifier is also that key: the longer one comes first.
    let modifiers = |action: &Action| {
        action.shortcut().map_or(0, |KeyboardShortcut { modifiers: m, .. }| {
            u8::from(m.shift) + u8::from(m.alt) + u8::from(m.command || m.ctrl)
        })
    };
    actions.sort_by_key(|action| std::cmp::Reverse(modifiers(action)));
    let writing = ctx.text_edit_focused();
    for action in actions {
        // What is typed has an undo of its own.
        if writing && matches!(action, Action::Time(action) if action.is_for_text_too()) {
            continue;
        }
        // Escape that leads out of a control does no more than that.
        if action == Action::Deselect && focus::was_left(ctx) {
            continue;
        }
        // Ctrl and Cmd mean nothing to a field or button; the palette opens from everywhere.
        let everywhere = action.shortcut().is_some_and(|key| key.modifiers.command);
        // Nor does F6, which leads out of them; what lies over the window keeps the keyboard.
        let leads_out = matches!(action, Action::NextZone | Action::PreviousZone) && !is_covered;
        let keys = [action.shortcut(), action.other_shortcut()];
        let pressed = |input: &mut egui::InputState| keys.iter().flatten().any(|key| input.consume_shortcut(key));
        if (free || everywhere || leads_out) && ctx.input_mut(pressed) {
            action.send(cx);
        }
    }
    if free && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Space)) {
        Action::Step.send(cx);
    }
}
