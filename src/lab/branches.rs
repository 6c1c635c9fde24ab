//! The branches of a lab's time: which there are, which one is in view, and going back to how the
//! log was.
//!
//! A branch is known by its first command: the one with which it left another branch, or the very
//! first of all. It keeps that command while it grows.

use super::{Lab, Node, NodeId};

/// A branch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The command that began it: what it is known by. The first branch begins with command 0.
    pub start: NodeId,
    /// Its last command.
    pub tip: NodeId,
    /// How many commands it has from the start of time.
    pub len: usize,
    /// Its commands up to this one are those of the path in view.
    pub shared: usize,
}

/// The two ends of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub start: NodeId,
    pub tip: NodeId,
}

/// A place in the tree of time, to come back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How many commands the log has.
    pub given: usize,
    /// The last command of the path in view; none: nothing but the start is in view.
    pub tip: Option<NodeId>,
    /// How many commands of the path lie before the cursor.
    pub cursor: usize,
}

/// A branch that was deleted, for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletedBranch(Ends);

impl DeletedBranch {
    /// Its first command.
    #[must_use]
    pub const fn start(self) -> NodeId {
        self.0.start
    }
}

/// The log without what only deleted branches led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its commands, in the order in which they were given.
    pub log: Vec<Node>,
    /// For each command of the lab its number in `log`; none where all are kept.
    ids: Option<Vec<Option<NodeId>>>,
}

impl Kept {
    /// The number in the kept log of a command of the lab.
    #[must_use]
    pub fn id(&self, node: NodeId) -> Option<NodeId> {
        match &self.ids {
            None => ((node as usize) < self.log.len()).then_some(node),
            Some(ids) => ids.get(node as usize).copied().flatten(),
        }
    }
}

impl Lab {
    /// Every branch, by the order of their first commands.
    #[must_use]
    pub fn branches(&self) -> Vec<Branch> {
        let branch = |ends: &Ends| Branch {
            start: ends.start,
            tip: ends.tip,
            len: self.depths[ends.tip as usize] as usize,
            shared: self.shared_with_path(ends.tip),
        };
        self.tips.iter().map(branch).collect()
    }

    /// How many branches there are.
    #[must_use]
    pub const fn branch_count(&self) -> usize {
        self.tips.len()
    }

    /// The first command of the branch in view; none where nothing was ever given.
    #[must_use]
    pub const fn branch_in_view(&self) -> Option<NodeId> {
        self.in_view
    }

    /// The branch that has this last command, by its first.
    #[must_use]
    pub fn branch_of_tip(&self, tip: NodeId) -> Option<NodeId> {
        self.tips.iter().find(|ends| ends.tip == tip).map(|ends| ends.start)
    }

    /// The last command of the branch that has this first one.
    #[must_use]
    pub fn tip_of_branch(&self, start: NodeId) -> Option<NodeId> {
        let at = self.tips.binary_search_by_key(&start, |ends| ends.start).ok()?;
        Some(self.tips[at].tip)
    }

    /// Another branch grows by a command, or a new one begins with it. Returns its first command.
    #[cold]
    pub(super) fn grow_or_fork(&mut self, parent: Option<NodeId>, id: NodeId) -> NodeId {
        match self.tips.iter_mut().find(|ends| Some(ends.tip) == parent) {
            Some(ends) => {
                ends.tip = id;
                ends.start
            }
            None => {
                self.tips.push(Ends { start: id, tip: id });
                id
            }
        }
    }

    /// How many commands from the start lead to a node and are on the path in view.
    fn shared_with_path(&self, node: NodeId) -> usize {
        let on_path = |id: &NodeId| {
            let depth = self.depths[*id as usize] as usize;
            (self.path.get(depth - 1) == Some(id)).then_some(depth)
        };
        self.line_of(node).find_map(|id| on_path(&id)).unwrap_or(0)
    }

    /// A node and those before it, back to the start.
    fn line_of(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(node), |id| self.nodes[*id as usize].parent)
    }

    pub(super) fn path_to(&self, tip: NodeId) -> Vec<NodeId> {
        let mut path = Vec::with_capacity(self.depths[tip as usize] as usize);
        path.extend(self.line_of(tip));
        path.reverse();
        path
    }

    /// The branch that a path with this end belongs to: where several do, the oldest of them.
    pub(super) fn branch_through(&self, tip: Option<NodeId>) -> Option<NodeId> {
        let Some(tip) = tip else { return self.tips.first().map(|ends| ends.start) };
        self.branch_of_tip(tip).or_else(|| {
            let started = |id: &NodeId| self.tips.binary_search_by_key(id, |ends| ends.start).is_ok();
            self.line_of(tip).find(started).or_else(|| self.tips.first().map(|ends| ends.start))
        })
    }

    /// Takes another branch into view. The cursor goes back to the last command they share if it
    /// stood beyond it.
    pub fn switch_to(&mut self, tip: NodeId) {
        if (tip as usize) < self.nodes.len() {
            self.view(Some(tip));
        }
    }

    fn view(&mut self, tip: Option<NodeId>) {
        self.in_view = self.branch_through(tip);
        if self.path.last().copied() == tip {
            return;
        }
        let shared = tip.map_or(0, |tip| self.shared_with_path(tip));
        if self.cursor > shared {
            self.seek(shared);
        }
        match tip {
            Some(tip) if self.depths[tip as usize] as usize > shared => self.path = self.path_to(tip),
            _ => self.path.truncate(shared),
        }
    }

    /// Where the cursor and the view stand.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { given: self.nodes.len(), tip: self.path.last().copied(), cursor: self.cursor }
    }

    /// Brings view and cursor to a place. What was given since stays in the log.
    pub fn go_to(&mut self, place: &Place) {
        if place.tip.is_none_or(|tip| (tip as usize) < self.nodes.len()) {
            self.view(place.tip);
            self.seek(place.cursor);
        }
    }

    /// Goes to a place and takes out of the log what was given since: the opposite of
    /// [`Lab::give_again`].
    pub fn take_back(&mut self, place: &Place) -> Vec<Node> {
        self.go_to(place);
        let first = place.given.min(self.nodes.len());
        let taken = self.nodes.split_off(first);
        self.depths.truncate(first);
        self.tips.retain(|ends| (ends.start as usize) < first);
        for at in 0..self.tips.len() {
            let mut tip = self.tips[at].tip;
            while let (true, Some(node)) = (tip as usize >= first, taken.get((tip as usize).wrapping_sub(first))) {
                tip = node.parent.unwrap_or(self.tips[at].start);
            }
            self.tips[at].tip = tip;
        }
        self.in_view = self.branch_through(place.tip);
        self.snapshots.forget_from(first as NodeId, &self.start);
        let was = std::mem::take(&mut self.identity);
        self.succeeds = Some((was.0, first as NodeId));
        taken
    }

    /// Puts commands that were taken back into the log again, and goes to a place.
    pub fn give_again(&mut self, taken: Vec<Node>, place: &Place) {
        for Node { parent, command } in taken {
            self.add_node(parent, command);
        }
        self.go_to(place);
    }

    /// Deletes a branch, by its first command. The last one there is cannot be deleted. If it was in
    /// view, the one that shares most with it comes into view.
    pub fn delete_branch(&mut self, start: NodeId) -> Option<DeletedBranch> {
        let at = self.tips.binary_search_by_key(&start, |ends| ends.start).ok()?;
        if self.tips.len() < 2 {
            return None;
        }
        let deleted = self.tips.remove(at);
        self.deleted += 1;
        if self.in_view == Some(start) {
            let nearest = self.branches().into_iter().rev().max_by_key(|branch| branch.shared);
            if let Some(nearest) = nearest {
                self.switch_to(nearest.tip);
            }
        }
        Some(DeletedBranch(deleted))
    }

    /// Brings a deleted branch back, out of view.
    pub fn restore_branch(&mut self, DeletedBranch(ends): DeletedBranch) {
        if let Err(at) = self.tips.binary_search_by_key(&ends.start, |known| known.start) {
            self.tips.insert(at, ends);
            self.deleted -= 1;
        }
    }

    /// The log without what only deleted branches led to: what is saved.
    #[must_use]
    pub fn kept(&self) -> Kept {
        if self.deleted == 0 {
            return Kept { log: self.nodes.clone(), ids: None };
        }
        let mut kept = vec![false; self.nodes.len()];
        for end in self.tips.iter().map(|ends| ends.tip).chain(self.path.last().copied()) {
            for id in self.line_of(end) {
                if std::mem::replace(&mut kept[id as usize], true) {
                    break;
                }
            }
        }
        let (mut log, mut ids) = (Vec::new(), Vec::with_capacity(kept.len()));
        for (node, kept) in self.nodes.iter().zip(kept) {
            ids.push(kept.then_some(log.len() as NodeId));
            if kept {
                let parent = node.parent.and_then(|parent| ids[parent as usize]);
                log.push(Node { parent, command: node.command.clone() });
            }
        }
        Kept { log, ids: Some(ids) }
    }

    /// Gives up the states that make jumps short, to take less memory while the lab is put aside.
    pub fn rest(&mut self) {
        self.snapshots.forget_from(0, &self.start);
        self.before = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{CpuModel, Gva};
    use crate::engine::{AnyVm, EngineName};
    use crate::machine::{Command, Machine};

    /// A machine without paging to which nothing has happened.
    fn empty() -> Lab {
        Lab::new(AnyVm::new(Machine::new(CpuModel::default(), 16 << 20), EngineName::Native.into()))
    }

    fn give(lab: &mut Lab, page: u64) {
        lab.execute(Command::Invlpg { va: Gva(page << 12) });
    }

    /// 0 1 2 3, after 1: 4 5, after 4: 6.
    fn tree() -> Lab {
        let mut lab = empty();
        for page in 0..4 {
            give(&mut lab, page);
        }
        lab.seek(2);
        give(&mut lab, 4);
        give(&mut lab, 5);
        lab.seek(3);
        give(&mut lab, 6);
        lab
    }

    fn ends(lab: &Lab) -> Vec<(NodeId, NodeId)> {
        lab.branches().iter().map(|branch| (branch.start, branch.tip)).collect()
    }

    #[test]
    fn a_branch_keeps_its_first_command_while_it_grows() {
        let mut lab = tree();
        assert_eq!((ends(&lab), lab.branch_in_view()), (vec![(0, 3), (4, 5), (6, 6)], Some(6)));
        lab.switch_to(3);
        lab.seek(usize::MAX);
        give(&mut lab, 7);
        assert_eq!((ends(&lab), lab.branch_in_view()), (vec![(0, 7), (4, 5), (6, 6)], Some(0)));
    }

    #[test]
    fn what_was_given_is_taken_back_and_given_again() {
        let lab = tree();
        let (all, after) = (ends(&lab), lab.place());
        for given in (0..7).rev() {
            let mut other = lab.clone();
            let taken = other.take_back(&Place { given, tip: None, cursor: 0 });
            assert_eq!((taken.len(), other.log().len(), other.len()), (7 - given, given, 0));
            let expected: Vec<(NodeId, NodeId)> = match given {
                0 => vec![],
                1..=4 => vec![(0, given as NodeId - 1)],
                5 => vec![(0, 3), (4, 4)],
                _ => vec![(0, 3), (4, 5)],
            };
            assert_eq!(ends(&other), expected, "{given}");
            other.give_again(taken, &after);
            assert_eq!((ends(&other), other.place(), other.state_hash()), (all.clone(), after, lab.state_hash()));
            assert_eq!(other.branch_in_view(), lab.branch_in_view());
        }
    }

    #[test]
    fn a_deleted_branch_comes_back_and_is_not_saved() {
        let mut lab = tree();
        let (all, place) = (ends(&lab), lab.place());
        let deleted = lab.delete_branch(6).expect("one of three");
        assert_eq!((ends(&lab), lab.branch_in_view()), (vec![(0, 3), (4, 5)], Some(4)), "the nearest comes into view");
        assert_eq!((lab.len(), lab.cursor()), (4, 3));
        let kept = lab.kept();
        assert_eq!((kept.log.len(), kept.id(5), kept.id(6)), (6, Some(5), None));
        let main = lab.delete_branch(0).expect("one of two");
        let kept = lab.kept();
        assert_eq!((kept.log.len(), kept.id(2), kept.id(4)), (4, None, Some(2)));
        assert_eq!(kept.log[2].parent, Some(1));
        assert_eq!(lab.delete_branch(4), None, "the last one stays");
        lab.restore_branch(main);
        lab.restore_branch(deleted);
        lab.go_to(&place);
        assert_eq!((ends(&lab), lab.place(), lab.branch_in_view()), (all, place, Some(6)));
        assert_eq!(lab.kept().log, lab.log());
    }
}
