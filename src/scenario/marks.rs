//! What people write on time: names of branches, and bookmarks.
//!
//! They belong to a session, and links and autosaves carry them as additions to the view
//! (`branch.TIP`, `bookmark.COMMAND`), which programs that do not know them ignore.

use std::collections::BTreeMap;

use super::link::View;
use crate::lab::{Kept, Lab, NodeId};

/// Longer names are cut, in characters.
pub const MAX_NAME: usize = 60;
/// More marks are not read from a file.
const MAX_MARKS: usize = 1000;

const BRANCH: &str = "branch.";
const BOOKMARK: &str = "bookmark.";
const START: &str = "start";

/// A bookmarked place in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// After this command; none: at the start.
    pub at: Option<NodeId>,
    /// What somebody called it; may be empty.
    pub name: String,
}

/// Names of branches, by their first commands, and bookmarks in the order in which they were set.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Marks {
    names: BTreeMap<NodeId, String>,
    /// The bookmarks.
    pub bookmarks: Vec<Bookmark>,
}

/// A name as it is kept: on one line, without blanks around it, of bounded length.
fn tidy(name: &str) -> String {
    let words: Vec<&str> =
        name.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(MAX_NAME).collect()
}

impl Marks {
    /// What a branch was called, by its first command.
    #[must_use]
    pub fn branch_name(&self, start: NodeId) -> Option<&str> {
        self.names.get(&start).map(String::as_str)
    }

    /// Calls a branch by a name; an empty one takes its name away.
    pub fn name_branch(&mut self, start: NodeId, name: &str) {
        match tidy(name) {
            name if name.is_empty() => drop(self.names.remove(&start)),
            name => drop(self.names.insert(start, name)),
        }
    }

    /// The bookmark at a place.
    #[must_use]
    pub fn bookmark(&self, at: Option<NodeId>) -> Option<&Bookmark> {
        self.bookmarks.iter().find(|bookmark| bookmark.at == at)
    }

    /// Sets a bookmark, or takes it away.
    pub fn toggle(&mut self, at: Option<NodeId>) {
        match self.bookmarks.iter().position(|bookmark| bookmark.at == at) {
            Some(index) => drop(self.bookmarks.remove(index)),
            None => self.bookmarks.push(Bookmark { at, name: String::new() }),
        }
    }

    /// Calls a bookmark by a name, and sets it if there is none.
    pub fn name_bookmark(&mut self, at: Option<NodeId>, name: &str) {
        let name = tidy(name);
        match self.bookmarks.iter_mut().find(|bookmark| bookmark.at == at) {
            Some(bookmark) => bookmark.name = name,
            None => self.bookmarks.push(Bookmark { at, name }),
        }
    }

    /// Adds the marks to what a link tells of the view. `kept` is the log that the link has.
    pub(super) fn write(&self, lab: &Lab, kept: &Kept, view: &mut View) {
        for (start, name) in &self.names {
            if let Some(tip) = lab.tip_of_branch(*start).and_then(|tip| kept.id(tip)) {
                view.more.push((format!("{BRANCH}{tip}"), name.clone()));
            }
        }
        for Bookmark { at, name } in &self.bookmarks {
            let place = match at {
                None => Some(START.to_owned()),
                Some(node) => kept.id(*node).map(|id| id.to_string()),
            };
            if let Some(place) = place {
                view.more.push((format!("{BOOKMARK}{place}"), name.clone()));
            }
        }
    }

    /// The marks that a link tells; what names nothing of the lab is left out.
    pub(super) fn read(view: &View, lab: &Lab) -> Self {
        let mut marks = Self::default();
        for (key, name) in view.more.iter().take(MAX_MARKS) {
            if let Some(start) = number(key, BRANCH).and_then(|tip| lab.branch_of_tip(tip)) {
                marks.name_branch(start, name);
            } else if key.strip_prefix(BOOKMARK) == Some(START) {
                marks.name_bookmark(None, name);
            } else if let Some(node) = number(key, BOOKMARK).filter(|node| (*node as usize) < lab.log().len()) {
                marks.name_bookmark(Some(node), name);
            }
        }
        marks
    }
}

fn number(key: &str, prefix: &str) -> Option<NodeId> {
    key.strip_prefix(prefix)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Gva;
    use crate::machine::Command;
    use crate::scenario::{Session, Shared};

    fn session() -> Session {
        let mut session = Session::empty();
        for page in 0..4 {
            session.lab.execute(Command::Invlpg { va: Gva(page << 12) });
        }
        session.lab.seek(2);
        session.lab.execute(Command::Invlpg { va: Gva(0x9000) });
        session
    }

    #[test]
    fn links_carry_names_and_bookmarks() {
        let mut session = session();
        session.marks.name_branch(4, "  what\nif: reload CR3 first ");
        session.marks.toggle(None);
        session.marks.name_bookmark(Some(1), "before");
        let link = crate::scenario::link(&session, &View::default(), "en").expect("a link");
        let back = Shared::from_link(&link).expect("it is read").open().expect("it opens");
        assert_eq!(back.marks, session.marks);
        assert_eq!(back.marks.branch_name(4), Some("what if: reload CR3 first"));
    }

    #[test]
    fn marks_follow_the_log_without_deleted_branches() {
        let mut session = session();
        session.marks.name_branch(4, "kept");
        session.marks.name_bookmark(Some(3), "gone with its branch");
        session.marks.name_bookmark(Some(4), "here");
        session.lab.delete_branch(0).expect("one of two");
        let shared = Shared::of(&session, &View::default(), "en");
        assert_eq!(shared.log.len(), 3);
        let back = shared.open().expect("it opens");
        assert_eq!(back.marks.branch_name(0), Some("kept"), "it is the first branch now");
        assert_eq!(back.marks.bookmarks, [Bookmark { at: Some(2), name: "here".to_owned() }]);
    }

    #[test]
    fn what_names_nothing_is_ignored() {
        let more = ["branch.77", "branch.x", "bookmark.99", "bookmark.-1", "other"];
        let more = more.map(|key| (key.to_owned(), "name".to_owned())).to_vec();
        let view = View { more, ..View::default() };
        assert_eq!(Marks::read(&view, &session().lab), Marks::default());
    }
}
