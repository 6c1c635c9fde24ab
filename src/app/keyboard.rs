//! Keys that work wherever no control wants them.

use egui::{Context, Key, Modifiers};

use super::view::{AppCommand, ViewCx};

/// Each key with what it asks for.
const KEYS: [(Modifiers, Key, AppCommand); 8] = [
    (Modifiers::SHIFT, Key::ArrowRight, AppCommand::MicroStep),
    (Modifiers::SHIFT, Key::ArrowLeft, AppCommand::MicroBack),
    (Modifiers::NONE, Key::ArrowRight, AppCommand::Step),
    (Modifiers::NONE, Key::ArrowLeft, AppCommand::StepBack),
    (Modifiers::NONE, Key::Space, AppCommand::Step),
    (Modifiers::NONE, Key::Home, AppCommand::ToStart),
    (Modifiers::NONE, Key::End, AppCommand::ToEnd),
    (Modifiers::NONE, Key::F, AppCommand::NextFault),
];

/// Sends what the pressed keys ask for. A control that has the keyboard keeps it: Space presses a
/// focused button, arrows move in a focused field.
pub fn keyboard(cx: &ViewCx<'_>, ctx: &Context) {
    if ctx.memory(|memory| memory.focused()).is_some() {
        return;
    }
    for (modifiers, key, command) in &KEYS {
        if ctx.input_mut(|input| input.consume_key(*modifiers, *key)) {
            cx.send(command.clone());
        }
    }
}
