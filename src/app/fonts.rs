//! The faces: Inter for the interface, JetBrains Mono for numbers.

/// Puts the faces into a context.
pub fn install(_ctx: &egui::Context) {}
