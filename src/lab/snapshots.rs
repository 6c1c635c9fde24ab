//! The states that a lab keeps, so that any point of its time is one of them and a short replay.
//!
//! How many are kept follows what they cost. The replay between two of them is bounded by an
//! estimate of its work; the memory that all of them take by a budget. Where the budget does not
//! suffice, the distance doubles and those in between go.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::NodeId;
use crate::engine::AnyVm;
use crate::machine::{Command, Cost};

/// Work between two snapshots of a branch while there is room: about a quarter of a millisecond to
/// a millisecond of replay.
const FIRST_INTERVAL: u64 = 8192;

/// What all snapshots of a lab may take, in bytes.
const BUDGET: usize = if cfg!(target_arch = "wasm32") { 96 << 20 } else { 384 << 20 };

/// Commands are looked at in groups of so many, so that a command that costs little stays cheap.
const LOOK_EVERY: usize = 16;

/// Work of everything that the counters of a run tell, in units of a command that the TLB answers
/// (some 20 ns): a read by the walker, an exit, a shadow page made or zapped with all its entries.
const fn counted(cost: &Cost) -> u64 {
    cost.memory_reads + 24 * cost.exits.total() + 64 * (cost.shadow_new + cost.shadow_zapped)
}

/// A point on a branch, with the work that leads to it.
#[derive(Clone, Copy, Debug, Default)]
struct Point {
    node: Option<NodeId>,
    step: usize,
    counted: u64,
    work: u64,
}

impl Point {
    fn start(start: &AnyVm) -> Self {
        Self { counted: counted(&start.machine().cost), ..Self::default() }
    }
}

#[derive(Clone, Debug)]
struct Kept {
    vm: Arc<AnyVm>,
    /// The snapshot before it on its branch.
    below: Option<NodeId>,
    point: Point,
    /// What it takes beside the one below.
    bytes: usize,
}

/// The snapshots of a lab.
#[derive(Clone, Debug)]
pub(super) struct Snapshots {
    kept: BTreeMap<NodeId, Kept>,
    interval: u64,
    budget: usize,
    bytes: usize,
    /// The last snapshot at or before the cursor.
    base: Point,
    /// Work since then that no counter tells.
    uncounted: u64,
}

impl Snapshots {
    pub(super) fn new(start: &AnyVm) -> Self {
        let mut snapshots = Self {
            kept: BTreeMap::new(),
            interval: FIRST_INTERVAL,
            budget: BUDGET,
            bytes: 0,
            base: Point::default(),
            uncounted: 0,
        };
        snapshots.stand_at(None, start);
        snapshots
    }

    /// The cursor has moved to where this snapshot (`None`: the start) is the nearest.
    pub(super) fn stand_at(&mut self, nearest: Option<NodeId>, start: &AnyVm) {
        let kept = nearest.and_then(|node| self.kept.get(&node));
        self.base = kept.map_or_else(|| Point::start(start), |kept| kept.point);
        self.uncounted = 0;
    }

    /// A command, given when memory had so many pages, has led to the node that is `step` of its
    /// path: keeps the state if the work since the last snapshot asks for it.
    #[inline]
    pub(super) fn passed(
        &mut self,
        node: NodeId,
        step: usize,
        command: &Command,
        pages: usize,
        start: &AnyVm,
        vm: &AnyVm,
    ) {
        let now = vm.machine().memory.page_count();
        let found_frame = now != pages && matches!(command, Command::Map { .. });
        if found_frame {
            // To find a free frame, every word of memory was read.
            self.uncounted += 64 * now as u64;
        }
        if found_frame || step.is_multiple_of(LOOK_EVERY) {
            self.look(node, step, start, vm);
        }
    }

    fn look(&mut self, node: NodeId, step: usize, start: &AnyVm, vm: &AnyVm) {
        let counted = counted(&vm.machine().cost);
        let since = (step - self.base.step) as u64 + counted.saturating_sub(self.base.counted) + self.uncounted;
        if since < self.interval {
            return;
        }
        let point = Point { node: Some(node), step, counted, work: self.base.work + since };
        let below = self.base.node;
        (self.base, self.uncounted) = (point, 0);
        if self.kept.contains_key(&node) {
            return;
        }
        let bytes = vm.bytes_beside(self.state(below, start));
        self.kept.insert(node, Kept { vm: Arc::new(vm.clone()), below, point, bytes });
        self.bytes += bytes;
        while self.bytes > self.budget && self.kept.len() > 1 {
            self.interval *= 2;
            self.thin(start);
        }
    }

    fn state<'a>(&'a self, node: Option<NodeId>, start: &'a AnyVm) -> &'a AnyVm {
        node.and_then(|node| self.kept.get(&node)).map_or(start, |kept| &kept.vm)
    }

    /// Drops what stands closer to the snapshot below it than the interval.
    #[cold]
    fn thin(&mut self, start: &AnyVm) {
        let all = std::mem::take(&mut self.kept);
        // Where a dropped one leads: to the snapshot that is kept below it.
        let mut dropped: BTreeMap<NodeId, Option<NodeId>> = BTreeMap::new();
        self.bytes = 0;
        // A snapshot's number is above that of the one below it, so that one is decided already.
        for (node, mut kept) in all {
            kept.below = kept.below.and_then(|below| dropped.get(&below).copied().unwrap_or(Some(below)));
            let work_below = kept.below.and_then(|below| self.kept.get(&below)).map_or(0, |below| below.point.work);
            if kept.point.work - work_below < self.interval {
                dropped.insert(node, kept.below);
                continue;
            }
            kept.bytes = kept.vm.bytes_beside(self.state(kept.below, start));
            self.bytes += kept.bytes;
            self.kept.insert(node, kept);
        }
        if let Some(kept) = self.base.node.and_then(|node| dropped.get(&node)) {
            // Work goes on being counted from the one that is kept.
            let was = self.base;
            let kept = kept.and_then(|node| self.kept.get(&node));
            self.base = kept.map_or_else(|| Point::start(start), |kept| kept.point);
            let told = (was.step - self.base.step) as u64 + was.counted.saturating_sub(self.base.counted);
            self.uncounted += (was.work - self.base.work).saturating_sub(told);
        }
    }

    /// The last snapshot at or before `step` of a path.
    pub(super) fn nearest(&self, path: &[NodeId], step: usize) -> Option<(NodeId, usize, &Arc<AnyVm>)> {
        let last = path.get(step.checked_sub(1)?)?;
        let on_path = |(node, kept): &(&NodeId, &Kept)| path.get(kept.point.step - 1) == Some(*node);
        let (node, kept) = self.kept.range(..=*last).rev().find(on_path)?;
        Some((*node, kept.point.step, &kept.vm))
    }

    /// About how many bytes they take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.kept.len()
    }

    /// Another budget: what tests use to see it run out.
    pub(super) const fn set_budget(&mut self, bytes: usize) {
        self.budget = bytes;
    }
}
