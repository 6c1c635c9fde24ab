//! What can be asked of time by name: words, keys, signs.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::motion::Preference;
use super::{Named, TimeWish};
use crate::app::view::{AppCommand, ViewCx};
use crate::language::Language;
use crate::tr;

/// An action of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeAction {
    /// Takes the last edit back.
    Undo,
    /// Makes it again.
    Redo,
    /// Time goes on by itself, or rests.
    Play,
    /// The next speed.
    Speed,
    /// To the fault or refusal before.
    PreviousFault,
    /// To the exit before.
    PreviousExit,
    /// To the next change of the selected thing.
    NextChange,
    /// To the last change of the selected thing.
    PreviousChange,
    /// To the bookmark before.
    PreviousBookmark,
    /// Calls the bookmark at the cursor by a name.
    NameBookmark,
    /// Takes the next branch into view.
    NextBranch,
    /// Calls the branch in view by a name.
    NameBranch,
    /// Deletes the branch in view.
    DeleteBranch,
    /// Nothing moves, or things move.
    ReduceMotion,
}

impl TimeAction {
    /// Every action of time, in order.
    pub const ALL: [Self; 14] = [
        Self::Undo,
        Self::Redo,
        Self::Play,
        Self::Speed,
        Self::PreviousFault,
        Self::PreviousExit,
        Self::NextChange,
        Self::PreviousChange,
        Self::PreviousBookmark,
        Self::NameBookmark,
        Self::NextBranch,
        Self::NameBranch,
        Self::DeleteBranch,
        Self::ReduceMotion,
    ];

    /// What it does, in words.
    #[must_use]
    pub fn text(self, language: Language) -> &'static str {
        match self {
            Self::Undo => tr!(language, "Undo the last edit"),
            Self::Redo => tr!(language, "Redo the edit that was undone"),
            Self::Play => tr!(language, "Play or pause"),
            Self::Speed => tr!(language, "Next speed: slow, normal, fast"),
            Self::PreviousFault => tr!(language, "Back to the last fault or refusal"),
            Self::PreviousExit => tr!(language, "Back to the last exit to the hypervisor"),
            Self::NextChange => tr!(language, "To the next change of the selected thing"),
            Self::PreviousChange => tr!(language, "Back to the last change of the selected thing"),
            Self::PreviousBookmark => tr!(language, "Back to the last bookmark"),
            Self::NameBookmark => tr!(language, "Name the bookmark here"),
            Self::NextBranch => tr!(language, "To the next branch"),
            Self::NameBranch => tr!(language, "Rename this branch"),
            Self::DeleteBranch => tr!(language, "Delete this branch"),
            Self::ReduceMotion => tr!(language, "Reduce motion: on or off"),
        }
    }

    /// Its sign.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Undo => "↩",
            Self::Redo => "↪",
            Self::Play => "▶",
            Self::Speed => "×",
            Self::PreviousFault => "✕",
            Self::PreviousExit => "⇥",
            Self::NextChange | Self::PreviousChange => "◆",
            Self::PreviousBookmark | Self::NameBookmark => "★",
            Self::NextBranch | Self::NameBranch | Self::DeleteBranch => "↳",
            Self::ReduceMotion => "◔",
        }
    }

    /// Its key.
    #[must_use]
    pub const fn shortcut(self) -> Option<KeyboardShortcut> {
        let (modifiers, key) = match self {
            Self::Undo => (Modifiers::COMMAND, Key::Z),
            Self::Redo => (Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::Z),
            Self::Play => (Modifiers::NONE, Key::K),
            Self::Speed => (Modifiers::SHIFT, Key::K),
            Self::PreviousFault => (Modifiers::SHIFT, Key::F),
            Self::PreviousExit => (Modifiers::SHIFT, Key::E),
            Self::NextChange => (Modifiers::NONE, Key::V),
            Self::PreviousChange => (Modifiers::SHIFT, Key::V),
            Self::PreviousBookmark => (Modifiers::SHIFT, Key::N),
            Self::NameBookmark => (Modifiers::SHIFT, Key::B),
            Self::NextBranch => (Modifiers::NONE, Key::O),
            Self::NameBranch => (Modifiers::NONE, Key::F2),
            Self::DeleteBranch => (Modifiers::SHIFT, Key::Delete),
            Self::ReduceMotion => return None,
        };
        Some(KeyboardShortcut::new(modifiers, key))
    }

    /// Another key for it.
    #[must_use]
    pub const fn other_shortcut(self) -> Option<KeyboardShortcut> {
        match self {
            Self::Redo => Some(KeyboardShortcut::new(Modifiers::COMMAND, Key::Y)),
            _ => None,
        }
    }

    /// Whether a text field has this key for itself.
    #[must_use]
    pub const fn is_for_text_too(self) -> bool {
        matches!(self, Self::Undo | Self::Redo)
    }

    /// What it asks for, given what is shown.
    #[must_use]
    pub fn command(self, cx: &ViewCx<'_>) -> AppCommand {
        let lab = &cx.session.lab;
        let branch = lab.branch_in_view().unwrap_or(0);
        AppCommand::Time(match self {
            Self::Undo => TimeWish::Undo,
            Self::Redo => TimeWish::Redo,
            Self::Play => TimeWish::Play(!cx.playing),
            Self::Speed => TimeWish::Speed(cx.motion.speed().next()),
            Self::PreviousFault => TimeWish::PreviousFault,
            Self::PreviousExit => TimeWish::PreviousExit,
            Self::NextChange => TimeWish::NextChange,
            Self::PreviousChange => TimeWish::PreviousChange,
            Self::PreviousBookmark => TimeWish::PreviousBookmark,
            Self::NameBookmark => TimeWish::Rename(Some(Named::Bookmark(lab.node(lab.cursor())))),
            Self::NextBranch => TimeWish::NextBranch,
            Self::NameBranch => TimeWish::Rename(Some(Named::Branch(branch))),
            Self::DeleteBranch => TimeWish::DeleteBranch(branch),
            Self::ReduceMotion => {
                TimeWish::Motion(if cx.motion.is_reduced() { Preference::Full } else { Preference::Reduced })
            }
        })
    }
}
