//! Time on the screen: what can be asked of it, undo and redo, play, motion, searches along the path.
//! [`timeline`](super::timeline) draws it.

mod action; // as the palette, the menus and the keys know it
mod change; // where the selected thing changes
pub mod motion; // what moves between two states
mod play; // time goes on by itself
pub mod undo; // edits taken back, and made again

pub use action::TimeAction;
pub use change::{ChangeSearch, Found};
pub use motion::Motion;
pub use play::{Play, Speed};

use egui::Context;

use super::App;
use super::view::AppCommand;
use crate::lab::{Lab, NodeId};
use crate::language::Language;
use crate::machine::Command;
use crate::scenario::{Marks, Session};
use crate::{explain, tr};
use motion::{Preference, Refused, Way};
use undo::What;

/// What can be called by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A branch, by its first command.
    Branch(NodeId),
    /// The bookmark at a place.
    Bookmark(Option<NodeId>),
}

/// What is asked of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeWish {
    /// Takes the last edit back.
    Undo,
    /// Makes it again.
    Redo,
    /// To the last command before the one at the cursor that faulted or was refused, or to the start.
    PreviousFault,
    /// To the last one that led to the hypervisor, or to the start.
    PreviousExit,
    /// To the bookmark before, around the start.
    PreviousBookmark,
    /// To the next command that changes the selected thing.
    NextChange,
    /// To the last one that did.
    PreviousChange,
    /// So many commands on, or back.
    By(isize),
    /// Takes the next branch into view, around the last.
    NextBranch,
    /// Deletes the branch with this first command.
    DeleteBranch(NodeId),
    /// Opens a field for a name, or closes it.
    Rename(Option<Named>),
    /// Calls something by a name.
    Name(Named, String),
    /// Takes the bookmark at a place away, or sets it.
    ToggleBookmark(Option<NodeId>),
    /// To the end of this branch.
    GoTo(NodeId),
    /// Time goes on by itself, or rests.
    Play(bool),
    /// How fast.
    Speed(Speed),
    /// Whether things move.
    Motion(Preference),
}

/// What a branch is called: as somebody named it, or after its first command.
#[must_use]
pub fn branch_name(session: &Session, start: NodeId, language: Language) -> String {
    match (session.marks.branch_name(start), start) {
        (Some(name), _) => name.to_owned(),
        (None, 0) => tr!(language, "main").to_owned(),
        (None, _) => session
            .lab
            .log()
            .get(start as usize)
            .map_or_else(String::new, |node| explain::command(&node.command, language)),
    }
}

/// What the bookmark at a place is called, if it has a name.
#[must_use]
pub fn bookmark_name(marks: &Marks, at: Option<NodeId>) -> Option<&str> {
    marks.bookmark(at).map(|bookmark| bookmark.name.as_str()).filter(|name| !name.is_empty())
}

/// The position on the path of a command; none if the path does not lead to it.
#[must_use]
pub fn position(lab: &Lab, at: Option<NodeId>) -> Option<usize> {
    match at {
        None => Some(0),
        Some(node) => lab.depth(node).filter(|depth| lab.node(*depth) == Some(node)),
    }
}

impl App {
    /// Does what is asked of time.
    pub(super) fn apply_time(&mut self, ctx: &Context, wish: TimeWish) {
        let language = self.view.language;
        let (cursor, len) = (self.session.lab.cursor(), self.session.lab.len());
        match wish {
            TimeWish::Undo => match self.undo() {
                Some(what) => self.view.said = Some(tr!(language, "Undone: {what}", what = what)),
                None => self.view.notice = Some(tr!(language, "There is nothing to undo").to_owned()),
            },
            TimeWish::Redo => match self.redo() {
                Some(what) => self.view.said = Some(tr!(language, "Done again: {what}", what = what)),
                None => self.view.notice = Some(tr!(language, "There is nothing to do again").to_owned()),
            },
            TimeWish::PreviousFault => self.seek_if_there(self.history.last_stop(cursor), no_stop_before),
            TimeWish::PreviousExit => self.seek_if_there(self.history.last_exit(cursor), no_exit_before),
            TimeWish::PreviousBookmark => self.previous_bookmark(),
            TimeWish::NextChange => self.look_for_change(ctx, true),
            TimeWish::PreviousChange => self.look_for_change(ctx, false),
            TimeWish::By(steps) => self.seek(cursor.saturating_add_signed(steps).min(len)),
            TimeWish::NextBranch => self.next_branch(),
            TimeWish::DeleteBranch(start) => self.delete_branch(start),
            TimeWish::Rename(named) => self.view.renaming = named,
            TimeWish::Name(named, name) => {
                self.view.renaming = None;
                self.change_marks(|marks| match named {
                    Named::Branch(start) => marks.name_branch(start, &name),
                    Named::Bookmark(at) => marks.name_bookmark(at, &name),
                });
            }
            TimeWish::ToggleBookmark(at) => self.change_marks(|marks| marks.toggle(at)),
            TimeWish::GoTo(tip) => {
                self.session.lab.switch_to(tip);
                self.lab_changed();
            }
            TimeWish::Play(on) => {
                self.play.set(on);
                if on {
                    // From the end it begins again.
                    if cursor == len && self.focus.shown() == self.focus.events().len() {
                        self.seek(0);
                    }
                    self.go_on_playing(ctx);
                }
            }
            TimeWish::Speed(speed) => {
                self.motion.set_speed(speed);
                self.view.said = Some(speed.words(language));
            }
            TimeWish::Motion(preference) => {
                self.motion.prefer(preference);
                self.view.said = Some(match self.motion.is_reduced() {
                    true => tr!(language, "Motion is reduced: nothing moves by itself").to_owned(),
                    false => tr!(language, "Motion is on").to_owned(),
                });
            }
        }
    }

    /// What goes on without being asked: play, and searches. Called before each frame.
    pub(super) fn go_on(&mut self, ctx: &Context) {
        self.go_on_playing(ctx);
        self.go_on_looking(ctx);
    }

    fn go_on_playing(&mut self, ctx: &Context) {
        if !self.play.is_due(ctx, self.motion.speed()) {
            return;
        }
        let whole = self.motion.speed() == Speed::Fast;
        self.moved(if whole { Way::Step } else { Way::MicroStep }, |app| {
            app.travel(&if whole { AppCommand::Step } else { AppCommand::MicroStep });
        });
        let lab = &self.session.lab;
        if lab.cursor() == lab.len() && self.focus.shown() == self.focus.events().len() {
            self.play.set(false);
        }
    }

    /// What ends when somebody does something else: play and searches.
    pub(super) fn interrupt(&mut self, wish: &AppCommand) {
        let goes_on = matches!(
            wish,
            AppCommand::Time(TimeWish::Play(_) | TimeWish::Speed(_) | TimeWish::Motion(_) | TimeWish::Rename(_))
                | AppCommand::OpenTab(_)
                | AppCommand::EditEntry
                | AppCommand::GoToZone(_)
                | AppCommand::OpenPage(_)
                | AppCommand::Zoom(_)
                | AppCommand::Pan(..)
                | AppCommand::SetTheme(_)
                | AppCommand::SetTextScale(_)
                | AppCommand::SetSides(_)
                | AppCommand::Select(_)
                | AppCommand::ToggleFull(_)
                | AppCommand::ToggleFullLower(_)
        );
        if !goes_on {
            self.play.set(false);
            self.search = None;
        }
    }

    /// Changes what is shown, with the motion that belongs to it.
    pub(super) fn moved<T>(&mut self, way: Way, change: impl FnOnce(&mut Self) -> T) -> T {
        let shown = |app: &Self| {
            let lab = &app.session.lab;
            (lab.node(lab.cursor()), lab.cursor(), app.focus.shown(), app.focus.events().len())
        };
        let (before, from) = (shown(self), self.focus.vm(self.session.lab.vm()).clone());
        let result = change(self);
        if shown(self) != before {
            self.motion.begin(way, from);
        } else {
            self.motion.finish();
        }
        result
    }

    /// Shakes the control whose instruction was refused.
    pub(super) fn shake_if_refused(&mut self) {
        let lab = &self.session.lab;
        let refused = super::view::Ending::of(self.focus.events()) == super::view::Ending::Refused;
        let Some(command) = lab.command(lab.cursor()).filter(|_| refused) else { return };
        let regs = &self.focus.before().machine().cpu.regs;
        match command {
            Command::MovCr0 { val, .. } => self.motion.refuse(Refused::Cr0(val.0 ^ regs.cr0.bits())),
            Command::MovCr4 { val, .. } => self.motion.refuse(Refused::Cr4(val.0 ^ regs.cr4.bits())),
            Command::WrmsrEfer { val, .. } => self.motion.refuse(Refused::Efer(val.0 ^ regs.efer.bits())),
            Command::MovCr3 { .. } => self.motion.refuse(Refused::Cr3),
            _ => {}
        }
    }

    /// Goes to a step that was looked for, or stays and says that there is none.
    pub(super) fn seek_if_there(&mut self, step: Option<usize>, none: fn(Language) -> &'static str) {
        match step {
            Some(step) => self.seek(step),
            None => self.view.notice = Some(none(self.view.language).to_owned()),
        }
    }

    fn previous_bookmark(&mut self) {
        let lab = &self.session.lab;
        let places = self.session.marks.bookmarks.iter().filter_map(|bookmark| position(lab, bookmark.at));
        let places: Vec<usize> = places.collect();
        let before = places.iter().copied().filter(|step| *step < lab.cursor()).max();
        match before.or_else(|| places.iter().copied().max()) {
            Some(step) => self.seek(step),
            None => self.view.notice = Some(no_bookmark(self.view.language)),
        }
    }

    /// To the next bookmark of the path, around its end.
    pub(super) fn next_bookmark(&mut self) {
        let lab = &self.session.lab;
        let places = self.session.marks.bookmarks.iter().filter_map(|bookmark| position(lab, bookmark.at));
        let places: Vec<usize> = places.collect();
        let after = places.iter().copied().filter(|step| *step > lab.cursor()).min();
        match after.or_else(|| places.iter().copied().min()) {
            Some(step) => self.seek(step),
            None => self.view.notice = Some(no_bookmark(self.view.language)),
        }
    }

    fn next_branch(&mut self) {
        let branches = self.session.lab.branches();
        let at = branches.iter().position(|branch| Some(branch.start) == self.session.lab.branch_in_view());
        let next = at.map_or(0, |at| (at + 1) % branches.len());
        match branches.get(next).filter(|_| branches.len() > 1) {
            Some(branch) => {
                self.session.lab.switch_to(branch.tip);
                self.lab_changed();
            }
            None => {
                let words = tr!(self.view.language, "There is one branch: an edit in the past begins another");
                self.view.notice = Some(words.to_owned());
            }
        }
    }

    fn delete_branch(&mut self, start: NodeId) {
        let language = self.view.language;
        let (before, name) = (self.session.lab.place(), branch_name(&self.session, start, language));
        match self.session.lab.delete_branch(start) {
            Some(branch) => {
                self.remember(What::Deleted { branch }, before);
                self.lab_changed();
                let undo = tr!(language, "Branch {name} is deleted: undo brings it back", name = name);
                self.view.said = Some(undo);
            }
            None => {
                let words = tr!(language, "The only branch cannot be deleted");
                self.view.notice = Some(words.to_owned());
            }
        }
    }

    fn look_for_change(&mut self, ctx: &Context, forward: bool) {
        self.search = ChangeSearch::new(&self.session.lab, self.view.selection, forward);
        if self.search.is_none() {
            let words =
                tr!(self.view.language, "Select an entry, a register or a table first: this goes to its changes");
            self.view.notice = Some(words.to_owned());
        }
        self.go_on_looking(ctx);
    }

    fn go_on_looking(&mut self, ctx: &Context) {
        let language = self.view.language;
        let Some(search) = &mut self.search else { return };
        match search.go_on(&self.session.lab) {
            Found::At(step) => {
                self.search = None;
                self.view.said = None;
                self.seek(step);
            }
            Found::Nowhere => {
                self.search = None;
                self.view.said = None;
                let words = tr!(language, "The selected thing does not change on the rest of this path");
                self.view.notice = Some(words.to_owned());
            }
            Found::NotYet(step) => {
                let number = self.session.step_number(step);
                self.view.said = Some(tr!(language, "Looking for a change: step {step}", step = number));
                ctx.request_repaint();
            }
        }
    }
}

pub(super) fn no_stop(language: Language) -> &'static str {
    tr!(language, "No further fault or refusal on this branch")
}

fn no_stop_before(language: Language) -> &'static str {
    tr!(language, "No fault or refusal before this step")
}

pub(super) fn no_exit(language: Language) -> &'static str {
    tr!(language, "No further exit to the hypervisor on this branch")
}

fn no_exit_before(language: Language) -> &'static str {
    tr!(language, "No exit to the hypervisor before this step")
}

fn no_bookmark(language: Language) -> String {
    tr!(language, "No bookmark on this branch: B sets one").to_owned()
}
