//! Undo and redo.
//!
//! An edit is whatever changes what would be saved, and the access composer: commands, names,
//! bookmarks, a branch deleted, another engine or other caches, something else opened. Moving in
//! time, selecting and answering a lesson are none. What is explored and each step of a lesson have
//! edits of their own.

use std::collections::BTreeMap;

use crate::app::App;
use crate::app::view::{Composer, ViewState};
use crate::engine::EngineConfig;
use crate::explain;
use crate::lab::{DeletedBranch, Node, Place};
use crate::language::Language;
use crate::machine::Caches;
use crate::scenario::{Caption, Marks, Session};
use crate::tr;

/// So many edits can be undone.
const EDITS: usize = 10_000;
/// So many of them may be openings: each keeps what was open before.
const OPENINGS: usize = 16;

/// What edits belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Front {
    /// What is explored.
    Explored,
    /// A step of a lesson, or its sandbox.
    Step {
        /// The lesson.
        lesson: String,
        /// From 0.
        step: usize,
        /// Its sandbox.
        sandbox: bool,
    },
}

/// The edits of everything that is open.
#[derive(Debug, Default)]
pub struct Undo(BTreeMap<Front, Edits>);

#[derive(Debug, Default)]
struct Edits {
    done: Vec<Edit>,
    undone: Vec<Edit>,
}

#[derive(Debug)]
struct Edit {
    what: What,
    before: Place,
    after: Place,
}

/// What an edit was. What is called `other` is the state that it is not in: undo and redo exchange it.
#[derive(Debug)]
pub(in crate::app) enum What {
    /// Commands were given, perhaps along the path.
    Given {
        /// The new ones, while they are undone.
        taken: Vec<Node>,
        /// How many captions there were.
        captions_before: usize,
        /// The new ones, while they are undone.
        captions: Vec<Caption>,
    },
    /// Names or bookmarks.
    Marked { other: Marks },
    /// A branch was deleted.
    Deleted { branch: DeletedBranch },
    /// Another engine, other caches.
    Machine { other: (EngineConfig, Caches) },
    /// Something else was opened.
    Opened { other: Box<(Session, ViewState)> },
    /// The access composer.
    Composed { other: Composer },
}

impl Undo {
    /// Whether something can be undone.
    #[must_use]
    pub fn can_undo(&self, front: &Front) -> bool {
        self.0.get(front).is_some_and(|edits| !edits.done.is_empty())
    }

    /// Whether something can be redone.
    #[must_use]
    pub fn can_redo(&self, front: &Front) -> bool {
        self.0.get(front).is_some_and(|edits| !edits.undone.is_empty())
    }

    /// Forgets the edits of a lesson: of one step, or of all.
    pub fn forget(&mut self, id: Option<&str>, at: Option<usize>) {
        self.0.retain(|front, _| match front {
            Front::Explored => true,
            Front::Step { lesson, step, .. } => id.is_some_and(|id| id != lesson) || at.is_some_and(|at| at != *step),
        });
    }
}

impl Edits {
    fn push(&mut self, edit: Edit) {
        self.undone.clear();
        self.done.push(edit);
        if self.done.len() > EDITS {
            self.done.remove(0);
        }
        let openings = self.done.iter().rev().enumerate().filter(|(_, edit)| matches!(edit.what, What::Opened { .. }));
        if let Some((from_end, _)) = openings.skip(OPENINGS).last() {
            self.done.drain(..self.done.len() - from_end);
        }
    }
}

impl App {
    /// What is in front, as edits know it.
    #[must_use]
    pub fn front(&self) -> Front {
        match self.session.player() {
            None => Front::Explored,
            Some(player) => Front::Step {
                lesson: player.session.lesson().id.clone(),
                step: player.session.at(),
                sandbox: player.session.in_sandbox(),
            },
        }
    }

    /// Carries out what may give commands, as one edit.
    pub(in crate::app) fn as_edit<T>(&mut self, give: impl FnOnce(&mut Self) -> T) -> T {
        let (before, captions_before) = (self.session.lab.place(), self.session.captions.len());
        let result = give(self);
        let given = self.session.lab.place() != before || self.session.captions.len() != captions_before;
        if given {
            self.remember(What::Given { taken: Vec::new(), captions_before, captions: Vec::new() }, before);
        }
        result
    }

    /// Remembers an edit that was just made.
    pub(in crate::app) fn remember(&mut self, what: What, before: Place) {
        let edit = Edit { what, before, after: self.session.lab.place() };
        self.undo.0.entry(self.front()).or_default().push(edit);
    }

    /// Changes names and bookmarks.
    pub(super) fn change_marks(&mut self, change: impl FnOnce(&mut Marks)) {
        let other = self.session.marks.clone();
        change(&mut self.session.marks);
        if self.session.marks != other {
            self.remember(What::Marked { other }, self.session.lab.place());
        }
    }

    /// Changes the composer. An address that is typed is one edit, not one a digit.
    pub(in crate::app) fn compose(&mut self, composer: Composer) {
        let other = std::mem::replace(&mut self.view.composer, composer);
        if other == composer {
            return;
        }
        let only_va = |a: &Composer, b: &Composer| Composer { va: b.va, ..*a } == *b;
        let place = self.session.lab.place();
        let edits = self.undo.0.entry(self.front()).or_default();
        let typed = match edits.done.last() {
            Some(Edit { what: What::Composed { other: first }, after, .. }) => {
                only_va(first, &other) && only_va(&other, &composer) && *after == place && first.va != other.va
            }
            _ => false,
        };
        if !typed {
            self.remember(What::Composed { other }, place);
        } else {
            edits.undone.clear();
        }
    }

    /// Puts another session in front of the explorer; what was explored before can be brought back.
    pub(in crate::app) fn replace_explored(&mut self, session: Session, view: ViewState) {
        if let Some(player) = self.session.player_mut() {
            player.keep_view(&self.view);
        }
        let before_view = self.session.explored_view().cloned().unwrap_or_else(|| self.view.clone());
        let before = self.session.explored().lab.place();
        self.view = view.with_settings_of(&self.view);
        let mut old = self.session.explore(session);
        old.lab.rest();
        self.remember(What::Opened { other: Box::new((old, before_view)) }, before);
        self.start_changed();
    }

    /// Takes the last edit back; returns what it was, in words.
    pub(super) fn undo(&mut self) -> Option<String> {
        let front = self.front();
        let edits = self.undo.0.get_mut(&front)?;
        let mut edit = edits.done.pop()?;
        if edit.after.given != self.session.lab.log().len() && !matches!(edit.what, What::Opened { .. }) {
            // Somebody else has changed the log: what is remembered is not about it.
            *edits = Edits::default();
            return None;
        }
        match &mut edit.what {
            What::Given { taken, captions_before, captions } => {
                *captions = self.session.captions.split_off(*captions_before);
                *taken = self.session.lab.take_back(&edit.before);
            }
            What::Deleted { branch } => self.session.lab.restore_branch(*branch),
            other => self.exchange(other),
        }
        self.session.lab.go_to(&edit.before);
        let words = edit.words(self);
        self.after_exchange(&edit.what);
        self.undo.0.entry(front).or_default().undone.push(edit);
        Some(words)
    }

    /// Makes the last edit that was taken back again; returns what it was, in words.
    pub(super) fn redo(&mut self) -> Option<String> {
        let front = self.front();
        let edits = self.undo.0.get_mut(&front)?;
        let mut edit = edits.undone.pop()?;
        if edit.before.given != self.session.lab.log().len() && !matches!(edit.what, What::Opened { .. }) {
            *edits = Edits::default();
            return None;
        }
        let words = edit.words(self);
        match &mut edit.what {
            What::Given { taken, captions, .. } => {
                self.session.captions.append(captions);
                self.session.lab.go_to(&edit.before);
                self.session.lab.give_again(std::mem::take(taken), &edit.after);
            }
            What::Deleted { branch } => {
                self.session.lab.go_to(&edit.before);
                self.session.lab.delete_branch(branch.start());
            }
            other => self.exchange(other),
        }
        self.session.lab.go_to(&edit.after);
        self.after_exchange(&edit.what);
        self.undo.0.entry(front).or_default().done.push(edit);
        Some(words)
    }

    /// Exchanges what is with what an edit keeps.
    fn exchange(&mut self, what: &mut What) {
        match what {
            What::Marked { other } => std::mem::swap(other, &mut self.session.marks),
            What::Composed { other } => std::mem::swap(other, &mut self.view.composer),
            What::Machine { other } => {
                let now = (self.session.config(), self.session.caches());
                match self.session.replay_on(other.0, other.1) {
                    Ok(()) => *other = now,
                    Err(reason) => self.view.notice = Some(reason.to_string()),
                }
            }
            What::Opened { other } => {
                let (session, view) = &mut **other;
                let shown = view.clone().with_settings_of(&self.view);
                *view = std::mem::replace(&mut self.view, shown);
                let now = self.session.explore(std::mem::replace(session, Session::empty()));
                *session = now;
                session.lab.rest();
            }
            What::Given { .. } | What::Deleted { .. } => {}
        }
    }

    fn after_exchange(&mut self, what: &What) {
        match what {
            What::Machine { .. } | What::Opened { .. } => self.start_changed(),
            _ => self.lab_changed(),
        }
    }
}

impl Edit {
    /// What it was, in words. Of commands this can be told while they are taken back.
    fn words(&self, app: &App) -> String {
        let language: Language = app.view.language;
        match &self.what {
            What::Given { taken, .. } => match taken.as_slice() {
                [] => tr!(language, "commands along the path").to_owned(),
                [one] => explain::command(&one.command, language),
                more => tr!(language, "{count} commands", count = more.len()),
            },
            What::Marked { .. } => tr!(language, "names and bookmarks").to_owned(),
            What::Deleted { .. } => tr!(language, "a branch deleted").to_owned(),
            What::Machine { .. } => tr!(language, "engine and caches").to_owned(),
            What::Opened { .. } => tr!(language, "opening").to_owned(),
            What::Composed { .. } => tr!(language, "the next access").to_owned(),
        }
    }
}
