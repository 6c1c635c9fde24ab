//! What a command looks like on the line of time: a letter in a rounded square, coloured by kind.

use egui::{Align2, CornerRadius, Pos2, Rect, Stroke, StrokeKind, Ui, Vec2};

use crate::app::theme::{Tokens, bold, plain};
use crate::machine::Command;

/// The side of a mark, in points.
pub const SIDE: f32 = 26.0;

/// What a command is, as far as its mark is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An access or load.
    Access,
    /// A store, by whatever way.
    Store,
    /// A control register, by the guest or by userspace.
    Control,
    /// An invalidation.
    Invalidate,
    /// Userspace manages memory.
    Slots,
    /// It faulted or was refused.
    Failed,
}

/// The letter and kind of a command that went well.
#[must_use]
pub const fn mark(command: &Command) -> (&'static str, Kind) {
    match command {
        Command::Access { .. } => ("A", Kind::Access),
        Command::Read { .. } => ("R", Kind::Access),
        Command::Write { .. } | Command::Poke { .. } => ("W", Kind::Store),
        Command::Dma { .. } => ("D", Kind::Store),
        Command::Map { .. } => ("M", Kind::Store),
        Command::MovCr0 { .. } | Command::MovCr3 { .. } | Command::MovCr4 { .. } => ("C", Kind::Control),
        Command::WrmsrEfer { .. } => ("E", Kind::Control),
        Command::Wrpkru { .. } => ("K", Kind::Control),
        Command::SetSregs { .. } => ("S", Kind::Control),
        Command::Invlpg { .. } | Command::Invpcid { .. } => ("I", Kind::Invalidate),
        Command::Memslot { .. } | Command::DirtyLog { .. } => ("U", Kind::Slots),
    }
}

/// How a mark stands on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before the cursor.
    Past,
    /// The command in focus.
    Current,
    /// After the cursor.
    Future,
}

/// Draws a mark.
pub fn mark_ui(ui: &Ui, t: &Tokens, center: Pos2, command: &Command, failed: bool, place: Place) {
    let (letter, kind) = mark(command);
    let kind = if failed { Kind::Failed } else { kind };
    let (fill, edge, line, text) = match kind {
        Kind::Access => (t.guest.tint, t.guest.edge, t.guest.line, t.guest.text),
        Kind::Store => (t.stale.tint, t.stale.edge, t.stale.line, t.stale.text),
        Kind::Control => (t.shadow.tint, t.shadow.edge, t.shadow.line, t.shadow.text),
        Kind::Invalidate => (t.hit.tint, t.hit.edge, t.hit.line, t.hit.text),
        Kind::Slots => (t.button, t.border, t.weak, t.text),
        Kind::Failed => (t.fault.tint, t.fault.edge, t.fault.line, t.fault.text),
    };
    let painter = ui.painter();
    let rect = Rect::from_center_size(center, Vec2::splat(SIDE));
    // What is still to come is an outline. The line does not shine through it, and its letter can be read as well as
    // any: it is pressed like one of the past.
    let (fill, letters) = if place == Place::Future { (t.panel, plain(14.0)) } else { (fill, bold(14.0)) };
    painter.rect(rect, CornerRadius::same(6), fill, Stroke::new(1.0, edge), StrokeKind::Inside);
    painter.text(center, Align2::CENTER_CENTER, letter, letters, text);
    if place == Place::Current {
        painter.rect_stroke(rect.expand(3.5), CornerRadius::same(9), Stroke::new(2.5, line), StrokeKind::Inside);
    }
}

/// A sign at the corner of a mark: its step did not end as its file wants.
pub fn unwanted_ui(ui: &Ui, t: &Tokens, center: Pos2) {
    let at = center + Vec2::new(0.5 * SIDE - 2.0, 2.0 - 0.5 * SIDE);
    let painter = ui.painter();
    painter.circle(at, 7.5, t.fault.line, Stroke::new(1.5, t.panel));
    let stroke = Stroke::new(1.8, t.panel);
    for way in [1.0, -1.0] {
        painter.line_segment([at - Vec2::new(2.6, 2.6 * way), at + Vec2::new(2.6, 2.6 * way)], stroke);
    }
}
